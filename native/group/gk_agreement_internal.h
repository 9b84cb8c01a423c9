/* gk_agreement_internal: the formats of the servers' nodes (gk_agreement_format.c), for the agreement, the derivation and their tests. */
#ifndef GK_AGREEMENT_INTERNAL_H
#define GK_AGREEMENT_INTERNAL_H

#include "gk_agreement.h"
#include "gk_run.h"

/* Why a server made the nonce that it shows. Pinned: it stands in records. */
typedef enum gk_reason {
    GK_REASON_START = 1,   /* its process began */
    GK_REASON_AGE = 2,     /* the secret was max_age old */
    GK_REASON_VOLUME = 3,  /* it had derived max_derivations keys */
    GK_REASON_STALLED = 4, /* a run didn't end */
    GK_REASON_ASKED = 5,   /* gk_agreement_renew */
    GK_REASON_RETURN = 6,  /* its record had gone, or the same servers met again */
    GK_REASON_LOST = 7     /* agreement/current named a secret that nobody here has */
} gk_reason;

#define GK_RECORD_MAX 256

/* A server's record. */
typedef struct gk_record {
    uint64_t id;
    uint8_t nonce[GK_RUN_NONCE];
    gk_reason reason;
    uint32_t seed; /* the id of the keyring's seed that the MAC's key comes from */
    uint8_t fingerprint[8];
    uint8_t public_key[32];
    gk_bytes raw; /* all of it, as in the node; a view */
} gk_record;

/* gk_record_write makes a record: its MAC under the server key, its signature by identity. cap >= GK_RECORD_MAX. */
gk_err gk_record_write(uint8_t *out, size_t cap, size_t *n, const gk_record *rec, const uint8_t ensemble[GK_ID], const gk_key *server,
                       const gk_key *identity) GK_MUST_CHECK;
/* gk_record_read takes a record from the reader, whatever it says; raw is a view. */
gk_err gk_record_read(gk_record *out, gk_reader *r) GK_MUST_CHECK;
/* gk_record_check: GK_OK when MAC and signature are right; else GK_ERR_AUTH. */
gk_err gk_record_check(const gk_record *rec, const uint8_t ensemble[GK_ID], const gk_key *server) GK_MUST_CHECK;

/* What agreement/current says. */
typedef struct gk_current {
    uint8_t run_id[GK_HASH];
    uint8_t hash[GK_HASH];
    size_t n;
    uint64_t ids[GK_AGREEMENT_SERVERS];
    uint8_t nonces[GK_AGREEMENT_SERVERS][GK_RUN_NONCE];
} gk_current;

#define GK_CURRENT_MAX (2 + 32 + 2 * GK_HASH + 2 + GK_AGREEMENT_SERVERS * (8 + GK_RUN_NONCE))

gk_err gk_current_write(uint8_t *out, size_t cap, size_t *n, const gk_current *c) GK_MUST_CHECK;
/* gk_current_read: ids ascend, there is one at least; whether run_id is theirs isn't looked at. */
gk_err gk_current_read(gk_current *out, gk_bytes data) GK_MUST_CHECK;

/* gk_why writes why a run among these parties begins where before is in force (NULL: nothing is): a line, terminated, cut to cap. reasons: one per
 * party. */
void gk_why(char *out, size_t cap, const gk_current *before, const gk_party *parties, const gk_reason *reasons, size_t n);

/* --- the state machine (gk_agreement.c, gk_agreement_look.c) ---------------------------------------------------------------- */

/* A server whose record is in the snapshot and authentic. */
typedef struct gk_server {
    gk_record record;
    gk_bytes messages; /* what stands behind the record; a view */
} gk_server;

/* A snapshot, understood. Views are into the caller's nodes. */
typedef struct gk_look {
    gk_server others[GK_AGREEMENT_SERVERS]; /* ascending by id, without this server */
    size_t n;
    bool too_many;
    const gk_agreement_node *own;     /* this server's node, NULL: not there */
    const gk_agreement_node *current; /* agreement/current, NULL: not there */
    gk_current agreed;                /* what it says; n = 0: nothing that can be read */
    uint64_t odd;                     /* sums up what was ignored: changes when that does */
    size_t n_odd;
} gk_look;

/* A record that was checked before needs no second check. */
typedef struct gk_checked {
    uint64_t id;
    uint8_t raw[GK_RECORD_MAX];
    size_t n;
} gk_checked;

#define GK_RUNS_KEPT 64

struct gk_agreement {
    uint64_t id;
    gk_keyring *keyring;
    gk_key *identity;
    uint64_t max_age_ms;
    uint64_t max_derivations;
    gk_secrets *secrets;
    gk_checked checked[GK_AGREEMENT_SERVERS];

    gk_record record; /* this server's own */
    uint8_t raw[GK_RECORD_MAX];
    size_t raw_n;
    bool seen; /* it was in a snapshot */

    gk_run *run;             /* the one that is going on, or NULL */
    gk_current offered;      /* agreed on by all, not in force yet; n = 0: none */
    gk_current in_use;       /* in force, and its secret is here; n = 0: none */
    uint8_t run_id[GK_HASH]; /* of the last run that began here */
    uint8_t set_id[GK_HASH]; /* of the run among those who serve now */
    size_t rank;             /* this server's place among them */
    bool stuck;              /* the last run failed: wait for a change, or a new nonce after a while */
    bool lost;               /* agreement/current doesn't name a secret that is here, and did before */
    bool asked;
    unsigned stalls; /* in a row */
    uint64_t run_began;
    uint64_t offered_at;
    uint64_t in_use_at;
    uint64_t again_at;                    /* when the same servers were seen to meet again; 0: they didn't */
    uint8_t known[GK_RUNS_KEPT][GK_HASH]; /* the last runs that began here */
    size_t n_known;

    uint8_t messages[GK_AGREEMENT_NODE]; /* this server's, of the last run: others may still need them */
    size_t messages_n;
    uint8_t node[GK_AGREEMENT_NODE]; /* what its node is to hold */
    size_t node_n;
    uint8_t current[GK_CURRENT_MAX]; /* what agreement/current is to hold */
    size_t current_n;

    uint64_t odd;
    uint64_t serving[GK_AGREEMENT_SERVERS];
    size_t n_serving;
    uint64_t runs_started;
    uint64_t runs_finished;
    uint64_t refused;
    uint64_t run_ms;
    char why[GK_AGREEMENT_WHY];
};

/* gk_agreement_look understands a snapshot. GK_ERR_NOMEM, GK_ERR_CRYPTO: it couldn't be checked. */
gk_err gk_agreement_look(gk_agreement *a, gk_look *out, const gk_agreement_node *nodes, size_t n) GK_MUST_CHECK;
/* gk_agreement_parties: those who serve, this server with its present nonce among them, at the place own; their number. */
size_t gk_agreement_parties(const gk_agreement *a, const gk_look *l, gk_party *parties, gk_reason *reasons, size_t *own);
/* gk_agreement_server_key derives the key of records' MACs from the seed with this id; GK_ERR_NOTFOUND when the keyring hasn't got it. */
gk_err gk_agreement_server_key(gk_key **out, const gk_keyring *kr, uint32_t seed) GK_MUST_CHECK;

/* gk_agreement_begin gives up the run that is going on, if any, and begins one among these, whose id is a->set_id. */
gk_err gk_agreement_begin(gk_agreement *a, const gk_look *l, gk_agreement_step_out *out, uint64_t now, const gk_party *parties,
                          const gk_reason *reasons, size_t n) GK_MUST_CHECK;
/* gk_agreement_converse gives the run what the others said, and goes on with it as far as that goes. */
gk_err gk_agreement_converse(gk_agreement *a, gk_look *l, uint64_t now) GK_MUST_CHECK;

#endif
