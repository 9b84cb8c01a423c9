/* gk_arena: where libcrypto's memory lives, and with it every key, key schedule and cipher context (gk_key allocates there, too): pages
 * that are locked in RAM (mlock), left out of core dumps (MADV_DONTDUMP), and cleared in a forked child (MADV_WIPEONFORK); what
 * is freed is wiped. The pages stay for the life of the process. */
#ifndef GK_ARENA_H
#define GK_ARENA_H

#include "../base/gk_bytes.h"

/* gk_arena_install hands libcrypto's allocations to the arena, once in a process's life and before anything else calls libcrypto:
 * GK_ERR_STATE when that is too late. lock: try to lock the pages; how far that went, gk_arena_stats tells. */
gk_err gk_arena_install(bool lock) GK_MUST_CHECK;

/* gk_arena_stats: bytes of pages taken, and of those that are locked. Thread-safe. */
void gk_arena_stats(size_t *taken, size_t *locked);

/* The allocator itself, for tests: like malloc, realloc and free. Thread-safe. */
void *gk_arena_alloc(size_t n);
void *gk_arena_realloc(void *p, size_t n);
void gk_arena_free(void *p);

#endif
