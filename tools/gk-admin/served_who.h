/* Identities in the ACL of a members node. */
#ifndef GK_ADMIN_SERVED_WHO_H
#define GK_ADMIN_SERVED_WHO_H

#include "served.h"

#define SERVED_ID 1024
#define SERVED_MEMBER (1 | 4) /* READ: keys; CREATE: join. It leaves by ending its session */

/* served_identity reads x509:SUBJECT, sasl:USER, a subject alone (it has a =), or NAME, which is x509:CN=NAME. Gives the scheme. */
const char *served_identity(const char *text, char id[SERVED_ID]);
/* served_acl_add appends a copy; false when memory ran out. */
bool served_acl_add(struct ACL_vector *acl, int perms, const char *scheme, const char *id);

#endif
