#include <pthread.h>

#include "../../native/codec/gk_lists.h"
#include "support/gk_check.h"

static const uint8_t seed[16] = {4, 5, 6};

static gk_lists *lists_of(size_t bytes)
{
    gk_lists *c = NULL;

    ck_ok(gk_lists_new(&c, bytes, seed));
    return c;
}

/* is_there: stored and plain of key are these; NULL: there is none. */
static bool is_there(gk_lists *c, gk_bytes key, const char *stored, const char *plain)
{
    const gk_list *l = gk_lists_find(c, key);
    bool same = l ? stored && gk_bytes_equal(l->stored, STR(stored)) && gk_bytes_equal(l->plain, STR(plain)) : stored == NULL;

    gk_lists_release(c, l);
    return same;
}

START_TEST(the_last_one)
{
    gk_lists *c = lists_of(1 << 16);
    char long_key[GK_LISTS_KEY + 1] = "";

    ck_assert(is_there(c, STR("a"), NULL, NULL));
    gk_lists_put(c, STR("a"), STR("stored"), STR("plain"));
    gk_lists_put(c, STR("ab"), STR("other"), STR(""));
    ck_assert(is_there(c, STR("a"), "stored", "plain") && is_there(c, STR("ab"), "other", "") && is_there(c, STR("b"), NULL, NULL));
    gk_lists_put(c, STR("a"), STR("later"), STR("now"));
    ck_assert(is_there(c, STR("a"), "later", "now") && is_there(c, STR("ab"), "other", ""));
    gk_lists_put(c, BYTES(long_key, GK_LISTS_KEY), STR("x"), STR("y"));
    ck_assert(is_there(c, BYTES(long_key, GK_LISTS_KEY), "x", "y"));
    gk_lists_put(c, BYTES(long_key, GK_LISTS_KEY + 1), STR("x"), STR("y")); /* longer than any key can be */
    ck_assert(is_there(c, BYTES(long_key, GK_LISTS_KEY + 1), NULL, NULL));
    gk_lists_free(c);
    gk_lists_free(NULL);
}
END_TEST

/* What is held stays as it was while others replace and evict it, and is counted until it is given back. */
START_TEST(held)
{
    static const uint8_t big[20000];
    gk_lists *c = lists_of(60000);

    gk_lists_put(c, STR("a"), BYTES(big, sizeof(big)), STR("plain"));
    const gk_list *l = gk_lists_find(c, STR("a"));
    size_t used = gk_lists_used(c);
    gk_lists_put(c, STR("a"), STR("later"), STR("now"));
    ck_assert_uint_gt(gk_lists_used(c), used);
    ck_assert(is_there(c, STR("a"), "later", "now"));
    for (char key[2] = "b"; key[0] < 'n'; key[0]++) {
        gk_lists_put(c, STR(key), BYTES(big, sizeof(big)), STR("plain"));
        ck_assert_uint_le(gk_lists_used(c), 60000);
    }
    ck_assert(l->stored.n == sizeof(big) && gk_bytes_equal(l->plain, STR("plain")));
    used = gk_lists_used(c);
    gk_lists_release(c, l);
    ck_assert_uint_le(gk_lists_used(c), used - sizeof(big));
    gk_lists_free(c);
}
END_TEST

/* When all that is there is held, nothing more is kept: the bound holds. */
START_TEST(all_held)
{
    static const uint8_t big[25000];
    const gk_list *l[2];
    gk_lists *c = lists_of(60000);

    gk_lists_put(c, STR("a"), BYTES(big, sizeof(big)), STR(""));
    l[0] = gk_lists_find(c, STR("a"));
    gk_lists_put(c, STR("b"), BYTES(big, sizeof(big)), STR(""));
    l[1] = gk_lists_find(c, STR("b"));
    size_t used = gk_lists_used(c);
    gk_lists_put(c, STR("c"), BYTES(big, sizeof(big)), STR(""));
    ck_assert_uint_eq(gk_lists_used(c), used);
    ck_assert(is_there(c, STR("c"), NULL, NULL));
    gk_lists_release(c, l[0]);
    gk_lists_release(c, l[1]);
    ck_assert_uint_eq(gk_lists_used(c), 0);
    gk_lists_put(c, STR("c"), STR("x"), STR("y"));
    ck_assert(is_there(c, STR("c"), "x", "y"));
    gk_lists_free(c);
}
END_TEST

/* Never more than the bound; what was used longest ago goes; too large ones, and any in none, aren't kept. */
START_TEST(bounded)
{
    static uint8_t data[4096];
    const size_t sizes[] = {0, 100, 2000, 10000, 100000};

    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        gk_lists *c = lists_of(sizes[k]);

        for (int i = 0; i < 2000; i++) {
            gk_lists_put(c, BYTES(&i, sizeof(i)), BYTES(data, (size_t)i * 7 % sizeof(data)), BYTES(data, (size_t)i % 200));
            ck_assert_uint_le(gk_lists_used(c), sizes[k]);
        }
        ck_assert((gk_lists_used(c) > 0) == (sizes[k] > 2000));
        gk_lists_free(c);
    }
    gk_lists *c = lists_of(18000);
    for (int i = 0; i < 40; i++) {
        gk_lists_put(c, BYTES(&i, sizeof(i)), BYTES(data, sizeof(data)), STR(""));
        int first = 0, last = i;
        const gk_list *l = gk_lists_find(c, BYTES(&first, sizeof(first))); /* used all the time */
        ck_assert_ptr_nonnull(l);
        gk_lists_release(c, l);
        l = gk_lists_find(c, BYTES(&last, sizeof(last)));
        ck_assert_ptr_nonnull(l);
        gk_lists_release(c, l);
    }
    gk_lists_put(c, STR("large"), BYTES(data, sizeof(data)), BYTES(data, sizeof(data)));
    gk_lists_put(c, STR("small"), STR("x"), STR("y"));
    ck_assert(is_there(c, STR("large"), NULL, NULL) && is_there(c, STR("small"), "x", "y"));
    gk_lists_free(c);
}
END_TEST

static void *hammer(void *arg)
{
    gk_lists *c = arg;
    uint8_t data[600];
    uintptr_t wrong = 0;

    for (unsigned i = 0; i < 20000; i++) {
        uint8_t key = (uint8_t)(i * 7 % 40);
        const gk_list *l = gk_lists_find(c, BYTES(&key, 1));

        for (size_t j = 0; l && j < l->plain.n; j += 50)
            wrong += l->plain.p[j] != key || l->stored.p[j] != 255 - key;
        gk_lists_release(c, l);
        memset(data, key, 300);
        memset(data + 300, 255 - key, 300);
        gk_lists_put(c, BYTES(&key, 1), BYTES(data + 300, 300), BYTES(data, 100 + i % 200));
    }
    return (void *)wrong;
}

START_TEST(threads)
{
    gk_lists *c = lists_of(10000);
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, c), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;

        ck_assert_int_eq(pthread_join(t[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_le(gk_lists_used(c), 10000);
    gk_lists_free(c);
}
END_TEST

static gk_err faulty(void *arg)
{
    gk_lists *c = NULL;
    gk_err e = gk_lists_new(&c, 10000, seed);

    (void)arg;
    if (e != GK_OK)
        return e;
    gk_lists_put(c, STR("key"), STR("stored"), STR("plain")); /* may fail: nothing depends on it */
    e = is_there(c, STR("key"), "stored", "plain") || is_there(c, STR("key"), NULL, NULL) ? GK_OK : GK_ERR_STATE;
    gk_lists_free(c);
    return e;
}

START_TEST(allocations_fail)
{
    ck_assert_uint_eq(gk_fault_each(faulty, NULL), 2);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("lists");
    TCase *t = tcase_create("lists");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_last_one);
    tcase_add_test(t, held);
    tcase_add_test(t, all_held);
    tcase_add_test(t, bounded);
    tcase_add_test(t, threads);
    tcase_add_test(t, allocations_fail);
    suite_add_tcase(s, t);
    return s;
}
