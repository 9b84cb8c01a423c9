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

typedef char head_text[HEAD_SIZE + 1];
typedef char chunk_text[CHUNK_SIZE + 1];

/* write_head: what of the client's text stock is to enforce by itself. A text that can't be read limits nothing. */
static void write_head(head_text out, gk_bytes text)
{
    gk_quota_limits q;
    bool known;
    if (gk_quota_parse(&q, &known, text) != GK_OK)
        q = (gk_quota_limits){-1, -1, -1, -1};
    snprintf(out, sizeof(head_text), HEAD, q.count, q.count_hard);
}

static void write_chunk(chunk_text out, size_t i, uint64_t v)
{
    snprintf(out, sizeof(chunk_text), CHUNK, (unsigned)i, (int64_t)v);
}

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
    head_text head;
    size_t n = data.b.n + GK_PAYLOAD_OVERHEAD;
    if (n / 8 > CHUNKS_MAX)
        return GK_ERR_LIMIT;
    uint8_t *sealed = gk_worker_scratch(w, n + 8);
    if (!sealed)
        return GK_ERR_NOMEM;
    memset(sealed + n, 0, 8);
    gk_writer s = gk_writer_of(sealed, n);
    gk_err e = gk_payload_seal(w, &s, node, data);
    if (e != GK_OK)
        return e;
    write_head(head, data.b);
    gk_writer_put(out, head, HEAD_SIZE);
    gk_reader r = gk_reader_of(sealed, n + 8);
    for (size_t i = 0; i * 8 < n; i++) {
        uint64_t v;
        chunk_text chunk;
        if ((e = gk_reader_u64(&r, &v)) != GK_OK)
            return e;
        write_chunk(chunk, i, v);
        gk_writer_put(out, chunk, CHUNK_SIZE);
    }
    gk_writer_put(out, ";;;;;;;", n % 8);
    return GK_OK;
}

/* read_chunks turns the numbers into the sealed text of n bytes. One spelling alone is accepted, to the last byte. */
static gk_err read_chunks(uint8_t *sealed, size_t n, size_t chunks, gk_bytes stored)
{
    gk_writer s = gk_writer_of(sealed, chunks * 8);
    for (size_t i = 0; i < chunks; i++) {
        int64_t v;
        chunk_text chunk;
        const uint8_t *at = stored.p + HEAD_SIZE + i * CHUNK_SIZE;
        if (!gk_quota_parse_long(&v, (gk_bytes){at + 8, 20}))
            return GK_ERR_AUTH;
        write_chunk(chunk, i, (uint64_t)v);
        if (memcmp(at, chunk, CHUNK_SIZE) != 0)
            return GK_ERR_AUTH;
        gk_writer_u64(&s, (uint64_t)v);
    }
    for (size_t i = n; i < chunks * 8; i++)
        if (sealed[i] != 0)
            return GK_ERR_AUTH;
    for (size_t i = HEAD_SIZE + chunks * CHUNK_SIZE; i < stored.n; i++)
        if (stored.p[i] != ';')
            return GK_ERR_AUTH;
    return GK_OK;
}

gk_err gk_limits_open(gk_worker *w, gk_writer *out, bool *null, const gk_node *node, gk_bytes stored)
{
    if (stored.n < HEAD_SIZE)
        return GK_ERR_AUTH;
    size_t chunks = (stored.n - HEAD_SIZE) / CHUNK_SIZE, rest = (stored.n - HEAD_SIZE) % CHUNK_SIZE, at = out->len;
    size_t n = rest == 0 ? 8 * chunks : 8 * (chunks - 1) + rest;
    if (chunks == 0 || rest >= 8)
        return GK_ERR_AUTH;
    uint8_t *sealed = gk_worker_scratch(w, chunks * 8);
    if (!sealed)
        return GK_ERR_NOMEM;
    gk_err e = read_chunks(sealed, n, chunks, stored);
    if (e == GK_OK)
        e = gk_payload_open(w, out, null, node, (gk_bytes){sealed, n});
    if (e != GK_OK || out->err != GK_OK)
        return e;
    head_text head; /* stock enforces what it says, so it must be what the client wrote */
    write_head(head, (gk_bytes){out->p + at, out->len - at});
    if (memcmp(stored.p, head, HEAD_SIZE) == 0)
        return GK_OK;
    gk_wipe(out->p + at, out->len - at);
    return GK_ERR_AUTH;
}
