#include "gk_kind.h"

#include <string.h>

static bool bytes_are(gk_bytes b, const char *s)
{
    return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

/* prefix_component gives component number depth (from 0) of a plaintext prefix, and whether it is the last one. */
static bool prefix_component(gk_bytes prefix, size_t depth, gk_bytes *out, bool *last)
{
    size_t at = 1;
    for (;; depth--) {
        size_t end = at;
        while (end < prefix.n && prefix.p[end] != '/')
            end++;
        if (depth == 0) {
            *out = (gk_bytes){prefix.p + at, end - at};
            *last = end == prefix.n;
            return true;
        }
        if (end == prefix.n)
            return false;
        at = end + 1;
    }
}

/* follow_prefixes: which plaintext prefixes go through the child called name; *inside is set when one ends there. */
static uint64_t follow_prefixes(const gk_codec *c, const gk_node *n, gk_bytes name, bool *inside)
{
    uint64_t through = 0;
    for (size_t i = 0; i < c->n_prefixes; i++) {
        gk_bytes part;
        bool last = false;
        if (!(n->prefixes >> i & 1) || !prefix_component(c->prefixes[i], n->depth, &part, &last))
            continue;
        if (part.n != name.n || memcmp(part.p, name.p, name.n) != 0)
            continue;
        if (last)
            *inside = true;
        else
            through |= 1ULL << i;
    }
    return through;
}

gk_kind gk_kind_of_child(const gk_codec *c, const gk_node *n, gk_bytes name, bool *plain, uint64_t *prefixes)
{
    bool inside = false;
    *prefixes = 0;
    *plain = true;
    if (n->kind == GK_KIND_PLAIN)
        return GK_KIND_PLAIN;
    if (n->kind == GK_KIND_ROOT && bytes_are(name, "zookeeper"))
        return GK_KIND_SYSTEM;
    if (n->kind == GK_KIND_SYSTEM && bytes_are(name, "quota"))
        return GK_KIND_QUOTA_ROOT;
    if (n->kind == GK_KIND_SYSTEM && bytes_are(name, "config"))
        return GK_KIND_CONFIG;
    if (n->quota && bytes_are(name, "zookeeper_limits"))
        return GK_KIND_LIMITS;
    if (n->quota && bytes_are(name, "zookeeper_stats"))
        return GK_KIND_STATS;
    if (n->prefixes != 0)
        *prefixes = follow_prefixes(c, n, name, &inside);
    if (inside)
        return GK_KIND_PLAIN;
    *plain = *prefixes != 0;
    return GK_KIND_NORMAL;
}
