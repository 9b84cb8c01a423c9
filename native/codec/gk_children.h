/* gk_children: the list of a node's children, as replies have it. */
#ifndef GK_CHILDREN_H
#define GK_CHILDREN_H

#include "gk_path.h"

/* gk_children_write takes a list of stored names from r and writes the client's: without the servers' own nodes, and without those that can't be
 * decrypted (groupkeeper.undecryptable-child=fail: then it fails with GK_ERR_AUTH). A long list whose bytes are those of the one before, of the
 * same node, is written as that one was; of one that has changed, the names that were in it before aren't decrypted again (gk_lists.h). */
gk_err gk_children_write(gk_worker *w, gk_writer *out, gk_reader *r, const gk_node *node) GK_MUST_CHECK;
/* gk_children_key: under what the list of a node's children is kept: all that their plain names depend on in one codec, beside the stored names. */
gk_bytes gk_children_key(uint8_t buf[GK_LISTS_KEY], const gk_node *node);

#endif
