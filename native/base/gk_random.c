#include "gk_random.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gk_bytes.h"

#define PAGE_BYTES 4096

/* The state lives in the page that a fork clears: a child sees left = 0, and takes fresh bytes. */
typedef struct gk_pool {
    size_t left; /* unused bytes, at the end of bytes */
    pid_t pid;   /* the process that filled it, where a fork doesn't clear the page */
    uint8_t bytes[PAGE_BYTES - 16];
} gk_pool;

_Static_assert(sizeof(gk_pool) <= PAGE_BYTES, "the pool is one page");

struct gk_random {
    gk_pool *pool;
    bool wiped; /* a fork clears it: Linux 4.14 and later. Else the process id tells, a system call for each use. */
};

static gk_err fill_directly(uint8_t *p, size_t n)
{
    while (n > 0) {
        int k = n > INT_MAX ? INT_MAX : (int)n;

        if (RAND_bytes(p, k) != 1) {
            ERR_clear_error();
            return GK_ERR_CRYPTO;
        }
        p += k;
        n -= (size_t)k;
    }
    return GK_OK;
}

gk_err gk_random_new(gk_random **out)
{
    gk_random *r = NULL;
    void *page = NULL;

    *out = NULL;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return GK_ERR_NOMEM;
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        free(r);
        return GK_ERR_NOMEM;
    }
    r->wiped = madvise(page, PAGE_BYTES, MADV_WIPEONFORK) == 0;
    (void)madvise(page, PAGE_BYTES, MADV_DONTDUMP); /* best effort: without it a core holds bytes not yet used */
    r->pool = page;
    *out = r;
    return GK_OK;
}

static gk_err refill(gk_pool *pool, pid_t pid)
{
    gk_err e = fill_directly(pool->bytes, sizeof(pool->bytes));

    if (e != GK_OK) {
        gk_wipe(pool->bytes, sizeof(pool->bytes));
        pool->left = 0;
        return e;
    }
    pool->left = sizeof(pool->bytes);
    pool->pid = pid;
    return GK_OK;
}

gk_err gk_random_fill(gk_random *r, void *p, size_t n)
{
    gk_pool *pool = r->pool;
    pid_t pid = r->wiped ? 0 : getpid();
    gk_err e = GK_OK;
    uint8_t *from = NULL;

    if (n == 0)
        return GK_OK;
    if (n > sizeof(pool->bytes))
        e = fill_directly(p, n);
    else if (pool->pid != pid || pool->left < n)
        e = refill(pool, pid);
    if (e != GK_OK) {
        gk_wipe(p, n);
        return e;
    }
    if (n > sizeof(pool->bytes))
        return GK_OK;
    from = pool->bytes + sizeof(pool->bytes) - pool->left;
    memcpy(p, from, n);
    gk_wipe(from, n);
    pool->left -= n;
    return GK_OK;
}

void gk_random_free(gk_random *r)
{
    if (r == NULL)
        return;
    gk_wipe(r->pool, PAGE_BYTES);
    (void)munmap(r->pool, PAGE_BYTES);
    free(r);
}
