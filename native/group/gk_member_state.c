/* The member's state as bytes. */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "../crypto/gk_key_internal.h"
#include "../crypto/gk_xaes.h"
#include "gk_member_internal.h"

#define HEAD 8 /* magic4 | u8 format | u8 sealed | u16 0 */
#define FORMAT 1

static gk_bytes text(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

static void put_key(gk_writer *w, const gk_key *k)
{
    gk_writer_u8(w, k != NULL);
    if (k != NULL)
        gk_writer_put(w, k->raw, 32);
}

static gk_err take_key(gk_reader *r, gk_key **out, gk_purpose purpose)
{
    uint8_t there = 0;
    gk_bytes raw = {0};
    gk_err e = gk_reader_u8(r, &there);

    if (e == GK_OK && there > 1)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && there == 1)
        e = gk_reader_take(r, &raw, 32);
    return e == GK_OK && there == 1 ? gk_key_new(out, purpose, 0, raw) : e;
}

/* gk_member_take_path: u64 leaf | key32 | u16 count | count * (u64 node | key32), bottom up; at least a leaf and a root. */
gk_err gk_member_take_path(gk_path *p, gk_reader *r)
{
    uint16_t n = 0;
    gk_err e = GK_OK;

    for (size_t i = 0; e == GK_OK && i <= n; i++) {
        uint64_t id = 0;
        gk_bytes raw = {0};
        gk_key *k = NULL;

        e = gk_reader_u64(r, &id);
        if (e == GK_OK)
            e = gk_reader_take(r, &raw, 32);
        if (e == GK_OK && i == 0) {
            e = gk_reader_u16(r, &n);
            if (e == GK_OK && (n == 0 || n >= GK_PATH_NODES))
                e = GK_ERR_MALFORMED;
        }
        if (e == GK_OK)
            e = gk_key_new(&k, GK_PURPOSE_NODE, 0, raw);
        if (e == GK_OK)
            p->nodes[p->n++] = (gk_path_node){id, k};
    }
    return e;
}

static void put_member(gk_writer *w, const void *arg)
{
    const gk_member *m = arg;
    const uint64_t longs[] = {m->epoch, m->controller_epoch, m->authority_least, m->issued_ms, m->alive_ms, m->highest, m->kek_epoch, m->kek.id,
                              m->fresh_epoch, m->fresh_controller};

    gk_writer_var16(w, text(m->group_name));
    gk_writer_var16(w, text(m->name));
    gk_writer_put(w, m->trust, GK_HASH);
    gk_writer_u8(w, (uint8_t)m->state);
    gk_writer_u8(w, m->have_genesis);
    if (m->have_genesis) {
        gk_writer_u8(w, (uint8_t)m->genesis.mode);
        gk_writer_put(w, m->genesis.root, GK_HASH);
    }
    gk_writer_u8(w, m->authority != NULL);
    if (m->authority != NULL)
        gk_authority_save(m->authority, w);
    put_key(w, m->sign);
    gk_writer_u8(w, m->awaits);
    gk_writer_put(w, m->request_hash, GK_HASH);
    put_key(w, m->reply_key);
    for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++)
        gk_writer_u64(w, longs[i]);
    gk_writer_u32(w, m->max_age_s);
    gk_writer_u32(w, m->ring);
    gk_writer_put(w, m->hash, GK_HASH);
    gk_writer_put(w, m->body_hash, GK_HASH);
    put_key(w, m->kek.key);
    gk_writer_u8(w, m->needs_refresh);
    gk_writer_u8(w, m->path.n > 0);
    for (size_t i = 0; i < m->path.n; i++) {
        gk_writer_u64(w, m->path.nodes[i].id);
        gk_writer_put(w, m->path.nodes[i].key->raw, 32);
        if (i == 0)
            gk_writer_u16(w, (uint16_t)(m->path.n - 1));
    }
    gk_writer_u16(w, (uint16_t)m->missed_n);
    for (size_t i = 0; i < m->missed_n; i++) {
        gk_writer_u64(w, m->missed[i].from);
        gk_writer_u64(w, m->missed[i].to);
        gk_writer_u8(w, m->missed[i].why);
    }
    gk_writer_u16(w, GK_FED_COUNT);
    for (size_t i = 0; i < GK_FED_COUNT; i++)
        gk_writer_u64(w, m->counts[i]);
}

/* --- saving ---------------------------------------------------------------------------------------------------------------------------- */

gk_err gk_member_save(const gk_member *m, gk_mem *out, gk_key *state_key)
{
    uint8_t head[HEAD] = {'G', 'K', 'M', '1', FORMAT, state_key != NULL, 0, 0};
    size_t before = HEAD + (state_key != NULL ? GK_XAES_NONCE : 0);
    gk_mem plain = {0};
    gk_xaes *x = NULL;
    gk_err e = gk_mem_write(&plain, put_member, m);

    *out = (gk_mem){0};
    if (e == GK_OK)
        e = gk_mem_new(out, before + plain.n + (state_key != NULL ? GK_XAES_TAG : 0));
    if (e == GK_OK)
        memcpy(out->p, head, HEAD);
    if (e == GK_OK && state_key == NULL)
        memcpy(out->p + HEAD, plain.p, plain.n);
    if (e == GK_OK && state_key != NULL) {
        e = gk_key_purpose(state_key) == GK_PURPOSE_STATE ? gk_xaes_new(&x, state_key) : GK_ERR_ARG;
        if (e == GK_OK && RAND_bytes(out->p + HEAD, GK_XAES_NONCE) != 1)
            e = GK_ERR_CRYPTO;
        if (e == GK_OK)
            e = gk_xaes_seal(x, out->p + before, out->p + HEAD, text(GK_LABEL "member state"), (gk_bytes){head, HEAD}, gk_mem_view(&plain));
    }
    gk_xaes_free(x);
    gk_mem_free(&plain);
    if (e != GK_OK)
        gk_mem_free(out);
    return e;
}

static gk_err load_trust(gk_member *m, gk_reader *r)
{
    gk_bytes group = {0}, name = {0};
    uint8_t state = 0, have = 0, mode = 0;
    gk_err e = gk_reader_var16(r, &group, GK_NAME_MAX);

    if (e == GK_OK)
        e = gk_reader_var16(r, &name, GK_NAME_MAX);
    if (e == GK_OK && (!gk_name_ok(group) || !gk_name_ok(name)))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK)
        e = gk_reader_copy(r, m->trust, GK_HASH);
    if (e == GK_OK)
        e = gk_reader_u8(r, &state);
    if (e == GK_OK)
        e = gk_reader_u8(r, &have);
    if (e == GK_OK && (state < GK_MEMBER_NEW || state > GK_MEMBER_OUT || have > 1))
        e = GK_ERR_MALFORMED;
    if (e != GK_OK)
        return e;
    memcpy(m->group_name, group.p, group.n);
    memcpy(m->name, name.p, name.n);
    m->state = (gk_member_state)state;
    m->have_genesis = have == 1;
    if (have == 1)
        e = gk_reader_u8(r, &mode);
    if (e == GK_OK && have == 1)
        e = gk_reader_copy(r, m->genesis.root, GK_HASH);
    m->genesis.mode = (gk_mode)mode;
    memcpy(m->genesis.name, m->group_name, sizeof(m->genesis.name));
    memcpy(m->genesis.hash, m->trust, GK_HASH);
    memcpy(m->genesis.id, m->trust, GK_GROUP_ID);
    if (e == GK_OK)
        e = gk_reader_u8(r, &have);
    return e == GK_OK && have == 1 ? gk_authority_load(&m->authority, r) : e;
}

static gk_err load_keys(gk_member *m, gk_reader *r)
{
    uint64_t *longs[] = {&m->epoch, &m->controller_epoch, &m->authority_least, &m->issued_ms, &m->alive_ms, &m->highest, &m->kek_epoch, &m->kek.id,
                         &m->fresh_epoch, &m->fresh_controller};
    uint8_t flag = 0;
    gk_err e = take_key(r, &m->sign, GK_PURPOSE_SIGN);

    if (e == GK_OK)
        e = gk_reader_u8(r, &flag);
    m->awaits = flag != 0;
    if (e == GK_OK)
        e = gk_reader_copy(r, m->request_hash, GK_HASH);
    if (e == GK_OK)
        e = take_key(r, &m->reply_key, GK_PURPOSE_EXCHANGE);
    for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]) && e == GK_OK; i++)
        e = gk_reader_u64(r, longs[i]);
    if (e == GK_OK)
        e = gk_reader_u32(r, &m->max_age_s);
    if (e == GK_OK)
        e = gk_reader_u32(r, &m->ring);
    if (e == GK_OK)
        e = gk_reader_copy(r, m->hash, GK_HASH);
    if (e == GK_OK)
        e = gk_reader_copy(r, m->body_hash, GK_HASH);
    if (e == GK_OK)
        e = take_key(r, &m->kek.key, GK_PURPOSE_NODE);
    if (e == GK_OK)
        e = gk_reader_u8(r, &flag);
    m->needs_refresh = flag != 0;
    if (e == GK_OK)
        e = gk_reader_u8(r, &flag);
    if (e == GK_OK && flag != 0)
        e = gk_member_take_path(&m->path, r);
    if (e == GK_OK && (m->state == GK_MEMBER_IN) != (m->path.n >= 2))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && m->path.n >= 2)
        e = gk_epoch_group_key(&m->group_key, m->genesis.id, m->epoch, m->body_hash, m->path.nodes[m->path.n - 1].key);
    return e;
}

static gk_err load_counts(gk_member *m, gk_reader *r)
{
    uint16_t n = 0;
    gk_err e = gk_reader_u16(r, &n);

    if (e == GK_OK && n > GK_MISSED_MAX)
        e = GK_ERR_MALFORMED;
    for (; e == GK_OK && m->missed_n < n; m->missed_n++) {
        e = gk_reader_u64(r, &m->missed[m->missed_n].from);
        if (e == GK_OK)
            e = gk_reader_u64(r, &m->missed[m->missed_n].to);
        if (e == GK_OK)
            e = gk_reader_u8(r, &m->missed[m->missed_n].why);
    }
    if (e == GK_OK)
        e = gk_reader_u16(r, &n);
    if (e == GK_OK && n > GK_FED_COUNT)
        e = GK_ERR_VERSION;
    for (size_t i = 0; i < n && e == GK_OK; i++)
        e = gk_reader_u64(r, &m->counts[i]);
    return e == GK_OK ? gk_reader_end(r) : e;
}

static gk_err open_state(gk_mem *plain, gk_bytes state, gk_key *state_key)
{
    gk_reader r = gk_reader_of(state.p, state.n);
    uint8_t format = 0, sealed = 0;
    uint16_t zero = 0;
    gk_bytes nonce = {0};
    gk_xaes *x = NULL;
    gk_err e = gk_reader_magic(&r, "GKM1");

    *plain = (gk_mem){0};
    if (e == GK_OK)
        e = gk_reader_u8(&r, &format);
    if (e == GK_OK)
        e = gk_reader_u8(&r, &sealed);
    if (e == GK_OK)
        e = gk_reader_u16(&r, &zero);
    if (e == GK_OK && format != FORMAT)
        e = format > FORMAT ? GK_ERR_VERSION : GK_ERR_MALFORMED;
    if (e == GK_OK && (sealed > 1 || zero != 0))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && (sealed == 1) != (state_key != NULL))
        e = GK_ERR_AUTH;
    if (e != GK_OK)
        return e;
    if (sealed == 0)
        return gk_mem_copy(plain, (gk_bytes){r.p, r.n});
    e = gk_reader_take(&r, &nonce, GK_XAES_NONCE);
    if (e == GK_OK && r.n < GK_XAES_TAG)
        e = GK_ERR_TRUNCATED;
    if (e == GK_OK)
        e = gk_key_purpose(state_key) == GK_PURPOSE_STATE ? gk_xaes_new(&x, state_key) : GK_ERR_ARG;
    if (e == GK_OK)
        e = gk_mem_new(plain, r.n - GK_XAES_TAG);
    if (e == GK_OK)
        e = gk_xaes_open(x, plain->p, nonce.p, text(GK_LABEL "member state"), (gk_bytes){state.p, HEAD}, (gk_bytes){r.p, r.n});
    gk_xaes_free(x);
    if (e != GK_OK)
        gk_mem_free(plain);
    return e;
}

gk_err gk_member_load(gk_member **out, gk_bytes state, gk_key *state_key)
{
    gk_member *m = OPENSSL_zalloc(sizeof(*m));
    gk_mem plain = {0};
    gk_reader r = {0};
    gk_err e = m == NULL ? GK_ERR_NOMEM : open_state(&plain, state, state_key);

    *out = NULL;
    r = gk_reader_of(plain.p, plain.n);
    if (e == GK_OK)
        e = load_trust(m, &r);
    if (e == GK_OK)
        e = load_keys(m, &r);
    if (e == GK_OK)
        e = load_counts(m, &r);
    gk_mem_free(&plain);
    if (e != GK_OK)
        gk_member_free(m);
    else
        *out = m;
    return e;
}
