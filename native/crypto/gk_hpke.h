/* gk_hpke: RFC 9180 base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (kem 32, kdf 1, aead 2), one message a context.
 * Stateless and thread-safe. */
#ifndef GK_HPKE_H
#define GK_HPKE_H

#include "gk_x25519.h"

#define GK_HPKE_TAG 16
#define GK_HPKE_OVERHEAD (GK_X25519_PUBLIC + GK_HPKE_TAG)

/* gk_hpke_seal writes enc32 | ciphertext | tag16, pt.n + GK_HPKE_OVERHEAD bytes; zeros on failure. A low-order public key: GK_ERR_AUTH. */
gk_err gk_hpke_seal(uint8_t *out, const uint8_t pub[GK_X25519_PUBLIC], gk_bytes info, gk_bytes aad, gk_bytes pt) GK_MUST_CHECK;
/* gk_hpke_open reads what seal wrote and writes sealed.n - GK_HPKE_OVERHEAD bytes; on failure (GK_ERR_AUTH) they are zeros. */
gk_err gk_hpke_open(uint8_t *out, const gk_key *k, gk_bytes info, gk_bytes aad, gk_bytes sealed) GK_MUST_CHECK;

#endif
