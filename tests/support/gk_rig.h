/* gk_rig: what tests and fuzz targets of the codec share: a keyring that is always the same, a codec with one worker and one session, and
 * the pieces of frames. It knows nothing of Check: what must hold is rig_must, which ends the process. */
#ifndef GK_RIG_H
#define GK_RIG_H

#include <stdlib.h>
#include <string.h>

#include "../../native/codec/gk_path.h"
#include "../../native/codec/gk_session.h"
#include "../../native/wire/gk_jute.h"

#define rig_must(condition) ((condition) ? (void)0 : gk_rig_fail(#condition, __FILE__, __LINE__))
void gk_rig_fail(const char *what, const char *file, int line) __attribute__((noreturn));

/* Key ids of the fixed keyring; tests/vectors/gen_codec.py has the same keys. */
enum { GK_RIG_NAME_ID = 1, GK_RIG_PAYLOAD_ID = 7, GK_RIG_OLD_PAYLOAD_ID = 3, GK_RIG_SEED_ID = 5 };

typedef struct gk_rig {
    gk_keyring *keyring;
    gk_codec *codec;
    gk_worker *worker;
    gk_session *session;
} gk_rig;

/* gk_rig_keyring makes the fixed keyring. more: that many payload keys besides, with the ids 100, 101, ... to decrypt. */
gk_err gk_rig_keyring(gk_keyring **out, unsigned more) GK_MUST_CHECK;
/* gk_rig_options: 512 KiB of cache (with less than 384 it keeps hardly a name), 1 MiB - 1 a request, as stock; 13 times that stored. */
gk_options gk_rig_options(void);
/* gk_rig_try opens a rig; on failure nothing is left. o may be NULL. */
gk_err gk_rig_try(gk_rig *out, const gk_options *o) GK_MUST_CHECK;
gk_rig gk_rig_open(const gk_options *o);
void gk_rig_close(gk_rig *r);
/* gk_rig_connect passes a handshake through the session, so that it is open in both directions. */
void gk_rig_connect(gk_rig *r);
/* gk_rig_reconnect replaces the session by a new one that is open. */
void gk_rig_reconnect(gk_rig *r);

/* --- buffers --------------------------------------------------------------------------------------------------------------
 * gk_buf owns memory that grows; appending never fails. */
typedef struct gk_buf {
    uint8_t *p;
    size_t n, cap;
} gk_buf;

uint8_t *gk_buf_room(gk_buf *b, size_t n);
void gk_buf_put(gk_buf *b, const void *p, size_t n);
void gk_buf_u8(gk_buf *b, uint8_t v);
void gk_buf_i32(gk_buf *b, int32_t v);
void gk_buf_i64(gk_buf *b, int64_t v);
void gk_buf_blob(gk_buf *b, gk_blob v);
void gk_buf_bytes(gk_buf *b, gk_bytes v);
void gk_buf_str(gk_buf *b, const char *s);
/* gk_buf_acl appends a vector with one ACL, world:anyone. */
void gk_buf_acl(gk_buf *b);
/* gk_buf_open, gk_buf_close: a frame's length is filled in when its body is there. */
size_t gk_buf_open(gk_buf *b);
void gk_buf_close(gk_buf *b, size_t at);
gk_bytes gk_buf_view(const gk_buf *b);
void gk_buf_clear(gk_buf *b);
void gk_buf_free(gk_buf *b);

/* --- passing frames ---------------------------------------------------------------------------------------------------------
 * Both ask with an empty buffer first and then with exactly as many bytes as that one needed, in memory of exactly that size: a second
 * GK_ERR_SPACE, or anything else between, fails. The result is appended to out. */

/* gk_rig_requests passes in until it is consumed or only half a frame is left; gives the number of bytes consumed. */
size_t gk_rig_requests(gk_rig *r, gk_buf *out, gk_bytes in);
/* gk_rig_reply passes one frame, once as a whole and once in parts, if it can come so. On an error nothing was appended. */
gk_err gk_rig_reply(gk_rig *r, gk_buf *out, gk_bytes frame) GK_MUST_CHECK;

/* gk_rig_stored gives the stored form of a path. */
void gk_rig_stored(gk_rig *r, gk_buf *out, gk_bytes path);
/* gk_rig_contains: needle somewhere in hay; an empty needle is nowhere. */
bool gk_rig_contains(gk_bytes hay, gk_bytes needle);

#endif
