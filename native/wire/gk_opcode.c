#include "gk_opcode.h"

#include <stddef.h>

static const gk_opcode TABLE[] = {
    {GK_OP_CREATE, "create", "PDAi", "p", true, true, false},
    {GK_OP_DELETE, "delete", "Pi", "", true, true, false},
    {GK_OP_EXISTS, "exists", "Pb", "s", false, false, false},
    {GK_OP_GET_DATA, "getData", "Pb", "Ds", true, false, false},
    {GK_OP_SET_DATA, "setData", "PDi", "s", true, true, false},
    {GK_OP_GET_ACL, "getACL", "P", "As", false, false, false},
    {GK_OP_SET_ACL, "setACL", "PAi", "s", false, true, false},
    {GK_OP_GET_CHILDREN, "getChildren", "Pb", "N", true, false, false},
    {GK_OP_SYNC, "sync", "P", "p", false, false, false},
    {GK_OP_PING, "ping", "", "", false, false, false},
    {GK_OP_GET_CHILDREN2, "getChildren2", "Pb", "Ns", false, false, false},
    {GK_OP_CHECK, "check", "Pi", "", true, false, false},
    {GK_OP_MULTI, "multi", "M", "M", false, false, false},
    {GK_OP_CREATE2, "create2", "PDAi", "ps", true, true, false},
    {GK_OP_RECONFIG, "reconfig", "SSSl", "Cs", false, true, false},
    {GK_OP_CHECK_WATCHES, "checkWatches", "Pi", "", false, false, false},
    {GK_OP_REMOVE_WATCHES, "removeWatches", "Pi", "", false, false, false},
    {GK_OP_CREATE_CONTAINER, "createContainer", "PDAi", "ps", true, true, false},
    {GK_OP_DELETE_CONTAINER, "deleteContainer", "P", "", false, true, false},
    {GK_OP_CREATE_TTL, "createTTL", "PDAil", "ps", true, true, false},
    {GK_OP_MULTI_READ, "multiRead", "M", "M", false, false, false},
    {GK_OP_AUTH, "auth", "iSB", "", false, false, true},
    {GK_OP_SET_WATCHES, "setWatches", "lVVV", "", false, false, false},
    {GK_OP_SASL, "sasl", "B", "*", false, false, true},
    {GK_OP_GET_EPHEMERALS, "getEphemerals", "E", "E", false, false, false},
    {GK_OP_GET_ALL_CHILDREN_NUMBER, "getAllChildrenNumber", "P", "i", false, false, false},
    {GK_OP_SET_WATCHES2, "setWatches2", "lVVVVV", "", false, false, false},
    {GK_OP_ADD_WATCH, "addWatch", "Pi", "i", false, false, false},
    {GK_OP_WHO_AM_I, "whoAmI", "", "*", false, false, false},
    {GK_OP_CREATE_SESSION, "createSession", "i", "", false, false, false},
    {GK_OP_CLOSE_SESSION, "closeSession", "", "", false, false, false},
};

const gk_opcode *gk_opcode_find(int32_t type)
{
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++)
        if (TABLE[i].type == type)
            return &TABLE[i];
    return NULL;
}

const gk_opcode *gk_opcode_exists_by_data(void)
{
    static const gk_opcode row = {GK_OP_EXISTS, "exists", "Pb", "ds", false, false, false};
    return &row;
}

bool gk_opcode_creates(int32_t type)
{
    return type == GK_OP_CREATE || type == GK_OP_CREATE2 || type == GK_OP_CREATE_CONTAINER || type == GK_OP_CREATE_TTL;
}

bool gk_flags_sequential(int32_t flags)
{
    return flags == 2 || flags == 3 || flags == 6;
}
