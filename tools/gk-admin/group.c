/* gk-admin group: groups and their policies. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "served.h"
#include "served.h"

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
    "       gk-admin group create NAME --keyed-by servers [--member IDENTITY]...\n"
    "\n"
    "With --keyed-by servers the ensemble's servers make the keys (groupkeeper.agreement=on); no controller and no --admin-key is needed, but a\n"
    "certificate over TLS: who makes the group administers it. NAME may be the path of a node.\n"
    "\n"
    "options:\n"
    "  --member IDENTITY   may join: x509:SUBJECT, sasl:USER, or NAME for x509:CN=NAME; more of them by gk-admin member allow\n"
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
    "  gk-admin group create payments --admit x509 --member-ca ca.pem --match 'uri:spiffe://example.org/ns/prod/sa/*'\n"
    "  gk-admin group create payments --keyed-by servers --member app-1 --member app-2\n";

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

typedef struct create_options {
    const char *mode, *keyed_by, *period, *batch, *ring, *max_age, *reason;
    cli_list admit, cas, match, sets, members;
} create_options;

/* fill_policy turns options into the first policy; not CLI_OK: it was told. */
static int fill_policy(policy_text *t, create_options *c, const char *ca)
{
    const struct {
        const char *key, *value;
    } named[] = {{"period", c->period}, {"batch-window", c->batch}, {"ring", c->ring}, {"max-age", c->max_age}};
    uint8_t all = 0;
    int code = CLI_OK;

    for (size_t i = 0; i < sizeof(named) / sizeof(*named) && code == CLI_OK; i++) {
        char pair[64];

        (void)snprintf(pair, sizeof(pair), "%s=%s", named[i].key, named[i].value == NULL ? "" : named[i].value);
        code = named[i].value == NULL ? CLI_OK : policy_set(t, pair);
    }
    if (c->admit.n == 0)
        code = code == CLI_OK ? policy_admit(t, "token") : code;
    for (size_t i = 0; i < c->admit.n && code == CLI_OK; i++)
        code = policy_admit(t, c->admit.items[i]);
    for (size_t i = 0; i < c->match.n && code == CLI_OK; i++)
        code = policy_match(t, c->match.items[i]);
    for (size_t i = 0; i < t->p.admit_n; i++)
        all |= t->p.admit[i];
    if (code == CLI_OK && (all & GK_ADMIT_X509) != 0 && c->cas.n == 0) {
        if (ca == NULL)
            code = cli_usage("gk-admin group create", "--admit x509 needs --member-ca FILE");
        else
            c->cas.items[c->cas.n++] = ca;
    }
    for (size_t i = 0; i < c->cas.n && code == CLI_OK; i++)
        code = policy_ca(t, c->cas.items[i]);
    for (size_t i = 0; i < c->sets.n && code == CLI_OK; i++)
        code = policy_set(t, c->sets.items[i]);
    return code;
}

/* create_served: the servers know nothing of modes and policies. */
static int create_served(const admin_options *o, const char *name, const create_options *c)
{
    if (c->mode != NULL || c->period != NULL || c->batch != NULL || c->ring != NULL || c->max_age != NULL || c->reason != NULL ||
        c->admit.n + c->cas.n + c->match.n + c->sets.n > 0)
        return cli_usage("gk-admin group create", "--keyed-by servers goes with --member alone");
    return served_create(o, name, &c->members);
}

static int run_create(admin_options *o, int argc, char **argv)
{
    create_options c = {0};
    const cli_option own[] = {{"mode", CLI_STRING, &c.mode},     {"keyed-by", CLI_STRING, &c.keyed_by},
                              {"period", CLI_STRING, &c.period}, {"batch-window", CLI_STRING, &c.batch},
                              {"ring", CLI_STRING, &c.ring},     {"max-age", CLI_STRING, &c.max_age},
                              {"admit", CLI_LIST, &c.admit},     {"member-ca", CLI_LIST, &c.cas},
                              {"match", CLI_LIST, &c.match},     {"set", CLI_LIST, &c.sets},
                              {"member", CLI_LIST, &c.members},  {"reason", CLI_STRING, &c.reason}, {0}};
    policy_text t = {.p = gk_policy_default()};
    admin_session s = {0};
    gk_genesis g = {0};
    bool flat = false;
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group create", create_help, 1, 1, &argc, &argv, &code))
        return code;
    if (c.keyed_by != NULL && strcmp(c.keyed_by, "servers") == 0)
        return create_served(o, argv[0], &c);
    flat = c.mode != NULL && strcmp(c.mode, "flat") == 0;
    if ((c.mode != NULL && !flat && strcmp(c.mode, "lkh") != 0) || (c.keyed_by != NULL && strcmp(c.keyed_by, "controller") != 0))
        return cli_usage("gk-admin group create", "--mode is lkh or flat, --keyed-by is controller or servers");
    if (c.members.n > 0)
        return cli_usage("gk-admin group create", "--member goes with --keyed-by servers");
    code = fill_policy(&t, &c, o->ca);
    if (code == CLI_OK)
        code = admin_open(&s, o, true, true);
    if (code == CLI_OK) {
        code = send_create(&s, argv[0], flat ? GK_MODE_FLAT : GK_MODE_LKH, &t, c.reason, &g);
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
    cJSON *all = cJSON_CreateArray();
    cJSON *doc = NULL;
    cJSON *g = NULL;
    bool controllers = true;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin group list", list_help, 0, 0, &argc, &argv, &code))
        goto out;
    code = served_add_all(o, all, &controllers);
    if (code == CLI_OK && (controllers || all->child == NULL))
        code = ask(o, NULL, "groups", &doc);
    if (code != CLI_OK)
        goto out;
    while ((g = cJSON_DetachItemFromArray(cJSON_GetObjectItem(doc, "groups"), 0)) != NULL)
        cJSON_AddItemToArray(all, g);
    if (o->json) {
        code = cli_json(all);
        all = NULL;
        goto out;
    }
    printf("%-32s %-5s %16s %10s\n", "GROUP", "MODE", "EPOCH OR VIEW", "MEMBERS");
    cJSON_ArrayForEach(g, all) printf("%-32s %-5s %16.0f %10.0f\n", admin_text(g, "group"), admin_text(g, "mode"),
                                      admin_number(g, "epoch") + admin_number(g, "view"), admin_number(g, "members"));
    code = cli_flush();
out:
    cJSON_Delete(all);
    cJSON_Delete(doc);
    return code;
}

static int run_show(admin_options *o, int argc, char **argv)
{
    static const char show_help[] = "usage: gk-admin group show NAME [--keyed-by controller|servers] [--json]\n\nexample:\n  gk-admin group show payments\n";
    cJSON *doc = NULL;
    const cJSON *last = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"keyed-by", CLI_STRING, &by}, {0}};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group show", show_help, 1, 1, &argc, &argv, &code) ||
        served_did(o, by, argv[0], served_show, NULL, &code))
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
        "usage: gk-admin group rekey NAME [--wait] [--keyed-by controller|servers] [--reason TEXT]\n\n"
        "Makes a new key now. When it returns, the new key is out.\n\nexample:\n  gk-admin group rekey payments --wait\n";
    bool wait = false;
    const char *reason = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"wait", CLI_FLAG, &wait}, {"reason", CLI_STRING, &reason}, {"keyed-by", CLI_STRING, &by}, {0}};
    gk_command c = {.op = GK_OP_REKEY};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group rekey", rekey_help, 1, 1, &argc, &argv, &code) ||
        served_did(o, by, argv[0], served_rekey, NULL, &code))
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
        "usage: gk-admin group delete NAME --yes [--keyed-by controller|servers] [--reason TEXT]\n\nexample:\n  gk-admin group delete payments --yes\n";
    bool yes = false;
    const char *reason = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"yes", CLI_FLAG, &yes}, {"reason", CLI_STRING, &reason}, {"keyed-by", CLI_STRING, &by}, {0}};
    gk_command c = {.op = GK_OP_DELETE};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin group delete", delete_help, 1, 1, &argc, &argv, &code))
        return code;
    code = admin_confirm(yes, "deleting the group", argv[0]);
    if (code == CLI_OK && served_did(o, by, argv[0], served_delete, NULL, &code))
        return code;
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
