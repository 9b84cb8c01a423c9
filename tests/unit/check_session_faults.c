#include "../support/gk_ops.h"
#include "../support/gk_sim.h"
#include "support/gk_check.h"

/* A packet of requests with the answers and replies that belong to it: made before, so that nothing but the codec allocates while an
 * allocation fails. */
typedef struct script {
    gk_buf requests, answers, replies;
} script;

static uint8_t scratch[1 << 20];

static gk_err send_all(gk_rig *r, gk_bytes requests)
{
    while (requests.n > 0) {
        size_t n = 0;
        gk_writer w = gk_writer_of(scratch, sizeof(scratch));
        gk_err e = gk_session_requests(r->session, r->worker, &w, &n, requests);

        if (e != GK_OK)
            return e;
        if (n == 0)
            return GK_ERR_STATE;
        requests = BYTES(requests.p + n, requests.n - n);
    }
    return GK_OK;
}

/* receive_all gives all answers; what comes back must be the replies, whatever the cache could not keep. */
static gk_err receive_all(gk_rig *r, gk_bytes answers, gk_bytes replies)
{
    gk_writer w = gk_writer_of(scratch, sizeof(scratch));

    for (gk_reader a = gk_reader_of(answers.p, answers.n); a.n > 0;) {
        gk_blob body;
        const uint8_t *start = a.p;
        gk_err e = gk_jute_blob(&a, &body);

        if (e == GK_OK)
            e = gk_session_reply(r->session, r->worker, &w, BYTES(start, 4 + body.b.n));
        if (e != GK_OK)
            return e;
    }
    return gk_bytes_equal(BYTES(scratch, w.len), replies) ? GK_OK : GK_ERR_STATE;
}

static gk_err run(gk_rig *r, const script *s)
{
    uint8_t hello[64];
    gk_writer w = gk_writer_of(hello, sizeof(hello));

    gk_writer_u32(&w, 28 + 16);
    memset(hello + 4, 0, 44);
    hello[4 + 24 + 3] = 16; /* the password's length */
    gk_err e = send_all(r, BYTES(hello, 48));
    gk_writer_patch_u32(&w, 0, 20 + 16);
    memset(hello + 4, 0, 44);
    hello[4 + 8 + 7] = 5; /* a session: its password needs the key */
    hello[4 + 16 + 3] = 16;
    w = gk_writer_of(scratch, sizeof(scratch));
    if (e == GK_OK)
        e = gk_session_reply(r->session, r->worker, &w, BYTES(hello, 40));
    if (e == GK_OK)
        e = send_all(r, gk_buf_view(&s->requests));
    if (e == GK_OK)
        e = receive_all(r, gk_buf_view(&s->answers), gk_buf_view(&s->replies));
    return e;
}

static gk_err whole(void *arg)
{
    gk_rig r = {0};
    gk_err e = gk_rig_try(&r, NULL);

    if (e == GK_OK)
        e = run(&r, arg);
    gk_rig_close(&r);
    return e;
}

static void free_script(script *s)
{
    gk_buf_free(&s->requests);
    gk_buf_free(&s->answers);
    gk_buf_free(&s->replies);
}

/* All frames of frames.txt on one connection. */
START_TEST(frames)
{
    gk_vec *v = gk_vec_open("frames.txt");
    script s = {0};

    while (gk_vec_next(v)) {
        (void)gk_vec_str(v, "case");
        (void)gk_vec_opt(v, "stored");
        gk_buf_bytes(&s.requests, gk_vec_hex(v, "request"));
        gk_buf_bytes(&s.answers, gk_vec_hex(v, "answer"));
        gk_buf_bytes(&s.replies, gk_vec_hex(v, "reply"));
    }
    (void)gk_vec_close(v);
    ck_assert_uint_ge(gk_fault_each(whole, &s), 150);
    free_script(&s);
}
END_TEST

/* What two servers answer to generated requests. The xids are positive, so that the answers fit on every run. */
START_TEST(generated)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        gk_rig r = gk_rig_open(NULL);
        gk_sim *plain = gk_sim_new(NULL), *stored = gk_sim_new(r.worker);
        gk_source choices = gk_source_seed(seed);
        script s = {0};

        gk_rig_connect(&r);
        for (int i = 0; i < 60; i++) {
            gk_buf request = {0}, on_wire = {0};
            gk_reader type_at;
            int32_t type = 0;

            size_t at = gk_buf_open(&request);
            gk_ops_request(&choices, &request, true);
            gk_buf_close(&request, at);
            type_at = gk_reader_of(request.p + 8, 4);
            ck_ok(gk_jute_i32(&type_at, &type));
            bool ends = !gk_opcode_find(type) || type == GK_OP_CHECK || type == GK_OP_CLOSE_SESSION;
            bool same_xid = !ends && gk_rig_requests(&r, &on_wire, gk_buf_view(&request)) == request.n && memcmp(request.p + 4, on_wire.p + 4, 4) == 0;
            if (same_xid && on_wire.n > 0) {
                gk_buf_put(&s.requests, request.p, request.n);
                gk_sim_handle(plain, &s.replies, BYTES(request.p + 4, request.n - 4));
                gk_sim_handle(stored, &s.answers, BYTES(on_wire.p + 4, on_wire.n - 4));
            }
            gk_buf_free(&request);
            gk_buf_free(&on_wire);
        }
        ck_assert_uint_gt(s.requests.n, 500);
        ck_assert_uint_ge(gk_fault_each(whole, &s), 100);
        free_script(&s);
        gk_sim_free(plain);
        gk_sim_free(stored);
        gk_rig_close(&r);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_faults");
    TCase *t = tcase_create("session_faults");

    tcase_set_timeout(t, 300);
    tcase_add_test(t, frames);
    tcase_add_test(t, generated);
    suite_add_tcase(s, t);
    return s;
}
