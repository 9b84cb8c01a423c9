#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../native/crypto/gk_arena.h"
#include "../../native/crypto/gk_key.h"
#include "support/gk_check.h"

/* Every size is writable in full, aligned, and distinct from its neighbours. */
START_TEST(holds_all_sizes)
{
    enum { N = 400 };
    static uint8_t *p[N];

    for (size_t i = 0; i < N; i++) {
        p[i] = gk_arena_alloc(i * i + 1);
        ck_assert_ptr_nonnull(p[i]);
        ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)(i & 0xff), i * i + 1);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j <= i * i; j += i / 2 + 1)
            ck_assert_uint_eq(p[i][j], i & 0xff);
        gk_arena_free(p[i]);
    }
    gk_arena_free(NULL);
    ck_assert_ptr_null(gk_arena_alloc(0));
    ck_assert_ptr_null(gk_arena_alloc(SIZE_MAX));
}
END_TEST

START_TEST(realloc_keeps_contents)
{
    uint8_t *p = gk_arena_realloc(NULL, 10);

    ck_assert_ptr_nonnull(p);
    memset(p, 7, 10);
    for (size_t n = 11; n < 200000; n = n * 3 / 2) {
        p = gk_arena_realloc(p, n);
        ck_assert_ptr_nonnull(p);
        for (size_t i = 0; i < 10; i++)
            ck_assert_uint_eq(p[i], 7);
    }
    ck_assert_ptr_null(gk_arena_realloc(p, 0));
}
END_TEST

/* What is freed is wiped: the block comes back for the next request of its size, without its old contents. */
START_TEST(free_wipes)
{
    uint8_t *p = gk_arena_alloc(100);

    ck_assert_ptr_nonnull(p);
    memset(p, 0xa5, 100);
    gk_arena_free(p);
    uint8_t *q = gk_arena_alloc(100);
    ck_assert_ptr_eq(q, p);
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(q[i], 0);
    gk_arena_free(q);
}
END_TEST

/* A large block's pages go back; both counts follow. */
START_TEST(counts_pages)
{
    size_t taken, locked, taken2, locked2;

    gk_arena_stats(&taken, &locked);
    ck_assert_uint_le(locked, taken);
    void *p = gk_arena_alloc(1 << 20);
    ck_assert_ptr_nonnull(p);
    gk_arena_stats(&taken2, &locked2);
    ck_assert_uint_ge(taken2, taken + (1 << 20));
    gk_arena_free(p);
    gk_arena_stats(&taken2, &locked2);
    ck_assert_uint_eq(taken2, taken);
    ck_assert_uint_eq(locked2, locked);
}
END_TEST

/* Installed in a child, before libcrypto was used there: keys and contexts land in the arena, a grandchild sees zeros. */
START_TEST(holds_libcrypto)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        size_t before, after, locked;
        gk_key *k = NULL;
        if (gk_arena_install(true) != GK_OK)
            _exit(1);
        gk_arena_stats(&before, &locked);
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        if (!c || gk_key_generate(&k, GK_PURPOSE_NAME, 1) != GK_OK)
            _exit(2);
        gk_arena_stats(&after, &locked);
        if (after <= before)
            _exit(3);
        uint8_t *secret = gk_arena_alloc(32);
        if (!secret)
            _exit(4);
        memset(secret, 0x5a, 32);
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(secret[0] == 0 && secret[31] == 0 ? 0 : 5);
        int status = 0;
        waitpid(grandchild, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("arena");
    TCase *t = tcase_create("arena");

    tcase_add_test(t, holds_all_sizes);
    tcase_add_test(t, realloc_keeps_contents);
    tcase_add_test(t, free_wipes);
    tcase_add_test(t, counts_pages);
    tcase_add_test(t, holds_libcrypto);
    suite_add_tcase(s, t);
    return s;
}
