#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "gk_check.h"
#include "gk_fault_internal.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at);
int __real_posix_memalign(void **out, size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at);
int __wrap_posix_memalign(void **out, size_t alignment, size_t n);

/* Allocations until the one that fails; 0 = not armed. Atomic because tests with threads allocate as well. */
static atomic_ulong left;
static atomic_bool fired;

static bool fails(void)
{
    unsigned long n = atomic_load(&left);

    while (n > 0) {
        if (atomic_compare_exchange_weak(&left, &n, n - 1)) {
            if (n == 1)
                atomic_store(&fired, true);
            return n == 1;
        }
    }
    return false;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
    return fails() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
    return fails() ? MAP_FAILED : __real_mmap(p, n, prot, flags, fd, at);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t n)
{
    return fails() ? ENOMEM : __real_posix_memalign(out, alignment, n);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n == 0 ? NULL : __wrap_malloc(n);
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return __wrap_realloc(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

int gk_fault_install(void)
{
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1 ? 0 : -1;
}

void gk_fault_arm(unsigned long n)
{
    atomic_store(&fired, false);
    atomic_store(&left, n);
}

bool gk_fault_disarm(void)
{
    atomic_store(&left, 0);
    return atomic_load(&fired);
}

unsigned long gk_fault_each(gk_err (*f)(void *arg), void *arg)
{
    const unsigned long bound = 100000; /* more than any of ours allocates: the loop below must come to its end */

    /* What OpenSSL sets up once per process would remember a failure for ever; it isn't what is tested here. */
    ck_ok(f(arg));
    for (unsigned long n = 1; n < bound; n++) {
        gk_err e = GK_OK;

        gk_fault_arm(n);
        e = f(arg);
        if (!gk_fault_disarm()) {
            ck_ok(e);
            return n - 1;
        }
        ck_assert_msg(e == GK_OK || e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO, "allocation %lu failed, and the error is \"%s\"", n,
                      gk_err_str(e));
        ERR_clear_error();
    }
    ck_abort_msg("no end of allocations");
    return 0;
}
