/* gkm_follow: the member's thread: it reads what the engine asks for and tells what came of it. One notification and one read lead to a new key;
 * the watch on the epoch after it travels with that read. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/gk_cli.h"
#include "gkm_internal.h"

enum { AHEAD = 32, IDLE_MS = 5000 };

static bool below(const char *path, const char *part)
{
    return strstr(path, part) != NULL;
}

void gkm_on_event(void *arg, gk_zk_event event, const char *path)
{
    gkm *m = arg;

    pthread_mutex_lock(&m->lock);
    if (path != NULL && below(path, "/epochs/"))
        m->notified = true;
    else if (path != NULL && below(path, "/fresh"))
        m->fresh_dirty = true;
    else if (path != NULL && below(path, "/replies/"))
        m->reply_dirty = true;
    if (event == GK_ZK_CONNECTED || event == GK_ZK_EXPIRED)
        m->resync = m->fresh_dirty = m->reply_dirty = true;
    m->woken = true;
    pthread_cond_broadcast(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

static gk_verdict feed(gkm *m, const gk_zk_data *d)
{
    gk_verdict v = GK_FED_MALFORMED;

    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&m->lock);
        v = gk_member_feed(m->e, (gk_bytes){d->data, d->n}, gkm_now());
        pthread_mutex_unlock(&m->lock);
        if (v != GK_FED_NEEDS_AUTHORITY || !gkm_authority(m))
            break;
    }
    return v;
}

/* feed_kek gives the engine our own KEK message (flat mode), which was read before or is read now. */
static gk_verdict feed_kek(gkm *m, gk_zk_data *d)
{
    char path[GK_TREE_PATH];
    gk_verdict v = GK_FED_NEEDS_KEK;

    m->flat = true;
    if (d->data == NULL) {
        gkm_path(m, path, "members/%016llx", (unsigned long long)gk_member_leaf(m->e));
        (void)gk_zk_get(m->zk, path, false, d, GKM_TIMEOUT_MS);
    }
    if (d->rc == ZOK && d->data != NULL)
        v = feed(m, d);
    gk_zk_data_free(d);
    return v;
}

static gk_verdict feed_epoch(gkm *m, const gk_zk_data *epoch, gk_zk_data *kek)
{
    gk_verdict v = feed(m, epoch);

    if (v != GK_FED_NEEDS_KEK)
        return v;
    v = feed_kek(m, kek);
    return gk_verdict_refused(v) ? v : feed(m, epoch);
}

/* refuse_node remembers what lies where an epoch ought to be, and watches it: -1. An old message there is no key, either. */
static int refuse_node(gkm *m, const char *path, gk_verdict v, const struct Stat *stat)
{
    gkm_event e = {.kind = GKM_EVENT_REFUSED, .text = "an older message in the place of a newer one"};

    m->refused_zxid = stat->mzxid;
    (void)gk_zk_exists(m->zk, path, true, NULL, GKM_TIMEOUT_MS);
    if (v == GK_FED_OLD) {
        pthread_mutex_lock(&m->lock);
        m->misplaced++;
        pthread_mutex_unlock(&m->lock);
        gkm_tell(m, &e);
    }
    return -1;
}

/* take_epoch feeds the epoch that was read into d. Gives 1 when the next may follow, 0 when reading ends here, -1 when it was refused. */
static int take_epoch(gkm *m, const char *path, const gk_zk_data *d, gk_zk_data *kek, gkm_via via, bool more)
{
    gk_verdict v = GK_FED_OLD;

    if (d->stat.mzxid == m->refused_zxid)
        return -1; /* judged already; the watch tells when it changes */
    v = feed_epoch(m, d, kek);
    if (v == GK_FED_KEY) {
        m->zxid = d->stat.czxid;
        gkm_note(m, via);
    }
    if ((v != GK_FED_KEY || !more || m->noted_n == GKM_NOTED) && !gkm_settled(m, v))
        return -1;
    if (v == GK_FED_OLD || gk_verdict_refused(v))
        return refuse_node(m, path, v, &d->stat);
    return v == GK_FED_KEY;
}

/* next_ahead: of how many epochs the next read asks for: one more than were there, twice as many when all were. */
static size_t next_ahead(size_t asked, size_t there)
{
    if (there < asked)
        return there < 1 ? 2 : there + 1;
    return asked * 2 < AHEAD ? asked * 2 : AHEAD;
}

/* read_epochs reads the next epochs, with the watch on the one behind the first, and feeds them as they arrive; the state is saved when no more are there.
 * Gives how many there were; -1: no connection, or something was refused. */
static int read_epochs(gkm *m, bool notified, gkm_via via)
{
    char paths[AHEAD + 1][GK_TREE_PATH];
    char watch[GK_TREE_PATH];
    const char *list[AHEAD + 1];
    gk_zk_reads *reads = NULL;
    gk_zk_data kek = {0};
    uint64_t next = gk_member_epoch(m->e) + 1;
    uint64_t behind = notified ? next + 1 : next; /* what a notification announced is there: the watch goes on the one behind it */
    size_t n = m->ahead;
    int there = 0;
    bool set = false;

    for (size_t i = 0; i < n; i++)
        gkm_path(m, paths[i], "epochs/%llu", (unsigned long long)(next + i));
    gkm_path(m, paths[n], "members/%016llx", (unsigned long long)gk_member_leaf(m->e));
    for (size_t i = 0; i <= n; i++)
        list[i] = paths[i];
    gkm_path(m, watch, "epochs/%llu", (unsigned long long)behind);
    reads = gk_zk_reads_begin(m->zk, list, n + m->flat, watch, GKM_TIMEOUT_MS);
    if (m->flat) /* the epoch is of no use without it */
        (void)gk_zk_reads_take(reads, n, &kek);
    for (size_t i = 0; i < n; i++) {
        gk_zk_data d = {0};
        int rc = gk_zk_reads_take(reads, i, &d);
        int took = rc == ZOK ? take_epoch(m, paths[i], &d, &kek, via, gk_zk_reads_ready(reads, i + 1)) : rc == ZNONODE ? 0 : -1;

        gk_zk_data_free(&d);
        there = took < 0 ? -1 : there + took;
        if (took <= 0)
            break;
    }
    if (m->noted_n > 0 && !gkm_settled(m, GK_FED_KEY))
        there = -1;
    gk_zk_data_free(&kek);
    m->armed = gk_zk_reads_end(reads, &set) == ZNONODE && set ? behind : 0;
    if (there >= 0)
        m->ahead = next_ahead(n, (size_t)there);
    return there;
}

/* look_around lists epochs/: the engine learns what is newest, and what has gone. */
static bool look_around(gkm *m)
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    int rc = ZOK;

    gkm_path(m, path, "epochs");
    rc = gk_zk_children(m->zk, path, false, &names, &n, GKM_TIMEOUT_MS);
    for (size_t i = 0; i < n; i++) {
        uint64_t e = strtoull(names[i], NULL, 10);

        low = e > gk_member_epoch(m->e) && e < low ? e : low; /* of those that we lack: there may be a gap behind ours */
        high = e > high ? e : high;
    }
    gk_zk_names_free(names, n);
    if (rc != ZOK || n == 0)
        return false;
    pthread_mutex_lock(&m->lock);
    gk_member_seen(m->e, low == UINT64_MAX ? high : low, high);
    pthread_mutex_unlock(&m->lock);
    return true;
}

static void take_fresh(gkm *m)
{
    char path[GK_TREE_PATH];
    gk_zk_data d = {0};
    gk_verdict v = GK_FED_MALFORMED;

    gkm_path(m, path, "fresh");
    if (gk_zk_get(m->zk, path, true, &d, GKM_TIMEOUT_MS) != ZOK || d.n == 0) {
        if (d.rc == ZNONODE)
            (void)gk_zk_exists(m->zk, path, true, NULL, GKM_TIMEOUT_MS);
        gk_zk_data_free(&d);
        return;
    }
    if (d.stat.mzxid <= m->zxid) { /* from before the newest epoch, or known */
        gk_zk_data_free(&d);
        return;
    }
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&m->lock);
        v = gk_member_fresh(m->e, (gk_bytes){d.data, d.n}, gkm_now());
        pthread_mutex_unlock(&m->lock);
        if (v != GK_FED_NEEDS_AUTHORITY || !gkm_authority(m))
            break;
    }
    if (v == GK_FED_FRESH)
        m->zxid = d.stat.mzxid;
    gk_zk_data_free(&d);
    if (gkm_settled(m, v) && m->stale_told && !gk_member_stale(m->e, gkm_now())) {
        gkm_event e = {.kind = GKM_EVENT_FRESH};

        m->stale_told = false;
        gkm_tell(m, &e);
    }
}

void gkm_catch_up(gkm *m, bool notified)
{
    gkm_via via = notified ? GKM_VIA_NOTIFY : GKM_VIA_RING;
    uint64_t arg = 0;
    int there = 0;
    int asked = 0;
    int idle = 0;

    if (!notified && m->armed == gk_member_epoch(m->e) + 1 && gk_member_next(m->e, &arg) == GK_NEED_NOTHING)
        return;
    /* on until nothing is there and the watch is on what comes next: of a fast sequence of epochs, one notification leads to many reads */
    for (;;) {
        gk_need need = GK_NEED_NOTHING;

        asked = (int)m->ahead;
        there = read_epochs(m, notified, via);
        notified = false;
        via = there < asked ? GKM_VIA_NOTIFY : via; /* from here on we are at the newest */
        idle = there > 0 ? 0 : idle + 1;
        if (there < 0 || gk_member_status(m->e) == GK_MEMBER_OUT)
            return; /* tried again when something happens, or soon */
        if (there > 0 && m->armed != gk_member_epoch(m->e) + 1)
            continue;
        pthread_mutex_lock(&m->lock);
        need = gk_member_next(m->e, &arg);
        pthread_mutex_unlock(&m->lock);
        if (need == GK_NEED_AUTHORITY && !gkm_authority(m))
            return;
        if (need == GK_NEED_REFRESH)
            m->want_refresh = true;
        if (need == GK_NEED_EPOCH && there == 0) {
            if (!look_around(m) || gk_member_next(m->e, &arg) == GK_NEED_EPOCH)
                return;
            continue;
        }
        if (there > 0 || m->armed == gk_member_epoch(m->e) + 1 || need == GK_NEED_REFRESH || idle > 1)
            return;
    }
}

static void check_stale(gkm *m)
{
    gkm_event e = {.kind = GKM_EVENT_STALE};
    bool stale = false;

    pthread_mutex_lock(&m->lock);
    stale = gk_member_status(m->e) == GK_MEMBER_IN && gk_member_stale(m->e, gkm_now());
    pthread_mutex_unlock(&m->lock);
    if (stale && !m->stale_told) {
        m->stale_told = true;
        gkm_tell(m, &e);
    }
}

/* rest waits for an event, or until the member gets stale, or a while. */
static bool rest(gkm *m)
{
    int64_t ms = IDLE_MS;
    int64_t deadline = 0;
    struct timespec t;
    uint64_t now = gkm_now();
    bool stop = false;

    pthread_mutex_lock(&m->lock);
    if (gk_member_status(m->e) == GK_MEMBER_IN && !m->stale_told && gk_member_stale_at(m->e) < now + IDLE_MS)
        ms = gk_member_stale_at(m->e) > now ? (int64_t)(gk_member_stale_at(m->e) - now) + 1 : 1;
    if (gk_member_status(m->e) == GK_MEMBER_BEHIND || m->want_refresh)
        ms = ms < 500 ? ms : 500;
    deadline = gk_zk_now_ms() + ms;
    t = (struct timespec){.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000L};
    while (!m->woken && !m->stop) {
        if (pthread_cond_timedwait(&m->wake, &m->lock, &t) == ETIMEDOUT)
            break;
    }
    m->woken = false;
    stop = m->stop;
    pthread_mutex_unlock(&m->lock);
    return !stop;
}

void *gkm_run(void *arg)
{
    gkm *m = arg;

    if (gk_member_status(m->e) == GK_MEMBER_IN)
        gkm_note(m, GKM_VIA_RING);
    (void)gkm_settled(m, GK_FED_OLD);
    do {
        bool notified = false;
        bool resync = false;
        bool fresh = false;

        pthread_mutex_lock(&m->lock);
        notified = m->notified;
        resync = m->resync;
        fresh = m->fresh_dirty;
        m->notified = m->resync = m->fresh_dirty = false;
        pthread_mutex_unlock(&m->lock);
        if (gk_member_status(m->e) == GK_MEMBER_OUT) {
            gkm_tell_out(m);
        } else if (gk_zk_wait(m->zk, 1000) == ZOK) {
            if (resync) {
                m->armed = 0; /* a new session has no watches */
                (void)look_around(m);
            }
            if (gk_member_status(m->e) != GK_MEMBER_PENDING)
                gkm_catch_up(m, notified && !resync);
            if (fresh)
                take_fresh(m);
            gkm_requests(m);
        } else { /* nothing was read: all of it again */
            pthread_mutex_lock(&m->lock);
            m->notified |= notified;
            m->resync |= resync;
            m->fresh_dirty |= fresh;
            pthread_mutex_unlock(&m->lock);
        }
        check_stale(m);
    } while (rest(m));
    return NULL;
}
