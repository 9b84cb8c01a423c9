#include "gk_sign.h"

#include <openssl/evp.h>

#include "gk_key_internal.h"

static EVP_PKEY *private_key(const gk_key *k)
{
    return EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, gk_key_raw(k).p, gk_key_raw(k).n);
}

gk_err gk_sign_public(uint8_t out[GK_SIGN_PUBLIC], const gk_key *k)
{
    size_t n = GK_SIGN_PUBLIC;
    EVP_PKEY *pkey = NULL;
    gk_err e = GK_OK;

    gk_wipe(out, GK_SIGN_PUBLIC);
    if (gk_key_purpose(k) != GK_PURPOSE_SIGN)
        return GK_ERR_ARG;
    pkey = private_key(k);
    if (pkey == NULL || EVP_PKEY_get_raw_public_key(pkey, out, &n) != 1 || n != GK_SIGN_PUBLIC)
        e = gk_crypto_failed(GK_ERR_CRYPTO);
    EVP_PKEY_free(pkey);
    return e;
}

gk_err gk_sign_make(uint8_t out[GK_SIGNATURE], const gk_key *k, gk_bytes message)
{
    size_t n = GK_SIGNATURE;
    EVP_PKEY *pkey = NULL;
    EVP_MD_CTX *ctx = NULL;
    gk_err e = GK_OK;

    gk_wipe(out, GK_SIGNATURE);
    if (gk_key_purpose(k) != GK_PURPOSE_SIGN)
        return GK_ERR_ARG;
    pkey = private_key(k);
    ctx = EVP_MD_CTX_new();
    if (pkey == NULL || ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) != 1 ||
        EVP_DigestSign(ctx, out, &n, message.p, message.n) != 1 || n != GK_SIGNATURE) {
        e = gk_crypto_failed(GK_ERR_CRYPTO);
        gk_wipe(out, GK_SIGNATURE);
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return e;
}

gk_err gk_sign_check(const uint8_t public_key[GK_SIGN_PUBLIC], gk_bytes message, const uint8_t signature[GK_SIGNATURE])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, GK_SIGN_PUBLIC);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    gk_err e = GK_ERR_CRYPTO;

    if (pkey != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1)
        e = EVP_DigestVerify(ctx, signature, GK_SIGNATURE, message.p, message.n) == 1 ? GK_OK : GK_ERR_AUTH;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return e == GK_OK ? e : gk_crypto_failed(e);
}
