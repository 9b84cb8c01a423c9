#include "gk_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../native/base/gk_bytes.h"

static gk_err io_error(const char *file, const char *what, char *why, size_t why_n)
{
    gk_err e = errno == ENOENT ? GK_ERR_NOTFOUND : errno == EEXIST ? GK_ERR_EXISTS : errno == EACCES ? GK_ERR_PERM : GK_ERR_IO;

    (void)snprintf(why, why_n, "%s cannot be %s: %s", file, what, strerror(errno));
    return e;
}

/* read_fd reads to the end; the buffer is wiped before it grows, since it may hold a secret. */
static gk_err read_fd(int fd, size_t max, uint8_t **out, size_t *n)
{
    size_t cap = 4096;
    size_t len = 0;
    uint8_t *p = malloc(cap + 1);
    gk_err e = p == NULL ? GK_ERR_NOMEM : GK_OK;

    while (e == GK_OK) {
        ssize_t got = read(fd, p + len, cap - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            e = got < 0 ? GK_ERR_IO : GK_OK;
            break;
        }
        len += (size_t)got;
        if (len > max)
            e = GK_ERR_LIMIT;
        else if (len == cap) {
            uint8_t *q = malloc(cap * 2 + 1);

            if (q != NULL)
                memcpy(q, p, len);
            gk_wipe(p, len);
            free(p);
            p = q;
            cap *= 2;
            e = q == NULL ? GK_ERR_NOMEM : GK_OK;
        }
    }
    if (e != GK_OK) {
        if (p != NULL)
            gk_wipe(p, len < cap ? len : cap);
        free(p);
        return e;
    }
    p[len] = '\0';
    *out = p;
    *n = len;
    return GK_OK;
}

static gk_err read_file(const char *file, size_t max, bool secret, uint8_t **out, size_t *n, char *why, size_t why_n)
{
    int fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};
    gk_err e = GK_OK;

    *out = NULL;
    *n = 0;
    if (fd < 0)
        return io_error(file, "opened", why, why_n);
    if (secret && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
        (void)snprintf(why, why_n, "%s can be read by others: chmod 600 it", file);
        e = GK_ERR_PERM;
    }
    if (e == GK_OK) {
        e = read_fd(fd, max, out, n);
        if (e == GK_ERR_IO)
            e = io_error(file, "read", why, why_n);
        else if (e != GK_OK)
            (void)snprintf(why, why_n, "%s cannot be read: %s", file, gk_err_str(e));
    }
    (void)close(fd);
    return e;
}

gk_err gk_io_read(const char *file, size_t max, uint8_t **out, size_t *n, char *why, size_t why_n)
{
    return read_file(file, max, false, out, n, why, why_n);
}

gk_err gk_io_read_secret(const char *file, size_t max, uint8_t **out, size_t *n, char *why, size_t why_n)
{
    return read_file(file, max, true, out, n, why, why_n);
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p += put;
        n -= (size_t)put;
    }
    return fsync(fd) == 0;
}

gk_err gk_io_create(const char *file, const void *p, size_t n, unsigned mode, char *why, size_t why_n)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool ok = false;

    if (fd < 0)
        return io_error(file, "made", why, why_n);
    ok = write_all(fd, p, n);
    ok = close(fd) == 0 && ok;
    if (ok)
        return GK_OK;
    (void)io_error(file, "written", why, why_n);
    (void)unlink(file);
    return GK_ERR_IO;
}

static void sync_folder(const char *file)
{
    char folder[PATH_MAX];
    char *slash = NULL;
    int fd = -1;

    (void)snprintf(folder, sizeof(folder), "%s", file);
    slash = strrchr(folder, '/');
    if (slash == NULL)
        (void)snprintf(folder, sizeof(folder), ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

gk_err gk_io_replace(const char *file, const void *p, size_t n, unsigned mode, char *why, size_t why_n)
{
    char temporary[PATH_MAX];
    gk_err e = GK_OK;

    if (snprintf(temporary, sizeof(temporary), "%s.%ld.new", file, (long)getpid()) >= (int)sizeof(temporary)) {
        (void)snprintf(why, why_n, "%s is too long a name", file);
        return GK_ERR_LIMIT;
    }
    (void)unlink(temporary); /* of a process that died with our id */
    e = gk_io_create(temporary, p, n, mode, why, why_n);
    if (e != GK_OK)
        return e;
    if (rename(temporary, file) != 0) {
        (void)io_error(file, "replaced", why, why_n);
        (void)unlink(temporary);
        return GK_ERR_IO;
    }
    sync_folder(file);
    return GK_OK;
}

gk_err gk_io_lock(const char *file, bool wait, int *fd, char *why, size_t why_n)
{
    int f = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = -1;

    if (f < 0)
        return io_error(file, "opened", why, why_n);
    do
        rc = flock(f, LOCK_EX | (wait ? 0 : LOCK_NB));
    while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        gk_err e = errno == EWOULDBLOCK ? GK_ERR_STATE : GK_ERR_IO;

        (void)snprintf(why, why_n, "%s is in use by another process", file);
        (void)close(f);
        return e;
    }
    *fd = f;
    return GK_OK;
}
