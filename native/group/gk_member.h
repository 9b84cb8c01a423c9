/* gk_member: the member's engine for one group: it is fed what lies in ZooKeeper and says what it made of it. It believes nothing but
 * signatures that lead back to the genesis that it was told to trust. docs/FORMAT.md has each message; docs/DESIGN.md the flow:
 *
 *   gk_member_new (trust) -> gk_member_genesis -> gk_member_authority (1, 2, ... all there are) -> gk_member_request -> znode requests/
 *   -> znode replies/<hash> -> gk_member_reply -> then for ever: gk_member_next says which znode to read, gk_member_feed takes it.
 *
 * An object belongs to one thread at a time. After each call that returns GK_OK or changes gk_member_dirty, save the state before acting on
 * the new key: a state that went back in time can't open later messages. */
#ifndef GK_MEMBER_H
#define GK_MEMBER_H

#include "gk_admission.h"
#include "gk_epoch.h"

typedef struct gk_member gk_member;

/* gk_verdict: what became of something that was fed; pinned values; each is counted (gk_member_count). */
typedef enum gk_verdict {
    GK_FED_KEY = 0,          /* a new epoch, a new key */
    GK_FED_OLD = 1,          /* an epoch that is known already, the same message: nothing to do */
    GK_FED_FRESH = 2,        /* a sign of life; or our KEK message: feed the epoch now */
    GK_FED_JOINED = 3,       /* the reply admitted or refreshed us: the current epoch's key is there */
    GK_FED_REFUSED_BY_CONTROLLER = 4, /* the reply is a refusal: gk_member_refusal */
    GK_FED_EVICTED = 5,      /* we are removed by this epoch */
    GK_FED_AHEAD = 6,        /* authentic, but epochs before it are missing: gk_member_next */
    GK_FED_NEEDS_KEK = 7,    /* authentic, but our own KEK message comes first (flat mode) */
    GK_FED_NEEDS_AUTHORITY = 8, /* made under a later authority record: feed that first */
    GK_FED_MALFORMED = 9,    /* from here on: refused */
    GK_FED_GROUP = 10,       /* another group's */
    GK_FED_SIGNER = 11,      /* not signed by a controller, or the signature is wrong */
    GK_FED_ROLLBACK = 12,    /* an epoch before ours, or ours with another content, or an older controller's or authority's */
    GK_FED_FORK = 13,        /* doesn't follow from the message that we had before it */
    GK_FED_KEYS = 14,        /* our keys don't open it, or it doesn't lead to the key that it confirms */
    GK_FED_REPLY = 15,       /* a reply that isn't ours, or doesn't open */
    GK_FED_NOT_FOR_US = 16,  /* we aren't a member (yet, or any more) */
    GK_FED_TIME = 17,        /* freshness record older than one before, or from the future */
    GK_FED_COUNT = 18
} gk_verdict;

/* gk_verdict_str: a static English phrase. gk_verdict_refused: whether it is one of the refusals (>= GK_FED_MALFORMED). */
const char *gk_verdict_str(gk_verdict v);
static inline bool gk_verdict_refused(gk_verdict v)
{
    return v >= GK_FED_MALFORMED;
}

typedef enum gk_member_state {
    GK_MEMBER_NEW = 1,     /* knows whom to trust */
    GK_MEMBER_PENDING = 2, /* has asked */
    GK_MEMBER_IN = 3,      /* has keys */
    GK_MEMBER_BEHIND = 4,  /* was in, but can't follow: has to refresh */
    GK_MEMBER_OUT = 5      /* evicted, or left */
} gk_member_state;

/* --- making, saving -------------------------------------------------------------------------------------------------------- */

/* gk_member_new: name as in `--as`; trust = SHA-256 of the genesis record (from --trust or the token). */
gk_err gk_member_new(gk_member **out, gk_bytes group_name, gk_bytes name, const uint8_t trust[GK_HASH]) GK_MUST_CHECK;
void gk_member_free(gk_member *m);
/* The identity: an Ed25519 key (a reference is kept; saved with the state), or a certificate's key and chain (not saved: give them again;
 * the signer is taken over unless it fails: GK_ERR_ARG when it isn't the certificate's). */
gk_err gk_member_identity(gk_member *m, gk_key *sign) GK_MUST_CHECK;
gk_err gk_member_certificate(gk_member *m, gk_signer *signer, gk_bytes chain) GK_MUST_CHECK;
/* gk_member_save: the whole state; state_key: GK_PURPOSE_STATE, or NULL for plain. gk_member_load: GK_ERR_AUTH when the key is wrong or
 * missing. A member that evicted, left or saw an epoch remembers that for ever. */
gk_err gk_member_save(const gk_member *m, gk_mem *out, gk_key *state_key) GK_MUST_CHECK;
gk_err gk_member_load(gk_member **out, gk_bytes state, gk_key *state_key) GK_MUST_CHECK;
/* gk_member_dirty: whether something changed that gk_member_save hasn't written (it is const: clear it by gk_member_saved). */
bool gk_member_dirty(const gk_member *m);
void gk_member_saved(gk_member *m);

/* --- trust ------------------------------------------------------------------------------------------------------------------ */

/* gk_member_genesis: the znode genesis; GK_ERR_AUTH when its hash isn't the trusted one. */
gk_err gk_member_genesis(gk_member *m, gk_bytes record) GK_MUST_CHECK;
/* gk_member_authority: authority/<version>, in order from gk_member_authority_version + 1. */
gk_err gk_member_authority(gk_member *m, gk_bytes record) GK_MUST_CHECK;
uint64_t gk_member_authority_version(const gk_member *m);

/* --- requests --------------------------------------------------------------------------------------------------------------- */

/* gk_member_request makes a request with a fresh one-use key, which replaces that of an earlier request. token: text, or empty. hash names the
 * reply: replies/<hex of hash>. Life: GK_REQUEST_LIFE_MS from now. */
gk_err gk_member_request(gk_member *m, gk_request_kind kind, gk_bytes token, uint64_t now_ms, gk_mem *out, uint8_t hash[GK_HASH]) GK_MUST_CHECK;
/* gk_member_reply: the reply's znode. After GK_FED_JOINED the one-use key is erased. */
gk_verdict gk_member_reply(gk_member *m, gk_bytes reply, uint64_t now_ms) GK_MUST_CHECK;
gk_refusal gk_member_refusal(const gk_member *m);
/* gk_member_reply_name: whether an answer is awaited, and the hash of its request. */
bool gk_member_awaits(const gk_member *m, uint8_t hash[GK_HASH]);

/* --- epochs ----------------------------------------------------------------------------------------------------------------- */

typedef enum gk_need {
    GK_NEED_NOTHING = 0,   /* wait for the next epoch, gk_member_epoch + 1 */
    GK_NEED_EPOCH = 1,     /* read epochs/<arg> */
    GK_NEED_KEK = 2,       /* read members/<arg as 16 hex digits>, feed it, then the epoch again (flat mode) */
    GK_NEED_AUTHORITY = 3, /* read authority/<arg>; not there: a forged message asked for it, go on with epochs/<gk_member_epoch + 1> */
    GK_NEED_REFRESH = 4    /* make a refresh request: what is missing is past the ring, or can't be opened */
} gk_need;

/* gk_member_seen tells the highest epoch number that was seen in a listing of epochs/ (a hint: it is unsigned), and the lowest that is still there. */
void gk_member_seen(gk_member *m, uint64_t lowest, uint64_t highest);
gk_need gk_member_next(const gk_member *m, uint64_t *arg) GK_MUST_CHECK;
/* gk_member_feed: an epoch's znode, or a KEK message of members/<leaf>. Anything that isn't accepted leaves keys and epoch as they were. */
gk_verdict gk_member_feed(gk_member *m, gk_bytes znode, uint64_t now_ms) GK_MUST_CHECK;
/* gk_member_fresh: the znode fresh. */
gk_verdict gk_member_fresh(gk_member *m, gk_bytes record, uint64_t now_ms) GK_MUST_CHECK;

/* --- what it has ------------------------------------------------------------------------------------------------------------ */

gk_member_state gk_member_status(const gk_member *m);
/* gk_member_key: the current group key (a new reference), its epoch and when its message was issued. GK_ERR_NOTFOUND: none. With
 * fail_stale: GK_ERR_STATE when nothing signed was heard for the group's max age. */
gk_err gk_member_key(const gk_member *m, gk_key **key, uint64_t *epoch, uint64_t *issued_ms, bool fail_stale, uint64_t now_ms) GK_MUST_CHECK;
/* gk_member_export_key writes the current group key's 32 bytes, for `--out` (the one way for a key out of a gk_key); the caller wipes them. */
gk_err gk_member_export_key(const gk_member *m, uint8_t out[32]) GK_MUST_CHECK;
/* gk_member_key_of: the key of the current epoch or, while this process runs, of the one before (a new reference): for data on its way. GK_ERR_NOTFOUND:
 * it was erased, or never had. */
gk_err gk_member_key_of(const gk_member *m, gk_key **key, uint64_t epoch) GK_MUST_CHECK;
uint64_t gk_member_epoch(const gk_member *m);         /* of the current key; 0: none */
uint64_t gk_member_highest(const gk_member *m);       /* highest epoch that a signature vouched for */
bool gk_member_stale(const gk_member *m, uint64_t now_ms);
uint64_t gk_member_stale_at(const gk_member *m);      /* when it will be, in ms */
uint64_t gk_member_leaf(const gk_member *m);          /* 0: none */
const uint8_t *gk_member_group_id(const gk_member *m);
const char *gk_member_group_name(const gk_member *m);
const char *gk_member_name(const gk_member *m);
size_t gk_member_key_count(const gk_member *m);       /* of the keys on the path to the root */
/* gk_member_missed: i-th gap, false when there is none: keys of from..to weren't received, and why ("past the ring", "refreshed", "kek overwritten"). */
bool gk_member_missed(const gk_member *m, size_t i, uint64_t *from, uint64_t *to, const char **why);
uint64_t gk_member_count(const gk_member *m, gk_verdict v);

#endif
