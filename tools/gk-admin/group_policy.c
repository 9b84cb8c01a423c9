/* gk-admin group policy. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static const char policy_help[] = "usage: gk-admin group policy NAME [--set KEY=VALUE]... [--reason TEXT]\n"
                                  "\n"
                                  "Without --set it is shown. Keys: period, batch-window, max-age, ring, max-members, max-pending, "
                                  "max-per-identity, and admit, match, ca, each\n"
                                  "of which may be repeated and together replace what was.\n"
                                  "\n"
                                  "example:\n"
                                  "  gk-admin group policy payments --set period=10m --set admit=x509 --set admit=token+manual\n";

/* read_policy reads and verifies the group's policy. */
static int read_policy(admin_session *s, const char *group, gk_genesis *g, policy_text *t)
{
    char path[GK_TREE_PATH];
    gk_zk_data d = {0};
    gk_err e = GK_OK;
    int rc = ZOK;
    int code = admin_genesis(s, group, g, NULL);

    if (code != CLI_OK)
        return code;
    gk_tree_path(path, s->o->root, "groups/%s/policy", group);
    rc = gk_zk_get(s->zk, path, false, &d, s->timeout_ms);
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the policy cannot be read");
    e = gk_mem_copy(&t->record, (gk_bytes){d.data, d.n});
    gk_zk_data_free(&d);
    if (e == GK_OK)
        e = gk_policy_read(&t->p, g->id, gk_mem_view(&t->record), s->authority);
    return e == GK_OK ? CLI_OK
                      : cli_fail(cli_code(e), "an administrator that is none any more?", "the policy of %s cannot be verified", group);
}

/* change_policy applies the pairs and sends the next version. */
static int change_policy(admin_session *s, const gk_genesis *g, policy_text *t, const cli_list *sets, const char *reason)
{
    gk_command c = {.op = GK_OP_POLICY};
    gk_mem record = {0};
    cJSON *result = NULL;
    int code = CLI_OK;
    gk_err e = GK_OK;

    for (size_t i = 0; i < sets->n; i++) { /* lists are replaced as a whole */
        t->p.admit_n = strncmp(sets->items[i], "admit=", 6) == 0 ? 0 : t->p.admit_n;
        t->p.patterns_n = strncmp(sets->items[i], "match=", 6) == 0 ? 0 : t->p.patterns_n;
        t->p.cas = strncmp(sets->items[i], "ca=", 3) == 0 ? (gk_bytes){0} : t->p.cas;
    }
    for (size_t i = 0; i < sets->n && code == CLI_OK; i++)
        code = policy_set(t, sets->items[i]);
    if (code != CLI_OK)
        return code;
    t->p.version++;
    e = gk_policy_make(&record, g->id, &t->p, s->key);
    if (e != GK_OK)
        return cli_fail(cli_code(e), NULL, "the policy cannot be signed: %s", gk_err_str(e));
    memcpy(c.target, g->id, GK_GROUP_ID);
    c.blob = gk_mem_view(&record);
    c.reason = (gk_bytes){(const uint8_t *)reason, reason == NULL ? 0 : strlen(reason)};
    code = admin_send(s, &c, &result);
    cJSON_Delete(result);
    gk_mem_free(&record);
    return code;
}

int admin_group_policy(admin_options *o, int argc, char **argv)
{
    cli_list sets = {0};
    const char *reason = NULL;
    const cli_option own[] = {{"set", CLI_LIST, &sets}, {"reason", CLI_STRING, &reason}, {0}};
    policy_text t = {0};
    admin_session s = {0};
    gk_genesis g = {0};
    cJSON *doc = NULL;
    const cJSON *item = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group policy", policy_help, 1, 1, &argc, &argv, &code))
        return code;
    code = admin_open(&s, o, true, true);
    if (code != CLI_OK)
        return code;
    code = read_policy(&s, argv[0], &g, &t);
    if (code == CLI_OK && sets.n > 0)
        code = change_policy(&s, &g, &t, &sets, reason);
    admin_close(&s);
    doc = code == CLI_OK ? policy_json(&t.p) : NULL;
    policy_free(&t);
    if (code != CLI_OK)
        return code;
    if (o->json)
        return cli_json(doc);
    cJSON_ArrayForEach(item, doc)
    {
        char *text = cJSON_PrintUnformatted(item);

        printf("%-18s %s\n", item->string, text == NULL ? "" : text);
        cJSON_free(text);
    }
    cJSON_Delete(doc);
    return cli_flush();
}
