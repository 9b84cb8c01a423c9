#include <pthread.h>

#include "../../native/crypto/gk_key_internal.h"
#include "support/gk_check.h"

static const gk_purpose all[] = {GK_PURPOSE_NAME,    GK_PURPOSE_PAYLOAD, GK_PURPOSE_SEED,   GK_PURPOSE_SESSION,
                                 GK_PURPOSE_PENDING, GK_PURPOSE_DK,      GK_PURPOSE_SIGN,   GK_PURPOSE_EXCHANGE,
                                 GK_PURPOSE_SERVER,  GK_PURPOSE_AGREED,  GK_PURPOSE_CONFIRM};

START_TEST(purposes)
{
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ck_assert_uint_eq((size_t)all[i], i + 1); /* pinned: they stand in keyring files */
        ck_assert_uint_eq(gk_key_size(all[i]), all[i] == GK_PURPOSE_NAME ? 64 : 32);
        ck_assert_str_ne(gk_purpose_str(all[i]), "?");
    }
    ck_assert_uint_eq(gk_key_size((gk_purpose)12), 0);
    ck_assert_str_eq(gk_purpose_str((gk_purpose)0), "?");
}
END_TEST

START_TEST(new_checks_its_input)
{
    uint8_t raw[65] = {1};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (size_t n = 0; n <= sizeof(raw); n++) {
            gk_key *k = NULL;
            gk_err want = n == gk_key_size(all[i]) ? GK_OK : GK_ERR_ARG;

            ck_gk(gk_key_new(&k, all[i], 5, BYTES(raw, n)), want);
            ck_assert((k != NULL) == (want == GK_OK));
            if (k != NULL) {
                ck_assert_int_eq(gk_key_purpose(k), all[i]);
                ck_assert_uint_eq(gk_key_id(k), 5);
            }
            gk_key_free(k);
        }
    }
    gk_key_free(NULL);
    ck_assert_ptr_null(gk_key_ref(NULL));
}
END_TEST

START_TEST(generated_keys_differ)
{
    uint8_t checks[20][8];

    for (size_t i = 0; i < 20; i++) {
        gk_key *k = NULL;

        ck_ok(gk_key_generate(&k, all[i % 6], (uint32_t)i));
        ck_ok(gk_key_check_value(k, checks[i]));
        for (size_t j = 0; j < i; j++)
            ck_assert_mem_ne(checks[j], checks[i], 8);
        gk_key_free(k);
    }
}
END_TEST

START_TEST(derive_vectors)
{
    gk_vec *v = gk_vec_open("derive.txt");

    while (gk_vec_next(v)) {
        static const gk_purpose derived[] = {GK_PURPOSE_SESSION, GK_PURPOSE_PENDING};
        gk_key *seed = NULL;
        gk_bytes context = gk_vec_hex(v, "context");
        gk_bytes want = {0};
        uint8_t check[8];

        ck_ok(gk_key_new(&seed, GK_PURPOSE_SEED, 1, gk_vec_hex(v, "seed")));
        ck_ok(gk_key_check_value(seed, check));
        want = gk_vec_hex(v, "check");
        ck_assert_mem_eq(check, want.p, 8);
        for (size_t i = 0; i < 2; i++) {
            char attribute[32];
            gk_key *k = NULL;

            ck_ok(gk_key_derive(&k, derived[i], 9, seed, context));
            ck_assert_uint_eq(gk_key_id(k), 9);
            want = gk_vec_hex(v, gk_purpose_str(derived[i]));
            ck_assert(gk_bytes_equal(gk_key_raw(k), want));
            (void)snprintf(attribute, sizeof(attribute), "%s check", gk_purpose_str(derived[i]));
            want = gk_vec_hex(v, attribute);
            ck_ok(gk_key_check_value(k, check));
            ck_assert_mem_eq(check, want.p, 8);
            gk_key_free(k);
        }
        gk_key_free(seed);
    }
    ck_assert_uint_eq(gk_vec_close(v), 4);
}
END_TEST

START_TEST(derive_refuses)
{
    static const uint8_t context[257] = {0};
    gk_key *seed = NULL;
    gk_key *session = NULL;
    gk_key *out = NULL;

    ck_ok(gk_key_generate(&seed, GK_PURPOSE_SEED, 1));
    ck_gk(gk_key_derive(&out, GK_PURPOSE_NAME, 1, seed, BYTES(context, 16)), GK_ERR_ARG);
    ck_gk(gk_key_derive(&out, GK_PURPOSE_PAYLOAD, 1, seed, BYTES(context, 16)), GK_ERR_ARG);
    ck_gk(gk_key_derive(&out, GK_PURPOSE_SEED, 1, seed, BYTES(context, 16)), GK_ERR_ARG);
    ck_gk(gk_key_derive(&out, GK_PURPOSE_AGREED, 1, seed, BYTES(context, 16)), GK_ERR_ARG);
    ck_gk(gk_key_derive(&out, GK_PURPOSE_CONFIRM, 1, seed, BYTES(context, 16)), GK_ERR_ARG);
    ck_gk(gk_key_derive(&out, GK_PURPOSE_SESSION, 1, seed, BYTES(context, 257)), GK_ERR_ARG);
    ck_ok(gk_key_derive(&session, GK_PURPOSE_SESSION, 1, seed, BYTES(context, 256)));
    ck_gk(gk_key_derive(&out, GK_PURPOSE_PENDING, 1, session, BYTES(context, 16)), GK_ERR_ARG);
    ck_assert_ptr_null(out);
    gk_key_free(session);
    gk_key_free(seed);
}
END_TEST

START_TEST(hkdf_wycheproof)
{
    gk_vec *v = gk_vec_open("hkdf_wycheproof.txt");
    uint8_t out[255 * 32 + 1];

    while (gk_vec_next(v)) {
        const char *id = gk_vec_str(v, "id");
        gk_bytes prk = gk_vec_hex(v, "prk");
        gk_bytes info = gk_vec_hex(v, "info");
        size_t size = gk_vec_u64(v, "size");
        gk_bytes okm = gk_vec_hex(v, "okm");
        bool valid = strcmp(gk_vec_str(v, "result"), "valid") == 0;

        ck_assert_msg(size <= sizeof(out) || !valid, "%s: size", id);
        ck_gk(gk_hkdf_expand(out, size, prk, info), valid ? GK_OK : GK_ERR_ARG);
        if (valid)
            ck_assert_msg(gk_bytes_equal(BYTES(out, size), okm), "HKDF %s", id);
    }
    ck_assert_uint_eq(gk_vec_close(v), 86);
}
END_TEST

START_TEST(hmac_wycheproof)
{
    gk_vec *v = gk_vec_open("hmac_wycheproof.txt");

    while (gk_vec_next(v)) {
        const char *id = gk_vec_str(v, "id");
        gk_key *k = NULL;
        gk_bytes msg = gk_vec_hex(v, "msg");
        gk_bytes tag = gk_vec_hex(v, "tag");
        bool valid = strcmp(gk_vec_str(v, "result"), "valid") == 0;
        uint8_t out[32];

        ck_ok(gk_key_new(&k, GK_PURPOSE_SESSION, 1, gk_vec_hex(v, "key")));
        for (size_t cut = 0; cut <= msg.n; cut += 1 + msg.n / 3) { /* parts are one string */
            gk_bytes parts[3] = {BYTES(msg.p, cut), {0}, BYTES(msg.p + cut, msg.n - cut)};

            ck_ok(gk_hmac_sha256(out, k, parts, 3));
            ck_assert_msg(gk_bytes_equal(BYTES(out, 32), tag) == valid, "HMAC %s", id);
        }
        gk_key_free(k);
    }
    ck_assert_uint_eq(gk_vec_close(v), 81);
}
END_TEST

START_TEST(a_key_has_one_use)
{
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        gk_key *k = NULL;
        uint8_t out[32];
        gk_bytes part = STR("x");
        bool may = all[i] == GK_PURPOSE_SESSION || all[i] == GK_PURPOSE_SEED || all[i] == GK_PURPOSE_SERVER ||
                   all[i] == GK_PURPOSE_AGREED || all[i] == GK_PURPOSE_CONFIRM;

        ck_ok(gk_key_generate(&k, all[i], 1));
        ck_gk(gk_hmac_sha256(out, k, &part, 1), may ? GK_OK : GK_ERR_ARG);
        gk_key_free(k);
    }
}
END_TEST

static void *share(void *arg)
{
    gk_key *k = arg;
    uint8_t first[32];
    gk_bytes part = STR("the same from each thread");

    ck_ok(gk_hmac_sha256(first, k, &part, 1));
    for (size_t i = 0; i < 500; i++) {
        gk_key *mine = gk_key_ref(k);
        uint8_t again[32];

        ck_ok(gk_hmac_sha256(again, mine, &part, 1));
        ck_assert_mem_eq(again, first, 32);
        gk_key_free(mine);
    }
    gk_key_free(k); /* the thread's own reference; the last one wipes */
    return NULL;
}

START_TEST(threads_share_a_key)
{
    pthread_t threads[4];
    gk_key *k = NULL;

    ck_ok(gk_key_generate(&k, GK_PURPOSE_SESSION, 1));
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, share, gk_key_ref(k)), 0);
    gk_key_free(k);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static gk_err make_and_derive(void *arg)
{
    gk_key *seed = NULL;
    gk_key *session = NULL;
    uint8_t check[8];
    gk_err e = gk_key_generate(&seed, GK_PURPOSE_SEED, 1);

    (void)arg;
    if (e == GK_OK)
        e = gk_key_derive(&session, GK_PURPOSE_SESSION, 1, seed, STR("context"));
    if (e == GK_OK)
        e = gk_key_check_value(session, check);
    gk_key_free(session);
    gk_key_free(seed);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(make_and_derive, NULL), 4);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("key");
    TCase *t = tcase_create("key");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, purposes);
    tcase_add_test(t, new_checks_its_input);
    tcase_add_test(t, generated_keys_differ);
    tcase_add_test(t, derive_vectors);
    tcase_add_test(t, derive_refuses);
    tcase_add_test(t, hkdf_wycheproof);
    tcase_add_test(t, hmac_wycheproof);
    tcase_add_test(t, a_key_has_one_use);
    tcase_add_test(t, threads_share_a_key);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
