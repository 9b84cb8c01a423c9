#include "gk_wrap.h"

#include "gk_expand.h"
#include "gk_key_internal.h"

static gk_err kek(gk_siv **out, const gk_key *under)
{
    gk_key *k = NULL;
    gk_err e = gk_key_purpose(under) != GK_PURPOSE_NODE ? GK_ERR_ARG : gk_expand(&k, GK_PURPOSE_WRAP, under, "kek", (gk_bytes){0});

    *out = NULL;
    if (e == GK_OK)
        e = gk_siv_new(out, k);
    gk_key_free(k);
    return e;
}

gk_err gk_wrap(uint8_t out[GK_WRAPPED], const gk_key *under, gk_bytes ad1, gk_bytes ad2, const gk_key *k)
{
    gk_siv *c = NULL;
    gk_err e = gk_key_purpose(k) != GK_PURPOSE_NODE ? GK_ERR_ARG : kek(&c, under);

    if (e == GK_OK)
        e = gk_siv_seal2(c, out, ad1, ad2, gk_key_raw(k));
    else
        gk_wipe(out, GK_WRAPPED);
    gk_siv_free(c);
    return e;
}

gk_err gk_unwrap(gk_key **out, const gk_key *under, gk_bytes ad1, gk_bytes ad2, const uint8_t wrapped[GK_WRAPPED])
{
    uint8_t raw[GK_WRAPPED - GK_SIV_TAG];
    gk_siv *c = NULL;
    gk_err e = kek(&c, under);

    *out = NULL;
    if (e == GK_OK)
        e = gk_siv_open2(c, raw, ad1, ad2, (gk_bytes){wrapped, GK_WRAPPED});
    if (e == GK_OK)
        e = gk_key_new(out, GK_PURPOSE_NODE, 0, (gk_bytes){raw, sizeof(raw)});
    gk_wipe(raw, sizeof(raw));
    gk_siv_free(c);
    return e;
}
