/* gk-admin audit: the signed log of all changes; gk-admin doctor: what is wrong? */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

static const char audit_help[] =
    "usage: gk-admin audit [--follow] [--group G] [--json]\n"
    "\n"
    "Prints who changed what, and why. Each entry is signed by the controller that wrote it and holds the hash of the one before, so\n"
    "a missing or changed one shows. With --follow it goes on until interrupted.\n"
    "\n"
    "example:\n"
    "  gk-admin audit --follow --json | jq 'select(.action == \"evict\")'\n";

static const char doctor_help[] = "usage: gk-admin doctor [--json]\n"
                                  "\n"
                                  "Checks the connection, the authority, this administrator's key, the controllers and the audit log. Exit "
                                  "code 1 when something is wrong.\n"
                                  "\n"
                                  "example:\n"
                                  "  gk-admin doctor\n";

typedef struct audit_state {
    uint8_t last[GK_HASH]; /* of the entry before */
    bool first;
    size_t bad;
} audit_state;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_entry(const admin_options *o, const cJSON *doc, const char *name, bool broken)
{
    char when[CLI_TIME];

    if (o->json) {
        char *text = cJSON_PrintUnformatted(doc);

        puts(text == NULL ? "{}" : text);
        cJSON_free(text);
        return;
    }
    cli_time(when, (uint64_t)admin_number(doc, "time_ms"));
    printf("%s  %-10s %-16s %-12s %-24s epoch %-6.0f by %s%s%s%s\n", when, name, admin_text(doc, "action"), admin_text(doc, "group"),
           admin_text(doc, "member"), admin_number(doc, "epoch"), admin_text(doc, "by"), admin_text(doc, "reason")[0] == '\0' ? "" : ": ",
           admin_text(doc, "reason"), broken ? "  (the entry before is missing)" : "");
}

/* show_entry verifies one record, which holds one entry or more. */
static void show_entry(admin_session *s, audit_state *a, const char *group, const char *name, gk_bytes record)
{
    gk_bytes body = {0};
    cJSON *doc = NULL;
    const cJSON *entry = NULL;
    char last[2 * GK_HASH + 1];
    bool broken = false;
    /* an older controller may be no controller any more: the signature is checked under the newest authority, and told when it isn't good */
    if (gk_authority_check(s->authority, false, record, &body, GK_TREE_AUDIT) != GK_OK ||
        (doc = cJSON_ParseWithLength((const char *)body.p, body.n)) == NULL) {
        fprintf(stderr,
                "gk-admin: error: AUTH: audit entry %s is not signed by a controller of today (hint: compare with the authority then)\n",
                name);
        a->bad++;
    } else {
        cli_hex(last, a->last, GK_HASH);
        broken = !a->first && strcmp(last, admin_text(doc, "prev")) != 0;
        a->bad += broken;
        cJSON_ArrayForEach(entry, cJSON_GetObjectItem(doc, "entries"))
        {
            if (group == NULL || strcmp(admin_text(entry, "group"), group) == 0)
                print_entry(s->o, entry, name, broken);
            broken = false;
        }
    }
    cJSON_Delete(doc);
    a->first = false;
    if (gk_sha256(a->last, &record, 1) != GK_OK)
        a->bad++;
}

/* show_new prints what came since *seen. */
static int show_new(admin_session *s, audit_state *a, const char *group, char seen[64])
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    int rc = ZOK;

    gk_tree_path(path, s->o->root, "audit");
    rc = gk_zk_children(s->zk, path, false, &names, &n, s->timeout_ms);
    if (rc != ZOK)
        return rc;
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n && rc == ZOK; i++) {
        gk_zk_data d = {0};

        if (strcmp(names[i], seen) <= 0)
            continue;
        gk_tree_path(path, s->o->root, "audit/%s", names[i]);
        rc = gk_zk_get(s->zk, path, false, &d, s->timeout_ms);
        if (rc == ZOK)
            show_entry(s, a, group, names[i], (gk_bytes){d.data, d.n});
        else if (rc == ZNONODE)
            rc = ZOK; /* cleaned up meanwhile */
        gk_zk_data_free(&d);
        (void)snprintf(seen, 64, "%s", names[i]);
    }
    gk_zk_names_free(names, n);
    (void)fflush(stdout);
    return rc;
}

int admin_audit(admin_options *o, int argc, char **argv)
{
    bool follow = false;
    const char *group = NULL;
    const cli_option own[] = {{"follow", CLI_FLAG, &follow}, {"group", CLI_STRING, &group}, {0}};
    audit_state a = {.first = true};
    admin_session s = {0};
    char seen[64] = {0};
    int code = CLI_OK;
    int rc = ZOK;

    if (!admin_parse(o, own, "gk-admin audit", audit_help, 0, 0, &argc, &argv, &code))
        return code;
    code = admin_open(&s, o, false, true);
    if (code != CLI_OK)
        return code;
    do {
        rc = show_new(&s, &a, group, seen);
        if (follow && !ferror(stdout))
            (void)usleep(200000);
        if (follow && rc == ZOK) /* a new controller's entries need its authority record */
            (void)gk_tree_authority(s.zk, o->root, &s.authority, s.timeout_ms);
    } while (follow && !ferror(stdout)); /* a lost connection comes back by itself */
    code = rc == ZOK ? cli_flush() : admin_zk_fail(&s, rc, "the audit log cannot be read");
    if (code == CLI_OK && a.bad > 0)
        code = cli_fail("AUDIT", "somebody changed it, or controllers were replaced", "%zu entries cannot be verified", a.bad);
    admin_close(&s);
    return code;
}

static int finding(const admin_options *o, cJSON *list, const char *what, bool good, const char *hint)
{
    if (o->json) {
        cJSON *f = cJSON_CreateObject();

        cJSON_AddStringToObject(f, "check", what);
        cJSON_AddBoolToObject(f, "ok", good);
        if (!good)
            cJSON_AddStringToObject(f, "hint", hint);
        cJSON_AddItemToArray(list, f);
    } else if (good) {
        printf("ok    %s\n", what);
    } else {
        printf("WRONG %s: %s\n", what, hint);
    }
    return good ? 0 : 1;
}

/* examine runs the checks behind the connection. */
static int examine(admin_session *s, cJSON *list)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    uint8_t pub[GK_SIGN_PUBLIC] = {0};
    gk_bytes admins = gk_authority_admins(s->authority);
    gk_zk_data epoch = {0};
    struct Stat beat = {0};
    struct Stat later = {0};
    bool mine = false;
    int wrong = 0;

    wrong += finding(s->o, list, "connection and authority", true, "");
    for (size_t i = 0; gk_sign_public(pub, s->key) == GK_OK && i + GK_SIGN_PUBLIC <= admins.n; i += GK_SIGN_PUBLIC)
        mine = mine || memcmp(admins.p + i, pub, GK_SIGN_PUBLIC) == 0; /* public */
    wrong += finding(s->o, list, "this key may administer", mine, "use an administrator's --admin-key");
    wrong += finding(s->o, list, "more than one administrator", admins.n > GK_SIGN_PUBLIC,
                     "with its key lost nothing can be administered any more");
    gk_tree_path(path, s->o->root, "controllers/live");
    (void)gk_zk_children(s->zk, path, false, &names, &n, s->timeout_ms);
    wrong += finding(s->o, list, "a controller runs", n > 0, "start one: gk-admin controller run");
    wrong += finding(s->o, list, "a standby is there", n > 1, "start another one: without it a failure stops joins and rekeys");
    gk_zk_names_free(names, n);
    gk_tree_path(path, s->o->root, "controllers/beat");
    (void)gk_zk_exists(s->zk, path, false, &beat, s->timeout_ms);
    (void)usleep(1500000);
    (void)gk_zk_exists(s->zk, path, false, &later, s->timeout_ms);
    wrong += finding(s->o, list, "the leader is alive", later.version != beat.version, "no controller leads: look at their logs");
    gk_tree_path(path, s->o->root, "controllers/epoch");
    wrong += finding(s->o, list, "the fencing node is there",
                     gk_zk_get(s->zk, path, false, &epoch, s->timeout_ms) == ZOK && epoch.stat.czxid != 0,
                     "somebody deleted it: members refuse what comes after; see docs/OPERATIONS.md");
    gk_zk_data_free(&epoch);
    return wrong;
}

int admin_doctor(admin_options *o, int argc, char **argv)
{
    admin_session s = {0};
    cJSON *list = NULL;
    int wrong = 0;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin doctor", doctor_help, 0, 0, &argc, &argv, &code))
        return code;
    code = admin_open(&s, o, true, true);
    if (code != CLI_OK)
        return code;
    list = cJSON_CreateArray();
    wrong = examine(&s, list);
    admin_close(&s);
    if (o->json)
        code = cli_json(list);
    else {
        cJSON_Delete(list);
        code = cli_flush();
    }
    return code == CLI_OK && wrong > 0 ? CLI_FAILED : code;
}
