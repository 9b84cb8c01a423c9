/* The servers' agreement, whole ensembles of it: tests/support/gk_ensemble.h. */
#include <inttypes.h>

#include "../support/gk_ensemble.h"
#include "support/gk_check.h"

static gk_keyring *kr;

static void setup(void)
{
    ck_ok(gk_keyring_generate(&kr));
}

static void teardown(void)
{
    gk_keyring_free(kr);
}

static ensemble *running(uint64_t n)
{
    ensemble *e = ensemble_new(kr);

    for (uint64_t id = 1; id <= n; id++)
        ensemble_start(e, id);
    return e;
}

/* agreed settles, and checks that all agree on a secret that none had before. */
static void agreed(ensemble *e, uint8_t ks_id[GK_KS_ID])
{
    static const uint8_t none[GK_KS_ID];
    uint8_t before[GK_KS_ID];

    memcpy(before, ks_id, GK_KS_ID);
    ck_assert(ensemble_settle(e, 120000));
    ck_assert_msg(ensemble_agreed(e, ks_id), "%s", e->broken != NULL ? e->broken : "no agreement");
    ck_assert_mem_ne(ks_id, before, GK_KS_ID);
    ck_assert_mem_ne(ks_id, none, GK_KS_ID);
}

START_TEST(all_agree)
{
    for (uint64_t n = 1; n <= 9; n++) {
        ensemble *e = running(n);
        uint8_t ks_id[GK_KS_ID] = {0};
        uint64_t writes = 0;
        gk_agreement_status st;

        agreed(e, ks_id);
        writes = e->writes;
        ck_assert(ensemble_settle(e, 60000));
        ck_assert_uint_eq(e->writes, writes); /* at rest nothing is written */
        gk_agreement_get_status(ensemble_find(e, n)->a, &st, e->now_ms);
        ck_assert_uint_eq(st.n_serving, n);
        ck_assert_uint_ge(st.runs_finished, 1);
        ck_assert_uint_eq(st.refused, 0);
        ensemble_free(e);
    }
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("agreement");
    TCase *t = tcase_create("agreement");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, all_agree);
    suite_add_tcase(s, t);
    return s;
}
