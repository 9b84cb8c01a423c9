/* gk_zk_reads: reads that are sent at once and taken one by one. */
#include <stdlib.h>

#include "gk_zk_internal.h"

/* Reads under way. */
struct gk_zk_reads {
    gk_zk *z;
    int64_t deadline;
    gk_zk_call **calls; /* n reads, then the watch; NULL: taken, or never sent */
    int *codes;
    size_t n;
};

static void send_read(gk_zk_reads *r, size_t i, const char *path, bool watch)
{
    zhandle_t *zh = NULL;

    r->codes[i] = gk_zk_begin(r->z, &r->calls[i], &zh, r->deadline);
    if (r->codes[i] != ZOK)
        return;
    r->codes[i] = watch ? zoo_aexists(zh, path, 1, gk_zk_on_stat, r->calls[i]) : zoo_aget(zh, path, 0, gk_zk_on_data, r->calls[i]);
    gk_zk_release(r->z);
}

gk_zk_reads *gk_zk_reads_begin(gk_zk *z, const char *const *paths, size_t n, const char *watch, int timeout_ms)
{
    gk_zk_reads *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    *r = (gk_zk_reads){.z = z, .deadline = gk_zk_now_ms() + timeout_ms, .calls = calloc(n + 1, sizeof(*r->calls)), .codes = calloc(n + 1, sizeof(*r->codes)),
                       .n = n};
    if (r->calls == NULL || r->codes == NULL) {
        free(r->calls);
        free(r->codes);
        free(r);
        return NULL;
    }
    /* the watch right behind the first, which is the one that a caller waits for */
    if (n > 0)
        send_read(r, 0, paths[0], false);
    if (watch != NULL)
        send_read(r, n, watch, true);
    for (size_t i = 1; i < n; i++)
        send_read(r, i, paths[i], false);
    return r;
}

int gk_zk_reads_take(gk_zk_reads *r, size_t i, gk_zk_data *out)
{
    *out = (gk_zk_data){.rc = ZSYSTEMERROR};
    if (r == NULL)
        return out->rc;
    out->rc = r->codes[i];
    if (r->calls[i] != NULL && gk_zk_await(r->z, r->calls[i], &out->rc, r->deadline))
        gk_zk_take_data(out, r->calls[i]);
    r->calls[i] = NULL;
    return out->rc;
}

bool gk_zk_reads_ready(gk_zk_reads *r, size_t i)
{
    bool done = false;

    if (r == NULL || i >= r->n || r->calls[i] == NULL)
        return false;
    pthread_mutex_lock(&r->z->lock);
    done = r->calls[i]->done;
    pthread_mutex_unlock(&r->z->lock);
    return done;
}

int gk_zk_reads_end(gk_zk_reads *r, bool *set)
{
    int watched = r == NULL ? ZSYSTEMERROR : r->codes[r->n];
    gk_zk_data rest = {0};

    for (size_t i = 0; r != NULL && i < r->n; i++) {
        if (r->calls[i] != NULL)
            (void)gk_zk_reads_take(r, i, &rest);
        gk_zk_data_free(&rest);
    }
    if (r != NULL && r->calls[r->n] != NULL && gk_zk_await(r->z, r->calls[r->n], &watched, r->deadline))
        gk_zk_call_free(r->calls[r->n]);
    if (set != NULL)
        *set = watched == ZNONODE;
    if (r != NULL) {
        free(r->calls);
        free(r->codes);
    }
    free(r);
    return watched;
}

int gk_zk_get_many(gk_zk *z, const char *const *paths, size_t n, gk_zk_data *out, int timeout_ms)
{
    gk_zk_reads *r = gk_zk_reads_begin(z, paths, n, NULL, timeout_ms);
    int first = r == NULL ? ZSYSTEMERROR : ZOK;

    for (size_t i = 0; i < n; i++) {
        int rc = gk_zk_reads_take(r, i, &out[i]);

        if (first == ZOK && rc != ZNONODE)
            first = rc;
    }
    (void)gk_zk_reads_end(r, NULL);
    return first;
}

void gk_zk_watch_many(gk_zk *z, const char *const *paths, size_t n, int *counts, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call **calls = calloc(n + 1, sizeof(*calls));

    for (size_t i = 0; i < n; i++) {
        zhandle_t *zh = NULL;

        counts[i] = calls == NULL ? ZSYSTEMERROR : gk_zk_begin(z, &calls[i], &zh, deadline); /* codes, until the answers are there */
        if (counts[i] != ZOK)
            continue;
        counts[i] = zoo_aget_children(zh, paths[i], 1, gk_zk_on_names, calls[i]);
        gk_zk_release(z);
    }
    for (size_t i = 0; i < n; i++) {
        bool there = calls != NULL && calls[i] != NULL && gk_zk_await(z, calls[i], &counts[i], deadline);

        counts[i] = there ? (int)calls[i]->n : -1;
        if (there)
            gk_zk_call_free(calls[i]);
    }
    free(calls);
}
