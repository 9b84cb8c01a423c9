/* gkm_join: admission. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/gk_cli.h"
#include "gkm_internal.h"

enum { AGAIN_MS = 200 };

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

/* believe connects to ZooKeeper and reads whom to believe; what doesn't come in time is asked for again, until deadline. */
static gkm_result believe(gkm *m, int64_t deadline, char *why, size_t why_n)
{
    gkm_result r = GKM_CONNECT;

    for (bool first = true; r == GKM_CONNECT && (first || gk_zk_now_ms() < deadline); first = false) {
        if (!first)
            (void)nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000L}, NULL);
        if (gk_zk_wait(m->zk, (int)(deadline - gk_zk_now_ms())) != ZOK) {
            gk_zk_problem(m->zk, why, why_n);
            return GKM_CONNECT;
        }
        r = gkm_believe(m);
    }
    if (r == GKM_AUTH)
        (void)snprintf(why, why_n, "the group %s in ZooKeeper is not the one to trust", gk_member_group_name(m->e));
    else if (r != GKM_OK)
        (void)snprintf(why, why_n, r == GKM_ARG ? "there is no group %s" : "the group %s cannot be read", gk_member_group_name(m->e));
    return r;
}

static void explain(const gkm *m, gkm_result r, gk_refusal refusal, bool again, char *why, size_t why_n)
{
    if (r == GKM_REFUSED)
        (void)snprintf(why, why_n, "%s%s", gk_refusal_str(refusal),
                       again && refusal == GK_REFUSAL_POLICY ? " (the request of before was lost: if it had a token, that is needed again)" : "");
    else if (r == GKM_AUTH)
        (void)snprintf(why, why_n, "the answer in ZooKeeper is not a controller's");
    else if (r == GKM_TIMEOUT && gk_zk_connected(m->zk))
        (void)snprintf(why, why_n, "no answer to the request");
    else if (r == GKM_TIMEOUT)
        gk_zk_problem(m->zk, why, why_n);
}

/* await_answer waits until deadline for the reply; each event on its node wakes it. GKM_STATE: for grace_ms the request was neither answered nor to be
 * found. */
static gkm_result await_answer(gkm *m, int64_t deadline, int64_t grace_ms)
{
    int64_t gone = 0; /* since when */

    for (;;) {
        gkm_result r = GKM_TIMEOUT;
        struct timespec t;
        int64_t until = gk_zk_now_ms() + 1000;
        bool lost = false;

        until = until < deadline ? until : deadline;
        t = (struct timespec){.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000L};
        pthread_mutex_lock(&m->lock);
        while (!m->reply_dirty && pthread_cond_timedwait(&m->wake, &m->lock, &t) != ETIMEDOUT)
            continue;
        m->reply_dirty = false;
        pthread_mutex_unlock(&m->lock);
        lost = gk_zk_now_ms() >= until && gkm_is_lost(m); /* before the reply is looked for, which the leader writes before it takes the request away */
        r = gkm_take_reply(m);
        if (r != GKM_TIMEOUT && r != GKM_CONNECT)
            return r;
        if (gk_zk_now_ms() >= deadline)
            return GKM_TIMEOUT;
        if (lost && gone != 0 && gk_zk_now_ms() - gone >= grace_ms)
            return GKM_STATE;
        gone = !lost ? 0 : gone == 0 ? gk_zk_now_ms() : gone;
    }
}

/* admit asks to join and waits for the answer. A request may be lost: the process before this one ended before it was written, somebody removed it, or its
 * answer, unread, is gone. Then it asks again: first for what a member gets, for it may be one; that admits nobody, and costs no token. *refusal is what the
 * controller said to the newest request to join; *again: to another one than the first. */
static gkm_result admit(gkm *m, gk_bytes token, int64_t deadline, gk_refusal *refusal, bool *again)
{
    uint8_t hash[GK_HASH];
    gk_request_kind kind = GK_REQUEST_JOIN;
    int64_t grace = 1000;
    gkm_result r = GKM_OK;
    bool ask = !gk_member_awaits(m->e, hash);
    bool late = false; /* the first request may have come after the second */

    *refusal = GK_REFUSAL_NONE;
    *again = !ask;
    for (;;) {
        if (ask) {
            pthread_mutex_lock(&m->lock);
            m->reply_dirty = false; /* there can't be an answer yet: the watch tells */
            pthread_mutex_unlock(&m->lock);
            r = gkm_ask(m, kind, kind == GK_REQUEST_JOIN ? token : (gk_bytes){0});
            if (r != GKM_OK && r != GKM_CONNECT)
                return r;
        }
        ask = true;
        r = await_answer(m, deadline, grace);
        if (r == GKM_STATE || (r == GKM_AUTH && *again && grace == 1000)) { /* lost, or the answer of a controller that is none any more */
            kind = GK_REQUEST_REFRESH;
            grace = grace < 16000 ? grace * 2 : grace;
            *again = true;
        } else if (r != GKM_REFUSED) {
            return r;
        } else if (gk_member_refusal(m->e) == GK_REFUSAL_MEMBER) { /* no request to join gets that */
            if (late)
                return r;
            kind = GK_REQUEST_JOIN;
        } else {
            bool expired = gk_member_refusal(m->e) == GK_REFUSAL_EXPIRED;

            *refusal = gk_member_refusal(m->e);
            if (!*again || late || kind == GK_REQUEST_REFRESH)
                return r;
            kind = expired ? GK_REQUEST_JOIN : GK_REQUEST_REFRESH;
            late = !expired;
            *again = !expired;
        }
    }
}

static gkm_result join(gkm *m, const gkm_options *o, int64_t deadline, char *why, size_t why_n)
{
    gk_refusal refusal = GK_REFUSAL_NONE;
    bool again = false;
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
    if (r == GKM_OK)
        r = believe(m, deadline, why, why_n);
    if (r == GKM_OK) {
        r = admit(m, (gk_bytes){(const uint8_t *)o->token, o->token == NULL ? 0 : strlen(o->token)}, deadline, &refusal, &again);
        r = r == GKM_TIMEOUT && gkm_approval(m) == ZOK ? GKM_PENDING : r;
        explain(m, r, refusal, again, why, why_n);
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
