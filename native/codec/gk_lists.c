#include "gk_lists.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gk_cache.h"

#define BUCKETS 256
#define OVERHEAD 32 /* the allocator's own */

typedef struct entry {
    gk_list list;                 /* first: what callers hold */
    struct entry *next;           /* in its bucket */
    struct entry *newer, *older;  /* by use */
    uint64_t hash;
    size_t references;            /* the table's own among them */
    size_t size;
    size_t key_n;
    uint8_t key[GK_LISTS_KEY];
    uint8_t bytes[];              /* plain, then stored */
} entry;

struct gk_lists {
    pthread_mutex_t lock;
    uint8_t seed[16];
    size_t budget, used;
    entry *buckets[BUCKETS];
    entry *newest, *oldest;
};

gk_err gk_lists_new(gk_lists **out, size_t bytes, const uint8_t seed[16])
{
    gk_lists *c = calloc(1, sizeof *c);
    if (!c)
        return GK_ERR_NOMEM;
    (void)pthread_mutex_init(&c->lock, NULL); /* a default mutex can't fail */
    memcpy(c->seed, seed, 16);
    c->budget = bytes > sizeof *c ? bytes - sizeof *c : 0;
    *out = c;
    return GK_OK;
}

static entry **place_of(gk_lists *c, uint64_t hash, gk_bytes key)
{
    entry **at = &c->buckets[hash % BUCKETS];
    while (*at && ((*at)->hash != hash || (*at)->key_n != key.n || memcmp((*at)->key, key.p, key.n) != 0)) /* public */
        at = &(*at)->next;
    return at;
}

static void link_newest(gk_lists *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void unlink_entry(gk_lists *c, entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void unreference(gk_lists *c, entry *e)
{
    if (--e->references > 0)
        return;
    c->used -= e->size;
    gk_wipe(e->bytes, e->list.plain.n);
    free(e);
}

static void forget(gk_lists *c, entry **at)
{
    entry *e = *at;
    *at = e->next;
    unlink_entry(c, e);
    unreference(c, e);
}

const gk_list *gk_lists_find(gk_lists *c, gk_bytes key)
{
    if (c->budget == 0 || key.n > GK_LISTS_KEY)
        return NULL;
    uint64_t hash = gk_siphash24(c->seed, key, (gk_bytes){NULL, 0});
    pthread_mutex_lock(&c->lock);
    entry *e = *place_of(c, hash, key);
    if (e) {
        e->references++;
        unlink_entry(c, e);
        link_newest(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return e ? &e->list : NULL;
}

void gk_lists_release(gk_lists *c, const gk_list *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&c->lock);
    unreference(c, (entry *)(uintptr_t)l);
    pthread_mutex_unlock(&c->lock);
}

static entry *entry_of(gk_lists *c, gk_bytes key, gk_bytes stored, gk_bytes plain)
{
    size_t size = sizeof(entry) + OVERHEAD + stored.n + plain.n;
    entry *e = key.n <= GK_LISTS_KEY && size <= c->budget / 2 ? malloc(size - OVERHEAD) : NULL;
    if (!e)
        return NULL;
    e->hash = gk_siphash24(c->seed, key, (gk_bytes){NULL, 0});
    e->references = 1;
    e->size = size;
    e->key_n = key.n;
    memcpy(e->key, key.p, key.n);
    memcpy(e->bytes, plain.p, plain.n);
    memcpy(e->bytes + plain.n, stored.p, stored.n);
    e->list = (gk_list){{e->bytes + plain.n, stored.n}, {e->bytes, plain.n}};
    return e;
}

void gk_lists_put(gk_lists *c, gk_bytes key, gk_bytes stored, gk_bytes plain)
{
    entry *e = entry_of(c, key, stored, plain);
    if (!e)
        return;
    pthread_mutex_lock(&c->lock);
    entry **old = place_of(c, e->hash, key);
    if (*old)
        forget(c, old);
    while (c->used + e->size > c->budget && c->oldest)
        forget(c, place_of(c, c->oldest->hash, (gk_bytes){c->oldest->key, c->oldest->key_n}));
    c->used += e->size;
    if (c->used <= c->budget) {
        entry **bucket = &c->buckets[e->hash % BUCKETS];
        e->next = *bucket;
        *bucket = e;
        link_newest(c, e);
    } else { /* others hold what was forgotten */
        unreference(c, e);
    }
    pthread_mutex_unlock(&c->lock);
}

size_t gk_lists_used(gk_lists *c)
{
    pthread_mutex_lock(&c->lock);
    size_t used = c->used;
    pthread_mutex_unlock(&c->lock);
    return used;
}

void gk_lists_free(gk_lists *c)
{
    if (!c)
        return;
    while (c->oldest)
        forget(c, place_of(c, c->oldest->hash, (gk_bytes){c->oldest->key, c->oldest->key_n}));
    pthread_mutex_destroy(&c->lock);
    gk_wipe(c->seed, sizeof c->seed);
    free(c);
}
