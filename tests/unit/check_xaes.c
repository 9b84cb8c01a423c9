#include <openssl/evp.h>

#include "../../native/crypto/gk_xaes.h"
#include "support/gk_check.h"

#define MAX 16384

static const gk_bytes none = {0};

static gk_xaes *xaes_of(gk_bytes raw)
{
    gk_key *k = NULL;
    gk_xaes *c = NULL;

    ck_ok(gk_key_new(&k, GK_PURPOSE_PAYLOAD, 1, raw));
    ck_ok(gk_xaes_new(&c, k));
    gk_key_free(k);
    return c;
}

static void open_fails(gk_xaes *c, const uint8_t *nonce, gk_bytes aad1, gk_bytes aad2, gk_bytes ct)
{
    static uint8_t out[MAX];
    size_t n = ct.n > GK_XAES_TAG ? ct.n - GK_XAES_TAG : 0;

    memset(out, 0xee, n + 1);
    ck_gk(gk_xaes_open(c, out, nonce, aad1, aad2, ct), GK_ERR_AUTH);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(out[i], 0);
    ck_assert_uint_eq(out[n], 0xee);
}

START_TEST(vectors)
{
    static uint8_t out[MAX];
    gk_vec *v = gk_vec_open("xaes.txt");

    while (gk_vec_next(v)) {
        gk_xaes *c = xaes_of(gk_vec_hex(v, "key"));
        gk_bytes nonce = gk_vec_hex(v, "nonce");
        gk_bytes aad = gk_vec_hex(v, "aad");
        gk_bytes msg = gk_vec_hex(v, "msg");
        gk_bytes ct = gk_vec_hex(v, "ct");

        ck_assert_uint_eq(nonce.n, GK_XAES_NONCE);
        ck_assert_uint_le(ct.n, MAX);
        for (size_t cut = 0; cut <= aad.n; cut += 1 + aad.n / 3) { /* the two parts are one string */
            gk_bytes aad1 = BYTES(aad.p, cut);
            gk_bytes aad2 = BYTES(aad.p + cut, aad.n - cut);

            ck_ok(gk_xaes_seal(c, out, nonce.p, aad1, aad2, msg));
            ck_assert_msg(gk_bytes_equal(BYTES(out, msg.n + GK_XAES_TAG), ct), "%s", gk_vec_name(v));
            ck_ok(gk_xaes_open(c, out, nonce.p, aad1, aad2, ct));
            ck_assert_msg(gk_bytes_equal(BYTES(out, msg.n), msg), "%s", gk_vec_name(v));
        }
        gk_xaes_free(c);
    }
    ck_assert_uint_eq(gk_vec_close(v), 12);
}
END_TEST

/* The accumulated test of the specification. OpenSSL 3.0 can't squeeze SHAKE piece by piece, so all input is made at once. */
START_TEST(accumulated)
{
    gk_vec *v = gk_vec_open("xaes_accumulated.txt");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    gk_bytes want = {0};
    uint8_t *input = NULL;
    uint8_t digest[32];
    size_t n = 0;
    size_t iterations = 0;
    gk_reader r = {0};

    ck_assert(gk_vec_next(v));
    iterations = gk_vec_u64(v, "iterations");
    want = gk_vec_hex(v, "digest");
    n = iterations * (32 + 24 + 2 * 256);
    input = malloc(n);
    ck_assert(input != NULL && ctx != NULL);
    ck_assert(EVP_DigestInit_ex2(ctx, EVP_shake128(), NULL) == 1 && EVP_DigestFinalXOF(ctx, input, n) == 1);
    ck_assert_int_eq(EVP_DigestInit_ex2(ctx, EVP_shake128(), NULL), 1);
    r = gk_reader_of(input, n);
    for (size_t i = 0; i < iterations; i++) {
        gk_bytes key = {0}, nonce = {0}, msg = {0}, aad = {0};
        uint8_t len = 0;
        uint8_t out[256 + GK_XAES_TAG];
        uint8_t back[256];
        gk_xaes *c = NULL;

        ck_ok(gk_reader_take(&r, &key, 32));
        ck_ok(gk_reader_take(&r, &nonce, 24));
        ck_ok(gk_reader_u8(&r, &len));
        ck_ok(gk_reader_take(&r, &msg, len));
        ck_ok(gk_reader_u8(&r, &len));
        ck_ok(gk_reader_take(&r, &aad, len));
        c = xaes_of(key);
        ck_ok(gk_xaes_seal(c, out, nonce.p, aad, none, msg));
        ck_ok(gk_xaes_open(c, back, nonce.p, none, aad, BYTES(out, msg.n + GK_XAES_TAG)));
        ck_assert(gk_bytes_equal(BYTES(back, msg.n), msg));
        ck_assert_int_eq(EVP_DigestUpdate(ctx, out, msg.n + GK_XAES_TAG), 1);
        gk_xaes_free(c);
    }
    ck_assert_int_eq(EVP_DigestFinalXOF(ctx, digest, sizeof(digest)), 1);
    ck_assert(gk_bytes_equal(BYTES(digest, sizeof(digest)), want));
    ck_assert(!gk_vec_next(v));
    ck_assert_uint_eq(gk_vec_close(v), 1);
    EVP_MD_CTX_free(ctx);
    free(input);
}
END_TEST

START_TEST(each_byte_counts)
{
    uint8_t raw[32] = {1};
    gk_xaes *c = xaes_of(BYTES(raw, 32));
    uint8_t nonce[GK_XAES_NONCE] = {2};
    uint8_t aad[20] = {3};
    uint8_t ct[33 + GK_XAES_TAG + 1];
    uint8_t out[64];

    for (size_t n = 0; n <= 33; n += 11) {
        gk_bytes sealed = BYTES(ct, n + GK_XAES_TAG);
        gk_bytes a1 = BYTES(aad, 8);
        gk_bytes a2 = BYTES(aad + 8, 12);

        ck_ok(gk_xaes_seal(c, ct, nonce, a1, a2, BYTES("thirty-three bytes of a znode's data", n)));
        for (size_t i = 0; i < sealed.n; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                ct[i] ^= (uint8_t)(1u << bit);
                open_fails(c, nonce, a1, a2, sealed);
                ct[i] ^= (uint8_t)(1u << bit);
            }
            open_fails(c, nonce, a1, a2, BYTES(ct, i));
        }
        ct[sealed.n] = 0;
        open_fails(c, nonce, a1, a2, BYTES(ct, sealed.n + 1));
        for (size_t i = 0; i < sizeof(aad); i++) {
            aad[i] ^= 0x80;
            open_fails(c, nonce, a1, a2, sealed);
            aad[i] ^= 0x80;
            open_fails(c, nonce, none, BYTES(aad, i), sealed);
        }
        for (size_t i = 0; i < sizeof(nonce); i++) {
            nonce[i] ^= 1;
            open_fails(c, nonce, a1, a2, sealed);
            nonce[i] ^= 1;
        }
        ck_ok(gk_xaes_open(c, out, nonce, a1, a2, sealed));
    }
    gk_xaes_free(c);
}
END_TEST

START_TEST(works_in_place)
{
    static uint8_t text[5000], buf[5000 + GK_XAES_TAG];
    uint8_t raw[32] = {7};
    gk_xaes *c = xaes_of(BYTES(raw, 32));

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 31);
    for (size_t n = 0; n <= sizeof(text); n = n * 3 + 1) {
        memcpy(buf, text, n);
        ck_ok(gk_xaes_seal(c, buf, text, none, none, BYTES(buf, n)));
        ck_ok(gk_xaes_open(c, buf, text, none, none, BYTES(buf, n + GK_XAES_TAG)));
        ck_assert_mem_eq(buf, text, n);
    }
    gk_xaes_free(c);
}
END_TEST

/* OpenSSL's memory may be a small locked arena: a message takes nothing of it. */
START_TEST(a_message_allocates_nothing)
{
    uint8_t raw[32] = {7};
    gk_xaes *c = xaes_of(BYTES(raw, 32));
    static uint8_t buf[MAX];

    for (size_t n = 0; n < MAX - GK_XAES_TAG; n += 1111) {
        gk_err e[2];

        gk_fault_arm(1); /* nothing of Check's until it is disarmed: it allocates, too */
        e[0] = gk_xaes_seal(c, buf, raw, STR("a"), STR("b"), BYTES(buf, n));
        e[1] = gk_xaes_open(c, buf, raw, STR("a"), STR("b"), BYTES(buf, n + GK_XAES_TAG));
        ck_assert(!gk_fault_disarm());
        ck_assert(e[0] == GK_OK && e[1] == GK_OK);
    }
    gk_xaes_free(c);
}
END_TEST

START_TEST(refuses_other_keys_and_sizes)
{
    uint8_t raw[32] = {7};
    uint8_t out[64];
    gk_xaes *c = NULL;

    for (int p = GK_PURPOSE_NAME; p <= GK_PURPOSE_DK; p++) {
        bool may = p == GK_PURPOSE_PAYLOAD || p == GK_PURPOSE_PENDING || p == GK_PURPOSE_DK;
        gk_key *k = NULL;

        ck_ok(gk_key_generate(&k, (gk_purpose)p, 1));
        ck_gk(gk_xaes_new(&c, k), may ? GK_OK : GK_ERR_ARG);
        gk_xaes_free(c);
        gk_key_free(k);
    }
    c = xaes_of(BYTES(raw, 32));
    ck_gk(gk_xaes_seal(c, out, raw, none, none, BYTES(out, SIZE_MAX)), GK_ERR_LIMIT);
    ck_gk(gk_xaes_seal(c, out, raw, BYTES(out, SIZE_MAX), none, none), GK_ERR_LIMIT);
    ck_gk(gk_xaes_open(c, out, raw, none, BYTES(out, SIZE_MAX), BYTES(out, 20)), GK_ERR_LIMIT);
    gk_xaes_free(c);
    gk_xaes_free(NULL);
}
END_TEST

static gk_err make_and_use(void *arg)
{
    gk_key *k = NULL;
    gk_xaes *c = NULL;
    uint8_t nonce[GK_XAES_NONCE] = {0};
    uint8_t ct[4 + GK_XAES_TAG];
    gk_err e = gk_key_generate(&k, GK_PURPOSE_PAYLOAD, 1);

    (void)arg;
    if (e == GK_OK)
        e = gk_xaes_new(&c, k);
    if (e == GK_OK)
        e = gk_xaes_seal(c, ct, nonce, STR("a"), STR("b"), STR("data"));
    if (e == GK_OK)
        e = gk_xaes_open(c, ct, nonce, STR("a"), STR("b"), BYTES(ct, sizeof(ct)));
    gk_xaes_free(c);
    gk_key_free(k);
    return e;
}

START_TEST(survives_failing_allocations)
{
    ck_assert_uint_ge(gk_fault_each(make_and_use, NULL), 5);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("xaes");
    TCase *t = tcase_create("xaes");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, vectors);
    tcase_add_test(t, accumulated);
    tcase_add_test(t, each_byte_counts);
    tcase_add_test(t, works_in_place);
    tcase_add_test(t, a_message_allocates_nothing);
    tcase_add_test(t, refuses_other_keys_and_sizes);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
