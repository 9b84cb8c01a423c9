#include "gk_bytes.h"

#include <openssl/crypto.h>
#include <string.h>

/* --- reader ------------------------------------------------------------------------------------------------------------- */

gk_reader gk_reader_of(const void *p, size_t n)
{
    return (gk_reader){.p = p, .n = p == NULL ? 0 : n};
}

/* The one place that advances a reader: everything below reads through it. */
static const uint8_t *take(gk_reader *r, size_t n)
{
    static const uint8_t nothing[1];
    const uint8_t *p = r->p;

    if (n > r->n)
        return NULL;
    if (n == 0)
        return p == NULL ? nothing : p; /* arithmetic on NULL is undefined, even with 0 */
    r->p += n;
    r->n -= n;
    return p;
}

static gk_err read_uint(gk_reader *r, size_t width, uint64_t *out)
{
    const uint8_t *p = take(r, width);
    uint64_t v = 0;

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    for (size_t i = 0; i < width; i++)
        v = v << 8 | p[i];
    *out = v;
    return GK_OK;
}

gk_err gk_reader_u8(gk_reader *r, uint8_t *out)
{
    uint64_t v = 0;
    gk_err e = read_uint(r, 1, &v);

    if (e == GK_OK)
        *out = (uint8_t)v;
    return e;
}

gk_err gk_reader_u16(gk_reader *r, uint16_t *out)
{
    uint64_t v = 0;
    gk_err e = read_uint(r, 2, &v);

    if (e == GK_OK)
        *out = (uint16_t)v;
    return e;
}

gk_err gk_reader_u32(gk_reader *r, uint32_t *out)
{
    uint64_t v = 0;
    gk_err e = read_uint(r, 4, &v);

    if (e == GK_OK)
        *out = (uint32_t)v;
    return e;
}

gk_err gk_reader_u64(gk_reader *r, uint64_t *out)
{
    return read_uint(r, 8, out);
}

gk_err gk_reader_take(gk_reader *r, gk_bytes *out, size_t n)
{
    const uint8_t *p = take(r, n);

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    *out = (gk_bytes){.p = p, .n = n};
    return GK_OK;
}

gk_err gk_reader_copy(gk_reader *r, void *out, size_t n)
{
    const uint8_t *p = take(r, n);

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    if (n > 0)
        memcpy(out, p, n);
    return GK_OK;
}

gk_err gk_reader_end(const gk_reader *r)
{
    return r->n == 0 ? GK_OK : GK_ERR_MALFORMED;
}

/* --- writer ------------------------------------------------------------------------------------------------------------- */

gk_writer gk_writer_of(void *p, size_t cap)
{
    return (gk_writer){.p = p, .cap = p == NULL ? 0 : cap, .len = 0, .err = GK_OK};
}

/* The one place that advances a writer. len saturates instead of wrapping, so that a sum of sizes never looks small. */
uint8_t *gk_writer_reserve(gk_writer *w, size_t n)
{
    static uint8_t nothing[1];
    size_t at = w->len;

    if (n > SIZE_MAX - at) {
        w->len = SIZE_MAX;
        if (w->err == GK_OK)
            w->err = GK_ERR_SPACE;
        return NULL;
    }
    w->len = at + n;
    if (w->err == GK_OK && (at > w->cap || n > w->cap - at))
        w->err = GK_ERR_SPACE;
    if (w->err != GK_OK)
        return NULL;
    return w->p == NULL ? nothing : w->p + at;
}

static void write_uint(uint8_t *p, size_t width, uint64_t v)
{
    for (size_t i = width; i-- > 0; v >>= 8)
        p[i] = (uint8_t)v;
}

static void put_uint(gk_writer *w, size_t width, uint64_t v)
{
    uint8_t *p = gk_writer_reserve(w, width);

    if (p != NULL)
        write_uint(p, width, v);
}

void gk_writer_u8(gk_writer *w, uint8_t v)
{
    put_uint(w, 1, v);
}

void gk_writer_u16(gk_writer *w, uint16_t v)
{
    put_uint(w, 2, v);
}

void gk_writer_u32(gk_writer *w, uint32_t v)
{
    put_uint(w, 4, v);
}

void gk_writer_u64(gk_writer *w, uint64_t v)
{
    put_uint(w, 8, v);
}

void gk_writer_put(gk_writer *w, const void *p, size_t n)
{
    uint8_t *out = gk_writer_reserve(w, n);

    if (out != NULL && n > 0)
        memcpy(out, p, n);
}

void gk_writer_patch_u32(gk_writer *w, size_t at, uint32_t v)
{
    if (w->err != GK_OK)
        return;
    if (w->len < 4 || at > w->len - 4) {
        w->err = GK_ERR_ARG;
        return;
    }
    write_uint(w->p + at, 4, v);
}

/* --- comparing and wiping ------------------------------------------------------------------------------------------------ */

bool gk_bytes_equal(gk_bytes a, gk_bytes b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void gk_wipe(void *p, size_t n)
{
    if (p != NULL && n > 0)
        explicit_bzero(p, n);
}
