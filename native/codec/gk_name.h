/* gk_name: which components ZooKeeper's PathUtils.validatePath accepts, and what Java makes of bytes that aren't UTF-8. */
#ifndef GK_NAME_H
#define GK_NAME_H

#include "../base/gk_bytes.h"

typedef enum gk_name_class {
    GK_NAME_VALID,   /* may be a component of a node's path */
    GK_NAME_EMPTY,
    GK_NAME_DOTS,    /* "." or ".." */
    GK_NAME_INVALID, /* has a character that validatePath rejects, or isn't UTF-8 */
    GK_NAME_NUL      /* has a NUL, which some operations reject earlier */
} gk_name_class;

/* gk_name_classify looks at one component (no '/' in it). */
gk_name_class gk_name_classify(gk_bytes name);
/* gk_name_normalize writes what a Java server would send back for these bytes: new String(bytes, UTF_8) and then jute's writeString,
 * so U+FFFD for each malformed part, and surrogates one by one (CESU-8) for characters beyond the BMP. At most 3 * name.n bytes. */
void gk_name_normalize(gk_writer *w, gk_bytes name);

#endif
