/* ctl_lead: a leader's round through all that may be due. With many groups no member waits for the others: requests come before what is due by the clock,
 * whatever can be is written or read together, and a round that was interrupted goes on where it stopped. */
#include <stdlib.h>
#include <string.h>

#include "../common/gk_log.h"
#include "ctl.h"

enum { KEYS_MS = 60000, LOOK_MS = 2, FRESH_RETRY_MS = 1000 };

/* turn does what is due for one group; false: we don't lead any more. */
static bool turn(ctl *c, ctl_group *g, uint64_t *due)
{
    uint64_t at = 0;
    bool leading = ctl_group_turn(c, g, &at);

    g->due_ms = at;
    *due = at < *due ? at : *due;
    ctl_progress(c);
    return leading;
}

/* requests_first serves the groups with requests that have just come, or whose batch window is over. */
static bool requests_first(ctl *c, uint64_t *due)
{
    for (size_t i = 0; i < c->n_groups && gk_zk_connected(c->zk); i++) {
        ctl_group *g = c->groups[i];
        bool waits = false;

        pthread_mutex_lock(&c->lock);
        waits = g->dirty || (g->spent.n > 0 && g->due_ms <= ctl_now());
        pthread_mutex_unlock(&c->lock);
        if (waits && g->g != NULL && !g->behind && !turn(c, g, due))
            return false;
    }
    return true;
}

/* groups_round goes through all groups, or until commands are waiting, which don't wait for a thousand groups: *due is 0 then. False: we don't lead any
 * more. */
static bool groups_round(ctl *c, uint64_t *due)
{
    int64_t looked = 0;

    for (size_t i = 0; i < c->n_groups && *due > 0; i++) {
        ctl_group *g = NULL;
        bool dirty = false;
        bool commands = false;

        if (gk_zk_now_ms() - looked >= LOOK_MS) { /* something was read or written since */
            if (!requests_first(c, due))
                return false;
            looked = gk_zk_now_ms();
        }
        g = c->groups[c->cursor++ % c->n_groups];
        pthread_mutex_lock(&c->lock);
        dirty = g->dirty;
        commands = c->commands_dirty;
        pthread_mutex_unlock(&c->lock);
        if (g->g != NULL && !g->behind && !dirty && g->due_ms > ctl_now())
            *due = g->due_ms < *due ? g->due_ms : *due;
        else if (!turn(c, g, due))
            return false;
        *due = commands ? 0 : *due;
    }
    return true;
}

/* write_fresh writes the freshness records of n groups at once. */
static ctl_outcome write_fresh(ctl *c, ctl_group *const *groups, size_t n)
{
    ctl_group carrier = {.name = "-"};
    ctl_outcome outcome = CTL_FAILED;
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++) {
        char path[GK_TREE_PATH];
        ctl_rider *r = NULL;

        gk_tree_path(path, c->o->root, "groups/%s/fresh", groups[i]->name);
        r = ctl_ride(&carrier, GK_WRITE_SET, path);
        ok = r != NULL && gk_group_fresh(groups[i]->g, ctl_now(), &r->data) == GK_OK;
    }
    if (ok)
        outcome = ctl_multi(c, &carrier, NULL);
    ctl_riders_clear(&carrier);
    for (size_t i = 0; i < n; i++) {
        gk_group_info info = {0};

        groups[i]->fresh_alone = outcome != CTL_DONE; /* one group's trouble isn't the others' */
        groups[i]->fresh_ms = ctl_now() + FRESH_RETRY_MS;
        if (outcome == CTL_DONE && gk_group_look(groups[i]->g, &info) == GK_OK)
            groups[i]->fresh_ms = ctl_now() + (uint64_t)info.policy.max_age_s * 1000 / 3;
    }
    return outcome;
}

/* soon: how long before its time a group's record may be written along with others: a quarter of what lies between two. */
static uint64_t soon(const ctl_group *g)
{
    gk_group_info info = {0};

    return gk_group_look(g->g, &info) == GK_OK ? (uint64_t)info.policy.max_age_s * 1000 / 12 : 0;
}

/* signs_of_life writes the freshness records that are due. False: we don't lead any more. */
static bool signs_of_life(ctl *c, uint64_t *due)
{
    ctl_group *some[CTL_RIDERS];
    size_t n = 0;
    bool any = false;

    for (size_t i = 0; i < c->n_groups && !any; i++)
        any = c->groups[i]->g != NULL && !c->groups[i]->behind && c->groups[i]->fresh_ms <= ctl_now();
    for (size_t i = 0; i <= c->n_groups && any; i++) {
        ctl_group *g = i < c->n_groups ? c->groups[i] : NULL;
        bool wanted = g != NULL && g->g != NULL && !g->behind && g->fresh_ms <= ctl_now() + (g->fresh_alone ? 0 : soon(g));

        if (wanted && !g->fresh_alone)
            some[n++] = g;
        else if (wanted && write_fresh(c, &g, 1) == CTL_FENCED)
            return false;
        if (n == CTL_RIDERS || (n > 0 && g == NULL)) {
            if (write_fresh(c, some, n) == CTL_FENCED || !requests_first(c, due))
                return false;
            ctl_progress(c);
            n = 0;
        }
    }
    for (size_t i = 0; i < c->n_groups; i++) {
        if (c->groups[i]->g != NULL && !c->groups[i]->behind)
            *due = c->groups[i]->fresh_ms < *due ? c->groups[i]->fresh_ms : *due;
    }
    return true;
}

/* keys_and_authority: what changed, and what gets old. False: we don't lead any more. */
static bool keys_and_authority(ctl *c, bool authority, bool keys)
{
    if (authority && !ctl_keys_authority(c)) {
        if (!c->mine) {
            gk_log(GK_LOG_WARN, "no-controller-any-more", "id=\"%s\"", c->o->id);
            ctl_step_down(c, true);
            return false;
        }
        pthread_mutex_lock(&c->lock);
        c->authority_dirty = true; /* it couldn't be read: again */
        pthread_mutex_unlock(&c->lock);
    }
    if (!keys && !authority && gk_zk_now_ms() <= c->keys_ms)
        return true;
    if (!ctl_keys_renew(c)) { /* a state key that wasn't written must not be used */
        ctl_step_down(c, false);
        return false;
    }
    c->keys_ms = gk_zk_now_ms() + (c->o->rotate_ms / 4 < KEYS_MS ? c->o->rotate_ms / 4 : KEYS_MS);
    for (size_t i = 0; i < c->n_groups; i++)
        c->groups[i]->due_ms = 0; /* there may be a new state key to seal them under */
    return true;
}

static void clean(ctl *c)
{
    char path[GK_TREE_PATH];

    gk_tree_path(path, c->o->root, "results");
    ctl_expire(c, path, 2 * (uint64_t)CTL_KEEP_MS);
    ctl_audit_prune(c);
    ctl_rotate_prune(c);
    c->clean_ms = gk_zk_now_ms() + (c->o->rotate_ms / 4 < KEYS_MS ? c->o->rotate_ms / 4 : KEYS_MS);
}

uint64_t ctl_lead(ctl *c)
{
    uint64_t due = ctl_now() + 1000;
    bool handover = false;
    bool commands = false;
    bool authority = false;
    bool keys = false;
    bool sweep = false;

    pthread_mutex_lock(&c->lock);
    commands = c->commands_dirty;
    authority = c->authority_dirty;
    keys = c->keys_dirty;
    sweep = c->sweep;
    c->commands_dirty = c->authority_dirty = c->keys_dirty = c->sweep = false;
    pthread_mutex_unlock(&c->lock);
    if (!keys_and_authority(c, authority, keys))
        return due;
    if (sweep)
        ctl_groups_sweep(c);
    if (commands && !ctl_commands(c, &handover))
        return due;
    if (handover) {
        ctl_step_down(c, true);
        return due;
    }
    if (!groups_round(c, &due) || !signs_of_life(c, &due))
        return due;
    if (gk_zk_now_ms() > c->clean_ms)
        clean(c);
    return due;
}
