#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../native/base/gk_version.h"
#include "admin.h"

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static void print_error(const char *code, const char *hint, const char *format, va_list args)
{
    fprintf(stderr, "gk-admin: error: %s: ", code);
    vfprintf(stderr, format, args);
    if (hint != NULL)
        fprintf(stderr, " (hint: %s)", hint);
    fputc('\n', stderr);
}

int admin_fail(const char *code, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(code, hint, format, args);
    va_end(args);
    return ADMIN_FAILED;
}

int admin_usage(const char *path, const char *format, ...)
{
    char hint[128];
    va_list args;

    (void)snprintf(hint, sizeof(hint), "see %s --help", path);
    va_start(args, format);
    print_error("USAGE", hint, format, args);
    va_end(args);
    return ADMIN_USAGE;
}

int admin_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return admin_fail("IO", "is the disk full, or the reader gone?", "standard output cannot be written: %s", strerror(errno));
    return ADMIN_OK;
}

/* read_options handles what all levels have in common. short_options begins with '+' where options end at the first operand.
 * False when the command is done. */
static bool read_options(admin_options *o, const char *short_options, const char *path, const char *help, int argc, char **argv, int *code)
{
    int c = 0;

    optind = 0; /* each level starts anew: GNU's getopt forgets its place by 0 */
    opterr = 0;
    while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        switch (c) {
        case 'j': o->json = true; break;
        case 'h':
            fputs(help, stdout);
            *code = admin_flush();
            return false;
        case 'V':
            printf("gk-admin %s\n", GK_VERSION);
            *code = admin_flush();
            return false;
        default: *code = admin_usage(path, "unknown option, or an option without its value: %s", argv[optind - 1]); return false;
        }
    }
    return true;
}

int admin_dispatch(admin_options *o, const char *path, const char *help, const admin_command *table, int argc, char **argv)
{
    int code = ADMIN_OK;

    if (!read_options(o, "+", path, help, argc, argv, &code))
        return code;
    argc -= optind;
    argv += optind;
    if (argc < 1)
        return admin_usage(path, "%s needs a subcommand", path);
    for (const admin_command *c = table; c->name != NULL; c++) {
        if (strcmp(c->name, argv[0]) == 0)
            return c->run(o, argc, argv);
    }
    return admin_usage(path, "%s has no subcommand \"%s\"", path, argv[0]);
}

bool admin_operands(admin_options *o, const char *path, const char *help, int n, int argc, char ***argv, int *code)
{
    if (!read_options(o, "", path, help, argc, *argv, code))
        return false;
    if (argc - optind != n) {
        *code = admin_usage(path, "%s takes %d argument%s, not %d", path, n, n == 1 ? "" : "s", argc - optind);
        return false;
    }
    *argv += optind;
    return true;
}

const char *admin_code(gk_err e)
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

void admin_hex(char *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

void admin_time(char out[ADMIN_TIME], uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm t = {0};
    size_t n = 0;

    /* 2^64 ms lie within what a 64-bit time_t and tm's year hold */
    if (gmtime_r(&seconds, &t) != NULL)
        n = strftime(out, ADMIN_TIME - 8, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(out + n, ADMIN_TIME - n, ".%03uZ", (unsigned)(ms % 1000));
}
