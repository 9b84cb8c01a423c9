#include "gk_siv.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "gk_key_internal.h"

/* OpenSSL 3.0 takes one message per keyed context: after it, S2V's state can't be reset by an init without a key, and an init with the
 * key costs three times a copy. So there is a keyed template for each direction, and each message works on a copy of it. */
struct gk_siv {
    gk_key *key;
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *seal_template;
    EVP_CIPHER_CTX *open_template;
    EVP_CIPHER_CTX *work;
};

static EVP_CIPHER_CTX *make_template(const EVP_CIPHER *cipher, const gk_key *k, int enc)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && EVP_CipherInit_ex2(ctx, cipher, gk_key_raw(k).p, NULL, enc, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

gk_err gk_siv_new(gk_siv **out, gk_key *k)
{
    gk_siv *c = NULL;

    *out = NULL;
    if (gk_key_purpose(k) != GK_PURPOSE_NAME)
        return GK_ERR_ARG;
    c = OPENSSL_zalloc(sizeof(*c));
    if (c == NULL)
        return GK_ERR_NOMEM;
    c->key = gk_key_ref(k);
    c->cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    if (c->cipher == NULL)
        goto fail;
    c->seal_template = make_template(c->cipher, k, 1);
    c->open_template = make_template(c->cipher, k, 0);
    c->work = EVP_CIPHER_CTX_new();
    if (c->seal_template == NULL || c->open_template == NULL || c->work == NULL)
        goto fail;
    *out = c;
    return GK_OK;
fail:
    gk_siv_free(c);
    return gk_crypto_failed(GK_ERR_CRYPTO);
}

/* lengths_ok: empty inputs are refused because OpenSSL 3.0 gives no tag for an empty plaintext and, before the fix of
 * CVE-2023-2975, left out an empty datum. */
static bool lengths_ok(gk_bytes ad, size_t text)
{
    return ad.n > 0 && ad.n <= INT_MAX && text > 0 && text <= INT_MAX - GK_SIV_TAG;
}

gk_err gk_siv_seal(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes pt)
{
    EVP_CIPHER_CTX *w = c->work;
    int len = 0;

    if (!lengths_ok(ad, pt.n))
        return GK_ERR_ARG;
    if (EVP_CIPHER_CTX_copy(w, c->seal_template) != 1 || EVP_EncryptUpdate(w, NULL, &len, ad.p, (int)ad.n) != 1 ||
        EVP_EncryptUpdate(w, out + GK_SIV_TAG, &len, pt.p, (int)pt.n) != 1 || len != (int)pt.n ||
        EVP_CIPHER_CTX_ctrl(w, EVP_CTRL_AEAD_GET_TAG, GK_SIV_TAG, out) != 1) {
        gk_wipe(out, pt.n + GK_SIV_TAG);
        return gk_crypto_failed(GK_ERR_CRYPTO);
    }
    return GK_OK;
}

static gk_err open_once(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ct)
{
    EVP_CIPHER_CTX *w = c->work;
    size_t n = ct.n - GK_SIV_TAG;
    uint8_t tag[GK_SIV_TAG];
    int len = 0;

    memcpy(tag, ct.p, GK_SIV_TAG); /* the ctrl takes a pointer to non-const */
    if (EVP_CIPHER_CTX_copy(w, c->open_template) != 1 || EVP_CIPHER_CTX_ctrl(w, EVP_CTRL_AEAD_SET_TAG, GK_SIV_TAG, tag) != 1 ||
        EVP_DecryptUpdate(w, NULL, &len, ad.p, (int)ad.n) != 1)
        return gk_crypto_failed(GK_ERR_CRYPTO);
    /* OpenSSL compares the tag in the update and again says so in the final. */
    if (EVP_DecryptUpdate(w, out, &len, ct.p + GK_SIV_TAG, (int)n) != 1 || len != (int)n || EVP_DecryptFinal_ex(w, out + n, &len) != 1)
        return gk_crypto_failed(GK_ERR_AUTH);
    return GK_OK;
}

gk_err gk_siv_open(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ct)
{
    gk_err e = GK_OK;

    if (ct.n <= GK_SIV_TAG)
        return GK_ERR_AUTH; /* nothing that we ever sealed is so short */
    if (!lengths_ok(ad, ct.n - GK_SIV_TAG))
        return GK_ERR_ARG;
    e = open_once(c, out, ad, ct);
    /* S2V copies a CMAC context for each string, and OpenSSL says of a failed allocation there just what it says of a wrong tag. A second
     * look keeps one such failure from passing for a forgery; when memory stays short, the copy of the template fails and is told. */
    if (e == GK_ERR_AUTH)
        e = open_once(c, out, ad, ct);
    if (e != GK_OK)
        gk_wipe(out, ct.n - GK_SIV_TAG);
    return e;
}

void gk_siv_free(gk_siv *c)
{
    if (c == NULL)
        return;
    EVP_CIPHER_CTX_free(c->work);
    EVP_CIPHER_CTX_free(c->open_template);
    EVP_CIPHER_CTX_free(c->seal_template);
    EVP_CIPHER_free(c->cipher);
    gk_key_free(c->key);
    OPENSSL_clear_free(c, sizeof(*c));
}
