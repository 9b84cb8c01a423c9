/* gk_siv: AES-256-SIV (RFC 5297), deterministic AEAD with one or two associated data. A gk_siv is a keyed context for one thread. */
#ifndef GK_SIV_H
#define GK_SIV_H

#include "gk_key.h"

#define GK_SIV_TAG 16

typedef struct gk_siv gk_siv;

/* gk_siv_new: k has GK_PURPOSE_NAME or _WRAP; a reference to it is kept. */
gk_err gk_siv_new(gk_siv **out, gk_key *k) GK_MUST_CHECK;
/* gk_siv_seal writes tag16 | ciphertext, pt.n + 16 bytes. ad and pt are never empty (GK_ERR_ARG). */
gk_err gk_siv_seal(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes pt) GK_MUST_CHECK;
/* gk_siv_open reads tag16 | ciphertext and writes ct.n - 16 bytes; on failure (GK_ERR_AUTH) they are zeros. ct.n > 16. */
gk_err gk_siv_open(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ct) GK_MUST_CHECK;
/* gk_siv_seal2, gk_siv_open2: the same with a second associated datum; empty, it is as if it weren't there. */
gk_err gk_siv_seal2(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ad2, gk_bytes pt) GK_MUST_CHECK;
gk_err gk_siv_open2(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ad2, gk_bytes ct) GK_MUST_CHECK;
void gk_siv_free(gk_siv *c);

#endif
