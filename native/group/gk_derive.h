/* gk_derive: keys of groups' views out of the servers' agreed secret K_s, one HMAC each (docs/FORMAT.md, "View keys"). gk_secrets holds the K_s
 * that this process may use: the agreement (gk_agreement) puts them in and takes them out, readers derive. Thread-safe: one writer, any
 * number of readers; readers don't wait for each other longer than a reference count takes. */
#ifndef GK_DERIVE_H
#define GK_DERIVE_H

#include "../crypto/gk_key.h"

#define GK_HASH 32 /* SHA-256: run ids, transcript hashes */
#define GK_KS_ID 8 /* the first bytes of a transcript hash */
#define GK_VIEW_KEY 32
#define GK_KEY_ID 16 /* ks_id8 | pzxid8 */
#define GK_TAG 16    /* a node's name tag (docs/FORMAT.md, "Names") */

typedef struct gk_secrets gk_secrets;

/* gk_secrets_new: an empty holder with one reference. ensemble: the keyring's 16-byte id. */
gk_err gk_secrets_new(gk_secrets **out, const uint8_t ensemble[16]) GK_MUST_CHECK;
gk_secrets *gk_secrets_ref(gk_secrets *s);
/* gk_secrets_free gives a reference back; the last one wipes. NULL is allowed. */
void gk_secrets_free(gk_secrets *s);

/* gk_secrets_offer adds ks (GK_PURPOSE_AGREED; a reference is taken) as the secret of the agreement with this transcript hash, beside the one in
 * use: a reader whose reply names it gets keys from it at once. It takes the place of what was offered before. */
gk_err gk_secrets_offer(gk_secrets *s, const uint8_t hash[GK_HASH], gk_key *ks) GK_MUST_CHECK;
/* gk_secrets_use makes the offered secret the one in use, with derivations counted from 0; the one before is forgotten, and wiped when the last
 * reader has done with it. GK_ERR_NOTFOUND: none with this hash was offered. */
gk_err gk_secrets_use(gk_secrets *s, const uint8_t hash[GK_HASH]) GK_MUST_CHECK;
/* gk_secrets_forget forgets the secret in use. gk_secrets_clear forgets both. */
void gk_secrets_forget(gk_secrets *s);
void gk_secrets_clear(gk_secrets *s);
/* gk_secrets_derivations: keys derived here from the secret in use (0 without one), and in all since gk_secrets_new. */
void gk_secrets_derivations(gk_secrets *s, uint64_t *current, uint64_t *all);

/* A view of a group = its members node as one reply (one stock multiRead) showed it. */
typedef struct gk_view {
    uint8_t tag[GK_TAG]; /* the group's name tag */
    uint64_t czxid;      /* of the members node's Stat, as the two's complement that stands on the wire */
    uint64_t pzxid;
    int32_t cversion; /* of the same Stat, as the server sends it: 2 * stored - numChildren, wrapped */
    int32_t children; /* numChildren of the same Stat */
} gk_view;

/* gk_derive_view derives the key of a view and its id. current: the data of agreement/current out of the *same* reply; it names the secret, so the
 * bytes are a function of the key id, whatever this server has meanwhile agreed on.
 * GK_ERR_NOTFOUND: this server hasn't got the secret that current names (not yet, not any more, never took part): the read's answer
 * is a retryable error, never another key. GK_ERR_LIMIT: the node's cversion is used up, so its pzxid moves no longer (create the group
 * anew). GK_ERR_MALFORMED, GK_ERR_TRUNCATED, GK_ERR_VERSION: current is no such record; retryable as well. On failure both outputs are zeros.
 * Thread-safe. */
gk_err gk_derive_view(uint8_t key[GK_VIEW_KEY], uint8_t key_id[GK_KEY_ID], gk_secrets *s, const gk_view *v, gk_bytes current) GK_MUST_CHECK;

#endif
