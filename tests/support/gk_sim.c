#include "gk_sim_internal.h"

#include <malloc.h>

#include "../../native/codec/gk_name.h"

#define B(b) gk_buf_view(&(b))

static bool same(gk_bytes a, gk_bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* grow makes room for one more element; by memalign, which never fails in tests of failing allocations. */
static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    size_t more = *cap * 2 + 16;
    void *q = memalign(16, more * size);

    rig_must(q != NULL);
    if (n > 0)
        memcpy(q, p, n * size);
    free(p);
    *cap = more;
    return q;
}

/* --- the tree ------------------------------------------------------------------------------------------------------------- */

sim_node *sim_find(gk_sim *s, gk_bytes path)
{
    if (path.n == 0)
        path = (gk_bytes){(const uint8_t *)"/", 1};
    for (size_t i = 0; i < s->n; i++)
        if (same(B(s->nodes[i].path), path))
            return &s->nodes[i];
    return NULL;
}

bool sim_parent(gk_bytes path, gk_bytes *parent)
{
    const uint8_t *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;

    if (!slash)
        return false;
    *parent = (gk_bytes){path.p, (size_t)(slash - path.p)};
    return true;
}

/* sim_valid: PathUtils.validatePath. */
bool sim_valid(gk_bytes path)
{
    if (path.n == 0 || path.p[0] != '/')
        return false;
    if (path.n == 1)
        return true;
    for (size_t at = 1; at <= path.n;) {
        size_t end = at;

        while (end < path.n && path.p[end] != '/')
            end++;
        if (gk_name_classify((gk_bytes){path.p + at, end - at}) != GK_NAME_VALID)
            return false;
        at = end + 1;
    }
    return true;
}

bool sim_is_child(gk_bytes parent, gk_bytes path, bool deep)
{
    size_t n = parent.n == 1 && parent.p[0] == '/' ? 0 : parent.n;

    if (path.n <= n + 1 || (n > 0 && memcmp(path.p, parent.p, n) != 0) || path.p[n] != '/')
        return false;
    return deep || !memchr(path.p + n + 1, '/', path.n - n - 1);
}

int32_t sim_children(gk_sim *s, gk_bytes path)
{
    int32_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += sim_is_child(path, B(s->nodes[i].path), false);
    return n;
}

sim_node *sim_add(gk_sim *s, gk_bytes path, gk_blob data, gk_bytes acl, int64_t owner)
{
    gk_bytes parent;
    sim_node *up = sim_parent(path, &parent) && path.n > 1 ? sim_find(s, parent) : NULL;

    if (up) {
        up->cversion++;
        up->pzxid = s->zxid;
    }
    s->nodes = grow(s->nodes, s->n, &s->cap, sizeof(*s->nodes));
    sim_node *n = &s->nodes[s->n++];
    *n = (sim_node){.null = data.null, .czxid = s->zxid, .mzxid = s->zxid, .pzxid = s->zxid, .owner = owner};
    gk_buf_put(&n->path, path.p, path.n);
    gk_buf_put(&n->data, data.b.p, data.b.n);
    gk_buf_put(&n->acl, acl.p, acl.n);
    return n;
}

static void node_free(sim_node *n)
{
    gk_buf_free(&n->path);
    gk_buf_free(&n->data);
    gk_buf_free(&n->acl);
}

void sim_remove(gk_sim *s, sim_node *n)
{
    size_t i = (size_t)(n - s->nodes);
    gk_bytes parent;
    sim_node *up = sim_parent(B(n->path), &parent) ? sim_find(s, parent) : NULL;

    if (up)
        up->pzxid = s->zxid;
    node_free(n);
    memmove(s->nodes + i, s->nodes + i + 1, (s->n - i - 1) * sizeof(*s->nodes));
    s->n--;
}

void sim_stat(gk_sim *s, gk_buf *out, const sim_node *n)
{
    int32_t children = sim_children(s, B(n->path));

    gk_buf_i64(out, n->czxid);
    gk_buf_i64(out, n->mzxid);
    gk_buf_i64(out, n->czxid * 1000);
    gk_buf_i64(out, n->mzxid * 1000);
    gk_buf_i32(out, n->version);
    gk_buf_i32(out, 2 * n->cversion - children);
    gk_buf_i32(out, n->aversion);
    gk_buf_i64(out, n->owner);
    gk_buf_i32(out, (int32_t)n->data.n);
    gk_buf_i32(out, children);
    gk_buf_i64(out, n->pzxid);
}

static void node_copy(sim_node *to, const sim_node *from)
{
    *to = *from;
    to->path = to->data = to->acl = (gk_buf){0};
    gk_buf_put(&to->path, from->path.p, from->path.n);
    gk_buf_put(&to->data, from->data.p, from->data.n);
    gk_buf_put(&to->acl, from->acl.p, from->acl.n);
}

sim_copy sim_snapshot(const gk_sim *s)
{
    size_t cap = s->n;
    sim_copy c = {memalign(16, (cap + 1) * sizeof(*c.nodes)), s->n};

    rig_must(c.nodes != NULL);
    for (size_t i = 0; i < s->n; i++)
        node_copy(&c.nodes[i], &s->nodes[i]);
    return c;
}

void sim_forget(sim_copy *c)
{
    for (size_t i = 0; i < c->n; i++)
        node_free(&c->nodes[i]);
    free(c->nodes);
}

void sim_restore(gk_sim *s, sim_copy *c)
{
    sim_copy now = {s->nodes, s->n};

    sim_forget(&now);
    s->nodes = c->nodes;
    s->n = s->cap = c->n;
}

/* --- watches -------------------------------------------------------------------------------------------------------------- */

void sim_watch_add(gk_sim *s, gk_bytes path, int kind)
{
    for (size_t i = 0; i < s->n_watches; i++)
        if (s->watches[i].kind == kind && same(B(s->watches[i].path), path))
            return;
    s->watches = grow(s->watches, s->n_watches, &s->watches_cap, sizeof(*s->watches));
    sim_watch *w = &s->watches[s->n_watches++];
    *w = (sim_watch){.kind = kind};
    gk_buf_put(&w->path, path.p, path.n);
}

static void watch_remove(gk_sim *s, size_t i)
{
    gk_buf_free(&s->watches[i].path);
    memmove(s->watches + i, s->watches + i + 1, (s->n_watches - i - 1) * sizeof(*s->watches));
    s->n_watches--;
}

bool sim_watch_drop(gk_sim *s, gk_bytes path, bool remove)
{
    bool found = false;

    for (size_t i = 0; i < s->n_watches;) {
        if (!same(B(s->watches[i].path), path)) {
            i++;
            continue;
        }
        found = true;
        if (!remove)
            return true;
        watch_remove(s, i);
    }
    return found;
}

void sim_event(gk_sim *s, gk_bytes path, int type, int64_t zxid)
{
    size_t at = gk_buf_open(&s->events);

    gk_buf_i32(&s->events, -1);
    gk_buf_i64(&s->events, zxid);
    gk_buf_i32(&s->events, 0);
    gk_buf_i32(&s->events, type);
    gk_buf_i32(&s->events, 3);
    gk_buf_bytes(&s->events, path);
    gk_buf_close(&s->events, at);
}

static bool fires(const sim_watch *w, gk_bytes path, int type)
{
    bool here = same(B(w->path), path);

    switch (w->kind) {
    case SIM_WATCH_DATA: return here && type != SIM_CHILDREN;
    case SIM_WATCH_CHILDREN: return here && (type == SIM_CHILDREN || type == SIM_DELETED);
    case SIM_WATCH_PERSISTENT: return here;
    default: return type != SIM_CHILDREN && (here || sim_is_child(B(w->path), path, true));
    }
}

void sim_fire(gk_sim *s, gk_bytes path, int type)
{
    gk_bytes parent;
    bool sent = false;

    for (size_t i = 0; i < s->n_watches;) {
        if (!fires(&s->watches[i], path, type)) {
            i++;
            continue;
        }
        if (!sent)
            sim_event(s, path, type, s->zxid);
        sent = true;
        if (s->watches[i].kind <= SIM_WATCH_CHILDREN)
            watch_remove(s, i);
        else
            i++;
    }
    if (type == SIM_CREATED || type == SIM_DELETED) {
        if (sim_parent(path, &parent))
            sim_fire(s, parent.n == 0 ? (gk_bytes){(const uint8_t *)"/", 1} : parent, SIM_CHILDREN);
    }
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

gk_sim *gk_sim_new(gk_worker *hook)
{
    static const char *const made[] = {"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"};
    gk_sim *s = memalign(16, sizeof(*s));
    gk_buf acl = {0};

    rig_must(s != NULL);
    *s = (gk_sim){.hook = hook, .zxid = 1};
    gk_buf_acl(&acl);
    for (size_t i = 0; i < 4; i++) {
        const char *data = i == 3 ? "version=100000000" : "";

        sim_add(s, (gk_bytes){(const uint8_t *)made[i], strlen(made[i])}, (gk_blob){{(const uint8_t *)data, strlen(data)}, false}, B(acl), 0);
    }
    gk_buf_free(&acl);
    return s;
}

bool gk_sim_closed(const gk_sim *s)
{
    return s->closed;
}

void gk_sim_reopen(gk_sim *s)
{
    s->closed = false;
    while (s->n_watches > 0)
        watch_remove(s, s->n_watches - 1);
}

size_t gk_sim_nodes(const gk_sim *s)
{
    return s->n;
}

void gk_sim_node(gk_sim *s, size_t i, gk_bytes *path, gk_blob *data)
{
    *path = B(s->nodes[i].path);
    *data = (gk_blob){B(s->nodes[i].data), s->nodes[i].null};
}

void gk_sim_replace(gk_sim *s, size_t i, gk_blob data)
{
    gk_buf copy = {0};

    gk_buf_put(&copy, data.b.p, data.b.n);
    gk_buf_free(&s->nodes[i].data);
    s->nodes[i].data = copy;
    s->nodes[i].null = data.null;
}

void gk_sim_rename(gk_sim *s, size_t i, gk_bytes path)
{
    gk_buf copy = {0};

    gk_buf_put(&copy, path.p, path.n);
    gk_buf_free(&s->nodes[i].path);
    s->nodes[i].path = copy;
}

void gk_sim_free(gk_sim *s)
{
    sim_copy all = {s->nodes, s->n};

    sim_forget(&all);
    while (s->n_watches > 0)
        watch_remove(s, s->n_watches - 1);
    free(s->watches);
    gk_buf_free(&s->events);
    free(s);
}
