#include "../../native/codec/gk_cache.h"
#include "support/gk_check.h"

/* Each vector, with the input cut in two at each place: the two parts are one string. */
START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("siphash.txt");

    while (gk_vec_next(v)) {
        gk_bytes key = gk_vec_hex(v, "key");
        gk_bytes in = gk_vec_hex(v, "in");
        gk_bytes out = gk_vec_hex(v, "out");
        uint64_t want = 0;

        ck_assert_uint_eq(key.n, 16);
        ck_assert_uint_eq(out.n, 8);
        for (size_t i = 8; i-- > 0;)
            want = want << 8 | out.p[i];
        for (size_t cut = 0; cut <= in.n; cut++)
            ck_assert_uint_eq(gk_siphash24(key.p, BYTES(in.p, cut), BYTES(in.p + cut, in.n - cut)), want);
        ck_assert_uint_eq(gk_siphash24(key.p, in, (gk_bytes){NULL, 0}), want);
        ck_assert_uint_eq(gk_siphash24(key.p, (gk_bytes){NULL, 0}, in), want);
    }
    ck_assert_uint_eq(gk_vec_close(v), 64);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("siphash");
    TCase *t = tcase_create("siphash");

    tcase_add_test(t, vectors);
    suite_add_tcase(s, t);
    return s;
}
