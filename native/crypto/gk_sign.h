/* gk_sign: Ed25519 signatures (RFC 8032 section 5.1, PureEdDSA). Thread-safe: nothing is kept between calls. */
#ifndef GK_SIGN_H
#define GK_SIGN_H

#include "gk_key.h"

#define GK_SIGN_PUBLIC 32
#define GK_SIGNATURE 64

/* gk_sign_public writes the public half of k (GK_PURPOSE_SIGN, else GK_ERR_ARG); zeros on failure. */
gk_err gk_sign_public(uint8_t out[GK_SIGN_PUBLIC], const gk_key *k) GK_MUST_CHECK;
/* gk_sign_make signs a message; the caller's message begins with a label of its own format. Zeros on failure. */
gk_err gk_sign_make(uint8_t out[GK_SIGNATURE], const gk_key *k, gk_bytes message) GK_MUST_CHECK;
/* gk_sign_check: GK_OK when the signature is that key's over the message; GK_ERR_AUTH for any other 64 bytes, for a public key that is no
 * point, and when OpenSSL runs out of memory halfway (it doesn't tell). */
gk_err gk_sign_check(const uint8_t public_key[GK_SIGN_PUBLIC], gk_bytes message, const uint8_t signature[GK_SIGNATURE]) GK_MUST_CHECK;

#endif
