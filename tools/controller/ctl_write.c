/* ctl_write: every write of a leader goes through ctl_multi, which checks the fencing token. What is loose only cleans up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/crypto/gk_expand.h"
#include "../common/gk_cli.h"
#include "../common/gk_log.h"
#include "ctl.h"

enum { EXPIRE_AT_ONCE = 128 };

ctl_rider *ctl_ride(ctl_group *g, gk_write_kind kind, const char *path)
{
    ctl_rider *r = g->n_riders == CTL_RIDERS ? NULL : &g->riders[g->n_riders++];

    if (r != NULL) {
        *r = (ctl_rider){.kind = kind};
        (void)snprintf(r->path, sizeof(r->path), "%s", path);
    }
    return r;
}

void ctl_riders_clear(ctl_group *g)
{
    for (size_t i = 0; i < g->n_riders; i++)
        gk_mem_free(&g->riders[i].data);
    g->n_riders = 0;
    cJSON_Delete(g->audit);
    g->audit = NULL;
}

void ctl_audit(ctl_group *g, const char *action, const char *member, const char *by, gk_bytes reason)
{
    cJSON *e = cJSON_CreateObject();
    char text[1025];

    if (g->audit == NULL)
        g->audit = cJSON_CreateArray();
    (void)snprintf(text, sizeof(text), "%.*s", (int)reason.n, reason.n == 0 ? "" : (const char *)reason.p);
    cJSON_AddNumberToObject(e, "time_ms", (double)ctl_now());
    cJSON_AddStringToObject(e, "group", g->name);
    cJSON_AddStringToObject(e, "action", action);
    cJSON_AddStringToObject(e, "member", member);
    cJSON_AddNumberToObject(e, "epoch", (double)ctl_epoch(g));
    cJSON_AddStringToObject(e, "by", by);
    cJSON_AddStringToObject(e, "reason", text);
    if (g->audit == NULL || !cJSON_AddItemToArray(g->audit, e))
        cJSON_Delete(e);
}

/* audit_record signs what goes with this multi. */
static bool audit_record(ctl *c, ctl_group *g, const gk_plan *plan, gk_mem *out)
{
    char prev[2 * GK_HASH + 1];
    cJSON *doc = cJSON_CreateObject();
    cJSON *entry = NULL;
    char *text = NULL;
    bool ok = false;

    cli_hex(prev, c->audit_prev, GK_HASH);
    cJSON_AddStringToObject(doc, "prev", prev);
    cJSON_AddStringToObject(doc, "controller", c->o->id);
    cJSON_AddNumberToObject(doc, "controller_epoch", c->token);
    cJSON_ArrayForEach(entry, g->audit)
    {
        if (plan != NULL && plan->epoch != 0)
            cJSON_SetNumberValue(cJSON_GetObjectItem(entry, "epoch"), (double)plan->epoch);
    }
    cJSON_AddItemReferenceToObject(doc, "entries", g->audit);
    text = cJSON_PrintUnformatted(doc);
    if (text != NULL)
        ok = gk_message_sign(out, GK_TREE_AUDIT, (gk_bytes){(uint8_t *)text, strlen(text)}, c->sign) == GK_OK;
    cJSON_free(text);
    cJSON_Delete(doc);
    return ok;
}

static gk_zk_op op_of(const ctl *c, gk_write_kind kind, const char *path, const gk_mem *data, bool sequential)
{
    size_t n = strlen(path);
    bool open = n > 9 && strcmp(path + n - 9, "/requests") == 0;

    return (gk_zk_op){.kind = kind == GK_WRITE_CREATE ? GK_ZK_CREATE
                              : kind == GK_WRITE_SET  ? GK_ZK_SET
                                                      : GK_ZK_DELETE,
                      .path = path,
                      .data = data->p,
                      .n = data->n,
                      .acl = gk_tree_acl(c->authenticated, open),
                      .mode = sequential ? ZOO_PERSISTENT_SEQUENTIAL : ZOO_PERSISTENT,
                      .version = -1};
}

/* A multi in the making. */
typedef struct batch {
    gk_zk_op *ops;
    char (*paths)[GK_TREE_PATH];
    size_t n;
} batch;

static void add_plan(ctl *c, ctl_group *g, const gk_plan *plan, batch *b)
{
    for (size_t i = 0; plan != NULL && i < plan->n; i++) {
        const gk_write *w = &plan->writes[i];

        if (w->loose)
            continue;
        if (w->path[0] == '\0')
            gk_tree_path(b->paths[b->n], c->o->root, "groups/%s", g->name);
        else
            gk_tree_path(b->paths[b->n], c->o->root, "groups/%s/%s", g->name, w->path);
        b->ops[b->n] = op_of(c, w->kind, b->paths[b->n], &w->data, false);
        b->n++;
    }
}

/* is_ours_to_make: who else made one there is somebody who wants to stop the group, or a leader that died before it was of use. An epoch is judged
 * when the group is loaded anew. */
static bool is_ours_to_make(const char *path)
{
    return strstr(path, "/replies/") != NULL || strstr(path, "/state/") != NULL || strstr(path, "/members/") != NULL;
}

ctl_outcome ctl_multi(ctl *c, ctl_group *g, const gk_plan *plan)
{
    size_t most = 2 + g->n_riders + (plan == NULL ? 0 : plan->n);
    batch b = {.ops = calloc(most, sizeof(*b.ops)), .paths = calloc(most, sizeof(*b.paths)), .n = 1};
    gk_mem audit = {0};
    size_t failed = 0;
    ctl_outcome outcome = CTL_FAILED;
    int rc = ZSYSTEMERROR;

    if (b.ops == NULL || b.paths == NULL || (g->audit != NULL && !audit_record(c, g, plan, &audit)))
        goto out;
    gk_tree_path(b.paths[0], c->o->root, "controllers/epoch");
    b.ops[0] = (gk_zk_op){.kind = GK_ZK_CHECK, .path = b.paths[0], .version = c->token};
    add_plan(c, g, plan, &b);
    for (size_t i = 0; i < g->n_riders; i++)
        b.ops[b.n++] = op_of(c, g->riders[i].kind, g->riders[i].path, &g->riders[i].data, g->riders[i].sequential);
    if (g->audit != NULL) {
        gk_tree_path(b.paths[b.n], c->o->root, "audit/e-");
        b.ops[b.n] = op_of(c, GK_WRITE_CREATE, b.paths[b.n], &audit, true);
        b.n++;
    }
    rc = gk_zk_multi(c->zk, b.ops, b.n, &failed, NULL, CTL_TIMEOUT_MS);
    if (rc == ZOK) {
        gk_bytes record = gk_mem_view(&audit);

        outcome = g->audit == NULL || gk_sha256(c->audit_prev, &record, 1) == GK_OK ? CTL_DONE : CTL_FAILED;
        ctl_riders_clear(g);
    } else if (failed == 0 && (rc == ZBADVERSION || rc == ZNONODE)) {
        outcome = CTL_FENCED;
        ctl_set_fenced(c);
    } else {
        if (rc == ZNODEEXISTS && failed < b.n && is_ours_to_make(b.ops[failed].path))
            (void)ctl_remove_squatter(c, b.ops[failed].path, -1);
        gk_log(GK_LOG_WARN, "multi-failed", "group=\"%s\" code=%d text=\"%s\" operation=%zu path=\"%s\"", g->name, rc, gk_zk_str(rc),
               failed, failed < b.n ? b.ops[failed].path : "");
    }
out:
    gk_mem_free(&audit);
    free(b.ops);
    free(b.paths);
    return outcome;
}

bool ctl_remove_squatter(ctl *c, const char *path, int32_t version)
{
    char epoch[GK_TREE_PATH];
    gk_zk_op ops[2] = {{.kind = GK_ZK_CHECK, .path = epoch, .version = c->token}, {.kind = GK_ZK_DELETE, .path = path, .version = version}};
    int rc = ZOK;

    gk_tree_path(epoch, c->o->root, "controllers/epoch");
    rc = gk_zk_multi(c->zk, ops, 2, NULL, NULL, CTL_TIMEOUT_MS);
    gk_log(GK_LOG_WARN, "foreign-node-removed", "path=\"%s\" done=%s hint=\"somebody else may write here: give the controllers --auth-file\"", path,
           rc == ZOK ? "yes" : gk_zk_str(rc));
    return rc == ZOK;
}

void ctl_spend(ctl_names *l, const char *path)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 32 : l->cap * 2;
        void *p = realloc(l->paths, cap * sizeof(*l->paths));

        if (p == NULL)
            return; /* it is found again in the listing, and refused as a replay */
        l->paths = p;
        l->cap = cap;
    }
    (void)snprintf(l->paths[l->n++], GK_TREE_PATH, "%s", path);
}

void ctl_spend_all(ctl *c, ctl_names *l)
{
    gk_zk_op *ops = l->n == 0 ? NULL : calloc(l->n, sizeof(*ops));

    for (size_t i = 0; ops != NULL && i < l->n; i++)
        ops[i] = (gk_zk_op){.kind = GK_ZK_DELETE, .path = l->paths[i], .version = -1};
    if (ops != NULL)
        (void)gk_zk_each(c->zk, ops, l->n, CTL_TIMEOUT_MS); /* what stays is found again */
    free(ops);
    l->n = 0;
}

void ctl_expire(ctl *c, const char *folder, uint64_t age_ms)
{
    char **names = NULL;
    size_t n = 0;
    ctl_names old = {0};
    int rc = gk_zk_children(c->zk, folder, false, &names, &n, CTL_TIMEOUT_MS);

    for (size_t i = 0; i < n && rc == ZOK;) {
        char paths[EXPIRE_AT_ONCE][GK_TREE_PATH];
        const char *list[EXPIRE_AT_ONCE];
        gk_zk_data d[EXPIRE_AT_ONCE] = {0};
        size_t k = 0;

        for (; i < n && k < EXPIRE_AT_ONCE; i++) {
            list[k] = paths[k];
            k += snprintf(paths[k], GK_TREE_PATH, "%s/%s", folder, names[i]) < GK_TREE_PATH;
        }
        rc = gk_zk_get_many(c->zk, list, k, d, CTL_TIMEOUT_MS);
        for (size_t j = 0; j < k; j++) {
            if (d[j].rc == ZOK && (uint64_t)d[j].stat.mtime + age_ms < ctl_now())
                ctl_spend(&old, paths[j]);
            gk_zk_data_free(&d[j]);
        }
        ctl_progress(c);
    }
    ctl_spend_all(c, &old);
    free(old.paths);
    gk_zk_names_free(names, n);
}

void ctl_loose(ctl *c, ctl_group *g, const gk_plan *plan)
{
    size_t n = plan == NULL ? 0 : plan->n;
    gk_zk_op *ops = n == 0 ? NULL : calloc(n, sizeof(*ops));
    char(*paths)[GK_TREE_PATH] = n == 0 ? NULL : calloc(n, sizeof(*paths));
    gk_group_info info = {0};
    size_t used = 0;

    for (size_t i = 0; ops != NULL && paths != NULL && i < n; i++) {
        const gk_write *w = &plan->writes[i];

        if (!w->loose)
            continue;
        gk_tree_path(paths[used], c->o->root, "groups/%s/%s", g->name, w->path);
        ops[used] = op_of(c, w->kind, paths[used], &w->data, false);
        used++;
    }
    if (used > 0)
        (void)gk_zk_each(c->zk, ops, used, CTL_TIMEOUT_MS);
    free(ops);
    free(paths);
    /* what waits for its batch is in this process's memory alone: a next leader must find it */
    if (g->g == NULL || (gk_group_look(g->g, &info) == GK_OK && info.queued == 0))
        ctl_spend_all(c, &g->spent);
}

bool ctl_audit_resume(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    size_t newest = 0;
    gk_zk_data d = {0};
    int rc = ZOK;

    memset(c->audit_prev, 0, sizeof(c->audit_prev));
    gk_tree_path(path, c->o->root, "audit");
    rc = gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS);
    for (size_t i = 1; i < n; i++)
        newest = strcmp(names[i], names[newest]) > 0 ? i : newest;
    if (rc == ZOK && n > 0) {
        gk_tree_path(path, c->o->root, "audit/%s", names[newest]);
        rc = gk_zk_get(c->zk, path, false, &d, CTL_TIMEOUT_MS);
        if (rc == ZOK) {
            gk_bytes record = {d.data, d.n};

            rc = gk_sha256(c->audit_prev, &record, 1) == GK_OK ? ZOK : ZSYSTEMERROR;
        }
        gk_zk_data_free(&d);
    }
    gk_zk_names_free(names, n);
    return rc == ZOK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void ctl_audit_prune(ctl *c)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    struct Stat stat = {0};
    ctl_names old = {0};

    gk_tree_path(path, c->o->root, "audit");
    if (gk_zk_exists(c->zk, path, false, &stat, CTL_TIMEOUT_MS) != ZOK || stat.numChildren <= CTL_AUDIT_KEEP + CTL_AUDIT_KEEP / 10 ||
        gk_zk_children(c->zk, path, false, &names, &n, CTL_TIMEOUT_MS) != ZOK)
        return;
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i + CTL_AUDIT_KEEP < n; i++) {
        gk_tree_path(path, c->o->root, "audit/%s", names[i]);
        ctl_spend(&old, path);
    }
    gk_log(GK_LOG_INFO, "audit-pruned", "entries=%zu", old.n);
    ctl_spend_all(c, &old);
    free(old.paths);
    gk_zk_names_free(names, n);
}
