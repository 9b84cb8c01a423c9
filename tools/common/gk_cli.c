#include "gk_cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../native/base/gk_version.h"

enum { MAX_OPTIONS = 48, FIRST_ID = 1000, HELP_ID = 1, VERSION_ID = 2 };

const char *cli_tool = "gk";

static void print_error(const char *code, const char *hint, const char *format, va_list args)
{
    fprintf(stderr, "%s: error: %s: ", cli_tool, code);
    vfprintf(stderr, format, args);
    if (hint != NULL)
        fprintf(stderr, " (hint: %s)", hint);
    fputc('\n', stderr);
}

int cli_fail(const char *code, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(code, hint, format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_fail_why(gk_err e, const char *why)
{
    char text[512];
    char *hint = NULL;

    (void)snprintf(text, sizeof(text), "%s", why[0] == '\0' ? gk_err_str(e) : why);
    hint = strrchr(text, ':');
    if (hint != NULL && hint[1] == ' ') {
        *hint = '\0';
        hint += 2;
    } else {
        hint = NULL;
    }
    return cli_fail(cli_code(e), hint, "%s", text);
}

int cli_usage(const char *path, const char *format, ...)
{
    char hint[128];
    va_list args;

    (void)snprintf(hint, sizeof(hint), "see %s --help", path);
    va_start(args, format);
    print_error("USAGE", hint, format, args);
    va_end(args);
    return CLI_USAGE;
}

int cli_out_of_memory(void)
{
    return cli_fail("NOMEM", NULL, "out of memory");
}

int cli_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail("IO", "is the disk full, or the reader gone?", "standard output cannot be written: %s", strerror(errno));
    return CLI_OK;
}

int cli_json(cJSON *doc)
{
    char *text = doc == NULL ? NULL : cJSON_PrintUnformatted(doc);

    cJSON_Delete(doc);
    if (text == NULL)
        return cli_out_of_memory();
    puts(text);
    cJSON_free(text);
    return cli_flush();
}

bool cli_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end = NULL;
    long long n = 0;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || n < 0 || n > 1000000000)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *ms = n * units[i].ms;
            return true;
        }
    }
    return false;
}

/* set_option stores one option's value; false when it isn't of its kind. */
static bool set_option(const cli_option *o, const char *text)
{
    cli_list *list = o->value;
    char *end = NULL;

    switch (o->kind) {
    case CLI_FLAG: *(bool *)o->value = true; return true;
    case CLI_STRING: *(const char **)o->value = text; return true;
    case CLI_LIST:
        if (list->n == CLI_LIST_MAX)
            return false;
        list->items[list->n++] = text;
        return true;
    case CLI_DURATION: return cli_duration(text, o->value);
    case CLI_NUMBER:
        errno = 0;
        *(int64_t *)o->value = strtoll(text, &end, 10);
        return errno == 0 && end != text && *end == '\0' && *(int64_t *)o->value >= 0;
    }
    return false;
}

static size_t add_options(const cli_option *from, const cli_option **table, struct option *longs, size_t n)
{
    for (; from != NULL && from->name != NULL && n < MAX_OPTIONS; from++, n++) {
        table[n] = from;
        longs[n] = (struct option){
            .name = from->name, .has_arg = from->kind == CLI_FLAG ? no_argument : required_argument, .val = FIRST_ID + (int)n};
    }
    return n;
}

bool cli_parse(const cli_option *common, const cli_option *own, const char *path, const char *help, bool subcommands, int *argc,
               char ***argv, int *code)
{
    const cli_option *table[MAX_OPTIONS] = {0};
    struct option longs[MAX_OPTIONS + 3] = {0};
    size_t n = add_options(common, table, longs, 0);
    int c = 0;

    n = add_options(own, table, longs, n);
    longs[n] = (struct option){"help", no_argument, NULL, HELP_ID};
    longs[n + 1] = (struct option){"version", no_argument, NULL, VERSION_ID};
    optind = 0; /* each level starts anew: GNU's getopt forgets its place by 0 */
    opterr = 0;
    while ((c = getopt_long(*argc, *argv, subcommands ? "+" : "", longs, NULL)) != -1) {
        if (c == HELP_ID || c == VERSION_ID) {
            if (c == HELP_ID)
                fputs(help, stdout);
            else
                printf("%s %s\n", cli_tool, GK_VERSION);
            *code = cli_flush();
            return false;
        }
        if (c < FIRST_ID || c >= FIRST_ID + (int)n) {
            *code = cli_usage(path, "unknown option, or an option without its value: %s", (*argv)[optind - 1]);
            return false;
        }
        if (!set_option(table[c - FIRST_ID], optarg)) {
            *code = cli_usage(path, "--%s does not take \"%s\"", table[c - FIRST_ID]->name, optarg);
            return false;
        }
    }
    *argc -= optind;
    *argv += optind;
    return true;
}

bool cli_operands(const char *path, int least, int most, int argc, int *code)
{
    if (argc >= least && argc <= most)
        return true;
    if (least == most)
        *code = cli_usage(path, "%s takes %d argument%s, not %d", path, least, least == 1 ? "" : "s", argc);
    else
        *code = cli_usage(path, "%s takes at least %d argument%s, not %d", path, least, least == 1 ? "" : "s", argc);
    return false;
}

const char *cli_code(gk_err e)
{
    switch (e) {
    case GK_OK: return "OK";
    case GK_ERR_NOMEM: return "NOMEM";
    case GK_ERR_ARG: return "ARG";
    case GK_ERR_TRUNCATED: return "TRUNCATED";
    case GK_ERR_MALFORMED: return "MALFORMED";
    case GK_ERR_SPACE: return "SPACE";
    case GK_ERR_AUTH: return "AUTH";
    case GK_ERR_CRYPTO: return "CRYPTO";
    case GK_ERR_IO: return "IO";
    case GK_ERR_PERM: return "PERM";
    case GK_ERR_EXISTS: return "EXISTS";
    case GK_ERR_NOTFOUND: return "NOTFOUND";
    case GK_ERR_VERSION: return "VERSION";
    case GK_ERR_LIMIT: return "LIMIT";
    case GK_ERR_STATE: return "STATE";
    }
    return "UNKNOWN";
}
