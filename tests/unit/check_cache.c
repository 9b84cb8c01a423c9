#include <pthread.h>

#include "../../native/codec/gk_cache.h"
#include "support/gk_check.h"

static const uint8_t seed[16] = {1, 2, 3};
static const gk_bytes none = {NULL, 0};

static gk_cache *cache_of(size_t bytes)
{
    gk_cache *c = NULL;

    ck_ok(gk_cache_new(&c, bytes, seed));
    return c;
}

/* is_there: the value of key is want. */
static bool is_there(gk_cache *c, gk_bytes k1, gk_bytes k2, const char *want)
{
    uint8_t out[300];
    size_t n = 99999;

    if (!gk_cache_get(c, k1, k2, out, sizeof(out), &n)) {
        ck_assert_uint_eq(n, 99999);
        return false;
    }
    ck_assert(gk_bytes_equal(BYTES(out, n), STR(want)));
    return true;
}

START_TEST(keeps)
{
    for (int tags = 0; tags < 2; tags++) {
        gk_cache *c = cache_of(1 << 20);

        if (tags)
            gk_cache_hash_tags(c);
        ck_assert(!is_there(c, STR("key"), none, "value"));
        gk_cache_put(c, STR("key"), none, STR("val"), STR("ue"));
        ck_assert(is_there(c, STR("key"), none, "value") && is_there(c, STR("ke"), STR("y"), "value") && is_there(c, none, STR("key"), "value"));
        ck_assert(!is_there(c, STR("ke"), none, "value") && !is_there(c, STR("keyy"), none, "") && !is_there(c, none, none, ""));
        gk_cache_put(c, none, none, none, none); /* empty ones are as good as others */
        ck_assert(is_there(c, none, none, ""));
        for (int i = 0; i < 1000; i++) {
            char a[40], b[40], value[40];
            int n = snprintf(a, sizeof(a), "0123456789abcde%d", i);
            int m = snprintf(b, sizeof(b), "%d-0123456789abcdef", i);
            int k = snprintf(value, sizeof(value), "value %d", i);

            gk_cache_put(c, BYTES(a, (size_t)n), BYTES(b, (size_t)m), BYTES(value, (size_t)k), none);
            ck_assert(is_there(c, BYTES(a, (size_t)n), BYTES(b, (size_t)m), value));
        }
        gk_cache_free(c);
    }
}
END_TEST

START_TEST(too_small_output)
{
    gk_cache *c = cache_of(1 << 20);
    uint8_t out[8];
    size_t n = 0;

    gk_cache_put(c, STR("key"), none, STR("12345678"), none);
    for (size_t cap = 0; cap < 8; cap++)
        ck_assert(!gk_cache_get(c, STR("key"), none, out, cap, &n));
    ck_assert(gk_cache_get(c, STR("key"), none, out, 8, &n) && n == 8);
    gk_cache_free(c);
}
END_TEST

/* A cache of a given size never holds more; what was put last is there, in one that isn't too small for it. */
START_TEST(forgets)
{
    const size_t sizes[] = {0, 1, 100, 20000, 64 * 1024, 1 << 20};

    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        gk_cache *c = cache_of(sizes[k]);
        int found = 0;

        for (int i = 0; i < 20000; i++) {
            uint8_t value[200] = {0};
            char key[40];
            int n = snprintf(key, sizeof(key), "key %d", i);
            size_t got = 0;

            gk_cache_put(c, BYTES(key, (size_t)n), none, BYTES(value, (size_t)i % 200), none);
            if (i % 100 == 0)
                ck_assert_uint_le(gk_cache_used(c), sizes[k]);
            found += gk_cache_get(c, BYTES(key, (size_t)n), none, value, sizeof(value), &got) && got == (size_t)i % 200;
        }
        ck_assert_uint_le(gk_cache_used(c), sizes[k]);
        ck_assert_msg(sizes[k] < 64 * 1024 ? found == 0 : sizes[k] < 1 << 20 ? found > 2000 : found == 20000, "%zu: %d", sizes[k], found);
        gk_cache_free(c);
    }
}
END_TEST

START_TEST(large_entries)
{
    gk_cache *c = cache_of(1 << 20);
    uint8_t *value = calloc(1, 1 << 20);
    size_t n = 0;

    ck_assert_ptr_nonnull(value);
    gk_cache_put(c, STR("small"), none, STR("value"), none);
    for (size_t size = 1; size < 1 << 20; size *= 2) { /* an entry that would push everything else out isn't kept */
        gk_cache_put(c, BYTES(value, 16), BYTES(value, 16), BYTES(value, size), none);
        gk_cache_put(c, BYTES(value, size), none, none, none);
    }
    ck_assert(gk_cache_get(c, STR("small"), none, value, 100, &n));
    ck_assert_uint_le(gk_cache_used(c), 1 << 20);
    gk_cache_free(c);
    free(value);
}
END_TEST

START_TEST(a_key_stands_once)
{
    gk_cache *c = cache_of(1 << 20);

    gk_cache_put(c, STR("key"), none, STR("value"), none);
    size_t used = gk_cache_used(c);
    for (int i = 0; i < 100; i++)
        gk_cache_put(c, STR("k"), STR("ey"), STR("value"), none);
    ck_assert_uint_eq(gk_cache_used(c), used);
    gk_cache_free(c);
}
END_TEST

static void *hammer(void *arg)
{
    gk_cache *c = arg;
    uint64_t x = (uint64_t)(uintptr_t)&x;

    for (int i = 0; i < 20000; i++) {
        uint64_t value = 0;
        size_t n = 0;

        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t key[4] = {x >> 54, x >> 54, x >> 54, x >> 54};
        if (gk_cache_get(c, BYTES(key, 16), BYTES(key, 16), (uint8_t *)&value, sizeof(value), &n) && (n != 8 || value != key[0] * 3))
            return arg;
        value = key[0] * 3;
        gk_cache_put(c, BYTES(key, 16), BYTES(key, 16), BYTES(&value, 8), none);
        if (i % 1000 == 0)
            (void)gk_cache_used(c);
    }
    return NULL;
}

START_TEST(threads)
{
    gk_cache *c = cache_of(40000);
    pthread_t t[4];

    gk_cache_hash_tags(c);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, c), 0);
    for (size_t i = 0; i < 4; i++) {
        void *wrong = c;

        ck_assert_int_eq(pthread_join(t[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_le(gk_cache_used(c), 40000);
    gk_cache_free(c);
}
END_TEST

static gk_err make_and_use(void *arg)
{
    gk_cache *c = NULL;
    gk_err e = gk_cache_new(&c, 1 << 20, seed);

    (void)arg;
    for (uint32_t i = 0, value; i < 1000 && e == GK_OK; i++) { /* so many that its tables grow twice */
        size_t n;

        gk_cache_put(c, BYTES(&i, sizeof(i)), none, BYTES(&i, sizeof(i)), none); /* may fail: nothing depends on it */
        for (uint32_t j = i / 3; j <= i; j += i / 3 + 1)
            if (gk_cache_get(c, BYTES(&j, sizeof(j)), none, (uint8_t *)&value, sizeof(value), &n) && value != j)
                e = GK_ERR_STATE;
    }
    gk_cache_free(c);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(make_and_use, NULL), 66 + 1000 + 64);
    gk_cache_free(NULL);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("cache");
    TCase *t = tcase_create("cache");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, keeps);
    tcase_add_test(t, too_small_output);
    tcase_add_test(t, forgets);
    tcase_add_test(t, large_entries);
    tcase_add_test(t, a_key_stands_once);
    tcase_add_test(t, threads);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
