/* gk_handshake: ConnectRequest and ConnectResponse. The session password that a client sees is ours, HMAC-SHA256(K_sess, ...); the one
 * that stock makes is a function of the public session id (docs/FORMAT.md, "Session passwords"). */
#ifndef GK_HANDSHAKE_H
#define GK_HANDSHAKE_H

#include "gk_codec.h"

#define GK_SESSION_PASSWORD 16

/* gk_handshake_request writes the body of a ConnectRequest for the server: the password, where the client's is right for its session id, is
 * stock's; else zeros, which stock refuses. GK_ERR_TRUNCATED or GK_ERR_MALFORMED where stock closes. */
gk_err gk_handshake_request(gk_worker *w, gk_writer *out, gk_bytes body) GK_MUST_CHECK;
/* gk_handshake_reply writes the body of a ConnectResponse for the client. */
gk_err gk_handshake_reply(gk_worker *w, gk_writer *out, gk_bytes body) GK_MUST_CHECK;
/* gk_handshake_session: the session id in the body of a ConnectResponse; 0 when it is none. */
uint64_t gk_handshake_session(gk_bytes body);

#endif
