/* A run as the agreement goes through it: begun, fed with what the others' nodes hold, ended in a secret that is offered to readers. */
#include <string.h>

#include "gk_agreement_internal.h"

/* finish: all have confirmed. The secret is offered to readers, and the run's keys are erased. */
static gk_err finish(gk_agreement *a, uint64_t now)
{
    gk_current c = {0};
    const gk_party *parties = gk_run_parties(a->run, &c.n);
    gk_err e = GK_OK;

    memcpy(c.run_id, gk_run_name(a->run), GK_HASH);
    memcpy(c.hash, gk_run_hash(a->run), GK_HASH);
    for (size_t i = 0; i < c.n; i++) {
        c.ids[i] = parties[i].id;
        memcpy(c.nonces[i], parties[i].nonce, sizeof(c.nonces[i]));
    }
    e = gk_secrets_offer(a->secrets, c.hash, gk_run_secret(a->run));
    if (e != GK_OK)
        return e;
    a->offered = c;
    a->offered_at = now;
    gk_run_free(a->run);
    a->run = NULL;
    return GK_OK;
}

/* keep_messages copies the run's own messages to where they outlive it. */
static gk_err keep_messages(gk_agreement *a)
{
    gk_writer w = gk_writer_of(a->messages, sizeof(a->messages) - GK_RECORD_MAX);

    for (size_t i = 0; gk_run_sent(a->run, i).n > 0; i++) {
        gk_bytes m = gk_run_sent(a->run, i);

        gk_writer_u16(&w, (uint16_t)m.n);
        gk_writer_put(&w, m.p, m.n);
    }
    a->messages_n = w.err == GK_OK ? w.len : 0;
    return w.err;
}

/* hear gives a server's messages to the run. Its node holds another run's when that server is ahead or behind. */
static gk_err hear(gk_agreement *a, gk_look *l, const gk_server *s)
{
    gk_reader r = gk_reader_of(s->messages.p, s->messages.n);
    gk_err e = GK_OK;

    for (size_t i = 0; i < GK_RUN_SENT && r.n > 0; i++) {
        gk_bytes m = {0};
        uint16_t n = 0;

        e = gk_reader_u16(&r, &n);
        if (e == GK_OK)
            e = gk_reader_take(&r, &m, n);
        if (e == GK_OK)
            e = gk_run_receive(a->run, m);
        if (e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO)
            return e;
        if (e == GK_ERR_NOTFOUND) /* of an older or a newer run: nothing odd about that */
            return GK_OK;
        if (e != GK_OK) {
            l->odd += m.n + s->record.id;
            l->n_odd++;
            return GK_OK;
        }
    }
    return GK_OK;
}

gk_err gk_agreement_converse(gk_agreement *a, gk_look *l, uint64_t now)
{
    gk_err e = GK_OK;

    if (a->run == NULL)
        return GK_OK;
    for (size_t i = 0; i < l->n && e == GK_OK; i++)
        e = hear(a, l, &l->others[i]);
    if (e == GK_OK)
        e = gk_run_advance(a->run);
    if (e == GK_ERR_AUTH) { /* one of the participants doesn't keep to the protocol: begin anew after a while */
        gk_run_free(a->run);
        a->run = NULL;
        a->stuck = true;
        return GK_OK;
    }
    if (e == GK_OK)
        e = keep_messages(a);
    if (e == GK_OK && gk_run_agreed(a->run))
        e = finish(a, now);
    return e;
}

gk_err gk_agreement_begin(gk_agreement *a, const gk_look *l, gk_agreement_step_out *out, uint64_t now, const gk_party *parties,
                          const gk_reason *reasons, size_t n)
{
    gk_run *r = NULL;
    gk_err e = gk_run_new(&r, GK_TGDH, gk_keyring_ensemble(a->keyring), parties, n, a->id, a->identity);

    if (e != GK_OK)
        return e;
    out->events |= a->run != NULL ? GK_AGREEMENT_ABANDONED | GK_AGREEMENT_STARTED : GK_AGREEMENT_STARTED;
    gk_run_free(a->run);
    a->run = r;
    a->run_began = now;
    a->stuck = false;
    a->messages_n = 0;
    a->runs_started++;
    memcpy(a->run_id, a->set_id, GK_HASH);
    memcpy(a->known[a->n_known++ % GK_RUNS_KEPT], a->set_id, GK_HASH);
    gk_why(a->why, sizeof(a->why), l->agreed.n > 0 ? &l->agreed : NULL, parties, reasons, n);
    return GK_OK;
}
