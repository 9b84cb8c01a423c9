/* gk_authority: who may administer and who may control (a chain of signed records, the same for all groups), what a group is (its genesis),
 * its policy, and administrators' commands. docs/FORMAT.md, "Authority" to "Commands". Parsed values are immutable plain data or opaque and
 * owned by one holder. */
#ifndef GK_AUTHORITY_H
#define GK_AUTHORITY_H

#include "gk_message.h"

#define GK_AUTHORITY_KEYS_MAX 64 /* administrators, and controllers, each */

typedef struct gk_authority gk_authority;

/* gk_authority_make writes the record after `before` (NULL: the first, version 1), signed by an administrator of `before` (of itself, the
 * first one). Keys are Ed25519 public keys, 32 bytes each, one after the other; at least one administrator and one controller. */
gk_err gk_authority_make(gk_mem *out, const gk_authority *before, gk_bytes admins, gk_bytes controllers, uint64_t now_ms,
                         const gk_key *admin) GK_MUST_CHECK;
/* gk_authority_read verifies the record after `before` (NULL: the first, which only proves itself: compare gk_authority_root with a genesis
 * that is trusted). GK_ERR_AUTH: signature, signer, version or hash of the one before. */
gk_err gk_authority_read(gk_authority **out, const gk_authority *before, gk_bytes record) GK_MUST_CHECK;
/* gk_authority_save, gk_authority_load: for a state that is trusted as a whole. */
void gk_authority_save(const gk_authority *a, gk_writer *w);
gk_err gk_authority_load(gk_authority **out, gk_reader *r) GK_MUST_CHECK;
void gk_authority_free(gk_authority *a);
uint64_t gk_authority_version(const gk_authority *a);
/* gk_authority_root: SHA-256 of the first record, GK_HASH bytes: what groups are anchored to. gk_authority_hash: of this one. */
const uint8_t *gk_authority_root(const gk_authority *a);
const uint8_t *gk_authority_hash(const gk_authority *a);
gk_bytes gk_authority_admins(const gk_authority *a);
gk_bytes gk_authority_controllers(const gk_authority *a);
/* gk_authority_check: a message signed by one of the administrators (admin) or controllers: *body is a view. Else GK_ERR_AUTH. */
gk_err gk_authority_check(const gk_authority *a, bool admin, gk_bytes message, gk_bytes *body, const char *label) GK_MUST_CHECK;
/* gk_authority_check_former: signed by one of the last GK_AUTHORITY_KEYS_MAX that were controllers in the chain that was read, and are none. It
 * authorises nothing: it tells that what such a one left may be read. gk_authority_load knows of none. */
gk_err gk_authority_check_former(const gk_authority *a, gk_bytes message, gk_bytes *body, const char *label) GK_MUST_CHECK;
/* gk_authority_check_then: signed by a controller, or by one that was no former controller yet under that version of the chain. */
gk_err gk_authority_check_then(const gk_authority *a, uint64_t version, gk_bytes message, gk_bytes *body, const char *label) GK_MUST_CHECK;

/* --- genesis ------------------------------------------------------------------------------------------------------------ */

typedef enum gk_mode { GK_MODE_LKH = 1, GK_MODE_FLAT = 2 } gk_mode;

typedef struct gk_genesis {
    char name[GK_NAME_MAX + 1];
    gk_mode mode;
    uint8_t root[GK_HASH]; /* gk_authority_root */
    uint8_t nonce[32];     /* random: two groups of one name are two groups */
    uint64_t created_ms;
    uint8_t id[GK_GROUP_ID]; /* read only: SHA-256(record)[0..16) */
    uint8_t hash[GK_HASH];   /* read only: what members pin */
} gk_genesis;

/* gk_genesis_make signs g (id and hash are ignored; nonce is made here). */
gk_err gk_genesis_make(gk_mem *out, const gk_genesis *g, const gk_key *admin) GK_MUST_CHECK;
/* gk_genesis_read: a is who has to have signed it, NULL for one that is trusted by its hash (a member) or by sealed state. */
gk_err gk_genesis_read(gk_genesis *out, gk_bytes record, const gk_authority *a) GK_MUST_CHECK;

/* --- policy ------------------------------------------------------------------------------------------------------------- */

/* What an alternative asks for; bits. An applicant is admitted when all bits of one alternative are met. */
typedef enum gk_admit { GK_ADMIT_X509 = 1, GK_ADMIT_TOKEN = 2, GK_ADMIT_MANUAL = 4 } gk_admit;

#define GK_POLICY_ALTERNATIVES 8
#define GK_POLICY_PATTERNS 64

typedef struct gk_policy {
    uint64_t version; /* 1, 2, ... */
    uint8_t admit[GK_POLICY_ALTERNATIVES];
    size_t admit_n;
    gk_bytes cas; /* DER certificates, each behind a u16 length (gk_cert_from_pem) */
    gk_bytes patterns[GK_POLICY_PATTERNS]; /* one has to match (gk_cert_matches); none: any certificate under the CAs */
    size_t patterns_n;
    uint32_t period_s;        /* a rekey at least so often; 0: never */
    uint32_t batch_ms;        /* requests of this window make one rekey */
    uint32_t max_age_s;       /* members go STALE without a sign of life for so long */
    uint32_t ring;            /* epochs that stay readable, 1 to 4096 */
    uint32_t max_members;
    uint32_t max_pending;     /* requests that wait for approval or the next batch, in all */
    uint32_t max_per_identity; /* requests by one identity in a minute */
} gk_policy;

/* gk_policy_default: any of nothing (nobody is admitted), period 1 h, batch 200 ms, max age 60 s, ring 64, 1,000,000 members, 4096, 6. */
gk_policy gk_policy_default(void);
gk_err gk_policy_make(gk_mem *out, const uint8_t group_id[GK_GROUP_ID], const gk_policy *p, const gk_key *admin) GK_MUST_CHECK;
/* gk_policy_read: the views in *out live as long as record. a NULL: the signature isn't checked (the hash is in sealed state). */
gk_err gk_policy_read(gk_policy *out, const uint8_t group_id[GK_GROUP_ID], gk_bytes record, const gk_authority *a) GK_MUST_CHECK;

/* --- administrators' commands ------------------------------------------------------------------------------------------- */

typedef enum gk_op {
    GK_OP_CREATE = 1,       /* blob: u32 length, genesis; u32 length, policy; target: the root */
    GK_OP_DELETE = 2,       /* of the group */
    GK_OP_POLICY = 3,       /* blob: the new policy record */
    GK_OP_REKEY = 4,        /* now */
    GK_OP_APPROVE = 5,      /* hash: the request's */
    GK_OP_DENY = 6,         /* hash: the request's */
    GK_OP_EVICT = 7,        /* name: the member's */
    GK_OP_ALLOW = 8,        /* hash: the identity's, or name: the member's, off the deny list */
    GK_OP_TOKEN_CREATE = 9, /* blob: gk_token_record */
    GK_OP_TOKEN_REVOKE = 10, /* blob: id8 */
    GK_OP_RECOVER = 11,
    GK_OP_HANDOVER = 12,    /* target: the root */
    GK_OP_QUERY = 13        /* blob: what the tool wants to know; changes nothing */
} gk_op;

typedef struct gk_command {
    uint8_t target[GK_GROUP_ID]; /* group id, or the first 16 bytes of gk_authority_root */
    uint64_t authority;          /* version under which it was given: the current one, or it is refused */
    gk_op op;
    uint8_t hash[GK_HASH];
    gk_bytes name;   /* up to GK_NAME_MAX */
    gk_bytes blob;   /* up to 256 KiB */
    gk_bytes reason; /* up to 1024 bytes of UTF-8, for the audit */
    uint8_t nonce[16];   /* made by gk_command_make */
    uint64_t not_after_ms;
    uint8_t signer[GK_SIGNER]; /* read only */
    uint8_t id[GK_HASH];       /* read only: SHA-256 of the whole message: the name of its result */
} gk_command;

gk_err gk_command_make(gk_mem *out, const gk_command *c, const gk_key *admin) GK_MUST_CHECK;
/* gk_command_read verifies signature, signer, authority version (GK_ERR_AUTH) and time (GK_ERR_STATE when over, or more than 24 h ahead).
 * Whether it was executed before, gk_group_command knows. Views live as long as message. */
gk_err gk_command_read(gk_command *out, gk_bytes message, const gk_authority *a, uint64_t now_ms) GK_MUST_CHECK;

#endif
