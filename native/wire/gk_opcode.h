/* gk_opcode: one table that says, for each operation of ZooKeeper 3.9, which fields of request and reply are paths, payloads and Stats.
 * It is an allow-list: what isn't in it is refused as stock refuses an unknown operation. */
#ifndef GK_OPCODE_H
#define GK_OPCODE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum gk_op {
    GK_OP_NOTIFICATION = 0,
    GK_OP_CREATE = 1,
    GK_OP_DELETE = 2,
    GK_OP_EXISTS = 3,
    GK_OP_GET_DATA = 4,
    GK_OP_SET_DATA = 5,
    GK_OP_GET_ACL = 6,
    GK_OP_SET_ACL = 7,
    GK_OP_GET_CHILDREN = 8,
    GK_OP_SYNC = 9,
    GK_OP_PING = 11,
    GK_OP_GET_CHILDREN2 = 12,
    GK_OP_CHECK = 13,
    GK_OP_MULTI = 14,
    GK_OP_CREATE2 = 15,
    GK_OP_RECONFIG = 16,
    GK_OP_CHECK_WATCHES = 17,
    GK_OP_REMOVE_WATCHES = 18,
    GK_OP_CREATE_CONTAINER = 19,
    GK_OP_DELETE_CONTAINER = 20,
    GK_OP_CREATE_TTL = 21,
    GK_OP_MULTI_READ = 22,
    GK_OP_AUTH = 100,
    GK_OP_SET_WATCHES = 101,
    GK_OP_SASL = 102,
    GK_OP_GET_EPHEMERALS = 103,
    GK_OP_GET_ALL_CHILDREN_NUMBER = 104,
    GK_OP_SET_WATCHES2 = 105,
    GK_OP_ADD_WATCH = 106,
    GK_OP_WHO_AM_I = 107,
    GK_OP_CREATE_SESSION = -10,
    GK_OP_CLOSE_SESSION = -11,
    GK_OP_ERROR = -1
} gk_op;

/* A field list is a string, one letter a field:
 *   P path of a node                    i i32            b boolean (1 byte)
 *   D payload of the node P             l i64            B buffer, passed as it is
 *   A ACL vector, passed as it is       S string, passed as it is
 *   V vector of paths (watches)         s Stat of the node P
 *   p path of an existing node, decrypted (reply)        N names of P's children (reply)
 *   d payload of P, read for its length alone (reply)
 *   E string prefix of paths (request); paths, filtered by it (reply)
 *   C the payload of /zookeeper/config: plain            * everything up to the end, passed as it is
 *   M a multi's records */
typedef struct gk_opcode {
    int32_t type;
    const char *name;
    const char *request;
    const char *reply;
    bool in_multi; /* may be a part of multi (writes and check) or multiRead (reads) */
    bool write;     /* a record of its own goes through the leader (a multi is not among these) */
    bool overtakes; /* answered at once, not in the order of requests */
} gk_opcode;

/* gk_opcode_find: the row of a type, or NULL when it is not allowed. Thread-safe, a short loop. */
const gk_opcode *gk_opcode_find(int32_t type);
/* gk_opcode_exists_by_data: the row of an exists that is sent on as a getData. */
const gk_opcode *gk_opcode_exists_by_data(void);
/* gk_opcode_creates: create, create2, createContainer or createTTL. */
bool gk_opcode_creates(int32_t type);
/* gk_flags_sequential: the create flags (CreateMode) that append a sequence number: 2, 3 and 6. */
bool gk_flags_sequential(int32_t flags);

#endif
