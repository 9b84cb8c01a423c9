#include "gk_session.h"

#include <stdlib.h>
#include <string.h>

#include "../wire/gk_jute.h"
#include "gk_handshake.h"
#include "gk_session_internal.h"

#define FIRST_OWN_XID (-1000)

gk_err gk_session_new(gk_session **out, gk_codec *c)
{
    gk_session *s = calloc(1, sizeof *s);
    if (!s)
        return GK_ERR_NOMEM;
    s->codec = c;
    s->next_xid = FIRST_OWN_XID;
    *out = s;
    return GK_OK;
}

void gk_pending_clear(gk_pending *p)
{
    free(p->parts);
    if (p->prefix)
        gk_wipe(p->prefix, p->prefix_n);
    free(p->prefix);
    p->parts = NULL;
    p->prefix = NULL;
}

static gk_pending *slot(gk_session *s, size_t i)
{
    return &s->ring[(s->head + i) & (s->cap - 1)];
}

static gk_err make_room(gk_session *s)
{
    if (s->n < s->cap)
        return GK_OK;
    size_t cap = s->cap ? s->cap * 2 : 4;
    gk_pending *ring = calloc(cap, sizeof *ring);
    if (!ring)
        return GK_ERR_NOMEM;
    for (size_t i = 0; i < s->n; i++)
        ring[i] = *slot(s, i);
    free(s->ring);
    s->ring = ring;
    s->cap = cap;
    s->head = 0;
    return GK_OK;
}

gk_err gk_session_push(gk_session *s, const gk_pending *p)
{
    gk_err e = make_room(s);
    if (e != GK_OK)
        return e;
    *slot(s, s->n) = *p;
    s->n++;
    return GK_OK;
}

static void remove_at(gk_session *s, size_t i, gk_pending *out)
{
    *out = *slot(s, i);
    for (; i > 0; i--) /* mostly none: replies come in order */
        *slot(s, i) = *slot(s, i - 1);
    s->head = (s->head + 1) & (s->cap - 1);
    s->n--;
}

bool gk_session_take(gk_session *s, int32_t server_xid, gk_pending *out)
{
    for (size_t i = 0; i < s->n; i++) {
        if (slot(s, i)->server_xid == server_xid) {
            remove_at(s, i, out);
            return true;
        }
    }
    return false;
}

bool gk_session_take_created(gk_session *s, gk_pending *out)
{
    for (size_t i = 0; i < s->n; i++) {
        const gk_opcode *op = slot(s, i)->op;
        if (op && op->type == GK_OP_CREATE_SESSION) {
            remove_at(s, i, out);
            return true;
        }
    }
    return false;
}

gk_err gk_session_unread(gk_session *s, const gk_pending *p)
{
    gk_err e = make_room(s);
    if (e != GK_OK)
        return e;
    s->head = (s->head + s->cap - 1) & (s->cap - 1);
    s->n++;
    *slot(s, 0) = *p;
    return GK_OK;
}

void gk_session_trust(gk_session *s)
{
    s->may_read_keys = true;
}

size_t gk_session_pending(const gk_session *s)
{
    return s->n;
}

void gk_session_free(gk_session *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        gk_pending_clear(slot(s, i));
    free(s->ring);
    free(s);
}

/* close_by_length sends the frame length on which stock closes the connection, with its own message, metrics and order. */
static void close_by_length(gk_session *s, gk_worker *w, gk_writer *out)
{
    gk_jute_put_i32(out, -1);
    if (out->err == GK_OK) {
        gk_worker_count(w, GK_COUNT_REFUSED);
        s->requests = GK_PHASE_CLOSED;
    }
}

/* one_request handles one complete frame. Whatever fails but for memory and space closes the connection, as malformed frames do in stock. */
static gk_err one_request(gk_session *s, gk_worker *w, gk_writer *out, gk_bytes body)
{
    gk_pending p = {0};
    gk_err e;
    size_t at = gk_jute_open_string(out);
    if (s->requests == GK_PHASE_HANDSHAKE)
        e = gk_handshake_request(w, out, body);
    else
        e = gk_request_rewrite(s, w, out, &p, body);
    gk_jute_close_string(out, at);
    if (e == GK_OK)
        e = out->err;
    if (e == GK_OK && out->len - at - 4 > s->codec->max_stored)
        e = GK_ERR_LIMIT;
    if (e == GK_OK && p.server_xid != 0)
        e = gk_session_push(s, &p);
    if (e == GK_OK) {
        s->requests = GK_PHASE_OPEN;
        gk_worker_count(w, GK_COUNT_REQUESTS);
    } else {
        gk_pending_clear(&p);
    }
    return e;
}

gk_err gk_session_requests(gk_session *s, gk_worker *w, gk_writer *out, size_t *consumed, gk_bytes in)
{
    gk_reader r = gk_reader_of(in.p, in.n);
    *consumed = 0;
    while (s->requests != GK_PHASE_CLOSED) {
        int32_t n;
        gk_bytes body;
        gk_reader at = r;
        const gk_writer before = *out;
        gk_err e = GK_ERR_LIMIT;
        if (gk_jute_i32(&at, &n) != GK_OK)
            return GK_OK;
        if (n >= 0 && (size_t)n <= s->codec->max_request) {
            if (gk_reader_take(&at, &body, (size_t)n) != GK_OK)
                return GK_OK;
            e = one_request(s, w, out, body);
        }
        if (e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO)
            return e;
        if (e != GK_OK && e != GK_ERR_SPACE) {
            *out = before; /* without the error of a buffer that was too short for what isn't sent */
            close_by_length(s, w, out);
            e = out->err;
        }
        if (e == GK_ERR_SPACE) {
            if (before.len > 0) { /* hand on what is there; the caller comes back with an empty buffer */
                *out = before;
                return GK_OK;
            }
            return GK_ERR_SPACE;
        }
        r = at;
        *consumed = in.n - r.n;
    }
    *consumed = in.n;
    return GK_OK;
}
