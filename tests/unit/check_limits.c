#include "../../native/codec/gk_limits.h"
#include "../../native/codec/gk_payload.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

static gk_rig rig;

static void up(void)
{
    rig = gk_rig_open(NULL);
}

static void down(void)
{
    gk_rig_close(&rig);
}

static gk_node node_of(gk_bytes path)
{
    gk_node node;
    gk_writer none = gk_writer_of(NULL, 0);

    ck_ok(gk_path_encrypt(rig.worker, &none, &node, path));
    return node;
}

static gk_err open_limits(gk_buf *text, bool *null, const gk_node *node, gk_bytes stored)
{
    gk_writer w = {0};

    gk_buf_clear(text);
    w = gk_writer_of(gk_buf_room(text, stored.n), stored.n);
    gk_err e = gk_limits_open(rig.worker, &w, null, node, stored);
    text->n = e == GK_OK ? w.len : 0;
    return e == GK_OK ? w.err : e;
}

static void seal_limits(gk_buf *stored, const gk_node *node, gk_blob text)
{
    gk_writer none = gk_writer_of(NULL, 0);
    gk_writer w = {0};

    gk_buf_clear(stored);
    ck_ok(gk_limits_seal(rig.worker, &none, node, text));
    ck_gk(none.err, GK_ERR_SPACE);
    w = gk_writer_of(gk_buf_room(stored, none.len), none.len);
    ck_ok(gk_limits_seal(rig.worker, &w, node, text));
    ck_ok(w.err);
    ck_assert_uint_eq(w.len, none.len);
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("limits.txt");

    while (gk_vec_next(v)) {
        gk_bytes path = gk_vec_hex(v, "path");
        gk_bytes text = gk_vec_hex(v, "text");
        bool want_null = gk_vec_u64(v, "null") == 1;
        gk_bytes stored = gk_vec_hex(v, "stored");
        gk_err want = gk_check_err_of(gk_vec_str(v, "result"));
        gk_node node = node_of(path);
        gk_buf out = {0};
        bool null = false;

        ck_assert_int_eq(node.kind, GK_KIND_LIMITS);
        ck_assert_msg(open_limits(&out, &null, &node, stored) == want, "%s", gk_vec_name(v));
        if (want == GK_OK) {
            ck_assert_msg(null == want_null && gk_bytes_equal(gk_buf_view(&out), text), "%s", gk_vec_name(v));
            ck_assert_int_eq(gk_limits_plain_length((int32_t)stored.n), (int32_t)text.n);
            ck_assert_int_eq(gk_payload_plain_length(&node, (int32_t)stored.n), (int32_t)text.n);
            /* what we write has the same shape: the numbers alone differ, by the nonce */
            seal_limits(&out, &node, (gk_blob){text, want_null});
            ck_assert_uint_eq(out.n, stored.n);
            ck_assert_mem_eq(out.p, stored.p, 72);
        }
        gk_buf_free(&out);
    }
    ck_assert_uint_eq(gk_vec_close(v), 43);
}
END_TEST

/* What stock parses: our numbers, no limit on bytes, and keys that it keeps. */
START_TEST(stock_reads_it)
{
    gk_node node = node_of(STR("/zookeeper/quota/a/zookeeper_limits"));
    gk_buf stored = {0}, back = {0};
    char text[600];

    for (size_t n = 0; n < 500; n++) {
        int head = snprintf(text, sizeof(text), "count=%zu,bytes=77;countHardLimit=%zu;byteHardLimit=88", n, n * 3);
        gk_quota_limits q;
        bool known = true, null = true;

        memset(text + head, ';', sizeof(text) - (size_t)head); /* any length */
        seal_limits(&stored, &node, (gk_blob){BYTES(text, (size_t)head + n % 40), false});
        ck_ok(gk_quota_parse(&q, &known, gk_buf_view(&stored)));
        ck_assert(!known && q.count == (int64_t)n && q.bytes == -1 && q.count_hard == (int64_t)n * 3 && q.bytes_hard == -1);
        ck_ok(open_limits(&back, &null, &node, gk_buf_view(&stored)));
        ck_assert(!null && gk_bytes_equal(gk_buf_view(&back), BYTES(text, (size_t)head + n % 40)));
    }
    gk_buf_free(&stored);
    gk_buf_free(&back);
}
END_TEST

/* Each byte counts, those that stock reads as well: what limits a tree is what its owner wrote. */
START_TEST(each_byte_counts)
{
    gk_node node = node_of(STR("/zookeeper/quota/a/zookeeper_limits"));
    gk_node other = node_of(STR("/zookeeper/quota/b/zookeeper_limits"));
    const char *texts[] = {"count=5,bytes=1000", "count=5,bytes=100", "", "x"};
    gk_buf stored = {0}, back = {0};
    bool null = false;

    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        seal_limits(&stored, &node, (gk_blob){STR(texts[t]), false});
        ck_ok(open_limits(&back, &null, &node, gk_buf_view(&stored)));
        ck_gk(open_limits(&back, &null, &other, gk_buf_view(&stored)), GK_ERR_AUTH);
        for (size_t i = 0; i < stored.n; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                stored.p[i] ^= (uint8_t)(1u << bit);
                ck_assert_msg(open_limits(&back, &null, &node, gk_buf_view(&stored)) == GK_ERR_AUTH, "byte %zu, bit %u of %.*s", i, bit,
                              (int)stored.n, (char *)stored.p);
                stored.p[i] ^= (uint8_t)(1u << bit);
            }
            ck_gk(open_limits(&back, &null, &node, BYTES(stored.p, i)), GK_ERR_AUTH);
        }
        gk_buf_put(&stored, ";", 1);
        ck_gk(open_limits(&back, &null, &node, gk_buf_view(&stored)), GK_ERR_AUTH);
    }
    gk_buf_free(&stored);
    gk_buf_free(&back);
}
END_TEST

START_TEST(lengths)
{
    for (int32_t n = 0; n < 200; n++) {
        int32_t sealed = n + GK_PAYLOAD_OVERHEAD;
        int32_t stored = 72 + 28 * ((sealed + 7) / 8) + sealed % 8;

        ck_assert_int_eq(gk_limits_plain_length(stored), n);
    }
    for (int32_t stored = -5; stored < 72 + 28 * 6; stored++)
        ck_assert_int_ge(gk_limits_plain_length(stored), 0);
    ck_assert_int_eq(gk_limits_plain_length(0), 0);
}
END_TEST

START_TEST(too_long)
{
    gk_node node = node_of(STR("/zookeeper/quota/a/zookeeper_limits"));
    size_t most = 8 * (size_t)0x100000 - 1 - GK_PAYLOAD_OVERHEAD;
    uint8_t *text = calloc(1, most + 1);
    gk_writer none = gk_writer_of(NULL, 0);
    gk_buf stored = {0}, back = {0};
    bool null = true;

    ck_assert_ptr_nonnull(text);
    ck_gk(gk_limits_seal(rig.worker, &none, &node, (gk_blob){BYTES(text, most + 1), false}), GK_ERR_LIMIT);
    seal_limits(&stored, &node, (gk_blob){BYTES(text, most), false});
    ck_ok(open_limits(&back, &null, &node, gk_buf_view(&stored)));
    ck_assert_uint_eq(back.n, most);
    gk_buf_free(&stored);
    gk_buf_free(&back);
    free(text);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, vectors);
    tcase_add_test(t, stock_reads_it);
    tcase_add_test(t, each_byte_counts);
    tcase_add_test(t, lengths);
    tcase_add_test(t, too_long);
    suite_add_tcase(s, t);
    return s;
}
