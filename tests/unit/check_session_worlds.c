#include "../support/gk_back.h"
#include "../support/gk_worlds.h"
#include "support/gk_check.h"

/* play runs connections of n packets in all, made by a seeded generator. */
static void play(const gk_options *o, uint64_t seed, int packets, bool broken, bool secrets)
{
    gk_worlds w = gk_worlds_open(o);
    gk_source s = gk_source_seed(seed);

    for (int i = 0; i < packets; i++) {
        gk_worlds_fill(&w, &s, broken);
        ck_assert_msg(gk_worlds_step(&w, secrets), "seed %llu, packet %d", (unsigned long long)seed, i);
    }
    ck_assert_uint_gt(w.handled, (size_t)packets);
    gk_worlds_close(&w);
}

START_TEST(no_difference)
{
    for (uint64_t seed = (uint64_t)_i * 40; seed < (uint64_t)_i * 40 + 40; seed++)
        play(NULL, seed, 60, false, true);
}
END_TEST

/* With requests that are cut or wrong somewhere; a wrong byte may show what is secret in a place that passes as it is. */
START_TEST(no_difference_when_broken)
{
    for (uint64_t seed = 1000 + (uint64_t)_i * 40; seed < 1000 + (uint64_t)_i * 40 + 40; seed++)
        play(NULL, seed, 60, true, false);
}
END_TEST

START_TEST(no_difference_with_options)
{
    gk_options o = gk_rig_options();

    o.plaintext_prefixes = "/plain,/a/plain/plain,/secret-one/b";
    o.path_cache_bytes = _i % 2 ? 0 : 256 << 10;
    for (uint64_t seed = 2000 + (uint64_t)_i * 40; seed < 2000 + (uint64_t)_i * 40 + 40; seed++)
        play(&o, seed, 60, true, false);
}
END_TEST

/* Each generated request, decrypted again, is what the client said. */
START_TEST(decrypts_back)
{
    gk_options o = gk_rig_options();
    gk_source s = gk_source_seed((uint64_t)_i);
    gk_buf request = {0}, on_wire = {0};

    o.plaintext_prefixes = _i % 2 ? "/plain,/a/plain/plain,/secret-one/b" : NULL;
    o.refuse_opcodes = "104";
    gk_rig r = gk_rig_open(&o);
    gk_rig_connect(&r);
    for (int i = 0; i < 5000; i++) {
        gk_buf_clear(&request);
        gk_buf_clear(&on_wire);
        size_t at = gk_buf_open(&request);
        gk_ops_request(&s, &request, true);
        gk_buf_close(&request, at);
        ck_assert_uint_eq(gk_rig_requests(&r, &on_wire, gk_buf_view(&request)), request.n);
        ck_assert_msg(gk_back_same(&r, BYTES(request.p + 4, request.n - 4), BYTES(on_wire.p + 4, on_wire.n - 4)), "seed %d, request %d", _i, i);
    }
    gk_rig_close(&r);
    gk_buf_free(&request);
    gk_buf_free(&on_wire);
}
END_TEST

#define STATISTICS "/zookeeper/quota/zookeeper_stats"

/* ask_write makes the request: a setData, or a create with flags, alone or as a multi's only part. */
static void ask_write(gk_buf *b, int32_t type, int32_t flags, bool multi)
{
    gk_buf_clear(b);
    size_t at = gk_buf_open(b);
    gk_buf_i32(b, 1);
    if (multi)
        gk_buf_i32(b, GK_OP_MULTI);
    gk_buf_i32(b, type);
    if (multi)
        gk_buf_put(b, "\0\377\377\377\377", 5);
    gk_buf_str(b, STATISTICS);
    gk_buf_str(b, "count=5,bytes=77");
    if (type != GK_OP_SET_DATA)
        gk_buf_acl(b);
    gk_buf_i32(b, flags);
    if (type == GK_OP_CREATE_TTL)
        gk_buf_i64(b, 1000);
    if (multi)
        gk_buf_put(b, "\377\377\377\377\1\377\377\377\377", 9);
    gk_buf_close(b, at);
}

/* The Stats of writes to a zookeeper_stats node show the text's length; the stored text has a digit more. */
START_TEST(lengths_of_statistics)
{
    static const struct { int32_t type, flags; } creates[] = {
        {GK_OP_CREATE2, 0}, {GK_OP_CREATE2, 2}, {GK_OP_CREATE_CONTAINER, 4}, {GK_OP_CREATE_TTL, 5}};

    for (size_t i = 0; i < 2 * sizeof(creates) / sizeof(creates[0]); i++) {
        gk_worlds w = gk_worlds_open(NULL);
        bool multi = i % 2;

        ask_write(&w.request, creates[i / 2].type, creates[i / 2].flags, multi);
        ck_assert_msg(gk_worlds_step(&w, true), "create %zu", i);
        ck_assert(gk_rig_contains(gk_buf_view(&w.seen), STR(STATISTICS)) || creates[i / 2].flags == 2);
        ask_write(&w.request, GK_OP_SET_DATA, -1, multi);
        ck_assert_msg(gk_worlds_step(&w, true), "setData %zu", i);
        gk_worlds_close(&w);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_worlds");
    TCase *t = tcase_create("session_worlds");

    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, no_difference, 0, 4);
    tcase_add_loop_test(t, no_difference_when_broken, 0, 4);
    tcase_add_loop_test(t, no_difference_with_options, 0, 4);
    tcase_add_loop_test(t, decrypts_back, 0, 4);
    tcase_add_test(t, lengths_of_statistics);
    suite_add_tcase(s, t);
    return s;
}
