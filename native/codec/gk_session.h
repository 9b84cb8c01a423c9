/* gk_session: one client connection. Requests come in plaintext and go on in stored form; replies and watch events come back. A FIFO of
 * what was asked says what each reply means. Used by one thread at a time (the connection's event loop).
 *
 * Matching: a reply is found by its xid, in the order of requests. Where a client's xid could be taken for something else (not positive:
 * -1 is an event, -2 a ping; auth and sasl, which overtake), the request goes on under a negative xid of our own; the reply gets the client's back. */
#ifndef GK_SESSION_H
#define GK_SESSION_H

#include "gk_codec.h"

typedef struct gk_session gk_session;

gk_err gk_session_new(gk_session **out, gk_codec *c) GK_MUST_CHECK;
/* gk_session_requests takes the complete frames (length i32 | body) at the start of in and appends their stored forms to out; *consumed says
 * how much of in it took. What must close the connection becomes a frame length of -1, on which stock closes; after it everything is
 * swallowed. GK_ERR_SPACE: the next frame needs out->len bytes in all, nothing of it was done or written (out->err stays GK_OK when
 * earlier frames were written). Another error: close the connection. */
gk_err gk_session_requests(gk_session *s, gk_worker *w, gk_writer *out, size_t *consumed, gk_bytes in) GK_MUST_CHECK;
/* gk_session_reply turns one frame from the server (length and body) into one for the client. Writes nothing for an event of a node that
 * isn't ours. GK_ERR_SPACE as above. Another error: nothing may be sent, close the connection. */
gk_err gk_session_reply(gk_session *s, gk_worker *w, gk_writer *out, gk_bytes frame) GK_MUST_CHECK;
/* gk_session_reply_parts: the same for a frame in two pieces, head (length and header) and record. Not for a session's first reply, and not for
 * the answer to a createSession, which have no header: GK_ERR_STATE. */
gk_err gk_session_reply_parts(gk_session *s, gk_worker *w, gk_writer *out, gk_bytes head, gk_bytes record) GK_MUST_CHECK;
/* gk_session_trust: the connection has, from now on, the TLS and the identity that reading groups' keys takes. */
void gk_session_trust(gk_session *s);
/* gk_session_pending: requests without a reply as yet. */
size_t gk_session_pending(const gk_session *s);
void gk_session_free(gk_session *s);

#endif
