/* gk_expand: SHA-256, labelled HKDF-Expand from key to key, and private keys as PEM. Stateless and thread-safe. */
#ifndef GK_EXPAND_H
#define GK_EXPAND_H

#include "gk_key.h"

#define GK_PEM_MAX 512

/* gk_sha256 hashes parts in order; zeros on failure. */
gk_err gk_sha256(uint8_t out[32], const gk_bytes *parts, size_t n_parts) GK_MUST_CHECK;

/* gk_expand: HKDF-Expand (RFC 5869, SHA-256) from a key to a new key with id 0: info = u16 length | "groupkeeper v1 " label | context. What may
 * come from what (anything else is GK_ERR_ARG):
 *   NODE  -> NODE, WRAP, GROUP, MAC
 *   GROUP -> APP
 *   TOKEN -> SIGN
 * context.n <= 256, label at most 40 characters. */
gk_err gk_expand(gk_key **out, gk_purpose purpose, const gk_key *from, const char *label, gk_bytes context) GK_MUST_CHECK;

/* gk_key_from_pem, gk_key_to_pem: an Ed25519 (GK_PURPOSE_SIGN) or X25519 (GK_PURPOSE_EXCHANGE) private key as PKCS#8 PEM without a passphrase
 * (RFC 8410), as `openssl genpkey` writes it. GK_ERR_MALFORMED for anything else. to_pem writes at most GK_PEM_MAX bytes, no terminator;
 * the caller wipes them. */
gk_err gk_key_from_pem(gk_key **out, gk_purpose purpose, gk_bytes pem) GK_MUST_CHECK;
gk_err gk_key_to_pem(const gk_key *k, char out[GK_PEM_MAX], size_t *out_n) GK_MUST_CHECK;

#endif
