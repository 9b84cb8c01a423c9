#include <openssl/rand.h>
#include <string.h>

#include "../crypto/gk_cert.h"
#include "gk_authority.h"

#define BLOB_MAX 262144
#define REASON_MAX 1024
#define PATTERN_MAX 256
#define COMMAND_LIFE_MS 86400000

/* --- genesis ---------------------------------------------------------------------------------------------------------------- */

static void put_genesis(gk_writer *w, const void *arg)
{
    const gk_genesis *g = arg;

    gk_writer_put(w, "GKG1", 4);
    gk_writer_u8(w, (uint8_t)g->mode);
    gk_writer_put(w, g->root, sizeof(g->root));
    gk_writer_put(w, g->nonce, sizeof(g->nonce));
    gk_writer_u64(w, g->created_ms);
    gk_writer_var16(w, (gk_bytes){(const uint8_t *)g->name, strlen(g->name)});
}

gk_err gk_genesis_make(gk_mem *out, const gk_genesis *g, const gk_key *admin)
{
    gk_genesis made = *g;

    *out = (gk_mem){0};
    if (!gk_name_ok((gk_bytes){(const uint8_t *)g->name, strnlen(g->name, sizeof(g->name))}) ||
        (g->mode != GK_MODE_LKH && g->mode != GK_MODE_FLAT))
        return GK_ERR_ARG;
    if (RAND_bytes(made.nonce, sizeof(made.nonce)) != 1)
        return GK_ERR_CRYPTO;
    return gk_message_write(out, GK_LABEL "genesis", put_genesis, &made, admin);
}

gk_err gk_genesis_read(gk_genesis *out, gk_bytes record, const gk_authority *a)
{
    gk_genesis g = {0};
    gk_bytes body = {0}, name = {0};
    gk_reader r = {0};
    uint8_t mode = 0, signer[GK_SIGNER];
    gk_err e = gk_message_split(record, &body, signer);

    if (e == GK_OK) {
        r = gk_reader_of(body.p, body.n);
        e = gk_reader_magic(&r, "GKG1");
    }
    if (e == GK_OK)
        e = gk_reader_u8(&r, &mode);
    if (e == GK_OK)
        e = gk_reader_copy(&r, g.root, sizeof(g.root));
    if (e == GK_OK)
        e = gk_reader_copy(&r, g.nonce, sizeof(g.nonce));
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g.created_ms);
    if (e == GK_OK)
        e = gk_reader_var16(&r, &name, GK_NAME_MAX);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && (!gk_name_ok(name) || (mode != GK_MODE_LKH && mode != GK_MODE_FLAT)))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && a != NULL)
        e = memcmp(g.root, gk_authority_root(a), GK_HASH) == 0 ? gk_authority_check(a, true, record, &body, GK_LABEL "genesis") : GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_sha256(g.hash, &record, 1);
    if (e != GK_OK)
        return e;
    g.mode = (gk_mode)mode;
    memcpy(g.name, name.p, name.n);
    memcpy(g.id, g.hash, sizeof(g.id));
    *out = g;
    return GK_OK;
}

/* --- policy ----------------------------------------------------------------------------------------------------------------- */

typedef struct policy_of {
    const uint8_t *group_id;
    const gk_policy *p;
} policy_of;

static void put_policy(gk_writer *w, const void *arg)
{
    const policy_of *of = arg;
    const gk_policy *p = of->p;

    gk_writer_put(w, "GKP1", 4);
    gk_writer_put(w, of->group_id, GK_GROUP_ID);
    gk_writer_u64(w, p->version);
    gk_writer_var16(w, (gk_bytes){p->admit, p->admit_n});
    gk_writer_var32(w, p->cas);
    gk_writer_u16(w, (uint16_t)p->patterns_n);
    for (size_t i = 0; i < p->patterns_n; i++)
        gk_writer_var16(w, p->patterns[i]);
    gk_writer_u32(w, p->period_s);
    gk_writer_u32(w, p->batch_ms);
    gk_writer_u32(w, p->max_age_s);
    gk_writer_u32(w, p->ring);
    gk_writer_u32(w, p->max_members);
    gk_writer_u32(w, p->max_pending);
    gk_writer_u32(w, p->max_per_identity);
}

gk_policy gk_policy_default(void)
{
    return (gk_policy){.version = 1, .period_s = 3600, .batch_ms = 200, .max_age_s = 60, .ring = 64, .max_members = 1000000,
                       .max_pending = 4096, .max_per_identity = 6};
}

static bool policy_ok(const gk_policy *p)
{
    bool ok = p->version > 0 && p->admit_n <= GK_POLICY_ALTERNATIVES && p->cas.n <= BLOB_MAX && p->patterns_n <= GK_POLICY_PATTERNS &&
              p->ring >= 1 && p->ring <= 4096 && p->max_age_s >= 1 && p->max_pending <= 65536 && p->batch_ms <= 3600000;

    for (size_t i = 0; i < p->admit_n && ok; i++)
        ok = p->admit[i] > 0 && p->admit[i] <= (GK_ADMIT_X509 | GK_ADMIT_TOKEN | GK_ADMIT_MANUAL);
    for (size_t i = 0; i < p->patterns_n && ok; i++)
        ok = gk_cert_pattern_ok(p->patterns[i]);
    return ok;
}

gk_err gk_policy_make(gk_mem *out, const uint8_t group_id[GK_GROUP_ID], const gk_policy *p, const gk_key *admin)
{
    *out = (gk_mem){0};
    return policy_ok(p) ? gk_message_write(out, GK_LABEL "policy", put_policy, &(policy_of){group_id, p}, admin) : GK_ERR_ARG;
}

static gk_err read_lists(gk_policy *p, gk_reader *r)
{
    gk_bytes admit = {0};
    uint16_t n = 0;
    gk_err e = gk_reader_var16(r, &admit, GK_POLICY_ALTERNATIVES);

    if (e == GK_OK) {
        p->admit_n = admit.n;
        if (admit.n > 0)
            memcpy(p->admit, admit.p, admit.n);
        e = gk_reader_var32(r, &p->cas, BLOB_MAX);
    }
    if (e == GK_OK)
        e = gk_reader_u16(r, &n);
    if (e == GK_OK && n > GK_POLICY_PATTERNS)
        e = GK_ERR_LIMIT;
    for (; e == GK_OK && p->patterns_n < n; p->patterns_n += e == GK_OK)
        e = gk_reader_var16(r, &p->patterns[p->patterns_n], PATTERN_MAX);
    return e;
}

gk_err gk_policy_read(gk_policy *out, const uint8_t group_id[GK_GROUP_ID], gk_bytes record, const gk_authority *a)
{
    gk_policy p = {0};
    uint32_t *numbers[] = {&p.period_s, &p.batch_ms, &p.max_age_s, &p.ring, &p.max_members, &p.max_pending, &p.max_per_identity};
    uint8_t id[GK_GROUP_ID], signer[GK_SIGNER];
    gk_bytes body = {0};
    gk_reader r = {0};
    gk_err e = gk_message_split(record, &body, signer);

    if (e == GK_OK) {
        r = gk_reader_of(body.p, body.n);
        e = gk_reader_magic(&r, "GKP1");
    }
    if (e == GK_OK)
        e = gk_reader_copy(&r, id, sizeof(id));
    if (e == GK_OK)
        e = gk_reader_u64(&r, &p.version);
    if (e == GK_OK)
        e = read_lists(&p, &r);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && e == GK_OK; i++)
        e = gk_reader_u32(&r, numbers[i]);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && !policy_ok(&p))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && memcmp(id, group_id, sizeof(id)) != 0)
        e = GK_ERR_AUTH;
    if (e == GK_OK && a != NULL)
        e = gk_authority_check(a, true, record, &body, GK_LABEL "policy");
    if (e == GK_OK)
        *out = p;
    return e;
}

/* --- commands --------------------------------------------------------------------------------------------------------------- */

static void put_command(gk_writer *w, const void *arg)
{
    const gk_command *c = arg;

    gk_writer_put(w, "GKC1", 4);
    gk_writer_put(w, c->target, sizeof(c->target));
    gk_writer_u64(w, c->authority);
    gk_writer_u8(w, (uint8_t)c->op);
    gk_writer_put(w, c->hash, sizeof(c->hash));
    gk_writer_put(w, c->nonce, sizeof(c->nonce));
    gk_writer_u64(w, c->not_after_ms);
    gk_writer_var16(w, c->name);
    gk_writer_var16(w, c->reason);
    gk_writer_var32(w, c->blob);
}

gk_err gk_command_make(gk_mem *out, const gk_command *c, const gk_key *admin)
{
    gk_command made = *c;

    *out = (gk_mem){0};
    if (c->op < GK_OP_CREATE || c->op > GK_OP_QUERY || c->name.n > GK_NAME_MAX || c->reason.n > REASON_MAX || c->blob.n > BLOB_MAX)
        return GK_ERR_ARG;
    if (RAND_bytes(made.nonce, sizeof(made.nonce)) != 1)
        return GK_ERR_CRYPTO;
    return gk_message_write(out, GK_LABEL "admin", put_command, &made, admin);
}

static gk_err parse_command(gk_command *c, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    uint8_t op = 0;
    gk_err e = gk_reader_magic(&r, "GKC1");

    if (e == GK_OK)
        e = gk_reader_copy(&r, c->target, sizeof(c->target));
    if (e == GK_OK)
        e = gk_reader_u64(&r, &c->authority);
    if (e == GK_OK)
        e = gk_reader_u8(&r, &op);
    if (e == GK_OK)
        e = gk_reader_copy(&r, c->hash, sizeof(c->hash));
    if (e == GK_OK)
        e = gk_reader_copy(&r, c->nonce, sizeof(c->nonce));
    if (e == GK_OK)
        e = gk_reader_u64(&r, &c->not_after_ms);
    if (e == GK_OK)
        e = gk_reader_var16(&r, &c->name, GK_NAME_MAX);
    if (e == GK_OK)
        e = gk_reader_var16(&r, &c->reason, REASON_MAX);
    if (e == GK_OK)
        e = gk_reader_var32(&r, &c->blob, BLOB_MAX);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && (op < GK_OP_CREATE || op > GK_OP_QUERY))
        e = GK_ERR_MALFORMED;
    c->op = (gk_op)op;
    return e;
}

gk_err gk_command_read(gk_command *out, gk_bytes message, const gk_authority *a, uint64_t now_ms)
{
    gk_command c = {0};
    gk_bytes body = {0};
    gk_err e = gk_message_split(message, &body, c.signer);

    if (e == GK_OK)
        e = parse_command(&c, body);
    if (e == GK_OK)
        e = gk_authority_check(a, true, message, &body, GK_LABEL "admin");
    if (e == GK_OK && c.authority != gk_authority_version(a))
        e = GK_ERR_AUTH;
    if (e == GK_OK && (c.not_after_ms < now_ms || c.not_after_ms - now_ms > COMMAND_LIFE_MS))
        e = GK_ERR_STATE;
    if (e == GK_OK)
        e = gk_sha256(c.id, &message, 1);
    if (e == GK_OK)
        *out = c;
    return e;
}
