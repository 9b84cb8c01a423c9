#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "member.h"

bool member_parse(member_options *o, const cli_option *own, const char *path, const char *help, int least, int argc, char **argv, int *code)
{
    const cli_option common[] = {{"json", CLI_FLAG, &o->json},
                                 {"state", CLI_STRING, &o->m.state},
                                 {"state-key", CLI_STRING, &o->m.state_key},
                                 {"connect", CLI_STRING, &o->m.connect},
                                 {"ca", CLI_STRING, &o->m.ca},
                                 {"cert", CLI_STRING, &o->m.cert},
                                 {"key", CLI_STRING, &o->m.key},
                                 {"auth-file", CLI_STRING, &o->m.auth_file},
                                 {"root", CLI_STRING, &o->m.root},
                                 {"wait", CLI_DURATION, &o->wait_ms},
                                 {0}};

    o->m.size = sizeof(o->m);
    if (!cli_parse(common, own, path, help, false, &argc, &argv, code) || !cli_operands(path, least, 1, argc, code))
        return false;
    if (o->server_keyed == (o->m.state != NULL)) {
        *code = cli_usage(path, o->server_keyed ? "--server-keyed goes without --state" : "--state FILE is needed");
        return false;
    }
    if ((o->m.cert == NULL) != (o->m.key == NULL)) {
        *code = cli_usage(path, "--cert and --key go together");
        return false;
    }
    o->m.group = argc > 0 ? argv[0] : NULL;
    return true;
}

int member_fail(gkm_result r, const char *why)
{
    static const char *const codes[] = {"OK",      "TIMEOUT", "NOMEM", "ARG",   "FILE",    "BUSY", "CONNECT",
                                        "REFUSED", "PENDING", "NOKEY", "STALE", "EVICTED", "AUTH", "STATE"};
    static const char *const hints[] = {"",
                                        "is a controller running? gk-admin controller status",
                                        "free some memory",
                                        "see --help",
                                        "look at the file's name, owner and mode",
                                        "one run per state file at a time",
                                        "is the ensemble up, and are --connect and the certificates right?",
                                        "ask the group's administrator",
                                        "gk-admin member approve; then run this again",
                                        "it was sealed under a key that this member doesn't have",
                                        "look after the controllers",
                                        "gk-admin member allow, and join with a new state file",
                                        "somebody may have tampered",
                                        "join first, or use another state file"};

    return cli_fail(codes[r], hints[r], "%s%s%s", gkm_result_text(r), why[0] == '\0' ? "" : ": ", why);
}

int member_peek(member_options *o, gkm **m)
{
    char why[512] = {0};
    gkm_result r = GKM_OK;

    r = gkm_peek(m, &o->m, why, sizeof(why));
    return r == GKM_OK ? CLI_OK : member_fail(r, why);
}
