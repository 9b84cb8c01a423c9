#include "../../native/wire/gk_opcode.h"
#include "support/gk_check.h"

/* ZooDefs.OpCode of ZooKeeper 3.9, with the records of zookeeper.jute, and which of them a client may send (Request.isValid, and
 * FinalRequestProcessor for what isn't a transaction). */
static const struct {
    int32_t type;
    const char *name;
} allowed[] = {{1, "create"},           {2, "delete"},            {3, "exists"},          {4, "getData"},
               {5, "setData"},          {6, "getACL"},            {7, "setACL"},          {8, "getChildren"},
               {9, "sync"},             {11, "ping"},             {12, "getChildren2"},   {13, "check"},
               {14, "multi"},           {15, "create2"},          {16, "reconfig"},       {17, "checkWatches"},
               {18, "removeWatches"},   {19, "createContainer"},  {20, "deleteContainer"}, {21, "createTTL"},
               {22, "multiRead"},       {100, "auth"},            {101, "setWatches"},    {102, "sasl"},
               {103, "getEphemerals"},  {104, "getAllChildrenNumber"}, {105, "setWatches2"}, {106, "addWatch"},
               {107, "whoAmI"},         {-10, "createSession"},   {-11, "closeSession"}};

static const char *name_of(int32_t type)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (allowed[i].type == type)
            return allowed[i].name;
    return NULL;
}

START_TEST(an_allow_list)
{
    for (int32_t type = -2000; type < 2000; type++) {
        const gk_opcode *op = gk_opcode_find(type);
        const char *name = name_of(type);

        ck_assert_msg((op != NULL) == (name != NULL), "%d", type);
        if (op)
            ck_assert_msg(op->type == type && strcmp(op->name, name) == 0, "%d is called %s", type, op->name);
    }
    ck_assert(!gk_opcode_find(INT32_MIN) && !gk_opcode_find(INT32_MAX) && !gk_opcode_find(GK_OP_NOTIFICATION) && !gk_opcode_find(GK_OP_ERROR));
}
END_TEST

/* Field lists are made of the letters that gk_opcode.h explains; a payload or Stat needs the path before it. */
START_TEST(field_lists)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        const gk_opcode *op = gk_opcode_find(allowed[i].type);
        const char *data = strchr(op->request, 'D');
        bool path = op->request[0] == 'P', multi = op->type == GK_OP_MULTI || op->type == GK_OP_MULTI_READ;

        ck_assert_msg(strspn(op->request, "PDAVEMibSlB") == strlen(op->request), "%s: %s", op->name, op->request);
        ck_assert_msg(strspn(op->reply, "pDNEAsCiM*d") == strlen(op->reply), "%s: %s", op->name, op->reply);
        ck_assert_msg(!data || path, "%s", op->name);
        ck_assert_msg(!strpbrk(op->reply, "DN") || path, "%s", op->name);
        ck_assert_msg(multi == (strcmp(op->request, "M") == 0) && multi == (strcmp(op->reply, "M") == 0), "%s", op->name);
        ck_assert_msg(strlen(op->request) <= 8, "%s has more fields than a record takes", op->name);
        ck_assert_int_eq(op->overtakes, op->type == GK_OP_AUTH || op->type == GK_OP_SASL);
    }
}
END_TEST

START_TEST(parts_of_multi)
{
    /* MultiOperationRecord.deserialize */
    const int32_t parts[] = {1, 15, 19, 21, 2, 5, 13, 8, 4};
    size_t n = 0;

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        n += gk_opcode_find(allowed[i].type)->in_multi;
    ck_assert_uint_eq(n, sizeof(parts) / sizeof(parts[0]));
    for (size_t i = 0; i < n; i++)
        ck_assert(gk_opcode_find(parts[i])->in_multi);
}
END_TEST

START_TEST(creates)
{
    for (int32_t type = -100; type < 200; type++) {
        ck_assert_int_eq(gk_opcode_creates(type), type == 1 || type == 15 || type == 19 || type == 21);
        if (gk_opcode_creates(type)) {
            const char *request = gk_opcode_find(type)->request;

            ck_assert(strncmp(request, "PDAi", 4) == 0); /* flags are the fourth field: gk_request.c relies on it */
        }
    }
    /* CreateMode: 0 persistent, 1 ephemeral, 2 persistent sequential, 3 ephemeral sequential, 4 container, 5 TTL, 6 TTL sequential */
    for (int32_t flags = -10; flags < 100; flags++)
        ck_assert_int_eq(gk_flags_sequential(flags), flags == 2 || flags == 3 || flags == 6);
    ck_assert_int_eq(gk_opcode_exists_by_data()->type, GK_OP_EXISTS);
}
END_TEST

Suite *gk_suite(void)
{
    Suite *s = suite_create("opcode");
    TCase *t = tcase_create("opcode");

    tcase_add_test(t, an_allow_list);
    tcase_add_test(t, field_lists);
    tcase_add_test(t, parts_of_multi);
    tcase_add_test(t, creates);
    suite_add_tcase(s, t);
    return s;
}
