/* gk_key_internal: raw key bytes, for the files of native/crypto, the keyring's file format, the state that
 * native/group seals (gk_lkh_state.c, gk_statekey.c, gk_member_state.c), the one key that
 * gk_member_look.c exports, and their tests. Nothing else includes
 * this header. */
#ifndef GK_KEY_INTERNAL_H
#define GK_KEY_INTERNAL_H

#include <stdatomic.h>
#include <string.h>

#include "gk_key.h"

struct gk_key {
    atomic_uint refs;
    gk_purpose purpose;
    uint32_t id;
    size_t n;
    uint8_t raw[GK_KEY_MAX];
};

/* gk_key_raw: a view of the key's bytes, valid as long as a reference is held. */
static inline gk_bytes gk_key_raw(const gk_key *k)
{
    return (gk_bytes){.p = k->raw, .n = k->n};
}

/* gk_hmac_raw writes HMAC-SHA256(key, parts in order), RFC 2104, to out; zeros on failure. Thread-safe. */
gk_err gk_hmac_raw(uint8_t out[32], gk_bytes key, const gk_bytes *parts, size_t n_parts) GK_MUST_CHECK;
/* gk_hkdf_expand writes n <= 255 * 32 bytes of HKDF-Expand (RFC 5869 section 2.3, SHA-256) to out; zeros on failure. Thread-safe. */
gk_err gk_hkdf_expand(uint8_t *out, size_t n, gk_bytes prk, gk_bytes info) GK_MUST_CHECK;
/* gk_x25519_raw writes X25519(k, peer), RFC 7748 section 5, to out; GK_ERR_AUTH when it is all zeros. Zeros on failure; wipe it after use. */
gk_err gk_x25519_raw(uint8_t out[32], const gk_key *k, const uint8_t peer[32]) GK_MUST_CHECK;
/* gk_hpke_seal_with: gk_hpke_seal with a given ephemeral key, for known answers. */
gk_err gk_hpke_seal_with(uint8_t *out, const gk_key *ephemeral, const uint8_t pub[32], gk_bytes info, gk_bytes aad, gk_bytes pt) GK_MUST_CHECK;
/* gk_block_xor writes out ^ in to out. */
static inline void gk_block_xor(uint8_t out[16], const uint8_t in[16])
{
    uint64_t a[2], b[2];

    memcpy(a, out, 16);
    memcpy(b, in, 16);
    a[0] ^= b[0];
    a[1] ^= b[1];
    memcpy(out, a, 16);
}
/* gk_block_double writes in * x in GF(2^128) to out (NIST SP 800-38B section 6.1, RFC 5297 section 2.3), in constant time; out may be in. */
static inline void gk_block_double(uint8_t out[16], const uint8_t in[16])
{
    uint8_t carry = in[0] >> 7;

    for (size_t i = 0; i < 15; i++)
        out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
    out[15] = (uint8_t)(in[15] << 1 ^ (0x87 & -carry));
}
/* gk_crypto_failed empties OpenSSL's error queue of this thread and returns GK_ERR_NOMEM when an allocation was what failed, else e. */
gk_err gk_crypto_failed(gk_err e) GK_MUST_CHECK;

#endif
