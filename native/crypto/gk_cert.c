#include "gk_cert.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "gk_expand.h"
#include "gk_key_internal.h"

#define DER_MAX 16384
#define SUBJECT_MAX 512

struct gk_cert {
    STACK_OF(X509) * chain; /* leaf first */
    char subject[SUBJECT_MAX];
};

struct gk_signer {
    EVP_PKEY *key;
};

static gk_err parse_chain(STACK_OF(X509) * *out, gk_bytes chain, int most)
{
    gk_reader r = gk_reader_of(chain.p, chain.n);
    STACK_OF(X509) *list = sk_X509_new_null();
    gk_err e = list == NULL ? GK_ERR_NOMEM : GK_OK;

    while (e == GK_OK && r.n > 0) {
        uint16_t n = 0;
        gk_bytes der = {0};
        X509 *x = NULL;
        const unsigned char *p = NULL;

        e = gk_reader_u16(&r, &n);
        if (e == GK_OK)
            e = gk_reader_take(&r, &der, n);
        if (e != GK_OK)
            break;
        p = der.p;
        x = n > DER_MAX || sk_X509_num(list) >= most ? NULL : d2i_X509(NULL, &p, n);
        if (x == NULL || p != der.p + n || sk_X509_push(list, x) <= 0) {
            X509_free(x);
            e = gk_crypto_failed(GK_ERR_MALFORMED);
        }
    }
    if (e == GK_OK && sk_X509_num(list) == 0)
        e = GK_ERR_MALFORMED;
    if (e != GK_OK)
        sk_X509_pop_free(list, X509_free);
    *out = e == GK_OK ? list : NULL;
    return e;
}

gk_err gk_cert_parse(gk_cert **out, gk_bytes chain)
{
    gk_cert *c = OPENSSL_zalloc(sizeof(*c));
    BIO *bio = NULL;
    char *text = NULL;
    long n = 0;
    gk_err e = c == NULL ? GK_ERR_NOMEM : parse_chain(&c->chain, chain, GK_CERT_CHAIN_MAX);

    *out = NULL;
    if (e == GK_OK) {
        bio = BIO_new(BIO_s_mem());
        if (bio == NULL || X509_NAME_print_ex(bio, X509_get_subject_name(sk_X509_value(c->chain, 0)), 0, XN_FLAG_RFC2253) < 0)
            e = gk_crypto_failed(GK_ERR_CRYPTO);
        else
            n = BIO_get_mem_data(bio, &text);
        if (e == GK_OK && (n >= SUBJECT_MAX || memchr(text, 0, (size_t)n) != NULL))
            e = GK_ERR_MALFORMED;
        if (e == GK_OK && n > 0)
            memcpy(c->subject, text, (size_t)n);
        BIO_free(bio);
    }
    if (e != GK_OK)
        gk_cert_free(c);
    else
        *out = c;
    return e;
}

gk_err gk_cert_from_pem(uint8_t *out, size_t cap, size_t *out_n, gk_bytes pem)
{
    BIO *bio = pem.n > INT32_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
    gk_writer w = gk_writer_of(out, cap);
    gk_err e = bio == NULL ? GK_ERR_NOMEM : GK_OK;
    X509 *x = NULL;

    *out_n = 0;
    while (e == GK_OK && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        int n = i2d_X509(x, NULL);
        unsigned char *p = NULL;

        gk_writer_u16(&w, (uint16_t)n);
        p = n <= 0 || n > DER_MAX ? NULL : gk_writer_reserve(&w, (size_t)n);
        if (p == NULL || i2d_X509(x, &p) != n)
            e = w.err != GK_OK ? w.err : GK_ERR_MALFORMED;
        X509_free(x);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the file is an error to PEM_read_bio_X509 */
    if (e == GK_OK && w.len == 0)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK)
        *out_n = w.len;
    return e;
}

gk_err gk_cert_check(const gk_cert *c, gk_bytes cas, int64_t now)
{
    STACK_OF(X509) *trusted = NULL;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param = NULL;
    gk_err e = cas.n == 0 ? GK_ERR_AUTH : parse_chain(&trusted, cas, 64);

    if (e == GK_OK && (store == NULL || ctx == NULL || X509_STORE_CTX_init(ctx, store, sk_X509_value(c->chain, 0), c->chain) != 1))
        e = GK_ERR_CRYPTO;
    if (e == GK_OK) {
        X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
        param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)now);
        X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits: RSA 2048, SHA-256 */
        if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT) != 1 ||
            X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) != 1)
            e = GK_ERR_CRYPTO;
        else if (X509_verify_cert(ctx) != 1)
            e = X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM ? GK_ERR_NOMEM : GK_ERR_AUTH;
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_pop_free(trusted, X509_free);
    return e == GK_OK ? e : gk_crypto_failed(e);
}

gk_err gk_cert_spki_hash(const gk_cert *c, uint8_t out[32])
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(sk_X509_value(c->chain, 0)), &der);
    gk_bytes part = {der, n < 0 ? 0 : (size_t)n};
    gk_err e = n <= 0 ? gk_crypto_failed(GK_ERR_CRYPTO) : gk_sha256(out, &part, 1);

    OPENSSL_free(der);
    return e;
}

const char *gk_cert_subject(const gk_cert *c)
{
    return c->subject;
}

void gk_cert_free(gk_cert *c)
{
    if (c == NULL)
        return;
    sk_X509_pop_free(c->chain, X509_free);
    OPENSSL_free(c);
}

/* --- patterns --------------------------------------------------------------------------------------------------------------- */

/* glob: '*' stands for characters but '/' and '.', "**" for any; the last star is tried again one character later, as usual. */
static bool glob(gk_bytes pattern, gk_bytes s)
{
    size_t i = 0, j = 0, star = SIZE_MAX, from = 0;
    bool any = false;

    while (j < s.n) {
        if (i < pattern.n && pattern.p[i] == '*') {
            any = i + 1 < pattern.n && pattern.p[i + 1] == '*';
            i += any ? 2 : 1;
            star = i;
            from = j;
        } else if (i < pattern.n && pattern.p[i] == s.p[j]) {
            i++;
            j++;
        } else if (star != SIZE_MAX && (any || (s.p[from] != '/' && s.p[from] != '.'))) {
            i = star;
            j = ++from;
        } else {
            return false;
        }
    }
    while (i < pattern.n && pattern.p[i] == '*')
        i++;
    return i == pattern.n;
}

static const struct {
    const char *prefix;
    int type; /* of a GENERAL_NAME; -1: the subject */
} kinds[] = {{"subject:", -1}, {"dns:", GEN_DNS}, {"email:", GEN_EMAIL}, {"uri:", GEN_URI}};

static int kind_of(gk_bytes *pattern)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(kinds[i].prefix);

        if (pattern->n > n && memcmp(pattern->p, kinds[i].prefix, n) == 0) {
            *pattern = (gk_bytes){pattern->p + n, pattern->n - n};
            return (int)i;
        }
    }
    return -1;
}

bool gk_cert_pattern_ok(gk_bytes pattern)
{
    return pattern.n <= 256 && memchr(pattern.p, 0, pattern.n) == NULL && kind_of(&pattern) >= 0;
}

/* subject_matches: one component of the RFC 2253 text; a comma that is part of a value is escaped there, and such a component never matches. */
static bool subject_matches(const char *subject, gk_bytes pattern)
{
    for (const char *p = subject; *p != 0;) {
        size_t n = strcspn(p, ",+");

        if (n > 0 && p[n - 1] != '\\' && (p - subject < 2 || p[-2] != '\\') &&
            glob(pattern, (gk_bytes){(const uint8_t *)p, n}))
            return true;
        p += n + (p[n] != 0);
    }
    return false;
}

bool gk_cert_matches(const gk_cert *c, gk_bytes pattern)
{
    int kind = kind_of(&pattern);
    GENERAL_NAMES *names = NULL;
    bool found = false;

    if (kind < 0)
        return false;
    if (kinds[kind].type < 0)
        return subject_matches(c->subject, pattern);
    names = X509_get_ext_d2i(sk_X509_value(c->chain, 0), NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == kinds[kind].type)
            found = glob(pattern, (gk_bytes){ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5)});
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return found;
}

/* --- signatures ------------------------------------------------------------------------------------------------------------- */

/* digest_of: what a key signs with; false for algorithms that nobody should use here. *md stays NULL for Ed25519. */
static bool digest_of(EVP_PKEY *key, const EVP_MD **md)
{
    *md = NULL;
    if (EVP_PKEY_is_a(key, "ED25519"))
        return true;
    *md = EVP_sha256();
    if (EVP_PKEY_is_a(key, "RSA"))
        return EVP_PKEY_get_bits(key) >= 2048;
    return EVP_PKEY_is_a(key, "EC") && (EVP_PKEY_get_bits(key) == 256 || EVP_PKEY_get_bits(key) == 384);
}

/* text_of puts label and body together: Ed25519 takes a message in one piece. */
static uint8_t *text_of(size_t *n, const char *label, gk_bytes body)
{
    size_t label_n = strlen(label);
    uint8_t *p = OPENSSL_malloc(2 + label_n + body.n);
    gk_writer w = gk_writer_of(p, 2 + label_n + body.n);

    if (p == NULL)
        return NULL;
    gk_writer_u16(&w, (uint16_t)label_n);
    gk_writer_put(&w, label, label_n);
    gk_writer_put(&w, body.p, body.n);
    *n = w.len;
    return p;
}

static bool pss(EVP_PKEY *key, EVP_PKEY_CTX *ctx)
{
    return !EVP_PKEY_is_a(key, "RSA") || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                                          EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

gk_err gk_cert_verify(const gk_cert *c, gk_bytes sig, const char *label, gk_bytes body)
{
    EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(c->chain, 0));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params = NULL;
    const EVP_MD *md = NULL;
    size_t n = 0;
    uint8_t *text = text_of(&n, label, body);
    gk_err e = ctx == NULL || text == NULL ? GK_ERR_NOMEM : GK_ERR_AUTH;

    if (e == GK_ERR_AUTH && key != NULL && digest_of(key, &md) && EVP_DigestVerifyInit(ctx, &params, md, NULL, key) == 1 && pss(key, params) &&
        EVP_DigestVerify(ctx, sig.p, sig.n, text, n) == 1)
        e = GK_OK;
    OPENSSL_free(text);
    EVP_MD_CTX_free(ctx);
    return e == GK_OK ? e : gk_crypto_failed(e);
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

gk_err gk_signer_load(gk_signer **out, gk_bytes pem)
{
    gk_signer *s = OPENSSL_zalloc(sizeof(*s));
    BIO *bio = pem.n > INT32_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
    const EVP_MD *md = NULL;
    gk_err e = s == NULL || bio == NULL ? GK_ERR_NOMEM : GK_OK;

    *out = NULL;
    if (e == GK_OK) {
        s->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        if (s->key == NULL || !digest_of(s->key, &md))
            e = gk_crypto_failed(GK_ERR_MALFORMED);
    }
    BIO_free(bio);
    if (e != GK_OK)
        gk_signer_free(s);
    else
        *out = s;
    return e;
}

bool gk_signer_fits(const gk_signer *s, const gk_cert *c)
{
    EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(c->chain, 0));

    return key != NULL && EVP_PKEY_eq(s->key, key) == 1;
}

gk_err gk_signer_sign(const gk_signer *s, uint8_t *sig, size_t *sig_n, const char *label, gk_bytes body)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params = NULL;
    const EVP_MD *md = NULL;
    size_t n = 0;
    uint8_t *text = text_of(&n, label, body);
    gk_err e = ctx == NULL || text == NULL ? GK_ERR_NOMEM : GK_ERR_CRYPTO;

    *sig_n = GK_CERT_SIG_MAX;
    if (e == GK_ERR_CRYPTO && digest_of(s->key, &md) && EVP_DigestSignInit(ctx, &params, md, NULL, s->key) == 1 && pss(s->key, params) &&
        EVP_DigestSign(ctx, sig, sig_n, text, n) == 1)
        e = GK_OK;
    OPENSSL_free(text);
    EVP_MD_CTX_free(ctx);
    if (e == GK_OK)
        return GK_OK;
    *sig_n = 0;
    return gk_crypto_failed(e);
}

void gk_signer_free(gk_signer *s)
{
    if (s == NULL)
        return;
    EVP_PKEY_free(s->key);
    OPENSSL_free(s);
}
