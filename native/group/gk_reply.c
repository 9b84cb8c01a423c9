#include <openssl/crypto.h>
#include <string.h>

#include "gk_admission.h"

#define SECRET_MAX 65536

typedef struct reply_parts {
    const uint8_t *group_id;
    const uint8_t *request_hash;
    uint64_t epoch;
    uint8_t refusal;
    gk_bytes sealed;
} reply_parts;

static void put_reply(gk_writer *w, const void *arg)
{
    const reply_parts *q = arg;

    gk_writer_put(w, "GKR1", 4);
    gk_writer_put(w, q->group_id, GK_GROUP_ID);
    gk_writer_put(w, q->request_hash, GK_HASH);
    gk_writer_u64(w, q->epoch);
    gk_writer_u8(w, q->refusal);
    gk_writer_var32(w, q->sealed);
}

/* info_of: u16 length | label "admit" | SHA-256(request); the associated datum is the epoch. */
static void bindings(uint8_t info[64], size_t *info_n, uint8_t aad[8], const uint8_t request_hash[GK_HASH], uint64_t epoch)
{
    gk_writer w = gk_writer_of(info, 64);

    gk_writer_u16(&w, sizeof(GK_LABEL "admit") - 1);
    gk_writer_put(&w, GK_LABEL "admit", sizeof(GK_LABEL "admit") - 1);
    gk_writer_put(&w, request_hash, GK_HASH);
    *info_n = w.len;
    w = gk_writer_of(aad, 8);
    gk_writer_u64(&w, epoch);
}

gk_err gk_reply_make(gk_mem *out, const gk_request *r, uint64_t epoch, gk_refusal refusal, gk_bytes secret, const gk_key *controller)
{
    reply_parts q = {r->group_id, r->hash, epoch, (uint8_t)refusal, {0}};
    uint8_t info[64], aad[8];
    size_t info_n = 0;
    gk_mem sealed = {0};
    gk_err e = secret.n > SECRET_MAX || (refusal == GK_REFUSAL_NONE) != (secret.n > 0) ? GK_ERR_ARG : GK_OK;

    *out = (gk_mem){0};
    if (e == GK_OK && secret.n > 0) {
        bindings(info, &info_n, aad, r->hash, epoch);
        e = gk_mem_new(&sealed, secret.n + GK_HPKE_OVERHEAD);
        if (e == GK_OK)
            e = gk_hpke_seal(sealed.p, r->reply_key, (gk_bytes){info, info_n}, (gk_bytes){aad, sizeof(aad)}, secret);
        q.sealed = gk_mem_view(&sealed);
    }
    if (e == GK_OK)
        e = gk_message_write(out, GK_LABEL "reply", put_reply, &q, controller);
    gk_mem_free(&sealed);
    return e;
}

gk_err gk_reply_read(gk_mem *secret, uint64_t *epoch, gk_refusal *refusal, gk_bytes reply, const uint8_t request_hash[GK_HASH],
                     const uint8_t group_id[GK_GROUP_ID], const gk_key *reply_key, const gk_authority *a)
{
    uint8_t group[GK_GROUP_ID], hash[GK_HASH], refused = 0, info[64], aad[8];
    size_t info_n = 0;
    gk_bytes body = {0}, sealed = {0};
    gk_reader r = {0};
    gk_err e = gk_authority_check(a, false, reply, &body, GK_LABEL "reply");

    *secret = (gk_mem){0};
    if (e == GK_OK) {
        r = gk_reader_of(body.p, body.n);
        e = gk_reader_magic(&r, "GKR1");
    }
    if (e == GK_OK)
        e = gk_reader_copy(&r, group, sizeof(group));
    if (e == GK_OK)
        e = gk_reader_copy(&r, hash, sizeof(hash));
    if (e == GK_OK)
        e = gk_reader_u64(&r, epoch);
    if (e == GK_OK)
        e = gk_reader_u8(&r, &refused);
    if (e == GK_OK)
        e = gk_reader_var32(&r, &sealed, SECRET_MAX + GK_HPKE_OVERHEAD);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && (refused >= GK_REFUSAL_COUNT || (refused == GK_REFUSAL_NONE) != (sealed.n > GK_HPKE_OVERHEAD)))
        e = GK_ERR_MALFORMED;
    if (e == GK_OK && (memcmp(group, group_id, sizeof(group)) != 0 || memcmp(hash, request_hash, sizeof(hash)) != 0))
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        *refusal = (gk_refusal)refused;
    if (e != GK_OK || refused != GK_REFUSAL_NONE || reply_key == NULL)
        return e;
    bindings(info, &info_n, aad, hash, *epoch);
    e = gk_mem_new(secret, sealed.n - GK_HPKE_OVERHEAD);
    if (e == GK_OK)
        e = gk_hpke_open(secret->p, reply_key, (gk_bytes){info, info_n}, (gk_bytes){aad, sizeof(aad)}, sealed);
    if (e != GK_OK)
        gk_mem_free(secret);
    return e;
}
