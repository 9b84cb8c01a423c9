#include "gk_admission.h"

#include <openssl/rand.h>
#include <string.h>

#define ID_KEY 1
#define ID_X509 2
#define TOKEN_RAW (GK_TOKEN_ID + 32 + GK_HASH)

const char *gk_refusal_str(gk_refusal r)
{
    static const char *const text[GK_REFUSAL_COUNT] = {
        "granted", "waits for approval", "malformed", "for another group", "wrong signature", "expired", "replayed", "not admitted by the policy",
        "certificate not good for this group", "token unknown, used, expired or wrong", "on the deny list", "another identity has this name",
        "not a member", "group or queue full", "too many requests", "rejected by an administrator", "too large",
        "not an administrator's, or of another authority version", "makes no sense now"};

    return (unsigned)r < GK_REFUSAL_COUNT ? text[r] : "unknown";
}

/* --- tokens ------------------------------------------------------------------------------------------------------------------ */

static gk_err token_key(gk_key **out, const uint8_t secret[32], const uint8_t id[GK_TOKEN_ID])
{
    gk_key *k = NULL;
    gk_err e = gk_key_new(&k, GK_PURPOSE_TOKEN, 0, (gk_bytes){secret, 32});

    *out = NULL;
    if (e == GK_OK)
        e = gk_expand(out, GK_PURPOSE_SIGN, k, "token sign", (gk_bytes){id, GK_TOKEN_ID});
    gk_key_free(k);
    return e;
}

static void put_token(gk_writer *w, const void *arg)
{
    const gk_token *t = arg;

    gk_writer_put(w, "GKT1", 4);
    gk_writer_put(w, t->id, sizeof(t->id));
    gk_writer_put(w, t->public_key, sizeof(t->public_key));
    gk_writer_u32(w, t->uses);
    gk_writer_u64(w, t->not_after_ms);
}

gk_err gk_token_create(char text[GK_TOKEN_TEXT], gk_mem *record, const uint8_t genesis_hash[GK_HASH], uint32_t uses, uint64_t not_after_ms)
{
    uint8_t raw[TOKEN_RAW];
    gk_token t = {.uses = uses, .not_after_ms = not_after_ms};
    gk_key *k = NULL;
    gk_err e = RAND_priv_bytes(raw, TOKEN_RAW - GK_HASH) == 1 ? GK_OK : GK_ERR_CRYPTO;

    *record = (gk_mem){0};
    memcpy(raw + TOKEN_RAW - GK_HASH, genesis_hash, GK_HASH);
    memcpy(t.id, raw, sizeof(t.id));
    if (e == GK_OK)
        e = token_key(&k, raw + GK_TOKEN_ID, t.id);
    if (e == GK_OK)
        e = gk_sign_public(t.public_key, k);
    if (e == GK_OK)
        e = gk_mem_write(record, put_token, &t);
    if (e == GK_OK)
        gk_b64_encode(text, raw, sizeof(raw));
    gk_wipe(raw, sizeof(raw));
    gk_key_free(k);
    return e;
}

gk_err gk_token_read(gk_token *out, gk_bytes record)
{
    gk_token t = {0};
    gk_reader r = gk_reader_of(record.p, record.n);
    gk_err e = gk_reader_magic(&r, "GKT1");

    if (e == GK_OK)
        e = gk_reader_copy(&r, t.id, sizeof(t.id));
    if (e == GK_OK)
        e = gk_reader_copy(&r, t.public_key, sizeof(t.public_key));
    if (e == GK_OK)
        e = gk_reader_u32(&r, &t.uses);
    if (e == GK_OK)
        e = gk_reader_u64(&r, &t.not_after_ms);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK && t.uses == 0)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK)
        *out = t;
    return e;
}

gk_err gk_token_open(gk_key **key, uint8_t id[GK_TOKEN_ID], uint8_t genesis_hash[GK_HASH], gk_bytes text)
{
    uint8_t raw[TOKEN_RAW + 3] = {0};
    size_t n = 0;
    gk_err e = GK_ERR_MALFORMED;

    *key = NULL;
    while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
        text.n--;
    if (text.n == GK_TOKEN_TEXT)
        e = gk_b64_decode(raw, &n, (const char *)text.p, text.n);
    if (e == GK_OK && n != TOKEN_RAW)
        e = GK_ERR_MALFORMED;
    if (e == GK_OK)
        e = token_key(key, raw + GK_TOKEN_ID, raw);
    memcpy(id, raw, GK_TOKEN_ID);
    memcpy(genesis_hash, raw + GK_TOKEN_ID + 32, GK_HASH);
    gk_wipe(raw, sizeof(raw));
    return e;
}

/* --- requests ---------------------------------------------------------------------------------------------------------------- */

typedef struct request_parts {
    const gk_request_spec *spec;
    uint8_t public_key[GK_SIGN_PUBLIC];
    uint8_t reply_key[GK_X25519_PUBLIC];
    uint8_t nonce[32];
    int stage; /* 0: what the token signs; 1: what the identity signs; 2: all */
    uint8_t token_sig[GK_SIGNATURE];
    uint8_t sig[GK_CERT_SIG_MAX];
    size_t sig_n;
} request_parts;

static void put_request(gk_writer *w, const void *arg)
{
    const request_parts *q = arg;
    const gk_request_spec *s = q->spec;

    gk_writer_put(w, "GKJ1", 4);
    gk_writer_u8(w, (uint8_t)s->kind);
    gk_writer_put(w, s->group_id, sizeof(s->group_id));
    gk_writer_var16(w, s->name);
    gk_writer_u8(w, s->sign != NULL ? ID_KEY : ID_X509);
    gk_writer_var32(w, s->sign != NULL ? (gk_bytes){q->public_key, sizeof(q->public_key)} : s->chain);
    gk_writer_put(w, q->reply_key, sizeof(q->reply_key));
    gk_writer_put(w, q->nonce, sizeof(q->nonce));
    gk_writer_u64(w, s->not_after_ms);
    gk_writer_u8(w, s->token != NULL);
    if (s->token != NULL)
        gk_writer_put(w, s->token_id, sizeof(s->token_id));
    if (q->stage >= 1 && s->token != NULL)
        gk_writer_put(w, q->token_sig, sizeof(q->token_sig));
    if (q->stage >= 2)
        gk_writer_var16(w, (gk_bytes){q->sig, q->sig_n});
}

/* labelled signs u16 length | label | body with an Ed25519 key. */
static gk_err labelled(gk_mem *out, const char *label, gk_bytes body)
{
    size_t n = strlen(label);
    gk_err e = gk_mem_new(out, 2 + n + body.n);
    gk_writer w = gk_writer_of(out->p, out->n);

    if (e != GK_OK)
        return e;
    gk_writer_u16(&w, (uint16_t)n);
    gk_writer_put(&w, label, n);
    gk_writer_put(&w, body.p, body.n);
    return w.err;
}

static gk_err sign_with(uint8_t sig[GK_SIGNATURE], const gk_key *k, const char *label, gk_bytes body)
{
    gk_mem text = {0};
    gk_err e = labelled(&text, label, body);

    if (e == GK_OK)
        e = gk_sign_make(sig, k, gk_mem_view(&text));
    gk_mem_free(&text);
    return e;
}

static gk_err check_with(const uint8_t pub[GK_SIGN_PUBLIC], gk_bytes sig, const char *label, gk_bytes body)
{
    gk_mem text = {0};
    gk_err e = sig.n == GK_SIGNATURE ? labelled(&text, label, body) : GK_ERR_AUTH;

    if (e == GK_OK)
        e = gk_sign_check(pub, gk_mem_view(&text), sig.p);
    gk_mem_free(&text);
    return e;
}

gk_err gk_request_make(gk_mem *out, uint8_t hash[GK_HASH], const gk_request_spec *spec)
{
    request_parts q = {.spec = spec};
    gk_mem body = {0};
    gk_err e = gk_name_ok(spec->name) && (spec->sign != NULL) != (spec->signer != NULL) ? GK_OK : GK_ERR_ARG;

    *out = (gk_mem){0};
    if (e == GK_OK && spec->sign != NULL)
        e = gk_sign_public(q.public_key, spec->sign);
    if (e == GK_OK)
        e = gk_x25519_public(q.reply_key, spec->reply_key);
    if (e == GK_OK && RAND_bytes(q.nonce, sizeof(q.nonce)) != 1)
        e = GK_ERR_CRYPTO;
    if (e == GK_OK && spec->token != NULL) {
        e = gk_mem_write(&body, put_request, &q);
        if (e == GK_OK)
            e = sign_with(q.token_sig, spec->token, GK_LABEL "token", gk_mem_view(&body));
        gk_mem_free(&body);
    }
    q.stage = 1;
    if (e == GK_OK)
        e = gk_mem_write(&body, put_request, &q);
    if (e == GK_OK && spec->sign != NULL) {
        q.sig_n = GK_SIGNATURE;
        e = sign_with(q.sig, spec->sign, GK_LABEL "join", gk_mem_view(&body));
    } else if (e == GK_OK) {
        e = gk_signer_sign(spec->signer, q.sig, &q.sig_n, GK_LABEL "join", gk_mem_view(&body));
    }
    q.stage = 2;
    if (e == GK_OK)
        e = gk_mem_write(out, put_request, &q);
    if (e == GK_OK && out->n > GK_REQUEST_MAX)
        e = GK_ERR_LIMIT;
    if (e == GK_OK)
        e = gk_sha256(hash, &(gk_bytes){out->p, out->n}, 1);
    gk_mem_free(&body);
    if (e != GK_OK)
        gk_mem_free(out);
    return e;
}

/* read_identity: cert or public key, and the identity's hash. */
static gk_err read_identity(gk_request *q, uint8_t type, gk_bytes raw)
{
    gk_bytes parts[2] = {{(const uint8_t *)GK_LABEL "identity", sizeof(GK_LABEL "identity") - 1}, raw};
    gk_err e = GK_OK;

    if (type == ID_X509) {
        e = gk_cert_parse(&q->cert, raw);
        return e == GK_OK ? gk_cert_spki_hash(q->cert, q->identity) : e;
    }
    if (type != ID_KEY || raw.n != sizeof(q->public_key))
        return GK_ERR_MALFORMED;
    memcpy(q->public_key, raw.p, raw.n);
    return gk_sha256(q->identity, parts, 2);
}

static gk_err parse_request(gk_request *q, gk_reader *r, uint8_t *type, gk_bytes *identity, gk_bytes message)
{
    uint8_t kind = 0, token = 0;
    gk_err e = gk_reader_magic(r, "GKJ1");

    if (e == GK_OK)
        e = gk_reader_u8(r, &kind);
    if (e == GK_OK)
        e = gk_reader_copy(r, q->group_id, sizeof(q->group_id));
    if (e == GK_OK)
        e = gk_reader_var16(r, &q->name, GK_NAME_MAX);
    if (e == GK_OK)
        e = gk_reader_u8(r, type);
    if (e == GK_OK)
        e = gk_reader_var32(r, identity, GK_REQUEST_MAX);
    if (e == GK_OK)
        e = gk_reader_copy(r, q->reply_key, sizeof(q->reply_key));
    if (e == GK_OK)
        e = gk_reader_copy(r, q->nonce, sizeof(q->nonce));
    if (e == GK_OK)
        e = gk_reader_u64(r, &q->not_after_ms);
    if (e == GK_OK)
        e = gk_reader_u8(r, &token);
    if (e == GK_OK && token == 1) {
        e = gk_reader_copy(r, q->token_id, sizeof(q->token_id));
        q->token_body = (gk_bytes){message.p, message.n - r->n};
        if (e == GK_OK)
            e = gk_reader_take(r, &q->token_sig, GK_SIGNATURE);
    }
    if (e == GK_OK && (token > 1 || kind < GK_REQUEST_JOIN || kind > GK_REQUEST_LEAVE || !gk_name_ok(q->name)))
        e = GK_ERR_MALFORMED;
    q->kind = (gk_request_kind)kind;
    q->with_token = token == 1;
    return e;
}

gk_err gk_request_read(gk_request *out, gk_bytes message)
{
    gk_request q = {0};
    gk_reader r = gk_reader_of(message.p, message.n);
    uint8_t type = 0, once[GK_HASH];
    gk_bytes identity = {0}, body = {0}, sig = {0};
    gk_err e = message.n > GK_REQUEST_MAX ? GK_ERR_LIMIT : parse_request(&q, &r, &type, &identity, message);

    if (e == GK_OK) {
        body = (gk_bytes){message.p, message.n - r.n};
        e = gk_reader_var16(&r, &sig, GK_CERT_SIG_MAX);
    }
    if (e == GK_OK)
        e = gk_reader_end(&r);
    if (e == GK_OK)
        e = read_identity(&q, type, identity);
    if (e == GK_OK)
        e = q.cert != NULL ? gk_cert_verify(q.cert, sig, GK_LABEL "join", body) : check_with(q.public_key, sig, GK_LABEL "join", body);
    /* what was signed, not the whole message: an ECDSA signature can be changed into another one that is valid, too */
    if (e == GK_OK)
        e = gk_sha256(once, &body, 1);
    if (e == GK_OK)
        e = gk_sha256(q.hash, &message, 1);
    memcpy(q.once, once, sizeof(q.once));
    if (e != GK_OK)
        gk_request_clear(&q);
    else
        *out = q;
    return e;
}

void gk_request_clear(gk_request *q)
{
    gk_cert_free(q->cert);
    *q = (gk_request){0};
}

/* --- the policy -------------------------------------------------------------------------------------------------------------- */

static bool good_certificate(const gk_request *q, const gk_policy *p, uint64_t now_ms)
{
    if (q->cert == NULL || gk_cert_check(q->cert, p->cas, (int64_t)(now_ms / 1000)) != GK_OK)
        return false;
    for (size_t i = 0; i < p->patterns_n; i++) {
        if (gk_cert_matches(q->cert, p->patterns[i]))
            return true;
    }
    return p->patterns_n == 0;
}

gk_refusal gk_request_admissible(const gk_request *q, const gk_policy *p, const gk_token *token, bool approved, uint64_t now_ms, bool *uses_token)
{
    unsigned have = 0, asked = 0;
    bool pending = false;

    *uses_token = false;
    if (good_certificate(q, p, now_ms))
        have |= GK_ADMIT_X509;
    if (q->with_token && token != NULL && token->uses > 0 && token->not_after_ms >= now_ms &&
        check_with(token->public_key, q->token_sig, GK_LABEL "token", q->token_body) == GK_OK)
        have |= GK_ADMIT_TOKEN;
    for (size_t i = 0; i < p->admit_n; i++) {
        unsigned need = p->admit[i];
        unsigned lacks = need & ~(have | (approved ? (unsigned)GK_ADMIT_MANUAL : 0));

        asked |= need;
        if (lacks == 0) {
            *uses_token = (need & GK_ADMIT_TOKEN) != 0;
            return GK_REFUSAL_NONE;
        }
        pending = pending || lacks == GK_ADMIT_MANUAL;
    }
    if (pending)
        return GK_REFUSAL_PENDING;
    if ((asked & GK_ADMIT_TOKEN) && q->with_token && !(have & GK_ADMIT_TOKEN))
        return GK_REFUSAL_TOKEN;
    return (asked & GK_ADMIT_X509) && q->cert != NULL && !(have & GK_ADMIT_X509) ? GK_REFUSAL_CERTIFICATE : GK_REFUSAL_POLICY;
}
