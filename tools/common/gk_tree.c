#include "gk_tree.h"

#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/crypto/gk_expand.h"
#include "gk_cli.h"
#include "gk_io.h"

enum { PEM_FILE_MAX = 65536 };
/* ZooKeeper's permissions; the client has them as variables. */
enum { READ = 1, CREATE = 4, ALL = 31 };

void gk_tree_path(char out[GK_TREE_PATH], const char *root, const char *format, ...)
{
    va_list args;
    int n = snprintf(out, GK_TREE_PATH, "%s/", root);

    va_start(args, format);
    if (n > 0 && n < GK_TREE_PATH)
        (void)vsnprintf(out + n, GK_TREE_PATH - (size_t)n, format, args);
    va_end(args);
}

void gk_tree_served(char out[GK_TREE_PATH], const char *root, const char *group)
{
    if (group[0] == '/')
        (void)snprintf(out, GK_TREE_PATH, "%s", group);
    else
        gk_tree_path(out, root, GK_TREE_SERVED "/%s", group);
}

const struct ACL_vector *gk_tree_acl(bool authenticated, bool open)
{
    static char world[] = "world";
    static char anyone[] = "anyone";
    static char auth[] = "auth";
    static char nobody[] = "";
    static struct ACL closed_acl[] = {{READ, {world, anyone}}, {ALL, {auth, nobody}}};
    static struct ACL open_acl[] = {{READ | CREATE, {world, anyone}}, {ALL, {auth, nobody}}};
    static const struct ACL_vector closed = {2, closed_acl};
    static const struct ACL_vector with_children = {2, open_acl};

    if (!authenticated)
        return &ZOO_OPEN_ACL_UNSAFE;
    return open ? &with_children : &closed;
}

gk_err gk_tree_key(gk_key **out, const char *file, char *why, size_t why_n)
{
    uint8_t *pem = NULL;
    size_t n = 0;
    gk_err e = gk_io_read_secret(file, PEM_FILE_MAX, &pem, &n, why, why_n);

    if (e != GK_OK)
        return e;
    e = gk_key_from_pem(out, GK_PURPOSE_SIGN, (gk_bytes){pem, n});
    if (e != GK_OK)
        (void)snprintf(why, why_n, "%s does not hold an Ed25519 private key: make one by gk-admin identity new", file);
    gk_wipe(pem, n);
    free(pem);
    return e;
}

gk_err gk_tree_public(uint8_t out[GK_SIGN_PUBLIC], const char *file, char *why, size_t why_n)
{
    uint8_t *pem = NULL;
    size_t n = 0;
    size_t len = GK_SIGN_PUBLIC;
    BIO *bio = NULL;
    EVP_PKEY *k = NULL;
    gk_err e = gk_io_read(file, PEM_FILE_MAX, &pem, &n, why, why_n);

    if (e != GK_OK)
        return e;
    bio = BIO_new_mem_buf(pem, (int)n);
    k = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (k == NULL || EVP_PKEY_get_id(k) != EVP_PKEY_ED25519 || EVP_PKEY_get_raw_public_key(k, out, &len) != 1 || len != GK_SIGN_PUBLIC) {
        (void)snprintf(why, why_n, "%s does not hold an Ed25519 public key: give the .pub file of gk-admin identity new", file);
        e = GK_ERR_MALFORMED;
    }
    EVP_PKEY_free(k);
    BIO_free(bio);
    free(pem);
    return e;
}

int gk_tree_authority(gk_zk *z, const char *root, gk_authority **a, int timeout_ms)
{
    for (;;) {
        char path[GK_TREE_PATH];
        gk_zk_data d = {0};
        gk_authority *next = NULL;
        gk_err e = GK_OK;
        int rc = ZOK;

        gk_tree_path(path, root, "authority/%llu", (unsigned long long)(*a == NULL ? 1 : gk_authority_version(*a) + 1));
        rc = gk_zk_get(z, path, false, &d, timeout_ms);
        if (rc != ZOK)
            return rc == ZNONODE && *a != NULL ? ZOK : rc;
        e = gk_authority_read(&next, *a, (gk_bytes){d.data, d.n});
        gk_zk_data_free(&d);
        if (e != GK_OK)
            return ZDATAINCONSISTENCY;
        gk_authority_free(*a);
        *a = next;
    }
}

gk_err gk_tree_pin(const char *file, const gk_authority *a, bool *fresh, char *why, size_t why_n)
{
    char want[2 * GK_HASH + 2];
    uint8_t *text = NULL;
    size_t n = 0;
    gk_err e = GK_OK;

    cli_hex(want, gk_authority_root(a), GK_HASH);
    want[2 * GK_HASH] = '\n';
    want[2 * GK_HASH + 1] = '\0';
    *fresh = false;
    e = gk_io_read(file, 4096, &text, &n, why, why_n);
    if (e == GK_ERR_NOTFOUND) {
        *fresh = true;
        return gk_io_create(file, want, sizeof(want) - 1, 0644, why, why_n);
    }
    if (e == GK_OK && strcmp((char *)text, want) != 0) {
        (void)snprintf(why, why_n,
                       "the authority in ZooKeeper is not the one that %s remembers: somebody replaced it, or you want another --root",
                       file);
        e = GK_ERR_AUTH;
    }
    free(text);
    return e;
}
