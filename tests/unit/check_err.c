#include "support/gk_check.h"

START_TEST(values_are_pinned)
{
    /* They cross the JNI boundary and stand in logs: never renumber. */
    static const char *const names[] = {"GK_OK",         "GK_ERR_NOMEM",    "GK_ERR_ARG",     "GK_ERR_TRUNCATED", "GK_ERR_MALFORMED",
                                        "GK_ERR_SPACE",  "GK_ERR_AUTH",     "GK_ERR_CRYPTO",  "GK_ERR_IO",        "GK_ERR_PERM",
                                        "GK_ERR_EXISTS", "GK_ERR_NOTFOUND", "GK_ERR_VERSION", "GK_ERR_LIMIT",     "GK_ERR_STATE"};
    static const gk_err values[] = {GK_OK,         GK_ERR_NOMEM,    GK_ERR_ARG,     GK_ERR_TRUNCATED, GK_ERR_MALFORMED,
                                    GK_ERR_SPACE,  GK_ERR_AUTH,     GK_ERR_CRYPTO,  GK_ERR_IO,        GK_ERR_PERM,
                                    GK_ERR_EXISTS, GK_ERR_NOTFOUND, GK_ERR_VERSION, GK_ERR_LIMIT,     GK_ERR_STATE};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        ck_assert_uint_eq((size_t)values[i], i);
        ck_assert_uint_eq(gk_check_err_of(names[i]), i);
    }
}
END_TEST

START_TEST(each_has_its_own_text)
{
    for (int i = 0; i <= GK_ERR_STATE; i++) {
        ck_assert_str_ne(gk_err_str((gk_err)i), "unknown error");
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(gk_err_str((gk_err)i), gk_err_str((gk_err)j));
    }
    ck_assert_str_eq(gk_err_str((gk_err)99), "unknown error");
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("err");
    TCase *t = tcase_create("err");

    tcase_add_test(t, values_are_pinned);
    tcase_add_test(t, each_has_its_own_text);
    suite_add_tcase(s, t);
    return s;
}
