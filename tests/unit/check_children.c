#include "../../native/codec/gk_children.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

#define MANY 64 /* lists are kept from here on */
#define NAMES 200

/* Two codecs of one keyring, the second without caches: what the first writes must be what the second writes. */
static gk_rig with, without;
static gk_node root, parent, other, quota;
static gk_buf names[NAMES]; /* as stored below parent */
static gk_buf list, got, want;

static gk_node node_of(gk_rig *r, const char *path)
{
    gk_node node;
    gk_writer nowhere = gk_writer_of(NULL, 0);

    ck_ok(gk_path_encrypt(r->worker, &nowhere, &node, STR(path)));
    return node;
}

static void store(gk_buf *out, const gk_node *of, const char *name)
{
    uint8_t token[300];
    gk_node node = *of;
    gk_writer w = gk_writer_of(token, sizeof(token));

    ck_ok(gk_child_encrypt(without.worker, &w, &node, STR(name)));
    gk_buf_clear(out);
    gk_buf_put(out, token, w.len);
}

static void up_with(bool fails)
{
    gk_options o = gk_rig_options();

    o.undecryptable_fails = fails;
    o.plaintext_prefixes = "/clear/below";
    o.path_cache_bytes = 1 << 20;
    with = gk_rig_open(&o);
    o.path_cache_bytes = 0;
    without = gk_rig_open(&o);
    gk_node_root(without.codec, &root);
    parent = node_of(&without, "/parent");
    other = node_of(&without, "/other");
    quota = node_of(&without, "/zookeeper/quota");
    for (int i = 0; i < NAMES; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "n%0*d", i % 20 + 1, i);
        store(&names[i], &parent, name);
    }
}

static void up(void)
{
    up_with(false);
}

static void down(void)
{
    gk_rig_close(&with);
    gk_rig_close(&without);
    for (int i = 0; i < NAMES; i++)
        gk_buf_free(&names[i]);
    gk_buf_free(&list);
    gk_buf_free(&got);
    gk_buf_free(&want);
}

/* of_names makes a list of the first n names. */
static gk_bytes of_names(int n)
{
    gk_buf_clear(&list);
    gk_buf_i32(&list, n);
    for (int i = 0; i < n; i++)
        gk_buf_blob(&list, (gk_blob){gk_buf_view(&names[i]), false});
    return gk_buf_view(&list);
}

/* written: the result by one codec, in memory of just that size. */
static gk_err written(gk_rig *r, gk_buf *out, const gk_node *node, gk_bytes in, size_t *left)
{
    gk_writer w = gk_writer_of(NULL, 0);
    gk_reader at = gk_reader_of(in.p, in.n);
    gk_err e = gk_children_write(r->worker, &w, &at, node);

    gk_buf_clear(out);
    if (e == GK_OK) {
        size_t n = w.len;

        ck_gk(w.err, GK_ERR_SPACE);
        w = gk_writer_of(gk_buf_room(out, n), n);
        at = gk_reader_of(in.p, in.n);
        ck_ok(gk_children_write(r->worker, &w, &at, node));
        ck_ok(w.err);
        ck_assert_uint_le(w.len, n);
        out->n = w.len;
    }
    *left = at.n;
    return e;
}

/* same: both codecs do the same with in, twice; gives their result. */
static gk_err same(const gk_node *node, gk_bytes in)
{
    gk_err e = GK_OK;

    for (int i = 0; i < 2; i++) {
        size_t left, left_without, n = gk_codec_count(with.codec, GK_COUNT_DECRYPT_FAILURES), m = gk_codec_count(without.codec, GK_COUNT_DECRYPT_FAILURES);

        e = written(&with, &got, node, in, &left);
        ck_gk(e, written(&without, &want, node, in, &left_without));
        ck_assert(e != GK_OK || (left == left_without && gk_bytes_equal(gk_buf_view(&got), gk_buf_view(&want))));
        n = gk_codec_count(with.codec, GK_COUNT_DECRYPT_FAILURES) - n;
        m = gk_codec_count(without.codec, GK_COUNT_DECRYPT_FAILURES) - m;
        ck_assert_uint_eq(n, m);
    }
    return e;
}

static const gk_list *kept(const gk_node *node)
{
    uint8_t buf[GK_LISTS_KEY];

    return gk_lists_find(with.codec->lists, gk_children_key(buf, node));
}

static void plant(const gk_node *node, gk_bytes stored, gk_bytes plain)
{
    uint8_t buf[GK_LISTS_KEY];

    gk_lists_put(with.codec->lists, gk_children_key(buf, node), stored, plain);
}

START_TEST(kept_from_many_on)
{
    for (int n = 0; n < NAMES; n++) {
        ck_ok(same(&parent, of_names(n)));
        const gk_list *l = kept(&parent);
        ck_assert((l != NULL) == (n >= MANY));
        ck_assert(!l || (gk_bytes_equal(l->stored, gk_buf_view(&list)) && gk_bytes_equal(l->plain, gk_buf_view(&want))));
        gk_lists_release(with.codec->lists, l);
    }
    ck_assert_uint_eq(gk_lists_used(without.codec->lists), 0);
}
END_TEST

/* An equal list comes from memory, so what was planted there shows; with one byte changed anywhere the list is read as if nothing were kept. */
START_TEST(one_byte)
{
    gk_bytes in = of_names(MANY);
    size_t left;
    int32_t one = 1;

    plant(&parent, in, STR("planted"));
    ck_ok(written(&with, &got, &parent, in, &left));
    ck_assert(left == 0 && gk_bytes_equal(gk_buf_view(&got), STR("planted")));
    gk_buf_i32(&list, one); /* what follows a list isn't read */
    ck_ok(written(&with, &got, &parent, gk_buf_view(&list), &left));
    ck_assert(left == 4 && gk_bytes_equal(gk_buf_view(&got), STR("planted")));
    plant(&parent, STR(""), STR("")); /* forgets what was planted */
    in = of_names(MANY);
    gk_buf plain = {0};
    ck_ok(written(&without, &plain, &parent, in, &left));
    for (size_t i = 0; i < in.n; i++) {
        plant(&parent, in, gk_buf_view(&plain));
        list.p[i] ^= (uint8_t)(1 << i % 8);
        (void)same(&parent, in);
        ck_assert(!gk_bytes_equal(gk_buf_view(&got), gk_buf_view(&plain)));
        list.p[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < in.n; n++) {
        plant(&parent, in, gk_buf_view(&plain));
        ck_gk(same(&parent, BYTES(in.p, n)), GK_ERR_TRUNCATED);
    }
    gk_buf_free(&plain);
}
END_TEST

/* The same stored bytes under another node mean something else there. */
START_TEST(other_nodes)
{
    const gk_node *nodes[] = {&parent, &other, &root, &quota};
    gk_buf token = {0};

    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < 4; i++) {
            ck_ok(same(nodes[way ? 3 - i : i], of_names(MANY)));
            ck_assert((got.n > 4) == (nodes[way ? 3 - i : i] == &parent));
        }
    }
    /* / and /zookeeper/quota have one tag, and other names in clear */
    gk_buf_clear(&list);
    gk_buf_i32(&list, MANY + 2);
    for (int i = 0; i < MANY; i++) {
        char name[12];

        (void)snprintf(name, sizeof(name), "%d", i);
        store(&token, &root, name);
        gk_buf_blob(&list, (gk_blob){gk_buf_view(&token), false});
    }
    gk_buf_str(&list, "zookeeper");
    gk_buf_str(&list, "clear");
    for (int way = 0; way < 3; way++) {
        ck_ok(same(way % 2 ? &quota : &root, gk_buf_view(&list)));
        const gk_list *l = kept(way % 2 ? &quota : &root);
        ck_assert((l != NULL) == (way % 2 == 0));
        gk_lists_release(with.codec->lists, l);
    }
    gk_buf_free(&token);
}
END_TEST

/* A list that changes from one read to the next: names come, go and change places. */
START_TEST(changes)
{
    srand(1);
    for (int step = 0; step < 1000; step++) {
        int n = MANY - 4 + rand() % (NAMES - MANY + 4);

        for (int edits = rand() % 12; edits > 0; edits--) {
            int i = rand() % NAMES, j = rand() % NAMES;
            gk_buf name = names[i];

            if (rand() % 3 > 0) { /* to another place, which moves what lies between */
                memmove(names + i, names + i + 1, (size_t)(NAMES - 1 - i) * sizeof(*names));
                memmove(names + j + 1, names + j, (size_t)(NAMES - 1 - j) * sizeof(*names));
            } else {
                names[i] = names[j];
            }
            names[j] = name;
        }
        ck_ok(same(&parent, of_names(n)));
    }
}
END_TEST

/* A list with a name that isn't ours isn't kept, and each read of it counts. */
static void strangers_with(bool fails)
{
    down();
    up_with(fails);
    store(&names[70], &other, "stranger");
    ck_gk(same(&parent, of_names(100)), fails ? GK_ERR_AUTH : GK_OK);
    ck_assert_ptr_null(kept(&parent));
    ck_ok(same(&parent, of_names(70)));
    ck_gk(same(&parent, of_names(100)), fails ? GK_ERR_AUTH : GK_OK);
    const gk_list *l = kept(&parent);
    ck_assert(l && gk_bytes_equal(l->stored, of_names(70)));
    gk_lists_release(with.codec->lists, l);
}

START_TEST(strangers)
{
    strangers_with(false);
    strangers_with(true);
}
END_TEST

/* With every buffer that is too small: GK_ERR_SPACE and the size that would do, from memory or not. */
START_TEST(every_buffer_size)
{
    for (int n = MANY; n < MANY + 2; n++) {
        gk_bytes in = of_names(n);
        size_t left;

        ck_ok(written(&without, &want, &parent, in, &left));
        for (size_t cap = 0; cap <= want.n; cap++) {
            uint8_t *p = malloc(cap + 1);
            gk_writer w = gk_writer_of(p, cap);
            gk_reader r = gk_reader_of(in.p, in.n);

            ck_ok(gk_children_write(with.worker, &w, &r, &parent));
            ck_gk(w.err, cap < want.n ? GK_ERR_SPACE : GK_OK);
            ck_assert(w.len == want.n && r.n == 0);
            free(p);
        }
        for (size_t cap = 0; cap < want.n; cap++) { /* now it is kept */
            gk_writer w = gk_writer_of(got.p, cap);
            gk_reader r = gk_reader_of(in.p, in.n);

            gk_buf_clear(&got);
            w.p = gk_buf_room(&got, want.n);
            ck_ok(gk_children_write(with.worker, &w, &r, &parent));
            ck_assert(w.err == GK_ERR_SPACE && w.len == want.n && r.n == 0);
        }
    }
}
END_TEST

/* Two lists, the second changed, with their plain forms: made before allocations fail. */
static gk_buf lists[2], plains[2];

static gk_err read_both(void *arg)
{
    static uint8_t out[8192];
    gk_rig r = {0};
    gk_err e = gk_rig_try(&r, NULL);

    (void)arg;
    for (int i = 0; i < 6 && e == GK_OK; i++) {
        gk_writer w = gk_writer_of(out, sizeof(out));
        gk_reader in = gk_reader_of(lists[i / 2 % 2].p, lists[i / 2 % 2].n);

        e = gk_children_write(r.worker, &w, &in, &parent);
        if (e == GK_OK && !gk_bytes_equal(BYTES(out, w.len), gk_buf_view(&plains[i / 2 % 2])))
            e = GK_ERR_STATE;
    }
    gk_rig_close(&r);
    return e;
}

START_TEST(allocations_fail)
{
    size_t left;

    for (int i = 0; i < 2; i++) {
        gk_bytes in = of_names(MANY + i);
        gk_buf_put(&lists[i], in.p, in.n);
        ck_ok(written(&without, &plains[i], &parent, in, &left));
    }
    ck_assert_uint_gt(gk_fault_each(read_both, NULL), 150);
    for (int i = 0; i < 2; i++) {
        gk_buf_free(&lists[i]);
        gk_buf_free(&plains[i]);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("children");
    TCase *t = tcase_create("children");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, kept_from_many_on);
    tcase_add_test(t, one_byte);
    tcase_add_test(t, other_nodes);
    tcase_add_test(t, changes);
    tcase_add_test(t, strangers);
    tcase_add_test(t, every_buffer_size);
    tcase_add_test(t, allocations_fail);
    suite_add_tcase(s, t);
    return s;
}
