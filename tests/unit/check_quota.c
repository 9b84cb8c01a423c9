#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_quota.h"
#include "support/gk_check.h"

static int64_t number(gk_vec *v, const char *attribute)
{
    return strtoll(gk_vec_str(v, attribute), NULL, 10);
}

/* copy gives the text in memory of exactly its size. */
static gk_bytes copy(gk_bytes b)
{
    uint8_t *p = malloc(b.n > 0 ? b.n : 1);

    ck_assert_ptr_nonnull(p);
    if (b.n > 0)
        memcpy(p, b.p, b.n);
    return BYTES(p, b.n);
}

START_TEST(parses_as_java)
{
    gk_vec *v = gk_vec_open("java_stats.txt");

    while (gk_vec_next(v)) {
        gk_bytes text = copy(gk_vec_hex(v, "text"));
        gk_err want = gk_check_err_of(gk_vec_str(v, "result"));
        gk_quota_limits q = {0};
        bool known = false;
        gk_err got = gk_quota_parse(&q, &known, text);

        ck_assert_msg(got == want, "%s: %.*s", gk_vec_name(v), (int)text.n, (const char *)text.p);
        if (want == GK_OK) {
            ck_assert_msg(q.count == number(v, "count") && q.bytes == number(v, "bytes") && q.count_hard == number(v, "count hard") &&
                              q.bytes_hard == number(v, "bytes hard"),
                          "%s: %.*s", gk_vec_name(v), (int)text.n, (const char *)text.p);
        }
        free((void *)text.p);
    }
    ck_assert_uint_eq(gk_vec_close(v), 700);
}
END_TEST

START_TEST(known_keys)
{
    const struct {
        const char *text;
        bool known;
    } cases[] = {{"", true},        {"count=1", true},   {"count=1,bytes=2;countHardLimit=3;byteHardLimit=4", true},
                 {"count=1,x=2", false}, {"Count=1", false}, {"=1", false}, {"bytesHardLimit=4", false}, {"coun=1", false}, {"counts=1", false}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gk_quota_limits q;
        bool known = !cases[i].known;

        ck_ok(gk_quota_parse(&q, &known, STR(cases[i].text)));
        ck_assert_msg(known == cases[i].known, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(longs)
{
    const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {{"0", true, 0}, {"-0", true, 0}, {"+0", true, 0}, {"7", true, 7}, {"-7", true, -7}, {"+0000000000000000000000007", true, 7},
                 {"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN}, {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0}, {"92233720368547758070", false, 0}, {"18446744073709551616", false, 0}, {"", false, 0},
                 {"+", false, 0}, {"-", false, 0}, {"1 ", false, 0}, {" 1", false, 0}, {"1a", false, 0}, {"/", false, 0}, {":", false, 0}, {"+-1", false, 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gk_bytes text = copy(STR(cases[i].text));
        int64_t v = 99;

        ck_assert_msg(gk_quota_parse_long(&v, text) == cases[i].good, "%s", cases[i].text);
        ck_assert_msg(v == (cases[i].good ? cases[i].value : 99), "%s", cases[i].text);
        free((void *)text.p);
    }
}
END_TEST

START_TEST(stats_vectors)
{
    gk_vec *v = gk_vec_open("stats.txt");

    while (gk_vec_next(v)) {
        gk_bytes text = gk_vec_hex(v, "text");
        gk_err want = gk_check_err_of(gk_vec_str(v, "result"));
        uint8_t out[200], back[200];
        gk_writer w = gk_writer_of(out, sizeof(out));
        gk_writer b = gk_writer_of(back, sizeof(back));

        ck_gk(gk_quota_stats_shift(&w, text, 1), want);
        if (want != GK_OK) {
            ck_assert_uint_eq(w.len, 0);
            continue;
        }
        ck_assert_msg(gk_bytes_equal(BYTES(out, w.len), gk_vec_hex(v, "stored")), "%s: %.*s", gk_vec_name(v), (int)w.len, (char *)out);
        ck_ok(gk_quota_stats_shift(&b, BYTES(out, w.len), -1));
        ck_assert_msg(gk_bytes_equal(BYTES(back, b.len), text), "%s: %.*s", gk_vec_name(v), (int)b.len, (char *)back);
        for (size_t cap = 0; cap < w.len; cap++) { /* too short, at each size: the same length, and nothing behind the end */
            uint8_t *p = malloc(cap + 1);
            gk_writer s = gk_writer_of(p, cap);

            p[cap] = 0xee;
            ck_ok(gk_quota_stats_shift(&s, text, 1));
            ck_assert(s.err == GK_ERR_SPACE && s.len == w.len && p[cap] == 0xee);
            free(p);
        }
    }
    ck_assert_uint_eq(gk_vec_close(v), 21);
}
END_TEST

/* What servers count has grown by the overhead for each node; what clients read is the sum of the plaintexts. */
START_TEST(shift_is_the_overhead)
{
    for (long long count = 0; count < 2000; count += 37) {
        char text[80], want[80];
        uint8_t out[100];
        gk_writer w = gk_writer_of(out, sizeof(out));
        int n = snprintf(text, sizeof(text), "count=%lld,bytes=%lld", count, 5 * count + GK_PAYLOAD_OVERHEAD * count);
        int m = snprintf(want, sizeof(want), "count=%lld,bytes=%lld", count, 5 * count);

        ck_ok(gk_quota_stats_shift(&w, BYTES(text, (size_t)n), -1));
        ck_assert(w.len == (size_t)m && memcmp(out, want, w.len) == 0);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("quota");
    TCase *t = tcase_create("quota");

    tcase_add_test(t, parses_as_java);
    tcase_add_test(t, known_keys);
    tcase_add_test(t, longs);
    tcase_add_test(t, stats_vectors);
    tcase_add_test(t, shift_is_the_overhead);
    suite_add_tcase(s, t);
    return s;
}
