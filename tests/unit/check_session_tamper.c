#include "../support/gk_ops.h"
#include "../support/gk_sim.h"
#include "support/gk_check.h"

/* Whoever writes the servers' disks moves, copies, cuts and changes what is stored. What a client then reads is what a client wrote to that node,
 * a clear error, or nothing. Each payload begins with its node's path, so that another node's shows. */

#define DATAINCONSISTENCY (-3)
#define NODES 24

static gk_rig rig;
static gk_sim *server;
static gk_buf request, on_wire, answers, seen;
static char paths[NODES][80];

static void framed(int32_t type, const char *path)
{
    gk_buf_clear(&request);
    size_t at = gk_buf_open(&request);
    gk_buf_i32(&request, 5);
    gk_buf_i32(&request, type);
    gk_buf_str(&request, path);
    gk_buf_close(&request, at);
}

/* ask sends the request and gives the reply: *err, and a reader of its record. */
static gk_reader ask(int32_t *err)
{
    gk_reader r = {0};
    gk_bytes skipped;

    gk_writer w = gk_writer_of(request.p, 4);
    gk_writer_u32(&w, (uint32_t)(request.n - 4));
    gk_buf_clear(&on_wire);
    gk_buf_clear(&answers);
    gk_buf_clear(&seen);
    ck_assert_uint_eq(gk_rig_requests(&rig, &on_wire, gk_buf_view(&request)), request.n);
    gk_sim_handle(server, &answers, BYTES(on_wire.p + 4, on_wire.n - 4));
    ck_ok(gk_rig_reply(&rig, &seen, gk_buf_view(&answers)));
    r = gk_reader_of(seen.p, seen.n);
    ck_ok(gk_reader_take(&r, &skipped, 16));
    ck_ok(gk_jute_i32(&r, err));
    return r;
}

static void create(const char *path)
{
    int32_t err;

    framed(GK_OP_CREATE, path);
    size_t at = gk_buf_open(&request);
    gk_buf_put(&request, path, strlen(path));
    gk_buf_put(&request, " is the node of this text", 25);
    gk_buf_close(&request, at);
    gk_buf_acl(&request);
    gk_buf_i32(&request, strchr(path, '9') ? 1 : 0); /* some are ephemeral */
    (void)ask(&err);
    ck_assert_msg(err == 0, "%s: %d", path, err);
}

static void up(void)
{
    static const char *const tops[] = {"/a", "/b", "/zookeeper/quota/a", "/a/deep"};
    size_t n = 0;

    rig = gk_rig_open(NULL);
    gk_rig_connect(&rig);
    server = gk_sim_new(rig.worker);
    for (size_t t = 0; t < 4; t++) {
        (void)snprintf(paths[n++], sizeof(paths[0]), "%s", tops[t]);
        for (int i = 0; i < 5; i++)
            (void)snprintf(paths[n++], sizeof(paths[0]), "%s/%s%d", tops[t], i % 2 ? "x" : "same-", i == 4 ? 9 : i);
    }
    for (size_t i = 0; i < n; i++)
        create(paths[i]);
    for (; n < NODES; n++)
        (void)snprintf(paths[n], sizeof(paths[n]), "/never/was-%zu", n);
}

static void down(void)
{
    gk_sim_free(server);
    gk_rig_close(&rig);
    gk_buf *all[] = {&request, &on_wire, &answers, &seen};
    for (size_t i = 0; i < 4; i++)
        gk_buf_free(all[i]);
}

static bool begins_with(gk_bytes b, const char *s)
{
    return b.n >= strlen(s) && memcmp(b.p, s, strlen(s)) == 0;
}

/* read_data: the node's own text, DATAINCONSISTENCY, or no node. */
static int32_t read_data(const char *path)
{
    gk_blob data;
    int32_t err;

    framed(GK_OP_GET_DATA, path);
    gk_buf_u8(&request, 0);
    gk_reader r = ask(&err);
    if (err != 0) {
        ck_assert_msg((err == DATAINCONSISTENCY || err == -101) && r.n == 0, "%s: %d", path, err);
        return err;
    }
    ck_ok(gk_jute_blob(&r, &data));
    ck_assert_msg(!data.null && begins_with(data.b, path) && begins_with(BYTES(data.b.p + strlen(path), data.b.n - strlen(path)), " is"), "%s holds %.*s", path, (int)data.b.n, (const char *)data.b.p);
    return 0;
}

static const char *in_tree(const char *path)
{
    return strncmp(path, "/zookeeper/quota/", 17) == 0 ? path + 16 : path;
}

/* was_created: a client once made such a child. Below /zookeeper/quota names are those of the tree that it mirrors, so a name can be moved
 * from one to the other; a payload can't. */
static bool was_created(const char *parent, gk_bytes name)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%.*s", strcmp(parent, "/") == 0 ? "" : parent, (int)name.n, (const char *)name.p);
    if (strcmp(parent, "/") == 0 && gk_bytes_equal(name, STR("zookeeper")))
        return true;
    for (size_t i = 0; i < NODES; i++)
        if (strcmp(in_tree(paths[i]), in_tree(path)) == 0)
            return true;
    return false;
}

/* read_names: all children, and all ephemerals, are names that a client once gave to a node there. */
static void read_names(const char *path, size_t *count)
{
    int32_t err, n = 0;

    framed(GK_OP_GET_CHILDREN, path);
    gk_buf_u8(&request, 0);
    gk_reader r = ask(&err);
    if (err == 0)
        ck_ok(gk_jute_i32(&r, &n));
    for (int32_t i = 0; i < n; i++) {
        gk_blob name;

        ck_ok(gk_jute_blob(&r, &name));
        ck_assert_msg(was_created(path, name.b), "%s has a child %.*s", path, (int)name.b.n, (const char *)name.b.p);
    }
    *count += (size_t)n;
    framed(GK_OP_GET_EPHEMERALS, "/");
    r = ask(&err);
    if (err != 0) {
        ck_assert_int_eq(err, DATAINCONSISTENCY);
        return;
    }
    ck_ok(gk_jute_i32(&r, &n));
    for (int32_t i = 0; i < n; i++) {
        gk_blob node;
        gk_bytes parent, last;
        char of[200];

        ck_ok(gk_jute_blob(&r, &node));
        ck_assert(gk_path_parent(node.b, &parent, &last));
        (void)snprintf(of, sizeof(of), "%.*s", (int)parent.n, (const char *)parent.p);
        ck_assert_msg(was_created(of, last), "an ephemeral %.*s", (int)node.b.n, (const char *)node.b.p);
    }
}

static size_t read_all(size_t *children)
{
    size_t readable = 0;

    *children = 0;
    for (size_t i = 0; i < NODES; i++) {
        readable += read_data(paths[i]) == 0;
        read_names(paths[i], children);
    }
    read_names("/", children);
    return readable;
}

START_TEST(untouched)
{
    size_t children;

    ck_assert_uint_eq(read_all(&children), NODES);
    ck_assert_uint_eq(children, NODES - 1 + 1); /* without /zookeeper/quota/a, with /zookeeper */
}
END_TEST

/* attack changes one node in one way. What servers make themselves, the first four, has plain names by design. */
static void attack(gk_source *s, size_t i)
{
    const size_t n = gk_sim_nodes(server);
    gk_bytes path, other_path, parent, last;
    gk_blob data, other;
    gk_buf copy = {0};

    gk_sim_node(server, i, &path, &data);
    gk_sim_node(server, 4 + gk_pick(s, (uint32_t)n - 4), &other_path, &other);
    gk_buf_put(&copy, data.b.p, data.b.n);
    switch (gk_pick(s, 9)) {
    case 0: /* another node's payload */
        gk_sim_replace(server, i, other);
        break;
    case 1: /* a bit of the payload */
        if (copy.n > 0)
            copy.p[gk_pick(s, (uint32_t)copy.n)] ^= (uint8_t)(1u << gk_pick(s, 8));
        gk_sim_replace(server, i, (gk_blob){gk_buf_view(&copy), false});
        break;
    case 2: /* a part of it */
        gk_sim_replace(server, i, (gk_blob){BYTES(copy.p, gk_pick(s, (uint32_t)copy.n + 1)), false});
        break;
    case 3:
        gk_sim_replace(server, i, (gk_blob){STR("a text of the attacker that is long enough to be one of ours"), gk_pick(s, 2) == 0});
        break;
    case 4: /* the halves of two */
        copy.n /= 2;
        gk_buf_put(&copy, other.b.p + other.b.n / 2, other.b.n - other.b.n / 2);
        gk_sim_replace(server, i, (gk_blob){gk_buf_view(&copy), false});
        break;
    case 5: /* another node's whole place: two nodes there, or a subtree elsewhere */
        gk_sim_rename(server, i, other_path);
        break;
    default: /* another node's name, or one with a mark, below the own parent or below another node */
        gk_buf_clear(&copy);
        ck_assert(gk_path_parent(path, &parent, &last));
        if (gk_pick(s, 2) == 0)
            gk_buf_put(&copy, parent.p, parent.n > 1 ? parent.n : 0);
        else
            gk_buf_put(&copy, other_path.p, other_path.n > 1 ? other_path.n : 0);
        gk_buf_put(&copy, "/\2", gk_pick(s, 2) == 0 ? 2 : 1);
        if (gk_path_parent(gk_pick(s, 2) == 0 ? path : other_path, &parent, &last))
            gk_buf_put(&copy, last.p, last.n);
        if (gk_pick(s, 4) == 0 && copy.n > 1)
            copy.p[copy.n - 1] ^= 1;
        gk_sim_rename(server, i, gk_buf_view(&copy));
        break;
    }
    gk_buf_free(&copy);
}

START_TEST(one_change)
{
    gk_source s = gk_source_seed((uint64_t)_i);

    for (int round = 0; round < 60; round++) {
        size_t i = 4 + gk_pick(&s, (uint32_t)gk_sim_nodes(server) - 4);
        size_t children, readable;
        gk_bytes path;
        gk_blob data;
        gk_buf old_path = {0}, old_data = {0};

        gk_sim_node(server, i, &path, &data);
        gk_buf_put(&old_path, path.p, path.n);
        gk_buf_put(&old_data, data.b.p, data.b.n);
        attack(&s, i);
        readable = read_all(&children);
        ck_assert_uint_ge(readable, 1); /* the others are not affected, but for those below */
        gk_sim_replace(server, i, (gk_blob){gk_buf_view(&old_data), false});
        gk_sim_rename(server, i, gk_buf_view(&old_path));
        gk_buf_free(&old_path);
        gk_buf_free(&old_data);
    }
    size_t children;
    ck_assert_uint_eq(read_all(&children), NODES); /* and nothing of it is left in a cache */
}
END_TEST

START_TEST(many_changes)
{
    gk_source s = gk_source_seed(100 + (uint64_t)_i);

    for (int round = 0; round < 30; round++) {
        size_t children;

        for (int k = 0; k < 3; k++)
            attack(&s, 4 + gk_pick(&s, (uint32_t)gk_sim_nodes(server) - 4));
        (void)read_all(&children);
    }
}
END_TEST

/* A server that lies on the wire: each bit of each answer of frames.txt. Never a crash, never a reply that isn't one. */
START_TEST(lying_answers)
{
    gk_vec *v = gk_vec_open("frames.txt");
    gk_buf in = {0};

    while (gk_vec_next(v)) {
        (void)gk_vec_str(v, "case");
        gk_bytes asked = gk_vec_hex(v, "request");
        gk_bytes answer = gk_vec_hex(v, "answer");
        uint8_t *p = (uint8_t *)answer.p; /* the vector's own copy */

        (void)gk_vec_opt(v, "stored");
        (void)gk_vec_str(v, "reply");
        for (size_t i = 0; i < answer.n; i++) {
            for (unsigned bit = 0; bit < 8; bit += 7) {
                gk_rig_reconnect(&rig);
                gk_buf_clear(&in);
                gk_buf_bytes(&in, asked);
                gk_buf_clear(&on_wire);
                ck_assert_uint_eq(gk_rig_requests(&rig, &on_wire, gk_buf_view(&in)), in.n);
                gk_buf_clear(&in);
                p[i] ^= (uint8_t)(1u << bit);
                gk_buf_bytes(&in, answer);
                gk_buf_clear(&seen);
                gk_err e = gk_rig_reply(&rig, &seen, gk_buf_view(&in));
                ck_assert_msg(e == GK_OK || seen.n == 0, "%s: byte %zu", gk_vec_name(v), i);
                ck_assert(seen.n == 0 || seen.n >= 4 + GK_REPLY_HEADER_SIZE);
                p[i] ^= (uint8_t)(1u << bit);
            }
        }
    }
    (void)gk_vec_close(v);
    gk_buf_free(&in);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("session_tamper");
    TCase *t = tcase_create("session_tamper");

    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, untouched);
    tcase_add_loop_test(t, one_change, 0, 8);
    tcase_add_loop_test(t, many_changes, 0, 8);
    tcase_add_test(t, lying_answers);
    suite_add_tcase(s, t);
    return s;
}
