#include "support/gk_check.h"

static const uint8_t numbers[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static gk_err read_numbers(gk_reader *r, bool *all)
{
    uint8_t a = 0;
    uint16_t b = 0;
    uint32_t c = 0;
    uint64_t d = 0;
    gk_err e = gk_reader_u8(r, &a);

    if (e == GK_OK)
        e = gk_reader_u16(r, &b);
    if (e == GK_OK)
        e = gk_reader_u32(r, &c);
    if (e == GK_OK)
        e = gk_reader_u64(r, &d);
    *all = a == 1 && b == 0x0203 && c == 0x04050607 && d == 0x08090a0b0c0d0e0fULL;
    return e;
}

START_TEST(reads_big_endian)
{
    gk_reader r = gk_reader_of(numbers, sizeof(numbers));
    bool all = false;

    ck_ok(read_numbers(&r, &all));
    ck_assert(all);
    ck_ok(gk_reader_end(&r));
}
END_TEST

START_TEST(a_truncated_read_changes_nothing)
{
    for (size_t n = 0; n < sizeof(numbers); n++) {
        gk_reader r = gk_reader_of(numbers, n);
        bool all = false;

        ck_gk(read_numbers(&r, &all), GK_ERR_TRUNCATED);
        ck_assert(!all);
    }
    for (size_t n = 0; n < 8; n++) {
        gk_reader r = gk_reader_of(numbers, n);
        uint8_t u8 = 77;
        uint16_t u16 = 77;
        uint32_t u32 = 77;
        uint64_t u64 = 77;
        uint8_t copy[8] = {77};
        gk_bytes view = {copy, 77};

        if (n < 1)
            ck_gk(gk_reader_u8(&r, &u8), GK_ERR_TRUNCATED);
        if (n < 2)
            ck_gk(gk_reader_u16(&r, &u16), GK_ERR_TRUNCATED);
        if (n < 4)
            ck_gk(gk_reader_u32(&r, &u32), GK_ERR_TRUNCATED);
        ck_gk(gk_reader_u64(&r, &u64), GK_ERR_TRUNCATED);
        ck_gk(gk_reader_copy(&r, copy, n + 1), GK_ERR_TRUNCATED);
        ck_gk(gk_reader_take(&r, &view, SIZE_MAX), GK_ERR_TRUNCATED);
        ck_assert(u8 == 77 && u16 == 77 && u32 == 77 && u64 == 77 && copy[0] == 77 && view.n == 77);
        ck_assert_ptr_eq(r.p, numbers);
        ck_assert_uint_eq(r.n, n);
    }
}
END_TEST

START_TEST(takes_and_copies)
{
    gk_reader r = gk_reader_of(numbers, 5);
    gk_reader none = gk_reader_of(NULL, 3);
    uint8_t copy[2] = {0};
    gk_bytes view = {0};

    ck_ok(gk_reader_take(&r, &view, 3));
    ck_assert_ptr_eq(view.p, numbers);
    ck_assert_uint_eq(view.n, 3);
    ck_gk(gk_reader_end(&r), GK_ERR_MALFORMED);
    ck_ok(gk_reader_take(&r, &view, 0));
    ck_assert_uint_eq(view.n, 0);
    ck_ok(gk_reader_copy(&r, copy, 2));
    ck_assert(copy[0] == 4 && copy[1] == 5);
    ck_ok(gk_reader_end(&r));
    ck_ok(gk_reader_copy(&r, copy, 0));
    ck_ok(gk_reader_take(&none, &view, 0));
    ck_gk(gk_reader_take(&none, &view, 1), GK_ERR_TRUNCATED);
}
END_TEST

static void write_numbers(gk_writer *w)
{
    gk_writer_u8(w, 1);
    gk_writer_u16(w, 0x0203);
    gk_writer_u32(w, 0x04050607);
    gk_writer_u64(w, 0x08090a0b0c0d0e0fULL);
}

START_TEST(writes_what_is_read)
{
    uint8_t out[sizeof(numbers)];
    gk_writer w = gk_writer_of(out, sizeof(out));

    write_numbers(&w);
    ck_assert_int_eq(w.err, GK_OK);
    ck_assert_uint_eq(w.len, sizeof(numbers));
    ck_assert_mem_eq(out, numbers, sizeof(numbers));
}
END_TEST

START_TEST(a_small_buffer_counts_on)
{
    for (size_t cap = 0; cap < sizeof(numbers); cap++) {
        uint8_t out[sizeof(numbers)];
        gk_writer w = gk_writer_of(out, cap);

        memset(out, 0xee, sizeof(out));
        write_numbers(&w);
        ck_assert_int_eq(w.err, GK_ERR_SPACE);
        ck_assert_uint_eq(w.len, sizeof(numbers));
        for (size_t i = cap; i < sizeof(out); i++)
            ck_assert_uint_eq(out[i], 0xee);
        gk_writer_u8(&w, 9); /* even if it would fit where a larger field did not */
        ck_assert_uint_eq(w.len, sizeof(numbers) + 1);
    }
}
END_TEST

START_TEST(the_count_saturates)
{
    uint8_t out[4];
    gk_writer w = gk_writer_of(out, sizeof(out));

    ck_assert_ptr_null(gk_writer_reserve(&w, SIZE_MAX - 1));
    ck_assert_ptr_null(gk_writer_reserve(&w, SIZE_MAX - 1));
    ck_assert_uint_eq(w.len, SIZE_MAX);
    gk_writer_u8(&w, 1);
    ck_assert_uint_eq(w.len, SIZE_MAX);
    ck_assert_int_eq(w.err, GK_ERR_SPACE);
}
END_TEST

START_TEST(reserves_and_patches)
{
    uint8_t out[8] = {0};
    gk_writer w = gk_writer_of(out, sizeof(out));
    uint8_t *p = gk_writer_reserve(&w, 4);

    ck_assert_ptr_eq(p, out);
    gk_writer_put(&w, "abc", 3);
    gk_writer_put(&w, NULL, 0);
    gk_writer_patch_u32(&w, 1, 0x01020304);
    ck_assert_int_eq(w.err, GK_OK);
    ck_assert_mem_eq(out, "\0\1\2\3\4bc\0", 8);
    gk_writer_patch_u32(&w, 4, 1); /* its last byte isn't written yet */
    ck_assert_int_eq(w.err, GK_ERR_ARG);
    gk_writer_u8(&w, 1);
    ck_assert_int_eq(w.err, GK_ERR_ARG);

    w = gk_writer_of(out, 3);
    gk_writer_put(&w, "abc", 3);
    gk_writer_patch_u32(&w, 0, 1);
    ck_assert_int_eq(w.err, GK_ERR_ARG);
    w = gk_writer_of(NULL, 8);
    gk_writer_u8(&w, 1);
    ck_assert_int_eq(w.err, GK_ERR_SPACE);
}
END_TEST

START_TEST(compares_and_wipes)
{
    uint8_t secret[33];

    ck_assert(gk_bytes_equal(STR("abc"), STR("abc")));
    ck_assert(!gk_bytes_equal(STR("abc"), STR("abd")));
    ck_assert(!gk_bytes_equal(STR("abc"), STR("ab")));
    ck_assert(gk_bytes_equal((gk_bytes){0}, STR("")));
    memset(secret, 7, sizeof(secret));
    gk_wipe(secret, 32);
    for (size_t i = 0; i < 32; i++)
        ck_assert_uint_eq(secret[i], 0);
    ck_assert_uint_eq(secret[32], 7);
    gk_wipe(NULL, 0);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("bytes");
    TCase *t = tcase_create("bytes");

    tcase_add_test(t, reads_big_endian);
    tcase_add_test(t, a_truncated_read_changes_nothing);
    tcase_add_test(t, takes_and_copies);
    tcase_add_test(t, writes_what_is_read);
    tcase_add_test(t, a_small_buffer_counts_on);
    tcase_add_test(t, the_count_saturates);
    tcase_add_test(t, reserves_and_patches);
    tcase_add_test(t, compares_and_wipes);
    suite_add_tcase(s, t);
    return s;
}
