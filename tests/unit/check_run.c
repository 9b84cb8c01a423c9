/* Runs of TGDH and CKD. GK_SCHEDULES: how many random schedules (10,000 in make soak), GK_SEED: the first one's number. */
#include <time.h>

#include "../../native/crypto/gk_key_internal.h"
#include "../../native/crypto/gk_sign.h"
#include "../../native/crypto/gk_x25519.h"
#include "../../native/group/gk_run_internal.h"
#include "../support/gk_schedule.h"
#include "support/gk_check.h"

#define MOST 64

static const uint8_t ensemble_id[16] = {'u', 'n', 'i', 't'};
static gk_key *identities[MOST];
static gk_party parties[MOST];

static void setup(void)
{
    for (size_t i = 0; i < MOST; i++) {
        ck_ok(gk_key_generate(&identities[i], GK_PURPOSE_SIGN, 0));
        ck_ok(gk_sign_public(parties[i].public_key, identities[i]));
        parties[i].id = 3 * i + 1;
        memset(parties[i].nonce, (int)i + 1, GK_RUN_NONCE);
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < MOST; i++)
        gk_key_free(identities[i]);
}

typedef struct group {
    size_t n;
    gk_run *runs[MOST];
} group;

static void begin(group *g, gk_protocol p, size_t n)
{
    *g = (group){.n = n};
    for (size_t i = 0; i < n; i++)
        ck_ok(gk_run_new(&g->runs[i], p, ensemble_id, parties, n, parties[i].id, identities[i]));
}

static void end(group *g)
{
    for (size_t i = 0; i < g->n; i++)
        gk_run_free(g->runs[i]);
}

static void hear_all(group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        for (size_t j = 0; j < g->n; j++) {
            for (size_t k = 0; j != i && gk_run_sent(g->runs[j], k).n > 0; k++)
                ck_ok(gk_run_receive(g->runs[i], gk_run_sent(g->runs[j], k)));
        }
    }
}

/* round_of: everybody computes, then everybody hears all that was said. false when nobody had anything new to say. */
static bool round_of(group *g)
{
    size_t before = 0;
    size_t after = 0;

    for (size_t i = 0; i < g->n; i++) {
        before += g->runs[i]->n_sent;
        ck_ok(gk_run_advance(g->runs[i]));
        after += g->runs[i]->n_sent;
    }
    if (after > before)
        hear_all(g);
    return after > before;
}

static unsigned agree(group *g)
{
    unsigned rounds = 0;

    while (round_of(g))
        rounds++;
    for (size_t i = 0; i < g->n; i++) {
        ck_assert(gk_run_agreed(g->runs[i]));
        ck_assert_mem_eq(gk_run_hash(g->runs[i]), gk_run_hash(g->runs[0]), GK_RUN_HASH);
        ck_assert(gk_bytes_equal(gk_key_raw(gk_run_secret(g->runs[i])), gk_key_raw(gk_run_secret(g->runs[0]))));
        /* nothing is left that could open this run or another one */
        ck_assert_ptr_null(g->runs[i]->secret);
        ck_assert_ptr_null(g->runs[i]->root);
    }
    return rounds;
}

static unsigned log2_up(size_t n)
{
    unsigned d = 0;

    while (((size_t)1 << d) < n)
        d++;
    return d;
}

static const size_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 31, 33, 64};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* What each party does, against the theory (docs/DESIGN.md, "What a run costs"). */
START_TEST(tgdh_costs_what_it_should)
{
    for (size_t k = 0; k < SIZES; k++) {
        size_t n = sizes[k];
        unsigned depth = log2_up(n);
        unsigned sponsors = 0;
        unsigned messages = 0;
        group g;

        begin(&g, GK_TGDH, n);
        ck_assert_uint_eq(agree(&g), n == 1 ? 1 : depth + 1); /* leaves, inner nodes from below, confirmations */
        for (size_t i = 0; i < n; i++) {
            const gk_run_counts *c = gk_run_count(g.runs[i]);

            ck_assert_uint_le(c->x25519_shared, depth);
            ck_assert_uint_ge(c->x25519_shared + 1, depth); /* the tree is even */
            if (n > 1)
                ck_assert(c->x25519_base == 1 || c->x25519_base == 2);
            sponsors += c->x25519_base > 1;
            ck_assert_uint_eq(c->signatures, c->x25519_base + 1);
            ck_assert_uint_eq(c->checks, n == 1 ? 0 : 3 * n - 2 - c->signatures);
            messages += c->signatures;
        }
        ck_assert_uint_eq(sponsors, n <= 2 ? 0 : n - 2); /* each inner node but the root has one */
        ck_assert_uint_eq(messages, n == 1 ? 1 : 3 * n - 2);
        end(&g);
    }
}
END_TEST

START_TEST(ckd_costs_what_it_should)
{
    for (size_t k = 0; k + 1 < SIZES; k++) {
        size_t n = sizes[k];
        group g;

        begin(&g, GK_CKD, n);
        ck_assert_uint_eq(agree(&g), n == 1 ? 1 : 3);
        for (size_t i = 0; i < n; i++) {
            const gk_run_counts *c = gk_run_count(g.runs[i]);

            ck_assert_uint_eq(c->x25519_base, n == 1 ? 0 : 1);
            ck_assert_uint_eq(c->x25519_shared, n == 1 ? 0 : i == 0 ? n - 1 : 1);
            ck_assert_uint_eq(c->signatures, n == 1 ? 1 : i == 0 ? 3 : 2);
        }
        end(&g);
    }
}
END_TEST

/* A whole run as the other implementation made it. */
typedef struct known_run {
    size_t n;
    gk_bytes ensemble;
    gk_bytes id;
    gk_bytes hash;
    gk_bytes ks;
    gk_party parties[16];
    gk_key *identities[16];
    gk_bytes leaves[16];
    uint32_t nodes[16];
    size_t messages[16];
    gk_bytes message[16][GK_RUN_SENT];
} known_run;

static void read_known(gk_vec *v, known_run *k)
{
    k->n = gk_vec_u64(v, "parties");
    k->ensemble = gk_vec_hex(v, "ensemble");
    k->id = gk_vec_hex(v, "run");
    k->hash = gk_vec_hex(v, "hash");
    k->ks = gk_vec_hex(v, "ks");
    ck_assert_uint_le(k->n, 16);
    for (size_t i = 0; i < k->n; i++) {
        k->parties[i].id = gk_vec_u64(v, "id");
        memcpy(k->parties[i].nonce, gk_vec_hex(v, "nonce").p, GK_RUN_NONCE);
        ck_ok(gk_key_new(&k->identities[i], GK_PURPOSE_SIGN, 0, gk_vec_hex(v, "identity")));
        ck_ok(gk_sign_public(k->parties[i].public_key, k->identities[i]));
        k->leaves[i] = gk_vec_hex(v, "leaf");
        k->nodes[i] = (uint32_t)gk_vec_u64(v, "node");
        k->messages[i] = gk_vec_u64(v, "messages");
        for (size_t m = 0; m < k->messages[i]; m++)
            k->message[i][m] = gk_vec_hex(v, "message");
    }
}

/* take_part plays one party of it: the same messages, the same secret. */
static void take_part(const known_run *k, gk_protocol protocol, size_t who)
{
    gk_run *r = NULL;

    ck_ok(gk_run_new(&r, protocol, k->ensemble.p, k->parties, k->n, k->parties[who].id, k->identities[who]));
    ck_assert_mem_eq(gk_run_name(r), k->id.p, GK_RUN_HASH);
    ck_ok(gk_key_new(&r->secret, GK_PURPOSE_EXCHANGE, 0, k->leaves[who]));
    r->node = k->nodes[who];
    for (int twice = 0; twice < 2; twice++) {
        ck_ok(gk_run_advance(r));
        for (size_t i = 0; i < k->n; i++) {
            for (size_t m = 0; i != who && m < k->messages[i]; m++)
                ck_ok(gk_run_receive(r, k->message[i][m]));
        }
    }
    ck_ok(gk_run_advance(r));
    ck_assert(gk_run_agreed(r));
    ck_assert_mem_eq(gk_run_hash(r), k->hash.p, GK_RUN_HASH);
    ck_assert(gk_bytes_equal(gk_key_raw(gk_run_secret(r)), k->ks));
    ck_assert_uint_eq(r->n_sent, k->messages[who]);
    for (size_t m = 0; m < r->n_sent; m++)
        ck_assert(gk_bytes_equal(gk_run_sent(r, m), k->message[who][m]));
    gk_run_free(r);
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("runs.txt");

    while (gk_vec_next(v)) {
        gk_protocol protocol = (gk_protocol)gk_vec_u64(v, "protocol");
        known_run k = {0};

        read_known(v, &k);
        for (size_t who = protocol == GK_CKD ? 1 : 0; who < k.n; who++) /* CKD's first party draws the key itself */
            take_part(&k, protocol, who);
        for (size_t i = 0; i < k.n; i++)
            gk_key_free(k.identities[i]);
    }
    ck_assert_uint_eq(gk_vec_close(v), 11);
}
END_TEST

START_TEST(each_run_has_another_secret)
{
    uint8_t seen[8][8];

    for (size_t i = 0; i < 8; i++) {
        group g;

        begin(&g, i < 4 ? GK_TGDH : GK_CKD, 5); /* even the same run: leaves are fresh */
        (void)agree(&g);
        ck_ok(gk_key_check_value(gk_run_secret(g.runs[1]), seen[i]));
        for (size_t j = 0; j < i; j++)
            ck_assert_mem_ne(seen[i], seen[j], 8);
        end(&g);
    }
}
END_TEST

/* Whoever has stolen keys of one run, and all messages of all runs, opens that run (so the theft works), and no other one. */
START_TEST(stolen_keys_open_no_other_run)
{
    gk_key *stolen[8] = {0};
    size_t n = 0;
    group old;
    group next;

    begin(&old, GK_TGDH, 6);
    for (bool more = true; more;) { /* after each round party 2's key on its way up: leaf, inner ones */
        more = round_of(&old);
        if (old.runs[2]->secret != NULL && n < 8)
            stolen[n++] = gk_key_ref(old.runs[2]->secret);
    }
    ck_assert_uint_ge(n, 2);
    (void)agree(&old);
    for (size_t i = 0; i < 6; i++)
        memset(parties[i].nonce, 0x70 + (int)i, GK_RUN_NONCE);
    begin(&next, GK_TGDH, 6);
    (void)agree(&next);
    for (size_t k = 0; k < n; k++) {
        for (size_t who = 0; who < 6; who++) {
            for (int which = 0; which < 2; which++) {
                group *target = which == 0 ? &old : &next;
                gk_run *source = target->runs[who];
                gk_run thief = *source; /* his own copy of all that is public */
                uint8_t bk[GK_RUN_BK];
                bool opened = false;

                ck_ok(gk_x25519_public(bk, stolen[k]));
                for (uint32_t v = 2; v < thief.n_values && !opened; v++) {
                    thief.secret = gk_key_ref(stolen[k]);
                    thief.node = v;
                    thief.root = NULL;
                    if (thief.values[v].n == 0 || gk_run_tgdh.work(&thief) != GK_OK || thief.root == NULL) {
                        gk_key_free(thief.secret);
                        continue;
                    }
                    gk_key *ks = NULL;

                    ck_ok(gk_key_derive(&ks, GK_PURPOSE_AGREED, 0, thief.root, (gk_bytes){source->hash, GK_RUN_HASH}));
                    opened = gk_bytes_equal(gk_key_raw(ks), gk_key_raw(source->ks));
                    gk_key_free(ks);
                    gk_key_free(thief.root);
                }
                ck_assert(opened == (which == 0));
            }
        }
        gk_key_free(stolen[k]);
    }
    end(&old);
    end(&next);
}
END_TEST

/* --- erasure ---------------------------------------------------------------------------------------------------------------- */

#define MASK 0x5a /* the pattern to look for must not be in memory itself */
#define MIDDLE 28 /* of a key's 32 bytes: X25519 changes the first and the last one in its own copies */

typedef struct pattern {
    uint8_t masked[MIDDLE];
} pattern;

static pattern pattern_of(const gk_key *k)
{
    pattern p;

    for (size_t i = 0; i < MIDDLE; i++)
        p.masked[i] = gk_key_raw(k).p[i + 2] ^ MASK;
    return p;
}

/* count_at: how often the pattern stands in n bytes of memory, whatever they are for. */
__attribute__((no_sanitize("address", "undefined", "thread"))) static size_t count_at(const volatile uint8_t *p, size_t n,
                                                                                      const pattern *what)
{
    size_t found = 0;

    for (size_t i = 0; i + MIDDLE <= n; i++) {
        size_t k = 0;

        while (k < MIDDLE && p[i + k] == (what->masked[k] ^ MASK))
            k++;
        found += k == MIDDLE;
    }
    return found;
}

/* count_everywhere looks through all memory of this process that it can write: heap, stacks, data. */
static size_t count_everywhere(const pattern *what)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    size_t found = 0;

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;
        char mode[5] = "";

        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && strncmp(mode, "rw", 2) == 0 && to - from < (64UL << 20))
            found += count_at((const volatile uint8_t *)from, to - from, what);
    }
    (void)fclose(f);
    return found;
}

START_TEST(keys_are_erased)
{
    for (int protocol = GK_TGDH; protocol <= GK_CKD; protocol++) {
        pattern seen[8];
        size_t n = 0;
        group g;

        begin(&g, (gk_protocol)protocol, 5);
        for (bool more = true; more && n < 8;) {
            more = round_of(&g);
            if (g.runs[1]->secret == NULL)
                continue;
            seen[n] = pattern_of(g.runs[1]->secret);
            ck_assert_uint_ge(count_everywhere(&seen[n]), 1); /* it can be found while it is there */
            n++;
        }
        ck_assert_uint_ge(n, 1);
        (void)agree(&g);
        for (size_t i = 0; i < n; i++)
            ck_assert_uint_eq(count_everywhere(&seen[i]), 0);
        seen[0] = pattern_of(gk_run_secret(g.runs[0]));
        ck_assert_uint_ge(count_everywhere(&seen[0]), 5);
        end(&g);
        ck_assert_uint_eq(count_everywhere(&seen[0]), 0);
        begin(&g, (gk_protocol)protocol, 5); /* given up halfway */
        (void)round_of(&g);
        seen[0] = pattern_of(g.runs[1]->secret);
        ck_assert_uint_ge(count_everywhere(&seen[0]), 1);
        end(&g);
        ck_assert_uint_eq(count_everywhere(&seen[0]), 0);
    }
}
END_TEST

START_TEST(every_change_of_a_message_is_refused)
{
    for (int p = GK_TGDH; p <= GK_CKD; p++) {
        group g;

        begin(&g, (gk_protocol)p, 4);
        for (size_t i = 0; i < 4; i++)
            ck_ok(gk_run_advance(g.runs[i]));
        for (size_t from = 1; from < 4; from++) {
            gk_bytes m = gk_run_sent(g.runs[from], 0);
            uint8_t copy[512];

            memcpy(copy, m.p, m.n);
            for (size_t i = 0; i < m.n; i++) {
                ck_assert(gk_run_receive(g.runs[0], BYTES(copy, i)) != GK_OK);
                for (unsigned bit = 0; bit < 8; bit++) {
                    copy[i] ^= (uint8_t)(1U << bit);
                    ck_assert(gk_run_receive(g.runs[0], BYTES(copy, m.n)) != GK_OK);
                    copy[i] ^= (uint8_t)(1U << bit);
                }
            }
            copy[m.n] = 0;
            ck_assert(gk_run_receive(g.runs[0], BYTES(copy, m.n + 1)) != GK_OK);
        }
        hear_all(&g);
        (void)agree(&g);
        end(&g);
    }
}
END_TEST

START_TEST(a_party_says_one_thing)
{
    group a;
    group b;
    gk_bytes m = {0};

    begin(&a, GK_TGDH, 3);
    begin(&b, GK_TGDH, 3); /* the same run, with other leaves: what a party must never do, and nobody else can */
    for (size_t i = 0; i < 3; i++) {
        ck_ok(gk_run_advance(a.runs[i]));
        ck_ok(gk_run_advance(b.runs[i]));
    }
    m = gk_run_sent(a.runs[1], 0);
    ck_ok(gk_run_receive(a.runs[0], m));
    ck_ok(gk_run_receive(a.runs[0], m));
    ck_assert_uint_eq(gk_run_count(a.runs[0])->checks, 1);
    ck_gk(gk_run_receive(a.runs[0], gk_run_sent(b.runs[1], 0)), GK_ERR_EXISTS);
    ck_gk(gk_run_receive(a.runs[0], gk_run_sent(b.runs[0], 0)), GK_ERR_AUTH); /* and nobody tells it what it said itself */
    ck_ok(gk_run_receive(a.runs[0], gk_run_sent(a.runs[0], 0)));
    hear_all(&a);
    (void)agree(&a);
    end(&a);
    end(&b);
}
END_TEST

START_TEST(small_order_and_lies_end_a_run)
{
    static const uint8_t zero[GK_RUN_BK];
    group g;
    uint8_t lie[32] = {1};

    begin(&g, GK_TGDH, 2); /* party 1 sends a point of small order */
    ck_ok(gk_run_fill(g.runs[1], 3, BYTES(zero, sizeof(zero))));
    ck_ok(gk_run_advance(g.runs[0]));
    ck_ok(gk_run_receive(g.runs[0], gk_run_sent(g.runs[1], 0)));
    ck_gk(gk_run_advance(g.runs[0]), GK_ERR_AUTH);
    ck_gk(gk_run_advance(g.runs[0]), GK_ERR_AUTH);
    ck_assert(!gk_run_agreed(g.runs[0]) && gk_run_secret(g.runs[0]) == NULL && g.runs[0]->secret == NULL);
    end(&g);

    begin(&g, GK_TGDH, 2); /* party 1 confirms something else */
    ck_ok(gk_run_advance(g.runs[0]));
    ck_ok(gk_run_advance(g.runs[1]));
    ck_ok(gk_run_send(g.runs[1], GK_RUN_CONFIRM, BYTES(lie, sizeof(lie))));
    ck_ok(gk_run_receive(g.runs[0], gk_run_sent(g.runs[1], 0)));
    ck_ok(gk_run_receive(g.runs[0], gk_run_sent(g.runs[1], 1)));
    ck_gk(gk_run_advance(g.runs[0]), GK_ERR_AUTH);
    ck_assert(gk_run_secret(g.runs[0]) == NULL && g.runs[0]->ks == NULL);
    end(&g);
}
END_TEST

START_TEST(arguments)
{
    gk_run *r = NULL;
    uint8_t id[GK_RUN_HASH];
    gk_party two[2] = {parties[1], parties[0]};

    ck_gk(gk_run_new(&r, GK_TGDH, ensemble_id, two, 2, parties[0].id, identities[0]), GK_ERR_ARG); /* not ascending */
    two[0] = parties[1];
    two[1] = parties[1];
    ck_gk(gk_run_id(id, ensemble_id, two, 2), GK_ERR_ARG);
    ck_gk(gk_run_id(id, ensemble_id, two, 0), GK_ERR_ARG);
    ck_gk(gk_run_id(id, ensemble_id, parties, GK_RUN_PARTIES + 1), GK_ERR_ARG);
    ck_gk(gk_run_new(&r, GK_TGDH, ensemble_id, parties, 3, 99, identities[0]), GK_ERR_ARG);            /* not among them */
    ck_gk(gk_run_new(&r, GK_TGDH, ensemble_id, parties, 3, parties[0].id, identities[1]), GK_ERR_ARG); /* with another's key */
    ck_gk(gk_run_new(&r, (gk_protocol)3, ensemble_id, parties, 3, parties[0].id, identities[0]), GK_ERR_ARG);
    ck_assert_ptr_null(r);
    gk_run_free(NULL);
}
END_TEST

static gk_err two_agree(void *arg)
{
    gk_run *runs[2] = {0};
    gk_err e = GK_OK;

    for (size_t i = 0; i < 2 && e == GK_OK; i++)
        e = gk_run_new(&runs[i], *(gk_protocol *)arg, ensemble_id, parties, 2, parties[i].id, identities[i]);
    for (size_t round = 0; round < 5 && e == GK_OK; round++) {
        for (size_t i = 0; i < 2 && e == GK_OK; i++) {
            e = gk_run_advance(runs[i]);
            for (size_t j = 0; j < 2 && e == GK_OK; j++) {
                for (size_t k = 0; j != i && gk_run_sent(runs[i], k).n > 0 && e == GK_OK; k++)
                    e = gk_run_receive(runs[j], gk_run_sent(runs[i], k));
            }
        }
    }
    if (e == GK_ERR_AUTH) /* OpenSSL doesn't tell why a check or an agreement failed: fail closed */
        e = GK_ERR_CRYPTO;
    for (size_t i = 0; i < 2; i++) {
        if (e == GK_OK && !gk_run_agreed(runs[i]))
            e = GK_ERR_STATE;
        gk_run_free(runs[i]);
    }
    return e;
}

START_TEST(failed_allocations)
{
    for (int p = GK_TGDH; p <= GK_CKD; p++) {
        gk_protocol protocol = (gk_protocol)p;

        ck_assert_uint_gt(gk_fault_each(two_agree, &protocol), 50);
    }
}
END_TEST

START_TEST(random_schedules)
{
    const char *wanted = getenv("GK_SCHEDULES");
    const char *from = getenv("GK_SEED");
    unsigned long first = from == NULL ? 0 : strtoul(from, NULL, 10);
    unsigned long all = wanted == NULL ? 50 : strtoul(wanted, NULL, 10);
    schedule_result sum = {0};

    for (unsigned long i = first; i < first + all; i++) {
        size_t most = i % 1000 == 50 ? SCHEDULE_PARTIES : i % 50 == 9 ? 24 : 8;
        const char *what = gk_schedule_run(1000 + i, i % 4 == 3 ? GK_CKD : GK_TGDH, most, &sum);

        ck_assert_msg(what == NULL, "schedule %lu: %s", i, what);
    }
    ck_assert_uint_gt(sum.cascades, all / 4);
    ck_assert_uint_gt(sum.agreed, all);
    ck_assert_uint_gt(sum.refused, all);
    printf("schedules: %lu; changes %u, cascades %u, secrets %u, messages %u, hostile %u, refused %u, largest %u\n", all, sum.changes,
           sum.cascades, sum.agreed, sum.messages, sum.hostile, sum.refused, sum.largest);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("run");
    TCase *t = tcase_create("run");

    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 7200);
    tcase_add_test(t, vectors);
    tcase_add_test(t, tgdh_costs_what_it_should);
    tcase_add_test(t, ckd_costs_what_it_should);
    tcase_add_test(t, each_run_has_another_secret);
    tcase_add_test(t, stolen_keys_open_no_other_run);
    tcase_add_test(t, keys_are_erased);
    tcase_add_test(t, every_change_of_a_message_is_refused);
    tcase_add_test(t, a_party_says_one_thing);
    tcase_add_test(t, small_order_and_lies_end_a_run);
    tcase_add_test(t, arguments);
    tcase_add_test(t, failed_allocations);
    suite_add_tcase(s, t);
    t = tcase_create("schedules");
    tcase_set_timeout(t, 14400);
    tcase_add_test(t, random_schedules);
    suite_add_tcase(s, t);
    return s;
}
