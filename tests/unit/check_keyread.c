/* Reads of key nodes: what is asked of the server, and what is made of its answer. */
#include "../../native/codec/gk_keyread.h"
#include "../../native/codec/gk_own.h"
#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_servers.h"
#include "../support/gk_rig_keys.h"
#include "support/gk_check.h"

#define ZXID 0x100000007
#define SESSION GK_RIG_SESSION
#define XID 77
#define KEY_NODE GK_RIG_KEY_NODE
#define MEMBERS_PATH GK_RIG_MEMBERS
enum { CONNECTIONLOSS = -4, DATAINCONSISTENCY = -3, BADARGUMENTS = -8, NONODE = -101, NOAUTH = -102 };

static gk_rig rig;
static gk_buf in, out, current, members;

/* What a server's three answers say; a test changes some of it. */
typedef struct answer {
    int32_t err[3];
    int64_t owner;
    int64_t czxid, pzxid;
    int32_t cversion, children;
} answer;

static const answer GOOD = {.owner = SESSION, .czxid = 0x100000002, .pzxid = 0x100000005, .cversion = 3, .children = 1};

static gk_node node_of(const char *path)
{
    gk_node node;
    gk_writer none = gk_writer_of(NULL, 0);

    ck_ok(gk_path_encrypt(rig.worker, &none, &node, STR(path)));
    return node;
}

static void agree(uint8_t hash, bool known)
{
    gk_rig_agree(&rig, hash, known, &current);
}

static void up(void)
{
    rig = gk_rig_keys_open();
    agree(0xaa, true);
    gk_rig_seal(&rig, &members, MEMBERS_PATH, STR(GK_MEMBERS_RECORD));
}

static void down(void)
{
    gk_rig_close(&rig);
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&current);
    gk_buf_free(&members);
}

/* ask passes a getData; out holds what the server is asked. */
static void ask(const char *path, uint8_t watch)
{
    gk_buf_clear(&in);
    gk_buf_clear(&out);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, XID);
    gk_buf_i32(&in, GK_OP_GET_DATA);
    gk_buf_str(&in, path);
    gk_buf_u8(&in, watch);
    gk_buf_close(&in, at);
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&in)), in.n);
}

static void put_stat(gk_buf *b, const answer *a, int64_t owner, int32_t length)
{
    gk_buf_i64(b, a->czxid);
    gk_buf_i64(b, a->czxid);
    gk_buf_i64(b, 0);
    gk_buf_i64(b, 0);
    gk_buf_i32(b, 0);
    gk_buf_i32(b, a->cversion);
    gk_buf_i32(b, 0);
    gk_buf_i64(b, owner);
    gk_buf_i32(b, length);
    gk_buf_i32(b, a->children);
    gk_buf_i64(b, a->pzxid);
}

static void put_part(gk_buf *b, const answer *a, size_t i, gk_bytes data)
{
    gk_buf_i32(b, a->err[i] ? -1 : GK_OP_GET_DATA);
    gk_buf_u8(b, 0);
    gk_buf_i32(b, a->err[i]);
    if (a->err[i]) {
        gk_buf_i32(b, a->err[i]);
        return;
    }
    gk_buf_bytes(b, data);
    put_stat(b, a, i == 0 ? a->owner : 0, (int32_t)data.n);
}

/* make_reply puts the server's answer into in. */
static void make_reply(const answer *a)
{
    gk_buf_clear(&in);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, XID);
    gk_buf_i64(&in, ZXID);
    gk_buf_i32(&in, 0);
    put_part(&in, a, 0, STR("the child's payload isn't looked at"));
    put_part(&in, a, 1, gk_buf_view(&members));
    put_part(&in, a, 2, gk_buf_view(&current));
    gk_buf_i32(&in, -1);
    gk_buf_u8(&in, 1);
    gk_buf_i32(&in, -1);
    gk_buf_close(&in, at);
}

/* answered passes the server's reply that stands in in, and gives the client's error; record is the data's, when it is none. */
static int32_t answered(gk_bytes *record)
{
    gk_bytes head;
    gk_blob data;
    int32_t xid, err;
    uint64_t zxid;

    gk_buf_clear(&out);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    gk_reader r = gk_reader_of(out.p, out.n);
    ck_ok(gk_reader_take(&r, &head, 4));
    ck_ok(gk_jute_i32(&r, &xid));
    ck_ok(gk_reader_u64(&r, &zxid));
    ck_ok(gk_jute_i32(&r, &err));
    ck_assert_int_eq(xid, XID);
    ck_assert_uint_eq(zxid, ZXID);
    if (err) {
        ck_ok(gk_reader_end(&r));
        return err;
    }
    ck_ok(gk_jute_blob(&r, &data));
    ck_assert_uint_eq(r.n, GK_STAT_SIZE);
    if (record)
        *record = data.b;
    return 0;
}

static int32_t read_key(const answer *a, gk_bytes *record)
{
    ask(KEY_NODE, 0);
    make_reply(a);
    return answered(record);
}

START_TEST(asks_for_three)
{
    gk_buf child = {0}, parent = {0};

    gk_rig_stored(&rig, &child, STR(MEMBERS_PATH "/alice"));
    gk_rig_stored(&rig, &parent, STR(MEMBERS_PATH));
    ask(KEY_NODE, 0);
    gk_reader r = gk_reader_of(out.p, out.n);
    gk_bytes head, paths[3] = {gk_buf_view(&child), gk_buf_view(&parent), STR(GK_OWN_CURRENT)};
    int32_t type;
    uint8_t flag;
    gk_blob path;
    ck_ok(gk_reader_take(&r, &head, 8));
    ck_ok(gk_jute_i32(&r, &type));
    ck_assert_int_eq(type, GK_OP_MULTI_READ);
    for (size_t i = 0; i < 3; i++) {
        ck_ok(gk_jute_i32(&r, &type));
        ck_ok(gk_reader_u8(&r, &flag));
        ck_assert(type == GK_OP_GET_DATA && !flag);
        ck_ok(gk_jute_i32(&r, &type));
        ck_ok(gk_jute_blob(&r, &path));
        ck_assert(gk_bytes_equal(path.b, paths[i]));
        ck_ok(gk_reader_u8(&r, &flag));
        ck_assert_int_eq(flag, 0);
    }
    ck_assert_uint_eq(r.n, 9);
    gk_buf_free(&child);
    gk_buf_free(&parent);
}
END_TEST

START_TEST(gives_the_view)
{
    gk_bytes record;
    gk_view v = {.czxid = (uint64_t)GOOD.czxid, .pzxid = (uint64_t)GOOD.pzxid, .cversion = GOOD.cversion, .children = GOOD.children};
    uint8_t key[GK_VIEW_KEY], id[GK_KEY_ID], text[GK_AGREEMENT_NODE];
    gk_node node = node_of(MEMBERS_PATH);
    gk_writer plain = gk_writer_of(text, sizeof(text));

    ck_assert_int_eq(read_key(&GOOD, &record), 0);
    ck_assert_uint_eq(record.n, GK_KEY_RECORD_SIZE);
    ck_assert(memcmp(record.p, "GKV1", 4) == 0);
    memcpy(v.tag, node.tag, sizeof(v.tag));
    ck_ok(gk_own_open(rig.worker, &plain, STR(GK_OWN_CURRENT), gk_buf_view(&current)));
    ck_ok(gk_derive_view(key, id, gk_agreement_secrets(rig.codec->servers), &v, (gk_bytes){text, plain.len}));
    ck_assert(memcmp(record.p + 4, "\0\0\0\1\0\0\0\5", 8) == 0);
    ck_assert(memcmp(record.p + 12, id, 16) == 0 && memcmp(record.p + 28, key, 32) == 0);
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_DERIVATIONS), 1);
    ck_assert_int_eq(out.p[out.n - GK_STAT_SIZE + GK_STAT_DATA_LENGTH + 3], GK_KEY_RECORD_SIZE);
}
END_TEST

START_TEST(refuses_others)
{
    const struct {
        size_t part;
        int32_t err, want;
    } errors[] = {{0, NONODE, NONODE}, {0, NOAUTH, NOAUTH}, {1, NONODE, NONODE}, {1, NOAUTH, NOAUTH}, {2, NONODE, CONNECTIONLOSS}};
    answer a = GOOD;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        a = GOOD;
        a.err[errors[i].part] = errors[i].err;
        ck_assert_int_eq(read_key(&a, NULL), errors[i].want);
    }
    a = GOOD;
    a.err[0] = NONODE; /* the evicted: its child is gone, and so is its READ */
    a.err[1] = NOAUTH;
    ck_assert_int_eq(read_key(&a, NULL), NOAUTH);
    const int64_t owners[] = {0, SESSION + 1, -1, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        a = GOOD;
        a.owner = owners[i];
        ck_assert_int_eq(read_key(&a, NULL), NOAUTH);
    }
    a = GOOD;
    a.cversion = -2 - a.children; /* 2 * 2147483647 - children, wrapped */
    ck_assert_int_eq(read_key(&a, NULL), DATAINCONSISTENCY);
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_DERIVATIONS), 0);
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_KEYS_REFUSED), 9);
}
END_TEST

START_TEST(only_of_members_nodes)
{
    gk_rig_seal(&rig, &members, MEMBERS_PATH, STR("GKSERVERKEYED v2"));
    ck_assert_int_eq(read_key(&GOOD, NULL), NONODE);
    gk_rig_seal(&rig, &members, MEMBERS_PATH, STR("GKSERVERKEYED v1 "));
    ck_assert_int_eq(read_key(&GOOD, NULL), NONODE);
    gk_rig_seal(&rig, &members, "/app/others", STR(GK_MEMBERS_RECORD)); /* another node's */
    ck_assert_int_eq(read_key(&GOOD, NULL), DATAINCONSISTENCY);
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_DERIVATIONS), 0);
}
END_TEST

START_TEST(only_the_secret_in_force)
{
    agree(0xbb, false); /* named, but not known here */
    ck_assert_int_eq(read_key(&GOOD, NULL), CONNECTIONLOSS);
    agree(0xbb, true);
    ck_assert_int_eq(read_key(&GOOD, NULL), 0);
    agree(0xaa, false); /* an older one */
    ck_assert_int_eq(read_key(&GOOD, NULL), CONNECTIONLOSS);
    agree(0xbb, false);
    gk_servers_serve(rig.codec, false);
    ck_assert_int_eq(read_key(&GOOD, NULL), CONNECTIONLOSS);
    gk_servers_serve(rig.codec, true);
    ck_assert_int_eq(read_key(&GOOD, NULL), 0);
    gk_rig_seal(&rig, &current, MEMBERS_PATH, STR("x")); /* what a client could write isn't the servers' */
    ck_assert_int_eq(read_key(&GOOD, NULL), DATAINCONSISTENCY);
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_KEYS_LATER), 3);
}
END_TEST

/* harmless: the request became an exists of the root, and its answer is err. */
static void harmless(const char *path, uint8_t watch, int32_t err)
{
    ask(path, watch);
    ck_assert_uint_eq(out.n, 4 + 8 + 4 + 1 + 1);
    gk_buf_clear(&in);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, XID);
    gk_buf_i64(&in, ZXID);
    gk_buf_i32(&in, 0);
    put_stat(&in, &GOOD, 0, 0);
    gk_buf_close(&in, at);
    ck_assert_int_eq(answered(NULL), err);
}

START_TEST(refused_at_once)
{
    harmless(KEY_NODE, 1, BADARGUMENTS);
    harmless("/zookeeper/groupkeeper/status", 1, BADARGUMENTS);
    harmless("/zookeeper/groupkeeper/status", 0, 0);
    harmless("/zookeeper/groupkeeper/keys/x", 0, NONODE);
    harmless("/zookeeper/groupkeeper/keys/", 0, NONODE);
    gk_rig_reconnect(&rig); /* no TLS, or no identity */
    harmless(KEY_NODE, 0, NOAUTH);
    harmless(KEY_NODE, 1, BADARGUMENTS);
}
END_TEST

/* Whatever a server answers: a key, or an error; never a crash, and never a key for an answer that was changed where it counts. */
START_TEST(broken_answers)
{
    gk_buf whole = {0};
    gk_bytes record;

    ask(KEY_NODE, 0);
    make_reply(&GOOD);
    gk_buf_put(&whole, in.p, in.n);
    ck_assert_int_eq(answered(NULL), 0);
    for (size_t n = 20; n < whole.n; n++) {
        ask(KEY_NODE, 0);
        gk_buf_clear(&in);
        size_t at = gk_buf_open(&in);
        gk_buf_put(&in, whole.p + 4, n - 4);
        gk_buf_close(&in, at);
        int32_t err = answered(NULL);
        ck_assert_msg(err == DATAINCONSISTENCY || (err == 0 && n + 9 >= whole.n), "cut to %zu: %d", n, err);
    }
    for (size_t i = 20; i < whole.n; i++) {
        ask(KEY_NODE, 0);
        gk_buf_clear(&in);
        gk_buf_put(&in, whole.p, whole.n);
        in.p[i] ^= 0x41;
        if (answered(&record) == 0)
            ck_assert_uint_eq(record.n, GK_KEY_RECORD_SIZE);
    }
    gk_buf_free(&whole);
}
END_TEST

START_TEST(off_is_stock)
{
    gk_buf stored = {0};

    rig.codec->agreement = false;
    gk_rig_stored(&rig, &stored, STR(KEY_NODE));
    ask(KEY_NODE, 0);
    ck_assert(gk_rig_contains(gk_buf_view(&out), gk_buf_view(&stored)));
    ask(GK_OWN_CURRENT, 1);
    ck_assert(!gk_rig_contains(gk_buf_view(&out), STR(GK_OWN_CURRENT)));
    rig.codec->agreement = true;
    ask(GK_OWN_CURRENT, 1);
    ck_assert(gk_rig_contains(gk_buf_view(&out), STR(GK_OWN_CURRENT)));
    gk_buf_free(&stored);
}
END_TEST

static size_t event(const char *path)
{
    gk_buf_clear(&in);
    gk_buf_clear(&out);
    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, -1);
    gk_buf_i64(&in, -1);
    gk_buf_i32(&in, 0);
    gk_buf_i32(&in, 3);
    gk_buf_i32(&in, 3);
    gk_buf_str(&in, path);
    gk_buf_close(&in, at);
    ck_ok(gk_rig_reply(&rig, &out, gk_buf_view(&in)));
    return out.n;
}

START_TEST(own_nodes_are_hidden)
{
    uint8_t stat[GK_STAT_SIZE] = {0}, root[9] = {1, 0, 0, 0, 0, 0, 0, 0, 3};

    ck_assert_uint_eq(event(GK_OWN_ROOT "/servers/1"), 0);
    ck_assert_uint_eq(event(GK_OWN_CURRENT), 0);
    ask(GK_OWN_CURRENT, 1);
    ck_assert_uint_gt(event(GK_OWN_CURRENT), 0);
    ck_assert_uint_eq(event(GK_OWN_ROOT "/servers/1"), 0);
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_DECRYPT_FAILURES), 0);
    gk_own_seen(rig.codec, 9, (gk_bytes){root, sizeof(root)}, 5);
    stat[67] = 8; /* pzxid 8: before our node was there */
    gk_own_hide(rig.codec, stat);
    ck_assert(stat[67] == 8 && stat[59] == 0);
    stat[67] = 9;
    stat[59] = 3;
    stat[39] = 1;
    gk_own_hide(rig.codec, stat);
    ck_assert(stat[67] == 3 && stat[59] == 2 && stat[39] == 0);
    stat[67] = 10;
    gk_own_hide(rig.codec, stat);
    ck_assert(stat[67] == 10 && stat[59] == 1 && stat[39] == 0xff);
}
END_TEST

static bool is(const gk_buf *path)
{
    bool yes = false;

    ck_ok(gk_members_is(rig.worker, &yes, gk_buf_view(path), gk_buf_view(&members)));
    return yes;
}

START_TEST(members_for_the_hook)
{
    gk_buf path = {0};

    gk_rig_stored(&rig, &path, STR(MEMBERS_PATH));
    ck_assert(is(&path));
    members.p[members.n - 1] ^= 1;
    ck_assert(!is(&path));
    members.p[members.n - 1] ^= 1;
    gk_buf_clear(&path);
    gk_rig_stored(&rig, &path, STR("/app/others"));
    ck_assert(!is(&path));
    gk_buf_free(&path);
}
END_TEST

/* One whole read while an allocation fails: a key, or an error of which nothing was written. */
static gk_err read_once(void *arg)
{
    gk_writer w;
    uint8_t room[1024];
    size_t used = 0;
    gk_session *s = NULL;
    gk_bytes request = *(gk_bytes *)arg;
    gk_err e = gk_session_new(&s, rig.codec);

    if (e == GK_OK) {
        gk_session_trust(s);
        s->requests = s->replies = GK_PHASE_OPEN;
        s->id = SESSION;
        w = gk_writer_of(room, sizeof(room));
        e = gk_session_requests(s, rig.worker, &w, &used, request);
    }
    if (e == GK_OK) {
        w = gk_writer_of(room, sizeof(room));
        e = gk_session_reply(s, rig.worker, &w, gk_buf_view(&in));
        rig_must(e != GK_OK || w.len == 4 + 16 + 4 + GK_KEY_RECORD_SIZE + GK_STAT_SIZE); /* ck_assert allocates */
    }
    gk_session_free(s);
    return e;
}

START_TEST(allocations_fail)
{
    gk_buf request = {0};

    ask(KEY_NODE, 0);
    gk_buf_put(&request, in.p, in.n);
    make_reply(&GOOD);
    gk_bytes view = gk_buf_view(&request);
    ck_assert_uint_gt(gk_fault_each(read_once, &view), 0);
    gk_buf_free(&request);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("keyread");
    TCase *t = tcase_create("keyread");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, asks_for_three);
    tcase_add_test(t, gives_the_view);
    tcase_add_test(t, refuses_others);
    tcase_add_test(t, only_of_members_nodes);
    tcase_add_test(t, only_the_secret_in_force);
    tcase_add_test(t, refused_at_once);
    tcase_add_test(t, broken_answers);
    tcase_add_test(t, off_is_stock);
    tcase_add_test(t, own_nodes_are_hidden);
    tcase_add_test(t, members_for_the_hook);
    tcase_add_test(t, allocations_fail);
    suite_add_tcase(s, t);
    return s;
}
