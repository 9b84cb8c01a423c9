/* gk_roster: who is in a group, found by name and by identity; and a set of ids that are remembered until a time. Not thread-safe. */
#ifndef GK_ROSTER_H
#define GK_ROSTER_H

#include "gk_message.h"

#define GK_NOBODY UINT32_MAX

typedef struct gk_entry {
    char *name;
    uint8_t identity[GK_HASH];
    uint32_t name_hash;
    uint32_t node;  /* of the leaf, in the tree */
    uint64_t since; /* epoch of admission */
} gk_entry;

typedef struct gk_roster {
    gk_entry *entries; /* dense; a removal puts the last one into the gap */
    uint32_t n, cap;
    uint32_t *by_name, *by_identity; /* open addressing over entries, GK_NOBODY: free */
    uint32_t slots;                  /* a power of two, or 0 */
} gk_roster;

void gk_roster_clear(gk_roster *r);
/* Positions in entries, GK_NOBODY when there is none; they hold until the next add or remove. */
uint32_t gk_roster_name(const gk_roster *r, gk_bytes name);
uint32_t gk_roster_identity(const gk_roster *r, const uint8_t identity[GK_HASH]);
/* gk_roster_add: name and identity mustn't be there yet. */
gk_err gk_roster_add(gk_roster *r, gk_bytes name, const uint8_t identity[GK_HASH], uint32_t node, uint64_t since) GK_MUST_CHECK;
void gk_roster_remove(gk_roster *r, uint32_t at);

/* --- ids that were seen ------------------------------------------------------------------------------------------------------------ */

#define GK_ONCE 16

/* Who else has to remember it. A request that waits for its epoch lies in requests/ until then, and whoever leads next has to take it: so it is in no state. */
typedef enum gk_seen_by { GK_SEEN_WAITS, GK_SEEN_SIDE /* the side znode */, GK_SEEN_LOGGED /* a delta or a snapshot has it */ } gk_seen_by;

typedef struct gk_once {
    uint8_t id[GK_ONCE];
    uint64_t until_ms; /* 0: a free slot */
    gk_seen_by by;
} gk_once;

typedef struct gk_seen {
    gk_once *slots;
    size_t n, cap; /* cap: a power of two, or 0 */
    size_t side; /* so many are for the side znode */
} gk_seen;

void gk_seen_clear(gk_seen *s);
bool gk_seen_has(const gk_seen *s, const uint8_t id[GK_ONCE]);
/* gk_seen_add remembers id until until_ms, and forgets what is over at now_ms when it needs room. `by` only goes up. */
gk_err gk_seen_add(gk_seen *s, const uint8_t id[GK_ONCE], uint64_t until_ms, uint64_t now_ms, gk_seen_by by) GK_MUST_CHECK;

#endif
