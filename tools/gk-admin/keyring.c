/* gk-admin keyring: files that hold an ensemble's keys. Raw keys are never printed. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../native/keyring/gk_keyring.h"
#include "admin.h"

#define WHY 512

static const char help[] =
    "usage: gk-admin keyring init FILE | show FILE | verify FILE\n"
    "\n"
    "A keyring file holds the keys of one ensemble. All its servers have the same file: make it once, then copy it.\n"
    "\n"
    "subcommands:\n"
    "  init FILE    make a new ensemble's keys in FILE, which must not exist (mode 0600)\n"
    "  show FILE    what FILE holds: ids, purposes and states, no keys\n"
    "  verify FILE  check FILE's permissions and every byte of it\n"
    "\n"
    "example:\n"
    "  gk-admin keyring show --json /etc/groupkeeper/keyring\n";

static const char init_help[] =
    "usage: gk-admin keyring init [--json] FILE\n"
    "\n"
    "Makes a new ensemble's keys in FILE (mode 0600). An existing file is left alone. Without a backup of FILE the\n"
    "ensemble's data is lost with its last copy.\n"
    "\n"
    "example:\n"
    "  gk-admin keyring init /etc/groupkeeper/keyring\n";

static const char show_help[] = "usage: gk-admin keyring show [--json] FILE\n"
                                "\n"
                                "Prints what FILE holds. Servers whose fingerprints are equal hold the same keys.\n"
                                "\n"
                                "example:\n"
                                "  gk-admin keyring show /etc/groupkeeper/keyring\n";

static const char verify_help[] =
    "usage: gk-admin keyring verify [--json] FILE\n"
    "\n"
    "Checks FILE as a server does at its start: type, owner, mode, format, authentication, each key's check value.\n"
    "\n"
    "example:\n"
    "  gk-admin keyring verify /etc/groupkeeper/keyring && systemctl restart zookeeper\n";

/* What is printed of a keyring as a whole. */
typedef struct names {
    char ensemble[2 * GK_ID + 1];
    char fingerprint[2 * 8 + 1];
} names;

static gk_err name(names *out, const gk_keyring *kr)
{
    uint8_t fingerprint[8];
    gk_err e = gk_keyring_fingerprint(kr, fingerprint);

    cli_hex(out->ensemble, gk_keyring_ensemble(kr), GK_ID);
    cli_hex(out->fingerprint, fingerprint, sizeof(fingerprint));
    return e;
}

static const char *state_name(gk_key_state s)
{
    return s == GK_KEY_ACTIVE ? "active" : "decrypt";
}

/* print_json prints and frees a document; made tells whether all its parts could be made. */
static int print_json(cJSON *doc, bool made)
{
    if (made)
        return cli_json(doc);
    cJSON_Delete(doc);
    return cli_out_of_memory();
}

/* new_json starts a document with what every subcommand prints. */
static cJSON *new_json(const names *n, const char *file)
{
    cJSON *doc = cJSON_CreateObject();

    if ((file != NULL && cJSON_AddStringToObject(doc, "file", file) == NULL) ||
        cJSON_AddNumberToObject(doc, "format", gk_keyring_format()) == NULL ||
        cJSON_AddStringToObject(doc, "ensemble", n->ensemble) == NULL ||
        cJSON_AddStringToObject(doc, "fingerprint", n->fingerprint) == NULL) {
        cJSON_Delete(doc);
        doc = NULL;
    }
    return doc;
}

/* load opens FILE and names what it holds; NULL when that failed and was told, with the exit code in *code. */
static gk_keyring *load(const char *file, names *n, int *code)
{
    gk_keyring *kr = NULL;
    char why[WHY] = {0};
    gk_err e = gk_keyring_load(&kr, file, why, sizeof(why));

    *code = CLI_OK;
    if (e == GK_OK)
        e = name(n, kr);
    if (e == GK_OK)
        return kr;
    gk_keyring_free(kr);
    if (why[0] == '\0') {
        *code = cli_fail(cli_code(e), NULL, "keyring %s cannot be loaded: %s", file, gk_err_str(e));
        return NULL;
    }
    *code = cli_fail_why(e, why);
    return NULL;
}

static int run_init(admin_options *o, int argc, char **argv)
{
    gk_keyring *kr = NULL;
    names n = {0};
    int code = CLI_OK;
    gk_err e = GK_OK;

    if (!admin_parse(o, NULL, "gk-admin keyring init", init_help, 1, 1, &argc, &argv, &code))
        return code;
    e = gk_keyring_generate(&kr);
    if (e == GK_OK)
        e = name(&n, kr);
    if (e == GK_OK)
        e = gk_keyring_save(kr, argv[0]);
    gk_keyring_free(kr);
    if (e == GK_ERR_EXISTS)
        return cli_fail("EXISTS", "a keyring is never overwritten; look at it by gk-admin keyring show, or name another file",
                        "%s exists already", argv[0]);
    if (e == GK_ERR_IO)
        return cli_fail("IO", "the folder must exist and be writable", "%s cannot be written: %s", argv[0], strerror(errno));
    if (e != GK_OK)
        return cli_fail(cli_code(e), NULL, "no keyring was made: %s", gk_err_str(e));
    if (o->json) {
        cJSON *doc = new_json(&n, argv[0]);

        return print_json(doc, doc != NULL);
    }
    printf("%s made: ensemble %s, fingerprint %s\n", argv[0], n.ensemble, n.fingerprint);
    puts("Copy it to each server (mode 0600), and keep a backup: without it the ensemble's data cannot be read.");
    return cli_flush();
}

static bool add_key(cJSON *keys, const gk_key_info *info, const char *zone)
{
    cJSON *key = cJSON_CreateObject();
    char created[CLI_TIME];

    cli_time(created, info->created_ms);
    if (key == NULL || !cJSON_AddItemToArray(keys, key)) {
        cJSON_Delete(key);
        return false;
    }
    return cJSON_AddNumberToObject(key, "id", info->id) != NULL && cJSON_AddStringToObject(key, "zone", zone) != NULL &&
           cJSON_AddStringToObject(key, "purpose", gk_purpose_str(info->purpose)) != NULL &&
           cJSON_AddStringToObject(key, "state", state_name(info->state)) != NULL &&
           cJSON_AddStringToObject(key, "created", created) != NULL;
}

static int show_json(const gk_keyring *kr, const names *n)
{
    cJSON *doc = new_json(n, NULL);
    cJSON *keys = cJSON_AddArrayToObject(doc, "keys");
    bool made = keys != NULL;

    for (size_t i = 0; i < gk_keyring_count(kr) && made; i++) {
        gk_key_info info = {0};

        made = gk_keyring_info(kr, i, &info) == GK_OK && add_key(keys, &info, gk_keyring_zone_name(kr));
    }
    return print_json(doc, made);
}

static int show_table(const gk_keyring *kr, const names *n)
{
    printf("format       %u\nensemble     %s\nfingerprint  %s\n\n", gk_keyring_format(), n->ensemble, n->fingerprint);
    printf("%10s  %-12s %-8s %-8s %-24s  %-16s  %s\n", "ID", "ZONE", "PURPOSE", "STATE", "CREATED", "CHECK VALUE", "ORIGIN");
    for (size_t i = 0; i < gk_keyring_count(kr); i++) {
        gk_key_info info = {0};
        char created[CLI_TIME];
        char check[2 * 8 + 1];

        if (gk_keyring_info(kr, i, &info) != GK_OK)
            break;
        cli_time(created, info.created_ms);
        cli_hex(check, info.check_value, 8);
        printf("%10u  %-12s %-8s %-8s %-24s  %-16s  %s\n", info.id, gk_keyring_zone_name(kr), gk_purpose_str(info.purpose),
               state_name(info.state), created, check, info.derived ? "from the seed" : "stored");
    }
    return cli_flush();
}

static int run_show(admin_options *o, int argc, char **argv)
{
    gk_keyring *kr = NULL;
    names n = {0};
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin keyring show", show_help, 1, 1, &argc, &argv, &code))
        return code;
    kr = load(argv[0], &n, &code);
    if (kr == NULL)
        return code;
    code = o->json ? show_json(kr, &n) : show_table(kr, &n);
    gk_keyring_free(kr);
    return code;
}

static int run_verify(admin_options *o, int argc, char **argv)
{
    gk_keyring *kr = NULL;
    names n = {0};
    size_t count = 0;
    int code = CLI_OK;

    if (!admin_parse(o, NULL, "gk-admin keyring verify", verify_help, 1, 1, &argc, &argv, &code))
        return code;
    kr = load(argv[0], &n, &code);
    if (kr == NULL)
        return code;
    count = gk_keyring_count(kr);
    gk_keyring_free(kr);
    if (o->json) {
        cJSON *doc = new_json(&n, argv[0]);

        return print_json(doc, doc != NULL && cJSON_AddTrueToObject(doc, "ok") != NULL);
    }
    printf("%s is sound: %zu keys, fingerprint %s\n", argv[0], count, n.fingerprint);
    return cli_flush();
}

static const admin_command commands[] = {
    {"init", run_init},
    {"show", run_show},
    {"verify", run_verify},
    {0},
};

int admin_keyring(admin_options *o, int argc, char **argv)
{
    return admin_dispatch(o, "gk-admin keyring", help, commands, argc, argv);
}
