/* gk_keyring_internal: what gk_keyring.c (keys in memory), gk_keyring_format.c (bytes) and gk_keyring_file.c (files) share, and
 * tests of the format use. */
#ifndef GK_KEYRING_INTERNAL_H
#define GK_KEYRING_INTERNAL_H

#include <stdatomic.h>

#include "../crypto/gk_xaes.h"
#include "gk_keyring.h"

#define GK_KEYRING_KEYS_MAX 512             /* entries in one file */
#define GK_KEYRING_ZONE_NAME_MAX 64         /* bytes */
#define GK_KEYRING_FILE_MAX ((size_t)65536) /* more than the largest file that the limits above allow */
#define GK_KEYRING_DK 32

typedef struct gk_keyring_entry {
    gk_key_info info;
    gk_key *key; /* one reference */
} gk_keyring_entry;

struct gk_keyring {
    atomic_uint refs;
    uint8_t ensemble[GK_ID];
    uint8_t zone[GK_ID];
    char zone_name[GK_KEYRING_ZONE_NAME_MAX + 1];
    size_t n_stored; /* entries in the file, first, by (purpose, id); the derived ones follow */
    size_t n;
    size_t cap;
    gk_keyring_entry *entries;
};

/* gk_keyring_alloc makes an empty keyring with room for n_stored stored keys and what is derived from them. */
gk_err gk_keyring_alloc(gk_keyring **out, size_t n_stored) GK_MUST_CHECK;
/* gk_keyring_add takes a reference to k and adds it behind the others. */
gk_err gk_keyring_add(gk_keyring *kr, gk_key *k, gk_key_state state, uint64_t created_ms, bool derived) GK_MUST_CHECK;
/* gk_keyring_derive adds the session and the pending key of each seed. Called once, after the stored keys. */
gk_err gk_keyring_derive(gk_keyring *kr) GK_MUST_CHECK;
/* gk_keyring_seal_with is gk_keyring_seal with a given data key and nonce: tests compare its bytes with known answers. */
gk_err gk_keyring_seal_with(const gk_keyring *kr, uint8_t *out, size_t cap, size_t *out_n, const uint8_t dk[GK_KEYRING_DK],
                            const uint8_t nonce[GK_XAES_NONCE]) GK_MUST_CHECK;

#endif
