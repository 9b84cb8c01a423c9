#include <stdio.h>

#include "support/gk_check.h"

#define MAX 300

static void round_trip(const uint8_t *in, size_t n)
{
    char text[GK_B64_LEN(MAX) + 1];
    uint8_t back[MAX + 1];
    size_t back_n = 99;

    memset(text, '#', sizeof(text));
    gk_b64_encode(text, in, n);
    ck_assert_int_eq(text[GK_B64_LEN(n)], '#');
    ck_ok(gk_b64_decode(back, &back_n, text, GK_B64_LEN(n)));
    ck_assert_uint_eq(back_n, n);
    ck_assert_mem_eq(back, in, n);
}

START_TEST(rfc4648_section_10)
{
    static const char *const vectors[][2] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char text[16] = {0};
        size_t n = strlen(vectors[i][0]);

        gk_b64_encode(text, (const uint8_t *)vectors[i][0], n);
        ck_assert_str_eq(text, vectors[i][1]);
        round_trip((const uint8_t *)vectors[i][0], n);
    }
}
END_TEST

START_TEST(all_lengths)
{
    uint8_t in[MAX];

    for (size_t i = 0; i < MAX; i++)
        in[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n < MAX; n++) {
        ck_assert_uint_eq(GK_B64_LEN(n), n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1));
        round_trip(in, n);
    }
}
END_TEST

/* Of all strings of 2 and 3 characters exactly those decode that some bytes encode to: one spelling for each byte string. */
START_TEST(canonical_only)
{
    size_t good = 0;
    uint8_t out[3];
    size_t n = 0;

    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char in[2] = {(char)a, (char)b};
            char again[2];

            if (gk_b64_decode(out, &n, in, 2) != GK_OK) {
                ck_assert_uint_eq(n, 0);
                continue;
            }
            good++;
            ck_assert_uint_eq(n, 1);
            gk_b64_encode(again, out, 1);
            ck_assert_mem_eq(again, in, 2);
        }
    }
    ck_assert_uint_eq(good, 256);
    good = 0;
    for (int b = 0; b < 256; b++) {
        for (int c = 0; c < 256; c++) {
            char in[3] = {'Q', (char)b, (char)c};

            good += gk_b64_decode(out, &n, in, 3) == GK_OK;
        }
    }
    ck_assert_uint_eq(good, 1024); /* 16 bits, of which 'Q' gives 6 */
}
END_TEST

START_TEST(rejects_what_is_not_base64url)
{
    static const char *const bad[] = {"A", "AAAAA", "Zg==", "Zm8=", "AA+A", "AA/A", "AA A", "AAA\n", "=AAA", "AAA=", "A\xc3\xa9 A"};
    uint8_t out[16];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t n = 99;

        ck_gk(gk_b64_decode(out, &n, bad[i], strlen(bad[i])), GK_ERR_MALFORMED);
        ck_assert_uint_eq(n, 0);
    }
}
END_TEST

START_TEST(each_position_matters)
{
    const char good[] = "SGVsbG8td29ybGRfMTIz";
    uint8_t out[16];
    size_t n = 0;

    ck_ok(gk_b64_decode(out, &n, good, sizeof(good) - 1));
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        char bad[sizeof(good)];

        memcpy(bad, good, sizeof(good));
        bad[i] = '.';
        ck_gk(gk_b64_decode(out, &n, bad, sizeof(good) - 1), GK_ERR_MALFORMED);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("base64");
    TCase *t = tcase_create("base64");

    tcase_add_test(t, rfc4648_section_10);
    tcase_add_test(t, all_lengths);
    tcase_add_test(t, canonical_only);
    tcase_add_test(t, rejects_what_is_not_base64url);
    tcase_add_test(t, each_position_matters);
    suite_add_tcase(s, t);
    return s;
}
