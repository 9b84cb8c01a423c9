#include "gk_keyring.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "gk_keyring_internal.h"

#define DERIVED_PER_SEED 2
#define FINGERPRINT_LABEL GK_LABEL "keyring fingerprint"

gk_err gk_keyring_alloc(gk_keyring **out, size_t n_stored)
{
    gk_keyring *kr = NULL;

    *out = NULL;
    if (n_stored == 0 || n_stored > GK_KEYRING_KEYS_MAX)
        return GK_ERR_ARG;
    kr = OPENSSL_zalloc(sizeof(*kr));
    if (kr == NULL)
        return GK_ERR_NOMEM;
    atomic_init(&kr->refs, 1);
    kr->cap = n_stored * (1 + DERIVED_PER_SEED);
    kr->entries = OPENSSL_zalloc(kr->cap * sizeof(*kr->entries));
    if (kr->entries == NULL) {
        gk_keyring_free(kr);
        return GK_ERR_NOMEM;
    }
    *out = kr;
    return GK_OK;
}

gk_err gk_keyring_add(gk_keyring *kr, gk_key *k, gk_key_state state, uint64_t created_ms, bool derived)
{
    gk_keyring_entry *e = NULL;
    gk_err err = GK_OK;

    if (kr->n == kr->cap)
        return GK_ERR_ARG;
    e = &kr->entries[kr->n];
    e->info = (gk_key_info){.id = gk_key_id(k), .purpose = gk_key_purpose(k), .state = state, .created_ms = created_ms, .derived = derived};
    err = gk_key_check_value(k, e->info.check_value);
    if (err != GK_OK)
        return err;
    e->key = gk_key_ref(k);
    kr->n++;
    if (!derived)
        kr->n_stored = kr->n;
    return GK_OK;
}

gk_err gk_keyring_derive(gk_keyring *kr)
{
    static const gk_purpose purposes[DERIVED_PER_SEED] = {GK_PURPOSE_SESSION, GK_PURPOSE_PENDING};
    gk_bytes zone = {kr->zone, GK_ID};
    gk_err err = GK_OK;

    for (size_t p = 0; p < DERIVED_PER_SEED; p++) {
        for (size_t i = 0; i < kr->n_stored; i++) {
            const gk_keyring_entry *seed = &kr->entries[i];
            gk_key *k = NULL;

            if (seed->info.purpose != GK_PURPOSE_SEED)
                continue;
            err = gk_key_derive(&k, purposes[p], seed->info.id, seed->key, zone);
            if (err == GK_OK)
                err = gk_keyring_add(kr, k, seed->info.state, seed->info.created_ms, true);
            gk_key_free(k); /* the keyring holds its own reference */
            if (err != GK_OK)
                return err;
        }
    }
    return GK_OK;
}

static uint64_t now_ms(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

gk_err gk_keyring_generate(gk_keyring **out)
{
    static const gk_purpose purposes[] = {GK_PURPOSE_NAME, GK_PURPOSE_PAYLOAD, GK_PURPOSE_SEED};
    size_t n = sizeof(purposes) / sizeof(purposes[0]);
    gk_keyring *kr = NULL;
    uint64_t created = now_ms();
    gk_err e = GK_OK;

    *out = NULL;
    e = gk_keyring_alloc(&kr, n);
    if (e != GK_OK)
        return e;
    memcpy(kr->zone_name, "root", sizeof("root"));
    if (RAND_bytes(kr->ensemble, GK_ID) != 1 || RAND_bytes(kr->zone, GK_ID) != 1)
        e = GK_ERR_CRYPTO;
    for (size_t i = 0; i < n && e == GK_OK; i++) {
        gk_key *k = NULL;

        e = gk_key_generate(&k, purposes[i], 1);
        if (e == GK_OK)
            e = gk_keyring_add(kr, k, GK_KEY_ACTIVE, created, false);
        gk_key_free(k);
    }
    if (e == GK_OK)
        e = gk_keyring_derive(kr);
    if (e != GK_OK) {
        gk_keyring_free(kr);
        return e;
    }
    *out = kr;
    return GK_OK;
}

const uint8_t *gk_keyring_ensemble(const gk_keyring *kr)
{
    return kr->ensemble;
}

const uint8_t *gk_keyring_zone(const gk_keyring *kr)
{
    return kr->zone;
}

const char *gk_keyring_zone_name(const gk_keyring *kr)
{
    return kr->zone_name;
}

gk_key *gk_keyring_active(const gk_keyring *kr, gk_purpose purpose)
{
    for (size_t i = 0; i < kr->n; i++) {
        if (kr->entries[i].info.purpose == purpose && kr->entries[i].info.state == GK_KEY_ACTIVE)
            return kr->entries[i].key;
    }
    return NULL;
}

gk_key *gk_keyring_find(const gk_keyring *kr, gk_purpose purpose, uint32_t id)
{
    for (size_t i = 0; i < kr->n; i++) {
        if (kr->entries[i].info.purpose == purpose && kr->entries[i].info.id == id)
            return kr->entries[i].key;
    }
    return NULL;
}

gk_err gk_keyring_fingerprint(const gk_keyring *kr, uint8_t out[8])
{
    uint8_t head[2 + sizeof(FINGERPRINT_LABEL) - 1 + GK_ID];
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    gk_writer w = gk_writer_of(head, sizeof(head));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL;

    gk_writer_u16(&w, sizeof(FINGERPRINT_LABEL) - 1);
    gk_writer_put(&w, FINGERPRINT_LABEL, sizeof(FINGERPRINT_LABEL) - 1);
    gk_writer_put(&w, kr->ensemble, GK_ID);
    ok = ok && w.err == GK_OK && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, head, w.len) == 1;
    for (size_t i = 0; i < kr->n_stored && ok; i++) {
        const gk_key_info *info = &kr->entries[i].info;
        uint8_t row[1 + 4 + sizeof(info->check_value)];
        gk_writer r = gk_writer_of(row, sizeof(row));

        gk_writer_u8(&r, (uint8_t)info->purpose);
        gk_writer_u32(&r, info->id);
        gk_writer_put(&r, info->check_value, sizeof(info->check_value));
        ok = r.err == GK_OK && EVP_DigestUpdate(ctx, row, r.len) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    memcpy(out, digest, 8);
    return ok ? GK_OK : GK_ERR_CRYPTO;
}

size_t gk_keyring_count(const gk_keyring *kr)
{
    return kr->n;
}

gk_err gk_keyring_info(const gk_keyring *kr, size_t i, gk_key_info *out)
{
    if (i >= kr->n)
        return GK_ERR_ARG;
    *out = kr->entries[i].info;
    return GK_OK;
}

gk_keyring *gk_keyring_ref(gk_keyring *kr)
{
    if (kr != NULL)
        atomic_fetch_add_explicit(&kr->refs, 1, memory_order_relaxed);
    return kr;
}

void gk_keyring_free(gk_keyring *kr)
{
    if (kr == NULL || atomic_fetch_sub_explicit(&kr->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < kr->n; i++)
        gk_key_free(kr->entries[i].key);
    OPENSSL_free(kr->entries);
    OPENSSL_free(kr);
}
