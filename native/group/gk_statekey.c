#include "gk_statekey.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "../crypto/gk_key_internal.h"

#define KEYS_MAX 64
#define FORMER_MAX 32
#define GAP_MAX 65536
#define TO_MAX 64
#define SEALED (32 + GK_HPKE_OVERHEAD)

typedef struct state_key {
    gk_key *key;
    uint64_t made_ms; /* 0: by a controller that is none any more: it opens, and nothing is sealed under it */
    gk_mem to;        /* the exchange keys that it is sealed to, GK_X25519_PUBLIC bytes each */
} state_key;

struct gk_state_keys {
    state_key keys[KEYS_MAX]; /* by age; the newest last */
    size_t n;
};

/* --- a controller's exchange key ------------------------------------------------------------------------------------------------ */

static void put_exchange(gk_writer *w, const void *arg)
{
    const gk_exchange *x = arg;

    gk_writer_put(w, "GKX1", 4);
    gk_writer_put(w, x->pub, sizeof(x->pub));
    gk_writer_u64(w, x->time_ms);
}

gk_err gk_exchange_make(gk_mem *out, const gk_key *dh, uint64_t now_ms, const gk_key *controller)
{
    gk_exchange x = {.time_ms = now_ms};
    gk_err e = gk_x25519_public(x.pub, dh);

    *out = (gk_mem){0};
    return e == GK_OK ? gk_message_write(out, GK_LABEL "exchange", put_exchange, &x, controller) : e;
}

gk_err gk_exchange_read(gk_exchange *out, gk_bytes record, const gk_authority *a)
{
    gk_exchange x = {0};
    gk_bytes body = {0};
    gk_reader r = {0};
    gk_err e = gk_message_split(record, &body, x.signer);

    r = gk_reader_of(body.p, body.n);
    if (e == GK_OK)
        e = gk_reader_magic(&r, "GKX1");
    if (e == GK_OK)
        e = gk_reader_copy(&r, x.pub, sizeof(x.pub));
    if (e == GK_OK)
        e = gk_reader_u64(&r, &x.time_ms);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK)
        e = gk_authority_check(a, false, record, &body, GK_LABEL "exchange");
    if (e == GK_OK)
        *out = x;
    return e;
}

/* --- state keys ------------------------------------------------------------------------------------------------------------------- */

gk_err gk_state_keys_new(gk_state_keys **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? GK_ERR_NOMEM : GK_OK;
}

static void clear(state_key *s)
{
    gk_key_free(s->key);
    gk_mem_free(&s->to);
}

void gk_state_keys_free(gk_state_keys *k)
{
    for (size_t i = 0; k != NULL && i < k->n; i++)
        clear(&k->keys[i]);
    free(k);
}

uint32_t gk_state_keys_newest(const gk_state_keys *k, uint64_t *made_ms)
{
    *made_ms = k->n > 0 ? k->keys[k->n - 1].made_ms : 0;
    return k->n > 0 ? gk_key_id(k->keys[k->n - 1].key) : 0;
}

bool gk_state_keys_only_for(const gk_state_keys *k, const gk_exchange *to, size_t n)
{
    gk_bytes all = k->n > 0 ? gk_mem_view(&k->keys[k->n - 1].to) : (gk_bytes){NULL, 0};

    for (size_t i = 0; i < all.n; i += GK_X25519_PUBLIC) {
        size_t j = 0;

        while (j < n && memcmp(to[j].pub, all.p + i, GK_X25519_PUBLIC) != 0) /* public */
            j++;
        if (j == n)
            return false;
    }
    return true;
}

void gk_state_keys_drop(gk_state_keys *k, uint32_t index)
{
    size_t kept = 0;

    for (size_t i = 0; i < k->n; i++) {
        if (gk_key_id(k->keys[i].key) >= index)
            k->keys[kept++] = k->keys[i];
        else
            clear(&k->keys[i]);
    }
    k->n = kept;
}

static gk_key *find(const gk_state_keys *k, uint32_t index)
{
    for (size_t i = 0; i < k->n; i++) {
        if (gk_key_id(k->keys[i].key) == index)
            return k->keys[i].key;
    }
    return NULL;
}

/* add keeps the list sorted by index, with a reference to key and a copy of to; what is there already stays. */
static gk_err add(gk_state_keys *k, gk_key *key, uint64_t made_ms, gk_bytes to)
{
    state_key s = {.made_ms = made_ms};
    size_t at = k->n;

    if (find(k, gk_key_id(key)) != NULL)
        return GK_OK;
    if (k->n == KEYS_MAX)
        return GK_ERR_LIMIT;
    if (gk_mem_copy(&s.to, to) != GK_OK)
        return GK_ERR_NOMEM;
    s.key = gk_key_ref(key);
    for (; at > 0 && gk_key_id(k->keys[at - 1].key) > gk_key_id(key); at--)
        k->keys[at] = k->keys[at - 1];
    k->keys[at] = s;
    k->n++;
    return GK_OK;
}

/* too_far: a former controller shall neither use up the numbers nor all the room. */
static bool too_far(const gk_state_keys *k, uint32_t index)
{
    size_t former = 0;

    for (size_t i = 0; i < k->n; i++)
        former += k->keys[i].made_ms == 0;
    return former == FORMER_MAX || (k->n > 0 && index > gk_key_id(k->keys[k->n - 1].key) && index - gk_key_id(k->keys[k->n - 1].key) > GAP_MAX);
}

/* info: u16 length | label | index | time; no associated data. */
static gk_bytes info_of(uint8_t buf[64], uint32_t index, uint64_t time_ms)
{
    gk_writer w = gk_writer_of(buf, 64);

    gk_writer_u16(&w, sizeof(GK_LABEL "state key") - 1);
    gk_writer_put(&w, GK_LABEL "state key", sizeof(GK_LABEL "state key") - 1);
    gk_writer_u32(&w, index);
    gk_writer_u64(&w, time_ms);
    return (gk_bytes){buf, w.len};
}

typedef struct record {
    uint32_t index;
    uint64_t time_ms;
    const gk_exchange *to;
    size_t n;
    const uint8_t *sealed; /* SEALED bytes each */
} record;

static void put_record(gk_writer *w, const void *arg)
{
    const record *rec = arg;

    gk_writer_put(w, "GKS1", 4);
    gk_writer_u32(w, rec->index);
    gk_writer_u64(w, rec->time_ms);
    gk_writer_u16(w, (uint16_t)rec->n);
    for (size_t i = 0; i < rec->n; i++) {
        gk_writer_put(w, rec->to[i].pub, GK_X25519_PUBLIC);
        gk_writer_put(w, rec->sealed + i * SEALED, SEALED);
    }
}

gk_err gk_state_keys_make(gk_state_keys *k, gk_mem *out, uint32_t *index, const gk_exchange *to, size_t n, uint64_t now_ms,
                          const gk_key *controller)
{
    uint8_t sealed[TO_MAX * SEALED], pubs[TO_MAX * GK_X25519_PUBLIC], buf[64];
    gk_key *key = NULL;
    gk_err e = n == 0 || n > TO_MAX ? GK_ERR_ARG : GK_OK;
    record rec = {.time_ms = now_ms, .to = to, .n = n, .sealed = sealed};
    uint64_t ignored = 0;

    *out = (gk_mem){0};
    rec.index = gk_state_keys_newest(k, &ignored) + 1;
    if (e == GK_OK && rec.index == 0)
        e = GK_ERR_LIMIT;
    if (e == GK_OK)
        e = gk_key_generate(&key, GK_PURPOSE_STATE, rec.index);
    for (size_t i = 0; i < n && e == GK_OK; i++)
        e = gk_hpke_seal(sealed + i * SEALED, to[i].pub, info_of(buf, rec.index, now_ms), (gk_bytes){0}, gk_key_raw(key));
    for (size_t i = 0; i < n && e == GK_OK; i++)
        memcpy(pubs + i * GK_X25519_PUBLIC, to[i].pub, GK_X25519_PUBLIC);
    if (e == GK_OK)
        e = gk_message_write(out, GK_LABEL "state key", put_record, &rec, controller);
    if (e == GK_OK)
        e = add(k, key, now_ms, (gk_bytes){pubs, n * GK_X25519_PUBLIC});
    *index = rec.index;
    gk_key_free(key);
    if (e != GK_OK)
        gk_mem_free(out);
    return e;
}

gk_err gk_state_keys_add(gk_state_keys *k, gk_bytes bytes, const gk_key *dh, const gk_authority *a)
{
    uint8_t pub[GK_X25519_PUBLIC], pubs[TO_MAX * GK_X25519_PUBLIC], raw[32], buf[64];
    record rec = {0};
    uint16_t n = 0;
    gk_bytes body = {0}, to = {0}, sealed = {0};
    gk_reader r = {0};
    gk_key *key = NULL;
    gk_err e = gk_authority_check(a, false, bytes, &body, GK_LABEL "state key");
    bool former = e == GK_ERR_AUTH;

    if (former)
        e = gk_authority_check_former(a, bytes, &body, GK_LABEL "state key");
    r = gk_reader_of(body.p, body.n);
    if (e == GK_OK)
        e = gk_reader_magic(&r, "GKS1");
    if (e == GK_OK)
        e = gk_reader_u32(&r, &rec.index);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &rec.time_ms);
    if (e == GK_OK)
        e = gk_reader_u16(&r, &n);
    if (e == GK_OK && n > TO_MAX)
        e = GK_ERR_LIMIT;
    if (e == GK_OK)
        e = gk_x25519_public(pub, dh);
    for (uint16_t i = 0; i < n && e == GK_OK; i++) {
        gk_bytes box = {0};

        e = gk_reader_take(&r, &to, GK_X25519_PUBLIC);
        if (e == GK_OK)
            e = gk_reader_take(&r, &box, SEALED);
        if (e == GK_OK)
            memcpy(pubs + i * GK_X25519_PUBLIC, to.p, GK_X25519_PUBLIC);
        if (e == GK_OK && memcmp(to.p, pub, sizeof(pub)) == 0)
            sealed = box;
    }
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && (rec.index == 0 || sealed.n == 0))
        e = rec.index == 0 ? GK_ERR_MALFORMED : former ? GK_ERR_AUTH : GK_ERR_NOTFOUND; /* a former one's says nothing about who may lead */
    if (e == GK_OK && former && too_far(k, rec.index))
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_hpke_open(raw, dh, info_of(buf, rec.index, rec.time_ms), (gk_bytes){0}, sealed);
    if (e == GK_OK)
        e = gk_key_new(&key, GK_PURPOSE_STATE, rec.index, (gk_bytes){raw, sizeof(raw)});
    if (e == GK_OK)
        e = add(k, key, former ? 0 : rec.time_ms, (gk_bytes){pubs, n * GK_X25519_PUBLIC});
    gk_wipe(raw, sizeof(raw));
    gk_key_free(key);
    return e;
}

/* --- sealing ---------------------------------------------------------------------------------------------------------------------- */

static gk_bytes label_of(uint8_t buf[32])
{
    gk_writer w = gk_writer_of(buf, 32);

    gk_writer_u16(&w, sizeof(GK_LABEL "state") - 1);
    gk_writer_put(&w, GK_LABEL "state", sizeof(GK_LABEL "state") - 1);
    return (gk_bytes){buf, w.len};
}

gk_err gk_state_seal(const gk_state_keys *k, gk_mem *out, gk_bytes aad, gk_bytes pt)
{
    uint8_t buf[32];
    gk_xaes *x = NULL;
    gk_writer w = {0};
    const state_key *newest = k->n == 0 ? NULL : &k->keys[k->n - 1];
    gk_err e = newest == NULL ? GK_ERR_NOTFOUND : newest->made_ms == 0 ? GK_ERR_STATE : gk_xaes_new(&x, newest->key);

    *out = (gk_mem){0};
    if (e == GK_OK)
        e = gk_mem_new(out, 4 + GK_XAES_NONCE + pt.n + GK_XAES_TAG);
    w = gk_writer_of(out->p, out->n);
    if (e == GK_OK) {
        gk_writer_u32(&w, gk_key_id(newest->key));
        if (RAND_bytes(out->p + 4, GK_XAES_NONCE) != 1)
            e = gk_crypto_failed(GK_ERR_CRYPTO);
    }
    if (e == GK_OK)
        e = gk_xaes_seal(x, out->p + 4 + GK_XAES_NONCE, out->p + 4, label_of(buf), aad, pt);
    gk_xaes_free(x);
    if (e != GK_OK)
        gk_mem_free(out);
    return e;
}

uint32_t gk_state_index(gk_bytes sealed)
{
    gk_reader r = gk_reader_of(sealed.p, sealed.n);
    uint32_t index = 0;

    return gk_reader_u32(&r, &index) == GK_OK ? index : 0;
}

gk_err gk_state_open(const gk_state_keys *k, gk_mem *out, gk_bytes aad, gk_bytes sealed)
{
    uint8_t buf[32];
    gk_reader r = gk_reader_of(sealed.p, sealed.n);
    uint32_t index = 0;
    gk_bytes nonce = {0};
    gk_key *key = NULL;
    gk_xaes *x = NULL;
    gk_err e = gk_reader_u32(&r, &index);

    *out = (gk_mem){0};
    if (e == GK_OK)
        e = gk_reader_take(&r, &nonce, GK_XAES_NONCE);
    if (e == GK_OK && r.n < GK_XAES_TAG)
        e = GK_ERR_TRUNCATED;
    if (e == GK_OK && (key = find(k, index)) == NULL)
        e = GK_ERR_NOTFOUND;
    if (e == GK_OK)
        e = gk_xaes_new(&x, key);
    if (e == GK_OK)
        e = gk_mem_new(out, r.n - GK_XAES_TAG);
    if (e == GK_OK)
        e = gk_xaes_open(x, out->p, nonce.p, label_of(buf), aad, (gk_bytes){r.p, r.n});
    gk_xaes_free(x);
    if (e != GK_OK)
        gk_mem_free(out);
    return e;
}
