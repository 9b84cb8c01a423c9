/* gk_message: what all messages about groups share: owned bytes, labelled signatures, and ids of signers. docs/FORMAT.md, "Group messages".
 * Everything in native/group is bytes in, bytes out; times are given by the caller as Unix milliseconds; nothing here has global state.
 * An object belongs to one thread at a time (the caller locks); different objects are independent. */
#ifndef GK_MESSAGE_H
#define GK_MESSAGE_H

#include "../crypto/gk_expand.h"
#include "../crypto/gk_sign.h"

#define GK_HASH 32      /* SHA-256 */
#define GK_GROUP_ID 16  /* SHA-256(genesis)[0..16) */
#define GK_SIGNER 16    /* SHA-256(Ed25519 public key)[0..16) */
#define GK_NAME_MAX 128 /* bytes of a group's or member's name: letters, digits, '-', '_', '.', '@', ':'; not "." or ".." */
#define GK_NODE_MAX 900000 /* bytes that one znode, and all of one multi, may have: below stock's jute.maxbuffer */
#define GK_TRAILER (GK_SIGNER + GK_SIGNATURE)

/* gk_mem: bytes that its holder owns. gk_mem_free wipes; a zeroed one is empty. */
typedef struct gk_mem {
    uint8_t *p;
    size_t n;
} gk_mem;

gk_err gk_mem_new(gk_mem *out, size_t n) GK_MUST_CHECK;
gk_err gk_mem_copy(gk_mem *out, gk_bytes from) GK_MUST_CHECK;
void gk_mem_free(gk_mem *m);
static inline gk_bytes gk_mem_view(const gk_mem *m)
{
    return (gk_bytes){.p = m->p, .n = m->n};
}

/* gk_mem_write runs put(w, arg) twice, first to count, then into memory of exactly that size. */
gk_err gk_mem_write(gk_mem *out, void (*put)(gk_writer *w, const void *arg), const void *arg) GK_MUST_CHECK;

/* gk_writer_var16, gk_writer_var32: a u16 or u32 length, then the bytes; too long: GK_ERR_LIMIT sticks. */
void gk_writer_var16(gk_writer *w, gk_bytes b);
void gk_writer_var32(gk_writer *w, gk_bytes b);
/* gk_reader_var16, gk_reader_var32: a view; longer than max is GK_ERR_LIMIT. */
gk_err gk_reader_var16(gk_reader *r, gk_bytes *out, size_t max) GK_MUST_CHECK;
gk_err gk_reader_var32(gk_reader *r, gk_bytes *out, size_t max) GK_MUST_CHECK;
/* gk_reader_magic: four bytes; another third of the same family ("GKE2" for "GKE1") is GK_ERR_VERSION, else GK_ERR_MALFORMED. */
gk_err gk_reader_magic(gk_reader *r, const char magic[5]) GK_MUST_CHECK;
/* gk_name_ok: whether a group or a member may be called so (GK_NAME_MAX). */
bool gk_name_ok(gk_bytes name);

/* gk_message_sign: out = body | signer16 | sig64; sig = Ed25519(key, u16 length | label | body | signer16). key: GK_PURPOSE_SIGN. label is
 * the full one ("groupkeeper v1 epoch"). */
gk_err gk_message_sign(gk_mem *out, const char *label, gk_bytes body, const gk_key *key) GK_MUST_CHECK;
/* gk_message_write: the body by put (as in gk_mem_write), then signed. */
gk_err gk_message_write(gk_mem *out, const char *label, void (*put)(gk_writer *w, const void *arg), const void *arg, const gk_key *key) GK_MUST_CHECK;
/* gk_message_split gives views of body and signer of a signed message, unverified. GK_ERR_TRUNCATED. */
gk_err gk_message_split(gk_bytes message, gk_bytes *body, uint8_t signer[GK_SIGNER]) GK_MUST_CHECK;
/* gk_message_check verifies under one public key, which must be the signer's: else GK_ERR_AUTH. *body is a view into message. */
gk_err gk_message_check(gk_bytes message, gk_bytes *body, const char *label, const uint8_t pub[GK_SIGN_PUBLIC]) GK_MUST_CHECK;
/* gk_signer_id: SHA-256(public key)[0..16). */
gk_err gk_signer_id(uint8_t out[GK_SIGNER], const uint8_t pub[GK_SIGN_PUBLIC]) GK_MUST_CHECK;

#endif
