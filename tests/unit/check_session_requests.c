#include "../support/gk_rig.h"
#include "support/gk_check.h"

static gk_rig rig;
static gk_buf in, out, want;

static void up(void)
{
    gk_options o = gk_rig_options();

    o.refuse_opcodes = "104,-11,11";
    rig = gk_rig_open(&o);
}

static void down(void)
{
    gk_rig_close(&rig);
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&want);
}

/* request appends one frame: header and record. */
static void request(gk_buf *b, int32_t xid, int32_t type, gk_bytes record)
{
    size_t at = gk_buf_open(b);

    gk_buf_i32(b, xid);
    gk_buf_i32(b, type);
    gk_buf_put(b, record.p, record.n);
    gk_buf_close(b, at);
}

/* exists appends a request for a path; stored: its stored form. */
static void exists(gk_buf *b, int32_t xid, const char *path, bool stored)
{
    size_t at = gk_buf_open(b);

    gk_buf_i32(b, xid);
    gk_buf_i32(b, GK_OP_EXISTS);
    if (stored) {
        size_t string = gk_buf_open(b);
        gk_rig_stored(&rig, b, STR(path));
        gk_buf_close(b, string);
    } else {
        gk_buf_str(b, path);
    }
    gk_buf_u8(b, 0);
    gk_buf_close(b, at);
}

static void clear(void)
{
    gk_buf_clear(&in);
    gk_buf_clear(&out);
    gk_buf_clear(&want);
}

static void passed(void)
{
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
}

/* closed: the frame length on which stock closes, once; whatever follows is swallowed. */
static void closed(void)
{
    gk_buf_i32(&want, -1);
    passed();
    clear();
    exists(&in, 1, "/a", false);
    passed();
}

START_TEST(half_frames)
{
    exists(&in, 1, "/some/path", false);
    exists(&want, 1, "/some/path", true);
    gk_rig_connect(&rig);
    for (size_t n = 0; n < in.n; n++) {
        ck_assert_uint_eq(gk_rig_requests(&rig, &out, BYTES(in.p, n)), 0);
        ck_assert_uint_eq(out.n, 0);
    }
    passed();
}
END_TEST

START_TEST(many_frames)
{
    char path[40];

    gk_rig_connect(&rig);
    for (int32_t i = 1; i <= 300; i++) {
        (void)snprintf(path, sizeof(path), "/node/%d", i);
        exists(&in, i, path, false);
        exists(&want, i, path, true);
    }
    size_t whole = in.n;
    exists(&in, 301, "/half", false);
    /* all in one buffer that is large enough, and half a frame behind them */
    uint8_t *big = malloc(want.n + 100);
    gk_writer w = gk_writer_of(big, want.n + 100);
    size_t consumed = 0;
    ck_ok(gk_session_requests(rig.session, rig.worker, &w, &consumed, BYTES(in.p, in.n - 1)));
    ck_assert(consumed == whole && gk_bytes_equal(BYTES(big, w.len), gk_buf_view(&want)));
    free(big);
    ck_assert_uint_eq(gk_session_pending(rig.session), 300);
    /* a buffer for some of them takes these, whole */
    for (size_t cap = 0; cap < 400; cap++) {
        uint8_t small[400];

        gk_rig_reconnect(&rig);
        w = gk_writer_of(small, cap);
        gk_err e = gk_session_requests(rig.session, rig.worker, &w, &consumed, BYTES(in.p, whole));
        ck_assert_uint_eq(gk_session_pending(rig.session), w.len > cap ? 0 : consumed / 24);
        if (e == GK_OK)
            ck_assert(consumed > 0 && consumed % 24 == 0 && w.err == GK_OK && w.len <= cap && memcmp(small, want.p, w.len) == 0);
        else
            ck_assert(e == GK_ERR_SPACE && consumed == 0 && w.len > cap);
        if (consumed >= 9 * 24) /* paths of the first nine have one length */
            break;
    }
}
END_TEST

START_TEST(limits)
{
    const gk_options o = gk_rig_options();
    size_t most = o.max_request;
    const int32_t wrong[] = {-1, INT32_MIN, INT32_MAX, (int32_t)most + 1, 0, 1, 7};

    /* a frame of exactly as many bytes as allowed */
    gk_rig_connect(&rig);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, 1);
    gk_buf_i32(&in, GK_OP_SET_DATA);
    gk_buf_str(&in, "/a");
    gk_buf_bytes(&in, BYTES(gk_buf_room(&want, most), most - 8 - 6 - 4 - 4));
    gk_buf_i32(&in, -1);
    gk_buf_close(&in, at);
    ck_assert_uint_eq(in.n, 4 + most);
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    ck_assert_uint_eq(out.n, in.n + 46 + 23 - 1);
    clear();
    /* one byte more is refused by its length alone; so are lengths that hold no header */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        gk_rig_reconnect(&rig);
        clear();
        gk_buf_i32(&in, wrong[i]);
        if (wrong[i] > 0 && wrong[i] < 8)
            gk_buf_put(&in, "1234567", (size_t)wrong[i]);
        uint64_t refused = gk_codec_count(rig.codec, GK_COUNT_REFUSED);
        closed();
        ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_REFUSED), refused + 1);
        ck_assert_uint_eq(gk_session_pending(rig.session), 0);
    }
}
END_TEST

/* What would be too long for the server once it is encrypted is refused here, in the server's own way; to the byte. */
START_TEST(stored_limit)
{
    for (size_t most = 200; most > 100; most--) {
        gk_options o = gk_rig_options();

        o.max_stored = most;
        gk_rig_close(&rig);
        rig = gk_rig_open(&o);
        gk_rig_connect(&rig);
        clear();
        exists(&in, 1, "/four/components/of/path", false);
        exists(&want, 1, "/four/components/of/path", true);
        if (want.n - 4 <= most) {
            passed();
        } else {
            gk_buf_clear(&want);
            closed();
        }
    }
}
END_TEST

START_TEST(limits_of_quotas)
{
    gk_options o = gk_rig_options();

    o.max_request = 16 << 20;
    o.max_stored = SIZE_MAX;
    gk_rig_close(&rig);
    rig = gk_rig_open(&o);
    gk_rig_connect(&rig);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, 1);
    gk_buf_i32(&in, GK_OP_SET_DATA);
    gk_buf_str(&in, "/zookeeper/quota/a/zookeeper_limits");
    gk_buf_i32(&in, 9 << 20);
    memset(gk_buf_room(&in, 9 << 20), 'x', 9 << 20);
    gk_buf_i32(&in, -1);
    gk_buf_close(&in, at);
    closed(); /* more than the chunks' numbers can count */
}
END_TEST

START_TEST(xids)
{
    const int32_t kept[] = {1, 2, 77, INT32_MAX};
    const int32_t replaced[] = {0, -1, -2, -4, -8, INT32_MIN, -1000};

    gk_rig_connect(&rig);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        clear();
        exists(&in, kept[i], "/a", false);
        exists(&want, kept[i], "/a", true);
        passed();
    }
    int32_t before = 0;
    for (size_t i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++) {
        int32_t xid = 0;
        gk_reader r = {0};

        clear();
        exists(&in, replaced[i], "/a", false);
        ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
        r = gk_reader_of(out.p + 4, 4);
        ck_ok(gk_jute_i32(&r, &xid));
        ck_assert_msg(xid < -100 && xid != before, "%d became %d", replaced[i], xid);
        before = xid;
        exists(&want, xid, "/a", true);
        ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
    }
    ck_assert_uint_eq(gk_session_pending(rig.session), 11);
    clear();
    request(&in, 55, GK_OP_AUTH, STR("\0\0\0\0\0\0\0\6digest\0\0\0\3a:b"));
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    ck_assert(out.p[4] == 0xff); /* a positive xid of auth goes on as one of ours, too: its reply overtakes */
}
END_TEST

START_TEST(pings)
{
    gk_options o = gk_rig_options();

    gk_rig_close(&rig);
    rig = gk_rig_open(&o);
    gk_rig_connect(&rig);
    request(&in, -2, GK_OP_PING, STR(""));
    request(&in, 5, GK_OP_PING, STR("and more"));
    request(&want, -2, GK_OP_PING, STR(""));
    request(&want, 5, GK_OP_PING, STR(""));
    passed();
    ck_assert_uint_eq(gk_session_pending(rig.session), 0);
}
END_TEST

/* Unknown and refused operations, and a check outside of a multi, reach stock as the operation 0 without a record: it answers
 * UNIMPLEMENTED and closes. Nothing of the record goes on. */
START_TEST(unknown_operations)
{
    const int32_t types[] = {0, 10, 13, 23, 99, 108, -1, -12, INT32_MIN, INT32_MAX, 104, -11, 11};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        clear();
        gk_rig_reconnect(&rig);
        request(&in, 9, types[i], STR("\0\0\0\2/a\0\0\0\0"));
        ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
        if (types[i] == 13) { /* in the table: a client's xid stays */
            request(&want, 9, 0, STR(""));
            ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)));
        }
        ck_assert_uint_eq(out.n, 12);
        ck_assert_mem_eq(out.p + 8, "\0\0\0\0", 4);
        ck_assert_uint_eq(gk_session_pending(rig.session), 1);
    }
}
END_TEST

/* parts of a multi with one that is wrong: as the whole record can't be read, its header alone goes on. */
static const char delete_part[] = "\0\0\0\2\0\377\377\377\377\0\0\0\2/a\0\0\0\0";
static const char end_part[] = "\377\377\377\377\1\377\377\377\377";

START_TEST(malformed_records)
{
    const struct {
        int32_t type;
        const char *record;
        size_t n;
    } cases[] = {{GK_OP_EXISTS, "\0\0\0\2/a", 6}, {GK_OP_EXISTS, "\377\377\377\376/a\0", 7}, {GK_OP_EXISTS, "\177\377\377\377/a\0", 7}, {GK_OP_EXISTS, "", 0},
                 {GK_OP_CREATE, "\0\0\0\2/a\0\0\0\1x", 11}, {GK_OP_CREATE, "\0\0\0\2/a\0\0\0\1x\0\0\0\1\0\0\0\37\0\0\0\1", 23},
                 {GK_OP_SET_DATA, "\0\0\0\2/a\377\377\377\375\0\0\0\0", 14}, {GK_OP_SET_WATCHES, "\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\2/a", 18},
                 {GK_OP_MULTI, "", 0}, {GK_OP_MULTI, delete_part, sizeof(delete_part) - 1}, {GK_OP_MULTI_READ, "\0\0\0\3\0\377\377\377\377\0\0\0\2/a\0", 16},
                 {GK_OP_MULTI, "\0\0\0\63\0\377\377\377\377", 9}, {GK_OP_RECONFIG, "\377\377\377\377", 4}, {GK_OP_AUTH, "\0\0\0\0", 4}, {GK_OP_SASL, "\0\0", 2}};

    gk_rig_connect(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool own = cases[i].type == GK_OP_AUTH || cases[i].type == GK_OP_SASL;

        clear();
        request(&in, 9, cases[i].type, BYTES(cases[i].record, cases[i].n));
        /* a write that fails before it has a zxid would stop a quorum's commits: a read fails in its place */
        request(&want, 9, gk_opcode_find(cases[i].type)->write ? GK_OP_GET_DATA : cases[i].type, STR(""));
        ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
        ck_assert_msg(out.n == want.n && memcmp(out.p + (own ? 8 : 0), want.p + (own ? 8 : 0), own ? 4 : 12) == 0, "case %zu: %zu bytes", i, out.n);
    }
    clear();
    uint8_t multi[sizeof(delete_part) + sizeof(end_part)];
    memcpy(multi, delete_part, sizeof(delete_part) - 1);
    memcpy(multi + sizeof(delete_part) - 1, end_part, sizeof(end_part) - 1);
    request(&in, 9, GK_OP_MULTI, BYTES(multi, sizeof(multi) - 2));
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    ck_assert_uint_eq(out.n, in.n + 23 - 1);
}
END_TEST

/* A ttl that would stop every server never gets there; nor does a text that does. */
START_TEST(harmful_writes)
{
    const struct {
        int32_t flags;
        int64_t ttl, passes;
    } ttls[] = {{0, -1, 0}, {4, -5, 0}, {5, -1, -1}, {6, -7, -7}, {0, 5, 5}, {5, 1000, 1000}, {7, INT64_MIN, 0}, {-1, -1, 0}};
    const char *texts[] = {"count=1,bytes=5", "count===", "count=1,other=5", "text", "count=1,bytes"};

    gk_rig_connect(&rig);
    for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
        uint64_t ttl = 0;
        gk_reader r = {0};

        clear();
        size_t at = gk_buf_open(&in);
        gk_buf_i32(&in, 1);
        gk_buf_i32(&in, GK_OP_CREATE_TTL);
        gk_buf_str(&in, "/a");
        gk_buf_str(&in, "");
        gk_buf_acl(&in);
        gk_buf_i32(&in, ttls[i].flags);
        gk_buf_i64(&in, ttls[i].ttl);
        gk_buf_close(&in, at);
        ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
        r = gk_reader_of(out.p + out.n - 8, 8);
        ck_ok(gk_reader_u64(&r, &ttl));
        ck_assert_int_eq((int64_t)ttl, ttls[i].passes);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        clear();
        size_t at = gk_buf_open(&in);
        gk_buf_i32(&in, 1);
        gk_buf_i32(&in, GK_OP_SET_DATA);
        gk_buf_str(&in, "/zookeeper/quota/a/zookeeper_stats");
        gk_buf_str(&in, texts[i]);
        gk_buf_i32(&in, -1);
        gk_buf_close(&in, at);
        ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
        ck_assert_msg(gk_rig_contains(gk_buf_view(&out), STR("zookeeper_stats\2")) == (i > 0), "%s", texts[i]);
        ck_assert(i == 0 || !gk_rig_contains(gk_buf_view(&out), STR(texts[i])));
    }
}
END_TEST

/* Texts of a create are the server's affair: it puts its own there at once. A null ACL in a multi fails as a read. */
START_TEST(odd_writes)
{
    static const char null_acl[] = "\0\0\0\1\0\377\377\377\377\0\0\0\2/a\377\377\377\377\377\377\377\377\0\0\0\0\377\377\377\377\1\377\377\377\377";

    gk_rig_connect(&rig);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, 1);
    gk_buf_i32(&in, GK_OP_CREATE);
    gk_buf_str(&in, "/zookeeper/quota/zookeeper_stats");
    gk_buf_str(&in, "no statistics");
    gk_buf_acl(&in);
    gk_buf_i32(&in, 0);
    gk_buf_close(&in, at);
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    ck_assert(out.n == in.n - 13 && gk_rig_contains(gk_buf_view(&out), STR("/zookeeper/quota/zookeeper_stats")));
    clear();
    at = gk_buf_open(&in); /* a quota for the empty path stops servers for good */
    gk_buf_i32(&in, 1);
    gk_buf_i32(&in, GK_OP_CREATE);
    gk_buf_str(&in, "/zookeeper/quota/zookeeper_limits");
    gk_buf_str(&in, "count=1");
    gk_buf_acl(&in);
    gk_buf_i32(&in, 0);
    gk_buf_close(&in, at);
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
    ck_assert(gk_rig_contains(gk_buf_view(&out), STR("/zookeeper/quota/zookeeper_limits\2")));
    clear();
    request(&in, 2, GK_OP_MULTI, BYTES(null_acl, sizeof(null_acl) - 1));
    request(&want, 2, GK_OP_GET_DATA, STR(""));
    passed();
    clear();
    request(&in, 3, GK_OP_DELETE_CONTAINER, STR("\377\377\377\377"));
    request(&want, 3, GK_OP_GET_DATA, STR(""));
    passed();
}
END_TEST

START_TEST(handshake_first)
{
    /* whatever comes first is a handshake: too short a one closes */
    exists(&in, 1, "/a", false);
    closed();
    clear();
    gk_rig_reconnect(&rig);
    exists(&in, 1, "/a", false);
    exists(&want, 1, "/a", true);
    passed();
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_REQUESTS), 2);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_requests");
    TCase *t = tcase_create("session_requests");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, half_frames);
    tcase_add_test(t, many_frames);
    tcase_add_test(t, limits);
    tcase_add_test(t, stored_limit);
    tcase_add_test(t, limits_of_quotas);
    tcase_add_test(t, xids);
    tcase_add_test(t, pings);
    tcase_add_test(t, unknown_operations);
    tcase_add_test(t, malformed_records);
    tcase_add_test(t, harmful_writes);
    tcase_add_test(t, odd_writes);
    tcase_add_test(t, handshake_first);
    suite_add_tcase(s, t);
    return s;
}
