/* A stock C client: what a C program does with ZooKeeper's own library, over TLS when certificates are given. It knows nothing of
 * Groupkeeper. usage: c_client CONNECT CERTS PARENT NAME DATA   CERTS is CA,CERT,KEY (PEM files) or "-" for a plain connection.
 * The last line on stdout is JSON: {"requests":8,"path":"..","sequence":".."}; exit 1 when something came back other than it was written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { CONNECT_SECONDS = 20, SESSION_MS = 10000, PATH_MAX_LEN = 512, DATA_MAX_LEN = 1024 };

static int requests;

/* must ends the program when a call failed: there is nothing to go on with. */
static void must(int rc, const char *what)
{
    requests++;
    if (rc == ZOK)
        return;
    fprintf(stderr, "c_client: error: ZOOKEEPER: %s failed: %s (hint: is the ensemble up?)\n", what, zerror(rc));
    exit(1);
}

static void must_equal(const char *got, size_t got_len, const char *want, const char *what)
{
    if (got_len == strlen(want) && strncmp(got, want, got_len) == 0)
        return;
    fprintf(stderr, "c_client: error: MISMATCH: %s came back as '%.*s', not '%s' (hint: this is a bug)\n", what, (int)got_len, got, want);
    exit(1);
}

static zhandle_t *open_session(const char *connect, const char *certs)
{
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = strcmp(certs, "-") == 0 ? zookeeper_init(connect, NULL, SESSION_MS, NULL, NULL, 0)
                                             : zookeeper_init_ssl(connect, certs, NULL, SESSION_MS, NULL, NULL, 0);
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    for (int i = 0; zh != NULL && i < CONNECT_SECONDS * 50 && zoo_state(zh) != ZOO_CONNECTED_STATE; i++)
        nanosleep(&pause, NULL);
    if (zh == NULL || zoo_state(zh) != ZOO_CONNECTED_STATE) {
        fprintf(stderr, "c_client: error: CONNECT: no session with %s within %d s (hint: look at the certificates)\n", connect, CONNECT_SECONDS);
        exit(1);
    }
    return zh;
}

static void write_and_read(zhandle_t *zh, const char *path, const char *data)
{
    char got[DATA_MAX_LEN], made[PATH_MAX_LEN];
    int len = (int)sizeof got;
    struct Stat stat;
    must(zoo_create(zh, path, "first", 5, &ZOO_OPEN_ACL_UNSAFE, 0, made, (int)sizeof made), "create");
    must_equal(made, strlen(made), path, "the created path");
    must(zoo_set2(zh, path, data, (int)strlen(data), 0, &stat), "set");
    must(zoo_get(zh, path, 0, got, &len, &stat), "get");
    must_equal(got, len < 0 ? 0 : (size_t)len, data, "the data");
    if (stat.version != 1 || stat.dataLength != (int)strlen(data)) {
        fprintf(stderr, "c_client: error: MISMATCH: version %d, length %d (hint: this is a bug)\n", stat.version, stat.dataLength);
        exit(1);
    }
}

static void find_among_children(zhandle_t *zh, const char *parent, const char *name)
{
    struct String_vector children = {0};
    int found = 0;
    must(zoo_get_children(zh, parent, 0, &children), "get_children");
    for (int i = 0; i < children.count; i++)
        found += strcmp(children.data[i], name) == 0;
    deallocate_String_vector(&children);
    must_equal(found == 1 ? "once" : "not once", found == 1 ? 4 : 8, "once", "the name among its siblings");
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "c_client: error: USAGE: five arguments wanted (hint: c_client CONNECT CERTS PARENT NAME DATA)\n");
        return 2;
    }
    char path[PATH_MAX_LEN], prefix[PATH_MAX_LEN + 1], sequence[PATH_MAX_LEN];
    int n = snprintf(path, sizeof path, "%s/%s", argv[3], argv[4]);
    if (n < 0 || (size_t)n >= sizeof path || strlen(argv[5]) >= DATA_MAX_LEN) {
        fprintf(stderr, "c_client: error: USAGE: path or data is too long (hint: this is a small program)\n");
        return 2;
    }
    snprintf(prefix, sizeof prefix, "%s-", path);
    zhandle_t *zh = open_session(argv[1], argv[2]);
    write_and_read(zh, path, argv[5]);
    find_among_children(zh, argv[3], argv[4]);
    must(zoo_create(zh, prefix, argv[5], (int)strlen(argv[5]), &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE | ZOO_EPHEMERAL, sequence, (int)sizeof sequence),
         "create of a sequential ephemeral");
    must(zoo_exists(zh, sequence, 0, NULL), "exists");
    must(zoo_delete(zh, sequence, 0), "delete");
    printf("{\"requests\":%d,\"path\":\"%s\",\"sequence\":\"%s\"}\n", requests, path, sequence);
    return zookeeper_close(zh) == ZOK ? 0 : 1;
}
