#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

static gk_grouprig r;
static char token[GK_TOKEN_TEXT + 1];

static void up_lkh(void)
{
    grig_open(&r, GK_MODE_LKH, NULL);
    grig_token(&r, token, 100000);
}

static void up_flat(void)
{
    grig_open(&r, GK_MODE_FLAT, NULL);
    grig_token(&r, token, 100000);
}

static void down(void)
{
    grig_close(&r);
}

/* agree: every member has the key that the controller has, and no two of them another. */
static void agree(gk_member **m, size_t n)
{
    gk_group_info info = {0};

    ck_ok(gk_group_look(r.group, &info));
    ck_assert_uint_eq(info.members, n);
    for (size_t i = 0; i < n; i++) {
        gk_verdict v = grig_follow(&r, m[i]);
        gk_key *k = NULL;
        uint64_t epoch = 0, issued = 0;
        uint8_t print[8], ours[8];

        ck_assert_msg(v == GK_FED_KEY || v == GK_FED_OLD, "%zu: %s", i, gk_verdict_str(v));
        ck_ok(gk_member_key(m[i], &k, &epoch, &issued, true, r.now));
        ck_assert_uint_eq(epoch, info.epoch);
        ck_ok(gk_key_fingerprint(print, k));
        ck_ok(gk_group_fingerprint(r.group, ours));
        ck_assert_msg(memcmp(print, ours, 8) == 0, "member %zu of %zu", i, n);
        gk_key_free(k);
    }
}

static void life(void)
{
    enum { N = 33 };
    gk_member *m[N];
    char name[16];

    for (size_t i = 0; i < N; i++) {
        (void)snprintf(name, sizeof(name), "m%zu", i);
        m[i] = grig_join(&r, name, token);
        if (i % 8 == 0 || r.genesis.mode == GK_MODE_FLAT) /* flat: a KEK message is overwritten by the next */
            agree(m, i + 1);
    }
    agree(m, N);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
        ck_assert_uint_eq(r.last.wraps, 1);
        ck_assert_uint_eq(r.last.key_writes, 1);
        agree(m, N);
    }
    for (size_t n = N; n > 0; n--) {
        size_t i = n * 7 % n;
        gk_member *out = m[i];

        if (n % 2) {
            ck_assert_int_eq(grig_ask(&r, out, GK_REQUEST_LEAVE, NULL), GK_REFUSAL_NONE);
        } else {
            ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, gk_member_name(out), BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        }
        ck_assert(grig_step(&r));
        ck_assert_int_eq(r.last.reason, n % 2 ? GK_REASON_LEAVE : GK_REASON_EVICT);
        m[i] = m[n - 1];
        agree(m, n - 1);
        ck_assert_int_eq(grig_follow(&r, out), GK_FED_EVICTED);
        ck_assert_int_eq(gk_member_status(out), GK_MEMBER_OUT);
        gk_member_free(out);
    }
}

START_TEST(life_of_a_group)
{
    life();
}
END_TEST

START_TEST(takeover)
{
    enum { N = 20 };
    gk_member *m[N];
    char name[16];
    gk_group *standby = NULL;

    for (size_t i = 0; i < N; i++) {
        (void)snprintf(name, sizeof(name), "m%zu", i);
        m[i] = grig_join(&r, name, token);
        if (r.genesis.mode == GK_MODE_FLAT)
            agree(m, i + 1);
        if (i == 5)
            ck_ok(grig_load(&r, 1, &standby));
        if (i > 5) { /* the warm one follows each epoch */
            (void)snprintf(name, sizeof(name), "epochs/%u", (unsigned)r.group->last.epoch);
            ck_ok(gk_group_follow(standby, gk_zk_get(&r.zk, name)));
        }
    }
    ck_assert_int_eq(memcmp(standby->last.hash, r.group->last.hash, GK_HASH), 0);
    for (size_t c = 1; c < 3; c++) {
        gk_group_free(r.group);
        r.group = NULL;
        if (c == 1)
            r.group = standby;
        else
            ck_ok(grig_load(&r, c, &r.group));
        agree(m, N); /* nobody is rekeyed by a takeover */
        ck_assert_int_eq(grig_ask(&r, m[3], GK_REQUEST_LEAVE, NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
        gk_member_free(m[3]);
        for (size_t i = 0; i < N; i++)
            ck_assert(i == 3 || grig_follow(&r, m[i]) == GK_FED_KEY);
        m[3] = grig_join(&r, c == 1 ? "x" : "y", token);
        agree(m, N);
    }
    for (size_t i = 0; i < N; i++)
        gk_member_free(m[i]);
}
END_TEST

/* A batch of leavers and joiners is one rekey, and the joiner's reply stands in its multi. */
START_TEST(batch)
{
    enum { N = 40 };
    gk_member *m[N], *late[10];
    char name[16];

    for (size_t i = 0; i < N; i++) {
        (void)snprintf(name, sizeof(name), "m%zu", i);
        m[i] = grig_member(&r, name);
        ck_assert_int_eq(grig_ask(&r, m[i], GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    }
    ck_assert(grig_step(&r));
    ck_assert_uint_eq(r.last.joined, N);
    ck_assert_uint_eq(r.last.key_writes, 1);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(grig_take_reply(&r, m[i]), GK_FED_JOINED);
    agree(m, N);
    for (size_t i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "late%zu", i);
        late[i] = grig_member(&r, name);
        ck_assert_int_eq(grig_ask(&r, late[i], GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
        ck_assert_int_eq(grig_ask(&r, m[i], GK_REQUEST_LEAVE, NULL), GK_REFUSAL_NONE);
    }
    ck_assert(grig_step(&r));
    ck_assert_int_eq(r.last.reason, GK_REASON_BATCH);
    for (size_t i = 0; i < 10; i++) {
        ck_assert_int_eq(grig_take_reply(&r, late[i]), GK_FED_JOINED);
        ck_assert_int_eq(grig_follow(&r, m[i]), GK_FED_EVICTED);
        gk_member_free(m[i]);
        m[i] = late[i];
    }
    agree(m, N);
    for (size_t i = 0; i < N; i++)
        gk_member_free(m[i]);
}
END_TEST

/* A new state key asks for a snapshot of an epoch that has one: it takes its place at once, and opens with the new key alone. */
START_TEST(snapshot_again)
{
    gk_member *m = grig_join(&r, "m", token);
    gk_exchange to[3] = {0};
    gk_mem record = {0};
    gk_group *g = NULL;
    uint32_t index = 0;

    for (int k = 0; k < 3; k++) {
        gk_plan *plans = NULL;
        size_t n = 0;

        ck_ok(gk_group_snapshot(r.group, 1, &plans, &n));
        for (size_t i = 0; i < n; i++) {
            gk_zk_run(&r.zk, &plans[i]);
            gk_plan_clear(&plans[i]);
        }
        free(plans);
        gk_group_snapshot_done(r.group);
        if (k > 0)
            continue;
        for (size_t i = 0; i < 3; i++) {
            ck_ok(gk_exchange_make(&record, r.dh[i], r.now, r.controllers[i]));
            ck_ok(gk_exchange_read(&to[i], gk_mem_view(&record), r.authority));
            gk_mem_free(&record);
        }
        ck_ok(gk_state_keys_make(r.state_keys[0], &record, &index, to, 3, r.now, r.controllers[0]));
        ck_ok(gk_state_keys_add(r.state_keys[1], gk_mem_view(&record), r.dh[1], r.authority));
        gk_mem_free(&record);
    }
    ck_assert(grig_step(&r)); /* the side znode, too */
    gk_state_keys_drop(r.state_keys[1], 2);
    ck_gk(grig_load(&r, 2, &g), GK_ERR_NOTFOUND); /* it hasn't got the new key */
    ck_ok(grig_load(&r, 1, &g));
    gk_group_free(g);
    gk_member_free(m);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("group");
    TCase *modes[2] = {tcase_create("lkh"), tcase_create("flat")};

    for (size_t i = 0; i < 2; i++) {
        tcase_set_timeout(modes[i], 120);
        tcase_add_checked_fixture(modes[i], i == 0 ? up_lkh : up_flat, down);
        tcase_add_test(modes[i], life_of_a_group);
        tcase_add_test(modes[i], takeover);
        tcase_add_test(modes[i], batch);
        tcase_add_test(modes[i], snapshot_again);
        suite_add_tcase(s, modes[i]);
    }
    return s;
}
