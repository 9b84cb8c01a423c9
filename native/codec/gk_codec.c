#include "gk_codec.h"

#include <stdlib.h>
#include <string.h>

static gk_err parse_prefixes(gk_codec *c, const char *text)
{
    if (!text || !*text)
        return GK_OK;
    if (!(c->prefix_text = strdup(text)))
        return GK_ERR_NOMEM;
    char *save = NULL;
    for (char *p = strtok_r(c->prefix_text, ", ", &save); p; p = strtok_r(NULL, ", ", &save)) {
        size_t n = strlen(p);
        bool reserved = strcmp(p, "/zookeeper") == 0 || strncmp(p, "/zookeeper/", 11) == 0;
        if (p[0] != '/' || n < 2 || p[n - 1] == '/' || strstr(p, "//") || reserved || c->n_prefixes == GK_MAX_PREFIXES)
            return GK_ERR_ARG;
        c->prefixes[c->n_prefixes++] = (gk_bytes){(const uint8_t *)p, n};
    }
    return GK_OK;
}

static gk_err parse_refused(gk_codec *c, const char *text)
{
    while (text && *text) {
        char *end;
        long v = strtol(text, &end, 10);
        if (end == text || v < INT32_MIN || v > INT32_MAX || c->n_refused == sizeof c->refused / sizeof *c->refused)
            return GK_ERR_ARG;
        c->refused[c->n_refused++] = (int32_t)v;
        while (*end == ',' || *end == ' ')
            end++;
        text = end;
    }
    return GK_OK;
}

gk_err gk_codec_new(gk_codec **out, gk_keyring *kr, const gk_options *o)
{
    gk_err e = GK_OK;
    gk_random *rnd = NULL;
    uint8_t seed[48];
    gk_codec *c = calloc(1, sizeof *c);
    if (!c)
        return GK_ERR_NOMEM;
    (void)pthread_mutex_init(&c->lock, NULL); /* a default mutex can't fail */
    (void)pthread_mutex_init(&c->servers_lock, NULL);
    c->keyring = gk_keyring_ref(kr);
    c->max_request = o->max_request;
    c->max_stored = o->max_stored;
    c->payload_cache_bytes = o->payload_cache_bytes;
    c->undecryptable_fails = o->undecryptable_fails;
    c->agreement = o->agreement;
    if ((e = parse_prefixes(c, o->plaintext_prefixes)) != GK_OK || (e = parse_refused(c, o->refuse_opcodes)) != GK_OK)
        goto out;
    if ((e = gk_random_new(&rnd)) != GK_OK || (e = gk_random_fill(rnd, seed, sizeof seed)) != GK_OK)
        goto out;
    size_t lists = o->path_cache_bytes / 4, rest = o->path_cache_bytes - lists;
    if ((e = gk_lists_new(&c->lists, lists, seed + 32)) == GK_OK && (e = gk_cache_new(&c->paths, rest / 2, seed)) == GK_OK)
        e = gk_cache_new(&c->names, rest / 2, seed + 16);
    if (e == GK_OK)
        gk_cache_hash_tags(c->names);
out:
    gk_random_free(rnd);
    gk_wipe(seed, sizeof seed);
    if (e != GK_OK)
        gk_codec_free(c);
    else
        *out = c;
    return e;
}

void gk_codec_free(gk_codec *c)
{
    if (!c)
        return;
    gk_cache_free(c->paths);
    gk_cache_free(c->names);
    gk_lists_free(c->lists);
    gk_keyring_free(c->keyring);
    gk_secrets_free(c->secrets);
    free(c->prefix_text);
    gk_agreement_free(c->servers);
    pthread_mutex_destroy(&c->servers_lock);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool gk_codec_refuses(const gk_codec *c, int32_t opcode)
{
    for (size_t i = 0; i < c->n_refused; i++)
        if (c->refused[i] == opcode)
            return true;
    return false;
}

static void enlist(gk_worker *w)
{
    gk_codec *c = w->codec;
    pthread_mutex_lock(&c->lock);
    w->next = c->workers;
    if (w->next)
        w->next->prev = w;
    c->workers = w;
    pthread_mutex_unlock(&c->lock);
}

static void discharge(gk_worker *w)
{
    gk_codec *c = w->codec;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < GK_COUNTERS; i++)
        c->past[i] += w->counts[i];
    if (w->next)
        w->next->prev = w->prev;
    *(w->prev ? &w->prev->next : &c->workers) = w->next;
    pthread_mutex_unlock(&c->lock);
}

gk_err gk_worker_new(gk_worker **out, gk_codec *c)
{
    gk_err e;
    gk_key *name = gk_keyring_active(c->keyring, GK_PURPOSE_NAME), *payload = gk_keyring_active(c->keyring, GK_PURPOSE_PAYLOAD);
    gk_key *pending = gk_keyring_active(c->keyring, GK_PURPOSE_PENDING);
    if (!name || !payload || !pending)
        return GK_ERR_NOTFOUND;
    gk_worker *w = calloc(1, sizeof *w);
    if (!w)
        return GK_ERR_NOMEM;
    w->codec = c;
    enlist(w);
    w->payload_id = gk_key_id(payload);
    if ((e = gk_random_new(&w->random)) != GK_OK || (e = gk_siv_new(&w->name, name)) != GK_OK ||
        (e = gk_xaes_new(&w->pending, pending)) != GK_OK || (e = gk_xaes_new(&w->payload, payload)) != GK_OK ||
        (e = gk_opened_new(&w->opened, c->payload_cache_bytes)) != GK_OK) {
        gk_worker_free(w);
        return e;
    }
    *out = w;
    return GK_OK;
}

void gk_worker_free(gk_worker *w)
{
    if (!w)
        return;
    discharge(w);
    gk_opened_free(w->opened);
    gk_random_free(w->random);
    gk_siv_free(w->name);
    gk_xaes_free(w->pending);
    gk_xaes_free(w->payload);
    for (size_t i = 0; i < sizeof w->old / sizeof *w->old; i++)
        gk_xaes_free(w->old[i].c);
    if (w->scratch)
        gk_wipe(w->scratch, w->scratch_n);
    free(w->scratch);
    free(w);
}

void gk_worker_count(gk_worker *w, gk_counter which)
{
    uint64_t n = atomic_load_explicit(&w->counts[which], memory_order_relaxed);
    atomic_store_explicit(&w->counts[which], n + 1, memory_order_relaxed);
}

uint64_t gk_codec_count(gk_codec *c, gk_counter which)
{
    pthread_mutex_lock(&c->lock);
    uint64_t n = c->past[which];
    for (gk_worker *w = c->workers; w; w = w->next)
        n += atomic_load_explicit(&w->counts[which], memory_order_relaxed);
    pthread_mutex_unlock(&c->lock);
    return n;
}

uint8_t *gk_worker_scratch(gk_worker *w, size_t n)
{
    if (n > w->scratch_n) {
        size_t size = n < 4096 ? 4096 : n + n / 2;
        uint8_t *p = malloc(size);
        if (!p)
            return NULL;
        if (w->scratch)
            gk_wipe(w->scratch, w->scratch_n);
        free(w->scratch);
        w->scratch = p;
        w->scratch_n = size;
    }
    return w->scratch;
}

gk_err gk_worker_payload(gk_xaes **out, gk_worker *w, uint32_t id)
{
    const size_t slots = sizeof w->old / sizeof *w->old;
    *out = w->payload;
    if (id == w->payload_id)
        return GK_OK;
    for (size_t i = 0; i < slots; i++) {
        *out = w->old[i].c;
        if (*out && w->old[i].id == id)
            return GK_OK;
    }
    gk_key *k = gk_keyring_find(w->codec->keyring, GK_PURPOSE_PAYLOAD, id);
    gk_err e = k ? gk_xaes_new(out, k) : GK_ERR_NOTFOUND;
    if (e != GK_OK)
        return e;
    size_t at = w->next_old++ % slots; /* the one made first gives way */
    gk_xaes_free(w->old[at].c);
    w->old[at].id = id;
    w->old[at].c = *out;
    return GK_OK;
}
