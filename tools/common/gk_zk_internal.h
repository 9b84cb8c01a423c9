/* What gk_zk.c (the session) and gk_zk_ops.c (its operations) share. */
#ifndef GK_ZK_INTERNAL_H
#define GK_ZK_INTERNAL_H

#include <pthread.h>

#include "gk_zk.h"
#include "gk_zk_tls.h"

struct gk_zk {
    char *connect;
    char *auth_scheme, *auth; /* auth is a secret */
    size_t auth_n;
    gk_zk_tls *tls;
    int session_ms;
    gk_zk_event_fn on_event;
    void *arg;
    pthread_mutex_t lock; /* for all below and for every call's state */
    pthread_cond_t wake;
    zhandle_t *zh;
    unsigned using_zh; /* callers between gk_zk_hold and gk_zk_release */
    bool connected, expired, refused, renewing;
    int64_t lost_ms; /* since when no server answers; 0: one does, or none was reached yet */
};

/* gk_zk_hold gives a handle that is connected, within the time left to deadline; ZOK or an error. gk_zk_release gives it back. */
int gk_zk_hold(gk_zk *z, zhandle_t **zh, int64_t deadline);
void gk_zk_release(gk_zk *z);
/* gk_zk_cond_wait waits with the lock held; false when deadline is past. */
bool gk_zk_cond_wait(gk_zk *z, int64_t deadline);

/* One call under way; freed by whoever is last to need it. */
typedef struct gk_zk_call {
    gk_zk *z;
    bool done, given_up;
    int rc;
    struct Stat stat;
    uint8_t *data; /* of a read, or the path that was made */
    size_t n;
    char **names;
    struct ACL_vector acl;
    zoo_op_result_t *results; /* of a multi, with a Stat each */
    struct Stat *stats;
} gk_zk_call;

/* gk_zk_begin makes a call and holds the handle: ZOK or the reason why not. gk_zk_await waits for a call that was sent when *rc is ZOK: true when its
 * results may be used, else its code is in *rc and it is gone. */
int gk_zk_begin(gk_zk *z, gk_zk_call **c, zhandle_t **zh, int64_t deadline);
bool gk_zk_await(gk_zk *z, gk_zk_call *c, int *rc, int64_t deadline);
void gk_zk_call_free(gk_zk_call *c);
/* Completions; arg is the call. */
void gk_zk_on_void(int rc, const void *arg);
void gk_zk_on_stat(int rc, const struct Stat *stat, const void *arg);
void gk_zk_on_string(int rc, const char *value, const void *arg);
void gk_zk_on_names(int rc, const struct String_vector *v, const void *arg);
void gk_zk_on_data(int rc, const char *value, int n, const struct Stat *stat, const void *arg);
/* gk_zk_take_data gives what a read brought, and frees the call. */
void gk_zk_take_data(gk_zk_data *out, gk_zk_call *c);

#endif
