/* gk_zk_ops: one call each. The client's asynchronous calls and a wait, because its synchronous ones can't be given up. A call that is given up
 * is freed by its late completion. */
#include <stdlib.h>
#include <string.h>

#include "../../native/base/gk_bytes.h"
#include "gk_zk_internal.h"

void gk_zk_call_free(gk_zk_call *c)
{
    if (c == NULL)
        return;
    if (c->data != NULL)
        gk_wipe(c->data, c->n);
    free(c->data);
    if (c->names != NULL)
        gk_zk_names_free(c->names, c->n);
    gk_zk_acl_free(&c->acl);
    free(c->results);
    free(c->stats);
    free(c);
}

static gk_zk_call *call_new(gk_zk *z)
{
    gk_zk_call *c = calloc(1, sizeof(*c));

    if (c != NULL)
        c->z = z;
    return c;
}

/* finish is the end of every completion; c's results are in place. */
static void finish(gk_zk_call *c, int rc)
{
    gk_zk *z = c->z;
    bool given_up = false;

    pthread_mutex_lock(&z->lock);
    c->rc = rc;
    c->done = true;
    given_up = c->given_up;
    pthread_cond_broadcast(&z->wake);
    pthread_mutex_unlock(&z->lock);
    if (given_up)
        gk_zk_call_free(c);
}

void gk_zk_on_void(int rc, const void *arg)
{
    finish((gk_zk_call *)(uintptr_t)arg, rc);
}

void gk_zk_on_stat(int rc, const struct Stat *stat, const void *arg)
{
    gk_zk_call *c = (gk_zk_call *)(uintptr_t)arg;

    if (rc == ZOK && stat != NULL)
        c->stat = *stat;
    finish(c, rc);
}

static bool keep(gk_zk_call *c, const void *p, size_t n)
{
    c->data = malloc(n + 1);
    if (c->data == NULL)
        return false;
    if (n > 0)
        memcpy(c->data, p, n);
    c->data[n] = '\0';
    c->n = n;
    return true;
}

void gk_zk_on_data(int rc, const char *value, int n, const struct Stat *stat, const void *arg)
{
    gk_zk_call *c = (gk_zk_call *)(uintptr_t)arg;

    if (rc == ZOK) {
        c->stat = *stat;
        rc = keep(c, value, n > 0 ? (size_t)n : 0) ? ZOK : ZSYSTEMERROR;
    }
    finish(c, rc);
}

void gk_zk_on_string(int rc, const char *value, const void *arg)
{
    gk_zk_call *c = (gk_zk_call *)(uintptr_t)arg;

    if (rc == ZOK && value != NULL)
        rc = keep(c, value, strlen(value)) ? ZOK : ZSYSTEMERROR;
    finish(c, rc);
}

void gk_zk_on_names(int rc, const struct String_vector *v, const void *arg)
{
    gk_zk_call *c = (gk_zk_call *)(uintptr_t)arg;

    if (rc == ZOK && v != NULL) {
        c->names = calloc((size_t)v->count + 1, sizeof(*c->names));
        for (int i = 0; c->names != NULL && i < v->count; i++) {
            c->names[i] = strdup(v->data[i]);
            if (c->names[i] == NULL)
                break;
            c->n++;
        }
        rc = c->names != NULL && c->n == (size_t)v->count ? ZOK : ZSYSTEMERROR;
    }
    finish(c, rc);
}

/* gk_zk_await waits for c, which was sent when rc is ZOK. True when c's results may be used; else its code is in *rc and it is gone. */
bool gk_zk_await(gk_zk *z, gk_zk_call *c, int *rc, int64_t deadline)
{
    bool done = false;

    if (*rc == ZOK) {
        pthread_mutex_lock(&z->lock);
        while (!c->done && gk_zk_cond_wait(z, deadline))
            continue;
        done = c->done;
        c->given_up = !done;
        pthread_mutex_unlock(&z->lock);
        if (!done) {
            *rc = ZOPERATIONTIMEOUT;
            return false;
        }
        *rc = c->rc;
        if (*rc == ZOK)
            return true;
    }
    gk_zk_call_free(c);
    return false;
}

/* gk_zk_begin makes a call and holds the handle; ZOK or the reason why not. */
int gk_zk_begin(gk_zk *z, gk_zk_call **c, zhandle_t **zh, int64_t deadline)
{
    int rc = ZSYSTEMERROR;

    *c = call_new(z);
    if (*c != NULL)
        rc = gk_zk_hold(z, zh, deadline);
    if (rc != ZOK) {
        gk_zk_call_free(*c);
        *c = NULL;
    }
    return rc;
}

void gk_zk_data_free(gk_zk_data *d)
{
    if (d->data != NULL)
        gk_wipe(d->data, d->n);
    free(d->data);
    *d = (gk_zk_data){0};
}

void gk_zk_take_data(gk_zk_data *out, gk_zk_call *c)
{
    out->data = c->data;
    out->n = c->n;
    out->stat = c->stat;
    c->data = NULL;
    gk_zk_call_free(c);
}

int gk_zk_get(gk_zk *z, const char *path, bool watch, gk_zk_data *out, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    *out = (gk_zk_data){0};
    if (rc != ZOK)
        return out->rc = rc;
    rc = zoo_aget(zh, path, watch, gk_zk_on_data, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline))
        gk_zk_take_data(out, c);
    return out->rc = rc;
}

int gk_zk_exists(gk_zk *z, const char *path, bool watch, struct Stat *stat, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    if (rc != ZOK)
        return rc;
    rc = zoo_aexists(zh, path, watch, gk_zk_on_stat, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline)) {
        if (stat != NULL)
            *stat = c->stat;
        gk_zk_call_free(c);
    }
    return rc;
}

void gk_zk_names_free(char **names, size_t n)
{
    for (size_t i = 0; names != NULL && i < n; i++)
        free(names[i]);
    free(names);
}

int gk_zk_children(gk_zk *z, const char *path, bool watch, char ***names, size_t *n, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    *names = NULL;
    *n = 0;
    if (rc != ZOK)
        return rc;
    rc = zoo_aget_children(zh, path, watch, gk_zk_on_names, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline)) {
        *names = c->names;
        *n = c->n;
        c->names = NULL;
        c->n = 0;
        gk_zk_call_free(c);
    }
    return rc;
}

int gk_zk_create(gk_zk *z, const char *path, const void *data, size_t n, const struct ACL_vector *acl, int mode, char *made, size_t made_n,
                 int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    if (rc != ZOK)
        return rc;
    rc = zoo_acreate(zh, path, data, (int)n, acl, mode, gk_zk_on_string, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline)) {
        if (made != NULL && c->data != NULL && c->n < made_n)
            memcpy(made, c->data, c->n + 1);
        gk_zk_call_free(c);
    }
    return rc;
}

int gk_zk_set(gk_zk *z, const char *path, const void *data, size_t n, int version, int *new_version, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    if (rc != ZOK)
        return rc;
    rc = zoo_aset(zh, path, data, (int)n, version, gk_zk_on_stat, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline)) {
        if (new_version != NULL)
            *new_version = c->stat.version;
        gk_zk_call_free(c);
    }
    return rc;
}

int gk_zk_delete(gk_zk *z, const char *path, int version, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    if (rc != ZOK)
        return rc;
    rc = zoo_adelete(zh, path, version, gk_zk_on_void, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline))
        gk_zk_call_free(c);
    return rc;
}

int gk_zk_sync(gk_zk *z, const char *path, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    if (rc != ZOK)
        return rc;
    rc = zoo_async(zh, path, gk_zk_on_string, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline))
        gk_zk_call_free(c);
    return rc;
}
