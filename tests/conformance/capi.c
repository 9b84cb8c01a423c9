/* Walks through the C client's API and writes down what each call gave, without times, zxids and session ids: two servers that behave alike
 * give equal transcripts. usage: capi CONNECT CERTS   CERTS is CA,CERT,KEY (PEM files) or "-" for a plain connection. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { CONNECT_SECONDS = 30, SESSION_MS = 20000, ROOM = 4096, EVENTS = 64, QUIET_MS = 150, ANSWER_SECONDS = 30 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char events[EVENTS][256];
static int event_count;
static int answered;
static const char *connect_to, *certs;

/* ---- what is printed ---- */

static void print_stat(int rc, const struct Stat *s)
{
    if (rc != ZOK || s == NULL)
        return;
    printf("  stat version=%d cversion=%d aversion=%d dataLength=%d children=%d ephemeral=%d modified=%d child-changed=%d\n", s->version,
           s->cversion, s->aversion, s->dataLength, s->numChildren, s->ephemeralOwner != 0, s->mzxid != s->czxid, s->pzxid != s->czxid);
}

static void print_data(int rc, const char *data, int len)
{
    if (rc != ZOK)
        return;
    printf("  data %d '", len);
    for (int i = 0; i < len && i < ROOM; i++)
        printf(data[i] >= ' ' && data[i] <= '~' ? "%c" : "\\x%02x", (unsigned char)data[i]);
    printf("'\n");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* print_strings sorts: the order of children is no contract. */
static void print_strings(int rc, const struct String_vector *v)
{
    if (rc != ZOK || v == NULL)
        return;
    if (v->count > 1)
        qsort(v->data, (size_t)v->count, sizeof v->data[0], by_name);
    printf("  strings %d:", v->count);
    for (int i = 0; i < v->count; i++)
        printf(" %s", v->data[i]);
    printf("\n");
}

static void print_acl(int rc, const struct ACL_vector *v)
{
    for (int i = 0; rc == ZOK && v != NULL && i < v->count; i++)
        printf("  acl %d %s:%s\n", v->data[i].perms, v->data[i].id.scheme, v->data[i].id.id);
}

static void call(const char *name, const char *path, int rc)
{
    printf("%s %s -> %d %s\n", name, path, rc, zerror(rc));
}

/* ---- events and connections ---- */

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    if (type == ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&lock);
    if (event_count < EVENTS)
        snprintf(events[event_count++], sizeof events[0], "  event type=%d state=%d %s (%s)", type, state, path,
                 context != NULL ? (const char *)context : "-");
    pthread_mutex_unlock(&lock);
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000 * 1000};
    nanosleep(&t, NULL);
}

static int compare_events(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* drain prints the events that came since the last time; one change's events to several watchers come in any order. */
static void drain(void)
{
    pause_ms(QUIET_MS);
    pthread_mutex_lock(&lock);
    qsort(events, (size_t)event_count, sizeof events[0], compare_events);
    for (int i = 0; i < event_count; i++)
        puts(events[i]);
    event_count = 0;
    pthread_mutex_unlock(&lock);
}

static zhandle_t *open_session(const clientid_t *id)
{
    zhandle_t *zh = strcmp(certs, "-") == 0 ? zookeeper_init(connect_to, watcher, SESSION_MS, id, NULL, 0)
                                            : zookeeper_init_ssl(connect_to, certs, watcher, SESSION_MS, id, NULL, 0);
    for (int i = 0; zh != NULL && i < CONNECT_SECONDS * 50 && zoo_state(zh) != ZOO_CONNECTED_STATE; i++)
        pause_ms(20);
    if (zh == NULL || zoo_state(zh) != ZOO_CONNECTED_STATE) {
        fprintf(stderr, "capi: error: CONNECT: no session with %s within %d s (hint: look at the server's log)\n", connect_to, CONNECT_SECONDS);
        exit(1);
    }
    return zh;
}

/* ---- synchronous calls ---- */

static void create(zhandle_t *zh, const char *path, const char *data, int len, int flags)
{
    char made[ROOM] = "";
    int rc = zoo_create(zh, path, data, len, &ZOO_OPEN_ACL_UNSAFE, flags, made, sizeof made);
    call("create", path, rc);
    if (rc == ZOK)
        printf("  path %s\n", made);
}

static void create2(zhandle_t *zh, const char *path, const char *data, int mode, int64_t ttl)
{
    char made[ROOM] = "";
    struct Stat stat;
    int len = data != NULL ? (int)strlen(data) : -1;
    int rc = ttl == 0 ? zoo_create2(zh, path, data, len, &ZOO_OPEN_ACL_UNSAFE, mode, made, sizeof made, &stat)
                      : zoo_create2_ttl(zh, path, data, len, &ZOO_OPEN_ACL_UNSAFE, mode, ttl, made, sizeof made, &stat);
    call(ttl == 0 ? "create2" : "create2_ttl", path, rc);
    if (rc == ZOK)
        printf("  path %s\n", made);
    print_stat(rc, &stat);
}

static void get(zhandle_t *zh, const char *path, char *context, int room)
{
    char data[ROOM];
    struct Stat stat;
    int len = room;
    int rc = context != NULL ? zoo_wget(zh, path, watcher, context, data, &len, &stat) : zoo_get(zh, path, 0, data, &len, &stat);
    call(context != NULL ? "wget" : "get", path, rc);
    print_data(rc, data, len < room ? len : room);
    print_stat(rc, &stat);
}

static void exists(zhandle_t *zh, const char *path, char *context)
{
    struct Stat stat;
    int rc = context != NULL ? zoo_wexists(zh, path, watcher, context, &stat) : zoo_exists(zh, path, 0, &stat);
    call(context != NULL ? "wexists" : "exists", path, rc);
    print_stat(rc, &stat);
}

static void children(zhandle_t *zh, const char *path, char *context)
{
    struct String_vector names = {0}, again = {0};
    struct Stat stat;
    int rc = context != NULL ? zoo_wget_children(zh, path, watcher, context, &names) : zoo_get_children(zh, path, 0, &names);
    call(context != NULL ? "wget_children" : "get_children", path, rc);
    print_strings(rc, &names);
    if (rc == ZOK)
        deallocate_String_vector(&names);
    rc = context != NULL ? zoo_wget_children2(zh, path, watcher, context, &again, &stat) : zoo_get_children2(zh, path, 0, &again, &stat);
    call(context != NULL ? "wget_children2" : "get_children2", path, rc);
    print_strings(rc, &again);
    print_stat(rc, &stat);
    if (rc == ZOK)
        deallocate_String_vector(&again);
}

static void set(zhandle_t *zh, const char *path, const char *data, int version)
{
    struct Stat stat;
    int len = data != NULL ? (int)strlen(data) : -1;
    call("set", path, zoo_set(zh, path, data, len, version));
    int rc = zoo_set2(zh, path, data, len, version < 0 ? version : version + 1, &stat);
    call("set2", path, rc);
    print_stat(rc, &stat);
}

static void acl(zhandle_t *zh, const char *path)
{
    struct ACL_vector v = {0};
    struct Stat stat;
    int rc = zoo_get_acl(zh, path, &v, &stat);
    call("get_acl", path, rc);
    print_acl(rc, &v);
    print_stat(rc, &stat);
    if (rc == ZOK)
        deallocate_ACL_vector(&v);
}

static void del(zhandle_t *zh, const char *path, int version)
{
    call("delete", path, zoo_delete(zh, path, version));
}

static void nodes(zhandle_t *zh)
{
    create(zh, "/capi", "root", 4, 0);
    create(zh, "/capi", "root", 4, 0);
    create(zh, "/capi/a", "a\0b\xff", 4, 0);
    create(zh, "/capi/null", NULL, -1, 0);
    create(zh, "/capi/empty", "", 0, 0);
    create(zh, "/capi/no/parent", "x", 1, 0);
    create(zh, "/capi/\xc3\xa9", "umlaut", 6, 0);
    create(zh, "/capi/..", "x", 1, 0);
    create(zh, "/capi//x", "x", 1, 0);
    create(zh, "relative", "x", 1, 0);
    create(zh, "/capi/e", "e", 1, ZOO_EPHEMERAL);
    create(zh, "/capi/e/child", "x", 1, 0);
    for (int i = 0; i < 3; i++)
        create(zh, "/capi/s-", "s", 1, i == 1 ? ZOO_EPHEMERAL_SEQUENTIAL : ZOO_PERSISTENT_SEQUENTIAL);
    create(zh, "/capi/", "bare", 4, ZOO_PERSISTENT_SEQUENTIAL);
    create(zh, "/capi/container", "c", 1, ZOO_CONTAINER);
    create(zh, "/capi/mode", "c", 1, 99);
    create2(zh, "/capi/two", "2", 0, 0);
    create2(zh, "/capi/two-", "2", ZOO_EPHEMERAL_SEQUENTIAL, 0);
    create2(zh, "/capi/two", "2", 0, 0);
    create2(zh, "/capi/ttl", "t", ZOO_PERSISTENT_WITH_TTL, 600000);
    create2(zh, "/capi/ttl-", "t", ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 600000);
    create2(zh, "/capi/ttl2", "t", ZOO_PERSISTENT_WITH_TTL, -5);
    char made[ROOM];
    call("create_ttl", "/capi/ttl3",
         zoo_create_ttl(zh, "/capi/ttl3", "t", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 600000, made, sizeof made));
    const char *paths[] = {"/", "/capi", "/capi/a", "/capi/null", "/capi/empty", "/capi/\xc3\xa9", "/capi/e", "/capi/ttl", "/capi/container",
                           "/capi/none", "/zookeeper", "/zookeeper/config", "/capi/s-0000000006"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(paths[i], "/zookeeper/config") != 0)
            get(zh, paths[i], NULL, ROOM);
        exists(zh, paths[i], NULL);
        children(zh, paths[i], NULL);
        acl(zh, paths[i]);
    }
    get(zh, "/capi/a", NULL, 2);
    set(zh, "/capi/a", "changed", -1);
    set(zh, "/capi/a", "again", 2);
    set(zh, "/capi/a", "wrong", 99);
    set(zh, "/capi/a", NULL, -1);
    set(zh, "/capi/none", "x", -1);
    get(zh, "/capi/a", NULL, ROOM);
    del(zh, "/capi", -1);
    del(zh, "/capi/two", 7);
    del(zh, "/capi/two", 0);
    del(zh, "/capi/none", -1);
}

/* A value of a megabyte less what stands around it, and one that is too long: the server ends that connection. */
static void large(zhandle_t *zh)
{
    enum { MOST = 1000 * 1000 };
    char *data = calloc(1, MOST);
    char *back = calloc(1, MOST);
    if (data == NULL || back == NULL)
        exit(1);
    for (int i = 0; i < MOST; i++)
        data[i] = (char)(i * 7);
    create(zh, "/capi/large", data, MOST, 0);
    int len = MOST;
    struct Stat stat;
    int rc = zoo_get(zh, "/capi/large", 0, back, &len, &stat);
    call("get", "/capi/large", rc);
    printf("  the same: %d\n", rc == ZOK && len == MOST && memcmp(data, back, MOST) == 0);
    print_stat(rc, &stat);
    del(zh, "/capi/large", -1);
    free(data);
    free(back);
}

static void watches(zhandle_t *zh)
{
    char data[] = "data", kids[] = "kids", gone[] = "gone", more[] = "more";
    create(zh, "/capi/w", "w", 1, 0);
    get(zh, "/capi/w", data, ROOM);
    children(zh, "/capi/w", kids);
    exists(zh, "/capi/w/later", gone);
    create(zh, "/capi/w/later", "x", 1, 0);
    drain();
    set(zh, "/capi/w", "changed", -1);
    drain();
    exists(zh, "/capi/w/later", gone);
    get(zh, "/capi/w/later", more, ROOM);
    children(zh, "/capi/w/later", kids);
    del(zh, "/capi/w/later", -1);
    drain();
    get(zh, "/capi/w", data, ROOM);
    get(zh, "/capi/w", more, ROOM);
    call("remove_watches", "/capi/w data", zoo_remove_watches(zh, "/capi/w", ZWATCHTYPE_DATA, watcher, data, 0));
    call("remove_watches", "/capi/w data", zoo_remove_watches(zh, "/capi/w", ZWATCHTYPE_DATA, watcher, data, 0));
    call("remove_watches", "/capi/w kids", zoo_remove_watches(zh, "/capi/w", ZWATCHTYPE_CHILD, watcher, kids, 0));
    drain();
    set(zh, "/capi/w", "again", -1);
    drain();
    get(zh, "/capi/w", data, ROOM);
    children(zh, "/capi/w", kids);
    call("remove_all_watches", "/capi/w", zoo_remove_all_watches(zh, "/capi/w", ZWATCHTYPE_ANY, 0));
    call("remove_all_watches", "/capi/w", zoo_remove_all_watches(zh, "/capi/w", ZWATCHTYPE_ANY, 0));
    set(zh, "/capi/w", "unseen", -1);
    drain();
}

static void multi(zhandle_t *zh, const char *what, int count, zoo_op_t *ops)
{
    zoo_op_result_t results[8];
    memset(results, 0, sizeof results);
    call("multi", what, zoo_multi(zh, count, ops, results));
    for (int i = 0; i < count; i++) {
        printf("  part %d: %d", i, results[i].err);
        if (results[i].value != NULL && results[i].err == ZOK && results[i].valuelen > 0)
            printf(" %s", results[i].value);
        printf("\n");
        print_stat(results[i].err, results[i].stat);
    }
}

static void multis(zhandle_t *zh)
{
    zoo_op_t ops[8];
    struct Stat stat = {0};
    char one[ROOM] = "", two[ROOM] = "", three[ROOM] = "";
    zoo_create_op_init(&ops[0], "/capi/m", "m", 1, &ZOO_OPEN_ACL_UNSAFE, 0, one, sizeof one);
    zoo_create_op_init(&ops[1], "/capi/m/s-", "s", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, two, sizeof two);
    zoo_create_op_init(&ops[2], "/capi/m/s-", "s", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, three, sizeof three);
    zoo_set_op_init(&ops[3], "/capi/m", "changed", 7, 0, &stat);
    zoo_check_op_init(&ops[4], "/capi/m", 1);
    zoo_delete_op_init(&ops[5], "/capi/m/s-0000000000", -1);
    multi(zh, "of all kinds", 6, ops);
    children(zh, "/capi/m", NULL);
    get(zh, "/capi/m", NULL, ROOM);
    zoo_set_op_init(&ops[0], "/capi/m", "lost", 4, -1, &stat);
    zoo_create_op_init(&ops[1], "/capi/m/s-", "s", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, two, sizeof two);
    zoo_check_op_init(&ops[2], "/capi/m", 99);
    zoo_delete_op_init(&ops[3], "/capi/m", -1);
    multi(zh, "that fails", 4, ops);
    children(zh, "/capi/m", NULL);
    get(zh, "/capi/m", NULL, ROOM);
    create(zh, "/capi/m/s-", "next", 4, ZOO_SEQUENCE);
    multi(zh, "of nothing", 0, ops);
}

/* ---- asynchronous calls: one at a time, each writes down what it got ---- */

static void answer(void)
{
    pthread_mutex_lock(&lock);
    answered = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void await(const char *name, int rc)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_SECONDS;
    if (rc != ZOK) {
        call(name, "(refused by the library)", rc);
        return;
    }
    pthread_mutex_lock(&lock);
    while (answered == 0 && pthread_cond_timedwait(&changed, &lock, &until) == 0)
        continue;
    if (answered == 0)
        printf("%s: no answer\n", name);
    answered = 0;
    pthread_mutex_unlock(&lock);
}

static void on_void(int rc, const void *name)
{
    call(name, "", rc);
    answer();
}

static void on_stat(int rc, const struct Stat *stat, const void *name)
{
    call(name, "", rc);
    print_stat(rc, stat);
    answer();
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *name)
{
    call(name, "", rc);
    print_data(rc, value, len);
    print_stat(rc, stat);
    answer();
}

static void on_config(int rc, const char *value, int len, const struct Stat *stat, const void *name)
{
    (void)value;
    (void)stat;
    call(name, "", rc);
    printf("  some text: %d\n", rc == ZOK && len > 0);
    answer();
}

static void on_strings(int rc, const struct String_vector *v, const void *name)
{
    call(name, "", rc);
    print_strings(rc, v);
    answer();
}

static void on_strings_stat(int rc, const struct String_vector *v, const struct Stat *stat, const void *name)
{
    call(name, "", rc);
    print_strings(rc, v);
    print_stat(rc, stat);
    answer();
}

static void on_string(int rc, const char *value, const void *name)
{
    call(name, rc == ZOK ? value : "", rc);
    answer();
}

static void on_string_stat(int rc, const char *value, const struct Stat *stat, const void *name)
{
    call(name, rc == ZOK ? value : "", rc);
    print_stat(rc, stat);
    answer();
}

static void on_acl(int rc, struct ACL_vector *v, struct Stat *stat, const void *name)
{
    call(name, "", rc);
    print_acl(rc, v);
    print_stat(rc, stat);
    answer();
}

static void async_writes(zhandle_t *zh)
{
    const struct ACL_vector *open = &ZOO_OPEN_ACL_UNSAFE;
    await("acreate", zoo_acreate(zh, "/capi/async", "x", 1, open, 0, on_string, "acreate"));
    await("acreate", zoo_acreate(zh, "/capi/async/s-", "x", 1, open, ZOO_SEQUENCE, on_string, "acreate"));
    await("acreate_ttl", zoo_acreate_ttl(zh, "/capi/async/t", "x", 1, open, ZOO_PERSISTENT_WITH_TTL, 600000, on_string, "acreate_ttl"));
    await("acreate2", zoo_acreate2(zh, "/capi/async/s-", "x", 1, open, ZOO_EPHEMERAL_SEQUENTIAL, on_string_stat, "acreate2"));
    await("acreate2_ttl", zoo_acreate2_ttl(zh, "/capi/async/s-", "x", 1, open, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 600000, on_string_stat,
                                           "acreate2_ttl"));
    await("aset", zoo_aset(zh, "/capi/async", "set", 3, 0, on_stat, "aset"));
    await("aset", zoo_aset(zh, "/capi/async", "set", 3, 0, on_stat, "aset"));
    await("aset_acl", zoo_aset_acl(zh, "/capi/async", 0, &ZOO_READ_ACL_UNSAFE, on_void, "aset_acl"));
    await("aset", zoo_aset(zh, "/capi/async", "denied", 6, -1, on_stat, "aset"));
    await("adelete", zoo_adelete(zh, "/capi/async/s-0000000000", -1, on_void, "adelete"));
    await("adelete", zoo_adelete(zh, "/capi/none", -1, on_void, "adelete"));
    zoo_op_t ops[2];
    zoo_op_result_t results[2];
    memset(results, 0, sizeof results);
    char made[ROOM] = "";
    zoo_create_op_init(&ops[0], "/capi/amulti-", "x", 1, open, ZOO_SEQUENCE, made, sizeof made);
    zoo_check_op_init(&ops[1], "/capi/async", 1);
    await("amulti", zoo_amulti(zh, 2, ops, results, on_void, "amulti"));
    printf("  made %s\n", made);
}

static void async_reads(zhandle_t *zh)
{
    static char context[] = "async";
    const char *path = "/capi/async";
    await("aexists", zoo_aexists(zh, path, 0, on_stat, "aexists"));
    await("aget", zoo_aget(zh, path, 0, on_data, "aget"));
    await("aget", zoo_aget(zh, "/capi/none", 0, on_data, "aget"));
    await("aget_children", zoo_aget_children(zh, "/capi", 0, on_strings, "aget_children"));
    await("aget_children2", zoo_aget_children2(zh, "/capi", 0, on_strings_stat, "aget_children2"));
    await("aget_acl", zoo_aget_acl(zh, path, on_acl, "aget_acl"));
    await("async", zoo_async(zh, path, on_string, "async"));
    await("agetconfig", zoo_agetconfig(zh, 0, on_config, "agetconfig"));
    await("awgetconfig", zoo_awgetconfig(zh, watcher, context, on_config, "awgetconfig"));
    await("awget", zoo_awget(zh, "/capi/w", watcher, context, on_data, "awget"));
    await("awexists", zoo_awexists(zh, "/capi/w/new", watcher, context, on_stat, "awexists"));
    await("awget_children", zoo_awget_children(zh, "/capi/w", watcher, context, on_strings, "awget_children"));
    await("awget_children2", zoo_awget_children2(zh, "/capi", watcher, context, on_strings_stat, "awget_children2"));
    create(zh, "/capi/w/new", "x", 1, 0);
    set(zh, "/capi/w", "async", -1);
    del(zh, "/capi/w/new", -1);
    drain();
    await("areconfig", zoo_areconfig(zh, NULL, "77", NULL, -1, on_config, "areconfig"));
}

/* ---- ACLs, authentication, sessions ---- */

static void auth(zhandle_t *zh)
{
    struct ACL digest[] = {{ZOO_PERM_READ | ZOO_PERM_WRITE, {(char *)"digest", (char *)"user:E3gFFgY8hlXm7Hv/ImsAyeVNQCg="}}};
    struct ACL unknown[] = {{ZOO_PERM_ALL, {(char *)"nosuchscheme", (char *)"x"}}};
    struct ACL_vector by_digest = {1, digest}, by_unknown = {1, unknown}, none = {0, NULL};
    char made[ROOM];
    call("create by creator", "", zoo_create(zh, "/capi/mine", "x", 1, &ZOO_CREATOR_ALL_ACL, 0, made, sizeof made));
    call("create by digest", "", zoo_create(zh, "/capi/digest", "x", 1, &by_digest, 0, made, sizeof made));
    call("create by unknown", "", zoo_create(zh, "/capi/unknown", "x", 1, &by_unknown, 0, made, sizeof made));
    call("create by none", "", zoo_create(zh, "/capi/unknown", "x", 1, &none, 0, made, sizeof made));
    get(zh, "/capi/digest", NULL, ROOM);
    acl(zh, "/capi/digest");
    await("add_auth", zoo_add_auth(zh, "digest", "user:secret", 11, on_void, "add_auth"));
    call("create by creator", "", zoo_create(zh, "/capi/mine", "x", 1, &ZOO_CREATOR_ALL_ACL, 0, made, sizeof made));
    acl(zh, "/capi/mine");
    get(zh, "/capi/digest", NULL, ROOM);
    set(zh, "/capi/digest", "allowed", -1);
    call("set_acl", "/capi/digest", zoo_set_acl(zh, "/capi/digest", -1, &ZOO_OPEN_ACL_UNSAFE));
    call("set_acl", "/capi/mine", zoo_set_acl(zh, "/capi/mine", 0, &ZOO_READ_ACL_UNSAFE));
    call("set_acl", "/capi/mine", zoo_set_acl(zh, "/capi/mine", 0, &ZOO_OPEN_ACL_UNSAFE));
    acl(zh, "/capi/mine");
    acl(zh, "/capi/none");
}

/* A second handle on the same session takes its ephemerals along; closing it ends them. */
static void sessions(zhandle_t *zh)
{
    zhandle_t *other = open_session(NULL);
    create(other, "/capi/other", "x", 1, ZOO_EPHEMERAL);
    static char context[] = "first handle";
    exists(zh, "/capi/other", context);
    clientid_t id = *zoo_client_id(other);
    zhandle_t *again = open_session(&id);
    printf("the same session: %d, its timeout %d\n", zoo_client_id(again)->client_id == id.client_id, zoo_recv_timeout(again));
    exists(again, "/capi/other", NULL);
    call("close", "again", zookeeper_close(again));
    drain();
    exists(zh, "/capi/other", NULL);
    zookeeper_close(other);
    zhandle_t *wrong = open_session(NULL);
    await("add_auth", zoo_add_auth(wrong, "nosuchscheme", "x", 1, on_void, "add_auth"));
    printf("state after a refused scheme is auth failed: %d, unrecoverable %d\n", zoo_state(wrong) == ZOO_AUTH_FAILED_STATE,
           is_unrecoverable(wrong) != ZOK);
    zookeeper_close(wrong);
}

static void server_calls(zhandle_t *zh)
{
    char buffer[ROOM];
    int len = sizeof buffer;
    struct Stat stat;
    int rc = zoo_getconfig(zh, 0, buffer, &len, &stat);
    call("getconfig", "", rc);
    printf("  says version=: %d\n", rc == ZOK && len > 0 && len < ROOM && memmem(buffer, (size_t)len, "version=", 8) != NULL);
    len = sizeof buffer;
    rc = zoo_reconfig(zh, NULL, "77", NULL, -1, buffer, &len, &stat);
    call("reconfig", "without the right", rc);
    call("set_servers", "", zoo_set_servers(zh, connect_to));
    printf("current server known: %d\n", zoo_get_current_server(zh) != NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "capi: error: USAGE: two arguments wanted (hint: capi CONNECT CERTS)\n");
        return 2;
    }
    connect_to = argv[1];
    certs = argv[2];
    FILE *nowhere = fopen("/dev/null", "w"); /* its log has times in it */
    if (nowhere != NULL)
        zoo_set_log_stream(nowhere);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zoo_deterministic_conn_order(1);
    zhandle_t *zh = open_session(NULL);
    nodes(zh);
    large(zh);
    watches(zh);
    multis(zh);
    async_writes(zh);
    async_reads(zh);
    auth(zh);
    server_calls(zh);
    sessions(zh);
    call("close", "", zookeeper_close(zh));
    zh = open_session(NULL);
    children(zh, "/capi", NULL);
    return zookeeper_close(zh) == ZOK ? 0 : 1;
}
