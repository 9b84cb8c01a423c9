/* gk-member run. */
#include "deliver.h"

#include "../../native/base/gk_bytes.h"

static const char help[] =
    "usage: gk-member run G --state F [--out F] [--exec CMD] [--signal PID]\n"
    "       gk-member run G --server-keyed --cert F --key F --ca F [--as NAME] [--out F] [--exec CMD] [--signal PID]\n"
    "\n"
    "Follows the group until SIGTERM, or until it is evicted (exit code 1). One line of JSON on stdout for each event.\n"
    "\n"
    "options:\n"
    "  --out F         the key, 32 bytes, mode 0600, replaced atomically\n"
    "  --exec CMD      run by the shell for each key; sees GK_GROUP, GK_EPOCH (or GK_VIEW and GK_KEY_ID) and, with --out, GK_KEY_FILE\n"
    "  --signal PID    SIGHUP to this process for each key\n"
    "  --server-keyed  the servers make the keys: a member for as long as this runs, and no state file. The certificate says who it is; G "
    "may\n"
    "                  be the path of the members node\n"
    "  --as NAME       begins the name of its node (default: the certificate's common name)\n"
    "\n"
    "Under systemd (Type=notify) it is ready with the first key.\n"
    "\n"
    "examples:\n"
    "  gk-member run payments --state app-1.state --out /run/app/payments.key --exec 'systemctl reload app'\n"
    "  gk-member run payments --server-keyed --connect zk1:2182 --ca ca.pem --cert app-1.pem --key app-1.key --out /run/app/payments.key\n";

typedef struct runner {
    deliver d;
    gkm *m;
    bool evicted;
} runner;

/* enqueue takes the newest key: a later one than the event's may be there already, and it is what counts. */
static void enqueue(runner *r)
{
    deliver_job j = {0};

    if (gkm_key(r->m, j.key, &j.number) == GKM_OK || j.number != 0)
        deliver_push(&r->d, &j);
    gk_wipe(&j, sizeof(j));
}

static void on_key(runner *r, cJSON *doc, const gkm_event *e)
{
    static const char *const via[] = {"?", "notify", "ring", "refresh"};
    char fingerprint[2 * GKM_FINGERPRINT + 1];

    cli_hex(fingerprint, e->fingerprint, GKM_FINGERPRINT);
    cJSON_AddStringToObject(doc, "event", "key");
    cJSON_AddStringToObject(doc, "group", r->d.group);
    cJSON_AddNumberToObject(doc, "epoch", (double)e->epoch);
    cJSON_AddStringToObject(doc, "fingerprint", fingerprint);
    cJSON_AddStringToObject(doc, "via", via[e->via]);
    cJSON_AddNumberToObject(doc, "generated_ms", (double)e->generated_ms);
    cJSON_AddNumberToObject(doc, "received_ms", (double)e->received_ms);
    enqueue(r);
}

static void on_event(void *arg, const gkm_event *e)
{
    runner *r = arg;
    cJSON *doc = cJSON_CreateObject();

    switch (e->kind) {
    case GKM_EVENT_KEY: on_key(r, doc, e); break;
    case GKM_EVENT_STALE: cJSON_AddStringToObject(doc, "event", "stale"); break;
    case GKM_EVENT_FRESH: cJSON_AddStringToObject(doc, "event", "fresh"); break;
    case GKM_EVENT_MISSED:
        cJSON_AddStringToObject(doc, "event", "missed");
        cJSON_AddNumberToObject(doc, "from", (double)e->from);
        cJSON_AddNumberToObject(doc, "to", (double)e->to);
        cJSON_AddStringToObject(doc, "reason", e->text);
        break;
    case GKM_EVENT_EVICTED: cJSON_AddStringToObject(doc, "event", "evicted"); break;
    case GKM_EVENT_REFUSED:
        cJSON_AddStringToObject(doc, "event", "refused");
        cJSON_AddStringToObject(doc, "reason", e->text);
        break;
    }
    deliver_line(&r->d, doc);
    if (e->kind == GKM_EVENT_EVICTED) {
        r->evicted = true; /* the main thread reads it when the library's is gone */
        deliver_over(&r->d);
    }
}

int member_run(int argc, char **argv)
{
    member_options o = {0};
    runner r = {0};
    const cli_option own[] = {{"out", CLI_STRING, &r.d.out},    {"exec", CLI_STRING, &r.d.exec},
                              {"signal", CLI_NUMBER, &r.d.pid}, {"server-keyed", CLI_FLAG, &o.server_keyed},
                              {"as", CLI_STRING, &o.m.name},    {0}};
    char why[512] = {0};
    gkm_result result = GKM_OK;
    int code = CLI_OK;

    if (!member_parse(&o, own, "gk-member run", help, 1, argc, argv, &code))
        return code;
    deliver_init(&r.d, o.m.group);
    if (o.server_keyed)
        return member_run_server_keyed(&o, &r.d);
    if (o.m.name != NULL)
        return cli_usage("gk-member run", "--as goes with --server-keyed");
    o.m.callback = on_event;
    o.m.arg = &r;
    result = gkm_open(&r.m, &o.m, why, sizeof(why));
    if (result != GKM_OK)
        return member_fail(result, why);
    code = deliver_keys(&r.d);
    gkm_close(r.m);
    return r.evicted
               ? cli_fail("EVICTED", "gk-admin member allow, and join with a new state file", "not a member of %s any more", r.d.group)
               : code;
}
