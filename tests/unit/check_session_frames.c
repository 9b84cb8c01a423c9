#include "../support/gk_rig.h"
#include "support/gk_check.h"

static gk_rig rig;

static void up(void)
{
    rig = gk_rig_open(NULL);
    gk_rig_connect(&rig);
}

static void down(void)
{
    gk_rig_close(&rig);
}

static gk_bytes framed(gk_buf *b, gk_bytes body)
{
    gk_buf_clear(b);
    gk_buf_bytes(b, body);
    return gk_buf_view(b);
}

/* body_is: out is one frame with this body. */
static bool body_is(const gk_buf *out, gk_bytes body)
{
    gk_buf want = {0};
    bool same = gk_bytes_equal(gk_buf_view(out), framed(&want, body));

    gk_buf_free(&want);
    return same;
}

static void dump(const char *what, const gk_buf *b)
{
    printf("%s: ", what);
    for (size_t i = 0; i < b->n; i++)
        printf("%02x", b->p[i]);
    printf("\n");
}

/* Each vector on a fresh connection, and once more on one that has seen all others. */
START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("frames.txt");
    gk_rig old = gk_rig_open(NULL);
    gk_buf in = {0}, out = {0};

    gk_rig_connect(&old);
    while (gk_vec_next(v)) {
        const char *title = gk_vec_str(v, "case");
        gk_bytes request = gk_vec_hex(v, "request");
        const char *has_stored = gk_vec_opt(v, "stored");
        gk_bytes answer = gk_vec_hex(v, "answer");
        gk_bytes reply = gk_vec_hex(v, "reply");
        uint8_t want[2000];

        if (has_stored)
            gk_hex(want, strlen(has_stored) / 2, has_stored);
        gk_rig_reconnect(&rig);
        for (int i = 0; i < 2; i++) {
            gk_rig *r = i == 0 ? &rig : &old;

            gk_buf_clear(&out);
            ck_assert_uint_eq(gk_rig_requests(r, &out, framed(&in, request)), in.n);
            if (has_stored && !body_is(&out, BYTES(want, strlen(has_stored) / 2)))
                dump("got", &out);
            ck_assert_msg(!has_stored || body_is(&out, BYTES(want, strlen(has_stored) / 2)), "%s: %s: what goes on", gk_vec_name(v), title);
            gk_buf_clear(&out);
            ck_assert_uint_eq(gk_session_pending(r->session), 1);
            ck_ok(gk_rig_reply(r, &out, framed(&in, answer)));
            if (!body_is(&out, reply))
                dump("got", &out);
            ck_assert_msg(body_is(&out, reply), "%s: %s: what comes back", gk_vec_name(v), title);
            ck_assert_uint_eq(gk_session_pending(r->session), 0);
        }
    }
    ck_assert_uint_gt(gk_vec_close(v), 160);
    gk_rig_close(&old);
    gk_buf_free(&in);
    gk_buf_free(&out);
}
END_TEST

/* All requests first, then all replies: the queue of what was asked tells them apart. Their xids are the same, as a careless client's are. */
START_TEST(pipelined)
{
    gk_vec *v = gk_vec_open("frames.txt");
    gk_buf requests = {0}, answers = {0}, replies = {0}, out = {0};
    size_t n = 0;

    while (gk_vec_next(v)) {
        gk_buf_bytes(&requests, gk_vec_hex(v, "request"));
        gk_buf_bytes(&answers, gk_vec_hex(v, "answer"));
        gk_buf_bytes(&replies, gk_vec_hex(v, "reply"));
        (void)(gk_vec_opt(v, "stored") && gk_vec_opt(v, "case"));
        (void)gk_vec_opt(v, "case");
    }
    n = gk_vec_close(v);
    ck_assert_uint_eq(gk_rig_requests(&rig, &out, gk_buf_view(&requests)), requests.n);
    ck_assert_uint_eq(gk_session_pending(rig.session), n);
    gk_buf_clear(&out);
    for (gk_reader r = gk_reader_of(answers.p, answers.n); r.n > 0;) {
        gk_blob body;
        const uint8_t *start = r.p;

        ck_ok(gk_jute_blob(&r, &body));
        ck_ok(gk_rig_reply(&rig, &out, BYTES(start, 4 + body.b.n)));
    }
    ck_assert(gk_bytes_equal(gk_buf_view(&out), gk_buf_view(&replies)));
    ck_assert_uint_eq(gk_session_pending(rig.session), 0);
    gk_buf_free(&requests);
    gk_buf_free(&answers);
    gk_buf_free(&replies);
    gk_buf_free(&out);
}
END_TEST

/* An answer that ends too early never passes for a whole one: the client gets the whole reply, DATAINCONSISTENCY, or a closed connection. */
START_TEST(cut_answers)
{
    gk_vec *v = gk_vec_open("frames.txt");
    gk_buf in = {0}, out = {0}, whole = {0};

    while (gk_vec_next(v)) {
        const char *title = gk_vec_str(v, "case");
        gk_bytes request = gk_vec_hex(v, "request");
        gk_bytes answer = gk_vec_hex(v, "answer");
        gk_bytes reply = gk_vec_hex(v, "reply");

        (void)gk_vec_opt(v, "stored");
        for (size_t n = 0; n < answer.n; n++) {
            gk_rig_reconnect(&rig);
            gk_buf_clear(&out);
            ck_assert_uint_eq(gk_rig_requests(&rig, &out, framed(&in, request)), in.n);
            gk_buf_clear(&out);
            gk_err e = gk_rig_reply(&rig, &out, framed(&in, BYTES(answer.p, n)));
            if (n < GK_REPLY_HEADER_SIZE) {
                ck_assert_msg(e == GK_ERR_TRUNCATED, "%s: %s cut to %zu: %d", gk_vec_name(v), title, n, e);
                ck_assert_uint_eq(out.n, 0);
                continue;
            }
            ck_assert_msg(e == GK_OK && out.n >= 4 + GK_REPLY_HEADER_SIZE, "%s: %s cut to %zu: %d", gk_vec_name(v), title, n, e);
            gk_buf_clear(&whole);
            gk_buf_put(&whole, out.p + 4 + 12, 4);
            if (strcmp(title, "whoAmI") == 0) /* passed on as it is */
                continue;
            bool inconsistent = gk_bytes_equal(gk_buf_view(&whole), STR("\377\377\377\375")) && out.n == 20;
            bool header_alone = n == GK_REPLY_HEADER_SIZE && out.n == 20;
            ck_assert_msg(inconsistent || header_alone || body_is(&out, reply), "%s: %s cut to %zu", gk_vec_name(v), title, n);
        }
    }
    (void)gk_vec_close(v);
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&whole);
}
END_TEST

/* With groupkeeper.undecryptable-child=fail a stranger among the children fails the whole list. */
START_TEST(strangers_may_fail)
{
    gk_vec *v = gk_vec_open("frames.txt");
    gk_options o = gk_rig_options();
    gk_buf in = {0}, out = {0};
    size_t found = 0;

    o.undecryptable_fails = true;
    gk_rig strict = gk_rig_open(&o);
    gk_rig_connect(&strict);
    while (gk_vec_next(v)) {
        bool stranger = strstr(gk_vec_str(v, "case"), "is nobody's") != NULL;
        gk_bytes request = gk_vec_hex(v, "request");
        gk_bytes answer = gk_vec_hex(v, "answer");
        gk_bytes reply = gk_vec_hex(v, "reply");

        (void)gk_vec_opt(v, "stored");
        gk_buf_clear(&out);
        ck_assert_uint_eq(gk_rig_requests(&strict, &out, framed(&in, request)), in.n);
        gk_buf_clear(&out);
        ck_ok(gk_rig_reply(&strict, &out, framed(&in, answer)));
        ck_assert(stranger ? out.n == 20 && memcmp(out.p + 16, "\377\377\377\375", 4) == 0 : body_is(&out, reply));
        found += stranger;
    }
    (void)gk_vec_close(v);
    ck_assert_uint_gt(found, 0);
    gk_rig_close(&strict);
    gk_buf_free(&in);
    gk_buf_free(&out);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_frames");
    TCase *t = tcase_create("session_frames");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, vectors);
    tcase_add_test(t, pipelined);
    tcase_add_test(t, cut_answers);
    tcase_add_test(t, strangers_may_fail);
    suite_add_tcase(s, t);
    return s;
}
