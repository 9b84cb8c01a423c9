#include "admin.h"

static const char help[] = "usage: gk-admin [--json] COMMAND ...\n"
                           "\n"
                           "Administers Groupkeeper: encrypted ZooKeeper ensembles and their group keys.\n"
                           "\n"
                           "commands:\n"
                           "  keyring     make, show and verify keyring files\n"
                           "  identity    make keys of administrators and controllers\n"
                           "  setup       say who may administer and control: once\n"
                           "  controller  run a controller; status, handover, add, remove\n"
                           "  ca          a small CA for members' certificates\n"
                           "  group       create, list, show, rekey, policy, recover, delete, trust\n"
                           "  member      list, show, approve, deny, evict, allow\n"
                           "  token       create and revoke passes for new members\n"
                           "  servers     the secret that servers agreed on\n"
                           "  audit       who did what, and why\n"
                           "  doctor      what is wrong?\n"
                           "\n"
                           "options, at every level:\n"
                           "  --connect H:P,..  the ensemble (default: $GK_CONNECT)\n"
                           "  --ca F            speak TLS, and believe servers with a certificate of this CA for their address\n"
                           "  --cert F --key F  show this certificate to the servers\n"
                           "  --auth-file F     its first line is SCHEME:CREDENTIALS for ZooKeeper, as in digest:user:password\n"
                           "  --root PATH       where everything lies in ZooKeeper (default: /groupkeeper)\n"
                           "  --admin-key F     the administrator's signing key (default: ~/.config/groupkeeper/admin.key)\n"
                           "  --timeout T       how long to wait (default: 10s)\n"
                           "  --json            one JSON document on stdout instead of text\n"
                           "  --help            usage and an example\n"
                           "  --version         the version\n"
                           "\n"
                           "example:\n"
                           "  gk-admin keyring init /etc/groupkeeper/keyring\n";

static const admin_command commands[] = {
    {"keyring", admin_keyring},
    {"identity", admin_identity},
    {"setup", admin_setup},
    {"controller", admin_controller},
    {"ca", admin_ca},
    {"group", admin_group},
    {"member", admin_member},
    {"token", admin_token},
    {"servers", admin_servers},
    {"audit", admin_audit},
    {"doctor", admin_doctor},
    {0},
};

int main(int argc, char **argv)
{
    admin_options options = {.root = "/groupkeeper", .timeout_ms = 10000};

    cli_tool = "gk-admin";
    return admin_dispatch(&options, "gk-admin", help, commands, argc, argv);
}
