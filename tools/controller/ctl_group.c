/* ctl_group: the list of groups, and how a standby follows them. Loading them: ctl_load.c; what is done with them: ctl_turn.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/gk_log.h"
#include "ctl.h"

enum { RETRY_MS = 200, RETRY_MOST_MS = 10000, CLEAN_SPREAD_MS = 60000 };

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

static bool has_id(const ctl_group *g, const uint8_t id[GK_GROUP_ID])
{
    gk_group_info info = {0};

    return g->g != NULL && gk_group_look(g->g, &info) == GK_OK && memcmp(info.genesis.id, id, GK_GROUP_ID) == 0;
}

ctl_group *ctl_group_by_id(ctl *c, const uint8_t id[GK_GROUP_ID])
{
    for (size_t i = 0; i < c->n_groups; i++) {
        if (has_id(c->groups[i], id) && ctl_group_ready(c, c->groups[i]) && has_id(c->groups[i], id))
            return c->groups[i];
    }
    for (size_t i = 0; i < c->n_groups; i++) { /* one that isn't loaded has an id that isn't known */
        if (c->groups[i]->g == NULL && ctl_group_ready(c, c->groups[i]) && has_id(c->groups[i], id))
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
    g->clean_ms = ctl_now() + c->n_groups * 61 % CLEAN_SPREAD_MS; /* not all in the same second */
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

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool ctl_group_list(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    bool *known = NULL;
    size_t n = 0;
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "groups");
    rc = gk_zk_children(c->zk, path, true, &names, &n, CTL_TIMEOUT_MS);
    known = rc == ZOK ? calloc(n + 1, sizeof(*known)) : NULL;
    rc = rc == ZOK && known == NULL ? ZSYSTEMERROR : rc;
    if (rc == ZOK)
        qsort(names, n, sizeof(*names), by_name);
    for (size_t i = c->n_groups; i-- > 0 && rc == ZOK;) {
        const char *name = c->groups[i]->name;
        char **at = n == 0 ? NULL : bsearch(&name, names, n, sizeof(*names), by_name);

        if (at == NULL)
            ctl_group_remove(c, c->groups[i]);
        else
            known[at - names] = true;
    }
    for (size_t i = 0; i < n && rc == ZOK; i++) {
        if (!known[i] && gk_name_ok((gk_bytes){(const uint8_t *)names[i], strlen(names[i])}) && ctl_group_add(c, names[i], NULL) == NULL)
            rc = ZSYSTEMERROR;
    }
    free(known);
    gk_zk_names_free(names, n);
    return rc == ZOK;
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
