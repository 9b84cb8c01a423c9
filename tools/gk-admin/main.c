#include "admin.h"

static const char help[] = "usage: gk-admin [--json] COMMAND ...\n"
                           "\n"
                           "Administers Groupkeeper: encrypted ZooKeeper ensembles and their group keys.\n"
                           "\n"
                           "commands:\n"
                           "  keyring    make, show and verify keyring files\n"
                           "\n"
                           "options, at every level:\n"
                           "  --json     one JSON document on stdout instead of text\n"
                           "  --help     usage and an example\n"
                           "  --version  the version\n"
                           "\n"
                           "example:\n"
                           "  gk-admin keyring init /etc/groupkeeper/keyring\n";

static const admin_command commands[] = {
    {"keyring", admin_keyring},
    {0},
};

int main(int argc, char **argv)
{
    admin_options options = {0};

    return admin_dispatch(&options, "gk-admin", help, commands, argc, argv);
}
