/* gk_own: the servers' own nodes, /zookeeper/groupkeeper and below (docs/FORMAT.md, "Groups keyed by the servers"). Their names are stored as they
 * are; no client's name is, so no client can name them, but for the agreement node, which all may read and watch. What clients see of
 * /zookeeper is shown as if they weren't there. */
#ifndef GK_OWN_H
#define GK_OWN_H

#include "../group/gk_served.h"
#include "gk_path.h"

/* gk_own_is_child: the stored name token below *node is an own node's. */
bool gk_own_is_child(const gk_node *node, gk_bytes token);
/* gk_own_is_current: path is the agreement node's. */
bool gk_own_is_current(gk_bytes path);
/* gk_own_node gives the node of an own path that starts with GK_OWN_ROOT. GK_ERR_ARG: it isn't such a path. */
gk_err gk_own_node(gk_worker *w, gk_node *node, gk_bytes path) GK_MUST_CHECK;
/* gk_own_seal and gk_own_open: the stored payload of an own node, from and to its plaintext. */
gk_err gk_own_seal(gk_worker *w, gk_writer *out, gk_bytes path, gk_bytes data) GK_MUST_CHECK;
gk_err gk_own_open(gk_worker *w, gk_writer *out, gk_bytes path, gk_bytes stored) GK_MUST_CHECK;
/* gk_own_seen tells the codec what the tree holds: /zookeeper/groupkeeper's czxid (0: not there), its payload's plaintext, and the number of own
 * nodes. Any thread. */
void gk_own_seen(gk_codec *c, int64_t czxid, gk_bytes root, int32_t nodes);
/* gk_own_hide changes a Stat of GK_STAT_SIZE bytes that belongs to /zookeeper, in place. */
void gk_own_hide(const gk_codec *c, uint8_t *stat);

#endif
