/* gk-admin member: who is in a group, who asks to be, who must not. */
#include <stdlib.h>
#include <string.h>

#include "served.h"

static const char help[] = "usage: gk-admin member list G | show G M | approve G REQUEST | deny G REQUEST | evict G M | allow G IDENTITY\n"
                           "\n"
                           "subcommands:\n"
                           "  list G             active, pending and evicted ones\n"
                           "  show G M           one of them\n"
                           "  approve G REQUEST  admit who asked; REQUEST is what list shows, or the name of the one that asks\n"
                           "  deny G REQUEST     refuse it\n"
                           "  evict G M          take M out: the next key is not for it, and its identity is not admitted again\n"
                           "  allow G IDENTITY   take an identity, or a name, off the deny list\n"
                           "\n"
                           "example:\n"
                           "  gk-admin member evict payments app-7 --yes --reason \"stolen laptop\"\n";

/* read_people collects all pages of the leader's list. */
static int read_people(const admin_options *o, const char *group, cJSON **all)
{
    admin_session s = {0};
    double from = 0;
    int code = admin_open(&s, o, true, true);

    if (code != CLI_OK)
        return code;
    *all = cJSON_CreateArray();
    do {
        cJSON *question = cJSON_CreateObject();
        cJSON *page = NULL;
        cJSON *item = NULL;

        cJSON_AddStringToObject(question, "query", "members");
        cJSON_AddNumberToObject(question, "from", from);
        code = admin_query(&s, group, question, &page);
        if (code != CLI_OK)
            break;
        while ((item = cJSON_DetachItemFromArray(cJSON_GetObjectItem(page, "members"), 0)) != NULL)
            cJSON_AddItemToArray(*all, item);
        from = admin_number(page, "next");
        cJSON_Delete(page);
    } while (from > 0);
    admin_close(&s);
    if (code != CLI_OK)
        cJSON_Delete(*all);
    return code;
}

static int run_list(admin_options *o, int argc, char **argv)
{
    static const char list_help[] = "usage: gk-admin member list G [--keyed-by controller|servers] [--json]\n\nexample:\n  gk-admin member list payments\n";
    cJSON *all = NULL;
    const cJSON *p = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"keyed-by", CLI_STRING, &by}, {0}};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin member list", list_help, 1, 1, &argc, &argv, &code) ||
        served_did(o, by, argv[0], served_members, NULL, &code))
        return code;
    code = read_people(o, argv[0], &all);
    if (code != CLI_OK || o->json)
        return code == CLI_OK ? cli_json(all) : code;
    printf("%-32s %-8s %12s  %-64s  %s\n", "MEMBER", "STATE", "SINCE EPOCH", "IDENTITY", "REQUEST");
    cJSON_ArrayForEach(p, all) printf("%-32s %-8s %12.0f  %-64s  %s\n", admin_text(p, "member"), admin_text(p, "state"),
                                      admin_number(p, "since_epoch"), admin_text(p, "identity"), admin_text(p, "request"));
    cJSON_Delete(all);
    return cli_flush();
}

static int run_show(admin_options *o, int argc, char **argv)
{
    static const char show_help[] = "usage: gk-admin member show G M [--keyed-by controller|servers] [--json]\n\n"
                                    "example:\n  gk-admin member show payments app-7\n";
    cJSON *all = NULL;
    cJSON *p = NULL;
    cJSON *found = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"keyed-by", CLI_STRING, &by}, {0}};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin member show", show_help, 2, 2, &argc, &argv, &code) ||
        served_did(o, by, argv[0], served_members, argv[1], &code))
        return code;
    code = read_people(o, argv[0], &all);
    if (code != CLI_OK)
        return code;
    cJSON_ArrayForEach(p, all) found = found == NULL && strcmp(admin_text(p, "member"), argv[1]) == 0 ? p : found;
    if (found == NULL)
        code = cli_fail("NOTFOUND", "gk-admin member list shows them", "there is no member \"%s\" in %s", argv[1], argv[0]);
    else if (o->json)
        code = cli_json(cJSON_DetachItemViaPointer(all, found));
    else {
        cJSON_ArrayForEach(p, found)
        {
            char *text = cJSON_IsString(p) ? NULL : cJSON_PrintUnformatted(p);

            printf("%-12s %s\n", p->string, text == NULL ? cJSON_GetStringValue(p) : text);
            cJSON_free(text);
        }
        code = cli_flush();
    }
    cJSON_Delete(all);
    return code;
}

/* find_request: REQUEST is a hash, or the name of who asks. */
static int find_request(const admin_options *o, const char *group, const char *request, uint8_t hash[GK_HASH])
{
    cJSON *all = NULL;
    const cJSON *p = NULL;
    bool found = false;
    int code = CLI_OK;

    if (cli_unhex(hash, GK_HASH, request))
        return CLI_OK;
    code = read_people(o, group, &all);
    if (code != CLI_OK)
        return code;
    cJSON_ArrayForEach(p, all)
    {
        if (!found && strcmp(admin_text(p, "state"), "pending") == 0 && strcmp(admin_text(p, "member"), request) == 0)
            found = cli_unhex(hash, GK_HASH, admin_text(p, "request"));
    }
    cJSON_Delete(all);
    return found ? CLI_OK
                 : cli_fail("NOTFOUND", "gk-admin member list shows who waits", "nobody called \"%s\" waits in %s", request, group);
}

static int decide(admin_options *o, int argc, char **argv, gk_op op, const char *path, const char *text, const char *done)
{
    const char *reason = NULL;
    const cli_option own[] = {{"reason", CLI_STRING, &reason}, {0}};
    gk_command c = {.op = op};
    int code = CLI_OK;

    if (!admin_parse(o, own, path, text, 2, 2, &argc, &argv, &code))
        return code;
    code = find_request(o, argv[0], argv[1], c.hash);
    return code == CLI_OK ? admin_group_command(o, argv[0], &c, reason, done) : code;
}

static int run_approve(admin_options *o, int argc, char **argv)
{
    return decide(o, argc, argv, GK_OP_APPROVE, "gk-admin member approve",
                  "usage: gk-admin member approve G REQUEST [--reason TEXT]\n\nexample:\n  gk-admin member approve payments app-7\n",
                  "approved");
}

static int run_deny(admin_options *o, int argc, char **argv)
{
    return decide(o, argc, argv, GK_OP_DENY, "gk-admin member deny",
                  "usage: gk-admin member deny G REQUEST [--reason TEXT]\n\nexample:\n  gk-admin member deny payments app-7\n", "denied");
}

static int run_evict(admin_options *o, int argc, char **argv)
{
    static const char evict_help[] =
        "usage: gk-admin member evict G M --yes [--keyed-by controller|servers] [--reason TEXT]\n\n"
        "Where the servers make the keys, M is an identity of `gk-admin group show`, or the common name in it; all that have it are evicted.\n\n"
        "example:\n  gk-admin member evict payments app-7 --yes\n";
    bool yes = false;
    const char *reason = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"yes", CLI_FLAG, &yes}, {"reason", CLI_STRING, &reason}, {"keyed-by", CLI_STRING, &by}, {0}};
    gk_command c = {.op = GK_OP_EVICT};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin member evict", evict_help, 2, 2, &argc, &argv, &code))
        return code;
    code = admin_confirm(yes, "evicting", argv[1]);
    if (code == CLI_OK && served_did(o, by, argv[0], served_evict, argv[1], &code))
        return code;
    c.name = (gk_bytes){(const uint8_t *)argv[1], strlen(argv[1])};
    return code == CLI_OK ? admin_group_command(o, argv[0], &c, reason, "evicted") : code;
}

static int run_allow(admin_options *o, int argc, char **argv)
{
    static const char allow_help[] = "usage: gk-admin member allow G IDENTITY [--keyed-by controller|servers] [--reason TEXT]\n\n"
                                     "IDENTITY is 64 hex digits as member list shows it, or the evicted member's name; where the servers make the\n"
                                     "keys, who may join from now on: x509:SUBJECT, sasl:USER, or NAME for x509:CN=NAME.\n\n"
                                     "example:\n  gk-admin member allow payments app-7\n";
    const char *reason = NULL;
    const char *by = NULL;
    const cli_option own[] = {{"reason", CLI_STRING, &reason}, {"keyed-by", CLI_STRING, &by}, {0}};
    gk_command c = {.op = GK_OP_ALLOW};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin member allow", allow_help, 2, 2, &argc, &argv, &code) ||
        served_did(o, by, argv[0], served_allow, argv[1], &code))
        return code;
    if (!cli_unhex(c.hash, GK_HASH, argv[1]))
        c.name = (gk_bytes){(const uint8_t *)argv[1], strlen(argv[1])};
    return admin_group_command(o, argv[0], &c, reason, "allowed again");
}

static const admin_command commands[] = {
    {"list", run_list}, {"show", run_show}, {"approve", run_approve}, {"deny", run_deny}, {"evict", run_evict}, {"allow", run_allow}, {0},
};

int admin_member(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin member", help, commands, argc, argv);
}
