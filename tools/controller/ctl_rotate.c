/* ctl_rotate: old keys go. A controller makes a new exchange key each day, and the leader then a new state key; when nothing in ZooKeeper is sealed under
 * older state keys any more, their records are deleted, and who opened them with a former exchange key erases that. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../native/base/gk_bytes.h"
#include "../common/gk_io.h"
#include "../common/gk_log.h"
#include "ctl.h"

enum { LOOK_AT_ONCE = 64 };

/* index_of: the state key that a znode is sealed under; side: it is a side znode, which begins with two numbers. 0: can't be told. */
static uint32_t index_of(const gk_zk_data *d, bool side)
{
    gk_reader r = gk_reader_of(d->data, d->n);
    uint64_t skip = 0;
    uint32_t index = 0;

    if (d->rc != ZOK || (side && (gk_reader_u64(&r, &skip) != GK_OK || gk_reader_u64(&r, &skip) != GK_OK)) || gk_reader_u32(&r, &index) != GK_OK)
        return 0;
    return index;
}

/* sealed_index: the oldest state key that a snapshot or a side znode of these groups needs; 0: can't be told. Deltas behind a snapshot are sealed under
 * its key or a later one. */
static uint32_t sealed_index(ctl *c, ctl_group *const *groups, size_t n)
{
    char paths[2 * LOOK_AT_ONCE][GK_TREE_PATH];
    const char *list[2 * LOOK_AT_ONCE];
    gk_zk_data d[2 * LOOK_AT_ONCE] = {0};
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        uint64_t epoch = 0;

        if (groups[i]->g == NULL)
            return 0;
        (void)gk_group_chunks(groups[i]->g, &epoch);
        gk_tree_path(paths[2 * i], c->o->root, "groups/%s/state/%llu-0", groups[i]->name, (unsigned long long)epoch);
        gk_tree_path(paths[2 * i + 1], c->o->root, "groups/%s/side", groups[i]->name);
        list[2 * i] = paths[2 * i];
        list[2 * i + 1] = paths[2 * i + 1];
    }
    (void)gk_zk_get_many(c->zk, list, 2 * n, d, CTL_TIMEOUT_MS);
    for (size_t i = 0; i < 2 * n; i++) {
        uint32_t index = index_of(&d[i], i % 2 == 1);

        least = index < least ? index : least;
        gk_zk_data_free(&d[i]);
    }
    return least;
}

void ctl_rotate_prune(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    uint32_t least = ctl_keys_newest(c);
    ctl_group carrier = {.name = "-"};
    bool any = false;

    gk_tree_path(path, c->o->root, "controllers/state-keys");
    if (gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS) != ZOK || n < 2)
        least = 0;
    for (size_t i = 0; i < c->n_groups && least > 0; i += LOOK_AT_ONCE) {
        uint32_t index = sealed_index(c, c->groups + i, c->n_groups - i < LOOK_AT_ONCE ? c->n_groups - i : LOOK_AT_ONCE);

        least = index < least ? index : least;
        ctl_progress(c);
    }
    for (size_t i = 0; i < n && least > 0; i++) {
        unsigned long index = strtoul(names[i], NULL, 10);

        if (index >= least && index <= ctl_keys_newest(c)) /* nobody but us makes newer ones */
            continue;
        gk_tree_path(path, c->o->root, "controllers/state-keys/%s", names[i]);
        any = ctl_ride(&carrier, GK_WRITE_DELETE, path) != NULL || any;
    }
    gk_zk_names_free(names, n);
    if (any && ctl_multi(c, &carrier, NULL) == CTL_DONE) {
        gk_state_keys_drop(c->state_keys, least);
        gk_log(GK_LOG_INFO, "state-keys-erased", "below=%u", least);
    }
    ctl_riders_clear(&carrier);
}

/* opens_all: whether every state key in ZooKeeper that this controller can open is sealed to its present exchange key. */
static bool opens_all(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    bool ok = true;

    gk_tree_path(path, c->o->root, "controllers/state-keys");
    if (gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS) != ZOK)
        return false;
    for (size_t i = 0; i < n && ok; i++) {
        gk_state_keys *scratch = NULL;
        gk_zk_data d = {0};

        gk_tree_path(path, c->o->root, "controllers/state-keys/%s", names[i]);
        ok = gk_state_keys_new(&scratch) == GK_OK && gk_zk_get(c->zk, path, false, &d, CTL_TIMEOUT_MS) == ZOK &&
             (gk_state_keys_add(scratch, (gk_bytes){d.data, d.n}, c->dh, c->authority) == GK_OK ||
              gk_state_keys_add(scratch, (gk_bytes){d.data, d.n}, c->dh_old, c->authority) != GK_OK);
        gk_state_keys_free(scratch);
        gk_zk_data_free(&d);
    }
    gk_zk_names_free(names, n);
    return ok;
}

void ctl_rotate_exchange(ctl *c)
{
    char now[GK_TREE_PATH + 16];
    char old[GK_TREE_PATH + 16];
    char why[512] = {0};

    (void)snprintf(now, sizeof(now), "%s/exchange.key", c->state_dir);
    (void)snprintf(old, sizeof(old), "%s/exchange.old", c->state_dir);
    if (c->dh_old != NULL && opens_all(c)) {
        if (unlink(old) != 0 && errno != ENOENT)
            return;
        gk_key_free(c->dh_old);
        c->dh_old = NULL;
        gk_log(GK_LOG_INFO, "exchange-key-erased", "id=\"%s\"", c->o->id);
    }
    if (c->dh_old != NULL || c->dh_since_ms == 0 || ctl_now() < c->dh_since_ms + (uint64_t)c->o->rotate_ms)
        return;
    if (rename(now, old) != 0) {
        gk_log(GK_LOG_WARN, "exchange-key-not-renewed", "why=\"%s\"", strerror(errno));
        return;
    }
    c->dh_old = c->dh;
    c->dh = NULL;
    if (!ctl_keys_exchange(c, why, sizeof(why))) { /* the former one goes on */
        gk_log(GK_LOG_WARN, "exchange-key-not-renewed", "why=\"%s\"", why);
        (void)rename(old, now);
        c->dh = c->dh_old;
        c->dh_old = NULL;
        return;
    }
    gk_log(GK_LOG_INFO, "exchange-key", "id=\"%s\"", c->o->id);
    (void)ctl_keys_publish(c); /* else it is published with the next connection */
}
