#include <openssl/crypto.h>
#include <stdio.h>

#include "gk_check.h"
#include "gk_fault_internal.h"

static const char *const names[] = {"GK_OK",         "GK_ERR_NOMEM",    "GK_ERR_ARG",     "GK_ERR_TRUNCATED", "GK_ERR_MALFORMED",
                                    "GK_ERR_SPACE",  "GK_ERR_AUTH",     "GK_ERR_CRYPTO",  "GK_ERR_IO",        "GK_ERR_PERM",
                                    "GK_ERR_EXISTS", "GK_ERR_NOTFOUND", "GK_ERR_VERSION", "GK_ERR_LIMIT",     "GK_ERR_STATE"};

static const char *name_of(gk_err e)
{
    size_t i = (size_t)e;

    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "an unknown gk_err";
}

void gk_check_err(gk_err got, gk_err want, const char *expr, const char *file, int line)
{
    if (got == want)
        mark_point();
    else
        ck_abort_msg("%s:%d: %s is %s, not %s", file, line, expr, name_of(got), name_of(want));
}

gk_err gk_check_err_of(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return (gk_err)i;
    }
    ck_abort_msg("no gk_err is called %s", name);
    return GK_OK;
}

void gk_check_skip(const char *test, const char *reason)
{
    printf("SKIP: %s: %s\n", test, reason);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *self = argc > 0 && strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : "check";
    SRunner *runner = NULL;
    int failed = 0;
    int run = 0;

    if (gk_fault_install() != 0) {
        fprintf(stderr, "%s: OpenSSL's allocator cannot be replaced any more\n", self);
        return 2;
    }
    runner = srunner_create(gk_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    run = srunner_ntests_run(runner);
    srunner_free(runner);
    printf("%s: %d passed, %d failed\n", self, run - failed, failed);
    return failed == 0 && run > 0 ? 0 : 1;
}
