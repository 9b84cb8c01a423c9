/* A symbolic closure (Dolev and Yao) over the messages that the real controller made: who knows a key knows what is wrapped under it and what is derived
 * from it; nothing else is known. A coalition has all that its members were ever told and all messages, those of losing forks, too. It may
 * know the root of exactly those epochs in which one of it is a member. The same program must find each of four mutants. */
#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

enum { MAX_TERMS = 60000, MAX_EDGES = 200000, MAX_NODES = 20000, MAX_EPOCHS = 400, MAX_PEOPLE = 300 };

typedef enum mutant { NONE, DERIVED_ON_LEAVE, NO_SALT, REUSED_ID, UNSIGNED, MUTANTS } mutant;

/* A term: fresh(node, salt), or what a one-way function makes of another term. */
typedef struct term {
    char what; /* 'f' fresh, 'd' derived, 'r' ratcheted */
    uint32_t from;
    uint64_t node, epoch, salt;
} term;

typedef struct world { /* one branch's keys after some epoch: term of each node, 0: none */
    uint32_t of[MAX_NODES];
    bool leaf[MAX_NODES];
} world;

typedef struct person {
    uint64_t leaf;
    bool here[MAX_EPOCHS];        /* by index in `epochs` */
    uint32_t told[GK_PATH_NODES]; /* terms of the grant */
    size_t told_n;
} person;

static term terms[MAX_TERMS];
static uint32_t terms_n;
static uint32_t edges[MAX_EDGES][2];
static uint32_t edges_n;
static uint32_t roots[MAX_EPOCHS]; /* of each epoch of each branch */
static size_t epochs;
static person people[MAX_PEOPLE];
static size_t people_n;
static world main_world, fork_world;
static mutant mode;
static uint64_t reuse[MAX_NODES]; /* mutant: the id that stands for an id */

static uint32_t intern(term t)
{
    for (uint32_t i = terms_n; i > 1; i--) { /* no memcmp: padding */
        const term *x = &terms[i - 1];

        if (x->what == t.what && x->from == t.from && x->node == t.node && x->epoch == t.epoch && x->salt == t.salt)
            return i - 1;
        if (i + 3000 < terms_n)
            break; /* equal terms are made close to each other */
    }
    ck_assert_uint_lt(terms_n, MAX_TERMS);
    terms[terms_n] = t;
    return terms_n++;
}

static void edge(uint32_t from, uint32_t to)
{
    ck_assert(from != 0 && to != 0 && edges_n < MAX_EDGES);
    edges[edges_n][0] = from;
    edges[edges_n++][1] = to;
}

static uint64_t salt_of(const gk_epoch *e)
{
    uint64_t s;

    memcpy(&s, e->salt, sizeof(s));
    return s;
}

static uint32_t fresh(const gk_epoch *e, uint64_t node)
{
    /* which key it is, its id alone says: that is why ids must never come again */
    if (mode == REUSED_ID)
        return intern((term){'f', 0, reuse[node], 0, 0});
    return intern((term){'f', 0, node, 0, salt_of(e)});
}

static void row(const gk_epoch *e, size_t i, uint64_t *node, uint64_t *under)
{
    gk_reader r = gk_reader_of(e->wraps.p + i * GK_EPOCH_WRAP, 16);

    ck_ok(gk_reader_u64(&r, node));
    ck_ok(gk_reader_u64(&r, under));
}

/* see_wraps: who has the key below gets the one above; what nobody has heard of before is fresh. */
static void see_wraps(world *w, const gk_epoch *e, const uint32_t *before, bool *made)
{
    uint64_t node = 0, under = 0;

    for (size_t i = 0; i < e->wraps.n / GK_EPOCH_WRAP; i++) {
        row(e, i, &node, &under);
        ck_assert(node < MAX_NODES && under < MAX_NODES);
        for (int k = 0; k < 2; k++) { /* a node above two new leaves is named as `under` alone: their members have it by their grants */
            uint64_t at = k == 0 ? node : under;

            if (made[at] || (k == 1 && before[at] != 0))
                continue;
            ck_assert_uint_eq(before[at], 0); /* never one that was there */
            reuse[at] = at;
            w->of[at] = fresh(e, at);
            made[at] = true;
        }
        edge(made[under] ? w->of[under] : before[under], w->of[node]); /* children stand before their parents */
    }
}

/* see adds what one message means to a branch. */
static void see(world *w, gk_bytes znode)
{
    static bool made[MAX_NODES];
    gk_bytes message = {0}, delta = {0};
    gk_epoch e = {0};
    uint64_t node = 0, lost = 0;
    uint32_t old_root = epochs > 0 ? roots[epochs - 1] : 0;
    bool leaving = false;
    static uint32_t before[MAX_NODES];

    ck_ok(gk_epoch_znode(&message, &delta, znode));
    ck_ok(gk_epoch_parse(&e, message));
    memset(made, 0, sizeof(made));
    memcpy(before, w->of, sizeof(before));
    for (size_t i = 0; i < e.ops.n; i += GK_EPOCH_OP) {
        gk_reader r = gk_reader_of(e.ops.p + i, GK_EPOCH_OP);
        uint8_t op = 0;

        ck_ok(gk_reader_u8(&r, &op));
        ck_ok(gk_reader_u64(&r, &node));
        ck_assert_uint_lt(node, MAX_NODES);
        if (op == GK_TREE_REMOVE) {
            leaving = true;
            lost = reuse[node];
            w->of[node] = 0;
            w->leaf[node] = false;
        } else if (op == GK_TREE_ADD) {
            reuse[node] = lost != 0 ? lost : node;
            ck_assert_uint_eq(w->of[node], 0); /* never one that was there */
            w->of[node] = fresh(&e, node);
            w->leaf[node] = made[node] = true;
        } else {
            uint32_t to = intern((term){'d', w->of[node], node, e.epoch, mode == NO_SALT ? 0 : salt_of(&e)});

            edge(before[node], to);
            w->of[node] = to;
        }
    }
    see_wraps(w, &e, before, made);
    if (w->of[e.root] == 0) {
        reuse[e.root] = e.root;
        w->of[e.root] = fresh(&e, e.root);
    }
    for (size_t i = 0; i < MAX_NODES; i++) {
        if (w->leaf[i] && !made[i]) {
            uint32_t to = intern((term){'r', w->of[i], i, e.epoch, 0});

            edge(w->of[i], to);
            w->of[i] = to;
        }
    }
    ck_assert_uint_lt(epochs, MAX_EPOCHS);
    roots[epochs] = w->of[e.root];
    if (mode == DERIVED_ON_LEAVE && leaving && old_root != 0)
        edge(old_root, roots[epochs]);
    if (mode == UNSIGNED && old_root != 0) /* whoever knows the old root makes the next message, and it is taken */
        edge(old_root, roots[epochs]);
    for (size_t i = 0; i < people_n; i++)
        people[i].here[epochs] = w->leaf[people[i].leaf];
    epochs++;
}

/* joined notes what a member's grant told it, after `see`. */
static void joined(const world *w, const gk_member *m)
{
    person *p = &people[people_n++];

    ck_assert_uint_le(people_n, MAX_PEOPLE);
    *p = (person){.leaf = gk_member_leaf(m), .told_n = m->path.n};
    for (size_t i = 0; i < m->path.n; i++) {
        p->told[i] = w->of[m->path.nodes[i].id];
        ck_assert_uint_ne(p->told[i], 0);
    }
    p->here[epochs - 1] = true;
}

/* reach: everything that a coalition comes to know. */
static void reach(bool *known, const size_t *who, size_t n)
{
    bool more = true;

    memset(known, 0, MAX_TERMS);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < people[who[i]].told_n; k++)
            known[people[who[i]].told[k]] = true;
    }
    while (more) {
        more = false;
        for (uint32_t i = 0; i < edges_n; i++) {
            if (known[edges[i][0]] && !known[edges[i][1]])
                more = known[edges[i][1]] = true;
        }
    }
}

/* wrong counts the epochs whose root a coalition knows without being a member, and (which would make this test worthless) those that it doesn't
 * know though it is one. */
static void wrong(const size_t *who, size_t n, size_t *leaked, size_t *missing)
{
    static bool known[MAX_TERMS];

    reach(known, who, n);
    for (size_t e = 0; e < epochs; e++) {
        bool here = false;

        for (size_t i = 0; i < n; i++)
            here = here || people[who[i]].here[e];
        *leaked += known[roots[e]] && !here;
        *missing += !known[roots[e]] && here;
    }
}

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((seed >> 33) % below);
}

static void see_plan(world *w, const gk_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strncmp(p->writes[i].path, "epochs/", 7) == 0)
            see(w, gk_mem_view(&p->writes[i].data));
    }
}

static void see_epoch(world *w, gk_grouprig *r)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "epochs/%llu", (unsigned long long)r->group->last.epoch);
    see(w, gk_zk_get(&r->zk, path));
}

/* fork lets another controller admit somebody from the same state, by a message that is seen and loses. */
static void fork_off(gk_grouprig *r, const char *token, const char *name)
{
    gk_group *winner = r->group;
    gk_member *m = grig_member(r, name);
    gk_plan lost = {0};

    ck_ok(grig_load(r, 1, &r->group));
    fork_world = main_world;
    ck_assert_int_eq(grig_ask(r, m, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    ck_ok(gk_group_plan(r->group, r->now, true, &lost));
    see_plan(&fork_world, &lost);
    for (size_t i = 0; i < lost.n; i++) {
        if (strncmp(lost.writes[i].path, "replies/", 8) == 0)
            ck_assert_int_eq(gk_member_reply(m, gk_mem_view(&lost.writes[i].data), r->now), GK_FED_JOINED);
    }
    joined(&fork_world, m);
    /* in the winning branch its leaf's number is somebody else's */
    people[people_n - 1].leaf = MAX_NODES - 1;
    gk_plan_clear(&lost);
    gk_member_free(m);
    gk_group_free(r->group);
    r->group = winner;
}

/* history: joins, leaves, evictions, replacements in one batch, periods, forks. */
static void history(uint64_t s, int steps)
{
    static gk_grouprig r;
    static gk_member *m[64];
    char token[GK_TOKEN_TEXT + 1], name[32];
    size_t n = 0, names = 0;

    terms_n = 1;
    edges_n = 0;
    epochs = people_n = 0;
    seed = s;
    memset(&main_world, 0, sizeof(main_world));
    memset(reuse, 0, sizeof(reuse));
    grig_open(&r, GK_MODE_LKH, NULL);
    grig_token(&r, token, 10000);
    see_epoch(&main_world, &r);
    for (int k = 0; k < steps; k++) {
        size_t in = n < 3 ? 2 : rnd(3), out = n < 4 ? 0 : rnd(3), first = n;

        if (in > 0 && k % 3 == 0) {
            (void)snprintf(name, sizeof(name), "lost%zu", names++);
            fork_off(&r, token, name);
            out = 0; /* the dangerous case: both branches only admit */
        }
        for (size_t i = 0; i < out; i++) {
            size_t at = rnd((uint32_t)n);
            gk_member *gone = m[at];

            ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, gk_member_name(gone), BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
            m[at] = m[--n];
            gk_member_free(gone);
        }
        first = n;
        for (size_t i = 0; i < in && n < 40; i++) {
            (void)snprintf(name, sizeof(name), "m%zu", names++);
            m[n] = grig_member(&r, name);
            ck_assert_int_eq(grig_ask(&r, m[n++], GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
        }
        if (in + out == 0)
            ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
        see_epoch(&main_world, &r);
        for (size_t i = first; i < n; i++) {
            ck_assert_int_eq(grig_take_reply(&r, m[i]), GK_FED_JOINED);
            joined(&main_world, m[i]);
        }
        for (size_t i = 0; i < n; i++) /* the real members, as the symbols say: all of them follow */
            ck_assert(!gk_verdict_refused(grig_follow(&r, m[i])));
    }
    for (size_t i = 0; i < n; i++)
        gk_member_free(m[i]);
    grig_close(&r);
}

static void coalitions(size_t *leaked, size_t *missing, size_t *tried)
{
    size_t who[5];

    *leaked = *missing = *tried = 0;
    for (who[0] = 0; who[0] < people_n; who[0]++, ++*tried)
        wrong(who, 1, leaked, missing);
    for (size_t size = 2; size <= 5; size += 3) {
        for (int k = 0; k < 60; k++, ++*tried) {
            for (size_t i = 0; i < size; i++)
                who[i] = rnd((uint32_t)people_n);
            wrong(who, size, leaked, missing);
        }
    }
}

START_TEST(nobody_knows_more)
{
    for (uint64_t s = 1; s <= 4; s++) {
        size_t leaked = 0, missing = 0, tried = 0;

        mode = NONE;
        history(s, 60);
        coalitions(&leaked, &missing, &tried);
        printf("  %zu coalitions of %zu people over %zu epochs: %zu leaks, %zu keys out of reach\n", tried, people_n, epochs, leaked, missing);
        ck_assert_uint_eq(leaked, 0);
        ck_assert_uint_eq(missing, 0);
    }
}
END_TEST

START_TEST(mutants_are_caught)
{
    static const char *const names[] = {"", "derivation on a leaver's path", "no salt", "reused node id", "unsigned epoch"};

    for (mode = DERIVED_ON_LEAVE; mode < MUTANTS; mode++) {
        size_t leaked = 0, missing = 0, tried = 0;

        history(1, 60);
        coalitions(&leaked, &missing, &tried);
        printf("  mutant \"%s\": %zu leaks\n", names[mode], leaked);
        ck_assert_uint_gt(leaked, 0);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("closure");
    TCase *t = tcase_create("closure");

    tcase_set_timeout(t, 200);
    tcase_add_test(t, nobody_knows_more);
    tcase_add_test(t, mutants_are_caught);
    suite_add_tcase(s, t);
    return s;
}
