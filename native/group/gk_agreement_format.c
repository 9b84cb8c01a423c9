/* The bytes of servers/<id> and agreement/current: docs/FORMAT.md, "Agreement of the servers". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../crypto/gk_sign.h"
#include "gk_agreement_internal.h"
#include "gk_run_internal.h"

#define RECORD_LABEL GK_LABEL "server record"
#define CURRENT_LABEL GK_LABEL "agreement"
#define MAC 32

/* --- records -------------------------------------------------------------------------------------------------------------- */

gk_err gk_record_write(uint8_t *out, size_t cap, size_t *n, const gk_record *rec, const uint8_t ensemble[GK_ID], const gk_key *server,
                       const gk_key *identity)
{
    gk_writer w = gk_writer_of(out, cap);
    gk_bytes parts[2] = {{ensemble, GK_ID}, {0}};
    uint8_t *mac = NULL;
    uint8_t *signature = NULL;
    size_t body = 0;
    gk_err e = GK_OK;

    *n = 0;
    gk_run_label(&w, RECORD_LABEL);
    gk_writer_u64(&w, rec->id);
    gk_writer_put(&w, rec->nonce, sizeof(rec->nonce));
    gk_writer_u8(&w, (uint8_t)rec->reason);
    gk_writer_u32(&w, rec->seed);
    gk_writer_put(&w, rec->fingerprint, sizeof(rec->fingerprint));
    gk_writer_put(&w, rec->public_key, sizeof(rec->public_key));
    body = w.len;
    mac = gk_writer_reserve(&w, MAC);
    signature = gk_writer_reserve(&w, GK_SIGNATURE);
    if (w.err != GK_OK)
        return w.err;
    parts[1] = (gk_bytes){out, body};
    e = gk_hmac_sha256(mac, server, parts, 2);
    if (e == GK_OK) /* the MAC holds the ensemble, and the signature the MAC */
        e = gk_sign_make(signature, identity, (gk_bytes){out, body + MAC});
    if (e == GK_OK)
        *n = w.len;
    return e;
}

gk_err gk_record_read(gk_record *out, gk_reader *r)
{
    const gk_reader start = *r;
    gk_bytes rest = {0};
    uint8_t reason = 0;
    gk_err e = gk_run_expect(r, RECORD_LABEL);

    memset(out, 0, sizeof(*out));
    if (e == GK_OK)
        e = gk_reader_u64(r, &out->id);
    if (e == GK_OK)
        e = gk_reader_copy(r, out->nonce, sizeof(out->nonce));
    if (e == GK_OK)
        e = gk_reader_u8(r, &reason);
    if (e == GK_OK)
        e = gk_reader_u32(r, &out->seed);
    if (e == GK_OK)
        e = gk_reader_copy(r, out->fingerprint, sizeof(out->fingerprint));
    if (e == GK_OK)
        e = gk_reader_copy(r, out->public_key, sizeof(out->public_key));
    if (e == GK_OK)
        e = gk_reader_take(r, &rest, MAC + GK_SIGNATURE);
    if (e == GK_OK && (out->id == 0 || reason < GK_REASON_START || reason > GK_REASON_LOST))
        e = GK_ERR_MALFORMED;
    out->reason = (gk_reason)reason;
    out->raw = (gk_bytes){start.p, start.n - r->n};
    return e;
}

gk_err gk_record_check(const gk_record *rec, const uint8_t ensemble[GK_ID], const gk_key *server)
{
    size_t body = rec->raw.n - MAC - GK_SIGNATURE;
    gk_bytes parts[2] = {{ensemble, GK_ID}, {rec->raw.p, body}};
    uint8_t want[MAC];
    gk_err e = gk_hmac_sha256(want, server, parts, 2);

    if (e == GK_OK && !gk_bytes_equal((gk_bytes){want, MAC}, (gk_bytes){rec->raw.p + body, MAC}))
        e = GK_ERR_AUTH;
    if (e == GK_OK)
        e = gk_sign_check(rec->public_key, (gk_bytes){rec->raw.p, body + MAC}, rec->raw.p + body + MAC);
    return e;
}

/* --- agreement/current ---------------------------------------------------------------------------------------------------- */

gk_err gk_current_write(uint8_t *out, size_t cap, size_t *n, const gk_current *c)
{
    gk_writer w = gk_writer_of(out, cap);

    gk_run_label(&w, CURRENT_LABEL);
    gk_writer_put(&w, c->run_id, sizeof(c->run_id));
    gk_writer_put(&w, c->hash, sizeof(c->hash));
    gk_writer_u16(&w, (uint16_t)c->n);
    for (size_t i = 0; i < c->n; i++) {
        gk_writer_u64(&w, c->ids[i]);
        gk_writer_put(&w, c->nonces[i], sizeof(c->nonces[i]));
    }
    *n = w.err == GK_OK ? w.len : 0;
    return w.err;
}

gk_err gk_current_read(gk_current *out, gk_bytes data)
{
    gk_reader r = gk_reader_of(data.p, data.n);
    uint16_t n = 0;
    gk_err e = gk_run_expect(&r, CURRENT_LABEL);

    memset(out, 0, sizeof(*out));
    if (e == GK_OK)
        e = gk_reader_copy(&r, out->run_id, sizeof(out->run_id));
    if (e == GK_OK)
        e = gk_reader_copy(&r, out->hash, sizeof(out->hash));
    if (e == GK_OK)
        e = gk_reader_u16(&r, &n);
    if (e == GK_OK && (n == 0 || n > GK_AGREEMENT_SERVERS))
        e = GK_ERR_MALFORMED;
    for (size_t i = 0; i < n && e == GK_OK; i++) {
        e = gk_reader_u64(&r, &out->ids[i]);
        if (e == GK_OK)
            e = gk_reader_copy(&r, out->nonces[i], sizeof(out->nonces[i]));
        if (e == GK_OK && i > 0 && out->ids[i] <= out->ids[i - 1])
            e = GK_ERR_MALFORMED;
    }
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK)
        out->n = n;
    return e;
}

/* --- why ------------------------------------------------------------------------------------------------------------------ */

typedef struct text {
    char *p;
    size_t cap;
    size_t n;
} text;

static void add_text(text *t, const char *s)
{
    for (; *s != '\0' && t->n + 1 < t->cap; s++)
        t->p[t->n++] = *s;
    t->p[t->n] = '\0';
}

static void add_id(text *t, const char *word, uint64_t id, bool first)
{
    char number[24];

    if (first && t->n > 0)
        add_text(t, "; ");
    add_text(t, first ? word : ",");
    if (first)
        add_text(t, " ");
    (void)snprintf(number, sizeof(number), "%" PRIu64, id);
    add_text(t, number);
}

static size_t find_id(const gk_current *c, uint64_t id)
{
    size_t i = 0;

    while (i < c->n && c->ids[i] != id)
        i++;
    return i;
}

/* word_of: what a party did to make the run begin; NULL: nothing. */
static const char *word_of(const gk_current *before, const gk_party *p, gk_reason reason)
{
    static const char *const words[] = {"", "restart", "age", "volume", "stalled", "asked", "return", "lost"};
    size_t i = 0;

    if (before == NULL)
        return "start";
    i = find_id(before, p->id);
    if (i == before->n)
        return "join";
    return memcmp(before->nonces[i], p->nonce, sizeof(p->nonce)) == 0 ? NULL : words[reason]; /* public */
}

void gk_why(char *out, size_t cap, const gk_current *before, const gk_party *parties, const gk_reason *reasons, size_t n)
{
    static const char *const words[] = {"start", "join", "restart", "return", "age", "volume", "stalled", "asked", "lost"};
    text t = {out, cap, 0};
    bool first = true;

    out[0] = '\0';
    for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
        first = true;
        for (size_t i = 0; i < n; i++) {
            const char *word = word_of(before, &parties[i], reasons[i]);

            if (word == NULL || strcmp(word, words[w]) != 0)
                continue;
            add_id(&t, word, parties[i].id, first);
            first = false;
        }
    }
    first = true;
    for (size_t i = 0; before != NULL && i < before->n; i++) {
        bool there = false;

        for (size_t j = 0; j < n; j++)
            there = there || parties[j].id == before->ids[i];
        if (there)
            continue;
        add_id(&t, "leave", before->ids[i], first);
        first = false;
    }
}
