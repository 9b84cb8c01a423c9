/* View keys, the servers' nodes byte by byte, and the holder of secrets among threads. */
#include <pthread.h>
#include <stdatomic.h>

#include "../../native/crypto/gk_key_internal.h"
#include "../../native/crypto/gk_sign.h"
#include "../../native/group/gk_agreement_internal.h"
#include "support/gk_check.h"

static const uint8_t ensemble_id[GK_ID] = {'d', 'e', 'r', 'i', 'v', 'e'};

static gk_key *key_of(gk_purpose purpose, gk_bytes raw)
{
    gk_key *k = NULL;

    ck_ok(gk_key_new(&k, purpose, 0, raw));
    return k;
}

START_TEST(view_vectors)
{
    gk_vec *v = gk_vec_open("views.txt");

    while (gk_vec_next(v)) {
        gk_bytes ensemble = gk_vec_hex(v, "ensemble");
        gk_key *ks = key_of(GK_PURPOSE_AGREED, gk_vec_hex(v, "ks"));
        gk_bytes hash = gk_vec_hex(v, "hash");
        gk_bytes current = gk_vec_hex(v, "current");
        gk_view view = {.cversion = 4, .children = 2};
        gk_bytes want = gk_vec_hex(v, "key");
        gk_bytes want_id = gk_vec_hex(v, "key id");
        gk_secrets *s = NULL;
        uint8_t key[GK_VIEW_KEY];
        uint8_t id[GK_KEY_ID];

        memcpy(view.tag, gk_vec_hex(v, "tag").p, GK_TAG);
        view.czxid = gk_vec_u64(v, "czxid");
        view.pzxid = gk_vec_u64(v, "pzxid");
        ck_ok(gk_secrets_new(&s, ensemble.p));
        ck_ok(gk_secrets_offer(s, hash.p, ks));
        for (int in_use = 0; in_use < 2; in_use++) { /* readers may be ahead of the agreement's own thread */
            ck_ok(gk_derive_view(key, id, s, &view, current));
            ck_assert_mem_eq(id, want_id.p, sizeof(id));
            ck_assert_mem_eq(key, want.p, sizeof(key));
            if (in_use == 0)
                ck_ok(gk_secrets_use(s, hash.p));
        }
        gk_secrets_free(s);
        gk_key_free(ks);
    }
    ck_assert_uint_eq(gk_vec_close(v), 8);
}
END_TEST

static void compare_record(gk_vec *v)
{
    gk_record rec = {0};
    gk_record read = {0};
    gk_key *identity = NULL;
    gk_key *seed = NULL;
    gk_key *server = NULL;
    gk_bytes ensemble = {0};
    gk_bytes want = {0};
    gk_reader r = {0};
    uint8_t out[GK_RECORD_MAX];
    size_t n = 0;

    rec.id = gk_vec_u64(v, "id");
    memcpy(rec.nonce, gk_vec_hex(v, "nonce").p, sizeof(rec.nonce));
    rec.reason = (gk_reason)gk_vec_u64(v, "reason");
    rec.seed = (uint32_t)gk_vec_u64(v, "seed id");
    memcpy(rec.fingerprint, gk_vec_hex(v, "fingerprint").p, 8);
    identity = key_of(GK_PURPOSE_SIGN, gk_vec_hex(v, "identity"));
    ck_ok(gk_sign_public(rec.public_key, identity));
    ensemble = gk_vec_hex(v, "ensemble");
    seed = key_of(GK_PURPOSE_SEED, gk_vec_hex(v, "seed"));
    ck_ok(gk_key_derive(&server, GK_PURPOSE_SERVER, rec.seed, seed, gk_vec_hex(v, "zone")));
    want = gk_vec_hex(v, "record");
    ck_ok(gk_record_write(out, sizeof(out), &n, &rec, ensemble.p, server, identity));
    ck_assert(gk_bytes_equal(BYTES(out, n), want));
    for (size_t i = 0; i < want.n; i++) { /* too short, or changed anywhere: refused */
        gk_err e = GK_OK;

        r = gk_reader_of(out, i);
        ck_gk(gk_record_read(&read, &r), GK_ERR_TRUNCATED);
        out[i] ^= 0x10;
        r = gk_reader_of(out, n);
        e = gk_record_read(&read, &r);
        if (e == GK_OK)
            e = gk_record_check(&read, ensemble.p, server);
        ck_assert(e != GK_OK);
        out[i] ^= 0x10;
    }
    r = gk_reader_of(out, n);
    ck_ok(gk_record_read(&read, &r));
    ck_assert_uint_eq(r.n, 0);
    ck_ok(gk_record_check(&read, ensemble.p, server));
    ck_gk(gk_record_check(&read, ensemble_id, server), GK_ERR_AUTH); /* another ensemble's */
    ck_gk(gk_record_write(out, n - 1, &n, &rec, ensemble.p, server, identity), GK_ERR_SPACE);
    gk_key_free(server);
    gk_key_free(seed);
    gk_key_free(identity);
}

static void compare_current(gk_vec *v, size_t n)
{
    gk_current c = {.n = n};
    gk_current read;
    gk_bytes want = {0};
    uint8_t out[GK_CURRENT_MAX + 1];
    size_t len = 0;

    memcpy(c.run_id, gk_vec_hex(v, "run").p, GK_HASH);
    memcpy(c.hash, gk_vec_hex(v, "hash").p, GK_HASH);
    for (size_t i = 0; i < n; i++) {
        c.ids[i] = gk_vec_u64(v, "id");
        memcpy(c.nonces[i], gk_vec_hex(v, "nonce").p, GK_RUN_NONCE);
    }
    want = gk_vec_hex(v, "current");
    ck_ok(gk_current_write(out, GK_CURRENT_MAX, &len, &c));
    ck_assert(gk_bytes_equal(BYTES(out, len), want));
    ck_ok(gk_current_read(&read, want));
    ck_assert_mem_eq(&read, &c, sizeof(c));
    for (size_t i = 0; i < len; i++)
        ck_gk(gk_current_read(&read, BYTES(out, i)), GK_ERR_TRUNCATED);
    out[len] = 0;
    ck_gk(gk_current_read(&read, BYTES(out, len + 1)), GK_ERR_MALFORMED);
    ck_assert_uint_eq(read.n, 0);
    out[2 + 13] = '2'; /* "groupkeeper v2 ..." */
    ck_gk(gk_current_read(&read, BYTES(out, len)), GK_ERR_VERSION);
    out[2] = 'G';
    ck_gk(gk_current_read(&read, BYTES(out, len)), GK_ERR_MALFORMED);
}

START_TEST(node_vectors)
{
    gk_vec *v = gk_vec_open("servers.txt");

    while (gk_vec_next(v)) {
        const char *parties = gk_vec_opt(v, "parties");

        if (parties == NULL)
            compare_record(v);
        else
            compare_current(v, strtoul(parties, NULL, 10));
    }
    ck_assert_uint_eq(gk_vec_close(v), 10);
}
END_TEST

/* --- the holder ------------------------------------------------------------------------------------------------------------- */

typedef struct made {
    gk_secrets *s;
    gk_key *ks;
    uint8_t hash[GK_HASH];
    uint8_t current[GK_CURRENT_MAX];
    gk_bytes named; /* current, as read */
} made;

static made secret_of(gk_secrets *s, uint8_t which)
{
    made m = {.s = s};
    gk_current c = {.n = 1, .ids = {1}};
    size_t n = 0;

    memset(m.hash, which, GK_HASH);
    memcpy(c.hash, m.hash, GK_HASH);
    ck_ok(gk_key_generate(&m.ks, GK_PURPOSE_AGREED, 0));
    ck_ok(gk_current_write(m.current, sizeof(m.current), &n, &c));
    m.named.n = n;
    return m;
}

static gk_err derive(made *m, const gk_view *v)
{
    uint8_t key[GK_VIEW_KEY];
    uint8_t id[GK_KEY_ID];
    gk_err e = gk_derive_view(key, id, m->s, v, BYTES(m->current, m->named.n));

    for (size_t i = 0; i < sizeof(key) && e != GK_OK; i++)
        ck_assert_uint_eq(key[i], 0);
    for (size_t i = 0; i < sizeof(id) && e != GK_OK; i++)
        ck_assert_uint_eq(id[i], 0);
    return e;
}

START_TEST(only_the_secret_that_is_named)
{
    static const gk_view v = {.tag = {1}, .czxid = 1, .pzxid = 2};
    gk_secrets *s = NULL;
    made a;
    made b;
    uint64_t current = 0;
    uint64_t all = 0;

    ck_ok(gk_secrets_new(&s, ensemble_id));
    a = secret_of(s, 1);
    b = secret_of(s, 2);
    ck_gk(derive(&a, &v), GK_ERR_NOTFOUND);
    ck_gk(gk_secrets_use(s, a.hash), GK_ERR_NOTFOUND);
    ck_ok(gk_secrets_offer(s, a.hash, a.ks));
    ck_ok(derive(&a, &v));
    ck_ok(gk_secrets_use(s, a.hash));
    ck_ok(gk_secrets_offer(s, b.hash, b.ks));
    ck_ok(derive(&a, &v)); /* while the reply still names it */
    ck_ok(derive(&b, &v));
    gk_secrets_derivations(s, &current, &all);
    ck_assert_uint_eq(current, 2);
    ck_assert_uint_eq(all, 3);
    ck_ok(gk_secrets_use(s, b.hash));
    ck_gk(derive(&a, &v), GK_ERR_NOTFOUND);
    ck_ok(derive(&b, &v));
    ck_gk(gk_secrets_use(s, a.hash), GK_ERR_NOTFOUND);
    gk_secrets_forget(s);
    ck_gk(derive(&b, &v), GK_ERR_NOTFOUND);
    ck_ok(gk_secrets_offer(s, a.hash, a.ks));
    gk_secrets_clear(s);
    ck_gk(derive(&a, &v), GK_ERR_NOTFOUND);
    b.current[0] ^= 1;
    ck_assert(derive(&b, &v) != GK_OK);
    gk_key_free(a.ks);
    a.ks = key_of(GK_PURPOSE_CONFIRM, BYTES(a.hash, 32));
    ck_gk(gk_secrets_offer(s, a.hash, a.ks), GK_ERR_ARG); /* no K_s */
    gk_key_free(a.ks);
    gk_key_free(b.ks);
    gk_secrets_free(s);
    gk_secrets_free(NULL);
}
END_TEST

START_TEST(a_used_up_cversion)
{
    gk_view v = {.tag = {1}};
    gk_secrets *s = NULL;
    made a;

    ck_ok(gk_secrets_new(&s, ensemble_id));
    a = secret_of(s, 1);
    ck_ok(gk_secrets_offer(s, a.hash, a.ks));
    for (int32_t children = 0; children < 5; children++) {
        /* what DataNode.copyStat computes: 2 * cversion - numChildren in 32 bits */
        v.children = children;
        v.cversion = (int32_t)(2U * 2147483647U - (uint32_t)children);
        ck_gk(derive(&a, &v), GK_ERR_LIMIT);
        v.cversion = (int32_t)(2U * 2147483646U - (uint32_t)children);
        ck_ok(derive(&a, &v));
        v.cversion = 2 * 1000 - children;
        ck_ok(derive(&a, &v));
    }
    gk_key_free(a.ks);
    gk_secrets_free(s);
}
END_TEST

static made shared[2];
static atomic_bool stop;

static void *reader(void *arg)
{
    static const gk_view v = {.tag = {1}, .czxid = 1, .pzxid = 2};
    size_t *got = arg;

    while (!atomic_load(&stop)) {
        gk_err e = derive(&shared[*got % 2], &v);

        ck_assert(e == GK_OK || e == GK_ERR_NOTFOUND);
        (*got)++;
    }
    return NULL;
}

START_TEST(readers_and_a_writer)
{
    gk_secrets *s = NULL;
    pthread_t threads[3];
    size_t got[3] = {0};

    ck_ok(gk_secrets_new(&s, ensemble_id));
    shared[0] = secret_of(s, 1);
    shared[1] = secret_of(s, 2);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, &got[i]), 0);
    for (size_t i = 0; i < 20000; i++) {
        made *m = &shared[i % 2];
        uint64_t current = 0;
        uint64_t all = 0;

        ck_ok(gk_secrets_offer(s, m->hash, m->ks));
        ck_ok(gk_secrets_use(s, m->hash));
        if (i % 7 == 0)
            gk_secrets_forget(s);
        gk_secrets_derivations(s, &current, &all);
        ck_assert_uint_le(current, all);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    gk_key_free(shared[0].ks);
    gk_key_free(shared[1].ks);
    gk_secrets_free(s);
}
END_TEST

static gk_err offer_and_derive(void *arg)
{
    static const gk_view v = {.tag = {1}, .czxid = 1, .pzxid = 2};
    made *m = arg;
    gk_err e = gk_secrets_new(&m->s, ensemble_id);

    if (e == GK_OK)
        e = gk_secrets_offer(m->s, m->hash, m->ks);
    if (e == GK_OK)
        e = derive(m, &v);
    gk_secrets_free(m->s);
    return e;
}

START_TEST(failed_allocations)
{
    made m = secret_of(NULL, 3);

    ck_assert_uint_gt(gk_fault_each(offer_and_derive, &m), 1);
    gk_key_free(m.ks);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("derive");
    TCase *t = tcase_create("derive");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, view_vectors);
    tcase_add_test(t, node_vectors);
    tcase_add_test(t, only_the_secret_that_is_named);
    tcase_add_test(t, a_used_up_cversion);
    tcase_add_test(t, readers_and_a_writer);
    tcase_add_test(t, failed_allocations);
    suite_add_tcase(s, t);
    return s;
}
