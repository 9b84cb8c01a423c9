#include "gk_hpke.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "gk_key_internal.h"

#define KEY 32
#define NONCE 12

static const uint8_t kem_suite[] = {'K', 'E', 'M', 0, 0x20};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0, 0x20, 0, 1, 0, 2};
static const gk_bytes none = {0};

static gk_bytes text(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

/* extract: LabeledExtract, RFC 9180 section 4; an absent salt is 32 zero bytes (RFC 5869 section 2.2). */
static gk_err extract(uint8_t out[32], gk_bytes salt, gk_bytes suite, const char *label, gk_bytes ikm)
{
    static const uint8_t zeros[32];
    gk_bytes parts[4] = {text("HPKE-v1"), suite, text(label), ikm};

    return gk_hmac_raw(out, salt.n == 0 ? (gk_bytes){zeros, sizeof(zeros)} : salt, parts, 4);
}

/* expand: LabeledExpand */
static gk_err expand(uint8_t *out, size_t n, const uint8_t prk[32], gk_bytes suite, const char *label, gk_bytes info)
{
    uint8_t buf[256];
    gk_writer w = gk_writer_of(buf, sizeof(buf));

    gk_writer_u16(&w, (uint16_t)n);
    gk_writer_put(&w, "HPKE-v1", 7);
    gk_writer_put(&w, suite.p, suite.n);
    gk_writer_put(&w, label, strlen(label));
    gk_writer_put(&w, info.p, info.n);
    return w.err != GK_OK ? w.err : gk_hkdf_expand(out, n, (gk_bytes){prk, 32}, (gk_bytes){buf, w.len});
}

/* schedule: from the DH result to key and nonce of the first message: sections 4.1 and 5.1, mode_base. */
static gk_err schedule(uint8_t key[KEY], uint8_t nonce[NONCE], const uint8_t dh[32], const uint8_t *enc, const uint8_t *pub, gk_bytes info)
{
    gk_bytes kem = {kem_suite, sizeof(kem_suite)};
    gk_bytes hpke = {hpke_suite, sizeof(hpke_suite)};
    uint8_t prk[32] = {0}, secret[32] = {0};
    uint8_t kem_context[2 * GK_X25519_PUBLIC];
    uint8_t context[1 + 32 + 32] = {0}; /* the mode, 0, first */
    gk_err e = extract(prk, none, kem, "eae_prk", (gk_bytes){dh, 32});

    memcpy(kem_context, enc, GK_X25519_PUBLIC);
    memcpy(kem_context + GK_X25519_PUBLIC, pub, GK_X25519_PUBLIC);
    if (e == GK_OK)
        e = expand(secret, 32, prk, kem, "shared_secret", (gk_bytes){kem_context, sizeof(kem_context)});
    if (e == GK_OK)
        e = extract(context + 1, none, hpke, "psk_id_hash", none);
    if (e == GK_OK)
        e = extract(context + 33, none, hpke, "info_hash", info);
    if (e == GK_OK)
        e = extract(prk, (gk_bytes){secret, 32}, hpke, "secret", none);
    if (e == GK_OK)
        e = expand(key, KEY, prk, hpke, "key", (gk_bytes){context, sizeof(context)});
    if (e == GK_OK)
        e = expand(nonce, NONCE, prk, hpke, "base_nonce", (gk_bytes){context, sizeof(context)});
    gk_wipe(prk, sizeof(prk));
    gk_wipe(secret, sizeof(secret));
    return e;
}

/* gcm does both directions; out has room for in.n bytes, tag is read or written. */
static gk_err gcm(int enc, uint8_t *out, uint8_t tag[GK_HPKE_TAG], const uint8_t key[KEY], const uint8_t nonce[NONCE], gk_bytes aad, gk_bytes in)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    gk_err e = GK_ERR_CRYPTO;

    if (cipher == NULL || ctx == NULL || EVP_CipherInit_ex2(ctx, cipher, key, nonce, enc, NULL) != 1 ||
        (aad.n > 0 && EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1) ||
        (in.n > 0 && EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1) ||
        (!enc && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GK_HPKE_TAG, tag) != 1))
        goto out;
    e = enc ? GK_ERR_CRYPTO : GK_ERR_AUTH;
    if (EVP_CipherFinal_ex(ctx, tag, &n) == 1 && (!enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GK_HPKE_TAG, tag) == 1))
        e = GK_OK;
out:
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return e == GK_OK ? e : gk_crypto_failed(e);
}

static bool lengths_ok(gk_bytes aad, size_t n)
{
    return aad.n <= INT_MAX && n <= INT_MAX - GK_HPKE_OVERHEAD;
}

gk_err gk_hpke_seal_with(uint8_t *out, const gk_key *ephemeral, const uint8_t pub[GK_X25519_PUBLIC], gk_bytes info, gk_bytes aad, gk_bytes pt)
{
    uint8_t dh[32], key[KEY], nonce[NONCE];
    gk_err e = GK_OK;

    if (!lengths_ok(aad, pt.n))
        return GK_ERR_LIMIT;
    e = gk_x25519_public(out, ephemeral);
    if (e == GK_OK)
        e = gk_x25519_raw(dh, ephemeral, pub);
    if (e == GK_OK)
        e = schedule(key, nonce, dh, out, pub, info);
    if (e == GK_OK)
        e = gcm(1, out + GK_X25519_PUBLIC, out + GK_X25519_PUBLIC + pt.n, key, nonce, aad, pt);
    gk_wipe(dh, sizeof(dh));
    gk_wipe(key, sizeof(key));
    gk_wipe(nonce, sizeof(nonce));
    if (e != GK_OK)
        gk_wipe(out, pt.n + GK_HPKE_OVERHEAD);
    return e;
}

gk_err gk_hpke_seal(uint8_t *out, const uint8_t pub[GK_X25519_PUBLIC], gk_bytes info, gk_bytes aad, gk_bytes pt)
{
    gk_key *ephemeral = NULL;
    gk_err e = gk_key_generate(&ephemeral, GK_PURPOSE_EXCHANGE, 0);

    if (e == GK_OK)
        e = gk_hpke_seal_with(out, ephemeral, pub, info, aad, pt);
    else
        gk_wipe(out, pt.n + GK_HPKE_OVERHEAD);
    gk_key_free(ephemeral);
    return e;
}

gk_err gk_hpke_open(uint8_t *out, const gk_key *k, gk_bytes info, gk_bytes aad, gk_bytes sealed)
{
    uint8_t dh[32], key[KEY], nonce[NONCE], pub[GK_X25519_PUBLIC], tag[GK_HPKE_TAG];
    size_t n = sealed.n < GK_HPKE_OVERHEAD ? 0 : sealed.n - GK_HPKE_OVERHEAD;
    gk_err e = GK_OK;

    if (sealed.n < GK_HPKE_OVERHEAD)
        return GK_ERR_AUTH;
    if (!lengths_ok(aad, n))
        return GK_ERR_LIMIT;
    memcpy(tag, sealed.p + GK_X25519_PUBLIC + n, sizeof(tag));
    e = gk_x25519_public(pub, k);
    if (e == GK_OK)
        e = gk_x25519_raw(dh, k, sealed.p);
    if (e == GK_OK)
        e = schedule(key, nonce, dh, sealed.p, pub, info);
    if (e == GK_OK)
        e = gcm(0, out, tag, key, nonce, aad, (gk_bytes){sealed.p + GK_X25519_PUBLIC, n});
    gk_wipe(dh, sizeof(dh));
    gk_wipe(key, sizeof(key));
    gk_wipe(nonce, sizeof(nonce));
    if (e != GK_OK)
        gk_wipe(out, n);
    return e;
}
