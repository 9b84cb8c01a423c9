/* gkm_ask: requests and their answers; authority records. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/gk_cli.h"
#include "gkm_internal.h"

enum { ASK_AGAIN_MS = 15000, AUTHORITY_AT_ONCE = 4, LOOK_AT_ONCE = 64 };

void gkm_path(const gkm *m, char out[GK_TREE_PATH], const char *format, ...)
{
    char rest[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(rest, sizeof(rest), format, args);
    va_end(args);
    gk_tree_path(out, m->settings.root, "groups/%s/%s", gk_member_group_name(m->e), rest);
}

/* read_authority reads the next records at once, and with genesis its znode, too. Gives how many records there were, -1 on failure; with genesis *rc says
 * whether it and they could be read. */
static int read_authority(gkm *m, bool genesis, int *rc)
{
    char paths[AUTHORITY_AT_ONCE + 1][GK_TREE_PATH];
    const char *list[AUTHORITY_AT_ONCE + 1];
    size_t most = AUTHORITY_AT_ONCE + genesis;
    uint64_t next = gk_member_authority_version(m->e) + 1;
    gk_zk_reads *reads = NULL;
    gk_zk_data d = {0};
    gk_err e = GK_OK;
    int there = 0;

    gkm_path(m, paths[0], "genesis");
    for (size_t i = 0; i < AUTHORITY_AT_ONCE; i++)
        gk_tree_path(paths[i + 1], m->settings.root, "authority/%llu", (unsigned long long)(next + i));
    for (size_t i = 0; i <= AUTHORITY_AT_ONCE; i++)
        list[i] = paths[i];
    reads = gk_zk_reads_begin(m->zk, list + !genesis, most, NULL, GKM_TIMEOUT_MS);
    if (genesis) {
        *rc = gk_zk_reads_take(reads, 0, &d);
        if (*rc == ZOK)
            e = gk_member_genesis(m->e, (gk_bytes){d.data, d.n});
        gk_zk_data_free(&d);
        there = *rc == ZOK && e == GK_OK ? 0 : -1;
    }
    for (size_t i = genesis; there >= 0 && i < most; i++) {
        int got = gk_zk_reads_take(reads, i, &d);

        if (got == ZOK) {
            pthread_mutex_lock(&m->lock);
            e = gk_member_authority(m->e, (gk_bytes){d.data, d.n});
            pthread_mutex_unlock(&m->lock);
        }
        gk_zk_data_free(&d);
        if (genesis && got != ZOK && got != ZNONODE) /* not in time is not forged */
            *rc = got;
        if (got == ZNONODE)
            break;
        there = got == ZOK && e == GK_OK ? there + 1 : -1;
    }
    (void)gk_zk_reads_end(reads, NULL);
    return there;
}

bool gkm_authority(gkm *m)
{
    int there = 0;

    do
        there = read_authority(m, false, NULL);
    while (there == AUTHORITY_AT_ONCE);
    return there >= 0;
}

gkm_result gkm_believe(gkm *m)
{
    int rc = ZOK;
    int there = read_authority(m, true, &rc);

    if (rc != ZOK)
        return rc == ZNONODE ? GKM_ARG : GKM_CONNECT;
    return there < 0 || (there == AUTHORITY_AT_ONCE && !gkm_authority(m)) ? GKM_AUTH : GKM_OK;
}

gkm_result gkm_ask(gkm *m, gk_request_kind kind, gk_bytes token)
{
    char path[GK_TREE_PATH];
    char id[2 * GK_HASH + 1];
    char why[GKM_WHY] = {0};
    gk_zk_reads *watch = NULL;
    gk_mem message = {0};
    uint8_t hash[GK_HASH];
    gk_err e = GK_OK;
    gkm_result r = GKM_OK;
    int rc = ZOK;

    pthread_mutex_lock(&m->lock);
    e = gk_member_request(m->e, kind, token, gkm_now(), &message, hash);
    pthread_mutex_unlock(&m->lock);
    if (e != GK_OK)
        return gkm_of(e);
    /* the one-use key must outlive a crash between asking and being answered */
    r = m->lock_fd < 0 ? GKM_OK : gkm_save(m, why, sizeof(why));
    if (r == GKM_OK && kind != GK_REQUEST_LEAVE) { /* the watch is sent with the request, not after it */
        cli_hex(id, hash, GK_HASH);
        gkm_path(m, path, "replies/%s", id);
        watch = gk_zk_reads_begin(m->zk, NULL, 0, path, GKM_TIMEOUT_MS);
    }
    gkm_path(m, path, "requests/r-");
    m->request[0] = '\0';
    if (r == GKM_OK) {
        rc = gk_zk_create(m->zk, path, message.p, message.n, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, m->request, sizeof(m->request),
                          GKM_TIMEOUT_MS);
        if (rc != ZOK)
            m->request[0] = '\0';
        r = rc == ZOK ? GKM_OK : rc == ZNONODE ? GKM_STATE : GKM_CONNECT;
    }
    (void)gk_zk_reads_end(watch, NULL);
    gk_mem_free(&message);
    m->asked_ms = gk_zk_now_ms();
    return r;
}

/* is_there: whether the request lies where the leader reads it. Written by a process before this one, it is looked for among all. */
static bool is_there(gkm *m, const uint8_t hash[GK_HASH])
{
    char path[GK_TREE_PATH];
    char **names = NULL;
    size_t n = 0;
    bool there = false;
    int rc = ZOK;

    if (m->request[0] != '\0')
        return gk_zk_exists(m->zk, m->request, false, NULL, GKM_TIMEOUT_MS) != ZNONODE;
    gkm_path(m, path, "requests");
    rc = gk_zk_children(m->zk, path, false, &names, &n, GKM_TIMEOUT_MS);
    for (size_t i = 0; i < n && rc == ZOK && !there; i += LOOK_AT_ONCE) {
        char paths[LOOK_AT_ONCE][GK_TREE_PATH];
        const char *list[LOOK_AT_ONCE];
        gk_zk_data d[LOOK_AT_ONCE] = {0};
        size_t some = n - i < LOOK_AT_ONCE ? n - i : LOOK_AT_ONCE;

        for (size_t k = 0; k < some; k++) {
            gkm_path(m, paths[k], "requests/%s", names[i + k]);
            list[k] = paths[k];
        }
        rc = gk_zk_get_many(m->zk, list, some, d, GKM_TIMEOUT_MS);
        for (size_t k = 0; k < some; k++) {
            uint8_t found[GK_HASH] = {0};
            gk_bytes request = {d[k].data, d[k].n};

            if (d[k].rc == ZOK && gk_sha256(found, &request, 1) == GK_OK && memcmp(found, hash, GK_HASH) == 0) { /* public */
                there = true;
                memcpy(m->request, paths[k], GK_TREE_PATH);
            }
            gk_zk_data_free(&d[k]);
        }
    }
    gk_zk_names_free(names, n);
    return there || rc != ZOK;
}

int gkm_approval(gkm *m)
{
    char path[GK_TREE_PATH];
    char id[2 * GK_HASH + 1];
    uint8_t hash[GK_HASH];

    if (!gk_member_awaits(m->e, hash))
        return ZNONODE;
    cli_hex(id, hash, GK_HASH);
    gkm_path(m, path, "replies/%s-pending", id);
    return gk_zk_exists(m->zk, path, false, NULL, GKM_TIMEOUT_MS);
}

bool gkm_is_lost(gkm *m)
{
    char path[GK_TREE_PATH];
    uint8_t hash[GK_HASH];

    gkm_path(m, path, "requests");
    if (!gk_member_awaits(m->e, hash) || is_there(m, hash)) /* mostly: one read for each who waits for a batch */
        return false;
    return gk_zk_sync(m->zk, path, GKM_TIMEOUT_MS) == ZOK && !is_there(m, hash) && gkm_approval(m) == ZNONODE;
}

gkm_result gkm_take_reply(gkm *m)
{
    char path[GK_TREE_PATH];
    char id[2 * GK_HASH + 1];
    uint8_t hash[GK_HASH];
    gk_zk_reads *reads = NULL;
    gk_zk_data d = {0};
    gk_verdict v = GK_FED_REPLY;
    bool awaits = false;
    int rc = ZOK;

    pthread_mutex_lock(&m->lock);
    awaits = gk_member_awaits(m->e, hash);
    pthread_mutex_unlock(&m->lock);
    if (!awaits)
        return GKM_STATE;
    cli_hex(id, hash, GK_HASH);
    gkm_path(m, path, "replies/%s", id);
    reads = gk_zk_reads_begin(m->zk, (const char *const[]){path}, 1, path, GKM_TIMEOUT_MS);
    rc = gk_zk_reads_take(reads, 0, &d);
    if (gk_zk_reads_end(reads, NULL) == ZOK && rc == ZNONODE) { /* it came in between */
        gk_zk_data_free(&d);
        rc = gk_zk_get(m->zk, path, false, &d, GKM_TIMEOUT_MS);
    }
    if (rc != ZOK) {
        gk_zk_data_free(&d);
        return rc == ZNONODE ? GKM_TIMEOUT : GKM_CONNECT;
    }
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&m->lock);
        v = gk_member_reply(m->e, (gk_bytes){d.data, d.n}, gkm_now());
        pthread_mutex_unlock(&m->lock);
        if (v != GK_FED_NEEDS_AUTHORITY || !gkm_authority(m))
            break;
    }
    if (v == GK_FED_JOINED)
        m->zxid = d.stat.czxid;
    gk_zk_data_free(&d);
    if (v == GK_FED_JOINED && m->lock_fd >= 0)
        gkm_note(m, GKM_VIA_REFRESH);
    if (m->lock_fd >= 0)
        (void)gkm_settled(m, v);
    if (v == GK_FED_JOINED)
        return GKM_OK;
    return v == GK_FED_REFUSED_BY_CONTROLLER ? GKM_REFUSED : v == GK_FED_EVICTED ? GKM_OUT : GKM_AUTH;
}

void gkm_requests(gkm *m)
{
    uint8_t hash[GK_HASH];
    bool leave = false;
    bool refresh = false;
    bool awaits = false;
    bool reply = false;

    pthread_mutex_lock(&m->lock);
    leave = m->want_leave;
    refresh = m->want_refresh || gk_member_status(m->e) == GK_MEMBER_BEHIND;
    awaits = gk_member_awaits(m->e, hash);
    reply = m->reply_dirty;
    m->reply_dirty = false;
    m->want_leave = m->want_refresh = false;
    pthread_mutex_unlock(&m->lock);
    if (awaits && (reply || refresh || leave)) {
        gkm_result r = gkm_take_reply(m);

        awaits = r == GKM_TIMEOUT || r == GKM_CONNECT;
        if (!awaits) {
            pthread_mutex_lock(&m->lock);
            m->woken = true; /* there is a new epoch to follow from */
            m->answers++;
            m->answer = r;
            pthread_cond_broadcast(&m->wake);
            pthread_mutex_unlock(&m->lock);
            refresh = refresh && r != GKM_OK;
        }
    }
    if (!leave && (!refresh || (m->asked_ms != 0 && gk_zk_now_ms() - m->asked_ms < (awaits ? ASK_AGAIN_MS : 1000))))
        return;
    if (gkm_ask(m, leave ? GK_REQUEST_LEAVE : GK_REQUEST_REFRESH, (gk_bytes){0}) == GKM_OK) {
        pthread_mutex_lock(&m->lock);
        m->reply_dirty = m->woken = true; /* so that the reply is looked for, and watched */
        pthread_mutex_unlock(&m->lock);
    }
}
