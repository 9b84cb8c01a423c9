/* The servers' agreement, whole ensembles of it: tests/support/gk_ensemble.h. */
#include <inttypes.h>

#include "../support/gk_ensemble.h"
#include "support/gk_check.h"

static gk_keyring *kr;

static void setup(void)
{
    ck_ok(gk_keyring_generate(&kr));
}

static void teardown(void)
{
    gk_keyring_free(kr);
}

static ensemble *running(uint64_t n)
{
    ensemble *e = ensemble_new(kr);

    for (uint64_t id = 1; id <= n; id++)
        ensemble_start(e, id);
    return e;
}

/* agreed settles, and checks that all agree on a secret that none had before. */
static void agreed(ensemble *e, uint8_t ks_id[GK_KS_ID])
{
    static const uint8_t none[GK_KS_ID];
    uint8_t before[GK_KS_ID];

    memcpy(before, ks_id, GK_KS_ID);
    ck_assert(ensemble_settle(e, 120000));
    ck_assert_msg(ensemble_agreed(e, ks_id), "%s", e->broken != NULL ? e->broken : "no agreement");
    ck_assert_mem_ne(ks_id, before, GK_KS_ID);
    ck_assert_mem_ne(ks_id, none, GK_KS_ID);
}

START_TEST(all_agree)
{
    for (uint64_t n = 1; n <= 9; n++) {
        ensemble *e = running(n);
        uint8_t ks_id[GK_KS_ID] = {0};
        uint64_t writes = 0;
        gk_agreement_status st;

        agreed(e, ks_id);
        writes = e->writes;
        ck_assert(ensemble_settle(e, 60000));
        ck_assert_uint_eq(e->writes, writes); /* at rest nothing is written */
        gk_agreement_get_status(ensemble_find(e, n)->a, &st, e->now_ms);
        ck_assert_uint_eq(st.n_serving, n);
        ck_assert_uint_ge(st.runs_finished, 1);
        ck_assert_uint_eq(st.refused, 0);
        ensemble_free(e);
    }
}
END_TEST

/* draw: splitmix64 */
static uint64_t draw(uint64_t *state, uint64_t below)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return (z ^ z >> 31) % below;
}

/* turn lets each running server read all and act once, in the order of their places; 10 ms pass. */
static void turn(ensemble *e)
{
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        if (e->servers[i].a == NULL)
            continue;
        ensemble_read(e, &e->servers[i], true);
        ck_ok(ensemble_act(e, &e->servers[i], NULL, NULL));
    }
    e->now_ms += 10;
}

static const char *why_of(ensemble *e, uint64_t id)
{
    static gk_agreement_status st;

    gk_agreement_get_status(ensemble_find(e, id)->a, &st, e->now_ms);
    return st.why;
}

START_TEST(join_leave_restart)
{
    ensemble *e = running(3);
    uint8_t ks_id[GK_KS_ID] = {0};
    uint64_t writes = 0;

    agreed(e, ks_id);
    writes = e->current_writes;
    ensemble_start(e, 4);
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 1), "join 4");
    ck_assert_uint_eq(e->current_writes, writes + 1); /* one change that clients see */
    ensemble_kill(e, 2);
    ck_assert(ensemble_settle(e, 60000)); /* its session lives: nothing happens yet, and readers are served */
    ck_assert_uint_eq(e->current_writes, writes + 1);
    ensemble_expire(e, 2, false);
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 1), "leave 2");
    ensemble_kill(e, 3);
    ensemble_start(e, 3); /* back before its old session ended: it replaces what it left */
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 1), "restart 3");
    ensemble_expire(e, 4, true); /* a session is lost, its process isn't */
    agreed(e, ks_id);
    ensemble_expire(e, 1, false);
    ck_assert(ensemble_settle(e, 60000));
    for (uint64_t id = 1; id <= 4; id++)
        ensemble_kill(e, id); /* all at once */
    ensemble_start(e, 1);
    ensemble_start(e, 2);
    for (uint64_t id = 1; id <= 4; id++)
        ensemble_expire(e, id, false);
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 1), "join 2");
    ensemble_free(e);
}
END_TEST

/* A server is killed after its k-th write of a run, for each server and each k; then its session ends, then it comes back. */
START_TEST(killed_in_each_phase)
{
    for (uint64_t n = 2; n <= 4; n++) {
        for (uint64_t victim = 1; victim <= n; victim++) {
            for (unsigned k = 1; k <= 6; k++) {
                ensemble *e = running(n);
                uint8_t ks_id[GK_KS_ID] = {0};

                ensemble_find(e, victim)->kill_after = k;
                for (int i = 0; i < 12; i++)
                    turn(e);
                ensemble_kill(e, victim);
                ensemble_expire(e, victim, false);
                agreed(e, ks_id);
                ensemble_start(e, victim);
                ensemble_find(e, victim % n + 1)->kill_after = k; /* and another one during the next run */
                for (int i = 0; i < 12; i++)
                    turn(e);
                ensemble_kill(e, victim % n + 1);
                ensemble_expire(e, victim % n + 1, false);
                agreed(e, ks_id);
                ck_assert_msg(e->broken == NULL, "%s", e->broken);
                ensemble_free(e);
            }
        }
    }
}
END_TEST

static bool lose_some(void *arg)
{
    return draw(arg, 4) == 0;
}

/* Whole ensembles by a seed: torn and stale reads, lost writes, kills, restarts, sessions that end, all during runs. */
START_TEST(random_ensembles)
{
    const char *wanted = getenv("GK_SCHEDULES");
    uint64_t all = wanted == NULL ? 40 : strtoull(wanted, NULL, 10);

    for (uint64_t seed = 1; seed <= all; seed++) {
        uint64_t rng = seed;
        uint64_t n = 1 + draw(&rng, 9);
        ensemble *e = running(n);
        uint8_t ks_id[GK_KS_ID] = {0};
        size_t up = 0;

        for (uint64_t steps = 20 + draw(&rng, 40 * n); steps > 0; steps--) {
            uint64_t id = 1 + draw(&rng, n);
            ensemble_server *s = ensemble_find(e, id);
            uint64_t what = draw(&rng, 100);

            e->now_ms += draw(&rng, 20);
            if (what < 2)
                ensemble_kill(e, id);
            else if (what < 4)
                ensemble_expire(e, id, draw(&rng, 2) == 0);
            else if (what < 7 && s->a == NULL)
                ensemble_start(e, id);
            else if (what < 8 && s->a != NULL)
                ck_ok(gk_agreement_renew(s->a));
            else if (what < 45 && s->a != NULL)
                ensemble_read(e, s, draw(&rng, 2) == 0);
            else if (s->a != NULL && !s->half_read)
                ck_ok(ensemble_act(e, s, lose_some, &rng));
        }
        ensemble_start(e, 1 + draw(&rng, n));
        for (uint64_t id = 1; id <= n; id++) {
            up += ensemble_find(e, id)->a != NULL;
            ensemble_expire(e, id, false);
        }
        ck_assert_uint_gt(up, 0);
        ck_assert_msg(ensemble_settle(e, 300000), "seed %" PRIu64 ": no rest", seed);
        ck_assert_msg(ensemble_agreed(e, ks_id), "seed %" PRIu64 ": %s", seed, e->broken != NULL ? e->broken : "no agreement");
        ensemble_free(e);
    }
}
END_TEST

/* A secret is never used while agreement/current names another one, and its holder never goes back to it. */
START_TEST(no_older_secret)
{
    static const gk_view v = {.tag = {1}, .czxid = 5, .pzxid = 6, .cversion = 2};
    ensemble *e = running(3);
    uint8_t ks_id[GK_KS_ID] = {0};
    uint8_t key[GK_VIEW_KEY];
    uint8_t id[GK_KEY_ID];
    uint8_t first[GK_CURRENT_MAX];
    gk_bytes old = {first, 0};
    ensemble_server *late = NULL;
    ensemble_node *current = NULL;

    agreed(e, ks_id);
    current = ensemble_node_of(e, "agreement/current");
    memcpy(first, current->data, current->n);
    old.n = current->n;
    late = ensemble_find(e, 3);
    ck_ok(gk_derive_view(key, id, gk_agreement_secrets(late->a), &v, old));
    ensemble_kill(e, 3);
    ensemble_expire(e, 3, false);
    agreed(e, ks_id); /* 1 and 2 went on */
    for (uint64_t who = 1; who <= 2; who++)
        ck_gk(gk_derive_view(key, id, gk_agreement_secrets(ensemble_find(e, who)->a), &v, old), GK_ERR_NOTFOUND);
    for (size_t i = 0; i < sizeof(key); i++)
        ck_assert_uint_eq(key[i], 0);
    ensemble_start(e, 3); /* it has missed the agreement that is in force: no key until it is in one */
    late = ensemble_find(e, 3);
    ensemble_read(e, late, true);
    ck_ok(ensemble_act(e, late, NULL, NULL));
    current = ensemble_node_of(e, "agreement/current");
    ck_gk(gk_derive_view(key, id, gk_agreement_secrets(late->a), &v, BYTES(current->data, current->n)), GK_ERR_NOTFOUND);
    agreed(e, ks_id);
    current = ensemble_node_of(e, "agreement/current");
    ck_ok(gk_derive_view(key, id, gk_agreement_secrets(late->a), &v, BYTES(current->data, current->n)));
    ensemble_put(e, "agreement/current", old, 0); /* somebody who writes to the replicated state rolls it back */
    turn(e);
    for (uint64_t who = 1; who <= 3; who++) {
        ck_gk(gk_derive_view(key, id, gk_agreement_secrets(ensemble_find(e, who)->a), &v, old), GK_ERR_NOTFOUND);
        ck_assert_uint_ne(ensemble_find(e, who)->events & GK_AGREEMENT_LOST, 0);
    }
    agreed(e, ks_id);
    ck_assert_ptr_nonnull(strstr(why_of(e, 1), "lost 1"));
    ensemble_free(e);
}
END_TEST

/* Who writes to the replicated state without the keyring: takes part in nothing, and when he stops all is well again. */
START_TEST(an_intruder_takes_no_part)
{
    gk_keyring *other = NULL;
    ensemble *e = running(3);
    uint8_t ks_id[GK_KS_ID] = {0};
    uint64_t rng = 7;
    uint8_t junk[GK_AGREEMENT_NODE + 1];
    ensemble_node kept[4];

    ck_ok(gk_keyring_generate(&other));
    agreed(e, ks_id);
    ensemble_start_as(e, 9, NULL, other); /* he runs all of this, under a keyring of his own */
    for (int i = 0; i < 100; i++) {
        turn(e);
        ck_assert_uint_eq(ensemble_find(e, 1)->a->n_serving, 3);
    }
    ck_assert_uint_ne(ensemble_find(e, 1)->events & GK_AGREEMENT_REFUSED, 0);
    ck_assert_uint_le(ensemble_find(e, 1)->a->refused, 20); /* counted when it changes, not at each look */
    ensemble_kill(e, 9);
    ensemble_expire(e, 9, false);
    for (uint64_t id = 1; id <= 3; id++) { /* old states, to be put back */
        char name[GK_AGREEMENT_NAME];

        (void)snprintf(name, sizeof(name), "servers/%" PRIu64, id);
        kept[id] = *ensemble_node_of(e, name);
    }
    for (int i = 0; i < 400; i++) {
        uint64_t id = 1 + draw(&rng, 3);
        char name[GK_AGREEMENT_NAME];
        ensemble_node *node = NULL;

        (void)snprintf(name, sizeof(name), "servers/%" PRIu64, draw(&rng, 2) == 0 ? id : 1 + id % 3);
        node = ensemble_node_of(e, name);
        for (size_t k = 0; k < sizeof(junk); k++)
            junk[k] = (uint8_t)draw(&rng, 256);
        switch (draw(&rng, 6)) {
        case 0:
            ensemble_put(e, name, BYTES(kept[id].data, kept[id].n), draw(&rng, 5));
            break; /* an old record, perhaps in another's place */
        case 1: ensemble_put(e, name, BYTES(junk, draw(&rng, sizeof(junk) + 1)), 3); break;
        case 2: ensemble_put(e, "agreement/current", BYTES(junk, draw(&rng, 300)), 0); break;
        case 3:
            if (node != NULL && node->n > 0)
                node->data[draw(&rng, node->n)] ^= 1;
            break;
        case 4:
            if (node != NULL)
                node->there = false;
            break;
        default: ck_ok(gk_agreement_renew(ensemble_find(e, id)->a)); break;
        }
        turn(e);
    }
    agreed(e, ks_id);
    ensemble_free(e);
    gk_keyring_free(other);
}
END_TEST

START_TEST(age_volume_and_wish)
{
    static const gk_view v = {.tag = {1}, .czxid = 5, .pzxid = 6, .cversion = 2};
    ensemble *e = ensemble_new(kr);
    uint8_t ks_id[GK_KS_ID] = {0};
    gk_agreement_status st;
    ensemble_node *current = NULL;

    e->max_derivations = 50;
    for (uint64_t id = 1; id <= 3; id++)
        ensemble_start(e, id);
    agreed(e, ks_id);
    current = ensemble_node_of(e, "agreement/current");
    for (int i = 0; i < 50; i++) {
        uint8_t key[GK_VIEW_KEY];
        uint8_t id[GK_KEY_ID];

        ck_ok(gk_derive_view(key, id, gk_agreement_secrets(ensemble_find(e, 2)->a), &v, BYTES(current->data, current->n)));
    }
    gk_agreement_get_status(ensemble_find(e, 2)->a, &st, e->now_ms);
    ck_assert_uint_eq(st.derivations, 50);
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 3), "volume 2");
    gk_agreement_get_status(ensemble_find(e, 2)->a, &st, e->now_ms);
    ck_assert_uint_eq(st.derivations, 0);
    ck_assert_uint_eq(st.all_derivations, 50);
    ck_ok(gk_agreement_renew(ensemble_find(e, 3)->a));
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 1), "asked 3");
    ensemble_free(e);

    e = ensemble_new(kr);
    e->max_age_ms = 600000;
    for (uint64_t id = 1; id <= 3; id++)
        ensemble_start(e, id);
    memset(ks_id, 0, sizeof(ks_id));
    agreed(e, ks_id);
    e->now_ms += 590000;
    ck_assert(ensemble_settle(e, 5000)); /* not yet */
    gk_agreement_get_status(ensemble_find(e, 1)->a, &st, e->now_ms);
    ck_assert_uint_eq(st.runs_finished, ensemble_find(e, 1)->a->runs_finished);
    ck_assert_uint_ge(st.age_ms, 590000);
    e->now_ms += 600000 - st.age_ms - 100;
    agreed(e, ks_id);
    ck_assert_str_eq(why_of(e, 2), "age 1"); /* one of them is enough */
    ensemble_free(e);
}
END_TEST

/* A server that shows a record and says nothing: no agreement, no storm of writes, and an end when its session ends. */
START_TEST(a_silent_server)
{
    ensemble *e = running(3);
    uint8_t ks_id[GK_KS_ID] = {0};
    uint64_t writes = 0;

    ensemble_find(e, 2)->kill_after = 1;
    for (int i = 0; i < 6000; i++) /* a minute */
        turn(e);
    writes = e->writes;
    ck_assert_uint_lt(writes, 100);
    ck_assert(!ensemble_agreed(e, ks_id));
    ck_assert_ptr_nonnull(strstr(why_of(e, 1), "stalled"));
    ensemble_expire(e, 2, false);
    agreed(e, ks_id);
    ensemble_free(e);
}
END_TEST

START_TEST(too_many_servers)
{
    ensemble *e = running(GK_AGREEMENT_SERVERS + 1);
    uint8_t ks_id[GK_KS_ID] = {0};

    for (int i = 0; i < 6; i++)
        turn(e);
    ck_assert(!ensemble_agreed(e, ks_id));
    ensemble_free(e);
}
END_TEST

START_TEST(arguments)
{
    gk_agreement *a = NULL;
    char why[128] = "";
    gk_agreement_config c = {.server_id = 0, .keyring = kr};

    ck_gk(gk_agreement_new(&a, &c, why, sizeof(why)), GK_ERR_ARG);
    ck_assert_ptr_nonnull(strchr(why, ':'));
    ck_assert_ptr_null(a);
    gk_agreement_free(NULL);
}
END_TEST

/* Two servers agree while one allocation fails somewhere: that step is done again, and nothing else happens. */
static gk_err two(void *arg)
{
    ensemble *e = arg;
    gk_err e1 = GK_OK;

    for (uint64_t id = 1; id <= 2; id++) {
        ensemble_start(e, id);
        if (ensemble_find(e, id)->a == NULL)
            e1 = GK_ERR_NOMEM;
    }
    for (int i = 0; i < 6 && e1 == GK_OK; i++) {
        for (uint64_t id = 1; id <= 2; id++) {
            ensemble_server *s = ensemble_find(e, id);
            gk_err e2 = GK_OK;

            ensemble_read(e, s, true);
            e2 = ensemble_act(e, s, NULL, NULL);
            e1 = e1 == GK_OK ? e2 : e1;
        }
        e->now_ms += 20;
    }
    return e1;
}

START_TEST(failed_allocations)
{
    ensemble *e = ensemble_new(kr);
    uint8_t ks_id[GK_KS_ID] = {0};

    ck_assert_uint_gt(gk_fault_each(two, e), 100);
    for (uint64_t id = 1; id <= 3; id++) {
        if (ensemble_find(e, id)->a == NULL)
            ensemble_start(e, id);
    }
    agreed(e, ks_id);
    ensemble_free(e);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("agreement");
    TCase *t = tcase_create("agreement");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 7200);
    tcase_add_test(t, all_agree);
    tcase_add_test(t, join_leave_restart);
    tcase_add_test(t, killed_in_each_phase);
    tcase_add_test(t, random_ensembles);
    tcase_add_test(t, no_older_secret);
    tcase_add_test(t, an_intruder_takes_no_part);
    tcase_add_test(t, age_volume_and_wish);
    tcase_add_test(t, a_silent_server);
    tcase_add_test(t, too_many_servers);
    tcase_add_test(t, arguments);
    tcase_add_test(t, failed_allocations);
    suite_add_tcase(s, t);
    return s;
}
