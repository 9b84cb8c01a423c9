/* gk_xaes: XAES-256-GCM (C2SP), AES-256-GCM with a 192-bit random nonce. A gk_xaes is a keyed context for one thread. */
#ifndef GK_XAES_H
#define GK_XAES_H

#include "gk_key.h"

#define GK_XAES_NONCE 24
#define GK_XAES_TAG 16

typedef struct gk_xaes gk_xaes;

/* gk_xaes_new: k has GK_PURPOSE_PAYLOAD, _PENDING, _DK, _APP or _STATE; a reference to it is kept. */
gk_err gk_xaes_new(gk_xaes **out, gk_key *k) GK_MUST_CHECK;
/* gk_xaes_seal writes ciphertext | tag16, pt.n + 16 bytes; out may be pt.p. aad is the concatenation of aad1 and aad2. */
gk_err gk_xaes_seal(gk_xaes *c, uint8_t *out, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2, gk_bytes pt) GK_MUST_CHECK;
/* gk_xaes_open reads ciphertext | tag16 and writes ct.n - 16 bytes; on failure (GK_ERR_AUTH) they are zeros. out may be ct.p. */
gk_err gk_xaes_open(gk_xaes *c, uint8_t *out, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad1, gk_bytes aad2, gk_bytes ct) GK_MUST_CHECK;
/* gk_xaes_seal_key, gk_xaes_open_key: the same for the bytes of a key of 32 bytes; out gets 48. An opened key has the id 0; *out is NULL on
 * failure. */
gk_err gk_xaes_seal_key(gk_xaes *c, uint8_t out[48], const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad, const gk_key *k) GK_MUST_CHECK;
gk_err gk_xaes_open_key(gk_xaes *c, gk_key **out, gk_purpose purpose, const uint8_t nonce[GK_XAES_NONCE], gk_bytes aad,
                        gk_bytes ct) GK_MUST_CHECK;
void gk_xaes_free(gk_xaes *c);

#endif
