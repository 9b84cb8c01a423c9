/* What the files of libgroupkeeper share. The engine (gk_member) is changed by the member's own thread alone, under `lock`; callers look at it
 * under `lock`. */
#ifndef GKM_INTERNAL_H
#define GKM_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "../../include/groupkeeper/member.h"
#include "../../native/group/gk_app.h"
#include "../../native/group/gk_member.h"
#include "../common/gk_tree.h"

enum { GKM_TIMEOUT_MS = 5000, GKM_SESSION_MS = 10000, GKM_WHY = 512, GKM_OLD_KEYS = 64, GKM_NOTED = 32, GKM_STATE_MAX = 16 * 1024 * 1024 };

/* What a state file holds besides the engine's state: how to reach the ensemble. */
typedef struct gkm_settings {
    char *connect, *ca, *cert, *key, *auth_file, *root;
} gkm_settings;

typedef struct gkm_old_key {
    gk_key *key;
    uint64_t epoch;
} gkm_old_key;

/* A new key that nobody was told about yet. */
typedef struct gkm_noted {
    gk_key *key;
    gkm_event event;
} gkm_noted;

struct gkm {
    char *file;
    gk_key *state_key;
    gkm_settings settings;
    gkm_callback callback;
    void *arg;
    gk_zk *zk;
    bool by_cert;   /* the certificate is its identity */
    int lock_fd; /* -1: none, this one may not save */
    pthread_t thread;
    bool running;
    bool flat;      /* our own KEK message is worth reading along */
    uint64_t armed; /* the epoch whose node is watched */
    size_t ahead;   /* how many epochs the next read asks for: as many as were there, and one more */
    gkm_noted noted[GKM_NOTED]; /* by the member's own thread */
    size_t noted_n;
    int64_t zxid;   /* of the newest message that was accepted: freshness records from before it are no news */
    int64_t refused_zxid; /* of a node that was refused: judged once */
    size_t missed;  /* gaps that were told */
    int64_t asked_ms;
    char request[GK_TREE_PATH]; /* the node of the newest request; empty: not known */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    gk_member *e;
    uint64_t misplaced; /* old messages in the place of newer ones */
    bool stop, woken, notified, resync, fresh_dirty, reply_dirty, stale_told, out_told;
    bool want_refresh, want_leave; /* set by callers, cleared when the request is written */
    unsigned answers;              /* replies that came */
    gkm_result answer;             /* the last one */
    gkm_old_key old[GKM_OLD_KEYS];
    size_t next_old;
};

/* --- gkm_state.c --- */
gkm_result gkm_new(gkm **out, const gkm_options *o, char *why, size_t why_n);
void gkm_free(gkm *m);
/* gkm_load reads the state file; settings of the options win over those in it. */
gkm_result gkm_load(gkm *m, const gkm_options *o, char *why, size_t why_n);
/* gkm_settle takes the options' settings, paths made absolute. */
bool gkm_settle(gkm *m, const gkm_options *o);
gkm_result gkm_save(gkm *m, char *why, size_t why_n);
gkm_result gkm_lock(gkm *m, char *why, size_t why_n);
/* gkm_identify gives the engine the certificate, when there is one in the settings. */
gkm_result gkm_identify(gkm *m, char *why, size_t why_n);
gkm_result gkm_connect(gkm *m, char *why, size_t why_n);
gkm_result gkm_of(gk_err e);
uint64_t gkm_now(void);

/* --- gkm_tell.c --- */
void gkm_tell(gkm *m, const gkm_event *e);
/* gkm_note remembers the current key, which is new, for gkm_settled. */
void gkm_note(gkm *m, gkm_via via);
/* gkm_settled saves what feeds changed, then tells about the keys that were noted and about v. False: the state could not be saved, so nothing may be used. */
bool gkm_settled(gkm *m, gk_verdict v);
void gkm_tell_out(gkm *m);

/* --- gkm_follow.c --- */
void *gkm_run(void *arg);
/* gkm_catch_up follows the group until there is nothing to read. Without the lock on the state file nothing is saved. */
void gkm_catch_up(gkm *m, bool notified);
void gkm_on_event(void *arg, gk_zk_event event, const char *path);

/* --- gkm_ask.c --- */
/* gkm_path: a node of the group. */
void gkm_path(const gkm *m, char out[GK_TREE_PATH], const char *format, ...) __attribute__((format(printf, 3, 4)));
/* gkm_authority feeds the authority records that the engine doesn't have yet. */
bool gkm_authority(gkm *m);
/* gkm_believe reads genesis and authority: GKM_ARG when there is no such group, GKM_AUTH when it isn't the one to trust. */
gkm_result gkm_believe(gkm *m);
/* gkm_ask writes a request. GKM_CONNECT: it may have arrived all the same. */
gkm_result gkm_ask(gkm *m, gk_request_kind kind, gk_bytes token);
/* gkm_take_reply reads the awaited reply, if it is there: GKM_TIMEOUT when it isn't (watched from now on), GKM_OK when it admitted us. */
gkm_result gkm_take_reply(gkm *m);
/* gkm_approval: ZOK when the leader left word that somebody has to approve the awaited request, ZNONODE when it didn't. */
int gkm_approval(gkm *m);
/* gkm_is_lost: the awaited request is neither where the leader reads it, nor does it wait for approval. One that was refused may seem lost for a moment. */
bool gkm_is_lost(gkm *m);
/* gkm_requests writes what callers or the engine want to ask, and takes the answers. */
void gkm_requests(gkm *m);

#endif
