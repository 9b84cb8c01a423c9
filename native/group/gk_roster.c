#include "gk_roster.h"

#include <stdlib.h>
#include <string.h>

/* Both keys are hashed already (SHA-256 of what somebody chose), so nobody can make them collide here. */
static uint32_t first4(const uint8_t *hash)
{
    uint32_t h;

    memcpy(&h, hash, sizeof(h));
    return h;
}

static gk_err name_hash(uint32_t *out, gk_bytes name)
{
    uint8_t hash[GK_HASH] = {0};
    gk_err e = gk_sha256(hash, &name, 1);

    *out = first4(hash);
    return e;
}

static bool same_name(const gk_entry *x, gk_bytes name)
{
    return strlen(x->name) == name.n && memcmp(x->name, name.p, name.n) == 0;
}

void gk_roster_clear(gk_roster *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        free(r->entries[i].name);
    free(r->entries);
    free(r->by_name);
    free(r->by_identity);
    *r = (gk_roster){0};
}

static void insert(uint32_t *table, uint32_t slots, uint32_t hash, uint32_t at)
{
    uint32_t i = hash & (slots - 1);

    while (table[i] != GK_NOBODY)
        i = (i + 1) & (slots - 1);
    table[i] = at;
}

uint32_t gk_roster_name(const gk_roster *r, gk_bytes name)
{
    uint32_t hash = 0;

    if (r->slots == 0 || name_hash(&hash, name) != GK_OK)
        return GK_NOBODY;
    for (uint32_t i = hash & (r->slots - 1); r->by_name[i] != GK_NOBODY; i = (i + 1) & (r->slots - 1)) {
        if (same_name(&r->entries[r->by_name[i]], name))
            return r->by_name[i];
    }
    return GK_NOBODY;
}

uint32_t gk_roster_identity(const gk_roster *r, const uint8_t identity[GK_HASH])
{
    if (r->slots == 0)
        return GK_NOBODY;
    for (uint32_t i = first4(identity) & (r->slots - 1); r->by_identity[i] != GK_NOBODY; i = (i + 1) & (r->slots - 1)) {
        if (memcmp(r->entries[r->by_identity[i]].identity, identity, GK_HASH) == 0)
            return r->by_identity[i];
    }
    return GK_NOBODY;
}

/* index_all fills both tables anew, for twice the entries. */
static gk_err index_all(gk_roster *r, uint32_t slots)
{
    uint32_t *by_name = malloc(slots * sizeof(*by_name));
    uint32_t *by_identity = malloc(slots * sizeof(*by_identity));

    if (by_name == NULL || by_identity == NULL) {
        free(by_name);
        free(by_identity);
        return GK_ERR_NOMEM;
    }
    memset(by_name, 0xff, slots * sizeof(*by_name));
    memset(by_identity, 0xff, slots * sizeof(*by_identity));
    for (uint32_t i = 0; i < r->n; i++) {
        insert(by_name, slots, r->entries[i].name_hash, i);
        insert(by_identity, slots, first4(r->entries[i].identity), i);
    }
    free(r->by_name);
    free(r->by_identity);
    r->by_name = by_name;
    r->by_identity = by_identity;
    r->slots = slots;
    return GK_OK;
}

gk_err gk_roster_add(gk_roster *r, gk_bytes name, const uint8_t identity[GK_HASH], uint32_t node, uint64_t since)
{
    gk_entry x = {.node = node, .since = since};
    gk_err e = name_hash(&x.name_hash, name);

    if (e != GK_OK)
        return e;
    if (r->n == r->cap) {
        uint32_t cap = r->cap * 2 + 16;
        gk_entry *more = realloc(r->entries, cap * sizeof(*more));

        if (more == NULL)
            return GK_ERR_NOMEM;
        r->entries = more;
        r->cap = cap;
    }
    if (r->slots < 2 * (r->n + 1))
        e = index_all(r, r->slots == 0 ? 32 : 2 * r->slots);
    x.name = e == GK_OK ? calloc(1, name.n + 1) : NULL;
    if (x.name == NULL)
        return e == GK_OK ? GK_ERR_NOMEM : e;
    memcpy(x.name, name.p, name.n);
    memcpy(x.identity, identity, GK_HASH);
    r->entries[r->n] = x;
    insert(r->by_name, r->slots, x.name_hash, r->n);
    insert(r->by_identity, r->slots, first4(identity), r->n);
    r->n++;
    return GK_OK;
}

/* hash_at: the hash under which table holds entry `at`. */
static uint32_t hash_at(const gk_roster *r, const uint32_t *table, uint32_t at)
{
    return table == r->by_identity ? first4(r->entries[at].identity) : r->entries[at].name_hash;
}

static uint32_t find_slot(const gk_roster *r, const uint32_t *table, uint32_t at)
{
    uint32_t i = hash_at(r, table, at) & (r->slots - 1);

    while (table[i] != at)
        i = (i + 1) & (r->slots - 1);
    return i;
}

/* unlink_slot empties a slot and moves later entries of the same run back, so that no search ends too early. */
static void unlink_slot(gk_roster *r, uint32_t *table, uint32_t hole)
{
    uint32_t mask = r->slots - 1;

    for (uint32_t i = (hole + 1) & mask; table[i] != GK_NOBODY; i = (i + 1) & mask) {
        if (((i - hash_at(r, table, table[i])) & mask) >= ((i - hole) & mask)) {
            table[hole] = table[i];
            hole = i;
        }
    }
    table[hole] = GK_NOBODY;
}

void gk_roster_remove(gk_roster *r, uint32_t at)
{
    uint32_t last = r->n - 1;

    unlink_slot(r, r->by_name, find_slot(r, r->by_name, at));
    unlink_slot(r, r->by_identity, find_slot(r, r->by_identity, at));
    if (at != last) {
        r->by_name[find_slot(r, r->by_name, last)] = at;
        r->by_identity[find_slot(r, r->by_identity, last)] = at;
    }
    free(r->entries[at].name);
    r->entries[at] = r->entries[last];
    r->n--;
}

/* --- ids that were seen -------------------------------------------------------------------------------------------------------------- */

void gk_seen_clear(gk_seen *s)
{
    free(s->slots);
    *s = (gk_seen){0};
}

static size_t seen_slot(const gk_seen *s, const uint8_t id[GK_ONCE])
{
    uint64_t h;
    size_t i;

    memcpy(&h, id, sizeof(h));
    for (i = h & (s->cap - 1); s->slots[i].until_ms != 0 && memcmp(s->slots[i].id, id, GK_ONCE) != 0; i = (i + 1) & (s->cap - 1))
        ;
    return i;
}

bool gk_seen_has(const gk_seen *s, const uint8_t id[GK_ONCE])
{
    return s->cap > 0 && s->slots[seen_slot(s, id)].until_ms != 0;
}

static gk_err grow(gk_seen *s, uint64_t now_ms)
{
    gk_seen more = {0};
    size_t live = 1;

    for (size_t i = 0; i < s->cap; i++)
        live += s->slots[i].until_ms >= now_ms && s->slots[i].until_ms != 0;
    for (more.cap = 64; more.cap < 4 * live; more.cap *= 2)
        ;
    more.slots = calloc(more.cap, sizeof(*more.slots));
    if (more.slots == NULL)
        return GK_ERR_NOMEM;
    for (size_t i = 0; i < s->cap; i++) {
        if (s->slots[i].until_ms >= now_ms && s->slots[i].until_ms != 0) {
            more.slots[seen_slot(&more, s->slots[i].id)] = s->slots[i];
            more.n++;
            more.side += s->slots[i].by == GK_SEEN_SIDE;
        }
    }
    free(s->slots);
    *s = more;
    return GK_OK;
}

gk_err gk_seen_add(gk_seen *s, const uint8_t id[GK_ONCE], uint64_t until_ms, uint64_t now_ms, gk_seen_by by)
{
    gk_err e = 2 * (s->n + 1) > s->cap ? grow(s, now_ms) : GK_OK;
    size_t i = 0;

    if (e != GK_OK || until_ms == 0)
        return e;
    i = seen_slot(s, id);
    s->n += s->slots[i].until_ms == 0;
    s->side -= s->slots[i].until_ms != 0 && s->slots[i].by == GK_SEEN_SIDE;
    memcpy(s->slots[i].id, id, GK_ONCE);
    if (s->slots[i].until_ms < until_ms)
        s->slots[i].until_ms = until_ms;
    if (s->slots[i].by < by)
        s->slots[i].by = by;
    s->side += s->slots[i].by == GK_SEEN_SIDE;
    return GK_OK;
}
