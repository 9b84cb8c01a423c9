/* Epochs: checked in this order, and nothing is opened before all that: form, group, signer, signature, age of controller and authority, number, hash of
 * the message before (docs/FORMAT.md, "What a member checks"). */
#include <string.h>

#include "gk_member_internal.h"

#define FUTURE_MS 60000 /* clocks may differ so much */

/* wrap_under finds the wrap whose key the holder of `under` gets. */
static bool wrap_under(const gk_epoch *e, uint64_t under, uint64_t *node, const uint8_t **wrapped)
{
    for (size_t i = 0; i < e->wraps.n; i += GK_EPOCH_WRAP) {
        gk_reader r = gk_reader_of(e->wraps.p + i, GK_EPOCH_WRAP);
        uint64_t id = 0, by = 0;
        gk_bytes rest = {0};

        if (gk_reader_u64(&r, &id) == GK_OK && gk_reader_u64(&r, &by) == GK_OK && by == under && gk_reader_take(&r, &rest, GK_WRAPPED) == GK_OK) {
            *node = id;
            *wrapped = rest.p;
            return true;
        }
    }
    return false;
}

static bool has_op(const gk_epoch *e, gk_tree_op what, uint64_t id)
{
    for (size_t i = 0; i < e->ops.n; i += GK_EPOCH_OP) {
        gk_reader r = gk_reader_of(e->ops.p + i, GK_EPOCH_OP);
        uint8_t op = 0;
        uint64_t at = 0;

        if (gk_reader_u8(&r, &op) == GK_OK && gk_reader_u64(&r, &at) == GK_OK && op == what && at == id)
            return true;
    }
    return false;
}

static gk_err push(gk_path *p, uint64_t id, gk_key *key)
{
    if (p->n == GK_PATH_NODES || key == NULL) {
        gk_key_free(key);
        return GK_ERR_MALFORMED;
    }
    p->nodes[p->n++] = (gk_path_node){id, key};
    return GK_OK;
}

/* climb builds the path after this epoch: from the leaf upwards, by a wrap under the node where we are, else to the node that was above us before,
 * derived when the message says so, until the root that the message names. */
static gk_err climb(const gk_member *m, const gk_epoch *e, gk_path *out)
{
    size_t old = 0; /* the last node of the old path that is on the new one */
    gk_err err = push(out, m->path.nodes[0].id, gk_key_ref(m->path.nodes[0].key));

    while (err == GK_OK && out->nodes[out->n - 1].id != e->root) {
        const gk_path_node *x = &out->nodes[out->n - 1];
        const uint8_t *wrapped = NULL;
        uint64_t node = 0;
        gk_key *k = NULL;

        if (out->n == 1 && m->kek.key != NULL && m->kek_epoch == e->epoch && (e->flags & GK_EPOCH_NEEDS_KEK)) {
            err = push(out, m->kek.id, gk_key_ref(m->kek.key));
        } else if (wrap_under(e, x->id, &node, &wrapped)) {
            err = gk_node_unwrap(&k, e->group_id, e->epoch, e->salt, node, x->id, x->key, wrapped);
            if (err == GK_OK)
                err = push(out, node, k);
        } else if (old + 1 < m->path.n) {
            const gk_path_node *up = &m->path.nodes[++old];

            if (has_op(e, GK_TREE_DERIVE, up->id))
                err = gk_node_derive(&k, up->key, e->group_id, e->epoch, e->salt, up->id);
            else
                k = gk_key_ref(up->key);
            if (err == GK_OK)
                err = push(out, up->id, k);
        } else {
            err = GK_ERR_AUTH;
        }
    }
    return err;
}

static void set_epoch(gk_member *m, const gk_epoch *e)
{
    m->epoch = e->epoch;
    memcpy(m->hash, e->hash, GK_HASH);
    memcpy(m->body_hash, e->body_hash, GK_HASH);
    m->issued_ms = e->issued_ms;
    m->max_age_s = e->max_age_s;
    m->ring = e->ring;
    m->dirty = true;
}

/* advance: all or nothing. The leaf's key of this epoch replaces the one before, which opens nothing any more. */
static gk_verdict advance(gk_member *m, const gk_epoch *e)
{
    gk_path path = {0};
    gk_key *leaf = NULL, *group_key = NULL;
    const gk_key *root = NULL;
    gk_err err = climb(m, e, &path);

    root = err == GK_OK ? path.nodes[path.n - 1].key : NULL;
    if (err == GK_OK && path.n < 2)
        err = GK_ERR_AUTH; /* a leaf is never the root */
    if (err == GK_OK)
        err = gk_epoch_confirm(e, root);
    if (err == GK_OK)
        err = gk_epoch_group_key(&group_key, e->group_id, e->epoch, e->body_hash, root);
    if (err == GK_OK)
        err = gk_leaf_ratchet(&leaf, path.nodes[0].key, e->group_id, e->epoch);
    if (err != GK_OK) {
        gk_path_clear(&path);
        gk_key_free(group_key);
        m->needs_refresh = err == GK_ERR_AUTH || err == GK_ERR_MALFORMED;
        return GK_FED_KEYS;
    }
    gk_key_free(path.nodes[0].key);
    path.nodes[0].key = leaf;
    gk_path_clear(&m->path);
    m->path = path;
    gk_key_free(m->former_key);
    m->former_key = m->group_key;
    m->former_epoch = m->epoch;
    m->group_key = group_key;
    gk_key_free(m->kek.key);
    m->kek = (gk_path_node){0};
    m->needs_kek = false;
    set_epoch(m, e);
    return GK_FED_KEY;
}

/* take_kek: our own message of the epoch to come (flat mode). */
static gk_verdict take_kek(gk_member *m, const gk_epoch *e)
{
    const uint8_t *wrapped = NULL;
    uint64_t node = 0;
    gk_key *k = NULL;

    if (e->epoch > m->epoch + 1) { /* ours of an epoch before was overwritten: there is no way to it */
        m->needs_kek = m->needs_refresh = true;
        return GK_FED_AHEAD;
    }
    if (!wrap_under(e, m->path.nodes[0].id, &node, &wrapped) || node != e->root ||
        gk_node_unwrap(&k, e->group_id, e->epoch, e->salt, node, m->path.nodes[0].id, m->path.nodes[0].key, wrapped) != GK_OK)
        return GK_FED_KEYS;
    if (gk_epoch_confirm(e, k) != GK_OK) {
        gk_key_free(k);
        return GK_FED_KEYS;
    }
    gk_key_free(m->kek.key);
    m->kek = (gk_path_node){node, k};
    m->kek_epoch = e->epoch;
    m->needs_kek = false;
    return GK_FED_FRESH;
}

/* follows: what is authentic, but perhaps not next. */
static gk_verdict follows(gk_member *m, const gk_epoch *e)
{
    bool kek = (e->flags & GK_EPOCH_KEK) != 0;

    if (e->controller_epoch < m->controller_epoch || e->authority < m->authority_least ||
        (e->epoch > m->fresh_epoch && e->controller_epoch < m->fresh_controller))
        return GK_FED_ROLLBACK;
    if (e->epoch <= m->epoch)
        return e->epoch == m->epoch && (kek || memcmp(e->hash, m->hash, GK_HASH) == 0) ? GK_FED_OLD : GK_FED_ROLLBACK;
    if (m->state != GK_MEMBER_IN && m->state != GK_MEMBER_BEHIND)
        return GK_FED_NOT_FOR_US;
    if (!kek && e->epoch > m->highest) {
        m->highest = e->epoch;
        m->dirty = true;
    }
    if (e->reason == GK_REASON_RECOVER && !kek && (e->epoch > m->epoch + 1 || memcmp(e->prev, m->hash, GK_HASH) != 0)) {
        m->needs_refresh = true; /* controllers started again from an older state: there is no way to here but to ask */
        return GK_FED_AHEAD;
    }
    if (e->epoch > m->epoch + 1 && !kek)
        return GK_FED_AHEAD;
    if (e->epoch == m->epoch + 1 && memcmp(e->prev, m->hash, GK_HASH) != 0)
        return GK_FED_FORK;
    if (kek)
        return take_kek(m, e);
    if (has_op(e, GK_TREE_REMOVE, m->path.nodes[0].id)) {
        gk_member_erase(m);
        set_epoch(m, e);
        m->state = GK_MEMBER_OUT;
        return GK_FED_EVICTED;
    }
    if ((e->flags & GK_EPOCH_NEEDS_KEK) && (m->kek.key == NULL || m->kek_epoch != e->epoch)) {
        m->needs_kek = true;
        return GK_FED_NEEDS_KEK;
    }
    return advance(m, e);
}

/* authentic: by whom it is signed is looked at before anything that it says is believed. */
static gk_verdict authentic(gk_member *m, gk_bytes message, gk_epoch *e)
{
    gk_err err = gk_epoch_parse(e, message);

    if (err != GK_OK)
        return err == GK_ERR_NOMEM || err == GK_ERR_CRYPTO ? GK_FED_AHEAD : GK_FED_MALFORMED;
    if (!m->have_genesis || memcmp(e->group_id, m->genesis.id, GK_GROUP_ID) != 0)
        return GK_FED_GROUP;
    err = m->authority == NULL ? GK_ERR_AUTH : gk_epoch_verify(e, message, m->authority);
    if (err == GK_ERR_AUTH && e->authority > gk_member_authority_version(m)) {
        m->needs_authority = true;
        return GK_FED_NEEDS_AUTHORITY;
    }
    /* perhaps by a controller that has been removed since: then there is no way through this epoch but to ask */
    if (err == GK_ERR_AUTH && m->state == GK_MEMBER_IN && e->epoch == m->epoch + 1 && e->authority >= m->authority_least &&
        e->authority < gk_member_authority_version(m))
        m->needs_refresh = true;
    if (err != GK_OK)
        return err == GK_ERR_AUTH ? GK_FED_SIGNER : GK_FED_AHEAD;
    if (e->authority > gk_authority_version(m->authority)) {
        m->needs_authority = true;
        return GK_FED_NEEDS_AUTHORITY;
    }
    return GK_FED_KEY;
}

gk_verdict gk_member_feed(gk_member *m, gk_bytes znode, uint64_t now_ms)
{
    gk_epoch e = {0};
    gk_bytes message = znode, delta = {0};
    bool bare = znode.n >= 4 && memcmp(znode.p, "GKE1", 4) == 0; /* a KEK message has no length before it */
    gk_verdict v = !bare && gk_epoch_znode(&message, &delta, znode) != GK_OK ? GK_FED_MALFORMED : authentic(m, message, &e);

    (void)now_ms;
    if (v != GK_FED_NEEDS_AUTHORITY)
        m->needs_authority = false;
    if (v == GK_FED_KEY && bare != ((e.flags & GK_EPOCH_KEK) != 0))
        v = GK_FED_MALFORMED;
    if (v == GK_FED_KEY) {
        v = follows(m, &e);
        if (v == GK_FED_KEY || v == GK_FED_EVICTED) {
            m->controller_epoch = e.controller_epoch;
            m->authority_least = e.authority;
            m->alive_ms = e.issued_ms > m->alive_ms ? e.issued_ms : m->alive_ms;
        }
    }
    m->counts[v]++;
    return v;
}

gk_verdict gk_member_fresh(gk_member *m, gk_bytes record, uint64_t now_ms)
{
    gk_fresh f = {0};
    gk_err err = m->authority == NULL ? GK_ERR_AUTH : gk_fresh_read(&f, record, m->authority);
    gk_verdict v = GK_FED_FRESH;

    if (err == GK_ERR_AUTH || err == GK_ERR_NOMEM || err == GK_ERR_CRYPTO)
        v = GK_FED_SIGNER;
    else if (err != GK_OK)
        v = GK_FED_MALFORMED;
    else if (memcmp(f.group_id, m->genesis.id, GK_GROUP_ID) != 0)
        v = GK_FED_GROUP;
    else if (f.controller_epoch < m->controller_epoch || f.controller_epoch < m->fresh_controller || f.authority < m->authority_least)
        v = GK_FED_ROLLBACK;
    else if (f.epoch == m->epoch && m->epoch != 0 && memcmp(f.hash, m->hash, GK_HASH) != 0)
        v = GK_FED_FORK;
    else if (f.time_ms < m->alive_ms || f.time_ms > now_ms + FUTURE_MS)
        v = GK_FED_TIME;
    m->counts[v]++;
    if (v != GK_FED_FRESH)
        return v;
    /* An epoch that we haven't got is no sign that ours is fresh, but that there is a later one. */
    if (f.epoch > m->highest)
        m->highest = f.epoch;
    if (f.epoch <= m->epoch)
        m->alive_ms = f.time_ms;
    if (f.authority > gk_member_authority_version(m))
        m->needs_authority = true;
    /* not m->controller_epoch: what the controller before has written up to here is still to be read */
    m->fresh_epoch = f.epoch;
    m->fresh_controller = f.controller_epoch;
    m->dirty = true;
    return v;
}

/* --- what to read next ------------------------------------------------------------------------------------------------------------------- */

void gk_member_seen(gk_member *m, uint64_t lowest, uint64_t highest)
{
    m->hint_lowest = lowest;
    m->hint_highest = highest;
}

gk_need gk_member_next(const gk_member *m, uint64_t *arg)
{
    uint64_t highest = m->highest > m->hint_highest ? m->highest : m->hint_highest;
    uint64_t gone = highest > m->ring ? highest - m->ring : 0; /* up to here */

    *arg = 0;
    if (m->needs_authority) {
        *arg = gk_member_authority_version(m) + 1;
        return GK_NEED_AUTHORITY;
    }
    if (m->state == GK_MEMBER_BEHIND || (m->state == GK_MEMBER_IN && m->needs_refresh))
        return GK_NEED_REFRESH;
    *arg = m->epoch + 1;
    if (m->state != GK_MEMBER_IN || highest <= m->epoch)
        return GK_NEED_NOTHING;
    if (m->epoch + 1 <= gone || m->epoch + 1 < m->hint_lowest)
        return GK_NEED_REFRESH;
    if (m->needs_kek) {
        *arg = m->path.nodes[0].id;
        return GK_NEED_KEK;
    }
    return GK_NEED_EPOCH;
}
