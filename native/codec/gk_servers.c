#include "gk_servers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../wire/gk_jute.h"
#include "gk_own.h"

#define NODES_MAX (GK_AGREEMENT_SERVERS + 16) /* more are cut off: gk_agreement refuses to run with so many anyway */
#define PATH_MAX_OWN (sizeof GK_OWN_ROOT + GK_AGREEMENT_NAME)

/* A snapshot with its payloads opened. */
typedef struct snapshot {
    gk_agreement_node nodes[NODES_MAX];
    char names[NODES_MAX][GK_AGREEMENT_NAME];
    uint8_t data[NODES_MAX][GK_AGREEMENT_NODE];
    size_t n;
} snapshot;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

gk_err gk_servers_start(gk_codec *c, const gk_agreement_config *config, char *why, size_t why_n)
{
    gk_err e = GK_ERR_STATE;
    pthread_mutex_lock(&c->servers_lock);
    if (!c->servers && (e = gk_agreement_new(&c->servers, config, why, why_n)) == GK_OK)
        c->server_id = config->server_id;
    pthread_mutex_unlock(&c->servers_lock);
    return e;
}

void gk_servers_serve(gk_codec *c, bool on)
{
    pthread_mutex_lock(&c->servers_lock);
    gk_secrets_free(c->secrets);
    c->secrets = on && c->servers ? gk_secrets_ref(gk_agreement_secrets(c->servers)) : NULL;
    pthread_mutex_unlock(&c->servers_lock);
}

gk_secrets *gk_servers_secrets(gk_codec *c)
{
    pthread_mutex_lock(&c->servers_lock);
    gk_secrets *s = c->secrets ? gk_secrets_ref(c->secrets) : NULL;
    pthread_mutex_unlock(&c->servers_lock);
    return s;
}

uint64_t gk_servers_runs(gk_codec *c)
{
    gk_agreement_status s = {0};
    pthread_mutex_lock(&c->servers_lock);
    if (c->servers)
        gk_agreement_get_status(c->servers, &s, now_ms());
    pthread_mutex_unlock(&c->servers_lock);
    return s.runs_finished;
}

/* --- steps ---------------------------------------------------------------------------------------------------------------- */

static gk_bytes path_of(char out[PATH_MAX_OWN], const char *name)
{
    int n = snprintf(out, PATH_MAX_OWN, "%s/%s", GK_OWN_ROOT, name);
    return (gk_bytes){(const uint8_t *)out, (size_t)n};
}

/* open_node reads the next node into s; one that can't be used is left out. */
static gk_err open_node(gk_worker *w, snapshot *s, gk_reader *r)
{
    uint16_t name_n;
    uint32_t data_n;
    int32_t version;
    uint8_t mine;
    gk_bytes name, stored;
    gk_err e;
    if ((e = gk_reader_u16(r, &name_n)) != GK_OK || (e = gk_reader_take(r, &name, name_n)) != GK_OK || (e = gk_jute_i32(r, &version)) != GK_OK ||
        (e = gk_reader_u8(r, &mine)) != GK_OK || (e = gk_reader_u32(r, &data_n)) != GK_OK || (e = gk_reader_take(r, &stored, data_n)) != GK_OK)
        return e;
    if (s->n == NODES_MAX || name.n >= GK_AGREEMENT_NAME)
        return GK_OK;
    char path[PATH_MAX_OWN];
    memcpy(s->names[s->n], name.p, name.n);
    s->names[s->n][name.n] = 0;
    gk_writer plain = gk_writer_of(s->data[s->n], GK_AGREEMENT_NODE);
    e = gk_own_open(w, &plain, path_of(path, s->names[s->n]), stored);
    if (e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO)
        return e;
    if (e != GK_OK || plain.err != GK_OK) {
        gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
        return GK_OK;
    }
    s->nodes[s->n] = (gk_agreement_node){s->names[s->n], {s->data[s->n], plain.len}, version, mine != 0};
    s->n++;
    return GK_OK;
}

static gk_err seal_write(gk_worker *w, gk_writer *out, const gk_agreement_write *write)
{
    char path[PATH_MAX_OWN];
    gk_writer_u8(out, (uint8_t)write->op);
    gk_writer_u8(out, write->ephemeral);
    gk_jute_put_i32(out, write->version);
    gk_writer_u16(out, (uint16_t)strlen(write->name));
    gk_writer_put(out, write->name, strlen(write->name));
    size_t at = gk_jute_open_string(out);
    gk_err e = gk_own_seal(w, out, path_of(path, write->name), write->data);
    gk_jute_close_string(out, at);
    return e;
}

static gk_err advance(gk_worker *w, gk_writer *out, const snapshot *s)
{
    gk_agreement_step_out step = {0};
    uint64_t now = now_ms();
    gk_err e = gk_agreement_step(w->codec->servers, &step, now, s->nodes, s->n);
    if (e != GK_OK)
        return e;
    uint64_t wake = step.wake_ms > now ? step.wake_ms - now : 0;
    gk_writer_u32(out, wake > UINT32_MAX ? UINT32_MAX : (uint32_t)wake);
    gk_writer_u32(out, step.events);
    gk_writer_u8(out, (uint8_t)step.n_writes);
    for (size_t i = 0; e == GK_OK && i < step.n_writes; i++)
        e = seal_write(w, out, &step.writes[i]);
    return e == GK_OK ? out->err : e;
}

gk_err gk_servers_step(gk_worker *w, gk_writer *out, gk_bytes in)
{
    gk_reader r = gk_reader_of(in.p, in.n);
    uint16_t count;
    snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return GK_ERR_NOMEM;
    gk_err e = gk_reader_u16(&r, &count);
    for (uint16_t i = 0; e == GK_OK && i < count; i++)
        e = open_node(w, s, &r);
    if (e == GK_OK)
        e = gk_reader_end(&r);
    pthread_mutex_lock(&w->codec->servers_lock);
    if (e == GK_OK)
        e = w->codec->servers ? advance(w, out, s) : GK_ERR_STATE;
    pthread_mutex_unlock(&w->codec->servers_lock);
    free(s);
    return e;
}

/* --- status --------------------------------------------------------------------------------------------------------------- */

typedef struct text {
    char *p;
    size_t n;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->p + t->n, GK_SERVERS_STATUS - t->n, format, args);
    va_end(args);
    if (n > 0)
        t->n = t->n + (size_t)n < GK_SERVERS_STATUS ? t->n + (size_t)n : GK_SERVERS_STATUS - 1;
}

static void add_hex(text *t, const char *name, const uint8_t *p, size_t n)
{
    add(t, "\"%s\":\"", name);
    for (size_t i = 0; i < n; i++)
        add(t, "%02x", p[i]);
    add(t, "\",");
}

static void add_ids(text *t, const char *name, const uint64_t *ids, size_t n)
{
    add(t, "\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        add(t, "%s%" PRIu64, i > 0 ? "," : "", ids[i]);
    add(t, "],");
}

size_t gk_servers_status(gk_codec *c, char out[GK_SERVERS_STATUS])
{
    text t = {out, 0};
    gk_agreement_status s = {0};
    pthread_mutex_lock(&c->servers_lock);
    uint64_t id = c->server_id;
    if (c->servers)
        gk_agreement_get_status(c->servers, &s, now_ms());
    pthread_mutex_unlock(&c->servers_lock);
    bool any = s.n_participants > 0;
    add(&t, "{\"server\":%" PRIu64 ",", id);
    add_hex(&t, "agreement", s.ks_id, any ? sizeof s.ks_id : 0);
    add_hex(&t, "run_id", s.run_id, any ? sizeof s.run_id : 0);
    add_ids(&t, "participants", s.participants, s.n_participants);
    add(&t, "\"age_s\":%" PRIu64 ",\"derivations\":%" PRIu64 ",", s.age_ms / 1000, s.derivations);
    add_ids(&t, "serving", s.serving, s.n_serving);
    add(&t, "\"running\":%s,\"in_use\":%s,\"runs\":%" PRIu64 ",\"run_ms\":%" PRIu64 ",\"why\":\"%s\"}", s.running ? "true" : "false",
        s.in_use ? "true" : "false", s.runs_finished, s.run_ms, s.why);
    return t.n;
}
