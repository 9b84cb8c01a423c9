/* gk_wrap: keys under keys: AES-256-SIV (RFC 5297) with two associated data. Stateless and thread-safe. */
#ifndef GK_WRAP_H
#define GK_WRAP_H

#include "gk_siv.h"

#define GK_WRAPPED 48 /* tag16 | 32 bytes */

/* gk_wrap seals k (GK_PURPOSE_NODE) under KEK = HKDF-Expand(under, "groupkeeper v1 kek", 64), under with GK_PURPOSE_NODE. */
gk_err gk_wrap(uint8_t out[GK_WRAPPED], const gk_key *under, gk_bytes ad1, gk_bytes ad2, const gk_key *k) GK_MUST_CHECK;
/* gk_unwrap: GK_ERR_AUTH when it isn't that. */
gk_err gk_unwrap(gk_key **out, const gk_key *under, gk_bytes ad1, gk_bytes ad2, const uint8_t wrapped[GK_WRAPPED]) GK_MUST_CHECK;

#endif
