#include "gk_siv.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <string.h>

#include "gk_cipher.h"
#include "gk_key_internal.h"

#define BLOCK 16
#define HALF 32 /* of the 64-byte key */

/* AES-SIV, RFC 5297, on OpenSSL's AES blocks and counter mode. Its own AES-256-SIV stands in the unit tests, to compare with, because OpenSSL
 * 3.0 takes one message per keyed context: each message would copy one, which costs a dozen allocations and six times the time;
 * when one of these fails, the copy leaks keys, and opening reports a wrong tag. Here a message allocates nothing. */
struct gk_siv {
    gk_key *key;
    gk_cipher mac;               /* AES-256 under the first half of the key */
    gk_cipher ctr;               /* AES-256-CTR under the second half */
    uint8_t whole[BLOCK];        /* CMAC's subkeys K1, for a whole last block, */
    uint8_t partial[BLOCK];      /* and K2, for a padded one */
    uint8_t zero_doubled[BLOCK]; /* dbl(CMAC(0^128)), where each S2V starts */
};

/* absorb does one step of CBC-MAC: x = AES(K, x ^ block). */
static bool absorb(gk_siv *c, uint8_t x[BLOCK], const uint8_t block[BLOCK])
{
    gk_block_xor(x, block);
    return gk_cipher_run(&c->mac, x, x, BLOCK);
}

/* absorb_last ends a CMAC with the last 1 to 16 bytes: NIST SP 800-38B section 6.2. */
static bool absorb_last(gk_siv *c, uint8_t x[BLOCK], const uint8_t *p, size_t n)
{
    uint8_t last[BLOCK] = {0};
    bool ok = false;

    memcpy(last, p, n);
    if (n < BLOCK)
        last[n] = 0x80;
    gk_block_xor(last, n == BLOCK ? c->whole : c->partial);
    ok = absorb(c, x, last);
    gk_wipe(last, sizeof(last));
    return ok;
}

/* cmac: n > 0 */
static bool cmac(gk_siv *c, uint8_t x[BLOCK], const uint8_t *p, size_t n)
{
    bool ok = true;

    memset(x, 0, BLOCK);
    for (; n > BLOCK && ok; p += BLOCK, n -= BLOCK)
        ok = absorb(c, x, p);
    return ok && absorb_last(c, x, p, n);
}

/* s2v: RFC 5297 section 2.4 for one associated datum, or two when ad2 isn't empty.
 * The last string is the text with D xored into its last 16 bytes; they may lie across
 * two blocks, so the last 16 to 31 bytes are put together in a buffer. A text of less than a block is padded and takes dbl(D). */
static bool s2v(gk_siv *c, uint8_t v[BLOCK], gk_bytes ad, gk_bytes ad2, gk_bytes text)
{
    uint8_t d[BLOCK] = {0};
    uint8_t tail[2 * BLOCK] = {0};
    size_t blocks = text.n < BLOCK ? 0 : (text.n - BLOCK) / BLOCK;
    size_t tail_n = text.n - blocks * BLOCK;
    bool ok = cmac(c, d, ad.p, ad.n);

    gk_block_xor(d, c->zero_doubled);
    if (ad2.n > 0) {
        uint8_t mac[BLOCK] = {0};

        ok = ok && cmac(c, mac, ad2.p, ad2.n);
        gk_block_double(d, d);
        gk_block_xor(d, mac);
        gk_wipe(mac, sizeof(mac));
    }
    memset(v, 0, BLOCK);
    for (size_t i = 0; i < blocks && ok; i++)
        ok = absorb(c, v, text.p + i * BLOCK);
    memcpy(tail, text.p + blocks * BLOCK, tail_n);
    if (tail_n < BLOCK) {
        gk_block_double(d, d);
        tail[tail_n] = 0x80;
        gk_block_xor(tail, d);
        ok = ok && absorb_last(c, v, tail, BLOCK);
    } else {
        gk_block_xor(tail + tail_n - BLOCK, d);
        if (tail_n > BLOCK)
            ok = ok && absorb(c, v, tail) && absorb_last(c, v, tail + BLOCK, tail_n - BLOCK);
        else
            ok = ok && absorb_last(c, v, tail, BLOCK);
    }
    gk_wipe(d, sizeof(d));
    gk_wipe(tail, sizeof(tail));
    return ok;
}

/* ctr: section 2.5. Two bits of the start are cleared, so that counters of 32 and 64 bits never carry. */
static bool ctr(gk_siv *c, uint8_t *out, const uint8_t v[BLOCK], const uint8_t *in, size_t n)
{
    uint8_t q[BLOCK];

    memcpy(q, v, BLOCK);
    q[8] &= 0x7f;
    q[12] &= 0x7f;
    return c->ctr.encrypt_init(c->ctr.ctx, NULL, 0, q, BLOCK, NULL) == 1 && gk_cipher_run(&c->ctr, out, in, n);
}

static bool subkeys(gk_siv *c)
{
    static const uint8_t zero[BLOCK];
    uint8_t x[BLOCK] = {0};
    bool ok = absorb(c, x, zero);

    gk_block_double(c->whole, x);
    gk_block_double(c->partial, c->whole);
    ok = ok && cmac(c, x, zero, BLOCK);
    gk_block_double(c->zero_doubled, x);
    gk_wipe(x, sizeof(x));
    return ok;
}

gk_err gk_siv_new(gk_siv **out, gk_key *k)
{
    const uint8_t *raw = gk_key_raw(k).p;
    gk_siv *c = NULL;
    gk_err e = GK_OK;

    *out = NULL;
    if (gk_key_purpose(k) != GK_PURPOSE_NAME && gk_key_purpose(k) != GK_PURPOSE_WRAP)
        return GK_ERR_ARG;
    c = OPENSSL_zalloc(sizeof(*c));
    if (c == NULL)
        return GK_ERR_NOMEM;
    c->key = gk_key_ref(k);
    e = gk_cipher_init(&c->mac, "AES-256-ECB");
    if (e == GK_OK)
        e = gk_cipher_init(&c->ctr, "AES-256-CTR");
    if (e == GK_OK && (c->mac.encrypt_init(c->mac.ctx, raw, HALF, NULL, 0, NULL) != 1 ||
                       c->ctr.encrypt_init(c->ctr.ctx, raw + HALF, HALF, NULL, 0, NULL) != 1 || !subkeys(c)))
        e = gk_crypto_failed(GK_ERR_CRYPTO);
    if (e != GK_OK) {
        gk_siv_free(c);
        return e;
    }
    *out = c;
    return GK_OK;
}

/* lengths_ok: empty inputs are refused although RFC 5297 knows them: EVP's implementation mishandles both (CVE-2023-2975), and names, keys
 * and their contexts are never empty. */
static bool lengths_ok(gk_bytes ad, size_t text)
{
    return ad.n > 0 && text > 0 && text <= INT_MAX - GK_SIV_TAG;
}

gk_err gk_siv_seal(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes pt)
{
    return gk_siv_seal2(c, out, ad, (gk_bytes){0}, pt);
}

gk_err gk_siv_seal2(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ad2, gk_bytes pt)
{
    uint8_t v[BLOCK];

    if (!lengths_ok(ad, pt.n))
        return GK_ERR_ARG;
    if (!s2v(c, v, ad, ad2, pt) || !ctr(c, out + GK_SIV_TAG, v, pt.p, pt.n)) {
        gk_wipe(out, pt.n + GK_SIV_TAG);
        return gk_crypto_failed(GK_ERR_CRYPTO);
    }
    memcpy(out, v, GK_SIV_TAG);
    return GK_OK;
}

gk_err gk_siv_open(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ct)
{
    return gk_siv_open2(c, out, ad, (gk_bytes){0}, ct);
}

gk_err gk_siv_open2(gk_siv *c, uint8_t *out, gk_bytes ad, gk_bytes ad2, gk_bytes ct)
{
    size_t n = 0;
    uint8_t v[BLOCK];
    gk_err e = GK_OK;

    if (ct.n <= GK_SIV_TAG)
        return GK_ERR_AUTH; /* nothing that we ever sealed is so short */
    n = ct.n - GK_SIV_TAG;
    if (!lengths_ok(ad, n))
        return GK_ERR_ARG;
    if (!ctr(c, out, ct.p, ct.p + GK_SIV_TAG, n) || !s2v(c, v, ad, ad2, (gk_bytes){out, n}))
        e = gk_crypto_failed(GK_ERR_CRYPTO);
    else if (CRYPTO_memcmp(v, ct.p, GK_SIV_TAG) != 0)
        e = GK_ERR_AUTH;
    if (e != GK_OK)
        gk_wipe(out, n);
    gk_wipe(v, sizeof(v)); /* the right tag for a forged text is nobody's business */
    return e;
}

void gk_siv_free(gk_siv *c)
{
    if (c == NULL)
        return;
    gk_cipher_clear(&c->ctr);
    gk_cipher_clear(&c->mac);
    gk_key_free(c->key);
    OPENSSL_clear_free(c, sizeof(*c));
}
