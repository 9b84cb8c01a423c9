/* Keyrings in files: owner, mode, and writing so that a file is there as a whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gk_keyring_internal.h"

static void explain(char *why, size_t why_n, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void explain(char *why, size_t why_n, const char *format, ...)
{
    va_list args;

    if (why == NULL || why_n == 0)
        return;
    va_start(args, format);
    (void)vsnprintf(why, why_n, format, args);
    va_end(args);
}

static gk_err open_checked(int *out, size_t *size, const char *path, char *why, size_t why_n)
{
    struct stat st;
    /* O_NONBLOCK: opening a FIFO must not wait for ever; it has no effect on regular files */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        int saved = errno;

        if (saved == ENOENT || saved == ENOTDIR) {
            explain(why, why_n, "keyring %s does not exist: create it with gk-admin keyring init, or copy it from another server", path);
            return GK_ERR_NOTFOUND;
        }
        explain(why, why_n, "keyring %s cannot be opened (%s): run as its owner", path, strerror(saved));
        return GK_ERR_IO;
    }
    if (fstat(fd, &st) != 0) {
        explain(why, why_n, "keyring %s cannot be read (%s): check the disk, or restore it from another server", path, strerror(errno));
        (void)close(fd);
        return GK_ERR_IO;
    }
    if (!S_ISREG(st.st_mode))
        explain(why, why_n, "keyring %s is not a regular file: name the file itself", path);
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        explain(why, why_n, "keyring %s is owned by uid %u, but this process runs as uid %u: chown it", path, (unsigned)st.st_uid,
                (unsigned)geteuid());
    else if ((st.st_mode & 077) != 0)
        explain(why, why_n, "keyring %s is open to group or others (mode %04o): chmod 600 it", path, (unsigned)(st.st_mode & 07777));
    else {
        *out = fd;
        *size = st.st_size < 0 ? 0 : (size_t)st.st_size;
        return GK_OK;
    }
    (void)close(fd);
    return GK_ERR_PERM;
}

/* read_all reads until the end of the file; the size seen before is only a hint, since the file may change meanwhile. */
static gk_err read_all(int fd, uint8_t *buf, size_t cap, size_t *n)
{
    *n = 0;
    while (*n < cap) {
        ssize_t k = read(fd, buf + *n, cap - *n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return GK_ERR_IO;
        if (k == 0)
            return GK_OK;
        *n += (size_t)k;
    }
    return GK_ERR_LIMIT;
}

static void explain_parse(gk_err e, const char *path, char *why, size_t why_n)
{
    switch (e) {
    case GK_ERR_VERSION: explain(why, why_n, "keyring %s was written by a later version: upgrade Groupkeeper here", path); break;
    case GK_ERR_TRUNCATED:
    case GK_ERR_MALFORMED:
    case GK_ERR_LIMIT:
        explain(why, why_n, "keyring %s is not a keyring file, or damaged (%s): restore it from another server", path, gk_err_str(e));
        break;
    case GK_ERR_AUTH:
        explain(why, why_n, "keyring %s is damaged or was changed (authentication failed): restore it from another server", path);
        break;
    default: explain(why, why_n, "keyring %s cannot be loaded (%s): free some memory and try again", path, gk_err_str(e));
    }
}

gk_err gk_keyring_load(gk_keyring **out, const char *path, char *why, size_t why_n)
{
    uint8_t *buf = NULL;
    size_t size = 0;
    size_t n = 0;
    int fd = -1;
    gk_err e = GK_OK;

    *out = NULL;
    explain(why, why_n, "%s", "");
    e = open_checked(&fd, &size, path, why, why_n);
    if (e != GK_OK)
        return e;
    if (size > GK_KEYRING_FILE_MAX) {
        e = GK_ERR_LIMIT;
        goto out;
    }
    buf = OPENSSL_zalloc(GK_KEYRING_FILE_MAX + 1);
    if (buf == NULL) {
        e = GK_ERR_NOMEM;
        goto out;
    }
    e = read_all(fd, buf, GK_KEYRING_FILE_MAX + 1, &n);
    if (e == GK_ERR_IO) {
        explain(why, why_n, "keyring %s cannot be read (%s): check the disk, or restore it from another server", path, strerror(errno));
        goto free_all;
    }
    if (e == GK_OK)
        e = gk_keyring_parse(out, (gk_bytes){buf, n});
out:
    if (e != GK_OK)
        explain_parse(e, path, why, why_n);
free_all:
    OPENSSL_clear_free(buf, GK_KEYRING_FILE_MAX + 1);
    (void)close(fd);
    return e;
}

static gk_err write_all(int fd, const uint8_t *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(fd, p + done, n - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return GK_ERR_IO;
        done += (size_t)k;
    }
    return GK_OK;
}

/* sync_folder: without it the new name may be lost in a power failure, though the file's bytes are safe. */
static gk_err sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int fd = -1;
    gk_err e = GK_OK;

    if (strlen(path) >= sizeof(copy)) {
        errno = ENAMETOOLONG;
        return GK_ERR_IO;
    }
    memcpy(copy, path, strlen(path) + 1);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return GK_ERR_IO;
    if (fsync(fd) != 0 && errno != EINVAL) /* EINVAL: a file system whose folders can't be synced */
        e = GK_ERR_IO;
    (void)close(fd);
    return e;
}

gk_err gk_keyring_save(const gk_keyring *kr, const char *path)
{
    size_t cap = gk_keyring_sealed_size(kr);
    size_t n = 0;
    uint8_t *buf = OPENSSL_zalloc(cap);
    int fd = -1;
    int saved = 0;
    gk_err e = GK_OK;

    if (buf == NULL)
        return GK_ERR_NOMEM;
    e = gk_keyring_seal(kr, buf, cap, &n);
    if (e != GK_OK)
        goto out;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        e = errno == EEXIST ? GK_ERR_EXISTS : GK_ERR_IO;
        saved = errno;
        goto out;
    }
    if (fchmod(fd, 0600) != 0) /* the umask may have taken the owner's bits */
        e = GK_ERR_IO;
    if (e == GK_OK)
        e = write_all(fd, buf, n);
    if (e == GK_OK && fsync(fd) != 0)
        e = GK_ERR_IO;
    saved = errno;
    if (close(fd) != 0 && e == GK_OK) {
        e = GK_ERR_IO;
        saved = errno;
    }
    if (e == GK_OK) {
        e = sync_folder(path);
        saved = errno;
    }
    if (e != GK_OK)
        (void)unlink(path); /* ours, by O_EXCL: no half keyring stays behind */
out:
    OPENSSL_clear_free(buf, cap);
    errno = saved;
    return e;
}
