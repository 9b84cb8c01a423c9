/* gkm_tell: what the application hears, after the state was saved. */
#include "gkm_internal.h"

void gkm_tell(gkm *m, const gkm_event *e)
{
    if (m->callback != NULL)
        m->callback(m->arg, e);
}

void gkm_note(gkm *m, gkm_via via)
{
    gkm_event e = {.kind = GKM_EVENT_KEY, .via = via};
    gk_key *k = NULL;
    gk_err err = GK_OK;

    pthread_mutex_lock(&m->lock);
    err = gk_member_key(m->e, &k, &e.epoch, &e.generated_ms, false, 0);
    pthread_mutex_unlock(&m->lock);
    if (err == GK_OK)
        err = gk_key_fingerprint(e.fingerprint, k);
    if (err == GK_OK && m->noted_n < GKM_NOTED)
        m->noted[m->noted_n++] = (gkm_noted){k, e};
    else
        gk_key_free(k);
}

/* publish is called after a state with the noted keys was saved: it keeps them for unseal, and tells. */
static void publish(gkm *m)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->noted_n; i++) {
        gk_key_free(m->old[m->next_old].key);
        m->old[m->next_old] = (gkm_old_key){.key = m->noted[i].key, .epoch = m->noted[i].event.epoch};
        m->next_old = (m->next_old + 1) % GKM_OLD_KEYS;
        m->noted[i].event.received_ms = gkm_now();
        m->stale_told = false;
    }
    pthread_cond_broadcast(&m->wake);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < m->noted_n; i++)
        gkm_tell(m, &m->noted[i].event);
    m->noted_n = 0;
}

static void tell_missed(gkm *m)
{
    for (;; m->missed++) {
        gkm_event e = {.kind = GKM_EVENT_MISSED};
        bool more = false;

        pthread_mutex_lock(&m->lock);
        more = gk_member_missed(m->e, m->missed, &e.from, &e.to, &e.text);
        pthread_mutex_unlock(&m->lock);
        if (!more)
            return;
        gkm_tell(m, &e);
    }
}

void gkm_tell_out(gkm *m)
{
    gkm_event e = {.kind = GKM_EVENT_EVICTED, .epoch = gk_member_highest(m->e)};

    if (m->out_told)
        return;
    m->out_told = true;
    gkm_tell(m, &e);
    pthread_mutex_lock(&m->lock);
    pthread_cond_broadcast(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

bool gkm_settled(gkm *m, gk_verdict v)
{
    char why[GKM_WHY] = {0};
    bool dirty = false;

    pthread_mutex_lock(&m->lock);
    dirty = gk_member_dirty(m->e);
    pthread_mutex_unlock(&m->lock);
    if (dirty && m->lock_fd >= 0 && gkm_save(m, why, sizeof(why)) != GKM_OK) {
        gkm_event e = {.kind = GKM_EVENT_REFUSED, .text = why};

        gkm_tell(m, &e);
        return false;
    }
    tell_missed(m);
    if (m->noted_n > 0)
        publish(m);
    if (v == GK_FED_EVICTED)
        gkm_tell_out(m);
    else if (gk_verdict_refused(v)) {
        gkm_event e = {.kind = GKM_EVENT_REFUSED, .text = gk_verdict_str(v)};

        gkm_tell(m, &e);
    }
    return true;
}
