#include <pthread.h>

#include "../../native/codec/gk_codec.h"
#include "../../native/codec/gk_path.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

static gk_err codec_with(const char *prefixes, const char *refused, gk_codec **out)
{
    gk_keyring *kr = NULL;
    gk_options o = gk_rig_options();

    o.plaintext_prefixes = prefixes;
    o.refuse_opcodes = refused;
    *out = NULL;
    ck_ok(gk_rig_keyring(&kr, 0));
    gk_err e = gk_codec_new(out, kr, &o);
    gk_keyring_free(kr); /* the codec has its own reference */
    ck_assert((e == GK_OK) == (*out != NULL));
    return e;
}

START_TEST(prefixes)
{
    const struct {
        const char *text;
        size_t n; /* SIZE_MAX: refused */
    } cases[] = {{NULL, 0}, {"", 0}, {"/a", 1}, {"/a,/b/c", 2}, {"/a, /b", 2}, {",/a,,", 1}, {" ", 0}, {"/zookeeperx", 1}, {"/a/zookeeper", 1},
                 {"a", SIZE_MAX}, {"/", SIZE_MAX}, {"/a/", SIZE_MAX}, {"//a", SIZE_MAX}, {"/a//b", SIZE_MAX}, {"/zookeeper", SIZE_MAX},
                 {"/zookeeper/x", SIZE_MAX}, {"/a,/zookeeper/quota", SIZE_MAX}, {"/a,b", SIZE_MAX}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gk_codec *c;

        ck_gk(codec_with(cases[i].text, NULL, &c), cases[i].n == SIZE_MAX ? GK_ERR_ARG : GK_OK);
        if (c)
            ck_assert_msg(c->n_prefixes == cases[i].n, "%s", cases[i].text);
        gk_codec_free(c);
    }
}
END_TEST

START_TEST(many_prefixes)
{
    char text[65 * 8 + 1];
    size_t n = 0;

    for (size_t i = 1; i <= 65; i++) {
        gk_codec *c;

        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s/p%zu", i > 1 ? "," : "", i);
        ck_gk(codec_with(text, NULL, &c), i <= GK_MAX_PREFIXES ? GK_OK : GK_ERR_ARG);
        if (c && i % 21 == 1) { /* the last of 64 as well as the first */
            gk_worker *w = NULL;
            gk_node node;
            char path[16];
            gk_writer none = gk_writer_of(NULL, 0);

            ck_ok(gk_worker_new(&w, c));
            (void)snprintf(path, sizeof(path), "/p%zu/x", i);
            ck_ok(gk_path_encrypt(w, &none, &node, STR(path)));
            ck_assert(node.kind == GK_KIND_PLAIN && none.len == strlen(path));
            gk_worker_free(w);
        }
        gk_codec_free(c);
    }
}
END_TEST

START_TEST(refused_opcodes)
{
    const struct {
        const char *text;
        gk_err e;
        int32_t one, other;
    } cases[] = {{NULL, GK_OK, 0, 0}, {"", GK_OK, 0, 0}, {"14", GK_OK, 14, 14}, {"14,16", GK_OK, 14, 16}, {"-11, 104", GK_OK, -11, 104},
                 {"2147483647,-2147483648", GK_OK, INT32_MAX, INT32_MIN}, {"2147483648", GK_ERR_ARG, 0, 0}, {"x", GK_ERR_ARG, 0, 0},
                 {"1x", GK_ERR_ARG, 0, 0}, {"1,x", GK_ERR_ARG, 0, 0}, {"99999999999999999999", GK_ERR_ARG, 0, 0}, {"-", GK_ERR_ARG, 0, 0}};
    char many[65 * 4 + 1];
    size_t n = 0;
    gk_codec *c;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_gk(codec_with(NULL, cases[i].text, &c), cases[i].e);
        for (int32_t type = -200; c && type < 200; type++)
            ck_assert_int_eq(gk_codec_refuses(c, type), type != 0 && (type == cases[i].one || type == cases[i].other));
        ck_assert(!c || cases[i].one == 0 || (gk_codec_refuses(c, cases[i].one) && gk_codec_refuses(c, cases[i].other)));
        gk_codec_free(c);
    }
    for (int i = 1; i <= 65; i++) {
        n += (size_t)snprintf(many + n, sizeof(many) - n, "%d,", i);
        ck_gk(codec_with(NULL, many, &c), i <= 64 ? GK_OK : GK_ERR_ARG);
        gk_codec_free(c);
    }
}
END_TEST

START_TEST(scratch)
{
    gk_rig r = gk_rig_open(NULL);

    for (size_t n = 1; n < 1 << 22; n = n * 2 + 1) {
        uint8_t *p = gk_worker_scratch(r.worker, n);

        ck_assert_ptr_nonnull(p);
        memset(p, 1, n);
        ck_assert_ptr_eq(gk_worker_scratch(r.worker, n / 2), p);
    }
    gk_rig_close(&r);
}
END_TEST

START_TEST(counters)
{
    gk_rig r = gk_rig_open(NULL);
    gk_worker *other = NULL, *third = NULL;

    ck_ok(gk_worker_new(&other, r.codec));
    ck_ok(gk_worker_new(&third, r.codec));
    for (int which = 0; which < GK_COUNTERS; which++) {
        for (int i = 0; i <= which; i++) {
            gk_worker_count(r.worker, (gk_counter)which);
            gk_worker_count(other, (gk_counter)which);
        }
        ck_assert_uint_eq(gk_codec_count(r.codec, (gk_counter)which), 2u * (unsigned)(which + 1));
    }
    gk_worker_free(other); /* from the middle of the list */
    for (int which = 0; which < GK_COUNTERS; which++)
        ck_assert_uint_eq(gk_codec_count(r.codec, (gk_counter)which), 2u * (unsigned)(which + 1));
    gk_worker_free(third);
    gk_worker_count(r.worker, GK_COUNT_REPLIES);
    ck_assert_uint_eq(gk_codec_count(r.codec, GK_COUNT_REPLIES), 2u * (GK_COUNT_REPLIES + 1) + 1);
    gk_rig_close(&r);
    gk_codec_free(NULL);
    gk_worker_free(NULL);
    gk_session_free(NULL);
}
END_TEST

/* Workers of one codec, each in a thread of its own, share the caches and the keyring. */
static void *work(void *arg)
{
    gk_codec *c = arg;
    gk_worker *w = NULL;
    uint8_t stored[400], plain[400];

    if (gk_worker_new(&w, c) != GK_OK)
        return arg;
    for (int i = 0; i < 3000; i++) {
        char path[60];
        gk_node node;
        gk_writer s = gk_writer_of(stored, sizeof(stored)), p = gk_writer_of(plain, sizeof(plain));
        int n = snprintf(path, sizeof(path), "/thread/%d/and/more/%d", i % 50, i % 7);

        if (gk_path_encrypt(w, &s, &node, BYTES(path, (size_t)n)) != GK_OK || gk_path_decrypt(w, &p, &node, BYTES(stored, s.len)) != GK_OK ||
            p.len != (size_t)n || memcmp(plain, path, p.len) != 0)
            return arg;
        gk_worker_count(w, GK_COUNT_REQUESTS);
    }
    gk_worker_free(w);
    return NULL;
}

START_TEST(threads)
{
    gk_rig r = gk_rig_open(NULL);
    pthread_t t[4];

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, work, r.codec), 0);
    for (int i = 0; i < 100; i++)
        (void)gk_codec_count(r.codec, GK_COUNT_REQUESTS);
    for (size_t i = 0; i < 4; i++) {
        void *wrong = &r;

        ck_assert_int_eq(pthread_join(t[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_eq(gk_codec_count(r.codec, GK_COUNT_REQUESTS), 4 * 3000);
    gk_rig_close(&r);
}
END_TEST

static gk_err make(void *arg)
{
    gk_rig r = {0};
    gk_options o = gk_rig_options();

    (void)arg;
    o.plaintext_prefixes = "/a,/b";
    o.refuse_opcodes = "14";
    gk_err e = gk_rig_try(&r, &o);
    if (e == GK_OK && !gk_worker_scratch(r.worker, 10000))
        e = GK_ERR_NOMEM;
    gk_rig_close(&r);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(make, NULL), 140);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("codec");
    TCase *t = tcase_create("codec");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, prefixes);
    tcase_add_test(t, many_prefixes);
    tcase_add_test(t, refused_opcodes);
    tcase_add_test(t, scratch);
    tcase_add_test(t, counters);
    tcase_add_test(t, threads);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
