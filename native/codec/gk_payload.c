#include "gk_payload.h"

#include <string.h>

#include "gk_limits.h"

/* The binding of a stored payload: its node's name tag, and one byte more where names repeat those of the clients' tree: below /zookeeper/quota,
 * and for the servers' own nodes. */
static gk_bytes binding_of(uint8_t buf[GK_SIV_TAG + 1], const gk_node *node)
{
    bool own = node->kind == GK_KIND_OWN;
    memcpy(buf, node->tag, GK_SIV_TAG);
    buf[GK_SIV_TAG] = own ? 2 : 1;
    return (gk_bytes){buf, node->quota || own ? GK_SIV_TAG + 1 : GK_SIV_TAG};
}

static gk_err seal(gk_worker *w, gk_writer *out, gk_bytes binding, uint8_t flags, gk_blob data)
{
    uint8_t nonce[GK_XAES_NONCE];
    uint8_t *p = gk_writer_reserve(out, data.b.n + GK_PAYLOAD_OVERHEAD);
    if (!p)
        return out->err == GK_ERR_SPACE ? GK_OK : out->err;
    gk_err e = gk_random_fill(w->random, nonce, sizeof nonce);
    if (e != GK_OK)
        return e;
    gk_writer h = gk_writer_of(p, GK_PAYLOAD_HEADER + GK_XAES_NONCE);
    gk_writer_u8(&h, GK_PAYLOAD_VERSION);
    gk_writer_u8(&h, data.null ? flags | GK_FLAG_NULL : flags);
    gk_writer_u32(&h, w->payload_id);
    gk_writer_put(&h, nonce, sizeof nonce);
    return gk_xaes_seal(w->payload, p + h.len, nonce, (gk_bytes){p, GK_PAYLOAD_HEADER}, binding, data.b);
}

static gk_err open_bound(gk_worker *w, gk_writer *out, bool *null, gk_bytes binding, bool pending, gk_bytes stored)
{
    gk_reader r = gk_reader_of(stored.p, stored.n);
    uint8_t version, flags;
    uint32_t id;
    gk_bytes nonce;
    if (gk_reader_u8(&r, &version) != GK_OK || gk_reader_u8(&r, &flags) != GK_OK || gk_reader_u32(&r, &id) != GK_OK ||
        gk_reader_take(&r, &nonce, GK_XAES_NONCE) != GK_OK || r.n < GK_XAES_TAG)
        return GK_ERR_AUTH;
    if (version != GK_PAYLOAD_VERSION || (flags & ~(GK_FLAG_NULL | GK_FLAG_PENDING | GK_FLAG_REENCRYPTED)) != 0)
        return GK_ERR_AUTH;
    if (((flags & GK_FLAG_PENDING) != 0) != pending)
        return GK_ERR_AUTH;
    gk_xaes *c;
    gk_err e = gk_worker_payload(&c, w, id);
    if (e != GK_OK)
        return e == GK_ERR_NOTFOUND ? GK_ERR_AUTH : e;
    uint8_t *p = gk_writer_reserve(out, r.n - GK_XAES_TAG);
    if (!p)
        return out->err == GK_ERR_SPACE ? GK_OK : out->err;
    *null = (flags & GK_FLAG_NULL) != 0;
    return gk_xaes_open(c, p, nonce.p, (gk_bytes){stored.p, GK_PAYLOAD_HEADER}, binding, (gk_bytes){r.p, r.n});
}

gk_err gk_payload_seal(gk_worker *w, gk_writer *out, const gk_node *node, gk_blob data)
{
    uint8_t buf[GK_SIV_TAG + 1];
    return seal(w, out, binding_of(buf, node), 0, data);
}

gk_err gk_payload_open(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored)
{
    uint8_t buf[GK_SIV_TAG + 1];
    return open_bound(w, out, null, binding_of(buf, node), false, stored);
}

gk_err gk_payload_read(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored)
{
    uint8_t buf[GK_SIV_TAG + 1];
    gk_bytes binding = binding_of(buf, node), plain;
    if (node->kind == GK_KIND_OWN || stored.n < GK_PAYLOAD_OVERHEAD)
        return gk_payload_open(w, out, null, node, stored);
    const uint8_t *id = stored.p + GK_PAYLOAD_HEADER; /* of the nonce, which is random */
    if (gk_opened_find(w->opened, &plain, id, binding, stored)) {
        gk_worker_count(w, GK_COUNT_PAYLOAD_HITS);
        *null = (stored.p[1] & GK_FLAG_NULL) != 0;
        gk_writer_put(out, plain.p, plain.n);
        return out->err == GK_ERR_SPACE ? GK_OK : out->err;
    }
    size_t at = out->len;
    gk_err e = open_bound(w, out, null, binding, false, stored);
    if (e == GK_OK && out->err == GK_OK)
        gk_opened_put(w->opened, id, binding, stored, (gk_bytes){out->p + at, out->len - at});
    return e;
}

gk_err gk_payload_seal_pending(gk_worker *w, gk_writer *out, gk_bytes component, gk_blob data)
{
    return seal(w, out, component, GK_FLAG_PENDING, data);
}

gk_err gk_payload_open_pending(gk_worker *w, gk_writer *out, bool *null, gk_bytes component, gk_bytes stored)
{
    return open_bound(w, out, null, component, true, stored);
}

int32_t gk_payload_plain_length(const gk_node *node, int32_t stored)
{
    if (node->kind == GK_KIND_LIMITS)
        return gk_limits_plain_length(stored);
    if (!gk_node_encrypted(node))
        return stored;
    return stored < GK_PAYLOAD_OVERHEAD ? 0 : stored - GK_PAYLOAD_OVERHEAD;
}
