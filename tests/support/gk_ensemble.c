#include "gk_ensemble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const gk_view fixed_view = {.tag = {7}, .czxid = 11, .pzxid = 12, .cversion = 4, .children = 2};

ensemble *ensemble_new(gk_keyring *kr)
{
    ensemble *e = calloc(1, sizeof(*e));

    if (e == NULL)
        abort();
    e->keyring = gk_keyring_ref(kr);
    e->now_ms = 1000;
    return e;
}

void ensemble_free(ensemble *e)
{
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++)
        gk_agreement_free(e->servers[i].a);
    gk_keyring_free(e->keyring);
    free(e);
}

ensemble_server *ensemble_find(ensemble *e, uint64_t id)
{
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        if (e->servers[i].id == id || e->servers[i].id == 0) {
            e->servers[i].id = id;
            return &e->servers[i];
        }
    }
    abort();
}

void ensemble_start_as(ensemble *e, uint64_t id, gk_key *identity, gk_keyring *kr)
{
    ensemble_server *s = ensemble_find(e, id);
    gk_agreement_config c = {id, kr, identity, e->max_age_ms, e->max_derivations};

    ensemble_kill(e, id);
    memset(s, 0, sizeof(*s));
    s->id = id;
    s->session = ++e->next_session;
    if (gk_agreement_new(&s->a, &c, NULL, 0) != GK_OK)
        s->a = NULL;
}

void ensemble_start(ensemble *e, uint64_t id)
{
    ensemble_start_as(e, id, NULL, e->keyring);
}

void ensemble_kill(ensemble *e, uint64_t id)
{
    ensemble_server *s = ensemble_find(e, id);

    gk_agreement_free(s->a);
    s->a = NULL;
    s->kill_after = 0;
}

ensemble_node *ensemble_node_of(ensemble *e, const char *name)
{
    for (size_t i = 0; i < ENSEMBLE_NODES; i++) {
        if (e->nodes[i].there && strcmp(e->nodes[i].name, name) == 0)
            return &e->nodes[i];
    }
    return NULL;
}

void ensemble_expire(ensemble *e, uint64_t id, bool with_own)
{
    ensemble_server *s = ensemble_find(e, id);
    char name[GK_AGREEMENT_NAME];
    ensemble_node *node = NULL;

    (void)snprintf(name, sizeof(name), "servers/%" PRIu64, id);
    node = ensemble_node_of(e, name);
    if (node != NULL && (with_own || s->a == NULL || node->owner != s->session))
        node->there = false;
    if (with_own && s->a != NULL)
        s->session = ++e->next_session;
}

void ensemble_put(ensemble *e, const char *name, gk_bytes data, uint64_t owner)
{
    ensemble_node *node = ensemble_node_of(e, name);

    for (size_t i = 0; i < ENSEMBLE_NODES && node == NULL; i++) {
        if (!e->nodes[i].there) {
            node = &e->nodes[i];
            node->version = -1;
        }
    }
    if (node == NULL || data.n > sizeof(node->data))
        abort();
    node->there = true;
    node->version++;
    node->owner = owner;
    node->n = data.n;
    if (data.n > 0)
        memcpy(node->data, data.p, data.n);
    (void)snprintf(node->name, sizeof(node->name), "%s", name);
}

void ensemble_read(ensemble *e, ensemble_server *s, bool whole)
{
    bool half = s->half_read;

    for (size_t i = 0; i < ENSEMBLE_NODES; i++) {
        bool is_current = i == 0;

        if (is_current && half)
            continue; /* it was read before */
        if (!is_current && !whole && !half)
            continue;
        s->view[i].there = false;
    }
    for (size_t i = 0, at = 1; i < ENSEMBLE_NODES; i++) {
        const ensemble_node *node = &e->nodes[i];
        bool is_current = node->there && strcmp(node->name, "agreement/current") == 0;

        if (!node->there)
            continue;
        if (is_current && !half)
            s->view[0] = *node;
        if (!is_current && (whole || half))
            s->view[at++] = *node;
    }
    s->half_read = !whole && !half;
}

/* remember notes the key of the fixed view under the secret that s sees in force; two keys for one id break the promise. */
static void remember(ensemble *e, const ensemble_server *s)
{
    uint8_t key[GK_VIEW_KEY];
    uint8_t id[GK_KEY_ID];

    if (!s->view[0].there ||
        gk_derive_view(key, id, gk_agreement_secrets(s->a), &fixed_view, (gk_bytes){s->view[0].data, s->view[0].n}) != GK_OK)
        return;
    for (size_t i = 0; i < e->n_keys; i++) {
        if (memcmp(e->ks_ids[i], id, GK_KS_ID) == 0) {
            if (memcmp(e->keys[i], key, sizeof(key)) != 0)
                e->broken = "two keys have one id";
            return;
        }
        if (memcmp(e->keys[i], key, sizeof(key)) == 0)
            e->broken = "one key has two ids";
    }
    if (e->n_keys == sizeof(e->keys) / sizeof(e->keys[0]))
        abort();
    memcpy(e->ks_ids[e->n_keys], id, GK_KS_ID);
    memcpy(e->keys[e->n_keys++], key, sizeof(key));
}

/* carry_out does what ZooKeeper does with a write: nothing, when the version or the existence isn't as expected. */
static void carry_out(ensemble *e, const ensemble_server *s, const gk_agreement_write *w)
{
    ensemble_node *node = ensemble_node_of(e, w->name);
    uint64_t owner = w->ephemeral ? s->session : 0;

    if ((w->op == GK_AGREEMENT_CREATE) != (node == NULL))
        return;
    if (node != NULL && node->version != w->version)
        return;
    if (w->op == GK_AGREEMENT_REPLACE)
        node->there = false;
    if (w->op == GK_AGREEMENT_SET)
        owner = node->owner;
    ensemble_put(e, w->name, w->data, owner);
    e->writes++;
    e->current_writes += strcmp(w->name, "agreement/current") == 0;
}

gk_err ensemble_act(ensemble *e, ensemble_server *s, bool (*lose)(void *), void *arg)
{
    gk_agreement_node nodes[ENSEMBLE_NODES];
    gk_agreement_step_out out;
    size_t n = 0;
    gk_err err = GK_OK;

    for (size_t i = 0; i < ENSEMBLE_NODES; i++) {
        const ensemble_node *v = &s->view[i];

        if (v->there)
            nodes[n++] = (gk_agreement_node){v->name, {v->data, v->n}, v->version, v->owner == s->session};
    }
    err = gk_agreement_step(s->a, &out, e->now_ms, nodes, n);
    s->wake_ms = out.wake_ms;
    s->events |= out.events;
    if (err != GK_OK)
        return err;
    if (e->max_derivations == 0)
        remember(e, s); /* it derives a key each time */
    for (size_t i = 0; i < out.n_writes; i++) {
        if (lose == NULL || !lose(arg))
            carry_out(e, s, &out.writes[i]);
        if (s->kill_after > 0 && --s->kill_after == 0) {
            ensemble_kill(e, s->id);
            return GK_OK;
        }
    }
    return GK_OK;
}

bool ensemble_settle(ensemble *e, uint64_t ms)
{
    uint64_t end = e->now_ms + ms;
    uint64_t quiet = e->now_ms;

    while (e->now_ms < end) {
        uint64_t before = e->writes;

        for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
            ensemble_server *s = &e->servers[i];

            if (s->a == NULL)
                continue;
            s->half_read = false;
            ensemble_read(e, s, true);
            (void)ensemble_act(e, s, NULL, NULL);
        }
        e->now_ms += 20;
        if (e->writes != before)
            quiet = e->now_ms;
        if (e->now_ms - quiet > 1000)
            return true;
    }
    return false;
}

bool ensemble_agreed(ensemble *e, uint8_t ks_id[GK_KS_ID])
{
    gk_agreement_status first = {0};
    size_t running = 0;

    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++)
        running += e->servers[i].a != NULL;
    for (size_t i = 0; i < ENSEMBLE_SERVERS; i++) {
        ensemble_server *s = &e->servers[i];
        gk_agreement_status st;
        bool in = false;

        if (s->a == NULL)
            continue;
        gk_agreement_get_status(s->a, &st, e->now_ms);
        for (size_t j = 0; j < st.n_participants; j++)
            in = in || st.participants[j] == s->id;
        if (first.n_participants == 0)
            first = st;
        if (!st.in_use || !in || st.n_participants != running || memcmp(st.ks_id, first.ks_id, GK_KS_ID) != 0)
            return false;
    }
    memcpy(ks_id, first.ks_id, GK_KS_ID);
    return running > 0 && e->broken == NULL;
}
