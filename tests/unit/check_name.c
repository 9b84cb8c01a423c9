#include <openssl/evp.h>

#include "../../native/codec/gk_name.h"
#include "support/gk_check.h"

#define LENGTH_MAX 8

/* normal gives the server's form of a name in memory of exactly the size that the header promises to be enough. */
static gk_bytes normal(gk_bytes name)
{
    uint8_t *p = malloc(3 * name.n + 1);
    gk_writer w = {0};

    ck_assert_ptr_nonnull(p);
    w = gk_writer_of(p, 3 * name.n);
    gk_name_normalize(&w, name);
    ck_ok(w.err);
    return BYTES(p, w.len);
}

static bool has_nul(gk_bytes name)
{
    return name.n > 0 && memchr(name.p, 0, name.n) != NULL;
}

/* class_fits: what gk_name_classify says, against what PathUtils.validatePath says. */
static bool class_fits(gk_bytes name, bool valid)
{
    bool dots = (name.n == 1 && memcmp(name.p, ".", 1) == 0) || (name.n == 2 && memcmp(name.p, "..", 2) == 0);

    switch (gk_name_classify(name)) {
    case GK_NAME_VALID: return valid;
    case GK_NAME_EMPTY: return !valid && name.n == 0;
    case GK_NAME_DOTS: return !valid && dots;
    case GK_NAME_NUL: return !valid && has_nul(name);
    case GK_NAME_INVALID: return !valid && name.n > 0 && !dots && !has_nul(name);
    }
    return false;
}

START_TEST(as_java)
{
    gk_vec *v = gk_vec_open("java_names.txt");

    while (gk_vec_next(v)) {
        gk_bytes view = gk_vec_hex(v, "bytes");
        gk_bytes want = gk_vec_hex(v, "server");
        bool valid = gk_vec_u64(v, "valid") == 1;
        uint8_t *exact = malloc(view.n + (view.n == 0)); /* a byte read beyond it is seen */
        gk_bytes name = BYTES(exact, view.n);
        gk_bytes got = {0};

        memcpy(exact, view.p, view.n);
        got = normal(name);
        ck_assert_msg(got.n == want.n && memcmp(got.p, want.p, got.n) == 0, "%s", gk_vec_name(v));
        ck_assert_msg(class_fits(name, valid), "%s: class %d", gk_vec_name(v), gk_name_classify(name));
        if (valid)
            ck_assert_msg(got.n == name.n && memcmp(got.p, name.p, got.n) == 0, "%s: a valid name changes", gk_vec_name(v));
        free((void *)got.p);
        free(exact);
    }
    ck_assert_uint_gt(gk_vec_close(v), 800);
}
END_TEST

/* walk tries all names of n bytes whose i-th byte is in set i, in the order of GenJava.walk. */
static size_t walk(EVP_MD_CTX *md, uint8_t *name, size_t at, const gk_bytes *set, size_t n)
{
    size_t count = 0;

    if (at == n) {
        uint8_t row[1 + 3 * LENGTH_MAX + 1];
        gk_writer w = gk_writer_of(row + 1, 3 * n);
        gk_bytes view = BYTES(name, n);
        bool valid = gk_name_classify(view) == GK_NAME_VALID;

        gk_name_normalize(&w, view);
        if (w.err != GK_OK || !class_fits(view, valid))
            return 0;
        row[0] = (uint8_t)w.len;
        row[1 + w.len] = valid;
        return EVP_DigestUpdate(md, row, w.len + 2) == 1;
    }
    for (size_t i = 0; i < set[at].n; i++) {
        name[at] = set[at].p[i];
        if (name[at] != '/')
            count += walk(md, name, at + 1, set, n);
    }
    return count;
}

START_TEST(millions_as_java)
{
    gk_vec *v = gk_vec_open("java_names_digest.txt");

    while (gk_vec_next(v)) {
        size_t count = gk_vec_u64(v, "count");
        size_t n = gk_vec_u64(v, "length");
        gk_bytes set[LENGTH_MAX];
        uint8_t name[LENGTH_MAX];
        uint8_t digest[32];
        gk_bytes want = {0};
        EVP_MD_CTX *md = EVP_MD_CTX_new();

        ck_assert_uint_le(n, LENGTH_MAX);
        for (size_t i = 0; i < n; i++)
            set[i] = gk_vec_hex(v, "set");
        want = gk_vec_hex(v, "sha256");
        ck_assert_int_eq(EVP_DigestInit_ex2(md, EVP_sha256(), NULL), 1);
        ck_assert_uint_eq(walk(md, name, 0, set, n), count);
        ck_assert_int_eq(EVP_DigestFinal_ex(md, digest, NULL), 1);
        ck_assert_msg(gk_bytes_equal(BYTES(digest, sizeof(digest)), want), "%s", gk_vec_name(v));
        EVP_MD_CTX_free(md);
    }
    ck_assert_uint_eq(gk_vec_close(v), 6);
}
END_TEST

/* Normalizing once is enough: a server that reads its own answer back sees the same again, but for lone halves of characters beyond the BMP,
 * which come back as three bytes each that are no UTF-8. */
START_TEST(normal_form_stays)
{
    gk_vec *v = gk_vec_open("java_names.txt");

    while (gk_vec_next(v)) {
        gk_bytes name = gk_vec_hex(v, "bytes");
        gk_bytes once = gk_vec_hex(v, "server");
        gk_bytes twice = normal(once);
        bool surrogates = false;

        for (size_t i = 0; i + 1 < once.n; i++)
            surrogates = surrogates || (once.p[i] == 0xed && once.p[i + 1] >= 0xa0);
        ck_assert_msg(surrogates || (once.n == twice.n && memcmp(once.p, twice.p, once.n) == 0), "%s", gk_vec_name(v));
        ck_assert_uint_ge(3 * name.n, once.n);
        ck_assert_uint_le(gk_vec_u64(v, "valid"), 1);
        free((void *)twice.p);
    }
    (void)gk_vec_close(v);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("name");
    TCase *t = tcase_create("name");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, as_java);
    tcase_add_test(t, millions_as_java);
    tcase_add_test(t, normal_form_stays);
    suite_add_tcase(s, t);
    return s;
}
