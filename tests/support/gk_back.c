#include "gk_back.h"

#include "../../native/codec/gk_limits.h"
#include "../../native/codec/gk_name.h"
#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_sequence.h"

/* back: one record on its way. */
typedef struct back {
    gk_rig *rig;
    gk_reader client, stored;
    gk_node node;       /* of the record's path */
    bool sequential;    /* a create of that kind */
    gk_bytes component; /* its marker */
    bool poisoned;      /* what stops servers must not get through: its path has a mark */
} back;

static gk_bytes room(gk_buf *b, size_t n)
{
    gk_buf_clear(b);
    return (gk_bytes){gk_buf_room(b, n), n};
}

/* names: plain is what a server makes of the client's path; tail: and then what follows. */
static bool names(gk_bytes plain, gk_blob client, const char *tail)
{
    gk_buf want = {0};
    gk_bytes p = room(&want, 3 * client.b.n);
    gk_writer w = gk_writer_of((uint8_t *)p.p, p.n);

    gk_name_normalize(&w, client.b);
    want.n = w.len;
    gk_buf_put(&want, tail, strlen(tail));
    bool same = gk_bytes_equal(gk_buf_view(&want), plain);
    gk_buf_free(&want);
    return same;
}

/* marked_names: the leader makes the client's prefix and a number of it. */
static bool marked_names(back *b, gk_blob client, gk_bytes stored)
{
    gk_buf final = {0}, data = {0}, plain = {0}, sealed = {0};
    gk_bytes parent, last;
    gk_writer s = gk_writer_of(gk_buf_room(&sealed, 100), 100);
    gk_bytes f = room(&final, 2 * stored.n + 64), d = room(&data, 200), p = room(&plain, 2 * stored.n + 64);
    gk_writer fw = gk_writer_of((uint8_t *)f.p, f.n), dw = gk_writer_of((uint8_t *)d.p, d.n), pw = gk_writer_of((uint8_t *)p.p, p.n);

    rig_must(gk_path_parent(stored, &parent, &last));
    b->component = last;
    rig_must(gk_payload_seal_pending(b->rig->worker, &s, last, (gk_blob){{(const uint8_t *)"x", 1}, false}) == GK_OK);
    gk_err e = gk_sequence_resolve(b->rig->worker, &fw, &dw, stored, 12, (gk_blob){{sealed.p, s.len}, false});
    bool same;
    if (e == GK_OK) {
        same = gk_path_decrypt(b->rig->worker, &pw, &b->node, (gk_bytes){final.p, fw.len}) == GK_OK && names((gk_bytes){plain.p, pw.len}, client, "0000000012");
    } else { /* below a path that no node can have */
        same = e == GK_ERR_AUTH && gk_path_decrypt(b->rig->worker, &pw, &b->node, parent) == GK_OK && b->node.kind == GK_KIND_BAD;
    }
    gk_buf *all[] = {&final, &data, &plain, &sealed};
    for (size_t i = 0; i < 4; i++)
        gk_buf_free(all[i]);
    return same;
}

static bool ends_in(gk_bytes b, const char *s)
{
    return b.n >= strlen(s) && memcmp(b.p + b.n - strlen(s), s, strlen(s)) == 0;
}

/* number_alone: a sequential create of a plaintext node whose name is the number alone. */
static bool number_alone(back *b, gk_bytes stored)
{
    gk_writer nowhere = gk_writer_of(NULL, 0);
    gk_bytes parent, last;
    gk_node above;

    return b->sequential && gk_path_parent(stored, &parent, &last) && last.n == 0 &&
           gk_path_decrypt(b->rig->worker, &nowhere, &above, parent) == GK_OK && above.kind == GK_KIND_PLAIN;
}

static bool same_path(back *b, bool first)
{
    gk_blob client, stored;
    gk_buf plain = {0};

    if (gk_jute_blob(&b->client, &client) != GK_OK || gk_jute_blob(&b->stored, &stored) != GK_OK || client.null != stored.null)
        return false;
    if (client.null) { /* stock refuses it: the payload is bound to nothing */
        b->node = (gk_node){.kind = GK_KIND_BAD};
        return true;
    }
    if (first && gk_sequence_is_marked(stored.b))
        return marked_names(b, client, stored.b);
    gk_bytes p = room(&plain, 2 * stored.b.n);
    gk_writer w = gk_writer_of((uint8_t *)p.p, p.n);
    b->poisoned = first && (ends_in(stored.b, "/zookeeper_stats\2") || ends_in(stored.b, "/zookeeper/quota/zookeeper_limits\2"));
    if (b->poisoned)
        stored.b.n--;
    bool same = gk_path_decrypt(b->rig->worker, &w, &b->node, stored.b) == GK_OK && names((gk_bytes){plain.p, w.len}, client, "");
    if (first && number_alone(b, stored.b))
        b->node.kind = GK_KIND_PLAIN;
    gk_buf_free(&plain);
    return same;
}

/* same_data: the payload opens as that node's and is the client's. */
static bool same_data(back *b)
{
    gk_blob client, stored;
    gk_buf plain = {0};
    bool null = false;

    if (gk_jute_blob(&b->client, &client) != GK_OK || gk_jute_blob(&b->stored, &stored) != GK_OK)
        return false;
    if (b->poisoned || (b->node.kind == GK_KIND_STATS && !client.null)) /* gk_quota's tests look at these texts */
        return true;
    if (b->node.kind == GK_KIND_CONFIG || b->node.kind == GK_KIND_PLAIN || b->node.kind == GK_KIND_STATS)
        return client.null == stored.null && gk_bytes_equal(client.b, stored.b);
    gk_bytes p = room(&plain, stored.b.n);
    gk_writer w = gk_writer_of((uint8_t *)p.p, p.n);
    gk_err e;
    if (b->component.n > 0)
        e = gk_payload_open_pending(b->rig->worker, &w, &null, b->component, stored.b);
    else if (b->node.kind == GK_KIND_LIMITS)
        e = gk_limits_open(b->rig->worker, &w, &null, &b->node, stored.b);
    else
        e = gk_payload_open(b->rig->worker, &w, &null, &b->node, stored.b);
    bool same = !stored.null && e == GK_OK && null == client.null && gk_bytes_equal((gk_bytes){plain.p, w.len}, client.b);
    gk_buf_free(&plain);
    return same;
}

static bool same_vector(back *b)
{
    int32_t raw, other;
    uint32_t n, m;

    if (gk_jute_count(&b->client, &raw, &n) != GK_OK || gk_jute_count(&b->stored, &other, &m) != GK_OK || raw != other)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!same_path(b, false))
            return false;
    return true;
}

/* take: the bytes of a field that passes as it is; false where it can't be read. */
static bool take(gk_reader *r, char kind, gk_bytes *out)
{
    gk_blob blob;
    const uint8_t *start = r->p;

    switch (kind) {
    case 'i': return gk_reader_take(r, out, 4) == GK_OK;
    case 'l': return gk_reader_take(r, out, 8) == GK_OK;
    case 'b': return gk_reader_take(r, out, 1) == GK_OK;
    case 'A':
        if (gk_jute_skip_acl(r) != GK_OK)
            return false;
        break;
    default:
        if (gk_jute_blob(r, &blob) != GK_OK)
            return false;
    }
    *out = (gk_bytes){start, (size_t)(r->p - start)};
    return true;
}

static bool is_sequential(gk_reader r, const gk_opcode *op)
{
    gk_bytes path, data, acl, flags;
    int32_t v;

    if (!gk_opcode_creates(op->type) || !take(&r, 'P', &path) || !take(&r, 'D', &data) || !take(&r, 'A', &acl) || !take(&r, 'i', &flags))
        return false;
    r = gk_reader_of(flags.p, flags.n);
    return gk_jute_i32(&r, &v) == GK_OK && gk_flags_sequential(v);
}

static bool same_record(back *b, const gk_opcode *op)
{
    b->sequential = is_sequential(b->client, op);
    b->component = (gk_bytes){NULL, 0};
    b->poisoned = false;
    for (const char *kind = op->request; *kind; kind++) {
        gk_bytes client, stored;

        if (*kind == 'P' || *kind == 'D' || *kind == 'V') {
            if (!(*kind == 'P' ? same_path(b, true) : *kind == 'D' ? same_data(b) : same_vector(b)))
                return false;
            continue;
        }
        if (!take(&b->client, *kind, &client) || !take(&b->stored, *kind, &stored))
            return false;
        static const uint8_t root[] = {0, 0, 0, 1, '/'};
        bool harmless_ttl = op->type == GK_OP_CREATE_TTL && *kind == 'l' && stored.n == 8 && memcmp(stored.p, (uint8_t[8]){0}, 8) == 0;
        bool any_prefix = *kind == 'E' && (stored.n == 4 ? client.n == 4 : gk_bytes_equal(stored, (gk_bytes){root, 5}));
        if (!gk_bytes_equal(client, stored) && !harmless_ttl && !any_prefix)
            return false;
    }
    return true;
}

/* skip_record: whether a record can be read at all. */
static bool skip_record(gk_reader *r, const gk_opcode *op)
{
    for (const char *kind = op->request; *kind; kind++) {
        gk_bytes field;
        int32_t raw;
        uint32_t n;

        if (*kind != 'V') {
            if (!take(r, *kind, &field))
                return false;
            continue;
        }
        if (gk_jute_count(r, &raw, &n) != GK_OK)
            return false;
        for (uint32_t i = 0; i < n; i++)
            if (!take(r, 'S', &field))
                return false;
    }
    return true;
}

/* next_part reads a multi's header; op NULL at its end. */
static bool next_part(gk_reader *r, const gk_opcode **op, gk_bytes *header)
{
    int32_t type;

    if (gk_reader_take(r, header, 9) != GK_OK)
        return false;
    gk_reader h = gk_reader_of(header->p, 4);
    rig_must(gk_jute_i32(&h, &type) == GK_OK);
    *op = header->p[4] ? NULL : gk_opcode_find(type);
    return header->p[4] || (*op && (*op)->in_multi);
}

/* judge_part: reads and writes don't mix, flags are a CreateMode's; a null ACL is refused in a way of its own. */
static gk_err judge_part(gk_reader part, const gk_opcode *op, bool reads)
{
    gk_bytes path, data, acl, flags;

    if (!gk_opcode_creates(op->type) || op->type == GK_OP_CREATE_TTL)
        return reads == (op->type == GK_OP_GET_DATA || op->type == GK_OP_GET_CHILDREN) ? GK_OK : GK_ERR_MALFORMED;
    rig_must(take(&part, 'P', &path) && take(&part, 'D', &data) && take(&part, 'A', &acl) && take(&part, 'i', &flags));
    if (memcmp(flags.p, "\0\0\0", 3) != 0 || flags.p[3] > 6)
        return GK_ERR_MALFORMED;
    return memcmp(acl.p, "\377\377\377\377", 4) == 0 ? GK_ERR_STATE : reads ? GK_ERR_MALFORMED : GK_OK;
}

/* readable_multi: GK_OK, GK_ERR_MALFORMED, or GK_ERR_STATE for a null ACL. */
static gk_err readable_multi(gk_reader r)
{
    const gk_opcode *op;
    gk_bytes header;
    bool first = true, reads = false;

    while (next_part(&r, &op, &header)) {
        gk_reader part = r;
        gk_err e;

        if (!op)
            return GK_OK;
        if (!skip_record(&r, op))
            return GK_ERR_MALFORMED;
        if (first)
            reads = op->type == GK_OP_GET_DATA || op->type == GK_OP_GET_CHILDREN;
        first = false;
        if ((e = judge_part(part, op, reads)) != GK_OK)
            return e;
    }
    return GK_ERR_MALFORMED;
}

/* readable: whether a server can read the record of op. */
static gk_err readable(gk_reader r, const gk_opcode *op)
{
    gk_reader whole = r;

    if (op->request[0] == 'M')
        return readable_multi(r);
    if (!skip_record(&whole, op))
        return GK_ERR_MALFORMED;
    return op->type == GK_OP_DELETE_CONTAINER && memcmp(r.p, "\377\377\377\377", 4) == 0 ? GK_ERR_MALFORMED : GK_OK;
}

static bool same_multi(back *b)
{
    const gk_opcode *op, *other;
    gk_bytes header, copy;

    while (next_part(&b->client, &op, &header) && next_part(&b->stored, &other, &copy)) {
        if (op != other || !gk_bytes_equal(header, copy))
            return false;
        if (!op)
            return true;
        if (!same_record(b, op))
            return false;
    }
    return false;
}

bool gk_back_same(gk_rig *r, gk_bytes client, gk_bytes stored)
{
    back b = {.rig = r, .client = gk_reader_of(client.p, client.n), .stored = gk_reader_of(stored.p, stored.n)};
    int32_t xid, type, other;

    if (gk_jute_i32(&b.client, &xid) != GK_OK || gk_jute_i32(&b.client, &type) != GK_OK || gk_jute_i32(&b.stored, &xid) != GK_OK ||
        gk_jute_i32(&b.stored, &other) != GK_OK)
        return false;
    const gk_opcode *op = gk_codec_refuses(r->codec, type) ? NULL : gk_opcode_find(type);
    if (!op || type == GK_OP_CHECK)
        return other == 0 && b.stored.n == 0;
    gk_err e = readable(b.client, op);
    if (e != GK_OK)
        return b.stored.n == 0 && other == (op->write || e == GK_ERR_STATE ? GK_OP_GET_DATA : type);
    bool by_data = type == GK_OP_EXISTS && other == GK_OP_GET_DATA;
    if (type != other && !by_data)
        return false;
    bool same = op->request[0] == 'M' ? same_multi(&b) : same_record(&b, op);
    return same && b.stored.n == 0 && (!by_data || b.node.kind == GK_KIND_STATS);
}
