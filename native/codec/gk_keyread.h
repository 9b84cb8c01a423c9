/* gk_keyread: reads of nodes that aren't stored: a group's key node, which becomes one multiRead of the member's child, the members node and the
 * agreement node, and whose answer is derived from that reply alone; and the status node. docs/FORMAT.md, "Groups keyed by the servers". */
#ifndef GK_KEYREAD_H
#define GK_KEYREAD_H

#include "gk_own.h"
#include "gk_session_internal.h"

/* gk_keyread_concerns: a getData of this path is for gk_keyread_request; never when the agreement is off. */
bool gk_keyread_concerns(const gk_codec *c, gk_bytes path);
/* gk_keyread_request writes what is asked of the server instead (header and record) and fills *p, whose xids are set. */
gk_err gk_keyread_request(gk_session *s, gk_worker *w, gk_writer *out, gk_pending *p, gk_bytes path, bool watch) GK_MUST_CHECK;
/* gk_keyread_reply writes the client's reply. r: behind the header of the server's. GK_ERR_NOMEM, GK_ERR_CRYPTO: close the connection. */
gk_err gk_keyread_reply(const gk_session *s, gk_worker *w, gk_writer *out, const gk_pending *p, uint64_t zxid, int32_t err, gk_reader *r) GK_MUST_CHECK;

/* gk_members_is: *is: a node stored under this path with this payload is a members node. For the leader's hook. GK_ERR_NOMEM, GK_ERR_CRYPTO:
 * it can't be told now. */
gk_err gk_members_is(gk_worker *w, bool *is, gk_bytes path, gk_bytes stored) GK_MUST_CHECK;

#endif
