#include "load.h"

/* Values below 128 have a slot each; above, the six bits behind the highest one choose it. */
static size_t slot_of(uint64_t v)
{
    if (v < 128)
        return (size_t)v;
    unsigned shift = 57u - (unsigned)__builtin_clzll(v);
    size_t slot = 64u * shift + (size_t)(v >> shift);
    return slot < HIST_SIZE ? slot : HIST_SIZE - 1;
}

static uint64_t slot_end(size_t slot)
{
    if (slot < 128)
        return slot;
    size_t shift = slot / 64 - 1;
    return ((uint64_t)(slot - 64 * shift + 1) << shift) - 1;
}

void hist_add(hist *h, uint64_t ns)
{
    h->slot[slot_of(ns)]++;
    h->count++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t hist_at(const hist *h, double q)
{
    uint64_t seen = 0, want = (uint64_t)(q * (double)h->count);
    for (size_t i = 0; i < HIST_SIZE; i++) {
        seen += h->slot[i];
        if (seen > want || (seen == h->count && seen > 0))
            return slot_end(i) < h->max ? slot_end(i) : h->max;
    }
    return 0;
}
