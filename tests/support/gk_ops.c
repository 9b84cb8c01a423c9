#include "gk_ops.h"

#define STATS "zookeeper_stats"
#define CONFIG "/zookeeper/config"

gk_source gk_source_seed(uint64_t seed)
{
    return (gk_source){.seed = seed * 2 + 1};
}

gk_source gk_source_bytes(const uint8_t *p, size_t n)
{
    return (gk_source){.p = p, .n = n};
}

bool gk_source_dry(const gk_source *s)
{
    return s->n == 0 && s->seed == 0;
}

uint32_t gk_pick(gk_source *s, uint32_t n)
{
    uint32_t v = 0;

    if (s->n > 0) {
        v = *s->p++;
        s->n--;
        if (n > 256 && s->n > 0) {
            v = v << 8 | *s->p++;
            s->n--;
        }
    } else if (s->seed != 0) {
        s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
        v = (uint32_t)(s->seed >> 33);
    }
    return v % n;
}

/* Few names, so that operations meet. The second half can't be nodes' names, or have a meaning of their own. */
static const struct {
    const char *p;
    size_t n;
} names[] = {{"a", 1},          {"b", 1},          {"secret-one", 10},    {"secret-two", 10},      {"lock-", 5},       {"secret \303\251\346\226\207", 12},
             {"c", 1},          {"plain", 5},      {"zookeeper", 9},      {"quota", 5},            {"config", 6},      {"zookeeper_limits", 16},
             {STATS, 15},       {"", 0},           {".", 1},              {"..", 2},               {"secret-\001", 8}, {"secret-\0", 8},
             {"secret\377", 7}, {"\342\202", 2},   {"secret\356\200\200", 9}, {"secret\360\237\230\200", 10}, {"secret\302\205", 8}, {"\002", 1}};

void gk_ops_path(gk_source *s, gk_buf *out)
{
    uint32_t shape = gk_pick(s, 64);
    uint32_t depth = gk_pick(s, 5);

    if (shape == 0) /* relative */
        gk_buf_put(out, "secret-relative", gk_pick(s, 16));
    if (shape == 1)
        return;
    if (shape < 8) {
        gk_buf_put(out, "/zookeeper", 10);
        if (shape < 6)
            gk_buf_put(out, "/quota", 6);
        if (shape == 4) /* a leaf that servers read */
            gk_buf_put(out, depth % 2 ? "/a/zookeeper_limits" : "/zookeeper_limits", depth % 2 ? 19 : 17);
        depth = shape == 4 ? 0 : depth;
    }
    if (depth == 0 && shape >= 8)
        gk_buf_put(out, "/", 1);
    for (uint32_t i = 0; i < depth; i++) {
        uint32_t k = gk_pick(s, 40); /* mostly one of the first */
        uint32_t pick = k < 30 ? k % 7 : k < 34 ? 7 + k % 6 : gk_pick(s, sizeof(names) / sizeof(names[0]));

        gk_buf_put(out, "/", 1);
        gk_buf_put(out, names[pick].p, names[pick].n);
    }
}

static bool ends_in(const gk_buf *b, const char *name)
{
    size_t n = strlen(name);

    return b->n >= n && memcmp(b->p + b->n - n, name, n) == 0;
}

typedef enum written { ANY, STATISTICS, CONFIGURATION } written;

/* put_path appends a path as a string and tells what may be written there. */
static written put_path(gk_source *s, gk_buf *out)
{
    if (gk_pick(s, 100) == 99) {
        gk_buf_i32(out, -1);
        return ANY;
    }
    size_t at = gk_buf_open(out);
    gk_ops_path(s, out);
    gk_buf_close(out, at);
    if (out->n - at - 4 == strlen(CONFIG) && ends_in(out, CONFIG))
        return CONFIGURATION;
    return ends_in(out, STATS) ? STATISTICS : ANY;
}

/* put_data appends a payload. The configuration is plain, and nothing secret. */
static void put_data(gk_source *s, gk_buf *out, written what)
{
    static const char *const texts[] = {"count=3,bytes=12", "count=0,bytes=0", "count=5,bytes=77;countHardLimit=9", "count===", "no text", "count=1,x=2"};
    uint32_t pick = gk_pick(s, 12);

    if (what == STATISTICS)
        gk_buf_str(out, texts[pick % 6]);
    else if (what == CONFIGURATION)
        gk_buf_str(out, "version=2");
    else if (pick == 0)
        gk_buf_i32(out, -1);
    else if (pick == 1)
        gk_buf_i32(out, 0);
    else if (pick == 2)
        gk_buf_str(out, "short");
    else if (pick == 3)
        gk_buf_str(out, "count=5,bytes=1000,secret=1");
    else {
        size_t at = gk_buf_open(out);
        for (uint32_t n = gk_pick(s, 40); n < 40; n += 8)
            gk_buf_put(out, "secret-payload ", 15);
        gk_buf_close(out, at);
    }
}

static void put_paths(gk_source *s, gk_buf *out)
{
    uint32_t n = gk_pick(s, 5);

    gk_buf_i32(out, n == 4 ? -1 : (int32_t)n);
    for (uint32_t i = 0; n < 4 && i < n; i++)
        (void)put_path(s, out);
}

static int32_t flags_of(gk_source *s, int32_t type)
{
    if (gk_pick(s, 30) == 29)
        return (int32_t)gk_pick(s, 256) - 128;
    if (type == GK_OP_CREATE_CONTAINER)
        return 4;
    if (type == GK_OP_CREATE_TTL)
        return 5 + (int32_t)gk_pick(s, 2);
    return (int32_t)gk_pick(s, 4);
}

static void put_create(gk_source *s, gk_buf *out, int32_t type)
{
    int32_t flags = flags_of(s, type);
    written what = put_path(s, out);

    put_data(s, out, what);
    gk_buf_acl(out);
    gk_buf_i32(out, flags);
    if (type == GK_OP_CREATE_TTL)
        gk_buf_i64(out, (int64_t)gk_pick(s, 10) - 2);
}

/* put_record appends the record of an operation on one path. */
static void put_record(gk_source *s, gk_buf *out, int32_t type)
{
    written what;

    switch (type) {
    case GK_OP_CREATE: case GK_OP_CREATE2: case GK_OP_CREATE_CONTAINER: case GK_OP_CREATE_TTL:
        put_create(s, out, type);
        return;
    case GK_OP_SET_DATA:
        what = put_path(s, out);
        put_data(s, out, what);
        gk_buf_i32(out, (int32_t)gk_pick(s, 6) - 4 < 0 ? -1 : (int32_t)gk_pick(s, 3));
        return;
    case GK_OP_EXISTS: case GK_OP_GET_DATA: case GK_OP_GET_CHILDREN: case GK_OP_GET_CHILDREN2:
        (void)put_path(s, out);
        gk_buf_u8(out, (uint8_t)gk_pick(s, 2));
        return;
    case GK_OP_DELETE: case GK_OP_CHECK:
        (void)put_path(s, out);
        gk_buf_i32(out, (int32_t)gk_pick(s, 4) - 3 < 0 ? -1 : 0);
        return;
    case GK_OP_ADD_WATCH: case GK_OP_CHECK_WATCHES: case GK_OP_REMOVE_WATCHES:
        (void)put_path(s, out);
        gk_buf_i32(out, (int32_t)gk_pick(s, 2));
        return;
    case GK_OP_SET_ACL:
        (void)put_path(s, out);
        gk_buf_acl(out);
        gk_buf_i32(out, -1);
        return;
    default:
        (void)put_path(s, out);
    }
}

static void put_multi(gk_source *s, gk_buf *out, int32_t type)
{
    static const int32_t writes[] = {GK_OP_CREATE, GK_OP_CREATE2, GK_OP_DELETE, GK_OP_SET_DATA, GK_OP_CHECK, GK_OP_CREATE_CONTAINER, GK_OP_CREATE_TTL};
    static const int32_t reads[] = {GK_OP_GET_DATA, GK_OP_GET_CHILDREN};
    uint32_t n = gk_pick(s, 6);

    for (uint32_t i = 0; i < n; i++) {
        int32_t part = type == GK_OP_MULTI ? writes[gk_pick(s, 7)] : reads[gk_pick(s, 2)];

        if (gk_pick(s, 60) == 59) /* what stands in no multi, or not in this one */
            part = type == GK_OP_MULTI ? GK_OP_GET_DATA : GK_OP_SYNC;
        gk_buf_i32(out, part);
        gk_buf_u8(out, 0);
        gk_buf_i32(out, -1);
        put_record(s, out, part);
    }
    gk_buf_i32(out, -1);
    gk_buf_u8(out, 1);
    gk_buf_i32(out, -1);
}

static const int32_t types[] = {
    GK_OP_CREATE, GK_OP_CREATE, GK_OP_CREATE2, GK_OP_CREATE2, GK_OP_CREATE_CONTAINER, GK_OP_CREATE_TTL, GK_OP_SET_DATA, GK_OP_SET_DATA, GK_OP_DELETE,
    GK_OP_EXISTS, GK_OP_GET_DATA, GK_OP_GET_DATA, GK_OP_GET_CHILDREN, GK_OP_GET_CHILDREN2, GK_OP_GET_ACL, GK_OP_SET_ACL, GK_OP_SYNC, GK_OP_MULTI,
    GK_OP_MULTI, GK_OP_MULTI_READ, GK_OP_MULTI_READ, GK_OP_CHECK_WATCHES, GK_OP_REMOVE_WATCHES, GK_OP_ADD_WATCH, GK_OP_GET_EPHEMERALS,
    GK_OP_GET_ALL_CHILDREN_NUMBER, GK_OP_DELETE_CONTAINER, GK_OP_SET_WATCHES, GK_OP_SET_WATCHES2, GK_OP_PING, GK_OP_AUTH, GK_OP_SASL, GK_OP_WHO_AM_I,
    GK_OP_RECONFIG, GK_OP_CLOSE_SESSION, GK_OP_CHECK, 77};

static void put_other(gk_source *s, gk_buf *out, int32_t type)
{
    switch (type) {
    case GK_OP_SET_WATCHES: case GK_OP_SET_WATCHES2:
        gk_buf_i64(out, (int64_t)gk_pick(s, 256));
        for (int i = 0; i < (type == GK_OP_SET_WATCHES ? 3 : 5); i++)
            put_paths(s, out);
        return;
    case GK_OP_AUTH:
        gk_buf_i32(out, 0);
        gk_buf_str(out, "digest");
        gk_buf_str(out, "me:mine");
        return;
    case GK_OP_SASL:
        gk_buf_str(out, "token");
        return;
    case GK_OP_RECONFIG:
        gk_buf_str(out, "server.1=x");
        gk_buf_i32(out, -1);
        gk_buf_i32(out, -1);
        gk_buf_i64(out, -1);
        return;
    default: /* no record */
        return;
    }
}

void gk_ops_request(gk_source *s, gk_buf *out, bool broken)
{
    static const int32_t xids[] = {0, -1, -2, -4, -8, INT32_MIN};
    int32_t type = types[gk_pick(s, sizeof(types) / sizeof(types[0]))];
    uint32_t x = gk_pick(s, 32);
    size_t from = out->n;

    if (type == GK_OP_CLOSE_SESSION || type == GK_OP_CHECK || type == 77) /* the end of the connection: not too often */
        type = gk_pick(s, 8) == 0 ? type : GK_OP_PING;
    gk_buf_i32(out, x < 6 ? xids[x] : (int32_t)x);
    gk_buf_i32(out, type);
    if (type == GK_OP_MULTI || type == GK_OP_MULTI_READ)
        put_multi(s, out, type);
    else if (strchr("PE", gk_opcode_find(type) ? gk_opcode_find(type)->request[0] : 'x') && gk_opcode_find(type)->request[0] != '\0')
        put_record(s, out, type);
    else
        put_other(s, out, type);
    if (broken && gk_pick(s, 16) == 15) {
        size_t body = out->n - from - 8;

        if (body > 0 && gk_pick(s, 2) == 0) {
            out->n = from + 8 + gk_pick(s, (uint32_t)body);
        } else if (body > 0) { /* the value first: an input is to mean the same under each compiler */
            uint8_t wrong = (uint8_t)(1 + gk_pick(s, 255));
            out->p[from + 8 + gk_pick(s, (uint32_t)body)] ^= wrong;
        } else {
            gk_buf_str(out, "more");
        }
    }
}
