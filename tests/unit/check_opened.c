#include "../../native/codec/gk_opened.h"
#include "../../native/codec/gk_payload.h"
#include "../support/gk_rig.h"
#include "support/gk_check.h"

#define IDS 64

static uint8_t id_bytes[8];

static const uint8_t *id_of(uint64_t i)
{
    memcpy(id_bytes, &i, sizeof(i));
    return id_bytes;
}

static gk_opened *opened_of(size_t bytes)
{
    gk_opened *c = NULL;

    ck_ok(gk_opened_new(&c, bytes));
    return c;
}

static bool finds(gk_opened *c, uint64_t id, const char *binding, const char *stored, const char *plain)
{
    gk_bytes got = {0};

    return gk_opened_find(c, &got, id_of(id), STR(binding), STR(stored)) && gk_bytes_equal(got, STR(plain));
}

static void put(gk_opened *c, uint64_t id, const char *binding, const char *stored, const char *plain)
{
    gk_opened_put(c, id_of(id), STR(binding), STR(stored), STR(plain));
}

START_TEST(the_second_time)
{
    gk_opened *c = opened_of(1 << 20);

    ck_assert(!finds(c, 7, "b", "stored", "plain"));
    put(c, 7, "b", "stored", "plain");
    ck_assert(!finds(c, 7, "b", "stored", "plain"));
    put(c, 7, "b", "stored", "plain");
    ck_assert(finds(c, 7, "b", "stored", "plain"));
    ck_assert(!finds(c, 8, "b", "stored", "plain") && !finds(c, 7, "B", "stored", "plain") && !finds(c, 7, "b", "storeD", "plain"));
    ck_assert(!finds(c, 7, "bs", "tored", "plain") && !finds(c, 7, "b", "store", "plain") && !finds(c, 7, "b", "stored1", "plain"));
    put(c, 7, "b", "other", "");
    ck_assert(finds(c, 7, "b", "other", "") && !finds(c, 7, "b", "stored", "plain"));
    gk_opened_free(c);
    gk_opened_free(NULL);
}
END_TEST

START_TEST(a_walk_displaces_nothing)
{
    gk_opened *c = opened_of(1 << 20);

    for (int times = 0; times < 2; times++)
        for (uint64_t id = 0; id < 100; id++)
            put(c, id, "b", "stored", "plain");
    for (uint64_t id = 100; id < 100000; id++)
        put(c, id, "b", "other", "plain");
    for (uint64_t id = 0; id < 100; id++)
        ck_assert(finds(c, id, "b", "stored", "plain"));
    gk_opened_free(c);
}
END_TEST

START_TEST(without_room)
{
    static char big[4000];
    const size_t sizes[] = {0, 1, 511, 512, 1024, 32 << 10};

    memset(big, 'x', sizeof(big) - 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        gk_opened *c = opened_of(sizes[i]);
        for (int times = 0; times < 3; times++)
            put(c, 1, "b", big, "plain");
        ck_assert(!finds(c, 1, "b", big, "plain"));
        gk_opened_free(c);
    }
}
END_TEST

/* Payloads of all lengths in no order, many times the ring: what is found is always what was put last under that id, and the latest of them
 * is always found. */
START_TEST(goes_round)
{
    enum { SIZE = 64 << 10, ROUNDS = 20000 };
    static struct { uint8_t stored[1000], plain[1000]; size_t n; } now[IDS];
    gk_opened *c = opened_of(SIZE);
    gk_bytes binding = STR("sixteen bytes..."), got = {0};
    unsigned found = 0;

    srand(4);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t id = (uint64_t)rand() % IDS;
        if (rand() % 4 == 0 || now[id].n == 0) {
            now[id].n = 1 + (size_t)rand() % sizeof(now[id].stored);
            for (size_t k = 0; k < now[id].n; k++) {
                now[id].stored[k] = (uint8_t)rand();
                now[id].plain[k] = (uint8_t)rand();
            }
        }
        gk_bytes stored = {now[id].stored, now[id].n}, plain = {now[id].plain, now[id].n};
        if (gk_opened_find(c, &got, id_of(id), binding, stored)) {
            ck_assert(gk_bytes_equal(got, plain));
            found++;
            continue;
        }
        gk_opened_put(c, id_of(id), binding, stored, plain);
        gk_opened_put(c, id_of(id), binding, stored, plain);
        ck_assert(gk_opened_find(c, &got, id_of(id), binding, stored) && gk_bytes_equal(got, plain));
    }
    ck_assert_uint_gt(found, ROUNDS / 4);
    gk_opened_free(c);
}
END_TEST

static gk_rig rig;

static gk_err opens(gk_bytes *plain, bool *null, const gk_node *node, gk_bytes stored)
{
    static uint8_t buf[4096];
    gk_writer w = gk_writer_of(buf, sizeof(buf));
    gk_err e = gk_payload_read(rig.worker, &w, null, node, stored);

    *plain = (gk_bytes){buf, w.len};
    return e != GK_OK ? e : w.err;
}

static gk_node node_of(const char *path)
{
    gk_node node;
    gk_writer none = gk_writer_of(NULL, 0);

    ck_ok(gk_path_encrypt(rig.worker, &none, &node, STR(path)));
    return node;
}

/* What was opened before opens only as those very bytes, of that very node. */
START_TEST(never_instead_of_opening)
{
    uint8_t stored[4 + GK_PAYLOAD_OVERHEAD], again[sizeof(stored) + 1] = {0};
    gk_writer w = gk_writer_of(stored, sizeof(stored));
    gk_bytes all = {stored, sizeof(stored)}, plain;
    bool null = true;

    rig = gk_rig_open(NULL);
    gk_node node = node_of("/a"), other = node_of("/b");
    ck_ok(gk_payload_seal(rig.worker, &w, &node, (gk_blob){STR("data"), false}));
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_PAYLOAD_HITS), (uint64_t)(i < 2 ? 0 : i - 2));
        ck_ok(opens(&plain, &null, &node, all));
        ck_assert(gk_bytes_equal(plain, STR("data")) && !null);
    }
    ck_assert_int_eq(opens(&plain, &null, &other, all), GK_ERR_AUTH);
    for (size_t i = 0; i < sizeof(stored) * 8; i++) {
        memcpy(again, stored, sizeof(stored));
        again[i / 8] ^= (uint8_t)(1 << i % 8);
        for (int times = 0; times < 2; times++)
            ck_assert_int_eq(opens(&plain, &null, &node, (gk_bytes){again, sizeof(stored)}), GK_ERR_AUTH);
    }
    memcpy(again, stored, sizeof(stored));
    ck_assert_int_eq(opens(&plain, &null, &node, (gk_bytes){again, sizeof(stored) + 1}), GK_ERR_AUTH);
    for (size_t n = 0; n < sizeof(stored); n++)
        ck_assert_int_eq(opens(&plain, &null, &node, (gk_bytes){again, n}), GK_ERR_AUTH);
    uint64_t hits = gk_codec_count(rig.codec, GK_COUNT_PAYLOAD_HITS);
    ck_ok(opens(&plain, &null, &node, all));
    ck_assert(gk_bytes_equal(plain, STR("data")));
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_PAYLOAD_HITS), hits + 1);
    w = gk_writer_of(again, 3); /* too little room for what is found */
    ck_ok(gk_payload_read(rig.worker, &w, &null, &node, all));
    ck_assert(w.err == GK_ERR_SPACE && w.len == 4);
    gk_rig_close(&rig);
}
END_TEST

/* No bytes and null are different, found or opened. */
START_TEST(null_stays_null)
{
    rig = gk_rig_open(NULL);
    gk_node node = node_of("/a");
    for (int n = 0; n < 2; n++) {
        uint8_t stored[GK_PAYLOAD_OVERHEAD];
        gk_writer w = gk_writer_of(stored, sizeof(stored));
        ck_ok(gk_payload_seal(rig.worker, &w, &node, (gk_blob){{NULL, 0}, n == 1}));
        for (int i = 0; i < 4; i++) {
            gk_bytes plain;
            bool null = n == 0;
            ck_ok(opens(&plain, &null, &node, (gk_bytes){stored, sizeof(stored)}));
            ck_assert(null == (n == 1) && plain.n == 0);
        }
    }
    ck_assert_uint_eq(gk_codec_count(rig.codec, GK_COUNT_PAYLOAD_HITS), 4);
    gk_rig_close(&rig);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("opened");
    TCase *t = tcase_create("opened");

    tcase_add_test(t, the_second_time);
    tcase_add_test(t, a_walk_displaces_nothing);
    tcase_add_test(t, without_room);
    tcase_add_test(t, goes_round);
    tcase_add_test(t, never_instead_of_opening);
    tcase_add_test(t, null_stays_null);
    suite_add_tcase(s, t);
    return s;
}
