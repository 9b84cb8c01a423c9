#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../native/crypto/gk_key_internal.h"
#include "../../native/keyring/gk_keyring_internal.h"
#include "support/gk_check.h"

static char folder[] = "/tmp/check_keyring.XXXXXX";
static char path[64];

static void make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/keyring", folder);
}

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(path);
    (void)rmdir(folder);
}

static void write_file(const void *p, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
}

static gk_bytes sealed(const gk_keyring *kr)
{
    size_t cap = gk_keyring_sealed_size(kr);
    uint8_t *p = malloc(cap + 1); /* room for one byte more */
    size_t n = 0;

    ck_assert_ptr_nonnull(p);
    ck_ok(gk_keyring_seal(kr, p, cap, &n));
    ck_assert_uint_eq(n, cap);
    return BYTES(p, n);
}

static void describe(char *out, size_t cap, const gk_key_info *info)
{
    static const char *const states[] = {"?", "active", "decrypt"};
    int at = snprintf(out, cap, "%u %s %s %llu ", info->id, gk_purpose_str(info->purpose), states[info->state],
                      (unsigned long long)info->created_ms);

    for (size_t i = 0; i < 8; i++)
        at += snprintf(out + at, cap - (size_t)at, "%02x", info->check_value[i]);
    (void)snprintf(out + at, cap - (size_t)at, " %s", info->derived ? "derived" : "stored");
}

static void compare(gk_vec *v, const gk_keyring *kr, gk_bytes file)
{
    gk_bytes dk = gk_vec_hex(v, "dk");
    gk_bytes nonce = gk_vec_hex(v, "nonce");
    uint8_t fingerprint[8];
    uint8_t *again = malloc(file.n);
    size_t n = 0;

    ck_assert_ptr_nonnull(again);
    ck_assert_mem_eq(gk_keyring_ensemble(kr), gk_vec_hex(v, "ensemble").p, GK_ID);
    ck_assert_mem_eq(gk_keyring_zone(kr), gk_vec_hex(v, "zone").p, GK_ID);
    ck_assert_str_eq(gk_keyring_zone_name(kr), gk_vec_str(v, "zone name"));
    ck_ok(gk_keyring_fingerprint(kr, fingerprint));
    ck_assert_mem_eq(fingerprint, gk_vec_hex(v, "fingerprint").p, 8);
    for (size_t i = 0; i < gk_keyring_count(kr); i++) {
        gk_key_info info;
        char line[128];

        ck_ok(gk_keyring_info(kr, i, &info));
        describe(line, sizeof(line), &info);
        ck_assert_str_eq(line, gk_vec_str(v, "key"));
    }
    /* written again with the same data key and nonce, it is the same file */
    ck_ok(gk_keyring_seal_with(kr, again, file.n, &n, dk.p, nonce.p));
    ck_assert(gk_bytes_equal(BYTES(again, n), file));
    ck_gk(gk_keyring_seal_with(kr, again, file.n - 1, &n, dk.p, nonce.p), GK_ERR_SPACE);
    ck_assert_uint_eq(n, 0);
    free(again);
}

START_TEST(vectors)
{
    gk_vec *v = gk_vec_open("keyring.txt");
    size_t good = 0;

    while (gk_vec_next(v)) {
        const char *title = gk_vec_str(v, "case");
        gk_err want = gk_check_err_of(gk_vec_str(v, "result"));
        gk_bytes file = gk_vec_hex(v, "file");
        const char *count = gk_vec_opt(v, "count");
        gk_keyring *kr = NULL;
        gk_err got = gk_keyring_parse(&kr, file);

        ck_assert_msg(got == want, "%s: %s", title, gk_err_str(got));
        ck_assert((kr != NULL) == (want == GK_OK));
        if (kr != NULL && count == NULL)
            compare(v, kr, file);
        if (kr != NULL && count != NULL) {
            ck_assert_uint_eq(gk_keyring_count(kr), strtoul(count, NULL, 10));
            (void)gk_vec_str(v, "sha256");
        }
        good += kr != NULL;
        gk_keyring_free(kr);
    }
    ck_assert_uint_eq(good, 4);
    ck_assert_uint_eq(gk_vec_close(v), 33);
}
END_TEST

START_TEST(generates)
{
    static const gk_purpose want[] = {GK_PURPOSE_NAME, GK_PURPOSE_PAYLOAD, GK_PURPOSE_SEED, GK_PURPOSE_SESSION, GK_PURPOSE_PENDING};
    gk_keyring *kr = NULL;
    gk_key_info info;

    ck_ok(gk_keyring_generate(&kr));
    ck_assert_str_eq(gk_keyring_zone_name(kr), "root");
    ck_assert_mem_ne(gk_keyring_ensemble(kr), gk_keyring_zone(kr), GK_ID);
    ck_assert_uint_eq(gk_keyring_count(kr), 5);
    for (size_t i = 0; i < 5; i++) {
        gk_key *k = gk_keyring_active(kr, want[i]);
        uint8_t check[8];

        ck_ok(gk_keyring_info(kr, i, &info));
        ck_assert(info.purpose == want[i] && info.id == 1 && info.state == GK_KEY_ACTIVE);
        ck_assert(info.derived == (i >= 3));
        ck_assert_uint_gt(info.created_ms, 1700000000000ULL);
        ck_assert_ptr_nonnull(k);
        ck_assert_ptr_eq(k, gk_keyring_find(kr, want[i], 1));
        ck_ok(gk_key_check_value(k, check));
        ck_assert_mem_eq(check, info.check_value, 8);
    }
    ck_gk(gk_keyring_info(kr, 5, &info), GK_ERR_ARG);
    ck_assert_ptr_null(gk_keyring_find(kr, GK_PURPOSE_PAYLOAD, 2));
    ck_assert_ptr_null(gk_keyring_active(kr, GK_PURPOSE_DK));
    ck_assert_ptr_eq(gk_keyring_ref(kr), kr);
    gk_keyring_free(kr);
    gk_keyring_free(kr);
    gk_keyring_free(NULL);
}
END_TEST

START_TEST(finds_what_may_only_decrypt)
{
    gk_vec *v = gk_vec_open("keyring.txt");

    while (gk_vec_next(v)) {
        bool rotated = strcmp(gk_vec_str(v, "case"), "rotated") == 0;
        gk_bytes file = gk_vec_hex(v, "file");
        gk_keyring *kr = NULL;

        while (gk_vec_opt(v, "key") != NULL || gk_vec_opt(v, "zone name") != NULL)
            continue;
        for (const char *const *a =
                 (const char *const[]){"result", "dk", "nonce", "ensemble", "zone", "fingerprint", "count", "sha256", NULL};
             *a; a++)
            (void)gk_vec_opt(v, *a);
        if (!rotated)
            continue;
        ck_ok(gk_keyring_parse(&kr, file));
        ck_assert_uint_eq(gk_key_id(gk_keyring_active(kr, GK_PURPOSE_PAYLOAD)), 2);
        ck_assert_uint_eq(gk_key_id(gk_keyring_find(kr, GK_PURPOSE_PAYLOAD, 4294967295u)), 4294967295u);
        ck_assert_uint_eq(gk_key_id(gk_keyring_active(kr, GK_PURPOSE_SESSION)), 9);
        ck_assert_uint_eq(gk_key_id(gk_keyring_find(kr, GK_PURPOSE_SESSION, 7)), 7);
        ck_assert_uint_eq(gk_key_id(gk_keyring_find(kr, GK_PURPOSE_PENDING, 7)), 7);
        gk_keyring_free(kr);
    }
    (void)gk_vec_close(v);
}
END_TEST

START_TEST(each_byte_counts)
{
    gk_keyring *kr = NULL;
    gk_keyring *out = NULL;
    gk_bytes file = {0};
    uint8_t *p = NULL;

    ck_ok(gk_keyring_generate(&kr));
    file = sealed(kr);
    p = (uint8_t *)file.p;
    ck_ok(gk_keyring_parse(&out, file));
    gk_keyring_free(out);
    for (size_t i = 0; i < file.n; i++) {
        ck_assert(gk_keyring_parse(&out, BYTES(p, i)) != GK_OK && out == NULL);
        for (unsigned bit = 0; bit < 8; bit++) {
            p[i] ^= (uint8_t)(1u << bit);
            ck_assert_msg(gk_keyring_parse(&out, file) != GK_OK && out == NULL, "bit %u of byte %zu", bit, i);
            p[i] ^= (uint8_t)(1u << bit);
        }
    }
    p[file.n] = 0;
    ck_gk(gk_keyring_parse(&out, BYTES(p, file.n + 1)), GK_ERR_MALFORMED);
    ck_gk(gk_keyring_parse(&out, BYTES(p, GK_KEYRING_FILE_MAX + 1)), GK_ERR_LIMIT);
    ck_gk(gk_keyring_parse(&out, (gk_bytes){0}), GK_ERR_TRUNCATED);
    free(p);
    gk_keyring_free(kr);
}
END_TEST

/* Two files of one keyring differ in data key and nonce, and hold the same keys. */
START_TEST(seals_afresh)
{
    gk_keyring *kr = NULL;
    gk_keyring *back = NULL;
    gk_bytes a = {0}, b = {0};
    uint8_t f[2][8];

    ck_ok(gk_keyring_generate(&kr));
    a = sealed(kr);
    b = sealed(kr);
    ck_assert(!gk_bytes_equal(a, b));
    ck_ok(gk_keyring_parse(&back, b));
    ck_ok(gk_keyring_fingerprint(kr, f[0]));
    ck_ok(gk_keyring_fingerprint(back, f[1]));
    ck_assert_mem_eq(f[0], f[1], 8);
    /* the keys themselves are not in the file */
    for (size_t i = 0; i < 3; i++) {
        gk_bytes raw = gk_key_raw(gk_keyring_active(kr, (gk_purpose)(i + 1)));

        ck_assert_ptr_null(memmem(a.p, a.n, raw.p, 16));
    }
    gk_keyring_free(back);
    gk_keyring_free(kr);
    free((void *)a.p);
    free((void *)b.p);
}
END_TEST

START_TEST(saves_and_loads)
{
    gk_keyring *kr = NULL;
    gk_keyring *back = NULL;
    struct stat st;
    char why[256] = "x";
    mode_t old = umask(0777);

    ck_ok(gk_keyring_generate(&kr));
    ck_ok(gk_keyring_save(kr, path));
    (void)umask(old);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_gk(gk_keyring_save(kr, path), GK_ERR_EXISTS);
    ck_ok(gk_keyring_load(&back, path, why, sizeof(why)));
    ck_assert_str_eq(why, "");
    ck_assert_mem_eq(gk_keyring_ensemble(kr), gk_keyring_ensemble(back), GK_ID);
    gk_keyring_free(back);
    ck_gk(gk_keyring_save(kr, "/nonexistent/keyring"), GK_ERR_IO);
    ck_assert_int_eq(errno, ENOENT);
    gk_keyring_free(kr);
}
END_TEST

static void load_fails(const char *p, gk_err want, const char *hint)
{
    gk_keyring *kr = NULL;
    char why[300];
    char small[8];

    ck_gk(gk_keyring_load(&kr, p, why, sizeof(why)), want);
    ck_assert_ptr_null(kr);
    ck_assert_msg(strstr(why, hint) != NULL && strchr(why, '\n') == NULL, "%s", why);
    ck_gk(gk_keyring_load(&kr, p, small, sizeof(small)), want);
    ck_assert_uint_lt(strlen(small), sizeof(small));
    ck_gk(gk_keyring_load(&kr, p, NULL, 0), want);
}

START_TEST(load_says_what_to_do)
{
    static const uint8_t later[] = "GKKEYRNG\0\2 and what nobody knows yet";
    static uint8_t large[GK_KEYRING_FILE_MAX + 1];
    gk_keyring *kr = NULL;
    gk_bytes file = {0};

    load_fails(path, GK_ERR_NOTFOUND, "gk-admin keyring init");
    ck_ok(gk_keyring_generate(&kr));
    file = sealed(kr);
    for (unsigned bit = 0; bit < 6; bit++) {
        write_file(file.p, file.n, 0600 | (1u << bit));
        load_fails(path, GK_ERR_PERM, "chmod 600");
    }
    write_file(file.p, file.n - 1, 0600);
    load_fails(path, GK_ERR_TRUNCATED, "restore it");
    ((uint8_t *)file.p)[file.n - 1] ^= 1;
    write_file(file.p, file.n, 0400);
    load_fails(path, GK_ERR_AUTH, "restore it");
    write_file(later, sizeof(later), 0600);
    load_fails(path, GK_ERR_VERSION, "upgrade");
    write_file(large, sizeof(large), 0600);
    load_fails(path, GK_ERR_LIMIT, "restore it");
    write_file("", 0, 0600);
    load_fails(path, GK_ERR_TRUNCATED, "restore it");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    load_fails(path, GK_ERR_PERM, "regular file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    load_fails(path, GK_ERR_PERM, "regular file");
    free((void *)file.p);
    gk_keyring_free(kr);
}
END_TEST

START_TEST(load_checks_the_owner)
{
    gk_keyring *kr = NULL;

    if (geteuid() != 0) {
        gk_check_skip("keyring/load_checks_the_owner", "needs root to change a file's owner");
        return;
    }
    ck_ok(gk_keyring_generate(&kr));
    ck_ok(gk_keyring_save(kr, path));
    ck_assert_int_eq(chown(path, 12345, 0), 0);
    load_fails(path, GK_ERR_PERM, "uid 12345");
    gk_keyring_free(kr);
    /* root's files are fine for others, if they can be read at all: a file handed over by a descriptor's path, say */
    ck_assert_int_eq(chown(path, 0, 0), 0);
    ck_assert_int_eq(seteuid(12345), 0);
    load_fails(path, GK_ERR_IO, "run as its owner");
    ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

static gk_err make_and_parse(void *arg)
{
    static uint8_t buf[1024];
    gk_keyring *kr = NULL;
    gk_keyring *back = NULL;
    uint8_t fingerprint[8];
    size_t n = 0;
    gk_err e = gk_keyring_generate(&kr);

    (void)arg;
    if (e == GK_OK)
        e = gk_keyring_seal(kr, buf, sizeof(buf), &n);
    if (e == GK_OK)
        e = gk_keyring_parse(&back, BYTES(buf, n));
    if (e == GK_OK)
        e = gk_keyring_fingerprint(back, fingerprint);
    gk_keyring_free(back);
    gk_keyring_free(kr);
    return e;
}

static gk_err save_and_load(void *arg)
{
    gk_keyring *back = NULL;
    char why[200];
    gk_err e = gk_keyring_save(arg, path);

    if (e == GK_OK)
        e = gk_keyring_load(&back, path, why, sizeof(why));
    else
        ck_assert_int_eq(access(path, F_OK), -1); /* nothing half is left behind */
    gk_keyring_free(back);
    (void)unlink(path);
    return e;
}

START_TEST(survives_failing_allocations)
{
    gk_keyring *kr = NULL;

    ck_assert_uint_ge(gk_fault_each(make_and_parse, NULL), 20);
    ck_ok(gk_keyring_generate(&kr));
    ck_assert_uint_ge(gk_fault_each(save_and_load, kr), 10);
    gk_keyring_free(kr);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("keyring");
    TCase *memory = tcase_create("memory");
    TCase *files = tcase_create("files");

    tcase_set_timeout(memory, 60);
    tcase_add_test(memory, vectors);
    tcase_add_test(memory, generates);
    tcase_add_test(memory, finds_what_may_only_decrypt);
    tcase_add_test(memory, each_byte_counts);
    tcase_add_test(memory, seals_afresh);
    suite_add_tcase(s, memory);
    tcase_set_timeout(files, 60);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, saves_and_loads);
    tcase_add_test(files, load_says_what_to_do);
    tcase_add_test(files, load_checks_the_owner);
    tcase_add_test(files, survives_failing_allocations);
    suite_add_tcase(s, files);
    return s;
}
