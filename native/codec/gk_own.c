#include "gk_own.h"

#include <string.h>

#include "../wire/gk_jute.h"
#include "gk_payload.h"

#define ROOT_VERSION 1
/* Where a Stat has them. */
#define STAT_CVERSION 36
#define STAT_CHILDREN 56
#define STAT_PZXID 60

static bool is(gk_bytes b, const char *s)
{
    return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

bool gk_own_is_child(const gk_node *node, gk_bytes token)
{
    return node->kind == GK_KIND_OWN || (node->kind == GK_KIND_SYSTEM && is(token, GK_OWN_NAME));
}

bool gk_own_is_current(gk_bytes path)
{
    return is(path, GK_OWN_CURRENT);
}

gk_err gk_own_node(gk_worker *w, gk_node *node, gk_bytes path)
{
    gk_writer nowhere = gk_writer_of(NULL, 0);
    gk_err e = gk_path_decrypt(w, &nowhere, node, path);
    return e == GK_OK && node->kind != GK_KIND_OWN ? GK_ERR_ARG : e;
}

gk_err gk_own_seal(gk_worker *w, gk_writer *out, gk_bytes path, gk_bytes data)
{
    gk_node node;
    gk_err e = gk_own_node(w, &node, path);
    return e == GK_OK ? gk_payload_seal(w, out, &node, (gk_blob){data, false}) : e;
}

gk_err gk_own_open(gk_worker *w, gk_writer *out, gk_bytes path, gk_bytes stored)
{
    gk_node node;
    bool null;
    gk_err e = gk_own_node(w, &node, path);
    return e == GK_OK ? gk_payload_open(w, out, &null, &node, stored) : e;
}

void gk_own_seen(gk_codec *c, int64_t czxid, gk_bytes root, int32_t nodes)
{
    gk_reader r = gk_reader_of(root.p, root.n);
    uint8_t version;
    uint64_t before = 0;
    if (gk_reader_u8(&r, &version) != GK_OK || version != ROOT_VERSION || gk_reader_u64(&r, &before) != GK_OK)
        before = 0;
    atomic_store(&c->own_before, (int64_t)before);
    atomic_store(&c->own_nodes, nodes);
    atomic_store(&c->own_czxid, czxid);
}

static void put_i32(uint8_t *p, int32_t v)
{
    gk_writer w = gk_writer_of(p, 4);
    gk_jute_put_i32(&w, v);
}

/* add changes an i32 by n, wrapping as Java's does. */
static void add(uint8_t *p, int32_t n)
{
    int32_t v;
    gk_reader r = gk_reader_of(p, 4);
    if (gk_jute_i32(&r, &v) == GK_OK)
        put_i32(p, (int32_t)((uint32_t)v + (uint32_t)n));
}

void gk_own_hide(const gk_codec *c, uint8_t *stat)
{
    uint64_t pzxid;
    int64_t czxid = atomic_load(&c->own_czxid);
    gk_reader r = gk_reader_of(stat + STAT_PZXID, 8);
    if (czxid == 0 || gk_reader_u64(&r, &pzxid) != GK_OK || (int64_t)pzxid < czxid)
        return; /* made before our node was there */
    add(stat + STAT_CVERSION, -1); /* 2 * creations - children: one less of each */
    add(stat + STAT_CHILDREN, -1);
    gk_writer w = gk_writer_of(stat + STAT_PZXID, 8);
    if ((int64_t)pzxid == czxid)
        gk_writer_u64(&w, (uint64_t)atomic_load(&c->own_before));
}
