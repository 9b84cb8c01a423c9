/* gk_quota: the two plain leaves below /zookeeper/quota. ZooKeeper's servers parse both as StatsTrack: pairs "key=long" between , or ;
 *  - zookeeper_limits, which clients write: stored as numbers that make stock count nodes, but never bytes (of ciphertext), followed by
 *    the client's own text, sealed like a payload and spelt as further keys. The leader's hook checks bytes by itself.
 *  - zookeeper_stats, which servers write: "bytes" is stored as plain bytes + count * overhead, as every node has that overhead.
 * docs/FORMAT.md, "Quotas". */
#ifndef GK_QUOTA_H
#define GK_QUOTA_H

#include "../wire/gk_jute.h"
#include "gk_codec.h"

typedef struct gk_quota_limits {
    int64_t count, bytes, count_hard, bytes_hard; /* -1: none */
} gk_quota_limits;

/* gk_quota_parse reads a StatsTrack text as stock does. GK_ERR_MALFORMED where stock would throw. *known_keys: only stock's four keys. */
gk_err gk_quota_parse(gk_quota_limits *out, bool *known_keys, gk_bytes text) GK_MUST_CHECK;

/* gk_quota_parse_long follows Long.parseLong for ASCII digits. */
bool gk_quota_parse_long(int64_t *out, gk_bytes b);
/* gk_quota_stats_shift copies a stats text with its "bytes" changed by sign * overhead * count. GK_ERR_MALFORMED: not a StatsTrack
 * text with stock's keys alone; nothing was written. */
gk_err gk_quota_stats_shift(gk_writer *out, gk_bytes text, int sign) GK_MUST_CHECK;

#endif
