#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_sequence.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

static gk_rig rig;

static void up(void)
{
    gk_options o = gk_rig_options();

    o.plaintext_prefixes = "/plain,/a0000000007";
    rig = gk_rig_open(&o);
}

static void down(void)
{
    gk_rig_close(&rig);
}

/* mark gives the path of a sequential create and the marker component, a view of it, in memory of exactly the right size. */
static gk_node mark(gk_buf *out, gk_bytes *component, gk_bytes path)
{
    gk_node node, again;
    gk_writer none = gk_writer_of(NULL, 0);

    gk_buf_clear(out);
    ck_ok(gk_sequence_mark(rig.worker, &none, &again, component, path));
    size_t would = component->n;
    gk_writer w = gk_writer_of(gk_buf_room(out, none.len), none.len);
    ck_ok(gk_sequence_mark(rig.worker, &w, &node, component, path));
    ck_ok(w.err);
    ck_assert(w.len == none.len && (component->n > 0) == (would > 0) && node.kind == again.kind);
    ck_assert(component->n == 0 || (component->p >= out->p && component->p + component->n == out->p + out->n));
    return node;
}

static gk_err resolve(gk_buf *path, gk_buf *data, gk_bytes marked, int32_t number, gk_bytes pending)
{
    size_t room = marked.n * 2 + 64;

    gk_buf_clear(path);
    gk_buf_clear(data);
    gk_writer p = gk_writer_of(gk_buf_room(path, room), room);
    gk_writer d = gk_writer_of(gk_buf_room(data, pending.n + 64), pending.n + 64);
    gk_err e = gk_sequence_resolve(rig.worker, &p, &d, marked, number, (gk_blob){pending, false});
    path->n = e == GK_OK ? p.len : 0;
    data->n = e == GK_OK ? d.len : 0;
    return e;
}

static gk_err read_back(gk_buf *plain, gk_buf *text, bool *null, gk_bytes path, gk_bytes data)
{
    gk_node node;

    gk_buf_clear(plain);
    gk_buf_clear(text);
    gk_writer p = gk_writer_of(gk_buf_room(plain, path.n), path.n);
    gk_writer t = gk_writer_of(gk_buf_room(text, data.n), data.n);
    gk_err e = gk_path_decrypt(rig.worker, &p, &node, path);
    if (e == GK_OK)
        e = gk_payload_open(rig.worker, &t, null, &node, data);
    plain->n = p.len;
    text->n = t.len;
    return e;
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("sequence.txt");
    gk_buf path = {0}, data = {0}, plain = {0}, text = {0};

    while (gk_vec_next(v)) {
        const char *title = gk_vec_str(v, "case");
        gk_bytes given = gk_vec_hex(v, "path");
        gk_bytes marked = gk_vec_hex(v, "marked");
        gk_bytes pending = gk_vec_hex(v, "pending");
        int32_t number = (int32_t)strtol(gk_vec_str(v, "number"), NULL, 10);
        gk_err want = gk_check_err_of(gk_vec_str(v, "result"));
        gk_bytes component;
        bool null = false;

        ck_assert(gk_sequence_is_marked(marked));
        ck_assert_msg(resolve(&path, &data, marked, number, pending) == want, "%s: %s", gk_vec_name(v), title);
        if (want != GK_OK)
            continue;
        ck_assert_msg(gk_bytes_equal(gk_buf_view(&path), gk_vec_hex(v, "stored")), "%s: %.*s", gk_vec_name(v), (int)path.n, (char *)path.p);
        ck_ok(read_back(&plain, &text, &null, gk_buf_view(&path), gk_buf_view(&data)));
        ck_assert_msg(gk_bytes_equal(gk_buf_view(&plain), gk_vec_hex(v, "final")), "%s", gk_vec_name(v));
        ck_assert_msg(null == (gk_vec_u64(v, "null") == 1) && gk_bytes_equal(gk_buf_view(&text), gk_vec_hex(v, "data")), "%s", gk_vec_name(v));
        (void)mark(&path, &component, given); /* ours has the same shape */
        ck_assert_uint_eq(path.n, marked.n);
        ck_assert_mem_eq(path.p, marked.p, marked.n - component.n + 1);
    }
    ck_assert_uint_eq(gk_vec_close(v), 19);
    gk_buf_free(&path);
    gk_buf_free(&data);
    gk_buf_free(&plain);
    gk_buf_free(&text);
}
END_TEST

static void seal_pending(gk_buf *out, gk_bytes component, gk_blob data)
{
    size_t n = data.b.n + GK_PAYLOAD_OVERHEAD;

    gk_buf_clear(out);
    gk_writer w = gk_writer_of(gk_buf_room(out, n), n);
    ck_ok(gk_payload_seal_pending(rig.worker, &w, component, data));
}

/* Whatever is changed in the last component or in the payload, the leader refuses; two creates can't be mixed. */
START_TEST(each_byte_counts)
{
    gk_buf marked = {0}, pending = {0}, path = {0}, data = {0}, other = {0}, other_pending = {0};
    gk_bytes component, other_component;

    (void)mark(&marked, &component, STR("/locks/lock-"));
    seal_pending(&pending, component, (gk_blob){STR("owner"), false});
    (void)mark(&other, &other_component, STR("/locks/lock-"));
    seal_pending(&other_pending, other_component, (gk_blob){STR("owner"), false});
    ck_assert(!gk_bytes_equal(gk_buf_view(&marked), gk_buf_view(&other))); /* equal prefixes don't show */
    ck_ok(resolve(&path, &data, gk_buf_view(&marked), 1, gk_buf_view(&pending)));
    ck_ok(resolve(&path, &data, gk_buf_view(&other), 1, gk_buf_view(&other_pending)));
    ck_gk(resolve(&path, &data, gk_buf_view(&marked), 1, gk_buf_view(&other_pending)), GK_ERR_AUTH);
    for (size_t i = 0; i < marked.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            marked.p[i] ^= (uint8_t)(1u << bit);
            gk_err e = resolve(&path, &data, gk_buf_view(&marked), 1, gk_buf_view(&pending));
            ck_assert_msg(e == GK_ERR_AUTH || e == GK_ERR_ARG, "byte %zu bit %u", i, bit);
            marked.p[i] ^= (uint8_t)(1u << bit);
        }
        gk_err e = resolve(&path, &data, BYTES(marked.p, i), 1, gk_buf_view(&pending));
        ck_assert_msg(e == GK_ERR_AUTH || e == GK_ERR_ARG, "cut to %zu", i);
    }
    for (size_t i = 0; i < pending.n; i++) {
        pending.p[i] ^= 1;
        ck_gk(resolve(&path, &data, gk_buf_view(&marked), 1, gk_buf_view(&pending)), GK_ERR_AUTH);
        pending.p[i] ^= 1;
        ck_gk(resolve(&path, &data, gk_buf_view(&marked), 1, BYTES(pending.p, i)), GK_ERR_AUTH);
    }
    gk_buf_put(&marked, "A", 1);
    ck_gk(resolve(&path, &data, gk_buf_view(&marked), 1, gk_buf_view(&pending)), GK_ERR_AUTH);
    gk_buf_free(&marked);
    gk_buf_free(&pending);
    gk_buf_free(&path);
    gk_buf_free(&data);
    gk_buf_free(&other);
    gk_buf_free(&other_pending);
}
END_TEST

/* Which paths get a marker, and what the others become: stock must fail on them where it fails on the plaintext. */
START_TEST(which_are_marked)
{
    const struct {
        const char *path;
        bool marked;
        const char *same_as; /* when it isn't: stored like this path, or as it is for NULL */
    } cases[] = {{"/x", true, ""},          {"/", true, ""},           {"/a/", true, ""},         {"/a/.", true, ""},      {"/a/..", true, ""},
                 {"/a/b\1", false, "/a/b\1"}, {"", false, ""},           {"x", false, "x"},         {"/plain/x", false, NULL}, {"/plain/y/z", false, NULL},
                 {"/plain", true, ""},      {"//x", false, "//x"},     {"/\xff", false, "/\xff"}, {"./x", true, ""},       {"a/b", true, ""},
                 {"/a//b", true, ""},       {"/zookeeper/x", true, ""}, {"/zookeeper/quota/", true, ""}};
    gk_buf out = {0}, want = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gk_bytes component;
        gk_node node = mark(&out, &component, STR(cases[i].path));

        ck_assert_msg((component.n > 0) == cases[i].marked, "%s", cases[i].path);
        ck_assert_msg(gk_sequence_is_marked(gk_buf_view(&out)) == cases[i].marked, "%s", cases[i].path);
        if (cases[i].marked)
            continue;
        gk_buf_clear(&want);
        if (cases[i].same_as)
            gk_rig_stored(&rig, &want, STR(cases[i].same_as));
        else
            gk_buf_put(&want, cases[i].path, strlen(cases[i].path));
        ck_assert_msg(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&want)), "%s", cases[i].path);
        ck_assert(cases[i].same_as || node.kind == GK_KIND_PLAIN);
    }
    gk_buf_free(&out);
    gk_buf_free(&want);
}
END_TEST

/* A number that would make a plaintext node of a sealed create is refused: nobody could read it there. */
START_TEST(never_plain)
{
    gk_buf marked = {0}, pending = {0}, path = {0}, data = {0};
    gk_bytes component;

    (void)mark(&marked, &component, STR("/a"));
    seal_pending(&pending, component, (gk_blob){STR("data"), false});
    ck_ok(resolve(&path, &data, gk_buf_view(&marked), 6, gk_buf_view(&pending)));
    ck_gk(resolve(&path, &data, gk_buf_view(&marked), 7, gk_buf_view(&pending)), GK_ERR_AUTH);
    gk_buf_free(&marked);
    gk_buf_free(&pending);
    gk_buf_free(&path);
    gk_buf_free(&data);
}
END_TEST

START_TEST(markers)
{
    ck_assert(gk_sequence_is_marked(STR("/\1A")) && gk_sequence_is_marked(STR("/a/\1A")) && gk_sequence_is_marked(STR("a/\1A")));
    ck_assert(!gk_sequence_is_marked(STR("/\1")) && !gk_sequence_is_marked(STR("\1A")) && !gk_sequence_is_marked(STR("")));
    ck_assert(!gk_sequence_is_marked(STR("/\1A/b")) && !gk_sequence_is_marked(STR("/a")) && !gk_sequence_is_marked(STR("/a\1A")));
}
END_TEST

/* No server without the prefix's parent makes a final name of it: the parent must be a path that a node can have. */
START_TEST(parent_must_exist)
{
    const char *parents[] = {"/a/\1b", "/a/.", "rel", "/a//b", "/./b"};
    gk_buf marked = {0}, pending = {0}, path = {0}, data = {0}, given = {0};

    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        gk_bytes component;

        gk_buf_clear(&given);
        gk_buf_put(&given, parents[i], strlen(parents[i]));
        gk_buf_put(&given, "/x", 2);
        gk_node node = mark(&marked, &component, gk_buf_view(&given));
        ck_assert_int_eq(node.kind, GK_KIND_BAD);
        seal_pending(&pending, component, (gk_blob){STR("data"), false});
        ck_gk(resolve(&path, &data, gk_buf_view(&marked), 1, gk_buf_view(&pending)), GK_ERR_AUTH);
    }
    gk_buf_free(&marked);
    gk_buf_free(&pending);
    gk_buf_free(&path);
    gk_buf_free(&data);
    gk_buf_free(&given);
}
END_TEST

/* moved gives what a leader says when the create of /a/x- is put below another parent on its way. */
static gk_err moved(const char *parent)
{
    gk_buf marked = {0}, pending = {0}, path = {0}, data = {0}, to = {0};
    gk_bytes component;
    gk_node node;

    (void)mark(&marked, &component, STR("/a/x-"));
    seal_pending(&pending, component, (gk_blob){STR("data"), false});
    gk_writer w = gk_writer_of(gk_buf_room(&to, 200), 200);
    ck_ok(gk_path_encrypt(rig.worker, &w, &node, STR(parent)));
    to.n = w.len;
    gk_buf_put(&to, "/", 1);
    gk_buf_put(&to, component.p, component.n);
    gk_err e = resolve(&path, &data, gk_buf_view(&to), 1, gk_buf_view(&pending));
    gk_buf *all[] = {&marked, &pending, &path, &data, &to};
    for (size_t i = 0; i < 5; i++)
        gk_buf_free(all[i]);
    return e;
}

START_TEST(tied_to_its_parent)
{
    const char *others[] = {"/b", "/a/a", "/zookeeper", "/zookeeper/quota", "/zookeeper/quota/b", "/zookeeper/config"};

    ck_ok(moved("/a"));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_gk(moved(others[i]), GK_ERR_AUTH);
    ck_ok(moved("/zookeeper/quota/a")); /* the one exception, named in docs/SECURITY.md: names there are those of the tree */
}
END_TEST

START_TEST(too_short_output)
{
    gk_buf marked = {0}, pending = {0}, path = {0}, data = {0};
    gk_bytes component;

    (void)mark(&marked, &component, STR("/a/b/lock-"));
    seal_pending(&pending, component, (gk_blob){STR("owner"), false});
    ck_ok(resolve(&path, &data, gk_buf_view(&marked), 7, gk_buf_view(&pending)));
    for (size_t cap = 0; cap <= path.n || cap <= data.n; cap++) {
        uint8_t a[400], b[400];
        gk_writer p = gk_writer_of(a, cap < path.n ? cap : path.n);
        gk_writer d = gk_writer_of(b, cap < data.n ? cap : data.n);

        ck_gk(gk_sequence_resolve(rig.worker, &p, &d, gk_buf_view(&marked), 7, (gk_blob){gk_buf_view(&pending), false}),
              p.cap == path.n && d.cap == data.n ? GK_OK : GK_ERR_SPACE);
        ck_assert(p.len == path.n && d.len == data.n);
    }
    gk_buf_free(&marked);
    gk_buf_free(&pending);
    gk_buf_free(&path);
    gk_buf_free(&data);
}
END_TEST

static gk_err verify(const char *path, gk_bytes stored_path, gk_blob data)
{
    gk_buf stored = {0};

    gk_rig_stored(&rig, &stored, STR(path));
    gk_err e = gk_write_verify(rig.worker, path[0] ? gk_buf_view(&stored) : stored_path, data);
    gk_buf_free(&stored);
    return e;
}

static gk_blob sealed_for(gk_buf *out, const char *path)
{
    gk_buf stored = {0};
    gk_node node;

    gk_writer none = gk_writer_of(NULL, 0);
    ck_ok(gk_path_encrypt(rig.worker, &none, &node, STR(path)));
    gk_buf_clear(out);
    gk_writer w = gk_writer_of(gk_buf_room(out, 100), 100);
    ck_ok(gk_payload_seal(rig.worker, &w, &node, (gk_blob){STR("data"), false}));
    out->n = w.len;
    gk_buf_free(&stored);
    return (gk_blob){gk_buf_view(out), false};
}

START_TEST(writes_of_other_servers)
{
    gk_buf data = {0}, marked = {0}, pending = {0};
    gk_bytes component;
    gk_blob plain = {STR("plaintext"), false}, null = {{NULL, 0}, true}, empty = {STR(""), false};

    ck_ok(verify("/a", (gk_bytes){0}, sealed_for(&data, "/a")));
    ck_ok(verify("/", (gk_bytes){0}, sealed_for(&data, "/")));
    ck_ok(verify("/zookeeper/quota/a", (gk_bytes){0}, sealed_for(&data, "/zookeeper/quota/a")));
    ck_gk(verify("/a", (gk_bytes){0}, sealed_for(&data, "/b")), GK_ERR_AUTH);
    ck_gk(verify("/a", (gk_bytes){0}, sealed_for(&data, "/zookeeper/quota/a")), GK_ERR_AUTH);
    ck_gk(verify("/zookeeper/quota/a", (gk_bytes){0}, sealed_for(&data, "/a")), GK_ERR_AUTH);
    ck_gk(verify("/a", (gk_bytes){0}, plain), GK_ERR_AUTH);
    ck_gk(verify("/a", (gk_bytes){0}, null), GK_ERR_AUTH);
    ck_gk(verify("/a", (gk_bytes){0}, empty), GK_ERR_AUTH);
    ck_gk(verify("", STR("/plaintext-name"), sealed_for(&data, "/plaintext-name")), GK_ERR_AUTH);
    ck_gk(verify("", STR("/zookeeper/x"), plain), GK_ERR_AUTH);
    (void)mark(&marked, &component, STR("/a"));
    seal_pending(&pending, component, plain);
    ck_gk(verify("/a", (gk_bytes){0}, (gk_blob){gk_buf_view(&pending), false}), GK_ERR_AUTH);
    /* plain by design */
    ck_ok(verify("/zookeeper/config", (gk_bytes){0}, plain));
    ck_ok(verify("/plain/x", (gk_bytes){0}, plain));
    ck_ok(verify("/plain", (gk_bytes){0}, null));
    ck_ok(verify("/zookeeper/quota/a/zookeeper_stats", (gk_bytes){0}, (gk_blob){STR("count=1,bytes=46"), false}));
    ck_ok(verify("/zookeeper/quota/a/zookeeper_stats", (gk_bytes){0}, null));
    ck_gk(verify("/zookeeper/quota/a/zookeeper_stats", (gk_bytes){0}, plain), GK_ERR_AUTH);
    ck_gk(verify("/zookeeper/quota/a/zookeeper_stats", (gk_bytes){0}, (gk_blob){STR("count=1,other=2"), false}), GK_ERR_AUTH);
    ck_gk(verify("/zookeeper/quota/a/zookeeper_limits", (gk_bytes){0}, (gk_blob){STR("count=1"), false}), GK_ERR_AUTH);
    ck_gk(verify("/zookeeper/quota/a/zookeeper_limits", (gk_bytes){0}, null), GK_ERR_AUTH);
    /* stock refuses it by itself, and says why */
    ck_ok(verify("/a/\1", (gk_bytes){0}, plain));
    ck_ok(verify("/a//b", (gk_bytes){0}, null));
    gk_buf_free(&data);
    gk_buf_free(&marked);
    gk_buf_free(&pending);
}
END_TEST

static gk_err whole_way(void *arg)
{
    static uint8_t path[400], data[400], final[400], sealed[400];
    gk_rig r = {0};
    gk_node node;
    gk_bytes component;
    gk_writer p = gk_writer_of(path, sizeof(path)), d = gk_writer_of(data, sizeof(data));
    gk_writer f = gk_writer_of(final, sizeof(final)), s = gk_writer_of(sealed, sizeof(sealed));
    gk_err e = gk_rig_try(&r, NULL);

    (void)arg;
    if (e == GK_OK && (e = gk_sequence_mark(r.worker, &p, &node, &component, STR("/a/b/lock-"))) == GK_OK)
        e = gk_payload_seal_pending(r.worker, &d, component, (gk_blob){STR("owner"), false});
    if (e == GK_OK)
        e = gk_sequence_resolve(r.worker, &f, &s, BYTES(path, p.len), 7, (gk_blob){BYTES(data, d.len), false});
    if (e == GK_OK)
        e = gk_write_verify(r.worker, BYTES(final, f.len), (gk_blob){BYTES(sealed, s.len), false});
    gk_rig_close(&r);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(whole_way, NULL), 20);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("sequence");
    TCase *t = tcase_create("sequence");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, vectors);
    tcase_add_test(t, each_byte_counts);
    tcase_add_test(t, which_are_marked);
    tcase_add_test(t, never_plain);
    tcase_add_test(t, markers);
    tcase_add_test(t, parent_must_exist);
    tcase_add_test(t, tied_to_its_parent);
    tcase_add_test(t, too_short_output);
    tcase_add_test(t, writes_of_other_servers);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
