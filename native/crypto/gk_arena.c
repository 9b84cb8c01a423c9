#include "gk_arena.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK ((size_t)64 << 10) /* also the memory that containers let a process lock by default */
#define MIN_SHIFT 5              /* blocks of 32 bytes ... */
#define MAX_SHIFT 15             /* ... to 32 KiB, powers of two; larger ones get pages of their own */
#define CLASSES (MAX_SHIFT - MIN_SHIFT + 1)
#define LARGE CLASSES
#define LARGE_LOCKED (CLASSES + 1)
#define PAGE ((size_t)4096)

/* Each block begins with its size; the caller's part follows, aligned to 16. */
typedef struct block {
    union {
        struct block *next; /* in a free list */
        size_t size;        /* of the whole block, when it is in use */
    };
    size_t class;
} block;

_Static_assert(sizeof(block) == 16, "the caller's part is aligned to 16");

static struct {
    pthread_mutex_t lock;
    block *free_blocks[CLASSES];
    uint8_t *chunk; /* the part of the newest chunk that no block has had */
    size_t chunk_n;
    size_t taken, locked;
    bool want_lock;
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* take_pages: all but mlock is best effort without a count; on a kernel without these flags a core or a child holds more. */
static void *take_pages(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, n, MADV_DONTDUMP);
    (void)madvise(p, n, MADV_WIPEONFORK);
    arena.taken += n;
    if (arena.want_lock && mlock(p, n) == 0)
        arena.locked += n;
    return p;
}

static size_t class_of(size_t size)
{
    size_t c = 0;
    while (c < CLASSES && ((size_t)1 << (MIN_SHIFT + c)) < size)
        c++;
    return c; /* CLASSES is LARGE */
}

static block *take_small(size_t class)
{
    size_t size = (size_t)1 << (MIN_SHIFT + class);
    block *b = arena.free_blocks[class];
    if (b) {
        arena.free_blocks[class] = b->next;
        return b;
    }
    if (arena.chunk_n < size) { /* the rest of the old chunk, less than one block, is given up */
        if (!(arena.chunk = take_pages(CHUNK))) {
            arena.chunk_n = 0;
            return NULL;
        }
        arena.chunk_n = CHUNK;
    }
    b = (block *)(void *)arena.chunk;
    arena.chunk += size;
    arena.chunk_n -= size;
    return b;
}

void *gk_arena_alloc(size_t n)
{
    if (n == 0 || n > SIZE_MAX / 2)
        return NULL;
    size_t size = n + sizeof(block), class = class_of(size);
    pthread_mutex_lock(&arena.lock);
    if (class == LARGE)
        size = (size + PAGE - 1) & ~(PAGE - 1);
    else
        size = (size_t)1 << (MIN_SHIFT + class);
    size_t locked = arena.locked;
    block *b = class == LARGE ? take_pages(size) : take_small(class);
    if (b) {
        b->size = size;
        b->class = class == LARGE && arena.locked != locked ? LARGE_LOCKED : class;
    }
    pthread_mutex_unlock(&arena.lock);
    return b ? b + 1 : NULL;
}

void gk_arena_free(void *p)
{
    if (!p)
        return;
    block *b = (block *)p - 1;
    size_t size = b->size, class = b->class;
    gk_wipe(p, size - sizeof *b);
    pthread_mutex_lock(&arena.lock);
    if (class >= LARGE) {
        arena.taken -= size;
        if (class == LARGE_LOCKED)
            arena.locked -= size;
        munmap(b, size);
    } else {
        b->next = arena.free_blocks[class];
        arena.free_blocks[class] = b;
    }
    pthread_mutex_unlock(&arena.lock);
}

void *gk_arena_realloc(void *p, size_t n)
{
    if (!p)
        return gk_arena_alloc(n);
    if (n == 0) {
        gk_arena_free(p);
        return NULL;
    }
    size_t has = ((block *)p - 1)->size - sizeof(block);
    if (n <= has)
        return p;
    void *q = gk_arena_alloc(n);
    if (!q)
        return NULL;
    memcpy(q, p, has);
    gk_arena_free(p);
    return q;
}

void gk_arena_stats(size_t *taken, size_t *locked)
{
    pthread_mutex_lock(&arena.lock);
    *taken = arena.taken;
    *locked = arena.locked;
    pthread_mutex_unlock(&arena.lock);
}

/* libcrypto's allocator takes a file and a line, for debugging. */
static void *crypto_alloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return gk_arena_alloc(n);
}

static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return gk_arena_realloc(p, n);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    gk_arena_free(p);
}

gk_err gk_arena_install(bool lock)
{
    arena.want_lock = lock;
    return CRYPTO_set_mem_functions(crypto_alloc, crypto_realloc, crypto_free) == 1 ? GK_OK : GK_ERR_STATE;
}
