/* ctl_shared: the state keys, which controllers share. */
#include <stdlib.h>

#include "../common/gk_log.h"
#include "ctl.h"

uint32_t ctl_keys_newest(const ctl *c)
{
    uint64_t made_ms = 0;

    return gk_state_keys_newest(c->state_keys, &made_ms);
}

/* add_record gives keys what a record holds for us. GK_ERR_NOTFOUND: a controller sealed it to others alone. */
static gk_err add_record(ctl *c, gk_state_keys *keys, const gk_zk_data *d)
{
    gk_bytes record = {d->data, d->n};
    gk_err e = gk_state_keys_add(keys, record, c->dh, c->authority);

    return e == GK_OK || c->dh_old == NULL ? e : gk_state_keys_add(keys, record, c->dh_old, c->authority);
}

static int by_number(const void *a, const void *b)
{
    unsigned long x = strtoul(*(char *const *)a, NULL, 10);
    unsigned long y = strtoul(*(char *const *)b, NULL, 10);

    return x < y ? -1 : x > y;
}

bool ctl_keys_read(ctl *c, bool *can_lead)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    unsigned long newest = 0;
    int rc = ZOK;

    /* anew: one that was made here may never have been written */
    gk_state_keys_free(c->state_keys);
    c->state_keys = NULL;
    if (gk_state_keys_new(&c->state_keys) != GK_OK)
        return false;
    c->control.state_keys = c->state_keys;
    gk_tree_path(path, c->o->root, "controllers/state-keys");
    rc = gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS);
    if (n > 1)
        qsort(names, n, sizeof(*names), by_number);
    for (size_t i = 0; i < n && rc == ZOK; i++) {
        unsigned long index = strtoul(names[i], NULL, 10);
        gk_zk_data d = {0};

        gk_tree_path(path, c->o->root, "controllers/state-keys/%s", names[i]);
        rc = gk_zk_get(c->zk, path, false, &d, CTL_TIMEOUT_MS);
        if (rc == ZOK) {
            gk_err e = add_record(c, c->state_keys, &d);

            if (e == GK_OK || e == GK_ERR_NOTFOUND || e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO) /* else it isn't a controller's: anybody may have made it */
                newest = index;
            if (e != GK_OK && e != GK_ERR_NOTFOUND)
                gk_log(GK_LOG_WARN, "state-key-refused", "index=%lu why=\"%s\"", index, gk_err_str(e));
        }
        rc = rc == ZNONODE ? ZOK : rc;
        gk_zk_data_free(&d);
    }
    gk_zk_names_free(names, n);
    *can_lead = newest == 0 || ctl_keys_newest(c) >= newest;
    return rc == ZOK;
}

/* read_exchanges gives the keys of all controllers that published one, and the time of the newest. False: they couldn't all be read. */
static bool read_exchanges(ctl *c, gk_exchange out[GK_LINK_PEERS], size_t *out_n, uint64_t *newest_ms)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    size_t used = 0;
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "controllers/keys");
    rc = gk_zk_children(c->zk, path, true, &names, &n, CTL_TIMEOUT_MS);
    for (size_t i = 0; i < n && used < GK_LINK_PEERS && rc == ZOK; i++) {
        gk_zk_data d = {0};

        gk_tree_path(path, c->o->root, "controllers/keys/%s", names[i]);
        rc = gk_zk_get(c->zk, path, false, &d, CTL_TIMEOUT_MS);
        if (rc == ZOK &&
            gk_exchange_read(&out[used], (gk_bytes){d.data, d.n}, c->authority) == GK_OK) {
            *newest_ms = out[used].time_ms > *newest_ms ? out[used].time_ms : *newest_ms;
            used++;
        }
        rc = rc == ZNONODE ? ZOK : rc;
        gk_zk_data_free(&d);
    }
    gk_zk_names_free(names, n);
    *out_n = used;
    return rc == ZOK;
}

/* clear_way takes away what lies where a new state key belongs and isn't a controller's. False: it can't be made now; the keys have to be read anew. */
static bool clear_way(ctl *c, const char *path)
{
    gk_state_keys *scratch = NULL;
    gk_zk_data d = {0};
    int rc = gk_zk_get(c->zk, path, false, &d, CTL_TIMEOUT_MS);
    gk_err e = rc == ZOK ? gk_state_keys_new(&scratch) : GK_OK;

    if (rc == ZOK && e == GK_OK)
        e = add_record(c, scratch, &d);
    if (rc == ZOK && e != GK_OK && e != GK_ERR_NOTFOUND && e != GK_ERR_NOMEM && e != GK_ERR_CRYPTO && ctl_remove_squatter(c, path, d.stat.version))
        rc = ZNONODE;
    gk_state_keys_free(scratch);
    gk_zk_data_free(&d);
    return rc == ZNONODE;
}

bool ctl_keys_renew(ctl *c)
{
    gk_exchange to[GK_LINK_PEERS] = {0};
    uint64_t made_ms = 0;
    uint64_t newest_ms = 0;
    size_t n = 0;
    bool all = read_exchanges(c, to, &n, &newest_ms);
    uint32_t index = gk_state_keys_newest(c->state_keys, &made_ms);
    ctl_group carrier = {.name = "-"};
    char path[GK_TREE_PATH];
    gk_mem record = {0};
    ctl_rider *r = NULL;
    bool ok = false;

    if (!all && made_ms != 0) { /* whoever is missing would be shut out: again, later */
        pthread_mutex_lock(&c->lock);
        c->keys_dirty = true;
        pthread_mutex_unlock(&c->lock);
        return true;
    }
    if (index != 0 && newest_ms < made_ms && ctl_now() < made_ms + (uint64_t)c->o->rotate_ms && gk_state_keys_only_for(c->state_keys, to, n))
        return true;
    gk_tree_path(path, c->o->root, "controllers/state-keys/%u", index + 1);
    if (!all || n == 0 || !clear_way(c, path) || gk_state_keys_make(c->state_keys, &record, &index, to, n, ctl_now(), c->sign) != GK_OK)
        return false;
    r = ctl_ride(&carrier, GK_WRITE_CREATE, path);
    r->data = record;
    ok = ctl_multi(c, &carrier, NULL) == CTL_DONE;
    ctl_riders_clear(&carrier);
    if (ok)
        gk_log(GK_LOG_INFO, "state-key", "index=%u controllers=%zu", index, n);
    return ok;
}
