/* gk_bytes: bounded reading and writing. No other file does arithmetic on wire data. Integers are big-endian.
 * Readers and writers are plain values on the caller's stack; they own nothing. Not thread-safe, each belongs to its user. */
#ifndef GK_BYTES_H
#define GK_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "gk_err.h"

/* gk_bytes is a view of n bytes at p; it owns nothing. p may be NULL when n is 0. */
typedef struct gk_bytes {
    const uint8_t *p;
    size_t n;
} gk_bytes;

/* gk_reader: a cursor over input. A failed read leaves the cursor and the outputs as they were. */
typedef struct gk_reader {
    const uint8_t *p; /* next byte */
    size_t n;         /* bytes left */
} gk_reader;

gk_reader gk_reader_of(const void *p, size_t n);
gk_err gk_reader_u8(gk_reader *r, uint8_t *out) GK_MUST_CHECK;
gk_err gk_reader_u16(gk_reader *r, uint16_t *out) GK_MUST_CHECK;
gk_err gk_reader_u32(gk_reader *r, uint32_t *out) GK_MUST_CHECK;
gk_err gk_reader_u64(gk_reader *r, uint64_t *out) GK_MUST_CHECK;
/* gk_reader_take gives a view of the next n bytes. */
gk_err gk_reader_take(gk_reader *r, gk_bytes *out, size_t n) GK_MUST_CHECK;
/* gk_reader_copy copies the next n bytes to out. */
gk_err gk_reader_copy(gk_reader *r, void *out, size_t n) GK_MUST_CHECK;
/* gk_reader_end: GK_ERR_MALFORMED when bytes are left. */
gk_err gk_reader_end(const gk_reader *r) GK_MUST_CHECK;

/* gk_writer: a cursor over the caller's buffer. The first failure sticks in err; after GK_ERR_SPACE nothing more is written, but len
 * goes on counting, so that afterwards len is the size that would have been enough. */
typedef struct gk_writer {
    uint8_t *p;
    size_t cap;
    size_t len;
    gk_err err;
} gk_writer;

gk_writer gk_writer_of(void *p, size_t cap);
/* gk_writer_reserve gives n contiguous bytes to be filled by the caller, or NULL when they don't fit (the error sticks). */
uint8_t *gk_writer_reserve(gk_writer *w, size_t n);

/* The writers below are inline: a reply is a dozen of them, and each becomes a comparison and a store. */
static inline void gk_writer_put(gk_writer *w, const void *p, size_t n)
{
    if (n == 0) /* where there may be no buffer at all */
        return;
    uint8_t *out = w->err == GK_OK && w->len <= w->cap && n <= w->cap - w->len ? w->p + w->len : NULL;

    if (out != NULL)
        w->len += n;
    else
        out = gk_writer_reserve(w, n);
    if (out != NULL)
        memcpy(out, p, n);
}
static inline void gk_writer_u8(gk_writer *w, uint8_t v)
{
    gk_writer_put(w, &v, 1);
}
static inline void gk_writer_u16(gk_writer *w, uint16_t v)
{
    v = htobe16(v);
    gk_writer_put(w, &v, sizeof(v));
}
static inline void gk_writer_u32(gk_writer *w, uint32_t v)
{
    v = htobe32(v);
    gk_writer_put(w, &v, sizeof(v));
}
static inline void gk_writer_u64(gk_writer *w, uint64_t v)
{
    v = htobe64(v);
    gk_writer_put(w, &v, sizeof(v));
}
/* gk_writer_patch_u32 overwrites 4 bytes at offset at, which must have been written before; else GK_ERR_ARG sticks. */
void gk_writer_patch_u32(gk_writer *w, size_t at, uint32_t v);

/* gk_bytes_equal compares in time that depends on the lengths alone. */
bool gk_bytes_equal(gk_bytes a, gk_bytes b);
/* gk_wipe clears n bytes in a way that the compiler keeps. */
void gk_wipe(void *p, size_t n);

/* Base64url without padding, RFC 4648 section 5. Encoded length of n bytes: */
#define GK_B64_LEN(n) (((n)*4 + 2) / 3)
/* gk_b64_encode writes GK_B64_LEN(n) characters, no terminator. */
void gk_b64_encode(char *out, const uint8_t *in, size_t n);
/* gk_b64_decode reads n characters into out (n * 3 / 4 bytes). Canonical input only: padding, other characters, n % 4 == 1 or
 * non-zero spare bits give GK_ERR_MALFORMED, with *out_n 0. */
gk_err gk_b64_decode(uint8_t *out, size_t *out_n, const char *in, size_t n) GK_MUST_CHECK;

#endif
