/* What gk_sim.c (the tree, watches) and gk_sim_ops.c (requests) share. */
#ifndef GK_SIM_INTERNAL_H
#define GK_SIM_INTERNAL_H

#include "gk_sim.h"

enum {
    SIM_OK = 0,
    SIM_INCONSISTENCY = -2,
    SIM_MARSHALLING = -5,
    SIM_UNIMPLEMENTED = -6,
    SIM_BADARGUMENTS = -8,
    SIM_NONODE = -101,
    SIM_BADVERSION = -103,
    SIM_NOCHILDREN = -108,
    SIM_NODEEXISTS = -110,
    SIM_NOTEMPTY = -111,
    SIM_NOWATCHER = -121
};
enum { SIM_CREATED = 1, SIM_DELETED = 2, SIM_CHANGED = 3, SIM_CHILDREN = 4 };
enum { SIM_WATCH_DATA, SIM_WATCH_CHILDREN, SIM_WATCH_PERSISTENT, SIM_WATCH_RECURSIVE };

typedef struct sim_node {
    gk_buf path, data, acl;
    bool null;
    int64_t czxid, mzxid, pzxid, owner;
    int32_t version, cversion, aversion;
} sim_node;

typedef struct sim_watch {
    gk_buf path;
    int kind;
} sim_watch;

struct gk_sim {
    gk_worker *hook;
    bool closed;
    int64_t zxid;
    sim_node *nodes;
    size_t n, cap;
    sim_watch *watches;
    size_t n_watches, watches_cap;
    gk_buf events; /* frames that go out before the reply */
};

#define SIM_SESSION 0x1234

/* The tree. Nodes are found by their paths' bytes; "" is the root. */
sim_node *sim_find(gk_sim *s, gk_bytes path);
/* sim_parent: path up to the last '/', as String.substring gives it; false without a '/'. */
bool sim_parent(gk_bytes path, gk_bytes *parent);
bool sim_valid(gk_bytes path);
sim_node *sim_add(gk_sim *s, gk_bytes path, gk_blob data, gk_bytes acl, int64_t owner);
void sim_remove(gk_sim *s, sim_node *n);
/* sim_is_child: path is exactly one component below parent; deep: any number. */
bool sim_is_child(gk_bytes parent, gk_bytes path, bool deep);
int32_t sim_children(gk_sim *s, gk_bytes path);
void sim_stat(gk_sim *s, gk_buf *out, const sim_node *n);
/* sim_snapshot copies all nodes; sim_restore puts them back and frees the copy, sim_forget frees it only. */
typedef struct sim_copy {
    sim_node *nodes;
    size_t n;
} sim_copy;
sim_copy sim_snapshot(const gk_sim *s);
void sim_restore(gk_sim *s, sim_copy *copy);
void sim_forget(sim_copy *copy);

void sim_watch_add(gk_sim *s, gk_bytes path, int kind);
bool sim_watch_drop(gk_sim *s, gk_bytes path, bool remove);
/* sim_fire appends the events of a change of path to s->events. */
void sim_fire(gk_sim *s, gk_bytes path, int type);
void sim_event(gk_sim *s, gk_bytes path, int type, int64_t zxid);

#endif
