#include "gk_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gk_payload.h"

/* The stored text: HEAD, then for each 8 bytes of the sealed text ";gXXXXX=" and a signed number of fixed width, then n mod 8 of ';' */

#define HEAD "count=%+020" PRId64 ",bytes=-1=;countHardLimit=%+020" PRId64
#define HEAD_SIZE (6 + 20 + 10 + 1 + 15 + 20)
#define CHUNK ";g%05x=%+020" PRId64
#define CHUNK_SIZE (8 + 20)
#define CHUNKS_MAX 0xfffff

int32_t gk_limits_plain_length(int32_t stored)
{
    if (stored < HEAD_SIZE)
        return 0;
    int32_t body = stored - HEAD_SIZE, chunks = body / CHUNK_SIZE, rest = body % CHUNK_SIZE;
    int32_t sealed = rest == 0 ? 8 * chunks : 8 * (chunks - 1) + rest;
    return sealed < GK_PAYLOAD_OVERHEAD ? 0 : sealed - GK_PAYLOAD_OVERHEAD;
}

gk_err gk_limits_seal(gk_worker *w, gk_writer *out, const gk_node *node, gk_blob data)
{
    gk_quota_limits q;
    bool known;
    size_t n = data.b.n + GK_PAYLOAD_OVERHEAD;
    if (n / 8 > CHUNKS_MAX)
        return GK_ERR_LIMIT;
    if (gk_quota_parse(&q, &known, data.b) != GK_OK) /* what can't be read limits nothing */
        q = (gk_quota_limits){-1, -1, -1, -1};
    uint8_t *sealed = gk_worker_scratch(w, n + 8);
    if (!sealed)
        return GK_ERR_NOMEM;
    memset(sealed + n, 0, 8);
    gk_writer s = gk_writer_of(sealed, n);
    gk_err e = gk_payload_seal(w, &s, node, data);
    if (e != GK_OK)
        return e;
    char text[HEAD_SIZE + 1];
    snprintf(text, sizeof text, HEAD, q.count, q.count_hard);
    gk_writer_put(out, text, HEAD_SIZE);
    gk_reader r = gk_reader_of(sealed, n + 8);
    for (size_t i = 0; i * 8 < n; i++) {
        uint64_t v;
        char chunk[CHUNK_SIZE + 1];
        if ((e = gk_reader_u64(&r, &v)) != GK_OK)
            return e;
        snprintf(chunk, sizeof chunk, CHUNK, (unsigned)i, (int64_t)v);
        gk_writer_put(out, chunk, CHUNK_SIZE);
    }
    gk_writer_put(out, ";;;;;;;", n % 8);
    return GK_OK;
}

gk_err gk_limits_open(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored)
{
    if (stored.n < HEAD_SIZE)
        return GK_ERR_AUTH;
    size_t chunks = (stored.n - HEAD_SIZE) / CHUNK_SIZE, rest = (stored.n - HEAD_SIZE) % CHUNK_SIZE;
    size_t n = rest == 0 ? 8 * chunks : 8 * (chunks - 1) + rest;
    if (chunks == 0 || rest >= 8)
        return GK_ERR_AUTH;
    uint8_t *sealed = gk_worker_scratch(w, chunks * 8);
    if (!sealed)
        return GK_ERR_NOMEM;
    gk_writer s = gk_writer_of(sealed, chunks * 8);
    for (size_t i = 0; i < chunks; i++) {
        int64_t v;
        const uint8_t *at = stored.p + HEAD_SIZE + i * CHUNK_SIZE;
        char head[9];
        snprintf(head, sizeof head, ";g%05x=", (unsigned)i);
        if (memcmp(at, head, 8) != 0 || !gk_quota_parse_long(&v, (gk_bytes){at + 8, 20}))
            return GK_ERR_AUTH;
        gk_writer_u64(&s, (uint64_t)v);
    }
    return gk_payload_open(w, out, null, node, (gk_bytes){sealed, n});
}
