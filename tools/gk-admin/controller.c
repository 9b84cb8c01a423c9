/* gk-admin controller: the daemon (tools/controller), and commands about controllers. */
#include <string.h>

#include "../controller/gk_controller.h"
#include "session.h"

static const char help[] = "usage: gk-admin controller run ... | add FILE.pub | remove FILE.pub | status | handover\n"
                           "\n"
                           "Controllers admit members and make group keys. One leads, any number stand by.\n"
                           "\n"
                           "subcommands:\n"
                           "  run               be a controller until SIGTERM\n"
                           "  add FILE.pub      let one more key control\n"
                           "  remove FILE.pub   let it no longer\n"
                           "  status            who leads, who stands by\n"
                           "  handover          let another one lead\n"
                           "\n"
                           "example:\n"
                           "  gk-admin controller status --json\n";

static const char run_help[] =
    "usage: gk-admin controller run --id ID --identity FILE --listen H:P [--peer H:P]... [--state-dir DIR] [--rotate T] [--log LEVEL]\n"
    "\n"
    "Runs a controller. One line on stdout for each change of its role, JSON; structured logs on stderr. SIGTERM hands over and ends, "
    "SIGHUP reads\n"
    "the identity and the authority again. Under systemd (Type=notify) it says when it is ready.\n"
    "\n"
    "options:\n"
    "  --id ID          its name, for people\n"
    "  --identity FILE  its private key (gk-admin identity new)\n"
    "  --listen H:P     where its peers' heartbeats come in\n"
    "  --peer H:P       where another controller listens; may be repeated\n"
    "  --state-dir DIR  its own disk state (default: the identity's file name and .d)\n"
    "  --rotate T       a new exchange key and a new key for groups' state each (default 24h); old ones are erased\n"
    "  --log LEVEL      error, warn, info (default) or debug\n"
    "\n"
    "example:\n"
    "  gk-admin controller run --connect zk1:2182 --ca ca.pem --id a --identity a.key --listen 0.0.0.0:7000 --peer b.example.org:7000\n";

static const char add_help[] = "usage: gk-admin controller add FILE.pub\n\nSigns the next authority record, with one more controller.\n\n"
                               "example:\n  gk-admin controller add c.key.pub\n";
static const char remove_help[] =
    "usage: gk-admin controller remove FILE.pub\n\nSigns the next authority record, without this controller.\n\n"
    "example:\n  gk-admin controller remove c.key.pub\n";
static const char status_help[] =
    "usage: gk-admin controller status [--json]\n\nShows who leads and who stands by, as ZooKeeper tells it.\n\n"
    "example:\n  gk-admin controller status --json\n";
static const char handover_help[] =
    "usage: gk-admin controller handover [--reason TEXT]\n\nThe leader finishes what it does and lets another one lead.\n\n"
    "example:\n  gk-admin controller handover --reason \"kernel update\"\n";

static int run_run(admin_options *o, int argc, char **argv)
{
    gk_controller_options c = {.rotate_ms = 86400000};
    cli_list peers = {0};
    const char *log = "info";
    const cli_option own[] = {{"id", CLI_STRING, &c.id},
                              {"identity", CLI_STRING, &c.identity},
                              {"listen", CLI_STRING, &c.listen},
                              {"peer", CLI_LIST, &peers},
                              {"state-dir", CLI_STRING, &c.state_dir},
                              {"rotate", CLI_DURATION, &c.rotate_ms},
                              {"log", CLI_STRING, &log},
                              {0}};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin controller run", run_help, 0, 0, &argc, &argv, &code))
        return code;
    if (c.id == NULL || c.identity == NULL || c.listen == NULL)
        return cli_usage("gk-admin controller run", "--id, --identity and --listen are needed");
    if (c.rotate_ms < 1000)
        return cli_usage("gk-admin controller run", "--rotate is a second at least");
    if (o->connect == NULL)
        return cli_usage("gk-admin controller run", "--connect is needed");
    c.zk = (gk_zk_options){.connect = o->connect, .ca = o->ca, .cert = o->cert, .key = o->key, .auth_file = o->auth_file};
    c.root = o->root;
    c.peers = peers.items;
    c.n_peers = peers.n;
    if (!gk_controller_log(log))
        return cli_usage("gk-admin controller run", "--log is error, warn, info or debug");
    return gk_controller_run(&c);
}

static int run_add(admin_options *o, int argc, char **argv)
{
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin controller add", add_help, 1, 1, &argc, &argv, &code))
        return code;
    return admin_controllers_change(o, true, argv[0]);
}

static int run_remove(admin_options *o, int argc, char **argv)
{
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin controller remove", remove_help, 1, 1, &argc, &argv, &code))
        return code;
    return admin_controllers_change(o, false, argv[0]);
}

/* read_status puts together what the controllers wrote about themselves: hints for people, not authority. */
static int read_status(admin_session *s, cJSON **out)
{
    char path[GK_TREE_PATH];
    char leader[GK_NAME_MAX + 1] = {0};
    char **names = NULL;
    size_t n = 0;
    gk_zk_data d = {0};
    bool led = false;
    cJSON *standbys = NULL;
    int rc = ZOK;

    gk_tree_path(path, s->o->root, "controllers/epoch");
    rc = gk_zk_get(s->zk, path, false, &d, s->timeout_ms);
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the controllers cannot be read");
    (void)snprintf(leader, sizeof(leader), "%.*s", (int)d.n, (const char *)d.data);
    gk_tree_path(path, s->o->root, "controllers/live");
    rc = gk_zk_children(s->zk, path, false, &names, &n, s->timeout_ms);
    *out = cJSON_CreateObject();
    cJSON_AddNumberToObject(*out, "controller_epoch", d.stat.version);
    for (size_t i = 0; i < n; i++)
        led = led || strcmp(names[i], leader) == 0;
    if (led)
        cJSON_AddStringToObject(*out, "leader", leader);
    else
        cJSON_AddNullToObject(*out, "leader");
    standbys = cJSON_AddArrayToObject(*out, "standbys");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], leader) != 0)
            cJSON_AddItemToArray(standbys, cJSON_CreateString(names[i]));
    }
    gk_zk_data_free(&d);
    gk_zk_names_free(names, n);
    return rc == ZOK ? CLI_OK : admin_zk_fail(s, rc, "the controllers cannot be listed");
}

static int run_status(admin_options *o, int argc, char **argv)
{
    admin_session s = {0};
    cJSON *doc = NULL;
    const cJSON *item = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin controller status", status_help, 0, 0, &argc, &argv, &code))
        return code;
    code = admin_open(&s, o, false, true);
    if (code != CLI_OK)
        return code;
    code = read_status(&s, &doc);
    admin_close(&s);
    if (code != CLI_OK || o->json) {
        if (code == CLI_OK)
            return cli_json(doc);
        cJSON_Delete(doc);
        return code;
    }
    printf("controller epoch  %.0f\nleader            %s\n", admin_number(doc, "controller_epoch"),
           admin_text(doc, "leader")[0] == '\0' ? "none" : admin_text(doc, "leader"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(doc, "standbys")) printf("standby           %s\n", cJSON_GetStringValue(item));
    cJSON_Delete(doc);
    return cli_flush();
}

static int run_handover(admin_options *o, int argc, char **argv)
{
    const char *reason = NULL;
    const cli_option own[] = {{"reason", CLI_STRING, &reason}, {0}};
    gk_command c = {.op = GK_OP_HANDOVER};
    admin_session s = {0};
    cJSON *result = NULL;
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin controller handover", handover_help, 0, 0, &argc, &argv, &code))
        return code;
    code = admin_open(&s, o, true, true);
    if (code != CLI_OK)
        return code;
    memcpy(c.target, gk_authority_root(s.authority), GK_GROUP_ID);
    if (reason != NULL)
        c.reason = (gk_bytes){(const uint8_t *)reason, strlen(reason)};
    code = admin_send(&s, &c, &result);
    admin_close(&s);
    if (code == CLI_OK && o->json)
        return cli_json(result);
    cJSON_Delete(result);
    if (code != CLI_OK)
        return code;
    puts("the leader hands over");
    return cli_flush();
}

static const admin_command commands[] = {
    {"run", run_run}, {"add", run_add}, {"remove", run_remove}, {"status", run_status}, {"handover", run_handover}, {0},
};

int admin_controller(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin controller", help, commands, argc, argv);
}
