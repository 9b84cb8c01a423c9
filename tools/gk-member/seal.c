/* gk-member seal, open: standard input to standard output under the group's key. The key is the state file's: up to date while run follows the group,
 * else brought up to date first. */
#include <stdlib.h>
#include <string.h>

#include "../../native/base/gk_bytes.h"
#include "../common/gk_io.h"
#include "member.h"

enum { MOST = 256 * 1024 * 1024 };

static const char seal_help[] =
    "usage: gk-member seal G --state F [--allow-stale] < in > out\n\nEncrypts under the group's current key. Works beside run.\n\n"
    "example:\n  gk-member seal payments --state app-1.state < plain > sealed\n";
static const char open_help[] =
    "usage: gk-member open G --state F < in > out\n\nDecrypts what a member sealed in the current epoch. Works beside run.\n\n"
    "example:\n  gk-member open payments --state app-1.state < sealed > plain\n";

/* up_to_date follows the group for a moment, unless a run does so or nobody can be reached. */
static int up_to_date(member_options *o, gkm **m)
{
    char why[512] = {0};
    uint64_t epoch = 0;
    uint8_t key[GKM_KEY];
    gkm_status s = {0};
    gkm_result r = gkm_open(m, &o->m, why, sizeof(why));

    if (r == GKM_OK) {
        for (int64_t waited = 0; waited < o->wait_ms; waited += 50) {
            bool done = gkm_status_get(*m, &s) == GKM_OK && s.connected && s.epoch >= s.highest_epoch && gkm_key(*m, key, &epoch) == GKM_OK;

            (void)gkm_wait(*m, UINT64_MAX - 1, 50);
            if (done || s.out)
                break;
        }
        gk_wipe(key, sizeof(key));
        return CLI_OK;
    }
    return r == GKM_BUSY ? member_peek(o, m) : member_fail(r, why);
}

static int convert(int argc, char **argv, bool seal)
{
    member_options o = {.wait_ms = 3000};
    bool stale = false;
    const cli_option own[] = {{"allow-stale", CLI_FLAG, &stale}, {0}};
    gkm *m = NULL;
    uint8_t *in = NULL;
    uint8_t *out = NULL;
    size_t in_n = 0;
    size_t out_n = 0;
    char why[512] = {0};
    gk_err e = GK_OK;
    gkm_result r = GKM_NOMEM;
    int code = CLI_OK;

    if (!member_parse(&o, own, seal ? "gk-member seal" : "gk-member open", seal ? seal_help : open_help, 1, argc, argv, &code))
        return code;
    e = gk_io_read("-", MOST, &in, &in_n, why, sizeof(why));
    if (e != GK_OK)
        return cli_fail_why(e, why);
    code = up_to_date(&o, &m);
    out_n = in_n + GKM_OVERHEAD;
    out = code == CLI_OK ? malloc(out_n) : NULL;
    if (out != NULL)
        r = !seal   ? gkm_unseal(m, out, &out_n, in, in_n)
            : stale ? gkm_seal_stale(m, out, &out_n, in, in_n)
                    : gkm_seal(m, out, &out_n, in, in_n);
    if (code == CLI_OK && r != GKM_OK)
        code = member_fail(r, "");
    else if (code == CLI_OK && fwrite(out, 1, out_n, stdout) != out_n)
        code = cli_fail("IO", "is the disk full?", "standard output cannot be written");
    gkm_close(m);
    gk_wipe(in, in_n);
    free(in);
    free(out);
    return code == CLI_OK ? cli_flush() : code;
}

int member_seal(int argc, char **argv)
{
    return convert(argc, argv, true);
}

int member_open(int argc, char **argv)
{
    return convert(argc, argv, false);
}
