#include "gk_run.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "../crypto/gk_sign.h"
#include "../crypto/gk_x25519.h"
#include "gk_run_internal.h"

#define RUN_LABEL GK_LABEL "run"
#define TRANSCRIPT_LABEL GK_LABEL "transcript"
#define PARTY (8 + GK_RUN_NONCE + 32) /* in the transcript */

/* --- small things --------------------------------------------------------------------------------------------------------- */

void gk_run_label(gk_writer *w, const char *text)
{
    gk_writer_u16(w, (uint16_t)strlen(text));
    gk_writer_put(w, text, strlen(text));
}

gk_err gk_run_expect(gk_reader *r, const char *text)
{
    static const char ours[] = "groupkeeper v";
    gk_bytes label = {0};
    uint16_t n = 0;
    gk_err e = gk_reader_u16(r, &n);

    if (e == GK_OK)
        e = gk_reader_take(r, &label, n);
    if (e != GK_OK)
        return e;
    if (n == strlen(text) && memcmp(label.p, text, n) == 0)
        return GK_OK;
    return n > sizeof(ours) && memcmp(label.p, ours, sizeof(ours) - 1) == 0 ? GK_ERR_VERSION : GK_ERR_MALFORMED;
}

gk_err gk_run_sha256(uint8_t out[GK_RUN_HASH], const gk_bytes *parts, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; i < n && ok; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        gk_wipe(out, GK_RUN_HASH);
    return ok ? GK_OK : GK_ERR_CRYPTO;
}

/* erase: what isn't needed once the secret stands, or when the run failed. */
static void erase(gk_run *r)
{
    gk_key_free(r->secret);
    gk_key_free(r->root);
    r->secret = NULL;
    r->root = NULL;
}

/* --- begin and end -------------------------------------------------------------------------------------------------------- */

gk_err gk_run_id(uint8_t out[GK_RUN_HASH], const uint8_t ensemble[16], const gk_party *parties, size_t n)
{
    size_t cap = 2 + sizeof(RUN_LABEL) - 1 + 16 + n * (8 + GK_RUN_NONCE);
    uint8_t *buf = NULL;
    gk_writer w = {0};
    gk_bytes all = {0};
    gk_err e = GK_OK;

    gk_wipe(out, GK_RUN_HASH);
    if (n == 0 || n > GK_RUN_PARTIES)
        return GK_ERR_ARG;
    for (size_t i = 1; i < n; i++) {
        if (parties[i].id <= parties[i - 1].id)
            return GK_ERR_ARG;
    }
    buf = OPENSSL_zalloc(cap);
    if (buf == NULL)
        return GK_ERR_NOMEM;
    w = gk_writer_of(buf, cap);
    gk_run_label(&w, RUN_LABEL);
    gk_writer_put(&w, ensemble, 16);
    for (size_t i = 0; i < n; i++) {
        gk_writer_u64(&w, parties[i].id);
        gk_writer_put(&w, parties[i].nonce, GK_RUN_NONCE);
    }
    all = (gk_bytes){buf, w.len};
    e = w.err == GK_OK ? gk_run_sha256(out, &all, 1) : w.err;
    OPENSSL_free(buf);
    return e;
}

/* number gives each node its owner, and its number among that party's messages: the node's that is sent first comes first. */
static void number(gk_run *r)
{
    for (size_t i = 1; i < r->n_values; i++) {
        size_t node = r->protocol == GK_TGDH ? r->n_values - i : i; /* from the leaves up */
        size_t party = 0;
        size_t len = 0;

        if (!r->ops->owner(r->n, node, &party, &len))
            continue;
        r->values[node].party = party;
        r->values[node].n = len;
        r->values[node].seq = r->own_nodes[party]++;
    }
}

static gk_err allocate(gk_run *r, const gk_party *parties, size_t n)
{
    r->parties = OPENSSL_memdup(parties, n * sizeof(*parties));
    r->n = n;
    r->n_values = r->ops->slots(n);
    r->values = OPENSSL_zalloc(r->n_values * sizeof(*r->values));
    r->confirms = OPENSSL_zalloc(n * sizeof(*r->confirms));
    r->confirmed = OPENSSL_zalloc(n * sizeof(*r->confirmed));
    r->own_nodes = OPENSSL_zalloc(n * sizeof(*r->own_nodes));
    if (r->parties == NULL || r->values == NULL || r->confirms == NULL || r->confirmed == NULL || r->own_nodes == NULL)
        return GK_ERR_NOMEM;
    number(r);
    return GK_OK;
}

static gk_err find_self(gk_run *r, uint64_t self)
{
    uint8_t own[GK_SIGN_PUBLIC];
    gk_err e = gk_sign_public(own, r->identity);

    while (r->me < r->n && r->parties[r->me].id != self)
        r->me++;
    if (e == GK_OK && (r->me == r->n || memcmp(own, r->parties[r->me].public_key, sizeof(own)) != 0)) /* public */
        e = GK_ERR_ARG;
    return e;
}

gk_err gk_run_new(gk_run **out, gk_protocol protocol, const uint8_t ensemble[16], const gk_party *parties, size_t n, uint64_t self,
                  gk_key *identity)
{
    uint8_t id[GK_RUN_HASH];
    gk_run *r = NULL;
    gk_err e = gk_run_id(id, ensemble, parties, n);

    *out = NULL;
    if (e == GK_OK && protocol != GK_TGDH && protocol != GK_CKD)
        e = GK_ERR_ARG;
    if (e != GK_OK)
        return e;
    r = OPENSSL_zalloc(sizeof(*r));
    if (r == NULL)
        return GK_ERR_NOMEM;
    r->ops = protocol == GK_TGDH ? &gk_run_tgdh : &gk_run_ckd;
    r->protocol = protocol;
    memcpy(r->id, id, sizeof(id));
    r->identity = gk_key_ref(identity);
    e = allocate(r, parties, n);
    if (e == GK_OK)
        e = find_self(r, self);
    if (e != GK_OK) {
        gk_run_free(r);
        return e;
    }
    *out = r;
    return GK_OK;
}

void gk_run_free(gk_run *r)
{
    if (r == NULL)
        return;
    erase(r);
    gk_key_free(r->ks);
    gk_key_free(r->identity);
    for (size_t i = 0; r->values != NULL && i < r->n_values; i++)
        OPENSSL_free(r->values[i].p);
    for (size_t i = 0; i < r->n_sent; i++)
        OPENSSL_free(r->sent[i].p);
    OPENSSL_free(r->values);
    OPENSSL_free(r->confirms);
    OPENSSL_free(r->confirmed);
    OPENSSL_free(r->own_nodes);
    OPENSSL_free(r->parties);
    OPENSSL_clear_free(r, sizeof(*r));
}

/* --- what the protocols use ------------------------------------------------------------------------------------------------ */

gk_err gk_run_public(gk_run *r, uint8_t out[GK_RUN_BK], const gk_key *k)
{
    r->counts.x25519_base++;
    return gk_x25519_public(out, k);
}

gk_err gk_run_agree(gk_run *r, gk_key **out, gk_purpose purpose, const gk_key *k, const uint8_t peer[GK_RUN_BK], const char *label,
                    uint32_t node, const uint8_t left[GK_RUN_BK], const uint8_t right[GK_RUN_BK])
{
    uint8_t salt[2 + 64];
    uint8_t info[GK_RUN_HASH + 4 + 2 * GK_RUN_BK];
    gk_writer s = gk_writer_of(salt, sizeof(salt));
    gk_writer i = gk_writer_of(info, sizeof(info));

    gk_run_label(&s, label);
    gk_writer_put(&i, r->id, GK_RUN_HASH);
    gk_writer_u32(&i, node);
    gk_writer_put(&i, left, GK_RUN_BK);
    gk_writer_put(&i, right, GK_RUN_BK);
    *out = NULL;
    if (s.err != GK_OK || i.err != GK_OK)
        return GK_ERR_SPACE;
    r->counts.x25519_shared++;
    return gk_x25519_agree(out, purpose, k, peer, (gk_bytes){salt, s.len}, (gk_bytes){info, i.len});
}

/* --- the secret ----------------------------------------------------------------------------------------------------------- */

/* hash_transcript: false in *whole when a message is still missing. */
static gk_err hash_transcript(gk_run *r, bool *whole)
{
    size_t cap = 2 + sizeof(TRANSCRIPT_LABEL) - 1 + 1 + GK_RUN_HASH + 4 + r->n * PARTY;
    uint8_t *buf = NULL;
    gk_writer w = {0};
    gk_bytes all = {0};
    gk_err e = GK_OK;

    *whole = true;
    for (size_t i = 1; i < r->n_values; i++) {
        *whole = *whole && (r->values[i].n == 0 || r->values[i].p != NULL);
        cap += 4 + 2 + r->values[i].n;
    }
    if (!*whole)
        return GK_OK;
    buf = OPENSSL_zalloc(cap);
    if (buf == NULL)
        return GK_ERR_NOMEM;
    w = gk_writer_of(buf, cap);
    gk_run_label(&w, TRANSCRIPT_LABEL);
    gk_writer_u8(&w, (uint8_t)r->protocol);
    gk_writer_put(&w, r->id, GK_RUN_HASH);
    gk_writer_u32(&w, (uint32_t)r->n);
    for (size_t i = 0; i < r->n; i++) {
        gk_writer_u64(&w, r->parties[i].id);
        gk_writer_put(&w, r->parties[i].nonce, GK_RUN_NONCE);
        gk_writer_put(&w, r->parties[i].public_key, 32);
    }
    for (size_t i = 1; i < r->n_values; i++) {
        if (r->values[i].p == NULL)
            continue;
        gk_writer_u32(&w, (uint32_t)i);
        gk_writer_u16(&w, (uint16_t)r->values[i].n);
        gk_writer_put(&w, r->values[i].p, r->values[i].n);
    }
    all = (gk_bytes){buf, w.len};
    e = w.err == GK_OK ? gk_run_sha256(r->hash, &all, 1) : w.err;
    OPENSSL_free(buf);
    return e;
}

/* confirmation: HMAC(HKDF-Expand(K_s, "agree confirm"), party's id | transcript hash) */
static gk_err confirmation(gk_run *r, const gk_key *k, size_t party, uint8_t out[32])
{
    uint8_t id[8];
    gk_writer w = gk_writer_of(id, sizeof(id));
    gk_bytes parts[2] = {{id, sizeof(id)}, {r->hash, sizeof(r->hash)}};

    gk_writer_u64(&w, r->parties[party].id);
    return w.err == GK_OK ? gk_hmac_sha256(out, k, parts, 2) : w.err;
}

/* make_ks: with all messages there, the secret, and this party's confirmation of it. */
static gk_err make_ks(gk_run *r)
{
    bool whole = false;
    uint8_t mac[32] = {0};
    gk_key *ks = NULL;
    gk_key *confirm = NULL;
    gk_err e = hash_transcript(r, &whole);

    if (e != GK_OK || !whole)
        return e;
    e = gk_key_derive(&ks, GK_PURPOSE_AGREED, 0, r->root, (gk_bytes){r->hash, sizeof(r->hash)});
    if (e == GK_OK)
        e = gk_key_derive(&confirm, GK_PURPOSE_CONFIRM, 0, ks, (gk_bytes){0});
    if (e == GK_OK)
        e = confirmation(r, confirm, r->me, mac);
    if (e == GK_OK)
        e = gk_run_send(r, GK_RUN_CONFIRM, (gk_bytes){mac, sizeof(mac)});
    gk_key_free(confirm);
    if (e != GK_OK) {
        gk_key_free(ks);
        return e;
    }
    memcpy(r->confirms[r->me], mac, sizeof(mac));
    r->confirmed[r->me] = true;
    r->ks = ks;
    erase(r);
    return GK_OK;
}

static gk_err compare_confirmations(gk_run *r)
{
    gk_key *confirm = NULL;
    gk_err e = GK_OK;

    for (size_t i = 0; i < r->n; i++) {
        if (!r->confirmed[i])
            return GK_OK; /* not yet */
    }
    e = gk_key_derive(&confirm, GK_PURPOSE_CONFIRM, 0, r->ks, (gk_bytes){0});
    for (size_t i = 0; i < r->n && e == GK_OK; i++) {
        uint8_t want[32];

        e = confirmation(r, confirm, i, want);
        if (e == GK_OK && !gk_bytes_equal((gk_bytes){want, 32}, (gk_bytes){r->confirms[i], 32}))
            e = GK_ERR_AUTH;
    }
    gk_key_free(confirm);
    r->agreed = e == GK_OK;
    return e;
}

gk_err gk_run_advance(gk_run *r)
{
    gk_err e = GK_OK;

    if (r->failed)
        return GK_ERR_AUTH;
    if (r->agreed)
        return GK_OK;
    if (r->ks == NULL && r->root == NULL)
        e = r->ops->work(r);
    if (e == GK_OK && r->ks == NULL && r->root != NULL)
        e = make_ks(r);
    if (e == GK_OK && r->ks != NULL)
        e = compare_confirmations(r);
    if (e == GK_ERR_AUTH) {
        erase(r);
        gk_key_free(r->ks);
        r->ks = NULL;
        r->failed = true;
    }
    return e;
}

gk_bytes gk_run_sent(const gk_run *r, size_t i)
{
    return i < r->n_sent ? (gk_bytes){r->sent[i].p, r->sent[i].n} : (gk_bytes){0};
}

bool gk_run_agreed(const gk_run *r)
{
    return r->agreed;
}

gk_key *gk_run_secret(const gk_run *r)
{
    return r->agreed ? r->ks : NULL;
}

const uint8_t *gk_run_hash(const gk_run *r)
{
    return r->hash;
}

const uint8_t *gk_run_name(const gk_run *r)
{
    return r->id;
}

const gk_party *gk_run_parties(const gk_run *r, size_t *n)
{
    *n = r->n;
    return r->parties;
}

const gk_run_counts *gk_run_count(const gk_run *r)
{
    return &r->counts;
}
