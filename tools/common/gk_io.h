/* gk_io: whole files. Thread-safe; no state. Errors leave a sentence in why. */
#ifndef GK_IO_H
#define GK_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../native/base/gk_err.h"

/* gk_io_read reads all of file ("-" is standard input), at most max bytes (else GK_ERR_LIMIT), into a malloc'd buffer with a NUL behind it. */
gk_err gk_io_read(const char *file, size_t max, uint8_t **out, size_t *n, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_io_read_secret does so, and refuses (GK_ERR_PERM) a regular file that others than its owner may read. */
gk_err gk_io_read_secret(const char *file, size_t max, uint8_t **out, size_t *n, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_io_create makes a new file with this mode and syncs it; an existing one is left alone (GK_ERR_EXISTS). */
gk_err gk_io_create(const char *file, const void *p, size_t n, unsigned mode, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_io_replace puts p in file's place atomically: temporary file in the same folder, fsync, rename, fsync of the folder. */
gk_err gk_io_replace(const char *file, const void *p, size_t n, unsigned mode, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_io_lock takes an exclusive lock on file, which is made when missing (mode 0600); it lasts until the descriptor is closed.
 * GK_ERR_STATE when another process has it and wait is false. */
gk_err gk_io_lock(const char *file, bool wait, int *fd, char *why, size_t why_n) GK_MUST_CHECK;

#endif
