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
    o.path_cache_bytes = _i % 2 ? 0 : 30000;
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

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_worlds");
    TCase *t = tcase_create("session_worlds");

    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, no_difference, 0, 4);
    tcase_add_loop_test(t, no_difference_when_broken, 0, 4);
    tcase_add_loop_test(t, no_difference_with_options, 0, 4);
    tcase_add_loop_test(t, decrypts_back, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
