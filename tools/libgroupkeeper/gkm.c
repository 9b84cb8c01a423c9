#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/gk_cli.h"
#include "gkm_internal.h"

const char *gkm_result_text(gkm_result r)
{
    static const char *const texts[] = {"done",
                                        "not in time",
                                        "out of memory",
                                        "an option or argument is missing or wrong",
                                        "a file cannot be used",
                                        "another process runs this member",
                                        "no ZooKeeper server could be reached",
                                        "the controller refused",
                                        "an administrator has to approve",
                                        "there is no key",
                                        "the controllers are silent: the key may be out of date",
                                        "not a member any more",
                                        "not authentic",
                                        "not possible in this state"};

    return r >= GKM_OK && r <= GKM_STATE ? texts[r] : "unknown";
}

static gkm_result open_file(gkm **out, const gkm_options *o, bool run, char *why, size_t why_n)
{
    char unwanted[GKM_WHY];
    gkm *m = NULL;
    gkm_result r = GKM_OK;

    if (why == NULL) {
        why = unwanted;
        why_n = sizeof(unwanted);
    }
    r = gkm_new(&m, o, why, why_n);
    if (r != GKM_OK)
        return r;
    if (why_n > 0)
        why[0] = '\0';
    if (run)
        r = gkm_lock(m, why, why_n);
    if (r == GKM_OK)
        r = gkm_load(m, o, why, why_n);
    if (r == GKM_OK && (gk_member_status(m->e) == GK_MEMBER_NEW || gk_member_status(m->e) == GK_MEMBER_PENDING) && run) {
        (void)snprintf(why, why_n, "%s has not joined yet", m->file);
        r = GKM_STATE;
    }
    if (r == GKM_OK && run)
        r = gkm_identify(m, why, why_n);
    if (r == GKM_OK && run)
        r = gkm_connect(m, why, why_n);
    *out = r == GKM_OK ? m : NULL; /* the callback may come before we return */
    if (r == GKM_OK && run) {
        m->running = pthread_create(&m->thread, NULL, gkm_run, m) == 0;
        r = m->running ? GKM_OK : GKM_NOMEM;
    }
    if (r != GKM_OK) {
        *out = NULL;
        gkm_free(m);
    }
    return r;
}

gkm_result gkm_open(gkm **out, const gkm_options *o, char *why, size_t why_n)
{
    return open_file(out, o, true, why, why_n);
}

gkm_result gkm_peek(gkm **out, const gkm_options *o, char *why, size_t why_n)
{
    return open_file(out, o, false, why, why_n);
}

void gkm_close(gkm *m)
{
    if (m == NULL)
        return;
    if (m->running) {
        pthread_mutex_lock(&m->lock);
        m->stop = true;
        pthread_cond_broadcast(&m->wake);
        pthread_mutex_unlock(&m->lock);
        pthread_join(m->thread, NULL);
    }
    gkm_free(m);
}

gkm_result gkm_wait(gkm *m, uint64_t above, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000L};
    gkm_result r = GKM_TIMEOUT;

    pthread_mutex_lock(&m->lock);
    for (;;) {
        r = gk_member_epoch(m->e) > above ? GKM_OK : gk_member_status(m->e) == GK_MEMBER_OUT ? GKM_OUT : GKM_TIMEOUT;
        if (r != GKM_TIMEOUT || pthread_cond_timedwait(&m->wake, &m->lock, &t) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&m->lock);
    return r;
}

/* current gives a reference to the current key. */
static gkm_result current(gkm *m, gk_key **k, uint64_t *epoch)
{
    uint64_t issued = 0;
    gkm_result r = GKM_OK;

    pthread_mutex_lock(&m->lock);
    if (gk_member_status(m->e) == GK_MEMBER_OUT)
        r = GKM_OUT;
    else if (gk_member_key(m->e, k, epoch, &issued, false, gkm_now()) != GK_OK)
        r = GKM_NOKEY;
    else if (gk_member_stale(m->e, gkm_now()))
        r = GKM_STALE;
    pthread_mutex_unlock(&m->lock);
    return r;
}

gkm_result gkm_key(gkm *m, uint8_t key[GKM_KEY], uint64_t *epoch)
{
    gkm_result r = GKM_OK;

    pthread_mutex_lock(&m->lock);
    if (gk_member_status(m->e) == GK_MEMBER_OUT)
        r = GKM_OUT;
    else if (gk_member_export_key(m->e, key) != GK_OK)
        r = GKM_NOKEY;
    else if (gk_member_stale(m->e, gkm_now()))
        r = GKM_STALE;
    *epoch = r == GKM_OK || r == GKM_STALE ? gk_member_epoch(m->e) : 0;
    pthread_mutex_unlock(&m->lock);
    return r;
}

static gkm_result seal(gkm *m, bool stale, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n)
{
    uint8_t sender[GK_APP_SENDER];
    gk_key *k = NULL;
    uint64_t epoch = 0;
    gk_err e = GK_OK;
    gkm_result r = GKM_ARG;

    if (*out_n < GK_APP_OVERHEAD || *out_n - GK_APP_OVERHEAD < in_n)
        return GKM_ARG;
    r = current(m, &k, &epoch);
    if (r == GKM_OK || (r == GKM_STALE && stale)) {
        const char *name = gk_member_name(m->e);

        e = gk_app_sender(sender, (gk_bytes){(const uint8_t *)name, strlen(name)});
        if (e == GK_OK)
            e = gk_app_seal(out, k, epoch, sender, (gk_bytes){in, in_n});
        r = gkm_of(e);
        *out_n = e == GK_OK ? in_n + GK_APP_OVERHEAD : 0;
    }
    gk_key_free(k);
    return r;
}

gkm_result gkm_seal(gkm *m, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n)
{
    return seal(m, false, out, out_n, in, in_n);
}

gkm_result gkm_seal_stale(gkm *m, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n)
{
    return seal(m, true, out, out_n, in, in_n);
}

/* key_of finds the key of an epoch: the current one, or one that was current since gkm_open. */
static gk_key *key_of(gkm *m, uint64_t epoch)
{
    gk_key *k = NULL;
    uint64_t now = 0;
    uint64_t issued = 0;

    pthread_mutex_lock(&m->lock);
    if (gk_member_key(m->e, &k, &now, &issued, false, gkm_now()) != GK_OK || now != epoch) {
        gk_key_free(k);
        k = NULL;
    }
    for (size_t i = 0; i < GKM_OLD_KEYS && k == NULL; i++) {
        if (m->old[i].key != NULL && m->old[i].epoch == epoch)
            k = gk_key_ref(m->old[i].key);
    }
    pthread_mutex_unlock(&m->lock);
    return k;
}

gkm_result gkm_unseal(gkm *m, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n)
{
    uint8_t sender[GK_APP_SENDER];
    uint64_t epoch = 0;
    gk_key *k = NULL;
    gk_err e = gk_app_epoch(&epoch, sender, (gk_bytes){in, in_n});

    if (e != GK_OK)
        return GKM_AUTH;
    if (in_n < GK_APP_OVERHEAD || *out_n < in_n - GK_APP_OVERHEAD)
        return GKM_ARG;
    k = key_of(m, epoch);
    if (k == NULL)
        return GKM_NOKEY;
    e = gk_app_open(out, k, epoch, (gk_bytes){in, in_n});
    gk_key_free(k);
    *out_n = e == GK_OK ? in_n - GK_APP_OVERHEAD : 0;
    return e == GK_OK ? GKM_OK : GKM_AUTH;
}

/* ask sets a flag for the member's thread and waits for the answer. */
static gkm_result ask(gkm *m, bool *flag, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    struct timespec t = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000L};
    gkm_result r = GKM_TIMEOUT;
    unsigned before = 0;

    if (!m->running)
        return GKM_STATE;
    pthread_mutex_lock(&m->lock);
    before = m->answers;
    *flag = m->woken = true;
    pthread_cond_broadcast(&m->wake);
    for (;;) {
        if (gk_member_status(m->e) == GK_MEMBER_OUT)
            r = flag == &m->want_leave ? GKM_OK : GKM_OUT;
        else if (m->answers != before)
            r = m->answer;
        if (r != GKM_TIMEOUT || pthread_cond_timedwait(&m->wake, &m->lock, &t) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&m->lock);
    return r;
}

gkm_result gkm_refresh(gkm *m, int timeout_ms)
{
    return ask(m, &m->want_refresh, timeout_ms);
}

/* leave_beside asks while another process runs the member: that one sees that it is out. The state file stays as it is. */
static gkm_result leave_beside(gkm *m, int timeout_ms)
{
    char why[GKM_WHY];
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gkm_result r = gkm_identify(m, why, sizeof(why));

    if (r == GKM_OK && m->zk == NULL)
        r = gkm_connect(m, why, sizeof(why));
    if (r == GKM_OK && gk_zk_wait(m->zk, timeout_ms) != ZOK)
        r = GKM_CONNECT;
    if (r == GKM_OK && !gkm_authority(m))
        r = GKM_AUTH;
    if (r == GKM_OK)
        r = gkm_ask(m, GK_REQUEST_LEAVE, (gk_bytes){0});
    /* the answer is an epoch without us */
    while (r == GKM_OK && gk_member_status(m->e) != GK_MEMBER_OUT) {
        const struct timespec pause = {.tv_nsec = 50 * 1000000L};

        if (gk_zk_now_ms() >= deadline)
            return GKM_TIMEOUT;
        (void)nanosleep(&pause, NULL);
        gkm_catch_up(m, true);
    }
    return r;
}

gkm_result gkm_leave(gkm *m, int timeout_ms)
{
    if (!m->running)
        return leave_beside(m, timeout_ms);
    return ask(m, &m->want_leave, timeout_ms);
}

gkm_result gkm_status_get(gkm *m, gkm_status *out)
{
    gk_key *k = NULL;
    uint64_t issued = 0;
    bool connected = m->zk != NULL && gk_zk_connected(m->zk);

    *out = (gkm_status){.connected = connected};
    pthread_mutex_lock(&m->lock);
    (void)snprintf(out->group, sizeof(out->group), "%s", gk_member_group_name(m->e));
    (void)snprintf(out->member, sizeof(out->member), "%s", gk_member_name(m->e));
    if (gk_member_key(m->e, &k, &out->epoch, &issued, false, gkm_now()) == GK_OK)
        (void)!gk_key_fingerprint(out->fingerprint, k);
    gk_key_free(k);
    out->highest_epoch = gk_member_highest(m->e);
    out->stale = gk_member_stale(m->e, gkm_now());
    out->out = gk_member_status(m->e) == GK_MEMBER_OUT;
    out->pending = gk_member_status(m->e) == GK_MEMBER_PENDING;
    out->refused = m->misplaced;
    for (int v = GK_FED_MALFORMED; v < GK_FED_COUNT; v++)
        out->refused += gk_member_count(m->e, (gk_verdict)v);
    pthread_mutex_unlock(&m->lock);
    return GKM_OK;
}

gkm_result gkm_missed(gkm *m, size_t i, uint64_t *from, uint64_t *to, const char **text)
{
    bool there = false;

    pthread_mutex_lock(&m->lock);
    there = gk_member_missed(m->e, i, from, to, text);
    pthread_mutex_unlock(&m->lock);
    return there ? GKM_OK : GKM_NOKEY;
}

gkm_result gkm_refused(gkm *m, size_t i, const char **text, uint64_t *count)
{
    if (i >= GK_FED_COUNT - GK_FED_MALFORMED)
        return GKM_ARG;
    pthread_mutex_lock(&m->lock);
    *text = gk_verdict_str((gk_verdict)(GK_FED_MALFORMED + i));
    *count = gk_member_count(m->e, (gk_verdict)(GK_FED_MALFORMED + i));
    pthread_mutex_unlock(&m->lock);
    return GKM_OK;
}
