/* gk_opened: payloads that one worker opened lately, as they are stored and as clients see them: the very same bytes of the very same node
 * needn't be authenticated and decrypted again. All of them are compared, so what is found is what opening would give. A ring: what was put
 * first is overwritten first. A payload is kept when it is met the second time, so reading through a tree costs nothing and displaces nothing.
 * Nothing depends on an entry being there. For one thread at a time. */
#ifndef GK_OPENED_H
#define GK_OPENED_H

#include "../base/gk_bytes.h"

typedef struct gk_opened gk_opened;

/* gk_opened_new: bytes bounds what is kept, and is taken from the system when a payload is kept first; 0 makes one that keeps nothing. */
gk_err gk_opened_new(gk_opened **out, size_t bytes) GK_MUST_CHECK;
/* gk_opened_find: the plaintext of stored under binding, valid until the next gk_opened_put; false when it isn't there. id: 8 bytes of stored
 * that are different from payload to payload. */
bool gk_opened_find(gk_opened *c, gk_bytes *plain, const uint8_t id[8], gk_bytes binding, gk_bytes stored);
/* gk_opened_put is told of what gk_opened_find didn't find and was opened: keeps copies, if it is met again and not larger than a sixteenth of
 * the bound. */
void gk_opened_put(gk_opened *c, const uint8_t id[8], gk_bytes binding, gk_bytes stored, gk_bytes plain);
/* gk_opened_free wipes what is kept. NULL is allowed. */
void gk_opened_free(gk_opened *c);

#endif
