#include <openssl/crypto.h>
#include <string.h>

#include "gk_member_internal.h"

const char *gk_verdict_str(gk_verdict v)
{
    static const char *const text[GK_FED_COUNT] = {
        "new key", "known already", "sign of life", "joined", "refused by the controller", "removed from the group", "epochs before it are missing",
        "the KEK message comes first", "a later authority record comes first", "malformed", "another group's", "not signed by a controller",
        "rolled back", "doesn't follow from the epoch before", "our keys don't open it", "not the reply to our request", "we aren't a member",
        "its time is wrong"};

    return (unsigned)v < GK_FED_COUNT ? text[v] : "unknown";
}

void gk_path_clear(gk_path *p)
{
    for (size_t i = 0; i < p->n; i++)
        gk_key_free(p->nodes[i].key);
    *p = (gk_path){0};
}

/* gk_member_erase forgets keys, never epochs. */
void gk_member_erase(gk_member *m)
{
    gk_path_clear(&m->path);
    gk_key_free(m->group_key);
    gk_key_free(m->former_key);
    gk_key_free(m->kek.key);
    m->group_key = m->former_key = NULL;
    m->kek = (gk_path_node){0};
}

void gk_member_miss(gk_member *m, uint64_t from, uint64_t to, uint8_t why)
{
    if (from > to)
        return;
    if (m->missed_n == GK_MISSED_MAX) { /* the two oldest become one: nothing is hidden */
        m->missed[0].to = m->missed[1].to;
        memmove(&m->missed[1], &m->missed[2], (GK_MISSED_MAX - 2) * sizeof(m->missed[0]));
        m->missed_n--;
    }
    m->missed[m->missed_n++] = (gk_missed){from, to, why};
}

gk_err gk_member_new(gk_member **out, gk_bytes group_name, gk_bytes name, const uint8_t trust[GK_HASH])
{
    gk_member *m = NULL;

    *out = NULL;
    if (!gk_name_ok(group_name) || !gk_name_ok(name))
        return GK_ERR_ARG;
    m = OPENSSL_zalloc(sizeof(*m));
    if (m == NULL)
        return GK_ERR_NOMEM;
    memcpy(m->group_name, group_name.p, group_name.n);
    memcpy(m->name, name.p, name.n);
    memcpy(m->trust, trust, GK_HASH);
    m->state = GK_MEMBER_NEW;
    m->dirty = true;
    *out = m;
    return GK_OK;
}

void gk_member_free(gk_member *m)
{
    if (m == NULL)
        return;
    gk_member_erase(m);
    gk_authority_free(m->authority);
    gk_key_free(m->sign);
    gk_key_free(m->reply_key);
    gk_signer_free(m->signer);
    gk_mem_free(&m->chain);
    OPENSSL_clear_free(m, sizeof(*m));
}

gk_err gk_member_identity(gk_member *m, gk_key *sign)
{
    if (gk_key_purpose(sign) != GK_PURPOSE_SIGN)
        return GK_ERR_ARG;
    gk_key_free(m->sign);
    m->sign = gk_key_ref(sign);
    m->dirty = true;
    return GK_OK;
}

gk_err gk_member_certificate(gk_member *m, gk_signer *signer, gk_bytes chain)
{
    gk_cert *c = NULL;
    gk_mem copy = {0};
    gk_err e = gk_cert_parse(&c, chain);

    if (e == GK_OK && !gk_signer_fits(signer, c))
        e = GK_ERR_ARG;
    if (e == GK_OK)
        e = gk_mem_copy(&copy, chain);
    gk_cert_free(c);
    if (e != GK_OK)
        return e;
    gk_signer_free(m->signer);
    gk_mem_free(&m->chain);
    m->signer = signer;
    m->chain = copy;
    return GK_OK;
}

/* --- trust ------------------------------------------------------------------------------------------------------------------------- */

gk_err gk_member_genesis(gk_member *m, gk_bytes record)
{
    gk_genesis g = {0};
    gk_err e = gk_genesis_read(&g, record, NULL);

    if (e == GK_OK && (memcmp(g.hash, m->trust, GK_HASH) != 0 || strcmp(g.name, m->group_name) != 0))
        e = GK_ERR_AUTH;
    if (e != GK_OK)
        return e;
    m->genesis = g;
    m->have_genesis = m->dirty = true;
    return GK_OK;
}

gk_err gk_member_authority(gk_member *m, gk_bytes record)
{
    gk_authority *a = NULL;
    gk_err e = m->have_genesis ? gk_authority_read(&a, m->authority, record) : GK_ERR_STATE;

    if (e == GK_OK && memcmp(gk_authority_root(a), m->genesis.root, GK_HASH) != 0)
        e = GK_ERR_AUTH;
    if (e != GK_OK) {
        gk_authority_free(a);
        return e;
    }
    gk_authority_free(m->authority);
    m->authority = a;
    m->needs_authority = false;
    m->dirty = true;
    return GK_OK;
}

uint64_t gk_member_authority_version(const gk_member *m)
{
    return m->authority == NULL ? 0 : gk_authority_version(m->authority);
}

/* --- requests ------------------------------------------------------------------------------------------------------------------------ */

gk_err gk_member_request(gk_member *m, gk_request_kind kind, gk_bytes token, uint64_t now_ms, gk_mem *out, uint8_t hash[GK_HASH])
{
    gk_request_spec spec = {.kind = kind, .name = {(const uint8_t *)m->name, strlen(m->name)}, .not_after_ms = now_ms + GK_REQUEST_LIFE_MS - 10000};
    gk_key *token_key = NULL, *reply_key = NULL;
    uint8_t trust[GK_HASH];
    gk_err e = m->have_genesis && (m->sign != NULL || m->signer != NULL) ? GK_OK : GK_ERR_STATE;

    *out = (gk_mem){0};
    memcpy(spec.group_id, m->genesis.id, GK_GROUP_ID);
    if (e == GK_OK && token.n > 0) {
        e = gk_token_open(&token_key, spec.token_id, trust, token);
        if (e == GK_OK && memcmp(trust, m->trust, GK_HASH) != 0) /* public */
            e = GK_ERR_AUTH;
    }
    if (e == GK_OK)
        e = gk_key_generate(&reply_key, GK_PURPOSE_EXCHANGE, 0);
    spec.token = token_key;
    spec.reply_key = reply_key;
    spec.sign = m->signer == NULL ? m->sign : NULL;
    spec.signer = m->signer;
    spec.chain = gk_mem_view(&m->chain);
    if (e == GK_OK)
        e = gk_request_make(out, hash, &spec);
    gk_key_free(token_key);
    if (e != GK_OK) {
        gk_key_free(reply_key);
        return e;
    }
    if (kind != GK_REQUEST_LEAVE) {
        gk_key_free(m->reply_key);
        m->reply_key = reply_key;
        memcpy(m->request_hash, hash, GK_HASH);
        m->awaits = true;
        m->refusal = GK_REFUSAL_NONE;
        if (m->state == GK_MEMBER_NEW)
            m->state = GK_MEMBER_PENDING;
    } else {
        gk_key_free(reply_key);
    }
    m->dirty = true;
    return GK_OK;
}

gk_refusal gk_member_refusal(const gk_member *m)
{
    return m->refusal;
}

bool gk_member_awaits(const gk_member *m, uint8_t hash[GK_HASH])
{
    memcpy(hash, m->request_hash, GK_HASH);
    return m->awaits;
}

/* What a reply holds: gk_group_ask.c, put_secret. */
typedef struct granted {
    uint8_t hash[GK_HASH], body_hash[GK_HASH];
    uint64_t controller_epoch, authority, issued_ms;
    uint32_t max_age_s, ring;
    gk_path path;
    gk_key *group_key;
} granted;

static gk_err read_grant(granted *g, gk_bytes secret)
{
    gk_reader r = gk_reader_of(secret.p, secret.n);
    gk_err e = gk_reader_copy(&r, g->hash, GK_HASH);

    if (e == GK_OK)
        e = gk_reader_copy(&r, g->body_hash, GK_HASH);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->controller_epoch);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->authority);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &g->issued_ms);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &g->max_age_s);
    if (e == GK_OK)
        e = gk_reader_u32(&r, &g->ring);
    if (e == GK_OK)
        e = gk_member_take_path(&g->path, &r);
    return e == GK_OK ? gk_reader_end(&r) : e;
}

static gk_verdict accept_grant(gk_member *m, granted *g, uint64_t epoch)
{
    bool was_in = m->state == GK_MEMBER_IN || m->state == GK_MEMBER_BEHIND;
    gk_key *former = NULL;

    if (epoch < m->epoch || (epoch == m->epoch && memcmp(g->hash, m->hash, GK_HASH) != 0) || g->controller_epoch < m->controller_epoch ||
        g->authority < m->authority_least)
        return GK_FED_ROLLBACK;
    if (gk_epoch_group_key(&g->group_key, m->genesis.id, epoch, g->body_hash, g->path.nodes[g->path.n - 1].key) != GK_OK)
        return GK_FED_REPLY;
    if (was_in && epoch > m->epoch)
        gk_member_miss(m, m->epoch + 1, epoch - 1, m->needs_kek ? 2 : 1);
    if (m->group_key != NULL && epoch > m->epoch) {
        former = gk_key_ref(m->group_key);
        m->former_epoch = m->epoch;
    }
    gk_member_erase(m);
    m->former_key = former;
    m->path = g->path;
    m->group_key = g->group_key;
    m->epoch = epoch;
    memcpy(m->hash, g->hash, GK_HASH);
    memcpy(m->body_hash, g->body_hash, GK_HASH);
    m->controller_epoch = g->controller_epoch;
    m->authority_least = g->authority;
    m->issued_ms = g->issued_ms;
    m->max_age_s = g->max_age_s;
    m->ring = g->ring;
    m->alive_ms = m->alive_ms > g->issued_ms ? m->alive_ms : g->issued_ms;
    m->highest = m->highest > epoch ? m->highest : epoch;
    m->state = GK_MEMBER_IN;
    m->needs_kek = m->needs_refresh = false;
    *g = (granted){0};
    return GK_FED_JOINED;
}

gk_verdict gk_member_reply(gk_member *m, gk_bytes reply, uint64_t now_ms)
{
    granted g = {0};
    gk_mem secret = {0};
    uint64_t epoch = 0;
    gk_refusal refusal = GK_REFUSAL_NONE;
    gk_verdict v = GK_FED_REPLY;

    (void)now_ms;
    if (m->awaits && m->authority != NULL &&
        gk_reply_read(&secret, &epoch, &refusal, reply, m->request_hash, m->genesis.id, m->reply_key, m->authority) == GK_OK) {
        if (refusal != GK_REFUSAL_NONE)
            v = GK_FED_REFUSED_BY_CONTROLLER;
        else if (read_grant(&g, gk_mem_view(&secret)) == GK_OK)
            v = accept_grant(m, &g, epoch);
    }
    if (v == GK_FED_REFUSED_BY_CONTROLLER)
        m->refusal = refusal;
    if (v == GK_FED_JOINED || (v == GK_FED_REFUSED_BY_CONTROLLER && refusal != GK_REFUSAL_PENDING)) {
        gk_key_free(m->reply_key);
        m->reply_key = NULL;
        m->awaits = false;
        if (m->state == GK_MEMBER_PENDING)
            m->state = GK_MEMBER_NEW;
        m->dirty = true;
    }
    gk_path_clear(&g.path);
    gk_key_free(g.group_key);
    gk_mem_free(&secret);
    m->counts[v]++;
    return v;
}
