#include "gk_name.h"

#define REPLACEMENT 0xfffdu

static bool is_continuation(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/* malformed4 follows java.lang.String.malformed4: how many bytes of a broken 4-byte sequence one U+FFFD stands for. */
static size_t malformed4(const uint8_t *p)
{
    if (p[0] > 0xf4 || (p[0] == 0xf0 && (p[1] < 0x90 || p[1] > 0xbf)) || (p[0] == 0xf4 && (p[1] & 0xf0) != 0x80) || !is_continuation(p[1]))
        return 1;
    return is_continuation(p[2]) ? 3 : 2;
}

static size_t next3(const uint8_t *p, size_t n, uint32_t *cp)
{
    bool bad2 = n > 1 && ((p[0] == 0xe0 && (p[1] & 0xe0) == 0x80) || !is_continuation(p[1]));
    *cp = REPLACEMENT;
    if (n < 3)
        return bad2 ? 1 : n;
    if (bad2)
        return 1;
    if (!is_continuation(p[2]))
        return 2;
    uint32_t c = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3fu);
    if (c < 0xd800 || c > 0xdfff)
        *cp = c;
    return 3;
}

static size_t next4(const uint8_t *p, size_t n, uint32_t *cp)
{
    *cp = REPLACEMENT;
    if (n < 4) {
        bool bad2 = n > 1 && ((p[0] == 0xf0 && (p[1] < 0x90 || p[1] > 0xbf)) || (p[0] == 0xf4 && (p[1] & 0xf0) != 0x80) || !is_continuation(p[1]));
        if (p[0] > 0xf4 || bad2)
            return 1;
        return n > 2 && !is_continuation(p[2]) ? 2 : n;
    }
    uint32_t c = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3fu);
    if (!is_continuation(p[1]) || !is_continuation(p[2]) || !is_continuation(p[3]) || c < 0x10000 || c > 0x10ffff)
        return malformed4(p);
    *cp = c;
    return 4;
}

/* next_char decodes one character of n > 0 bytes as JDK 17's String does and returns how many bytes it took. */
static size_t next_char(const uint8_t *p, size_t n, uint32_t *cp)
{
    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    if ((p[0] >> 5) == 0x06 && (p[0] & 0x1e) != 0) {
        if (n < 2 || !is_continuation(p[1])) {
            *cp = REPLACEMENT;
            return 1;
        }
        *cp = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3fu);
        return 2;
    }
    if ((p[0] >> 4) == 0x0e)
        return next3(p, n, cp);
    if ((p[0] >> 3) == 0x1e)
        return next4(p, n, cp);
    *cp = REPLACEMENT;
    return 1;
}

gk_name_class gk_name_classify(gk_bytes name)
{
    if (name.n == 0)
        return GK_NAME_EMPTY;
    if (name.p[0] == '.' && (name.n == 1 || (name.n == 2 && name.p[1] == '.')))
        return GK_NAME_DOTS;
    gk_name_class found = GK_NAME_VALID;
    for (size_t i = 0; i < name.n;) {
        uint8_t b = name.p[i];
        if (b >= 0x20 && b < 0x7f) {
            i++;
            continue;
        }
        uint32_t c;
        i += next_char(name.p + i, name.n - i, &c);
        if (c == 0)
            return GK_NAME_NUL;
        if (c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0)
            found = GK_NAME_INVALID;
    }
    return found;
}

static void put_char(gk_writer *w, uint32_t c)
{
    if (c < 0x80) {
        gk_writer_u8(w, (uint8_t)c);
    } else if (c < 0x800) {
        gk_writer_u8(w, (uint8_t)(0xc0 | c >> 6));
        gk_writer_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        gk_writer_u8(w, (uint8_t)(0xe0 | c >> 12));
        gk_writer_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        gk_writer_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        put_char(w, 0xd800 + ((c - 0x10000) >> 10));
        put_char(w, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

void gk_name_normalize(gk_writer *w, gk_bytes name)
{
    for (size_t i = 0; i < name.n;) {
        uint32_t c;
        i += next_char(name.p + i, name.n - i, &c);
        put_char(w, c);
    }
}
