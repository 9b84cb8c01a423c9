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

static bool is_listed(const ctl_group *g, char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(g->name, names[i]) == 0)
            return true;
    }
    return false;
}

bool ctl_group_list(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "groups");
    rc = gk_zk_children(c->zk, path, true, &names, &n, CTL_TIMEOUT_MS);
    for (size_t i = 0; i < n && rc == ZOK; i++) {
        if (gk_name_ok((gk_bytes){(const uint8_t *)names[i], strlen(names[i])}) && ctl_group_find(c, names[i]) == NULL &&
            ctl_group_add(c, names[i], NULL) == NULL)
            rc = ZSYSTEMERROR;
    }
    for (size_t i = c->n_groups; i-- > 0 && rc == ZOK;) {
        if (!is_listed(c->groups[i], names, n))
            ctl_group_remove(c, c->groups[i]);
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

/* next_is_foreign: what lies there isn't a controller's. A leader takes it away; a standby leaves that to the leader, and waits. */
static bool next_is_foreign(ctl *c, const ctl_group *g, const gk_group *engine, const char *name, const gk_zk_data *d)
{
    char path[GK_TREE_PATH];

    if (!gk_group_is_foreign(engine, (gk_bytes){d->data, d->n}))
        return false;
    gk_tree_path(path, c->o->root, "groups/%s/%s", g->name, name);
    if (c->leader)
        (void)ctl_remove_squatter(c, path, d->stat.version);
    return true;
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

            more = d[i].rc == ZOK && e == GK_OK;
            ok = e == GK_OK || next_is_foreign(c, g, engine, names[i], &d[i]);
            if (e != GK_OK)
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
    gk_group_info info = {0};
    const ctl_floor *f = gk_group_look(engine, &info) == GK_OK ? ctl_keys_floor(c, info.genesis.id) : NULL;

    if (g->recovering || f == NULL || gk_group_floor(engine, f->epoch, f->hash) == GK_OK)
        return true;
    gk_log(GK_LOG_ERROR, "state-went-back", "group=\"%s\" epoch=%llu seen=%llu hint=\"was ZooKeeper restored? gk-admin group recover\"", g->name,
           (unsigned long long)info.epoch, (unsigned long long)f->epoch);
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
        if (!g->recovering)
            ctl_keys_remember(c, engine);
        return true;
    }
    gk_log(GK_LOG_ERROR, "group-not-loaded", "group=\"%s\" why=\"%s\"", g->name, gk_err_str(e));
    gk_group_free(engine);
    return false;
}

/* catch_up follows a loaded group to the newest. The side znode is read before the epochs: so it is never of one that lies behind. */
static bool catch_up(ctl *c, ctl_group *g)
{
    const char names[2][GK_PATH_MAX] = {"policy", "side"};
    gk_zk_data d[2] = {0};
    uint64_t before = ctl_epoch(g);
    bool ok = read_some(c, g, names, 2, d) == ZOK && d[0].rc == ZOK && d[1].rc == ZOK &&
              gk_group_policy(g->g, (gk_bytes){d[0].data, d[0].n}) == GK_OK && gk_group_side(g->g, (gk_bytes){d[1].data, d[1].n}) == GK_OK &&
              follow(c, g, g->g) && check_floor(c, g, g->g);

    free_some(d, 2);
    if (ok && ctl_epoch(g) > before)
        ctl_keys_remember(c, g->g);
    return ok;
}

static void taken(ctl *c, ctl_group *g)
{
    g->behind = false;
    g->fresh_ms = 0;
    g->no_snapshot = 0;
    pthread_mutex_lock(&c->lock);
    g->dirty = g->dirty || c->leader; /* its requests, and the watch on them */
    pthread_mutex_unlock(&c->lock);
}

bool ctl_group_ready(ctl *c, ctl_group *g)
{
    if (g->g != NULL && !g->behind)
        return true;
    if (g->g != NULL && catch_up(c, g)) {
        taken(c, g);
        return true;
    }
    if (g->g != NULL)
        ctl_group_drop(g, true);
    if (gk_zk_now_ms() < g->retry_ms)
        return false;
    if (!load(c, g)) {
        ctl_group_drop(g, false);
        return false;
    }
    g->failures = 0;
    taken(c, g);
    return true;
}

ctl_group *ctl_group_recover(ctl *c, const uint8_t id[GK_GROUP_ID])
{
    ctl_group *g = ctl_group_by_id(c, id);

    for (size_t i = 0; i < c->n_groups && g == NULL; i++) {
        gk_group_info info = {0};

        if (c->groups[i]->g != NULL)
            continue;
        c->groups[i]->recovering = true;
        c->groups[i]->retry_ms = 0;
        if (ctl_group_ready(c, c->groups[i]) && gk_group_look(c->groups[i]->g, &info) == GK_OK && memcmp(info.genesis.id, id, GK_GROUP_ID) == 0)
            g = c->groups[i];
        else
            ctl_group_drop(c->groups[i], false);
        c->groups[i]->recovering = false;
    }
    return g;
}

/* follow_one: as a standby. False: something else is more urgent. */
static bool follow_one(ctl *c, ctl_group *g)
{
    char path[GK_TREE_PATH];
    bool dirty = false;
    bool urgent = false;
    int rc = ZOK;

    pthread_mutex_lock(&c->lock);
    dirty = g->dirty || g->g == NULL;
    g->dirty = false;
    urgent = c->campaign || c->stop;
    c->progress_ms = gk_zk_now_ms();
    pthread_mutex_unlock(&c->lock);
    /* twice: an epoch may come between reading and watching; what still lies there then isn't a controller's, and the watch tells when it goes */
    for (int i = 0; i < 2 && rc == ZOK && dirty && !urgent; i++) {
        if (!ctl_group_ready(c, g))
            return true; /* it is tried again: there is nothing loaded */
        g->behind = true; /* once more next time, and when this becomes the leader */
        gk_tree_path(path, c->o->root, "groups/%s/epochs/%llu", g->name, (unsigned long long)ctl_epoch(g) + 1);
        rc = gk_zk_exists(c->zk, path, true, NULL, CTL_TIMEOUT_MS);
    }
    pthread_mutex_lock(&c->lock);
    g->dirty = g->dirty || (dirty && (urgent || (rc != ZOK && rc != ZNONODE)));
    pthread_mutex_unlock(&c->lock);
    return !urgent;
}

void ctl_groups_follow(ctl *c)
{
    bool listed = true;
    bool can_lead = false;
    bool failing = false;

    pthread_mutex_lock(&c->lock);
    listed = !c->groups_dirty;
    c->groups_dirty = false;
    pthread_mutex_unlock(&c->lock);
    if (!c->mine || !gk_zk_connected(c->zk))
        listed = true;
    else if (!listed)
        listed = ctl_group_list(c);
    for (size_t i = 0; i < c->n_groups; i++)
        failing = failing || c->groups[i]->failures > 0;
    if (c->mine && c->n_groups > 0 && (ctl_keys_newest(c) == 0 || (failing && gk_zk_now_ms() > c->keys_ms))) {
        (void)ctl_keys_read(c, &can_lead); /* there may be a newer state key */
        c->keys_ms = gk_zk_now_ms() + 5000;
    }
    for (size_t i = 0; i < c->n_groups && c->mine && gk_zk_connected(c->zk); i++) {
        if (!follow_one(c, c->groups[i]))
            break;
    }
    pthread_mutex_lock(&c->lock);
    c->groups_dirty = c->groups_dirty || !listed;
    pthread_mutex_unlock(&c->lock);
}
