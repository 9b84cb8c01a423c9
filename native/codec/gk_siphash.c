#include <string.h>

#include "gk_cache.h"

#define ROTL(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

typedef struct sip {
    uint64_t v0, v1, v2, v3;
    uint64_t tail;   /* bytes that don't fill a word yet */
    unsigned tail_n;
} sip;

static inline void sip_round(sip *s)
{
    s->v0 += s->v1; s->v1 = ROTL(s->v1, 13); s->v1 ^= s->v0; s->v0 = ROTL(s->v0, 32);
    s->v2 += s->v3; s->v3 = ROTL(s->v3, 16); s->v3 ^= s->v2;
    s->v0 += s->v3; s->v3 = ROTL(s->v3, 21); s->v3 ^= s->v0;
    s->v2 += s->v1; s->v1 = ROTL(s->v1, 17); s->v1 ^= s->v2; s->v2 = ROTL(s->v2, 32);
}

static inline void sip_word(sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

/* Inlined, so that the first one knows that there is no tail. */
static inline __attribute__((always_inline)) void sip_bytes(sip *s, gk_bytes b)
{
    size_t i = 0;
    while (i < b.n && s->tail_n != 0) {
        s->tail |= (uint64_t)b.p[i++] << (8 * s->tail_n);
        if (++s->tail_n == 8) {
            sip_word(s, s->tail);
            s->tail = 0;
            s->tail_n = 0;
        }
    }
    for (; b.n - i >= 8; i += 8)
        sip_word(s, load64(b.p + i));
    if (b.n >= 8 && i < b.n) { /* the last bytes by the word that ends with them */
        s->tail_n = (unsigned)(b.n - i);
        s->tail = load64(b.p + b.n - 8) >> (8 * (8 - s->tail_n));
        return;
    }
    for (; i < b.n; i++)
        s->tail |= (uint64_t)b.p[i] << (8 * s->tail_n++);
}

uint64_t gk_siphash24(const uint8_t key[16], gk_bytes a, gk_bytes b)
{
    uint64_t k0 = load64(key), k1 = load64(key + 8);
    sip s = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL, 0, 0};
    sip_bytes(&s, a);
    sip_bytes(&s, b);
    sip_word(&s, s.tail | (uint64_t)((a.n + b.n) & 0xff) << 56);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
