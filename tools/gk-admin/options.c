#include <string.h>

#include "admin.h"

static bool parse(admin_options *o, const cli_option *own, const char *path, const char *help, bool subcommands, int *argc, char ***argv,
                  int *code)
{
    const cli_option common[] = {
        {"json", CLI_FLAG, &o->json},
        {"connect", CLI_STRING, &o->connect},
        {"ca", CLI_STRING, &o->ca},
        {"cert", CLI_STRING, &o->cert},
        {"key", CLI_STRING, &o->key},
        {"auth-file", CLI_STRING, &o->auth_file},
        {"root", CLI_STRING, &o->root},
        {"admin-key", CLI_STRING, &o->admin_key},
        {"timeout", CLI_DURATION, &o->timeout_ms},
        {0},
    };

    return cli_parse(common, own, path, help, subcommands, argc, argv, code);
}

int admin_dispatch(admin_options *o, const char *path, const char *help, const admin_command *table, int argc, char **argv)
{
    int code = CLI_OK;

    if (!parse(o, NULL, path, help, true, &argc, &argv, &code))
        return code;
    if (argc < 1)
        return cli_usage(path, "%s needs a subcommand", path);
    for (const admin_command *c = table; c->name != NULL; c++) {
        if (strcmp(c->name, argv[0]) == 0)
            return c->run(o, argc, argv);
    }
    return cli_usage(path, "%s has no subcommand \"%s\"", path, argv[0]);
}

bool admin_parse(admin_options *o, const cli_option *own, const char *path, const char *help, int least, int most, int *argc, char ***argv,
                 int *code)
{
    return parse(o, own, path, help, false, argc, argv, code) && cli_operands(path, least, most, *argc, code);
}
