/* gk_check: what every unit test includes. A test file defines gk_suite(); main is in gk_check_main.c. Tests run one at a time, each in
 * a process of its own (Check's fork mode), from the repository's root. */
#ifndef GK_CHECK_H
#define GK_CHECK_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../native/base/gk_bytes.h"

/* gk_suite is the test file's own: all its cases. */
Suite *gk_suite(void);

/* ck_gk asserts that an expression of type gk_err has the given value, and shows both by name. */
#define ck_gk(expr, want) gk_check_err((expr), (want), #expr, __FILE__, __LINE__)
#define ck_ok(expr) ck_gk(expr, GK_OK)
void gk_check_err(gk_err got, gk_err want, const char *expr, const char *file, int line);
/* gk_check_skip prints a reason and counts the running test as skipped; the caller then returns. */
void gk_check_skip(const char *test, const char *reason);
/* gk_check_err_of: the value of a name such as "GK_ERR_AUTH". */
gk_err gk_check_err_of(const char *name);

#define BYTES(p, n) ((gk_bytes){(const uint8_t *)(p), (n)})
#define STR(s) BYTES((s), strlen(s))

/* --- vectors ------------------------------------------------------------------------------------------------------------
 * A file in tests/vectors holds cases, separated by blank lines, of lines `attribute = value`; '#' starts a comment. An attribute may stand
 * several times in a case. An attribute that the test didn't ask for fails it: nothing is silently left untested. */
typedef struct gk_vec gk_vec;

gk_vec *gk_vec_open(const char *name);
/* gk_vec_next goes to the next case, false after the last; views of the case before are gone. */
bool gk_vec_next(gk_vec *v);
/* gk_vec_name: where the case is, for messages. */
const char *gk_vec_name(const gk_vec *v);
/* gk_vec_str, gk_vec_hex, gk_vec_u64: the attribute's next value in this case; none left fails the test. */
const char *gk_vec_str(gk_vec *v, const char *attribute);
gk_bytes gk_vec_hex(gk_vec *v, const char *attribute);
uint64_t gk_vec_u64(gk_vec *v, const char *attribute);
/* gk_vec_opt: the attribute's next value or NULL. */
const char *gk_vec_opt(gk_vec *v, const char *attribute);
/* gk_vec_close checks that all was used and returns the number of cases, which is never 0. */
size_t gk_vec_close(gk_vec *v);

/* gk_hex turns hex digits into n bytes at out; anything else fails the test. */
void gk_hex(uint8_t *out, size_t n, const char *hex);

/* --- failing allocations --------------------------------------------------------------------------------------------------
 * The linker's --wrap puts malloc, calloc, realloc, posix_memalign and mmap of our objects under control, and CRYPTO_set_mem_functions OpenSSL's. */

/* gk_fault_arm lets the n-th allocation from now (n >= 1) fail, once. */
void gk_fault_arm(unsigned long n);
/* gk_fault_disarm ends that, and tells whether an allocation failed. */
bool gk_fault_disarm(void);
/* gk_fault_each runs f(arg) with the 1st, 2nd, ... allocation failing, until a run meets no failure. Each run must give GK_OK,
 * GK_ERR_NOMEM or GK_ERR_CRYPTO, the last one GK_OK; f frees what it makes. Returns the number of failures that were injected. */
unsigned long gk_fault_each(gk_err (*f)(void *arg), void *arg);

#endif
