/* ctl_role: a standby becomes the leader, and the leader a standby. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../common/gk_cli.h"
#include "../common/gk_log.h"
#include "../common/gk_notify.h"
#include "ctl.h"

enum { HANDOVER_PAUSE_MS = 3000 };

void ctl_say_role(const ctl *c)
{
    cJSON *doc = cJSON_CreateObject();

    cJSON_AddStringToObject(doc, "role", c->leader ? "leader" : "standby");
    cJSON_AddNumberToObject(doc, "controller_epoch", c->token);
    cJSON_AddNumberToObject(doc, "time_ms", (double)ctl_now());
    (void)cli_json(doc);
    gk_log(GK_LOG_INFO, c->leader ? "leading" : "standing-by", "controller_epoch=%d id=\"%s\"", c->token, c->o->id);
    gk_notify(c->leader ? "STATUS=leader" : "STATUS=standby");
}

bool ctl_announce(ctl *c)
{
    char path[GK_TREE_PATH];
    int rc = ZOK;

    gk_tree_path(path, c->o->root, "controllers/live/%s", c->o->id);
    rc = gk_zk_delete(c->zk, path, -1, CTL_TIMEOUT_MS); /* of a session before */
    if (rc == ZOK || rc == ZNONODE)
        rc = gk_zk_create(c->zk, path, NULL, 0, gk_tree_acl(c->authenticated, false), ZOO_EPHEMERAL, NULL, 0, CTL_TIMEOUT_MS);
    return rc == ZOK;
}

void ctl_step_down(ctl *c, bool handover)
{
    char epoch[GK_TREE_PATH];
    char path[GK_TREE_PATH];

    if (handover) {
        gk_zk_op ops[2];

        gk_tree_path(epoch, c->o->root, "controllers/epoch");
        gk_tree_path(path, c->o->root, "controllers/beat");
        ops[0] = (gk_zk_op){.kind = GK_ZK_CHECK, .path = epoch, .version = c->token};
        ops[1] = (gk_zk_op){.kind = GK_ZK_SET, .path = path, .data = "free", .n = 4, .version = -1};
        pthread_mutex_lock(&c->lock);
        c->leader = false; /* the pulse stops first, or it would overwrite this */
        pthread_mutex_unlock(&c->lock);
        gk_link_say(c->link, false, 0, false);
        (void)nanosleep(&(struct timespec){.tv_nsec = CTL_PULSE_MS * 1000000L}, NULL);
        (void)gk_zk_multi(c->zk, ops, 2, NULL, NULL, CTL_TIMEOUT_MS);
        c->quiet_until = gk_zk_now_ms() + HANDOVER_PAUSE_MS;
    }
    pthread_mutex_lock(&c->lock);
    c->leader = c->fenced = c->campaign = false;
    c->groups_dirty = true;
    pthread_mutex_unlock(&c->lock);
    gk_link_say(c->link, false, 0, false);
    ctl_groups_free(c);
    ctl_say_role(c);
}

/* take_token sets the epoch node, unless somebody did since it was seen, or the leader's counter moved: when ZooKeeper stalls, a living leader's beats
 * are in its queue before this. */
static bool take_token(ctl *c, int32_t seen, int32_t seen_beat, int32_t *token)
{
    char epoch[GK_TREE_PATH];
    char path[GK_TREE_PATH];
    const gk_zk_op ops[2] = {{.kind = GK_ZK_CHECK, .path = path, .version = seen_beat},
                             {.kind = GK_ZK_SET, .path = epoch, .data = c->o->id, .n = strlen(c->o->id), .version = seen}};
    int versions[2] = {0};
    int rc = ZOK;

    gk_tree_path(epoch, c->o->root, "controllers/epoch");
    gk_tree_path(path, c->o->root, "controllers/beat");
    rc = gk_zk_multi(c->zk, ops, 2, NULL, versions, CTL_TIMEOUT_MS);
    *token = versions[1];
    if (rc != ZOK && rc != ZBADVERSION)
        gk_log(GK_LOG_WARN, "no-takeover", "why=\"%s\"", gk_zk_str(rc));
    return rc == ZOK;
}

void ctl_campaign(ctl *c)
{
    char path[GK_TREE_PATH];
    bool can_lead = false;
    int32_t token = 0;
    int32_t seen = 0;
    int32_t seen_beat = 0;

    pthread_mutex_lock(&c->lock);
    seen = c->seen;
    seen_beat = c->seen_beat;
    c->campaign = false;
    pthread_mutex_unlock(&c->lock);
    gk_tree_path(path, c->o->root, "controllers");
    if (gk_zk_now_ms() < c->quiet_until || gk_zk_sync(c->zk, path, CTL_TIMEOUT_MS) != ZOK || !ctl_keys_authority(c) ||
        !ctl_keys_read(c, &can_lead))
        return;
    if (!can_lead) {
        gk_log(GK_LOG_WARN, "cannot-lead", "why=\"the newest state key is not for this controller: a leader has to make another one\"");
        return;
    }
    if (!take_token(c, seen, seen_beat, &token))
        return;
    pthread_mutex_lock(&c->lock);
    c->leader = true;
    c->fenced = false;
    c->token = token;
    c->commands_dirty = c->authority_dirty = c->keys_dirty = c->sweep = true;
    c->progress_ms = gk_zk_now_ms();
    pthread_mutex_unlock(&c->lock);
    c->control.controller_epoch = (uint64_t)token;
    gk_link_say(c->link, true, (uint64_t)token, false);
    ctl_say_role(c);
    /* what the former leader committed must be visible on the server that we read from */
    if (gk_zk_sync(c->zk, path, CTL_TIMEOUT_MS) != ZOK || !ctl_audit_resume(c) || !ctl_keys_renew(c) || !ctl_group_list(c))
        ctl_step_down(c, false);
}
