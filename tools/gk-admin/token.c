/* gk-admin token: passes for new members. The secret never reaches a controller or ZooKeeper. */
#include <string.h>

#include "../../native/group/gk_admission.h"
#include "session.h"

static const char help[] = "usage: gk-admin token create G [--ttl T] [--uses N] | revoke G ID\n"
                           "\n"
                           "example:\n"
                           "  gk-admin token create payments --ttl 10m --uses 1 > app-7.token\n";

static const char create_help[] = "usage: gk-admin token create G [--ttl T] [--uses N] [--reason TEXT]\n"
                                  "\n"
                                  "Prints the token, and nothing else: who has it may join until then. It also holds what members pin.\n"
                                  "\n"
                                  "options:\n"
                                  "  --ttl T    how long it is good (default 10m)\n"
                                  "  --uses N   for how many members (default 1)\n"
                                  "\n"
                                  "example:\n"
                                  "  gk-admin token create payments --ttl 10m --uses 1 > app-7.token\n";

static int make_token(admin_session *s, const char *group, int64_t uses, int64_t ttl_ms, const char *reason, char text[GK_TOKEN_TEXT + 1],
                      gk_token *token)
{
    gk_command c = {.op = GK_OP_TOKEN_CREATE};
    gk_genesis g = {0};
    gk_mem record = {0};
    cJSON *result = NULL;
    gk_err e = GK_OK;
    int code = admin_genesis(s, group, &g, NULL);

    if (code != CLI_OK)
        return code;
    e = gk_token_create(text, &record, g.hash, (uint32_t)uses, cli_now_ms() + (uint64_t)ttl_ms);
    if (e == GK_OK)
        e = gk_token_read(token, gk_mem_view(&record));
    if (e != GK_OK)
        return cli_fail(cli_code(e), NULL, "no token can be made: %s", gk_err_str(e));
    memcpy(c.target, g.id, GK_GROUP_ID);
    c.blob = gk_mem_view(&record);
    c.reason = (gk_bytes){(const uint8_t *)reason, reason == NULL ? 0 : strlen(reason)};
    code = admin_send(s, &c, &result);
    cJSON_Delete(result);
    gk_mem_free(&record);
    return code;
}

static int run_create(admin_options *o, int argc, char **argv)
{
    int64_t ttl = 600000;
    int64_t uses = 1;
    const char *reason = NULL;
    const cli_option own[] = {{"ttl", CLI_DURATION, &ttl}, {"uses", CLI_NUMBER, &uses}, {"reason", CLI_STRING, &reason}, {0}};
    char text[GK_TOKEN_TEXT + 1] = {0};
    char id[2 * GK_TOKEN_ID + 1];
    admin_session s = {0};
    gk_token token = {0};
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin token create", create_help, 1, 1, &argc, &argv, &code))
        return code;
    if (uses < 1 || uses > 1000000 || ttl < 1000)
        return cli_usage("gk-admin token create", "--uses is 1 to 1000000, --ttl at least 1s");
    code = admin_open(&s, o, true, true);
    if (code != CLI_OK)
        return code;
    code = make_token(&s, argv[0], uses, ttl, reason, text, &token);
    admin_close(&s);
    if (code == CLI_OK && o->json) {
        cJSON *doc = cJSON_CreateObject();

        cli_hex(id, token.id, GK_TOKEN_ID);
        cJSON_AddStringToObject(doc, "token", text);
        cJSON_AddStringToObject(doc, "id", id);
        cJSON_AddNumberToObject(doc, "uses", (double)uses);
        cJSON_AddNumberToObject(doc, "not_after_ms", (double)token.not_after_ms);
        code = cli_json(doc);
    } else if (code == CLI_OK) {
        puts(text);
        code = cli_flush();
    }
    gk_wipe(text, sizeof(text));
    return code;
}

static int run_revoke(admin_options *o, int argc, char **argv)
{
    static const char revoke_help[] =
        "usage: gk-admin token revoke G ID [--reason TEXT]\n\n"
        "ID is 16 hex digits, as token create --json shows it, or the token itself on standard input (ID is -).\n\n"
        "example:\n  gk-admin token revoke payments 00112233aabbccdd\n";
    const char *reason = NULL;
    const cli_option own[] = {{"reason", CLI_STRING, &reason}, {0}};
    gk_command c = {.op = GK_OP_TOKEN_REVOKE};
    uint8_t id[GK_TOKEN_ID];
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin token revoke", revoke_help, 2, 2, &argc, &argv, &code))
        return code;
    if (strcmp(argv[1], "-") == 0) {
        char text[GK_TOKEN_TEXT + 8] = {0};
        uint8_t genesis[GK_HASH];
        gk_key *k = NULL;
        gk_err e = fgets(text, sizeof(text), stdin) == NULL ? GK_ERR_MALFORMED
                                                            : gk_token_open(&k, id, genesis, (gk_bytes){(uint8_t *)text, strlen(text)});

        gk_wipe(text, sizeof(text));
        gk_key_free(k);
        if (e != GK_OK)
            return cli_fail("MALFORMED", NULL, "standard input holds no token");
    } else if (!cli_unhex(id, GK_TOKEN_ID, argv[1])) {
        return cli_usage("gk-admin token revoke", "ID is 16 hex digits, not \"%s\"", argv[1]);
    }
    c.blob = (gk_bytes){id, GK_TOKEN_ID};
    return admin_group_command(o, argv[0], &c, reason, "token revoked");
}

static const admin_command commands[] = {
    {"create", run_create},
    {"revoke", run_revoke},
    {0},
};

int admin_token(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin token", help, commands, argc, argv);
}
