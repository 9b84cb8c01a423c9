#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "gk_key_internal.h"

#define HASH 32

gk_err gk_crypto_failed(gk_err e)
{
    if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
        e = GK_ERR_NOMEM;
    /* A queue that nobody reads would confuse the next user of OpenSSL in this thread, e.g. SSL_get_error. */
    ERR_clear_error();
    return e;
}

gk_err gk_hmac_raw(uint8_t out[HASH], gk_bytes key, const gk_bytes *parts, size_t n_parts)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    EVP_MAC *mac = NULL;
    EVP_MAC_CTX *ctx = NULL;
    size_t len = 0;
    gk_err e = GK_ERR_CRYPTO;

    if (key.n == 0 || key.p == NULL)
        return GK_ERR_ARG;
    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac == NULL)
        goto out;
    ctx = EVP_MAC_CTX_new(mac);
    if (ctx == NULL || EVP_MAC_init(ctx, key.p, key.n, params) != 1)
        goto out;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].n > 0 && EVP_MAC_update(ctx, parts[i].p, parts[i].n) != 1)
            goto out;
    }
    if (EVP_MAC_final(ctx, out, &len, HASH) != 1 || len != HASH)
        goto out;
    e = GK_OK;
out:
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    if (e != GK_OK) {
        e = gk_crypto_failed(e);
        gk_wipe(out, HASH);
    }
    return e;
}

gk_err gk_hkdf_expand(uint8_t *out, size_t n, gk_bytes prk, gk_bytes info)
{
    uint8_t block[HASH] = {0};
    uint8_t counter = 0;
    gk_err e = GK_OK;

    if (n > 255 * HASH)
        return GK_ERR_ARG;
    for (size_t done = 0, k = 0; done < n && e == GK_OK; done += k) {
        /* T(i) = HMAC(PRK, T(i-1) | info | i), T(0) empty */
        gk_bytes parts[3] = {{block, counter == 0 ? 0 : HASH}, info, {&counter, 1}};

        counter++;
        k = n - done < HASH ? n - done : HASH;
        e = gk_hmac_raw(block, prk, parts, 3);
        if (e == GK_OK)
            memcpy(out + done, block, k);
    }
    gk_wipe(block, sizeof(block));
    if (e != GK_OK)
        gk_wipe(out, n);
    return e;
}

gk_err gk_hmac_sha256(uint8_t out[HASH], const gk_key *k, const gk_bytes *parts, size_t n_parts)
{
    /* A key has one use: ciphers' and private keys never go into an HMAC with a caller's data. */
    switch (k->purpose) {
    case GK_PURPOSE_SESSION:
    case GK_PURPOSE_SEED:
    case GK_PURPOSE_SERVER:
    case GK_PURPOSE_AGREED:
    case GK_PURPOSE_CONFIRM:
    case GK_PURPOSE_MAC:
    case GK_PURPOSE_GROUP: break;
    default: return GK_ERR_ARG;
    }
    return gk_hmac_raw(out, gk_key_raw(k), parts, n_parts);
}
