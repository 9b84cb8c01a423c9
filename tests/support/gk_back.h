/* gk_back: the way back from what goes to a server: does it say what the client said? Written against the table of opcodes, by decrypting. */
#ifndef GK_BACK_H
#define GK_BACK_H

#include "gk_rig.h"

/* gk_back_same: stored is the right form of a client's request (bodies: header and record), but for its xid. An unknown operation must
 * have become the operation 0; a record that can't be read must be missing, and a write of one be a getData. */
bool gk_back_same(gk_rig *r, gk_bytes client, gk_bytes stored);

#endif
