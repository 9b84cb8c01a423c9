#include "gk_quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gk_payload.h"

#define COUNT "count"
#define BYTES "bytes"
#define COUNT_HARD "countHardLimit"
#define BYTES_HARD "byteHardLimit"

static bool is(gk_bytes b, const char *s)
{
    return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

bool gk_quota_parse_long(int64_t *out, gk_bytes b)
{
    size_t i = 0;
    bool negative = false;
    uint64_t v = 0, limit = INT64_MAX;
    if (b.n > 0 && (b.p[0] == '-' || b.p[0] == '+')) {
        negative = b.p[0] == '-';
        i = 1;
    }
    if (negative)
        limit = (uint64_t)INT64_MAX + 1;
    if (i == b.n)
        return false;
    for (; i < b.n; i++) {
        unsigned d = (unsigned)b.p[i] - '0';
        if (d > 9 || v > (limit - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* next_pair takes the text up to the next separators; *value is where the number stands. */
static bool next_pair(gk_bytes *rest, gk_bytes *key, gk_bytes *value, bool *well_formed)
{
    size_t n = 0, k = 0, v;
    if (rest->n == 0)
        return false;
    while (n < rest->n && rest->p[n] != ',' && rest->p[n] != ';')
        n++;
    while (k < n && rest->p[k] != '=')
        k++;
    v = k < n ? k + 1 : n;
    size_t end = v;
    while (end < n && rest->p[end] != '=')
        end++;
    *key = (gk_bytes){rest->p, k};
    *value = (gk_bytes){rest->p + v, end - v};
    /* String.split drops empty parts at the end: "key", "key=" and "key==" have no second part, "key==x" has an empty one */
    while (v < n && rest->p[v] == '=')
        v++;
    *well_formed = v < n;
    while (n < rest->n && (rest->p[n] == ',' || rest->p[n] == ';'))
        n++;
    *rest = (gk_bytes){rest->p + n, rest->n - n};
    return true;
}

/* separators_only: such a text has no pairs at all for String.split, while one that only begins so has an empty first pair. */
static bool separators_only(gk_bytes text)
{
    size_t i = 0;
    while (i < text.n && (text.p[i] == ',' || text.p[i] == ';'))
        i++;
    return i == text.n;
}

gk_err gk_quota_parse(gk_quota_limits *out, bool *known_keys, gk_bytes text)
{
    gk_bytes key, value;
    bool ok;
    *out = (gk_quota_limits){-1, -1, -1, -1};
    *known_keys = true;
    if (separators_only(text))
        return GK_OK;
    while (next_pair(&text, &key, &value, &ok)) {
        int64_t v = -1;
        if (!ok || (value.n > 0 && !gk_quota_parse_long(&v, value)))
            return GK_ERR_MALFORMED;
        if (is(key, COUNT))
            out->count = v;
        else if (is(key, BYTES))
            out->bytes = v;
        else if (is(key, COUNT_HARD))
            out->count_hard = v;
        else if (is(key, BYTES_HARD))
            out->bytes_hard = v;
        else
            *known_keys = false;
    }
    return GK_OK;
}

gk_err gk_quota_stats_shift(gk_writer *out, gk_bytes text, int sign)
{
    gk_quota_limits q;
    bool known;
    gk_bytes rest = text, key, value, bytes_value = {NULL, 0};
    bool ok;
    if (gk_quota_parse(&q, &known, text) != GK_OK || !known)
        return GK_ERR_MALFORMED;
    while (next_pair(&rest, &key, &value, &ok))
        if (is(key, BYTES))
            bytes_value = value;
    if (bytes_value.n == 0) {
        gk_writer_put(out, text.p, text.n);
        return GK_OK;
    }
    char number[24];
    /* unsigned arithmetic wraps, as Java's does */
    int64_t shifted = (int64_t)((uint64_t)q.bytes + (uint64_t)((int64_t)sign * GK_PAYLOAD_OVERHEAD) * (uint64_t)q.count);
    int n = snprintf(number, sizeof number, "%" PRId64, shifted);
    size_t before = (size_t)(bytes_value.p - text.p), kept = bytes_value.p[0] == '+';
    while (kept + 1 < bytes_value.n && bytes_value.p[kept] == '0')
        kept++;
    /* a '+' and leading zeros stay, so that a client reads what it wrote */
    gk_writer_put(out, text.p, before + (shifted < 0 ? 0 : kept));
    gk_writer_put(out, number, (size_t)n);
    gk_writer_put(out, bytes_value.p + bytes_value.n, text.n - before - bytes_value.n);
    return GK_OK;
}
