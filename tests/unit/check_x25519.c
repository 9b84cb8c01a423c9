#include "../../native/crypto/gk_key_internal.h"
#include "../../native/crypto/gk_x25519.h"
#include "support/gk_check.h"

static gk_key *key_of(const uint8_t raw[32])
{
    gk_key *k = NULL;

    ck_ok(gk_key_new(&k, GK_PURPOSE_EXCHANGE, 1, BYTES(raw, 32)));
    return k;
}

/* RFC 7748 section 5.2: in each round, u becomes the scalar and the result the next scalar. */
static void iterate(uint8_t scalar[32], uint8_t u[32], uint64_t times)
{
    for (uint64_t i = 0; i < times; i++) {
        gk_key *k = key_of(scalar);
        uint8_t out[32];

        ck_ok(gk_x25519_raw(out, k, u));
        gk_key_free(k);
        memcpy(u, scalar, 32);
        memcpy(scalar, out, 32);
    }
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("x25519.txt");
    size_t small = 0;

    while (gk_vec_next(v)) {
        uint8_t u[32];

        (void)gk_vec_str(v, "case");
        memcpy(u, gk_vec_hex(v, "u").p, 32);
        if (gk_vec_opt(v, "small") != NULL) {
            uint8_t out[32];
            gk_key *made = NULL;
            gk_key *k = NULL;

            ck_ok(gk_key_generate(&k, GK_PURPOSE_EXCHANGE, 1));
            memset(out, 0xee, sizeof(out));
            ck_gk(gk_x25519_raw(out, k, u), GK_ERR_AUTH);
            for (size_t i = 0; i < sizeof(out); i++)
                ck_assert_uint_eq(out[i], 0);
            ck_gk(gk_x25519_agree(&made, GK_PURPOSE_EXCHANGE, k, u, STR("salt"), STR("info")), GK_ERR_AUTH);
            ck_assert_ptr_null(made);
            gk_key_free(k);
            small++;
        } else {
            uint8_t scalar[32];

            memcpy(scalar, gk_vec_hex(v, "scalar").p, 32);
            iterate(scalar, u, gk_vec_u64(v, "times"));
            ck_assert_mem_eq(scalar, gk_vec_hex(v, "out").p, 32);
        }
    }
    ck_assert_uint_eq(small, 7);
    ck_assert_uint_eq(gk_vec_close(v), 11);
}
END_TEST

START_TEST(both_sides_agree)
{
    uint8_t pa[32];
    uint8_t pb[32];
    gk_key *a = NULL;
    gk_key *b = NULL;
    gk_key *ab = NULL;
    gk_key *ba = NULL;
    gk_key *other = NULL;

    ck_ok(gk_key_generate(&a, GK_PURPOSE_EXCHANGE, 1));
    ck_ok(gk_key_generate(&b, GK_PURPOSE_EXCHANGE, 2));
    ck_ok(gk_x25519_public(pa, a));
    ck_ok(gk_x25519_public(pb, b));
    ck_ok(gk_x25519_agree(&ab, GK_PURPOSE_DK, a, pb, STR("salt"), STR("info")));
    ck_ok(gk_x25519_agree(&ba, GK_PURPOSE_EXCHANGE, b, pa, STR("salt"), STR("info")));
    ck_assert(gk_bytes_equal(gk_key_raw(ab), gk_key_raw(ba)));
    ck_ok(gk_x25519_agree(&other, GK_PURPOSE_DK, a, pb, STR("salt"), STR("other")));
    ck_assert(!gk_bytes_equal(gk_key_raw(ab), gk_key_raw(other)));
    gk_key_free(other);
    gk_key_free(ab);
    gk_key_free(ba);
    ck_gk(gk_x25519_agree(&ab, GK_PURPOSE_NAME, a, pb, STR("salt"), STR("info")), GK_ERR_ARG);
    gk_key_free(a);
    gk_key_free(b);
}
END_TEST

START_TEST(only_exchange_keys_agree)
{
    uint8_t out[32];
    gk_key *made = NULL;
    gk_key *k = NULL;

    ck_ok(gk_key_generate(&k, GK_PURPOSE_SIGN, 1));
    ck_gk(gk_x25519_public(out, k), GK_ERR_ARG);
    ck_gk(gk_x25519_agree(&made, GK_PURPOSE_EXCHANGE, k, out, STR("salt"), STR("info")), GK_ERR_ARG);
    gk_key_free(k);
}
END_TEST

static gk_err agree(void *arg)
{
    uint8_t public[32];
    gk_key *k = NULL;
    gk_key *made = NULL;
    gk_err e = gk_key_generate(&k, GK_PURPOSE_EXCHANGE, 1);

    (void)arg;
    if (e == GK_OK)
        e = gk_x25519_public(public, k);
    if (e == GK_OK)
        e = gk_x25519_agree(&made, GK_PURPOSE_EXCHANGE, k, public, STR("salt"), STR("info"));
    gk_key_free(made);
    gk_key_free(k);
    return e;
}

START_TEST(failed_allocations)
{
    ck_assert_uint_gt(gk_fault_each(agree, NULL), 5);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("x25519");
    TCase *t = tcase_create("x25519");

    tcase_add_test(t, vectors);
    tcase_add_test(t, both_sides_agree);
    tcase_add_test(t, only_exchange_keys_agree);
    tcase_add_test(t, failed_allocations);
    suite_add_tcase(s, t);
    return s;
}
