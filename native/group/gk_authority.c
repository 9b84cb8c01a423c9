#include "gk_authority.h"

#include <openssl/crypto.h>
#include <string.h>

#define LABEL GK_LABEL "authority"

struct gk_authority {
    uint64_t version;
    uint64_t time_ms;
    uint8_t root[GK_HASH];
    uint8_t hash[GK_HASH];
    uint8_t prev[GK_HASH];
    size_t admins_n, controllers_n, former_n;
    uint8_t admins[GK_AUTHORITY_KEYS_MAX * GK_SIGN_PUBLIC];
    uint8_t controllers[GK_AUTHORITY_KEYS_MAX * GK_SIGN_PUBLIC];
    uint8_t former[GK_AUTHORITY_KEYS_MAX * GK_SIGN_PUBLIC]; /* controllers once, the last ones at the end; not in the record */
    uint64_t until[GK_AUTHORITY_KEYS_MAX];                  /* the version that took them out */
};

static void put(gk_writer *w, const void *arg)
{
    const gk_authority *a = arg;

    gk_writer_put(w, "GKA1", 4);
    gk_writer_u64(w, a->version);
    gk_writer_put(w, a->prev, sizeof(a->prev));
    gk_writer_u64(w, a->time_ms);
    gk_writer_u16(w, (uint16_t)a->admins_n);
    gk_writer_put(w, a->admins, a->admins_n * GK_SIGN_PUBLIC);
    gk_writer_u16(w, (uint16_t)a->controllers_n);
    gk_writer_put(w, a->controllers, a->controllers_n * GK_SIGN_PUBLIC);
}

static gk_err read_keys(gk_reader *r, uint8_t *out, size_t *out_n)
{
    uint16_t n = 0;
    gk_err e = gk_reader_u16(r, &n);

    if (e == GK_OK && (n == 0 || n > GK_AUTHORITY_KEYS_MAX))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK)
        e = gk_reader_copy(r, out, (size_t)n * GK_SIGN_PUBLIC);
    if (e == GK_OK)
        *out_n = n;
    return e;
}

static gk_err parse(gk_authority *a, gk_reader *r)
{
    gk_err e = gk_reader_magic(r, "GKA1");

    if (e == GK_OK)
        e = gk_reader_u64(r, &a->version);
    if (e == GK_OK)
        e = gk_reader_copy(r, a->prev, sizeof(a->prev));
    if (e == GK_OK)
        e = gk_reader_u64(r, &a->time_ms);
    if (e == GK_OK)
        e = read_keys(r, a->admins, &a->admins_n);
    if (e == GK_OK)
        e = read_keys(r, a->controllers, &a->controllers_n);
    return e;
}

gk_err gk_authority_make(gk_mem *out, const gk_authority *before, gk_bytes admins, gk_bytes controllers, uint64_t now_ms, const gk_key *admin)
{
    gk_authority a = {.version = before == NULL ? 1 : before->version + 1, .time_ms = now_ms};

    *out = (gk_mem){0};
    if (admins.n == 0 || admins.n > sizeof(a.admins) || admins.n % GK_SIGN_PUBLIC != 0 || controllers.n == 0 ||
        controllers.n > sizeof(a.controllers) || controllers.n % GK_SIGN_PUBLIC != 0)
        return GK_ERR_ARG;
    if (before != NULL)
        memcpy(a.prev, before->hash, sizeof(a.prev));
    memcpy(a.admins, admins.p, admins.n);
    memcpy(a.controllers, controllers.p, controllers.n);
    a.admins_n = admins.n / GK_SIGN_PUBLIC;
    a.controllers_n = controllers.n / GK_SIGN_PUBLIC;
    return gk_message_write(out, LABEL, put, &a, admin);
}

/* check_by: signed by one of n keys. */
static gk_err check_by(const uint8_t *keys, size_t n, gk_bytes message, gk_bytes *body, const char *label)
{
    gk_err e = GK_ERR_AUTH;

    for (size_t i = 0; i < n && e == GK_ERR_AUTH; i++)
        e = gk_message_check(message, body, label, keys + i * GK_SIGN_PUBLIC);
    return e;
}

static bool has(const uint8_t *keys, size_t n, const uint8_t *key)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(keys + i * GK_SIGN_PUBLIC, key, GK_SIGN_PUBLIC) == 0) /* public */
            return true;
    }
    return false;
}

/* retire notes those of n keys that are no controllers of a as former ones, until the versions given or (NULL) this one; the oldest give way. */
static void retire(gk_authority *a, const uint8_t *keys, const uint64_t *until, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *key = keys + i * GK_SIGN_PUBLIC;

        if (has(a->controllers, a->controllers_n, key) || has(a->former, a->former_n, key))
            continue;
        if (a->former_n == GK_AUTHORITY_KEYS_MAX) {
            memmove(a->former, a->former + GK_SIGN_PUBLIC, --a->former_n * GK_SIGN_PUBLIC);
            memmove(a->until, a->until + 1, a->former_n * sizeof(*a->until));
        }
        a->until[a->former_n] = until == NULL ? a->version : until[i];
        memcpy(a->former + a->former_n++ * GK_SIGN_PUBLIC, key, GK_SIGN_PUBLIC);
    }
}

gk_err gk_authority_read(gk_authority **out, const gk_authority *before, gk_bytes record)
{
    gk_authority *a = OPENSSL_zalloc(sizeof(*a));
    uint8_t signer[GK_SIGNER];
    gk_bytes body = {0};
    gk_reader r = {0};
    gk_err e = a == NULL ? GK_ERR_NOMEM : gk_message_split(record, &body, signer);

    *out = NULL;
    r = gk_reader_of(body.p, body.n);
    if (e == GK_OK)
        e = parse(a, &r);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK)
        e = gk_sha256(a->hash, &record, 1);
    if (e == GK_OK && before == NULL) {
        static const uint8_t zeros[GK_HASH];

        e = a->version == 1 && memcmp(a->prev, zeros, sizeof(zeros)) == 0 ? check_by(a->admins, a->admins_n, record, &body, LABEL) : GK_ERR_AUTH;
        memcpy(a->root, a->hash, sizeof(a->root));
    } else if (e == GK_OK) {
        bool next = a->version == before->version + 1 && memcmp(a->prev, before->hash, sizeof(a->prev)) == 0;

        e = next ? check_by(before->admins, before->admins_n, record, &body, LABEL) : GK_ERR_AUTH;
        memcpy(a->root, before->root, sizeof(a->root));
        retire(a, before->former, before->until, before->former_n);
        retire(a, before->controllers, NULL, before->controllers_n);
    }
    if (e != GK_OK)
        gk_authority_free(a);
    else
        *out = a;
    return e;
}

void gk_authority_save(const gk_authority *a, gk_writer *w)
{
    put(w, a);
    gk_writer_put(w, a->root, GK_HASH);
    gk_writer_put(w, a->hash, GK_HASH);
}

gk_err gk_authority_load(gk_authority **out, gk_reader *r)
{
    gk_authority *a = OPENSSL_zalloc(sizeof(*a));
    gk_err e = a == NULL ? GK_ERR_NOMEM : parse(a, r);

    *out = NULL;
    if (e == GK_OK)
        e = gk_reader_copy(r, a->root, GK_HASH);
    if (e == GK_OK)
        e = gk_reader_copy(r, a->hash, GK_HASH);
    if (e != GK_OK)
        gk_authority_free(a);
    else
        *out = a;
    return e;
}

void gk_authority_free(gk_authority *a)
{
    OPENSSL_free(a);
}

uint64_t gk_authority_version(const gk_authority *a)
{
    return a->version;
}

const uint8_t *gk_authority_root(const gk_authority *a)
{
    return a->root;
}

const uint8_t *gk_authority_hash(const gk_authority *a)
{
    return a->hash;
}

gk_bytes gk_authority_admins(const gk_authority *a)
{
    return (gk_bytes){a->admins, a->admins_n * GK_SIGN_PUBLIC};
}

gk_bytes gk_authority_controllers(const gk_authority *a)
{
    return (gk_bytes){a->controllers, a->controllers_n * GK_SIGN_PUBLIC};
}

gk_err gk_authority_check(const gk_authority *a, bool admin, gk_bytes message, gk_bytes *body, const char *label)
{
    return admin ? check_by(a->admins, a->admins_n, message, body, label) : check_by(a->controllers, a->controllers_n, message, body, label);
}

gk_err gk_authority_check_former(const gk_authority *a, gk_bytes message, gk_bytes *body, const char *label)
{
    return check_by(a->former, a->former_n, message, body, label);
}

gk_err gk_authority_check_then(const gk_authority *a, uint64_t version, gk_bytes message, gk_bytes *body, const char *label)
{
    gk_err e = gk_authority_check(a, false, message, body, label);

    for (size_t i = 0; i < a->former_n && e == GK_ERR_AUTH; i++) {
        if (version < a->until[i])
            e = check_by(a->former + i * GK_SIGN_PUBLIC, 1, message, body, label);
    }
    return e;
}
