/* gk_served: what clients of groups keyed by the servers see: paths and records (docs/FORMAT.md, "Groups keyed by the servers"). */
#ifndef GK_SERVED_H
#define GK_SERVED_H

#define GK_OWN_NAME "groupkeeper"
#define GK_OWN_ROOT "/zookeeper/" GK_OWN_NAME
#define GK_OWN_CURRENT GK_OWN_ROOT "/agreement/current"
#define GK_OWN_STATUS GK_OWN_ROOT "/status"
#define GK_OWN_KEYS GK_OWN_ROOT "/keys"

/* The plaintext payload of a members node. */
#define GK_MEMBERS_RECORD "GKSERVERKEYED v1"
#define GK_MEMBERS_RECORD_SIZE 16
/* What a read of a key node gives: magic | view u64 | key id[16] | key[32]. */
#define GK_KEY_RECORD_MAGIC "GKV1"
#define GK_KEY_RECORD_SIZE 60

#endif
