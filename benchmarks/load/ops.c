/* Requests: what is written, and what is expected of the reply. */
#include <stdio.h>
#include <string.h>

#include "load.h"

#define NAME_LENGTH_MAX 200

enum { CREATE = 1, DELETE = 2, EXISTS = 3, GET_DATA = 4, SET_DATA = 5, PING = 11, GET_CHILDREN2 = 12 };
enum { PERSISTENT = 0, EPHEMERAL_FLAG = 1, SEQUENTIAL_FLAG = 2 };

char run_tag[24];

static void expect(conn *c, pending p)
{
    if (c->waiting == c->ring_size) { /* a ring that is full is unrolled into one twice as large */
        uint32_t size = c->ring_size ? c->ring_size * 2 : 16;
        pending *ring = must_alloc(NULL, size * sizeof *ring);
        for (uint32_t i = 0; i < c->waiting; i++)
            ring[i] = c->ring[(c->head + i) % c->ring_size];
        must_alloc(c->ring, 0);
        c->ring = ring;
        c->ring_size = size;
        c->head = 0;
    }
    p.sent = c->last_sent;
    c->ring[(c->head + c->waiting++) % c->ring_size] = p;
}

static gk_writer begin(conn *c, int32_t type, size_t room)
{
    gk_writer w = conn_begin(c, room + 2 * PATH_ROOM);
    gk_jute_put_i32(&w, type == PING ? -2 : ++c->xid_sent);
    gk_jute_put_i32(&w, type);
    return w;
}

static void put_text(gk_writer *w, const char *text)
{
    gk_jute_put_blob(w, (gk_blob){{(const uint8_t *)text, strlen(text)}, false});
}

/* An empty payload is written as one of no bytes; null is none of ours. */
static void put_content(gk_writer *w, uint64_t id, uint32_t n)
{
    gk_jute_put_i32(w, (int32_t)n);
    content_put(w, id, n);
}

static void create(conn *c, const char *path, uint64_t id, uint32_t payload, int32_t flags, pending expected)
{
    gk_writer w = begin(c, CREATE, payload + 64);
    put_text(&w, path);
    put_content(&w, id, payload);
    gk_jute_put_i32(&w, 1); /* world:anyone, all permissions */
    gk_jute_put_i32(&w, 31);
    put_text(&w, "world");
    put_text(&w, "anyone");
    gk_jute_put_i32(&w, flags);
    conn_end(c, &w);
    expect(c, expected);
}

void issue_folder(conn *c, const char *path)
{
    create(c, path, 0, 0, PERSISTENT, (pending){.op = OP_FOLDER});
}

dir *conn_dir(conn *c, unsigned depth, unsigned name_length)
{
    for (unsigned i = 0; i < c->dir_count; i++)
        if (c->dirs[i].depth == depth && c->dirs[i].name_length == name_length)
            return &c->dirs[i];
    if (c->dir_count == DIRS || depth < 2 || depth > 20 || name_length < 12 || name_length > NAME_LENGTH_MAX)
        fail("USAGE", "path=%u name=%u: at most %d families, path from 2 to 20, name from 12 to %d", depth, name_length, DIRS, NAME_LENGTH_MAX);
    dir *d = &c->dirs[c->dir_count];
    d->depth = depth;
    d->name_length = name_length;
    d->number = c->dir_count++;
    int n = snprintf(d->path, sizeof d->path, "/%s-%d-%u", run_tag, c->number, d->number);
    issue_folder(c, d->path);
    for (unsigned i = 2; i < depth; i++) {
        n += snprintf(d->path + n, sizeof d->path - (size_t)n, "/level-%02u", i);
        issue_folder(c, d->path);
    }
    return d;
}

void issue_steady(conn *c, dir *d, uint32_t payload)
{
    char path[PATH_ROOM];
    uint32_t i = d->count++;
    if ((i & (i - 1)) == 0) /* full at each power of two */
        d->nodes = must_alloc(d->nodes, (i ? i * 2 : 1) * sizeof *d->nodes);
    d->nodes[i] = (node){0, payload, 0};
    d->creations++;
    create(c, node_path(path, d, 'n', i), content_id(c, d, i, 0), payload, PERSISTENT, (pending){.op = OP_STEADY, .index = i, .dir = d});
}

void issue_child(conn *c, uint32_t of, uint32_t index)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "/%s-%u-children/child-%010u", run_tag, of, index);
    create(c, path, 0, 0, PERSISTENT, (pending){.op = OP_CHILD});
}

void issue_children(conn *c, uint32_t of)
{
    char path[PATH_ROOM];
    gk_writer w = begin(c, GET_CHILDREN2, 0);
    snprintf(path, sizeof path, "/%s-%u-children", run_tag, of);
    put_text(&w, path);
    gk_writer_u8(&w, 0);
    conn_end(c, &w);
    expect(c, (pending){.op = OP_CHILDREN, .index = of, .counts = true});
}

static void read_node(conn *c, const char *path, bool watch, pending expected)
{
    gk_writer w = begin(c, expected.op == OP_EXISTS ? EXISTS : GET_DATA, 0);
    put_text(&w, path);
    gk_writer_u8(&w, watch);
    conn_end(c, &w);
    expect(c, expected);
}

static void write_node(conn *c, const char *path, uint64_t id, pending expected)
{
    gk_writer w = begin(c, SET_DATA, expected.payload);
    put_text(&w, path);
    put_content(&w, id, expected.payload);
    gk_jute_put_i32(&w, -1);
    conn_end(c, &w);
    expect(c, expected);
}

void issue_read(conn *c, dir *d, op what, uint32_t index)
{
    char path[PATH_ROOM];
    node *n = &d->nodes[index];
    read_node(c, node_path(path, d, 'n', index), false, (pending){what, index, n->version, n->payload, true, 0, d});
}

void issue_set(conn *c, dir *d, uint32_t index, uint32_t payload)
{
    char path[PATH_ROOM];
    node *n = &d->nodes[index];
    n->payload = payload;
    n->version++;
    write_node(c, node_path(path, d, 'n', index), content_id(c, d, index, n->version), (pending){OP_SET, index, n->version, payload, true, 0, d});
}

void issue_passing(conn *c, dir *d, size_t at, op what)
{
    char path[PATH_ROOM];
    uint32_t index = d->passing[at];
    node_path(path, d, 'c', index);
    pending p = {what, index, d->pass_version, d->pass_payload, true, 0, d};
    if (what == OP_WATCH)
        read_node(c, path, true, p);
    else
        write_node(c, path, content_id(c, d, index | SEQUENTIAL, d->pass_version), p);
}

static void remember(dir *d, uint32_t index)
{
    if (d->last == d->cap) {
        if (d->first > d->cap / 2) {
            memmove(d->passing, d->passing + d->first, (d->last - d->first) * sizeof *d->passing);
            d->last -= d->first;
            d->first = 0;
        } else {
            d->passing = must_alloc(d->passing, (d->cap = d->cap ? d->cap * 2 : 64) * sizeof *d->passing);
        }
    }
    d->passing[d->last++] = index;
}

void issue_create(conn *c, dir *d, op what, uint32_t payload)
{
    char path[PATH_ROOM];
    uint32_t number = d->creations++, index = what == OP_SEQUENTIAL ? number : d->next++;
    if (what == OP_SEQUENTIAL)
        snprintf(path, sizeof path, "%s/s-", d->path);
    else
        node_path(path, d, 'c', index);
    remember(d, what == OP_SEQUENTIAL ? index | SEQUENTIAL : index);
    d->pass_payload = payload;
    d->pass_version = 0;
    create(c, path, content_id(c, d, index | SEQUENTIAL, 0), payload, what == OP_SEQUENTIAL ? SEQUENTIAL_FLAG : what == OP_EPHEMERAL ? EPHEMERAL_FLAG : PERSISTENT,
           (pending){what, index, 0, payload, true, 0, d});
}

bool issue_delete(conn *c, dir *d)
{
    char path[PATH_ROOM];
    if (d->first == d->last)
        return false;
    uint32_t index = d->passing[d->first++];
    node_path(path, d, index & SEQUENTIAL ? 's' : 'c', index & ~SEQUENTIAL);
    gk_writer w = begin(c, DELETE, 0);
    put_text(&w, path);
    gk_jute_put_i32(&w, -1);
    conn_end(c, &w);
    expect(c, (pending){.op = OP_DELETE, .index = index, .counts = true, .dir = d});
    return true;
}

void issue_ping(conn *c)
{
    gk_writer w = begin(c, PING, 0);
    conn_end(c, &w);
    expect(c, (pending){.op = OP_PING});
}
