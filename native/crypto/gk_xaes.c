#include "gk_xaes.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "gk_cipher.h"
#include "gk_key_internal.h"

#define BLOCK 16
#define KEY 32
#define GCM_IV 12

/* XAES-256-GCM (https://c2sp.org/XAES-256-GCM): a key Kx per message from the first half of the nonce, by two blocks of CMAC
 * (NIST SP 800-108r1 in counter mode), then AES-256-GCM under Kx with the second half. */
struct gk_xaes {
    gk_key *key;
    gk_cipher block;   /* AES-256 under the long-term key */
    gk_cipher gcm;     /* rekeyed for each message */
    uint8_t k1[BLOCK]; /* CMAC's first subkey */
};

/* subkey computes K1, NIST SP 800-38B section 6.1: AES(K, 0) doubled. */
static bool subkey(gk_xaes *c)
{
    static const uint8_t zero[BLOCK];
    uint8_t l[BLOCK] = {0};
    bool ok = gk_cipher_run(&c->block, l, zero, BLOCK);

    gk_block_double(c->k1, l);
    gk_wipe(l, sizeof(l));
    return ok;
}

gk_err gk_xaes_new(gk_xaes **out, gk_key *k)
{
    gk_purpose purpose = gk_key_purpose(k);
    gk_xaes *c = NULL;
    gk_err e = GK_OK;

    *out = NULL;
    if (purpose != GK_PURPOSE_PAYLOAD && purpose != GK_PURPOSE_PENDING && purpose != GK_PURPOSE_DK && purpose != GK_PURPOSE_APP &&
        purpose != GK_PURPOSE_STATE)
        return GK_ERR_ARG;
    c = OPENSSL_zalloc(sizeof(*c));
    if (c == NULL)
        return GK_ERR_NOMEM;
    c->key = gk_key_ref(k);
    e = gk_cipher_init(&c->block, "AES-256-ECB");
    if (e == GK_OK)
        e = gk_cipher_init(&c->gcm, "AES-256-GCM");
    if (e == GK_OK && (c->block.encrypt_init(c->block.ctx, gk_key_raw(k).p, KEY, NULL, 0, NULL) != 1 || !subkey(c)))
        e = gk_crypto_failed(GK_ERR_CRYPTO);
    if (e != GK_OK) {
        gk_xaes_free(c);
        return e;
    }
    *out = c;
    return GK_OK;
}

/* give_aad: each update costs a hundred instructions, so short associated data goes in by one. */
static bool give_aad(gk_cipher *g, gk_bytes aad1, gk_bytes aad2)
{
    uint8_t both[64];
    size_t len = 0;

    if (aad1.n + aad2.n > sizeof(both))
        return (aad1.n == 0 || g->update(g->ctx, NULL, &len, aad1.n, aad1.p, aad1.n) == 1) &&
               (aad2.n == 0 || g->update(g->ctx, NULL, &len, aad2.n, aad2.p, aad2.n) == 1);
    if (aad1.n > 0)
        memcpy(both, aad1.p, aad1.n);
    if (aad2.n > 0)
        memcpy(both + aad1.n, aad2.p, aad2.n);
    return aad1.n + aad2.n == 0 || g->update(g->ctx, NULL, &len, sizeof(both), both, aad1.n + aad2.n) == 1;
}

/* start derives Kx = AES(K, M1 ^ K1) | AES(K, M2 ^ K1), Mi = 00 0i 'X' 00 | nonce[0..12), and gives Kx, nonce[12..24), the tag to
 * expect (none when sealing) and the associated data to GCM. */
static bool start(gk_xaes *c, const uint8_t nonce[GK_XAES_NONCE], const uint8_t *tag, gk_bytes aad1, gk_bytes aad2)
{
    uint8_t m[2 * BLOCK] = {0, 1, 'X', 0};
    uint8_t kx[KEY];
    uint8_t expected[GK_XAES_TAG];
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, expected, sizeof(expected)), OSSL_PARAM_END};
    const uint8_t *iv = nonce + GK_XAES_NONCE - GCM_IV;
    bool ok = false;

    memcpy(m + 4, nonce, GK_XAES_NONCE - GCM_IV);
    memcpy(m + BLOCK, m, BLOCK);
    m[BLOCK + 1] = 2;
    gk_block_xor(m, c->k1);
    gk_block_xor(m + BLOCK, c->k1);
    if (tag != NULL)
        memcpy(expected, tag, sizeof(expected));
    ok = gk_cipher_run(&c->block, kx, m, sizeof(kx)) &&
         (tag != NULL ? c->gcm.decrypt_init(c->gcm.ctx, kx, KEY, iv, GCM_IV, params) : c->gcm.encrypt_init(c->gcm.ctx, kx, KEY, iv, GCM_IV, NULL)) == 1 &&
         give_aad(&c->gcm, aad1, aad2);
    gk_wipe(kx, sizeof(kx));
    gk_wipe(m, sizeof(m)); /* m ^ K1 next to the public nonce would give K1 */
    return ok;
}

static bool lengths_ok(gk_bytes aad1, gk_bytes aad2, size_t text)
{
    return aad1.n <= INT_MAX && aad2.n <= INT_MAX && text <= INT_MAX - GK_XAES_TAG;
}

gk_err gk_xaes_seal(gk_xaes *c, uint8_t *out, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2, gk_bytes pt)
{
    gk_cipher *g = &c->gcm;
    OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
    size_t len = 0;

    if (!lengths_ok(aad1, aad2, pt.n))
        return GK_ERR_LIMIT;
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out + pt.n, GK_XAES_TAG);
    if (!start(c, nonce, NULL, aad1, aad2) || (pt.n > 0 && g->update(g->ctx, out, &len, pt.n, pt.p, pt.n) != 1) || len != pt.n ||
        g->final(g->ctx, out + pt.n, &len, GK_XAES_TAG) != 1 || g->get_ctx_params(g->ctx, params) != 1) {
        gk_wipe(out, pt.n + GK_XAES_TAG);
        return gk_crypto_failed(GK_ERR_CRYPTO);
    }
    return GK_OK;
}

gk_err gk_xaes_open(gk_xaes *c, uint8_t *out, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2, gk_bytes ct)
{
    gk_cipher *g = &c->gcm;
    size_t n = 0;
    size_t len = 0;
    gk_err e = GK_ERR_CRYPTO;

    if (ct.n < GK_XAES_TAG)
        return GK_ERR_AUTH;
    n = ct.n - GK_XAES_TAG;
    if (!lengths_ok(aad1, aad2, n))
        return GK_ERR_LIMIT;
    if (!start(c, nonce, ct.p + n, aad1, aad2) || (n > 0 && g->update(g->ctx, out, &len, n, ct.p, n) != 1) || len != n)
        goto fail;
    e = GK_ERR_AUTH;
    if (g->final(g->ctx, out + n, &len, 0) != 1)
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
    gk_cipher_clear(&c->gcm);
    gk_cipher_clear(&c->block);
    gk_key_free(c->key);
    OPENSSL_clear_free(c, sizeof(*c));
}
