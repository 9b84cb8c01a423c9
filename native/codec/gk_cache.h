/* gk_cache: a map from bytes to bytes that forgets, bounded by bytes. It speeds up names; nothing depends on an entry being there.
 * Thread-safe (locks by shard). Hashing is SipHash-2-4 under a random key, so that clients can't aim at one bucket. */
#ifndef GK_CACHE_H
#define GK_CACHE_H

#include "../base/gk_bytes.h"

typedef struct gk_cache gk_cache;

/* gk_cache_new: bytes bounds keys, values and bookkeeping; 0 makes a cache that keeps nothing. seed: 16 random bytes. */
gk_err gk_cache_new(gk_cache **out, size_t bytes, const uint8_t seed[16]) GK_MUST_CHECK;
/* gk_cache_hash_tags, to be called before the first entry: keys are a 16-byte tag and a token of 16 characters at least that spells a tag.
 * Both come from AES-SIV and look random to clients already, so a few multiplications do for SipHash. */
void gk_cache_hash_tags(gk_cache *c);
/* gk_cache_get copies the value of k1|k2 to out when it is there and fits cap; then *out_n is its length and the result true. */
bool gk_cache_get(gk_cache *c, gk_bytes k1, gk_bytes k2, uint8_t *out, size_t cap, size_t *out_n);
/* gk_cache_put keeps a copy of v1|v2 under k1|k2, forgetting older entries for it; does nothing when memory is short. */
void gk_cache_put(gk_cache *c, gk_bytes k1, gk_bytes k2, gk_bytes v1, gk_bytes v2);
/* gk_cache_used: bytes held now. */
size_t gk_cache_used(gk_cache *c);
void gk_cache_free(gk_cache *c);

/* gk_siphash24: SipHash-2-4 of a|b under key (Aumasson and Bernstein, 2012). */
uint64_t gk_siphash24(const uint8_t key[16], gk_bytes a, gk_bytes b);

#endif
