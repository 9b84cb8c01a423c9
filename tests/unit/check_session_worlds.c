#include "../support/gk_ops.h"
#include "../support/gk_sim.h"
#include "support/gk_check.h"

/* Two servers: one gets a client's requests as they are, the other through the codec. The client must not see a difference. */

typedef struct worlds {
    gk_rig rig;
    gk_sim *plain, *stored;
    gk_buf request, on_wire, answers, seen, want;
    size_t handled, refused;
} worlds;

static worlds open_worlds(const gk_options *o)
{
    worlds w = {.rig = gk_rig_open(o)};

    gk_rig_connect(&w.rig);
    w.plain = gk_sim_new(NULL);
    w.stored = gk_sim_new(w.rig.worker);
    return w;
}

static void close_worlds(worlds *w)
{
    gk_sim_free(w->plain);
    gk_sim_free(w->stored);
    gk_rig_close(&w->rig);
    gk_buf *all[] = {&w->request, &w->on_wire, &w->answers, &w->seen, &w->want};
    for (size_t i = 0; i < 5; i++)
        gk_buf_free(all[i]);
}

/* to_server gives each frame of w->on_wire to the server behind the codec; false when it can't be read, so that stock closes. */
static bool to_server(worlds *w)
{
    gk_reader r = gk_reader_of(w->on_wire.p, w->on_wire.n);

    while (r.n > 0 && !gk_sim_closed(w->stored)) {
        gk_blob body;

        if (gk_jute_blob(&r, &body) != GK_OK || body.null)
            return false;
        gk_sim_handle(w->stored, &w->answers, body.b);
    }
    return true;
}

static void to_client(worlds *w)
{
    for (gk_reader r = gk_reader_of(w->answers.p, w->answers.n); r.n > 0;) {
        const uint8_t *start = r.p;
        gk_blob body;

        ck_ok(gk_jute_blob(&r, &body));
        ck_ok(gk_rig_reply(&w->rig, &w->seen, BYTES(start, 4 + body.b.n)));
    }
}

static void show(const char *what, gk_bytes b)
{
    printf("%s: ", what);
    for (size_t i = 0; i < b.n; i++)
        printf(b.p[i] >= 32 && b.p[i] < 127 && b.p[i] != '\\' ? "%c" : "\\%02x", b.p[i]);
    printf("\n");
    (void)fflush(stdout); /* the test may end here */
}

/* show_difference prints the requests and the first frame that differs. */
static void show_difference(const worlds *w)
{
    gk_reader a = gk_reader_of(w->seen.p, w->seen.n), b = gk_reader_of(w->want.p, w->want.n);
    gk_blob x = {{NULL, 0}, true}, y = x;

    for (gk_reader r = gk_reader_of(w->request.p, w->request.n); r.n > 0 && gk_jute_blob(&r, &x) == GK_OK;)
        show("request", x.b);
    x.b.n = 0;
    while (gk_jute_blob(&a, &x) == GK_OK && gk_jute_blob(&b, &y) == GK_OK && gk_bytes_equal(x.b, y.b))
        x.b.n = y.b.n = 0;
    show("seen", x.b);
    show("want", y.b);
}

/* step sends requests of w->request, all in one packet, to both servers and compares what comes back. */
static bool step(worlds *w, bool secrets)
{
    gk_buf_clear(&w->on_wire);
    gk_buf_clear(&w->answers);
    gk_buf_clear(&w->seen);
    gk_buf_clear(&w->want);
    ck_assert_uint_eq(gk_rig_requests(&w->rig, &w->on_wire, gk_buf_view(&w->request)), w->request.n);
    if (secrets && gk_rig_contains(gk_buf_view(&w->on_wire), STR(GK_OPS_SECRET)))
        show("on the wire", gk_buf_view(&w->on_wire));
    if (secrets)
        ck_assert(!gk_rig_contains(gk_buf_view(&w->on_wire), STR(GK_OPS_SECRET)));
    bool readable = to_server(w);
    to_client(w);
    for (gk_reader r = gk_reader_of(w->request.p, w->request.n); r.n > 0 && !gk_sim_closed(w->plain);) {
        gk_blob body;

        ck_ok(gk_jute_blob(&r, &body));
        gk_sim_handle(w->plain, &w->want, body.b);
        w->handled++;
    }
    ck_assert(readable);
    ck_assert(gk_sim_closed(w->plain) == gk_sim_closed(w->stored) && gk_sim_nodes(w->plain) == gk_sim_nodes(w->stored));
    if (gk_bytes_equal(gk_buf_view(&w->seen), gk_buf_view(&w->want)))
        return true;
    show_difference(w);
    return false;
}

/* play runs a connection of n packets, and a new one whenever the server closes. */
static void play(const gk_options *o, uint64_t seed, int packets, bool broken, bool secrets)
{
    worlds w = open_worlds(o);
    gk_source s = gk_source_seed(seed);

    for (int i = 0; i < packets; i++) {
        gk_buf_clear(&w.request);
        for (uint32_t n = gk_pick(&s, 4); n < 4; n++) {
            size_t at = gk_buf_open(&w.request);
            gk_ops_request(&s, &w.request, broken);
            gk_buf_close(&w.request, at);
        }
        ck_assert_msg(step(&w, secrets), "seed %llu, packet %d", (unsigned long long)seed, i);
        if (gk_sim_closed(w.plain)) {
            gk_sim_reopen(w.plain);
            gk_sim_reopen(w.stored);
            gk_rig_reconnect(&w.rig);
        }
    }
    ck_assert_uint_gt(w.handled, (size_t)packets);
    close_worlds(&w);
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

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_worlds");
    TCase *t = tcase_create("session_worlds");

    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, no_difference, 0, 4);
    tcase_add_loop_test(t, no_difference_when_broken, 0, 4);
    tcase_add_loop_test(t, no_difference_with_options, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
