/* Groups get new keys, both ways, by the same members on the same ensemble: all groups after a change of the servers, or one group of any size when a member
 * joins or leaves. 13 machines (--members), each with a session of its own and a member of every group:
 *   integrated  the servers have a new secret: each member reads its group's key
 *   layered     the members of each group run TGDH among themselves (gk_run, the library that the servers use), through a node for each member of each group
 * The layered way is given what it would have to pay for: nonces are known to all before, and who has something new to read is told by memory, at no
 * cost, in rounds; requests are sent without waiting for answers. So its time is a lower bound.
 * With one group, follow makes each member watch who is in it, as an application does: on each change it gets the list of members, with the next watch, and
 * reads the key; join and leave are of one more member, until all those have the new key.
 * Commands on stdin, a line each: setup | integrated AGREEMENT | layered | follow | join | leave | quit. A line of JSON on stdout for each.
 * usage: rekey --ca F --cert F --key F --groups N [--members N] HOST:PORT... */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "../../native/crypto/gk_sign.h"
#include "../../native/group/gk_derive.h"
#include "../../native/group/gk_run.h"
#include "../../native/group/gk_served.h"
#include "../../tools/common/gk_cli.h"
#include "../../tools/common/gk_zk.h"

#define USAGE "usage: rekey --ca F --cert F --key F --groups N [--members N] HOST:PORT..."

enum { LIMIT_MS = 300000, SESSION_MS = 40000, PATH = 128, MEMBERS_MAX = 1000, VIEW_AT = 4 };

static const uint8_t ensemble[16] = {'l', 'a', 'y', 'e', 'r', 'e', 'd'};

typedef struct machine {
    size_t index;
    gk_zk *zk;
    gk_key *identity;
    gk_run **runs;                /* by group */
    uint8_t (*keys)[GK_VIEW_KEY]; /* by group */
    size_t *heard;                /* by group and machine: messages read */
    atomic_size_t *said;          /* by group: messages published */
    char (*paths)[PATH];          /* room for one request to each member of each group */
    const char **list;
    gk_zk_data *got;
    size_t reads, writes, again;
    pthread_t thread, follower;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool changed, over;    /* behind lock: the group's members changed; no more following */
    atomic_uint_fast64_t view; /* of keys[0], while following */
} machine;

static machine *machines;
static size_t machines_n = 13;
static size_t messages_max; /* bytes of a member's messages of one run */
static size_t groups;
static gk_zk *guest;
static char base[64];
static gk_party *parties; /* by group and machine */
static pthread_barrier_t barrier;
static uint8_t wanted[GK_KS_ID];
static atomic_size_t unfinished;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "rekey: error: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

/* create makes n nodes; path writes the name of node i. */
static void create(machine *m, size_t n, void (*path)(char out[PATH], size_t machine, size_t group), const char *data, int mode)
{
    gk_zk_op *ops = calloc(n, sizeof(*ops));

    must(ops != NULL, "memory");
    for (size_t g = 0; g < n; g++) {
        path(m->paths[g], m->index, g);
        ops[g] = (gk_zk_op){.kind = GK_ZK_CREATE,
                            .path = m->paths[g],
                            .data = data,
                            .n = strlen(data),
                            .mode = mode,
                            .acl = mode == ZOO_EPHEMERAL ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE};
    }
    must(gk_zk_each(m->zk, ops, n, LIMIT_MS) == ZOK, "the nodes cannot be made");
    free(ops);
}

static void group_path(char out[PATH], size_t index, size_t g)
{
    (void)index;
    (void)snprintf(out, PATH, "%s/g%zu", base, g);
}

static void member_path(char out[PATH], size_t index, size_t g)
{
    (void)snprintf(out, PATH, "%s/g%zu/m%zu", base, g, index);
}

static void layer_path(char out[PATH], size_t index, size_t g)
{
    (void)snprintf(out, PATH, "%s/layered/m%zu-%zu", base, index, g);
}

static void *join_all(void *arg)
{
    machine *m = arg;

    must(gk_zk_sync(m->zk, base, LIMIT_MS) == ZOK, "sync");
    create(m, groups, member_path, "", ZOO_EPHEMERAL);
    create(m, groups, layer_path, "", ZOO_PERSISTENT);
    return NULL;
}

/* read_all reads the keys of all groups until they are of the wanted agreement. */
static void *read_all(void *arg)
{
    machine *m = arg;
    size_t *left = calloc(groups, sizeof(*left));
    size_t n = groups;

    must(left != NULL, "memory");
    for (size_t g = 0; g < groups; g++)
        left[g] = g;
    while (n > 0) {
        size_t still = 0;

        for (size_t i = 0; i < n; i++) {
            (void)snprintf(m->paths[i], PATH, GK_OWN_KEYS "%s/g%zu/m%zu", base, left[i], m->index);
            m->list[i] = m->paths[i];
        }
        (void)gk_zk_get_many(m->zk, m->list, n, m->got, LIMIT_MS);
        m->reads += n;
        for (size_t i = 0; i < n; i++) {
            const gk_zk_data *d = &m->got[i];
            bool now = d->rc == ZOK && d->n == GK_KEY_RECORD_SIZE && memcmp(d->data + 12, wanted, sizeof(wanted)) == 0; /* public */

            must(d->rc == ZOK || d->rc == ZCONNECTIONLOSS, gk_zk_str(d->rc));
            if (now)
                memcpy(m->keys[left[i]], d->data + GK_KEY_RECORD_SIZE - GK_VIEW_KEY, GK_VIEW_KEY);
            else
                left[still++] = left[i];
            gk_zk_data_free(&m->got[i]);
        }
        m->again += still;
        n = still;
    }
    free(left);
    return NULL;
}

/* publish writes what this machine has to say and hasn't said yet, in all groups. */
static void publish(machine *m)
{
    gk_zk_op *ops = calloc(groups, sizeof(*ops));
    uint8_t *data = calloc(groups, messages_max);
    size_t *counts = calloc(groups, sizeof(*counts));
    size_t n = 0;

    must(ops != NULL && data != NULL && counts != NULL, "memory");
    for (size_t g = 0; g < groups; g++) {
        gk_writer w = gk_writer_of(data + g * messages_max, messages_max);

        must(gk_run_advance(m->runs[g]) == GK_OK, "a run has failed");
        for (; gk_run_sent(m->runs[g], counts[g]).n > 0; counts[g]++) {
            gk_bytes message = gk_run_sent(m->runs[g], counts[g]);

            gk_writer_u32(&w, (uint32_t)message.n);
            gk_writer_put(&w, message.p, message.n);
        }
        must(w.err == GK_OK, "a node is too small for the messages");
        if (counts[g] == atomic_load(&m->said[g]))
            continue;
        layer_path(m->paths[n], m->index, g);
        ops[n] = (gk_zk_op){.kind = GK_ZK_SET, .path = m->paths[n], .data = data + g * messages_max, .n = w.len, .version = -1};
        n++;
    }
    must(n == 0 || gk_zk_each(m->zk, ops, n, LIMIT_MS) == ZOK, "messages cannot be written");
    m->writes += n;
    for (size_t g = 0; g < groups; g++)
        atomic_store(&m->said[g], counts[g]);
    free(ops);
    free(data);
    free(counts);
}

/* hear feeds what machine j's node of group g holds beyond what was heard. */
static void hear(machine *m, size_t g, size_t j, gk_bytes data)
{
    gk_reader r = gk_reader_of(data.p, data.n);
    size_t *heard = &m->heard[g * machines_n + j];
    uint32_t n = 0;

    for (size_t k = 0; gk_reader_u32(&r, &n) == GK_OK; k++) {
        gk_bytes message = {0};

        must(gk_reader_take(&r, &message, n) == GK_OK, "a message was cut");
        if (k < *heard)
            continue;
        must(gk_run_receive(m->runs[g], message) == GK_OK, "a message was refused");
        *heard = k + 1;
    }
}

/* listen reads the nodes in which there is something new, until all of it was read: this server may be behind. */
static void listen_to(machine *m)
{
    for (size_t n = 1; n > 0;) {
        n = 0;
        for (size_t g = 0; g < groups; g++) {
            for (size_t j = 0; j < machines_n; j++) {
                if (j == m->index || m->heard[g * machines_n + j] >= atomic_load(&machines[j].said[g]))
                    continue;
                layer_path(m->paths[n], j, g);
                m->list[n] = m->paths[n];
                n++;
            }
        }
        must(n == 0 || gk_zk_get_many(m->zk, m->list, n, m->got, LIMIT_MS) == ZOK, "messages cannot be read");
        m->reads += n;
        for (size_t i = 0; i < n; i++) {
            size_t j = 0;
            size_t g = 0;

            must(sscanf(strrchr(m->paths[i], '/'), "/m%zu-%zu", &j, &g) == 2, "a path");
            hear(m, g, j, (gk_bytes){m->got[i].data, m->got[i].n});
            gk_zk_data_free(&m->got[i]);
        }
    }
}

static void *agree_all(void *arg)
{
    machine *m = arg;
    bool done = false;

    for (size_t g = 0; g < groups; g++)
        must(gk_run_new(&m->runs[g], GK_TGDH, ensemble, &parties[g * machines_n], machines_n, m->index + 1, m->identity) == GK_OK, "a run cannot begin");
    while (atomic_load(&unfinished) > 0) {
        size_t open = 0;

        publish(m);
        (void)pthread_barrier_wait(&barrier); /* what all have said is known to all */
        listen_to(m);
        for (size_t g = 0; g < groups; g++) {
            must(gk_run_advance(m->runs[g]) == GK_OK, "a run has failed");
            open += !gk_run_agreed(m->runs[g]);
        }
        if (open == 0 && !done)
            atomic_fetch_sub(&unfinished, 1);
        done = open == 0;
        (void)pthread_barrier_wait(&barrier);
    }
    return NULL;
}

/* all runs work on all machines at once; milliseconds until the last one is done. */
static double all(void *(*work)(void *), double *cpu)
{
    double begin = now_ms();
    double cpu_begin = cpu_ms();

    for (size_t i = 0; i < machines_n; i++) {
        machines[i].reads = machines[i].writes = machines[i].again = 0;
        must(pthread_create(&machines[i].thread, NULL, work, &machines[i]) == 0, "threads");
    }
    for (size_t i = 0; i < machines_n; i++)
        must(pthread_join(machines[i].thread, NULL) == 0, "threads");
    *cpu = cpu_ms() - cpu_begin;
    return now_ms() - begin;
}

static void report(const char *what, double ms, double cpu)
{
    size_t reads = 0;
    size_t writes = 0;
    size_t again = 0;

    for (size_t i = 0; i < machines_n; i++) {
        reads += machines[i].reads;
        writes += machines[i].writes;
        again += machines[i].again;
    }
    printf("{\"way\":\"%s\",\"groups\":%zu,\"ms\":%.1f,\"clients_cpu_ms\":%.1f,\"reads\":%zu,\"writes\":%zu,\"again\":%zu}\n", what, groups,
           ms, cpu, reads, writes, again);
    (void)fflush(stdout);
}

static void setup(void)
{
    double cpu = 0;
    char layered[PATH];

    (void)snprintf(base, sizeof(base), "/rekey%lld", (long long)gk_zk_now_ms());
    (void)snprintf(layered, sizeof(layered), "%s/layered", base);
    must(gk_zk_create(machines[0].zk, base, NULL, 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0, LIMIT_MS) == ZOK &&
             gk_zk_create(machines[0].zk, layered, NULL, 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0, LIMIT_MS) == ZOK,
         "the nodes cannot be made");
    create(&machines[0], groups, group_path, GK_MEMBERS_RECORD, ZOO_PERSISTENT);
    report("setup", all(join_all, &cpu), cpu);
}

static void integrated(const char *agreement)
{
    double cpu = 0;
    double ms = 0;

    must(cli_unhex(wanted, sizeof(wanted), agreement), "an agreement is 16 hexadecimal digits");
    ms = all(read_all, &cpu);
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 1; i < machines_n; i++)
            must(gk_bytes_equal((gk_bytes){machines[i].keys[g], GK_VIEW_KEY}, (gk_bytes){machines[0].keys[g], GK_VIEW_KEY}),
                 "members have different keys");
    }
    report("integrated", ms, cpu);
}

static void layered(void)
{
    double cpu = 0;
    double ms = 0;

    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < machines_n; i++) {
            gk_party *p = &parties[g * machines_n + i];

            p->id = i + 1;
            must(gk_sign_public(p->public_key, machines[i].identity) == GK_OK, "keys");
            memcpy(p->nonce, (const uint64_t[]){g, i, (uint64_t)gk_zk_now_ms()}, 3 * sizeof(uint64_t)); /* another one each time is enough here */
        }
    }
    atomic_store(&unfinished, machines_n);
    ms = all(agree_all, &cpu);
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < machines_n; i++) {
            must(memcmp(gk_run_hash(machines[i].runs[g]), gk_run_hash(machines[0].runs[g]), GK_RUN_HASH) == 0,
                 "members have different keys");
            atomic_store(&machines[i].said[g], 0);
        }
    }
    for (size_t i = 0; i < machines_n; i++) {
        for (size_t g = 0; g < groups; g++)
            gk_run_free(machines[i].runs[g]);
        memset(machines[i].heard, 0, groups * machines_n * sizeof(*machines[i].heard));
    }
    report("layered", ms, cpu);
}

static void on_event(void *arg, gk_zk_event event, const char *path)
{
    machine *m = arg;

    (void)path;
    if (event != GK_ZK_CHILDREN)
        return;
    pthread_mutex_lock(&m->lock);
    m->changed = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

/* follow_view gets the members, with a watch, and the key. */
static void follow_view(machine *m)
{
    char group[PATH];
    char member[PATH];
    char key[sizeof(GK_OWN_KEYS) + PATH];
    char **names = NULL;
    size_t n = 0;
    gk_zk_data d = {0};

    group_path(group, 0, 0);
    member_path(member, m->index, 0);
    (void)snprintf(key, sizeof(key), GK_OWN_KEYS "%s", member);
    must(gk_zk_children(m->zk, group, true, &names, &n, LIMIT_MS) == ZOK, "the members cannot be read");
    gk_zk_names_free(names, n);
    must(gk_zk_get(m->zk, key, false, &d, LIMIT_MS) == ZOK && d.n == GK_KEY_RECORD_SIZE, "the key cannot be read");
    memcpy(m->keys[0], d.data + GK_KEY_RECORD_SIZE - GK_VIEW_KEY, GK_VIEW_KEY);
    gk_reader r = gk_reader_of(d.data + VIEW_AT, d.n - VIEW_AT);
    uint64_t view = 0;
    must(gk_reader_u64(&r, &view) == GK_OK, "a key record");
    gk_zk_data_free(&d);
    m->reads++;
    atomic_store(&m->view, view);
}

static void *follow(void *arg)
{
    machine *m = arg;
    bool over = false;

    while (!over) {
        pthread_mutex_lock(&m->lock);
        while (!m->changed && !m->over)
            pthread_cond_wait(&m->wake, &m->lock);
        over = m->over;
        m->changed = false;
        pthread_mutex_unlock(&m->lock);
        if (!over)
            follow_view(m);
    }
    return NULL;
}

/* all_have waits until all members have a key of a later view than `before`, and of the same one; gives it. */
static uint64_t all_have(uint64_t before)
{
    double begin = now_ms();

    for (size_t i = 0; i < machines_n; i++) {
        while (atomic_load(&machines[i].view) <= before) {
            must(now_ms() - begin < LIMIT_MS, "not all members have the new key");
            (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
    }
    return atomic_load(&machines[0].view);
}

static void same_keys(const char *way, double ms, double cpu)
{
    for (size_t i = 1; i < machines_n; i++)
        must(atomic_load(&machines[i].view) == atomic_load(&machines[0].view) && memcmp(machines[i].keys[0], machines[0].keys[0], GK_VIEW_KEY) == 0,
             "members have different keys");
    report(way, ms, cpu);
    for (size_t i = 0; i < machines_n; i++)
        machines[i].reads = 0;
}

static void follow_all(void)
{
    double begin = now_ms();
    double cpu = cpu_ms();

    for (size_t i = 0; i < machines_n; i++) {
        machines[i].changed = true;
        machines[i].reads = machines[i].writes = machines[i].again = 0;
        must(pthread_create(&machines[i].follower, NULL, follow, &machines[i]) == 0, "threads");
    }
    (void)all_have(0);
    same_keys("follow", now_ms() - begin, cpu_ms() - cpu);
}

static void change(bool join)
{
    char path[PATH + 8];
    double begin = now_ms();
    double cpu = cpu_ms();
    uint64_t before = atomic_load(&machines[0].view);

    (void)snprintf(path, sizeof(path), "%s/g0/guest", base);
    must((join ? gk_zk_create(guest, path, "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, NULL, 0, LIMIT_MS) : gk_zk_delete(guest, path, -1, LIMIT_MS)) == ZOK,
         "the guest");
    (void)all_have(before);
    same_keys(join ? "join" : "leave", now_ms() - begin, cpu_ms() - cpu);
}

static void stop_following(void)
{
    for (size_t i = 0; i < machines_n; i++) {
        pthread_mutex_lock(&machines[i].lock);
        machines[i].over = true;
        pthread_cond_signal(&machines[i].wake);
        pthread_mutex_unlock(&machines[i].lock);
        (void)pthread_join(machines[i].follower, NULL);
    }
}

static void start(machine *m, size_t index, gk_zk_options *o)
{
    char why[256] = {0};
    size_t most = groups * machines_n;

    *m = (machine){.index = index,
                   .runs = calloc(groups, sizeof(*m->runs)),
                   .keys = calloc(groups, sizeof(*m->keys)),
                   .heard = calloc(most, sizeof(*m->heard)),
                   .said = calloc(groups, sizeof(*m->said)),
                   .paths = calloc(most, sizeof(*m->paths)),
                   .list = calloc(most, sizeof(*m->list)),
                   .got = calloc(most, sizeof(*m->got)),
                   .lock = PTHREAD_MUTEX_INITIALIZER,
                   .wake = PTHREAD_COND_INITIALIZER};
    must(m->runs != NULL && m->keys != NULL && m->heard != NULL && m->said != NULL && m->paths != NULL && m->list != NULL && m->got != NULL,
         "memory");
    must(gk_key_generate(&m->identity, GK_PURPOSE_SIGN, 0) == GK_OK, "keys");
    o->on_event = on_event;
    o->arg = m;
    must(gk_zk_open(&m->zk, o, why, sizeof(why)), why);
}

int main(int argc, char **argv)
{
    gk_zk_options o = {.session_ms = SESSION_MS};
    int64_t n = 0;
    int64_t members = 13;
    bool following = false;
    char why[256] = {0};
    const cli_option own[] = {
        {"ca", CLI_STRING, &o.ca}, {"cert", CLI_STRING, &o.cert}, {"key", CLI_STRING, &o.key}, {"groups", CLI_NUMBER, &n},
        {"members", CLI_NUMBER, &members}, {0}};
    char line[64];
    int code = 0;

    cli_tool = "rekey";
    if (!cli_parse(NULL, own, "rekey", USAGE "\n", false, &argc, &argv, &code))
        return code;
    must(argc > 0 && n > 0 && n <= 10000 && members > 0 && members <= MEMBERS_MAX, USAGE);
    groups = (size_t)n;
    machines_n = (size_t)members;
    messages_max = 4096 + 512 * machines_n;
    machines = calloc(machines_n, sizeof(*machines));
    parties = calloc(groups * machines_n, sizeof(*parties));
    must(machines != NULL && parties != NULL && pthread_barrier_init(&barrier, NULL, (unsigned)machines_n) == 0, "memory");
    o.connect = argv[0];
    must(gk_zk_open(&guest, &o, why, sizeof(why)), why);
    for (size_t i = 0; i < machines_n; i++) {
        o.connect = argv[i % (size_t)argc];
        start(&machines[i], i, &o);
    }
    for (size_t i = 0; i < machines_n; i++)
        must(gk_zk_wait(machines[i].zk, LIMIT_MS) == ZOK, "no server answers");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "setup") == 0)
            setup();
        else if (strncmp(line, "integrated ", 11) == 0)
            integrated(line + 11);
        else if (strcmp(line, "layered") == 0)
            layered();
        else if (strcmp(line, "follow") == 0 && !following && groups == 1)
            follow_all();
        else if (following && (strcmp(line, "join") == 0 || strcmp(line, "leave") == 0))
            change(line[0] == 'j');
        else
            break;
        following = following || strcmp(line, "follow") == 0;
    }
    if (following)
        stop_following();
    gk_zk_close(guest);
    for (size_t i = 0; i < machines_n; i++)
        gk_zk_close(machines[i].zk);
    return 0;
}
