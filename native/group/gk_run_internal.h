/* gk_run_internal: what gk_run.c (messages, transcript, confirmation) shares with the protocols gk_tgdh.c and gk_ckd.c, and with their tests. */
#ifndef GK_RUN_INTERNAL_H
#define GK_RUN_INTERNAL_H

#include "gk_run.h"

#define GK_RUN_CONFIRM 0 /* the node number of a confirmation; a protocol's own start at 1 */
#define GK_RUN_BK 32     /* a blinded key: an X25519 public key */

/* A place for a message's payload. */
typedef struct gk_run_value {
    uint8_t *p;   /* NULL: not there yet */
    size_t n;     /* its length; 0: nobody fills this place */
    size_t party; /* the index of the party that does */
    uint32_t seq; /* as this message of that party's */
} gk_run_value;

/* What makes a protocol. Each place (node) is filled by one party, its owner. */
typedef struct gk_run_ops {
    /* slots: one more than the greatest node number, for n parties */
    size_t (*slots)(size_t n);
    /* owner: the index of the party that fills this node, and the payload's length; n parties. false: nobody does */
    bool (*owner)(size_t n, size_t node, size_t *party, size_t *len);
    /* work computes what can be computed; gk_run_fill makes a message of what is this party's. When r->root is made it is done. */
    gk_err (*work)(gk_run *r);
} gk_run_ops;

struct gk_run {
    const gk_run_ops *ops;
    gk_protocol protocol;
    uint8_t id[GK_RUN_HASH];
    gk_party *parties;
    size_t n;
    size_t me;
    gk_key *identity;
    gk_run_value *values; /* by node number */
    size_t n_values;
    uint8_t (*confirms)[32]; /* by party */
    bool *confirmed;         /* by party: there, not yet compared */
    uint32_t *own_nodes;     /* by party: how many nodes it fills; its confirmation comes after them */
    gk_run_value sent[GK_RUN_SENT];
    size_t n_sent;
    uint32_t node;  /* TGDH: where on its path this party is */
    gk_key *secret; /* TGDH: the key of that node; CKD: this party's private key */
    gk_key *root;   /* the protocol's result */
    gk_key *ks;
    uint8_t hash[GK_RUN_HASH];
    bool agreed;
    bool failed;
    gk_run_counts counts;
};

extern const gk_run_ops gk_run_tgdh;
extern const gk_run_ops gk_run_ckd;

/* gk_run_fill puts a value in a node that is this party's and makes the message. Called once a node. */
gk_err gk_run_fill(gk_run *r, size_t node, gk_bytes payload) GK_MUST_CHECK;
/* gk_run_send makes the next message of this party. */
gk_err gk_run_send(gk_run *r, size_t node, gk_bytes payload) GK_MUST_CHECK;
/* gk_run_public: gk_x25519_public, counted. */
gk_err gk_run_public(gk_run *r, uint8_t out[GK_RUN_BK], const gk_key *k) GK_MUST_CHECK;
/* gk_run_agree: gk_x25519_agree, counted, with salt = u16 length | label and info = run id | node u32 | left BK | right BK. */
gk_err gk_run_agree(gk_run *r, gk_key **out, gk_purpose purpose, const gk_key *k, const uint8_t peer[GK_RUN_BK], const char *label,
                    uint32_t node, const uint8_t left[GK_RUN_BK], const uint8_t right[GK_RUN_BK]) GK_MUST_CHECK;
/* gk_run_label writes u16 length | text, as each construction begins. */
void gk_run_label(gk_writer *w, const char *text);
/* gk_run_expect reads such a label: GK_ERR_VERSION when it is another one of ours, GK_ERR_MALFORMED when it isn't. */
gk_err gk_run_expect(gk_reader *r, const char *text) GK_MUST_CHECK;
/* gk_run_sha256 writes SHA-256 of the parts in order; zeros on failure. */
gk_err gk_run_sha256(uint8_t out[GK_RUN_HASH], const gk_bytes *parts, size_t n) GK_MUST_CHECK;

#endif
