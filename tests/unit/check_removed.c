/* A controller that was removed from the authority, and has its signing key, all state keys of its time and the state itself: after the others' first epoch
 * nothing of it is taken, and what stands in their way may be taken away. */
#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

static gk_grouprig r;
static char token[GK_TOKEN_TEXT + 1];
static gk_member *m;
static gk_authority *old, *after;
static gk_mem record; /* of `after` */

/* made_by: an epoch that this engine plans. */
static gk_mem made_by(gk_group *g, gk_plan *plan)
{
    gk_mem znode = {0};

    g->rekey = GK_REASON_MANUAL;
    ck_ok(gk_group_plan(g, r.now, true, plan));
    for (size_t i = 0; i < plan->n; i++) {
        if (strncmp(plan->writes[i].path, "epochs/", 7) == 0)
            ck_ok(gk_mem_copy(&znode, gk_mem_view(&plan->writes[i].data)));
    }
    ck_assert_uint_gt(znode.n, 0);
    return znode;
}

/* no_delta: what opens, and isn't a delta, behind the message of such an epoch. */
static gk_mem no_delta(const gk_group *g, const gk_mem *znode)
{
    uint8_t aad[96];
    gk_epoch e = {0};
    gk_bytes message = {0}, delta = {0};
    gk_mem sealed = {0}, out = {0};

    ck_ok(gk_epoch_znode(&message, &delta, gk_mem_view(znode)));
    ck_ok(gk_epoch_parse(&e, message));
    ck_ok(gk_state_seal(g->control->state_keys, &sealed, gk_group_aad(g, aad, "delta", e.epoch, 0, 1, e.hash), STR("nonsense")));
    ck_ok(gk_mem_new(&out, 4 + message.n + sealed.n));
    gk_writer w = gk_writer_of(out.p, out.n);
    gk_writer_var32(&w, message);
    gk_writer_put(&w, sealed.p, sealed.n);
    ck_ok(w.err);
    gk_mem_free(&sealed);
    return out;
}

/* judged: what another controller does with it, by its own authority. */
static void judged(size_t by, gk_bytes znode, bool followed, bool foreign)
{
    gk_group *g = NULL;

    ck_ok(grig_load(&r, by, &g));
    ck_assert_int_eq(gk_group_follow(g, znode) == GK_OK, followed);
    ck_assert_int_eq(gk_group_is_foreign(g, znode), foreign);
    gk_group_free(g);
}

static void up(void)
{
    uint8_t left[64];

    grig_open(&r, GK_MODE_LKH, NULL);
    grig_token(&r, token, 100);
    m = grig_join(&r, "m", token);
    old = r.authority;
    memcpy(left, gk_authority_controllers(old).p, 32);
    memcpy(left + 32, gk_authority_controllers(old).p + 64, 32);
    ck_ok(gk_authority_make(&record, old, gk_authority_admins(old), BYTES(left, 64), r.now, r.admin));
    ck_ok(gk_authority_read(&after, old, gk_mem_view(&record)));
    r.authority = after;
    r.control[0].authority = r.control[2].authority = after;
}

static void down(void)
{
    gk_member_free(m);
    gk_mem_free(&record);
    gk_authority_free(old);
    grig_close(&r);
}

/* What it writes before the others' first epoch is of the past; if that leads nowhere, it may be taken away. */
START_TEST(before_the_others_epoch)
{
    gk_mem epoch = {0}, nonsense = {0};
    gk_plan plan = {0};
    gk_group *removed = NULL;

    ck_ok(grig_load(&r, 1, &removed));
    epoch = made_by(removed, &plan);
    nonsense = no_delta(removed, &epoch);
    judged(2, gk_mem_view(&epoch), true, true); /* followed: then it is behind us */
    judged(2, gk_mem_view(&nonsense), false, true);
    gk_plan_clear(&plan);
    gk_mem_free(&epoch);
    gk_mem_free(&nonsense);
    gk_group_free(removed);
}
END_TEST

/* others_go_on: a state key for those who are left, and their epoch. */
static void others_go_on(void)
{
    gk_exchange to[2] = {0};
    gk_mem exchange = {0}, key = {0};
    uint32_t index = 0;

    for (size_t i = 0; i < 2; i++) {
        ck_ok(gk_exchange_make(&exchange, r.dh[2 * i], r.now, r.controllers[2 * i]));
        ck_ok(gk_exchange_read(&to[i], gk_mem_view(&exchange), after));
        gk_mem_free(&exchange);
    }
    ck_ok(gk_state_keys_make(r.state_keys[0], &key, &index, to, 2, r.now, r.controllers[0]));
    ck_ok(gk_state_keys_add(r.state_keys[2], gk_mem_view(&key), r.dh[2], after));
    gk_mem_free(&key);
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_ok(gk_member_authority(m, gk_mem_view(&record)));
    ck_assert_int_eq(grig_follow(&r, m), GK_FED_KEY);
}

/* The removed one is told the newest state key, too: it reads on by what it knows of the tree. It names the authority that it was in, or the one after. */
START_TEST(epochs)
{
    gk_control liar = r.control[1];
    uint64_t arg = 0;

    others_go_on();
    liar.controller_epoch = 9;
    liar.state_keys = r.state_keys[0];
    for (int lies = 0; lies < 2; lies++) {
        gk_group *removed = NULL;
        gk_plan plan = {0};
        gk_mem epoch = {0}, nonsense = {0};

        liar.authority = lies ? after : old;
        ck_ok(grig_load(&r, 0, &removed));
        removed->control = &liar;
        epoch = made_by(removed, &plan);
        nonsense = no_delta(removed, &epoch);
        judged(2, gk_mem_view(&epoch), false, true);
        judged(2, gk_mem_view(&nonsense), false, true);
        ck_assert_int_eq(gk_member_feed(m, gk_mem_view(&epoch), r.now), GK_FED_SIGNER);
        ck_assert_uint_eq(gk_member_count(m, GK_FED_SIGNER), lies + 1);
        ck_assert_int_ne(gk_member_next(m, &arg), GK_NEED_REFRESH); /* no reason to ask */
        gk_plan_clear(&plan);
        gk_mem_free(&epoch);
        gk_mem_free(&nonsense);
        gk_group_free(removed);
    }
}
END_TEST

/* What changes without an epoch, under the state key that it has. */
START_TEST(side)
{
    gk_control liar = r.control[1];
    gk_group *g = NULL;
    gk_plan plan = {0};

    others_go_on();
    ck_ok(grig_load(&r, 0, &g));
    g->control = &liar;
    ck_ok(gk_group_put_side(g, &plan, false, r.now));
    gk_group_free(g);
    ck_ok(grig_load(&r, 2, &g));
    ck_gk(gk_group_side(g, gk_mem_view(&plan.writes[0].data)), GK_ERR_AUTH);
    gk_group_free(g);
    gk_plan_clear(&plan);
}
END_TEST

/* What a controller made is never taken away, even when it leads nowhere. */
START_TEST(a_controllers_own)
{
    gk_group *g = NULL;
    gk_plan plan = {0};
    gk_mem epoch = {0}, nonsense = {0};

    others_go_on();
    ck_ok(grig_load(&r, 0, &g));
    epoch = made_by(g, &plan);
    nonsense = no_delta(g, &epoch);
    judged(2, gk_mem_view(&epoch), true, true);
    judged(2, gk_mem_view(&nonsense), false, false);
    gk_plan_clear(&plan);
    gk_mem_free(&epoch);
    gk_mem_free(&nonsense);
    gk_group_free(g);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("removed");
    TCase *t = tcase_create("removed");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, before_the_others_epoch);
    tcase_add_test(t, epochs);
    tcase_add_test(t, side);
    tcase_add_test(t, a_controllers_own);
    suite_add_tcase(s, t);
    return s;
}
