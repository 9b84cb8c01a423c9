/* gk_statekey: the key under which controllers seal groups' state for each other: each controller publishes an X25519 key (GKX1), the leader makes a
 * state key and seals it to all of them (GKS1). docs/FORMAT.md, "State keys". */
#ifndef GK_STATEKEY_H
#define GK_STATEKEY_H

#include "../crypto/gk_hpke.h"
#include "../crypto/gk_xaes.h"
#include "gk_authority.h"

typedef struct gk_exchange {
    uint8_t pub[GK_X25519_PUBLIC];
    uint64_t time_ms;
    uint8_t signer[GK_SIGNER];
} gk_exchange;

/* gk_exchange_make: controllers/keys/<signer as hex>; dh (GK_PURPOSE_EXCHANGE) stays on the controller's own disk. */
gk_err gk_exchange_make(gk_mem *out, const gk_key *dh, uint64_t now_ms, const gk_key *controller) GK_MUST_CHECK;
gk_err gk_exchange_read(gk_exchange *out, gk_bytes record, const gk_authority *a) GK_MUST_CHECK;

/* gk_state_keys: those that this controller could open, by index. */
typedef struct gk_state_keys gk_state_keys;

gk_err gk_state_keys_new(gk_state_keys **out) GK_MUST_CHECK;
void gk_state_keys_free(gk_state_keys *k);
/* gk_state_keys_make: a fresh key with the next index, sealed to each of the exchanges: controllers/state-keys/<index>. It is the newest in k, too. */
gk_err gk_state_keys_make(gk_state_keys *k, gk_mem *out, uint32_t *index, const gk_exchange *to, size_t n, uint64_t now_ms,
                          const gk_key *controller) GK_MUST_CHECK;
/* gk_state_keys_add opens a record; add them by index. GK_ERR_NOTFOUND when it isn't sealed to this controller's dh. One by a former controller opens what was
 * sealed under it, and nothing more is sealed; one that isn't for us, or doesn't fit behind the others, is GK_ERR_AUTH. */
gk_err gk_state_keys_add(gk_state_keys *k, gk_bytes record, const gk_key *dh, const gk_authority *a) GK_MUST_CHECK;
/* gk_state_keys_drop forgets all before index: when every group has a later snapshot, and has run its next plan (which seals the side znode
 * anew). */
void gk_state_keys_drop(gk_state_keys *k, uint32_t index);
/* gk_state_keys_newest: 0 when there is none. *made_ms 0: it is a former controller's, and another one has to be made. */
uint32_t gk_state_keys_newest(const gk_state_keys *k, uint64_t *made_ms);
/* gk_state_keys_only_for: nobody but the owners of these exchange keys can open the newest. */
bool gk_state_keys_only_for(const gk_state_keys *k, const gk_exchange *to, size_t n);

/* gk_state_seal: u32 index | nonce24 | ciphertext | tag16 under the newest key (GK_ERR_STATE: it is a former controller's);
 * AAD = u16 length | label "state" | aad. */
gk_err gk_state_seal(const gk_state_keys *k, gk_mem *out, gk_bytes aad, gk_bytes pt) GK_MUST_CHECK;
gk_err gk_state_open(const gk_state_keys *k, gk_mem *out, gk_bytes aad, gk_bytes sealed) GK_MUST_CHECK;
/* gk_state_index: under which key something is sealed; 0: can't be told. */
uint32_t gk_state_index(gk_bytes sealed);

#endif
