#include "../../native/crypto/gk_sign.h"
#include "support/gk_check.h"

static gk_key *key_of(gk_bytes raw)
{
    gk_key *k = NULL;

    ck_ok(gk_key_new(&k, GK_PURPOSE_SIGN, 1, raw));
    return k;
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("sign.txt");

    while (gk_vec_next(v)) {
        gk_key *k = NULL;
        gk_bytes public = {0};
        gk_bytes message = {0};
        gk_bytes want = {0};
        uint8_t own[GK_SIGN_PUBLIC];
        uint8_t signature[GK_SIGNATURE];

        (void)gk_vec_str(v, "case");
        k = key_of(gk_vec_hex(v, "secret"));
        public = gk_vec_hex(v, "public");
        message = gk_vec_hex(v, "msg");
        want = gk_vec_hex(v, "signature");
        ck_ok(gk_sign_public(own, k));
        ck_assert_mem_eq(own, public.p, sizeof(own));
        ck_ok(gk_sign_make(signature, k, message));
        ck_assert_mem_eq(signature, want.p, sizeof(signature));
        ck_ok(gk_sign_check(own, message, signature));
        gk_key_free(k);
    }
    ck_assert_uint_eq(gk_vec_close(v), 4);
}
END_TEST

START_TEST(any_change_is_refused)
{
    uint8_t message[] = "groupkeeper v1 test";
    gk_bytes text = BYTES(message, sizeof(message));
    uint8_t public[GK_SIGN_PUBLIC];
    uint8_t signature[GK_SIGNATURE];
    gk_key *k = NULL;

    ck_ok(gk_key_generate(&k, GK_PURPOSE_SIGN, 1));
    ck_ok(gk_sign_public(public, k));
    ck_ok(gk_sign_make(signature, k, text));
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        ck_gk(gk_sign_check(public, text, signature), GK_ERR_AUTH);
        signature[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] ^= 1;
        ck_gk(gk_sign_check(public, text, signature), GK_ERR_AUTH);
        message[i] ^= 1;
        ck_gk(gk_sign_check(public, BYTES(message, i), signature), GK_ERR_AUTH);
    }
    for (size_t i = 0; i < sizeof(public); i++) {
        public[i] ^= 1;
        ck_gk(gk_sign_check(public, text, signature), GK_ERR_AUTH);
        public[i] ^= 1;
    }
    ck_ok(gk_sign_check(public, text, signature));
    gk_key_free(k);
}
END_TEST

START_TEST(only_signing_keys_sign)
{
    uint8_t out[GK_SIGNATURE];
    gk_key *k = NULL;

    ck_ok(gk_key_generate(&k, GK_PURPOSE_EXCHANGE, 1));
    ck_gk(gk_sign_public(out, k), GK_ERR_ARG);
    ck_gk(gk_sign_make(out, k, STR("x")), GK_ERR_ARG);
    gk_key_free(k);
}
END_TEST

static gk_err make_and_sign(void *arg)
{
    uint8_t public[GK_SIGN_PUBLIC];
    uint8_t signature[GK_SIGNATURE];
    gk_key *k = NULL;
    gk_err e = gk_key_generate(&k, GK_PURPOSE_SIGN, 1);

    (void)arg;
    if (e == GK_OK)
        e = gk_sign_public(public, k);
    if (e == GK_OK)
        e = gk_sign_make(signature, k, STR("message"));
    gk_key_free(k);
    return e;
}

START_TEST(failed_allocations)
{
    ck_assert_uint_gt(gk_fault_each(make_and_sign, NULL), 3);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("sign");
    TCase *t = tcase_create("sign");

    tcase_add_test(t, vectors);
    tcase_add_test(t, any_change_is_refused);
    tcase_add_test(t, only_signing_keys_sign);
    tcase_add_test(t, failed_allocations);
    suite_add_tcase(s, t);
    return s;
}
