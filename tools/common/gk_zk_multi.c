/* gk_zk_multi: several writes, all or nothing, or each on its own. */
#include <stdlib.h>

#include "gk_zk_internal.h"

static void init_op(zoo_op_t *to, const gk_zk_op *from, struct Stat *stat)
{
    switch (from->kind) {
    case GK_ZK_CHECK: zoo_check_op_init(to, from->path, from->version); break;
    case GK_ZK_DELETE: zoo_delete_op_init(to, from->path, from->version); break;
    case GK_ZK_SET: zoo_set_op_init(to, from->path, from->data, (int)from->n, from->version, stat); break;
    case GK_ZK_CREATE: zoo_create_op_init(to, from->path, from->data, (int)from->n, from->acl, from->mode, NULL, 0); break;
    }
}

int gk_zk_multi(gk_zk *z, const gk_zk_op *ops, size_t n, size_t *failed, int *versions, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    zoo_op_t *zops = calloc(n, sizeof(*zops));
    bool done = false;
    int rc = zops == NULL ? ZSYSTEMERROR : gk_zk_begin(z, &c, &zh, deadline);

    if (failed != NULL)
        *failed = n;
    if (rc != ZOK)
        goto out;
    /* the client writes here until it completes, which may be after we gave up */
    c->results = calloc(n, sizeof(*c->results));
    c->stats = calloc(n, sizeof(*c->stats));
    rc = c->results == NULL || c->stats == NULL ? ZSYSTEMERROR : ZOK;
    for (size_t i = 0; i < n && rc == ZOK; i++)
        init_op(&zops[i], &ops[i], &c->stats[i]);
    if (rc == ZOK)
        rc = zoo_amulti(zh, (int)n, zops, c->results, gk_zk_on_void, c);
    gk_zk_release(z);
    if (rc != ZOK) {
        gk_zk_call_free(c);
        goto out;
    }
    pthread_mutex_lock(&z->lock);
    while (!c->done && gk_zk_cond_wait(z, deadline))
        continue;
    done = c->done;
    rc = done ? c->rc : ZOPERATIONTIMEOUT;
    c->given_up = !done;
    pthread_mutex_unlock(&z->lock);
    if (!done)
        goto out;
    for (size_t i = 0; i < n; i++) {
        if (versions != NULL)
            versions[i] = c->stats[i].version;
        if (failed != NULL && *failed == n && rc != ZOK && c->results[i].err == rc)
            *failed = i;
    }
    gk_zk_call_free(c);
out:
    free(zops);
    return rc;
}

static int send_one(zhandle_t *zh, const gk_zk_op *op, gk_zk_call *c)
{
    switch (op->kind) {
    case GK_ZK_CREATE: return zoo_acreate(zh, op->path, op->data, (int)op->n, op->acl, op->mode, gk_zk_on_string, c);
    case GK_ZK_SET: return zoo_aset(zh, op->path, op->data, (int)op->n, op->version, gk_zk_on_stat, c);
    case GK_ZK_DELETE: return zoo_adelete(zh, op->path, op->version, gk_zk_on_void, c);
    case GK_ZK_CHECK: break;
    }
    return ZBADARGUMENTS;
}

int gk_zk_each(gk_zk *z, const gk_zk_op *ops, size_t n, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call **calls = calloc(n + 1, sizeof(*calls));
    int *codes = calloc(n + 1, sizeof(*codes));
    int first = calls == NULL || codes == NULL ? ZSYSTEMERROR : ZOK;

    for (size_t i = 0; i < n && first == ZOK; i++) {
        zhandle_t *zh = NULL;

        codes[i] = gk_zk_begin(z, &calls[i], &zh, deadline);
        if (codes[i] != ZOK)
            continue;
        codes[i] = send_one(zh, &ops[i], calls[i]);
        gk_zk_release(z);
    }
    for (size_t i = 0; i < n && calls != NULL && codes != NULL; i++) {
        if (calls[i] != NULL && gk_zk_await(z, calls[i], &codes[i], deadline))
            gk_zk_call_free(calls[i]);
        if (first == ZOK && codes[i] != ZNONODE && codes[i] != ZNODEEXISTS)
            first = codes[i];
    }
    free(calls);
    free(codes);
    return first;
}
