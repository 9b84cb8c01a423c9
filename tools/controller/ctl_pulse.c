/* ctl_pulse: the leader keeps a counter in ZooKeeper moving; a standby watches it and the heartbeats, and says when it is time to take over. That it
 * may be wrong is no danger: the epoch node decides who writes. */
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "../common/gk_log.h"
#include "ctl.h"

enum { GONE_MS = 300, ALONE_MS = 1500, BACK_OFF_MS = 150, HUNG_MS = 10000, READ_MS = 400 };

/* What a standby has seen. */
typedef struct sight {
    int32_t version;
    int32_t epoch; /* version of the epoch node then: what a takeover compares with */
    int64_t since; /* of the first look that saw this version */
    int64_t last;  /* of the newest look */
    bool free;     /* the leader let go */
    bool known;
} sight;

static void nap(int ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    (void)nanosleep(&t, NULL);
}

/* beat moves the counter; *last is when it last moved. */
static void beat(ctl *c, int32_t token, int64_t *last)
{
    char epoch[GK_TREE_PATH];
    char path[GK_TREE_PATH];
    gk_zk_op ops[2];
    size_t failed = 0;
    bool hung = false;
    int rc = ZOK;

    pthread_mutex_lock(&c->lock);
    hung = gk_zk_now_ms() - c->progress_ms > HUNG_MS;
    pthread_mutex_unlock(&c->lock);
    gk_tree_path(epoch, c->o->root, "controllers/epoch");
    gk_tree_path(path, c->o->root, "controllers/beat");
    ops[0] = (gk_zk_op){.kind = GK_ZK_CHECK, .path = epoch, .version = token};
    ops[1] = (gk_zk_op){.kind = GK_ZK_SET, .path = path, .version = -1};
    rc = hung ? ZOPERATIONTIMEOUT : gk_zk_multi(c->zk, ops, 2, &failed, NULL, READ_MS);
    if (rc == ZOK)
        *last = gk_zk_now_ms();
    else if (failed == 0 && (rc == ZBADVERSION || rc == ZNONODE))
        ctl_set_fenced(c);
    /* a leader that can't write is none: its peers may try */
    gk_link_say(c->link, gk_zk_now_ms() - *last <= GK_LINK_SUSPECT_MS, (uint64_t)token, hung);
}

static void look(ctl *c, sight *s)
{
    char paths[2][GK_TREE_PATH];
    const char *list[2] = {paths[0], paths[1]};
    gk_zk_data d[2] = {0};
    int64_t now = 0;

    gk_tree_path(paths[0], c->o->root, "controllers/beat");
    gk_tree_path(paths[1], c->o->root, "controllers/epoch");
    if (gk_zk_get_many(c->zk, list, 2, d, READ_MS) == ZOK && d[0].rc == ZOK && d[1].rc == ZOK) {
        now = gk_zk_now_ms();
        /* not looking for a while is not standing still */
        if (!s->known || d[0].stat.version != s->version || d[1].stat.version != s->epoch || now - s->last > 1000)
            s->since = now;
        s->known = true;
        s->version = d[0].stat.version;
        s->epoch = d[1].stat.version;
        s->last = now;
        s->free = d[0].n == 4 && memcmp(d[0].data, "free", 4) == 0; /* public */
    }
    gk_zk_data_free(&d[0]);
    gk_zk_data_free(&d[1]);
}

/* patience: for how long the counter has to stand still, as the heartbeats are; -1 while a leader is heard. */
static int64_t patience(ctl *c)
{
    gk_link_peer peers[GK_LINK_PEERS];
    size_t n = gk_link_peers(c->link, peers);
    int64_t now = gk_zk_now_ms();
    int64_t ms = ALONE_MS;

    for (size_t i = 0; i < n; i++) {
        if (!peers[i].leader)
            continue;
        if (peers[i].open > 0 && now - peers[i].heard_ms <= GK_LINK_SUSPECT_MS)
            return -1;
        ms = peers[i].open == 0 ? GONE_MS : GK_LINK_SUSPECT_MS; /* its process ended; or it is silent */
    }
    return ms;
}

static bool time_to_take_over(ctl *c, const sight *s)
{
    int64_t wait = patience(c);

    if (!s->known || gk_zk_now_ms() - s->last > READ_MS)
        return false;
    return s->free || (wait >= 0 && s->last - s->since >= wait);
}

static void stand_by(ctl *c, sight *s)
{
    uint8_t random = 0;

    look(c, s);
    gk_link_say(c->link, false, 0, false);
    if (!time_to_take_over(c, s) || RAND_bytes(&random, 1) != 1)
        return;
    nap(random * BACK_OFF_MS / 255);
    look(c, s);
    if (!time_to_take_over(c, s))
        return;
    pthread_mutex_lock(&c->lock);
    c->campaign = true;
    c->seen = s->epoch;
    c->seen_beat = s->version;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    s->known = false; /* look anew, whatever comes of it */
}

void *ctl_pulse(void *arg)
{
    ctl *c = arg;
    sight s = {0};
    int32_t mine = -1;
    int64_t last = 0;

    for (;;) {
        bool leader = false;
        int32_t token = 0;

        pthread_mutex_lock(&c->lock);
        leader = c->leader && !c->fenced;
        token = c->token;
        if (c->stop) {
            pthread_mutex_unlock(&c->lock);
            return NULL;
        }
        pthread_mutex_unlock(&c->lock);
        if (leader) {
            if (mine != token)
                last = gk_zk_now_ms();
            mine = token;
            beat(c, token, &last);
            s = (sight){0};
        } else {
            stand_by(c, &s);
        }
        nap(CTL_PULSE_MS);
    }
}
