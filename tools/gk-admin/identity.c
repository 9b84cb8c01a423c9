/* gk-admin identity: Ed25519 keys of administrators and controllers. */
#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../native/crypto/gk_expand.h"
#include "../../native/group/gk_message.h"
#include "../common/gk_io.h"
#include "admin.h"

static const char help[] = "usage: gk-admin identity new FILE\n"
                           "\n"
                           "An identity is an Ed25519 key of an administrator or a controller.\n"
                           "\n"
                           "subcommands:\n"
                           "  new FILE   make a private key in FILE (mode 0600) and its public key in FILE.pub\n"
                           "\n"
                           "example:\n"
                           "  gk-admin identity new ~/.config/groupkeeper/admin.key\n";

static const char new_help[] =
    "usage: gk-admin identity new [--json] FILE\n"
    "\n"
    "Makes a private key in FILE (PKCS#8 PEM, mode 0600) and its public key in FILE.pub. Existing files are left alone.\n"
    "\n"
    "example:\n"
    "  gk-admin identity new /etc/groupkeeper/controller.key\n";

/* make_parents makes the folders above file that are missing: the default key lives in one that a new user doesn't have. */
static void make_parents(const char *file)
{
    char folder[512];

    if (snprintf(folder, sizeof(folder), "%s", file) >= (int)sizeof(folder))
        return;
    for (char *p = folder + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        (void)mkdir(folder, 0700); /* what fails shows when the file is made */
        *p = '/';
    }
}

/* public_pem gives the SubjectPublicKeyInfo in PEM; cap bytes at out. */
static bool public_pem(char *out, size_t cap, const uint8_t pub[GK_SIGN_PUBLIC])
{
    EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, GK_SIGN_PUBLIC);
    BIO *bio = BIO_new(BIO_s_mem());
    int n = -1;

    if (k != NULL && bio != NULL && PEM_write_bio_PUBKEY(bio, k) == 1)
        n = BIO_read(bio, out, (int)cap - 1);
    if (n > 0)
        out[n] = '\0';
    BIO_free(bio);
    EVP_PKEY_free(k);
    return n > 0;
}

static int run_new(admin_options *o, int argc, char **argv)
{
    char pem[GK_PEM_MAX];
    char public_text[256];
    char public_file[520];
    char id[2 * GK_SIGNER + 1];
    char why[512] = {0};
    uint8_t pub[GK_SIGN_PUBLIC];
    uint8_t signer[GK_SIGNER];
    size_t n = 0;
    gk_key *k = NULL;
    gk_err e = GK_OK;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin identity new", new_help, 1, 1, &argc, &argv, &code))
        return code;
    (void)snprintf(public_file, sizeof(public_file), "%s.pub", argv[0]);
    make_parents(argv[0]);
    e = gk_key_generate(&k, GK_PURPOSE_SIGN, 0);
    if (e == GK_OK)
        e = gk_key_to_pem(k, pem, &n);
    if (e == GK_OK)
        e = gk_sign_public(pub, k);
    if (e == GK_OK)
        e = gk_signer_id(signer, pub);
    if (e == GK_OK && !public_pem(public_text, sizeof(public_text), pub))
        e = GK_ERR_CRYPTO;
    if (e == GK_OK)
        e = gk_io_create(argv[0], pem, n, 0600, why, sizeof(why));
    if (e == GK_OK)
        e = gk_io_create(public_file, public_text, strlen(public_text), 0644, why, sizeof(why));
    gk_wipe(pem, sizeof(pem));
    gk_key_free(k);
    if (e != GK_OK)
        return cli_fail_why(e, why);
    cli_hex(id, signer, sizeof(signer));
    if (o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "file", argv[0]);
        cJSON_AddStringToObject(doc, "public", public_file);
        cJSON_AddStringToObject(doc, "id", id);
        return cli_json(doc);
    }
    printf("%s made, %s is its public key (id %s)\n", argv[0], public_file, id);
    return cli_flush();
}

static const admin_command commands[] = {
    {"new", run_new},
    {0},
};

int admin_identity(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin identity", help, commands, argc, argv);
}
