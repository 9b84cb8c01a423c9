#include "gk_bytes.h"

#include <endian.h>
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

gk_err gk_reader_u8(gk_reader *r, uint8_t *out)
{
    const uint8_t *p = take(r, 1);

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    *out = p[0];
    return GK_OK;
}

gk_err gk_reader_u16(gk_reader *r, uint16_t *out)
{
    const uint8_t *p = take(r, 2);

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    *out = (uint16_t)(p[0] << 8 | p[1]);
    return GK_OK;
}

gk_err gk_reader_u32(gk_reader *r, uint32_t *out)
{
    const uint8_t *p = take(r, 4);
    uint32_t v;

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    memcpy(&v, p, sizeof(v));
    *out = be32toh(v);
    return GK_OK;
}

gk_err gk_reader_u64(gk_reader *r, uint64_t *out)
{
    const uint8_t *p = take(r, 8);
    uint64_t v;

    if (p == NULL)
        return GK_ERR_TRUNCATED;
    memcpy(&v, p, sizeof(v));
    *out = be64toh(v);
    return GK_OK;
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
    if (w->p == NULL) /* arithmetic on NULL is undefined, even with 0 */
        return n == 0 ? nothing : NULL;
    return w->p + at;
}

void gk_writer_patch_u32(gk_writer *w, size_t at, uint32_t v)
{
    if (w->err != GK_OK)
        return;
    if (w->len < 4 || at > w->len - 4) {
        w->err = GK_ERR_ARG;
        return;
    }
    v = htobe32(v);
    memcpy(w->p + at, &v, sizeof(v));
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
