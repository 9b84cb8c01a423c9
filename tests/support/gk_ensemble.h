/* gk_ensemble: servers that agree through a replicated store, in one process, for tests. The store keeps nodes with versions and owners as ZooKeeper
 * does; sessions end, servers are killed and restarted between any two writes; a server sees the store as of its last read, which may be torn
 * (agreement/current of one moment, servers/ of a later one). Not thread-safe. */
#ifndef GK_ENSEMBLE_H
#define GK_ENSEMBLE_H

#include "../../native/group/gk_agreement_internal.h"

#define ENSEMBLE_SERVERS 70
#define ENSEMBLE_NODES (ENSEMBLE_SERVERS + 2)

typedef struct ensemble_node {
    bool there;
    char name[GK_AGREEMENT_NAME];
    uint8_t data[GK_AGREEMENT_NODE + 64];
    size_t n;
    int32_t version;
    uint64_t owner; /* session; 0: persistent */
} ensemble_node;

typedef struct ensemble_server {
    uint64_t id;     /* 0: this place is empty */
    gk_agreement *a; /* NULL: not running */
    uint64_t session;
    ensemble_node view[ENSEMBLE_NODES];
    bool half_read;      /* agreement/current is read, servers/ is still to be read */
    unsigned kill_after; /* writes until it is killed; 0: it isn't */
    uint64_t wake_ms;
    unsigned events; /* all since the start, in bits */
} ensemble_server;

typedef struct ensemble {
    gk_keyring *keyring;
    uint64_t now_ms;
    uint64_t next_session;
    uint64_t writes; /* that changed something */
    uint64_t current_writes;
    ensemble_node nodes[ENSEMBLE_NODES];
    ensemble_server servers[ENSEMBLE_SERVERS];
    uint64_t max_age_ms;
    uint64_t max_derivations;
    uint8_t ks_ids[4096][GK_KS_ID]; /* every key id seen so far, with the key of one fixed view */
    uint8_t keys[4096][GK_VIEW_KEY];
    size_t n_keys;
    const char *broken; /* the first promise that was broken, or NULL */
} ensemble;

/* ensemble_new, ensemble_free: aborts when memory is short. */
ensemble *ensemble_new(gk_keyring *kr);
void ensemble_free(ensemble *e);
/* ensemble_start runs a server (again): a new process with a new session; what it left behind stays until its session ends. */
void ensemble_start(ensemble *e, uint64_t id);
void ensemble_start_as(ensemble *e, uint64_t id, gk_key *identity, gk_keyring *kr);
/* ensemble_kill: kill -9. Its session lives on until ensemble_expire. */
void ensemble_kill(ensemble *e, uint64_t id);
/* ensemble_expire ends a server's sessions but the one of a running process; with_own: that one, too, and it gets another. */
void ensemble_expire(ensemble *e, uint64_t id, bool with_own);
ensemble_server *ensemble_find(ensemble *e, uint64_t id);
ensemble_node *ensemble_node_of(ensemble *e, const char *name);
/* ensemble_put writes a node as anybody can who writes to the replicated state. */
void ensemble_put(ensemble *e, const char *name, gk_bytes data, uint64_t owner);
/* ensemble_read lets a server read: agreement/current, and with whole servers/ as well. */
void ensemble_read(ensemble *e, ensemble_server *s, bool whole);
/* ensemble_act lets a server step on what it has read, and write; each write is lost when lose says so. */
gk_err ensemble_act(ensemble *e, ensemble_server *s, bool (*lose)(void *), void *arg);
/* ensemble_settle lets all read and act in turn, with time going on, until nothing changes any more; false when it doesn't come to rest within
 * ms. */
bool ensemble_settle(ensemble *e, uint64_t ms);
/* ensemble_agreed: every running server holds the same secret, made by exactly those that run; its id goes to ks_id. */
bool ensemble_agreed(ensemble *e, uint8_t ks_id[GK_KS_ID]);

#endif
