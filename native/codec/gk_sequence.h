/* gk_sequence: sequential creates. Only the leader knows the number, so the entry server sends the prefix sealed, behind a \u0001 that stock
 * rejects, and the leader makes the final name of it: docs/FORMAT.md, "Sequential creates". Instead of the first paper's dictionary
 * node, the dictionary is the parent's cversion, which the leader has at hand when it orders the create. */
#ifndef GK_SEQUENCE_H
#define GK_SEQUENCE_H

#include "../wire/gk_jute.h"
#include "gk_path.h"

/* gk_sequence_mark writes the path of a sequential create as it goes to the leader. *component becomes the marker component, a view of
 * out's memory (empty when the path takes another way: a bad prefix, a plaintext parent). */
gk_err gk_sequence_mark(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes *component, gk_bytes path) GK_MUST_CHECK;

/* gk_sequence_is_marked: the last component of a stored path is such a marker. */
bool gk_sequence_is_marked(gk_bytes stored);
/* gk_sequence_resolve makes the final path and payload from a marked path, the number (the parent's cversion, appended as Java's "%010d")
 * and the pending payload. GK_ERR_AUTH: not made under this keyring. */
gk_err gk_sequence_resolve(gk_worker *w, gk_writer *path, gk_writer *data, gk_bytes stored, int32_t number, gk_blob pending) GK_MUST_CHECK;

/* gk_write_verify: the leader's look at a write that came from another server: does the path (of a setData, or a create that isn't
 * sequential) belong to this keyring, and the payload to that path? GK_OK or GK_ERR_AUTH. */
gk_err gk_write_verify(gk_worker *w, gk_bytes stored, gk_blob data) GK_MUST_CHECK;

#endif
