/* gk-admin servers status: how the servers' agreement stands, as each server of --connect says. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../native/group/gk_served.h"
#include "session.h"

enum { MOST = 64, PATIENCE = 2000 };

static const char help[] = "usage: gk-admin servers status\n"
                           "\n"
                           "subcommands:\n"
                           "  status   the secret that the servers agreed on: who took part, when, and who uses it\n"
                           "\n"
                           "example:\n"
                           "  gk-admin servers status\n";

static const char status_help[] =
    "usage: gk-admin servers status [--json]\n"
    "\n"
    "Asks each server of --connect. With --json: the agreement that most of them use, with the keys that these have derived from it, and "
    "under\n"
    "\"servers\" what each one says. Exit code 1 when none uses any.\n"
    "\n"
    "example:\n"
    "  gk-admin servers status --connect zk1:2182,zk2:2182,zk3:2182 --ca ca.pem --cert admin.pem --key admin.key\n";

typedef struct server {
    char address[256];
    gk_zk *zk;
    cJSON *status; /* NULL: no answer */
    char problem[256];
} server;

/* open_all begins to connect to each server on its own. */
static int open_all(const admin_options *o, server *servers, size_t *n)
{
    const char *at = o->connect != NULL ? o->connect : getenv("GK_CONNECT");

    if (at == NULL)
        return cli_fail("USAGE", "give --connect HOST:PORT,... or set GK_CONNECT", "no ensemble is named") + 1;
    for (; *at != '\0' && *n < MOST; at += strspn(at, ",")) {
        server *s = &servers[*n];
        size_t len = strcspn(at, ",");
        gk_zk_options zo = {
            .connect = s->address, .ca = o->ca, .cert = o->cert, .key = o->key, .auth_file = o->auth_file, .session_ms = 10000};

        if (len >= sizeof(s->address))
            return cli_usage("gk-admin servers status", "--connect is a list of HOST:PORT");
        memcpy(s->address, at, len);
        if (!gk_zk_open(&s->zk, &zo, s->problem, sizeof(s->problem)))
            return cli_fail("CONNECT", "look at the files' names and permissions", "%s", s->problem);
        (*n)++;
        at += len;
    }
    return CLI_OK;
}

/* wait_for waits until all are connected, or the time is over: all of it for the first one, then PATIENCE for the others. */
static void wait_for(const server *servers, size_t n, int64_t timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    size_t connected = 0;

    while (connected < n && gk_zk_now_ms() < deadline) {
        connected = 0;
        for (size_t i = 0; i < n; i++)
            connected += gk_zk_connected(servers[i].zk);
        if (connected > 0 && deadline > gk_zk_now_ms() + PATIENCE)
            deadline = gk_zk_now_ms() + PATIENCE;
        (void)usleep(10000);
    }
}

static void ask(server *s, int timeout_ms)
{
    gk_zk_data d = {0};
    int rc = ZOK;

    if (!gk_zk_connected(s->zk)) {
        gk_zk_problem(s->zk, s->problem, sizeof(s->problem));
        return;
    }
    rc = gk_zk_get(s->zk, GK_OWN_STATUS, false, &d, timeout_ms);
    if (rc == ZOK)
        s->status = cJSON_ParseWithLength((const char *)d.data, d.n);
    if (s->status == NULL)
        (void)snprintf(s->problem, sizeof(s->problem), "%s", rc == ZNONODE ? "the agreement is off" : gk_zk_str(rc));
    gk_zk_data_free(&d);
}

static bool uses(const server *s, const char *agreement)
{
    return s->status != NULL && cJSON_IsTrue(cJSON_GetObjectItem(s->status, "in_use")) &&
           strcmp(admin_text(s->status, "agreement"), agreement) == 0;
}

static size_t users(const server *servers, size_t n, const char *agreement)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += uses(&servers[i], agreement);
    return found;
}

/* summary: the agreement that most servers use, or what one of them says where none uses any. */
static cJSON *summary(const server *servers, size_t n, size_t *most)
{
    const server *best = NULL;
    double derivations = 0;
    cJSON *doc = NULL;
    cJSON *list = NULL;

    *most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = servers[i].status == NULL ? 0 : users(servers, n, admin_text(servers[i].status, "agreement"));

        if (servers[i].status != NULL && (best == NULL || k > *most)) {
            best = &servers[i];
            *most = k;
        }
    }
    if (best == NULL)
        return NULL;
    doc = cJSON_Duplicate(best->status, true);
    cJSON_DeleteItemFromObject(doc, "server");
    for (size_t i = 0; i < n; i++)
        derivations += uses(&servers[i], admin_text(best->status, "agreement")) ? admin_number(servers[i].status, "derivations") : 0;
    cJSON_ReplaceItemInObject(doc, "derivations", cJSON_CreateNumber(derivations));
    list = cJSON_AddArrayToObject(doc, "servers");
    for (size_t i = 0; i < n; i++) {
        cJSON *one = servers[i].status == NULL ? cJSON_CreateObject() : cJSON_Duplicate(servers[i].status, true);

        cJSON_AddStringToObject(one, "address", servers[i].address);
        if (servers[i].status == NULL)
            cJSON_AddStringToObject(one, "problem", servers[i].problem);
        cJSON_AddItemToArray(list, one);
    }
    return doc;
}

static void print_ids(const cJSON *doc, const char *key)
{
    const cJSON *ids = cJSON_GetObjectItem(doc, key);

    for (const cJSON *i = ids == NULL ? NULL : ids->child; i != NULL; i = i->next)
        printf("%s%.0f", i == ids->child ? "" : ",", i->valuedouble);
}

static void print_table(const server *servers, size_t n, const cJSON *doc)
{
    printf("agreement     %s\nrun           %s\nparticipants  ", admin_text(doc, "agreement"), admin_text(doc, "run_id"));
    print_ids(doc, "participants");
    printf("\nage           %.0f s\nkeys derived  %.0f\n\n", admin_number(doc, "age_s"), admin_number(doc, "derivations"));
    printf("%-24s %6s  %-16s %-6s %-7s %6s %8s  %s\n", "ADDRESS", "SERVER", "AGREEMENT", "IN USE", "RUNNING", "RUNS", "KEYS", "WHY");
    for (size_t i = 0; i < n; i++) {
        const cJSON *s = servers[i].status;

        if (s == NULL) {
            printf("%-24s %s\n", servers[i].address, servers[i].problem);
            continue;
        }
        printf("%-24s %6.0f  %-16s %-6s %-7s %6.0f %8.0f  %s\n", servers[i].address, admin_number(s, "server"), admin_text(s, "agreement"),
               cJSON_IsTrue(cJSON_GetObjectItem(s, "in_use")) ? "yes" : "no",
               cJSON_IsTrue(cJSON_GetObjectItem(s, "running")) ? "yes" : "no", admin_number(s, "runs"), admin_number(s, "derivations"),
               admin_text(s, "why"));
    }
}

static int run_status(admin_options *o, int argc, char **argv)
{
    server *servers = NULL;
    cJSON *doc = NULL;
    size_t n = 0;
    size_t most = 0;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin servers status", status_help, 0, 0, &argc, &argv, &code))
        return code;
    servers = calloc(MOST, sizeof(*servers));
    if (servers == NULL)
        return cli_out_of_memory();
    code = open_all(o, servers, &n);
    if (code == CLI_OK)
        wait_for(servers, n, o->timeout_ms);
    for (size_t i = 0; i < n && code == CLI_OK; i++)
        ask(&servers[i], PATIENCE);
    doc = code == CLI_OK ? summary(servers, n, &most) : NULL;
    if (code == CLI_OK && doc == NULL)
        code = cli_fail(strstr(servers[0].problem, "is off") != NULL ? "OFF" : "CONNECT",
                        "groupkeeper.agreement=on on all servers? is --connect right?", "no server has an agreement: %s",
                        servers[0].problem);
    else if (code == CLI_OK && o->json)
        code = cli_json(cJSON_Duplicate(doc, true));
    else if (code == CLI_OK) {
        print_table(servers, n, doc);
        code = cli_flush();
    }
    if (code == CLI_OK && most == 0)
        code = cli_fail("NONE", "agreeing takes some tenths of a second; the servers' logs say more", "no server uses a secret now");
    cJSON_Delete(doc);
    for (size_t i = 0; i < n; i++) {
        gk_zk_close(servers[i].zk);
        cJSON_Delete(servers[i].status);
    }
    free(servers);
    return code;
}

static const admin_command commands[] = {{"status", run_status}, {0}};

int admin_servers(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin servers", help, commands, argc, argv);
}
