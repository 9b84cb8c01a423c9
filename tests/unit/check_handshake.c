#include "../../native/codec/gk_handshake.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

#define REQUEST_HEAD 16 /* protocol i32, last zxid i64, time-out i32 */
#define REPLY_HEAD 8    /* protocol i32, time-out i32 */

static gk_rig rig;
static const uint8_t zeros[GK_SESSION_PASSWORD];

static void up(void)
{
    rig = gk_rig_open(NULL);
}

static void down(void)
{
    gk_rig_close(&rig);
}

typedef gk_err handshake(gk_worker *w, gk_writer *out, gk_bytes body);

/* pass gives a handshake's result from memory of exactly the right size; every smaller size must ask for exactly that. */
static gk_err pass(gk_buf *out, handshake *f, gk_bytes body)
{
    gk_writer none = gk_writer_of(NULL, 0);
    gk_err e = f(rig.worker, &none, body);

    gk_buf_clear(out);
    if (e != GK_OK)
        return e;
    for (size_t cap = 0; cap < none.len; cap++) {
        uint8_t p[200];
        gk_writer w = gk_writer_of(p, cap);

        p[cap] = 0xee;
        ck_ok(f(rig.worker, &w, body));
        ck_assert(w.err == GK_ERR_SPACE && w.len == none.len && p[cap] == 0xee);
    }
    gk_writer w = gk_writer_of(gk_buf_room(out, none.len), none.len);
    ck_ok(f(rig.worker, &w, body));
    ck_ok(w.err);
    ck_assert_uint_eq(w.len, none.len);
    return GK_OK;
}

/* message builds head bytes 1, 2, ... | session id | password | tail bytes 7 */
static gk_bytes message(gk_buf *b, size_t head, int64_t session, gk_blob password, size_t tail)
{
    gk_buf_clear(b);
    for (size_t i = 0; i < head; i++)
        gk_buf_u8(b, (uint8_t)(i + 1));
    gk_buf_i64(b, session);
    gk_buf_blob(b, password);
    for (size_t i = 0; i < tail; i++)
        gk_buf_u8(b, 7);
    return gk_buf_view(b);
}

static uint64_t stolen(void)
{
    return gk_codec_count(rig.codec, GK_COUNT_STOLEN_SESSIONS);
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("sessions.txt");
    gk_buf in = {0}, out = {0}, want = {0};

    while (gk_vec_next(v)) {
        gk_reader id = {0};
        gk_bytes hex = gk_vec_hex(v, "session");
        gk_blob stock = {gk_vec_hex(v, "stock"), false};
        gk_blob ours = {gk_vec_hex(v, "ours"), false};
        gk_blob zero = {BYTES(zeros, sizeof(zeros)), false};
        uint64_t session = 0;

        id = gk_reader_of(hex.p, hex.n);
        ck_ok(gk_reader_u64(&id, &session));
        for (size_t tail = 0; tail <= 1; tail++) {
            uint64_t before = stolen();

            ck_ok(pass(&out, gk_handshake_reply, message(&in, REPLY_HEAD, (int64_t)session, stock, tail)));
            ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REPLY_HEAD, (int64_t)session, ours, tail)));
            ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, (int64_t)session, ours, tail)));
            ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, (int64_t)session, stock, tail)));
            ck_assert_uint_eq(stolen(), before);
            /* who knows stock's password, from the public session id, gets nothing for it */
            ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, (int64_t)session, stock, tail)));
            ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, (int64_t)session, zero, tail)));
            ck_assert_uint_gt(stolen(), before);
        }
    }
    ck_assert_uint_eq(gk_vec_close(v), 61);
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&want);
}
END_TEST

START_TEST(new_sessions)
{
    gk_blob zero = {BYTES(zeros, sizeof(zeros)), false}, null = {{NULL, 0}, true};
    gk_buf in = {0}, out = {0}, want = {0};

    /* no session yet: whatever the password is, the server needs none */
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, 0, null, 1)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, 0, zero, 1)));
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, 0, (gk_blob){STR("something"), false}, 0)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, 0, zero, 0)));
    /* an expired or refused one */
    ck_ok(pass(&out, gk_handshake_reply, message(&in, REPLY_HEAD, 0, zero, 1)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REPLY_HEAD, 0, zero, 1)));
    /* trailing bytes of a request don't pass, those of a reply do */
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, 0, zero, 9)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, 0, zero, 1)));
    ck_assert_uint_eq(stolen(), 0);
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&want);
}
END_TEST

/* Every change of a password, and every other length, is a wrong one; so is a right one of another session. */
START_TEST(each_bit_of_a_password)
{
    gk_buf in = {0}, out = {0}, password = {0}, want = {0};
    const gk_blob zero = {BYTES(zeros, sizeof(zeros)), false};
    const int64_t session = 0x100000000000001;
    gk_bytes refused = message(&want, REQUEST_HEAD, session, zero, 0);

    ck_ok(pass(&out, gk_handshake_reply, message(&in, REPLY_HEAD, session, zero, 0)));
    gk_buf_put(&password, out.p + REPLY_HEAD + 12, GK_SESSION_PASSWORD);
    for (size_t i = 0; i < GK_SESSION_PASSWORD; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            password.p[i] ^= (uint8_t)(1u << bit);
            ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, session, (gk_blob){gk_buf_view(&password), false}, 0)));
            ck_assert(gk_bytes_equal(gk_buf_view(&out), refused));
            password.p[i] ^= (uint8_t)(1u << bit);
        }
        ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, session, (gk_blob){BYTES(password.p, i), false}, 0)));
        ck_assert(gk_bytes_equal(gk_buf_view(&out), refused));
    }
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, session, (gk_blob){{NULL, 0}, true}, 0)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), refused));
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, session, (gk_blob){gk_buf_view(&password), false}, 0)));
    ck_assert(!gk_bytes_equal(gk_buf_view(&out), refused));
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, session + 1, (gk_blob){gk_buf_view(&password), false}, 0)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, session + 1, zero, 0)));
    gk_buf_put(&password, "", 1);
    ck_ok(pass(&out, gk_handshake_request, message(&in, REQUEST_HEAD, session, (gk_blob){gk_buf_view(&password), false}, 0)));
    ck_assert(gk_bytes_equal(gk_buf_view(&out), message(&want, REQUEST_HEAD, session, zero, 0)));
    gk_buf_free(&in);
    gk_buf_free(&out);
    gk_buf_free(&password);
    gk_buf_free(&want);
}
END_TEST

START_TEST(truncated)
{
    gk_buf in = {0}, out = {0};
    gk_blob zero = {BYTES(zeros, sizeof(zeros)), false};
    handshake *both[] = {gk_handshake_request, gk_handshake_reply};
    size_t heads[] = {REQUEST_HEAD, REPLY_HEAD};

    for (size_t k = 0; k < 2; k++) {
        size_t whole = message(&in, heads[k], 5, zero, 0).n;

        for (size_t n = 0; n < whole; n++) {
            uint8_t *exact = malloc(n + 1);

            memcpy(exact, in.p, n);
            ck_gk(pass(&out, both[k], BYTES(exact, n)), GK_ERR_TRUNCATED);
            free(exact);
        }
        for (int32_t length = -2; length < 40; length++) {
            gk_buf_clear(&in);
            for (size_t i = 0; i < heads[k]; i++)
                gk_buf_u8(&in, 0);
            gk_buf_i64(&in, 5);
            gk_buf_i32(&in, length);
            gk_buf_put(&in, zeros, 16);
            ck_gk(pass(&out, both[k], gk_buf_view(&in)), length < -1 ? GK_ERR_MALFORMED : length > 16 ? GK_ERR_TRUNCATED : GK_OK);
        }
    }
    gk_buf_free(&in);
    gk_buf_free(&out);
}
END_TEST

static gk_err both_ways(void *arg)
{
    static uint8_t in[64], out[64];
    gk_rig r = {0};
    gk_err e = gk_rig_try(&r, NULL);
    gk_writer w = gk_writer_of(in, sizeof(in));
    gk_writer o = gk_writer_of(out, sizeof(out));

    (void)arg;
    gk_writer_u64(&w, 0);
    gk_writer_u64(&w, 0);
    gk_writer_u64(&w, 77);
    gk_writer_u32(&w, 16);
    gk_writer_put(&w, zeros, 16);
    if (e == GK_OK)
        e = gk_handshake_request(r.worker, &o, BYTES(in, w.len));
    if (e == GK_OK)
        e = gk_handshake_reply(r.worker, &o, BYTES(in + 8, w.len - 8));
    gk_rig_close(&r);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(both_ways, NULL), 5);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("handshake");
    TCase *t = tcase_create("handshake");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, vectors);
    tcase_add_test(t, new_sessions);
    tcase_add_test(t, each_bit_of_a_password);
    tcase_add_test(t, truncated);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
