/* What gk_session.c, gk_request.c and gk_reply.c share. */
#ifndef GK_SESSION_INTERNAL_H
#define GK_SESSION_INTERNAL_H

#include "gk_path.h"
#include "gk_session.h"

/* What stands behind a reply that isn't the server's own (gk_keyread.h). */
typedef enum gk_front { GK_FRONT_NONE, GK_FRONT_KEY, GK_FRONT_STATUS, GK_FRONT_REFUSED } gk_front;

typedef struct gk_part {
    gk_node node;   /* of the part's path */
    int64_t length; /* of the plaintext payload, where the request tells; else -1 */
} gk_part;

/* gk_pending: a request without a reply as yet. */
typedef struct gk_pending {
    int32_t client_xid, server_xid;
    const gk_opcode *op; /* NULL: refused, the reply is an error without a body */
    gk_node node;        /* of the request's path */
    int64_t length;      /* of the plaintext payload, where the request tells; else -1 */
    gk_part *parts;      /* a multi's; owned */
    uint32_t n_parts;
    uint8_t *prefix;     /* getEphemerals: the prefix asked for; owned */
    size_t prefix_n;
    uint8_t front;       /* gk_front */
    int32_t refusal;     /* GK_FRONT_REFUSED: the error that the client gets */
} gk_pending;

typedef enum gk_phase { GK_PHASE_HANDSHAKE, GK_PHASE_OPEN, GK_PHASE_CLOSED } gk_phase;

struct gk_session {
    gk_codec *codec;
    gk_phase requests, replies;
    int32_t next_xid;    /* the next server_xid of our own */
    uint64_t id;         /* ZooKeeper's session id, from the handshake's reply */
    bool may_read_keys;  /* the connection's TLS and identity do for reading groups' keys */
    bool asked_current;  /* the client has asked for the agreement node, so its events are for it */
    gk_pending *ring;    /* head..head+n, capacity a power of two */
    size_t cap, head, n;
};

/* gk_pending_clear frees what *p owns. */
void gk_pending_clear(gk_pending *p);
/* gk_session_push appends a request; it owns what *p owns from then on. GK_ERR_NOMEM: it doesn't. */
gk_err gk_session_push(gk_session *s, const gk_pending *p) GK_MUST_CHECK;
/* gk_session_take removes the first request with this server_xid; false when there is none. The caller clears *out. */
bool gk_session_take(gk_session *s, int32_t server_xid, gk_pending *out);

/* gk_session_take_created removes the first createSession, whose answer has no xid. */
bool gk_session_take_created(gk_session *s, gk_pending *out);
/* gk_session_unread puts a request back that gk_session_take gave, at the head. */
gk_err gk_session_unread(gk_session *s, const gk_pending *p) GK_MUST_CHECK;

/* gk_request_rewrite writes the stored form of a request's body (header and record) and fills *p. */
gk_err gk_request_rewrite(gk_session *s, gk_worker *w, gk_writer *out, gk_pending *p, gk_bytes body) GK_MUST_CHECK;

#endif
