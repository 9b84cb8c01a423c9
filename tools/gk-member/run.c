/* gk-member run: a line for each key at once, by the library's thread; the file, the program and the signal for each key one after the other, by the
 * main thread, so that a slow program delays no key. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../native/base/gk_bytes.h"
#include "../common/gk_io.h"
#include "../common/gk_notify.h"
#include "member.h"

enum { QUEUE = 256 };

static const char help[] =
    "usage: gk-member run G --state F [--out F] [--exec CMD] [--signal PID]\n"
    "\n"
    "Follows the group until SIGTERM, or until it is evicted (exit code 1). One line of JSON on stdout for each event.\n"
    "\n"
    "options:\n"
    "  --out F       the key, 32 bytes, mode 0600, replaced atomically\n"
    "  --exec CMD    run by the shell for each key; sees GK_GROUP, GK_EPOCH and, with --out, GK_KEY_FILE\n"
    "  --signal PID  SIGHUP to this process for each key\n"
    "\n"
    "Under systemd (Type=notify) it is ready with the first key.\n"
    "\n"
    "example:\n"
    "  gk-member run payments --state app-1.state --out /run/app/payments.key --exec 'systemctl reload app'\n";

typedef struct job {
    uint64_t epoch;
    uint8_t key[GKM_KEY];
} job;

typedef struct runner {
    const char *group, *out, *exec;
    int64_t pid;
    gkm *m;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    job queue[QUEUE];
    size_t first, n;
    bool evicted, stop, broken;
} runner;

static void print_line(runner *r, cJSON *doc)
{
    char *text = cJSON_PrintUnformatted(doc);

    cJSON_Delete(doc);
    if (text != NULL && (puts(text) < 0 || fflush(stdout) != 0)) {
        pthread_mutex_lock(&r->lock);
        r->broken = true;
        pthread_cond_broadcast(&r->wake);
        pthread_mutex_unlock(&r->lock);
    }
    cJSON_free(text);
}

/* enqueue keeps the newest keys when the program can't follow. */
static void enqueue(runner *r, uint64_t epoch)
{
    job j = {0};

    if (gkm_key(r->m, j.key, &j.epoch) != GKM_OK && j.epoch == 0)
        return;
    (void)epoch; /* a later one may be there already: it is what counts */
    pthread_mutex_lock(&r->lock);
    if (r->n == QUEUE) {
        r->first = (r->first + 1) % QUEUE;
        r->n--;
    }
    r->queue[(r->first + r->n++) % QUEUE] = j;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    gk_wipe(&j, sizeof(j));
}

static void on_key(runner *r, cJSON *doc, const gkm_event *e)
{
    static const char *const via[] = {"?", "notify", "ring", "refresh"};
    char fingerprint[2 * GKM_FINGERPRINT + 1];

    cli_hex(fingerprint, e->fingerprint, GKM_FINGERPRINT);
    cJSON_AddStringToObject(doc, "event", "key");
    cJSON_AddStringToObject(doc, "group", r->group);
    cJSON_AddNumberToObject(doc, "epoch", (double)e->epoch);
    cJSON_AddStringToObject(doc, "fingerprint", fingerprint);
    cJSON_AddStringToObject(doc, "via", via[e->via]);
    cJSON_AddNumberToObject(doc, "generated_ms", (double)e->generated_ms);
    cJSON_AddNumberToObject(doc, "received_ms", (double)e->received_ms);
    enqueue(r, e->epoch);
}

static void on_event(void *arg, const gkm_event *e)
{
    runner *r = arg;
    cJSON *doc = cJSON_CreateObject();

    switch (e->kind) {
    case GKM_EVENT_KEY: on_key(r, doc, e); break;
    case GKM_EVENT_STALE: cJSON_AddStringToObject(doc, "event", "stale"); break;
    case GKM_EVENT_FRESH: cJSON_AddStringToObject(doc, "event", "fresh"); break;
    case GKM_EVENT_MISSED:
        cJSON_AddStringToObject(doc, "event", "missed");
        cJSON_AddNumberToObject(doc, "from", (double)e->from);
        cJSON_AddNumberToObject(doc, "to", (double)e->to);
        cJSON_AddStringToObject(doc, "reason", e->text);
        break;
    case GKM_EVENT_EVICTED: cJSON_AddStringToObject(doc, "event", "evicted"); break;
    case GKM_EVENT_REFUSED:
        cJSON_AddStringToObject(doc, "event", "refused");
        cJSON_AddStringToObject(doc, "reason", e->text);
        break;
    }
    print_line(r, doc);
    if (e->kind == GKM_EVENT_EVICTED) {
        pthread_mutex_lock(&r->lock);
        r->evicted = true;
        pthread_cond_broadcast(&r->wake);
        pthread_mutex_unlock(&r->lock);
    }
}

static void run_program(const runner *r, uint64_t epoch)
{
    char number[32];
    pid_t pid = fork();
    sigset_t none;
    int status = 0;

    if (pid == 0) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)epoch);
        (void)setenv("GK_GROUP", r->group, 1);
        (void)setenv("GK_EPOCH", number, 1);
        if (r->out != NULL)
            (void)setenv("GK_KEY_FILE", r->out, 1);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* stdout is ours */
        (void)execl("/bin/sh", "sh", "-c", r->exec, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0 || status != 0)
        (void)cli_fail("EXEC", "run it by hand", "the program of --exec failed with status %d", pid < 0 ? -1 : status);
}

static void do_job(const runner *r, const job *j)
{
    char why[512] = {0};

    if (r->out != NULL) {
        gk_err e = gk_io_replace(r->out, j->key, GKM_KEY, 0600, why, sizeof(why));

        if (e != GK_OK)
            (void)cli_fail_why(e, why);
    }
    if (r->pid > 0 && kill((pid_t)r->pid, SIGHUP) != 0)
        (void)cli_fail("SIGNAL", "has it ended?", "process %lld cannot be signalled: %s", (long long)r->pid, strerror(errno));
    if (r->exec != NULL)
        run_program(r, j->epoch);
}

static void *wait_signal(void *arg)
{
    runner *r = arg;
    sigset_t set;
    int s = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)sigwait(&set, &s);
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int follow(runner *r)
{
    bool ready = false;

    for (;;) {
        job j = {0};

        pthread_mutex_lock(&r->lock);
        while (r->n == 0 && !r->stop && !r->evicted && !r->broken)
            pthread_cond_wait(&r->wake, &r->lock);
        if (r->n == 0) {
            pthread_mutex_unlock(&r->lock);
            return r->stop ? CLI_OK : CLI_FAILED;
        }
        j = r->queue[r->first];
        gk_wipe(&r->queue[r->first], sizeof(j));
        r->first = (r->first + 1) % QUEUE;
        r->n--;
        pthread_mutex_unlock(&r->lock);
        do_job(r, &j);
        gk_wipe(&j, sizeof(j));
        if (!ready)
            gk_notify("READY=1");
        ready = true;
    }
}

int member_run(int argc, char **argv)
{
    member_options o = {0};
    runner r = {0};
    const cli_option own[] = {{"out", CLI_STRING, &r.out}, {"exec", CLI_STRING, &r.exec}, {"signal", CLI_NUMBER, &r.pid}, {0}};
    char why[512] = {0};
    pthread_t waiter = 0;
    sigset_t set;
    gkm_result result = GKM_OK;
    int code = CLI_OK;

    if (!member_parse(&o, own, "gk-member run", help, 1, argc, argv, &code))
        return code;
    r.group = o.m.group;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.wake, NULL);
    o.m.callback = on_event;
    o.m.arg = &r;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    result = gkm_open(&r.m, &o.m, why, sizeof(why));
    if (result != GKM_OK)
        return member_fail(result, why);
    if (pthread_create(&waiter, NULL, wait_signal, &r) != 0)
        return cli_out_of_memory();
    (void)pthread_detach(waiter);
    code = follow(&r);
    gk_notify("STOPPING=1");
    gkm_close(r.m);
    gk_wipe(r.queue, sizeof(r.queue));
    return r.evicted ? cli_fail("EVICTED", "gk-admin member allow, and join with a new state file", "not a member of %s any more", r.group)
                     : code;
}
