#include "gk_schedule.h"

#include <stdlib.h>
#include <string.h>

#include "../../native/crypto/gk_sign.h"

#define POOL 2048  /* messages under way */
#define OLD 256    /* messages of earlier runs, to be replayed */
#define SECRETS 64 /* that were agreed on in one schedule */

typedef struct mail {
    size_t to;
    uint8_t *p;
    size_t n;
    bool hostile;
} mail;

typedef struct member {
    gk_key *identity;
    uint8_t public_key[32];
    uint8_t nonce[GK_RUN_NONCE];
    size_t group; /* 0: none; members of one group are together */
    gk_run *run;
    size_t told; /* messages of the run that it has sent */
    bool noted;  /* its secret is noted */
} member;

typedef struct world {
    uint64_t rng;
    gk_protocol protocol;
    size_t n;
    member members[SCHEDULE_PARTIES];
    mail pool[POOL];
    size_t n_pool;
    mail old[OLD];
    size_t n_old;
    uint8_t secrets[SECRETS][8]; /* check values */
    uint8_t hashes[SECRETS][GK_RUN_HASH];
    size_t n_secrets;
    const char *wrong;
    schedule_result *result;
} world;

static const uint8_t ensemble_id[16] = {'s', 'c', 'h', 'e', 'd', 'u', 'l', 'e'};

/* splitmix64: the same schedule for the same seed */
static uint64_t draw(world *w, uint64_t below)
{
    uint64_t z = w->rng += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return (z ^ z >> 31) % below;
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void wrong(world *w, const char *what)
{
    if (w->wrong == NULL)
        w->wrong = what;
}

/* --- the network ------------------------------------------------------------------------------------------------------------ */

static void post(world *w, size_t to, gk_bytes m, bool hostile)
{
    uint8_t *copy = NULL;

    if (w->n_pool == POOL)
        return; /* lost */
    copy = malloc(m.n + 1);
    must(copy != NULL);
    memcpy(copy, m.p, m.n);
    w->pool[w->n_pool++] = (mail){to, copy, m.n, hostile};
}

static void keep_old(world *w, gk_bytes m)
{
    mail *slot = &w->old[w->n_old % OLD];

    free(slot->p);
    slot->p = malloc(m.n);
    must(slot->p != NULL);
    memcpy(slot->p, m.p, m.n);
    slot->n = m.n;
    w->n_old++;
}

/* tell sends a member's messages, from the given one on, to all who are with it. */
static void tell(world *w, size_t from, size_t first)
{
    member *m = &w->members[from];

    for (size_t i = first; m->run != NULL && gk_run_sent(m->run, i).n > 0; i++) {
        for (size_t to = 0; to < w->n; to++) {
            if (to != from && w->members[to].group == m->group)
                post(w, to, gk_run_sent(m->run, i), false);
        }
        if (i >= m->told)
            keep_old(w, gk_run_sent(m->run, i));
        m->told = i + 1 > m->told ? i + 1 : m->told;
    }
}

static void note_secret(world *w, member *m)
{
    uint8_t check[8];
    const uint8_t *hash = gk_run_hash(m->run);

    m->noted = true;
    must(gk_key_check_value(gk_run_secret(m->run), check) == GK_OK);
    if (m->run->secret != NULL || m->run->root != NULL)
        wrong(w, "a private key outlives its run");
    for (size_t i = 0; i < w->n_secrets; i++) {
        bool same_run = memcmp(w->hashes[i], hash, GK_RUN_HASH) == 0;

        if (same_run != (memcmp(w->secrets[i], check, 8) == 0))
            wrong(w, same_run ? "one transcript, two secrets" : "one secret for two transcripts");
        if (same_run)
            return;
    }
    must(w->n_secrets < SECRETS);
    memcpy(w->secrets[w->n_secrets], check, 8);
    memcpy(w->hashes[w->n_secrets++], hash, GK_RUN_HASH);
    w->result->agreed++;
}

static void advance(world *w, size_t who)
{
    member *m = &w->members[who];

    if (m->run == NULL)
        return;
    if (gk_run_advance(m->run) != GK_OK)
        wrong(w, "a run among honest parties failed");
    tell(w, who, m->told);
    if (gk_run_agreed(m->run) && !m->noted)
        note_secret(w, m);
}

static void deliver(world *w, size_t at, bool keep)
{
    mail m = w->pool[at];
    member *to = &w->members[m.to];

    if (to->run != NULL) {
        gk_err e = gk_run_receive(to->run, (gk_bytes){m.p, m.n});

        w->result->messages++;
        w->result->hostile += m.hostile;
        w->result->refused += e != GK_OK;
        advance(w, m.to);
    }
    if (keep)
        return;
    free(m.p);
    w->pool[at] = w->pool[--w->n_pool];
}

/* --- changes of membership --------------------------------------------------------------------------------------------------- */

static void new_nonce(world *w, size_t who)
{
    for (size_t i = 0; i < GK_RUN_NONCE; i++)
        w->members[who].nonce[i] = (uint8_t)draw(w, 256);
}

/* regroup begins a run among all members of a group, whatever they are at. */
static void regroup(world *w, size_t group)
{
    gk_party parties[SCHEDULE_PARTIES];
    size_t n = 0;
    bool cascade = false;

    for (size_t i = 0; i < w->n; i++) {
        member *m = &w->members[i];

        if (m->group != group)
            continue;
        if (n == 0)
            new_nonce(w, i); /* a set that comes together again is another run */
        parties[n].id = 10 + i;
        memcpy(parties[n].nonce, m->nonce, sizeof(m->nonce));
        memcpy(parties[n++].public_key, m->public_key, 32);
        cascade = cascade || (m->run != NULL && !gk_run_agreed(m->run));
    }
    if (n == 0)
        return;
    w->result->changes++;
    w->result->cascades += cascade;
    w->result->largest = n > w->result->largest ? (unsigned)n : w->result->largest;
    for (size_t i = 0; i < w->n; i++) {
        member *m = &w->members[i];

        if (m->group != group)
            continue;
        gk_run_free(m->run);
        m->told = 0;
        m->noted = false;
        must(gk_run_new(&m->run, w->protocol, ensemble_id, parties, n, 10 + i, m->identity) == GK_OK);
    }
    for (size_t i = 0; i < w->n; i++) {
        if (w->members[i].group == group)
            advance(w, i);
    }
}

static void change(world *w)
{
    size_t who = (size_t)draw(w, w->n);
    member *m = &w->members[who];
    size_t was = m->group;
    size_t other = 1 + (size_t)draw(w, 3);

    new_nonce(w, who);
    switch (draw(w, 5)) {
    case 0: /* join, or move to another group: a leave and a join */ m->group = other; break;
    case 1: /* leave */
        m->group = 0;
        gk_run_free(m->run);
        m->run = NULL;
        break;
    case 2: /* partition: every second one of a group goes its own way */
        for (size_t i = 0; i < w->n; i++) {
            if (w->members[i].group == other && (i + who) % 2 == 0) {
                w->members[i].group = 1 + other % 3;
                new_nonce(w, i);
            }
        }
        break;
    case 3: /* merge */
        for (size_t i = 0; i < w->n; i++) {
            if (w->members[i].group != 0) {
                w->members[i].group = other;
                new_nonce(w, i);
            }
        }
        break;
    default: break; /* refresh */
    }
    for (size_t g = 1; g <= 3; g++) {
        bool touched = g == was || g == m->group || g == other || g == 1 + other % 3;

        if (touched)
            regroup(w, g);
    }
}

/* --- hostility -------------------------------------------------------------------------------------------------------------- */

/* forge makes a message that fits the receiver's run, signed by somebody who may not: an outsider, or a party in another's place. */
static void forge(world *w, size_t to)
{
    member *m = &w->members[to];
    uint8_t buf[4096];
    gk_writer out = gk_writer_of(buf, sizeof(buf));
    size_t n = 0;
    const gk_party *parties = NULL;
    size_t node = 0;
    size_t claimed = 0;
    uint8_t *signature = NULL;

    if (m->run == NULL)
        return;
    parties = gk_run_parties(m->run, &n);
    node = (size_t)draw(w, m->run->n_values);
    claimed = node > 0 && m->run->values[node].n > 0 ? m->run->values[node].party : (size_t)draw(w, n);
    gk_run_label(&out, GK_LABEL "run message");
    gk_writer_u8(&out, (uint8_t)w->protocol);
    gk_writer_put(&out, gk_run_name(m->run), GK_RUN_HASH);
    gk_writer_u64(&out, parties[claimed].id);
    gk_writer_u32(&out, node == 0 ? m->run->own_nodes[claimed] : m->run->values[node].seq);
    gk_writer_u32(&out, (uint32_t)node);
    n = node == 0 ? 32 : m->run->values[node].n;
    gk_writer_u16(&out, (uint16_t)n);
    for (size_t i = 0; i < n; i++)
        gk_writer_u8(&out, (uint8_t)draw(w, 256));
    n = out.len;
    signature = gk_writer_reserve(&out, GK_SIGNATURE);
    if (out.err != GK_OK)
        return;
    /* any member's signature but the claimed one's */
    must(gk_sign_make(signature, w->members[(parties[claimed].id - 10 + 1) % w->n].identity, (gk_bytes){buf, n}) == GK_OK);
    post(w, to, (gk_bytes){buf, out.len}, true);
}

static void interfere(world *w)
{
    size_t at = w->n_pool > 0 ? (size_t)draw(w, w->n_pool) : 0;

    switch (draw(w, 5)) {
    case 0: /* lost */
        if (w->n_pool > 0) {
            free(w->pool[at].p);
            w->pool[at] = w->pool[--w->n_pool];
        }
        break;
    case 1: /* doubled */
        if (w->n_pool > 0)
            deliver(w, at, true);
        break;
    case 2: /* replayed from before, to anybody */
        if (w->n_old > 0) {
            const mail *m = &w->old[draw(w, w->n_old < OLD ? w->n_old : OLD)];

            post(w, (size_t)draw(w, w->n), (gk_bytes){m->p, m->n}, false);
        }
        break;
    case 3: /* changed */
        if (w->n_pool > 0 && w->pool[at].n > 0) {
            w->pool[at].p[draw(w, w->pool[at].n)] ^= (uint8_t)(1 + draw(w, 255));
            w->pool[at].hostile = true;
        }
        break;
    default: forge(w, (size_t)draw(w, w->n)); break;
    }
}

/* --- a schedule ------------------------------------------------------------------------------------------------------------- */

/* heal: the network works again. All messages are sent again until all agree. */
static void heal(world *w)
{
    for (size_t round = 0; round < 16; round++) {
        bool open = false;

        for (size_t i = 0; i < w->n; i++) {
            if (w->members[i].run != NULL && !gk_run_agreed(w->members[i].run)) {
                open = true;
                break;
            }
        }
        if (!open)
            return;
        for (size_t i = 0; i < w->n; i++) {
            tell(w, i, 0);
            while (w->n_pool > 0)
                deliver(w, (size_t)draw(w, w->n_pool), false);
        }
    }
    wrong(w, "no agreement though the network works");
}

/* compare: in each group all hold one secret, and no two groups the same. */
static void compare(world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        for (size_t j = 0; j < i; j++) {
            member *a = &w->members[i];
            member *b = &w->members[j];

            if (a->run == NULL || b->run == NULL)
                continue;
            if ((a->group == b->group) != (memcmp(gk_run_hash(a->run), gk_run_hash(b->run), GK_RUN_HASH) == 0))
                wrong(w, "two of a group don't agree, or two of two groups do");
        }
    }
}

const char *gk_schedule_run(uint64_t seed, gk_protocol protocol, size_t max, schedule_result *result)
{
    world *w = calloc(1, sizeof(*w));
    const char *what = NULL;

    must(w != NULL);
    w->rng = seed;
    w->protocol = protocol;
    w->result = result;
    w->n = 2 + (size_t)draw(w, max - 1);
    for (size_t i = 0; i < w->n; i++) {
        must(gk_key_generate(&w->members[i].identity, GK_PURPOSE_SIGN, 0) == GK_OK);
        must(gk_sign_public(w->members[i].public_key, w->members[i].identity) == GK_OK);
        new_nonce(w, i);
        w->members[i].group = 1;
    }
    regroup(w, 1);
    for (size_t steps = w->n + (size_t)draw(w, 8 * w->n); steps > 0 && w->wrong == NULL; steps--) {
        uint64_t what_now = draw(w, 100);

        if (what_now < 4 && w->n_secrets < SECRETS - 8)
            change(w);
        else if (what_now < 35)
            interfere(w);
        else if (w->n_pool > 0)
            deliver(w, (size_t)draw(w, w->n_pool), false);
    }
    heal(w);
    compare(w);
    what = w->wrong;
    for (size_t i = 0; i < w->n; i++) {
        gk_run_free(w->members[i].run);
        gk_key_free(w->members[i].identity);
    }
    for (size_t i = 0; i < w->n_pool; i++)
        free(w->pool[i].p);
    for (size_t i = 0; i < OLD; i++)
        free(w->old[i].p);
    free(w);
    return what;
}
