/* gk_app: application data under a group key: XAES-256-GCM under HKDF-Expand(K_g, "app"|sender). It doesn't authenticate senders among
 * members, and doesn't stop replays. docs/FORMAT.md, "Application data". Stateless and thread-safe. */
#ifndef GK_APP_H
#define GK_APP_H

#include "gk_message.h"

#define GK_APP_SENDER 16 /* SHA-256(member's name)[0..16): gk_app_sender */
#define GK_APP_OVERHEAD (4 + 8 + GK_APP_SENDER + 24 + 16)

gk_err gk_app_sender(uint8_t out[GK_APP_SENDER], gk_bytes name) GK_MUST_CHECK;
/* gk_app_seal writes GKD1 | epoch u64 | sender16 | nonce24 | ciphertext | tag16: pt.n + GK_APP_OVERHEAD bytes. */
gk_err gk_app_seal(uint8_t *out, const gk_key *group_key, uint64_t epoch, const uint8_t sender[GK_APP_SENDER], gk_bytes pt) GK_MUST_CHECK;
/* gk_app_epoch tells under which epoch's key something is sealed. */
gk_err gk_app_epoch(uint64_t *epoch, uint8_t sender[GK_APP_SENDER], gk_bytes sealed) GK_MUST_CHECK;
/* gk_app_open writes sealed.n - GK_APP_OVERHEAD bytes; zeros on failure (GK_ERR_AUTH). */
gk_err gk_app_open(uint8_t *out, const gk_key *group_key, uint64_t epoch, gk_bytes sealed) GK_MUST_CHECK;

#endif
