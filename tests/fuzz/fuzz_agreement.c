/* What a server reads of the replicated state. The first byte chooses: 0, the rest is agreement/current; 1, a server's record; 2, a message of a run; 3, a
 * server's node, stepped on by a server of the same ensemble; else current, and a server's node behind a length. What parses must, written
 * again, be the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "../../native/crypto/gk_sign.h"
#include "../../native/group/gk_run_internal.h"
#include "../support/gk_ensemble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
    if (!ok)
        abort();
}

static void current(gk_bytes in)
{
    static gk_current c;
    static uint8_t out[GK_CURRENT_MAX];
    size_t n = 0;

    if (gk_current_read(&c, in) != GK_OK)
        return;
    check(gk_current_write(out, sizeof(out), &n, &c) == GK_OK);
    check(n == in.n && memcmp(out, in.p, n) == 0);
}

static void record(gk_bytes in)
{
    gk_reader r = gk_reader_of(in.p, in.n);
    gk_record rec;

    if (gk_record_read(&rec, &r) != GK_OK)
        return;
    check(rec.raw.p == in.p && rec.raw.n + r.n == in.n);
    check(rec.id != 0 && rec.reason >= GK_REASON_START && rec.reason <= GK_REASON_LOST);
}

/* message is handed to a run as it is, and again with the run's id, a party's id and place, and a good signature in it, so that the fuzzer gets past
 * the authentication. */
static void message(gk_bytes in)
{
    enum { HEAD = 2 + sizeof(GK_LABEL "run message") - 1 + 1 };
    static const uint8_t ensemble_id[16] = {1};
    gk_party parties[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
    gk_key *identities[3] = {0};
    gk_run *r = NULL;
    uint8_t *copy = malloc(in.n + 1);

    check(copy != NULL);
    for (size_t i = 0; i < 3; i++) {
        check(gk_key_generate(&identities[i], GK_PURPOSE_SIGN, 0) == GK_OK);
        check(gk_sign_public(parties[i].public_key, identities[i]) == GK_OK);
    }
    memcpy(copy, in.p, in.n);
    if (in.n > HEAD)
        check(gk_run_new(&r, copy[HEAD - 1] == GK_CKD ? GK_CKD : GK_TGDH, ensemble_id, parties, 3, 1, identities[0]) == GK_OK);
    if (r != NULL) {
        check(gk_run_advance(r) == GK_OK);
        check(gk_run_receive(r, in) != GK_OK);
    }
    if (r != NULL && in.n >= HEAD + GK_RUN_HASH + 8 + GK_SIGNATURE) {
        size_t who = 1 + copy[HEAD + GK_RUN_HASH + 7] % 2; /* the message's party */

        memcpy(copy + HEAD, gk_run_name(r), GK_RUN_HASH);
        memset(copy + HEAD + GK_RUN_HASH, 0, 7);
        copy[HEAD + GK_RUN_HASH + 7] = (uint8_t)(who + 1);
        check(gk_sign_make(copy + in.n - GK_SIGNATURE, identities[who], (gk_bytes){copy, in.n - GK_SIGNATURE}) == GK_OK);
        if (gk_run_receive(r, (gk_bytes){copy, in.n}) == GK_OK) {
            gk_err e = gk_run_advance(r);

            check(e == GK_OK || e == GK_ERR_AUTH); /* whatever it said, one party alone confirms nothing */
        }
        check(!gk_run_agreed(r));
    }
    gk_run_free(r);
    for (size_t i = 0; i < 3; i++)
        gk_key_free(identities[i]);
    free(copy);
}

/* nodes lets a server step on nodes that somebody wrote without its keyring: it stays alone, and agrees with itself. */
static void nodes(gk_bytes server, gk_bytes in_force)
{
    static gk_keyring *kr;
    ensemble *e = NULL;
    uint8_t ks_id[GK_KS_ID];

    if (server.n > GK_AGREEMENT_NODE + 64 || in_force.n > GK_AGREEMENT_NODE + 64)
        return;
    if (kr == NULL)
        check(gk_keyring_generate(&kr) == GK_OK);
    e = ensemble_new(kr);
    ensemble_put(e, "servers/7", server, 99);
    if (in_force.n > 0)
        ensemble_put(e, "agreement/current", in_force, 0);
    ensemble_start(e, 1);
    check(ensemble_settle(e, 10000));
    check(ensemble_agreed(e, ks_id));
    ensemble_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_bytes in = {0};

    if (size == 0)
        return 0;
    in = (gk_bytes){data + 1, size - 1};
    switch (data[0]) {
    case 0: current(in); break;
    case 1: record(in); break;
    case 2: message(in); break;
    case 3: nodes(in, (gk_bytes){0}); break;
    default:
        if (data[0] - 4U < in.n)
            nodes((gk_bytes){in.p + (data[0] - 4U), in.n - (data[0] - 4U)}, (gk_bytes){in.p, data[0] - 4U});
    }
    return 0;
}
