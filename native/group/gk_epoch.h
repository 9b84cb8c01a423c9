/* gk_epoch: the message of an epoch, GKE1, in both modes, and what is derived from it. docs/FORMAT.md, "Epoch messages". */
#ifndef GK_EPOCH_H
#define GK_EPOCH_H

#include "../crypto/gk_wrap.h"
#include "gk_authority.h"

#define GK_EPOCH_OP 9
#define GK_EPOCH_WRAP (8 + 8 + GK_WRAPPED)

typedef enum gk_reason {
    GK_REASON_CREATE = 1, GK_REASON_JOIN = 2, GK_REASON_LEAVE = 3, GK_REASON_EVICT = 4, GK_REASON_PERIOD = 5, GK_REASON_MANUAL = 6,
    GK_REASON_BATCH = 7, GK_REASON_RECOVER = 8
} gk_reason;

/* gk_reason_str: "create", "join", ... as in `gk-admin group show`. */
const char *gk_reason_str(gk_reason r);

typedef enum gk_tree_op { GK_TREE_ADD = 1, GK_TREE_REMOVE = 2, GK_TREE_DERIVE = 3 } gk_tree_op; /* of a leaf, of a leaf, of an inner node */

#define GK_EPOCH_KEK 1      /* flag: this is one member's own message with the new KEK */
#define GK_EPOCH_NEEDS_KEK 2 /* flag: members must have their own message of this epoch first */

typedef struct gk_epoch {
    uint8_t group_id[GK_GROUP_ID];
    uint64_t epoch;            /* 1, 2, ... */
    uint64_t controller_epoch; /* the fencing token under which it was written */
    uint64_t authority;        /* the authority version that the controller knew */
    uint64_t issued_ms;
    uint32_t max_age_s;
    uint32_t ring;
    uint32_t members;
    uint8_t reason;
    uint8_t flags;
    uint64_t root;             /* node id of the root after it */
    uint8_t prev[GK_HASH];     /* SHA-256 of the epoch message before; zeros in the first */
    uint8_t salt[32];
    gk_bytes ops;              /* GK_EPOCH_OP bytes each */
    gk_bytes wraps;            /* GK_EPOCH_WRAP bytes each: node u64, under u64, wrapped48 */
    uint8_t confirm[32];
    /* read only */
    uint8_t signer[GK_SIGNER];
    uint8_t body_hash[GK_HASH]; /* SHA-256 of all before confirm */
    uint8_t hash[GK_HASH];      /* SHA-256 of the whole message */
} gk_epoch;

/* gk_epoch_make signs e; confirm, body_hash and hash are computed and set in *e. root: the key of e->root (for a GK_EPOCH_KEK message: of the
 * KEK). */
gk_err gk_epoch_make(gk_mem *out, gk_epoch *e, const gk_key *root, const gk_key *controller) GK_MUST_CHECK;
/* gk_epoch_parse reads without verifying; views live as long as message. */
gk_err gk_epoch_parse(gk_epoch *out, gk_bytes message) GK_MUST_CHECK;
/* gk_epoch_verify parses and checks that a controller of `a` signed it: else GK_ERR_AUTH. Nothing is opened before. */
gk_err gk_epoch_verify(gk_epoch *out, gk_bytes message, const gk_authority *a) GK_MUST_CHECK;
/* gk_epoch_verify_then: by a controller of the authority version that the message, which was parsed into e, names; it may have been removed since. */
gk_err gk_epoch_verify_then(const gk_epoch *e, gk_bytes message, const gk_authority *a) GK_MUST_CHECK;
/* gk_epoch_confirm: whether root is the key that this message leads to (GK_ERR_AUTH). */
gk_err gk_epoch_confirm(const gk_epoch *e, const gk_key *root) GK_MUST_CHECK;
/* gk_epoch_group_key: K_g, GK_PURPOSE_GROUP; the id of the key is the epoch's low 32 bits. */
gk_err gk_epoch_group_key(gk_key **out, const uint8_t group_id[GK_GROUP_ID], uint64_t epoch, const uint8_t body_hash[GK_HASH],
                          const gk_key *root) GK_MUST_CHECK;
/* gk_key_fingerprint: HMAC-SHA256(K_g, "groupkeeper fingerprint")[0..8). */
gk_err gk_key_fingerprint(uint8_t out[8], const gk_key *group_key) GK_MUST_CHECK;

/* --- the epoch's znode: u32 length | message | what controllers sealed for each other ------------------------------------- */

/* gk_epoch_znode gives views of both parts; members need the first. */
gk_err gk_epoch_znode(gk_bytes *message, gk_bytes *delta, gk_bytes znode) GK_MUST_CHECK;

/* --- freshness records, GKF1 ---------------------------------------------------------------------------------------------- */

typedef struct gk_fresh {
    uint8_t group_id[GK_GROUP_ID];
    uint64_t epoch;
    uint8_t hash[GK_HASH]; /* of that epoch's message */
    uint64_t time_ms;
    uint64_t controller_epoch;
    uint64_t authority;
} gk_fresh;

gk_err gk_fresh_make(gk_mem *out, const gk_fresh *f, const gk_key *controller) GK_MUST_CHECK;
gk_err gk_fresh_read(gk_fresh *out, gk_bytes record, const gk_authority *a) GK_MUST_CHECK;

#endif
