/* gk_x25519: Diffie-Hellman over Curve25519 (RFC 7748 section 5). Private keys are 32 bytes, clamped in use. Thread-safe: nothing is kept
 * between calls. */
#ifndef GK_X25519_H
#define GK_X25519_H

#include "gk_key.h"

#define GK_X25519_PUBLIC 32

/* gk_x25519_public writes X25519(k, 9), k with GK_PURPOSE_EXCHANGE (else GK_ERR_ARG); zeros on failure. */
gk_err gk_x25519_public(uint8_t out[GK_X25519_PUBLIC], const gk_key *k) GK_MUST_CHECK;
/* gk_x25519_agree makes a key of the given purpose (32 bytes long, random or agreed: not one that a keyring stores) with id 0:
 * HKDF-SHA256(salt, IKM = X25519(k, peer), info), RFC 5869. GK_ERR_AUTH when X25519 gives all zeros: peer is a point of small order
 * (RFC 7748 section 6.1). salt.n > 0. */
gk_err gk_x25519_agree(gk_key **out, gk_purpose purpose, const gk_key *k, const uint8_t peer[GK_X25519_PUBLIC], gk_bytes salt,
                       gk_bytes info) GK_MUST_CHECK;

#endif
