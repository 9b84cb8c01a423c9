#include "deliver.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../native/base/gk_bytes.h"
#include "../common/gk_io.h"
#include "../common/gk_notify.h"

static void raise_flag(deliver *d, bool *flag)
{
    pthread_mutex_lock(&d->lock);
    *flag = true;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

void deliver_line(deliver *d, cJSON *doc)
{
    char *text = cJSON_PrintUnformatted(doc);

    cJSON_Delete(doc);
    if (text != NULL && (puts(text) < 0 || fflush(stdout) != 0))
        raise_flag(d, &d->broken);
    cJSON_free(text);
}

void deliver_push(deliver *d, const deliver_job *j)
{
    pthread_mutex_lock(&d->lock);
    if (d->n == DELIVER_QUEUE) {
        d->first = (d->first + 1) % DELIVER_QUEUE;
        d->n--;
    }
    d->queue[(d->first + d->n++) % DELIVER_QUEUE] = *j;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

void deliver_over(deliver *d)
{
    raise_flag(d, &d->over);
}

static void run_program(const deliver *d, const deliver_job *j)
{
    char number[32];
    pid_t pid = fork();
    sigset_t none;
    int status = 0;

    if (pid == 0) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)j->number);
        (void)setenv("GK_GROUP", d->group, 1);
        (void)setenv(j->key_id[0] == '\0' ? "GK_EPOCH" : "GK_VIEW", number, 1);
        if (j->key_id[0] != '\0')
            (void)setenv("GK_KEY_ID", j->key_id, 1);
        if (d->out != NULL)
            (void)setenv("GK_KEY_FILE", d->out, 1);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* stdout is ours */
        (void)execl("/bin/sh", "sh", "-c", d->exec, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0 || status != 0)
        (void)cli_fail("EXEC", "run it by hand", "the program of --exec failed with status %d", pid < 0 ? -1 : status);
}

static void do_job(const deliver *d, const deliver_job *j)
{
    char why[512] = {0};

    if (d->out != NULL) {
        gk_err e = gk_io_replace(d->out, j->key, GKM_KEY, 0600, why, sizeof(why));

        if (e != GK_OK)
            (void)cli_fail_why(e, why);
    }
    if (d->pid > 0 && kill((pid_t)d->pid, SIGHUP) != 0)
        (void)cli_fail("SIGNAL", "has it ended?", "process %lld cannot be signalled: %s", (long long)d->pid, strerror(errno));
    if (d->exec != NULL)
        run_program(d, j);
}

static void *wait_signal(void *arg)
{
    deliver *d = arg;
    sigset_t set;
    int s = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)sigwait(&set, &s);
    raise_flag(d, &d->stop);
    return NULL;
}

void deliver_init(deliver *d, const char *group)
{
    sigset_t set;

    d->group = group;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wake, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int deliver_keys(deliver *d)
{
    pthread_t waiter = 0;
    bool ready = false;
    bool stopped = false;

    if (pthread_create(&waiter, NULL, wait_signal, d) != 0)
        return cli_out_of_memory();
    for (;;) {
        deliver_job j = {0};

        pthread_mutex_lock(&d->lock);
        while (d->n == 0 && !d->stop && !d->over && !d->broken)
            pthread_cond_wait(&d->wake, &d->lock);
        if (d->n == 0) {
            stopped = d->stop;
            pthread_mutex_unlock(&d->lock);
            break;
        }
        j = d->queue[d->first];
        gk_wipe(&d->queue[d->first], sizeof(j));
        d->first = (d->first + 1) % DELIVER_QUEUE;
        d->n--;
        pthread_mutex_unlock(&d->lock);
        do_job(d, &j);
        gk_wipe(&j, sizeof(j));
        if (!ready)
            gk_notify("READY=1");
        ready = true;
    }
    gk_notify("STOPPING=1");
    gk_wipe(d->queue, sizeof(d->queue));
    (void)pthread_kill(waiter, SIGTERM); /* d doesn't outlive it; a thread that has ended minds nothing */
    (void)pthread_join(waiter, NULL);
    return stopped ? CLI_OK : CLI_FAILED;
}
