/* ctl_turn: what a leader does for one group: requests, rekeys, snapshots, cleaning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/gk_log.h"
#include "ctl.h"

enum { REQUESTS_AT_ONCE = 128, CLEAN_MS = 60000 };

static const char *kind_name(gk_request_kind k)
{
    return k == GK_REQUEST_JOIN ? "join" : k == GK_REQUEST_LEAVE ? "leave" : "refresh";
}

/* note puts an accepted request into the audit entries of the next multi. */
static void note(ctl_group *g, gk_bytes data, gk_refusal r)
{
    gk_request q = {0};
    char name[GK_NAME_MAX + 1];
    char action[32];

    if (gk_request_read(&q, data) != GK_OK)
        return;
    (void)snprintf(name, sizeof(name), "%.*s", (int)q.name.n, (const char *)q.name.p);
    (void)snprintf(action, sizeof(action), "%s%s", kind_name(q.kind), r == GK_REFUSAL_PENDING ? "-pending" : "");
    ctl_audit(g, action, name, name, (gk_bytes){0});
    gk_request_clear(&q);
}

static void take_request(ctl *c, ctl_group *g, const char *path, gk_bytes data, ctl_names *refused)
{
    gk_refusal r = gk_group_request(g->g, data, ctl_now());

    (void)c;
    if (r == GK_REFUSAL_NONE || r == GK_REFUSAL_PENDING) {
        note(g, data, r);
        ctl_spend(&g->spent, path);
    } else {
        gk_log(GK_LOG_INFO, "request-refused", "group=\"%s\" why=\"%s\" bytes=%zu", g->name, gk_refusal_str(r), data.n);
        ctl_spend(refused, path);
    }
}

static bool is_spent(const ctl_group *g, const char *path)
{
    for (size_t i = 0; i < g->spent.n; i++) {
        if (strcmp(g->spent.paths[i], path) == 0)
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* read_requests takes what lies in requests/, oldest first, and sets the watch. */
static bool read_requests(ctl *c, ctl_group *g)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    ctl_names refused = {0};
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "groups/%s/requests", g->name);
    rc = gk_zk_children(c->zk, path, true, &names, &n, CTL_TIMEOUT_MS);
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n && rc == ZOK;) {
        char paths[REQUESTS_AT_ONCE][GK_TREE_PATH];
        const char *list[REQUESTS_AT_ONCE];
        gk_zk_data d[REQUESTS_AT_ONCE] = {0};
        size_t k = 0;

        for (; i < n && k < REQUESTS_AT_ONCE; i++) {
            gk_tree_path(paths[k], c->o->root, "groups/%s/requests/%s", g->name, names[i]);
            list[k] = paths[k];
            k += !is_spent(g, paths[k]);
        }
        rc = gk_zk_get_many(c->zk, list, k, d, CTL_TIMEOUT_MS);
        for (size_t j = 0; j < k && rc == ZOK; j++) {
            if (d[j].rc == ZOK)
                take_request(c, g, paths[j], (gk_bytes){d[j].data, d[j].n}, &refused);
        }
        for (size_t j = 0; j < k; j++)
            gk_zk_data_free(&d[j]);
    }
    ctl_spend_all(c, &refused);
    free(refused.paths);
    gk_zk_names_free(names, n);
    return rc == ZOK || rc == ZNONODE;
}

/* lowest_epoch: the oldest number in epochs/. */
static bool lowest_epoch(ctl *c, const ctl_group *g, uint64_t *lowest)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "groups/%s/epochs", g->name);
    rc = gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS);
    *lowest = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t e = strtoull(names[i], NULL, 10);

        *lowest = e < *lowest ? e : *lowest;
    }
    gk_zk_names_free(names, n);
    return rc == ZOK && n > 0;
}

static ctl_outcome snapshot(ctl *c, ctl_group *g)
{
    gk_plan *plans = NULL;
    size_t n = 0;
    uint64_t oldest = 0;
    ctl_outcome outcome = CTL_DONE;
    gk_err e = lowest_epoch(c, g, &oldest) ? gk_group_snapshot(g->g, oldest, &plans, &n) : GK_ERR_IO;

    g->no_snapshot = ctl_epoch(g);
    if (e == GK_ERR_STATE) /* this epoch has a large one: after the next epoch */
        return CTL_DONE;
    if (e != GK_OK)
        return CTL_FAILED;
    for (size_t i = 0; i < n && outcome == CTL_DONE; i++) {
        ctl_group carrier = {0};

        (void)snprintf(carrier.name, sizeof(carrier.name), "%s", g->name);
        outcome = ctl_multi(c, &carrier, &plans[i]);
        if (outcome == CTL_DONE)
            ctl_loose(c, &carrier, &plans[i]);
    }
    if (outcome == CTL_DONE) {
        gk_group_snapshot_done(g->g);
        ctl_keys_remember(c, g->g);
    } else {
        ctl_group_drop(g, true);
    }
    for (size_t i = 0; i < n; i++)
        gk_plan_clear(&plans[i]);
    free(plans);
    gk_log(GK_LOG_DEBUG, "snapshot", "group=\"%s\" parts=%zu done=%s", g->name, n, outcome == CTL_DONE ? "yes" : "no");
    return outcome;
}

ctl_outcome ctl_group_run(ctl *c, ctl_group *g, bool force)
{
    gk_plan plan = {0};
    int64_t began = gk_zk_now_ms();
    gk_err e = gk_group_plan(g->g, ctl_now(), force, &plan);
    ctl_outcome outcome = CTL_FAILED;

    g->due_ms = 0; /* look anew: this may come from a command */
    if (e != GK_OK && e != GK_ERR_NOTFOUND) {
        gk_log(GK_LOG_ERROR, "no-plan", "group=\"%s\" why=\"%s\"", g->name, gk_err_str(e));
        ctl_group_drop(g, false);
        return CTL_FAILED;
    }
    if (plan.epoch != 0 && g->audit == NULL)
        ctl_audit(g, "rekey", "", c->o->id, (gk_bytes){(const uint8_t *)gk_reason_str(plan.reason), strlen(gk_reason_str(plan.reason))});
    outcome = e == GK_ERR_NOTFOUND && g->n_riders == 0 && g->audit == NULL ? CTL_DONE : ctl_multi(c, g, e == GK_OK ? &plan : NULL);
    if (outcome == CTL_DONE) {
        gk_group_info info = {0};

        if (e == GK_OK)
            gk_group_commit(g->g);
        ctl_loose(c, g, &plan);
        if (plan.epoch != 0 && gk_group_look(g->g, &info) == GK_OK) {
            g->last_ms = (double)(gk_zk_now_ms() - began);
            ctl_keys_remember(c, g->g);
            gk_log(GK_LOG_INFO, "rekey", "group=\"%s\" epoch=%llu reason=%s joined=%u left=%u wraps=%u bytes=%zu ms=%.0f", g->name,
                   (unsigned long long)plan.epoch, gk_reason_str(plan.reason), plan.joined, plan.left, plan.wraps, plan.key_bytes,
                   g->last_ms);
        }
        if (plan.reason == GK_REASON_RECOVER) /* the epochs before this one are not there: nobody could follow to it */
            outcome = snapshot(c, g);
    } else {
        /* unknown or failed: what ZooKeeper has is what counts; nothing of a plan that failed was ever visible */
        ctl_group_drop(g, outcome != CTL_FAILED || g->failures == 0);
    }
    gk_plan_clear(&plan);
    return outcome;
}

bool ctl_group_turn(ctl *c, ctl_group *g, uint64_t *due)
{
    gk_group_info info = {0};
    bool dirty = false;
    ctl_outcome outcome = CTL_DONE;

    if (!ctl_group_ready(c, g)) {
        int64_t wait = g->retry_ms - gk_zk_now_ms();

        *due = ctl_now() + (uint64_t)(wait > 0 ? wait : 100);
        return true;
    }
    pthread_mutex_lock(&c->lock);
    dirty = g->dirty;
    g->dirty = false;
    pthread_mutex_unlock(&c->lock);
    if (dirty && !read_requests(c, g)) {
        pthread_mutex_lock(&c->lock);
        g->dirty = true;
        pthread_mutex_unlock(&c->lock);
    }
    if (gk_group_due(g->g) <= ctl_now() || g->n_riders > 0)
        outcome = ctl_group_run(c, g, false);
    if (outcome == CTL_DONE && gk_group_look(g->g, &info) == GK_OK && g->no_snapshot != info.epoch &&
        (gk_group_snapshot_due(g->g) || gk_group_sealed_with(g->g) != ctl_keys_newest(c)))
        outcome = snapshot(c, g);
    if (outcome == CTL_DONE && ctl_now() >= g->clean_ms) { /* replies that nobody fetched */
        char path[GK_TREE_PATH];

        gk_tree_path(path, c->o->root, "groups/%s/replies", g->name);
        ctl_expire(c, path, CTL_KEEP_MS);
        g->clean_ms = ctl_now() + CLEAN_MS;
    }
    *due = g->g == NULL ? ctl_now() : gk_group_due(g->g) < g->clean_ms ? gk_group_due(g->g) : g->clean_ms;
    return outcome != CTL_FENCED;
}
