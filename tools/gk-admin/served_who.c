/* Groups keyed by the servers: who is a member, who may be, who no more. */
#include "served_who.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

enum { TRIES = 20, ADMIN_BIT = 16, SUFFIX = 9 }; /* a child is NAME or NAME.8 hex digits */

const char *served_identity(const char *text, char id[SERVED_ID])
{
    bool sasl = strncmp(text, "sasl:", 5) == 0;
    bool x509 = strncmp(text, "x509:", 5) == 0;

    (void)snprintf(id, SERVED_ID, "%s%s", sasl || x509 || strchr(text, '=') != NULL ? "" : "CN=", text + (sasl || x509 ? 5 : 0));
    return sasl ? "sasl" : "x509";
}

bool served_acl_add(struct ACL_vector *acl, int perms, const char *scheme, const char *id)
{
    struct ACL *grown = realloc(acl->data, ((size_t)acl->count + 1) * sizeof(*grown));
    struct ACL entry = {perms, {strdup(scheme), strdup(id)}};

    acl->data = grown == NULL ? acl->data : grown;
    if (grown == NULL || entry.id.scheme == NULL || entry.id.id == NULL) {
        free(entry.id.scheme);
        free(entry.id.id);
        return false;
    }
    acl->data[acl->count++] = entry;
    return true;
}

/* is_name: child is the node of a member called name. */
static bool is_name(const char *child, const char *name)
{
    size_t n = strlen(name);

    return strncmp(child, name, n) == 0 && (child[n] == '\0' || (child[n] == '.' && strlen(child + n) == SUFFIX &&
                                                                 strspn(child + n + 1, "0123456789abcdef") == SUFFIX - 1));
}

/* name_of: the name that gk-member gives an identity's node: a certificate's common name, else the user. */
static void name_of(char name[SERVED_ID], const char *scheme, const char *id)
{
    bool cn = strcmp(scheme, "x509") == 0 && strncmp(id, "CN=", 3) == 0;

    (void)snprintf(name, SERVED_ID, "%s", id + (cn ? 3 : 0));
    if (cn)
        name[strcspn(name, ",")] = '\0';
}

/* means: who is this entry: its identity, the name that goes with it, or a node with that name. */
static bool means(const struct ACL *entry, const char *who)
{
    char name[SERVED_ID];
    char id[SERVED_ID];
    const char *scheme = served_identity(who, id);

    name_of(name, entry->id.scheme, entry->id.id);
    return (strcmp(scheme, entry->id.scheme) == 0 && strcmp(id, entry->id.id) == 0) || is_name(who, name);
}

/* take_out sets the ACL without who; its identity's name is in name. */
static int take_out(admin_session *s, const char *group, const char *path, const char *who, char name[SERVED_ID])
{
    for (int tries = 0; tries < TRIES; tries++) {
        struct ACL_vector acl = {0};
        struct Stat stat = {0};
        int kept = 0;
        bool owner = false;
        int rc = gk_zk_get_acl(s->zk, path, &acl, &stat, s->timeout_ms);

        name[0] = '\0';
        for (int i = 0; i < acl.count; i++) {
            struct ACL entry = acl.data[i];

            if (!means(&entry, who)) {
                acl.data[i] = acl.data[kept];
                acl.data[kept++] = entry;
                continue;
            }
            name_of(name, entry.id.scheme, entry.id.id);
            owner = owner || (entry.perms & ADMIN_BIT) != 0;
        }
        if (rc == ZOK && !owner && kept < acl.count) {
            struct ACL_vector rest = {kept, acl.data};

            rc = gk_zk_set_acl(s->zk, path, &rest, stat.aversion, s->timeout_ms);
        }
        gk_zk_acl_free(&acl);
        if (owner)
            return cli_fail("STATE", "members need certificates of their own", "%s may administer the group, and is not evicted", who);
        if (rc == ZOK && name[0] == '\0')
            return cli_fail("NOTFOUND", "give an identity of gk-admin group show, or gk-admin group rekey if it is out already",
                            "no identity of %s is called \"%s\"", group, who);
        if (rc != ZBADVERSION)
            return rc == ZOK ? CLI_OK : served_fail(s, rc, group, "the ACL cannot be changed");
    }
    return cli_fail("BUSY", "try again", "the ACL is changed by others all the time");
}

/* children gives all members' nodes; told already when it isn't CLI_OK. */
static int children(admin_session *s, const char *group, const char *path, char ***names, size_t *n)
{
    int rc = gk_zk_children(s->zk, path, false, names, n, s->timeout_ms);

    return rc == ZOK ? CLI_OK : served_fail(s, rc, group, "the members cannot be read");
}

/* new_view makes one in one transaction: a marker comes and goes, and so do the nodes of those called name (or NULL). *gone: how many. */
static int new_view(admin_session *s, const char *group, const char *path, const char *name, size_t *gone)
{
    int rc = ZNONODE;

    for (int tries = 0; tries < TRIES && rc == ZNONODE; tries++) { /* a member that left meanwhile */
        char **names = NULL;
        size_t n = 0;
        size_t ops_n = 2;
        uint8_t random[8] = {0};
        char marker[GK_TREE_PATH + 32];
        char(*paths)[2 * GK_TREE_PATH] = NULL;
        gk_zk_op *ops = NULL;
        int code = name == NULL ? CLI_OK : children(s, group, path, &names, &n);

        if (code != CLI_OK)
            return code;
        (void)RAND_bytes(random, sizeof(random));
        (void)snprintf(marker, sizeof(marker), "%s/rekey-", path);
        cli_hex(marker + strlen(marker), random, sizeof(random));
        ops = calloc(n + 2, sizeof(*ops));
        paths = calloc(n + 1, sizeof(*paths));
        if (ops != NULL && paths != NULL) {
            ops[0] = (gk_zk_op){.kind = GK_ZK_CREATE, .path = marker, .acl = &ZOO_CREATOR_ALL_ACL, .mode = ZOO_EPHEMERAL};
            ops[1] = (gk_zk_op){.kind = GK_ZK_DELETE, .path = marker, .version = -1};
            for (size_t i = 0; i < n; i++) {
                if (!is_name(names[i], name))
                    continue;
                (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", path, names[i]);
                ops[ops_n++] = (gk_zk_op){.kind = GK_ZK_DELETE, .path = paths[i], .version = -1};
            }
            rc = gk_zk_multi(s->zk, ops, ops_n, NULL, NULL, s->timeout_ms);
        } else
            rc = ZSYSTEMERROR;
        *gone = ops_n - 2;
        free(ops);
        free(paths);
        gk_zk_names_free(names, n);
    }
    return rc == ZOK ? CLI_OK : served_fail(s, rc, group, "the view cannot be changed");
}

/* tell prints what was done, with the view that is there now. */
static int tell(admin_session *s, const char *group, const char *path, const char *key, const char *who, const char *done)
{
    struct Stat stat = {0};
    int rc = gk_zk_exists(s->zk, path, false, &stat, s->timeout_ms);

    if (rc != ZOK)
        return served_fail(s, rc, group, "it is done, but the group cannot be read");
    if (s->o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "group", group);
        cJSON_AddStringToObject(doc, "keyed_by", "servers");
        if (key != NULL)
            cJSON_AddStringToObject(doc, key, who);
        cJSON_AddNumberToObject(doc, "view", (double)stat.pzxid);
        return cli_json(doc);
    }
    printf("%s: %s%s%s; view %lld\n", group, who == NULL ? "" : who, who == NULL ? "" : " ", done, (long long)stat.pzxid);
    return cli_flush();
}

int served_evict(admin_session *s, const char *group, const char *path, const char *who)
{
    char name[SERVED_ID];
    size_t gone = 0;
    int code = take_out(s, group, path, who, name);

    if (code != CLI_OK)
        return code;
    code = new_view(s, group, path, name, &gone);
    if (code != CLI_OK)
        return cli_fail("UNFINISHED", "gk-admin group rekey", "%s reads no key any more, but %s still has the one it knows", who, group);
    return tell(s, group, path, "evicted", who, "evicted");
}

int served_rekey(admin_session *s, const char *group, const char *path, const char *who)
{
    size_t gone = 0;
    int code = new_view(s, group, path, NULL, &gone);

    (void)who;
    return code == CLI_OK ? tell(s, group, path, NULL, NULL, "rekeyed") : code;
}

int served_allow(admin_session *s, const char *group, const char *path, const char *who)
{
    char id[SERVED_ID];
    const char *scheme = served_identity(who, id);
    int rc = ZBADVERSION;

    for (int tries = 0; tries < TRIES && rc == ZBADVERSION; tries++) {
        struct ACL_vector acl = {0};
        struct Stat stat = {0};
        bool there = false;

        rc = gk_zk_get_acl(s->zk, path, &acl, &stat, s->timeout_ms);
        for (int i = 0; i < acl.count; i++)
            there = there || (strcmp(acl.data[i].id.scheme, scheme) == 0 && strcmp(acl.data[i].id.id, id) == 0);
        if (rc == ZOK && !there)
            rc = served_acl_add(&acl, SERVED_MEMBER, scheme, id) ? gk_zk_set_acl(s->zk, path, &acl, stat.aversion, s->timeout_ms)
                                                                 : ZSYSTEMERROR;
        gk_zk_acl_free(&acl);
    }
    return rc == ZOK ? tell(s, group, path, "allowed", who, "may join") : served_fail(s, rc, group, "the ACL cannot be changed");
}

int served_members(admin_session *s, const char *group, const char *path, const char *who)
{
    char **names = NULL;
    size_t n = 0;
    cJSON *list = cJSON_CreateArray();
    int code = children(s, group, path, &names, &n);

    for (size_t i = 0; i < n; i++) {
        cJSON *m = NULL;

        if (who != NULL && !is_name(names[i], who))
            continue;
        m = cJSON_CreateObject();
        cJSON_AddStringToObject(m, "member", names[i]);
        cJSON_AddStringToObject(m, "state", "active");
        cJSON_AddItemToArray(list, m);
    }
    gk_zk_names_free(names, n);
    if (code == CLI_OK && who != NULL && list->child == NULL)
        code = cli_fail("NOTFOUND", "gk-admin member list shows them", "there is no member \"%s\" in %s", who, group);
    if (code == CLI_OK && s->o->json) {
        code = cli_json(cJSON_Duplicate(who == NULL ? list : list->child, true));
    } else if (code == CLI_OK) {
        printf("%-40s %-8s\n", "MEMBER", "STATE");
        for (const cJSON *m = list->child; m != NULL; m = m->next)
            printf("%-40s %-8s\n", admin_text(m, "member"), admin_text(m, "state"));
        code = cli_flush();
    }
    cJSON_Delete(list);
    return code;
}

int served_delete(admin_session *s, const char *group, const char *path, const char *who)
{
    int rc = gk_zk_set_acl(s->zk, path, &ZOO_CREATOR_ALL_ACL, -1, s->timeout_ms); /* nobody joins from now on */

    (void)who;
    for (int tries = 0; tries < TRIES && rc != ZNOAUTH && (tries == 0 || rc == ZNOTEMPTY); tries++) {
        char **names = NULL;
        size_t n = 0;

        if (rc == ZOK || rc == ZNOTEMPTY)
            rc = gk_zk_children(s->zk, path, false, &names, &n, s->timeout_ms);
        for (size_t i = 0; i < n && (rc == ZOK || rc == ZNONODE); i++) {
            char child[2 * GK_TREE_PATH];

            (void)snprintf(child, sizeof(child), "%s/%s", path, names[i]);
            rc = gk_zk_delete(s->zk, child, -1, s->timeout_ms);
        }
        gk_zk_names_free(names, n);
        if (rc == ZOK || rc == ZNONODE)
            rc = gk_zk_delete(s->zk, path, -1, s->timeout_ms);
    }
    if (rc != ZOK)
        return served_fail(s, rc, group, "the group cannot be deleted");
    if (s->o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "group", group);
        cJSON_AddStringToObject(doc, "keyed_by", "servers");
        return cli_json(doc);
    }
    printf("%s: deleted\n", group);
    return cli_flush();
}
