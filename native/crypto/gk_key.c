#include "gk_key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "gk_key_internal.h"

#define LABEL_MAX 64
#define CONTEXT_MAX 256

size_t gk_key_size(gk_purpose purpose)
{
    switch (purpose) {
    case GK_PURPOSE_WRAP:
    case GK_PURPOSE_NAME: return 64;
    case GK_PURPOSE_PAYLOAD:
    case GK_PURPOSE_SEED:
    case GK_PURPOSE_SESSION:
    case GK_PURPOSE_PENDING:
    case GK_PURPOSE_DK:
    case GK_PURPOSE_SIGN:
    case GK_PURPOSE_EXCHANGE:
    case GK_PURPOSE_SERVER:
    case GK_PURPOSE_AGREED:
    case GK_PURPOSE_CONFIRM:
    case GK_PURPOSE_NODE:
    case GK_PURPOSE_GROUP:
    case GK_PURPOSE_APP:
    case GK_PURPOSE_STATE:
    case GK_PURPOSE_MAC:
    case GK_PURPOSE_TOKEN: return 32;
    }
    return 0;
}

const char *gk_purpose_str(gk_purpose purpose)
{
    switch (purpose) {
    case GK_PURPOSE_NAME: return "name";
    case GK_PURPOSE_PAYLOAD: return "payload";
    case GK_PURPOSE_SEED: return "seed";
    case GK_PURPOSE_SESSION: return "session";
    case GK_PURPOSE_PENDING: return "pending";
    case GK_PURPOSE_DK: return "dk";
    case GK_PURPOSE_SIGN: return "sign";
    case GK_PURPOSE_EXCHANGE: return "exchange";
    case GK_PURPOSE_SERVER: return "server";
    case GK_PURPOSE_AGREED: return "K_s";
    case GK_PURPOSE_CONFIRM: return "agree confirm";
    case GK_PURPOSE_NODE: return "node";
    case GK_PURPOSE_WRAP: return "wrap";
    case GK_PURPOSE_GROUP: return "group";
    case GK_PURPOSE_APP: return "app";
    case GK_PURPOSE_STATE: return "state";
    case GK_PURPOSE_MAC: return "mac";
    case GK_PURPOSE_TOKEN: return "token";
    }
    return "?";
}

/* OpenSSL's allocator, not malloc: whoever gives OpenSSL an arena of locked memory gets our keys into it as well. */
static gk_key *key_alloc(gk_purpose purpose, uint32_t id)
{
    gk_key *k = OPENSSL_zalloc(sizeof(*k));

    if (k == NULL)
        return NULL;
    atomic_init(&k->refs, 1);
    k->purpose = purpose;
    k->id = id;
    k->n = gk_key_size(purpose);
    return k;
}

gk_err gk_key_new(gk_key **out, gk_purpose purpose, uint32_t id, gk_bytes raw)
{
    gk_key *k = NULL;

    *out = NULL;
    if (gk_key_size(purpose) == 0 || raw.n != gk_key_size(purpose))
        return GK_ERR_ARG;
    k = key_alloc(purpose, id);
    if (k == NULL)
        return GK_ERR_NOMEM;
    memcpy(k->raw, raw.p, raw.n);
    *out = k;
    return GK_OK;
}

gk_err gk_key_generate(gk_key **out, gk_purpose purpose, uint32_t id)
{
    gk_key *k = NULL;

    *out = NULL;
    if (gk_key_size(purpose) == 0)
        return GK_ERR_ARG;
    k = key_alloc(purpose, id);
    if (k == NULL)
        return GK_ERR_NOMEM;
    if (RAND_priv_bytes(k->raw, (int)k->n) != 1) {
        gk_key_free(k);
        return gk_crypto_failed(GK_ERR_CRYPTO);
    }
    *out = k;
    return GK_OK;
}

/* The purpose that a key must have for another to be derived from it; 0 for those that are random, each for itself: destroying one then destroys
 * what it protects. */
static int derived_from(gk_purpose purpose)
{
    switch (purpose) {
    case GK_PURPOSE_SESSION:
    case GK_PURPOSE_PENDING:
    case GK_PURPOSE_SERVER: return GK_PURPOSE_SEED;
    case GK_PURPOSE_AGREED: return GK_PURPOSE_EXCHANGE;
    case GK_PURPOSE_CONFIRM: return GK_PURPOSE_AGREED;
    default: return 0;
    }
}

gk_err gk_key_derive(gk_key **out, gk_purpose purpose, uint32_t id, const gk_key *from, gk_bytes context)
{
    uint8_t info[2 + LABEL_MAX + 2 + CONTEXT_MAX] = {0};
    gk_writer w = gk_writer_of(info, sizeof(info));
    const char *name = gk_purpose_str(purpose);
    gk_key *k = NULL;
    gk_err e = GK_OK;

    *out = NULL;
    if ((int)from->purpose != derived_from(purpose) || context.n > CONTEXT_MAX)
        return GK_ERR_ARG;
    gk_writer_u16(&w, (uint16_t)(sizeof(GK_LABEL) - 1 + strlen(name)));
    gk_writer_put(&w, GK_LABEL, sizeof(GK_LABEL) - 1);
    gk_writer_put(&w, name, strlen(name));
    gk_writer_u16(&w, (uint16_t)context.n);
    gk_writer_put(&w, context.p, context.n);
    if (w.err != GK_OK)
        return w.err;
    k = key_alloc(purpose, id);
    if (k == NULL)
        return GK_ERR_NOMEM;
    e = gk_hkdf_expand(k->raw, k->n, gk_key_raw(from), (gk_bytes){info, w.len});
    if (e != GK_OK) {
        gk_key_free(k);
        return e;
    }
    *out = k;
    return GK_OK;
}

gk_purpose gk_key_purpose(const gk_key *k)
{
    return k->purpose;
}

uint32_t gk_key_id(const gk_key *k)
{
    return k->id;
}

gk_err gk_key_check_value(const gk_key *k, uint8_t out[8])
{
    gk_bytes part = {(const uint8_t *)"kcv", 3};
    uint8_t mac[32] = {0};
    gk_err e = gk_hmac_raw(mac, gk_key_raw(k), &part, 1);

    memcpy(out, mac, 8); /* zeros on failure */
    gk_wipe(mac, sizeof(mac));
    return e;
}

gk_key *gk_key_ref(gk_key *k)
{
    if (k != NULL)
        atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void gk_key_free(gk_key *k)
{
    /* acq_rel: the last holder must see every other holder's use as done before it wipes */
    if (k != NULL && atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1)
        OPENSSL_clear_free(k, sizeof(*k));
}
