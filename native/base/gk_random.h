/* gk_random: random bytes from the system's generator by OpenSSL's RAND_bytes, buffered. One gk_random belongs to one thread.
 * At most 4 KiB are taken ahead, in pages of their own that a fork clears (MADV_WIPEONFORK); the process id is checked as well; bytes
 * handed out are wiped from the buffer. */
#ifndef GK_RANDOM_H
#define GK_RANDOM_H

#include <stddef.h>

#include "gk_err.h"

typedef struct gk_random gk_random;

gk_err gk_random_new(gk_random **out) GK_MUST_CHECK;
/* gk_random_fill puts n random bytes at p; on failure p holds zeros. */
gk_err gk_random_fill(gk_random *r, void *p, size_t n) GK_MUST_CHECK;
/* gk_random_free wipes and frees; NULL is allowed. */
void gk_random_free(gk_random *r);

#endif
