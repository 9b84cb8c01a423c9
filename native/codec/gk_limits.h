/* gk_limits: the stored form of a zookeeper_limits node (gk_quota.h). */
#ifndef GK_LIMITS_H
#define GK_LIMITS_H

#include "gk_path.h"
#include "gk_quota.h"

/* gk_limits_seal writes the stored form of a client's text; GK_ERR_LIMIT beyond 8 MiB. */
gk_err gk_limits_seal(gk_worker *w, gk_writer *out, const gk_node *node, gk_blob data) GK_MUST_CHECK;
/* gk_limits_open gives the client's text back, or GK_ERR_AUTH. */
gk_err gk_limits_open(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored) GK_MUST_CHECK;
/* gk_limits_plain_length: the length of the client's text from that of the stored one. */
int32_t gk_limits_plain_length(int32_t stored);

#endif
