#include "gk_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 64
#define AVERAGE_ENTRY 256 /* bounds the bucket arrays: one bucket for each entry of this size */
#define FIRST_BUCKETS 8

typedef struct entry {
    struct entry *next;
    uint64_t hash;
    uint32_t key_n, value_n;
    uint8_t bytes[]; /* key, then value */
} entry;

typedef struct shard {
    pthread_mutex_t lock;
    entry **buckets;
    size_t n_buckets; /* a power of two, that grows with n: what is in use stays close together */
    size_t n;         /* entries */
    size_t used;
    size_t hand;      /* the next bucket that gives way */
} __attribute__((aligned(64))) shard;

struct gk_cache {
    uint8_t seed[16];
    size_t max_buckets;   /* of a shard */
    size_t shard_budget;
    bool tags;            /* gk_cache_hash_tags */
    shard shards[SHARDS];
};

static size_t entry_size(const entry *e)
{
    return sizeof *e + e->key_n + e->value_n + 16; /* 16: the allocator's own */
}

gk_err gk_cache_new(gk_cache **out, size_t bytes, const uint8_t seed[16])
{
    gk_cache *c = NULL;
    if (posix_memalign((void **)&c, 64, sizeof *c) != 0)
        return GK_ERR_NOMEM;
    memset(c, 0, sizeof *c);
    memcpy(c->seed, seed, 16);
    size_t want = bytes / SHARDS / (AVERAGE_ENTRY + sizeof(entry *));
    c->max_buckets = 1;
    while (c->max_buckets * 2 <= want)
        c->max_buckets *= 2;
    size_t table = c->max_buckets * sizeof(entry *);
    c->shard_budget = bytes / SHARDS > table ? bytes / SHARDS - table : 0;
    for (size_t i = 0; i < SHARDS; i++) {
        shard *s = &c->shards[i];
        s->n_buckets = c->max_buckets < FIRST_BUCKETS ? c->max_buckets : FIRST_BUCKETS;
        if (pthread_mutex_init(&s->lock, NULL) != 0 || !(s->buckets = calloc(s->n_buckets, sizeof(entry *)))) {
            gk_cache_free(c);
            return GK_ERR_NOMEM;
        }
    }
    *out = c;
    return GK_OK;
}

/* equal_at: an empty part has no place (memcmp wants one all the same). */
static bool equal_at(const uint8_t *p, gk_bytes b)
{
    return b.n == 0 || memcmp(p, b.p, b.n) == 0;
}

static bool entry_has_key(const entry *e, uint64_t hash, gk_bytes k1, gk_bytes k2)
{
    return e->hash == hash && e->key_n == k1.n + k2.n && equal_at(e->bytes, k1) && equal_at(e->bytes + k1.n, k2);
}

void gk_cache_hash_tags(gk_cache *c)
{
    c->tags = true;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ULL; /* 2^64 / golden ratio, as in Fibonacci hashing */
    return h ^ h >> 32;
}

static uint64_t hash_of(const gk_cache *c, gk_bytes k1, gk_bytes k2)
{
    if (!c->tags || k1.n < 16 || k2.n < 16)
        return gk_siphash24(c->seed, k1, k2);
    return mix(mix(mix(load64(c->seed), load64(k1.p)), load64(k2.p) ^ load64(c->seed + 8)), load64(k2.p + 8));
}

static shard *shard_of(gk_cache *c, uint64_t hash)
{
    return &c->shards[hash % SHARDS];
}

static entry **bucket_of(shard *s, uint64_t hash)
{
    return &s->buckets[(hash / SHARDS) & (s->n_buckets - 1)];
}

bool gk_cache_get(gk_cache *c, gk_bytes k1, gk_bytes k2, uint8_t *out, size_t cap, size_t *out_n)
{
    if (c->shard_budget == 0)
        return false;
    uint64_t hash = hash_of(c, k1, k2);
    shard *s = shard_of(c, hash);
    bool found = false;
    pthread_mutex_lock(&s->lock);
    for (entry *e = *bucket_of(s, hash); e; e = e->next) {
        if (!entry_has_key(e, hash, k1, k2))
            continue;
        if (e->value_n <= cap) {
            memcpy(out, e->bytes + e->key_n, e->value_n);
            *out_n = e->value_n;
            found = true;
        }
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* evict empties buckets from the hand on until need bytes are free. The shard is locked. */
static void evict(gk_cache *c, shard *s, size_t need)
{
    while (s->used + need > c->shard_budget && s->used > 0) {
        entry **b = &s->buckets[s->hand];
        s->hand = (s->hand + 1) & (s->n_buckets - 1);
        while (*b) {
            entry *e = *b;
            *b = e->next;
            s->used -= entry_size(e);
            s->n--;
            gk_wipe(e->bytes, (size_t)e->key_n + e->value_n);
            free(e);
        }
    }
}

/* grow doubles a shard's buckets when it has as many entries, if there is memory for that. The shard is locked. */
static void grow(gk_cache *c, shard *s)
{
    if (s->n < s->n_buckets || s->n_buckets >= c->max_buckets)
        return;
    shard larger = {.buckets = calloc(s->n_buckets * 2, sizeof(entry *)), .n_buckets = s->n_buckets * 2};
    if (!larger.buckets)
        return;
    for (size_t i = 0; i < s->n_buckets; i++) {
        for (entry *e = s->buckets[i], *next; e; e = next) {
            entry **b = bucket_of(&larger, e->hash);
            next = e->next;
            e->next = *b;
            *b = e;
        }
    }
    free(s->buckets);
    s->buckets = larger.buckets;
    s->n_buckets = larger.n_buckets;
}

void gk_cache_put(gk_cache *c, gk_bytes k1, gk_bytes k2, gk_bytes v1, gk_bytes v2)
{
    size_t n = sizeof(entry) + k1.n + k2.n + v1.n + v2.n;
    if (n + 16 > c->shard_budget / 8)
        return;
    entry *e = malloc(n);
    if (!e)
        return;
    e->hash = hash_of(c, k1, k2);
    e->key_n = (uint32_t)(k1.n + k2.n);
    e->value_n = (uint32_t)(v1.n + v2.n);
    gk_writer w = gk_writer_of(e->bytes, n - sizeof *e);
    gk_writer_put(&w, k1.p, k1.n);
    gk_writer_put(&w, k2.p, k2.n);
    gk_writer_put(&w, v1.p, v1.n);
    gk_writer_put(&w, v2.p, v2.n);
    shard *s = shard_of(c, e->hash);
    pthread_mutex_lock(&s->lock);
    for (entry *old = *bucket_of(s, e->hash); old; old = old->next) {
        if (entry_has_key(old, e->hash, k1, k2)) { /* values are a function of their key: the old one is as good */
            pthread_mutex_unlock(&s->lock);
            free(e);
            return;
        }
    }
    evict(c, s, entry_size(e));
    grow(c, s);
    entry **b = bucket_of(s, e->hash);
    e->next = *b;
    *b = e;
    s->used += entry_size(e);
    s->n++;
    pthread_mutex_unlock(&s->lock);
}

size_t gk_cache_used(gk_cache *c)
{
    size_t used = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&c->shards[i].lock);
        used += c->shards[i].used;
        pthread_mutex_unlock(&c->shards[i].lock);
    }
    return used;
}

void gk_cache_free(gk_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        shard *s = &c->shards[i];
        for (size_t j = 0; s->buckets && j < s->n_buckets; j++) {
            for (entry *e = s->buckets[j], *next; e; e = next) {
                next = e->next;
                gk_wipe(e->bytes, (size_t)e->key_n + e->value_n);
                free(e);
            }
        }
        free(s->buckets);
        pthread_mutex_destroy(&s->lock);
    }
    gk_wipe(c->seed, sizeof c->seed);
    free(c);
}
