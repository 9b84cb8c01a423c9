#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

#define NOW 1700000000

/* A certificate made here, by OpenSSL: subject "CN=name,O=Org", SANs as given, under issuer (NULL: itself). */
static X509 *issue(EVP_PKEY *key, const char *name, const char *sans, X509 *issuer, EVP_PKEY *by, bool ca)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);
    X509V3_CTX ctx;
    static long serial = 1;

    ck_assert(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1);
    ck_assert(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Org", -1, -1, 0) == 1);
    ck_assert(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1);
    ck_assert(X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) == 1 && X509_set_pubkey(x, key) == 1);
    ck_assert(ASN1_TIME_set(X509_getm_notBefore(x), NOW - 1000) != NULL && ASN1_TIME_set(X509_getm_notAfter(x), NOW + 1000) != NULL);
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    const char *ext[][2] = {{"basicConstraints", ca ? "critical,CA:TRUE" : "CA:FALSE"}, {"keyUsage", ca ? "critical,keyCertSign" : "digitalSignature"},
                            {"subjectKeyIdentifier", "hash"}, {"authorityKeyIdentifier", "keyid:always"}, {"subjectAltName", sans}};
    for (size_t i = 0; i < 5; i++) {
        X509_EXTENSION *e = ext[i][1] == NULL || (i == 3 && issuer == NULL) ? NULL : X509V3_EXT_conf(NULL, &ctx, ext[i][0], ext[i][1]);

        ck_assert(e == NULL || X509_add_ext(x, e, -1) == 1);
        X509_EXTENSION_free(e);
    }
    ck_assert(X509_sign(x, by, EVP_PKEY_is_a(by, "ED25519") ? NULL : EVP_sha256()) > 0);
    return x;
}

/* chain_of: certificates as gk_cert wants them, by way of PEM. */
static size_t chain_of(uint8_t *out, size_t cap, X509 *a, X509 *b)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    size_t n = 0;
    long len = 0;

    ck_assert(PEM_write_bio_X509(bio, a) == 1 && (b == NULL || PEM_write_bio_X509(bio, b) == 1));
    len = BIO_get_mem_data(bio, &text);
    ck_ok(gk_cert_from_pem(out, cap, &n, BYTES(text, (size_t)len)));
    BIO_free(bio);
    return n;
}

static gk_signer *signer_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    gk_signer *s = NULL;
    char *text = NULL;
    long len = 0;

    ck_assert(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    len = BIO_get_mem_data(bio, &text);
    ck_ok(gk_signer_load(&s, BYTES(text, (size_t)len)));
    BIO_free(bio);
    return s;
}

static EVP_PKEY *ca_key, *other_key;
static X509 *ca, *other, *middle;
static EVP_PKEY *middle_key;
static uint8_t cas[4096], others[4096];
static size_t cas_n, others_n;

static void up(void)
{
    ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    other_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    middle_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ca = issue(ca_key, "ca", NULL, NULL, ca_key, true);
    other = issue(other_key, "ca", NULL, NULL, other_key, true); /* the same name */
    middle = issue(middle_key, "middle", NULL, ca, ca_key, true);
    cas_n = chain_of(cas, sizeof(cas), ca, NULL);
    others_n = chain_of(others, sizeof(others), other, NULL);
}

static void down(void)
{
    X509_free(ca);
    X509_free(other);
    X509_free(middle);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(middle_key);
}

START_TEST(algorithms_and_chains)
{
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)};

    for (size_t i = 0; i < 4; i++) {
        X509 *x = issue(keys[i], "alice", "DNS:a.example.org", i % 2 ? middle : ca, i % 2 ? middle_key : ca_key, false);
        uint8_t der[8192], sig[GK_CERT_SIG_MAX];
        size_t n = chain_of(der, sizeof(der), x, i % 2 ? middle : NULL), sig_n = 0;
        gk_signer *s = signer_of(keys[i]), *wrong = signer_of(keys[(i + 1) % 4]);
        gk_cert *c = NULL;

        ck_ok(gk_cert_parse(&c, BYTES(der, n)));
        ck_assert_str_eq(gk_cert_subject(c), "CN=alice,O=Org");
        ck_ok(gk_cert_check(c, BYTES(cas, cas_n), NOW));
        ck_gk(gk_cert_check(c, BYTES(others, others_n), NOW), GK_ERR_AUTH);
        ck_gk(gk_cert_check(c, BYTES(NULL, 0), NOW), GK_ERR_AUTH);
        ck_gk(gk_cert_check(c, BYTES(cas, cas_n), NOW + 1001), GK_ERR_AUTH);
        ck_gk(gk_cert_check(c, BYTES(cas, cas_n), NOW - 1001), GK_ERR_AUTH);
        ck_assert(gk_signer_fits(s, c) && !gk_signer_fits(wrong, c));
        ck_ok(gk_signer_sign(s, sig, &sig_n, "label", STR("body")));
        ck_ok(gk_cert_verify(c, BYTES(sig, sig_n), "label", STR("body")));
        ck_gk(gk_cert_verify(c, BYTES(sig, sig_n), "labe", STR("lbody")), GK_ERR_AUTH);
        ck_gk(gk_cert_verify(c, BYTES(sig, sig_n), "label", STR("bodY")), GK_ERR_AUTH);
        ck_gk(gk_cert_verify(c, BYTES(sig, sig_n - 1), "label", STR("body")), GK_ERR_AUTH);
        sig[sig_n / 2] ^= 1;
        ck_gk(gk_cert_verify(c, BYTES(sig, sig_n), "label", STR("body")), GK_ERR_AUTH);
        for (size_t k = 0; k < n; k += 7)
            ck_assert(i % 2 || gk_cert_parse(&(gk_cert *){NULL}, BYTES(der, k)) != GK_OK);
        gk_cert_free(c);
        gk_signer_free(s);
        gk_signer_free(wrong);
        X509_free(x);
        EVP_PKEY_free(keys[i]);
        keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); /* for `wrong` of the last */
    }
    for (size_t i = 0; i < 4; i++)
        EVP_PKEY_free(keys[i]);
}
END_TEST

START_TEST(patterns)
{
    static const struct {
        const char *pattern;
        bool ok, matches;
    } cases[] = {{"subject:CN=alice", true, true}, {"subject:CN=al*", true, true}, {"subject:O=Org", true, true}, {"subject:CN=bob", true, false},
                 {"subject:*", true, true}, {"subject:CN=evil", true, false}, {"dns:a.example.org", true, true}, {"dns:*.example.org", true, true},
                 {"dns:*.org", true, false}, {"dns:**.org", true, true}, {"dns:a.example.or", true, false}, {"dns:b*", true, false},
                 {"uri:spiffe://td/ns/prod/sa/web", true, true}, {"uri:spiffe://td/ns/*/sa/web", true, true}, {"uri:spiffe://td/*/web", true, false},
                 {"uri:spiffe://td/**", true, true}, {"uri:spiffe://other/**", true, false}, {"email:*@example.org", true, true},
                 {"email:a.example.org", true, false}, {"ip:1.2.3.4", false, false}, {"dns:", false, false}, {"", false, false}};
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *x = issue(key, "alice", "DNS:a.example.org,URI:spiffe://td/ns/prod/sa/web,email:me@example.org", ca, ca_key, false);
    X509 *evil = issue(key, "a,CN=evil+CN=evil", NULL, ca, ca_key, false); /* one component, whatever it looks like */
    uint8_t der[4096];
    gk_cert *c = NULL, *e = NULL;

    ck_ok(gk_cert_parse(&c, BYTES(der, chain_of(der, sizeof(der), x, NULL))));
    ck_ok(gk_cert_parse(&e, BYTES(der, chain_of(der, sizeof(der), evil, NULL))));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(gk_cert_pattern_ok(STR(cases[i].pattern)) == cases[i].ok, "%s", cases[i].pattern);
        ck_assert_msg(gk_cert_matches(c, STR(cases[i].pattern)) == cases[i].matches, "%s", cases[i].pattern);
    }
    ck_assert(!gk_cert_matches(e, STR("subject:CN=evil")));
    gk_cert_free(c);
    gk_cert_free(e);
    X509_free(x);
    X509_free(evil);
    EVP_PKEY_free(key);
}
END_TEST

/* The whole way: a member with a certificate, under policies of several kinds. */
START_TEST(admission_by_certificate)
{
    gk_policy p = gk_policy_default();
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *good = issue(key, "alice", "URI:spiffe://td/sa/alice", ca, ca_key, false), *bad = issue(key, "alice", "URI:spiffe://td/sa/alice", other, other_key, false);
    gk_grouprig r;
    gk_member *m = NULL;
    gk_signer *wrong = NULL;
    uint8_t der[4096];
    gk_person who = {0};

    p.period_s = 0;
    p.admit[0] = GK_ADMIT_X509;
    p.admit[1] = GK_ADMIT_TOKEN | GK_ADMIT_MANUAL;
    p.admit_n = 2;
    p.cas = BYTES(cas, cas_n);
    p.patterns[0] = STR("uri:spiffe://td/sa/*");
    p.patterns_n = 1;
    grig_open(&r, GK_MODE_LKH, &p);
    m = grig_member(&r, "alice");
    ck_assert_int_eq(grig_ask(&r, m, GK_REQUEST_JOIN, NULL), GK_REFUSAL_POLICY); /* an Ed25519 key of its own isn't enough */
    wrong = signer_of(other_key);
    ck_gk(gk_member_certificate(m, wrong, BYTES(der, chain_of(der, sizeof(der), good, NULL))), GK_ERR_ARG);
    gk_signer_free(wrong);
    ck_ok(gk_member_certificate(m, signer_of(key), BYTES(der, chain_of(der, sizeof(der), bad, NULL))));
    ck_assert_int_eq(grig_ask(&r, m, GK_REQUEST_JOIN, NULL), GK_REFUSAL_CERTIFICATE);
    ck_ok(gk_member_certificate(m, signer_of(key), BYTES(der, chain_of(der, sizeof(der), good, NULL))));
    ck_assert_int_eq(grig_ask(&r, m, GK_REQUEST_JOIN, NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, m), GK_FED_JOINED);
    /* evicted: the key is denied, with whatever certificate and name it comes back */
    ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, "alice", BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    gk_member_free(m);
    m = grig_member(&r, "alice2");
    ck_ok(gk_member_certificate(m, signer_of(key), BYTES(der, chain_of(der, sizeof(der), good, NULL))));
    ck_assert_int_eq(grig_ask(&r, m, GK_REQUEST_JOIN, NULL), GK_REFUSAL_DENIED);
    ck_assert(gk_group_find(r.group, STR("alice"), &who) && who.state == GK_PERSON_DENIED);
    gk_member_free(m);
    grig_close(&r);
    X509_free(good);
    X509_free(bad);
    EVP_PKEY_free(key);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("cert");
    TCase *t = tcase_create("cert");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, algorithms_and_chains);
    tcase_add_test(t, patterns);
    tcase_add_test(t, admission_by_certificate);
    suite_add_tcase(s, t);
    return s;
}
