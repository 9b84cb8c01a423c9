/* ctl_group: the groups of a leader: loading them, their list. What is done with them: ctl_turn.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/gk_log.h"
#include "ctl.h"

enum { EPOCHS_AT_ONCE = 16, CHUNKS_AT_ONCE = 16, RETRY_MS = 200, RETRY_MOST_MS = 10000 };

uint64_t ctl_epoch(const ctl_group *g)
{
    gk_group_info info = {0};

    return g->g != NULL && gk_group_look(g->g, &info) == GK_OK ? info.epoch : 0;
}

ctl_group *ctl_group_find(ctl *c, const char *name)
{
    for (size_t i = 0; i < c->n_groups; i++) {
        if (strcmp(c->groups[i]->name, name) == 0)
            return c->groups[i];
    }
    return NULL;
}

ctl_group *ctl_group_by_id(ctl *c, const uint8_t id[GK_GROUP_ID])
{
    for (size_t i = 0; i < c->n_groups; i++) {
        gk_group_info info = {0};

        if (ctl_group_ready(c, c->groups[i]) && gk_group_look(c->groups[i]->g, &info) == GK_OK &&
            memcmp(info.genesis.id, id, GK_GROUP_ID) == 0)
            return c->groups[i];
    }
    return NULL;
}

ctl_group *ctl_group_add(ctl *c, const char *name, gk_group *engine)
{
    ctl_group *g = calloc(1, sizeof(*g));
    bool ok = g != NULL;

    if (!ok)
        return NULL;
    (void)snprintf(g->name, sizeof(g->name), "%s", name);
    g->g = engine;
    g->dirty = true;
    pthread_mutex_lock(&c->lock);
    if (c->n_groups == c->cap_groups) {
        size_t cap = c->cap_groups == 0 ? 64 : c->cap_groups * 2;
        void *p = realloc(c->groups, cap * sizeof(*c->groups));

        ok = p != NULL;
        c->groups = ok ? p : c->groups;
        c->cap_groups = ok ? cap : c->cap_groups;
    }
    if (ok)
        c->groups[c->n_groups++] = g;
    pthread_mutex_unlock(&c->lock);
    if (ok)
        return g;
    g->g = NULL;
    free(g);
    return NULL;
}

static void group_free(ctl_group *g)
{
    ctl_riders_clear(g);
    gk_group_free(g->g);
    free(g->spent.paths);
    free(g);
}

void ctl_group_remove(ctl *c, ctl_group *g)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n_groups; i++) {
        if (c->groups[i] == g) {
            c->groups[i] = c->groups[--c->n_groups];
            break;
        }
    }
    pthread_mutex_unlock(&c->lock);
    group_free(g);
}

void ctl_groups_free(ctl *c)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n_groups; i++)
        group_free(c->groups[i]);
    c->n_groups = 0;
    pthread_mutex_unlock(&c->lock);
}

void ctl_group_drop(ctl_group *g, bool again_soon)
{
    ctl_riders_clear(g);
    gk_group_free(g->g);
    g->g = NULL;
    g->spent.n = 0; /* they are still there, and read again */
    g->failures = again_soon ? 0 : g->failures + 1;
    g->retry_ms = again_soon ? 0 : gk_zk_now_ms() + (g->failures > 6 ? RETRY_MOST_MS : RETRY_MS << g->failures);
}

bool ctl_group_list(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "groups");
    rc = gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS);
    for (size_t i = 0; i < n && rc == ZOK; i++) {
        if (gk_name_ok((gk_bytes){(const uint8_t *)names[i], strlen(names[i])}) && ctl_group_find(c, names[i]) == NULL &&
            ctl_group_add(c, names[i], NULL) == NULL)
            rc = ZSYSTEMERROR;
    }
    gk_zk_names_free(names, n);
    return rc == ZOK;
}

/* read_some reads n nodes of a group at once; names are below its node. */
static int read_some(ctl *c, const ctl_group *g, const char names[][GK_PATH_MAX], size_t n, gk_zk_data *out)
{
    char paths[EPOCHS_AT_ONCE][GK_TREE_PATH];
    const char *list[EPOCHS_AT_ONCE];

    for (size_t i = 0; i < n; i++) {
        gk_tree_path(paths[i], c->o->root, "groups/%s/%s", g->name, names[i]);
        list[i] = paths[i];
    }
    return gk_zk_get_many(c->zk, list, n, out, CTL_TIMEOUT_MS);
}

static void free_some(gk_zk_data *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        gk_zk_data_free(&d[i]);
}

/* load_chunks reads the snapshot's chunks. */
static bool load_chunks(ctl *c, const ctl_group *g, gk_group *engine)
{
    uint64_t epoch = 0;
    size_t chunks = gk_group_chunks(engine, &epoch);
    bool ok = true;

    for (size_t i = 0; i < chunks && ok; i += CHUNKS_AT_ONCE) {
        char names[EPOCHS_AT_ONCE][GK_PATH_MAX];
        gk_zk_data d[EPOCHS_AT_ONCE] = {0};
        size_t n = chunks - i < CHUNKS_AT_ONCE ? chunks - i : CHUNKS_AT_ONCE;

        for (size_t k = 0; k < n; k++)
            (void)snprintf(names[k], GK_PATH_MAX, "state/%llu-%zu", (unsigned long long)epoch, i + k);
        ok = read_some(c, g, names, n, d) == ZOK;
        for (size_t k = 0; k < n && ok; k++)
            ok = d[k].rc == ZOK && gk_group_chunk(engine, i + k, (gk_bytes){d[k].data, d[k].n}) == GK_OK;
        free_some(d, n);
    }
    return ok;
}

/* follow redoes the epochs behind the snapshot. */
static bool follow(ctl *c, const ctl_group *g, gk_group *engine)
{
    for (;;) {
        char names[EPOCHS_AT_ONCE][GK_PATH_MAX];
        gk_zk_data d[EPOCHS_AT_ONCE] = {0};
        gk_group_info info = {0};
        bool ok = gk_group_look(engine, &info) == GK_OK;
        bool more = true;

        for (size_t i = 0; i < EPOCHS_AT_ONCE; i++)
            (void)snprintf(names[i], GK_PATH_MAX, "epochs/%llu", (unsigned long long)(info.epoch + 1 + i));
        ok = ok && read_some(c, g, names, EPOCHS_AT_ONCE, d) == ZOK;
        for (size_t i = 0; i < EPOCHS_AT_ONCE && ok && more; i++) {
            gk_err e = d[i].rc == ZNONODE ? GK_OK : gk_group_follow(engine, (gk_bytes){d[i].data, d[i].n});

            more = d[i].rc == ZOK;
            ok = e == GK_OK;
            if (!ok)
                gk_log(GK_LOG_ERROR, "epoch-refused", "group=\"%s\" node=\"%s\" why=\"%s\"", g->name, names[i], gk_err_str(e));
        }
        free_some(d, EPOCHS_AT_ONCE);
        if (!ok || !more)
            return ok;
    }
}

/* check_floor compares with what this controller's disk remembers. */
static bool check_floor(ctl *c, const ctl_group *g, gk_group *engine)
{
    uint8_t hash[GK_HASH];
    uint64_t epoch = 0;

    if (g->recovering || !ctl_keys_floor(c, g->name, &epoch, hash) || gk_group_floor(engine, epoch, hash) == GK_OK)
        return true;
    gk_log(GK_LOG_ERROR, "state-went-back", "group=\"%s\" seen=%llu hint=\"was ZooKeeper restored? gk-admin group recover\"", g->name,
           (unsigned long long)epoch);
    return false;
}

static bool load(ctl *c, ctl_group *g)
{
    const char names[4][GK_PATH_MAX] = {"genesis", "policy", "state", "side"};
    gk_zk_data d[4] = {0};
    gk_group *engine = NULL;
    gk_err e = GK_ERR_IO;
    bool ok = read_some(c, g, names, 4, d) == ZOK && d[0].rc == ZOK && d[1].rc == ZOK && d[2].rc == ZOK;

    if (ok)
        e = gk_group_load(&engine, &c->control, (gk_bytes){d[0].data, d[0].n}, (gk_bytes){d[1].data, d[1].n},
                          (gk_bytes){d[2].data, d[2].n});
    ok = ok && e == GK_OK && load_chunks(c, g, engine);
    if (ok && d[3].rc == ZOK)
        e = gk_group_side(engine, (gk_bytes){d[3].data, d[3].n});
    ok = ok && e == GK_OK && follow(c, g, engine) && check_floor(c, g, engine);
    free_some(d, 4);
    if (ok) {
        g->g = engine;
        return true;
    }
    gk_log(GK_LOG_ERROR, "group-not-loaded", "group=\"%s\" why=\"%s\"", g->name, gk_err_str(e));
    gk_group_free(engine);
    return false;
}

bool ctl_group_ready(ctl *c, ctl_group *g)
{
    if (g->g != NULL)
        return true;
    if (gk_zk_now_ms() < g->retry_ms)
        return false;
    if (!load(c, g)) {
        ctl_group_drop(g, false);
        return false;
    }
    g->failures = 0;
    g->fresh_ms = 0;
    pthread_mutex_lock(&c->lock);
    g->dirty = true; /* its requests, and the watch on them */
    pthread_mutex_unlock(&c->lock);
    return true;
}
