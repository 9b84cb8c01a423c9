/* Who may not get anything past a member: a current member, an evicted one, ZooKeeper itself, a stale controller; and past a controller: replays,
 * strangers, the denied, too many. Each is refused, and counted under its reason. */
#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

static gk_grouprig r;
static char token[GK_TOKEN_TEXT + 1];
static gk_member *m[8];
enum { N = 8 };

static void up(void)
{
    char name[16];

    grig_open(&r, GK_MODE_LKH, NULL);
    grig_token(&r, token, 1000);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(name, sizeof(name), "m%zu", i);
        m[i] = grig_join(&r, name, token);
    }
    for (size_t i = 0; i < N; i++)
        (void)grig_follow(&r, m[i]);
}

static void down(void)
{
    for (size_t i = 0; i < N; i++)
        gk_member_free(m[i]);
    grig_close(&r);
}

/* refused: this verdict, counted once more, and neither keys nor epoch have moved. */
static void refused(gk_member *who, gk_bytes znode, gk_verdict want)
{
    uint64_t epoch = gk_member_epoch(who), before = gk_member_count(who, want);
    uint8_t a[32], b[32];
    gk_verdict v = GK_FED_KEY;

    ck_ok(gk_member_export_key(who, a));
    v = gk_member_feed(who, znode, r.now);
    ck_assert_msg(v == want, "%s, not %s", gk_verdict_str(v), gk_verdict_str(want));
    ck_assert(gk_verdict_refused(v));
    ck_assert_uint_eq(gk_member_count(who, want), before + 1);
    ck_ok(gk_member_export_key(who, b));
    ck_assert(gk_member_epoch(who) == epoch && memcmp(a, b, 32) == 0);
}

static gk_mem znode_of(const gk_mem *message)
{
    gk_mem z = {0};

    ck_ok(gk_mem_new(&z, 4 + message->n));
    gk_writer w = gk_writer_of(z.p, z.n);
    gk_writer_var32(&w, gk_mem_view(message));
    ck_ok(w.err);
    return z;
}

/* forge makes the message after m[0]'s epoch with keys that m[0] has: a fresh root under the old one, signed by `signer`. */
static gk_mem forge(gk_member *by, const gk_key *signer, void (*change)(gk_epoch *e))
{
    uint8_t wraps[GK_EPOCH_WRAP];
    gk_writer w = gk_writer_of(wraps, sizeof(wraps));
    gk_path_node *root = &by->path.nodes[by->path.n - 1];
    gk_key *mine = grig_key(GK_PURPOSE_NODE);
    gk_epoch e = {.epoch = by->epoch + 1, .controller_epoch = by->controller_epoch, .authority = 1, .issued_ms = r.now, .max_age_s = 60,
                  .ring = 64, .members = N, .reason = GK_REASON_PERIOD, .root = 1000000};
    gk_mem message = {0}, z = {0};

    memcpy(e.group_id, by->genesis.id, sizeof(e.group_id));
    memcpy(e.prev, by->hash, sizeof(e.prev));
    if (change != NULL)
        change(&e);
    gk_writer_u64(&w, e.root);
    gk_writer_u64(&w, root->id);
    ck_ok(gk_node_wrap(gk_writer_reserve(&w, GK_WRAPPED), e.group_id, e.epoch, e.salt, e.root, root->id, root->key, mine));
    e.wraps = BYTES(wraps, sizeof(wraps));
    ck_ok(gk_epoch_make(&message, &e, mine, signer));
    z = znode_of(&message);
    gk_mem_free(&message);
    gk_key_free(mine);
    return z;
}

static void feed_forged(const gk_key *signer, void (*change)(gk_epoch *e), gk_verdict want)
{
    gk_mem z = forge(m[0], signer, change);

    refused(m[1], gk_mem_view(&z), want);
    gk_mem_free(&z);
}

static void other_group(gk_epoch *e)
{
    e->group_id[0] ^= 1;
}
static void other_prev(gk_epoch *e)
{
    e->prev[0] ^= 1;
}
static void stale(gk_epoch *e)
{
    e->controller_epoch--;
}
static void old_authority(gk_epoch *e)
{
    e->authority--;
}
static void old_epoch(gk_epoch *e)
{
    e->epoch -= 3;
}

START_TEST(a_current_member)
{
    gk_key *own = grig_key(GK_PURPOSE_SIGN);
    gk_mem z = {0};

    feed_forged(own, NULL, GK_FED_SIGNER);                 /* all symmetric keys are right; the signature isn't */
    feed_forged(m[0]->sign, NULL, GK_FED_SIGNER);          /* a member's own identity is no controller's */
    feed_forged(r.admin, NULL, GK_FED_SIGNER);             /* nor is an administrator's */
    feed_forged(r.controllers[0], other_group, GK_FED_GROUP);
    feed_forged(r.controllers[0], other_prev, GK_FED_FORK);
    feed_forged(r.controllers[0], stale, GK_FED_ROLLBACK);
    feed_forged(r.controllers[0], old_authority, GK_FED_ROLLBACK);
    feed_forged(r.controllers[0], old_epoch, GK_FED_ROLLBACK);
    z = forge(m[0], r.controllers[0], NULL); /* the forger's tools work: by a controller it would pass */
    ck_assert_int_eq(gk_member_feed(m[2], gk_mem_view(&z), r.now), GK_FED_KEY);
    gk_mem_free(&z);
    gk_key_free(own);
}
END_TEST

START_TEST(an_evicted_one)
{
    gk_member *evil = m[0];
    gk_mem z = {0};

    ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, "m0", BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    z = forge(evil, evil->sign, NULL); /* before it learns that it is out */
    ck_assert(grig_step(&r));
    refused(m[1], gk_mem_view(&z), GK_FED_SIGNER);
    gk_mem_free(&z);
    ck_assert_int_eq(grig_follow(&r, evil), GK_FED_EVICTED);
    for (size_t i = 1; i < N; i++)
        ck_assert_int_eq(grig_follow(&r, m[i]), GK_FED_KEY);
    /* it can't come back, not refresh, not leave for others; it is counted */
    ck_assert_int_eq(grig_ask(&r, evil, GK_REQUEST_JOIN, token), GK_REFUSAL_DENIED);
    ck_assert_int_eq(grig_ask(&r, evil, GK_REQUEST_REFRESH, NULL), GK_REFUSAL_MEMBER);
    ck_assert_int_eq(grig_ask(&r, evil, GK_REQUEST_LEAVE, NULL), GK_REFUSAL_MEMBER);
    ck_assert_uint_eq(gk_group_refused(r.group, GK_REFUSAL_DENIED), 1);
    ck_assert_uint_eq(gk_group_refused(r.group, GK_REFUSAL_MEMBER), 2);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_command(&r, GK_OP_ALLOW, "m0", BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert_int_eq(grig_ask(&r, evil, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, evil), GK_FED_JOINED);
    for (size_t i = 1; i < N; i++)
        ck_assert(grig_follow(&r, m[i]) == GK_FED_KEY && grig_same_key(m[i], evil));
}
END_TEST

static gk_bytes epoch_node(uint64_t n)
{
    char path[GK_PATH_MAX];

    (void)snprintf(path, sizeof(path), "epochs/%llu", (unsigned long long)n);
    return gk_zk_get(&r.zk, path);
}

START_TEST(zookeeper_itself)
{
    uint64_t at = r.group->last.epoch, arg = 0;
    gk_mem copy = {0}, record = {0};
    uint8_t junk[100] = {0};
    gk_bytes message = {0}, delta = {0};

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
    }
    refused(m[1], epoch_node(at - 1), GK_FED_ROLLBACK);          /* an old one again */
    ck_assert_int_eq(gk_member_feed(m[1], epoch_node(at), r.now), GK_FED_OLD);
    ck_assert_int_eq(gk_member_feed(m[1], epoch_node(at + 2), r.now), GK_FED_AHEAD); /* reordered: not lost, but in order */
    ck_assert_int_eq(gk_member_next(m[1], &arg), GK_NEED_EPOCH);
    ck_assert_uint_eq(arg, at + 1);
    refused(m[1], BYTES(junk, sizeof(junk)), GK_FED_MALFORMED);
    refused(m[1], BYTES(NULL, 0), GK_FED_MALFORMED);
    /* every byte of the message counts, wherever it is flipped; what stands behind it is no member's business */
    ck_ok(gk_mem_copy(&copy, epoch_node(at + 1)));
    ck_ok(gk_epoch_znode(&message, &delta, gk_mem_view(&copy)));
    for (size_t i = 0; i < 4 + message.n; i++) {
        gk_verdict v;

        copy.p[i] ^= 1 << (i % 8);
        v = gk_member_feed(m[1], gk_mem_view(&copy), r.now);
        ck_assert_msg(gk_verdict_refused(v) || v == GK_FED_NEEDS_AUTHORITY, "byte %zu: %s", i, gk_verdict_str(v));
        copy.p[i] ^= 1 << (i % 8);
        ck_assert_uint_eq(gk_member_epoch(m[1]), at);
        m[1]->needs_authority = false; /* the flipped authority field made it ask; there is none */
    }
    for (size_t i = 0; i < 4 + message.n; i++)
        ck_assert(gk_verdict_refused(gk_member_feed(m[1], BYTES(copy.p, i), r.now)));
    gk_mem_free(&copy);
    ck_assert_int_eq(grig_follow(&r, m[1]), GK_FED_KEY); /* and nothing of that has hurt it */
    ck_assert_uint_eq(gk_member_epoch(m[1]), at + 3);
    /* signs of life: replayed, of another time, another history */
    ck_ok(gk_group_fresh(r.group, r.now, &record));
    ck_assert_int_eq(gk_member_fresh(m[1], gk_mem_view(&record), r.now), GK_FED_FRESH);
    ck_assert(!gk_member_stale(m[1], r.now + 60000));
    ck_assert(gk_member_stale(m[1], r.now + 60001));
    for (size_t i = 0; i < record.n; i++) {
        record.p[i] ^= 0x10;
        ck_assert(gk_verdict_refused(gk_member_fresh(m[1], gk_mem_view(&record), r.now)));
        record.p[i] ^= 0x10;
    }
    gk_mem_free(&record);
    ck_ok(gk_group_fresh(r.group, r.now - 5000, &record));
    ck_assert_int_eq(gk_member_fresh(m[1], gk_mem_view(&record), r.now), GK_FED_TIME);
    gk_mem_free(&record);
    ck_ok(gk_group_fresh(r.group, r.now + 3600000, &record));
    ck_assert_int_eq(gk_member_fresh(m[1], gk_mem_view(&record), r.now), GK_FED_TIME);
    gk_mem_free(&record);
}
END_TEST

/* Two controllers that both think they lead: what the one with the older token wrote is refused by who saw the newer. */
START_TEST(a_stale_controller)
{
    gk_group *newer = NULL, *older = r.group;
    gk_plan lost = {0};

    ck_ok(grig_load(&r, 1, &newer));
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_ok(gk_group_plan(older, r.now, true, &lost)); /* its multi fails the check: never run */
    r.group = newer;
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_follow(&r, m[1]), GK_FED_KEY);
    for (size_t i = 0; i < lost.n; i++) { /* but say that ZooKeeper shows it all the same */
        if (strncmp(lost.writes[i].path, "epochs/", 7) == 0) {
            refused(m[1], gk_mem_view(&lost.writes[i].data), GK_FED_ROLLBACK);
            ck_gk(gk_group_follow(newer, gk_mem_view(&lost.writes[i].data)), GK_ERR_STATE);
            /* who hasn't seen the newer one takes the fork for good, but then can't be led back unseen */
            ck_assert_int_eq(gk_member_feed(m[2], gk_mem_view(&lost.writes[i].data), r.now), GK_FED_KEY);
            refused(m[2], epoch_node(newer->last.epoch), GK_FED_ROLLBACK);
            ck_assert(!grig_same_key(m[1], m[2])); /* forks never share a key */
        }
    }
    gk_plan_clear(&lost);
    gk_group_free(older);
}
END_TEST

START_TEST(requests)
{
    gk_member *x = grig_member(&r, "x"), *y = grig_member(&r, "m3");
    gk_mem request = {0};
    uint8_t hash[GK_HASH];
    size_t tokens = r.group->side.tokens[0].uses;

    ck_assert_int_eq(grig_ask(&r, x, GK_REQUEST_JOIN, NULL), GK_REFUSAL_PENDING);
    ck_assert_int_eq(grig_ask(&r, y, GK_REQUEST_JOIN, token), GK_REFUSAL_NAME);
    ck_ok(gk_member_request(x, GK_REQUEST_JOIN, STR(token), r.now, &request, hash));
    for (size_t i = 0; i < request.n; i++) {
        request.p[i] ^= 2;
        ck_assert_int_ne(gk_group_request(r.group, gk_mem_view(&request), r.now), GK_REFUSAL_NONE);
        request.p[i] ^= 2;
        ck_assert_int_ne(gk_group_request(r.group, BYTES(request.p, i), r.now), GK_REFUSAL_NONE);
    }
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now + GK_REQUEST_LIFE_MS), GK_REFUSAL_EXPIRED);
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now - 20000), GK_REFUSAL_EXPIRED);
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now), GK_REFUSAL_NONE);
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now), GK_REFUSAL_REPLAY);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, x), GK_FED_JOINED);
    ck_assert_uint_eq(r.group->side.tokens[0].uses, tokens - 1);
    ck_assert_int_eq(gk_group_request(r.group, gk_mem_view(&request), r.now), GK_REFUSAL_REPLAY); /* not after it was granted, either */
    ck_assert_uint_eq(gk_group_refused(r.group, GK_REFUSAL_REPLAY), 2);
    for (int i = 0; i < 20; i++)
        (void)grig_ask(&r, x, GK_REQUEST_REFRESH, NULL);
    ck_assert_uint_ge(gk_group_refused(r.group, GK_REFUSAL_RATE), 10);
    ck_assert_int_eq(grig_ask(&r, m[1], GK_REQUEST_REFRESH, NULL), GK_REFUSAL_NONE); /* others aren't starved */
    gk_mem_free(&request);
    gk_member_free(x);
    gk_member_free(y);
}
END_TEST

/* A one-time token admits one. Approval admits who waits, by the hash of the request. */
START_TEST(tokens_and_approval)
{
    char once[GK_TOKEN_TEXT + 1];
    gk_member *a = grig_member(&r, "a"), *b = grig_member(&r, "b");
    uint8_t hash[GK_HASH];
    gk_person p = {0};

    grig_token(&r, once, 1);
    ck_assert_int_eq(grig_ask(&r, a, GK_REQUEST_JOIN, once), GK_REFUSAL_NONE);
    ck_assert_int_eq(grig_ask(&r, b, GK_REQUEST_JOIN, once), GK_REFUSAL_PENDING); /* used, so only approval is left */
    ck_assert(gk_member_awaits(b, hash));
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, a), GK_FED_JOINED);
    ck_assert(gk_group_find(r.group, STR("b"), &p) && p.state == GK_PERSON_PENDING);
    ck_assert_int_eq(memcmp(p.request, hash, GK_HASH), 0);
    hash[0] ^= 1;
    ck_assert_int_eq(grig_command(&r, GK_OP_APPROVE, NULL, BYTES(NULL, 0), hash), GK_REFUSAL_STATE);
    hash[0] ^= 1;
    ck_assert_int_eq(grig_command(&r, GK_OP_APPROVE, NULL, BYTES(NULL, 0), hash), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, b), GK_FED_JOINED);
    ck_assert(grig_follow(&r, a) == GK_FED_KEY && grig_same_key(a, b));
    gk_member_free(a);
    gk_member_free(b);
}
END_TEST

START_TEST(commands)
{
    gk_command c = {.authority = 1, .op = GK_OP_REKEY, .not_after_ms = r.now + 1000}, read = {0};
    gk_mem message = {0};

    memcpy(c.target, r.genesis.id, sizeof(c.target));
    ck_ok(gk_command_make(&message, &c, r.admin));
    ck_gk(gk_command_read(&read, gk_mem_view(&message), r.authority, r.now + 2000), GK_ERR_STATE);
    ck_ok(gk_command_read(&read, gk_mem_view(&message), r.authority, r.now));
    ck_assert_int_eq(gk_group_command(r.group, &read, r.now), GK_REFUSAL_NONE);
    ck_assert_int_eq(gk_group_command(r.group, &read, r.now), GK_REFUSAL_REPLAY); /* executed once */
    for (size_t i = 0; i < message.n; i++) {
        message.p[i] ^= 4;
        ck_assert_int_ne(gk_command_read(&read, gk_mem_view(&message), r.authority, r.now), GK_OK);
        message.p[i] ^= 4;
        ck_assert_int_ne(gk_command_read(&read, BYTES(message.p, i), r.authority, r.now), GK_OK);
    }
    gk_mem_free(&message);
    ck_ok(gk_command_make(&message, &c, r.controllers[0])); /* a controller is no administrator, */
    ck_gk(gk_command_read(&read, gk_mem_view(&message), r.authority, r.now), GK_ERR_AUTH);
    gk_mem_free(&message);
    ck_ok(gk_command_make(&message, &c, m[0]->sign)); /* nor is a member */
    ck_gk(gk_command_read(&read, gk_mem_view(&message), r.authority, r.now), GK_ERR_AUTH);
    gk_mem_free(&message);
}
END_TEST

/* Past the ring there is one way: a refresh, and the gap is told. State that was saved goes on where it was, and never back. */
START_TEST(ring_and_state)
{
    gk_key *state_key = grig_key(GK_PURPOSE_STATE), *wrong = grig_key(GK_PURPOSE_STATE);
    gk_mem saved = {0};
    gk_member *again = NULL;
    uint64_t at = gk_member_epoch(m[1]), from = 0, to = 0, arg = 0;
    const char *why = NULL;

    ck_ok(gk_member_save(m[1], &saved, state_key));
    ck_gk(gk_member_load(&again, gk_mem_view(&saved), wrong), GK_ERR_AUTH);
    ck_gk(gk_member_load(&again, gk_mem_view(&saved), NULL), GK_ERR_AUTH);
    for (size_t i = 0; i < saved.n; i++) {
        saved.p[i] ^= 1;
        ck_assert_int_ne(gk_member_load(&again, gk_mem_view(&saved), state_key), GK_OK);
        saved.p[i] ^= 1;
        ck_assert_int_ne(gk_member_load(&again, BYTES(saved.p, i), state_key), GK_OK);
    }
    ck_ok(gk_member_load(&again, gk_mem_view(&saved), state_key));
    ck_assert(grig_same_key(m[1], again));
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
    }
    ck_assert(!gk_zk_has(&r.zk, "epochs/1")); /* a snapshot has been made meanwhile */
    gk_member_seen(again, 1, r.group->last.epoch);
    ck_assert_int_eq(gk_member_next(again, &arg), GK_NEED_REFRESH);
    ck_assert_int_eq(grig_ask(&r, again, GK_REQUEST_REFRESH, NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, again), GK_FED_JOINED);
    ck_assert(gk_member_missed(again, 0, &from, &to, &why));
    ck_assert(from == at + 1 && to == r.group->last.epoch - 1 && !gk_member_missed(again, 1, &from, &to, &why));
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_follow(&r, again), GK_FED_KEY);
    gk_member_free(again);
    gk_mem_free(&saved);
    gk_key_free(state_key);
    gk_key_free(wrong);
}
END_TEST

/* ZooKeeper puts in a policy of its own, or an older one: controllers that load it do nothing under it. */
START_TEST(another_policy)
{
    gk_policy p = gk_policy_default();
    gk_mem forged = {0}, next = {0};
    gk_group *g = NULL, *first = r.group;
    gk_member *x = grig_member(&r, "x");
    gk_plan plan = {0};

    p.admit[0] = GK_ADMIT_MANUAL;
    p.admit_n = 1;
    p.version = 2;
    ck_ok(gk_policy_make(&forged, r.genesis.id, &p, m[0]->sign));
    ck_assert_int_eq(grig_command(&r, GK_OP_POLICY, NULL, gk_mem_view(&forged), NULL), GK_REFUSAL_STATE);
    gk_zk_put(&r.zk, "policy", gk_mem_view(&forged));
    ck_ok(grig_load(&r, 1, &g));
    r.group = g;
    ck_assert_int_eq(grig_ask(&r, x, GK_REQUEST_JOIN, token), GK_REFUSAL_STATE);
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_STATE);
    ck_gk(gk_group_plan(g, r.now, true, &plan), GK_ERR_AUTH);
    ck_gk(gk_group_policy(g, gk_mem_view(&forged)), GK_ERR_AUTH);
    gk_group_free(g);
    r.group = first; /* the right way: an administrator's, by a command */
    ck_ok(gk_policy_make(&next, r.genesis.id, &p, r.admin));
    ck_assert_int_eq(grig_command(&r, GK_OP_POLICY, NULL, gk_mem_view(&next), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_ok(grig_load(&r, 1, &g));
    ck_gk(gk_group_plan(g, r.now, true, &plan), GK_ERR_NOTFOUND);
    gk_group_free(g);
    gk_zk_put(&r.zk, "policy", gk_mem_view(&r.policy_record)); /* signed, but the one before */
    ck_ok(grig_load(&r, 1, &g));
    ck_gk(gk_group_plan(g, r.now, true, &plan), GK_ERR_AUTH);
    gk_group_free(g);
    gk_mem_free(&forged);
    gk_mem_free(&next);
    gk_member_free(x);
}
END_TEST

/* A takeover: the new controller's sign of life may be read before what the old one wrote last. And a removed controller: what it signed is worth nothing
 * any more, so who hasn't read it by then asks; the gap is told. */
START_TEST(takeover_and_removal)
{
    gk_group *newer = NULL;
    gk_mem record = {0}, v2 = {0};
    gk_authority *a2 = NULL, *old = r.authority;
    uint64_t from = 0, to = 0, arg = 0;
    const char *why = NULL;

    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r)); /* by controller 1; nobody has read it yet */
    ck_ok(grig_load(&r, 1, &newer));
    ck_ok(gk_group_fresh(newer, r.now, &record));
    ck_assert_int_eq(gk_member_fresh(m[1], gk_mem_view(&record), r.now), GK_FED_FRESH);
    gk_mem_free(&record);
    ck_assert_int_eq(grig_follow(&r, m[1]), GK_FED_KEY);
    ck_ok(gk_group_fresh(r.group, r.now + 1, &record)); /* but signs of life of the old one aren't any, now */
    ck_assert_int_eq(gk_member_fresh(m[1], gk_mem_view(&record), r.now + 1), GK_FED_ROLLBACK);
    gk_mem_free(&record);
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r)); /* nor is what it writes after that */
    refused(m[1], epoch_node(r.group->last.epoch), GK_FED_ROLLBACK);
    ck_ok(gk_group_follow(newer, epoch_node(r.group->last.epoch)));
    gk_group_free(r.group);
    r.group = newer;
    ck_ok(gk_authority_make(&v2, old, gk_authority_admins(old), BYTES(gk_authority_controllers(old).p + 32, 64), r.now, r.admin));
    ck_ok(gk_authority_read(&a2, old, gk_mem_view(&v2)));
    r.authority = a2;
    for (size_t i = 0; i < 3; i++)
        r.control[i].authority = a2;
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(gk_member_feed(m[2], epoch_node(newer->last.epoch), r.now), GK_FED_NEEDS_AUTHORITY);
    ck_assert(gk_member_next(m[2], &arg) == GK_NEED_AUTHORITY && arg == 2);
    ck_ok(gk_member_authority(m[2], gk_mem_view(&v2)));
    refused(m[2], epoch_node(gk_member_epoch(m[2]) + 1), GK_FED_SIGNER);
    gk_member_seen(m[2], 1, newer->last.epoch);
    ck_assert_int_eq(gk_member_next(m[2], &arg), GK_NEED_REFRESH);
    ck_assert_int_eq(grig_ask(&r, m[2], GK_REQUEST_REFRESH, NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_take_reply(&r, m[2]), GK_FED_JOINED);
    ck_assert(gk_member_missed(m[2], 0, &from, &to, &why) && to == newer->last.epoch - 1);
    ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert(grig_step(&r));
    ck_assert_int_eq(grig_follow(&r, m[2]), GK_FED_KEY);
    gk_mem_free(&v2);
    gk_authority_free(old);
}
END_TEST

/* Two that want one name in one window: the first has it, the second doesn't push it out; nor does who is evicted in the same window come back in. */
START_TEST(one_window)
{
    gk_member *a = grig_member(&r, "same"), *b = grig_member(&r, "same"), *c = grig_member(&r, "other"), *again = m[0];
    gk_key *k = gk_key_ref(a->sign);

    ck_assert_int_eq(grig_ask(&r, a, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    ck_assert_int_eq(grig_ask(&r, b, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    ck_ok(gk_member_identity(c, k)); /* the first one's key under a second name */
    ck_assert_int_eq(grig_ask(&r, c, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    ck_assert_int_eq(grig_command(&r, GK_OP_EVICT, "m0", BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
    ck_assert_int_eq(grig_ask(&r, again, GK_REQUEST_JOIN, token), GK_REFUSAL_NONE);
    for (int i = 0; i < 3; i++)
        (void)grig_step(&r);
    ck_assert_int_eq(grig_take_reply(&r, a), GK_FED_JOINED);
    ck_assert_int_eq(grig_take_reply(&r, b), GK_FED_REFUSED_BY_CONTROLLER);
    ck_assert_int_eq(gk_member_refusal(b), GK_REFUSAL_NAME);
    ck_assert_int_eq(grig_take_reply(&r, c), GK_FED_REFUSED_BY_CONTROLLER);
    ck_assert_int_eq(grig_take_reply(&r, again), GK_FED_REFUSED_BY_CONTROLLER);
    ck_assert_int_eq(gk_member_refusal(again), GK_REFUSAL_DENIED);
    ck_assert_uint_eq(r.group->roster.n, N); /* m0 out, one in */
    gk_key_free(k);
    gk_member_free(a);
    gk_member_free(b);
    gk_member_free(c);
}
END_TEST

/* ZooKeeper is restored from a backup: controllers refuse the older state; recovery goes on above all that was, and nobody goes back. */
START_TEST(restored_from_a_backup)
{
    gk_zk backup = {0};
    gk_group *g = NULL;
    uint64_t high = 0, arg = 0, from = 0, to = 0;
    uint8_t hash[GK_HASH];
    const char *why = NULL;

    for (size_t i = 0; i < r.zk.n; i++)
        gk_zk_put(&backup, r.zk.nodes[i].path, gk_mem_view(&r.zk.nodes[i].data));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(grig_command(&r, GK_OP_REKEY, NULL, BYTES(NULL, 0), NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
        for (size_t k = 0; k < 4; k++)
            ck_assert_int_eq(grig_follow(&r, m[k]), GK_FED_KEY);
    }
    high = r.group->last.epoch;
    memcpy(hash, r.group->last.hash, GK_HASH);
    gk_zk_free(&r.zk);
    r.zk = backup;
    ck_ok(grig_load(&r, 0, &g));
    ck_gk(gk_group_floor(g, high, hash), GK_ERR_AUTH);
    gk_group_free(r.group);
    r.group = g;
    ck_ok(gk_group_recover(g, high));
    ck_assert(grig_step(&r));
    ck_assert_uint_eq(g->last.epoch, high + 1);
    ck_ok(gk_group_floor(g, high, hash));
    for (size_t i = 0; i < N; i++) {
        ck_assert_int_eq(gk_member_feed(m[i], epoch_node(high + 1), r.now), GK_FED_AHEAD);
        ck_assert_int_eq(gk_member_next(m[i], &arg), GK_NEED_REFRESH);
        ck_assert_int_eq(grig_ask(&r, m[i], GK_REQUEST_REFRESH, NULL), GK_REFUSAL_NONE);
        ck_assert(grig_step(&r));
        ck_assert_int_eq(grig_take_reply(&r, m[i]), GK_FED_JOINED);
        ck_assert(grig_same_key(m[i], m[0]) && gk_member_missed(m[i], 0, &from, &to, &why) == (i >= 4));
    }
    g = NULL; /* and another controller comes after that one */
    ck_gk(grig_load(&r, 1, &g), GK_OK);
    gk_group_free(g);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("forgery");
    TCase *t = tcase_create("forgery");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, a_current_member);
    tcase_add_test(t, an_evicted_one);
    tcase_add_test(t, zookeeper_itself);
    tcase_add_test(t, a_stale_controller);
    tcase_add_test(t, requests);
    tcase_add_test(t, tokens_and_approval);
    tcase_add_test(t, commands);
    tcase_add_test(t, ring_and_state);
    tcase_add_test(t, another_policy);
    tcase_add_test(t, takeover_and_removal);
    tcase_add_test(t, one_window);
    tcase_add_test(t, restored_from_a_backup);
    suite_add_tcase(s, t);
    return s;
}
