/* ctl_load: a group's engine out of ZooKeeper: loaded from its snapshot, or brought up to date. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/gk_log.h"
#include "ctl.h"

enum { EPOCHS_AT_ONCE = 16, CHUNKS_AT_ONCE = 16, SWEEP_AT_ONCE = 64 };

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

/* next_is_foreign: what lies there isn't a controller's. A leader takes it away; a standby leaves that to the leader, and waits. False, too, when the engine is
 * of no use any more. */
static bool next_is_foreign(ctl *c, const ctl_group *g, const gk_group *engine, const char *name, const gk_zk_data *d)
{
    char path[GK_TREE_PATH];

    if (!gk_group_is_foreign(engine, (gk_bytes){d->data, d->n}))
        return false;
    gk_tree_path(path, c->o->root, "groups/%s/%s", g->name, name);
    if (c->leader)
        (void)ctl_remove_squatter(c, path, d->stat.version);
    return gk_group_usable(engine);
}

/* follow redoes the epochs behind the snapshot; few are read at first, for a standby has nearly all. */
static bool follow(ctl *c, const ctl_group *g, gk_group *engine)
{
    for (size_t ahead = 2;; ahead = ahead * 2 < EPOCHS_AT_ONCE ? ahead * 2 : EPOCHS_AT_ONCE) {
        char names[EPOCHS_AT_ONCE][GK_PATH_MAX];
        gk_zk_data d[EPOCHS_AT_ONCE] = {0};
        gk_group_info info = {0};
        bool ok = gk_group_look(engine, &info) == GK_OK;
        bool more = true;

        for (size_t i = 0; i < ahead; i++)
            (void)snprintf(names[i], GK_PATH_MAX, "epochs/%llu", (unsigned long long)(info.epoch + 1 + i));
        ok = ok && read_some(c, g, names, ahead, d) == ZOK;
        for (size_t i = 0; i < ahead && ok && more; i++) {
            gk_err e = d[i].rc == ZNONODE ? GK_OK : gk_group_follow(engine, (gk_bytes){d[i].data, d[i].n});

            more = d[i].rc == ZOK && e == GK_OK;
            ok = e == GK_OK || (e != GK_ERR_NOMEM && e != GK_ERR_CRYPTO && next_is_foreign(c, g, engine, names[i], &d[i]));
            if (e != GK_OK)
                gk_log(GK_LOG_ERROR, "epoch-refused", "group=\"%s\" node=\"%s\" why=\"%s\"", g->name, names[i], gk_err_str(e));
        }
        free_some(d, ahead);
        if (!ok || !more)
            return ok;
    }
}

/* check_floor compares with what this controller's disk remembers. */
static bool check_floor(ctl *c, const ctl_group *g, gk_group *engine)
{
    gk_group_info info = {0};
    const ctl_floor *f = gk_group_look(engine, &info) == GK_OK ? ctl_keys_floor(c, info.genesis.id) : NULL;

    if (g->recovering || f == NULL || (gk_group_floor(engine, f->epoch, f->hash) == GK_OK && gk_group_sealed_with(engine) >= f->key))
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

/* What a loaded group is compared with. The side znode is read before the epoch: so it is never of one that lies behind. The head of the state tells of
 * snapshots that another leader made, perhaps of the newest epoch. */
enum { NEWS = 4, NEWS_HEAD = 2, NEWS_EPOCH = 3 };

static void news(const ctl_group *g, char names[NEWS][GK_PATH_MAX])
{
    (void)snprintf(names[0], GK_PATH_MAX, "policy");
    (void)snprintf(names[1], GK_PATH_MAX, "side");
    (void)snprintf(names[NEWS_HEAD], GK_PATH_MAX, "state");
    (void)snprintf(names[NEWS_EPOCH], GK_PATH_MAX, "epochs/%llu", (unsigned long long)ctl_epoch(g) + 1);
}

static bool take_news(ctl *c, ctl_group *g, const gk_zk_data d[NEWS])
{
    return d[0].rc == ZOK && d[1].rc == ZOK && d[NEWS_HEAD].rc == ZOK && gk_group_policy(g->g, (gk_bytes){d[0].data, d[0].n}) == GK_OK &&
           gk_group_side(g->g, (gk_bytes){d[1].data, d[1].n}) == GK_OK &&
           (d[NEWS_EPOCH].rc == ZNONODE || (d[NEWS_EPOCH].rc == ZOK && follow(c, g, g->g))) &&
           gk_group_head(g->g, (gk_bytes){d[NEWS_HEAD].data, d[NEWS_HEAD].n}) == GK_OK && check_floor(c, g, g->g);
}

/* catch_up follows a loaded group to the newest. */
static bool catch_up(ctl *c, ctl_group *g)
{
    char names[NEWS][GK_PATH_MAX];
    gk_zk_data d[NEWS] = {0};
    uint64_t before = ctl_epoch(g);
    bool ok = false;

    news(g, names);
    ok = read_some(c, g, names, NEWS, d) == ZOK && take_news(c, g, d);
    free_some(d, NEWS);
    if (ok && ctl_epoch(g) > before)
        ctl_keys_remember(c, g->g);
    return ok;
}

static void taken(ctl_group *g)
{
    g->behind = false;
    g->fresh_ms = g->due_ms = 0;
    g->no_snapshot = 0;
}

/* look_soon: a leader has to read its requests, and to set the watch on them. */
static void look_soon(ctl *c, ctl_group *g)
{
    taken(g);
    pthread_mutex_lock(&c->lock);
    g->dirty = g->dirty || c->leader;
    pthread_mutex_unlock(&c->lock);
}

bool ctl_group_ready(ctl *c, ctl_group *g)
{
    if (g->g != NULL && !g->behind)
        return true;
    if (g->g != NULL && catch_up(c, g)) {
        look_soon(c, g);
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
    look_soon(c, g);
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

/* sweep brings these groups up to date: what they are compared with and the watches on their requests are under way together. */
static void sweep(ctl *c, ctl_group *const *groups, size_t n)
{
    char(*paths)[GK_TREE_PATH] = calloc(n * (NEWS + 1), sizeof(*paths));
    gk_zk_data d[SWEEP_AT_ONCE * NEWS] = {0};
    const char *list[SWEEP_AT_ONCE * NEWS];
    const char *requests[SWEEP_AT_ONCE];
    int waiting[SWEEP_AT_ONCE];
    bool ok = paths != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        char names[NEWS][GK_PATH_MAX];

        news(groups[i], names);
        for (size_t k = 0; k < NEWS; k++) {
            list[i * NEWS + k] = paths[i * NEWS + k];
            gk_tree_path(paths[i * NEWS + k], c->o->root, "groups/%s/%s", groups[i]->name, names[k]);
        }
        requests[i] = paths[n * NEWS + i];
        gk_tree_path(paths[n * NEWS + i], c->o->root, "groups/%s/requests", groups[i]->name);
    }
    ok = ok && gk_zk_get_many(c->zk, list, n * NEWS, d, CTL_TIMEOUT_MS) == ZOK;
    if (ok)
        gk_zk_watch_many(c->zk, requests, n, waiting, CTL_TIMEOUT_MS);
    for (size_t i = 0; i < n; i++) {
        ctl_group *g = groups[i];

        if (ok && g->behind && d[i * NEWS + NEWS_EPOCH].rc == ZNONODE && take_news(c, g, &d[i * NEWS]))
            taken(g);
        pthread_mutex_lock(&c->lock);
        g->dirty = g->dirty || !ok || waiting[i] != 0;
        pthread_mutex_unlock(&c->lock);
    }
    free_some(d, n * NEWS);
    free(paths);
}

void ctl_groups_sweep(ctl *c)
{
    ctl_group *some[SWEEP_AT_ONCE];
    size_t n = 0;

    for (size_t i = 0; i < c->n_groups; i++) {
        ctl_group *g = c->groups[i];

        pthread_mutex_lock(&c->lock);
        if (g->g != NULL && (g->behind || g->dirty)) {
            g->dirty = false;
            some[n++] = g;
        }
        pthread_mutex_unlock(&c->lock);
        if (n == SWEEP_AT_ONCE || (n > 0 && i + 1 == c->n_groups)) {
            sweep(c, some, n);
            ctl_progress(c);
            n = 0;
        }
    }
}
