/* members: many members in one process, by libgroupkeeper, so that starting programs isn't what is measured. At a rate, a new one joins; with --follow
 * it stays and follows the group. stdout, a line each:
 *   {"join":3,"name":"m3","at_s":0.300,"took_s":0.041,"ended_s":1700000000.341,"result":"done"}     at_s: when it was due, since the start; ended_s: Unix time
 *   {"member":3,"epoch":7,"via":"notify","late_s":0.212}               received_ms - generated_ms
 *   {"member":3,"missed":2}
 * With --ask there is no line for each key. When all have joined it says {"joined":N}, and answers to lines on stdin, until their end:
 *   epoch E S   waits until all members have epoch E or a later one, S seconds at most: {"have":99,"of":100,"median_s":0.031,"last_s":0.090,"missed":0};
 *               of: those who are members still; from making their newest key to receiving it
 *   bytes       {"received":123456}: what all sessions' sockets have received */
#include <getopt.h>
#include <groupkeeper/member.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "link.h"

enum { JOIN_MS = 20000, CROWDED_MS = 90000, TRIES = 8, TEXT = 512, MOST_GROUPS = 100000 };

typedef struct place {
    char group[TEXT / 4], token[TEXT];
} place;

typedef struct plan {
    const char *group, *token, *connect, *root, *dir, *prefix;
    place *places; /* of --groups: the i-th member joins the i-th, and so on */
    double rate, seconds, linger;
    int n_places, least_ms, most_ms, stay;
    bool ask;
    char through[TEXT];
} plan;

typedef struct one {
    const plan *p;
    int i;
    double due;
    gkm *m;
    pthread_t thread;
    unsigned long long epoch, missed; /* behind `out`, as those below */
    double late;
    bool over;
} one;

static pthread_mutex_t out = PTHREAD_MUTEX_INITIALIZER;
static double begin;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void until(double when)
{
    double left = when - now();
    struct timespec t = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};

    if (left > 0)
        (void)nanosleep(&t, NULL);
}

static void on_event(void *arg, const gkm_event *e)
{
    static const char *const via[] = {"", "notify", "ring", "refresh"};
    one *o = arg;

    pthread_mutex_lock(&out);
    o->over = o->over || e->kind == GKM_EVENT_EVICTED;
    if (e->kind == GKM_EVENT_KEY) {
        o->epoch = e->epoch;
        o->late = ((double)e->received_ms - (double)e->generated_ms) / 1000;
    } else if (e->kind == GKM_EVENT_MISSED) {
        o->missed += e->to - e->from + 1;
    }
    if (!o->p->ask && e->kind == GKM_EVENT_KEY)
        printf("{\"member\":%d,\"epoch\":%llu,\"via\":\"%s\",\"late_s\":%.3f}\n", o->i, (unsigned long long)e->epoch, via[e->via],
               ((double)e->received_ms - (double)e->generated_ms) / 1000);
    else if (!o->p->ask && e->kind == GKM_EVENT_MISSED)
        printf("{\"member\":%d,\"missed\":%llu}\n", o->i, (unsigned long long)(e->to - e->from + 1));
    pthread_mutex_unlock(&out);
}

static void *live(void *arg)
{
    one *o = arg;
    const plan *p = o->p;
    char state[TEXT], name[64], why[TEXT] = "";
    const place *at = p->places == NULL ? NULL : &p->places[o->i % p->n_places];
    gkm_options opt = {.size = sizeof(opt), .group = at == NULL ? p->group : at->group, .state = state, .connect = p->through, .root = p->root,
                       .name = name, .token = at == NULL ? p->token : at->token, .callback = on_event, .arg = o};
    struct timespec ended = {0};
    int tries = 0;
    double started = now();
    gkm_result r = GKM_OK;

    do { /* on a busy machine a request may not arrive in time; the state that waits for its answer is given up, with its name */
        (void)snprintf(name, sizeof(name), "%s%d%.*s", p->prefix, o->i, tries, "xxxxxxxx");
        (void)snprintf(state, sizeof(state), "%s/%s.state", p->dir, name);
        r = gkm_join(&opt, p->ask ? CROWDED_MS : JOIN_MS, why, sizeof(why));
    } while (p->ask && (r == GKM_CONNECT || r == GKM_TIMEOUT) && ++tries < TRIES);
    pthread_mutex_lock(&out);
    (void)clock_gettime(CLOCK_REALTIME, &ended);
    printf("{\"join\":%d,\"name\":\"%s\",\"at_s\":%.3f,\"took_s\":%.3f,\"ended_s\":%.3f,\"result\":\"%s\"}\n", o->i, name, o->due - begin, now() - started,
           (double)ended.tv_sec + (double)ended.tv_nsec / 1e9, r == GKM_OK || why[0] == '\0' ? gkm_result_text(r) : why);
    pthread_mutex_unlock(&out);
    if (r == GKM_OK && o->i < p->stay && gkm_open(&o->m, &opt, why, sizeof(why)) != GKM_OK)
        fprintf(stderr, "members: error: OPEN: %s: %s\n", state, why);
    return NULL;
}

/* through_links gives the connect string of links to the servers of p->connect. */
static bool through_links(plan *p)
{
    size_t used = 0;

    for (const char *at = p->connect; at != NULL && *at != '\0';) {
        const char *colon = strchr(at, ':');
        int port = colon == NULL ? -1 : (int)strtol(colon + 1, NULL, 10);

        if (port > 0 && p->most_ms > 0)
            port = link_open(port, p->least_ms, p->most_ms);
        if (port <= 0)
            return false;
        used += (size_t)snprintf(p->through + used, sizeof(p->through) - used, "%s127.0.0.1:%d", used > 0 ? "," : "", port);
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return used > 0;
}

static bool read_token(char *text, size_t n, const char *file)
{
    FILE *f = fopen(file, "r");
    bool ok = f != NULL && fgets(text, (int)n, f) != NULL;

    if (f != NULL)
        fclose(f);
    return ok;
}

/* read_places takes lines of GROUP TOKEN. */
static bool read_places(plan *p, const char *file)
{
    FILE *f = fopen(file, "r");

    p->places = f == NULL ? NULL : calloc(MOST_GROUPS, sizeof(*p->places));
    while (p->places != NULL && p->n_places < MOST_GROUPS && fscanf(f, "%127s %511s", p->places[p->n_places].group, p->places[p->n_places].token) == 2)
        p->n_places++;
    if (f != NULL)
        fclose(f);
    return p->n_places > 0;
}

static bool read_options(int argc, char **argv, plan *p)
{
    static const struct option options[] = {{"group", 1, NULL, 'g'}, {"token-file", 1, NULL, 't'}, {"connect", 1, NULL, 'c'}, {"root", 1, NULL, 'r'},
                                            {"dir", 1, NULL, 'd'},   {"rate", 1, NULL, 'R'},       {"seconds", 1, NULL, 's'}, {"delay", 1, NULL, 'D'},
                                            {"linger", 1, NULL, 'l'}, {"follow", 1, NULL, 'f'},    {"prefix", 1, NULL, 'p'},
                                            {"groups", 1, NULL, 'G'}, {"ask", 0, NULL, 'a'},       {0}};
    static char token[TEXT];

    for (int o = 0; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'g': p->group = optarg; break;
        case 't': p->token = read_token(token, sizeof(token), optarg) ? token : NULL; break;
        case 'c': p->connect = optarg; break;
        case 'r': p->root = optarg; break;
        case 'd': p->dir = optarg; break;
        case 'p': p->prefix = optarg; break;
        case 'R': p->rate = atof(optarg); break;
        case 's': p->seconds = atof(optarg); break;
        case 'l': p->linger = atof(optarg); break;
        case 'a': p->ask = true; break;
        case 'G':
            if (!read_places(p, optarg))
                return false;
            break;
        case 'f': p->stay = (int)strtol(optarg, NULL, 10); break;
        case 'D':
            if (sscanf(optarg, "%d,%d", &p->least_ms, &p->most_ms) != 2)
                return false;
            break;
        default: return false;
        }
    }
    return ((p->group != NULL && p->token != NULL) || p->places != NULL) && p->connect != NULL && p->dir != NULL && p->rate > 0 && p->seconds > 0;
}

static int by_size(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* tell_epoch answers `epoch`. */
static void tell_epoch(one *all, int n, unsigned long long epoch, double seconds)
{
    double *late = calloc((size_t)n + 1, sizeof(*late));
    double deadline = now() + seconds;
    unsigned long long missed = 0;
    int have = 0;
    int of = 0;

    while (late != NULL) {
        have = of = 0;
        missed = 0;
        pthread_mutex_lock(&out);
        for (int i = 0; i < n; i++) {
            missed += all[i].missed;
            if (all[i].m == NULL || all[i].over)
                continue;
            of++;
            if (all[i].epoch >= epoch)
                late[have++] = all[i].late;
        }
        pthread_mutex_unlock(&out);
        if (have == of || now() >= deadline)
            break;
        until(now() + 0.02);
    }
    if (have > 0)
        qsort(late, (size_t)have, sizeof(*late), by_size);
    printf("{\"have\":%d,\"of\":%d,\"median_s\":%.3f,\"last_s\":%.3f,\"missed\":%llu}\n", have, of, have > 0 ? late[have / 2] : 0,
           have > 0 ? late[have - 1] : 0, missed);
    free(late);
}

static void tell_bytes(void)
{
    unsigned long long received = 0;

    for (int fd = 3; fd < 65536; fd++) {
        struct tcp_info t = {0};
        socklen_t size = sizeof(t);

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &size) == 0)
            received += t.tcpi_bytes_received;
    }
    printf("{\"received\":%llu}\n", received);
}

static void answer(one *all, int n)
{
    char line[128];

    printf("{\"joined\":%d}\n", n);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        unsigned long long epoch = 0;
        double seconds = 0;

        if (sscanf(line, "epoch %llu %lf", &epoch, &seconds) == 2)
            tell_epoch(all, n, epoch, seconds);
        else
            tell_bytes();
    }
}

/* spread_futexes: since Linux 6.16 a process has a futex table of its own, sized for its CPUs, not for its threads: on two cores 16 chains, in which each
 * wake-up passes by hundreds of waiters. An older kernel refuses. */
static void spread_futexes(void)
{
    enum { FUTEX_HASH = 78, SET_SLOTS = 1, SLOTS = 4096 }; /* PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS of linux/prctl.h */

    (void)prctl(FUTEX_HASH, SET_SLOTS, SLOTS, 0, 0);
}

int main(int argc, char **argv)
{
    plan p = {.root = "/groupkeeper", .prefix = "m"};
    one *all = NULL;
    int n = 0;

    if (!read_options(argc, argv, &p) || !through_links(&p)) {
        fprintf(stderr, "usage: members --group G --token-file F --connect H:P,... --dir D --rate JOINS/S --seconds S [--root R] [--prefix P]\n"
                        "  [--delay LEAST,MOST]  ms, on every link, each way     [--follow N]  the first N stay     [--linger S]  go on for S\n"
                        "  [--groups F]  lines of GROUP TOKEN, for --group and --token-file     [--ask]  answer questions on stdin\n");
        return 2;
    }
    n = (int)(p.rate * p.seconds + 0.5);
    all = calloc((size_t)n, sizeof(*all));
    if (all == NULL)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    spread_futexes();
    begin = now();
    for (int i = 0; i < n; i++) {
        all[i] = (one){.p = &p, .i = i, .due = begin + i / p.rate};
        until(all[i].due);
        if (pthread_create(&all[i].thread, NULL, live, &all[i]) != 0)
            return 1;
    }
    for (int i = 0; i < n; i++)
        pthread_join(all[i].thread, NULL);
    if (p.ask)
        answer(all, n);
    until(now() + p.linger);
    for (int i = 0; i < n; i++)
        gkm_close(all[i].m);
    free(all);
    return 0;
}
