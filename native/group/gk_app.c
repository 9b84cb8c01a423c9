#include "gk_app.h"

#include <openssl/rand.h>
#include <string.h>

#include "../crypto/gk_xaes.h"

#define HEAD (4 + 8 + GK_APP_SENDER)

gk_err gk_app_sender(uint8_t out[GK_APP_SENDER], gk_bytes name)
{
    uint8_t hash[GK_HASH] = {0};
    gk_bytes parts[2] = {{(const uint8_t *)GK_LABEL "sender", sizeof(GK_LABEL "sender") - 1}, name};
    gk_err e = gk_sha256(hash, parts, 2);

    memcpy(out, hash, GK_APP_SENDER);
    return e;
}

static gk_err context_of(gk_xaes **out, const gk_key *group_key, const uint8_t *sender)
{
    gk_key *k = NULL;
    gk_err e = gk_expand(&k, GK_PURPOSE_APP, group_key, "app", (gk_bytes){sender, GK_APP_SENDER});

    *out = NULL;
    if (e == GK_OK)
        e = gk_xaes_new(out, k);
    gk_key_free(k);
    return e;
}

gk_err gk_app_seal(uint8_t *out, const gk_key *group_key, uint64_t epoch, const uint8_t sender[GK_APP_SENDER], gk_bytes pt)
{
    gk_writer w = gk_writer_of(out, HEAD);
    gk_xaes *x = NULL;
    gk_err e = context_of(&x, group_key, sender);

    gk_writer_put(&w, "GKD1", 4);
    gk_writer_u64(&w, epoch);
    gk_writer_put(&w, sender, GK_APP_SENDER);
    if (e == GK_OK && RAND_bytes(out + HEAD, GK_XAES_NONCE) != 1)
        e = GK_ERR_CRYPTO;
    if (e == GK_OK)
        e = gk_xaes_seal(x, out + HEAD + GK_XAES_NONCE, out + HEAD, (gk_bytes){out, HEAD}, (gk_bytes){0}, pt);
    gk_xaes_free(x);
    if (e != GK_OK)
        gk_wipe(out, pt.n + GK_APP_OVERHEAD);
    return e;
}

gk_err gk_app_epoch(uint64_t *epoch, uint8_t sender[GK_APP_SENDER], gk_bytes sealed)
{
    gk_reader r = gk_reader_of(sealed.p, sealed.n);
    uint64_t n = 0;
    gk_err e = gk_reader_magic(&r, "GKD1");

    if (e == GK_OK)
        e = gk_reader_u64(&r, &n);
    if (e == GK_OK)
        e = gk_reader_copy(&r, sender, GK_APP_SENDER);
    if (e == GK_OK && r.n < GK_XAES_NONCE + GK_XAES_TAG)
        e = GK_ERR_TRUNCATED;
    if (e == GK_OK)
        *epoch = n;
    return e;
}

gk_err gk_app_open(uint8_t *out, const gk_key *group_key, uint64_t epoch, gk_bytes sealed)
{
    uint8_t sender[GK_APP_SENDER];
    uint64_t under = 0;
    gk_xaes *x = NULL;
    gk_err e = gk_app_epoch(&under, sender, sealed);

    if (e == GK_OK && under != epoch)
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = context_of(&x, group_key, sender);
    if (e == GK_OK)
        e = gk_xaes_open(x, out, sealed.p + HEAD, (gk_bytes){sealed.p, HEAD}, (gk_bytes){0},
                         (gk_bytes){sealed.p + HEAD + GK_XAES_NONCE, sealed.n - HEAD - GK_XAES_NONCE});
    else if (sealed.n > GK_APP_OVERHEAD)
        gk_wipe(out, sealed.n - GK_APP_OVERHEAD);
    gk_xaes_free(x);
    return e;
}
