#include "gk_children.h"

#include <string.h>

#include "../wire/gk_jute.h"
#include "gk_own.h"

/* Lists of so many names are kept; in one that has changed the next known name is looked for among so many. */
#define LIST_KEPT_FROM 64
#define LIST_AHEAD 8

/* What is ahead of the list that was read before. */
typedef struct gk_known {
    gk_reader stored, plain;
} gk_known;

static gk_known known_of(const gk_list *before)
{
    gk_known k = {gk_reader_of(before->stored.p, before->stored.n), gk_reader_of(before->plain.p, before->plain.n)};
    int32_t count;
    if (gk_jute_i32(&k.stored, &count) != GK_OK || gk_jute_i32(&k.plain, &count) != GK_OK)
        return (gk_known){{0}, {0}};
    return k;
}

/* recall finds a stored name among the next ones, and goes on behind it. */
static bool recall(gk_known *known, gk_bytes token, gk_blob *name)
{
    gk_known at = *known;
    gk_blob stored;
    for (int i = 0; i < LIST_AHEAD && gk_jute_blob(&at.stored, &stored) == GK_OK && gk_jute_blob(&at.plain, name) == GK_OK; i++) {
        if (stored.b.n == token.n && memcmp(stored.b.p, token.p, token.n) == 0) { /* public */
            *known = at;
            return true;
        }
    }
    return false;
}

static gk_err write_child(gk_worker *w, gk_writer *out, const gk_node *node, gk_known *known, gk_bytes token)
{
    gk_blob name;
    if (recall(known, token, &name)) {
        gk_jute_put_blob(out, name);
        return GK_OK;
    }
    size_t at = gk_jute_open_string(out);
    gk_err e = gk_child_decrypt(w, out, NULL, node, token);
    gk_jute_close_string(out, at);
    return e;
}

/* write_names writes n names without their number; *kept becomes the number of those that the client sees. */
static gk_err write_names(gk_worker *w, gk_writer *out, gk_reader *r, const gk_node *node, gk_known *known, uint32_t n, uint32_t *kept)
{
    for (*kept = 0; n > 0; n--) {
        gk_blob name;
        gk_err e = gk_jute_blob(r, &name);
        if (e != GK_OK)
            return e;
        if (gk_own_is_child(node, name.b)) /* not for clients to see */
            continue;
        gk_writer before = *out; /* its error, too: what is left out needs no space */
        e = write_child(w, out, node, known, name.b);
        if (e == GK_OK) {
            ++*kept;
            continue;
        }
        if (e != GK_ERR_AUTH || w->codec->undecryptable_fails)
            return e;
        gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
        *out = before;
    }
    return GK_OK;
}

gk_bytes gk_children_key(uint8_t buf[GK_LISTS_KEY], const gk_node *node)
{
    gk_writer w = gk_writer_of(buf, GK_LISTS_KEY);
    gk_writer_put(&w, node->child_tag, GK_SIV_TAG);
    gk_writer_u8(&w, node->kind);
    gk_writer_u8(&w, node->quota);
    gk_writer_u16(&w, node->depth);
    gk_writer_u64(&w, node->prefixes);
    return (gk_bytes){buf, w.len};
}

gk_err gk_children_write(gk_worker *w, gk_writer *out, gk_reader *r, const gk_node *node)
{
    uint8_t buf[GK_LISTS_KEY];
    gk_bytes key = gk_children_key(buf, node), stored = {r->p, r->n};
    int32_t count;
    uint32_t n, kept;
    gk_err e = gk_jute_count(r, &count, &n);
    if (e != GK_OK)
        return e;
    const gk_list *before = n >= LIST_KEPT_FROM ? gk_lists_find(w->codec->lists, key) : NULL;
    if (before && before->stored.n <= stored.n && memcmp(before->stored.p, stored.p, before->stored.n) == 0) {
        gk_writer_put(out, before->plain.p, before->plain.n);
        *r = gk_reader_of(stored.p, stored.n);
        e = gk_reader_take(r, &stored, before->stored.n);
    } else {
        gk_known known = before ? known_of(before) : (gk_known){{0}, {0}};
        size_t at = out->len;
        gk_jute_put_i32(out, count);
        e = write_names(w, out, r, node, &known, n, &kept);
        if (e == GK_OK && kept != n && out->err == GK_OK)
            gk_writer_patch_u32(out, at, kept);
        stored.n -= r->n;
        if (e == GK_OK && out->err == GK_OK && kept == n && n >= LIST_KEPT_FROM) /* with names left out, each time counts as a failure */
            gk_lists_put(w->codec->lists, key, stored, (gk_bytes){out->p + at, out->len - at});
    }
    gk_lists_release(w->codec->lists, before);
    return e;
}
