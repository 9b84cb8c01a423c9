/* gk_zk: a session with ZooKeeper that comes back by itself. A thin layer on ZooKeeper's C client: every call has a limit in time, an expired
 * session is replaced by a new one for ever (the caller is told, since its watches and ephemerals are gone), TLS checks what gk_zk_tls says.
 * Thread-safe, except gk_zk_close, which comes last. Results are ZooKeeper's codes: ZOK, or a negative one (gk_zk_str); ZOPERATIONTIMEOUT
 * when there was no answer in time, in which case a write may still happen. */
#ifndef GK_ZK_H
#define GK_ZK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zookeeper/zookeeper.h>

typedef struct gk_zk gk_zk;

typedef enum gk_zk_event {
    GK_ZK_CONNECTED, /* also after a loss: the client has set its watches again */
    GK_ZK_LOST,      /* no server answers; the session may still live */
    GK_ZK_EXPIRED,   /* the session is over; the next call makes a new one */
    GK_ZK_CHANGED,   /* a watch fired: path was created, deleted or written */
    GK_ZK_CHILDREN   /* a watch fired: path's children changed */
} gk_zk_event;

/* Called in the client's own thread, or in one that waits for a connection: it must neither block nor call gk_zk. path is NULL unless a watch fired. */
typedef void (*gk_zk_event_fn)(void *arg, gk_zk_event event, const char *path);

typedef struct gk_zk_options {
    const char *connect;         /* HOST:PORT,...; no chroot */
    const char *ca, *cert, *key; /* PEM files: TLS where ca is given; cert and key together or not at all */
    const char *auth_file;       /* its first line is SCHEME:CREDENTIALS, as in digest:user:password; NULL for none */
    int session_ms;              /* what to ask the server for */
    gk_zk_event_fn on_event;     /* NULL for none */
    void *arg;
} gk_zk_options;

/* gk_zk_open reads the files and begins to connect; it doesn't wait. False with one sentence in why. Strings are copied. */
bool gk_zk_open(gk_zk **out, const gk_zk_options *o, char *why, size_t why_n);
/* gk_zk_wait waits for a server: ZOK or ZOPERATIONTIMEOUT; gk_zk_problem then has what is known. */
int gk_zk_wait(gk_zk *z, int timeout_ms);
bool gk_zk_connected(gk_zk *z);
void gk_zk_problem(gk_zk *z, char *out, size_t n);
/* gk_zk_close ends the session; NULL is allowed. No other call may be under way. */
void gk_zk_close(gk_zk *z);
const char *gk_zk_str(int rc);
/* gk_zk_now_ms: the monotonic clock. */
int64_t gk_zk_now_ms(void);

/* What a read gives. data is malloc'd and wiped by gk_zk_data_free; n is 0 and data not NULL for an empty node. */
typedef struct gk_zk_data {
    uint8_t *data;
    size_t n;
    struct Stat stat;
    int rc; /* of this read alone */
} gk_zk_data;

void gk_zk_data_free(gk_zk_data *d);

int gk_zk_get(gk_zk *z, const char *path, bool watch, gk_zk_data *out, int timeout_ms);
/* gk_zk_get_many sends n reads at once, and gives the first bad code other than ZNONODE; each result has its own rc. Free all n. */
int gk_zk_get_many(gk_zk *z, const char *const *paths, size_t n, gk_zk_data *out, int timeout_ms);
/* gk_zk_reads: n reads that are sent at once, and with them, when watch isn't NULL, a watch on a node that need not be there yet. gk_zk_reads_take waits for
 * the i-th alone and gives its code; free what it gave. gk_zk_reads_ready: it wouldn't wait. gk_zk_reads_end waits for what wasn't taken and gives the
 * watch's code; *set: its node isn't there. NULL (no memory) is allowed: all fail. */
typedef struct gk_zk_reads gk_zk_reads;
gk_zk_reads *gk_zk_reads_begin(gk_zk *z, const char *const *paths, size_t n, const char *watch, int timeout_ms);
int gk_zk_reads_take(gk_zk_reads *r, size_t i, gk_zk_data *out);
bool gk_zk_reads_ready(gk_zk_reads *r, size_t i);
int gk_zk_reads_end(gk_zk_reads *r, bool *set);
int gk_zk_exists(gk_zk *z, const char *path, bool watch, struct Stat *stat, int timeout_ms);
/* gk_zk_children gives a malloc'd array of n malloc'd names, in no order; gk_zk_names_free frees both. */
int gk_zk_children(gk_zk *z, const char *path, bool watch, char ***names, size_t *n, int timeout_ms);
void gk_zk_names_free(char **names, size_t n);
/* gk_zk_watch_many sends n listings at once, each with a watch on the children; counts[i] is how many there are, -1: not known, and no watch is set. */
void gk_zk_watch_many(gk_zk *z, const char *const *paths, size_t n, int *counts, int timeout_ms);
/* gk_zk_create: mode is one of ZooKeeper's (ZOO_PERSISTENT, ...). made (made_n bytes, or NULL) gets the path made. */
int gk_zk_create(gk_zk *z, const char *path, const void *data, size_t n, const struct ACL_vector *acl, int mode, char *made, size_t made_n,
                 int timeout_ms);
int gk_zk_set(gk_zk *z, const char *path, const void *data, size_t n, int version, int *new_version, int timeout_ms);
int gk_zk_delete(gk_zk *z, const char *path, int version, int timeout_ms);
/* gk_zk_get_acl gives a copy, for gk_zk_acl_free, and the Stat, whose aversion gk_zk_set_acl compares (-1: none). */
int gk_zk_get_acl(gk_zk *z, const char *path, struct ACL_vector *acl, struct Stat *stat, int timeout_ms);
int gk_zk_set_acl(gk_zk *z, const char *path, const struct ACL_vector *acl, int version, int timeout_ms);
void gk_zk_acl_free(struct ACL_vector *acl);
/* gk_zk_sync: later reads on this session see all that was committed before. */
int gk_zk_sync(gk_zk *z, const char *path, int timeout_ms);

typedef struct gk_zk_op {
    enum { GK_ZK_CHECK, GK_ZK_CREATE, GK_ZK_SET, GK_ZK_DELETE } kind;
    const char *path;
    const void *data; /* create and set */
    size_t n;
    const struct ACL_vector *acl; /* create */
    int mode;                     /* create */
    int version;                  /* check, set and delete; -1 for any */
} gk_zk_op;

/* gk_zk_multi: all or nothing. failed (or NULL) gets the index of the operation that failed, else n. versions (n entries, or NULL) gets each
 * set's new version. */
int gk_zk_multi(gk_zk *z, const gk_zk_op *ops, size_t n, size_t *failed, int *versions, int timeout_ms);

/* gk_zk_each sends n creates, sets and deletes at once, each on its own: the first bad code that isn't ZNONODE or ZNODEEXISTS. */
int gk_zk_each(gk_zk *z, const gk_zk_op *ops, size_t n, int timeout_ms);

#endif
