#include "gk_zk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../native/base/gk_bytes.h"
#include "gk_io.h"
#include "gk_zk_internal.h"

enum { AUTH_MAX = 4096 };

int64_t gk_zk_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool gk_zk_cond_wait(gk_zk *z, int64_t deadline)
{
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

    return pthread_cond_timedwait(&z->wake, &z->lock, &t) != ETIMEDOUT;
}

static void tell(gk_zk *z, gk_zk_event event, const char *path)
{
    if (z->on_event != NULL)
        z->on_event(z->arg, event, path);
}

static void on_session(gk_zk *z, zhandle_t *zh, int state)
{
    bool was = false;

    pthread_mutex_lock(&z->lock);
    /* a handle that is being given up has nothing to say; zh is known only after zookeeper_init returned */
    if (z->zh != NULL && z->zh != zh) {
        pthread_mutex_unlock(&z->lock);
        return;
    }
    was = z->connected;
    z->connected = state == ZOO_CONNECTED_STATE;
    z->expired = z->expired || state == ZOO_EXPIRED_SESSION_STATE;
    z->lost_ms = z->connected ? 0 : was ? gk_zk_now_ms() : z->lost_ms;
    z->refused = z->refused || state == ZOO_AUTH_FAILED_STATE;
    pthread_cond_broadcast(&z->wake);
    pthread_mutex_unlock(&z->lock);
    if (state == ZOO_CONNECTED_STATE)
        tell(z, GK_ZK_CONNECTED, NULL);
    else if (state == ZOO_EXPIRED_SESSION_STATE)
        tell(z, GK_ZK_EXPIRED, NULL);
    else if (was)
        tell(z, GK_ZK_LOST, NULL);
}

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *arg)
{
    gk_zk *z = arg;

    if (type == ZOO_SESSION_EVENT)
        on_session(z, zh, state);
    else if (type == ZOO_CHILD_EVENT)
        tell(z, GK_ZK_CHILDREN, path);
    else if (type == ZOO_CREATED_EVENT || type == ZOO_DELETED_EVENT || type == ZOO_CHANGED_EVENT)
        tell(z, GK_ZK_CHANGED, path);
}

static void auth_done(int rc, const void *arg)
{
    (void)rc; /* a refusal also comes as a session event */
    (void)arg;
}

/* The client's threads handle no signals of the program's, and a server that closes while TLS writes must not end it (SIGPIPE). */
static zhandle_t *init_quietly(gk_zk *z)
{
    sigset_t all;
    sigset_t before;
    zhandle_t *zh = NULL;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    zh = z->tls != NULL ? zookeeper_init_ssl(z->connect, gk_zk_tls_certs(z->tls), watcher, z->session_ms, NULL, z, ZOO_NO_LOG_CLIENTENV)
                        : zookeeper_init(z->connect, watcher, z->session_ms, NULL, z, ZOO_NO_LOG_CLIENTENV);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return zh;
}

/* close_quietly: the last words of a session are written by the calling thread. */
static void close_quietly(zhandle_t *zh)
{
    const struct timespec none = {0};
    sigset_t pipe;
    sigset_t before;
    sigset_t waiting;

    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)sigpending(&waiting);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before);
    (void)zookeeper_close(zh);
    while (sigismember(&waiting, SIGPIPE) == 0 && sigtimedwait(&pipe, NULL, &none) == SIGPIPE)
        continue;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* start makes a handle. Without the lock: the client's threads may call back at once. */
static zhandle_t *start(gk_zk *z)
{
    zhandle_t *zh = init_quietly(z);

    if (zh != NULL && z->auth != NULL)
        (void)zoo_add_auth(zh, z->auth_scheme, z->auth, (int)z->auth_n, auth_done, NULL);
    return zh;
}

/* renew replaces a handle whose session is over, or makes the first one; the lock is held, and given up meanwhile. */
static void renew(gk_zk *z)
{
    zhandle_t *old = z->zh;
    zhandle_t *fresh = NULL;

    z->renewing = true;
    z->zh = NULL;
    while (z->using_zh > 0)
        (void)gk_zk_cond_wait(z, gk_zk_now_ms() + 100);
    pthread_mutex_unlock(&z->lock);
    if (old != NULL)
        close_quietly(old);
    pthread_mutex_lock(&z->lock);
    z->expired = z->connected = z->refused = false;
    pthread_mutex_unlock(&z->lock);
    fresh = start(z); /* NULL: no host can be resolved now; the next call tries again */
    pthread_mutex_lock(&z->lock);
    z->zh = fresh;
    z->connected = z->connected && fresh != NULL;
    z->renewing = false;
    pthread_cond_broadcast(&z->wake);
}

/* give_up ends a session that must be over by now, though no server says so: servers that were set back to an older state (a restored backup) close such
 * connections without a word. The lock is held, and given up meanwhile. */
static void give_up(gk_zk *z)
{
    if (z->lost_ms == 0 || z->connected || z->expired || z->renewing || gk_zk_now_ms() - z->lost_ms < (int64_t)z->session_ms * 3 / 2)
        return;
    z->expired = true;
    z->lost_ms = 0;
    pthread_mutex_unlock(&z->lock);
    tell(z, GK_ZK_EXPIRED, NULL);
    pthread_mutex_lock(&z->lock);
}

int gk_zk_hold(gk_zk *z, zhandle_t **zh, int64_t deadline)
{
    int rc = ZOPERATIONTIMEOUT;

    pthread_mutex_lock(&z->lock);
    for (;;) {
        give_up(z);
        if (!z->renewing && (z->zh == NULL || z->expired))
            renew(z);
        if (z->zh != NULL && !z->expired && z->connected) {
            z->using_zh++;
            *zh = z->zh;
            rc = ZOK;
            break;
        }
        if (z->refused) {
            rc = ZAUTHFAILED;
            break;
        }
        if (gk_zk_now_ms() >= deadline)
            break;
        (void)gk_zk_cond_wait(z, deadline < gk_zk_now_ms() + 200 ? deadline : gk_zk_now_ms() + 200);
    }
    pthread_mutex_unlock(&z->lock);
    return rc;
}

void gk_zk_release(gk_zk *z)
{
    pthread_mutex_lock(&z->lock);
    z->using_zh--;
    pthread_cond_broadcast(&z->wake);
    pthread_mutex_unlock(&z->lock);
}

int gk_zk_wait(gk_zk *z, int timeout_ms)
{
    zhandle_t *zh = NULL;
    int rc = gk_zk_hold(z, &zh, gk_zk_now_ms() + timeout_ms);

    if (rc == ZOK)
        gk_zk_release(z);
    return rc;
}

bool gk_zk_connected(gk_zk *z)
{
    bool is = false;

    pthread_mutex_lock(&z->lock);
    is = z->connected && !z->expired;
    pthread_mutex_unlock(&z->lock);
    return is;
}

void gk_zk_problem(gk_zk *z, char *out, size_t n)
{
    (void)snprintf(out, n, "no server of %s answers", z->connect);
    if (z->tls != NULL) {
        char tls[200] = {0};

        gk_zk_tls_problem(z->tls, tls, sizeof(tls));
        if (tls[0] != '\0')
            (void)snprintf(out, n, "%s", tls);
    }
}

/* read_auth takes SCHEME:CREDENTIALS from the first line of a file that nobody else may read. */
static bool read_auth(gk_zk *z, const char *file, char *why, size_t why_n)
{
    char *text = NULL;
    size_t n = 0;
    char *colon = NULL;
    bool ok = false;

    if (gk_io_read_secret(file, AUTH_MAX, (uint8_t **)&text, &n, why, why_n) != GK_OK)
        return false;
    n = strcspn(text, "\r\n");
    text[n] = '\0';
    colon = strchr(text, ':');
    if (colon != NULL && colon != text && colon[1] != '\0') {
        *colon = '\0';
        z->auth_scheme = strdup(text);
        z->auth = strdup(colon + 1);
        z->auth_n = n - (size_t)(colon + 1 - text);
        ok = z->auth_scheme != NULL && z->auth != NULL;
    }
    if (!ok)
        (void)snprintf(why, why_n, "%s does not begin with SCHEME:CREDENTIALS", file);
    gk_wipe(text, n);
    free(text);
    return ok;
}

bool gk_zk_open(gk_zk **out, const gk_zk_options *o, char *why, size_t why_n)
{
    gk_zk *z = calloc(1, sizeof(*z));
    pthread_condattr_t monotonic;

    (void)snprintf(why, why_n, "out of memory");
    if (z == NULL)
        return false;
    pthread_mutex_init(&z->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&z->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    z->session_ms = o->session_ms;
    z->on_event = o->on_event;
    z->arg = o->arg;
    z->connect = strdup(o->connect);
    zoo_set_debug_level((ZooLogLevel)0); /* it would write to stderr */
    if (z->connect == NULL || (o->auth_file != NULL && !read_auth(z, o->auth_file, why, why_n)))
        goto failed;
    if (strchr(o->connect, '/') != NULL) {
        (void)snprintf(why, why_n, "the connect string has a path: give it as --root");
        goto failed;
    }
    if (o->ca != NULL || o->cert != NULL || o->key != NULL) {
        z->tls = gk_zk_tls_new(o->connect, o->ca, o->cert, o->key, why, why_n);
        if (z->tls == NULL)
            goto failed;
    }
    pthread_mutex_lock(&z->lock);
    renew(z);
    pthread_mutex_unlock(&z->lock);
    if (why_n > 0)
        why[0] = '\0';
    *out = z;
    return true;
failed:
    gk_zk_close(z);
    return false;
}

void gk_zk_close(gk_zk *z)
{
    zhandle_t *zh = NULL;

    if (z == NULL)
        return;
    zh = z->zh;
    if (zh != NULL)
        close_quietly(zh);
    gk_zk_tls_free(z->tls);
    if (z->auth != NULL)
        gk_wipe(z->auth, z->auth_n);
    free(z->auth);
    free(z->auth_scheme);
    free(z->connect);
    pthread_cond_destroy(&z->wake);
    pthread_mutex_destroy(&z->lock);
    free(z);
}

const char *gk_zk_str(int rc)
{
    return zerror(rc);
}
