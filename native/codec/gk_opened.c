#include "gk_opened.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES_PER_SLOT 512

/* A slot: where the entry of an id begins, and another id that was met once. */
typedef struct slot {
    uint64_t id, at, met;
} slot;

/* An entry: this, then binding | stored | plain, in one piece, and so much that the next one is aligned. */
typedef struct entry {
    size_t binding_n, stored_n, plain_n;
    uint8_t bytes[];
} entry;

/* Positions count the bytes ever taken of the ring: an entry is intact as long as end - at <= size. */
struct gk_opened {
    size_t bytes;  /* what may be taken from the system; too few are none */
    size_t n;      /* of slots, a power of two */
    slot *slots;   /* the start of what was taken; NULL: nothing as yet */
    uint8_t *ring; /* the rest of it */
    size_t size;
    uint64_t end;
};

gk_err gk_opened_new(gk_opened **out, size_t bytes)
{
    gk_opened *c = calloc(1, sizeof *c);
    if (!c)
        return GK_ERR_NOMEM;
    for (c->n = 1; c->n <= bytes / BYTES_PER_SLOT / 2; c->n *= 2)
        ;
    c->bytes = bytes / BYTES_PER_SLOT * BYTES_PER_SLOT;
    c->size = c->bytes - (c->bytes ? c->n * sizeof(slot) : 0);
    *out = c;
    return GK_OK;
}

static bool take_memory(gk_opened *c)
{
    if (c->slots || c->bytes == 0)
        return c->slots != NULL;
    void *p = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        c->bytes = 0;
        return false;
    }
    (void)madvise(p, c->bytes, MADV_DONTDUMP); /* best effort: plaintext doesn't belong into a core */
    c->slots = p;
    c->ring = (uint8_t *)p + c->n * sizeof(slot);
    return true;
}

static uint64_t id_of(const uint8_t id[8])
{
    uint64_t v;
    memcpy(&v, id, sizeof v);
    return v;
}

static size_t length_of(size_t binding, size_t stored, size_t plain)
{
    return (sizeof(entry) + binding + stored + plain + 7) & ~(size_t)7;
}

bool gk_opened_find(gk_opened *c, gk_bytes *plain, const uint8_t id[8], gk_bytes binding, gk_bytes stored)
{
    if (!c->slots)
        return false;
    const slot *s = &c->slots[id_of(id) & (c->n - 1)];
    if (s->id != id_of(id) || s->at >= c->end || c->end - s->at > c->size)
        return false;
    const entry *e = (const entry *)(const void *)(c->ring + s->at % c->size);
    if (e->stored_n != stored.n || e->binding_n != binding.n || memcmp(e->bytes, binding.p, binding.n) != 0 ||
        memcmp(e->bytes + binding.n, stored.p, stored.n) != 0) /* none of them is secret */
        return false;
    *plain = (gk_bytes){e->bytes + binding.n + stored.n, e->plain_n};
    return true;
}

void gk_opened_put(gk_opened *c, const uint8_t id[8], gk_bytes binding, gk_bytes stored, gk_bytes plain)
{
    if (!take_memory(c))
        return;
    slot *s = &c->slots[id_of(id) & (c->n - 1)];
    size_t n = length_of(binding.n, stored.n, plain.n);
    if (n > c->size / 16)
        return;
    if (s->id != id_of(id) && s->met != id_of(id)) {
        s->met = id_of(id);
        return;
    }
    size_t left = c->size - c->end % c->size;
    if (left < n)
        c->end += left;
    entry *e = (entry *)(void *)(c->ring + c->end % c->size);
    *e = (entry){binding.n, stored.n, plain.n};
    memcpy(e->bytes, binding.p, binding.n);
    memcpy(e->bytes + binding.n, stored.p, stored.n);
    if (plain.n > 0)
        memcpy(e->bytes + binding.n + stored.n, plain.p, plain.n);
    s->id = id_of(id);
    s->at = c->end;
    c->end += n;
}

void gk_opened_free(gk_opened *c)
{
    if (!c)
        return;
    if (c->slots) {
        gk_wipe(c->ring, c->end < c->size ? (size_t)c->end : c->size);
        (void)munmap(c->slots, c->bytes);
    }
    free(c);
}
