#include "gk_message.h"

#include <openssl/crypto.h>
#include <string.h>

/* --- owned bytes ------------------------------------------------------------------------------------------------------------ */

/* OpenSSL's allocator, as for keys: what is put together here may hold some before it is sealed. */
gk_err gk_mem_new(gk_mem *out, size_t n)
{
    *out = (gk_mem){.p = OPENSSL_zalloc(n > 0 ? n : 1), .n = n};
    if (out->p != NULL)
        return GK_OK;
    out->n = 0;
    return GK_ERR_NOMEM;
}

gk_err gk_mem_copy(gk_mem *out, gk_bytes from)
{
    gk_err e = gk_mem_new(out, from.n);

    if (e == GK_OK && from.n > 0)
        memcpy(out->p, from.p, from.n);
    return e;
}

void gk_mem_free(gk_mem *m)
{
    OPENSSL_clear_free(m->p, m->n);
    *m = (gk_mem){0};
}

gk_err gk_mem_write(gk_mem *out, void (*put)(gk_writer *w, const void *arg), const void *arg)
{
    gk_writer w = gk_writer_of(NULL, 0);
    gk_err e = GK_OK;

    *out = (gk_mem){0};
    put(&w, arg);
    if (w.err != GK_OK && w.err != GK_ERR_SPACE)
        return w.err;
    e = gk_mem_new(out, w.len);
    if (e != GK_OK)
        return e;
    w = gk_writer_of(out->p, out->n);
    put(&w, arg);
    if (w.err == GK_OK && w.len != out->n)
        w.err = GK_ERR_STATE;
    if (w.err != GK_OK)
        gk_mem_free(out);
    return w.err;
}

/* --- fields ------------------------------------------------------------------------------------------------------------------ */

static bool fits(gk_writer *w, size_t n, size_t max)
{
    if (n > max && (w->err == GK_OK || w->err == GK_ERR_SPACE))
        w->err = GK_ERR_LIMIT;
    return n <= max;
}

void gk_writer_var16(gk_writer *w, gk_bytes b)
{
    if (!fits(w, b.n, UINT16_MAX))
        return;
    gk_writer_u16(w, (uint16_t)b.n);
    gk_writer_put(w, b.p, b.n);
}

void gk_writer_var32(gk_writer *w, gk_bytes b)
{
    if (!fits(w, b.n, UINT32_MAX))
        return;
    gk_writer_u32(w, (uint32_t)b.n);
    gk_writer_put(w, b.p, b.n);
}

static gk_err take(gk_reader *r, const gk_reader *before, gk_bytes *out, size_t n, size_t max)
{
    gk_err e = n > max ? GK_ERR_LIMIT : gk_reader_take(r, out, n);

    if (e != GK_OK)
        *r = *before;
    return e;
}

gk_err gk_reader_var16(gk_reader *r, gk_bytes *out, size_t max)
{
    gk_reader before = *r;
    uint16_t n = 0;
    gk_err e = gk_reader_u16(r, &n);

    return e != GK_OK ? e : take(r, &before, out, n, max);
}

gk_err gk_reader_var32(gk_reader *r, gk_bytes *out, size_t max)
{
    gk_reader before = *r;
    uint32_t n = 0;
    gk_err e = gk_reader_u32(r, &n);

    return e != GK_OK ? e : take(r, &before, out, n, max);
}

gk_err gk_reader_magic(gk_reader *r, const char magic[5])
{
    gk_reader before = *r;
    uint8_t got[4];
    gk_err e = gk_reader_copy(r, got, sizeof(got));

    if (e == GK_OK && memcmp(got, magic, 3) != 0)
        e = GK_ERR_MALFORMED;
    else if (e == GK_OK && got[3] != (uint8_t)magic[3])
        e = GK_ERR_VERSION;
    if (e != GK_OK)
        *r = before;
    return e;
}

bool gk_name_ok(gk_bytes name)
{
    if (name.n == 0 || name.n > GK_NAME_MAX || (name.p[0] == '.' && (name.n == 1 || (name.n == 2 && name.p[1] == '.'))))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && (c == 0 || strchr("-_.@:", c) == NULL))
            return false;
    }
    return true;
}

/* --- signatures -------------------------------------------------------------------------------------------------------------- */

gk_err gk_signer_id(uint8_t out[GK_SIGNER], const uint8_t pub[GK_SIGN_PUBLIC])
{
    uint8_t hash[GK_HASH];
    gk_bytes part = {pub, GK_SIGN_PUBLIC};
    gk_err e = gk_sha256(hash, &part, 1);

    memcpy(out, hash, GK_SIGNER);
    return e;
}

/* signed_text: u16 length | label | signed, in one piece, because Ed25519 reads its message twice. */
static gk_err signed_text(gk_mem *out, const char *label, gk_bytes body, const uint8_t signer[GK_SIGNER])
{
    size_t n = strlen(label);
    gk_err e = gk_mem_new(out, 2 + n + body.n + GK_SIGNER);
    gk_writer w = gk_writer_of(out->p, out->n);

    if (e != GK_OK)
        return e;
    gk_writer_u16(&w, (uint16_t)n);
    gk_writer_put(&w, label, n);
    gk_writer_put(&w, body.p, body.n);
    gk_writer_put(&w, signer, GK_SIGNER);
    return w.err;
}

gk_err gk_message_sign(gk_mem *out, const char *label, gk_bytes body, const gk_key *key)
{
    uint8_t pub[GK_SIGN_PUBLIC], signer[GK_SIGNER];
    gk_mem text = {0};
    gk_err e = gk_sign_public(pub, key);

    *out = (gk_mem){0};
    if (e == GK_OK)
        e = gk_signer_id(signer, pub);
    if (e == GK_OK)
        e = signed_text(&text, label, body, signer);
    if (e == GK_OK)
        e = gk_mem_new(out, body.n + GK_TRAILER);
    if (e == GK_OK) {
        if (body.n > 0)
            memcpy(out->p, body.p, body.n);
        memcpy(out->p + body.n, signer, GK_SIGNER);
        e = gk_sign_make(out->p + body.n + GK_SIGNER, key, gk_mem_view(&text));
    }
    if (e != GK_OK)
        gk_mem_free(out);
    gk_mem_free(&text);
    return e;
}

gk_err gk_message_write(gk_mem *out, const char *label, void (*put)(gk_writer *w, const void *arg), const void *arg, const gk_key *key)
{
    gk_mem body = {0};
    gk_err e = gk_mem_write(&body, put, arg);

    *out = (gk_mem){0};
    if (e == GK_OK)
        e = gk_message_sign(out, label, gk_mem_view(&body), key);
    gk_mem_free(&body);
    return e;
}

gk_err gk_message_split(gk_bytes message, gk_bytes *body, uint8_t signer[GK_SIGNER])
{
    if (message.n < GK_TRAILER)
        return GK_ERR_TRUNCATED;
    *body = (gk_bytes){message.p, message.n - GK_TRAILER};
    memcpy(signer, message.p + body->n, GK_SIGNER);
    return GK_OK;
}

gk_err gk_message_check(gk_bytes message, gk_bytes *body, const char *label, const uint8_t pub[GK_SIGN_PUBLIC])
{
    uint8_t signer[GK_SIGNER], id[GK_SIGNER];
    gk_mem text = {0};
    gk_err e = gk_message_split(message, body, signer);

    if (e == GK_OK)
        e = gk_signer_id(id, pub);
    if (e == GK_OK && memcmp(signer, id, sizeof(id)) != 0)
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = signed_text(&text, label, *body, signer);
    if (e == GK_OK)
        e = gk_sign_check(pub, gk_mem_view(&text), message.p + body->n + GK_SIGNER);
    gk_mem_free(&text);
    return e;
}
