/* Replies and watch events. Whatever can't be decrypted becomes DATAINCONSISTENCY, never empty data or another node's. */
#include <string.h>

#include "../wire/gk_jute.h"
#include "gk_children.h"
#include "gk_handshake.h"
#include "gk_keyread.h"
#include "gk_limits.h"
#include "gk_own.h"
#include "gk_payload.h"
#include "gk_session_internal.h"

#define XID_EVENT (-1)
#define XID_PING (-2)
#define XID_NONE 0 /* the answer to a createSession is a ConnectResponse, whose first field is 0; no request goes on under that xid */
#define DATAINCONSISTENCY (-3)
#define RESULT_ERROR (-1) /* the type of a multi's failed part */

/* write_stat copies a Stat; dataLength becomes the plaintext's: known (>= 0), or computed from the stored length. */
static gk_err write_stat(gk_worker *w, gk_writer *out, gk_reader *r, const gk_node *node, int64_t known)
{
    gk_bytes before, after;
    int32_t stored;
    gk_err e = gk_reader_take(r, &before, GK_STAT_DATA_LENGTH);
    if (e == GK_OK)
        e = gk_jute_i32(r, &stored);
    if (e == GK_OK)
        e = gk_reader_take(r, &after, GK_STAT_SIZE - GK_STAT_DATA_LENGTH - 4);
    if (e != GK_OK)
        return e;
    gk_writer_put(out, before.p, before.n);
    gk_jute_put_i32(out, known >= 0 ? (int32_t)known : gk_payload_plain_length(node, stored));
    gk_writer_put(out, after.p, after.n);
    if (node->kind == GK_KIND_SYSTEM && out->err == GK_OK)
        gk_own_hide(w->codec, out->p + out->len - GK_STAT_SIZE);
    return GK_OK;
}

/* write_path decrypts a path. *node is what it names. */
static gk_err write_path(gk_worker *w, gk_writer *out, gk_reader *r, gk_node *node)
{
    gk_blob path;
    gk_err e = gk_jute_blob(r, &path);
    if (e != GK_OK)
        return e;
    if (path.null) {
        gk_jute_put_blob(out, path);
        return GK_OK;
    }
    size_t at = gk_jute_open_string(out);
    e = gk_path_decrypt(w, out, node, path.b);
    gk_jute_close_string(out, at);
    return e;
}

/* write_payload opens node's payload; *length becomes the plaintext's. */
static gk_err write_payload(gk_worker *w, gk_writer *out, gk_reader *r, const gk_node *node, int64_t *length)
{
    gk_blob stored;
    bool null = false;
    gk_err e = gk_jute_blob(r, &stored);
    if (e != GK_OK)
        return e;
    if (node->kind == GK_KIND_BAD)
        return GK_ERR_AUTH;
    bool raw = node->kind == GK_KIND_CONFIG || node->kind == GK_KIND_PLAIN;
    bool untouched = gk_node_starts_empty(node) && !stored.null && stored.b.n == 0;
    if (raw || untouched || (node->kind == GK_KIND_STATS && stored.null)) {
        gk_jute_put_blob(out, stored);
        return GK_OK;
    }
    if (stored.null)
        return GK_ERR_AUTH;
    size_t at = gk_jute_open_string(out);
    if (node->kind == GK_KIND_STATS)
        e = gk_quota_stats_shift(out, stored.b, -1);
    else if (node->kind == GK_KIND_LIMITS)
        e = gk_limits_open(w, out, &null, node, stored.b);
    else
        e = gk_payload_read(w, out, &null, node, stored.b);
    gk_jute_close_string(out, at);
    *length = (int64_t)(out->len - at - 4);
    if (null && out->err == GK_OK)
        gk_writer_patch_u32(out, at, UINT32_MAX);
    return e;
}

static gk_err write_ephemerals(gk_worker *w, gk_writer *out, gk_reader *r, const gk_pending *p)
{
    int32_t count;
    uint32_t n, kept = 0;
    gk_node node;
    gk_err e = gk_jute_count(r, &count, &n);
    if (e != GK_OK)
        return e;
    size_t count_at = out->len;
    gk_jute_put_i32(out, count);
    for (uint32_t i = 0; i < n; i++) {
        gk_writer before = *out; /* its error, too: what is left out needs no space */
        size_t at = out->len;
        if ((e = write_path(w, out, r, &node)) != GK_OK) {
            if (e != GK_ERR_AUTH || w->codec->undecryptable_fails)
                return e;
            gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
            *out = before;
            continue;
        }
        bool fits = out->err == GK_OK; /* what doesn't fit yet is counted in full */
        if (fits && (out->len - at - 4 < p->prefix_n || (p->prefix_n > 0 && memcmp(out->p + at + 4, p->prefix, p->prefix_n) != 0)))
            out->len = at;
        else
            kept++;
    }
    if (out->err == GK_OK && n > 0)
        gk_writer_patch_u32(out, count_at, kept);
    return GK_OK;
}

/* write_number: the number of all nodes below / or /zookeeper is that without the servers' own. */
static gk_err write_number(gk_worker *w, gk_writer *out, gk_reader *r, const gk_pending *p, const gk_node *node)
{
    int32_t v;
    gk_err e = gk_jute_i32(r, &v);
    bool all = p->op && p->op->type == GK_OP_GET_ALL_CHILDREN_NUMBER && (node->kind == GK_KIND_ROOT || node->kind == GK_KIND_SYSTEM);
    if (e == GK_OK)
        gk_jute_put_i32(out, all ? v - atomic_load(&w->codec->own_nodes) : v);
    return e;
}

static gk_err write_fields(gk_worker *w, gk_writer *out, gk_reader *r, const gk_pending *p, const char *spec, const gk_node *node,
                           int64_t length)
{
    gk_writer nowhere = gk_writer_of(NULL, 0);
    gk_bytes raw;
    gk_blob blob;
    gk_node found = *node;
    gk_err e = GK_OK;
    for (; *spec && e == GK_OK; spec++) {
        switch (*spec) {
        case 's':
            e = write_stat(w, out, r, &found, length);
            break;
        case 'p':
            e = write_path(w, out, r, &found);
            break;
        case 'D':
            e = write_payload(w, out, r, node, &length);
            break;
        case 'd':
            e = write_payload(w, &nowhere, r, node, &length);
            break;
        case 'N':
            e = gk_children_write(w, out, r, node);
            break;
        case 'E':
            e = write_ephemerals(w, out, r, p);
            break;
        case 'A':
            raw.p = r->p;
            if ((e = gk_jute_skip_acl(r)) == GK_OK)
                gk_writer_put(out, raw.p, (size_t)(r->p - raw.p));
            break;
        case 'C':
            if ((e = gk_jute_blob(r, &blob)) == GK_OK)
                gk_jute_put_blob(out, blob);
            break;
        case 'i':
            e = write_number(w, out, r, p, node);
            break;
        case '*':
            if ((e = gk_reader_take(r, &raw, r->n)) == GK_OK)
                gk_writer_put(out, raw.p, raw.n);
            break;
        default:
            e = GK_ERR_ARG;
        }
    }
    return e;
}

static void write_part_header(gk_writer *out, int32_t type, uint8_t done, int32_t err)
{
    gk_jute_put_i32(out, type);
    gk_writer_u8(out, done);
    gk_jute_put_i32(out, err);
}

/* write_result handles one part of a multi's reply, after its header. A payload that can't be opened fails that part alone. */
static gk_err write_result(gk_worker *w, gk_writer *out, gk_reader *r, const gk_pending *p, const gk_part *part, int32_t type, int32_t err)
{
    gk_writer before = *out;
    write_part_header(out, type, 0, err);
    if (type == RESULT_ERROR)
        return write_fields(w, out, r, p, "i", &part->node, -1);
    const gk_opcode *op = gk_opcode_find(type);
    if (!op || !op->in_multi)
        return GK_ERR_MALFORMED;
    gk_reader start = *r;
    gk_err e = write_fields(w, out, r, p, op->reply, &part->node, part->length);
    if (e != GK_ERR_AUTH || (type != GK_OP_GET_DATA && type != GK_OP_GET_CHILDREN))
        return e;
    gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
    *out = before;
    write_part_header(out, RESULT_ERROR, 0, DATAINCONSISTENCY);
    gk_jute_put_i32(out, DATAINCONSISTENCY);
    gk_blob skipped;
    gk_bytes stat;
    if (type == GK_OP_GET_DATA) {
        *r = start;
        if ((e = gk_jute_blob(r, &skipped)) == GK_OK)
            e = gk_reader_take(r, &stat, GK_STAT_SIZE);
        return e;
    }
    int32_t count;
    uint32_t n;
    *r = start;
    e = gk_jute_count(r, &count, &n);
    for (uint32_t i = 0; e == GK_OK && i < n; i++)
        e = gk_jute_blob(r, &skipped);
    return e;
}

static gk_err write_multi(gk_worker *w, gk_writer *out, gk_reader *r, const gk_pending *p)
{
    for (uint32_t i = 0;; i++) {
        int32_t type, err;
        uint8_t done;
        gk_err e;
        if ((e = gk_jute_i32(r, &type)) != GK_OK || (e = gk_reader_u8(r, &done)) != GK_OK || (e = gk_jute_i32(r, &err)) != GK_OK)
            return e;
        if (done) {
            write_part_header(out, type, done, err);
            return GK_OK;
        }
        if (i >= p->n_parts)
            return GK_ERR_MALFORMED;
        if ((e = write_result(w, out, r, p, &p->parts[i], type, err)) != GK_OK)
            return e;
    }
}

/* write_event sets *hidden for an own node's event that isn't for this client: nothing may be sent then. */
static gk_err write_event(const gk_session *s, gk_worker *w, gk_writer *out, gk_bytes header, gk_reader *r, bool *hidden)
{
    gk_bytes type_and_state;
    gk_node node;
    gk_err e = gk_reader_take(r, &type_and_state, 8);
    gk_writer_put(out, header.p, header.n);
    if (e != GK_OK)
        return e;
    gk_writer_put(out, type_and_state.p, type_and_state.n);
    gk_reader path = *r;
    gk_blob stored;
    if ((e = write_path(w, out, r, &node)) == GK_OK && (e = gk_jute_blob(&path, &stored)) == GK_OK && !stored.null && node.kind == GK_KIND_OWN)
        *hidden = !(s->asked_current && gk_own_is_current(stored.b));
    return e;
}

/* write_reply: header with the client's xid, and the record. */
static gk_err write_reply(gk_worker *w, gk_writer *out, const gk_pending *p, uint64_t zxid, int32_t err, gk_reader *r)
{
    gk_writer before = *out;
    gk_jute_put_i32(out, p->client_xid);
    gk_writer_u64(out, zxid);
    gk_jute_put_i32(out, err);
    if (r->n == 0)
        return GK_OK;
    bool multi = p->op && p->op->reply[0] == 'M';
    gk_writer header = *out;
    gk_err e = GK_ERR_MALFORMED;
    if (p->op)
        e = multi ? write_multi(w, out, r, p) : write_fields(w, out, r, p, p->op->reply, &p->node, p->length);
    if (e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO || e == GK_OK)
        return e;
    if (err != 0 && !multi) { /* records behind an error: a failing multiRead's results so far, and SASL's, which clients read; others may be dropped */
        *out = header;
        return GK_OK;
    }
    gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
    *out = before;
    gk_jute_put_i32(out, p->client_xid);
    gk_writer_u64(out, zxid);
    gk_jute_put_i32(out, DATAINCONSISTENCY);
    return GK_OK;
}

/* done forgets a request, but not when its reply didn't fit: it will come again. */
static gk_err done(gk_session *s, const gk_writer *out, gk_pending *p, gk_err e)
{
    if (e == GK_OK && out->err == GK_ERR_SPACE && (e = gk_session_unread(s, p)) == GK_OK)
        return GK_OK;
    gk_pending_clear(p);
    return e;
}

/* answer handles a reply to a request. */
static gk_err answer(gk_session *s, gk_worker *w, gk_writer *out, int32_t xid, uint64_t zxid, int32_t err, gk_reader *r)
{
    gk_pending p;
    if (!gk_session_take(s, xid, &p))
        return GK_ERR_STATE;
    gk_err e = p.front == GK_FRONT_NONE ? write_reply(w, out, &p, zxid, err, r) : gk_keyread_reply(s, w, out, &p, zxid, err, r);
    return done(s, out, &p, e);
}

/* reply_record: header is GK_REPLY_HEADER_SIZE bytes, record what follows; whole is both where they lie together, else empty. */
static gk_err reply_record(gk_session *s, gk_worker *w, gk_writer *out, gk_bytes header, gk_bytes record, gk_bytes whole, bool *dropped, bool *hidden)
{
    gk_reader h = gk_reader_of(header.p, header.n), r = gk_reader_of(record.p, record.n);
    int32_t xid, err;
    uint64_t zxid;
    gk_err e;
    if ((e = gk_jute_i32(&h, &xid)) != GK_OK || (e = gk_reader_u64(&h, &zxid)) != GK_OK || (e = gk_jute_i32(&h, &err)) != GK_OK)
        return e;
    if (xid == XID_PING) {
        gk_writer_put(out, header.p, header.n);
        return gk_reader_end(&r);
    }
    if (xid == XID_NONE) {
        gk_pending p;
        if (whole.n == 0 || !gk_session_take_created(s, &p))
            return GK_ERR_STATE;
        s->id = gk_handshake_session(whole);
        return done(s, out, &p, gk_handshake_reply(w, out, whole));
    }
    if (xid != XID_EVENT)
        return answer(s, w, out, xid, zxid, err, &r);
    e = write_event(s, w, out, header, &r, hidden);
    *dropped = e == GK_ERR_AUTH;
    return *dropped ? GK_OK : e;
}

/* reply: as reply_record, for a frame whose length field says n. */
static gk_err reply(gk_session *s, gk_worker *w, gk_writer *out, int32_t n, gk_bytes header, gk_bytes record, gk_bytes whole)
{
    bool dropped = false, hidden = false;
    gk_writer before = *out;
    size_t at = gk_jute_open_string(out);
    gk_err e = GK_ERR_MALFORMED;
    if (n >= 0 && (size_t)n == header.n + record.n)
        e = s->replies == GK_PHASE_HANDSHAKE ? gk_handshake_reply(w, out, whole) : reply_record(s, w, out, header, record, whole, &dropped, &hidden);
    if (dropped || hidden) {
        if (dropped)
            gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
        *out = before;
        return GK_OK;
    }
    gk_jute_close_string(out, at);
    if (e == GK_OK)
        e = out->err;
    if (e == GK_OK) {
        if (s->replies == GK_PHASE_HANDSHAKE)
            s->id = gk_handshake_session(whole);
        s->replies = GK_PHASE_OPEN;
        gk_worker_count(w, GK_COUNT_REPLIES);
    }
    return e;
}

gk_err gk_session_reply(gk_session *s, gk_worker *w, gk_writer *out, gk_bytes frame)
{
    gk_reader r = gk_reader_of(frame.p, frame.n);
    int32_t n;
    gk_bytes header, whole;
    gk_err e = gk_jute_i32(&r, &n);
    whole = (gk_bytes){r.p, r.n};
    if (e == GK_OK)
        e = gk_reader_take(&r, &header, r.n < GK_REPLY_HEADER_SIZE ? r.n : GK_REPLY_HEADER_SIZE);
    return e == GK_OK ? reply(s, w, out, n, header, (gk_bytes){r.p, r.n}, whole) : e;
}

gk_err gk_session_reply_parts(gk_session *s, gk_worker *w, gk_writer *out, gk_bytes head, gk_bytes record)
{
    gk_reader r = gk_reader_of(head.p, head.n);
    int32_t n;
    gk_err e = head.n == 4 + GK_REPLY_HEADER_SIZE && s->replies == GK_PHASE_OPEN ? gk_jute_i32(&r, &n) : GK_ERR_STATE;
    return e == GK_OK ? reply(s, w, out, n, (gk_bytes){r.p, r.n}, record, (gk_bytes){NULL, 0}) : e;
}
