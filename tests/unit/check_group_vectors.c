#include "../../native/crypto/gk_key_internal.h"
#include "../../native/group/gk_app.h"
#include "../../native/group/gk_lkh.h"
#include "../../native/group/gk_member.h"
#include "support/gk_check.h"

static gk_key *key_of(gk_purpose purpose, gk_bytes raw)
{
    gk_key *k = NULL;

    ck_ok(gk_key_new(&k, purpose, 0, raw));
    return k;
}

static void is(const gk_key *k, gk_bytes want)
{
    ck_assert(gk_bytes_equal(gk_key_raw(k), want));
}

START_TEST(hpke)
{
    static uint8_t out[8192], back[8192];
    gk_vec *v = gk_vec_open("hpke.txt");
    size_t n = 0;

    for (; gk_vec_next(v); n++) {
        gk_key *e = key_of(GK_PURPOSE_EXCHANGE, gk_vec_hex(v, "ephemeral")), *k = key_of(GK_PURPOSE_EXCHANGE, gk_vec_hex(v, "key"));
        gk_bytes info = gk_vec_hex(v, "info"), aad = gk_vec_hex(v, "aad"), msg = gk_vec_hex(v, "msg"), sealed = gk_vec_hex(v, "sealed");
        uint8_t pub[32];

        ck_ok(gk_x25519_public(pub, k));
        ck_ok(gk_hpke_seal_with(out, e, pub, info, aad, msg));
        ck_assert(gk_bytes_equal(BYTES(out, msg.n + GK_HPKE_OVERHEAD), sealed));
        ck_ok(gk_hpke_open(back, k, info, aad, sealed));
        ck_assert(gk_bytes_equal(BYTES(back, msg.n), msg));
        for (size_t i = 0; i < sealed.n; i += 1 + sealed.n / 97) { /* flips, in enc, text and tag; cuts */
            out[i] ^= 8;
            ck_gk(gk_hpke_open(back, k, info, aad, BYTES(out, sealed.n)), GK_ERR_AUTH);
            out[i] ^= 8;
            ck_gk(gk_hpke_open(back, k, info, aad, BYTES(out, i)), GK_ERR_AUTH);
        }
        ck_gk(gk_hpke_open(back, e, info, aad, sealed), GK_ERR_AUTH);
        ck_gk(gk_hpke_open(back, k, aad, info, sealed), gk_bytes_equal(aad, info) ? GK_OK : GK_ERR_AUTH);
        ck_ok(gk_hpke_seal(out, pub, info, aad, msg)); /* and with a fresh key */
        ck_ok(gk_hpke_open(back, k, info, aad, BYTES(out, msg.n + GK_HPKE_OVERHEAD)));
        gk_key_free(e);
        gk_key_free(k);
    }
    ck_assert_uint_eq(gk_vec_close(v), n);
    ck_assert_uint_eq(n, 6);
}
END_TEST

/* Points of small order (RFC 7748 section 6.1): a sender that uses one, or a recipient whose public key is one, gets nothing. */
START_TEST(low_order)
{
    static const uint8_t points[][32] = {{0}, {1}, {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
                                                    0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}};
    uint8_t out[64 + GK_HPKE_OVERHEAD], back[64];
    gk_key *k = NULL;

    ck_ok(gk_key_generate(&k, GK_PURPOSE_EXCHANGE, 0));
    for (size_t i = 0; i < 3; i++) {
        ck_gk(gk_hpke_seal(out, points[i], BYTES("x", 1), BYTES(NULL, 0), BYTES("secret", 6)), GK_ERR_AUTH);
        memset(out, 7, sizeof(out));
        memcpy(out, points[i], 32);
        ck_gk(gk_hpke_open(back, k, BYTES("x", 1), BYTES(NULL, 0), BYTES(out, sizeof(out))), GK_ERR_AUTH);
    }
    gk_key_free(k);
}
END_TEST

START_TEST(keys)
{
    gk_vec *v = gk_vec_open("group_keys.txt");

    while (gk_vec_next(v)) {
        gk_bytes group = gk_vec_hex(v, "group"), salt = gk_vec_hex(v, "salt"), body = gk_vec_hex(v, "body hash"), wrapped = gk_vec_hex(v, "wrapped");
        gk_bytes data = gk_vec_hex(v, "data"), sealed = gk_vec_hex(v, "sealed"), confirm = gk_vec_hex(v, "confirm");
        uint64_t epoch = gk_vec_u64(v, "epoch"), node = gk_vec_u64(v, "node"), under = gk_vec_u64(v, "under"), read = 0;
        gk_key *k = key_of(GK_PURPOSE_NODE, gk_vec_hex(v, "key")), *u = key_of(GK_PURPOSE_NODE, gk_vec_hex(v, "under key")), *out = NULL;
        uint8_t buf[GK_WRAPPED], print[8], sender[GK_APP_SENDER], plain[64];
        gk_epoch e = {.epoch = epoch};

        ck_ok(gk_node_wrap(buf, group.p, epoch, salt.p, node, under, u, k));
        ck_assert(gk_bytes_equal(BYTES(buf, GK_WRAPPED), wrapped));
        ck_ok(gk_node_unwrap(&out, group.p, epoch, salt.p, node, under, u, wrapped.p));
        is(out, gk_key_raw(k));
        gk_key_free(out);
        ck_gk(gk_node_unwrap(&out, group.p, epoch, salt.p, under, node, u, wrapped.p), GK_ERR_AUTH);
        ck_gk(gk_node_unwrap(&out, group.p, epoch - 1, salt.p, node, under, u, wrapped.p), GK_ERR_AUTH);
        ck_gk(gk_node_unwrap(&out, group.p, epoch, body.p, node, under, u, wrapped.p), GK_ERR_AUTH);
        ck_ok(gk_node_derive(&out, k, group.p, epoch, salt.p, node));
        is(out, gk_vec_hex(v, "joined"));
        gk_key_free(out);
        ck_ok(gk_leaf_ratchet(&out, k, group.p, epoch));
        is(out, gk_vec_hex(v, "leaf"));
        gk_key_free(out);
        memcpy(e.group_id, group.p, 16);
        memcpy(e.body_hash, body.p, 32);
        memcpy(e.confirm, confirm.p, 32);
        ck_ok(gk_epoch_confirm(&e, k));
        ck_gk(gk_epoch_confirm(&e, u), GK_ERR_AUTH);
        ck_ok(gk_epoch_group_key(&out, group.p, epoch, body.p, k));
        is(out, gk_vec_hex(v, "group key"));
        ck_ok(gk_key_fingerprint(print, out));
        ck_assert(gk_bytes_equal(BYTES(print, 8), gk_vec_hex(v, "fingerprint")));
        ck_ok(gk_app_epoch(&read, sender, sealed));
        ck_assert_uint_eq(read, epoch);
        ck_ok(gk_app_open(plain, out, epoch, sealed));
        ck_assert(gk_bytes_equal(BYTES(plain, data.n), data));
        gk_key_free(out);
        gk_key_free(k);
        gk_key_free(u);
    }
    ck_assert_uint_eq(gk_vec_close(v), 3);
}
END_TEST

START_TEST(application_data)
{
    gk_key *k = NULL, *other = NULL;
    uint8_t sender[GK_APP_SENDER], sealed[40 + GK_APP_OVERHEAD], plain[40 + GK_APP_OVERHEAD];

    ck_ok(gk_key_generate(&k, GK_PURPOSE_GROUP, 0));
    ck_ok(gk_key_generate(&other, GK_PURPOSE_GROUP, 0));
    ck_ok(gk_app_sender(sender, STR("alice")));
    for (size_t n = 0; n <= 40; n++) {
        size_t total = n + GK_APP_OVERHEAD;

        ck_ok(gk_app_seal(sealed, k, 9, sender, BYTES("0123456789012345678901234567890123456789", n)));
        ck_ok(gk_app_open(plain, k, 9, BYTES(sealed, total)));
        ck_assert_int_eq(memcmp(plain, "0123456789012345678901234567890123456789", n), 0);
        ck_gk(gk_app_open(plain, other, 9, BYTES(sealed, total)), GK_ERR_AUTH);
        ck_gk(gk_app_open(plain, k, 8, BYTES(sealed, total)), GK_ERR_AUTH);
        for (size_t i = 0; i < total; i++) {
            sealed[i] ^= 1;
            ck_assert_int_ne(gk_app_open(plain, k, 9, BYTES(sealed, total)), GK_OK);
            sealed[i] ^= 1;
            ck_assert_int_ne(gk_app_open(plain, k, 9, BYTES(sealed, i)), GK_OK);
        }
    }
    gk_key_free(k);
    gk_key_free(other);
}
END_TEST

/* cut_and_flip: no shorter message and none with a flipped bit is taken. */
static void cut_and_flip(gk_bytes message, gk_err (*read)(gk_bytes m))
{
    uint8_t *copy = malloc(message.n + 1);

    ck_assert(copy != NULL);
    memcpy(copy, message.p, message.n);
    copy[message.n] = 0;
    ck_ok(read(BYTES(copy, message.n)));
    ck_assert_int_ne(read(BYTES(copy, message.n + 1)), GK_OK);
    for (size_t i = 0; i < message.n; i++) {
        uint8_t *exact = malloc(i > 0 ? i : 1);

        ck_assert(exact != NULL);
        memcpy(exact, copy, i);
        ck_assert_int_ne(read(BYTES(exact, i)), GK_OK);
        free(exact);
        copy[i] ^= 0x20;
        ck_assert_msg(read(BYTES(copy, message.n)) != GK_OK, "byte %zu of %zu", i, message.n);
        copy[i] ^= 0x20;
    }
    free(copy);
}

static gk_authority *authority;
static uint8_t group_id[16];
static uint64_t now;
static gk_key *reply_key;
static uint8_t request_hash[32];

static gk_err read_authority(gk_bytes m)
{
    gk_authority *a = NULL;
    gk_err e = gk_authority_read(&a, NULL, m);

    gk_authority_free(a);
    return e;
}
static gk_err read_genesis(gk_bytes m)
{
    gk_genesis g = {0};

    return gk_genesis_read(&g, m, authority);
}
static gk_err read_policy(gk_bytes m)
{
    gk_policy p = {0};

    return gk_policy_read(&p, group_id, m, authority);
}
static gk_err read_command(gk_bytes m)
{
    gk_command c = {0};

    return gk_command_read(&c, m, authority, now);
}
static gk_err read_request(gk_bytes m)
{
    gk_request q = {0};
    gk_err e = gk_request_read(&q, m);

    if (e == GK_OK)
        gk_request_clear(&q);
    return e;
}
static gk_err read_reply(gk_bytes m)
{
    gk_mem secret = {0};
    uint64_t epoch = 0;
    gk_refusal refusal = GK_REFUSAL_NONE;
    gk_err e = gk_reply_read(&secret, &epoch, &refusal, m, request_hash, group_id, reply_key, authority);

    gk_mem_free(&secret);
    return e;
}
static gk_err read_epoch(gk_bytes m)
{
    gk_epoch e = {0};

    return gk_epoch_verify(&e, m, authority);
}
static gk_err read_fresh(gk_bytes m)
{
    gk_fresh f = {0};

    return gk_fresh_read(&f, m, authority);
}

static void check_request(gk_vec *v)
{
    gk_bytes request = gk_vec_hex(v, "request"), secret = gk_vec_hex(v, "secret"), record = gk_vec_hex(v, "token record"), raw = gk_vec_hex(v, "token");
    gk_policy p = {.admit = {GK_ADMIT_TOKEN}, .admit_n = 1};
    gk_token t = {0};
    gk_request q = {0};
    char text[GK_TOKEN_TEXT];
    uint8_t id[8], trust[32], pub[32];
    gk_key *token = NULL;
    gk_mem out = {0};
    uint64_t epoch = 0;
    gk_refusal refusal = GK_REFUSAL_REJECTED;
    bool uses = false;

    ck_ok(gk_request_read(&q, request));
    ck_assert(gk_bytes_equal(BYTES(q.identity, 32), gk_vec_hex(v, "identity")) && gk_bytes_equal(BYTES(q.once, 16), gk_vec_hex(v, "once")));
    memcpy(request_hash, q.hash, 32);
    ck_ok(gk_token_read(&t, record));
    ck_assert_int_eq(gk_request_admissible(&q, &p, &t, false, now, &uses), GK_REFUSAL_NONE);
    ck_assert(uses);
    ck_assert_int_eq(gk_request_admissible(&q, &p, &t, false, now + 1, &uses), GK_REFUSAL_TOKEN); /* over */
    t.public_key[0] ^= 1;
    ck_assert_int_eq(gk_request_admissible(&q, &p, &t, false, now, &uses), GK_REFUSAL_TOKEN);
    t.public_key[0] ^= 1;
    gk_b64_encode(text, raw.p, raw.n);
    ck_ok(gk_token_open(&token, id, trust, BYTES(text, sizeof(text))));
    ck_ok(gk_sign_public(pub, token));
    ck_assert(memcmp(pub, t.public_key, 32) == 0 && memcmp(id, t.id, 8) == 0 && memcmp(trust, raw.p + 40, 32) == 0);
    ck_ok(gk_reply_read(&out, &epoch, &refusal, gk_vec_hex(v, "reply"), request_hash, group_id, reply_key, authority));
    ck_assert(gk_bytes_equal(gk_mem_view(&out), secret) && epoch == 42 && refusal == GK_REFUSAL_NONE);
    gk_mem_free(&out);
    gk_key_free(token);
    gk_request_clear(&q);
}

START_TEST(messages)
{
    gk_vec *v = gk_vec_open("group_messages.txt");
    gk_bytes m[8];
    gk_err (*const read[8])(gk_bytes) = {read_authority, read_genesis, read_policy, read_command, read_epoch, read_fresh, read_request, read_reply};
    gk_key *controller = NULL, *root = NULL, *group_key = NULL;
    gk_genesis g = {0};
    gk_epoch e = {0};
    gk_command c = {0};
    gk_mem again = {0};

    ck_assert(gk_vec_next(v));
    (void)gk_vec_hex(v, "admin");
    controller = key_of(GK_PURPOSE_SIGN, gk_vec_hex(v, "controller"));
    root = key_of(GK_PURPOSE_NODE, gk_vec_hex(v, "root key"));
    reply_key = key_of(GK_PURPOSE_EXCHANGE, gk_vec_hex(v, "reply key"));
    now = gk_vec_u64(v, "now");
    m[0] = gk_vec_hex(v, "authority");
    m[1] = gk_vec_hex(v, "genesis");
    m[2] = gk_vec_hex(v, "policy");
    m[3] = gk_vec_hex(v, "command");
    m[4] = gk_vec_hex(v, "epoch");
    m[5] = gk_vec_hex(v, "fresh");
    ck_ok(gk_authority_read(&authority, NULL, m[0]));
    ck_ok(gk_genesis_read(&g, m[1], authority));
    ck_assert(gk_bytes_equal(BYTES(g.id, 16), gk_vec_hex(v, "group")) && strcmp(g.name, "team.a") == 0 && g.mode == GK_MODE_LKH);
    memcpy(group_id, g.id, 16);
    ck_ok(gk_command_read(&c, m[3], authority, now));
    ck_assert(gk_bytes_equal(BYTES(c.id, 32), gk_vec_hex(v, "command id")) && c.op == GK_OP_EVICT);
    ck_ok(gk_epoch_verify(&e, m[4], authority));
    ck_assert(gk_bytes_equal(BYTES(e.body_hash, 32), gk_vec_hex(v, "body hash")));
    ck_ok(gk_epoch_confirm(&e, root));
    ck_ok(gk_epoch_group_key(&group_key, e.group_id, e.epoch, e.body_hash, root));
    is(group_key, gk_vec_hex(v, "group key"));
    ck_ok(gk_epoch_make(&again, &e, root, controller)); /* parse, then make: the same bytes */
    ck_assert(gk_bytes_equal(gk_mem_view(&again), m[4]));
    gk_mem_free(&again);
    check_request(v);
    ck_ok(gk_vec_close(v) == 1 ? GK_OK : GK_ERR_STATE);
    v = gk_vec_open("group_messages.txt");
    ck_assert(gk_vec_next(v));
    for (size_t i = 0; i < 6; i++) {
        static const char *const names[] = {"authority", "genesis", "policy", "command", "epoch", "fresh"};

        cut_and_flip(gk_vec_hex(v, names[i]), read[i]);
    }
    cut_and_flip(gk_vec_hex(v, "request"), read_request);
    cut_and_flip(gk_vec_hex(v, "reply"), read_reply);
    gk_key_free(controller);
    gk_key_free(root);
    gk_key_free(group_key);
    gk_key_free(reply_key);
    gk_authority_free(authority);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("group_vectors");
    TCase *t = tcase_create("group_vectors");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, hpke);
    tcase_add_test(t, low_order);
    tcase_add_test(t, keys);
    tcase_add_test(t, application_data);
    tcase_add_test(t, messages);
    suite_add_tcase(s, t);
    return s;
}
