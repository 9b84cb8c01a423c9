#include "gk_sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gk_limits.h"
#include "gk_name.h"
#include "gk_payload.h"

#define LABEL "groupkeeper v1 pending"
#define AAD_LABEL_SIZE (2 + sizeof LABEL - 1)
#define MARK_OVERHEAD (GK_XAES_NONCE + GK_XAES_TAG)

/* label_of writes u16 length | label, the first half of a marker's AAD; the second is the parent's tag. */
static gk_bytes label_of(uint8_t buf[AAD_LABEL_SIZE])
{
    gk_writer w = gk_writer_of(buf, AAD_LABEL_SIZE);
    gk_writer_u16(&w, sizeof LABEL - 1);
    gk_writer_put(&w, LABEL, sizeof LABEL - 1);
    return (gk_bytes){buf, w.len};
}

static gk_err write_marker(gk_worker *w, gk_writer *out, const gk_node *parent, gk_bytes prefix)
{
    uint8_t label[AAD_LABEL_SIZE];
    size_t n = prefix.n + MARK_OVERHEAD;
    uint8_t *p = gk_worker_scratch(w, n);
    gk_err e = p ? gk_random_fill(w->random, p, GK_XAES_NONCE) : GK_ERR_NOMEM;
    if (e == GK_OK)
        e = gk_xaes_seal(w->pending, p + GK_XAES_NONCE, p, label_of(label), (gk_bytes){parent->child_tag, GK_SIV_TAG}, prefix);
    if (e != GK_OK)
        return e;
    gk_writer_u8(out, GK_MARK_PENDING);
    char *to = (char *)gk_writer_reserve(out, GK_B64_LEN(n));
    if (to)
        gk_b64_encode(to, p, n);
    return GK_OK;
}

static bool is_root(gk_bytes path)
{
    return path.n == 1 && path.p[0] == '/';
}

gk_err gk_sequence_mark(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes *component, gk_bytes path)
{
    gk_bytes parent, prefix;
    *component = (gk_bytes){NULL, 0};
    if (!gk_path_parent(path, &parent, &prefix))
        return gk_path_encrypt(w, out, node, path);
    gk_name_class class = gk_name_classify(prefix);
    bool below_empty = path.n > 1 && prefix.p == path.p + 2 && path.p[0] == '/'; /* "//x": its parent is "/", but no number makes it valid */
    if (class == GK_NAME_INVALID || class == GK_NAME_NUL || below_empty)
        return gk_path_encrypt(w, out, node, path);
    if (is_root(parent)) {
        gk_node_root(w->codec, node);
    } else {
        gk_err e = gk_path_encrypt(w, out, node, parent);
        if (e != GK_OK)
            return e;
    }
    gk_writer_u8(out, '/');
    if (node->kind == GK_KIND_PLAIN) {
        gk_writer_put(out, prefix.p, prefix.n);
        return GK_OK;
    }
    size_t at = out->len;
    gk_err e = write_marker(w, out, node, prefix);
    if (out->err == GK_OK)
        *component = (gk_bytes){out->p + at, out->len - at};
    else
        *component = (gk_bytes){(const uint8_t *)"\1", 1}; /* only lengths count now */
    node->kind = node->kind == GK_KIND_BAD ? GK_KIND_BAD : GK_KIND_NORMAL;
    return e;
}

bool gk_sequence_is_marked(gk_bytes stored)
{
    gk_bytes parent, last;
    return gk_path_parent(stored, &parent, &last) && last.n > 1 && last.p[0] == GK_MARK_PENDING;
}

/* open_marker puts the prefix into buf (at least component.n bytes) and appends the number. */
static gk_err open_marker(gk_worker *w, uint8_t *buf, gk_bytes *name, const gk_node *parent, gk_bytes component, int32_t number)
{
    uint8_t label[AAD_LABEL_SIZE];
    size_t n = 0;
    if (gk_b64_decode(buf, &n, (const char *)component.p + 1, component.n - 1) != GK_OK || n < MARK_OVERHEAD)
        return GK_ERR_AUTH;
    gk_bytes sealed = {buf + GK_XAES_NONCE, n - GK_XAES_NONCE};
    gk_err e = gk_xaes_open(w->pending, buf + GK_XAES_NONCE, buf, label_of(label), (gk_bytes){parent->child_tag, GK_SIV_TAG}, sealed);
    if (e != GK_OK)
        return e;
    size_t prefix_n = sealed.n - GK_XAES_TAG;
    /* the tag's 16 bytes make room for the number: 10 digits, or a sign and 10 */
    int digits = snprintf((char *)buf + GK_XAES_NONCE + prefix_n, GK_XAES_TAG, "%010d", number);
    *name = (gk_bytes){buf + GK_XAES_NONCE, prefix_n + (size_t)digits};
    return gk_name_classify(*name) == GK_NAME_VALID ? GK_OK : GK_ERR_AUTH;
}

static gk_err reseal(gk_worker *w, gk_writer *data, const gk_node *node, gk_bytes component, gk_blob pending)
{
    bool null = false;
    uint8_t *plain = malloc(pending.b.n + 1);
    if (!plain)
        return GK_ERR_NOMEM;
    gk_writer p = gk_writer_of(plain, pending.b.n);
    gk_err e = gk_payload_open_pending(w, &p, &null, component, pending.b);
    if (e == GK_OK)
        e = gk_payload_seal(w, data, node, (gk_blob){{plain, p.len}, null});
    gk_wipe(plain, pending.b.n);
    free(plain);
    return e;
}

gk_err gk_sequence_resolve(gk_worker *w, gk_writer *path, gk_writer *data, gk_bytes stored, int32_t number, gk_blob pending)
{
    gk_bytes parent, component, name;
    gk_node node;
    if (!gk_sequence_is_marked(stored) || !gk_path_parent(stored, &parent, &component))
        return GK_ERR_ARG;
    uint8_t *buf = malloc(stored.n * 2);
    if (!buf)
        return GK_ERR_NOMEM;
    gk_writer plain_parent = gk_writer_of(buf, stored.n); /* a plaintext path is never longer than its stored form */
    gk_err e = gk_path_decrypt(w, &plain_parent, &node, parent);
    if (e == GK_OK && node.kind == GK_KIND_BAD)
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = open_marker(w, buf + stored.n, &name, &node, component, number);
    if (e != GK_OK)
        goto out;
    if (!is_root(parent))
        gk_writer_put(path, parent.p, parent.n);
    gk_writer_u8(path, '/');
    e = gk_child_encrypt(w, path, &node, name);
    if (e == GK_OK && !gk_node_encrypted(&node)) /* the number made a plaintext prefix of it: nobody could read it there */
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = reseal(w, data, &node, component, pending);
    if (e == GK_OK)
        e = path->err != GK_OK ? path->err : data->err;
out:
    gk_wipe(buf, stored.n * 2);
    free(buf);
    return e;
}

gk_err gk_write_verify(gk_worker *w, gk_bytes stored, gk_blob data)
{
    bool null = false;
    gk_node node;
    size_t n = stored.n + data.b.n + 1;
    uint8_t *buf = malloc(n);
    if (!buf)
        return GK_ERR_NOMEM;
    gk_writer plain = gk_writer_of(buf, n);
    gk_err e = gk_path_decrypt(w, &plain, &node, stored);
    if (e != GK_OK)
        goto out;
    switch ((gk_kind)node.kind) {
    case GK_KIND_CONFIG:
    case GK_KIND_PLAIN:
        break;
    case GK_KIND_STATS: {
        gk_quota_limits q;
        bool known = true;
        if (!data.null && (gk_quota_parse(&q, &known, data.b) != GK_OK || !known))
            e = GK_ERR_AUTH;
        break;
    }
    case GK_KIND_LIMITS:
        e = gk_limits_open(w, &plain, &null, &node, data.b);
        break;
    case GK_KIND_BAD: /* stock refuses such a path by itself */
        break;
    default:
        e = gk_payload_open(w, &plain, &null, &node, data.b);
    }
out:
    gk_wipe(buf, n);
    free(buf);
    return e;
}
