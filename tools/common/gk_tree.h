/* gk_tree: what lies below the root (/groupkeeper) and is read or written by more than one tool: paths, ACLs, identities in files, the chain of
 * authority records. docs/FORMAT.md, "Paths". Thread-safe; no state. */
#ifndef GK_TREE_H
#define GK_TREE_H

#include "../../native/group/gk_authority.h"
#include "gk_zk.h"

#define GK_TREE_PATH 512
#define GK_TREE_RESULT "groupkeeper v1 result"
#define GK_TREE_SERVED "server-keyed"
#define GK_TREE_AUDIT "groupkeeper v1 audit"

/* gk_tree_path writes root, a slash and the rest; too long a path is cut, which no server accepts. */
void gk_tree_path(char out[GK_TREE_PATH], const char *root, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* gk_tree_served: the members node of a group keyed by the servers: <root>/server-keyed/<group>, or group itself where it begins with a slash. */
void gk_tree_served(char out[GK_TREE_PATH], const char *root, const char *group);
/* gk_tree_acl: everybody reads; whoever made the node (by certificate or --auth-file) may do everything. Without an identity on the
 * connection (authenticated false) everybody may: signatures protect the content, not ACLs. open: everybody may create children. */
const struct ACL_vector *gk_tree_acl(bool authenticated, bool open);

/* gk_tree_key reads an Ed25519 private key (PEM, 0600); gk_tree_public a public one (PEM). */
gk_err gk_tree_key(gk_key **out, const char *file, char *why, size_t why_n) GK_MUST_CHECK;
gk_err gk_tree_public(uint8_t out[GK_SIGN_PUBLIC], const char *file, char *why, size_t why_n) GK_MUST_CHECK;

/* gk_tree_authority follows the chain authority/1, 2, ... from *a (NULL: from its begin) and puts the newest in *a. ZOK, also when there was
 * nothing new; ZNONODE when there is none at all; ZDATAINCONSISTENCY when a record doesn't follow from the one before. */
int gk_tree_authority(gk_zk *z, const char *root, gk_authority **a, int timeout_ms);
/* gk_tree_pin compares the authority's root with what file remembers of an earlier use, and remembers it when the file is new (*fresh). */
gk_err gk_tree_pin(const char *file, const gk_authority *a, bool *fresh, char *why, size_t why_n) GK_MUST_CHECK;

#endif
