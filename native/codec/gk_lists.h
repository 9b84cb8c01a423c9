/* gk_lists: for parents of many children the list that was read last, as it is stored and as clients see it, so that an equal one needn't be
 * decrypted again, and a changed one only where it changed. Lists are what a reply holds: a count, then names (docs/FORMAT.md, "Names").
 * Bounded by bytes: what was used longest ago goes first, and its memory is wiped. Nothing depends on an entry being there. Thread-safe. */
#ifndef GK_LISTS_H
#define GK_LISTS_H

#include "../base/gk_bytes.h"

#define GK_LISTS_KEY 32 /* at most so many bytes identify a parent */

typedef struct gk_lists gk_lists;

/* gk_list: one list; never changes. Name i of stored is name i of plain, and neither has more of them. */
typedef struct gk_list {
    gk_bytes stored, plain;
} gk_list;

/* gk_lists_new: bytes bounds lists and bookkeeping; 0 makes one that keeps nothing. seed: 16 random bytes. */
gk_err gk_lists_new(gk_lists **out, size_t bytes, const uint8_t seed[16]) GK_MUST_CHECK;
/* gk_lists_find: the list under key, which the caller gives back by gk_lists_release; NULL when there is none. */
const gk_list *gk_lists_find(gk_lists *c, gk_bytes key);
/* gk_lists_release: NULL is allowed. */
void gk_lists_release(gk_lists *c, const gk_list *l);
/* gk_lists_put keeps copies of stored and plain under key, instead of what was there; does nothing when memory is short, or when the list is
 * larger than half of the bound. */
void gk_lists_put(gk_lists *c, gk_bytes key, gk_bytes stored, gk_bytes plain);
/* gk_lists_used: bytes held now. */
size_t gk_lists_used(gk_lists *c);
/* gk_lists_free: after all lists were given back. NULL is allowed. */
void gk_lists_free(gk_lists *c);

#endif
