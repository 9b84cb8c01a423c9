/* ctl_command: administrators' commands. Each is executed once: its result, its deletion, its audit entry and what it changes are one multi. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/crypto/gk_expand.h"
#include "../common/gk_cli.h"
#include "../common/gk_log.h"
#include "ctl.h"

/* One command under way. */
typedef struct work {
    char path[GK_TREE_PATH];
    char result[GK_TREE_PATH];
    char id[2 * GK_HASH + 1];
    char by[64];
    gk_command cmd;
    bool handover;
} work;

static const char *op_name(gk_op op)
{
    static const char *const names[] = {"?",     "create", "delete",       "policy",       "rekey",   "approve",  "deny",
                                        "evict", "allow",  "token-create", "token-revoke", "recover", "handover", "query"};

    return op >= GK_OP_CREATE && op <= GK_OP_QUERY ? names[op] : names[0];
}

/* answer makes g carry the result and the command's deletion; doc (or NULL) is freed. */
static bool answer(ctl *c, ctl_group *g, const work *w, cJSON *doc, const char *code, const char *error)
{
    ctl_rider *result = NULL;
    char *text = NULL;
    bool ok = false;

    if (doc == NULL)
        doc = cJSON_CreateObject();
    cJSON_AddStringToObject(doc, "command", w->id);
    cJSON_AddBoolToObject(doc, "ok", error == NULL);
    if (error != NULL) {
        cJSON_AddStringToObject(doc, "code", code);
        cJSON_AddStringToObject(doc, "error", error);
    }
    text = cJSON_PrintUnformatted(doc);
    cJSON_Delete(doc);
    result = text == NULL ? NULL : ctl_ride(g, GK_WRITE_CREATE, w->result);
    if (result != NULL)
        ok = gk_message_sign(&result->data, GK_TREE_RESULT, (gk_bytes){(uint8_t *)text, strlen(text)}, c->sign) == GK_OK &&
             ctl_ride(g, GK_WRITE_DELETE, w->path) != NULL;
    cJSON_free(text);
    return ok;
}

/* refuse answers without a group. */
static ctl_outcome refuse(ctl *c, const work *w, const char *code, const char *error)
{
    ctl_group carrier = {.name = "-"};
    ctl_outcome outcome = CTL_FAILED;

    gk_log(GK_LOG_INFO, "command-refused", "op=%s by=%s why=\"%s\"", op_name(w->cmd.op), w->by, error);
    if (answer(c, &carrier, w, NULL, code, error))
        outcome = ctl_multi(c, &carrier, NULL);
    ctl_riders_clear(&carrier);
    return outcome;
}

static ctl_outcome reply(ctl *c, const work *w, cJSON *doc)
{
    ctl_group carrier = {.name = "-"};
    ctl_outcome outcome = answer(c, &carrier, w, doc, NULL, NULL) ? ctl_multi(c, &carrier, NULL) : CTL_FAILED;

    ctl_riders_clear(&carrier);
    return outcome;
}

static ctl_outcome create_group(ctl *c, const work *w)
{
    gk_reader r = gk_reader_of(w->cmd.blob.p, w->cmd.blob.n);
    gk_bytes genesis = {0};
    gk_bytes policy = {0};
    gk_genesis parsed = {0};
    gk_group *engine = NULL;
    gk_plan plan = {0};
    ctl_group *g = NULL;
    ctl_outcome outcome = CTL_FAILED;
    gk_err e = gk_reader_var32(&r, &genesis, GK_NODE_MAX);

    if (e == GK_OK)
        e = gk_reader_var32(&r, &policy, GK_NODE_MAX);
    if (e == GK_OK)
        e = gk_genesis_read(&parsed, genesis, c->authority);
    if (e == GK_OK && memcmp(parsed.root, gk_authority_root(c->authority), GK_HASH) != 0)
        e = GK_ERR_AUTH;
    if (e != GK_OK)
        return refuse(c, w, cli_code(e), "the genesis or policy is not what an administrator signs");
    if (ctl_group_find(c, parsed.name) != NULL)
        return refuse(c, w, "EXISTS", "there is a group of this name");
    e = gk_group_create(&engine, &c->control, genesis, policy, ctl_now(), &plan);
    if (e != GK_OK)
        return refuse(c, w, cli_code(e), gk_err_str(e));
    g = ctl_group_add(c, parsed.name, engine);
    if (g == NULL) {
        gk_group_free(engine);
    } else if (answer(c, g, w, NULL, NULL, NULL)) {
        ctl_audit(g, "create", "", w->by, w->cmd.reason);
        outcome = ctl_multi(c, g, &plan);
    }
    if (outcome == CTL_DONE) {
        gk_group_commit(engine);
        gk_log(GK_LOG_INFO, "group-created", "group=\"%s\" by=%s", g->name, w->by);
    } else if (g != NULL) {
        ctl_group_remove(c, g);
    }
    gk_plan_clear(&plan);
    return outcome;
}

/* delete_children empties one folder of a group; each delete is fenced by the last multi, which alone makes the group go. */
static bool delete_children(ctl *c, const char *folder)
{
    char **names = NULL;
    size_t n = 0;
    ctl_names list = {0};
    int rc = gk_zk_children(c->zk, folder, false, &names, &n, CTL_TIMEOUT_MS);

    for (size_t i = 0; i < n; i++) {
        char path[GK_TREE_PATH];

        if (snprintf(path, sizeof(path), "%s/%s", folder, names[i]) < (int)sizeof(path))
            ctl_spend(&list, path);
    }
    ctl_spend_all(c, &list);
    free(list.paths);
    gk_zk_names_free(names, n);
    return rc == ZOK || rc == ZNONODE;
}

static ctl_outcome delete_group(ctl *c, const work *w, ctl_group *g)
{
    static const char *const folders[] = {"epochs", "members", "requests", "replies", "state"};
    char base[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    ctl_outcome outcome = CTL_FAILED;
    ctl_group carrier = {0};

    (void)snprintf(carrier.name, sizeof(carrier.name), "%s", g->name);
    gk_tree_path(base, c->o->root, "groups/%s", g->name);
    /* a controller that was fenced meanwhile must not delete: ask first. What follows is over before another one can have loaded the group */
    if (ctl_multi(c, &carrier, NULL) != CTL_DONE)
        return CTL_FENCED;
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char path[GK_TREE_PATH];

        gk_tree_path(path, c->o->root, "groups/%s/%s", g->name, folders[i]);
        (void)delete_children(c, path);
    }
    if (gk_zk_children(c->zk, base, false, &names, &n, CTL_TIMEOUT_MS) != ZOK || n > CTL_RIDERS - 4) {
        gk_zk_names_free(names, n);
        return CTL_FAILED;
    }
    for (size_t i = 0; i < n; i++) {
        char path[GK_TREE_PATH];

        gk_tree_path(path, c->o->root, "groups/%s/%s", g->name, names[i]);
        (void)ctl_ride(&carrier, GK_WRITE_DELETE, path);
    }
    gk_zk_names_free(names, n);
    (void)ctl_ride(&carrier, GK_WRITE_DELETE, base);
    if (answer(c, &carrier, w, NULL, NULL, NULL)) {
        ctl_audit(&carrier, "delete", "", w->by, w->cmd.reason);
        outcome = ctl_multi(c, &carrier, NULL);
    }
    ctl_riders_clear(&carrier);
    if (outcome == CTL_DONE)
        ctl_group_remove(c, g);
    else
        ctl_group_drop(g, true);
    return outcome;
}

/* recover makes the next epoch come after all that this controller's disk knows of. */
static bool recover(const ctl *c, ctl_group *g)
{
    gk_group_info info = {0};
    const ctl_floor *f = gk_group_look(g->g, &info) == GK_OK ? ctl_keys_floor(c, info.genesis.id) : NULL;

    return gk_group_recover(g->g, f != NULL && f->epoch > info.epoch ? f->epoch : info.epoch) == GK_OK;
}

static ctl_outcome group_command(ctl *c, const work *w, ctl_group *g)
{
    char member[2 * GK_HASH + 1] = {0};
    gk_refusal r = GK_REFUSAL_NONE;

    if (w->cmd.op == GK_OP_QUERY) {
        cJSON *doc = ctl_query(c, g, w->cmd.blob);

        return doc == NULL ? refuse(c, w, "ARG", "there is no such question") : reply(c, w, doc);
    }
    if (w->cmd.op == GK_OP_DELETE)
        return delete_group(c, w, g);
    r = gk_group_command(g->g, &w->cmd, ctl_now());
    if (r == GK_REFUSAL_NONE && w->cmd.op == GK_OP_RECOVER && !recover(c, g))
        r = GK_REFUSAL_STATE;
    if (r != GK_REFUSAL_NONE)
        return refuse(c, w, r == GK_REFUSAL_STATE ? "STATE" : "REFUSED", gk_refusal_str(r));
    if (w->cmd.name.n > 0)
        (void)snprintf(member, sizeof(member), "%.*s", (int)w->cmd.name.n, (const char *)w->cmd.name.p);
    else if (w->cmd.op == GK_OP_APPROVE || w->cmd.op == GK_OP_DENY || w->cmd.op == GK_OP_ALLOW)
        cli_hex(member, w->cmd.hash, GK_HASH);
    if (!answer(c, g, w, NULL, NULL, NULL)) {
        ctl_group_drop(g, true);
        return CTL_FAILED;
    }
    ctl_audit(g, op_name(w->cmd.op), member, w->by, w->cmd.reason);
    return ctl_group_run(c, g, true);
}

static ctl_outcome execute(ctl *c, work *w)
{
    ctl_group *g = NULL;

    if (w->cmd.not_after_ms > ctl_now() + CTL_KEEP_MS)
        return refuse(c, w, "LIMIT", "a command is good for ten minutes at most");
    if (memcmp(w->cmd.target, gk_authority_root(c->authority), GK_GROUP_ID) == 0) {
        cJSON *doc = NULL;

        switch (w->cmd.op) {
        case GK_OP_CREATE: return create_group(c, w);
        case GK_OP_QUERY:
            doc = ctl_query(c, NULL, w->cmd.blob);
            return doc == NULL ? refuse(c, w, "ARG", "there is no such question") : reply(c, w, doc);
        case GK_OP_HANDOVER: {
            ctl_group carrier = {.name = "-"};
            ctl_outcome outcome = CTL_FAILED;

            ctl_audit(&carrier, "handover", c->o->id, w->by, w->cmd.reason);
            if (answer(c, &carrier, w, NULL, NULL, NULL))
                outcome = ctl_multi(c, &carrier, NULL);
            ctl_riders_clear(&carrier);
            w->handover = outcome == CTL_DONE;
            return outcome;
        }
        default: return refuse(c, w, "ARG", "this command is for a group");
        }
    }
    g = w->cmd.op == GK_OP_RECOVER ? ctl_group_recover(c, w->cmd.target) : ctl_group_by_id(c, w->cmd.target);
    if (g == NULL)
        return refuse(c, w, "NOTFOUND", "there is no such group, or its state cannot be loaded: see the controllers' logs");
    return group_command(c, w, g);
}

/* one_command reads commands/<name>; CTL_FAILED when it has to be tried again. */
static ctl_outcome one_command(ctl *c, const char *name, bool *handover)
{
    work w = {0};
    gk_zk_data d = {0};
    gk_bytes message = {0};
    uint8_t hash[GK_HASH];
    gk_err e = GK_OK;
    ctl_outcome outcome = CTL_DONE;
    int rc = ZOK;

    gk_tree_path(w.path, c->o->root, "commands/%s", name);
    rc = gk_zk_get(c->zk, w.path, false, &d, CTL_TIMEOUT_MS);
    if (rc != ZOK)
        return rc == ZNONODE ? CTL_DONE : CTL_FAILED;
    message = (gk_bytes){d.data, d.n};
    if (gk_sha256(hash, &message, 1) != GK_OK) {
        gk_zk_data_free(&d);
        return CTL_FAILED;
    }
    cli_hex(w.id, hash, GK_HASH);
    gk_tree_path(w.result, c->o->root, "results/%s", w.id);
    e = gk_command_read(&w.cmd, message, c->authority, ctl_now());
    cli_hex(w.by, w.cmd.signer, 8);
    rc = gk_zk_exists(c->zk, w.result, false, NULL, CTL_TIMEOUT_MS);
    if (rc == ZOK) {
        (void)gk_zk_delete(c->zk, w.path, -1, CTL_TIMEOUT_MS); /* somebody put an executed one there again */
    } else if (e != GK_OK && e != GK_ERR_STATE && e != GK_ERR_AUTH) {
        gk_log(GK_LOG_INFO, "command-malformed", "name=\"%s\" bytes=%zu", name, d.n);
        (void)gk_zk_delete(c->zk, w.path, -1, CTL_TIMEOUT_MS);
    } else if (e != GK_OK) {
        w.cmd = (gk_command){0};
        outcome = refuse(c, &w, e == GK_ERR_STATE ? "EXPIRED" : "AUTH",
                         e == GK_ERR_STATE ? "the command is too old, or the clocks differ"
                                           : "this key is no administrator's, or the authority changed");
    } else {
        outcome = execute(c, &w);
        if (w.cmd.op != GK_OP_QUERY)
            gk_log(GK_LOG_INFO, "command", "op=%s by=%s done=%s", op_name(w.cmd.op), w.by, outcome == CTL_DONE ? "yes" : "no");
    }
    *handover = *handover || w.handover;
    gk_zk_data_free(&d);
    return outcome;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool ctl_commands(ctl *c, bool *handover)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    bool again = false;
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "commands");
    rc = gk_zk_children(c->zk, path, true, &names, &n, CTL_TIMEOUT_MS);
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n && rc == ZOK && !*handover; i++) {
        ctl_outcome outcome = one_command(c, names[i], handover);

        if (outcome == CTL_FENCED) {
            gk_zk_names_free(names, n);
            return false;
        }
        again = again || outcome == CTL_FAILED;
    }
    gk_zk_names_free(names, n);
    if (again || rc != ZOK) {
        pthread_mutex_lock(&c->lock);
        c->commands_dirty = true;
        pthread_mutex_unlock(&c->lock);
    }
    return true;
}
