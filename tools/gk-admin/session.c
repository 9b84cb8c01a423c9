#include "session.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../native/group/gk_admission.h"

enum { SESSION_MS = 10000, COMMAND_LIFE_MS = 120000 };

const char *admin_key_file(const admin_options *o, char *buffer, size_t n)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (o->admin_key != NULL)
        return o->admin_key;
    if (config != NULL && config[0] != '\0')
        (void)snprintf(buffer, n, "%s/groupkeeper/admin.key", config);
    else
        (void)snprintf(buffer, n, "%s/.config/groupkeeper/admin.key", home == NULL ? "" : home);
    return buffer;
}

int admin_zk_fail(admin_session *s, int rc, const char *what)
{
    char problem[256] = {0};

    if (rc == ZOPERATIONTIMEOUT || rc == ZCONNECTIONLOSS) {
        gk_zk_problem(s->zk, problem, sizeof(problem));
        return cli_fail("CONNECT", "is the ensemble up, and are --connect and the certificates right?", "%s: %s", what, problem);
    }
    if (rc == ZNOAUTH)
        return cli_fail("NOAUTH", "give the --auth-file or the certificate that setup was run with", "%s: ZooKeeper does not allow it",
                        what);
    if (rc == ZAUTHFAILED)
        return cli_fail("AUTH", "look at --auth-file", "%s: ZooKeeper refuses the credentials", what);
    return cli_fail("ZOOKEEPER", NULL, "%s: %s", what, gk_zk_str(rc));
}

static int check_authority(admin_session *s, bool want_key)
{
    char buffer[600];
    char pin[700];
    char why[512] = {0};
    bool fresh = false;
    int rc = gk_tree_authority(s->zk, s->o->root, &s->authority, s->timeout_ms);
    gk_err e = GK_OK;

    if (rc == ZNONODE)
        return cli_fail("NOSETUP", "run gk-admin setup first, or give the right --root", "there is no authority below %s", s->o->root);
    if (rc == ZDATAINCONSISTENCY)
        return cli_fail("AUTH", "somebody wrote there who is no administrator",
                        "the authority records below %s do not follow from each other", s->o->root);
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the authority cannot be read");
    if (!want_key)
        return CLI_OK;
    (void)snprintf(pin, sizeof(pin), "%s.root", admin_key_file(s->o, buffer, sizeof(buffer)));
    e = gk_tree_pin(pin, s->authority, &fresh, why, sizeof(why));
    if (e != GK_OK)
        return cli_fail_why(e, why);
    if (fresh)
        fprintf(stderr, "gk-admin: note: the authority below %s is trusted from now on, as %s says\n", s->o->root, pin);
    return CLI_OK;
}

int admin_open(admin_session *s, const admin_options *o, bool want_key, bool want_authority)
{
    gk_zk_options zo = {
        .connect = o->connect, .ca = o->ca, .cert = o->cert, .key = o->key, .auth_file = o->auth_file, .session_ms = SESSION_MS};
    char buffer[600];
    char why[512] = {0};
    int code = CLI_OK;
    int rc = ZOK;

    *s = (admin_session){.o = o, .authenticated = o->auth_file != NULL || o->cert != NULL, .timeout_ms = (int)o->timeout_ms};
    if (zo.connect == NULL)
        zo.connect = getenv("GK_CONNECT");
    if (zo.connect == NULL)
        return cli_fail("USAGE", "give --connect HOST:PORT,... or set GK_CONNECT", "no ensemble is named") + 1;
    if (want_key) {
        gk_err e = gk_tree_key(&s->key, admin_key_file(o, buffer, sizeof(buffer)), why, sizeof(why));

        if (e != GK_OK)
            return cli_fail_why(e, why);
    }
    if (!gk_zk_open(&s->zk, &zo, why, sizeof(why)))
        code = cli_fail("CONNECT", "look at the files' names and permissions", "%s", why);
    else if ((rc = gk_zk_wait(s->zk, s->timeout_ms)) != ZOK)
        code = admin_zk_fail(s, rc, "no session");
    else if (want_authority)
        code = check_authority(s, want_key);
    if (code != CLI_OK)
        admin_close(s);
    return code;
}

void admin_close(admin_session *s)
{
    gk_zk_close(s->zk);
    gk_authority_free(s->authority);
    gk_key_free(s->key);
    s->zk = NULL;
    s->authority = NULL;
    s->key = NULL;
}

int admin_genesis(admin_session *s, const char *group, gk_genesis *out, gk_mem *record)
{
    char path[GK_TREE_PATH];
    gk_zk_data d = {0};
    int rc = ZOK;
    gk_err e = GK_OK;

    if (!gk_name_ok((gk_bytes){(const uint8_t *)group, strlen(group)}))
        return cli_fail("ARG", "letters, digits and - _ . @ : are allowed", "\"%s\" is no name for a group", group);
    gk_tree_path(path, s->o->root, "groups/%s/genesis", group);
    rc = gk_zk_get(s->zk, path, false, &d, s->timeout_ms);
    if (rc == ZNONODE)
        return cli_fail("NOTFOUND", "gk-admin group list shows what there is", "there is no group \"%s\"", group);
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the group cannot be read");
    e = gk_genesis_read(out, (gk_bytes){d.data, d.n}, s->authority);
    if (e == GK_OK && strcmp(out->name, group) != 0)
        e = GK_ERR_AUTH;
    if (e == GK_OK && record != NULL)
        e = gk_mem_copy(record, (gk_bytes){d.data, d.n});
    gk_zk_data_free(&d);
    if (e != GK_OK)
        return cli_fail(cli_code(e), "somebody replaced it in ZooKeeper", "the genesis of \"%s\" is not one that an administrator signed",
                        group);
    return CLI_OK;
}

/* read_result verifies and parses the answer, and turns a refusal into a message. */
static int read_result(admin_session *s, gk_bytes message, const char *id, cJSON **result)
{
    gk_bytes body = {0};
    cJSON *doc = NULL;

    if (gk_authority_check(s->authority, false, message, &body, GK_TREE_RESULT) != GK_OK)
        return cli_fail("AUTH", "somebody writes there who is no controller", "the answer is not signed by a controller");
    doc = cJSON_ParseWithLength((const char *)body.p, body.n);
    if (doc == NULL || strcmp(admin_text(doc, "command"), id) != 0) {
        cJSON_Delete(doc);
        return cli_fail("AUTH", "somebody moved it", "the answer belongs to another command");
    }
    if (!cJSON_IsTrue(cJSON_GetObjectItem(doc, "ok"))) {
        int code = cli_fail(admin_text(doc, "code"), "gk-admin audit tells more", "the controller refuses: %s", admin_text(doc, "error"));

        cJSON_Delete(doc);
        return code;
    }
    cJSON_DeleteItemFromObject(doc, "command");
    cJSON_DeleteItemFromObject(doc, "ok");
    *result = doc;
    return CLI_OK;
}

/* await_result waits until the leader answers. A new leader goes on where the old one stopped, so waiting is all there is to do. */
static int await_result(admin_session *s, const char *id, cJSON **result)
{
    char path[GK_TREE_PATH];
    int64_t deadline = gk_zk_now_ms() + s->timeout_ms;
    gk_zk_data d = {0};
    int rc = ZNONODE;
    int code = CLI_OK;

    gk_tree_path(path, s->o->root, "results/%s", id);
    while ((rc = gk_zk_get(s->zk, path, false, &d, s->timeout_ms)) == ZNONODE && gk_zk_now_ms() < deadline)
        (void)usleep(10000);
    if (rc == ZNONODE)
        return cli_fail("TIMEOUT", "is a controller running? gk-admin controller status",
                        "no controller answered; the command may still be executed");
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the answer cannot be read");
    code = read_result(s, (gk_bytes){d.data, d.n}, id, result);
    gk_zk_data_free(&d);
    return code;
}

int admin_send(admin_session *s, gk_command *c, cJSON **result)
{
    char path[GK_TREE_PATH];
    char id[2 * GK_HASH + 1];
    uint8_t hash[GK_HASH] = {0};
    gk_mem message = {0};
    gk_bytes part = {0};
    gk_err e = GK_OK;
    int rc = ZOK;

    c->authority = gk_authority_version(s->authority);
    c->not_after_ms = cli_now_ms() + COMMAND_LIFE_MS;
    e = gk_command_make(&message, c, s->key);
    part = gk_mem_view(&message);
    if (e == GK_OK)
        e = gk_sha256(hash, &part, 1);
    if (e != GK_OK) {
        gk_mem_free(&message);
        return cli_fail(cli_code(e), NULL, "the command cannot be signed: %s", gk_err_str(e));
    }
    cli_hex(id, hash, GK_HASH);
    gk_tree_path(path, s->o->root, "commands/c-");
    rc = gk_zk_create(s->zk, path, message.p, message.n, gk_tree_acl(s->authenticated, false), ZOO_PERSISTENT_SEQUENTIAL, NULL, 0,
                      s->timeout_ms);
    gk_mem_free(&message);
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the command cannot be left for the controller");
    return await_result(s, id, result);
}

int admin_query(admin_session *s, const char *group, cJSON *question, cJSON **result)
{
    gk_command c = {.op = GK_OP_QUERY};
    gk_genesis g = {0};
    char *text = NULL;
    int code = CLI_OK;

    if (group == NULL)
        memcpy(c.target, gk_authority_root(s->authority), GK_GROUP_ID);
    else {
        code = admin_genesis(s, group, &g, NULL);
        memcpy(c.target, g.id, GK_GROUP_ID);
    }
    text = code == CLI_OK ? cJSON_PrintUnformatted(question) : NULL;
    cJSON_Delete(question);
    if (code != CLI_OK)
        return code;
    if (text == NULL)
        return cli_out_of_memory();
    c.blob = (gk_bytes){(const uint8_t *)text, strlen(text)};
    code = admin_send(s, &c, result);
    cJSON_free(text);
    return code;
}

int admin_group_command(const admin_options *o, const char *group, gk_command *c, const char *reason, const char *done)
{
    admin_session s = {0};
    gk_genesis g = {0};
    cJSON *result = NULL;
    int code = admin_open(&s, o, true, true);

    if (code != CLI_OK)
        return code;
    code = admin_genesis(&s, group, &g, NULL);
    if (code == CLI_OK) {
        memcpy(c->target, g.id, GK_GROUP_ID);
        if (reason != NULL)
            c->reason = (gk_bytes){(const uint8_t *)reason, strlen(reason)};
        code = admin_send(&s, c, &result);
    }
    admin_close(&s);
    if (code == CLI_OK && o->json)
        return cli_json(result);
    cJSON_Delete(result);
    if (code != CLI_OK)
        return code;
    printf("%s: %s\n", group, done);
    return cli_flush();
}

int admin_confirm(bool yes, const char *what, const char *name)
{
    char line[GK_NAME_MAX + 2] = {0};

    if (yes)
        return CLI_OK;
    if (!isatty(STDIN_FILENO))
        return cli_fail("CONFIRM", "give --yes", "%s needs a confirmation", what);
    fprintf(stderr, "%s cannot be undone. Type \"%s\" to go on: ", what, name);
    if (fgets(line, sizeof(line), stdin) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, name) == 0 ? CLI_OK : cli_fail("CONFIRM", "nothing was changed", "%s was not confirmed", what);
}

const char *admin_text(const cJSON *doc, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(doc, key));

    return text == NULL ? "" : text;
}

double admin_number(const cJSON *doc, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(doc, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}
