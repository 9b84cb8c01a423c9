/* Requests: parse the whole record by its field list first, then write it. A record that can't be parsed goes on as its header alone, on
 * which stock fails at the same place in the same way (MARSHALLINGERROR) with nothing to log. A write that stock can't parse before it takes a zxid goes
 * on as a read: its failure would be proposed under the zxid before it, and no later write of the whole ensemble would ever be committed.
 * (An IOException in a multi is different: that takes a zxid first.) */
#include <stdlib.h>
#include <string.h>

#include "../wire/gk_jute.h"
#include "gk_keyread.h"
#include "gk_limits.h"
#include "gk_name.h"
#include "gk_own.h"
#include "gk_payload.h"
#include "gk_sequence.h"
#include "gk_session_internal.h"

#define MAX_FIELDS 8
#define MULTI_HEADER_SIZE 9 /* type i32, done bool, err i32 */
#define UNKNOWN_OPCODE 0    /* notification: stock answers UNIMPLEMENTED and closes */
#define OWN_XID_MIN (INT32_MIN + 16)

typedef struct field {
    gk_bytes raw;  /* the field as it stands on the wire */
    gk_blob blob;  /* of P, E, D, S and B */
} field;

typedef struct record {
    const gk_opcode *op;
    field f[MAX_FIELDS];
} record;

static gk_err skip_vector(gk_reader *r)
{
    int32_t raw;
    uint32_t n;
    gk_blob b;
    gk_err e = gk_jute_count(r, &raw, &n);
    for (uint32_t i = 0; e == GK_OK && i < n; i++)
        e = gk_jute_blob(r, &b);
    return e;
}

static gk_err parse_field(gk_reader *r, char kind, field *f)
{
    gk_bytes fixed;
    switch (kind) {
    case 'P': case 'E': case 'D': case 'S': case 'B':
        return gk_jute_blob(r, &f->blob);
    case 'i':
        return gk_reader_take(r, &fixed, 4);
    case 'l':
        return gk_reader_take(r, &fixed, 8);
    case 'b':
        return gk_reader_take(r, &fixed, 1);
    case 'A':
        return gk_jute_skip_acl(r);
    case 'V':
        return skip_vector(r);
    default:
        return GK_ERR_ARG;
    }
}

static gk_err parse_record(gk_reader *r, record *rec)
{
    const char *spec = rec->op->request;
    for (size_t i = 0; spec[i]; i++) {
        const uint8_t *start = r->p;
        gk_err e = parse_field(r, spec[i], &rec->f[i]);
        if (e != GK_OK)
            return e;
        rec->f[i].raw = (gk_bytes){start, (size_t)(r->p - start)};
    }
    return GK_OK;
}

static int32_t field_i32(const field *f)
{
    int32_t v = 0;
    gk_reader r = gk_reader_of(f->raw.p, f->raw.n);
    return gk_jute_i32(&r, &v) == GK_OK ? v : 0;
}

/* is_sequential: a create whose flags ask for a sequence number. In all four create records the flags are field 3. */
static bool is_sequential(const record *rec)
{
    return gk_opcode_creates(rec->op->type) && gk_flags_sequential(field_i32(&rec->f[3]));
}

/* stats_refused: a setData that would leave a zookeeper_stats node which stops servers from starting, or that holds keys of its own. */
static bool stats_refused(const record *rec, const gk_node *node)
{
    gk_quota_limits q;
    bool known = false;
    if (node->kind != GK_KIND_STATS || rec->op->type != GK_OP_SET_DATA)
        return false;
    return rec->f[1].blob.null || gk_quota_parse(&q, &known, rec->f[1].blob.b) != GK_OK || !known;
}

/* limits_of_root: the create of /zookeeper/quota/zookeeper_limits, a quota for the empty path, on which a server dies and dies again when it
 * replays its log. */
static bool limits_of_root(const record *rec, const gk_node *node)
{
    return node->kind == GK_KIND_LIMITS && node->depth == 3 && gk_opcode_creates(rec->op->type);
}

/* encrypt: of own nodes one is for clients to read and watch. */
static gk_err encrypt(gk_worker *w, gk_writer *out, const gk_opcode *op, gk_node *node, gk_bytes path)
{
    if (!w->codec->agreement || op->write || op->type == GK_OP_CHECK || !gk_own_is_current(path))
        return gk_path_encrypt(w, out, node, path);
    gk_writer_put(out, path.p, path.n);
    return gk_own_node(w, node, path);
}

/* write_path writes field P. *component (sequential creates) is the marker component, a view of out's memory. */
static gk_err write_path(gk_worker *w, gk_writer *out, const record *rec, gk_node *node, gk_bytes *component)
{
    const gk_blob *path = &rec->f[0].blob;
    *component = (gk_bytes){NULL, 0};
    if (path->null) {
        gk_jute_put_blob(out, *path);
        node->kind = GK_KIND_BAD;
        return GK_OK;
    }
    size_t at = gk_jute_open_string(out);
    gk_err e = is_sequential(rec) ? gk_sequence_mark(w, out, node, component, path->b) : encrypt(w, out, rec->op, node, path->b);
    if (e == GK_OK && (stats_refused(rec, node) || limits_of_root(rec, node))) {
        gk_writer_u8(out, GK_MARK_BAD);
        node->kind = GK_KIND_BAD;
        gk_worker_count(w, GK_COUNT_REFUSED);
    }
    gk_jute_close_string(out, at);
    return e;
}

static gk_err write_stats(gk_writer *out, gk_blob data)
{
    size_t before = out->len;
    if (data.null || gk_quota_stats_shift(out, data.b, 1) == GK_OK)
        return GK_OK;
    out->len = before; /* of a create: ZooKeeper puts its own text there at once */
    return GK_OK;
}

static gk_err write_payload(gk_worker *w, gk_writer *out, const gk_node *node, gk_bytes component, gk_blob data)
{
    if (node->kind == GK_KIND_CONFIG || node->kind == GK_KIND_PLAIN || (node->kind == GK_KIND_STATS && data.null)) {
        gk_jute_put_blob(out, data);
        return GK_OK;
    }
    size_t at = gk_jute_open_string(out);
    gk_err e;
    if (component.n > 0)
        e = gk_payload_seal_pending(w, out, component, data);
    else if (node->kind == GK_KIND_LIMITS)
        e = gk_limits_seal(w, out, node, data);
    else if (node->kind == GK_KIND_STATS)
        e = write_stats(out, data);
    else
        e = gk_payload_seal(w, out, node, data);
    gk_jute_close_string(out, at);
    return e;
}

/* write_paths: *node is the agreement's when it is among them. */
static gk_err write_paths(gk_worker *w, gk_writer *out, const gk_opcode *op, gk_node *node, gk_bytes raw)
{
    gk_reader r = gk_reader_of(raw.p, raw.n);
    int32_t count;
    uint32_t n;
    gk_node found;
    gk_err e = gk_jute_count(&r, &count, &n);
    gk_jute_put_i32(out, count);
    for (uint32_t i = 0; e == GK_OK && i < n; i++) {
        gk_blob path;
        if ((e = gk_jute_blob(&r, &path)) != GK_OK)
            break;
        if (path.null) {
            gk_jute_put_blob(out, path);
            continue;
        }
        size_t at = gk_jute_open_string(out);
        e = encrypt(w, out, op, &found, path.b);
        gk_jute_close_string(out, at);
        if (e == GK_OK && found.kind == GK_KIND_OWN)
            *node = found;
    }
    return e;
}

/* harmful_ttl: a createTTL whose flags aren't a TTL mode's and whose ttl is negative gets past stock's check, and its transaction then stops
 * every server. With a ttl of 0 it fails that check: BADARGUMENTS. */
static bool harmful_ttl(const record *rec)
{
    if (rec->op->type != GK_OP_CREATE_TTL)
        return false;
    int32_t flags = field_i32(&rec->f[3]);
    return flags != 5 && flags != 6 && (rec->f[4].raw.p[0] & 0x80) != 0;
}

static gk_err write_record(gk_worker *w, gk_writer *out, const record *rec, gk_node *node)
{
    gk_bytes component = {NULL, 0};
    gk_err e = GK_OK;
    node->kind = GK_KIND_CONFIG; /* no path: Stats and payloads as they are */
    for (size_t i = 0; e == GK_OK && rec->op->request[i]; i++) {
        const field *f = &rec->f[i];
        switch (rec->op->request[i]) {
        case 'P':
            e = write_path(w, out, rec, node, &component);
            break;
        case 'D':
            e = write_payload(w, out, node, component, f->blob);
            break;
        case 'V':
            e = write_paths(w, out, rec->op, node, f->raw);
            break;
        case 'E': /* stock compares prefixes as strings: ask for all, filter the reply */
            gk_jute_put_blob(out, (gk_blob){{(const uint8_t *)"/", 1}, f->blob.null});
            break;
        case 'l':
            if (harmful_ttl(rec))
                gk_writer_u64(out, 0);
            else
                gk_writer_put(out, f->raw.p, f->raw.n);
            break;
        default:
            gk_writer_put(out, f->raw.p, f->raw.n);
        }
    }
    return e;
}

/* known_length: of what a write leaves in a zookeeper_stats node, where the length doesn't follow from the stored one; else -1. */
static int64_t known_length(const record *rec, const gk_node *node)
{
    bool writes = rec->op->type == GK_OP_SET_DATA || (gk_opcode_creates(rec->op->type) && !is_sequential(rec));
    return node->kind == GK_KIND_STATS && writes ? (int64_t)rec->f[1].blob.b.n : -1;
}

/* keep_prefix: getEphemerals' reply is filtered by what was asked for; nothing to filter when String.trim() leaves "" or "/". */
static gk_err keep_prefix(gk_pending *p, gk_blob prefix)
{
    size_t start = 0, end = prefix.b.n;
    while (start < end && prefix.b.p[start] <= ' ')
        start++;
    while (end > start && prefix.b.p[end - 1] <= ' ')
        end--;
    if (prefix.null || end == start || (end - start == 1 && prefix.b.p[start] == '/'))
        return GK_OK;
    if (!(p->prefix = malloc(3 * prefix.b.n)))
        return GK_ERR_NOMEM;
    gk_writer normal = gk_writer_of(p->prefix, 3 * prefix.b.n); /* half a character is none, as in stock */
    gk_name_normalize(&normal, prefix.b);
    p->prefix_n = normal.len;
    return GK_OK;
}

/* next_part reads a multi's next header and record. *done: the end. */
static gk_err next_part(gk_reader *r, record *rec, bool *done, gk_bytes *header)
{
    gk_err e = gk_reader_take(r, header, MULTI_HEADER_SIZE);
    if (e != GK_OK)
        return e;
    gk_reader h = gk_reader_of(header->p, header->n);
    int32_t type;
    uint8_t last;
    if ((e = gk_jute_i32(&h, &type)) != GK_OK || (e = gk_reader_u8(&h, &last)) != GK_OK)
        return e;
    *done = last != 0;
    if (*done)
        return GK_OK;
    rec->op = gk_opcode_find(type);
    if (!rec->op || !rec->op->in_multi)
        return GK_ERR_MALFORMED;
    return parse_record(r, rec);
}

/* judge_part follows MultiOperationRecord.deserialize behind the fields: reads and writes don't mix, flags are a CreateMode's (else an
 * IOException, GK_ERR_MALFORMED), and CreateOptions takes no null ACL (a NullPointerException, GK_ERR_STATE). */
static gk_err judge_part(const record *rec, bool first, bool *reads)
{
    int32_t type = rec->op->type;
    bool is_read = type == GK_OP_GET_DATA || type == GK_OP_GET_CHILDREN;
    if (first)
        *reads = is_read;
    if (gk_opcode_creates(type) && type != GK_OP_CREATE_TTL) {
        int32_t flags = field_i32(&rec->f[3]);
        if (flags < 0 || flags > 6)
            return GK_ERR_MALFORMED;
        if (field_i32(&rec->f[2]) == -1)
            return GK_ERR_STATE;
    }
    return is_read == *reads ? GK_OK : GK_ERR_MALFORMED;
}

static gk_err count_parts(gk_bytes body, uint32_t *n)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    record rec;
    gk_bytes header;
    bool done = false, reads = false;
    gk_err e = GK_OK;
    for (*n = 0; (e = next_part(&r, &rec, &done, &header)) == GK_OK && !done; (*n)++)
        if ((e = judge_part(&rec, *n == 0, &reads)) != GK_OK)
            return e;
    return e;
}

static gk_err write_multi(gk_worker *w, gk_writer *out, gk_pending *p, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    record rec;
    gk_bytes header;
    bool done = false;
    gk_err e = GK_OK;
    if (p->n_parts > 0 && !(p->parts = calloc(p->n_parts, sizeof *p->parts)))
        return GK_ERR_NOMEM;
    for (uint32_t i = 0; e == GK_OK && i <= p->n_parts; i++) {
        if ((e = next_part(&r, &rec, &done, &header)) != GK_OK)
            break;
        gk_writer_put(out, header.p, header.n);
        if (done)
            break;
        e = write_record(w, out, &rec, &p->parts[i].node);
        p->parts[i].length = known_length(&rec, &p->parts[i].node);
    }
    return e;
}

static void write_header(gk_writer *out, int32_t xid, int32_t type)
{
    gk_jute_put_i32(out, xid);
    gk_jute_put_i32(out, type);
}

static int32_t own_xid(gk_session *s)
{
    if (s->next_xid <= OWN_XID_MIN)
        s->next_xid = -1000;
    return s->next_xid--;
}

gk_err gk_request_rewrite(gk_session *s, gk_worker *w, gk_writer *out, gk_pending *p, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    record rec; /* not cleared: parse_record fills what the table lists */
    int32_t type;
    gk_err e;
    if ((e = gk_jute_i32(&r, &p->client_xid)) != GK_OK || (e = gk_jute_i32(&r, &type)) != GK_OK)
        return e;
    p->length = -1;
    rec.op = p->op = gk_codec_refuses(s->codec, type) ? NULL : gk_opcode_find(type);
    if (type == GK_OP_PING && p->op) {
        write_header(out, p->client_xid, type);
        p->server_xid = 0; /* answered as -2, whatever its xid: nothing to remember */
        return GK_OK;
    }
    p->server_xid = p->client_xid > 0 && p->op && !p->op->overtakes ? p->client_xid : own_xid(s);
    if (!p->op || p->op->type == GK_OP_CHECK) { /* a check stands in a multi only */
        gk_worker_count(w, GK_COUNT_REFUSED);
        write_header(out, p->server_xid, UNKNOWN_OPCODE);
        return GK_OK;
    }
    bool multi = type == GK_OP_MULTI || type == GK_OP_MULTI_READ;
    gk_bytes rest = {r.p, r.n};
    e = multi ? count_parts(rest, &p->n_parts) : parse_record(&r, &rec);
    if (e != GK_OK || (type == GK_OP_DELETE_CONTAINER && rec.f[0].blob.null)) {
        gk_worker_count(w, GK_COUNT_REFUSED);
        p->n_parts = 0;
        write_header(out, p->server_xid, p->op->write || e == GK_ERR_STATE ? GK_OP_GET_DATA : type);
        return GK_OK;
    }
    if (type == GK_OP_GET_DATA && !rec.f[0].blob.null && gk_keyread_concerns(s->codec, rec.f[0].blob.b))
        return gk_keyread_request(s, w, out, p, rec.f[0].blob.b, rec.f[1].raw.p[0] != 0);
    write_header(out, p->server_xid, type);
    if (multi)
        return write_multi(w, out, p, rest);
    if (type == GK_OP_GET_EPHEMERALS && (e = keep_prefix(p, rec.f[0].blob)) != GK_OK)
        return e;
    size_t type_at = out->len - 4;
    if ((e = write_record(w, out, &rec, &p->node)) != GK_OK)
        return e;
    if (p->node.kind == GK_KIND_OWN)
        s->asked_current = true;
    p->length = known_length(&rec, &p->node);
    if (p->node.kind == GK_KIND_STATS && type == GK_OP_EXISTS && rec.f[1].raw.p[0] == 0) {
        gk_writer_patch_u32(out, type_at, GK_OP_GET_DATA); /* for its length; a watch needs the real exists: getData sets none without a node */
        p->op = gk_opcode_exists_by_data();
    }
    return GK_OK;
}
