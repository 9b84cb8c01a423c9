/* ctl_main: the process: threads, signals, roles. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/gk_cli.h"
#include "../common/gk_log.h"
#include "../common/gk_notify.h"
#include "ctl.h"

enum { SESSION_MS = 6000, KEYS_MS = 60000 };

uint64_t ctl_now(void)
{
    return cli_now_ms();
}

bool gk_controller_log(const char *level)
{
    static const struct {
        const char *name;
        gk_log_level level;
    } levels[] = {{"error", GK_LOG_ERROR}, {"warn", GK_LOG_WARN}, {"info", GK_LOG_INFO}, {"debug", GK_LOG_DEBUG}};

    for (size_t i = 0; i < 4; i++) {
        if (strcmp(levels[i].name, level) == 0) {
            gk_log_set(levels[i].level);
            return true;
        }
    }
    return false;
}

void ctl_set_fenced(ctl *c)
{
    pthread_mutex_lock(&c->lock);
    c->fenced = true;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

void ctl_progress(ctl *c)
{
    pthread_mutex_lock(&c->lock);
    c->progress_ms = gk_zk_now_ms();
    pthread_mutex_unlock(&c->lock);
}

/* mark notes what a watch told; it runs in the client's thread. */
static void mark(ctl *c, const char *path)
{
    size_t n = strlen(c->o->root);
    const char *rest = strncmp(path, c->o->root, n) == 0 && path[n] == '/' ? path + n + 1 : "";

    if (strcmp(rest, "commands") == 0)
        c->commands_dirty = true;
    else if (strncmp(rest, "authority/", 10) == 0)
        c->authority_dirty = true;
    else if (strcmp(rest, "controllers/keys") == 0)
        c->keys_dirty = true;
    else if (strcmp(rest, "groups") == 0)
        c->groups_dirty = true;
    else if (strncmp(rest, "groups/", 7) == 0) {
        size_t name_n = strcspn(rest + 7, "/");

        for (size_t i = 0; i < c->n_groups; i++) {
            if (strncmp(c->groups[i]->name, rest + 7, name_n) == 0 && c->groups[i]->name[name_n] == '\0')
                c->groups[i]->dirty = true;
        }
    }
}

static void on_event(void *arg, gk_zk_event event, const char *path)
{
    ctl *c = arg;

    pthread_mutex_lock(&c->lock);
    if (path != NULL)
        mark(c, path);
    if (event == GK_ZK_EXPIRED || event == GK_ZK_CONNECTED) { /* watches may be gone, and our ephemeral node */
        c->expired = true;
        c->commands_dirty = c->authority_dirty = c->keys_dirty = c->live_missing = c->groups_dirty = c->sweep = true;
        c->session_over = c->session_over || event == GK_ZK_EXPIRED;
        for (size_t i = 0; i < c->n_groups; i++)
            c->groups[i]->dirty = true;
    }
    c->woken = true;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    if (event == GK_ZK_LOST || event == GK_ZK_EXPIRED)
        gk_log(GK_LOG_WARN, event == GK_ZK_LOST ? "connection-lost" : "session-expired", "connect=\"%s\"", c->o->zk.connect);
}

/* watch_authority makes the next record wake us. */
static void watch_authority(ctl *c)
{
    char path[GK_TREE_PATH];

    if (c->authority == NULL)
        return;
    gk_tree_path(path, c->o->root, "authority/%llu", (unsigned long long)gk_authority_version(c->authority) + 1);
    (void)gk_zk_exists(c->zk, path, true, NULL, CTL_TIMEOUT_MS);
}

/* turn is one round of the main thread. */
static uint64_t turn(ctl *c)
{
    bool over = false;
    bool asked = false;
    bool missing = false;
    bool fenced = false;
    bool wants = false;
    bool reload = false;

    pthread_mutex_lock(&c->lock);
    over = c->session_over;
    c->session_over = false;
    missing = c->live_missing;
    c->live_missing = false;
    fenced = c->leader && c->fenced;
    wants = !c->leader && c->campaign;
    asked = c->reload;
    reload = c->reload || (!c->leader && c->authority_dirty);
    c->reload = false;
    if (!c->leader)
        c->authority_dirty = false;
    c->progress_ms = gk_zk_now_ms();
    pthread_mutex_unlock(&c->lock);
    if (fenced) {
        gk_log(GK_LOG_WARN, "fenced", "controller_epoch=%d hint=\"another controller leads\"", c->token);
        ctl_step_down(c, false);
    }
    if (missing && !(ctl_announce(c) && (c->authority == NULL || ctl_keys_publish(c)))) {
        pthread_mutex_lock(&c->lock);
        c->live_missing = true;
        pthread_mutex_unlock(&c->lock);
    }
    if (reload || c->authority == NULL) {
        if (ctl_keys_authority(c))
            (void)ctl_keys_publish(c);
        watch_authority(c);
    }
    if (asked)
        gk_notify("READY=1");
    for (size_t i = 0; i < c->n_groups && over; i++)
        ctl_group_drop(c->groups[i], true);
    if (c->mine && gk_zk_connected(c->zk) && gk_zk_now_ms() > c->rotate_ms) {
        ctl_rotate_exchange(c);
        c->rotate_ms = gk_zk_now_ms() + (c->o->rotate_ms / 4 < KEYS_MS ? c->o->rotate_ms / 4 : KEYS_MS);
    }
    if (wants)
        ctl_campaign(c);
    if (!c->leader)
        ctl_groups_follow(c);
    return c->leader ? ctl_lead(c) : ctl_now() + 1000;
}

static void *signals(void *arg)
{
    ctl *c = arg;
    sigset_t set;
    int s = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    while (sigwait(&set, &s) == 0) {
        if (s == SIGHUP)
            gk_notify("RELOADING=1"); /* the main thread says READY=1 when it is done */
        pthread_mutex_lock(&c->lock);
        if (s == SIGHUP)
            c->reload = c->authority_dirty = true;
        else
            c->stop = true;
        c->woken = true;
        pthread_cond_broadcast(&c->wake);
        pthread_mutex_unlock(&c->lock);
        if (s != SIGHUP)
            break;
    }
    return NULL;
}

static void rest(ctl *c, uint64_t until)
{
    uint64_t now = ctl_now();
    int64_t deadline = gk_zk_now_ms() + (until > now ? (int64_t)(until - now < 1000 ? until - now : 1000) : 0);
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000L};

    pthread_mutex_lock(&c->lock);
    while (!c->woken && !c->stop && !c->campaign && !(c->leader && c->fenced)) {
        if (pthread_cond_timedwait(&c->wake, &c->lock, &t) == ETIMEDOUT)
            break;
    }
    c->woken = false;
    pthread_mutex_unlock(&c->lock);
}

/* start opens all that a controller needs; what it opened is closed by finish. */
static int start(ctl *c, pthread_t *pulse, pthread_t *listener)
{
    gk_zk_options zo = c->o->zk;
    char why[512] = {0};

    zo.session_ms = SESSION_MS;
    zo.on_event = on_event;
    zo.arg = c;
    if (!ctl_keys_open(c, why, sizeof(why)))
        return cli_fail("STATE", "look at --identity and --state-dir", "%s", why);
    c->control = (gk_control){.sign = c->sign, .state_keys = c->state_keys};
    if (!gk_link_start(&c->link, c->o->id, c->sign, c->o->listen, c->o->peers, c->o->n_peers, why, sizeof(why)))
        return cli_fail("LISTEN", "is another controller running here? give another --listen", "%s", why);
    if (!gk_zk_open(&c->zk, &zo, why, sizeof(why)))
        return cli_fail("CONNECT", "look at the files' names and permissions", "%s", why);
    if (pthread_create(listener, NULL, signals, c) != 0 || pthread_create(pulse, NULL, ctl_pulse, c) != 0)
        return cli_out_of_memory();
    return CLI_OK;
}

int gk_controller_run(const gk_controller_options *o)
{
    ctl c = {.o = o, .authenticated = o->zk.auth_file != NULL || o->zk.cert != NULL, .live_missing = true};
    pthread_condattr_t monotonic;
    pthread_t pulse = 0;
    pthread_t listener = 0;
    sigset_t set;
    int code = CLI_OK;

    if (!gk_name_ok((gk_bytes){(const uint8_t *)o->id, strlen(o->id)}))
        return cli_usage("gk-admin controller run", "--id takes letters, digits and - _ . @ :, not \"%s\"", o->id);
    (void)sigfillset(&set); /* all but what the signals' thread waits for is blocked everywhere */
    (void)sigdelset(&set, SIGSEGV);
    (void)sigdelset(&set, SIGBUS);
    (void)sigdelset(&set, SIGABRT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_mutex_init(&c.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c.wake, &monotonic);
    code = start(&c, &pulse, &listener);
    if (code == CLI_OK) {
        bool stop = false;

        ctl_say_role(&c);
        gk_notify("READY=1");
        while (!stop) {
            rest(&c, turn(&c));
            gk_notify("WATCHDOG=1");
            pthread_mutex_lock(&c.lock);
            stop = c.stop;
            pthread_mutex_unlock(&c.lock);
        }
        gk_notify("STOPPING=1");
        pthread_join(pulse, NULL);
        pthread_join(listener, NULL);
        if (c.leader)
            ctl_step_down(&c, true);
    }
    gk_link_stop(c.link);
    ctl_groups_free(&c);
    free(c.groups);
    gk_zk_close(c.zk);
    ctl_keys_close(&c);
    return code;
}
