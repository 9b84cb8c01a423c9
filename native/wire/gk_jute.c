#include "gk_jute.h"

gk_err gk_jute_i32(gk_reader *r, int32_t *out)
{
    uint32_t v;
    gk_err e = gk_reader_u32(r, &v);
    if (e == GK_OK)
        *out = (int32_t)v;
    return e;
}

gk_err gk_jute_blob(gk_reader *r, gk_blob *out)
{
    gk_reader at = *r;
    gk_blob b = {{NULL, 0}, false};
    int32_t n;
    gk_err e = gk_jute_i32(&at, &n);
    if (e != GK_OK)
        return e;
    if (n < -1)
        return GK_ERR_MALFORMED;
    if (n == -1)
        b.null = true;
    else if ((e = gk_reader_take(&at, &b.b, (size_t)n)) != GK_OK)
        return e;
    *r = at;
    *out = b;
    return GK_OK;
}

gk_err gk_jute_count(gk_reader *r, int32_t *raw, uint32_t *elements)
{
    int32_t n;
    gk_err e = gk_jute_i32(r, &n);
    if (e != GK_OK)
        return e;
    *raw = n;
    *elements = n > 0 ? (uint32_t)n : 0;
    return GK_OK;
}

gk_err gk_jute_skip_acl(gk_reader *r)
{
    gk_reader at = *r;
    int32_t raw, perms;
    uint32_t n;
    gk_err e = gk_jute_count(&at, &raw, &n);
    for (uint32_t i = 0; e == GK_OK && i < n; i++) {
        gk_blob s;
        if ((e = gk_jute_i32(&at, &perms)) == GK_OK && (e = gk_jute_blob(&at, &s)) == GK_OK)
            e = gk_jute_blob(&at, &s);
    }
    if (e == GK_OK)
        *r = at;
    return e;
}

void gk_jute_put_i32(gk_writer *w, int32_t v)
{
    gk_writer_u32(w, (uint32_t)v);
}

void gk_jute_put_blob(gk_writer *w, gk_blob b)
{
    gk_jute_put_i32(w, b.null ? -1 : (int32_t)b.b.n);
    if (!b.null)
        gk_writer_put(w, b.b.p, b.b.n);
}

size_t gk_jute_open_string(gk_writer *w)
{
    size_t at = w->len;
    gk_writer_u32(w, 0);
    return at;
}

void gk_jute_close_string(gk_writer *w, size_t at)
{
    if (w->err == GK_OK)
        gk_writer_patch_u32(w, at, (uint32_t)(w->len - at - 4));
}
