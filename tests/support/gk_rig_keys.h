/* gk_rig_keys: a rig whose codec gives keys of groups: an agreement with a fixed secret, and the nodes that stand behind a key read. */
#ifndef GK_RIG_KEYS_H
#define GK_RIG_KEYS_H

#include "gk_rig.h"

#define GK_RIG_SESSION 0x1234 /* gk_rig_connect's */
#define GK_RIG_KEY_NODE "/zookeeper/groupkeeper/keys/app/members/alice"
#define GK_RIG_MEMBERS "/app/members"

/* gk_rig_keys_open: agreement on, a session that may read keys, the secret of gk_rig_agree(r, 0xaa, true, NULL) in use. */
gk_rig gk_rig_keys_open(void);
/* gk_rig_agree makes the stored payload of an agreement node (may be NULL) whose transcript hash is 32 times hash; known: its secret is in use here. */
void gk_rig_agree(gk_rig *r, uint8_t hash, bool known, gk_buf *current);
/* gk_rig_seal makes the stored payload that a client's node at path would have. */
void gk_rig_seal(gk_rig *r, gk_buf *out, const char *path, gk_bytes data);

#endif
