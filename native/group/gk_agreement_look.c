/* Reading a snapshot: whose records are authentic, and what is in force. Whatever isn't what it should be is left out, and counted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gk_agreement_internal.h"

gk_err gk_agreement_server_key(gk_key **out, const gk_keyring *kr, uint32_t seed)
{
    gk_key *from = gk_keyring_find(kr, GK_PURPOSE_SEED, seed);

    *out = NULL;
    if (from == NULL)
        return GK_ERR_NOTFOUND;
    return gk_key_derive(out, GK_PURPOSE_SERVER, seed, from, (gk_bytes){gk_keyring_zone(kr), GK_ID});
}

/* odd counts something that is ignored. The sum (FNV-1a) tells whether it is the same as before. */
static void odd(gk_look *l, gk_bytes data)
{
    uint64_t h = 14695981039346656037ULL;

    for (size_t i = 0; i < data.n; i++)
        h = (h ^ data.p[i]) * 1099511628211ULL;
    l->odd += h;
    l->n_odd++;
}

static gk_checked *checked_of(gk_agreement *a, uint64_t id)
{
    gk_checked *free_one = &a->checked[0];

    for (size_t i = 0; i < GK_AGREEMENT_SERVERS; i++) {
        if (a->checked[i].id == id)
            return &a->checked[i];
        if (a->checked[i].id == 0)
            free_one = &a->checked[i];
    }
    return free_one;
}

/* authentic: its MAC shows the keyring, its signature the key that it names. */
static gk_err authentic(gk_agreement *a, const gk_record *rec)
{
    gk_checked *c = checked_of(a, rec->id);
    gk_key *server = NULL;
    gk_err e = GK_OK;

    if (rec->raw.n > GK_RECORD_MAX)
        return GK_ERR_AUTH;
    if (c->id == rec->id && gk_bytes_equal((gk_bytes){c->raw, c->n}, rec->raw))
        return GK_OK;
    e = gk_agreement_server_key(&server, a->keyring, rec->seed);
    if (e == GK_OK)
        e = gk_record_check(rec, gk_keyring_ensemble(a->keyring), server);
    gk_key_free(server);
    if (e == GK_OK) {
        c->id = rec->id;
        c->n = rec->raw.n;
        memcpy(c->raw, rec->raw.p, rec->raw.n);
    }
    return e;
}

static void insert(gk_look *l, const gk_server *s)
{
    size_t at = l->n;

    if (l->n == GK_AGREEMENT_SERVERS) {
        l->too_many = true;
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->others[i].record.id == s->record.id)
            return; /* the same node twice in one snapshot: the first one counts */
    }
    while (at > 0 && l->others[at - 1].record.id > s->record.id) {
        l->others[at] = l->others[at - 1];
        at--;
    }
    l->others[at] = *s;
    l->n++;
}

static gk_err look_at_server(gk_agreement *a, gk_look *l, const gk_agreement_node *node)
{
    gk_reader r = gk_reader_of(node->data.p, node->data.n);
    gk_server s = {0};
    char name[GK_AGREEMENT_NAME];
    gk_err e = node->data.n > GK_AGREEMENT_NODE ? GK_ERR_LIMIT : gk_record_read(&s.record, &r);

    (void)snprintf(name, sizeof(name), "servers/%" PRIu64, s.record.id);
    if (e == GK_OK && strcmp(name, node->name) != 0)
        e = GK_ERR_AUTH; /* a record in another's place */
    if (e == GK_OK)
        e = authentic(a, &s.record);
    s.messages = (gk_bytes){r.p, r.n};
    if (e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO)
        return e;
    if (e == GK_OK)
        insert(l, &s);
    else
        odd(l, node->data);
    return GK_OK;
}

gk_err gk_agreement_look(gk_agreement *a, gk_look *out, const gk_agreement_node *nodes, size_t n)
{
    char own[GK_AGREEMENT_NAME];
    gk_err e = GK_OK;

    memset(out, 0, sizeof(*out));
    (void)snprintf(own, sizeof(own), "servers/%" PRIu64, a->id);
    for (size_t i = 0; i < n && e == GK_OK; i++) {
        if (strcmp(nodes[i].name, "agreement/current") == 0) {
            out->current = &nodes[i];
            if (gk_current_read(&out->agreed, nodes[i].data) != GK_OK) {
                out->agreed.n = 0;
                odd(out, nodes[i].data);
            }
        } else if (strcmp(nodes[i].name, own) == 0) {
            out->own = &nodes[i];
        } else if (strncmp(nodes[i].name, "servers/", 8) == 0) {
            e = look_at_server(a, out, &nodes[i]);
        }
    }
    return e;
}

size_t gk_agreement_parties(const gk_agreement *a, const gk_look *l, gk_party *parties, gk_reason *reasons, size_t *own)
{
    size_t n = 0;

    *own = l->n;
    for (size_t i = 0; i <= l->n; i++) {
        const gk_record *rec = &a->record;

        if (*own == l->n && (i == l->n || l->others[i].record.id > a->id))
            *own = i; /* its own place */
        if (i != *own)
            rec = &l->others[i < *own ? i : i - 1].record;
        parties[n].id = rec->id;
        memcpy(parties[n].nonce, rec->nonce, sizeof(rec->nonce));
        memcpy(parties[n].public_key, rec->public_key, sizeof(rec->public_key));
        reasons[n++] = rec->reason;
    }
    return n;
}
