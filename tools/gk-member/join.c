/* gk-member join, show, leave, refresh. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../native/base/gk_bytes.h"
#include "../common/gk_io.h"
#include "member.h"

static const char join_help[] =
    "usage: gk-member join G --as ID --state F [--cert F --key F] [--token-file F] [--trust F] [--identity cert|key] [--wait 10s]\n"
    "\n"
    "Asks for admission to the group G under the name ID, and makes the state file. A token holds what the group is recognised by;\n"
    "without one, --trust names a file with what `gk-admin group trust G` prints. What lies in ZooKeeper is never believed by itself.\n"
    "With a token the member's identity is a key that is made now, and a certificate is for TLS alone; without one the certificate is\n"
    "the identity: --identity tells otherwise. When an administrator has to approve, it ends with PENDING: run it again later.\n"
    "\n"
    "examples:\n"
    "  gk-member join payments --as app-1 --state app-1.state --token-file app-1.token --connect zk1:2181\n"
    "  gk-member join payments --as app-1 --state app-1.state --cert app-1.pem --key app-1.key --trust payments.trust \\\n"
    "      --connect zk1:2182 --ca ca.pem\n";

static const char show_help[] = "usage: gk-member show [G] --state F [--json]\n\nShows what the state file knows. Works beside run.\n\n"
                                "example:\n  gk-member show --state app-1.state --json\n";
static const char leave_help[] =
    "usage: gk-member leave G --state F [--wait 10s]\n\nAsks to be taken out; the next key is not for this member. Works beside run.\n\n"
    "example:\n  gk-member leave payments --state app-1.state\n";
static const char refresh_help[] =
    "usage: gk-member refresh G --state F [--wait 10s]\n\nAsks for the current key anew, by a signed request.\n\n"
    "example:\n  gk-member refresh payments --state app-1.state\n";

/* read_text reads a small file; NULL when it was told that it can't be read. */
static char *read_text(const char *file, bool secret, size_t *n)
{
    uint8_t *p = NULL;
    char why[512] = {0};
    gk_err e = secret ? gk_io_read_secret(file, 4096, &p, n, why, sizeof(why)) : gk_io_read(file, 4096, &p, n, why, sizeof(why));

    if (e != GK_OK)
        (void)cli_fail_why(e, why);
    return (char *)p;
}

static int print_joined(const member_options *o)
{
    gkm *m = NULL;
    gkm_status s = {0};
    char fingerprint[2 * GKM_FINGERPRINT + 1];
    int code = member_peek((member_options *)(uintptr_t)o, &m);

    if (code != CLI_OK)
        return code;
    (void)gkm_status_get(m, &s);
    gkm_close(m);
    cli_hex(fingerprint, s.fingerprint, GKM_FINGERPRINT);
    if (o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "group", s.group);
        cJSON_AddStringToObject(doc, "member", s.member);
        cJSON_AddNumberToObject(doc, "epoch", (double)s.epoch);
        cJSON_AddStringToObject(doc, "fingerprint", fingerprint);
        return cli_json(doc);
    }
    printf("%s is a member of %s: epoch %llu, fingerprint %s\n", s.member, s.group, (unsigned long long)s.epoch, fingerprint);
    return cli_flush();
}

int member_join(int argc, char **argv)
{
    member_options o = {.wait_ms = 10000};
    const cli_option own[] = {{"as", CLI_STRING, &o.m.name},
                              {"token-file", CLI_STRING, &o.token_file},
                              {"trust", CLI_STRING, &o.trust_file},
                              {"identity", CLI_STRING, &o.m.identity},
                              {0}};
    char why[512] = {0};
    char *token = NULL;
    char *trust = NULL;
    size_t token_n = 0;
    size_t trust_n = 0;
    gkm_result r = GKM_OK;
    int code = CLI_OK;

    if (!member_parse(&o, own, "gk-member join", join_help, 1, argc, argv, &code))
        return code;
    if (o.m.name == NULL)
        return cli_usage("gk-member join", "--as ID is needed");
    if (o.m.identity != NULL && strcmp(o.m.identity, "cert") != 0 && strcmp(o.m.identity, "key") != 0)
        return cli_usage("gk-member join", "--identity is cert or key");
    if (o.m.connect == NULL)
        o.m.connect = getenv("GK_CONNECT");
    if (o.m.connect == NULL)
        return cli_usage("gk-member join", "--connect HOST:PORT,... is needed");
    if (o.token_file != NULL && (token = read_text(o.token_file, false, &token_n)) == NULL)
        return CLI_FAILED;
    if (o.trust_file != NULL && (trust = read_text(o.trust_file, false, &trust_n)) == NULL) {
        free(token);
        return CLI_FAILED;
    }
    o.m.token = token;
    o.m.trust = trust;
    r = gkm_join(&o.m, (int)o.wait_ms, why, sizeof(why));
    if (token != NULL)
        gk_wipe(token, token_n);
    free(token);
    free(trust);
    return r == GKM_OK ? print_joined(&o) : member_fail(r, why);
}

static cJSON *status_json(gkm *m)
{
    gkm_status s = {0};
    char fingerprint[2 * GKM_FINGERPRINT + 1];
    cJSON *doc = cJSON_CreateObject();
    cJSON *missed = NULL;
    cJSON *refused = NULL;
    uint64_t from = 0;
    uint64_t to = 0;
    uint64_t count = 0;
    const char *text = NULL;

    (void)gkm_status_get(m, &s);
    cli_hex(fingerprint, s.fingerprint, GKM_FINGERPRINT);
    cJSON_AddStringToObject(doc, "group", s.group);
    cJSON_AddStringToObject(doc, "member", s.member);
    cJSON_AddStringToObject(doc, "state", s.out ? "evicted" : s.pending ? "pending" : s.epoch == 0 ? "new" : "active");
    cJSON_AddNumberToObject(doc, "epoch", (double)s.epoch);
    cJSON_AddNumberToObject(doc, "highest_epoch", (double)s.highest_epoch);
    cJSON_AddStringToObject(doc, "fingerprint", fingerprint);
    cJSON_AddBoolToObject(doc, "stale", s.stale);
    missed = cJSON_AddArrayToObject(doc, "missed");
    for (size_t i = 0; gkm_missed(m, i, &from, &to, &text) == GKM_OK; i++) {
        for (uint64_t e = from; e <= to && e - from < 10000; e++) {
            cJSON *one = cJSON_CreateObject();

            cJSON_AddNumberToObject(one, "epoch", (double)e);
            cJSON_AddStringToObject(one, "reason", text);
            cJSON_AddItemToArray(missed, one);
        }
    }
    cJSON_AddNumberToObject(doc, "refused", (double)s.refused);
    refused = cJSON_AddObjectToObject(doc, "refusals");
    for (size_t i = 0; gkm_refused(m, i, &text, &count) == GKM_OK; i++) {
        if (count > 0)
            cJSON_AddNumberToObject(refused, text, (double)count);
    }
    return doc;
}

/* running: whether somebody runs this member: then it is connected, as far as it can tell. */
static bool running(const char *state)
{
    char file[4096];
    char why[512];
    int fd = -1;

    if (snprintf(file, sizeof(file), "%s.lock", state) >= (int)sizeof(file))
        return false;
    if (gk_io_lock(file, false, &fd, why, sizeof(why)) == GK_OK) {
        close(fd);
        return false;
    }
    return true;
}

int member_show(int argc, char **argv)
{
    member_options o = {0};
    gkm *m = NULL;
    cJSON *doc = NULL;
    const cJSON *item = NULL;
    int code = CLI_OK;

    if (!member_parse(&o, NULL, "gk-member show", show_help, 0, argc, argv, &code))
        return code;
    code = member_peek(&o, &m);
    if (code != CLI_OK)
        return code;
    doc = status_json(m);
    gkm_close(m);
    cJSON_AddBoolToObject(doc, "connected", running(o.m.state));
    if (o.json)
        return cli_json(doc);
    cJSON_ArrayForEach(item, doc)
    {
        char *text = cJSON_IsString(item) ? NULL : cJSON_PrintUnformatted(item);

        printf("%-14s %s\n", item->string, text == NULL ? cJSON_GetStringValue(item) : text);
        cJSON_free(text);
    }
    cJSON_Delete(doc);
    return cli_flush();
}

int member_leave(int argc, char **argv)
{
    member_options o = {.wait_ms = 10000};
    gkm *m = NULL;
    char why[512] = {0};
    gkm_result r = GKM_OK;
    int code = CLI_OK;

    if (!member_parse(&o, NULL, "gk-member leave", leave_help, 1, argc, argv, &code))
        return code;
    r = gkm_open(&m, &o.m, why, sizeof(why));
    if (r == GKM_BUSY) /* a run: it will see that we are out */
        r = gkm_peek(&m, &o.m, why, sizeof(why));
    if (r == GKM_OK)
        r = gkm_leave(m, (int)o.wait_ms);
    gkm_close(m);
    if (r != GKM_OK)
        return member_fail(r, why);
    if (o.json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "group", o.m.group);
        cJSON_AddTrueToObject(doc, "left");
        return cli_json(doc);
    }
    printf("left %s\n", o.m.group);
    return cli_flush();
}

int member_refresh(int argc, char **argv)
{
    member_options o = {.wait_ms = 10000};
    gkm *m = NULL;
    char why[512] = {0};
    gkm_result r = GKM_OK;
    int code = CLI_OK;

    if (!member_parse(&o, NULL, "gk-member refresh", refresh_help, 1, argc, argv, &code))
        return code;
    r = gkm_open(&m, &o.m, why, sizeof(why));
    if (r == GKM_OK)
        r = gkm_refresh(m, (int)o.wait_ms);
    gkm_close(m);
    return r == GKM_OK ? print_joined(&o) : member_fail(r, why);
}
