#include "../../native/wire/gk_jute.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

START_TEST(integers)
{
    const int32_t values[] = {0, 1, -1, 255, 256, INT32_MAX, INT32_MIN, -2};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t p[4];
        gk_writer w = gk_writer_of(p, 4);
        gk_reader r = gk_reader_of(p, 4);
        int32_t v = 77;

        gk_jute_put_i32(&w, values[i]);
        ck_ok(w.err);
        ck_ok(gk_jute_i32(&r, &v));
        ck_assert_int_eq(v, values[i]);
        for (size_t n = 0; n < 4; n++) {
            r = gk_reader_of(p, n);
            v = 77;
            ck_gk(gk_jute_i32(&r, &v), GK_ERR_TRUNCATED);
            ck_assert(v == 77 && r.n == n);
        }
    }
}
END_TEST

/* What is read is a view of the input, a failed read leaves reader and output, what is written is what was read. */
START_TEST(blobs)
{
    const struct {
        const char *in;
        size_t n;
        gk_err e;
        bool null;
        size_t length, left;
    } cases[] = {{"\0\0\0\0", 4, GK_OK, false, 0, 0},          {"\377\377\377\377", 4, GK_OK, true, 0, 0},
                 {"\377\377\377\377x", 5, GK_OK, true, 0, 1},  {"\0\0\0\3abc", 7, GK_OK, false, 3, 0},
                 {"\0\0\0\3abcd", 8, GK_OK, false, 3, 1},      {"\0\0\0\3ab", 6, GK_ERR_TRUNCATED, false, 0, 6},
                 {"\0\0\0", 3, GK_ERR_TRUNCATED, false, 0, 3}, {"", 0, GK_ERR_TRUNCATED, false, 0, 0},
                 {"\377\377\377\376", 4, GK_ERR_MALFORMED, false, 0, 4}, {"\200\0\0\0", 4, GK_ERR_MALFORMED, false, 0, 4},
                 {"\177\377\377\377abc", 7, GK_ERR_TRUNCATED, false, 0, 7}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[16];
        gk_writer w = gk_writer_of(out, sizeof(out));
        gk_reader r = gk_reader_of(cases[i].in, cases[i].n);
        gk_blob b = {STR("before"), false};

        ck_gk(gk_jute_blob(&r, &b), cases[i].e);
        ck_assert_uint_eq(r.n, cases[i].left);
        if (cases[i].e != GK_OK) {
            ck_assert_uint_eq(b.b.n, 6);
            continue;
        }
        ck_assert(b.null == cases[i].null && b.b.n == cases[i].length);
        gk_jute_put_blob(&w, b);
        ck_assert(w.err == GK_OK && w.len == 4 + b.b.n && memcmp(out, cases[i].in, w.len) == 0);
    }
}
END_TEST

START_TEST(counts)
{
    const struct {
        int32_t raw;
        uint32_t elements;
    } cases[] = {{0, 0}, {1, 1}, {-1, 0}, {-2, 0}, {INT32_MIN, 0}, {INT32_MAX, INT32_MAX}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t p[4];
        gk_writer w = gk_writer_of(p, 4);
        gk_reader r = gk_reader_of(p, 4), cut = gk_reader_of(p, 3);
        int32_t raw = 5;
        uint32_t n = 5;

        gk_jute_put_i32(&w, cases[i].raw);
        ck_gk(gk_jute_count(&cut, &raw, &n), GK_ERR_TRUNCATED);
        ck_assert(raw == 5 && n == 5);
        ck_ok(gk_jute_count(&r, &raw, &n));
        ck_assert(raw == cases[i].raw && n == cases[i].elements);
    }
}
END_TEST

START_TEST(acls)
{
    gk_buf b = {0};
    gk_reader r = {0};

    for (int32_t n = -1; n <= 3; n++) {
        gk_buf_clear(&b);
        gk_buf_i32(&b, n);
        for (int32_t i = 0; i < n; i++) {
            gk_buf_i32(&b, 31);
            gk_buf_blob(&b, (gk_blob){{NULL, 0}, i == 1});
            gk_buf_str(&b, "anyone");
        }
        size_t whole = b.n;
        gk_buf_str(&b, "what follows");
        r = gk_reader_of(b.p, b.n);
        ck_ok(gk_jute_skip_acl(&r));
        ck_assert_uint_eq(r.n, b.n - whole);
        for (size_t cut = 0; cut < whole; cut++) {
            r = gk_reader_of(b.p, cut);
            ck_gk(gk_jute_skip_acl(&r), GK_ERR_TRUNCATED);
            ck_assert_uint_eq(r.n, cut);
        }
    }
    gk_buf_clear(&b);
    gk_buf_i32(&b, INT32_MAX); /* a count that nothing backs takes no time */
    gk_buf_i32(&b, 31);
    gk_buf_i32(&b, -2);
    r = gk_reader_of(b.p, b.n);
    ck_gk(gk_jute_skip_acl(&r), GK_ERR_MALFORMED);
    gk_buf_free(&b);
}
END_TEST

START_TEST(strings_in_place)
{
    for (size_t cap = 0; cap <= 12; cap++) {
        uint8_t p[16];
        gk_writer w = gk_writer_of(p, cap);
        gk_reader r = {0};
        gk_blob outer, inner;

        memset(p, 0xee, sizeof(p));
        size_t a = gk_jute_open_string(&w);
        size_t b = gk_jute_open_string(&w);
        gk_writer_put(&w, "abcd", 4);
        gk_jute_close_string(&w, b);
        gk_jute_close_string(&w, a);
        ck_assert(w.len == 12 && (w.err == GK_OK) == (cap == 12) && p[cap] == 0xee);
        if (cap < 12)
            continue;
        r = gk_reader_of(p, 12);
        ck_ok(gk_jute_blob(&r, &outer));
        r = gk_reader_of(outer.b.p, outer.b.n);
        ck_ok(gk_jute_blob(&r, &inner));
        ck_assert(outer.b.n == 8 && gk_bytes_equal(inner.b, STR("abcd")));
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("jute");
    TCase *t = tcase_create("jute");

    tcase_add_test(t, integers);
    tcase_add_test(t, blobs);
    tcase_add_test(t, counts);
    tcase_add_test(t, acls);
    tcase_add_test(t, strings_in_place);
    suite_add_tcase(s, t);
    return s;
}
