#include "../../native/codec/gk_name.h"
#include "../../native/codec/gk_path.h"
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

static gk_node encrypt(gk_rig *r, gk_buf *out, gk_bytes path)
{
    gk_node node, again;
    gk_writer none = gk_writer_of(NULL, 0);

    gk_buf_clear(out);
    ck_ok(gk_path_encrypt(r->worker, &none, &again, path));
    gk_writer w = gk_writer_of(gk_buf_room(out, none.len), none.len);
    ck_ok(gk_path_encrypt(r->worker, &w, &node, path));
    ck_ok(w.err);
    ck_assert_uint_eq(w.len, none.len);
    ck_assert(node.kind == again.kind && memcmp(node.tag, again.tag, 16) == 0 && memcmp(node.child_tag, again.child_tag, 16) == 0);
    return node;
}

static gk_err decrypt(gk_rig *r, gk_buf *out, gk_node *node, gk_bytes stored)
{
    gk_buf_clear(out);
    gk_writer w = gk_writer_of(gk_buf_room(out, stored.n), stored.n); /* a path is never longer than its stored form */
    gk_err e = gk_path_decrypt(r->worker, &w, node, stored);

    out->n = e == GK_OK ? w.len : 0;
    ck_ok(e == GK_OK ? w.err : GK_OK);
    return e;
}

static const char *kind_name(const gk_node *n)
{
    static const char *const names[] = {"normal", "root", "system", "quota-root", "config", "limits", "stats", "plain", "bad"};

    return names[n->kind];
}

static void same_node(const gk_node *a, const gk_node *b, const char *where)
{
    ck_assert_msg(a->kind == b->kind, "%s: %s, not %s", where, kind_name(a), kind_name(b));
    ck_assert_msg(memcmp(a->tag, b->tag, 16) == 0 && memcmp(a->child_tag, b->child_tag, 16) == 0 && a->quota == b->quota &&
                      a->depth == b->depth && a->prefixes == b->prefixes,
                  "%s", where);
}

/* compare tests one vector three times: the first time fills the cache, if there is one. */
static void compare(gk_rig *r, gk_vec *v, gk_bytes path, gk_bytes stored, gk_bytes server, const char *kind, const gk_node *want)
{
    gk_buf out = {0};

    for (int pass = 0; pass < 3; pass++) {
        gk_node back;
        gk_node node = encrypt(r, &out, path);

        ck_assert_msg(gk_bytes_equal(gk_buf_view(&out), stored), "%s: stored as %.*s", gk_vec_name(v), (int)out.n, (char *)out.p);
        ck_assert_msg(strcmp(kind_name(&node), kind) == 0, "%s: is %s", gk_vec_name(v), kind_name(&node));
        if (want) {
            ck_assert_msg(memcmp(node.tag, want->tag, 16) == 0 && memcmp(node.child_tag, want->child_tag, 16) == 0 &&
                              node.quota == want->quota && node.depth == want->depth,
                          "%s", gk_vec_name(v));
        }
        ck_assert_msg(decrypt(r, &out, &back, stored) == GK_OK, "%s: doesn't decrypt", gk_vec_name(v));
        ck_assert_msg(gk_bytes_equal(gk_buf_view(&out), server), "%s: decrypts to %.*s", gk_vec_name(v), (int)out.n, (char *)out.p);
        same_node(&back, &node, gk_vec_name(v));
    }
    gk_buf_free(&out);
}

static void vectors_with(size_t cache)
{
    gk_options o = gk_rig_options();
    gk_vec *v = gk_vec_open("names.txt");
    char before[200] = "";

    o.path_cache_bytes = cache;
    gk_rig r = gk_rig_open(&o);
    while (gk_vec_next(v)) {
        const char *prefixes = gk_vec_opt(v, "prefixes");
        gk_bytes path = gk_vec_hex(v, "path");
        gk_bytes stored = gk_vec_hex(v, "stored");
        gk_bytes server = gk_vec_hex(v, "server");
        const char *kind = gk_vec_str(v, "kind");
        gk_node want = {0};

        if (prefixes && strcmp(prefixes, before) != 0) {
            (void)snprintf(before, sizeof(before), "%s", prefixes);
            o.plaintext_prefixes = before;
            gk_rig_close(&r);
            r = gk_rig_open(&o);
        }
        if (strcmp(kind, "bad") != 0) {
            memcpy(want.tag, gk_vec_hex(v, "tag").p, 16);
            memcpy(want.child_tag, gk_vec_hex(v, "child tag").p, 16);
            want.quota = gk_vec_u64(v, "quota") == 1;
            want.depth = (uint16_t)gk_vec_u64(v, "depth");
        }
        compare(&r, v, path, stored, server, kind, strcmp(kind, "bad") != 0 ? &want : NULL);
    }
    ck_assert_uint_gt(gk_vec_close(v), 90);
    gk_rig_close(&r);
}

START_TEST(vectors)
{
    vectors_with(0);
    vectors_with(1 << 20);
    vectors_with(256 << 10); /* room for the shortest alone */
}
END_TEST

/* A flipped bit, a byte more or less: either another node's stored path (an ancestor), or nothing. */
START_TEST(each_byte_counts)
{
    const char *paths[] = {"/some/names/here", "/zookeeper/quota/a/zookeeper_limits", "/zookeeper/config", "/a/\1b", "/a//b", "relative/path", "/x\1"};
    gk_buf stored = {0}, plain = {0};
    gk_node node;

    for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
        (void)encrypt(&rig, &stored, STR(paths[k]));
        for (size_t i = 0; i < stored.n; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                stored.p[i] ^= (uint8_t)(1u << bit);
                ck_assert_msg(decrypt(&rig, &plain, &node, gk_buf_view(&stored)) == GK_ERR_AUTH, "%s: byte %zu, bit %u", paths[k], i, bit);
                stored.p[i] ^= (uint8_t)(1u << bit);
            }
        }
        for (size_t n = 0; n < stored.n; n++) {
            gk_err e = decrypt(&rig, &plain, &node, BYTES(stored.p, n));

            if (e == GK_OK)
                ck_assert_msg(memcmp(plain.p, paths[k], plain.n) == 0 && (n == 0 || stored.p[n] == '/' || stored.p[n - 1] == '/'), "%s: cut to %zu",
                              paths[k], n);
            else
                ck_gk(e, GK_ERR_AUTH);
        }
        for (int c = 0; c < 256; c++) { /* "/" gives the path of a child without name, NUL behind a bad component that of one with a NUL */
            gk_buf_put(&stored, &(uint8_t){(uint8_t)c}, 1);
            ck_assert_msg(decrypt(&rig, &plain, &node, gk_buf_view(&stored)) == GK_ERR_AUTH || ((c == '/' || c == 0) && node.kind == GK_KIND_BAD), "%s and %d",
                          paths[k], c);
            stored.n--;
        }
    }
    gk_buf_free(&stored);
    gk_buf_free(&plain);
}
END_TEST

/* last_token gives the last component of a path's stored form. */
static gk_bytes last_token(gk_buf *stored, const char *path)
{
    gk_bytes parent, last;

    (void)encrypt(&rig, stored, STR(path));
    ck_assert(gk_path_parent(gk_buf_view(stored), &parent, &last));
    return last;
}

/* fails_as_child: no child of the node at path is called so. */
static void fails_as_child(const char *path, gk_bytes token)
{
    gk_buf stored = {0};
    uint8_t out[400];
    gk_node child, node = encrypt(&rig, &stored, STR(path));

    for (int pass = 0; pass < 2; pass++) { /* what is in the cache doesn't help */
        gk_writer w = gk_writer_of(out, sizeof(out));

        ck_assert_msg(gk_child_decrypt(rig.worker, &w, &child, &node, token) == GK_ERR_AUTH, "%.*s below %s is %.*s", (int)token.n, (char *)token.p, path,
                      (int)w.len, (char *)out);
        w = gk_writer_of(out, sizeof(out));
        ck_gk(gk_child_decrypt(rig.worker, &w, NULL, &node, token), GK_ERR_AUTH);
    }
    gk_buf_free(&stored);
}

START_TEST(tokens_stay_in_their_place)
{
    gk_buf stored = {0};

    fails_as_child("/b", last_token(&stored, "/a/x"));
    fails_as_child("/", last_token(&stored, "/a/x"));
    fails_as_child("/a", last_token(&stored, "/x"));
    fails_as_child("/zookeeper", last_token(&stored, "/x"));
    fails_as_child("/", STR(""));
    fails_as_child("/", STR("x"));
    fails_as_child("/", STR("AAAAAAAAAAAAAAAAAAAAAA"));
    fails_as_child("/", STR("AAAAAAAAAAAAAAAAAAAAAAAA"));
    fails_as_child("/zookeeper", STR("zookeeper"));
    fails_as_child("/", STR("zookeeper_limits"));
    /* the children of /zookeeper/quota have the names that the tree's have; but plain names are plain, here and there */
    fails_as_child("/", last_token(&stored, "/zookeeper/quota/zookeeper"));
    fails_as_child("/zookeeper/quota", last_token(&stored, "/zookeeper_limits"));
    fails_as_child("/zookeeper/quota", last_token(&stored, "/zookeeper_stats"));
    fails_as_child("/zookeeper/quota/a", last_token(&stored, "/a/zookeeper_stats"));
    gk_buf_free(&stored);
}
END_TEST

/* What stands for a component that no node can have is nobody's name. */
START_TEST(no_child_is_bad)
{
    gk_buf stored = {0}, bad = {0};

    fails_as_child("/", STR("\2"));
    fails_as_child("/a", BYTES("\2\0", 2));
    fails_as_child("/a", last_token(&stored, "/a/\1"));
    fails_as_child("/a", last_token(&stored, "/a/.."));
    const char *marked[] = {"/a/\1", "/a/.", "/a/..", "/a/x\xff", "/a/\xef\xbf\xbf"};
    for (size_t i = 0; i < 5; i++) { /* its mark can't be taken away */
        gk_bytes token = last_token(&stored, marked[i]);
        fails_as_child("/a", BYTES(token.p + 1, token.n - 1));
    }
    gk_buf_put(&bad, "\2", 1);
    gk_bytes token = last_token(&stored, "/a/name");
    gk_buf_put(&bad, token.p, token.n);
    fails_as_child("/a", gk_buf_view(&bad)); /* an existing node's name a second time */
    gk_buf_free(&stored);
    gk_buf_free(&bad);
}
END_TEST

START_TEST(too_short_output)
{
    const char *paths[] = {"/", "/a", "/some/names/here", "/zookeeper/config/x", "/a//\1", "rel/x"};
    uint8_t out[400];
    gk_buf stored = {0}, plain = {0};

    for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
        gk_node want = encrypt(&rig, &stored, STR(paths[k]));

        for (size_t cap = 0; cap < stored.n; cap++) {
            gk_node node;
            gk_writer w = gk_writer_of(out, cap);

            out[cap] = 0xee;
            ck_ok(gk_path_encrypt(rig.worker, &w, &node, STR(paths[k])));
            ck_assert(w.err == GK_ERR_SPACE && w.len == stored.n && out[cap] == 0xee);
            same_node(&node, &want, paths[k]);
            w = gk_writer_of(out, cap);
            out[cap] = 0xee;
            ck_ok(gk_path_decrypt(rig.worker, &w, &node, gk_buf_view(&stored)));
            ck_assert((w.err == GK_ERR_SPACE) == (cap < strlen(paths[k])) && w.len == strlen(paths[k]));
            ck_assert(out[cap] == 0xee || cap >= w.len);
            same_node(&node, &want, paths[k]);
        }
    }
    gk_buf_free(&stored);
    gk_buf_free(&plain);
}
END_TEST

/* Any path comes back as a server would have sent it; no component of 8 bytes or more is left to be seen; what is in the cache is no help. */
START_TEST(round_trips)
{
    const char *parts[] = {"a", "longer-component", "x\1", ".", "..", "", "zookeeper", "quota", "config", "zookeeper_limits", "\xff\xfe longer", "na\xc3\xafve-longer"};
    gk_options o = gk_rig_options();
    gk_buf path = {0}, stored = {0}, plain = {0}, other = {0};
    uint64_t seed = 1;

    o.path_cache_bytes = 0;
    gk_rig r = gk_rig_open(&o);
    for (int i = 0; i < 20000; i++) {
        gk_node a, b;
        uint8_t normal[2000];
        gk_writer n = gk_writer_of(normal, sizeof(normal));

        gk_buf_clear(&path);
        for (int depth = 0; depth < 6; depth++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            const char *part = parts[(seed >> 33) % 12];
            if (depth > 0 || (seed >> 60) != 0)
                gk_buf_put(&path, "/", 1);
            gk_buf_put(&path, part, strlen(part));
            if ((seed >> 50) % 3 == 0)
                break;
        }
        a = encrypt(&rig, &stored, gk_buf_view(&path));
        b = encrypt(&r, &other, gk_buf_view(&path));
        ck_assert(gk_bytes_equal(gk_buf_view(&stored), gk_buf_view(&other)));
        same_node(&a, &b, "cache");
        ck_assert(!gk_rig_contains(gk_buf_view(&stored), STR("longer")));
        ck_ok(decrypt(&rig, &plain, &b, gk_buf_view(&stored)));
        same_node(&a, &b, "decrypted");
        gk_name_normalize(&n, gk_buf_view(&path));
        ck_assert(gk_bytes_equal(gk_buf_view(&plain), BYTES(normal, n.len)));
    }
    gk_rig_close(&r);
    gk_buf_free(&path);
    gk_buf_free(&stored);
    gk_buf_free(&plain);
    gk_buf_free(&other);
}
END_TEST

START_TEST(long_ones)
{
    gk_buf path = {0}, stored = {0}, plain = {0};
    gk_node node;

    for (size_t n = 100; n < 200000; n = n * 3 + 1) { /* one long name, then many short ones */
        gk_buf_clear(&path);
        gk_buf_put(&path, "/", 1);
        memset(gk_buf_room(&path, n), 'n', n);
        for (int half = 0; half < 2; half++) {
            (void)encrypt(&rig, &stored, gk_buf_view(&path));
            ck_ok(decrypt(&rig, &plain, &node, gk_buf_view(&stored)));
            ck_assert(gk_bytes_equal(gk_buf_view(&plain), gk_buf_view(&path)));
            for (size_t i = 0; i < path.n; i += 2)
                path.p[i] = '/';
        }
    }
    gk_buf_free(&path);
    gk_buf_free(&stored);
    gk_buf_free(&plain);
}
END_TEST

START_TEST(parents)
{
    const struct {
        const char *path, *parent, *last;
    } cases[] = {{"/a/b", "/a", "b"}, {"/a", "/", "a"}, {"/", "/", ""}, {"//", "/", ""}, {"//a", "/", "a"}, {"/a/", "/a", ""}, {"a/b", "a", "b"}, {"a", NULL, NULL}, {"", NULL, NULL}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gk_bytes parent, last;

        ck_assert(gk_path_parent(STR(cases[i].path), &parent, &last) == (cases[i].parent != NULL));
        if (cases[i].parent)
            ck_assert_msg(gk_bytes_equal(parent, STR(cases[i].parent)) && gk_bytes_equal(last, STR(cases[i].last)), "%s", cases[i].path);
    }
}
END_TEST

static gk_err there_and_back(void *arg)
{
    static uint8_t stored[400], plain[400];
    const char *paths[] = {"/some/names/here", "/zookeeper/quota/a", "/a/\1b", "/some/names/there"};
    gk_rig r = {0};
    gk_err e = gk_rig_try(&r, NULL);

    (void)arg;
    for (size_t i = 0; i < 4 && e == GK_OK; i++) {
        gk_node node;
        gk_writer s = gk_writer_of(stored, sizeof(stored));
        gk_writer p = gk_writer_of(plain, sizeof(plain));

        e = gk_path_encrypt(r.worker, &s, &node, STR(paths[i]));
        if (e == GK_OK)
            e = gk_path_decrypt(r.worker, &p, &node, BYTES(stored, s.len));
        if (e == GK_OK && !gk_bytes_equal(BYTES(plain, p.len), STR(paths[i])))
            e = GK_ERR_STATE;
    }
    gk_rig_close(&r);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(there_and_back, NULL), 20);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("path");
    TCase *t = tcase_create("path");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, vectors);
    tcase_add_test(t, each_byte_counts);
    tcase_add_test(t, tokens_stay_in_their_place);
    tcase_add_test(t, no_child_is_bad);
    tcase_add_test(t, too_short_output);
    tcase_add_test(t, round_trips);
    tcase_add_test(t, long_ones);
    tcase_add_test(t, parents);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
