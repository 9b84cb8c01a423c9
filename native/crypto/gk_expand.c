#include "gk_expand.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "gk_key_internal.h"

#define LABEL_MAX 40
#define CONTEXT_MAX 256

gk_err gk_sha256(uint8_t out[32], const gk_bytes *parts, size_t n_parts)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned n = 0;
    bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; i < n_parts && ok; i++)
        ok = parts[i].n == 0 || EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, &n) == 1 && n == 32;
    EVP_MD_CTX_free(ctx);
    if (ok)
        return GK_OK;
    gk_wipe(out, 32);
    return gk_crypto_failed(GK_ERR_CRYPTO);
}

/* may_come_from: a key has one use; what another module does with a key can't give what this one derives. */
static bool may_come_from(gk_purpose to, gk_purpose from)
{
    switch (from) {
    case GK_PURPOSE_NODE:
        return to == GK_PURPOSE_NODE || to == GK_PURPOSE_WRAP || to == GK_PURPOSE_GROUP || to == GK_PURPOSE_MAC;
    case GK_PURPOSE_GROUP: return to == GK_PURPOSE_APP;
    case GK_PURPOSE_TOKEN: return to == GK_PURPOSE_SIGN;
    default: return false;
    }
}

gk_err gk_expand(gk_key **out, gk_purpose purpose, const gk_key *from, const char *label, gk_bytes context)
{
    uint8_t info[2 + sizeof(GK_LABEL) + LABEL_MAX + CONTEXT_MAX] = {0};
    uint8_t raw[GK_KEY_MAX];
    gk_writer w = gk_writer_of(info, sizeof(info));
    gk_err e = GK_OK;

    *out = NULL;
    if (!may_come_from(purpose, from->purpose) || strlen(label) > LABEL_MAX || context.n > CONTEXT_MAX)
        return GK_ERR_ARG;
    gk_writer_u16(&w, (uint16_t)(sizeof(GK_LABEL) - 1 + strlen(label)));
    gk_writer_put(&w, GK_LABEL, sizeof(GK_LABEL) - 1);
    gk_writer_put(&w, label, strlen(label));
    gk_writer_put(&w, context.p, context.n);
    e = gk_hkdf_expand(raw, gk_key_size(purpose), gk_key_raw(from), (gk_bytes){info, w.len});
    if (e == GK_OK)
        e = gk_key_new(out, purpose, 0, (gk_bytes){raw, gk_key_size(purpose)});
    gk_wipe(raw, sizeof(raw));
    return e;
}

static const char *algorithm(gk_purpose purpose)
{
    return purpose == GK_PURPOSE_SIGN ? "ED25519" : purpose == GK_PURPOSE_EXCHANGE ? "X25519" : NULL;
}

/* no_passphrase: an encrypted file fails instead of asking on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

gk_err gk_key_from_pem(gk_key **out, gk_purpose purpose, gk_bytes pem)
{
    uint8_t raw[32];
    size_t n = sizeof(raw);
    BIO *bio = NULL;
    EVP_PKEY *pkey = NULL;
    gk_err e = GK_ERR_MALFORMED;

    *out = NULL;
    if (algorithm(purpose) == NULL || pem.n > INT32_MAX)
        return GK_ERR_ARG;
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (pkey != NULL && EVP_PKEY_is_a(pkey, algorithm(purpose)) && EVP_PKEY_get_raw_private_key(pkey, raw, &n) == 1 && n == sizeof(raw))
        e = gk_key_new(out, purpose, 0, (gk_bytes){raw, n});
    else
        e = gk_crypto_failed(e);
    gk_wipe(raw, sizeof(raw));
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return e;
}

gk_err gk_key_to_pem(const gk_key *k, char out[GK_PEM_MAX], size_t *out_n)
{
    BIO *bio = NULL;
    EVP_PKEY *pkey = NULL;
    char *text = NULL;
    long n = 0;
    gk_err e = GK_ERR_CRYPTO;

    *out_n = 0;
    if (algorithm(k->purpose) == NULL)
        return GK_ERR_ARG;
    bio = BIO_new(BIO_s_secmem());
    pkey = EVP_PKEY_new_raw_private_key_ex(NULL, algorithm(k->purpose), NULL, k->raw, k->n);
    if (bio != NULL && pkey != NULL && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1)
        n = BIO_get_mem_data(bio, &text);
    if (n > 0 && n <= GK_PEM_MAX) {
        memcpy(out, text, (size_t)n);
        *out_n = (size_t)n;
        e = GK_OK;
    }
    EVP_PKEY_free(pkey);
    if (text != NULL)
        gk_wipe(text, (size_t)n);
    BIO_free(bio);
    return e == GK_OK ? e : gk_crypto_failed(e);
}
