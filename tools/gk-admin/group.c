/* gk-admin group: groups and their policies. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

static const char help[] =
    "usage: gk-admin group create NAME | list | show NAME | rekey NAME | policy NAME | recover NAME | delete NAME | trust NAME\n"
    "\n"
    "subcommands:\n"
    "  create NAME   a new group\n"
    "  list          all groups\n"
    "  show NAME     its epoch, members, last rekey\n"
    "  rekey NAME    a new key now\n"
    "  policy NAME   show or change who is admitted, periods, limits\n"
    "  trust NAME    what members pin: give it to them for --trust\n"
    "  recover NAME  go on from the controllers' own memory after ZooKeeper was restored from a backup\n"
    "  delete NAME   the group and its keys\n"
    "\n"
    "example:\n"
    "  gk-admin group create payments --admit token --period 1h\n";

static const char create_help[] =
    "usage: gk-admin group create NAME [--mode lkh|flat] [--admit WHAT]... [--member-ca FILE]... [--match PATTERN]...\n"
    "           [--period T] [--batch-window T] [--ring N] [--max-age T] [--set KEY=VALUE]... [--reason TEXT]\n"
    "\n"
    "options:\n"
    "  --mode lkh|flat     a tree of keys (default), or a KEK and a znode per member\n"
    "  --admit WHAT        x509, token, manual; x509+manual asks for both; repeated, one of them is enough (default: token)\n"
    "  --member-ca FILE    the CA of members' certificates (default: --ca)\n"
    "  --match PATTERN     certificates must match one: subject:CN=app-*, dns:*.example.org, uri:spiffe://td/ns/*/sa/x\n"
    "  --period T          a new key at least so often (default 1h; 0s: never)\n"
    "  --batch-window T    requests of this time make one rekey (default 200ms)\n"
    "  --ring N            epochs that stay readable (default 64)\n"
    "  --max-age T         members go stale without a sign of life (default 60s)\n"
    "\n"
    "example:\n"
    "  gk-admin group create payments --admit x509 --member-ca ca.pem --match 'uri:spiffe://example.org/ns/prod/sa/*'\n";

/* send_create signs genesis and policy and lets the leader make the group. */
static int send_create(admin_session *s, const char *name, gk_mode mode, policy_text *t, const char *reason, gk_genesis *g)
{
    gk_command c = {.op = GK_OP_CREATE};
    gk_mem genesis = {0};
    gk_mem policy = {0};
    gk_mem blob = {0};
    cJSON *result = NULL;
    gk_writer w = {0};
    int code = CLI_OK;
    gk_err e = GK_OK;

    *g = (gk_genesis){.mode = mode, .created_ms = cli_now_ms()};
    (void)snprintf(g->name, sizeof(g->name), "%s", name);
    memcpy(g->root, gk_authority_root(s->authority), GK_HASH);
    e = gk_genesis_make(&genesis, g, s->key);
    if (e == GK_OK)
        e = gk_genesis_read(g, gk_mem_view(&genesis), s->authority);
    t->p.version = 1;
    if (e == GK_OK)
        e = gk_policy_make(&policy, g->id, &t->p, s->key);
    if (e == GK_OK)
        e = gk_mem_new(&blob, 8 + genesis.n + policy.n);
    if (e == GK_OK) {
        w = gk_writer_of(blob.p, blob.n);
        gk_writer_var32(&w, gk_mem_view(&genesis));
        gk_writer_var32(&w, gk_mem_view(&policy));
        memcpy(c.target, gk_authority_root(s->authority), GK_GROUP_ID);
        c.blob = gk_mem_view(&blob);
        c.reason = (gk_bytes){(const uint8_t *)reason, reason == NULL ? 0 : strlen(reason)};
        code = admin_send(s, &c, &result);
    } else {
        code = cli_fail(cli_code(e), "is it one that setup or an administrator named?", "the group cannot be signed: %s", gk_err_str(e));
    }
    cJSON_Delete(result);
    gk_mem_free(&genesis);
    gk_mem_free(&policy);
    gk_mem_free(&blob);
    return code;
}

static int print_created(const admin_options *o, const gk_genesis *g)
{
    char id[2 * GK_GROUP_ID + 1];
    char trust[2 * GK_HASH + 1];

    cli_hex(id, g->id, GK_GROUP_ID);
    cli_hex(trust, g->hash, GK_HASH);
    if (o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "group", g->name);
        cJSON_AddStringToObject(doc, "id", id);
        cJSON_AddStringToObject(doc, "mode", g->mode == GK_MODE_FLAT ? "flat" : "lkh");
        cJSON_AddStringToObject(doc, "trust", trust);
        return cli_json(doc);
    }
    printf("group %s made: id %s\nmembers trust %s\n", g->name, id, trust);
    return cli_flush();
}

static int run_create(admin_options *o, int argc, char **argv)
{
    const char *mode = "lkh";
    const char *keyed_by = "controller";
    const char *period = NULL;
    const char *batch = NULL;
    const char *ring = NULL;
    const char *max_age = NULL;
    const char *reason = NULL;
    cli_list admit = {0};
    cli_list cas = {0};
    cli_list match = {0};
    cli_list sets = {0};
    const cli_option own[] = {{"mode", CLI_STRING, &mode},     {"keyed-by", CLI_STRING, &keyed_by},
                              {"period", CLI_STRING, &period}, {"batch-window", CLI_STRING, &batch},
                              {"ring", CLI_STRING, &ring},     {"max-age", CLI_STRING, &max_age},
                              {"admit", CLI_LIST, &admit},     {"member-ca", CLI_LIST, &cas},
                              {"match", CLI_LIST, &match},     {"set", CLI_LIST, &sets},
                              {"reason", CLI_STRING, &reason}, {0}};
    const struct {
        const char *key, *value;
    } named[] = {{"period", period}, {"batch-window", batch}, {"ring", ring}, {"max-age", max_age}};
    policy_text t = {.p = gk_policy_default()};
    admin_session s = {0};
    gk_genesis g = {0};
    uint8_t all = 0;
    int code = CLI_OK;

    (void)named;
    if (!admin_parse(o, own, "gk-admin group create", create_help, 1, 1, &argc, &argv, &code))
        return code;
    if ((strcmp(mode, "lkh") != 0 && strcmp(mode, "flat") != 0) || strcmp(keyed_by, "controller") != 0)
        return cli_usage("gk-admin group create", "--mode is lkh or flat, --keyed-by is controller");
    for (size_t i = 0; i < 4 && code == CLI_OK; i++) {
        const char *value = i == 0 ? period : i == 1 ? batch : i == 2 ? ring : max_age;
        char pair[64];

        (void)snprintf(pair, sizeof(pair), "%s=%s", named[i].key, value == NULL ? "" : value);
        code = value == NULL ? CLI_OK : policy_set(&t, pair);
    }
    if (admit.n == 0)
        code = code == CLI_OK ? policy_admit(&t, "token") : code;
    for (size_t i = 0; i < admit.n && code == CLI_OK; i++)
        code = policy_admit(&t, admit.items[i]);
    for (size_t i = 0; i < match.n && code == CLI_OK; i++)
        code = policy_match(&t, match.items[i]);
    for (size_t i = 0; i < t.p.admit_n; i++)
        all |= t.p.admit[i];
    if (code == CLI_OK && (all & GK_ADMIT_X509) != 0 && cas.n == 0) {
        if (o->ca == NULL)
            code = cli_usage("gk-admin group create", "--admit x509 needs --member-ca FILE");
        else
            cas.items[cas.n++] = o->ca;
    }
    for (size_t i = 0; i < cas.n && code == CLI_OK; i++)
        code = policy_ca(&t, cas.items[i]);
    for (size_t i = 0; i < sets.n && code == CLI_OK; i++)
        code = policy_set(&t, sets.items[i]);
    if (code == CLI_OK)
        code = admin_open(&s, o, true, true);
    if (code == CLI_OK) {
        code = send_create(&s, argv[0], strcmp(mode, "flat") == 0 ? GK_MODE_FLAT : GK_MODE_LKH, &t, reason, &g);
        admin_close(&s);
    }
    policy_free(&t);
    return code == CLI_OK ? print_created(o, &g) : code;
}

/* ask sends a query and gives its answer. */
static int ask(const admin_options *o, const char *group, const char *what, cJSON **result)
{
    admin_session s = {0};
    cJSON *question = cJSON_CreateObject();
    int code = admin_open(&s, o, true, true);

    cJSON_AddStringToObject(question, "query", what);
    if (code != CLI_OK) {
        cJSON_Delete(question);
        return code;
    }
    code = admin_query(&s, group, question, result);
    admin_close(&s);
    return code;
}

static int run_list(admin_options *o, int argc, char **argv)
{
    static const char list_help[] = "usage: gk-admin group list [--json]\n\nexample:\n  gk-admin group list\n";
    cJSON *doc = NULL;
    const cJSON *g = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin group list", list_help, 0, 0, &argc, &argv, &code))
        return code;
    code = ask(o, NULL, "groups", &doc);
    if (code != CLI_OK)
        return code;
    if (o->json)
        return cli_json(cJSON_DetachItemFromObject(doc, "groups"));
    printf("%-32s %-5s %10s %10s\n", "GROUP", "MODE", "EPOCH", "MEMBERS");
    cJSON_ArrayForEach(g, cJSON_GetObjectItem(doc, "groups")) printf(
        "%-32s %-5s %10.0f %10.0f\n", admin_text(g, "group"), admin_text(g, "mode"), admin_number(g, "epoch"), admin_number(g, "members"));
    cJSON_Delete(doc);
    return cli_flush();
}

static int run_show(admin_options *o, int argc, char **argv)
{
    static const char show_help[] = "usage: gk-admin group show NAME [--json]\n\nexample:\n  gk-admin group show payments\n";
    cJSON *doc = NULL;
    const cJSON *last = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin group show", show_help, 1, 1, &argc, &argv, &code))
        return code;
    code = ask(o, argv[0], "group", &doc);
    if (code != CLI_OK || o->json)
        return code == CLI_OK ? cli_json(doc) : code;
    last = cJSON_GetObjectItem(doc, "last_rekey");
    printf("group        %s\nid           %s\nmode         %s\nepoch        %.0f\nmembers      %.0f\npending      %.0f\ntokens       %.0f\n"
           "denied       %.0f\nfingerprint  %s\nlast rekey   %s: %.0f znode writes, %.0f bytes, %.0f wraps, %.1f ms\n",
           admin_text(doc, "group"), admin_text(doc, "id"), admin_text(doc, "mode"), admin_number(doc, "epoch"),
           admin_number(doc, "members"), admin_number(doc, "pending"), admin_number(doc, "tokens"), admin_number(doc, "denied"),
           admin_text(doc, "fingerprint"), admin_text(last, "reason"), admin_number(last, "znode_writes"), admin_number(last, "bytes"),
           admin_number(last, "wraps"), admin_number(last, "ms"));
    cJSON_Delete(doc);
    return cli_flush();
}

static int run_rekey(admin_options *o, int argc, char **argv)
{
    static const char rekey_help[] =
        "usage: gk-admin group rekey NAME [--wait] [--reason TEXT]\n\n"
        "Makes a new key now. When it returns, the new key is out.\n\nexample:\n  gk-admin group rekey payments --wait\n";
    bool wait = false;
    const char *reason = NULL;
    const cli_option own[] = {{"wait", CLI_FLAG, &wait}, {"reason", CLI_STRING, &reason}, {0}};
    gk_command c = {.op = GK_OP_REKEY};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group rekey", rekey_help, 1, 1, &argc, &argv, &code))
        return code;
    return admin_group_command(o, argv[0], &c, reason, "rekeyed");
}

static int run_recover(admin_options *o, int argc, char **argv)
{
    static const char recover_help[] =
        "usage: gk-admin group recover NAME [--yes] [--reason TEXT]\n\n"
        "After ZooKeeper was restored from a backup, members refuse its older epochs. This goes on above the highest epoch that the "
        "leader's own disk\n"
        "remembers.\n\nexample:\n  gk-admin group recover payments --yes --reason \"restored the backup of Monday\"\n";
    bool yes = false;
    const char *reason = NULL;
    const cli_option own[] = {{"yes", CLI_FLAG, &yes}, {"reason", CLI_STRING, &reason}, {0}};
    gk_command c = {.op = GK_OP_RECOVER};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group recover", recover_help, 1, 1, &argc, &argv, &code))
        return code;
    code = admin_confirm(yes, "recovering the group", argv[0]);
    return code == CLI_OK ? admin_group_command(o, argv[0], &c, reason, "recovered") : code;
}

static int run_delete(admin_options *o, int argc, char **argv)
{
    static const char delete_help[] =
        "usage: gk-admin group delete NAME --yes [--reason TEXT]\n\nexample:\n  gk-admin group delete payments --yes\n";
    bool yes = false;
    const char *reason = NULL;
    const cli_option own[] = {{"yes", CLI_FLAG, &yes}, {"reason", CLI_STRING, &reason}, {0}};
    gk_command c = {.op = GK_OP_DELETE};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group delete", delete_help, 1, 1, &argc, &argv, &code))
        return code;
    code = admin_confirm(yes, "deleting the group", argv[0]);
    return code == CLI_OK ? admin_group_command(o, argv[0], &c, reason, "deleted") : code;
}

static int run_trust(admin_options *o, int argc, char **argv)
{
    static const char trust_help[] =
        "usage: gk-admin group trust NAME\n\n"
        "Prints what members pin, 64 hex digits: put it into the file that they give as --trust. Tokens hold it, too.\n\n"
        "example:\n  gk-admin group trust payments > payments.trust\n";
    admin_session s = {0};
    gk_genesis g = {0};
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin group trust", trust_help, 1, 1, &argc, &argv, &code))
        return code;
    code = admin_open(&s, o, true, true);
    if (code != CLI_OK)
        return code;
    code = admin_genesis(&s, argv[0], &g, NULL);
    admin_close(&s);
    if (code != CLI_OK)
        return code;
    if (!o->json) {
        char trust[2 * GK_HASH + 1];

        cli_hex(trust, g.hash, GK_HASH);
        puts(trust);
        return cli_flush();
    }
    return print_created(o, &g);
}

static const admin_command commands[] = {
    {"create", run_create},   {"list", run_list},     {"show", run_show},
    {"rekey", run_rekey},     {"policy", admin_group_policy}, {"trust", run_trust},
    {"recover", run_recover}, {"delete", run_delete}, {0},
};

int admin_group(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin group", help, commands, argc, argv);
}
