/* gk-admin setup: the first authority record and the nodes below the root; and the records after it: controllers that come and go. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

static const char help[] = "usage: gk-admin setup --controller FILE.pub... [--admin FILE.pub...]\n"
                           "\n"
                           "Writes the first authority record: who may administer (the key of --admin-key, and each --admin), and who may "
                           "control. Everything that\n"
                           "members believe leads back to it, so keep the administrators' keys safe, and more than one of them.\n"
                           "\n"
                           "options:\n"
                           "  --controller FILE.pub  a controller's public key; may be repeated\n"
                           "  --admin FILE.pub       one more administrator's public key; may be repeated\n"
                           "\n"
                           "example:\n"
                           "  gk-admin setup --connect zk1:2182 --ca ca.pem --controller a.key.pub --controller b.key.pub\n";

/* read_publics reads files into keys, one after the other. */
static int read_publics(gk_mem *out, const cli_list *first, int argc, char **argv)
{
    size_t n = first->n + (size_t)argc;
    char why[512] = {0};
    gk_err e = n == 0 ? GK_OK : gk_mem_new(out, n * GK_SIGN_PUBLIC);

    for (size_t i = 0; i < n && e == GK_OK; i++)
        e = gk_tree_public(out->p + i * GK_SIGN_PUBLIC, i < first->n ? first->items[i] : argv[i - first->n], why, sizeof(why));
    return e == GK_OK ? CLI_OK : cli_fail_why(e, why);
}

/* make_tree makes the nodes that everything else lies in. The root's parents too: somebody may like /prod/groupkeeper. */
static int make_tree(admin_session *s)
{
    static const struct {
        const char *name;
        bool open;
    } nodes[] = {{"authority", false},
                 {"controllers", false},
                 {"controllers/epoch", false},
                 {"controllers/beat", false},
                 {"controllers/live", false},
                 {"controllers/keys", false},
                 {"controllers/state-keys", false},
                 {"commands", true},
                 {"results", false},
                 {"audit", false},
                 {"groups", false}};
    char path[GK_TREE_PATH];
    int rc = ZOK;

    (void)snprintf(path, sizeof(path), "%s", s->o->root);
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
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes) && (rc == ZOK || rc == ZNODEEXISTS); i++) {
        gk_tree_path(path, s->o->root, "%s", nodes[i].name);
        rc = gk_zk_create(s->zk, path, NULL, 0, gk_tree_acl(s->authenticated, nodes[i].open), ZOO_PERSISTENT, NULL, 0, s->timeout_ms);
    }
    return rc == ZOK || rc == ZNODEEXISTS ? CLI_OK : admin_zk_fail(s, rc, "the nodes below the root cannot be made");
}

/* write_record signs and writes the authority record after before. */
static int write_record(admin_session *s, const gk_authority *before, gk_bytes admins, gk_bytes controllers, uint64_t *version)
{
    char path[GK_TREE_PATH];
    gk_mem record = {0};
    gk_err e = gk_authority_make(&record, before, admins, controllers, cli_now_ms(), s->key);
    int rc = ZOK;

    if (e == GK_ERR_AUTH)
        return cli_fail("AUTH", "use the key of an administrator as --admin-key", "this key may not administer");
    if (e != GK_OK)
        return cli_fail(cli_code(e), NULL, "the authority record cannot be made: %s", gk_err_str(e));
    *version = before == NULL ? 1 : gk_authority_version(before) + 1;
    gk_tree_path(path, s->o->root, "authority/%llu", (unsigned long long)*version);
    rc = gk_zk_create(s->zk, path, record.p, record.n, gk_tree_acl(s->authenticated, false), ZOO_PERSISTENT, NULL, 0, s->timeout_ms);
    gk_mem_free(&record);
    if (rc == ZNODEEXISTS)
        return cli_fail("EXISTS", "another administrator was there first; look at gk-admin doctor", "authority record %llu exists already",
                        (unsigned long long)*version);
    return rc == ZOK ? CLI_OK : admin_zk_fail(s, rc, "the authority record cannot be written");
}

static int print_authority(admin_session *s, uint64_t version, size_t admins, size_t controllers)
{
    char root[2 * GK_HASH + 1] = {0};
    gk_authority *a = s->authority;
    int rc = gk_tree_authority(s->zk, s->o->root, &a, s->timeout_ms);

    s->authority = a;
    if (rc != ZOK)
        return admin_zk_fail(s, rc, "the authority cannot be read again");
    cli_hex(root, gk_authority_root(a), GK_HASH);
    if (s->o->json) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddNumberToObject(doc, "authority", (double)version);
        cJSON_AddStringToObject(doc, "root", root);
        cJSON_AddNumberToObject(doc, "admins", (double)admins);
        cJSON_AddNumberToObject(doc, "controllers", (double)controllers);
        return cli_json(doc);
    }
    printf("authority %llu: %zu administrator%s, %zu controller%s, root %s\n", (unsigned long long)version, admins, admins == 1 ? "" : "s",
           controllers, controllers == 1 ? "" : "s", root);
    return cli_flush();
}

/* pin_root remembers beside the administrator's key whose authority it is. */
static int pin_root(admin_session *s)
{
    char buffer[600];
    char pin[700];
    char why[512] = {0};
    bool fresh = false;
    gk_err e = GK_OK;

    (void)snprintf(pin, sizeof(pin), "%s.root", admin_key_file(s->o, buffer, sizeof(buffer)));
    e = gk_tree_pin(pin, s->authority, &fresh, why, sizeof(why));
    return e == GK_OK ? CLI_OK : cli_fail_why(e, why);
}

int admin_setup(admin_options *o, int argc, char **argv)
{
    cli_list controllers = {0};
    cli_list more = {0};
    const cli_option own[] = {{"controller", CLI_LIST, &controllers}, {"admin", CLI_LIST, &more}, {0}};
    gk_mem control = {0};
    gk_mem other = {0};
    gk_mem admins = {0};
    admin_session s = {0};
    uint64_t version = 0;
    int code = CLI_OK;

    if (!admin_parse(o, own, "gk-admin setup", help, 0, CLI_LIST_MAX, &argc, &argv, &code))
        return code;
    if (controllers.n == 0)
        return cli_usage("gk-admin setup", "at least one --controller FILE.pub is needed");
    code = admin_open(&s, o, true, false);
    if (code != CLI_OK)
        return code;
    code = read_publics(&control, &controllers, argc, argv);
    if (code == CLI_OK)
        code = read_publics(&other, &more, 0, NULL);
    if (code == CLI_OK && (gk_mem_new(&admins, GK_SIGN_PUBLIC + other.n) != GK_OK || gk_sign_public(admins.p, s.key) != GK_OK))
        code = cli_out_of_memory();
    if (code == CLI_OK) {
        if (other.n > 0)
            memcpy(admins.p + GK_SIGN_PUBLIC, other.p, other.n);
        code = make_tree(&s);
    }
    if (code == CLI_OK)
        code = write_record(&s, NULL, gk_mem_view(&admins), gk_mem_view(&control), &version);
    if (code == CLI_OK)
        code = print_authority(&s, version, admins.n / GK_SIGN_PUBLIC, control.n / GK_SIGN_PUBLIC);
    if (code == CLI_OK)
        code = pin_root(&s);
    gk_mem_free(&control);
    gk_mem_free(&other);
    gk_mem_free(&admins);
    admin_close(&s);
    return code;
}

int admin_controllers_change(admin_options *o, bool add, const char *file)
{
    admin_session s = {0};
    uint8_t pub[GK_SIGN_PUBLIC];
    gk_mem list = {0};
    gk_bytes old = {0};
    uint64_t version = 0;
    size_t n = 0;
    char why[512] = {0};
    gk_err e = gk_tree_public(pub, file, why, sizeof(why));
    int code = e == GK_OK ? admin_open(&s, o, true, true) : cli_fail_why(e, why);

    if (code != CLI_OK)
        return code;
    old = gk_authority_controllers(s.authority);
    if (gk_mem_new(&list, old.n + GK_SIGN_PUBLIC) != GK_OK)
        code = cli_out_of_memory();
    for (size_t i = 0; code == CLI_OK && i + GK_SIGN_PUBLIC <= old.n; i += GK_SIGN_PUBLIC) {
        if (memcmp(old.p + i, pub, GK_SIGN_PUBLIC) == 0) /* public */
            continue;
        memcpy(list.p + n, old.p + i, GK_SIGN_PUBLIC);
        n += GK_SIGN_PUBLIC;
    }
    if (code == CLI_OK && add) {
        memcpy(list.p + n, pub, GK_SIGN_PUBLIC);
        n += GK_SIGN_PUBLIC;
    }
    if (code == CLI_OK && n == old.n)
        code = cli_fail(add ? "EXISTS" : "NOTFOUND", NULL, "%s is %s", file, add ? "a controller already" : "no controller");
    if (code == CLI_OK && n == 0)
        code = cli_fail("STATE", "add another one first", "the last controller cannot be removed");
    if (code == CLI_OK)
        code = write_record(&s, s.authority, gk_authority_admins(s.authority), (gk_bytes){list.p, n}, &version);
    if (code == CLI_OK)
        code = print_authority(&s, version, gk_authority_admins(s.authority).n / GK_SIGN_PUBLIC, n / GK_SIGN_PUBLIC);
    gk_mem_free(&list);
    admin_close(&s);
    return code;
}
