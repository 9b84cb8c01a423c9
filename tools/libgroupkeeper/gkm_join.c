/* gkm_join: admission. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/gk_cli.h"
#include "gkm_internal.h"

/* read_trust: 64 hex digits, white space around. */
static bool read_trust(uint8_t out[GK_HASH], const char *text)
{
    char hex[2 * GK_HASH + 1] = {0};

    text += strspn(text, " \t\r\n");
    if (strlen(text) < 2 * GK_HASH || strspn(text + 2 * GK_HASH, " \t\r\n") != strlen(text + 2 * GK_HASH))
        return false;
    memcpy(hex, text, 2 * GK_HASH);
    return cli_unhex(out, GK_HASH, hex);
}

/* found makes the engine of a new member. */
static gkm_result found(gkm *m, const gkm_options *o, char *why, size_t why_n)
{
    uint8_t trust[GK_HASH];
    uint8_t id[GK_TOKEN_ID];
    gk_key *k = NULL;
    gk_err e = GK_OK;

    if (o->group == NULL || o->name == NULL || !gk_name_ok((gk_bytes){(const uint8_t *)o->name, strlen(o->name)})) {
        (void)snprintf(why, why_n, "the member needs a name of letters, digits and - _ . @ :");
        return GKM_ARG;
    }
    if (o->trust != NULL
            ? !read_trust(trust, o->trust)
            : o->token == NULL || gk_token_open(&k, id, trust, (gk_bytes){(const uint8_t *)o->token, strlen(o->token)}) != GK_OK) {
        (void)snprintf(why, why_n,
                       o->trust != NULL || o->token == NULL ? "whom to trust must be told: 64 hex digits of gk-admin group trust"
                                                            : "this is no token");
        return GKM_ARG;
    }
    gk_key_free(k);
    k = NULL;
    e = gk_member_new(&m->e, (gk_bytes){(const uint8_t *)o->group, strlen(o->group)}, (gk_bytes){(const uint8_t *)o->name, strlen(o->name)},
                      trust);
    m->by_cert = m->settings.cert != NULL && m->settings.key != NULL &&
                 (o->identity == NULL ? o->token == NULL : strcmp(o->identity, "cert") == 0);
    if (e == GK_OK && !m->by_cert) {
        e = gk_key_generate(&k, GK_PURPOSE_SIGN, 0);
        if (e == GK_OK)
            e = gk_member_identity(m->e, k);
        gk_key_free(k);
    }
    return gkm_of(e);
}

static gkm_result believe(gkm *m, char *why, size_t why_n)
{
    gkm_result r = gkm_believe(m);

    if (r == GKM_AUTH)
        (void)snprintf(why, why_n, "the group %s in ZooKeeper is not the one to trust", gk_member_group_name(m->e));
    else if (r != GKM_OK)
        (void)snprintf(why, why_n, r == GKM_ARG ? "there is no group %s" : "the group %s cannot be read", gk_member_group_name(m->e));
    return r;
}

static void explain_refusal(const gkm *m, gkm_result r, char *why, size_t why_n)
{
    if (r == GKM_REFUSED)
        (void)snprintf(why, why_n, "%s", gk_refusal_str(gk_member_refusal(m->e)));
    else if (r == GKM_AUTH)
        (void)snprintf(why, why_n, "the answer in ZooKeeper is not a controller's");
}

gkm_result gkm_await_answer(gkm *m, int64_t deadline)
{
    for (;;) {
        gkm_result r = GKM_TIMEOUT;
        struct timespec t;
        int64_t until = gk_zk_now_ms() + 1000;

        until = until < deadline ? until : deadline;
        t = (struct timespec){.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000L};
        pthread_mutex_lock(&m->lock);
        while (!m->reply_dirty && pthread_cond_timedwait(&m->wake, &m->lock, &t) != ETIMEDOUT)
            continue;
        m->reply_dirty = false;
        pthread_mutex_unlock(&m->lock);
        r = gkm_take_reply(m);
        if (r != GKM_TIMEOUT && r != GKM_CONNECT)
            return r;
        if (gk_zk_now_ms() >= deadline)
            return gk_member_refusal(m->e) == GK_REFUSAL_PENDING ? GKM_PENDING : GKM_TIMEOUT;
    }
}

/* is_pending: whether the leader left word that somebody has to approve. */
static bool is_pending(gkm *m)
{
    char path[GK_TREE_PATH];
    char id[2 * GK_HASH + 1];
    uint8_t hash[GK_HASH];

    if (!gk_member_awaits(m->e, hash))
        return false;
    cli_hex(id, hash, GK_HASH);
    gkm_path(m, path, "replies/%s-pending", id);
    return gk_zk_exists(m->zk, path, false, NULL, GKM_TIMEOUT_MS) == ZOK;
}

static gkm_result join(gkm *m, const gkm_options *o, int64_t deadline, char *why, size_t why_n)
{
    uint8_t hash[GK_HASH];
    gkm_result r = gkm_lock(m, why, why_n);

    if (r != GKM_OK)
        return r;
    r = gkm_load(m, o, why, why_n);
    if (r == GKM_FILE && m->e == NULL) { /* a new one; what is unreadable fails again when it is written */
        if (!gkm_settle(m, o))
            return GKM_NOMEM;
        r = found(m, o, why, why_n);
    } else if (r == GKM_OK && (gk_member_status(m->e) == GK_MEMBER_IN || gk_member_status(m->e) == GK_MEMBER_BEHIND)) {
        (void)snprintf(why, why_n, "%s is a member's already", m->file);
        return GKM_STATE;
    }
    if (r == GKM_OK)
        r = gkm_identify(m, why, why_n);
    if (r == GKM_OK)
        r = gkm_connect(m, why, why_n);
    if (r == GKM_OK && gk_zk_wait(m->zk, (int)(deadline - gk_zk_now_ms())) != ZOK) {
        gk_zk_problem(m->zk, why, why_n);
        r = GKM_CONNECT;
    }
    if (r == GKM_OK)
        r = believe(m, why, why_n);
    if (r == GKM_OK && !gk_member_awaits(m->e, hash)) {
        pthread_mutex_lock(&m->lock);
        m->reply_dirty = false; /* there can't be an answer yet: the watch tells */
        pthread_mutex_unlock(&m->lock);
        r = gkm_ask(m, GK_REQUEST_JOIN, (gk_bytes){(const uint8_t *)o->token, o->token == NULL ? 0 : strlen(o->token)});
    }
    if (r == GKM_OK) {
        r = gkm_await_answer(m, deadline);
        r = r == GKM_TIMEOUT && is_pending(m) ? GKM_PENDING : r;
        if (r == GKM_TIMEOUT && gk_zk_connected(m->zk))
            (void)snprintf(why, why_n, "no answer to the request");
        else if (r == GKM_TIMEOUT)
            gk_zk_problem(m->zk, why, why_n);
        explain_refusal(m, r, why, why_n);
    }
    return r;
}

gkm_result gkm_join(const gkm_options *o, int timeout_ms, char *why, size_t why_n)
{
    char unwanted[GKM_WHY];
    gkm *m = NULL;
    gkm_result r = GKM_OK;

    if (why == NULL) {
        why = unwanted;
        why_n = sizeof(unwanted);
    }
    if (why_n > 0)
        why[0] = '\0';
    if (o->size < sizeof(*o)) {
        (void)snprintf(why, why_n, "the options are of an older version");
        return GKM_ARG;
    }
    r = gkm_new(&m, o, why, why_n);
    if (r == GKM_OK) {
        if (why_n > 0)
            why[0] = '\0';
        r = join(m, o, gk_zk_now_ms() + timeout_ms, why, why_n);
    }
    gkm_free(m);
    return r;
}
