/* Everything that is read about groups. The first byte chooses: 0 an epoch's message (what parses is what would be written), 1 a request, 2 to 6
 * authority, genesis, policy, command and freshness records without their signatures' check where that can be had, 7 a plain member state, 8 a
 * token's text and record, 9 controllers' state: keys, then side, 10 certificates and a pattern, 11 an epoch's znode to a member, 12 a reply. */
#include <stdlib.h>
#include <string.h>

#include "../support/gk_grouprig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gk_grouprig rig;
static gk_member *member;

static void open_rig(void)
{
    char token[GK_TOKEN_TEXT + 1];

    if (member != NULL)
        return;
    grig_open(&rig, GK_MODE_LKH, NULL);
    grig_token(&rig, token, 10);
    member = grig_join(&rig, "m", token);
}

static void epoch(gk_bytes in)
{
    gk_epoch e = {0};

    if (gk_epoch_parse(&e, in) != GK_OK)
        return;
    grig_must(e.ops.n % GK_EPOCH_OP == 0 && e.wraps.n % GK_EPOCH_WRAP == 0);
    grig_must(4 + 16 + 4 * 8 + 3 * 4 + 2 + 8 + 64 + 4 + e.ops.n + 4 + e.wraps.n + 32 + GK_TRAILER == in.n);
}

static void state(gk_bytes in)
{
    gk_lkh l = {0}, again = {0};
    uint32_t *leaves = NULL, n = 0;
    gk_reader r = gk_reader_of(in.p, in.n);
    gk_side s = {0};

    grig_must(gk_lkh_init(&l, in.n > 0 && in.p[0] == GK_MODE_FLAT ? GK_MODE_FLAT : GK_MODE_LKH, rig.genesis.id) == GK_OK);
    if (gk_lkh_load(&l, &r, &leaves, &n) == GK_OK) {
        gk_mem out = {0};
        gk_writer w = gk_writer_of(NULL, 0);

        grig_must(n == l.members);
        gk_lkh_save(&l, &w); /* written again, the same bytes */
        grig_must(gk_mem_new(&out, w.len) == GK_OK && w.len == in.n - r.n);
        w = gk_writer_of(out.p, out.n);
        gk_lkh_save(&l, &w);
        grig_must(w.err == GK_OK && memcmp(out.p, in.p, out.n) == 0);
        gk_mem_free(&out);
        gk_reader whole = r;
        (void)!gk_side_load(&s, &r, false);
        gk_side_clear(&s);
        (void)!gk_side_load(&s, &whole, true);
        gk_side_clear(&s);
    }
    free(leaves);
    gk_lkh_clear(&l);
    gk_lkh_clear(&again);
}

static void saved(gk_bytes in)
{
    gk_member *m = NULL;
    gk_mem out = {0};

    if (gk_member_load(&m, in, NULL) != GK_OK)
        return;
    grig_must(gk_member_save(m, &out, NULL) == GK_OK && out.n <= in.n + 8 * GK_FED_COUNT);
    gk_mem_free(&out);
    gk_member_free(m);
}

static void certificates(gk_bytes in)
{
    gk_cert *c = NULL;
    uint8_t hash[32];
    size_t cut = in.n > 0 ? in.p[0] % in.n : 0;
    gk_bytes pattern = {cut > 0 ? in.p + 1 : in.p, cut > 0 ? cut - 1 : 0};

    (void)gk_cert_pattern_ok(pattern);
    if (gk_cert_parse(&c, (gk_bytes){in.p + cut, in.n - cut}) != GK_OK)
        return;
    (void)gk_cert_matches(c, pattern);
    (void)!gk_cert_spki_hash(c, hash);
    gk_cert_free(c);
}

static void tokens(gk_bytes in)
{
    gk_token t = {0};
    gk_key *k = NULL;
    uint8_t id[8], hash[32];

    (void)!gk_token_read(&t, in);
    (void)!gk_token_open(&k, id, hash, in);
    gk_key_free(k);
}

static void request(gk_bytes in)
{
    gk_request q = {0};

    if (gk_request_read(&q, in) == GK_OK)
        gk_request_clear(&q);
    grig_must(gk_group_request(rig.group, in, rig.now) != GK_REFUSAL_NONE); /* nobody can guess a token or the only member's key */
    gk_plan_clear(&rig.group->outbox);
    while (rig.group->side.waiting_n > 0)
        gk_side_waited(&rig.group->side, rig.group->side.waiting[0].hash);
}

static void records(uint8_t which, gk_bytes in)
{
    gk_authority *a = NULL;
    gk_genesis g = {0};
    gk_policy p = {0};
    gk_command c = {0};
    gk_fresh f = {0};

    if (which == 2 && gk_authority_read(&a, NULL, in) == GK_OK)
        gk_authority_free(a);
    if (which == 3)
        (void)!gk_genesis_read(&g, in, NULL);
    if (which == 4)
        (void)!gk_policy_read(&p, rig.genesis.id, in, NULL);
    if (which == 5)
        grig_must(gk_command_read(&c, in, rig.authority, rig.now) != GK_OK);
    if (which == 6)
        grig_must(gk_fresh_read(&f, in, rig.authority) != GK_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_bytes in = {data + 1, size > 0 ? size - 1 : 0};
    gk_verdict v = GK_FED_KEY;

    open_rig();
    if (size == 0)
        return 0;
    switch (data[0]) {
    case 0: epoch(in); break;
    case 1: request(in); break;
    case 7: saved(in); break;
    case 8: tokens(in); break;
    case 9: state(in); break;
    case 10: certificates(in); break;
    case 11:
        v = gk_member_feed(member, in, rig.now);
        grig_must(gk_verdict_refused(v) || v == GK_FED_NEEDS_AUTHORITY);
        break;
    case 12: grig_must(gk_verdict_refused(gk_member_reply(member, in, rig.now))); break;
    default: records(data[0], in);
    }
    return 0;
}
