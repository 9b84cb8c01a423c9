/* gk_kind: what a child is, by its parent and its plaintext name. For gk_path.c. */
#ifndef GK_KIND_H
#define GK_KIND_H

#include "gk_path.h"

/* gk_kind_of_child: the kind of the child called name, whether that name is stored as it is, and the plaintext prefixes that go through it. */
gk_kind gk_kind_of_child(const gk_codec *c, const gk_node *n, gk_bytes name, bool *plain, uint64_t *prefixes);

#endif
