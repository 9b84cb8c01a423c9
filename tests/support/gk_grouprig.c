#include "gk_grouprig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grig_die(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

/* --- ZooKeeper ------------------------------------------------------------------------------------------------------------------ */

static gk_znode *find(const gk_zk *zk, const char *path)
{
    for (size_t i = zk->n; i-- > 0;) { /* the newest are looked for most */
        if (strcmp(zk->nodes[i].path, path) == 0)
            return &zk->nodes[i];
    }
    return NULL;
}

gk_bytes gk_zk_get(const gk_zk *zk, const char *path)
{
    gk_znode *z = find(zk, path);

    return z == NULL ? (gk_bytes){0} : gk_mem_view(&z->data);
}

bool gk_zk_has(const gk_zk *zk, const char *path)
{
    return find(zk, path) != NULL;
}

void gk_zk_put(gk_zk *zk, const char *path, gk_bytes data)
{
    gk_znode *z = find(zk, path);

    grig_must(data.n <= GK_NODE_MAX);
    if (z == NULL) {
        if (zk->n == zk->cap) {
            zk->cap = zk->cap * 2 + 64;
            zk->nodes = realloc(zk->nodes, zk->cap * sizeof(*zk->nodes));
            grig_must(zk->nodes != NULL);
        }
        z = &zk->nodes[zk->n++];
        *z = (gk_znode){0};
        (void)snprintf(z->path, sizeof(z->path), "%s", path);
    }
    gk_mem_free(&z->data);
    grig_must(gk_mem_copy(&z->data, data) == GK_OK);
    zk->writes++;
}

static void drop(gk_zk *zk, const char *path)
{
    gk_znode *z = find(zk, path);

    if (z == NULL)
        return;
    gk_mem_free(&z->data);
    *z = zk->nodes[--zk->n];
    zk->writes++;
}

void gk_zk_free(gk_zk *zk)
{
    for (size_t i = 0; i < zk->n; i++)
        gk_mem_free(&zk->nodes[i].data);
    free(zk->nodes);
    *zk = (gk_zk){0};
}

void gk_zk_run(gk_zk *zk, const gk_plan *p)
{
    size_t bytes = 0;

    for (size_t i = 0; i < p->n; i++) {
        const gk_write *w = &p->writes[i];

        if (!w->loose) { /* NODEEXISTS, NONODE: the whole multi would fail */
            grig_must((w->kind == GK_WRITE_CREATE) != gk_zk_has(zk, w->path));
            bytes += w->data.n + strlen(w->path) + 100;
        }
        if (w->kind == GK_WRITE_DELETE)
            drop(zk, w->path);
        else if (!w->loose || w->kind == GK_WRITE_SET || !gk_zk_has(zk, w->path))
            gk_zk_put(zk, w->path, gk_mem_view(&w->data));
    }
    grig_must(bytes <= 1048575); /* jute.maxbuffer */
}

/* --- controllers ------------------------------------------------------------------------------------------------------------------ */

gk_key *grig_key(gk_purpose purpose)
{
    gk_key *k = NULL;

    grig_must(gk_key_generate(&k, purpose, 0) == GK_OK);
    return k;
}

static void open_controllers(gk_grouprig *r)
{
    gk_exchange to[3] = {0};
    uint8_t admin[32], controllers[3 * 32];
    gk_mem record = {0};
    uint32_t index = 0;

    r->admin = grig_key(GK_PURPOSE_SIGN);
    grig_must(gk_sign_public(admin, r->admin) == GK_OK);
    for (size_t i = 0; i < 3; i++) {
        r->controllers[i] = grig_key(GK_PURPOSE_SIGN);
        r->dh[i] = grig_key(GK_PURPOSE_EXCHANGE);
        grig_must(gk_sign_public(controllers + 32 * i, r->controllers[i]) == GK_OK);
        grig_must(gk_state_keys_new(&r->state_keys[i]) == GK_OK);
    }
    grig_must(gk_authority_make(&r->authority_record, NULL, (gk_bytes){admin, 32}, (gk_bytes){controllers, 96}, r->now, r->admin) == GK_OK);
    grig_must(gk_authority_read(&r->authority, NULL, gk_mem_view(&r->authority_record)) == GK_OK);
    for (size_t i = 0; i < 3; i++) {
        grig_must(gk_exchange_make(&record, r->dh[i], r->now, r->controllers[i]) == GK_OK);
        grig_must(gk_exchange_read(&to[i], gk_mem_view(&record), r->authority) == GK_OK);
        gk_mem_free(&record);
        r->control[i] = (gk_control){r->controllers[i], r->authority, 1 + i, r->state_keys[i]};
    }
    grig_must(gk_state_keys_make(r->state_keys[0], &record, &index, to, 3, r->now, r->controllers[0]) == GK_OK && index == 1);
    for (size_t i = 1; i < 3; i++)
        grig_must(gk_state_keys_add(r->state_keys[i], gk_mem_view(&record), r->dh[i], r->authority) == GK_OK);
    gk_mem_free(&record);
}

void grig_open(gk_grouprig *r, gk_mode mode, const gk_policy *policy)
{
    gk_policy p = gk_policy_default();
    gk_plan plan = {0};

    *r = (gk_grouprig){.now = 1700000000000};
    open_controllers(r);
    r->genesis.mode = mode;
    r->genesis.created_ms = r->now;
    (void)snprintf(r->genesis.name, sizeof(r->genesis.name), "g");
    memcpy(r->genesis.root, gk_authority_root(r->authority), GK_HASH);
    grig_must(gk_genesis_make(&r->genesis_record, &r->genesis, r->admin) == GK_OK);
    grig_must(gk_genesis_read(&r->genesis, gk_mem_view(&r->genesis_record), r->authority) == GK_OK);
    p.admit[0] = GK_ADMIT_TOKEN;
    p.admit[1] = GK_ADMIT_MANUAL;
    p.admit_n = 2;
    p.period_s = 0;
    grig_must(gk_policy_make(&r->policy_record, r->genesis.id, policy != NULL ? policy : &p, r->admin) == GK_OK);
    grig_must(gk_group_create(&r->group, &r->control[0], gk_mem_view(&r->genesis_record), gk_mem_view(&r->policy_record), r->now, &plan) == GK_OK);
    gk_zk_run(&r->zk, &plan);
    gk_group_commit(r->group);
    gk_plan_clear(&plan);
}

void grig_close(gk_grouprig *r)
{
    gk_group_free(r->group);
    for (size_t i = 0; i < 3; i++) {
        gk_key_free(r->controllers[i]);
        gk_key_free(r->dh[i]);
        gk_state_keys_free(r->state_keys[i]);
    }
    gk_key_free(r->admin);
    gk_authority_free(r->authority);
    gk_mem_free(&r->authority_record);
    gk_mem_free(&r->genesis_record);
    gk_mem_free(&r->policy_record);
    gk_plan_clear(&r->last);
    gk_zk_free(&r->zk);
}

bool grig_step(gk_grouprig *r)
{
    gk_err e = GK_OK;

    r->now += 1000;
    gk_plan_clear(&r->last);
    e = gk_group_plan(r->group, r->now, true, &r->last);
    grig_must(e == GK_OK || e == GK_ERR_NOTFOUND);
    if (e == GK_OK) {
        gk_zk_run(&r->zk, &r->last);
        gk_group_commit(r->group);
    }
    if (gk_group_snapshot_due(r->group)) {
        gk_plan *plans = NULL;
        size_t n = 0;

        grig_must(gk_group_snapshot(r->group, 1, &plans, &n) == GK_OK);
        for (size_t i = 0; i < n; i++) {
            gk_zk_run(&r->zk, &plans[i]);
            gk_plan_clear(&plans[i]);
        }
        free(plans);
        gk_group_snapshot_done(r->group);
    }
    return e == GK_OK;
}

gk_refusal grig_command(gk_grouprig *r, gk_op op, const char *name, gk_bytes blob, const uint8_t *hash)
{
    gk_command c = {.authority = gk_authority_version(r->authority), .op = op, .not_after_ms = r->now + 60000, .blob = blob};
    gk_command read = {0};
    gk_mem message = {0};
    gk_refusal refusal = GK_REFUSAL_NONE;

    memcpy(c.target, r->genesis.id, sizeof(c.target));
    if (name != NULL)
        c.name = (gk_bytes){(const uint8_t *)name, strlen(name)};
    if (hash != NULL)
        memcpy(c.hash, hash, GK_HASH);
    grig_must(gk_command_make(&message, &c, r->admin) == GK_OK);
    grig_must(gk_command_read(&read, gk_mem_view(&message), r->authority, r->now) == GK_OK);
    refusal = gk_group_command(r->group, &read, r->now);
    gk_mem_free(&message);
    return refusal;
}

void grig_token(gk_grouprig *r, char text[GK_TOKEN_TEXT + 1], uint32_t uses)
{
    gk_mem record = {0};

    grig_must(gk_token_create(text, &record, r->genesis.hash, uses, r->now + 86400000) == GK_OK);
    text[GK_TOKEN_TEXT] = 0;
    grig_must(grig_command(r, GK_OP_TOKEN_CREATE, NULL, gk_mem_view(&record), NULL) == GK_REFUSAL_NONE);
    gk_mem_free(&record);
    grig_must(grig_step(r));
}

gk_err grig_load(gk_grouprig *r, size_t controller, gk_group **out)
{
    char path[GK_PATH_MAX];
    uint64_t epoch = 0;
    gk_err e = gk_group_load(out, &r->control[controller], gk_zk_get(&r->zk, "genesis"), gk_zk_get(&r->zk, "policy"), gk_zk_get(&r->zk, "state"));
    size_t n = e == GK_OK ? gk_group_chunks(*out, &epoch) : 0;

    for (size_t i = 0; i < n && e == GK_OK; i++) {
        (void)snprintf(path, sizeof(path), "state/%llu-%zu", (unsigned long long)epoch, i);
        e = gk_group_chunk(*out, i, gk_zk_get(&r->zk, path));
    }
    if (e == GK_OK)
        e = gk_group_side(*out, gk_zk_get(&r->zk, "side"));
    while (e == GK_OK) {
        (void)snprintf(path, sizeof(path), "epochs/%llu", (unsigned long long)++epoch);
        if (!gk_zk_has(&r->zk, path))
            break;
        e = gk_group_follow(*out, gk_zk_get(&r->zk, path));
    }
    if (e != GK_OK && *out != NULL) {
        gk_group_free(*out);
        *out = NULL;
    }
    return e;
}

/* --- members ------------------------------------------------------------------------------------------------------------------------ */

static gk_bytes text_of(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

gk_member *grig_member(gk_grouprig *r, const char *name)
{
    gk_member *m = NULL;
    gk_key *k = grig_key(GK_PURPOSE_SIGN);

    grig_must(gk_member_new(&m, text_of("g"), text_of(name), r->genesis.hash) == GK_OK);
    grig_must(gk_member_identity(m, k) == GK_OK);
    grig_must(gk_member_genesis(m, gk_mem_view(&r->genesis_record)) == GK_OK);
    grig_must(gk_member_authority(m, gk_mem_view(&r->authority_record)) == GK_OK);
    gk_key_free(k);
    return m;
}

gk_refusal grig_ask(gk_grouprig *r, gk_member *m, gk_request_kind kind, const char *token)
{
    gk_mem request = {0};
    uint8_t hash[GK_HASH];
    gk_refusal refusal = GK_REFUSAL_NONE;

    grig_must(gk_member_request(m, kind, token != NULL ? text_of(token) : (gk_bytes){0}, r->now, &request, hash) == GK_OK);
    refusal = gk_group_request(r->group, gk_mem_view(&request), r->now);
    gk_mem_free(&request);
    return refusal;
}

gk_verdict grig_take_reply(gk_grouprig *r, gk_member *m)
{
    uint8_t hash[GK_HASH];
    char path[GK_PATH_MAX] = "replies/", hex[2 * GK_HASH + 1];

    grig_must(gk_member_awaits(m, hash));
    gk_hex_text(hex, hash, GK_HASH);
    (void)snprintf(path, sizeof(path), "replies/%s", hex);
    return gk_member_reply(m, gk_zk_get(&r->zk, path), r->now);
}

gk_member *grig_join(gk_grouprig *r, const char *name, const char *token)
{
    gk_member *m = grig_member(r, name);

    grig_must(grig_ask(r, m, GK_REQUEST_JOIN, token) == GK_REFUSAL_NONE);
    grig_must(grig_step(r));
    grig_must(grig_take_reply(r, m) == GK_FED_JOINED);
    return m;
}

gk_verdict grig_follow(gk_grouprig *r, gk_member *m)
{
    gk_verdict v = GK_FED_OLD;

    gk_member_seen(m, 1, r->group->last.epoch);
    for (;;) {
        char path[GK_PATH_MAX];
        uint64_t arg = 0;
        gk_need need = gk_member_next(m, &arg);

        if (need == GK_NEED_EPOCH)
            (void)snprintf(path, sizeof(path), "epochs/%llu", (unsigned long long)arg);
        else if (need == GK_NEED_KEK)
            (void)snprintf(path, sizeof(path), "members/%016llx", (unsigned long long)arg);
        else
            return v;
        v = gk_member_feed(m, gk_zk_get(&r->zk, path), r->now);
        if (gk_verdict_refused(v))
            return v;
    }
}

bool grig_same_key(const gk_member *a, const gk_member *b)
{
    uint8_t x[32], y[32];

    return gk_member_epoch(a) == gk_member_epoch(b) && gk_member_export_key(a, x) == GK_OK && gk_member_export_key(b, y) == GK_OK &&
           memcmp(x, y, sizeof(x)) == 0;
}
