/* gk_sim: a ZooKeeper server for one client, as small as tests of the codec allow: a tree in memory, requests as bytes in, replies and events as
 * bytes out. It answers as stock does where paths and payloads matter (docs/FORMAT.md tells what must look the same), and knows nothing of
 * encryption, but for the leader's hook: two of them, one behind a codec and one not, must give a client the same bytes. */
#ifndef GK_SIM_H
#define GK_SIM_H

#include "gk_rig.h"

typedef struct gk_sim gk_sim;

/* gk_sim_new: with a worker, the sequence hook is installed and /zookeeper/config and the like hold what a server puts there. */
gk_sim *gk_sim_new(gk_worker *hook);
/* gk_sim_handle takes a request's body and appends frames: events first, the reply last. */
void gk_sim_handle(gk_sim *s, gk_buf *out, gk_bytes body);
/* gk_sim_closed: the server has closed the connection. */
bool gk_sim_closed(const gk_sim *s);
void gk_sim_reopen(gk_sim *s);
size_t gk_sim_nodes(const gk_sim *s);
/* gk_sim_node gives views of the i-th node's path and payload; the payload may be changed in place (what a storage attacker does). */
void gk_sim_node(gk_sim *s, size_t i, gk_bytes *path, gk_blob *data);
/* gk_sim_replace gives a node another payload. */
void gk_sim_replace(gk_sim *s, size_t i, gk_blob data);
/* gk_sim_rename gives a node another path, as an attacker would: without looking. */
void gk_sim_rename(gk_sim *s, size_t i, gk_bytes path);
void gk_sim_free(gk_sim *s);

#endif
