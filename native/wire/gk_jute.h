/* gk_jute: ZooKeeper's jute encoding on top of gk_bytes: strings and buffers are an i32 length and bytes, -1 means null; vectors are
 * an i32 count (-1 null; stock reads any other negative count as empty) and elements. Spec: zookeeper.jute of ZooKeeper 3.9. */
#ifndef GK_JUTE_H
#define GK_JUTE_H

#include "../base/gk_bytes.h"

#define GK_STAT_SIZE 68            /* org.apache.zookeeper.data.Stat */
#define GK_STAT_DATA_LENGTH 52     /* offset of dataLength, i32, in a Stat */
#define GK_REQUEST_HEADER_SIZE 8   /* xid i32, type i32 */
#define GK_REPLY_HEADER_SIZE 16    /* xid i32, zxid i64, err i32 */

/* A nullable string or buffer. */
typedef struct gk_blob {
    gk_bytes b;
    bool null;
} gk_blob;

gk_err gk_jute_i32(gk_reader *r, int32_t *out) GK_MUST_CHECK;
/* gk_jute_blob reads a string or buffer; a length below -1 is GK_ERR_MALFORMED, one beyond the input GK_ERR_TRUNCATED. */
gk_err gk_jute_blob(gk_reader *r, gk_blob *out) GK_MUST_CHECK;
/* gk_jute_count reads a vector's count as it stands (for writing it back) and the number of elements that follow. */
gk_err gk_jute_count(gk_reader *r, int32_t *raw, uint32_t *elements) GK_MUST_CHECK;
/* gk_jute_skip_acl moves over a vector of ACL: {perms i32, {scheme string, id string}}. */
gk_err gk_jute_skip_acl(gk_reader *r) GK_MUST_CHECK;

void gk_jute_put_i32(gk_writer *w, int32_t v);
void gk_jute_put_blob(gk_writer *w, gk_blob b);
/* gk_jute_open_string writes a placeholder for a length and returns its offset for gk_jute_close_string, which fills in the bytes written since. */
size_t gk_jute_open_string(gk_writer *w);
void gk_jute_close_string(gk_writer *w, size_t at);

#endif
