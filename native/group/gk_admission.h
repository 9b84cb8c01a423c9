/* gk_admission: members' requests, tokens, and the controller's replies. docs/FORMAT.md, "Requests", "Tokens", "Replies". */
#ifndef GK_ADMISSION_H
#define GK_ADMISSION_H

#include "../crypto/gk_cert.h"
#include "../crypto/gk_hpke.h"
#include "gk_authority.h"

#define GK_REQUEST_LIFE_MS 300000 /* not_after is at most this far ahead */
#define GK_REQUEST_MAX 32768
#define GK_TOKEN_ID 8
#define GK_TOKEN_TEXT 96 /* base64url(id8 | secret32 | genesis hash32) */

typedef enum gk_request_kind { GK_REQUEST_JOIN = 1, GK_REQUEST_REFRESH = 2, GK_REQUEST_LEAVE = 3 } gk_request_kind;

/* gk_refusal: why a request or a command wasn't granted; pinned values, they stand in replies. */
typedef enum gk_refusal {
    GK_REFUSAL_NONE = 0,
    GK_REFUSAL_PENDING = 1,    /* waits for an administrator's approval */
    GK_REFUSAL_MALFORMED = 2,  /* not a request */
    GK_REFUSAL_GROUP = 3,      /* for another group */
    GK_REFUSAL_SIGNATURE = 4,  /* wrong signature */
    GK_REFUSAL_EXPIRED = 5,    /* not_after is over, or too far ahead */
    GK_REFUSAL_REPLAY = 6,     /* seen before */
    GK_REFUSAL_POLICY = 7,     /* no alternative of the policy is met */
    GK_REFUSAL_CERTIFICATE = 8, /* a certificate is required, and this one isn't good for the group */
    GK_REFUSAL_TOKEN = 9,      /* unknown, used, expired or wrong token */
    GK_REFUSAL_DENIED = 10,    /* the identity is on the deny list */
    GK_REFUSAL_NAME = 11,      /* another identity has this name */
    GK_REFUSAL_MEMBER = 12,    /* refresh or leave by somebody who isn't a member */
    GK_REFUSAL_QUOTA = 13,     /* the group is full, or too many requests wait */
    GK_REFUSAL_RATE = 14,      /* too many requests of this identity */
    GK_REFUSAL_REJECTED = 15,  /* an administrator said no */
    GK_REFUSAL_LIMIT = 16,     /* larger than GK_REQUEST_MAX */
    GK_REFUSAL_ADMIN = 17,     /* command: not an administrator's, or of another authority version */
    GK_REFUSAL_STATE = 18,     /* command: makes no sense now (no such member, request, token) */
    GK_REFUSAL_COUNT = 19
} gk_refusal;

/* gk_refusal_str: a static English phrase; thread-safe. */
const char *gk_refusal_str(gk_refusal r);

/* --- tokens: one-time passes ---------------------------------------------------------------------------------------------
 * A token's secret never travels: it is the seed of an Ed25519 key, with which the applicant signs the request. Controllers know the public
 * key alone (so a controller's state opens no door), how often it may be used, and until when. */
typedef struct gk_token {
    uint8_t id[GK_TOKEN_ID];
    uint8_t public_key[GK_SIGN_PUBLIC];
    uint32_t uses;
    uint64_t not_after_ms;
} gk_token;

/* gk_token_create makes a token: its text for the applicant (GK_TOKEN_TEXT characters, no terminator), and the record for GK_OP_TOKEN_CREATE. */
gk_err gk_token_create(char text[GK_TOKEN_TEXT], gk_mem *record, const uint8_t genesis_hash[GK_HASH], uint32_t uses,
                       uint64_t not_after_ms) GK_MUST_CHECK;
gk_err gk_token_read(gk_token *out, gk_bytes record) GK_MUST_CHECK;
/* gk_token_open: the applicant's side. *key is a GK_PURPOSE_SIGN key. text may have white space at its end. */
gk_err gk_token_open(gk_key **key, uint8_t id[GK_TOKEN_ID], uint8_t genesis_hash[GK_HASH], gk_bytes text) GK_MUST_CHECK;

/* --- requests ------------------------------------------------------------------------------------------------------------ */

typedef struct gk_request {
    gk_request_kind kind;
    uint8_t group_id[GK_GROUP_ID];
    gk_bytes name;
    gk_cert *cert;                      /* or NULL: then the identity is public_key */
    uint8_t public_key[GK_SIGN_PUBLIC];
    uint8_t identity[GK_HASH];          /* SHA-256 of the SubjectPublicKeyInfo, or of label "identity" and the public key */
    uint8_t reply_key[GK_X25519_PUBLIC];       /* one-use */
    uint8_t nonce[32];
    uint64_t not_after_ms;
    bool with_token;
    uint8_t token_id[GK_TOKEN_ID];
    gk_bytes token_body, token_sig;     /* views */
    uint8_t once[16];                   /* SHA-256(all that is signed)[0..16): remembered until not_after */
    uint8_t hash[GK_HASH];              /* SHA-256(message): the reply's name */
} gk_request;

/* What a request is made of. Exactly one of sign (Ed25519 identity) and signer with chain (X.509 identity). */
typedef struct gk_request_spec {
    gk_request_kind kind;
    uint8_t group_id[GK_GROUP_ID];
    gk_bytes name;
    const gk_key *sign;
    const gk_signer *signer;
    gk_bytes chain;
    const gk_key *token; /* or NULL */
    uint8_t token_id[GK_TOKEN_ID];
    const gk_key *reply_key; /* GK_PURPOSE_EXCHANGE, made for this request alone */
    uint64_t not_after_ms;
} gk_request_spec;

gk_err gk_request_make(gk_mem *out, uint8_t hash[GK_HASH], const gk_request_spec *spec) GK_MUST_CHECK;
/* gk_request_read parses, and verifies the signature by the identity. Views live as long as message; gk_request_clear frees cert. */
gk_err gk_request_read(gk_request *out, gk_bytes message) GK_MUST_CHECK;
void gk_request_clear(gk_request *r);
/* gk_request_admissible: which alternative of the policy is met: GK_REFUSAL_NONE (now), GK_REFUSAL_PENDING (when approved), or why not.
 * token is the one with the request's id, NULL when there is none (left). *uses_token tells whether it counts as used. */
gk_refusal gk_request_admissible(const gk_request *r, const gk_policy *p, const gk_token *token, bool approved, uint64_t now_ms,
                                 bool *uses_token) GK_MUST_CHECK;

/* --- replies -------------------------------------------------------------------------------------------------------------- */

/* gk_reply_make: sealed to the request's reply key (HPKE), signed by the controller. refusal other than NONE: secret is empty. */
gk_err gk_reply_make(gk_mem *out, const gk_request *r, uint64_t epoch, gk_refusal refusal, gk_bytes secret, const gk_key *controller) GK_MUST_CHECK;
/* gk_reply_read verifies (GK_ERR_AUTH) and opens. *secret is for the caller to free. reply_key NULL: the refusal alone. */
gk_err gk_reply_read(gk_mem *secret, uint64_t *epoch, gk_refusal *refusal, gk_bytes reply, const uint8_t request_hash[GK_HASH],
                     const uint8_t group_id[GK_GROUP_ID], const gk_key *reply_key, const gk_authority *a) GK_MUST_CHECK;

#endif
