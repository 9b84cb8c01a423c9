/* Quota texts. The first byte chooses: 0, a text as zookeeper_stats; 1, one as zookeeper_limits; else the rest is a stored zookeeper_limits. */
#include "../../native/codec/gk_limits.h"
#include "../../native/codec/gk_payload.h"
#include "../support/gk_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gk_rig rig;
static gk_node node;

static void stats(gk_bytes text)
{
    gk_quota_limits q, after;
    bool known = false, known_after = false;
    gk_buf up = {0}, down = {0};
    size_t room = text.n + 24;
    gk_writer u = gk_writer_of(gk_buf_room(&up, room), room);
    gk_writer d = gk_writer_of(gk_buf_room(&down, room + 24), room + 24);
    gk_err e = gk_quota_parse(&q, &known, text);

    rig_must(e == GK_OK || e == GK_ERR_MALFORMED);
    rig_must((gk_quota_stats_shift(&u, text, 1) == GK_OK) == (e == GK_OK && known) && u.err == GK_OK);
    if (e != GK_OK || !known) {
        rig_must(u.len == 0);
    } else { /* what stock reads is a sum; what clients read is the same number again */
        rig_must(gk_quota_stats_shift(&d, (gk_bytes){up.p, u.len}, -1) == GK_OK && d.err == GK_OK);
        rig_must(gk_quota_parse(&after, &known_after, (gk_bytes){down.p, d.len}) == GK_OK && known_after);
        rig_must(after.count == q.count && after.bytes == q.bytes && after.count_hard == q.count_hard && after.bytes_hard == q.bytes_hard);
        rig_must(gk_quota_parse(&after, &known_after, (gk_bytes){up.p, u.len}) == GK_OK);
        if (after.bytes >= 0 && !(text.n > 0 && memchr(text.p, '-', text.n))) /* to the byte, but for odd spellings of what is negative somewhere */
            rig_must(gk_bytes_equal((gk_bytes){down.p, d.len}, text));
    }
    gk_buf_free(&up);
    gk_buf_free(&down);
}

static void limits(gk_bytes text)
{
    gk_quota_limits q, stock;
    bool known = true, null = true;
    gk_writer none = gk_writer_of(NULL, 0);
    gk_buf stored = {0}, back = {0};

    rig_must(gk_limits_seal(rig.worker, &none, &node, (gk_blob){text, false}) == GK_OK && none.err == GK_ERR_SPACE);
    gk_writer w = gk_writer_of(gk_buf_room(&stored, none.len), none.len);
    rig_must(gk_limits_seal(rig.worker, &w, &node, (gk_blob){text, false}) == GK_OK && w.err == GK_OK && w.len == none.len);
    rig_must(gk_quota_parse(&stock, &known, gk_buf_view(&stored)) == GK_OK && !known && stock.bytes == -1 && stock.bytes_hard == -1);
    if (gk_quota_parse(&q, &known, text) == GK_OK)
        rig_must(stock.count == q.count && stock.count_hard == q.count_hard);
    rig_must(text.n < 8 || !memchr(text.p, 'Z', text.n) || !gk_rig_contains(gk_buf_view(&stored), text)); /* no Z in what stock reads */
    rig_must(gk_limits_plain_length((int32_t)w.len) == (int32_t)text.n);
    gk_writer b = gk_writer_of(gk_buf_room(&back, text.n), text.n);
    rig_must(gk_limits_open(rig.worker, &b, &null, &node, gk_buf_view(&stored)) == GK_OK && !null && gk_bytes_equal((gk_bytes){back.p, b.len}, text));
    gk_buf_free(&stored);
    gk_buf_free(&back);
}

static void stored_limits(gk_bytes stored)
{
    gk_buf plain = {0};
    bool null = false;
    gk_writer w = gk_writer_of(gk_buf_room(&plain, stored.n), stored.n);
    gk_err e = gk_limits_open(rig.worker, &w, &null, &node, stored);

    rig_must(e == GK_OK || e == GK_ERR_AUTH);
    rig_must(gk_limits_plain_length((int32_t)stored.n) >= 0);
    rig_must(e != GK_OK || (w.err == GK_OK && gk_limits_plain_length((int32_t)stored.n) == (int32_t)w.len));
    gk_buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char path[] = "/zookeeper/quota/a/zookeeper_limits";

    if (!rig.codec) {
        gk_writer none = gk_writer_of(NULL, 0);

        rig = gk_rig_open(NULL);
        rig_must(gk_path_encrypt(rig.worker, &none, &node, (gk_bytes){(const uint8_t *)path, sizeof(path) - 1}) == GK_OK);
    }
    if (size == 0)
        return 0;
    gk_bytes rest = {data + 1, size - 1};
    if (data[0] == 0)
        stats(rest);
    else if (data[0] == 1)
        limits(rest);
    else
        stored_limits(rest);
    return 0;
}
