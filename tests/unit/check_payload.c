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

/* open_it opens into memory that is filled before; on failure none of it may hold plaintext. */
static gk_err open_it(gk_buf *out, bool *null, const gk_node *node, gk_bytes component, gk_bytes stored)
{
    gk_writer w = {0};
    gk_err e = GK_OK;

    gk_buf_clear(out);
    w = gk_writer_of(gk_buf_room(out, stored.n), stored.n);
    if (stored.n > 0)
        memset(out->p, 0, stored.n);
    e = node ? gk_payload_open(rig.worker, &w, null, node, stored) : gk_payload_open_pending(rig.worker, &w, null, component, stored);
    for (size_t i = 0; e != GK_OK && i < stored.n; i++)
        ck_assert_uint_eq(out->p[i], 0);
    out->n = e == GK_OK ? w.len : 0;
    return e == GK_OK ? w.err : e;
}

static void seal_it(gk_buf *out, const gk_node *node, gk_bytes component, gk_blob data)
{
    size_t n = data.b.n + GK_PAYLOAD_OVERHEAD;
    gk_writer w = {0};

    gk_buf_clear(out);
    w = gk_writer_of(gk_buf_room(out, n), n);
    ck_ok(node ? gk_payload_seal(rig.worker, &w, node, data) : gk_payload_seal_pending(rig.worker, &w, component, data));
    ck_ok(w.err);
    ck_assert_uint_eq(w.len, n);
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("payloads.txt");
    gk_buf out = {0};

    while (gk_vec_next(v)) {
        const char *title = gk_vec_str(v, "case");
        gk_node node = node_of(gk_vec_hex(v, "path"));
        bool want_null = gk_vec_u64(v, "null") == 1, null = false;
        gk_bytes data = gk_vec_hex(v, "data");
        gk_bytes stored = gk_vec_hex(v, "stored");
        gk_err want = gk_check_err_of(gk_vec_str(v, "result"));

        ck_assert_msg(open_it(&out, &null, &node, (gk_bytes){0}, stored) == want, "%s: %s", gk_vec_name(v), title);
        if (want != GK_OK)
            continue;
        ck_assert_msg(null == want_null && gk_bytes_equal(gk_buf_view(&out), data), "%s: %s", gk_vec_name(v), title);
        ck_assert_int_eq(gk_payload_plain_length(&node, (int32_t)stored.n), (int32_t)data.n);
        seal_it(&out, &node, (gk_bytes){0}, (gk_blob){data, null}); /* the same shape: version, flags, active key */
        ck_assert_uint_eq(out.n, stored.n);
        ck_assert(memcmp(out.p, (uint8_t[]){1, null ? GK_FLAG_NULL : 0, 0, 0, 0, GK_RIG_PAYLOAD_ID}, GK_PAYLOAD_HEADER) == 0);
    }
    ck_assert_uint_eq(gk_vec_close(v), 58);
    gk_buf_free(&out);
}
END_TEST

START_TEST(each_byte_counts)
{
    gk_node nodes[] = {node_of(STR("/a")), node_of(STR("/")), node_of(STR("/zookeeper/quota/a"))};
    gk_buf stored = {0}, back = {0};
    bool null = false;

    for (size_t k = 0; k < 4; k++) {
        const gk_node *node = k < 3 ? &nodes[k] : NULL; /* the last one is pending */
        gk_bytes component = STR("\1component");

        for (size_t n = 0; n <= 20; n += 10) {
            seal_it(&stored, node, component, (gk_blob){BYTES("twenty bytes of data", n), n == 0});
            ck_ok(open_it(&back, &null, node, component, gk_buf_view(&stored)));
            ck_assert(null == (n == 0) && back.n == n);
            for (size_t i = 0; i < stored.n; i++) {
                for (unsigned bit = 0; bit < 8; bit++) {
                    stored.p[i] ^= (uint8_t)(1u << bit);
                    ck_gk(open_it(&back, &null, node, component, gk_buf_view(&stored)), GK_ERR_AUTH);
                    stored.p[i] ^= (uint8_t)(1u << bit);
                }
                ck_gk(open_it(&back, &null, node, component, BYTES(stored.p, i)), GK_ERR_AUTH);
            }
            gk_buf_put(&stored, "", 1);
            ck_gk(open_it(&back, &null, node, component, gk_buf_view(&stored)), GK_ERR_AUTH);
        }
    }
    gk_buf_free(&stored);
    gk_buf_free(&back);
}
END_TEST

/* A payload opens at its own node alone: not at another one, not at the same name elsewhere, nor in another role. */
START_TEST(bound_to_its_node)
{
    const char *paths[] = {"/", "/a", "/b", "/a/a", "/b/a", "/zookeeper", "/zookeeper/quota", "/zookeeper/quota/a", "/zookeeper/quota/b", "/zookeeper/quota/a/a"};
    const size_t n = sizeof(paths) / sizeof(paths[0]);
    gk_bytes component = STR("\1abc");
    gk_buf stored = {0}, back = {0};
    bool null = false;

    for (size_t i = 0; i < n; i++) {
        gk_node from = node_of(STR(paths[i]));

        seal_it(&stored, &from, (gk_bytes){0}, (gk_blob){STR("data"), false});
        ck_gk(open_it(&back, &null, NULL, component, gk_buf_view(&stored)), GK_ERR_AUTH);
        for (size_t j = 0; j < n; j++) {
            gk_node to = node_of(STR(paths[j]));

            ck_gk(open_it(&back, &null, &to, (gk_bytes){0}, gk_buf_view(&stored)), i == j ? GK_OK : GK_ERR_AUTH);
        }
        seal_it(&stored, NULL, component, (gk_blob){STR("data"), false});
        ck_gk(open_it(&back, &null, &from, (gk_bytes){0}, gk_buf_view(&stored)), GK_ERR_AUTH);
        ck_gk(open_it(&back, &null, NULL, STR("\1abd"), gk_buf_view(&stored)), GK_ERR_AUTH);
        ck_ok(open_it(&back, &null, NULL, component, gk_buf_view(&stored)));
    }
    gk_buf_free(&stored);
    gk_buf_free(&back);
}
END_TEST

START_TEST(nonces_differ)
{
    enum { N = 2000 };
    static uint8_t seen[N][GK_XAES_NONCE];
    gk_node node = node_of(STR("/a"));
    gk_buf stored = {0};

    for (size_t i = 0; i < N; i++) {
        seal_it(&stored, &node, (gk_bytes){0}, (gk_blob){STR("same"), false});
        memcpy(seen[i], stored.p + GK_PAYLOAD_HEADER, GK_XAES_NONCE);
        for (size_t j = 0; j < i; j++)
            ck_assert(memcmp(seen[i], seen[j], GK_XAES_NONCE) != 0);
    }
    gk_buf_free(&stored);
}
END_TEST

START_TEST(too_short_output)
{
    gk_node node = node_of(STR("/a"));
    gk_blob data = {STR("some data"), false};
    uint8_t out[128];
    gk_buf stored = {0};
    bool null = false;

    seal_it(&stored, &node, (gk_bytes){0}, data);
    for (size_t cap = 0; cap < stored.n; cap++) {
        gk_writer w = gk_writer_of(out, cap);

        memset(out, 0xee, sizeof(out));
        ck_ok(gk_payload_seal(rig.worker, &w, &node, data));
        ck_assert(w.err == GK_ERR_SPACE && w.len == stored.n && out[cap] == 0xee);
        w = gk_writer_of(out, cap);
        ck_ok(gk_payload_open(rig.worker, &w, &null, &node, gk_buf_view(&stored)));
        ck_assert((w.err == GK_ERR_SPACE) == (cap < data.b.n) && w.len == data.b.n);
        ck_assert(cap < data.b.n ? out[cap] == 0xee : memcmp(out, data.b.p, data.b.n) == 0);
    }
    gk_buf_free(&stored);
}
END_TEST

START_TEST(plain_lengths)
{
    const struct {
        const char *path;
        int32_t stored, plain;
    } cases[] = {{"/a", 46, 0},   {"/a", 47, 1},      {"/a", 45, 0},           {"/a", 0, 0},
                 {"/", 0, 0},     {"/", 146, 100},    {"/zookeeper", 0, 0},    {"/zookeeper/quota", 50, 4},
                 {"/zookeeper/config", 200, 200},     {"/zookeeper/config", 3, 3}, {"/zookeeper/quota/a", 50, 4},
                 {"/zookeeper/quota/a/zookeeper_stats", 15, 15}, {"/zookeeper/quota/a/zookeeper_limits", 72 + 28 * 6 + 6, 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gk_node node = node_of(STR(cases[i].path));

        ck_assert_msg(gk_payload_plain_length(&node, cases[i].stored) == cases[i].plain, "%s %d", cases[i].path, cases[i].stored);
    }
}
END_TEST

/* All that keys of former days have sealed stays readable, however many there are. */
START_TEST(many_former_keys)
{
    enum { MORE = 20 };
    gk_keyring *kr = NULL;
    gk_codec *codec = NULL;
    gk_worker *reader = NULL;
    gk_options o = gk_rig_options();
    gk_node node = node_of(STR("/a"));
    uint8_t stored[MORE][64], out[64];

    ck_ok(gk_rig_keyring(&kr, MORE));
    ck_ok(gk_codec_new(&codec, kr, &o));
    for (uint32_t i = 0; i < MORE; i++) { /* a worker that seals under this key */
        gk_worker *w = NULL;
        gk_writer to = gk_writer_of(stored[i], sizeof(stored[i]));

        ck_ok(gk_worker_new(&w, codec));
        gk_xaes_free(w->payload);
        w->payload_id = 100 + i;
        ck_ok(gk_xaes_new(&w->payload, gk_keyring_find(kr, GK_PURPOSE_PAYLOAD, 100 + i)));
        ck_ok(gk_payload_seal(w, &to, &node, (gk_blob){BYTES("data", 4), false}));
        ck_assert_uint_eq(to.len, 4 + GK_PAYLOAD_OVERHEAD);
        gk_worker_free(w);
    }
    ck_ok(gk_worker_new(&reader, codec));
    for (size_t n = 0; n < 3 * MORE; n++) {
        size_t i = n * 7 % MORE;
        gk_writer w = gk_writer_of(out, sizeof(out));
        bool null = true;

        ck_ok(gk_payload_open(reader, &w, &null, &node, BYTES(stored[i], 4 + GK_PAYLOAD_OVERHEAD)));
        ck_assert(!null && w.len == 4 && memcmp(out, "data", 4) == 0);
    }
    gk_worker_free(reader);
    gk_codec_free(codec);
    gk_keyring_free(kr);
}
END_TEST

/* What /a held under the former key: from payloads.txt, "a former key". */
static uint8_t former[128];
static size_t former_n;

static gk_err seal_and_open(void *arg)
{
    static uint8_t sealed[64], plain[64];
    gk_rig r = {0};
    gk_node node = *(gk_node *)arg;
    bool null = false;
    gk_writer s = gk_writer_of(sealed, sizeof(sealed));
    gk_writer p = gk_writer_of(plain, sizeof(plain));
    gk_err e = gk_rig_try(&r, NULL);

    if (e == GK_OK)
        e = gk_payload_seal(r.worker, &s, &node, (gk_blob){BYTES("data", 4), false});
    if (e == GK_OK)
        e = gk_payload_open(r.worker, &p, &null, &node, BYTES(sealed, s.len));
    if (e == GK_OK)
        e = gk_payload_open(r.worker, &p, &null, &node, BYTES(former, former_n));
    gk_rig_close(&r);
    return e;
}

START_TEST(survives_failing_allocations)
{
    gk_node node = node_of(STR("/a"));
    gk_vec *v = gk_vec_open("payloads.txt");

    while (gk_vec_next(v)) {
        bool found = strcmp(gk_vec_str(v, "case"), "a former key") == 0;
        gk_bytes stored = gk_vec_hex(v, "stored");

        (void)(gk_vec_str(v, "path") && gk_vec_str(v, "null") && gk_vec_str(v, "data") && gk_vec_str(v, "result"));
        if (found)
            memcpy(former, stored.p, former_n = stored.n);
    }
    (void)gk_vec_close(v);
    ck_assert_uint_gt(former_n, 0);
    ck_assert_uint_ge(gk_fault_each(seal_and_open, &node), 5);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("payload");
    TCase *t = tcase_create("payload");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, vectors);
    tcase_add_test(t, each_byte_counts);
    tcase_add_test(t, bound_to_its_node);
    tcase_add_test(t, nonces_differ);
    tcase_add_test(t, too_short_output);
    tcase_add_test(t, plain_lengths);
    tcase_add_test(t, many_former_keys);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
