/* What a member tells about itself. */
#include <string.h>

#include "../crypto/gk_key_internal.h"
#include "gk_member_internal.h"

bool gk_member_dirty(const gk_member *m)
{
    return m->dirty;
}

void gk_member_saved(gk_member *m)
{
    m->dirty = false;
}

gk_member_state gk_member_status(const gk_member *m)
{
    return m->state;
}

uint64_t gk_member_stale_at(const gk_member *m)
{
    return m->state == GK_MEMBER_IN ? m->alive_ms + (uint64_t)m->max_age_s * 1000 : 0;
}

bool gk_member_stale(const gk_member *m, uint64_t now_ms)
{
    return m->state == GK_MEMBER_IN && now_ms > gk_member_stale_at(m);
}

gk_err gk_member_key(const gk_member *m, gk_key **key, uint64_t *epoch, uint64_t *issued_ms, bool fail_stale, uint64_t now_ms)
{
    *key = NULL;
    *epoch = 0;
    *issued_ms = 0;
    if (m->group_key == NULL)
        return GK_ERR_NOTFOUND;
    if (fail_stale && gk_member_stale(m, now_ms))
        return GK_ERR_STATE;
    *key = gk_key_ref(m->group_key);
    *epoch = m->epoch;
    *issued_ms = m->issued_ms;
    return GK_OK;
}

gk_err gk_member_key_of(const gk_member *m, gk_key **key, uint64_t epoch)
{
    *key = NULL;
    if (m->group_key != NULL && epoch == m->epoch)
        *key = gk_key_ref(m->group_key);
    else if (m->former_key != NULL && epoch == m->former_epoch)
        *key = gk_key_ref(m->former_key);
    return *key == NULL ? GK_ERR_NOTFOUND : GK_OK;
}

gk_err gk_member_export_key(const gk_member *m, uint8_t out[32])
{
    if (m->group_key == NULL)
        return GK_ERR_NOTFOUND;
    memcpy(out, m->group_key->raw, 32);
    return GK_OK;
}

uint64_t gk_member_epoch(const gk_member *m)
{
    return m->epoch;
}

uint64_t gk_member_highest(const gk_member *m)
{
    return m->highest;
}

uint64_t gk_member_leaf(const gk_member *m)
{
    return m->path.n > 0 ? m->path.nodes[0].id : 0;
}

const uint8_t *gk_member_group_id(const gk_member *m)
{
    return m->genesis.id;
}

const char *gk_member_group_name(const gk_member *m)
{
    return m->group_name;
}

const char *gk_member_name(const gk_member *m)
{
    return m->name;
}

size_t gk_member_key_count(const gk_member *m)
{
    return m->path.n;
}

bool gk_member_missed(const gk_member *m, size_t i, uint64_t *from, uint64_t *to, const char **why)
{
    if (i >= m->missed_n)
        return false;
    *from = m->missed[i].from;
    *to = m->missed[i].to;
    *why = m->missed[i].why == 2 ? "KEK overwritten" : "past the ring";
    return true;
}

uint64_t gk_member_count(const gk_member *m, gk_verdict v)
{
    return (unsigned)v < GK_FED_COUNT ? m->counts[v] : 0;
}
