/* Groups keyed by the servers: make, find, list, show, delete. */
#include "served.h"

#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "../../native/group/gk_served.h"
#include "served_who.h"

int served_fail(admin_session *s, int rc, const char *group, const char *what)
{
    if (rc == ZNONODE)
        return cli_fail("NOTFOUND", "gk-admin group list shows what there is", "there is no group \"%s\"", group);
    if (rc == ZINVALIDACL)
        return cli_fail("NOAUTH", "give --ca, --cert and --key", "%s: groups keyed by the servers need a certificate over TLS", what);
    if (rc == ZNOAUTH)
        return cli_fail("NOAUTH", "give the certificate that the group was made with", "%s: ZooKeeper does not allow it", what);
    return admin_zk_fail(s, rc, what);
}

/* find: is the group keyed by the servers? */
static int find(admin_session *s, const char *group, const char *path, bool *is)
{
    char genesis[GK_TREE_PATH];
    gk_zk_data d = {0};
    int rc = ZNONODE;

    *is = group[0] == '/';
    if (*is)
        return CLI_OK;
    gk_tree_path(genesis, s->o->root, "groups/%s/genesis", group);
    rc = gk_zk_exists(s->zk, genesis, false, NULL, s->timeout_ms);
    if (rc == ZNONODE) {
        rc = gk_zk_get(s->zk, path, false, &d, s->timeout_ms);
        *is = rc == ZNOAUTH || (rc == ZOK && d.n == GK_MEMBERS_RECORD_SIZE && memcmp(d.data, GK_MEMBERS_RECORD, d.n) == 0);
        gk_zk_data_free(&d);
    }
    return rc == ZOK || rc == ZNONODE || rc == ZNOAUTH ? CLI_OK : admin_zk_fail(s, rc, "the group cannot be looked for");
}

bool served_did(const admin_options *o, const char *keyed_by, const char *group, served_fn fn, const char *who, int *code)
{
    char path[GK_TREE_PATH];
    admin_session s = {0};
    bool servers = keyed_by != NULL && strcmp(keyed_by, "servers") == 0;

    if (keyed_by != NULL && !servers) {
        if (strcmp(keyed_by, "controller") == 0)
            return false;
        *code = cli_usage("gk-admin", "--keyed-by is controller or servers");
        return true;
    }
    gk_tree_served(path, o->root, group);
    *code = admin_open(&s, o, false, false);
    if (*code != CLI_OK)
        return true;
    if (!servers)
        *code = find(&s, group, path, &servers);
    if (*code == CLI_OK && servers)
        *code = fn(&s, group, path, who);
    admin_close(&s);
    return *code != CLI_OK || servers;
}

/* make_parents makes the root and the folder of these groups, where they are missing. */
static int make_parents(admin_session *s)
{
    char path[GK_TREE_PATH];
    int rc = ZOK;

    (void)snprintf(path, sizeof(path), "%s/" GK_TREE_SERVED, s->o->root);
    for (char *p = path + 1; rc == ZOK || rc == ZNODEEXISTS; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        rc = gk_zk_create(s->zk, path, NULL, 0, gk_tree_acl(s->authenticated, false), ZOO_PERSISTENT, NULL, 0, s->timeout_ms);
        *p = c;
        if (c == '\0')
            break;
    }
    return rc == ZNODEEXISTS ? ZOK : rc;
}

static int create(admin_session *s, const char *group, const struct ACL_vector *acl)
{
    char path[GK_TREE_PATH];
    char genesis[GK_TREE_PATH];
    int rc = ZOK;

    gk_tree_served(path, s->o->root, group);
    gk_tree_path(genesis, s->o->root, "groups/%s/genesis", group);
    if (group[0] != '/')
        rc = gk_zk_exists(s->zk, genesis, false, NULL, s->timeout_ms) == ZOK ? ZNODEEXISTS : make_parents(s);
    if (rc == ZOK)
        rc = gk_zk_create(s->zk, path, GK_MEMBERS_RECORD, GK_MEMBERS_RECORD_SIZE, acl, ZOO_PERSISTENT, NULL, 0, s->timeout_ms);
    if (rc == ZNODEEXISTS)
        return cli_fail("EXISTS", "take another name", "there is a group \"%s\" already", group);
    if (rc == ZNONODE)
        return cli_fail("NOTFOUND", "make it first", "the node above %s is missing", path);
    if (rc != ZOK)
        return served_fail(s, rc, group, "the group cannot be made");
    if (s->o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "group", group);
        cJSON_AddStringToObject(doc, "keyed_by", "servers");
        cJSON_AddStringToObject(doc, "path", path);
        return cli_json(doc);
    }
    printf("group %s made, keyed by the servers: its members are the children of %s\n", group, path);
    return cli_flush();
}

int served_create(const admin_options *o, const char *group, const cli_list *members)
{
    struct ACL_vector acl = {0};
    admin_session s = {0};
    char id[SERVED_ID];
    int code = CLI_OK;

    if (group[0] != '/' && !gk_name_ok((gk_bytes){(const uint8_t *)group, strlen(group)}))
        return cli_fail("ARG", "letters, digits and - _ . @ : are allowed", "\"%s\" is no name for a group", group);
    if (!served_acl_add(&acl, ZOO_PERM_ALL, "auth", ""))
        code = cli_out_of_memory();
    for (size_t i = 0; i < members->n && code == CLI_OK; i++) {
        const char *scheme = served_identity(members->items[i], id);

        if (!served_acl_add(&acl, SERVED_MEMBER, scheme, id))
            code = cli_out_of_memory();
    }
    if (code == CLI_OK)
        code = admin_open(&s, o, false, false);
    if (code == CLI_OK) {
        code = create(&s, group, &acl);
        admin_close(&s);
    }
    gk_zk_acl_free(&acl);
    return code;
}

int served_add_all(const admin_options *o, cJSON *list, bool *controllers)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    admin_session s = {0};
    int rc = ZOK;
    int code = admin_open(&s, o, false, false);

    if (code != CLI_OK)
        return code;
    gk_tree_path(path, o->root, GK_TREE_SERVED);
    rc = gk_zk_children(s.zk, path, false, &names, &n, s.timeout_ms);
    for (size_t i = 0; i < n && rc == ZOK; i++) {
        struct Stat stat = {0};
        cJSON *g = cJSON_CreateObject();

        gk_tree_served(path, o->root, names[i]);
        rc = gk_zk_exists(s.zk, path, false, &stat, s.timeout_ms);
        rc = rc == ZNOAUTH || rc == ZNONODE ? ZOK : rc; /* another administrator's: its name is all we see */
        cJSON_AddStringToObject(g, "group", names[i]);
        cJSON_AddStringToObject(g, "keyed_by", "servers");
        cJSON_AddStringToObject(g, "mode", "view");
        cJSON_AddNumberToObject(g, "view", (double)stat.pzxid);
        cJSON_AddNumberToObject(g, "members", stat.numChildren);
        cJSON_AddItemToArray(list, g);
    }
    gk_zk_names_free(names, n);
    gk_tree_path(path, o->root, "authority");
    if (rc == ZOK || rc == ZNONODE) {
        rc = gk_zk_exists(s.zk, path, false, NULL, s.timeout_ms);
        *controllers = rc == ZOK;
    }
    code = rc == ZOK || rc == ZNONODE ? CLI_OK : admin_zk_fail(&s, rc, "the groups cannot be listed");
    admin_close(&s);
    return code;
}

int served_show(admin_session *s, const char *group, const char *path, const char *who)
{
    struct ACL_vector acl = {0};
    struct Stat stat = {0};
    gk_zk_data status = {0};
    cJSON *servers = NULL;
    cJSON *doc = NULL;
    cJSON *ids = NULL;
    int rc = gk_zk_get_acl(s->zk, path, &acl, &stat, s->timeout_ms);

    (void)who;
    if (rc != ZOK)
        return served_fail(s, rc, group, "the group cannot be read");
    if (gk_zk_get(s->zk, GK_OWN_STATUS, false, &status, s->timeout_ms) == ZOK)
        servers = cJSON_ParseWithLength((const char *)status.data, status.n);
    gk_zk_data_free(&status);
    doc = cJSON_CreateObject();
    cJSON_AddStringToObject(doc, "group", group);
    cJSON_AddStringToObject(doc, "keyed_by", "servers");
    cJSON_AddStringToObject(doc, "path", path);
    cJSON_AddNumberToObject(doc, "view", (double)stat.pzxid);
    cJSON_AddStringToObject(doc, "agreement", admin_text(servers, "agreement"));
    cJSON_AddNumberToObject(doc, "members", stat.numChildren);
    ids = cJSON_AddArrayToObject(doc, "identities");
    for (int i = 0; i < acl.count; i++) {
        char text[SERVED_ID];

        (void)snprintf(text, sizeof(text), "%s:%s", acl.data[i].id.scheme, acl.data[i].id.id);
        cJSON_AddItemToArray(ids, cJSON_CreateString(text));
    }
    gk_zk_acl_free(&acl);
    cJSON_Delete(servers);
    if (s->o->json)
        return cli_json(doc);
    printf("group        %s\nkeyed by     servers, agreement %s\npath         %s\nview         %lld\nmembers      %d\n", group,
           admin_text(doc, "agreement"), path, (long long)stat.pzxid, stat.numChildren);
    for (const cJSON *i = ids->child; i != NULL; i = i->next)
        printf("%-12s %s\n", i == ids->child ? "may join" : "", i->valuestring);
    cJSON_Delete(doc);
    return cli_flush();
}
