/* load: drives ZooKeeper servers and checks every reply. Phases are lines of its standard input; each gives one JSON object on stdout. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define PIDS 16
#define ENDPOINTS 16
#define STALL_NS 60000000000u    /* so long without any reply is the end */
#define PING_EVERY_NS 10000000000u
#define OPENING 256              /* connections whose handshake may be under way at once */

typedef struct phase {
    char name[32], op[16];
    unsigned payload, depth, path, name_length, nodes, children, reads;
    uint64_t count;         /* requests in all, 0: as many as there is time for */
    double warm, seconds;
} phase;

typedef struct mark {
    uint64_t ns, ops, cpu_ns, own_ns;
} mark;

static struct {
    conn *conns;
    int count, epoll, pid_count;
    pid_t pids[PIDS];
    uint64_t checked, ops, in_flight, last_reply, last_ping;
    int issuing; /* connections that still have something to ask */
    bool measuring;
    hist latency;
} g;

_Noreturn void fail(const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "load: error: %s: ", code);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *must_alloc(void *old, size_t n)
{
    if (n == 0) {
        free(old);
        return NULL;
    }
    void *p = realloc(old, n);
    if (!p)
        fail("MEMORY", "no %zu bytes", n);
    return p;
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        fail("CLOCK", "%s (hint: does each process of --pids live?)", strerror(errno));
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* The servers' CPU time: what utime + stime of /proc/PID/stat are made of, in ns instead of ticks. */
static uint64_t servers_cpu(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < g.pid_count; i++) {
        clockid_t id;
        if (clock_getcpuclockid(g.pids[i], &id) != 0)
            fail("PID", "process %d isn't there", (int)g.pids[i]);
        sum += clock_ns(id);
    }
    return sum;
}

static mark take_mark(void)
{
    return (mark){now_ns(), g.ops, servers_cpu(), clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
}

/* ---- the loop ---- */

static void watch_socket(conn *c, int how)
{
    struct epoll_event e = {.events = EPOLLIN | (c->want_write ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(g.epoll, how, c->fd, &e) != 0)
        fail("EPOLL", "%s", strerror(errno));
}

static void flush(conn *c)
{
    bool before = c->want_write;
    conn_flush(c);
    if (c->want_write != before)
        watch_socket(c, EPOLL_CTL_MOD);
}

static const phase *running;

/* issue asks the connection's next request of the running phase; false when it has none any more. */
static bool issue(conn *c)
{
    const phase *p = running;
    if (!p || (p->count && c->issued >= p->count / (unsigned)g.count + ((unsigned)c->number < p->count % (unsigned)g.count)))
        return false;
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    uint32_t r = (uint32_t)(c->random >> 33);
    dir *d = p->op[0] == 'l' ? NULL : conn_dir(c, p->path, p->name_length);
    bool done = true;
    if (strcmp(p->op, "get") == 0)
        issue_read(c, d, OP_GET, r % d->count);
    else if (strcmp(p->op, "exists") == 0)
        issue_read(c, d, OP_EXISTS, r % d->count);
    else if (strcmp(p->op, "set") == 0)
        issue_set(c, d, r % d->count, p->payload);
    else if (strcmp(p->op, "mixed") == 0 && r / 4096 % 100 < p->reads)
        issue_read(c, d, OP_GET, r % d->count);
    else if (strcmp(p->op, "mixed") == 0)
        issue_set(c, d, r % d->count, p->payload);
    else if (strcmp(p->op, "create") == 0)
        issue_create(c, d, OP_CREATE, p->payload);
    else if (strcmp(p->op, "sequential") == 0)
        issue_create(c, d, OP_SEQUENTIAL, p->payload);
    else if (strcmp(p->op, "list") == 0)
        issue_children(c, p->children);
    else if (strcmp(p->op, "delete") == 0)
        done = issue_delete(c, d);
    else if (strcmp(p->op, "ephemeral") == 0 && c->issued % 2 == 0)
        issue_create(c, d, OP_EPHEMERAL, p->payload);
    else if (strcmp(p->op, "ephemeral") == 0)
        done = issue_delete(c, d);
    else if ((done = d->first + c->issued < d->last))
        issue_passing(c, d, d->first + c->issued, p->op[0] == 'w' ? OP_WATCH : OP_TOUCH);
    if (done)
        c->issued++;
    return done;
}

static void next(conn *c)
{
    if (c->issuing && !issue(c)) {
        c->issuing = false;
        g.issuing--;
    }
}

static void take_replies(conn *c)
{
    gk_bytes body;
    pending asked;
    uint64_t now = now_ns();
    uint32_t before = c->waiting;
    c->last_sent = now;
    g.last_reply = now;
    conn_read(c);
    while (conn_frame(c, &body)) {
        g.checked++;
        if (!check_reply(c, body, &asked))
            continue;
        if (running) {
            g.ops++;
            if (g.measuring)
                hist_add(&g.latency, now - asked.sent);
            next(c);
        }
    }
    g.in_flight = g.in_flight + c->waiting - before;
    flush(c);
}

/* turn waits for events until the time `until` (0: for one event), and handles them. */
static void turn(uint64_t until)
{
    struct epoll_event events[256];
    uint64_t now = now_ns();
    int wait = until == 0 ? 1000 : until > now ? (int)((until - now) / 1000000 + 1) : 0;
    int n = epoll_wait(g.epoll, events, 256, wait);
    if (n < 0 && errno != EINTR)
        fail("EPOLL", "%s", strerror(errno));
    for (int i = 0; i < n; i++) {
        conn *c = events[i].data.ptr;
        if (!c->greeted) {
            bool before = c->want_write;
            conn_handshake(c);
            if (c->want_write != before)
                watch_socket(c, EPOLL_CTL_MOD);
        } else if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
            take_replies(c);
        } else {
            flush(c);
        }
    }
    if (g.in_flight > 0 && now_ns() - g.last_reply > STALL_NS)
        fail("STALLED", "no reply for %u s; %" PRIu64 " requests wait", (unsigned)(STALL_NS / 1000000000u), g.in_flight);
}

static void start_requests(conn *c, uint32_t n)
{
    uint32_t before = c->waiting;
    c->last_sent = now_ns();
    while (n-- > 0 && c->issuing)
        next(c);
    g.in_flight = g.in_flight + c->waiting - before;
    flush(c);
}

static void ping_all(uint64_t now)
{
    g.last_ping = now;
    g.last_reply = now;
    for (int i = 0; i < g.count; i++) {
        if (!g.conns[i].greeted || now - g.conns[i].last_sent < PING_EVERY_NS / 2)
            continue;
        g.conns[i].last_sent = now;
        issue_ping(&g.conns[i]);
        g.in_flight++;
        flush(&g.conns[i]);
    }
}

static void drain(void)
{
    g.last_reply = now_ns();
    while (g.in_flight > 0)
        turn(0);
}

/* ---- what a phase needs before it ---- */

/* asked_more counts what preparation asked, and keeps the pipe from growing without bounds. */
static void asked_more(conn *c, uint32_t before)
{
    g.in_flight = g.in_flight + c->waiting - before;
    if (c->waiting > 256 || c->out_n > 1u << 20) {
        flush(c);
        drain();
    }
}

static void prepare_nodes(conn *c, const phase *p)
{
    bool reads = strcmp(p->op, "get") == 0 || strcmp(p->op, "exists") == 0 || strcmp(p->op, "mixed") == 0;
    uint32_t before = c->waiting;
    dir *d = conn_dir(c, p->path, p->name_length);
    asked_more(c, before);
    while (d->count < p->nodes && (reads || strcmp(p->op, "set") == 0)) {
        before = c->waiting;
        issue_steady(c, d, p->payload);
        asked_more(c, before);
    }
    for (uint32_t i = 0; i < d->count && reads; i++) {
        before = c->waiting;
        if (d->nodes[i].payload != p->payload)
            issue_set(c, d, i, p->payload);
        asked_more(c, before);
    }
    if (strcmp(p->op, "touch") == 0)
        d->pass_version++;
    c->events = 0;
    flush(c);
}

static void prepare_children(uint32_t n)
{
    static uint32_t made[16];
    static size_t kinds;
    char path[PATH_ROOM];
    conn *c = &g.conns[0];
    for (size_t i = 0; i < kinds; i++)
        if (made[i] == n)
            return;
    if (kinds == 16)
        fail("USAGE", "more than 16 kinds of listings");
    made[kinds++] = n;
    snprintf(path, sizeof path, "/%s-%u-children", run_tag, n);
    issue_folder(c, path);
    g.in_flight++;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before = c->waiting;
        issue_child(c, n, i);
        asked_more(c, before);
    }
    flush(c);
    drain();
    for (int i = 1; i < g.count; i++) { /* a server that lags behind may not know them yet: one write of each connection waits for it */
        snprintf(path, sizeof path, "/%s-%u-sync-%d", run_tag, n, i);
        issue_folder(&g.conns[i], path);
        g.in_flight++;
        flush(&g.conns[i]);
    }
    drain();
}

/* ---- a phase ---- */

static void wait_for_events(const phase *p)
{
    for (int i = 0; i < g.count && strcmp(p->op, "touch") == 0; i++)
        while (g.conns[i].events < g.conns[i].issued) {
            turn(0);
            if (now_ns() - g.last_reply > STALL_NS)
                fail("WRONG", "connection %d: %" PRIu64 " events for %" PRIu64 " watches", i, g.conns[i].events, g.conns[i].issued);
        }
}

static void print_result(const phase *p, mark from, mark to)
{
    static const double QS[] = {0.5, 0.9, 0.99, 0.999};
    static const char *const Q_NAMES[] = {"p50", "p90", "p99", "p999"};
    double s = (double)(to.ns - from.ns) / 1e9, n = (double)(to.ops - from.ops);
    printf("{\"name\":\"%s\",\"op\":\"%s\",\"payload\":%u,\"depth\":%u,\"path\":%u,\"connections\":%d,\"ops\":%.0f,\"seconds\":%.6f,\"ops_per_s\":%.2f,"
           "\"cpu_us_per_op\":%.4f,\"load_us_per_op\":%.4f,\"checked\":%" PRIu64 ",\"latency_us\":{",
           p->name, p->op, p->payload, p->depth, p->path, g.count, n, s, n / s, (double)(to.cpu_ns - from.cpu_ns) / 1e3 / n,
           (double)(to.own_ns - from.own_ns) / 1e3 / n, g.checked);
    for (size_t i = 0; i < 4; i++)
        printf("\"%s\":%.1f,", Q_NAMES[i], (double)hist_at(&g.latency, QS[i]) / 1e3);
    printf("\"max\":%.1f}}\n", (double)g.latency.max / 1e3);
    fflush(stdout);
}

static void prepare(const phase *p)
{
    if (p->op[0] == 'l')
        prepare_children(p->children);
    for (int i = 0; i < g.count && p->op[0] != 'l'; i++)
        prepare_nodes(&g.conns[i], p);
    drain();
    memset(&g.latency, 0, sizeof g.latency);
    for (int i = 0; i < g.count; i++) {
        g.conns[i].issued = 0;
        g.conns[i].issuing = true;
    }
    g.issuing = g.count;
}

/* stop lets no connection ask any more, waits for all replies, and deletes the ephemerals that a phase left. */
static void stop(const phase *p)
{
    for (int i = 0; i < g.count; i++)
        g.conns[i].issuing = false;
    drain();
    wait_for_events(p);
    for (int i = 0; i < g.count && strcmp(p->op, "ephemeral") == 0; i++)
        if (g.conns[i].issued % 2 == 1) {
            g.conns[i].issuing = true;
            start_requests(&g.conns[i], 1);
            g.conns[i].issuing = false;
        }
    drain();
}

/* A phase lasts as long as it says; with a count, until all is answered; a delete, until the first connection has no node left. */
static bool goes_on(const phase *p, uint64_t until, uint64_t ops)
{
    if (p->count)
        return g.in_flight > 0;
    bool more = strcmp(p->op, "delete") == 0 ? g.issuing == g.count : now_ns() < until;
    return more || (g.ops == ops && g.in_flight > 0);
}

static void run_phase(const phase *p)
{
    bool bounded = p->count != 0 || strcmp(p->op, "delete") == 0; /* measured from its first request on */
    prepare(p);
    mark begin = take_mark();
    running = p;
    g.measuring = bounded;
    for (int i = 0; i < g.count; i++)
        start_requests(&g.conns[i], p->depth);
    uint64_t from = now_ns() + (uint64_t)(p->warm * 1e9), until = from + (uint64_t)(p->seconds * 1e9);
    while (!bounded && now_ns() < from)
        turn(from);
    if (!bounded)
        begin = take_mark();
    g.measuring = true;
    while (goes_on(p, until, begin.ops))
        turn(bounded || now_ns() > until ? 0 : until);
    mark end = take_mark();
    g.measuring = false;
    while (bounded && g.issuing > 0)
        turn(0);
    stop(p);
    if (p->op[0] == 't') /* until the last event */
        end = take_mark();
    running = NULL;
    if (end.ops == begin.ops)
        fail("NOTHING", "phase %s had no reply (hint: delete, watch and touch need a create before them)", p->name);
    print_result(p, begin, end);
}

/* ---- the command line and its phases ---- */

static void set_option(phase *p, const char *key, const char *value)
{
    static const struct {
        const char *key;
        size_t at;
    } NUMBERS[] = {{"payload", offsetof(phase, payload)}, {"depth", offsetof(phase, depth)}, {"path", offsetof(phase, path)},
                   {"name-length", offsetof(phase, name_length)}, {"nodes", offsetof(phase, nodes)}, {"children", offsetof(phase, children)},
                   {"reads", offsetof(phase, reads)}};
    char *end = NULL;
    double number = strtod(value, &end);
    bool good = *value != '\0' && *end == '\0' && number >= 0 && number < 1e9;
    if (strcmp(key, "name") == 0) {
        snprintf(p->name, sizeof p->name, "%s", value);
        return;
    }
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS && good; i++)
        if (strcmp(key, NUMBERS[i].key) == 0) {
            *(unsigned *)((char *)p + NUMBERS[i].at) = (unsigned)number;
            return;
        }
    if (good && strcmp(key, "count") == 0)
        p->count = (uint64_t)number;
    else if (good && strcmp(key, "warm") == 0)
        p->warm = number;
    else if (good && strcmp(key, "seconds") == 0)
        p->seconds = number;
    else
        fail("USAGE", "phase option %s=%s", key, value);
}

static phase parse_phase(char *line)
{
    static const char *const OPS[] = {"get", "set", "exists", "mixed", "create", "sequential", "ephemeral", "delete", "list", "watch", "touch"};
    phase p = {.payload = 1024, .depth = 1, .path = 2, .name_length = 16, .nodes = 64, .children = 100, .reads = 90, .warm = 0.2, .seconds = 1};
    char *rest = line, *word = strsep(&rest, " ");
    bool known = false;
    for (size_t i = 0; i < sizeof OPS / sizeof *OPS; i++)
        known |= strcmp(word, OPS[i]) == 0;
    if (!known)
        fail("USAGE", "no operation '%s' (hint: load --help)", word);
    snprintf(p.op, sizeof p.op, "%s", word);
    snprintf(p.name, sizeof p.name, "%s", word);
    while ((word = strsep(&rest, " "))) {
        char *value = strchr(word, '=');
        if (*word == '\0')
            continue;
        if (!value)
            fail("USAGE", "'%s' isn't KEY=VALUE", word);
        *value++ = '\0';
        set_option(&p, word, value);
    }
    if (p.depth == 0 || p.nodes == 0 || p.payload > PAYLOAD_MAX)
        fail("USAGE", "depth and nodes are at least 1, payload is at most %u", PAYLOAD_MAX);
    return p;
}

static void open_all(const endpoint *to, int n, SSL_CTX *tls)
{
    int open = 0, greeted = 0;
    uint64_t deadline = now_ns() + STALL_NS;
    g.epoll = epoll_create1(EPOLL_CLOEXEC);
    g.conns = must_alloc(NULL, (size_t)g.count * sizeof *g.conns);
    while (greeted < g.count) {
        for (; open < g.count && open < greeted + OPENING; open++) {
            conn_open(&g.conns[open], open, &to[open % n], tls);
            watch_socket(&g.conns[open], EPOLL_CTL_ADD);
        }
        turn(0);
        while (greeted < open && g.conns[greeted].greeted)
            greeted++;
        if (now_ns() > deadline)
            fail("SESSION", "no session for connection %d", greeted);
    }
}

static void run_phases(void)
{
    char line[1024];
    size_t n = 0;
    printf("{\"ready\":%d}\n", g.count);
    fflush(stdout);
    struct epoll_event in = {.events = EPOLLIN};
    int stdin_poll = epoll_create1(EPOLL_CLOEXEC);
    /* stdin isn't in the phases' epoll: while one runs, the next line can wait. A regular file can't be polled, but always be read. */
    bool polled = epoll_ctl(stdin_poll, EPOLL_CTL_ADD, STDIN_FILENO, &in) == 0;
    for (;;) {
        while (polled && epoll_wait(stdin_poll, &in, 1, g.in_flight ? 10 : 1000) == 0) {
            if (now_ns() - g.last_ping > PING_EVERY_NS)
                ping_all(now_ns());
            if (g.in_flight)
                turn(now_ns());
        }
        ssize_t got = read(STDIN_FILENO, line + n, 1);
        if (got <= 0)
            return;
        if (line[n] == '\n') {
            line[n] = '\0';
            if (n > 0 && line[0] != '#') {
                phase p = parse_phase(line);
                run_phase(&p);
            }
            n = 0;
        } else if (++n == sizeof line - 1) {
            fail("USAGE", "a line of more than %zu bytes", sizeof line);
        }
    }
}

static const char HELP[] =
    "usage: load --connect HOST:PORT[,HOST:PORT...] [--connections N] [--pids PID,...] [--tag TEXT]\n"
    "            [--ca FILE --cert FILE --key FILE] < phases\n"
    "Drives ZooKeeper servers, checks every reply (xid, error, zxid, path, contents, Stat, children) and ends with an error at a wrong one.\n"
    "A phase is a line OPERATION [KEY=VALUE]...; its result is a line of JSON. Operations: get set exists mixed (reads=90 percent) create\n"
    "sequential ephemeral (create and delete by turns) delete (what create made) list (children=100) watch touch (what create made).\n"
    "Keys: payload=1024 depth=1 (requests of a connection under way) path=2 (components) name-length=16 nodes=64 (of a connection)\n"
    "      warm=0.2 seconds=1 count=0 (requests in all, instead of seconds) name=TEXT\n"
    "--pids: processes whose CPU time is divided by the operations.\n"
    "example: echo 'get payload=1024 depth=16 seconds=2' | build/bench/load --connect 127.0.0.1:2181 --connections 8\n";

static int parse_endpoints(endpoint out[ENDPOINTS], char *text)
{
    int n = 0;
    for (char *word; (word = strsep(&text, ",")); n++) {
        char *colon = strrchr(word, ':');
        if (!colon || n == ENDPOINTS)
            fail("USAGE", "--connect: '%s' isn't HOST:PORT, or there are more than %d", word, ENDPOINTS);
        *colon = '\0';
        snprintf(out[n].host, sizeof out[n].host, "%s", word);
        snprintf(out[n].port, sizeof out[n].port, "%s", colon + 1);
    }
    return n;
}

static void parse_pids(char *text)
{
    for (char *word; (word = strsep(&text, ",")); g.pid_count++) {
        if (g.pid_count == PIDS)
            fail("USAGE", "--pids: at most %d", PIDS);
        g.pids[g.pid_count] = (pid_t)strtol(word, NULL, 10);
    }
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"connect", 1, NULL, 'c'}, {"connections", 1, NULL, 'n'}, {"pids", 1, NULL, 'p'}, {"tag", 1, NULL, 't'},
                                            {"ca", 1, NULL, 'a'}, {"cert", 1, NULL, 'e'}, {"key", 1, NULL, 'k'}, {"help", 0, NULL, 'h'}, {0}};
    endpoint to[ENDPOINTS];
    int endpoints = 0, o;
    const char *ca = NULL, *cert = NULL, *key = NULL;
    g.count = 8;
    snprintf(run_tag, sizeof run_tag, "load-%d", (int)getpid());
    while ((o = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (o) {
        case 'c': endpoints = parse_endpoints(to, optarg); break;
        case 'n': g.count = (int)strtol(optarg, NULL, 10); break;
        case 'p': parse_pids(optarg); break;
        case 't': snprintf(run_tag, sizeof run_tag, "%s", optarg); break;
        case 'a': ca = optarg; break;
        case 'e': cert = optarg; break;
        case 'k': key = optarg; break;
        case 'h': fputs(HELP, stdout); return 0;
        default: return 2;
        }
    }
    if (endpoints == 0 || g.count < 1 || (ca != NULL) != (cert && key)) {
        fputs(HELP, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    ops_init();
    open_all(to, endpoints, ca ? tls_context(ca, cert, key) : NULL);
    run_phases();
    return 0;
}
