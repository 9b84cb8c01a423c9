/* gk_run: one run of a group key agreement among known parties, as one of them: messages in, messages out, in the end one secret that all of them
 * hold and nobody else (docs/FORMAT.md, "Runs"). Two protocols behind one interface:
 *   TGDH  tree-based group Diffie-Hellman (Kim, Perrig, Tsudik: Tree-based group key agreement, 2004) over X25519: everybody contributes
 *   CKD   centralised key distribution: the first party makes the key and sends it to each other party under a pairwise Diffie-Hellman key
 *
 * Join, leave, merge, partition and refresh are one operation here: free the run that was, begin one among those who are there now. A change
 * during a run (a cascade) is the same. Each run takes fresh private keys from all, and erases them as soon as the secret stands, or when it is
 * freed: nothing that is left over opens another run. A run's id comes from the parties' ids and nonces, so a set of parties that meets again
 * needs a new nonce of at least one of them; a party takes part in runs with its own present nonce alone.
 *
 * Messages may be lost (send them again: gk_run_sent), doubled, reordered, replayed from other runs, changed or made up: what isn't signed by
 * a party of this run, for this place in this run, is refused and changes nothing. Not thread-safe: one thread at a time uses a run. */
#ifndef GK_RUN_H
#define GK_RUN_H

#include "../crypto/gk_key.h"

#define GK_RUN_PARTIES 1024 /* the most parties of a run */
#define GK_RUN_SENT 3       /* the most messages that a party sends in a run */
#define GK_RUN_HASH 32
#define GK_RUN_NONCE 32

typedef struct gk_run gk_run;

typedef enum gk_protocol { GK_TGDH = 1, GK_CKD = 2 } gk_protocol; /* pinned: they stand in messages */

typedef struct gk_party {
    uint64_t id;
    uint8_t nonce[GK_RUN_NONCE];
    uint8_t public_key[32]; /* Ed25519 */
} gk_party;

/* What a run cost this party. */
typedef struct gk_run_counts {
    uint32_t x25519_base;   /* multiplications of the base point: public keys made */
    uint32_t x25519_shared; /* Diffie-Hellman agreements */
    uint32_t signatures;    /* made */
    uint32_t checks;        /* signatures checked */
    uint32_t refused;       /* messages refused */
} gk_run_counts;

/* gk_run_id: the id of a run among these parties, n <= GK_RUN_PARTIES, ascending by id (else GK_ERR_ARG). ensemble: 16 bytes that tell groups of
 * parties apart. */
gk_err gk_run_id(uint8_t out[GK_RUN_HASH], const uint8_t ensemble[16], const gk_party *parties, size_t n) GK_MUST_CHECK;
/* gk_run_new begins a run as the party self, which is among the n >= 1 parties with the public half of identity (GK_PURPOSE_SIGN); else
 * GK_ERR_ARG. The parties are copied, a reference to identity is kept. */
gk_err gk_run_new(gk_run **out, gk_protocol protocol, const uint8_t ensemble[16], const gk_party *parties, size_t n, uint64_t self,
                  gk_key *identity) GK_MUST_CHECK;
/* gk_run_receive takes a message of another party, in any order. GK_OK: it is new, or known already; now gk_run_advance. GK_ERR_NOTFOUND: of
 * another run, or protocol. GK_ERR_AUTH: not authentic, or not this sender's to send. GK_ERR_EXISTS: the sender said something else in its place before; that
 * stands. GK_ERR_TRUNCATED, GK_ERR_MALFORMED, GK_ERR_VERSION: no message. GK_ERR_NOMEM. */
gk_err gk_run_receive(gk_run *r, gk_bytes message) GK_MUST_CHECK;
/* gk_run_advance computes what can be computed now, which may make messages to send. GK_ERR_AUTH: a party's public key has small order, or a
 * party confirmed another secret: the run has failed for good, and all its secrets are erased. GK_ERR_NOMEM, GK_ERR_CRYPTO: call it again. */
gk_err gk_run_advance(gk_run *r) GK_MUST_CHECK;
/* gk_run_sent: this party's message number i (0, 1, ...), a view into r; empty when there is none yet. */
gk_bytes gk_run_sent(const gk_run *r, size_t i);
/* gk_run_agreed: all parties have confirmed the secret. */
bool gk_run_agreed(const gk_run *r);
/* gk_run_secret: K_s (GK_PURPOSE_AGREED) and the transcript's hash, once gk_run_agreed; NULL before. Owned by r: take a reference. */
gk_key *gk_run_secret(const gk_run *r);
const uint8_t *gk_run_hash(const gk_run *r);
/* gk_run_name: the run's id, 32 bytes. A view into r. */
const uint8_t *gk_run_name(const gk_run *r);
/* gk_run_parties: the n parties. A view into r. */
const gk_party *gk_run_parties(const gk_run *r, size_t *n);
const gk_run_counts *gk_run_count(const gk_run *r);
/* gk_run_free erases all secrets of the run. NULL is allowed. */
void gk_run_free(gk_run *r);

#endif
