/* gk-admin ca: a small CA for members' certificates: ECDSA P-256, by OpenSSL. */
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/gk_io.h"
#include "admin.h"

enum { PATH_LEN = 600, PEM_LEN = 65536, CA_DAYS = 3650, LEAF_DAYS = 365, BACKDATE_S = 300 };

static const char help[] = "usage: gk-admin ca init DIR | issue DIR --name NAME --out PREFIX\n"
                           "\n"
                           "A small CA for members' certificates. Any other CA does as well.\n"
                           "\n"
                           "example:\n"
                           "  gk-admin ca init ./ca && gk-admin ca issue ./ca --name app-1 --out ./app-1\n";

static const char init_help[] = "usage: gk-admin ca init DIR [--name NAME] [--days N]\n"
                                "\n"
                                "Makes DIR with ca.pem and ca.key (mode 0600). Existing files are left alone.\n"
                                "\n"
                                "example:\n"
                                "  gk-admin ca init ./ca\n";

static const char issue_help[] =
    "usage: gk-admin ca issue DIR --name NAME --out PREFIX [--dns D]... [--uri U]... [--email E]... [--days N]\n"
    "\n"
    "Makes PREFIX.pem (the certificate) and PREFIX.key (mode 0600). NAME is its common name.\n"
    "\n"
    "example:\n"
    "  gk-admin ca issue ./ca --name app-1 --uri spiffe://example.org/ns/prod/sa/app --out ./app-1\n";

static bool add_extension(X509 *c, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e = NULL;
    bool ok = false;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = e != NULL && X509_add_ext(c, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

/* new_certificate: subject CN=name, random serial, valid for days; not signed yet. */
static X509 *new_certificate(const char *name, EVP_PKEY *key, int64_t days, const X509 *issuer)
{
    X509 *c = X509_new();
    X509_NAME *subject = X509_NAME_new();
    uint8_t serial[16];
    BIGNUM *n = NULL;
    bool ok = false;

    if (c != NULL && subject != NULL && RAND_bytes(serial, sizeof(serial)) == 1) {
        serial[0] &= 0x7f;
        n = BN_bin2bn(serial, sizeof(serial), NULL);
        ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c)) != NULL && X509_set_version(c, X509_VERSION_3) == 1 &&
             X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
             X509_set_subject_name(c, subject) == 1 &&
             X509_set_issuer_name(c, issuer == NULL ? subject : X509_get_subject_name(issuer)) == 1 && X509_set_pubkey(c, key) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(c), -BACKDATE_S) != NULL &&
             X509_time_adj_ex(X509_getm_notAfter(c), (int)days, 0, NULL) != NULL;
    }
    BN_free(n);
    X509_NAME_free(subject);
    if (ok)
        return c;
    X509_free(c);
    return NULL;
}

/* write_pair writes the certificate and its key; neither replaces a file. */
static int write_pair(const char *cert_file, X509 *c, const char *key_file, EVP_PKEY *key)
{
    BIO *cert = BIO_new(BIO_s_mem());
    BIO *secret = BIO_new(BIO_s_secmem());
    char *p = NULL;
    char why[512] = {0};
    gk_err e = GK_ERR_CRYPTO;
    long n = 0;

    if (cert != NULL && secret != NULL && PEM_write_bio_X509(cert, c) == 1 &&
        PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1) {
        n = BIO_get_mem_data(secret, &p);
        e = gk_io_create(key_file, p, (size_t)n, 0600, why, sizeof(why));
        if (e == GK_OK) {
            n = BIO_get_mem_data(cert, &p);
            e = gk_io_create(cert_file, p, (size_t)n, 0644, why, sizeof(why));
        }
    }
    BIO_free(cert);
    BIO_free(secret);
    return e == GK_OK ? CLI_OK : cli_fail_why(e, why);
}

static int done(const admin_options *o, const char *cert_file, const char *key_file)
{
    if (o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "cert", cert_file);
        cJSON_AddStringToObject(doc, "key", key_file);
        return cli_json(doc);
    }
    printf("%s and %s made\n", cert_file, key_file);
    return cli_flush();
}

static int run_init(admin_options *o, int argc, char **argv)
{
    const char *name = "Groupkeeper members CA";
    int64_t days = CA_DAYS;
    const cli_option own[] = {{"name", CLI_STRING, &name}, {"days", CLI_NUMBER, &days}, {0}};
    char cert_file[PATH_LEN];
    char key_file[PATH_LEN];
    EVP_PKEY *key = NULL;
    X509 *c = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin ca init", init_help, 1, 1, &argc, &argv, &code))
        return code;
    (void)mkdir(argv[0], 0700); /* what fails shows below */
    (void)snprintf(cert_file, sizeof(cert_file), "%s/ca.pem", argv[0]);
    (void)snprintf(key_file, sizeof(key_file), "%s/ca.key", argv[0]);
    key = EVP_EC_gen("P-256");
    c = key == NULL ? NULL : new_certificate(name, key, days, NULL);
    if (c == NULL || !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") || !add_extension(c, c, NID_subject_key_identifier, "hash") ||
        X509_sign(c, key, EVP_sha256()) == 0)
        code = cli_fail("CRYPTO", NULL, "the CA's certificate cannot be made");
    else
        code = write_pair(cert_file, c, key_file, key);
    X509_free(c);
    EVP_PKEY_free(key);
    return code == CLI_OK ? done(o, cert_file, key_file) : code;
}

/* alternative_names: "DNS:a,URI:b"; false when something in it could be read as more than one name. */
static bool alternative_names(char *out, size_t cap, const cli_list *dns, const cli_list *uris, const cli_list *emails)
{
    const struct {
        const char *kind;
        const cli_list *list;
    } all[] = {{"DNS", dns}, {"URI", uris}, {"email", emails}};
    size_t n = 0;

    out[0] = '\0';
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < all[k].list->n; i++) {
            const char *value = all[k].list->items[i];

            if (value[0] == '\0' || strpbrk(value, ",\n\r") != NULL || n + strlen(value) + 10 > cap)
                return false;
            n += (size_t)snprintf(out + n, cap - n, "%s%s:%s", n == 0 ? "" : ",", all[k].kind, value);
        }
    }
    return true;
}

/* load_ca reads ca.pem and ca.key of a folder. */
static int load_ca(const char *dir, X509 **c, EVP_PKEY **key)
{
    char path[PATH_LEN];
    char why[512] = {0};
    uint8_t *pem = NULL;
    size_t n = 0;
    BIO *bio = NULL;
    gk_err e = GK_OK;

    (void)snprintf(path, sizeof(path), "%s/ca.pem", dir);
    e = gk_io_read(path, PEM_LEN, &pem, &n, why, sizeof(why));
    if (e != GK_OK)
        return cli_fail_why(e, why);
    bio = BIO_new_mem_buf(pem, (int)n);
    *c = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    free(pem);
    (void)snprintf(path, sizeof(path), "%s/ca.key", dir);
    e = gk_io_read_secret(path, PEM_LEN, &pem, &n, why, sizeof(why));
    if (e != GK_OK)
        return cli_fail_why(e, why);
    bio = BIO_new_mem_buf(pem, (int)n);
    *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    OPENSSL_cleanse(pem, n);
    free(pem);
    if (*c == NULL || *key == NULL || X509_check_private_key(*c, *key) != 1)
        return cli_fail("MALFORMED", "make one by gk-admin ca init", "%s does not hold a CA", dir);
    return CLI_OK;
}

static int run_issue(admin_options *o, int argc, char **argv)
{
    const char *name = NULL;
    const char *out = NULL;
    int64_t days = LEAF_DAYS;
    cli_list dns = {0};
    cli_list uris = {0};
    cli_list emails = {0};
    const cli_option own[] = {{"name", CLI_STRING, &name},
                              {"out", CLI_STRING, &out},
                              {"days", CLI_NUMBER, &days},
                              {"dns", CLI_LIST, &dns},
                              {"uri", CLI_LIST, &uris},
                              {"email", CLI_LIST, &emails},
                              {0}};
    char san[4096];
    char cert_file[PATH_LEN];
    char key_file[PATH_LEN];
    X509 *ca = NULL;
    X509 *c = NULL;
    EVP_PKEY *ca_key = NULL;
    EVP_PKEY *key = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin ca issue", issue_help, 1, 1, &argc, &argv, &code))
        return code;
    if (name == NULL || out == NULL)
        return cli_usage("gk-admin ca issue", "--name and --out are needed");
    if (!alternative_names(san, sizeof(san), &dns, &uris, &emails))
        return cli_usage("gk-admin ca issue", "a name is empty, too long, or has a comma");
    (void)snprintf(cert_file, sizeof(cert_file), "%s.pem", out);
    (void)snprintf(key_file, sizeof(key_file), "%s.key", out);
    code = load_ca(argv[0], &ca, &ca_key);
    if (code == CLI_OK) {
        key = EVP_EC_gen("P-256");
        c = key == NULL ? NULL : new_certificate(name, key, days, ca);
        if (c == NULL || !add_extension(c, ca, NID_basic_constraints, "critical,CA:FALSE") ||
            !add_extension(c, ca, NID_key_usage, "critical,digitalSignature") || !add_extension(c, ca, NID_ext_key_usage, "clientAuth") ||
            !add_extension(c, ca, NID_authority_key_identifier, "keyid") ||
            (san[0] != '\0' && !add_extension(c, ca, NID_subject_alt_name, san)) || X509_sign(c, ca_key, EVP_sha256()) == 0)
            code = cli_fail("CRYPTO", "is the name at most 64 characters, and are the others well formed?",
                            "the certificate cannot be made");
        else
            code = write_pair(cert_file, c, key_file, key);
    }
    X509_free(ca);
    X509_free(c);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    return code == CLI_OK ? done(o, cert_file, key_file) : code;
}

static const admin_command commands[] = {
    {"init", run_init},
    {"issue", run_issue},
    {0},
};

int admin_ca(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin ca", help, commands, argc, argv);
}
