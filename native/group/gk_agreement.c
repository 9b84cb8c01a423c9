#include "gk_agreement.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "../crypto/gk_sign.h"
#include "gk_agreement_internal.h"

#define WAKE_MS 1000    /* the longest sleep: derivations are counted while this one sleeps */
#define WRITE_GAP 100   /* between the servers' attempts at agreement/current, by rank: the first one's usually does */
#define RENEW_GAP 500   /* and between their new nonces for a reason that all of them see */
#define STALL_MS 5000   /* a run that takes longer is begun anew */
#define STALL_DOUBLES 4 /* each time in a row it may take twice as long, so often */

static bool same(const uint8_t a[GK_HASH], const uint8_t b[GK_HASH])
{
    return memcmp(a, b, GK_HASH) == 0;
}

/* --- this server's record -------------------------------------------------------------------------------------------------- */

/* renew makes a new nonce, so that the next run is another one. */
static gk_err renew(gk_agreement *a, gk_reason reason)
{
    gk_record rec = a->record;
    gk_key *server = NULL;
    gk_err e = GK_OK;

    rec.reason = reason;
    if (RAND_bytes(rec.nonce, sizeof(rec.nonce)) != 1)
        return GK_ERR_CRYPTO;
    e = gk_agreement_server_key(&server, a->keyring, rec.seed);
    if (e == GK_OK)
        e = gk_record_write(a->raw, sizeof(a->raw), &a->raw_n, &rec, gk_keyring_ensemble(a->keyring), server, a->identity);
    gk_key_free(server);
    if (e != GK_OK)
        return e;
    a->record = rec;
    a->seen = false;
    a->asked = false;
    return GK_OK;
}

static bool shows_own_record(const gk_agreement *a, const gk_agreement_node *own)
{
    return own->data.n >= a->raw_n && memcmp(own->data.p, a->raw, a->raw_n) == 0; /* public */
}

/* --- making and ending ------------------------------------------------------------------------------------------------------ */

static gk_err explain(gk_err e, char *why, size_t why_n, const char *text)
{
    if (why != NULL && why_n > 0)
        (void)snprintf(why, why_n, "%s", text);
    return e;
}

static gk_err take_identity(gk_agreement *a, gk_key *identity)
{
    gk_err e = GK_OK;

    if (identity != NULL)
        a->identity = gk_key_ref(identity);
    else
        e = gk_key_generate(&a->identity, GK_PURPOSE_SIGN, 0);
    return e == GK_OK ? gk_sign_public(a->record.public_key, a->identity) : e;
}

gk_err gk_agreement_new(gk_agreement **out, const gk_agreement_config *config, char *why, size_t why_n)
{
    gk_agreement *a = NULL;
    gk_err e = explain(GK_OK, why, why_n, "");

    *out = NULL;
    if (config->server_id == 0 || config->keyring == NULL)
        return explain(GK_ERR_ARG, why, why_n, "the agreement needs a server id that isn't 0 and a keyring: check the configuration");
    a = OPENSSL_zalloc(sizeof(*a));
    if (a == NULL)
        return explain(GK_ERR_NOMEM, why, why_n, "out of memory: free some and try again");
    a->id = a->record.id = config->server_id;
    a->keyring = gk_keyring_ref(config->keyring);
    a->max_age_ms = config->max_age_ms;
    a->max_derivations = config->max_derivations;
    a->record.seed = gk_key_id(gk_keyring_active(a->keyring, GK_PURPOSE_SEED));
    e = gk_keyring_fingerprint(a->keyring, a->record.fingerprint);
    if (e == GK_OK)
        e = take_identity(a, config->identity);
    if (e == GK_OK)
        e = gk_secrets_new(&a->secrets, gk_keyring_ensemble(a->keyring));
    if (e == GK_OK)
        e = renew(a, GK_REASON_START);
    if (e != GK_OK) {
        gk_agreement_free(a);
        return explain(e, why, why_n, "the servers' agreement can't begin: check the identity file, and free some memory");
    }
    *out = a;
    return GK_OK;
}

void gk_agreement_free(gk_agreement *a)
{
    if (a == NULL)
        return;
    gk_run_free(a->run);
    if (a->secrets != NULL)
        gk_secrets_clear(a->secrets); /* readers may hold a reference for longer */
    gk_secrets_free(a->secrets);
    gk_key_free(a->identity);
    gk_keyring_free(a->keyring);
    OPENSSL_clear_free(a, sizeof(*a));
}

gk_secrets *gk_agreement_secrets(const gk_agreement *a)
{
    return a->secrets;
}

gk_err gk_agreement_renew(gk_agreement *a)
{
    a->asked = true;
    return GK_OK;
}

/* --- what a snapshot asks for ------------------------------------------------------------------------------------------------ */

/* follow: agreement/current says which secret is in force. */
static gk_err follow(gk_agreement *a, const gk_look *l, gk_agreement_step_out *out, uint64_t now)
{
    const gk_current *c = &l->agreed;

    if (c->n > 0 && a->in_use.n > 0 && same(c->hash, a->in_use.hash))
        return GK_OK;
    if (c->n > 0 && a->offered.n > 0 && same(c->hash, a->offered.hash)) {
        gk_err e = gk_secrets_use(a->secrets, c->hash);

        if (e != GK_OK)
            return e;
        a->run_ms = now - a->run_began;
        a->in_use = a->offered;
        a->in_use_at = now;
        a->offered.n = 0;
        a->lost = false;
        a->stalls = 0;
        a->runs_finished++;
        out->events |= GK_AGREEMENT_ACTIVATED;
        return GK_OK;
    }
    if (a->in_use.n > 0) {
        gk_secrets_forget(a->secrets);
        a->in_use.n = 0;
        a->lost = true;
        out->events |= GK_AGREEMENT_LOST;
    }
    return GK_OK;
}

static bool is_known(const gk_agreement *a, const uint8_t id[GK_HASH])
{
    for (size_t i = 0; i < a->n_known && i < GK_RUNS_KEPT; i++) {
        if (same(a->known[i], id))
            return true;
    }
    return false;
}

/* settled: among those who serve now a run is going on, has been agreed on, or is to rest. */
static bool settled(const gk_agreement *a)
{
    return ((a->run != NULL || a->stuck) && same(a->run_id, a->set_id)) || (a->in_use.n > 0 && same(a->in_use.run_id, a->set_id)) ||
           (a->offered.n > 0 && same(a->offered.run_id, a->set_id));
}

/* gather begins a run among those who serve now, unless they are agreed, or about to. */
static gk_err gather(gk_agreement *a, const gk_look *l, gk_agreement_step_out *out, uint64_t now)
{
    gk_party parties[GK_AGREEMENT_SERVERS];
    gk_reason reasons[GK_AGREEMENT_SERVERS];
    size_t n = 0;
    gk_err e = GK_OK;

    if (l->too_many || l->n == GK_AGREEMENT_SERVERS)
        return GK_OK;
    n = gk_agreement_parties(a, l, parties, reasons, &a->rank);
    e = gk_run_id(a->set_id, gk_keyring_ensemble(a->keyring), parties, n);
    a->n_serving = n;
    for (size_t i = 0; i < n; i++)
        a->serving[i] = parties[i].id;
    if (e == GK_OK && settled(a)) {
        a->again_at = 0;
        if (a->run != NULL && !same(a->run_id, a->set_id)) { /* those who are agreed are together again */
            gk_run_free(a->run);
            a->run = NULL;
            out->events |= GK_AGREEMENT_ABANDONED;
        }
        return GK_OK;
    }
    if (e == GK_OK && is_known(a, a->set_id)) { /* a run is never repeated; one new nonce among all is enough */
        a->again_at = a->again_at == 0 ? now : a->again_at;
        if (now < a->again_at + a->rank * RENEW_GAP)
            return GK_OK;
        e = renew(a, a->lost ? GK_REASON_LOST : GK_REASON_RETURN);
        n = gk_agreement_parties(a, l, parties, reasons, &a->rank);
        if (e == GK_OK)
            e = gk_run_id(a->set_id, gk_keyring_ensemble(a->keyring), parties, n);
    }
    a->again_at = 0;
    return e == GK_OK ? gk_agreement_begin(a, l, out, now, parties, reasons, n) : e;
}

/* due: whether and when this server makes a new nonce for the sake of a new run. UINT64_MAX: not for any reason that time brings. */
static uint64_t due(const gk_agreement *a, gk_reason *reason)
{
    bool waits = a->run != NULL || a->stuck || a->offered.n > 0;
    uint64_t current = 0;
    uint64_t all = 0;
    unsigned doubles = a->stalls < STALL_DOUBLES ? a->stalls : STALL_DOUBLES;

    *reason = GK_REASON_ASKED;
    if (a->asked)
        return 0;
    *reason = GK_REASON_STALLED;
    if (waits && !(a->in_use.n > 0 && same(a->in_use.run_id, a->set_id)))
        return a->run_began + ((uint64_t)STALL_MS << doubles) + a->rank * RENEW_GAP;
    if (a->in_use.n == 0)
        return UINT64_MAX;
    gk_secrets_derivations(a->secrets, &current, &all);
    *reason = GK_REASON_VOLUME;
    if (a->max_derivations > 0 && current >= a->max_derivations)
        return 0;
    *reason = GK_REASON_AGE;
    return a->max_age_ms > 0 ? a->in_use_at + a->max_age_ms + a->rank * RENEW_GAP : UINT64_MAX;
}

/* own_record: what became of this server's record, and whether time asks for a new one. */
static gk_err own_record(gk_agreement *a, const gk_look *l, uint64_t now)
{
    gk_reason reason = GK_REASON_RETURN;

    if (l->own != NULL && shows_own_record(a, l->own))
        a->seen = true;
    else if (l->own == NULL && a->seen) /* the others went on without this one: what it said is of the past */
        return renew(a, reason);
    if (due(a, &reason) > now)
        return GK_OK;
    a->stalls += reason == GK_REASON_STALLED;
    return renew(a, reason);
}

/* --- writes ----------------------------------------------------------------------------------------------------------------- */

static void write_node(gk_agreement_step_out *out, const char *name, const gk_agreement_node *node, bool ephemeral, gk_bytes data)
{
    gk_agreement_write *w = &out->writes[out->n_writes++];

    *w = (gk_agreement_write){.op = GK_AGREEMENT_CREATE, .ephemeral = ephemeral, .data = data};
    if (node != NULL) {
        w->op = ephemeral && !node->mine ? GK_AGREEMENT_REPLACE : GK_AGREEMENT_SET;
        w->version = node->version;
    }
    (void)snprintf(w->name, sizeof(w->name), "%s", name);
}

static gk_err write_own(gk_agreement *a, const gk_look *l, gk_agreement_step_out *out)
{
    gk_writer w = gk_writer_of(a->node, sizeof(a->node));
    char name[GK_AGREEMENT_NAME];
    gk_bytes data = {0};

    gk_writer_put(&w, a->raw, a->raw_n);
    gk_writer_put(&w, a->messages, a->messages_n);
    if (w.err != GK_OK)
        return w.err;
    a->node_n = w.len;
    data = (gk_bytes){a->node, a->node_n};
    if (l->own != NULL && l->own->mine && gk_bytes_equal(l->own->data, data))
        return GK_OK;
    (void)snprintf(name, sizeof(name), "servers/%" PRIu64, a->id);
    write_node(out, name, l->own, true, data);
    return GK_OK;
}

/* waits_to_write: when this server tries to put what it offers into force; UINT64_MAX: there is nothing to put. */
static uint64_t waits_to_write(const gk_agreement *a)
{
    if (a->offered.n == 0 || !same(a->offered.run_id, a->set_id))
        return UINT64_MAX;
    return a->offered_at + a->rank * WRITE_GAP;
}

static gk_err write_current(gk_agreement *a, const gk_look *l, gk_agreement_step_out *out, uint64_t now)
{
    gk_err e = GK_OK;

    if (waits_to_write(a) > now)
        return GK_OK;
    e = gk_current_write(a->current, sizeof(a->current), &a->current_n, &a->offered);
    if (e == GK_OK)
        write_node(out, "agreement/current", l->current, false, (gk_bytes){a->current, a->current_n});
    return e;
}

/* --- the step --------------------------------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t wake(const gk_agreement *a, uint64_t now)
{
    gk_reason reason = GK_REASON_START;
    uint64_t at = earlier(now + WAKE_MS, due(a, &reason));

    if (waits_to_write(a) > now)
        at = earlier(at, waits_to_write(a));
    if (a->again_at > 0)
        at = earlier(at, a->again_at + a->rank * RENEW_GAP);
    return at > now ? at : now + 1;
}

static gk_err step(gk_agreement *a, gk_look *l, gk_agreement_step_out *out, uint64_t now)
{
    gk_err e = gk_agreement_converse(a, l, now);

    if (e == GK_OK)
        e = follow(a, l, out, now);
    if (e == GK_OK)
        e = own_record(a, l, now);
    if (e == GK_OK)
        e = gather(a, l, out, now);
    if (e == GK_OK && (out->events & GK_AGREEMENT_STARTED) != 0)
        e = gk_agreement_converse(a, l, now);
    if (e == GK_OK)
        e = write_own(a, l, out);
    if (e == GK_OK)
        e = write_current(a, l, out, now);
    return e;
}

gk_err gk_agreement_step(gk_agreement *a, gk_agreement_step_out *out, uint64_t now_ms, const gk_agreement_node *nodes, size_t n)
{
    gk_look l;
    gk_err e = gk_agreement_look(a, &l, nodes, n);

    memset(out, 0, sizeof(*out));
    if (e == GK_OK)
        e = step(a, &l, out, now_ms);
    if (e == GK_OK && l.odd != a->odd) {
        a->odd = l.odd;
        a->refused += l.n_odd;
        out->events |= l.n_odd > 0 ? GK_AGREEMENT_REFUSED : 0;
    }
    if (e != GK_OK)
        out->n_writes = 0; /* the events stay: they happened */
    out->wake_ms = wake(a, now_ms);
    return e;
}

void gk_agreement_get_status(const gk_agreement *a, gk_agreement_status *out, uint64_t now_ms)
{
    memset(out, 0, sizeof(*out));
    out->in_use = a->in_use.n > 0;
    out->running = a->run != NULL;
    if (out->in_use) {
        memcpy(out->ks_id, a->in_use.hash, GK_KS_ID);
        memcpy(out->run_id, a->in_use.run_id, GK_HASH);
        memcpy(out->participants, a->in_use.ids, sizeof(out->participants));
        out->n_participants = a->in_use.n;
        out->age_ms = now_ms - a->in_use_at;
    }
    gk_secrets_derivations(a->secrets, &out->derivations, &out->all_derivations);
    out->runs_started = a->runs_started;
    out->runs_finished = a->runs_finished;
    out->refused = a->refused;
    out->run_ms = a->run_ms;
    memcpy(out->serving, a->serving, a->n_serving * sizeof(a->serving[0]));
    out->n_serving = a->n_serving;
    memcpy(out->why, a->why, sizeof(out->why));
}
