/* gk_payload: a node's data to and from its stored form, version1 | flags1 | key id4 | nonce24 | ciphertext | tag16, XAES-256-GCM with
 * AAD = version | flags | key id | binding. docs/FORMAT.md, "Payloads". */
#ifndef GK_PAYLOAD_H
#define GK_PAYLOAD_H

#include "../wire/gk_jute.h"
#include "gk_path.h"

#define GK_PAYLOAD_VERSION 1
#define GK_PAYLOAD_HEADER 6
#define GK_PAYLOAD_OVERHEAD (GK_PAYLOAD_HEADER + GK_XAES_NONCE + GK_XAES_TAG)

enum { GK_FLAG_NULL = 1, GK_FLAG_PENDING = 2, GK_FLAG_REENCRYPTED = 4 };

/* gk_payload_seal writes the stored form of data for node (for its kinds with sealed data), exactly data.b.n + GK_PAYLOAD_OVERHEAD bytes. */
gk_err gk_payload_seal(gk_worker *w, gk_writer *out, const gk_node *node, gk_blob data) GK_MUST_CHECK;
/* gk_payload_open writes the plaintext and says whether it is null. GK_ERR_AUTH for whatever isn't this node's payload. */
gk_err gk_payload_open(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored) GK_MUST_CHECK;
/* gk_payload_read does the same, but finds what it opened lately by all its stored bytes (gk_opened.h): for what clients read. */
gk_err gk_payload_read(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored) GK_MUST_CHECK;
/* The same for a sequential create on its way to the leader: bound to its whole marker component. */
gk_err gk_payload_seal_pending(gk_worker *w, gk_writer *out, gk_bytes component, gk_blob data) GK_MUST_CHECK;
gk_err gk_payload_open_pending(gk_worker *w, gk_writer *out, bool *null, gk_bytes component, gk_bytes stored) GK_MUST_CHECK;
/* gk_payload_plain_length: dataLength as the client should see it, for a node whose stored payload has length stored. */
int32_t gk_payload_plain_length(const gk_node *node, int32_t stored);

#endif
