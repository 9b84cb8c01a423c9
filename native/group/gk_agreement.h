/* gk_agreement: the servers of an ensemble agree on a secret K_s, through replicated nodes, by TGDH (gk_run). A pure state machine: it is shown what
 * the nodes hold and what time it is, and says what to write next. No sockets, no clock, no threads, no global state. The formats are in
 * docs/FORMAT.md ("Agreement of the servers"), the reasons in docs/DESIGN.md.
 *
 * How it is driven (one thread per server process; see "The loop" below):
 *
 *   nodes, relative to the root of Groupkeeper's own nodes (/zookeeper/groupkeeper):
 *     servers/<id>        one *ephemeral* node per serving server (observers, too), <id> in decimal: its record (id, a nonce made in this process's
 *                         life, its Ed25519 public key, the keyring's fingerprint) and its messages of the run that is going on
 *     agreement/current   one *persistent* node: which agreement is in force (run id, transcript hash, participants). Written once per agreement,
 *                         so a stock data watch on it tells of a new server secret
 *
 *   The loop: 1. read agreement/current, *then* the children of servers/ and each one's data (with versions and owners), all with watches; what
 *     is missing is left out of the snapshot. In this order, no server puts into force what was left behind before it looked.
 *     2. gk_agreement_step. 3. Carry out the
 *     writes it gave, in order, each on its own. 4. Wait for a watch, for a write's answer, or until wake_ms; go to 1. The outputs are a
 *     function of the snapshot and of the secrets of this run, so a write that failed for whatever reason (BADVERSION, NODEEXISTS, NONODE,
 *     connection loss, an answer that never came) needs no care: read again, step again. A snapshot need not be of one zxid.
 *     Nothing but writes that change something is asked for, so a server at rest writes nothing.
 *   Sessions: when the in-process session was lost and replaced, go on with the same gk_agreement: the step writes the record anew. A restarted
 *     process makes a new gk_agreement, hence a new nonce, hence the others start a new run when they see its record. Renewed sessions
 *     (change of leader) change nothing.
 *   Reads: gk_agreement_secrets gives the holder for gk_derive_view, to be used by any thread while this one steps.
 *
 * Not thread-safe but for what gk_secrets promises: one thread at a time uses a gk_agreement. */
#ifndef GK_AGREEMENT_H
#define GK_AGREEMENT_H

#include "../keyring/gk_keyring.h"
#include "gk_derive.h"

#define GK_AGREEMENT_SERVERS 64 /* the most that take part; more records than that: no run */
#define GK_AGREEMENT_NAME 32    /* longest name of a node with its terminator */
#define GK_AGREEMENT_NODE 4096  /* longest data of a node, in bytes; a longer one is ignored */
#define GK_AGREEMENT_WHY 256    /* a line that says why a run began, with its terminator */

typedef struct gk_agreement gk_agreement;

typedef struct gk_agreement_config {
    uint64_t server_id;  /* ZooKeeper's myid; any fixed number for a standalone server; not 0 */
    gk_keyring *keyring; /* a reference is taken */
    gk_key *identity; /* this server's Ed25519 private key (GK_PURPOSE_SIGN; a reference is taken), or NULL: one is made for this process's
                                 life, in memory alone (docs/DESIGN.md says why that is enough) */
    uint64_t max_age_ms;      /* a new agreement when one is this old; 0: never by age */
    uint64_t max_derivations; /* a new agreement when a server derived so many view keys from one; 0: never by volume */
} gk_agreement_config;

/* One node of a snapshot. The views need to live during the step alone. */
typedef struct gk_agreement_node {
    const char *name; /* "servers/3" or "agreement/current", terminated; other names are ignored */
    gk_bytes data;
    int32_t version; /* of its Stat: dataVersion */
    bool mine;       /* its ephemeralOwner is the session that will carry out the writes. Looked at for this server's own record only */
} gk_agreement_node;

typedef enum gk_agreement_op {
    GK_AGREEMENT_CREATE = 1, /* create: ephemeral where `ephemeral` is set, else persistent */
    GK_AGREEMENT_SET = 2,    /* setData with the expected version */
    GK_AGREEMENT_REPLACE =
        3 /* multi {delete with the expected version, create ephemeral}: the node was another session's, of an earlier life */
} gk_agreement_op;

typedef struct gk_agreement_write {
    gk_agreement_op op;
    bool ephemeral;
    char name[GK_AGREEMENT_NAME];
    gk_bytes data;   /* a view into the gk_agreement, until its next step or free */
    int32_t version; /* expected; for GK_AGREEMENT_SET and GK_AGREEMENT_REPLACE */
} gk_agreement_write;

/* What a step did; bits. Each is worth a line in the log or a metric. */
typedef enum gk_agreement_event {
    GK_AGREEMENT_STARTED = 1,   /* a run began (status.why says why) */
    GK_AGREEMENT_ABANDONED = 2, /* the run before was given up: the set of servers changed, or it stood still */
    GK_AGREEMENT_ACTIVATED = 4, /* a new secret is in use */
    GK_AGREEMENT_LOST = 8, /* agreement/current names a secret that this server hasn't got: derived reads answer with a retryable error */
    GK_AGREEMENT_REFUSED =
        16 /* a record, a message or agreement/current was ignored, because it isn't authentic or not what it should be */
} gk_agreement_event;

typedef struct gk_agreement_step_out {
    gk_agreement_write writes[2];
    size_t n_writes;
    uint64_t wake_ms; /* step again at this time at the latest, even if nothing happens; on the clock of now_ms */
    unsigned events;  /* gk_agreement_event bits */
} gk_agreement_step_out;

typedef struct gk_agreement_status {
    bool in_use;             /* agreement/current names the secret that this server holds (as of the last step) */
    bool running;            /* a run is going on */
    uint8_t ks_id[GK_KS_ID]; /* these five are of the agreement in use here; zeros without one */
    uint8_t run_id[GK_HASH];
    uint64_t participants[GK_AGREEMENT_SERVERS]; /* server ids, ascending */
    size_t n_participants;
    uint64_t age_ms;                        /* since it came into use here */
    uint64_t derivations;                   /* by this server, from this secret */
    uint64_t all_derivations;               /* by this server, in this process's life */
    uint64_t runs_started;                  /* in this process's life */
    uint64_t runs_finished;                 /* of these, ended in a secret in use */
    uint64_t refused;                       /* nodes and messages that were ignored as not authentic */
    uint64_t run_ms;                        /* from the start of the last finished run to its activation */
    uint64_t serving[GK_AGREEMENT_SERVERS]; /* ids of the authentic records in the last snapshot, ascending */
    size_t n_serving;
    char why
        [GK_AGREEMENT_WHY]; /* why the last run began: "start 1", "join 4", "leave 2", "restart 3", "age 1", "volume 2", "stalled 1"; several
                                   joined by "; ", ids by "," */
} gk_agreement_status;

/* gk_agreement_new makes the state machine of one server process with a fresh nonce. why (at most why_n bytes, terminated, may be NULL) gets one
 * line that says what to do. GK_ERR_ARG, GK_ERR_NOMEM, GK_ERR_CRYPTO. */
gk_err gk_agreement_new(gk_agreement **out, const gk_agreement_config *config, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_agreement_step looks at a snapshot and advances. now_ms: a monotonic clock in milliseconds. Whatever the nodes hold is checked here; nothing in
 * them is an error to the caller. GK_ERR_NOMEM, GK_ERR_CRYPTO: the step couldn't be done; out is empty but for wake_ms, and the next step tries
 * again. */
gk_err gk_agreement_step(gk_agreement *a, gk_agreement_step_out *out, uint64_t now_ms, const gk_agreement_node *nodes,
                         size_t n) GK_MUST_CHECK;
/* gk_agreement_renew asks for a new agreement (an operator's wish): the next step writes a new nonce. */
gk_err gk_agreement_renew(gk_agreement *a) GK_MUST_CHECK;
/* gk_agreement_get_status fills out with what is known since the last step; now_ms is for age_ms. */
void gk_agreement_get_status(const gk_agreement *a, gk_agreement_status *out, uint64_t now_ms);
/* gk_agreement_secrets: the holder that readers derive from; owned by a, take a reference (gk_secrets_ref) for other threads. */
gk_secrets *gk_agreement_secrets(const gk_agreement *a);
/* gk_agreement_free wipes everything, secrets in use included (readers get GK_ERR_NOTFOUND from then on). NULL is allowed. */
void gk_agreement_free(gk_agreement *a);

#endif
