/* What a key agreement computes and sends, by protocol and number of parties: no network, no disk, one thread. CPU time of this thread, so that a busy
 * machine matters less. A line of JSON for each size, and one for view keys.
 *   critical_us  per round the slowest party's work, summed over the rounds: what a run takes when messages take no time and each party has a CPU
 *   party_us     the work of the party that has most of it
 * From 17 parties on, four parties (both ends and the middle, where the root's children are) do all of their work and are measured; the others'
 * messages are real, but they are handed the values without checking signatures.
 * usage: agreement [--repeat N] SIZE... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../native/crypto/gk_sign.h"
#include "../../native/group/gk_agreement_internal.h"
#include "../../native/group/gk_run_internal.h"

#define MEASURE_ALL 16

typedef struct bench {
    size_t n;
    gk_party *parties;
    gk_key **identities;
    gk_run **runs;
    double *us;    /* by party, in this run */
    size_t *nodes; /* by party and message */
} bench;

typedef struct cost {
    double critical_us;
    double party_us;
    unsigned rounds;
    size_t messages;
    size_t bytes;
    unsigned base; /* X25519 of the party with most of them */
    unsigned shared;
    unsigned checks;
} cost;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool measured(const bench *b, size_t i)
{
    return b->n <= MEASURE_ALL || i == 0 || i == b->n - 1 || i == (b->n + 1) / 2 || i == (b->n + 1) / 2 - 1;
}

/* number notes which node each party's messages are for: the same in all runs among so many. */
static void number(bench *b)
{
    const gk_run *r = b->runs[0];

    for (size_t v = 1; v < r->n_values; v++) {
        if (r->values[v].n != 0)
            b->nodes[r->values[v].party * GK_RUN_SENT + r->values[v].seq] = v;
    }
}

/* hand gives a party another's message without a check. */
static void hand(const bench *b, gk_run *to, const gk_run *from, size_t k)
{
    size_t node = b->nodes[from->me * GK_RUN_SENT + k];
    gk_run_value *value = &to->values[node];

    if (k >= from->own_nodes[from->me]) {
        memcpy(to->confirms[from->me], from->confirms[from->me], 32);
        to->confirmed[from->me] = true;
        return;
    }
    must(value->n != 0 && value->party == from->me && value->p == NULL);
    value->p = malloc(value->n);
    must(value->p != NULL);
    memcpy(value->p, from->values[node].p, value->n);
}

static double advance(gk_run *r)
{
    double start = now_us();

    must(gk_run_advance(r) == GK_OK);
    return now_us() - start;
}

/* round_of: everybody hears what was said in the round before, and computes. Gives the slowest party's time; *news: what was said. */
static double round_of(bench *b, size_t *said, size_t *now_said, size_t *news)
{
    double slowest = 0;

    *news = 0;
    for (size_t i = 0; i < b->n; i++) {
        double us = 0;

        for (size_t j = 0; j < b->n; j++) {
            for (size_t k = now_said[j]; j != i && k < said[j]; k++) {
                double start = now_us();

                if (!measured(b, i)) {
                    hand(b, b->runs[i], b->runs[j], k);
                    continue;
                }
                must(gk_run_receive(b->runs[i], gk_run_sent(b->runs[j], k)) == GK_OK);
                us += now_us() - start;
            }
        }
        us += advance(b->runs[i]);
        b->us[i] += us;
        if (measured(b, i) && us > slowest)
            slowest = us;
    }
    for (size_t i = 0; i < b->n; i++) {
        now_said[i] = said[i];
        *news += b->runs[i]->n_sent - said[i];
        said[i] = b->runs[i]->n_sent;
    }
    return slowest;
}

static cost run_once(bench *b, gk_protocol protocol)
{
    static const uint8_t ensemble_id[16] = {'b', 'e', 'n', 'c', 'h'};
    size_t *said = calloc(b->n, sizeof(*said));
    size_t *heard = calloc(b->n, sizeof(*heard));
    size_t news = 1;
    cost c = {0};

    must(said != NULL && heard != NULL);
    for (size_t i = 0; i < b->n; i++) {
        double start = now_us();

        must(gk_run_new(&b->runs[i], protocol, ensemble_id, b->parties, b->n, b->parties[i].id, b->identities[i]) == GK_OK);
        b->us[i] = now_us() - start;
        if (measured(b, i) && b->us[i] > c.critical_us)
            c.critical_us = b->us[i];
    }
    number(b);
    while (news > 0) {
        c.critical_us += round_of(b, said, heard, &news);
        c.rounds += news > 0;
    }
    for (size_t i = 0; i < b->n; i++) {
        const gk_run_counts *counts = gk_run_count(b->runs[i]);

        must(gk_run_agreed(b->runs[i]) && memcmp(gk_run_hash(b->runs[i]), gk_run_hash(b->runs[0]), GK_RUN_HASH) == 0);
        for (size_t k = 0; gk_run_sent(b->runs[i], k).n > 0; k++) {
            c.messages++;
            c.bytes += gk_run_sent(b->runs[i], k).n;
        }
        if (measured(b, i)) {
            c.party_us = b->us[i] > c.party_us ? b->us[i] : c.party_us;
            c.checks = counts->checks > c.checks ? counts->checks : c.checks;
        }
        c.base = counts->x25519_base > c.base ? counts->x25519_base : c.base;
        c.shared = counts->x25519_shared > c.shared ? counts->x25519_shared : c.shared;
    }
    for (size_t i = 0; i < b->n; i++)
        gk_run_free(b->runs[i]);
    free(said);
    free(heard);
    return c;
}

static int by_time(const void *a, const void *b)
{
    double x = ((const cost *)a)->critical_us;
    double y = ((const cost *)b)->critical_us;

    return (x > y) - (x < y);
}

static void measure(size_t n, size_t repeat)
{
    bench b = {n,
               calloc(n, sizeof(gk_party)),
               calloc(n, sizeof(gk_key *)),
               calloc(n, sizeof(gk_run *)),
               calloc(n, sizeof(double)),
               calloc(n * GK_RUN_SENT, sizeof(size_t))};
    cost *costs = calloc(repeat, sizeof(*costs));

    must(b.parties != NULL && b.identities != NULL && b.runs != NULL && b.us != NULL && b.nodes != NULL && costs != NULL);
    for (size_t i = 0; i < n; i++) {
        must(gk_key_generate(&b.identities[i], GK_PURPOSE_SIGN, 0) == GK_OK);
        must(gk_sign_public(b.parties[i].public_key, b.identities[i]) == GK_OK);
        b.parties[i].id = i + 1;
    }
    for (int p = GK_TGDH; p <= GK_CKD; p++) {
        cost *m = NULL;

        for (size_t k = 0; k < repeat; k++)
            costs[k] = run_once(&b, (gk_protocol)p);
        qsort(costs, repeat, sizeof(*costs), by_time);
        m = &costs[repeat / 2];
        printf(
            "{\"protocol\":\"%s\",\"n\":%zu,\"repeat\":%zu,\"critical_us\":%.1f,\"critical_us_best\":%.1f,\"party_us\":%.1f,\"rounds\":%u,"
            "\"messages\":%zu,\"bytes\":%zu,\"x25519_base\":%u,\"x25519_shared\":%u,\"checks\":%u}\n",
            p == GK_TGDH ? "tgdh" : "ckd", n, repeat, m->critical_us, costs[0].critical_us, m->party_us, m->rounds, m->messages, m->bytes,
            m->base, m->shared, m->checks);
        (void)fflush(stdout);
    }
    for (size_t i = 0; i < n; i++)
        gk_key_free(b.identities[i]);
    free(b.parties);
    free(b.identities);
    free(b.runs);
    free(b.us);
    free(b.nodes);
    free(costs);
}

/* view_keys: what a join or a leave costs where the servers make the keys. */
static void view_keys(void)
{
    enum { TIMES = 20000 };
    static const uint8_t ensemble_id[16] = {1};
    gk_view v = {.tag = {1}, .czxid = 1};
    gk_current c = {.n = 1, .ids = {1}};
    uint8_t current[GK_CURRENT_MAX];
    uint8_t key[GK_VIEW_KEY];
    uint8_t id[GK_KEY_ID];
    gk_secrets *s = NULL;
    gk_key *ks = NULL;
    size_t n = 0;
    double start = 0;

    must(gk_key_generate(&ks, GK_PURPOSE_AGREED, 0) == GK_OK && gk_secrets_new(&s, ensemble_id) == GK_OK);
    must(gk_secrets_offer(s, c.hash, ks) == GK_OK && gk_current_write(current, sizeof(current), &n, &c) == GK_OK);
    start = now_us();
    for (uint64_t i = 0; i < TIMES; i++) {
        v.pzxid = i;
        must(gk_derive_view(key, id, s, &v, (gk_bytes){current, n}) == GK_OK);
    }
    printf("{\"view_key_us\":%.3f}\n", (now_us() - start) / TIMES);
    gk_secrets_free(s);
    gk_key_free(ks);
}

int main(int argc, char **argv)
{
    size_t repeat = 5;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--repeat") == 0 && i + 1 < argc)
            repeat = strtoul(argv[++i], NULL, 10);
        else if (strtoul(argv[i], NULL, 10) > 0 && strtoul(argv[i], NULL, 10) <= GK_RUN_PARTIES && repeat > 0)
            measure(strtoul(argv[i], NULL, 10), repeat);
        else {
            fprintf(stderr, "usage: agreement [--repeat N] SIZE...\n");
            return 2;
        }
    }
    view_keys();
    return 0;
}
