#include "gk_derive.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "gk_agreement_internal.h"
#include "gk_run_internal.h"

#define VIEW_LABEL GK_LABEL "view key"

typedef struct secret {
    gk_key *ks; /* NULL: none */
    uint8_t hash[GK_HASH];
    uint64_t derivations;
} secret;

struct gk_secrets {
    atomic_uint refs;
    uint8_t ensemble[GK_ID];
    pthread_mutex_t lock; /* of all below; held for a comparison and a reference, never for cryptography */
    secret in_use;
    secret offered;
    uint64_t all;
};

gk_err gk_secrets_new(gk_secrets **out, const uint8_t ensemble[16])
{
    gk_secrets *s = OPENSSL_zalloc(sizeof(*s));

    *out = NULL;
    if (s == NULL)
        return GK_ERR_NOMEM;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        OPENSSL_free(s);
        return GK_ERR_NOMEM;
    }
    atomic_init(&s->refs, 1);
    memcpy(s->ensemble, ensemble, GK_ID);
    *out = s;
    return GK_OK;
}

gk_secrets *gk_secrets_ref(gk_secrets *s)
{
    if (s != NULL)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void forget(secret *s)
{
    gk_key_free(s->ks);
    *s = (secret){0};
}

void gk_secrets_free(gk_secrets *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    forget(&s->in_use);
    forget(&s->offered);
    (void)pthread_mutex_destroy(&s->lock);
    OPENSSL_clear_free(s, sizeof(*s));
}

gk_err gk_secrets_offer(gk_secrets *s, const uint8_t hash[GK_HASH], gk_key *ks)
{
    if (gk_key_purpose(ks) != GK_PURPOSE_AGREED)
        return GK_ERR_ARG;
    (void)pthread_mutex_lock(&s->lock);
    forget(&s->offered);
    s->offered.ks = gk_key_ref(ks);
    memcpy(s->offered.hash, hash, GK_HASH);
    (void)pthread_mutex_unlock(&s->lock);
    return GK_OK;
}

static bool named(const secret *s, const uint8_t hash[GK_HASH])
{
    return s->ks != NULL && memcmp(s->hash, hash, GK_HASH) == 0;
}

gk_err gk_secrets_use(gk_secrets *s, const uint8_t hash[GK_HASH])
{
    bool found = false;

    (void)pthread_mutex_lock(&s->lock);
    found = named(&s->offered, hash);
    if (found) {
        forget(&s->in_use);
        s->in_use = s->offered;
        s->offered = (secret){0};
    }
    (void)pthread_mutex_unlock(&s->lock);
    return found ? GK_OK : GK_ERR_NOTFOUND;
}

void gk_secrets_forget(gk_secrets *s)
{
    (void)pthread_mutex_lock(&s->lock);
    forget(&s->in_use);
    (void)pthread_mutex_unlock(&s->lock);
}

void gk_secrets_clear(gk_secrets *s)
{
    (void)pthread_mutex_lock(&s->lock);
    forget(&s->in_use);
    forget(&s->offered);
    (void)pthread_mutex_unlock(&s->lock);
}

void gk_secrets_derivations(gk_secrets *s, uint64_t *current, uint64_t *all)
{
    (void)pthread_mutex_lock(&s->lock);
    *current = s->in_use.derivations;
    *all = s->all;
    (void)pthread_mutex_unlock(&s->lock);
}

/* take gives a reference to the secret with this hash, and counts; NULL when it isn't here. */
static gk_key *take(gk_secrets *s, const uint8_t hash[GK_HASH])
{
    secret *found = NULL;
    gk_key *k = NULL;

    (void)pthread_mutex_lock(&s->lock);
    if (named(&s->in_use, hash))
        found = &s->in_use;
    else if (named(&s->offered, hash))
        found = &s->offered;
    if (found != NULL) {
        k = gk_key_ref(found->ks);
        found->derivations++;
        s->all++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return k;
}

/* used_up: a create sets cversion and pzxid only where cversion grows. A server shows 2 * cversion - numChildren in 32 bits, so the last value
 * that it can have, 2147483647, shows as -2 - numChildren. */
static bool used_up(const gk_view *v)
{
    return (uint32_t)v->cversion + (uint32_t)v->children == (uint32_t)-2;
}

gk_err gk_derive_view(uint8_t key[GK_VIEW_KEY], uint8_t key_id[GK_KEY_ID], gk_secrets *s, const gk_view *v, gk_bytes current)
{
    uint8_t input[2 + sizeof(VIEW_LABEL) - 1 + GK_ID + GK_TAG + 8 + 8 + GK_KS_ID];
    gk_writer w = gk_writer_of(input, sizeof(input));
    gk_writer id = gk_writer_of(key_id, GK_KEY_ID);
    gk_current c;
    gk_bytes part = {0};
    gk_key *ks = NULL;
    gk_err e = gk_current_read(&c, current);

    gk_wipe(key, GK_VIEW_KEY);
    gk_wipe(key_id, GK_KEY_ID);
    if (e == GK_OK && used_up(v))
        e = GK_ERR_LIMIT;
    if (e != GK_OK)
        return e;
    ks = take(s, c.hash);
    if (ks == NULL)
        return GK_ERR_NOTFOUND;
    gk_run_label(&w, VIEW_LABEL);
    gk_writer_put(&w, s->ensemble, GK_ID);
    gk_writer_put(&w, v->tag, GK_TAG);
    gk_writer_u64(&w, v->czxid);
    gk_writer_u64(&w, v->pzxid);
    gk_writer_put(&w, c.hash, GK_KS_ID);
    part = (gk_bytes){input, w.len};
    e = w.err == GK_OK ? gk_hmac_sha256(key, ks, &part, 1) : w.err;
    gk_key_free(ks);
    if (e != GK_OK)
        return e;
    gk_writer_put(&id, c.hash, GK_KS_ID);
    gk_writer_u64(&id, v->pzxid);
    return id.err;
}
