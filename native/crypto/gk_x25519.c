#include "gk_x25519.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "gk_key_internal.h"

gk_err gk_x25519_public(uint8_t out[GK_X25519_PUBLIC], const gk_key *k)
{
    size_t n = GK_X25519_PUBLIC;
    EVP_PKEY *pkey = NULL;
    gk_err e = GK_OK;

    gk_wipe(out, GK_X25519_PUBLIC);
    if (gk_key_purpose(k) != GK_PURPOSE_EXCHANGE)
        return GK_ERR_ARG;
    pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, gk_key_raw(k).p, gk_key_raw(k).n);
    if (pkey == NULL || EVP_PKEY_get_raw_public_key(pkey, out, &n) != 1 || n != GK_X25519_PUBLIC)
        e = gk_crypto_failed(GK_ERR_CRYPTO);
    EVP_PKEY_free(pkey);
    return e;
}

/* pkey_of: a private key alone makes OpenSSL compute its public half, as dear as the agreement itself. That half isn't used, so zeros stand
 * in for it. */
static EVP_PKEY *pkey_of(const gk_key *k)
{
    uint8_t raw[32];
    uint8_t none[GK_X25519_PUBLIC] = {0};
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, raw, sizeof(raw)),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, none, sizeof(none)), OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    EVP_PKEY *pkey = NULL;

    memcpy(raw, gk_key_raw(k).p, sizeof(raw));
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    gk_wipe(raw, sizeof(raw));
    return pkey;
}

gk_err gk_x25519_raw(uint8_t out[32], const gk_key *k, const uint8_t peer[GK_X25519_PUBLIC])
{
    EVP_PKEY *own = NULL;
    EVP_PKEY *theirs = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    size_t n = 32;
    gk_err e = GK_ERR_CRYPTO;

    gk_wipe(out, 32);
    if (gk_key_purpose(k) != GK_PURPOSE_EXCHANGE)
        return GK_ERR_ARG;
    own = pkey_of(k);
    theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, GK_X25519_PUBLIC);
    if (own == NULL || theirs == NULL)
        goto out;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) != 1)
        goto out;
    /* OpenSSL refuses an all-zero result itself */
    e = EVP_PKEY_derive(ctx, out, &n) == 1 && n == 32 ? GK_OK : GK_ERR_AUTH;
out:
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(own);
    if (e != GK_OK) {
        e = gk_crypto_failed(e);
        gk_wipe(out, 32);
    }
    return e;
}

gk_err gk_x25519_agree(gk_key **out, gk_purpose purpose, const gk_key *k, const uint8_t peer[GK_X25519_PUBLIC], gk_bytes salt,
                       gk_bytes info)
{
    uint8_t shared[32];
    uint8_t prk[32];
    gk_bytes ikm = {shared, sizeof(shared)};
    gk_err e = GK_OK;

    *out = NULL;
    if (purpose != GK_PURPOSE_EXCHANGE && purpose != GK_PURPOSE_DK)
        return GK_ERR_ARG;
    e = gk_x25519_raw(shared, k, peer);
    if (e == GK_OK) /* HKDF-Extract, RFC 5869 section 2.2 */
        e = gk_hmac_raw(prk, salt, &ikm, 1);
    if (e == GK_OK)
        e = gk_hkdf_expand(shared, sizeof(shared), (gk_bytes){prk, sizeof(prk)}, info);
    if (e == GK_OK)
        e = gk_key_new(out, purpose, 0, ikm);
    gk_wipe(prk, sizeof(prk));
    gk_wipe(shared, sizeof(shared));
    return e;
}
