/* CKD: every party publishes a fresh X25519 key (nodes 1 to n, by its place). The first party makes the group's key and sends it in one message
 * (node n + 1), sealed for each other party under the pairwise key of its own and that party's. Forward secrecy comes from fresh keys in
 * each run; but one party alone decides on the group's key. (docs/FORMAT.md, "Runs") */
#include <openssl/crypto.h>

#include "../crypto/gk_xaes.h"
#include "gk_run_internal.h"

#define CKD_LABEL GK_LABEL "ckd"
#define WRAP (32 + GK_XAES_TAG)

static size_t slots(size_t n)
{
    return n + 2;
}

static bool owner(size_t n, size_t node, size_t *party, size_t *len)
{
    if (n == 1 || node == 0 || node > n + 1)
        return false;
    *party = node > n ? 0 : node - 1;
    *len = node > n ? (n - 1) * WRAP : GK_RUN_BK;
    return true;
}

/* pair makes the cipher between the first party and the party at place other, used once. */
static gk_err pair(gk_run *r, gk_xaes **out, size_t other)
{
    const uint8_t *first = r->values[1].p;
    const uint8_t *second = r->values[other + 1].p;
    gk_key *k = NULL;
    gk_err e = gk_run_agree(r, &k, GK_PURPOSE_DK, r->secret, r->me == 0 ? second : first, CKD_LABEL, (uint32_t)other + 1, first, second);

    *out = NULL;
    if (e == GK_OK)
        e = gk_xaes_new(out, k);
    gk_key_free(k);
    return e;
}

static gk_err distribute(gk_run *r)
{
    static const uint8_t nonce[GK_XAES_NONCE]; /* zeros: each pairwise key seals one message */
    size_t len = (r->n - 1) * WRAP;
    uint8_t *out = OPENSSL_zalloc(len);
    gk_key *root = NULL;
    gk_err e = out == NULL ? GK_ERR_NOMEM : gk_key_generate(&root, GK_PURPOSE_EXCHANGE, 0);

    for (size_t i = 1; i < r->n && e == GK_OK; i++) {
        gk_xaes *x = NULL;

        e = pair(r, &x, i);
        if (e == GK_OK)
            e = gk_xaes_seal_key(x, out + (i - 1) * WRAP, nonce, (gk_bytes){r->id, sizeof(r->id)}, root);
        gk_xaes_free(x);
    }
    if (e == GK_OK)
        e = gk_run_fill(r, r->n + 1, (gk_bytes){out, len});
    if (e == GK_OK) {
        r->root = root;
        root = NULL;
    }
    gk_key_free(root);
    OPENSSL_free(out);
    return e;
}

static gk_err open_own(gk_run *r)
{
    static const uint8_t nonce[GK_XAES_NONCE];
    gk_xaes *x = NULL;
    gk_err e = pair(r, &x, r->me);

    if (e == GK_OK)
        e = gk_xaes_open_key(x, &r->root, GK_PURPOSE_EXCHANGE, nonce, (gk_bytes){r->id, sizeof(r->id)},
                             (gk_bytes){r->values[r->n + 1].p + (r->me - 1) * WRAP, WRAP});
    gk_xaes_free(x);
    return e;
}

static gk_err work(gk_run *r)
{
    uint8_t bk[GK_RUN_BK];
    gk_err e = GK_OK;

    if (r->n == 1)
        return gk_key_generate(&r->root, GK_PURPOSE_EXCHANGE, 0);
    if (r->secret == NULL)
        e = gk_key_generate(&r->secret, GK_PURPOSE_EXCHANGE, 0);
    if (e == GK_OK && r->values[r->me + 1].p == NULL) {
        e = gk_run_public(r, bk, r->secret);
        if (e == GK_OK)
            e = gk_run_fill(r, r->me + 1, (gk_bytes){bk, sizeof(bk)});
    }
    if (e != GK_OK)
        return e;
    for (size_t i = 1; i <= r->n; i++) {
        if (r->values[i].p == NULL)
            return GK_OK; /* not yet */
    }
    if (r->me == 0)
        return distribute(r);
    return r->values[r->n + 1].p == NULL ? GK_OK : open_own(r);
}

const gk_run_ops gk_run_ckd = {.slots = slots, .owner = owner, .work = work};
