#include "../../native/codec/gk_session_internal.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

#define ZXID 0x100000007

static gk_rig rig;
static gk_buf in, out, want;

static void up(void)
{
    rig = gk_rig_open(NULL);
    gk_rig_connect(&rig);
}

static void down(void)
{
    gk_rig_close(&rig);
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&want);
}

/* ask passes a request and returns the xid under which the server sees it. */
static int32_t ask(int32_t xid, int32_t type, gk_bytes record)
{
    gk_reader r = {0};
    int32_t server = 0;

    gk_buf_clear(&in);
    gk_buf_clear(&out);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, xid);
    gk_buf_i32(&in, type);
    gk_buf_put(&in, record.p, record.n);
    gk_buf_close(&in, at);
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    r = gk_reader_of(out.p + 4, 4);
    ck_ok(gk_jute_i32(&r, &server));
    return server;
}

static void reply_frame(gk_buf *b, int32_t xid, int64_t zxid, int32_t err, gk_bytes body)
{
    gk_buf_clear(b);
    size_t at = gk_buf_open(b);
    gk_buf_i32(b, xid);
    gk_buf_i64(b, zxid);
    gk_buf_i32(b, err);
    gk_buf_put(b, body.p, body.n);
    gk_buf_close(b, at);
}

/* answered passes a reply; the client must get the same one under its own xid. */
static void answered(int32_t server, int32_t client, int32_t err, gk_bytes body)
{
    reply_frame(&in, server, ZXID, err, body);
    reply_frame(&want, client, ZXID, err, body);
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
}

static const char exists_a[] = "\0\0\0\2/a";
static const char null_auth[] = "\0\0\0\0\377\377\377\377\377\377\377\377";

START_TEST(xids_come_back)
{
    const int32_t xids[] = {1, 0, -1, -2, -4, -8, INT32_MIN, INT32_MAX, 1, -1};
    const size_t n = sizeof(xids) / sizeof(xids[0]);
    int32_t server[10];

    for (size_t i = 0; i < n; i++)
        server[i] = ask(xids[i], GK_OP_EXISTS, BYTES(exists_a, 7));
    for (size_t i = 0; i < n; i++)
        answered(server[i], xids[i], -101, STR(""));
    ck_assert_uint_eq(gk_session_pending(rig.session), 0);
    /* thousands of them: never one that means something else */
    for (int i = 0; i < 5000; i++) {
        int32_t s = ask(-1, GK_OP_EXISTS, BYTES(exists_a, 7));

        ck_assert(s < -900);
        answered(s, -1, -101, STR(""));
    }
}
END_TEST

/* A record behind an error that can't be read is left out, and the error stays. */
START_TEST(records_behind_errors)
{
    int32_t server = ask(3, GK_OP_GET_DATA, BYTES(exists_a, 7));

    reply_frame(&in, server, ZXID, -101, STR("\0\0\0\7garbage"));
    reply_frame(&want, 3, ZXID, -101, STR(""));
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
}
END_TEST

START_TEST(own_xids_start_over)
{
    int32_t first = ask(0, GK_OP_EXISTS, BYTES(exists_a, 7));

    answered(first, 0, 0, STR(""));
    rig.session->next_xid = INT32_MIN + 17;
    for (int i = 0; i < 5; i++) {
        int32_t s = ask(0, GK_OP_EXISTS, BYTES(exists_a, 7));

        ck_assert_msg(s < -900 && s > INT32_MIN, "%d", s);
        answered(s, 0, 0, STR(""));
    }
    ck_assert_int_gt(rig.session->next_xid, -2000);
}
END_TEST

/* Replies of auth and sasl overtake those of other requests; one with an xid of -1 is no event, one with -2 no ping. */
START_TEST(overtaking)
{
    int32_t slow = ask(5, GK_OP_EXISTS, BYTES(exists_a, 7));
    int32_t sync = ask(6, GK_OP_SYNC, BYTES(exists_a, 6));
    int32_t auth = ask(5, GK_OP_AUTH, BYTES(null_auth, 12));
    int32_t sasl = ask(-1, GK_OP_SASL, STR("\0\0\0\5token"));
    int32_t wrong = ask(7, GK_OP_SASL, STR("\0\0\0\5token"));
    int32_t late = ask(-2, GK_OP_AUTH, BYTES(null_auth, 12));

    answered(wrong, 7, -124, STR("\377\377\377\377")); /* SASL's failures have a record, and clients read it */
    answered(sasl, -1, 0, STR("\0\0\0\3abc"));
    answered(late, -2, -115, STR(""));
    answered(auth, 5, 0, STR(""));
    reply_frame(&in, -2, 0, 0, STR("")); /* a ping's, which nobody waits for */
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&in)));
    answered(slow, 5, -101, STR(""));
    ck_assert_uint_eq(gk_session_pending(rig.session), 1);
    answered(sync, 6, -4, STR(""));
    ck_assert_uint_eq(gk_session_pending(rig.session), 0);
}
END_TEST

/* A client that uses one xid for everything gets its replies in the order of its requests, each decrypted as what it is. */
START_TEST(duplicates)
{
    gk_buf names = {0}, plain = {0};

    gk_buf_str(&plain, "/b");
    int32_t exists = ask(9, GK_OP_EXISTS, BYTES(exists_a, 7));
    int32_t sync = ask(9, GK_OP_SYNC, gk_buf_view(&plain));
    int32_t again = ask(9, GK_OP_EXISTS, BYTES(exists_a, 7));

    ck_assert(exists == 9 && sync == 9 && again == 9);
    answered(9, 9, -101, STR(""));
    size_t at = gk_buf_open(&names);
    gk_rig_stored(&rig, &names, STR("/b"));
    gk_buf_close(&names, at);
    reply_frame(&in, 9, ZXID, 0, gk_buf_view(&names));
    reply_frame(&want, 9, ZXID, 0, gk_buf_view(&plain));
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
    answered(9, 9, -101, STR(""));
    gk_buf_free(&names);
    gk_buf_free(&plain);
}
END_TEST

START_TEST(nobody_asked)
{
    reply_frame(&in, 77, ZXID, 0, STR(""));
    ck_gk(gk_rig_reply(&rig, &out, gk_buf_view(&in)), GK_ERR_STATE);
    reply_frame(&in, 0, ZXID, 0, STR(""));
    ck_gk(gk_rig_reply(&rig, &out, gk_buf_view(&in)), GK_ERR_STATE);
    (void)ask(5, GK_OP_EXISTS, BYTES(exists_a, 7));
    reply_frame(&in, 6, ZXID, 0, STR(""));
    gk_buf_clear(&out);
    ck_gk(gk_rig_reply(&rig, &out, gk_buf_view(&in)), GK_ERR_STATE);
    reply_frame(&in, -2, ZXID, 0, STR("more")); /* no ping's */
    ck_gk(gk_rig_reply(&rig, &out, gk_buf_view(&in)), GK_ERR_MALFORMED);
    ck_assert_uint_eq(out.n, 0);
}
END_TEST

static void event_frame(gk_buf *b, gk_bytes path, bool stored)
{
    gk_buf_clear(b);
    size_t at = gk_buf_open(b);
    gk_buf_i32(b, -1);
    gk_buf_i64(b, -1);
    gk_buf_i32(b, 0);
    gk_buf_i32(b, 3); /* type: data changed */
    gk_buf_i32(b, 3); /* state: connected */
    size_t string = gk_buf_open(b);
    if (stored)
        gk_rig_stored(&rig, b, path);
    else
        gk_buf_put(b, path.p, path.n);
    gk_buf_close(b, string);
    gk_buf_close(b, at);
}

START_TEST(events)
{
    const char *paths[] = {"/", "/a", "/some/longer/path", "/zookeeper/config", "/zookeeper/quota/a/zookeeper_stats", "", "/bad/\1"};

    (void)ask(-1, GK_OP_EXISTS, BYTES(exists_a, 7)); /* its reply doesn't look like an event any more */
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        event_frame(&in, STR(paths[i]), true);
        event_frame(&want, STR(paths[i]), false);
        gk_buf_clear(&out);
        ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
        ck_assert_msg(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)), "%s", paths[i]);
        for (size_t n = 0; n < in.n - 4; n++) { /* cut, with the right length in front */
            gk_buf cut = {0};

            gk_buf_bytes(&cut, BYTES(in.p + 4, n));
            gk_buf_clear(&out);
            ck_assert(gk_rig_reply(&rig, &out, gk_buf_view(&cut)) != GK_OK && out.n == 0);
            gk_buf_free(&cut);
        }
    }
    ck_assert_uint_eq(gk_session_pending(rig.session), 1);
}
END_TEST

/* An event of a node that isn't ours is nobody's business, and no reason to close. */
START_TEST(strange_events)
{
    const char *paths[] = {"/plaintext", "/zookeeper/x", "/AAAAAAAAAAAAAAAAAAAAAAAA", "/zookeeper/config/plaintext"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        uint64_t before = gk_codec_count(rig.codec, GK_COUNT_DECRYPT_FAILURES);

        event_frame(&in, STR(paths[i]), false);
        for (size_t cap = 0; cap < in.n + 20; cap++) { /* with any buffer */
            uint8_t p[200];
            gk_writer w = gk_writer_of(p, cap);

            ck_ok(gk_session_reply(rig.session, rig.worker, &w, gk_buf_view(&in)));
            ck_assert(w.len == 0 && w.err == GK_OK);
        }
        ck_assert_uint_gt(gk_codec_count(rig.codec, GK_COUNT_DECRYPT_FAILURES), before);
    }
}
END_TEST

/* A lying frame length is never believed. */
START_TEST(frame_lengths)
{
    (void)ask(5, GK_OP_EXISTS, BYTES(exists_a, 7));
    reply_frame(&in, 5, ZXID, -101, STR(""));
    gk_buf_clear(&out);
    for (int32_t n = -3; n < 40; n++) {
        gk_writer w = gk_writer_of(in.p, 4);

        if (n == 16)
            continue;
        gk_jute_put_i32(&w, n);
        ck_gk(gk_rig_reply(&rig, &out, gk_buf_view(&in)), GK_ERR_MALFORMED);
    }
    for (size_t n = 0; n < 4; n++)
        ck_gk(gk_rig_reply(&rig, &out, BYTES(in.p, n)), GK_ERR_TRUNCATED);
    ck_assert(out.n == 0 && gk_session_pending(rig.session) == 1);
}
END_TEST

START_TEST(create_session)
{
    static const uint8_t password[16];
    int32_t server = ask(12, GK_OP_CREATE_SESSION, STR("\0\0\47\20"));

    (void)ask(13, GK_OP_EXISTS, BYTES(exists_a, 7));
    ck_assert_int_ne(server, 0);
    gk_buf_clear(&in);
    size_t at = gk_buf_open(&in); /* a ConnectResponse: its first field is where an xid would stand */
    gk_buf_i32(&in, 0);
    gk_buf_i32(&in, 10000);
    gk_buf_i64(&in, 0x77);
    gk_buf_bytes(&in, BYTES(password, 16));
    gk_buf_u8(&in, 0);
    gk_buf_close(&in, at);
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(out.n == in.n && memcmp(out.p, in.p, 24) == 0 && memcmp(out.p + 24, password, 16) != 0);
    ck_assert_uint_eq(gk_session_pending(rig.session), 1);
    answered(13, 13, -101, STR(""));
}
END_TEST

/* What has no header can't come in parts, and a head is as long as it is. */
START_TEST(parts)
{
    static const uint8_t password[16];
    gk_writer w = gk_writer_of(NULL, 0);
    const size_t head = 4 + GK_REPLY_HEADER_SIZE;

    (void)ask(12, GK_OP_CREATE_SESSION, STR("\0\0\47\20"));
    int32_t server = ask(13, GK_OP_EXISTS, BYTES(exists_a, 7));
    reply_frame(&in, 0, 10000, 0x77, BYTES(password, 16));
    ck_gk(gk_session_reply_parts(rig.session, rig.worker, &w, BYTES(in.p, head), BYTES(in.p + head, in.n - head)), GK_ERR_STATE);
    reply_frame(&in, server, ZXID, -101, STR(""));
    for (size_t n = 0; n < head; n++)
        ck_gk(gk_session_reply_parts(rig.session, rig.worker, &w, BYTES(in.p, n), BYTES(in.p + n, in.n - n)), GK_ERR_STATE);
    ck_gk(gk_session_reply_parts(rig.session, rig.worker, &w, gk_buf_view(&in), STR("x")), GK_ERR_MALFORMED); /* longer than it says */
    ck_assert_uint_eq(gk_session_pending(rig.session), 2);
    gk_session *fresh = NULL;
    ck_ok(gk_session_new(&fresh, rig.codec));
    ck_gk(gk_session_reply_parts(fresh, rig.worker, &w, gk_buf_view(&in), STR("")), GK_ERR_STATE);
    gk_session_free(fresh);
    answered(server, 13, -101, STR(""));
}
END_TEST

/* inconsistent passes a reply, and the client must get DATAINCONSISTENCY and nothing else. */
static void inconsistent(int32_t xid, gk_bytes body)
{
    reply_frame(&in, xid, ZXID, 0, body);
    reply_frame(&want, xid, ZXID, -3, STR(""));
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
}

START_TEST(impossible_answers)
{
    static const uint8_t stat[GK_STAT_SIZE];
    gk_buf body = {0};

    /* data of a node that no node can be */
    (void)ask(5, GK_OP_GET_DATA, STR("\0\0\0\3/a\1\0"));
    (void)ask(5, GK_OP_GET_DATA, BYTES("\0\0\0\3/a\1\0", 8));
    gk_buf_str(&body, "");
    gk_buf_put(&body, stat, sizeof(stat));
    answered(5, 5, -5, STR("")); /* the first one was too short */
    inconsistent(5, gk_buf_view(&body));
    /* a null path */
    (void)ask(6, GK_OP_SYNC, BYTES(exists_a, 6));
    answered(6, 6, 0, STR("\377\377\377\377"));
    /* parts of a multi that nobody asked for */
    (void)ask(7, GK_OP_MULTI, BYTES("\377\377\377\377\1\377\377\377\377", 9));
    inconsistent(7, BYTES("\0\0\0\2\0\0\0\0\0\377\377\377\377\1\377\377\377\377", 18));
    gk_buf_free(&body);
}
END_TEST

/* Where strangers among children fail the list, they fail that part of a multiRead alone. */
START_TEST(strangers_in_multi_read)
{
    static const char part[] = "\0\0\0\10\0\377\377\377\377\0\0\0\2/a\0", end[] = "\377\377\377\377\1\377\377\377\377";
    static const char result[] = "\0\0\0\10\0\0\0\0\0\0\0\0\2\0\0\0\10stranger\0\0\0\2ab", none[] = "\0\0\0\10\0\0\0\0\0\0\0\0\0";
    static const char broken[] = "\377\377\377\377\0\377\377\377\375\377\377\377\375";
    gk_options o = gk_rig_options();
    gk_buf record = {0}, body = {0}, expected = {0};

    o.undecryptable_fails = true;
    gk_rig_close(&rig);
    rig = gk_rig_open(&o);
    gk_rig_connect(&rig);
    for (int i = 0; i < 2; i++)
        gk_buf_put(&record, part, sizeof(part) - 1);
    gk_buf_put(&record, end, sizeof(end) - 1);
    gk_buf_put(&body, result, sizeof(result) - 1);
    gk_buf_put(&body, none, sizeof(none) - 1);
    gk_buf_put(&body, end, sizeof(end) - 1);
    gk_buf_put(&expected, broken, sizeof(broken) - 1);
    gk_buf_put(&expected, none, sizeof(none) - 1);
    gk_buf_put(&expected, end, sizeof(end) - 1);
    (void)ask(5, GK_OP_MULTI_READ, gk_buf_view(&record));
    reply_frame(&in, 5, ZXID, 0, gk_buf_view(&body));
    reply_frame(&want, 5, ZXID, 0, gk_buf_view(&expected));
    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
    gk_buf_free(&record);
    gk_buf_free(&body);
    gk_buf_free(&expected);
}
END_TEST

/* With every size of buffer that is too small: GK_ERR_SPACE, and with as many bytes as it asked for the reply. The frames have strangers in them
 * at all places, as the space for what is left out isn't needed. */
START_TEST(every_buffer_size)
{
    for (unsigned mask = 0; mask < 16; mask++) {
        gk_buf body = {0};

        gk_buf_i32(&body, 4);
        for (unsigned i = 0; i < 4; i++) {
            gk_node node;
            gk_buf stored = {0};

            if (mask >> i & 1) {
                gk_buf_str(&body, i % 2 ? "x" : "a-stranger-with-a-long-name-that-takes-space");
                continue;
            }
            gk_rig_stored(&rig, &stored, STR("/a/child"));
            gk_writer none = gk_writer_of(NULL, 0);
            ck_ok(gk_path_encrypt(rig.worker, &none, &node, STR("/a")));
            gk_buf_bytes(&body, BYTES(stored.p + 25, stored.n - 25));
            gk_buf_free(&stored);
        }
        for (size_t cap = 0; cap < 200; cap++) {
            uint8_t p[400];
            gk_writer w = gk_writer_of(p, cap);

            gk_rig_reconnect(&rig);
            (void)ask(5, GK_OP_GET_CHILDREN, BYTES(exists_a, 7));
            reply_frame(&in, 5, ZXID, 0, gk_buf_view(&body));
            p[cap] = 0xee;
            gk_err e = gk_session_reply(rig.session, rig.worker, &w, gk_buf_view(&in));
            ck_assert(e == GK_OK || e == GK_ERR_SPACE);
            ck_assert_uint_eq(p[cap], 0xee);
            if (e == GK_ERR_SPACE) {
                size_t need = w.len;

                ck_assert(need > cap && gk_session_pending(rig.session) == 1);
                w = gk_writer_of(p, need);
                ck_ok(gk_session_reply(rig.session, rig.worker, &w, gk_buf_view(&in)));
            }
            ck_assert(w.len == 24 + 9 * (size_t)(4 - __builtin_popcount(mask)) && gk_session_pending(rig.session) == 0);
            ck_assert_int_eq(p[23], 4 - __builtin_popcount(mask));
        }
        gk_buf_free(&body);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_replies");
    TCase *t = tcase_create("session_replies");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, xids_come_back);
    tcase_add_test(t, records_behind_errors);
    tcase_add_test(t, own_xids_start_over);
    tcase_add_test(t, overtaking);
    tcase_add_test(t, duplicates);
    tcase_add_test(t, nobody_asked);
    tcase_add_test(t, events);
    tcase_add_test(t, strange_events);
    tcase_add_test(t, frame_lengths);
    tcase_add_test(t, create_session);
    tcase_add_test(t, parts);
    tcase_add_test(t, impossible_answers);
    tcase_add_test(t, strangers_in_multi_read);
    tcase_add_test(t, every_buffer_size);
    suite_add_tcase(s, t);
    return s;
}
