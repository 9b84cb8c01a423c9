#include "../../native/group/gk_tree.h"
#include "support/gk_check.h"

/* A group of indices with the same operations as a controller does, without keys: the tree's shape alone decides what a leave costs. */
typedef struct pool {
    gk_tree t;
    uint32_t *leaves;
    uint32_t n, cap;
    uint64_t seed, highest_id;
    int worst;   /* of wraps less the bound */
    int highest; /* of height less ceil(log2 n) */
    uint64_t opened, cost, leaves_done;
} pool;

static uint32_t rnd(pool *p, uint32_t below)
{
    p->seed = p->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((p->seed >> 33) % below);
}

static void look(pool *p)
{
    int h = p->t.root == GK_NIL ? 0 : p->t.nodes[p->t.root].hi - (int)gk_tree_log2(p->n);

    p->highest = h > p->highest ? h : p->highest;
    ck_assert_uint_eq(gk_tree_size(&p->t), p->n);
}

static void join(pool *p)
{
    uint32_t at = 0;

    ck_ok(gk_tree_change(&p->t, NULL, 0, &at, 1));
    p->t.nodes[at].mark = 0;
    ck_assert_uint_gt(p->t.nodes[at].id, p->highest_id); /* never one that was there before */
    p->highest_id = p->t.next_id - 1;
    if (p->n == p->cap) {
        p->cap = p->cap * 2 + 64;
        p->leaves = realloc(p->leaves, p->cap * sizeof(*p->leaves));
        ck_assert(p->leaves != NULL);
    }
    p->leaves[p->n++] = at;
    look(p);
}

static void leave(pool *p, uint32_t i)
{
    int bound = 2 * (int)gk_tree_log2(p->n) + 2, cost = 0;

    ck_ok(gk_tree_change(&p->t, &p->leaves[i], 1, NULL, 0));
    /* gk_lkh wraps each new node under both children; the node above a single leaf costs one more */
    cost = 2 * (int)p->t.made_n + (p->n <= 2);
    p->leaves[i] = p->leaves[--p->n];
    p->worst = cost - bound > p->worst ? cost - bound : p->worst;
    p->opened += p->t.opened;
    p->cost += (uint64_t)cost;
    p->leaves_done++;
    p->highest_id = p->t.next_id - 1;
    look(p);
}

static pool fresh(uint32_t n, uint64_t seed)
{
    pool p = {.worst = -1000, .highest = -1000, .seed = seed};

    ck_ok(gk_tree_init(&p.t));
    for (uint32_t i = 0; i < n; i++)
        join(&p);
    return p;
}

static void end(pool *p, const char *what)
{
    printf("  %s: worst leave %+d wraps to the bound, mean %.1f, height ceil(log2 n)%+d at most, %llu units opened in %llu leaves\n", what, p->worst,
           p->leaves_done > 0 ? (double)p->cost / (double)p->leaves_done : 0, p->highest, (unsigned long long)p->opened,
           (unsigned long long)p->leaves_done);
    ck_assert_int_le(p->worst, 0);
    ck_assert_int_le(p->highest, 2);
    gk_tree_clear(&p->t);
    free(p->leaves);
}

static void churn(uint32_t n, uint64_t seed)
{
    pool p = fresh(n, seed);
    char what[64];

    for (uint32_t i = 0; i < 10 * n; i++) {
        if (p.n < 2 || rnd(&p, 2))
            join(&p);
        else
            leave(&p, rnd(&p, p.n));
    }
    for (uint32_t i = 0; i < 1000; i++) { /* and then every leave: of anybody */
        leave(&p, rnd(&p, p.n));
        join(&p);
    }
    (void)snprintf(what, sizeof(what), "%u members, 10 n random joins and leaves", n);
    end(&p, what);
}

START_TEST(random_1024)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        churn(1024, seed);
    churn(1000, 9);
    churn(1025, 10);
}
END_TEST

START_TEST(random_100000)
{
    churn(100000, 1);
}
END_TEST

static uint32_t depth(const pool *p, uint32_t leaf)
{
    uint32_t d = 0;

    for (uint32_t i = p->t.nodes[leaf].parent; i != GK_NIL; i = p->t.nodes[i].parent)
        d++;
    return d;
}

/* Only leaves, until nobody is left: at random, always a shallow one, and beside the deepest leaf (which makes other trees degenerate). */
START_TEST(shrinking)
{
    static const uint32_t sizes[] = {2, 3, 7, 64, 100, 1024, 1025, 5000};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        for (int how = 0; how < 3; how++) {
            pool p = fresh(sizes[s], s + 1);

            while (p.n > 1) {
                uint32_t best = rnd(&p, p.n), deepest = 0;

                for (int k = 0; k < 16 && how > 0; k++) {
                    uint32_t c = rnd(&p, p.n);

                    best = depth(&p, p.leaves[c]) < depth(&p, p.leaves[best]) ? c : best;
                    deepest = depth(&p, p.leaves[c]) > depth(&p, p.leaves[deepest]) ? c : deepest;
                }
                if (how == 2 && p.n > 2) { /* keep the deepest: throw out what is nearest to it, seen from below */
                    uint32_t y = p.leaves[deepest], sib = p.t.nodes[y].parent;

                    while (sib != GK_NIL && p.t.nodes[sib].n < 4 && p.t.nodes[sib].parent != GK_NIL)
                        sib = p.t.nodes[sib].parent;
                    for (uint32_t i = sib; !(i == GK_NIL); ) {
                        if (p.t.nodes[i].left == GK_NIL) {
                            for (uint32_t k = 0; k < p.n; k++)
                                best = p.leaves[k] == i && i != y ? k : best;
                            break;
                        }
                        i = p.t.nodes[p.t.nodes[i].left].lo <= p.t.nodes[p.t.nodes[i].right].lo ? p.t.nodes[i].left : p.t.nodes[i].right;
                    }
                }
                leave(&p, best);
            }
            leave(&p, 0);
            ck_assert_uint_eq(p.t.root, GK_NIL);
            end(&p, how == 0 ? "shrinking at random" : how == 1 ? "shrinking from the top" : "shrinking beside the deepest");
        }
    }
}
END_TEST

/* Saw teeth: down to a fiftieth and up again. */
START_TEST(saw)
{
    pool p = fresh(3000, 5);

    for (int k = 0; k < 6; k++) {
        while (p.n > 60)
            leave(&p, rnd(&p, p.n));
        while (p.n < 3000)
            join(&p);
    }
    end(&p, "saw teeth");
}
END_TEST

static gk_err build(void *arg)
{
    gk_tree t;
    uint32_t at[40];
    gk_err e = gk_tree_init(&t);

    (void)arg;
    if (e == GK_OK)
        e = gk_tree_change(&t, NULL, 0, at, 40);
    for (size_t i = 0; i < 40 && e == GK_OK; i++)
        t.nodes[at[i]].mark = 0;
    if (e == GK_OK)
        e = gk_tree_change(&t, at, 20, &at[0], 10);
    gk_tree_clear(&t);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(build, NULL), 4);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("tree");

    tcase_set_timeout(t, 900);
    tcase_add_test(t, random_1024);
    tcase_add_test(t, random_100000);
    tcase_add_test(t, shrinking);
    tcase_add_test(t, saw);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
