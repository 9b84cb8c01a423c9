/* failmalloc: LD_PRELOAD it into a server, and allocations that libgroupkeeper.so (with its own libcrypto) makes fail, those of nobody else.
 * FAILMALLOC names a file of two 32-bit numbers in the machine's order, mapped and read at each allocation: N, every N-th one fails, 0 none;
 * how many failed so far. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIBRARY "libgroupkeeper.so"

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t k, size_t n);
extern void *__libc_realloc(void *p, size_t n);

static struct {
    _Atomic uint32_t every, failed;
} *control;
static _Atomic uintptr_t begin, end;
static _Atomic uint32_t count;

static int find(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    const char *name = strrchr(info->dlpi_name, '/');
    if (!name || strcmp(name + 1, LIBRARY) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            atomic_store(&end, at + info->dlpi_phdr[i].p_memsz);
            atomic_store(&begin, at);
        }
    }
    return 1;
}

/* The JVM loads it by dlopen: its place is known from then on. */
void *dlopen(const char *path, int flags)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    void *handle = next(path, flags);
    const char *file = getenv("FAILMALLOC");
    if (handle && path && file && strstr(path, LIBRARY)) {
        int fd = open(file, O_RDWR | O_CLOEXEC);
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd >= 0)
            close(fd);
        control = p == MAP_FAILED ? NULL : p;
        if (control)
            dl_iterate_phdr(find, NULL);
    }
    return handle;
}

static int fails(const void *caller)
{
    uintptr_t from = (uintptr_t)caller, first = atomic_load_explicit(&begin, memory_order_acquire);
    if (first == 0 || from < first || from >= atomic_load(&end))
        return 0;
    uint32_t every = atomic_load(&control->every);
    if (every == 0 || atomic_fetch_add(&count, 1) % every != 0)
        return 0;
    atomic_fetch_add(&control->failed, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t k, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(k, n);
}

void *realloc(void *p, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (!next)
        next = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    return fails(__builtin_return_address(0)) ? MAP_FAILED : next(p, n, prot, flags, fd, at);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    static int (*next)(void **, size_t, size_t);
    if (!next)
        next = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
    return fails(__builtin_return_address(0)) ? ENOMEM : next(out, alignment, n);
}
