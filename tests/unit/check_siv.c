#include <openssl/evp.h>

#include "../../native/crypto/gk_key_internal.h"
#include "../../native/crypto/gk_siv.h"
#include "support/gk_check.h"

#define MAX 512

static gk_siv *siv_of(gk_bytes raw)
{
    gk_key *k = NULL;
    gk_siv *c = NULL;

    ck_ok(gk_key_new(&k, GK_PURPOSE_NAME, 1, raw));
    ck_ok(gk_siv_new(&c, k));
    gk_key_free(k);
    return c;
}

static gk_siv *some_siv(void)
{
    uint8_t raw[64];

    for (size_t i = 0; i < sizeof(raw); i++)
        raw[i] = (uint8_t)(i * 7 + 1);
    return siv_of(BYTES(raw, sizeof(raw)));
}

/* open_fails: the error is GK_ERR_AUTH and nothing of the plaintext is left. */
static void open_fails(gk_siv *c, gk_bytes ad, gk_bytes ct)
{
    uint8_t out[MAX];
    size_t n = ct.n > GK_SIV_TAG ? ct.n - GK_SIV_TAG : 0;

    memset(out, 0xee, sizeof(out));
    ck_gk(gk_siv_open(c, out, ad, ct), GK_ERR_AUTH);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(out[i], 0);
    ck_assert_uint_eq(out[n], 0xee);
}

static void one_vector(gk_vec *v, size_t *refused)
{
    gk_siv *c = siv_of(gk_vec_hex(v, "key"));
    gk_bytes ad = gk_vec_hex(v, "aad");
    gk_bytes msg = gk_vec_hex(v, "msg");
    gk_bytes ct = gk_vec_hex(v, "ct");
    bool valid = strcmp(gk_vec_str(v, "result"), "valid") == 0;
    uint8_t out[MAX];

    ck_assert_uint_le(ct.n, MAX);
    if (ad.n == 0 || msg.n == 0) { /* our contract refuses them, valid or not */
        (*refused)++;
        ck_gk(gk_siv_seal(c, out, ad, msg), GK_ERR_ARG);
        if (ct.n > GK_SIV_TAG)
            ck_gk(gk_siv_open(c, out, ad, ct), GK_ERR_ARG);
        else
            ck_gk(gk_siv_open(c, out, ad, ct), GK_ERR_AUTH);
    } else if (valid) {
        ck_ok(gk_siv_seal(c, out, ad, msg));
        ck_assert_msg(gk_bytes_equal(BYTES(out, msg.n + GK_SIV_TAG), ct), "%s", gk_vec_name(v));
        ck_ok(gk_siv_open(c, out, ad, ct));
        ck_assert_msg(gk_bytes_equal(BYTES(out, msg.n), msg), "%s", gk_vec_name(v));
    } else {
        open_fails(c, ad, ct);
    }
    gk_siv_free(c);
}

START_TEST(own_vectors)
{
    gk_vec *v = gk_vec_open("siv.txt");
    size_t refused = 0;

    while (gk_vec_next(v))
        one_vector(v, &refused);
    ck_assert_uint_eq(refused, 0);
    ck_assert_uint_ge(gk_vec_close(v), 50);
}
END_TEST

START_TEST(wycheproof_vectors)
{
    gk_vec *v = gk_vec_open("siv_wycheproof.txt");
    size_t refused = 0;

    while (gk_vec_next(v)) {
        (void)gk_vec_str(v, "id");
        one_vector(v, &refused);
    }
    ck_assert_uint_lt(refused, 147);
    ck_assert_uint_eq(gk_vec_close(v), 147);
}
END_TEST

START_TEST(each_byte_counts)
{
    gk_siv *c = some_siv();
    uint8_t ct[64 + GK_SIV_TAG + 1];
    uint8_t out[MAX];
    uint8_t ad[16] = {3};

    for (size_t n = 1; n <= 40; n += 13) {
        gk_bytes sealed = BYTES(ct, n + GK_SIV_TAG);

        ck_ok(gk_siv_seal(c, ct, BYTES(ad, 16), BYTES("forty bytes of a name in a path, or more", n)));
        for (size_t i = 0; i < sealed.n; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                ct[i] ^= (uint8_t)(1u << bit);
                open_fails(c, BYTES(ad, 16), sealed);
                ct[i] ^= (uint8_t)(1u << bit);
            }
            open_fails(c, BYTES(ad, 16), BYTES(ct, i)); /* truncated to each length */
        }
        ct[sealed.n] = 0;
        open_fails(c, BYTES(ad, 16), BYTES(ct, sealed.n + 1));
        for (size_t i = 0; i < 16; i++) {
            ad[i] ^= 1;
            open_fails(c, BYTES(ad, 16), sealed);
            ad[i] ^= 1;
            if (i > 0)
                open_fails(c, BYTES(ad, i), sealed);
        }
        ck_ok(gk_siv_open(c, out, BYTES(ad, 16), sealed)); /* failures before leave no trace */
    }
    gk_siv_free(c);
}
END_TEST

/* One context, many messages: what a message leaves behind must not enter the next one. */
START_TEST(a_context_is_reusable)
{
    gk_siv *c = some_siv();
    uint8_t first[8 + GK_SIV_TAG];
    uint8_t other[100 + GK_SIV_TAG];
    uint8_t text[100] = {9};

    ck_ok(gk_siv_seal(c, first, STR("ad"), BYTES(text, 8)));
    for (size_t n = 1; n < 100; n++) {
        gk_siv *fresh = some_siv();
        uint8_t want[100 + GK_SIV_TAG];
        uint8_t again[8 + GK_SIV_TAG];
        uint8_t back[100];

        ck_ok(gk_siv_seal(c, other, BYTES(text, n), BYTES(text, n)));
        ck_ok(gk_siv_seal(fresh, want, BYTES(text, n), BYTES(text, n)));
        ck_assert_mem_eq(other, want, n + GK_SIV_TAG);
        ck_ok(gk_siv_open(c, back, BYTES(text, n), BYTES(other, n + GK_SIV_TAG)));
        ck_assert_mem_eq(back, text, n);
        ck_ok(gk_siv_seal(c, again, STR("ad"), BYTES(text, 8)));
        ck_assert_mem_eq(again, first, sizeof(first));
        gk_siv_free(fresh);
    }
    gk_siv_free(c);
}
END_TEST

/* EVP's own AES-256-SIV, freshly keyed for each message. */
static void evp_seal(uint8_t *out, gk_bytes key, gk_bytes ad, gk_bytes pt)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;

    ck_assert(cipher != NULL && ctx != NULL);
    ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, cipher, key.p, NULL, NULL), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &len, ad.p, (int)ad.n), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(ctx, out + GK_SIV_TAG, &len, pt.p, (int)pt.n), 1);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GK_SIV_TAG, out), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
}

START_TEST(agrees_with_openssl)
{
    uint8_t text[300];
    uint8_t want[300 + GK_SIV_TAG];
    uint8_t got[300 + GK_SIV_TAG];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * i + 5 * i + 1);
    for (size_t n = 1; n <= 200; n++) {
        gk_bytes key = BYTES(text + n % 90, 64);
        gk_siv *c = siv_of(key);

        for (size_t ad_n = 1; ad_n <= 70; ad_n += n % 7 == 0 ? 1 : 15) {
            evp_seal(want, key, BYTES(text + 100, ad_n), BYTES(text + n % 50, n));
            ck_ok(gk_siv_seal(c, got, BYTES(text + 100, ad_n), BYTES(text + n % 50, n)));
            ck_assert_mem_eq(got, want, n + GK_SIV_TAG);
            ck_ok(gk_siv_open(c, got, BYTES(text + 100, ad_n), BYTES(want, n + GK_SIV_TAG)));
            ck_assert_mem_eq(got, text + n % 50, n);
        }
        gk_siv_free(c);
    }
}
END_TEST

/* What multiplies by x in GF(2^128) meets both cases of the highest bit. */
START_TEST(doubles)
{
    uint8_t x[16] = {0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80};
    const uint8_t once[16] = {0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
    const uint8_t twice[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x87};

    gk_block_double(x, x);
    ck_assert_mem_eq(x, once, 16);
    gk_block_double(x, x);
    ck_assert_mem_eq(x, twice, 16);
}
END_TEST

/* OpenSSL's memory may be a small locked arena: a message takes nothing of it, whatever happens. */
START_TEST(a_message_allocates_nothing)
{
    gk_siv *c = some_siv();
    uint8_t ct[MAX + GK_SIV_TAG];
    uint8_t out[MAX];
    uint8_t text[MAX] = {0};

    for (size_t n = 1; n <= MAX; n += 37) {
        gk_err e[3];

        gk_fault_arm(1); /* nothing of Check's until it is disarmed: it allocates, too */
        e[0] = gk_siv_seal(c, ct, BYTES(text, n), BYTES(text, n));
        e[1] = gk_siv_open(c, out, BYTES(text, n), BYTES(ct, n + GK_SIV_TAG));
        ct[0] ^= 1;
        e[2] = gk_siv_open(c, out, BYTES(text, n), BYTES(ct, n + GK_SIV_TAG));
        ck_assert(!gk_fault_disarm());
        ck_assert(e[0] == GK_OK && e[1] == GK_OK && e[2] == GK_ERR_AUTH);
    }
    gk_siv_free(c);
}
END_TEST

START_TEST(refuses_other_keys_and_empty_inputs)
{
    gk_siv *c = NULL;
    gk_key *k = NULL;
    uint8_t out[MAX];

    for (int p = GK_PURPOSE_PAYLOAD; p <= GK_PURPOSE_DK; p++) {
        ck_ok(gk_key_generate(&k, (gk_purpose)p, 1));
        ck_gk(gk_siv_new(&c, k), GK_ERR_ARG);
        ck_assert_ptr_null(c);
        gk_key_free(k);
    }
    c = some_siv();
    ck_gk(gk_siv_seal(c, out, STR(""), STR("x")), GK_ERR_ARG);
    ck_gk(gk_siv_seal(c, out, STR("x"), STR("")), GK_ERR_ARG);
    ck_gk(gk_siv_seal(c, out, STR("x"), BYTES("x", SIZE_MAX)), GK_ERR_ARG);
    ck_gk(gk_siv_open(c, out, STR(""), BYTES(out, 17)), GK_ERR_ARG);
    gk_siv_free(c);
    gk_siv_free(NULL);
}
END_TEST

static gk_err make_and_use(void *arg)
{
    gk_key *k = NULL;
    gk_siv *c = NULL;
    uint8_t ct[4 + GK_SIV_TAG];
    uint8_t out[4];
    gk_err e = gk_key_generate(&k, GK_PURPOSE_NAME, 1);

    (void)arg;
    if (e == GK_OK)
        e = gk_siv_new(&c, k);
    if (e == GK_OK)
        e = gk_siv_seal(c, ct, STR("ad"), STR("name"));
    if (e == GK_OK)
        e = gk_siv_open(c, out, STR("ad"), BYTES(ct, sizeof(ct)));
    gk_siv_free(c);
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
    Suite *s = suite_create("siv");
    TCase *t = tcase_create("siv");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, own_vectors);
    tcase_add_test(t, wycheproof_vectors);
    tcase_add_test(t, each_byte_counts);
    tcase_add_test(t, a_context_is_reusable);
    tcase_add_test(t, agrees_with_openssl);
    tcase_add_test(t, doubles);
    tcase_add_test(t, a_message_allocates_nothing);
    tcase_add_test(t, refuses_other_keys_and_empty_inputs);
    tcase_add_test(t, survives_failing_allocations);
    suite_add_tcase(s, t);
    return s;
}
