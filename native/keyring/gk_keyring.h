/* gk_keyring: the keys of one ensemble, at rest in one file and in memory. Immutable after load, shared by threads.
 * File format: docs/FORMAT.md, "Keyring file". */
#ifndef GK_KEYRING_H
#define GK_KEYRING_H

#include "../crypto/gk_key.h"

#define GK_ID 16

typedef struct gk_keyring gk_keyring;

typedef enum gk_key_state { GK_KEY_ACTIVE = 1, GK_KEY_DECRYPT = 2 } gk_key_state;

typedef struct gk_key_info {
    uint32_t id;
    gk_purpose purpose;
    gk_key_state state;
    uint64_t created_ms; /* Unix time in milliseconds */
    uint8_t check_value[8];
    bool derived; /* by HKDF from the seed with the same id: not stored */
} gk_key_info;

/* gk_keyring_generate makes a new ensemble with its root zone: random ids, one active key of each stored purpose (name, payload, seed). */
gk_err gk_keyring_generate(gk_keyring **out) GK_MUST_CHECK;
/* gk_keyring_load reads and verifies a file. why (at most why_n bytes, terminated, may be NULL) gets one line that says what to do.
 * GK_ERR_NOTFOUND missing; GK_ERR_IO unreadable; GK_ERR_PERM when not a regular file, owned by another user than the effective one
 * (or root), or with any permission for group or others; GK_ERR_VERSION, GK_ERR_MALFORMED, GK_ERR_TRUNCATED, GK_ERR_AUTH: corrupt. */
gk_err gk_keyring_load(gk_keyring **out, const char *path, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_keyring_parse, gk_keyring_seal: the file's bytes from and to memory. seal needs gk_keyring_sealed_size(kr) bytes. */
gk_err gk_keyring_parse(gk_keyring **out, gk_bytes file) GK_MUST_CHECK;
size_t gk_keyring_sealed_size(const gk_keyring *kr);
gk_err gk_keyring_seal(const gk_keyring *kr, uint8_t *out, size_t cap, size_t *out_n) GK_MUST_CHECK;
/* gk_keyring_save creates path with O_EXCL and 0600, fsyncs file and folder; on failure no file is left behind. GK_ERR_EXISTS when it is
 * there; GK_ERR_IO with errno set. */
gk_err gk_keyring_save(const gk_keyring *kr, const char *path) GK_MUST_CHECK;

/* gk_keyring_format: the version of the file format that this library writes. */
uint16_t gk_keyring_format(void);
/* The 16-byte ids: views into kr. */
const uint8_t *gk_keyring_ensemble(const gk_keyring *kr);
const uint8_t *gk_keyring_zone(const gk_keyring *kr);
/* gk_keyring_zone_name: "root" for the first zone; terminated, letters, digits, '-', '_', '.'. A view into kr. */
const char *gk_keyring_zone_name(const gk_keyring *kr);
/* gk_keyring_active: the active key of a purpose (derived ones included), owned by kr; NULL when there is none. */
gk_key *gk_keyring_active(const gk_keyring *kr, gk_purpose purpose);
/* gk_keyring_find: the key with this purpose and id, active or decrypt; NULL when there is none. Owned by kr. */
gk_key *gk_keyring_find(const gk_keyring *kr, gk_purpose purpose, uint32_t id);
/* gk_keyring_fingerprint: SHA-256 over label, ensemble id and every stored key's (purpose, id, check value), first 8 bytes. */
gk_err gk_keyring_fingerprint(const gk_keyring *kr, uint8_t out[8]) GK_MUST_CHECK;
size_t gk_keyring_count(const gk_keyring *kr);
/* gk_keyring_info: i < gk_keyring_count(kr). */
gk_err gk_keyring_info(const gk_keyring *kr, size_t i, gk_key_info *out) GK_MUST_CHECK;

gk_keyring *gk_keyring_ref(gk_keyring *kr);
void gk_keyring_free(gk_keyring *kr);

#endif
