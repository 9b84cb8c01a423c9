/* Runs a fuzz target over files and folders of inputs, without a fuzzing engine: corpora are replayed in every test run, under gcc. Besides
 * each input as it is, every truncation and every byte flip of the small ones. usage: fuzz_x-replay FILE|FOLDER... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SMALL 2048 /* inputs up to this size are also changed at each byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static size_t inputs;
static size_t runs;

/* run_exact gives the target a buffer of exactly n bytes, so that a sanitizer sees each byte read beyond it. */
static void run_exact(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    if (copy == NULL)
        abort();
    if (n > 0)
        memcpy(copy, p, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    runs++;
}

static void run_mutations(uint8_t *p, size_t n)
{
    inputs++;
    run_exact(p, n);
    if (n > SMALL)
        return;
    for (size_t i = 0; i < n; i++) {
        run_exact(p, i);
        p[i] ^= 0xff;
        run_exact(p, n);
        p[i] ^= 0xfe; /* a change of the lowest bit alone */
        run_exact(p, n);
        p[i] ^= 0x01;
    }
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *buf = NULL;
    size_t n = 0;
    size_t cap = 0;

    if (f == NULL) {
        perror(path);
        return 1;
    }
    for (;;) {
        if (n == cap) {
            uint8_t *more = realloc(buf, cap = cap * 2 + 4096);

            if (more == NULL)
                abort();
            buf = more;
        }
        size_t k = fread(buf + n, 1, cap - n, f);

        if (k == 0)
            break;
        n += k;
    }
    (void)fclose(f);
    run_mutations(buf, n);
    free(buf);
    return 0;
}

static int run_path(const char *path)
{
    struct stat st;
    DIR *d = NULL;
    int failed = 0;

    if (stat(path, &st) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    d = opendir(path);
    if (d == NULL) {
        perror(path);
        return 1;
    }
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char child[4096];

        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
        failed |= run_path(child);
    }
    (void)closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (LLVMFuzzerInitialize != NULL)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        failed |= run_path(argv[i]);
    printf("%zu inputs, %zu runs\n", inputs, runs);
    return failed != 0 || inputs == 0;
}
