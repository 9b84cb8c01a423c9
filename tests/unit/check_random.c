#include <sys/wait.h>
#include <unistd.h>

#include "../../native/base/gk_random.h"
#include "support/gk_check.h"

START_TEST(fills_all_sizes)
{
    gk_random *r = NULL;
    uint8_t *buf = calloc(1, 20001);

    ck_assert_ptr_nonnull(buf);
    ck_ok(gk_random_new(&r));
    for (size_t n = 0; n < 20000; n = n * 2 + 1) {
        memset(buf, 0, n);
        buf[n] = 0xee;
        ck_ok(gk_random_fill(r, buf, n));
        ck_assert_uint_eq(buf[n], 0xee);
        if (n >= 16) { /* 2^-64 that a good generator fails here */
            uint8_t zero[8] = {0};

            ck_assert_mem_ne(buf, zero, 8);
            ck_assert_mem_ne(buf + n - 8, zero, 8);
        }
    }
    gk_random_free(r);
    gk_random_free(NULL);
    free(buf);
}
END_TEST

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

/* Nothing is handed out twice: 24-byte nonces, over many refills. */
START_TEST(never_repeats)
{
    enum { N = 5000 };
    static uint64_t seen[N];
    gk_random *r = NULL;

    ck_ok(gk_random_new(&r));
    for (size_t i = 0; i < N; i++) {
        uint64_t nonce[3];

        ck_ok(gk_random_fill(r, nonce, sizeof(nonce)));
        seen[i] = nonce[1];
    }
    qsort(seen, N, sizeof(seen[0]), ascending);
    for (size_t i = 1; i < N; i++)
        ck_assert(seen[i - 1] < seen[i]);
    gk_random_free(r);
}
END_TEST

START_TEST(a_child_gets_other_bytes)
{
    gk_random *r = NULL;
    uint8_t mine[32];
    uint8_t childs[32] = {0};
    int ends[2];
    int status = 0;
    pid_t pid = 0;

    ck_ok(gk_random_new(&r));
    ck_ok(gk_random_fill(r, mine, 8)); /* so that bytes lie ready, in both processes if the page were copied */
    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        uint8_t out[32];
        bool ok = gk_random_fill(r, out, sizeof(out)) == GK_OK && write(ends[1], out, sizeof(out)) == sizeof(out);

        _exit(ok ? 0 : 1);
    }
    ck_ok(gk_random_fill(r, mine, sizeof(mine)));
    ck_assert_int_eq(read(ends[0], childs, sizeof(childs)), sizeof(childs));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_mem_ne(mine, childs, sizeof(mine));
    gk_random_free(r);
}
END_TEST

static gk_err make_and_fill(void *arg)
{
    gk_random *r = NULL;
    uint8_t out[32];
    gk_err e = gk_random_new(&r);

    (void)arg;
    if (e == GK_OK)
        e = gk_random_fill(r, out, sizeof(out));
    gk_random_free(r);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(make_and_fill, NULL), 2);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("random");
    TCase *t = tcase_create("random");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, fills_all_sizes);
    tcase_add_test(t, never_repeats);
    tcase_add_test(t, a_child_gets_other_bytes);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
