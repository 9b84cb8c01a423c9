/* A reply to a request. The input chooses the request, then the reply's record piece by piece: numbers, bytes as they are, stored names, Stats, and
 * payloads that were sealed for this node or for another one. Whatever comes: never another node's payload, never half a reply. */
#include "../../native/codec/gk_payload.h"
#include "../support/gk_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What another node holds: no input can spell it, as what passes as it is has bytes below 0xf0 only, or four of one kind. */
#define OTHERS "\xf1\xf9\xf2\xf8\xf3\xf7\xf1\xf9\xf2\xf8\xf3\xf7"
#define ORDINARY 0xf0

static gk_rig rig;

static void put_stored_path(gk_source *s, gk_buf *out, bool last_only)
{
    gk_buf path = {0}, stored = {0};
    gk_bytes parent, last;

    gk_ops_path(s, &path);
    gk_rig_stored(&rig, &stored, gk_buf_view(&path));
    if (last_only && gk_path_parent(gk_buf_view(&stored), &parent, &last))
        gk_buf_bytes(out, last);
    else
        gk_buf_bytes(out, gk_buf_view(&stored));
    gk_buf_free(&path);
    gk_buf_free(&stored);
}

/* put_payload appends what another node's payload looks like; flip: with a wrong bit. */
static void put_payload(gk_source *s, gk_buf *out, bool flip)
{
    static const char text[] = OTHERS, path[] = "/another/node/than/those";
    const size_t n = sizeof(text) - 1 + GK_PAYLOAD_OVERHEAD;
    gk_node node;
    gk_writer none = gk_writer_of(NULL, 0);

    rig_must(gk_path_encrypt(rig.worker, &none, &node, (gk_bytes){(const uint8_t *)path, sizeof(path) - 1}) == GK_OK);
    gk_buf_i32(out, (int32_t)n);
    uint8_t *p = gk_buf_room(out, n);
    gk_writer w = gk_writer_of(p, n);
    rig_must(gk_payload_seal(rig.worker, &w, &node, (gk_blob){{(const uint8_t *)text, sizeof(text) - 1}, false}) == GK_OK);
    if (flip) { /* the value first: an input is to mean the same under each compiler */
        uint8_t wrong = (uint8_t)(1 + gk_pick(s, 255));
        p[gk_pick(s, (uint32_t)n)] ^= wrong;
    }
}

static void put_piece(gk_source *s, gk_buf *out)
{
    switch (gk_pick(s, 9)) {
    case 0:
        gk_buf_i32(out, (int32_t)gk_pick(s, 256) - 128);
        break;
    case 1:
        gk_buf_u8(out, (uint8_t)gk_pick(s, ORDINARY));
        break;
    case 2:
        for (uint32_t n = gk_pick(s, 32); n > 0; n--)
            gk_buf_u8(out, (uint8_t)gk_pick(s, ORDINARY));
        break;
    case 3:
        put_stored_path(s, out, false);
        break;
    case 4:
        put_stored_path(s, out, true);
        break;
    case 5:
        memset(gk_buf_room(out, GK_STAT_SIZE), (int)gk_pick(s, 256), GK_STAT_SIZE);
        break;
    case 6:
        put_payload(s, out, false);
        break;
    case 7:
        put_payload(s, out, true);
        break;
    default: /* a part of a multi */
        gk_buf_i32(out, (int32_t)gk_pick(s, 30) - 2);
        gk_buf_u8(out, gk_pick(s, 8) == 7);
        gk_buf_i32(out, 0);
    }
}

static void send(gk_source *s, gk_buf *frame, int32_t xid)
{
    size_t at = gk_buf_open(frame);

    gk_buf_i32(frame, gk_pick(s, 32) == 31 ? (int32_t)gk_pick(s, 8) - 3 : xid);
    gk_buf_i64(frame, 7);
    gk_buf_i32(frame, gk_pick(s, 16) == 15 ? -101 : 0);
    while (!gk_source_dry(s))
        put_piece(s, frame);
    gk_buf_close(frame, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_source s = gk_source_bytes(data, size);
    gk_buf in = {0}, out = {0}, frame = {0};
    gk_reader r;
    int32_t xid = 0;
    gk_blob body;

    if (!rig.codec)
        rig = gk_rig_open(NULL);
    gk_rig_reconnect(&rig);
    size_t at = gk_buf_open(&in);
    gk_ops_request(&s, &in, false);
    gk_buf_close(&in, at);
    rig_must(gk_rig_requests(&rig, &out, gk_buf_view(&in)) == in.n);
    r = gk_reader_of(out.p + 4, out.n - 4);
    rig_must(gk_jute_i32(&r, &xid) == GK_OK);
    gk_buf_clear(&out);
    send(&s, &frame, xid);
    size_t pending = gk_session_pending(rig.session);
    if (gk_rig_reply(&rig, &out, gk_buf_view(&frame)) == GK_OK && out.n > 0) {
        r = gk_reader_of(out.p, out.n);
        rig_must(gk_jute_blob(&r, &body) == GK_OK && r.n == 0 && body.b.n >= GK_REPLY_HEADER_SIZE);
        rig_must(gk_session_pending(rig.session) <= pending);
    } else {
        rig_must(out.n == 0);
    }
    rig_must(!gk_rig_contains(gk_buf_view(&out), (gk_bytes){(const uint8_t *)OTHERS, sizeof(OTHERS) - 1}));
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&frame);
    return 0;
}
