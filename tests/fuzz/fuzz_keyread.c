/* The server's answer to a read of a key node. The input chooses its three parts, good ones or not, and bytes that are changed or cut. A key is
 * given exactly when all three are good and untouched; no other node's payload ever. */
#include "../../native/codec/gk_keyread.h"
#include "../../native/codec/gk_payload.h"
#include "../support/gk_ops.h"
#include "../support/gk_rig_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define XID 5
#define OTHERS "what another node holds"

static gk_rig rig;
static gk_buf members, current, other, unknown;

static void open_rig(void)
{
    if (rig.codec)
        return;
    rig = gk_rig_keys_open();
    gk_rig_seal(&rig, &members, GK_RIG_MEMBERS, (gk_bytes){(const uint8_t *)GK_MEMBERS_RECORD, GK_MEMBERS_RECORD_SIZE});
    gk_rig_seal(&rig, &other, "/app/others", (gk_bytes){(const uint8_t *)OTHERS, sizeof(OTHERS) - 1});
    gk_rig_agree(&rig, 0xaa, true, &current);
    gk_rig_agree(&rig, 0xbb, false, &unknown);
}

static void ask(void)
{
    gk_buf in = {0}, out = {0};
    size_t at = gk_buf_open(&in);

    gk_buf_i32(&in, XID);
    gk_buf_i32(&in, GK_OP_GET_DATA);
    gk_buf_str(&in, GK_RIG_KEY_NODE);
    gk_buf_u8(&in, 0);
    gk_buf_close(&in, at);
    rig_must(gk_rig_requests(&rig, &out, gk_buf_view(&in)) == in.n);
    gk_buf_free(&in);
    gk_buf_free(&out);
}

static void put_stat(gk_source *s, gk_buf *b, int64_t owner)
{
    gk_buf_i64(b, 2);
    gk_buf_i64(b, 2);
    gk_buf_i64(b, 0);
    gk_buf_i64(b, 0);
    gk_buf_i32(b, 0);
    gk_buf_i32(b, (int32_t)gk_pick(s, 5));
    gk_buf_i32(b, 0);
    gk_buf_i64(b, owner);
    gk_buf_i32(b, (int32_t)gk_pick(s, 100));
    gk_buf_i32(b, (int32_t)gk_pick(s, 5));
    gk_buf_i64(b, (int64_t)gk_pick(s, 1000));
}

/* put_part appends part i, and says whether it is one that lets the reader have the key. */
static bool put_part(gk_source *s, gk_buf *b, int i)
{
    const gk_buf *good[] = {&other, &members, &current}, *bad[] = {NULL, &other, &unknown};
    uint32_t kind = gk_pick(s, 8);
    bool fine = kind < 5;

    if (kind == 7) {
        gk_buf_i32(b, -1);
        gk_buf_u8(b, 0);
        gk_buf_i32(b, -101);
        gk_buf_i32(b, -101 - (int32_t)gk_pick(s, 2));
        return false;
    }
    gk_buf_i32(b, GK_OP_GET_DATA);
    gk_buf_u8(b, 0);
    gk_buf_i32(b, 0);
    gk_buf_bytes(b, gk_buf_view(fine || i == 0 ? good[i] : bad[i]));
    put_stat(s, b, i > 0 ? 0 : fine ? GK_RIG_SESSION : (int64_t)kind - 5);
    return fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_source s = gk_source_bytes(data, size);
    gk_buf frame = {0}, out = {0};
    gk_reader r;
    gk_bytes head;
    gk_blob record;
    int32_t err = 0;
    bool good = true;

    open_rig();
    ask();
    uint64_t derived = gk_codec_count(rig.codec, GK_COUNT_DERIVATIONS);
    size_t at = gk_buf_open(&frame);
    gk_buf_i32(&frame, XID);
    gk_buf_i64(&frame, 7);
    gk_buf_i32(&frame, 0);
    size_t body = frame.n;
    for (int i = 0; i < 3; i++)
        good = put_part(&s, &frame, i) && good;
    gk_buf_i32(&frame, -1);
    gk_buf_u8(&frame, 1);
    gk_buf_i32(&frame, -1);
    bool touched = gk_pick(&s, 4) == 3;
    if (touched) {
        frame.p[body + gk_pick(&s, (uint32_t)(frame.n - body))] ^= (uint8_t)(1 + gk_pick(&s, 255));
        frame.n -= gk_pick(&s, (uint32_t)(frame.n - body));
    }
    gk_buf_close(&frame, at);
    rig_must(gk_rig_reply(&rig, &out, gk_buf_view(&frame)) == GK_OK && gk_session_pending(rig.session) == 0);
    r = gk_reader_of(out.p, out.n);
    rig_must(gk_reader_take(&r, &head, 16) == GK_OK && gk_jute_i32(&r, &err) == GK_OK);
    rig_must(touched || (err == 0) == good);
    rig_must(gk_codec_count(rig.codec, GK_COUNT_DERIVATIONS) == derived + (err == 0 ? 1 : 0));
    if (err == 0)
        rig_must(gk_jute_blob(&r, &record) == GK_OK && record.b.n == GK_KEY_RECORD_SIZE && r.n == GK_STAT_SIZE);
    else
        rig_must(r.n == 0);
    rig_must(!gk_rig_contains(gk_buf_view(&out), (gk_bytes){(const uint8_t *)OTHERS, sizeof(OTHERS) - 1}));
    gk_buf_free(&frame);
    gk_buf_free(&out);
    return 0;
}
