#include "../../native/crypto/gk_key_internal.h"
#include "../support/gk_grouprig.h"
#include "support/gk_check.h"

/* A state key is for those controllers to whom it was sealed, each by its own key; it can be rotated and forgotten. */
START_TEST(rotation)
{
    gk_grouprig r;
    gk_mem record = {0}, sealed = {0}, plain = {0}, exchange = {0};
    gk_exchange to = {0};
    gk_key *stranger = grig_key(GK_PURPOSE_EXCHANGE);
    gk_state_keys *k = NULL;
    uint32_t index = 0;
    uint64_t made = 0;

    grig_open(&r, GK_MODE_LKH, NULL);
    ck_ok(gk_state_seal(r.state_keys[0], &sealed, STR("aad"), STR("plain")));
    ck_ok(gk_state_open(r.state_keys[2], &plain, STR("aad"), gk_mem_view(&sealed)));
    ck_assert(gk_bytes_equal(gk_mem_view(&plain), STR("plain")));
    gk_mem_free(&plain);
    ck_gk(gk_state_open(r.state_keys[2], &plain, STR("aaD"), gk_mem_view(&sealed)), GK_ERR_AUTH);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 1;
        ck_assert_int_ne(gk_state_open(r.state_keys[2], &plain, STR("aad"), gk_mem_view(&sealed)), GK_OK);
        sealed.p[i] ^= 1;
        ck_assert_int_ne(gk_state_open(r.state_keys[2], &plain, STR("aad"), BYTES(sealed.p, i)), GK_OK);
    }
    ck_ok(gk_exchange_make(&exchange, r.dh[1], r.now, r.controllers[1]));
    ck_ok(gk_exchange_read(&to, gk_mem_view(&exchange), r.authority));
    for (size_t i = 0; i < exchange.n; i++) {
        exchange.p[i] ^= 1;
        ck_assert_int_ne(gk_exchange_read(&to, gk_mem_view(&exchange), r.authority), GK_OK);
        exchange.p[i] ^= 1;
    }
    ck_ok(gk_state_keys_make(r.state_keys[0], &record, &index, &to, 1, r.now + 5, r.controllers[0])); /* for the second alone */
    ck_assert_uint_eq(index, 2);
    ck_assert_uint_eq(gk_state_keys_newest(r.state_keys[0], &made), 2);
    ck_assert_uint_eq(made, r.now + 5);
    ck_ok(gk_state_keys_new(&k));
    ck_gk(gk_state_keys_add(k, gk_mem_view(&record), r.dh[2], r.authority), GK_ERR_NOTFOUND);
    ck_gk(gk_state_keys_add(k, gk_mem_view(&record), stranger, r.authority), GK_ERR_NOTFOUND);
    for (size_t i = 0; i < record.n; i++) {
        record.p[i] ^= 1;
        ck_assert_int_ne(gk_state_keys_add(k, gk_mem_view(&record), r.dh[1], r.authority), GK_OK);
        record.p[i] ^= 1;
    }
    ck_ok(gk_state_keys_add(r.state_keys[1], gk_mem_view(&record), r.dh[1], r.authority));
    gk_mem_free(&sealed);
    ck_ok(gk_state_seal(r.state_keys[0], &sealed, STR("aad"), STR("newer")));
    ck_ok(gk_state_open(r.state_keys[1], &plain, STR("aad"), gk_mem_view(&sealed)));
    gk_mem_free(&plain);
    ck_gk(gk_state_open(r.state_keys[2], &plain, STR("aad"), gk_mem_view(&sealed)), GK_ERR_NOTFOUND);
    gk_state_keys_drop(r.state_keys[1], 3);
    ck_gk(gk_state_open(r.state_keys[1], &plain, STR("aad"), gk_mem_view(&sealed)), GK_ERR_NOTFOUND);
    ck_assert_uint_eq(gk_state_keys_newest(r.state_keys[1], &made), 0);
    gk_mem_free(&record);
    gk_mem_free(&sealed);
    gk_mem_free(&exchange);
    gk_state_keys_free(k);
    gk_key_free(stranger);
    grig_close(&r);
}
END_TEST

/* What a controller that is none any more has made opens what was sealed under it; nothing is sealed under it, and a new one is for those who are left. */
START_TEST(former_controllers)
{
    gk_grouprig r;
    gk_mem record = {0}, next = {0}, sealed = {0}, plain = {0}, exchange = {0};
    gk_exchange to[2] = {0};
    gk_authority *after = NULL;
    gk_state_keys *k = NULL;
    uint32_t index = 0;
    uint64_t made = 0;

    grig_open(&r, GK_MODE_LKH, NULL);
    for (size_t i = 0; i < 2; i++) {
        ck_ok(gk_exchange_make(&exchange, r.dh[i], r.now, r.controllers[i]));
        ck_ok(gk_exchange_read(&to[i], gk_mem_view(&exchange), r.authority));
        gk_mem_free(&exchange);
    }
    ck_ok(gk_state_keys_make(r.state_keys[0], &record, &index, to, 2, r.now, r.controllers[0]));
    ck_ok(gk_state_seal(r.state_keys[0], &sealed, STR("aad"), STR("plain")));
    ck_assert(gk_state_keys_only_for(r.state_keys[0], to, 2) && !gk_state_keys_only_for(r.state_keys[0], to + 1, 1));
    gk_bytes left = gk_authority_controllers(r.authority); /* all but the first */
    left = (gk_bytes){left.p + GK_SIGN_PUBLIC, left.n - GK_SIGN_PUBLIC};
    ck_ok(gk_authority_make(&next, r.authority, gk_authority_admins(r.authority), left, r.now, r.admin));
    ck_ok(gk_authority_read(&after, r.authority, gk_mem_view(&next)));
    ck_ok(gk_state_keys_new(&k));
    ck_ok(gk_state_keys_add(k, gk_mem_view(&record), r.dh[1], after));
    ck_assert_uint_eq(gk_state_keys_newest(k, &made), index);
    ck_assert_uint_eq(made, 0);
    ck_ok(gk_state_open(k, &plain, STR("aad"), gk_mem_view(&sealed)));
    ck_assert(gk_bytes_equal(gk_mem_view(&plain), STR("plain")));
    gk_mem_free(&plain);
    gk_mem_free(&sealed);
    ck_gk(gk_state_seal(k, &sealed, STR("aad"), STR("plain")), GK_ERR_STATE);
    gk_mem_free(&record);
    ck_ok(gk_state_keys_make(k, &record, &index, to + 1, 1, r.now, r.controllers[1]));
    ck_assert_uint_eq(index, 3);
    ck_assert(gk_state_keys_only_for(k, to + 1, 1));
    ck_ok(gk_state_seal(k, &sealed, STR("aad"), STR("plain")));
    ck_gk(gk_state_keys_add(r.state_keys[0], gk_mem_view(&record), r.dh[0], after), GK_ERR_NOTFOUND);
    gk_mem_free(&record);
    /* a stranger, and an administrator, are no former controllers */
    ck_ok(gk_state_keys_make(k, &record, &index, to + 1, 1, r.now, r.admin));
    gk_state_keys_free(k);
    ck_ok(gk_state_keys_new(&k));
    ck_gk(gk_state_keys_add(k, gk_mem_view(&record), r.dh[1], after), GK_ERR_AUTH);
    gk_mem_free(&record);
    gk_mem_free(&sealed);
    gk_mem_free(&next);
    gk_authority_free(after);
    gk_state_keys_free(k);
    grig_close(&r);
}
END_TEST

/* A chain of authority: each by an administrator of the one before, and none that is left out, doubled or of another root. */
START_TEST(authority)
{
    gk_grouprig r;
    gk_key *second = grig_key(GK_PURPOSE_SIGN);
    uint8_t two[64];
    gk_mem v2 = {0}, v3 = {0}, bad = {0};
    gk_authority *a2 = NULL, *a3 = NULL, *none = NULL;
    gk_member *m = NULL;

    grig_open(&r, GK_MODE_LKH, NULL);
    ck_ok(gk_sign_public(two, r.admin));
    ck_ok(gk_sign_public(two + 32, second));
    ck_ok(gk_authority_make(&v2, r.authority, BYTES(two + 32, 32), gk_authority_controllers(r.authority), r.now, r.admin));
    ck_ok(gk_authority_read(&a2, r.authority, gk_mem_view(&v2)));
    ck_assert(gk_authority_version(a2) == 2 && memcmp(gk_authority_root(a2), gk_authority_root(r.authority), 32) == 0);
    ck_gk(gk_authority_read(&none, NULL, gk_mem_view(&v2)), GK_ERR_AUTH);
    ck_ok(gk_authority_make(&bad, a2, BYTES(two, 64), gk_authority_controllers(a2), r.now, r.admin)); /* no administrator any more */
    ck_gk(gk_authority_read(&none, a2, gk_mem_view(&bad)), GK_ERR_AUTH);
    gk_mem_free(&bad);
    ck_ok(gk_authority_make(&bad, r.authority, BYTES(two, 32), BYTES(two, 32), r.now, r.controllers[0])); /* a controller isn't one */
    ck_gk(gk_authority_read(&none, r.authority, gk_mem_view(&bad)), GK_ERR_AUTH);
    ck_ok(gk_authority_make(&v3, a2, BYTES(two, 64), gk_authority_controllers(a2), r.now, second));
    ck_gk(gk_authority_read(&none, r.authority, gk_mem_view(&v3)), GK_ERR_AUTH);
    ck_ok(gk_authority_read(&a3, a2, gk_mem_view(&v3)));
    m = grig_member(&r, "m");
    ck_gk(gk_member_authority(m, gk_mem_view(&v3)), GK_ERR_AUTH);
    ck_ok(gk_member_authority(m, gk_mem_view(&v2)));
    ck_ok(gk_member_authority(m, gk_mem_view(&v3)));
    ck_assert_uint_eq(gk_member_authority_version(m), 3);
    ck_gk(gk_member_authority(m, gk_mem_view(&v2)), GK_ERR_AUTH);
    gk_member_free(m);
    gk_authority_free(a2);
    gk_authority_free(a3);
    gk_mem_free(&v2);
    gk_mem_free(&v3);
    gk_mem_free(&bad);
    gk_key_free(second);
    grig_close(&r);
}
END_TEST

START_TEST(pem_and_expansion)
{
    static const gk_purpose purposes[] = {GK_PURPOSE_NAME, GK_PURPOSE_PAYLOAD, GK_PURPOSE_SEED, GK_PURPOSE_SIGN, GK_PURPOSE_EXCHANGE,
                                          GK_PURPOSE_NODE, GK_PURPOSE_WRAP, GK_PURPOSE_GROUP, GK_PURPOSE_APP, GK_PURPOSE_STATE, GK_PURPOSE_MAC, GK_PURPOSE_TOKEN};
    size_t allowed = 0;
    char pem[GK_PEM_MAX];
    size_t n = 0;

    for (size_t i = 0; i < 12; i++) {
        gk_key *k = grig_key(purposes[i]), *back = NULL;
        gk_err e = gk_key_to_pem(k, pem, &n);

        ck_gk(e, purposes[i] == GK_PURPOSE_SIGN || purposes[i] == GK_PURPOSE_EXCHANGE ? GK_OK : GK_ERR_ARG);
        if (e == GK_OK) {
            ck_ok(gk_key_from_pem(&back, purposes[i], BYTES(pem, n)));
            ck_assert(gk_bytes_equal(gk_key_raw(k), gk_key_raw(back)));
            gk_key_free(back);
            ck_gk(gk_key_from_pem(&back, purposes[i] == GK_PURPOSE_SIGN ? GK_PURPOSE_EXCHANGE : GK_PURPOSE_SIGN, BYTES(pem, n)), GK_ERR_MALFORMED);
            ck_gk(gk_key_from_pem(&back, purposes[i], BYTES(pem, n / 2)), GK_ERR_MALFORMED);
            ck_gk(gk_key_from_pem(&back, purposes[i], BYTES("", 0)), GK_ERR_MALFORMED);
        }
        for (size_t j = 0; j < 12; j++) { /* nothing but what the header lists */
            e = gk_expand(&back, purposes[j], k, "kek", BYTES(NULL, 0));
            allowed += e == GK_OK;
            ck_assert(e == GK_OK || e == GK_ERR_ARG);
            gk_key_free(back);
        }
        gk_key_free(k);
    }
    ck_assert_uint_eq(allowed, 6);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("statekey");
    TCase *t = tcase_create("statekey");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, rotation);
    tcase_add_test(t, former_controllers);
    tcase_add_test(t, authority);
    tcase_add_test(t, pem_and_expansion);
    suite_add_tcase(s, t);
    return s;
}
