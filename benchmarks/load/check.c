/* Replies: each is judged by its xid, its error, and all that it says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

#define POOL (64u << 10) /* where contents begin; they may be PAYLOAD_MAX long */

static uint8_t pool[POOL + PAYLOAD_MAX];

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void ops_init(void)
{
    for (size_t i = 0; i < sizeof pool; i++)
        pool[i] = (uint8_t)mix(i);
}

uint64_t content_id(const conn *c, const dir *d, uint32_t index, uint32_t version)
{
    return mix(mix((uint64_t)c->number << 8 | d->number) ^ ((uint64_t)index << 32 | version));
}

/* Contents are their id, as far as there is room, and bytes of the pool from a place that the id chooses. */
void content_put(gk_writer *w, uint64_t id, uint32_t n)
{
    if (n >= 8) {
        gk_writer_u64(w, id);
        n -= 8;
    }
    gk_writer_put(w, pool + id % POOL, n);
}

static bool content_is(gk_bytes b, uint64_t id, uint32_t n)
{
    gk_reader r = gk_reader_of(b.p, b.n);
    uint64_t found = id;
    gk_bytes rest;
    if (b.n != n || (n >= 8 && gk_reader_u64(&r, &found) != GK_OK) || found != id)
        return false;
    return gk_reader_take(&r, &rest, r.n) == GK_OK && memcmp(rest.p, pool + id % POOL, rest.n) == 0;
}

const char *node_path(char out[PATH_ROOM], const dir *d, char kind, uint32_t index)
{
    static const char zeros[] = "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                                "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
    if (kind == 's')
        snprintf(out, PATH_ROOM, "%s/s-%010u", d->path, index);
    else
        snprintf(out, PATH_ROOM, "%s/%c%.*s%010u", d->path, kind, (int)d->name_length - 11, zeros, index);
    return out;
}

static const char *const NAMES[] = {"get", "set", "exists", "create", "sequential", "ephemeral", "delete", "children", "watch", "touch",
                                    "folder", "steady", "child", "ping"};

_Noreturn static void wrong(const conn *c, const pending *p, const char *what)
{
    fail("WRONG", "connection %d, session 0x%" PRIx64 ", %s of node %u in %s: %s", c->number, (uint64_t)c->session, NAMES[p->op], p->index & ~SEQUENTIAL,
         p->dir ? p->dir->path : "-", what);
}

typedef struct stat_fields {
    uint64_t czxid, mzxid, ctime, mtime, owner, pzxid;
    uint32_t version, cversion, aversion, length, children;
} stat_fields;

static stat_fields read_stat(const conn *c, const pending *p, gk_reader *r)
{
    stat_fields s;
    if (gk_reader_u64(r, &s.czxid) != GK_OK || gk_reader_u64(r, &s.mzxid) != GK_OK || gk_reader_u64(r, &s.ctime) != GK_OK ||
        gk_reader_u64(r, &s.mtime) != GK_OK || gk_reader_u32(r, &s.version) != GK_OK || gk_reader_u32(r, &s.cversion) != GK_OK ||
        gk_reader_u32(r, &s.aversion) != GK_OK || gk_reader_u64(r, &s.owner) != GK_OK || gk_reader_u32(r, &s.length) != GK_OK ||
        gk_reader_u32(r, &s.children) != GK_OK || gk_reader_u64(r, &s.pzxid) != GK_OK)
        wrong(c, p, "the Stat is cut off");
    return s;
}

/* The Stat of a leaf that only this connection writes. */
static void check_stat(const conn *c, const pending *p, gk_reader *r, int64_t zxid)
{
    stat_fields s = read_stat(c, p, r);
    bool steady = p->op == OP_GET || p->op == OP_EXISTS || p->op == OP_SET;
    if (s.version != p->version)
        wrong(c, p, "the Stat has another version");
    if (s.length != p->payload)
        wrong(c, p, "the Stat has another dataLength");
    if (s.children != 0 || s.cversion != 0 || s.aversion != 0 || s.owner != 0 || s.pzxid != s.czxid || s.czxid > s.mzxid || s.mtime < s.ctime)
        wrong(c, p, "a field of the Stat isn't that of such a node");
    if (p->op == OP_SET || p->op == OP_TOUCH) {
        if ((int64_t)s.mzxid != zxid)
            wrong(c, p, "mzxid isn't the reply's zxid");
        if (steady)
            p->dir->nodes[p->index].mzxid = zxid;
    } else if (steady && (int64_t)s.mzxid != p->dir->nodes[p->index].mzxid) {
        wrong(c, p, "mzxid isn't that of the last write");
    }
}

static void check_data(const conn *c, const pending *p, gk_reader *r)
{
    gk_blob data;
    uint32_t index = p->op == OP_GET ? p->index : p->index | SEQUENTIAL;
    if (gk_jute_blob(r, &data) != GK_OK || data.null)
        wrong(c, p, "no data");
    if (!content_is(data.b, content_id(c, p->dir, index, p->version), p->payload))
        wrong(c, p, "other contents than those written");
}

static void check_path(const conn *c, const pending *p, gk_reader *r, int64_t zxid)
{
    char path[PATH_ROOM];
    gk_blob got;
    if (gk_jute_blob(r, &got) != GK_OK || got.null)
        wrong(c, p, "no path");
    if (p->op == OP_FOLDER || p->op == OP_CHILD)
        return;
    node_path(path, p->dir, p->op == OP_SEQUENTIAL ? 's' : p->op == OP_STEADY ? 'n' : 'c', p->index);
    if (got.b.n != strlen(path) || memcmp(got.b.p, path, got.b.n) != 0)
        wrong(c, p, "another path than that asked for");
    if (p->op == OP_STEADY)
        p->dir->nodes[p->index].mzxid = zxid;
}

/* A child's number, or the count when it is none of ours. */
static uint32_t child_number(gk_bytes name, uint32_t count)
{
    static const char prefix[] = "child-";
    gk_reader r = gk_reader_of(name.p, name.n);
    gk_bytes start;
    uint64_t number = 0;
    uint8_t digit;
    if (name.n != 16 || gk_reader_take(&r, &start, 6) != GK_OK || memcmp(start.p, prefix, 6) != 0)
        return count;
    while (gk_reader_u8(&r, &digit) == GK_OK) {
        if (digit < '0' || digit > '9')
            return count;
        number = number * 10 + (uint64_t)(digit - '0');
    }
    return number < count ? (uint32_t)number : count;
}

/* Each child once, and no other. */
static void check_children(const conn *c, const pending *p, gk_reader *r)
{
    static uint8_t *seen;
    static uint32_t room;
    int32_t raw;
    uint32_t n;
    gk_blob name;
    if (room < p->index)
        seen = must_alloc(seen, room = p->index);
    memset(seen, 0, p->index);
    if (gk_jute_count(r, &raw, &n) != GK_OK || n != p->index)
        wrong(c, p, "another number of children");
    for (uint32_t i = 0; i < n; i++) {
        if (gk_jute_blob(r, &name) != GK_OK || name.null)
            wrong(c, p, "the list of children is cut off");
        uint32_t number = child_number(name.b, p->index);
        if (number == p->index || seen[number])
            wrong(c, p, "a child that isn't there, or twice");
        seen[number] = 1;
    }
    stat_fields s = read_stat(c, p, r);
    if (s.children != n || s.cversion != n)
        wrong(c, p, "the Stat of the parent has another number of children");
}

static void check_event(conn *c, gk_reader *r)
{
    pending none = {.op = OP_WATCH};
    int32_t type, state;
    gk_blob path;
    if (gk_jute_i32(r, &type) != GK_OK || gk_jute_i32(r, &state) != GK_OK || gk_jute_blob(r, &path) != GK_OK || gk_reader_end(r) != GK_OK)
        wrong(c, &none, "an event that can't be read");
    bool ours = false;
    for (unsigned i = 0; i < c->dir_count; i++) {
        size_t n = strlen(c->dirs[i].path);
        ours |= path.b.n == n + 1 + c->dirs[i].name_length && memcmp(path.b.p, c->dirs[i].path, n) == 0;
    }
    if (type != 3 || state != 3 || !ours)
        wrong(c, &none, "an event that nobody asked for");
    c->events++;
}

static void check_body(const conn *c, const pending *p, gk_reader *r, int64_t zxid)
{
    switch (p->op) {
    case OP_GET:
    case OP_WATCH:
        check_data(c, p, r);
        check_stat(c, p, r, zxid);
        break;
    case OP_SET:
    case OP_TOUCH:
    case OP_EXISTS:
        check_stat(c, p, r, zxid);
        break;
    case OP_CHILDREN:
        check_children(c, p, r);
        break;
    case OP_DELETE:
    case OP_PING:
        break;
    default:
        check_path(c, p, r, zxid);
    }
    if (gk_reader_end(r) != GK_OK)
        wrong(c, p, "bytes behind the reply's end");
}

bool check_reply(conn *c, gk_bytes body, pending *asked)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    int32_t xid, err;
    uint64_t zxid;
    *asked = (pending){.op = OP_PING};
    if (gk_jute_i32(&r, &xid) != GK_OK || gk_reader_u64(&r, &zxid) != GK_OK || gk_jute_i32(&r, &err) != GK_OK)
        wrong(c, asked, "a reply without a whole header");
    if (xid == -1) {
        check_event(c, &r);
        return false;
    }
    if (c->waiting == 0)
        wrong(c, asked, "a reply to nothing");
    *asked = c->ring[c->head];
    c->head = (c->head + 1) % c->ring_size;
    c->waiting--;
    if (xid != (asked->op == OP_PING ? -2 : ++c->xid_due))
        wrong(c, asked, "another xid than that of the oldest request");
    if (err != 0) {
        char text[64];
        snprintf(text, sizeof text, "error %d", err);
        wrong(c, asked, text);
    }
    if ((int64_t)zxid < c->zxid)
        wrong(c, asked, "a zxid below one that was told before");
    c->zxid = (int64_t)zxid;
    check_body(c, asked, &r, (int64_t)zxid);
    return asked->counts;
}
