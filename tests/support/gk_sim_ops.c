#include "gk_sim_internal.h"

#include <stdio.h>

#include "../../native/codec/gk_name.h"
#include "../../native/codec/gk_quota.h"
#include "../../native/codec/gk_sequence.h"

#define B(b) gk_buf_view(&(b))

/* --- records -------------------------------------------------------------------------------------------------------------- */

/* sim_request: the fields that records have, each where it stands. */
typedef struct sim_request {
    gk_buf path; /* as a Java String would come back */
    bool null_path;
    gk_blob data;
    gk_bytes acl;
    int32_t flags; /* of a create; or a version, or a mode */
    int64_t ttl;
    bool watch;
} sim_request;

static bool read_path(gk_reader *r, sim_request *q)
{
    gk_blob b;

    if (gk_jute_blob(r, &b) != GK_OK)
        return false;
    gk_buf_clear(&q->path);
    gk_writer w = gk_writer_of(gk_buf_room(&q->path, 3 * b.b.n), 3 * b.b.n);
    gk_name_normalize(&w, b.b);
    q->path.n = w.len;
    q->null_path = b.null;
    return true;
}

static bool read_acl(gk_reader *r, gk_bytes *out)
{
    const uint8_t *start = r->p;

    if (gk_jute_skip_acl(r) != GK_OK)
        return false;
    *out = (gk_bytes){start, (size_t)(r->p - start)};
    return true;
}

static bool read_watch(gk_reader *r, sim_request *q)
{
    uint8_t v;

    if (gk_reader_u8(r, &v) != GK_OK)
        return false;
    q->watch = v != 0;
    return true;
}

/* read_record reads a record that isn't a multi's or setWatches'; false where a server answers MARSHALLINGERROR. */
static bool read_record(gk_reader *r, int32_t type, sim_request *q)
{
    uint64_t ttl = 0;

    switch (type) {
    case GK_OP_CREATE: case GK_OP_CREATE2: case GK_OP_CREATE_CONTAINER: case GK_OP_CREATE_TTL:
        if (!read_path(r, q) || gk_jute_blob(r, &q->data) != GK_OK || !read_acl(r, &q->acl) || gk_jute_i32(r, &q->flags) != GK_OK)
            return false;
        if (type == GK_OP_CREATE_TTL && gk_reader_u64(r, &ttl) != GK_OK)
            return false;
        q->ttl = (int64_t)ttl;
        return true;
    case GK_OP_DELETE: case GK_OP_CHECK: case GK_OP_ADD_WATCH: case GK_OP_CHECK_WATCHES: case GK_OP_REMOVE_WATCHES:
        return read_path(r, q) && gk_jute_i32(r, &q->flags) == GK_OK;
    case GK_OP_EXISTS: case GK_OP_GET_DATA: case GK_OP_GET_CHILDREN: case GK_OP_GET_CHILDREN2:
        return read_path(r, q) && read_watch(r, q);
    case GK_OP_SET_DATA:
        return read_path(r, q) && gk_jute_blob(r, &q->data) == GK_OK && gk_jute_i32(r, &q->flags) == GK_OK;
    case GK_OP_SET_ACL:
        return read_path(r, q) && read_acl(r, &q->acl) && gk_jute_i32(r, &q->flags) == GK_OK;
    default: /* a path alone */
        return read_path(r, q);
    }
}

/* --- writes --------------------------------------------------------------------------------------------------------------- */

static bool good_flags(int32_t type, const sim_request *q)
{
    if (type == GK_OP_CREATE_CONTAINER)
        return q->flags == 4;
    if (type == GK_OP_CREATE_TTL)
        return (q->flags == 5 || q->flags == 6) && q->ttl > 0;
    return q->flags >= 0 && q->flags <= 3;
}

/* final_name appends the number, or asks the hook. q's path and data become what is stored. */
static int32_t final_name(gk_sim *s, sim_request *q, int32_t number, gk_buf *sealed)
{
    gk_buf path = {0};

    if (!s->hook || !gk_sequence_is_marked(B(q->path))) {
        char digits[16];
        int n = snprintf(digits, sizeof(digits), "%010d", number);

        gk_buf_put(&q->path, digits, (size_t)n);
        return SIM_OK;
    }
    size_t room = 2 * q->path.n + 64;
    gk_writer p = gk_writer_of(gk_buf_room(&path, room), room);
    gk_writer d = gk_writer_of(gk_buf_room(sealed, q->data.b.n + 64), q->data.b.n + 64);
    gk_err e = gk_sequence_resolve(s->hook, &p, &d, B(q->path), number, q->data);
    path.n = p.len;
    sealed->n = d.len;
    q->data = (gk_blob){B(*sealed), false};
    gk_buf_free(&q->path);
    q->path = path;
    return e == GK_OK ? SIM_OK : SIM_BADARGUMENTS;
}

/* fatal: a quota for the empty path stops stock's servers; a plugin shields them. */
static bool fatal(gk_bytes path)
{
    static const char name[] = "/zookeeper/quota/zookeeper_limits";

    return path.n == sizeof(name) - 1 && memcmp(path.p, name, path.n) == 0;
}

static int32_t do_create(gk_sim *s, int32_t type, sim_request *q)
{
    gk_bytes parent;
    gk_buf sealed = {0};
    int32_t err = SIM_OK;

    if (!good_flags(type, q))
        return SIM_BADARGUMENTS;
    if (!sim_parent(B(q->path), &parent) || memchr(q->path.p, 0, q->path.n))
        return SIM_BADARGUMENTS;
    sim_node *up = sim_find(s, parent);
    if (!up)
        return SIM_NONODE;
    if (gk_flags_sequential(q->flags))
        err = final_name(s, q, up->cversion, &sealed);
    if (err == SIM_OK && (!sim_valid(B(q->path)) || fatal(B(q->path))))
        err = SIM_BADARGUMENTS;
    if (err == SIM_OK && sim_find(s, B(q->path)))
        err = SIM_NODEEXISTS;
    if (err == SIM_OK && up->owner != 0)
        err = SIM_NOCHILDREN;
    if (err == SIM_OK) {
        sim_add(s, B(q->path), q->data, q->acl, q->flags == 1 || q->flags == 3 ? SIM_SESSION : 0);
        sim_fire(s, B(q->path), SIM_CREATED);
    }
    gk_buf_free(&sealed);
    return err;
}

static bool special(gk_bytes path)
{
    static const char *const paths[] = {"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"};

    for (size_t i = 0; i < 4; i++)
        if (path.n == strlen(paths[i]) && memcmp(path.p, paths[i], path.n) == 0)
            return true;
    return false;
}

static int32_t do_delete(gk_sim *s, const sim_request *q, bool version)
{
    gk_bytes path = B(q->path), parent;

    if (!sim_parent(path, &parent) || memchr(path.p, 0, path.n) || special(path))
        return SIM_BADARGUMENTS;
    sim_node *n = sim_find(s, path);
    if (!n)
        return SIM_NONODE;
    if (version && q->flags != -1 && q->flags != n->version)
        return SIM_BADVERSION;
    if (sim_children(s, path) > 0)
        return SIM_NOTEMPTY;
    sim_remove(s, n);
    sim_fire(s, path, SIM_DELETED);
    return SIM_OK;
}

/* is_statistics: a zookeeper_stats below /zookeeper/quota. */
static bool is_statistics(gk_bytes path)
{
    static const char below[] = "/zookeeper/quota/", leaf[] = "/zookeeper_stats";
    const size_t b = sizeof(below) - 1, l = sizeof(leaf) - 1;

    return path.n >= b + l - 1 && memcmp(path.p, below, b) == 0 && memcmp(path.p + path.n - l, leaf, l) == 0;
}

/* poison: a text that stops stock's servers must not get that far. A plugin shields them; so does this one. */
static bool poison(const sim_request *q)
{
    gk_quota_limits limits;
    bool known;

    return is_statistics(B(q->path)) && (q->data.null || gk_quota_parse(&limits, &known, q->data.b) != GK_OK || !known);
}

/* counted: what a server writes into a new zookeeper_stats node at once, whatever the client wrote (DataTree.updateQuotaForPath). */
static void counted(gk_sim *s, sim_node *n)
{
    const char *text = s->hook ? "count=2,bytes=102=" : "count=2,bytes=10=";

    gk_buf_clear(&n->data);
    gk_buf_put(&n->data, text, strlen(text));
    n->null = false;
}

static int32_t do_set_data(gk_sim *s, const sim_request *q)
{
    sim_node *n = sim_find(s, B(q->path));

    if (!sim_valid(B(q->path)) || poison(q))
        return SIM_BADARGUMENTS;
    if (!n)
        return SIM_NONODE;
    if (q->flags != -1 && q->flags != n->version)
        return SIM_BADVERSION;
    gk_buf copy = {0};
    gk_buf_put(&copy, q->data.b.p, q->data.b.n);
    gk_buf_free(&n->data);
    n->data = copy;
    n->null = q->data.null;
    n->version++;
    n->mzxid = s->zxid;
    sim_fire(s, B(q->path), SIM_CHANGED);
    return SIM_OK;
}

/* write_op does a create, delete, setData or check; its result record goes to out. */
static int32_t write_op(gk_sim *s, gk_buf *out, int32_t type, sim_request *q)
{
    int32_t err;

    if (type == GK_OP_DELETE)
        return do_delete(s, q, true);
    if (type == GK_OP_CHECK) {
        sim_node *n = sim_find(s, B(q->path));
        return !sim_valid(B(q->path)) ? SIM_BADARGUMENTS : !n ? SIM_NONODE : q->flags != -1 && q->flags != n->version ? SIM_BADVERSION : SIM_OK;
    }
    err = type == GK_OP_SET_DATA ? do_set_data(s, q) : do_create(s, type, q);
    if (err != SIM_OK)
        return err;
    if (type != GK_OP_SET_DATA)
        gk_buf_bytes(out, B(q->path));
    if (type != GK_OP_CREATE)
        sim_stat(s, out, sim_find(s, B(q->path)));
    if (type != GK_OP_SET_DATA && is_statistics(B(q->path)))
        counted(s, sim_find(s, B(q->path)));
    return SIM_OK;
}

/* --- reads ---------------------------------------------------------------------------------------------------------------- */

static void put_children(gk_sim *s, gk_buf *out, gk_bytes path)
{
    size_t skip = path.n <= 1 ? 1 : path.n + 1;

    gk_buf_i32(out, sim_children(s, path));
    for (size_t i = 0; i < s->n; i++) {
        gk_bytes child = B(s->nodes[i].path);
        if (sim_is_child(path, child, false))
            gk_buf_bytes(out, (gk_bytes){child.p + skip, child.n - skip});
    }
}

/* stat_alone appends the Stat of a reply that doesn't hold the data. The stored text of a zookeeper_stats node may have more digits than the
 * plain one, and such a reply shows its length (docs/OPERATIONS.md, "Known differences to stock"): here both worlds show the plain one's. */
static void stat_alone(gk_sim *s, gk_buf *out, const sim_node *n)
{
    uint8_t text[512];
    gk_writer plain = gk_writer_of(text, sizeof text);

    sim_stat(s, out, n);
    if (s->hook && is_statistics(B(n->path)) && gk_quota_stats_shift(&plain, B(n->data), -1) == GK_OK && plain.err == GK_OK) {
        gk_writer length = gk_writer_of(out->p + out->n - GK_STAT_SIZE + GK_STAT_DATA_LENGTH, 4);
        gk_writer_u32(&length, (uint32_t)plain.len);
    }
}

static int32_t read_op(gk_sim *s, gk_buf *out, int32_t type, const sim_request *q)
{
    gk_bytes path = B(q->path);
    sim_node *n = sim_find(s, path);

    if (type == GK_OP_EXISTS && path.n > 0 && memchr(path.p, 0, path.n))
        return SIM_BADARGUMENTS;
    if (q->watch && (n || type == GK_OP_EXISTS))
        sim_watch_add(s, path, type == GK_OP_EXISTS || type == GK_OP_GET_DATA ? SIM_WATCH_DATA : SIM_WATCH_CHILDREN);
    if (!n)
        return SIM_NONODE;
    if (type == GK_OP_GET_DATA)
        gk_buf_blob(out, (gk_blob){B(n->data), n->null});
    else if (type == GK_OP_GET_CHILDREN || type == GK_OP_GET_CHILDREN2)
        put_children(s, out, path);
    else if (type == GK_OP_GET_ACL)
        gk_buf_put(out, n->acl.p, n->acl.n);
    if (type == GK_OP_GET_DATA)
        sim_stat(s, out, n);
    else if (type != GK_OP_GET_CHILDREN)
        stat_alone(s, out, n);
    return SIM_OK;
}

static void get_ephemerals(gk_sim *s, gk_buf *out, gk_bytes prefix)
{
    size_t from = 0, to = prefix.n, at = out->n;
    int32_t count = 0;

    while (from < to && prefix.p[from] <= ' ')
        from++;
    while (to > from && prefix.p[to - 1] <= ' ')
        to--;
    if (to == from || (to - from == 1 && prefix.p[from] == '/'))
        prefix.n = 0;
    gk_buf_i32(out, 0);
    for (size_t i = 0; i < s->n; i++) {
        gk_bytes path = B(s->nodes[i].path);

        if (s->nodes[i].owner == 0 || path.n < prefix.n || (prefix.n > 0 && memcmp(path.p, prefix.p, prefix.n) != 0))
            continue;
        gk_buf_bytes(out, path);
        count++;
    }
    gk_writer w = gk_writer_of(out->p + at, 4);
    gk_jute_put_i32(&w, count);
}

/* --- multi ---------------------------------------------------------------------------------------------------------------- */

static void put_part(gk_buf *out, int32_t type, uint8_t done, int32_t err)
{
    gk_buf_i32(out, type);
    gk_buf_u8(out, done);
    gk_buf_i32(out, err);
}

static bool reads(int32_t type)
{
    return type == GK_OP_GET_DATA || type == GK_OP_GET_CHILDREN;
}

/* good_part: MultiOperationRecord knows CreateModes only, and CreateOptions no null ACL. */
static bool good_part(int32_t type, const sim_request *q)
{
    if (!gk_opcode_creates(type) || type == GK_OP_CREATE_TTL)
        return true;
    return q->flags >= 0 && q->flags <= 6 && memcmp(q->acl.p, "\377\377\377\377", 4) != 0;
}

/* next_part: false where MultiOperationRecord can't be read. */
static bool next_part(gk_reader *r, int32_t multi, int32_t *type, bool *done, sim_request *q)
{
    uint8_t end;
    int32_t err;
    const gk_opcode *op;

    if (gk_jute_i32(r, type) != GK_OK || gk_reader_u8(r, &end) != GK_OK || gk_jute_i32(r, &err) != GK_OK)
        return false;
    *done = end != 0;
    if (*done)
        return true;
    op = gk_opcode_find(*type);
    return op && op->in_multi && reads(*type) == (multi == GK_OP_MULTI_READ) && read_record(r, *type, q) && !q->null_path && good_part(*type, q);
}

static int32_t count_parts(gk_reader r, int32_t multi, sim_request *q)
{
    int32_t type, n = 0;

    for (bool done = false; !done; n++)
        if (!next_part(&r, multi, &type, &done, q))
            return -1;
    return n - 1;
}

static int32_t do_multi(gk_sim *s, gk_buf *out, int32_t multi, gk_reader r, sim_request *q)
{
    int32_t type, n = count_parts(r, multi, q), failed = -1, err = SIM_OK;
    sim_copy before;
    size_t events = s->events.n;
    bool done;

    if (n < 0)
        return SIM_MARSHALLING;
    before = sim_snapshot(s);
    for (int32_t i = 0; i < n && failed < 0; i++) {
        gk_buf result = {0};

        rig_must(next_part(&r, multi, &type, &done, q) && !done);
        err = reads(type) ? read_op(s, &result, type, q) : write_op(s, &result, type, q);
        put_part(out, err == SIM_OK ? type : -1, 0, err);
        if (err == SIM_OK)
            gk_buf_put(out, result.p, result.n);
        else if (reads(type))
            gk_buf_i32(out, err);
        else
            failed = i;
        gk_buf_free(&result);
    }
    if (failed < 0) {
        sim_forget(&before);
    } else {
        sim_restore(s, &before);
        s->events.n = events; /* watches that fired are gone, in both worlds alike */
        gk_buf_clear(out);
        for (int32_t i = 0; i < n; i++) {
            int32_t e = i < failed ? SIM_OK : i == failed ? err : SIM_INCONSISTENCY;
            put_part(out, -1, 0, e);
            gk_buf_i32(out, e);
        }
    }
    put_part(out, -1, 1, -1);
    return SIM_OK;
}

/* --- watches, and the rest --------------------------------------------------------------------------------------------------- */

/* one_watch: what changed while the client was away fires at once. */
static void one_watch(gk_sim *s, int vector, int64_t zxid, gk_bytes path)
{
    sim_node *n = sim_find(s, path);

    if (vector >= 3)
        sim_watch_add(s, path, vector == 3 ? SIM_WATCH_PERSISTENT : SIM_WATCH_RECURSIVE);
    else if (!n != (vector == 1))
        sim_event(s, path, vector == 1 ? SIM_CREATED : SIM_DELETED, -1);
    else if (vector == 0 && n->mzxid > zxid)
        sim_event(s, path, SIM_CHANGED, -1);
    else
        sim_watch_add(s, path, vector == 2 ? SIM_WATCH_CHILDREN : SIM_WATCH_DATA);
}

/* read_watches reads the whole record; with act it does what it says. */
static bool read_watches(gk_sim *s, gk_reader r, int vectors, sim_request *q, bool act)
{
    uint64_t zxid;

    if (gk_reader_u64(&r, &zxid) != GK_OK)
        return false;
    for (int v = 0; v < vectors; v++) {
        int32_t raw;
        uint32_t count;

        if (gk_jute_count(&r, &raw, &count) != GK_OK)
            return false;
        for (uint32_t i = 0; i < count; i++) {
            if (!read_path(&r, q))
                return false;
            if (act && !q->null_path)
                one_watch(s, v, (int64_t)zxid, B(q->path));
        }
    }
    return true;
}

static int32_t set_watches(gk_sim *s, gk_reader r, int vectors, sim_request *q)
{
    if (!read_watches(s, r, vectors, q, false))
        return SIM_MARSHALLING;
    (void)read_watches(s, r, vectors, q, true);
    return SIM_OK;
}

static void close_session(gk_sim *s)
{
    for (size_t i = s->n; i-- > 0;)
        if (s->nodes[i].owner != 0)
            sim_remove(s, &s->nodes[i]);
    s->closed = true;
}

static int32_t path_op(gk_sim *s, gk_buf *out, int32_t type, sim_request *q)
{
    sim_node *n = sim_find(s, B(q->path));
    int32_t below = 0;

    switch (type) {
    case GK_OP_CREATE: case GK_OP_CREATE2: case GK_OP_CREATE_CONTAINER: case GK_OP_CREATE_TTL: case GK_OP_DELETE: case GK_OP_SET_DATA:
        return write_op(s, out, type, q);
    case GK_OP_DELETE_CONTAINER:
        return do_delete(s, q, false);
    case GK_OP_SET_ACL:
        if (!sim_valid(B(q->path)))
            return SIM_BADARGUMENTS;
        if (!n)
            return SIM_NONODE;
        gk_buf_clear(&n->acl);
        gk_buf_put(&n->acl, q->acl.p, q->acl.n);
        n->aversion++;
        stat_alone(s, out, n);
        return SIM_OK;
    case GK_OP_SYNC:
        gk_buf_bytes(out, B(q->path));
        return SIM_OK;
    case GK_OP_ADD_WATCH:
        sim_watch_add(s, B(q->path), q->flags == 0 ? SIM_WATCH_PERSISTENT : SIM_WATCH_RECURSIVE);
        gk_buf_i32(out, 0);
        return SIM_OK;
    case GK_OP_CHECK_WATCHES: case GK_OP_REMOVE_WATCHES:
        return sim_watch_drop(s, B(q->path), type == GK_OP_REMOVE_WATCHES) ? SIM_OK : SIM_NOWATCHER;
    case GK_OP_GET_EPHEMERALS:
        get_ephemerals(s, out, B(q->path));
        return SIM_OK;
    case GK_OP_GET_ALL_CHILDREN_NUMBER:
        for (size_t i = 0; n && i < s->n; i++)
            below += sim_is_child(B(q->path), B(s->nodes[i].path), true);
        gk_buf_i32(out, below);
        return n ? SIM_OK : SIM_NONODE;
    default:
        return read_op(s, out, type, q);
    }
}

static int32_t reconfig(gk_reader r)
{
    gk_blob b;
    uint64_t version;

    for (int i = 0; i < 3; i++)
        if (gk_jute_blob(&r, &b) != GK_OK)
            return SIM_MARSHALLING;
    return gk_reader_u64(&r, &version) == GK_OK ? SIM_UNIMPLEMENTED : SIM_MARSHALLING;
}

static int32_t any_op(gk_sim *s, gk_buf *out, int32_t type, gk_reader r, sim_request *q)
{
    if (!gk_opcode_find(type) || type == GK_OP_CHECK) {
        s->closed = true;
        return SIM_UNIMPLEMENTED;
    }
    switch (type) {
    case GK_OP_MULTI: case GK_OP_MULTI_READ:
        return do_multi(s, out, type, r, q);
    case GK_OP_SET_WATCHES: case GK_OP_SET_WATCHES2:
        return set_watches(s, r, type == GK_OP_SET_WATCHES ? 3 : 5, q);
    case GK_OP_CLOSE_SESSION:
        close_session(s);
        return SIM_OK;
    case GK_OP_WHO_AM_I:
        gk_buf_i32(out, 0);
        return SIM_OK;
    case GK_OP_PING: case GK_OP_AUTH: case GK_OP_CREATE_SESSION:
        return SIM_OK;
    case GK_OP_SASL:
        gk_buf_str(out, "challenge");
        return SIM_OK;
    case GK_OP_RECONFIG:
        return reconfig(r);
    default:
        if (!read_record(&r, type, q) || (q->null_path && type != GK_OP_GET_EPHEMERALS))
            return SIM_MARSHALLING;
        return path_op(s, out, type, q);
    }
}

void gk_sim_handle(gk_sim *s, gk_buf *out, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    int32_t xid, type;
    sim_request q = {0};
    gk_buf result = {0};

    rig_must(gk_jute_i32(&r, &xid) == GK_OK && gk_jute_i32(&r, &type) == GK_OK);
    s->zxid++;
    int32_t err = any_op(s, &result, type, r, &q);
    gk_buf_put(out, s->events.p, s->events.n);
    gk_buf_clear(&s->events);
    size_t at = gk_buf_open(out);
    gk_buf_i32(out, type == GK_OP_PING ? -2 : xid);
    gk_buf_i64(out, s->zxid);
    gk_buf_i32(out, err);
    if (err == SIM_OK)
        gk_buf_put(out, result.p, result.n);
    gk_buf_close(out, at);
    gk_buf_free(&q.path);
    gk_buf_free(&result);
}
