#include <ctype.h>
#include <stdio.h>

#include "gk_check.h"

#define LINES_MAX 2048 /* in one case */

typedef struct line {
    const char *attribute;
    char *value;
    bool used;
} line;

struct gk_vec {
    const char *file;
    char *text; /* the whole file; lines are cut in place */
    char *next;
    size_t line_no;
    size_t case_line;
    size_t cases;
    size_t n;
    line lines[LINES_MAX];
    char name[256];
};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

void gk_hex(uint8_t *out, size_t n, const char *hex)
{
    ck_assert_msg(strlen(hex) == 2 * n, "%zu hex digits for %zu bytes", strlen(hex), n);
    for (size_t i = 0; i < n; i++) {
        int high = digit(hex[2 * i]);
        int low = digit(hex[2 * i + 1]);

        ck_assert_msg(high >= 0 && low >= 0, "not hex: %s", hex);
        out[i] = (uint8_t)(high << 4 | low);
    }
}

gk_vec *gk_vec_open(const char *name)
{
    gk_vec *v = calloc(1, sizeof(*v));
    char path[512];
    FILE *f = NULL;
    long size = 0;

    ck_assert_ptr_nonnull(v);
    (void)snprintf(path, sizeof(path), "tests/vectors/%s", name);
    f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s cannot be opened: run from the repository's root", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    ck_assert_int_ge(size, 0);
    rewind(f);
    v->text = calloc(1, (size_t)size + 1);
    ck_assert_ptr_nonnull(v->text);
    ck_assert_uint_eq(fread(v->text, 1, (size_t)size, f), (size_t)size);
    (void)fclose(f);
    v->file = name;
    v->next = v->text;
    return v;
}

static char *trim(char *s)
{
    size_t n = 0;

    while (isspace((unsigned char)*s))
        s++;
    for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

static void all_used(const gk_vec *v)
{
    for (size_t i = 0; i < v->n; i++)
        ck_assert_msg(v->lines[i].used, "%s: attribute \"%s\" was not consumed by the test", v->name, v->lines[i].attribute);
}

bool gk_vec_next(gk_vec *v)
{
    all_used(v);
    v->n = 0;
    while (*v->next != '\0') {
        char *start = v->next;
        char *end = strchr(start, '\n');
        char *equals = NULL;

        v->next = end == NULL ? start + strlen(start) : end + 1;
        if (end != NULL)
            *end = '\0';
        v->line_no++;
        start = trim(start);
        if (*start == '#')
            continue;
        if (*start == '\0') {
            if (v->n > 0)
                break;
            continue;
        }
        equals = strchr(start, '=');
        ck_assert_msg(equals != NULL && v->n < LINES_MAX, "%s:%zu: not a line `attribute = value`", v->file, v->line_no);
        *equals = '\0';
        if (v->n == 0)
            v->case_line = v->line_no;
        v->lines[v->n++] = (line){.attribute = trim(start), .value = trim(equals + 1)};
    }
    (void)snprintf(v->name, sizeof(v->name), "%s:%zu", v->file, v->case_line);
    v->cases += v->n > 0;
    return v->n > 0;
}

const char *gk_vec_name(const gk_vec *v)
{
    return v->name;
}

static line *find(gk_vec *v, const char *attribute)
{
    for (size_t i = 0; i < v->n; i++) {
        if (!v->lines[i].used && strcmp(v->lines[i].attribute, attribute) == 0) {
            v->lines[i].used = true;
            return &v->lines[i];
        }
    }
    return NULL;
}

const char *gk_vec_opt(gk_vec *v, const char *attribute)
{
    line *l = find(v, attribute);

    return l == NULL ? NULL : l->value;
}

const char *gk_vec_str(gk_vec *v, const char *attribute)
{
    const char *value = gk_vec_opt(v, attribute);

    ck_assert_msg(value != NULL, "%s: no (further) attribute \"%s\"", v->name, attribute);
    return value;
}

gk_bytes gk_vec_hex(gk_vec *v, const char *attribute)
{
    line *l = find(v, attribute);
    size_t n = 0;

    ck_assert_msg(l != NULL, "%s: no (further) attribute \"%s\"", v->name, attribute);
    n = strlen(l->value);
    ck_assert_msg(n % 2 == 0, "%s: odd hex", v->name);
    for (size_t i = 0; i < n / 2; i++) { /* decoded where it stands, behind the reading position */
        char pair[3] = {l->value[2 * i], l->value[2 * i + 1], '\0'};

        gk_hex((uint8_t *)l->value + i, 1, pair);
    }
    return BYTES(l->value, n / 2);
}

uint64_t gk_vec_u64(gk_vec *v, const char *attribute)
{
    const char *value = gk_vec_str(v, attribute);
    char *end = NULL;
    unsigned long long n = strtoull(value, &end, 10);

    ck_assert_msg(*value != '\0' && *end == '\0', "%s: not a number: %s", v->name, value);
    return n;
}

size_t gk_vec_close(gk_vec *v)
{
    size_t cases = v->cases;

    all_used(v);
    ck_assert_msg(*v->next == '\0', "%s: cases are left", v->file);
    ck_assert_msg(cases > 0, "%s: no cases", v->file);
    free(v->text);
    free(v);
    return cases;
}
