/* ctl_query: what gk-admin wants to know. */
#include <string.h>

#include "../common/gk_cli.h"
#include "ctl.h"

enum { PAGE = 1500 };

static void add_hex(cJSON *to, const char *key, const uint8_t *p, size_t n)
{
    char hex[2 * GK_HASH + 1];

    cli_hex(hex, p, n);
    cJSON_AddStringToObject(to, key, hex);
}

static cJSON *describe(const ctl_group *g, const gk_group_info *i)
{
    cJSON *doc = cJSON_CreateObject();
    cJSON *last = NULL;
    cJSON *refused = NULL;
    uint8_t fingerprint[8] = {0};

    cJSON_AddStringToObject(doc, "group", g->name);
    add_hex(doc, "id", i->genesis.id, GK_GROUP_ID);
    cJSON_AddStringToObject(doc, "mode", i->genesis.mode == GK_MODE_FLAT ? "flat" : "lkh");
    cJSON_AddStringToObject(doc, "keyed_by", "controller");
    cJSON_AddNumberToObject(doc, "epoch", (double)i->epoch);
    cJSON_AddNumberToObject(doc, "members", i->members);
    cJSON_AddNumberToObject(doc, "pending", i->pending);
    cJSON_AddNumberToObject(doc, "queued", i->queued);
    cJSON_AddNumberToObject(doc, "tokens", i->tokens);
    cJSON_AddNumberToObject(doc, "denied", i->denied);
    cJSON_AddNumberToObject(doc, "height", i->height);
    cJSON_AddNumberToObject(doc, "memory", (double)i->memory);
    if (gk_group_fingerprint(g->g, fingerprint) == GK_OK)
        add_hex(doc, "fingerprint", fingerprint, sizeof(fingerprint));
    last = cJSON_AddObjectToObject(doc, "last_rekey");
    cJSON_AddStringToObject(last, "reason", gk_reason_str(i->last_reason));
    cJSON_AddNumberToObject(last, "znode_writes", i->last_key_writes);
    cJSON_AddNumberToObject(last, "bytes", (double)i->last_key_bytes);
    cJSON_AddNumberToObject(last, "wraps", i->last_wraps);
    cJSON_AddNumberToObject(last, "ms", g->last_ms);
    refused = cJSON_AddObjectToObject(doc, "refused");
    for (int r = GK_REFUSAL_MALFORMED; r < GK_REFUSAL_COUNT; r++) {
        uint64_t n = gk_group_refused(g->g, (gk_refusal)r);

        if (n > 0)
            cJSON_AddNumberToObject(refused, gk_refusal_str((gk_refusal)r), (double)n);
    }
    return doc;
}

static cJSON *people(const ctl_group *g, size_t from)
{
    cJSON *doc = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(doc, "members");
    gk_person p = {0};
    size_t i = from;

    for (; i < from + PAGE && gk_group_person(g->g, i, &p); i++) {
        cJSON *e = cJSON_CreateObject();

        cJSON_AddStringToObject(e, "member", p.name);
        cJSON_AddStringToObject(e, "state", p.state == GK_PERSON_ACTIVE ? "active" : p.state == GK_PERSON_PENDING ? "pending" : "evicted");
        cJSON_AddNumberToObject(e, "since_epoch", (double)p.since_epoch);
        add_hex(e, "identity", p.identity, GK_HASH);
        if (p.state == GK_PERSON_PENDING)
            add_hex(e, "request", p.request, GK_HASH);
        cJSON_AddItemToArray(list, e);
    }
    cJSON_AddNumberToObject(doc, "next", gk_group_person(g->g, i, &p) ? (double)i : 0);
    return doc;
}

static cJSON *all_groups(ctl *c)
{
    cJSON *doc = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(doc, "groups");

    for (size_t i = 0; i < c->n_groups; i++) {
        gk_group_info info = {0};
        cJSON *e = cJSON_CreateObject();

        cJSON_AddStringToObject(e, "group", c->groups[i]->name);
        if (ctl_group_ready(c, c->groups[i]) && gk_group_look(c->groups[i]->g, &info) == GK_OK) {
            cJSON_AddStringToObject(e, "mode", info.genesis.mode == GK_MODE_FLAT ? "flat" : "lkh");
            cJSON_AddNumberToObject(e, "epoch", (double)info.epoch);
            cJSON_AddNumberToObject(e, "members", info.members);
        }
        cJSON_AddItemToArray(list, e);
    }
    return doc;
}

cJSON *ctl_query(ctl *c, ctl_group *g, gk_bytes question)
{
    cJSON *q = cJSON_ParseWithLength((const char *)question.p, question.n);
    const char *what = cJSON_GetStringValue(cJSON_GetObjectItem(q, "query"));
    const cJSON *from = cJSON_GetObjectItem(q, "from");
    gk_group_info info = {0};
    cJSON *doc = NULL;

    if (what == NULL)
        doc = NULL;
    else if (g == NULL && strcmp(what, "groups") == 0)
        doc = all_groups(c);
    else if (g != NULL && strcmp(what, "group") == 0 && gk_group_look(g->g, &info) == GK_OK)
        doc = describe(g, &info);
    else if (g != NULL && strcmp(what, "members") == 0)
        doc = people(g, cJSON_IsNumber(from) && from->valuedouble > 0 ? (size_t)from->valuedouble : 0);
    cJSON_Delete(q);
    return doc;
}
