/* gk_ops: requests made of choices, a grammar of the table of opcodes. The choices are bytes (a fuzzer's input) or come from a seeded generator. */
#ifndef GK_OPS_H
#define GK_OPS_H

#include "gk_rig.h"

typedef struct gk_source {
    const uint8_t *p; /* choices; then, with a seed, random ones, without one zeros */
    size_t n;
    uint64_t seed;
} gk_source;

gk_source gk_source_seed(uint64_t seed);
gk_source gk_source_bytes(const uint8_t *p, size_t n);
/* gk_pick: less than n, which is at least 1. */
uint32_t gk_pick(gk_source *s, uint32_t n);
bool gk_source_dry(const gk_source *s);

/* Whatever is secret in a request (components of 8 bytes and more, payloads of 8 and more) contains this word. */
#define GK_OPS_SECRET "secret"

/* gk_ops_path appends a path, mostly a good one. */
void gk_ops_path(gk_source *s, gk_buf *out);
/* gk_ops_request appends one request's body: header and record; broken: now and then it is cut, or a byte of it is wrong. */
void gk_ops_request(gk_source *s, gk_buf *out, bool broken);

#endif
