/* gk_key: secret keys. The only holder of raw key bytes: opaque, immutable, no getter. Shared by threads by reference count. */
#ifndef GK_KEY_H
#define GK_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "../base/gk_bytes.h"

typedef enum gk_purpose {
    GK_PURPOSE_NAME = 1,     /* K_name: AES-256-SIV, 64 bytes */
    GK_PURPOSE_PAYLOAD = 2,  /* XAES-256-GCM, 32 bytes */
    GK_PURPOSE_SEED = 3,     /* HKDF-SHA256 pseudo-random key, 32 bytes: the keys below come from it */
    GK_PURPOSE_SESSION = 4,  /* K_sess: HMAC-SHA256, 32 bytes; derived */
    GK_PURPOSE_PENDING = 5,  /* K_pend: XAES-256-GCM, 32 bytes; derived */
    GK_PURPOSE_DK = 6,       /* XAES-256-GCM, 32 bytes; used once: the data key of one keyring file, or between two parties of a run */
    GK_PURPOSE_SIGN = 7,     /* Ed25519 private key, 32 bytes */
    GK_PURPOSE_EXCHANGE = 8, /* X25519 private key, 32 bytes */
    GK_PURPOSE_SERVER = 9,   /* HMAC-SHA256, 32 bytes: records of servers; derived from a seed */
    GK_PURPOSE_AGREED = 10,  /* K_s, what a run agreed on: HMAC-SHA256 and HKDF, 32 bytes; derived from an exchange key */
    GK_PURPOSE_CONFIRM = 11, /* HMAC-SHA256, 32 bytes; derived from K_s */
    /* group keys by a controller */
    GK_PURPOSE_NODE = 32,  /* of a node of a key tree: HKDF-SHA256 pseudo-random key, 32 bytes */
    GK_PURPOSE_WRAP = 33,  /* AES-256-SIV, 64 bytes; from a node key */
    GK_PURPOSE_GROUP = 34, /* K_g: HKDF-SHA256 pseudo-random key and HMAC-SHA256, 32 bytes; from a root's key */
    GK_PURPOSE_APP = 35,   /* XAES-256-GCM, 32 bytes; from a group key */
    GK_PURPOSE_STATE = 36, /* controllers' and members' state: XAES-256-GCM, 32 bytes */
    GK_PURPOSE_MAC = 37,   /* HMAC-SHA256, 32 bytes; from a node key */
    GK_PURPOSE_TOKEN = 38  /* a token's secret: HKDF-SHA256 pseudo-random key, 32 bytes */
} gk_purpose;

#define GK_KEY_MAX 64
/* Every label of ours starts so (docs/FORMAT.md). */
#define GK_LABEL "groupkeeper v1 "

typedef struct gk_key gk_key;

/* gk_key_size: the length in bytes that a key of this purpose has; 0 for an unknown purpose. */
size_t gk_key_size(gk_purpose purpose);
/* gk_purpose_str: "name", "payload", "seed", "session", "pending", "dk", "sign", "exchange", "server", "K_s", "agree confirm", "node", ...; "?" for an
 * unknown one. */
const char *gk_purpose_str(gk_purpose purpose);
/* gk_key_new copies raw (gk_key_size(purpose) bytes) into a new key with one reference. The caller wipes its own copy. */
gk_err gk_key_new(gk_key **out, gk_purpose purpose, uint32_t id, gk_bytes raw) GK_MUST_CHECK;
/* gk_key_generate makes a random key. */
gk_err gk_key_generate(gk_key **out, gk_purpose purpose, uint32_t id) GK_MUST_CHECK;
/* gk_key_derive: HKDF-Expand (RFC 5869, SHA-256) of a key; info = u16 length | "groupkeeper v1 " purpose | u16 length | context. Only these are
 * derived (else GK_ERR_ARG): session, pending and server keys of a seed, K_s of an exchange key, confirm keys of a K_s; context.n <= 256. */
gk_err gk_key_derive(gk_key **out, gk_purpose purpose, uint32_t id, const gk_key *from, gk_bytes context) GK_MUST_CHECK;
gk_purpose gk_key_purpose(const gk_key *k);
uint32_t gk_key_id(const gk_key *k);
/* gk_key_check_value: HMAC-SHA256(key, "kcv")[0..8), the public fingerprint of a key. */
gk_err gk_key_check_value(const gk_key *k, uint8_t out[8]) GK_MUST_CHECK;
/* gk_key_ref takes one more reference; gk_key_free gives one back, the last one wipes. Both thread-safe; NULL is allowed. */
gk_key *gk_key_ref(gk_key *k);
void gk_key_free(gk_key *k);

/* gk_hmac_sha256 writes HMAC-SHA256(k, parts in order) to out, zeros on failure. k is a session, seed, server,
 * agreed, confirm, mac or group key, else GK_ERR_ARG. Thread-safe. */
gk_err gk_hmac_sha256(uint8_t out[32], const gk_key *k, const gk_bytes *parts, size_t n_parts) GK_MUST_CHECK;

#endif
