#include "gk_xaes.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "gk_key_internal.h"

#define BLOCK 16
#define GCM_IV 12

/* XAES-256-GCM (https://c2sp.org/XAES-256-GCM): a key Kx per message from the first half of the nonce, by two blocks of CMAC
 * (NIST SP 800-108r1 in counter mode), then AES-256-GCM under Kx with the second half. */
struct gk_xaes {
    gk_key *key;
    EVP_CIPHER *ecb;
    EVP_CIPHER *gcm;
    EVP_CIPHER_CTX *block_ctx; /* AES-256 under the long-term key */
    EVP_CIPHER_CTX *gcm_ctx;   /* rekeyed for each message */
    uint8_t k1[BLOCK];         /* CMAC's first subkey */
};

/* subkey computes K1, NIST SP 800-38B section 6.1: AES(K, 0) doubled. */
static gk_err subkey(gk_xaes *c)
{
    uint8_t zero[BLOCK] = {0};
    uint8_t l[BLOCK] = {0};
    int len = 0;

    if (EVP_EncryptUpdate(c->block_ctx, l, &len, zero, BLOCK) != 1 || len != BLOCK)
        return GK_ERR_CRYPTO;
    gk_block_double(c->k1, l);
    gk_wipe(l, sizeof(l));
    return GK_OK;
}

gk_err gk_xaes_new(gk_xaes **out, gk_key *k)
{
    gk_purpose purpose = gk_key_purpose(k);
    gk_xaes *c = NULL;

    *out = NULL;
    if (purpose != GK_PURPOSE_PAYLOAD && purpose != GK_PURPOSE_PENDING && purpose != GK_PURPOSE_DK && purpose != GK_PURPOSE_APP &&
        purpose != GK_PURPOSE_STATE)
        return GK_ERR_ARG;
    c = OPENSSL_zalloc(sizeof(*c));
    if (c == NULL)
        return GK_ERR_NOMEM;
    c->key = gk_key_ref(k);
    c->ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    c->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    c->block_ctx = EVP_CIPHER_CTX_new();
    c->gcm_ctx = EVP_CIPHER_CTX_new();
    if (c->ecb == NULL || c->gcm == NULL || c->block_ctx == NULL || c->gcm_ctx == NULL)
        goto fail;
    if (EVP_EncryptInit_ex2(c->block_ctx, c->ecb, gk_key_raw(k).p, NULL, NULL) != 1 || EVP_CIPHER_CTX_set_padding(c->block_ctx, 0) != 1 ||
        EVP_EncryptInit_ex2(c->gcm_ctx, c->gcm, NULL, NULL, NULL) != 1)
        goto fail;
    if (subkey(c) != GK_OK)
        goto fail;
    *out = c;
    return GK_OK;
fail:
    gk_xaes_free(c);
    return gk_crypto_failed(GK_ERR_CRYPTO);
}

/* give_aad: each update costs a tenth of a microsecond, so short associated data goes in by one. */
static bool give_aad(EVP_CIPHER_CTX *ctx, gk_bytes aad1, gk_bytes aad2)
{
    uint8_t both[64];
    gk_writer w = gk_writer_of(both, sizeof(both));
    int len = 0;

    gk_writer_put(&w, aad1.p, aad1.n);
    gk_writer_put(&w, aad2.p, aad2.n);
    if (w.err == GK_OK)
        return w.len == 0 || EVP_CipherUpdate(ctx, NULL, &len, both, (int)w.len) == 1;
    return (aad1.n == 0 || EVP_CipherUpdate(ctx, NULL, &len, aad1.p, (int)aad1.n) == 1) &&
           (aad2.n == 0 || EVP_CipherUpdate(ctx, NULL, &len, aad2.p, (int)aad2.n) == 1);
}

/* start derives Kx = AES(K, M1 ^ K1) | AES(K, M2 ^ K1), Mi = 00 0i 'X' 00 | nonce[0..12), and gives Kx, nonce[12..24) and the
 * associated data to GCM. */
static gk_err start(gk_xaes *c, int enc, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2)
{
    uint8_t m[2 * BLOCK] = {0, 1, 'X', 0};
    uint8_t kx[2 * BLOCK];
    int len = 0;
    gk_err e = GK_ERR_CRYPTO;

    memcpy(m + 4, nonce, GK_XAES_NONCE - GCM_IV);
    memcpy(m + BLOCK, m, BLOCK);
    m[BLOCK + 1] = 2;
    for (size_t i = 0; i < 2 * BLOCK; i++)
        m[i] ^= c->k1[i % BLOCK];
    if (EVP_EncryptUpdate(c->block_ctx, kx, &len, m, 2 * BLOCK) == 1 && len == 2 * BLOCK &&
        EVP_CipherInit_ex2(c->gcm_ctx, NULL, kx, nonce + GK_XAES_NONCE - GCM_IV, enc, NULL) == 1 &&
        give_aad(c->gcm_ctx, aad1, aad2))
        e = GK_OK;
    gk_wipe(kx, sizeof(kx));
    gk_wipe(m, sizeof(m)); /* m ^ K1 next to the public nonce would give K1 */
    return e;
}

static bool lengths_ok(gk_bytes aad1, gk_bytes aad2, size_t text)
{
    return aad1.n <= INT_MAX && aad2.n <= INT_MAX && text <= INT_MAX - GK_XAES_TAG;
}

gk_err gk_xaes_seal(gk_xaes *c, uint8_t *out, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2, gk_bytes pt)
{
    EVP_CIPHER_CTX *g = c->gcm_ctx;
    int len = 0;

    if (!lengths_ok(aad1, aad2, pt.n))
        return GK_ERR_LIMIT;
    if (start(c, 1, nonce, aad1, aad2) != GK_OK || (pt.n > 0 && EVP_EncryptUpdate(g, out, &len, pt.p, (int)pt.n) != 1) ||
        EVP_EncryptFinal_ex(g, out + pt.n, &len) != 1 || EVP_CIPHER_CTX_ctrl(g, EVP_CTRL_AEAD_GET_TAG, GK_XAES_TAG, out + pt.n) != 1) {
        gk_wipe(out, pt.n + GK_XAES_TAG);
        return gk_crypto_failed(GK_ERR_CRYPTO);
    }
    return GK_OK;
}

gk_err gk_xaes_open(gk_xaes *c, uint8_t *out, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2, gk_bytes ct)
{
    EVP_CIPHER_CTX *g = c->gcm_ctx;
    uint8_t tag[GK_XAES_TAG];
    size_t n = 0;
    int len = 0;
    gk_err e = GK_ERR_CRYPTO;

    if (ct.n < GK_XAES_TAG)
        return GK_ERR_AUTH;
    n = ct.n - GK_XAES_TAG;
    if (!lengths_ok(aad1, aad2, n))
        return GK_ERR_LIMIT;
    memcpy(tag, ct.p + n, GK_XAES_TAG);
    if (start(c, 0, nonce, aad1, aad2) != GK_OK || (n > 0 && EVP_DecryptUpdate(g, out, &len, ct.p, (int)n) != 1) ||
        EVP_CIPHER_CTX_ctrl(g, EVP_CTRL_AEAD_SET_TAG, GK_XAES_TAG, tag) != 1)
        goto fail;
    e = GK_ERR_AUTH;
    if (EVP_DecryptFinal_ex(g, out + n, &len) != 1)
        goto fail;
    return GK_OK;
fail:
    gk_wipe(out, n);
    return gk_crypto_failed(e);
}

gk_err gk_xaes_seal_key(gk_xaes *c, uint8_t out[48], const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad, const gk_key *k)
{
    if (gk_key_raw(k).n != 32)
        return GK_ERR_ARG;
    return gk_xaes_seal(c, out, nonce, aad, (gk_bytes){0}, gk_key_raw(k));
}

gk_err gk_xaes_open_key(gk_xaes *c, gk_key **out, gk_purpose purpose, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad, gk_bytes ct)
{
    uint8_t raw[32];
    gk_err e = GK_OK;

    *out = NULL;
    if (ct.n != sizeof(raw) + GK_XAES_TAG)
        return GK_ERR_AUTH;
    e = gk_xaes_open(c, raw, nonce, aad, (gk_bytes){0}, ct);
    if (e == GK_OK)
        e = gk_key_new(out, purpose, 0, (gk_bytes){raw, sizeof(raw)});
    gk_wipe(raw, sizeof(raw));
    return e;
}

void gk_xaes_free(gk_xaes *c)
{
    if (c == NULL)
        return;
    EVP_CIPHER_CTX_free(c->gcm_ctx);
    EVP_CIPHER_CTX_free(c->block_ctx);
    EVP_CIPHER_free(c->gcm);
    EVP_CIPHER_free(c->ecb);
    gk_key_free(c->key);
    OPENSSL_clear_free(c, sizeof(*c));
}
