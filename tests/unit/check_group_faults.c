/* Failing allocations, many members, many groups: what a controller has to survive. */
#include <time.h>

#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

static gk_grouprig r;
static char token[GK_TOKEN_TEXT + 1];

static void up(void)
{
    grig_open(&r, GK_MODE_LKH, NULL);
    grig_token(&r, token, 200000);
}

static void down(void)
{
    grig_close(&r);
}

static gk_mem request;

/* Another controller loads everything, admits somebody, makes a snapshot. */
static gk_err load_and_lead(void *arg)
{
    gk_group *g = NULL;
    gk_plan plan = {0}, *plans = NULL;
    size_t n = 0;
    uint64_t epoch = 0;
    char path[GK_PATH_MAX];
    gk_err e = gk_group_load(&g, &r.control[1], gk_zk_get(&r.zk, "genesis"), gk_zk_get(&r.zk, "policy"), gk_zk_get(&r.zk, "state"));

    (void)arg;
    if (e == GK_OK) {
        (void)gk_group_chunks(g, &epoch);
        (void)snprintf(path, sizeof(path), "state/%llu-0", (unsigned long long)epoch);
        e = gk_group_chunk(g, 0, gk_zk_get(&r.zk, path));
    }
    if (e == GK_OK)
        e = gk_group_side(g, gk_zk_get(&r.zk, "side"));
    for (uint64_t i = epoch + 1; e == GK_OK && i <= r.group->last.epoch; i++) {
        (void)snprintf(path, sizeof(path), "epochs/%llu", (unsigned long long)i);
        e = gk_group_follow(g, gk_zk_get(&r.zk, path));
    }
    if (e == GK_OK && gk_group_request(g, gk_mem_view(&request), r.now) != GK_REFUSAL_NONE)
        e = GK_ERR_NOMEM; /* it refuses rather than loses: the member asks again */
    if (e == GK_OK)
        e = gk_group_plan(g, r.now, true, &plan);
    if (e == GK_OK) {
        gk_group_commit(g);
        e = gk_group_snapshot(g, 1, &plans, &n);
    }
    for (size_t i = 0; i < n; i++)
        gk_plan_clear(&plans[i]);
    free(plans);
    gk_plan_clear(&plan);
    gk_group_free(g);
    return e == GK_ERR_AUTH ? GK_ERR_CRYPTO : e; /* OpenSSL doesn't tell a wrong signature from no memory */
}

START_TEST(controller_survives_failing_allocations)
{
    gk_member *m[4];
    uint8_t hash[GK_HASH];
    char name[8];

    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof(name), "m%zu", i);
        m[i] = grig_join(&r, name, token);
    }
    gk_member *late = grig_member(&r, "late");
    ck_ok(gk_member_request(late, GK_REQUEST_JOIN, STR(token), r.now, &request, hash));
    ck_assert_uint_ge(gk_fault_each(load_and_lead, NULL), 100);
    gk_mem_free(&request);
    gk_member_free(late);
    for (size_t i = 0; i < 4; i++)
        gk_member_free(m[i]);
}
END_TEST

static gk_mem state;
static gk_key *state_key;

/* A member loads its state, reads the next epochs, saves. A verdict that memory falsified must have left it as it was. */
static gk_err read_and_save(void *arg)
{
    gk_member *m = NULL;
    gk_mem out = {0};
    gk_err e = gk_member_load(&m, gk_mem_view(&state), state_key);
    uint64_t before = e == GK_OK ? gk_member_epoch(m) : 0;

    (void)arg;
    if (e == GK_OK) {
        (void)grig_follow(&r, m);
        if (gk_member_epoch(m) != r.group->last.epoch)
            e = GK_ERR_NOMEM;
        if (gk_member_epoch(m) < before) /* no assertion here: Check itself allocates */
            e = GK_ERR_STATE;
    }
    if (e == GK_OK)
        e = gk_member_save(m, &out, state_key);
    gk_mem_free(&out);
    gk_member_free(m);
    return e == GK_ERR_AUTH ? GK_ERR_CRYPTO : e;
}

START_TEST(member_survives_failing_allocations)
{
    gk_member *a = grig_join(&r, "a", token), *b = NULL;

    state_key = grig_key(GK_PURPOSE_STATE);
    ck_ok(gk_member_save(a, &state, state_key));
    b = grig_join(&r, "b", token);
    ck_assert_int_eq(grig_ask(&r, b, GK_REQUEST_LEAVE, NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_uint_ge(gk_fault_each(read_and_save, NULL), 50);
    gk_mem_free(&state);
    gk_key_free(state_key);
    gk_member_free(a);
    gk_member_free(b);
}
END_TEST

static double seconds(void)
{
    struct timespec t;

    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* sweep takes replies away, as the leader does after ten minutes: the rig's ZooKeeper is a list. */
static void sweep(void)
{
    for (size_t i = r.zk.n; i-- > 0;) {
        if (strncmp(r.zk.nodes[i].path, "replies/", 8) == 0) {
            gk_mem_free(&r.zk.nodes[i].data);
            r.zk.nodes[i] = r.zk.nodes[--r.zk.n];
        }
    }
}

/* Real keys, real messages: single leaves out of 5,000 stay within the bound, to the wrap; a snapshot of several chunks loads. GK_MEMBERS: more. */
START_TEST(many_members)
{
    size_t n = getenv("GK_MEMBERS") ? strtoul(getenv("GK_MEMBERS"), NULL, 10) : 5000;
    gk_member *m = NULL, *watcher = grig_join(&r, "watcher", token);
    gk_group_info info = {0};
    gk_group *other = NULL;
    char name[32];
    double start = seconds();
    uint32_t worst = 0;

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "m%zu", i);
        m = grig_member(&r, name);
        ck_assert_int_eq(grig_ask(&r, m, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
        gk_member_free(m);
        if (i % 250 == 249 || i + 1 == n)
            ck_assert(grig_step(&r));
        if (i % 250 == 249) {
            sweep();
            ck_assert_int_eq(grig_follow(&r, watcher), GK_FED_KEY); /* old epochs go with the snapshots */
        }
    }
    ck_assert(!gk_verdict_refused(grig_follow(&r, watcher)));
    printf("  %zu admissions in batches of 250: %.3f ms each with making the request\n", n, (seconds() - start) * 1000 / (double)n);
    start = seconds();
    for (size_t i = 0; i < 100; i++) {
        uint32_t before = 0;

        ck_ok(gk_group_look(r.group, &info));
        before = info.members;
        (void)snprintf(name, sizeof(name), "m%zu", i * 37 % n);
        ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, name, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
        worst = r.last.wraps > worst ? r.last.wraps : worst;
        ck_assert_uint_le(r.last.wraps, 2 * gk_tree_log2(before) + 2);
        ck_assert_uint_eq(r.last.key_writes, 1);
        ck_assert_int_eq(grig_follow(&r, watcher), GK_FED_KEY);
    }
    ck_ok(gk_group_look(r.group, &info));
    printf("  a leave: %.3f ms with the member's part, at most %u wraps, %zu bytes; engine %.1f MB\n", (seconds() - start) * 10, worst,
           info.last_key_bytes, (double)info.memory / 1e6);
    start = seconds();
    ck_ok(grig_load(&r, 2, &other));
    printf("  takeover from what lies in ZooKeeper: %.3f s\n", seconds() - start);
    ck_assert_int_eq(memcmp(other->last.hash, r.group->last.hash, GK_HASH), 0);
    gk_group_free(other);
    gk_member_free(watcher);
}
END_TEST

/* strict: bytes of what a plan writes in one multi. */
static size_t strict(const gk_plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += p->writes[i].loose ? 0 : p->writes[i].data.n + strlen(p->writes[i].path);
    return n;
}

/* fill makes the side as large as strangers and administrators can: requests that wait, then denials with the longest names. */
static void fill(gk_side *s)
{
    static uint8_t big[GK_REQUEST_MAX];
    char name[GK_NAME_MAX + 1];
    uint64_t id[4] = {0};
    gk_request q = {.name = STR("w")};

    for (q.hash[0] = 0; gk_side_room(s, 0, sizeof(big)); q.hash[0]++)
        ck_ok(gk_side_wait(s, &q, BYTES(big, sizeof(big)), r.now + 1000000));
    for (id[0] = 1; gk_side_room(s, 1, 0); id[0]++) {
        (void)snprintf(name, sizeof(name), "%0*zu", GK_NAME_MAX, (size_t)id[0]);
        ck_ok(gk_side_deny(s, STR(name), (const uint8_t *)id, 1));
    }
    ck_assert_uint_gt(s->waiting_n, 5);
    ck_assert_uint_gt(s->denied_n, 1000);
}

/* Side znode and deny list as large as they can get, 100,000 nonces, and leavers: each multi is one that ZooKeeper takes, and another controller goes on. */
START_TEST(side_is_bounded)
{
    enum { LEAVERS = 120 };
    gk_side *s = &r.group->side;
    gk_member *m[LEAVERS], *kept = grig_join(&r, "kept", token), *watcher = grig_join(&r, "watcher", token);
    uint64_t id[2] = {7};
    gk_mem again = {0};
    uint8_t hash[GK_HASH];
    gk_group *other = NULL;
    size_t side = s->seen.side;

    ck_assert_int_eq(grig_ask(&r, kept, GK_REQUEST_REFRESH, NULL), GK_REFUSAL_NONE);
    ck_assert_uint_eq(s->seen.side, side); /* that all members ask for a refresh at once doesn't fill it */
    ck_assert(grig_step(&r));
    for (size_t i = 0; i < LEAVERS; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "m%zu", i);
        m[i] = grig_member(&r, name);
        ck_ok(gk_member_request(m[i], GK_REQUEST_JOIN, STR(token), r.now, &again, hash));
        ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&again), r.now), GK_REFUSAL_NONE);
        if (i + 1 < LEAVERS)
            gk_mem_free(&again);
    }
    ck_assert(grig_step(&r));
    for (id[1] = 0; id[1] < 100000; id[1]++)
        ck_ok(gk_seen_add(&s->seen, (const uint8_t *)id, r.now + 300000, r.now, GK_SEEN_LOGGED));
    for (size_t i = 0; i < LEAVERS / 2; i++)
        ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, gk_member_name(m[i]), BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    fill(s);
    ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, gk_member_name(m[LEAVERS - 1]), BYTES(NULL, 0), NULL), GK_REFUSAL_QUOTA);
    for (size_t steps = 0; r.group->work_n > 0 || steps == 0; steps++) {
        ck_assert(grig_step(&r));
        ck_assert_uint_le(strict(&r.last), 1000000); /* jute.maxbuffer is 1,048,575 */
        ck_assert_uint_lt(steps, 10);
    }
    ck_assert_uint_gt(gk_zk_get(&r.zk, "side").n, 500000);
    printf("  side %zu bytes, deny list %zu bytes, last multi %zu bytes\n", gk_zk_get(&r.zk, "side").n, gk_zk_get(&r.zk, "deny").n, strict(&r.last));
    ck_assert(!gk_verdict_refused(grig_follow(&r, watcher)));
    ck_ok(grig_load(&r, 1, &other));
    ck_assert_uint_eq(other->side.denied_n, s->denied_n);
    ck_assert_uint_eq(other->side.waiting_n, s->waiting_n);
    ck_assert_int_eq(gk_group_request(other, gk_mem_view(&again), r.now), GK_REFUSAL_REPLAY); /* though the side znode hasn't got it */
    gk_group_free(other);
    gk_mem_free(&again);
    for (size_t i = 0; i < LEAVERS; i++)
        gk_member_free(m[i]);
    gk_member_free(kept);
    gk_member_free(watcher);
}
END_TEST

/* A request waits for its batch while something else is written, or a snapshot is made: whoever leads next has to take it, not to refuse it as a replay. */
START_TEST(what_waits_is_no_replay)
{
    gk_member *first = grig_join(&r, "first", token), *late = grig_member(&r, "late");
    uint8_t hash[GK_HASH];
    gk_group *other = NULL;
    gk_plan plan = {0}, *plans = NULL;
    size_t n = 0;

    r.group->policy.batch_ms = 10000;
    ck_ok(gk_member_request(late, GK_REQUEST_JOIN, STR(token), r.now, &request, hash));
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now), GK_REFUSAL_NONE);
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now), GK_REFUSAL_REPLAY);
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_ok(gk_group_plan(r.group, r.now, false, &plan)); /* with the side znode */
    gk_zk_run(&r.zk, &plan);
    gk_group_commit(r.group);
    gk_plan_clear(&plan);
    for (int snapshot = 0; snapshot < 2; snapshot++) {
        ck_ok(grig_load(&r, 1, &other));
        ck_assert_int_eq(gk_group_request(other, gk_mem_view(&request), r.now), GK_REFUSAL_NONE);
        gk_group_free(other);
        ck_ok(gk_group_snapshot(r.group, 1, &plans, &n));
        for (size_t i = 0; i < n; i++) {
            gk_zk_run(&r.zk, &plans[i]);
            gk_plan_clear(&plans[i]);
        }
        free(plans);
        gk_group_snapshot_done(r.group);
    }
    ck_assert(grig_step(&r)); /* now it is taken, and never again */
    ck_assert_int_eq(grig_take_reply(&r, late), GK_FED_JOINED);
    ck_ok(grig_load(&r, 1, &other));
    ck_assert_int_eq(gk_group_request(other, gk_mem_view(&request), r.now), GK_REFUSAL_REPLAY);
    gk_group_free(other);
    gk_mem_free(&request);
    gk_member_free(first);
    gk_member_free(late);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("group_faults");
    TCase *t = tcase_create("group_faults");

    tcase_set_timeout(t, 600);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, controller_survives_failing_allocations);
    tcase_add_test(t, member_survives_failing_allocations);
    tcase_add_test(t, many_members);
    tcase_add_test(t, side_is_bounded);
    tcase_add_test(t, what_waits_is_no_replay);
    suite_add_tcase(s, t);
    return s;
}
