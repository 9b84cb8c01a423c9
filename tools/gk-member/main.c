#include <stdlib.h>
#include <string.h>

#include "member.h"

static const char help[] =
    "usage: gk-member COMMAND ...\n"
    "\n"
    "A member of a group: joins, holds the group's key, follows every rekey.\n"
    "\n"
    "commands:\n"
    "  join G     ask for admission, and make the state file\n"
    "  run G      follow the group: a line on stdout, a file, a program or a signal for each key\n"
    "  show       what the state file knows\n"
    "  leave G    ask to be taken out\n"
    "  refresh G  ask for the current key anew\n"
    "  seal G     encrypt standard input under the group's key\n"
    "  open G     decrypt it\n"
    "\n"
    "options of all commands:\n"
    "  --state F         the member's state file (needed)\n"
    "  --state-key F     32 bytes that it is sealed under; without it the file is plain, mode 0600\n"
    "  --connect H:P,..  the ensemble (default: as at join, or $GK_CONNECT)\n"
    "  --ca F            speak TLS, and believe servers with a certificate of this CA for their address\n"
    "  --cert F --key F  the member's certificate and key; over TLS ZooKeeper sees it, too\n"
    "  --auth-file F     SCHEME:CREDENTIALS for ZooKeeper\n"
    "  --root PATH       where everything lies in ZooKeeper (default: /groupkeeper)\n"
    "  --help, --version\n"
    "\n"
    "example:\n"
    "  gk-member join payments --as app-1 --state app-1.state --token-file app-1.token --connect zk1:2182 --ca ca.pem\n"
    "  gk-member run payments --state app-1.state --out /run/app/payments.key\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"join", member_join},       {"run", member_run},   {"show", member_show}, {"leave", member_leave},
                {"refresh", member_refresh}, {"seal", member_seal}, {"open", member_open}};

int main(int argc, char **argv)
{
    int code = CLI_OK;

    cli_tool = "gk-member";
    if (!cli_parse(NULL, NULL, "gk-member", help, true, &argc, &argv, &code))
        return code;
    if (argc < 1)
        return cli_usage("gk-member", "gk-member needs a command");
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(commands[i].name, argv[0]) == 0)
            return commands[i].run(argc, argv);
    }
    return cli_usage("gk-member", "gk-member has no command \"%s\"", argv[0]);
}
