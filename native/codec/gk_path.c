#include "gk_path.h"

#include <string.h>

#include "gk_kind.h"
#include "gk_name.h"
#include "gk_own.h"

#define CACHED_PATH_MAX 2048 /* longer paths aren't cached */
#define ANCESTORS_TRIED 16   /* how far up a cached ancestor is looked for */

void gk_node_root(const gk_codec *c, gk_node *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->tag, gk_keyring_zone(c->keyring), GK_SIV_TAG);
    memcpy(out->child_tag, out->tag, GK_SIV_TAG);
    out->kind = GK_KIND_ROOT;
    out->prefixes = c->n_prefixes == 64 ? UINT64_MAX : (1ULL << c->n_prefixes) - 1;
}

bool gk_node_encrypted(const gk_node *n)
{
    return n->kind == GK_KIND_NORMAL || n->kind == GK_KIND_ROOT || n->kind == GK_KIND_SYSTEM || n->kind == GK_KIND_QUOTA_ROOT ||
        n->kind == GK_KIND_OWN;
}

bool gk_node_starts_empty(const gk_node *n)
{
    return n->kind == GK_KIND_ROOT || n->kind == GK_KIND_SYSTEM || n->kind == GK_KIND_QUOTA_ROOT;
}

static void node_become(gk_node *n, gk_kind kind, uint64_t prefixes, const uint8_t tag[GK_SIV_TAG])
{
    memcpy(n->tag, tag, GK_SIV_TAG);
    memcpy(n->child_tag, tag, GK_SIV_TAG);
    n->kind = (uint8_t)kind;
    n->quota = n->quota || kind == GK_KIND_QUOTA_ROOT;
    n->prefixes = prefixes;
    if (n->depth < UINT16_MAX)
        n->depth++;
}

/* seal_component puts tag | ciphertext of name into the worker's scratch memory. */
static gk_err seal_component(gk_worker *w, uint8_t **out, const gk_node *n, gk_bytes name)
{
    if (!(*out = gk_worker_scratch(w, name.n + GK_SIV_TAG)))
        return GK_ERR_NOMEM;
    return gk_siv_seal(w->name, *out, (gk_bytes){n->child_tag, GK_SIV_TAG}, name);
}

static void write_token(gk_writer *out, const uint8_t *sealed, size_t n)
{
    char *to = (char *)gk_writer_reserve(out, GK_B64_LEN(n));
    if (to)
        gk_b64_encode(to, sealed, n);
}

gk_err gk_child_encrypt(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes name)
{
    static const uint8_t no_tag[GK_SIV_TAG];
    bool plain;
    uint64_t prefixes;
    gk_kind kind = gk_kind_of_child(w->codec, node, name, &plain, &prefixes);
    if (kind == GK_KIND_PLAIN) {
        gk_writer_put(out, name.p, name.n);
        node_become(node, kind, 0, no_tag);
        return GK_OK;
    }
    uint8_t *sealed;
    gk_err e = seal_component(w, &sealed, node, name);
    if (e != GK_OK)
        return e;
    size_t at = out->len;
    if (plain)
        gk_writer_put(out, name.p, name.n);
    else
        write_token(out, sealed, name.n + GK_SIV_TAG);
    if (!plain && out->err == GK_OK) {
        gk_bytes token = {out->p + at, out->len - at};
        gk_cache_put(w->codec->names, (gk_bytes){node->child_tag, GK_SIV_TAG}, token, (gk_bytes){sealed, GK_SIV_TAG}, name);
    }
    node_become(node, kind, prefixes, sealed);
    if (kind == GK_KIND_QUOTA_ROOT) /* below it, names are those of the tree that it mirrors */
        memcpy(node->child_tag, gk_keyring_zone(w->codec->keyring), GK_SIV_TAG);
    return GK_OK;
}

/* encrypt_bad writes the stored form of a component that no node can have, and makes *node a bad one. */
static gk_err encrypt_bad(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes name, bool has_nul)
{
    uint8_t tag[GK_SIV_TAG];
    memcpy(tag, node->child_tag, GK_SIV_TAG);
    if (name.n > 0) { /* an empty one is its own mark */
        gk_writer_u8(out, GK_MARK_BAD);
        size_t cap = name.n * 3;
        uint8_t *p = gk_worker_scratch(w, 2 * cap + GK_SIV_TAG);
        if (!p)
            return GK_ERR_NOMEM;
        gk_writer normal = gk_writer_of(p + cap + GK_SIV_TAG, cap);
        gk_name_normalize(&normal, name);
        gk_err e = gk_siv_seal(w->name, p, (gk_bytes){node->child_tag, GK_SIV_TAG}, (gk_bytes){normal.p, normal.len});
        if (e != GK_OK)
            return e;
        write_token(out, p, normal.len + GK_SIV_TAG);
        memcpy(tag, p, GK_SIV_TAG);
    }
    if (has_nul)
        gk_writer_u8(out, 0);
    node_become(node, GK_KIND_BAD, 0, tag);
    return GK_OK;
}

static gk_err encrypt_component(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes name, bool relative)
{
    gk_name_class class = gk_name_classify(name);
    if (class != GK_NAME_VALID || relative)
        return encrypt_bad(w, out, node, name, class == GK_NAME_NUL);
    uint8_t was = node->kind;
    gk_err e = gk_child_encrypt(w, out, node, name);
    if (was == GK_KIND_BAD) /* below such a component there is no node either */
        node->kind = GK_KIND_BAD;
    return e;
}

bool gk_path_parent(gk_bytes path, gk_bytes *parent, gk_bytes *last)
{
    const uint8_t *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
    if (!slash)
        return false;
    size_t at = (size_t)(slash - path.p);
    *parent = (gk_bytes){path.p, at == 0 ? 1 : at};
    *last = (gk_bytes){slash + 1, path.n - at - 1};
    return true;
}

/* cache_load finds path, writes its stored form to out and its node. */
static bool cache_load(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes path)
{
    uint8_t value[sizeof *node + 4 * CACHED_PATH_MAX];
    size_t n;
    if (path.n > CACHED_PATH_MAX || !gk_cache_get(w->codec->paths, path, (gk_bytes){NULL, 0}, value, sizeof value, &n))
        return false;
    memcpy(node, value, sizeof *node);
    gk_writer_put(out, value + sizeof *node, n - sizeof *node);
    return true;
}

static void cache_store(gk_worker *w, const gk_writer *out, size_t from, const gk_node *node, gk_bytes path)
{
    size_t n = out->len - from;
    if (out->err != GK_OK || node->kind == GK_KIND_BAD || path.n > CACHED_PATH_MAX || n > 4 * CACHED_PATH_MAX)
        return;
    gk_cache_put(w->codec->paths, path, (gk_bytes){NULL, 0}, (gk_bytes){(const uint8_t *)node, sizeof *node}, (gk_bytes){out->p + from, n});
}

/* load_ancestor starts out and node at the nearest cached ancestor of path, else at the root, and returns how many bytes of path that covers. */
static size_t load_ancestor(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes path)
{
    size_t end = path.n;
    for (int tried = 0; tried < ANCESTORS_TRIED; tried++) {
        const uint8_t *slash = memrchr(path.p, '/', end);
        if (!slash || slash == path.p)
            break;
        end = (size_t)(slash - path.p);
        if (cache_load(w, out, node, (gk_bytes){path.p, end}))
            return end;
    }
    gk_node_root(w->codec, node);
    return 0;
}

gk_err gk_path_encrypt(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes path)
{
    size_t from = out->len;
    bool relative = path.n > 0 && path.p[0] != '/';
    if (path.n == 0 || (path.n == 1 && !relative)) {
        gk_writer_put(out, path.p, path.n);
        gk_node_root(w->codec, node);
        return GK_OK;
    }
    if (!relative && cache_load(w, out, node, path)) {
        gk_worker_count(w, GK_COUNT_CACHE_HITS);
        return GK_OK;
    }
    gk_worker_count(w, GK_COUNT_CACHE_MISSES);
    size_t at = relative ? 0 : load_ancestor(w, out, node, path);
    if (relative)
        gk_node_root(w->codec, node);
    for (bool first = relative; at < path.n; first = false) {
        size_t start = first ? at : at + 1; /* behind the '/' */
        size_t end = start;
        while (end < path.n && path.p[end] != '/')
            end++;
        if (!first) {
            if (end == path.n && at > 0) /* its parent will be asked for again */
                cache_store(w, out, from, node, (gk_bytes){path.p, at});
            gk_writer_u8(out, '/');
        }
        gk_err e = encrypt_component(w, out, node, (gk_bytes){path.p + start, end - start}, relative && first);
        if (e != GK_OK)
            return e;
        if (end == path.n)
            break;
        at = end;
    }
    cache_store(w, out, from, node, path);
    return GK_OK;
}

/* open_token decodes and opens a token into the worker's scratch memory: *name is the plaintext, tag the token's first 16 bytes. */
static gk_err open_token(gk_worker *w, gk_bytes *name, uint8_t tag[GK_SIV_TAG], const gk_node *n, gk_bytes token)
{
    size_t cap = token.n * 3 / 4, sealed_n = 0;
    uint8_t *p = gk_worker_scratch(w, 2 * cap + 1);
    if (!p)
        return GK_ERR_NOMEM;
    if (gk_b64_decode(p, &sealed_n, (const char *)token.p, token.n) != GK_OK || sealed_n <= GK_SIV_TAG)
        return GK_ERR_AUTH;
    gk_err e = gk_siv_open(w->name, p + cap, (gk_bytes){n->child_tag, GK_SIV_TAG}, (gk_bytes){p, sealed_n});
    if (e != GK_OK)
        return e;
    memcpy(tag, p, GK_SIV_TAG);
    *name = (gk_bytes){p + cap, sealed_n - GK_SIV_TAG};
    return GK_OK;
}

/* decrypt_bad: a component that no node can have, as encrypt_bad wrote it; *child may be NULL. */
static gk_err decrypt_bad(gk_worker *w, gk_writer *out, gk_node *child, const gk_node *node, gk_bytes token)
{
    gk_bytes name = {NULL, 0};
    uint8_t tag[GK_SIV_TAG];
    memcpy(tag, node->child_tag, GK_SIV_TAG);
    if (token.n > 0) {
        token = (gk_bytes){token.p + 1, token.n - 1};
        if (token.n > 0 && token.p[token.n - 1] == 0)
            token.n--;
        gk_err e = open_token(w, &name, tag, node, token);
        if (e != GK_OK)
            return e;
    }
    gk_writer_put(out, name.p, name.n);
    if (child) {
        *child = *node;
        node_become(child, GK_KIND_BAD, 0, tag);
    }
    return GK_OK;
}

/* known_token is gk_child_decrypt for a token in the cache, whose values are tag | name. */
static bool known_token(gk_worker *w, gk_writer *out, gk_node *child, const gk_node *node, gk_bytes token)
{
    uint8_t value[GK_SIV_TAG + 1024];
    size_t n;
    if (!gk_cache_get(w->codec->names, (gk_bytes){node->child_tag, GK_SIV_TAG}, token, value, sizeof value, &n))
        return false;
    gk_bytes name = {value + GK_SIV_TAG, n - GK_SIV_TAG};
    bool plain;
    uint64_t prefixes;
    gk_kind kind = gk_kind_of_child(w->codec, node, name, &plain, &prefixes);
    if (plain) /* /zookeeper/quota and / have one tag, and not the same plain names */
        return false;
    if (child) {
        *child = *node;
        node_become(child, kind, prefixes, value);
    }
    gk_writer_put(out, name.p, name.n);
    return true;
}

/* own_child: the names of the servers' own nodes are stored as they are. */
static gk_err own_child(gk_worker *w, gk_writer *out, gk_node *child, const gk_node *node, gk_bytes token)
{
    uint8_t *sealed;
    gk_err e = gk_name_classify(token) == GK_NAME_VALID ? seal_component(w, &sealed, node, token) : GK_ERR_AUTH;
    if (e != GK_OK)
        return e;
    gk_writer_put(out, token.p, token.n);
    if (child) {
        *child = *node;
        node_become(child, GK_KIND_OWN, 0, sealed);
    }
    return GK_OK;
}

gk_err gk_child_decrypt(gk_worker *w, gk_writer *out, gk_node *child, const gk_node *node, gk_bytes token)
{
    bool plain;
    uint64_t prefixes;
    if (token.n == 0)
        return GK_ERR_AUTH;
    if (gk_own_is_child(node, token))
        return own_child(w, out, child, node, token);
    gk_kind kind = gk_kind_of_child(w->codec, node, token, &plain, &prefixes);
    if (plain) { /* a name that is stored as it is; gk_child_encrypt finds its node */
        gk_node copy = *node;
        gk_err e = gk_child_encrypt(w, out, &copy, token);
        if (child)
            *child = copy;
        return e;
    }
    if (known_token(w, out, child, node, token))
        return GK_OK;
    gk_bytes name;
    uint8_t tag[GK_SIV_TAG];
    gk_err e = open_token(w, &name, tag, node, token);
    if (e != GK_OK)
        return e;
    kind = gk_kind_of_child(w->codec, node, name, &plain, &prefixes);
    /* a sealed form of a name that must be plain is nobody's; one of a name that no node can have lacks its mark: encrypt_bad */
    if (plain || gk_name_classify(name) != GK_NAME_VALID)
        return GK_ERR_AUTH;
    gk_cache_put(w->codec->names, (gk_bytes){node->child_tag, GK_SIV_TAG}, token, (gk_bytes){tag, GK_SIV_TAG}, name);
    gk_writer_put(out, name.p, name.n);
    if (child) {
        *child = *node;
        node_become(child, kind, prefixes, tag);
    }
    return GK_OK;
}

gk_err gk_path_decrypt(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes stored)
{
    gk_node_root(w->codec, node);
    if (stored.n == 0 || (stored.n == 1 && stored.p[0] == '/')) {
        gk_writer_put(out, stored.p, stored.n);
        return GK_OK;
    }
    bool first = stored.p[0] != '/';
    for (size_t at = 0;; first = false) {
        size_t start = first ? at : at + 1, end = start;
        while (end < stored.n && stored.p[end] != '/')
            end++;
        if (!first)
            gk_writer_u8(out, '/');
        gk_node child;
        gk_bytes token = {stored.p + start, end - start};
        bool bad = token.n == 0 || token.p[0] == GK_MARK_BAD;
        if (first && !bad) /* a relative path begins with a bad component, always */
            return GK_ERR_AUTH;
        gk_err e = bad ? decrypt_bad(w, out, &child, node, token) : gk_child_decrypt(w, out, &child, node, token);
        if (e != GK_OK)
            return e;
        if (node->kind == GK_KIND_BAD)
            child.kind = GK_KIND_BAD;
        *node = child;
        if (end == stored.n)
            return GK_OK;
        at = end;
    }
}
