/* gkm_state: the state file: "GKM1", u16 length and the settings as lines, then the engine's state, sealed or plain. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/gk_io.h"
#include "gkm_internal.h"

enum { PEM_MAX = 262144 };

uint64_t gkm_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

gkm_result gkm_of(gk_err e)
{
    switch (e) {
    case GK_OK: return GKM_OK;
    case GK_ERR_NOMEM: return GKM_NOMEM;
    case GK_ERR_AUTH: return GKM_AUTH;
    case GK_ERR_IO:
    case GK_ERR_PERM:
    case GK_ERR_EXISTS:
    case GK_ERR_NOTFOUND: return GKM_FILE;
    case GK_ERR_STATE: return GKM_STATE;
    default: return GKM_ARG;
    }
}

/* field gives the member of a settings that a name stands for. */
static char **field(gkm_settings *s, size_t i, const char **name)
{
    static const char *const names[] = {"connect", "ca", "cert", "key", "auth_file", "root"};
    char **const fields[] = {&s->connect, &s->ca, &s->cert, &s->key, &s->auth_file, &s->root};

    if (i >= sizeof(names) / sizeof(*names))
        return NULL;
    *name = names[i];
    return fields[i];
}

static bool set(char **to, const char *value, bool is_path)
{
    char real[PATH_MAX];
    char *copy = NULL;

    if (value == NULL)
        return true;
    copy = strdup(is_path && realpath(value, real) != NULL ? real : value);
    if (copy == NULL)
        return false;
    free(*to);
    *to = copy;
    return true;
}

bool gkm_settle(gkm *m, const gkm_options *o)
{
    gkm_settings *s = &m->settings;

    return set(&s->connect, o->connect, false) && set(&s->ca, o->ca, true) && set(&s->cert, o->cert, true) && set(&s->key, o->key, true) &&
           set(&s->auth_file, o->auth_file, true) &&
           set(&s->root,
               o->root != NULL   ? o->root
               : s->root == NULL ? "/groupkeeper"
                                 : NULL,
               false);
}

/* read_state_key takes 32 bytes, raw or as hex digits. */
static gkm_result read_state_key(gkm *m, const char *file, char *why, size_t why_n)
{
    uint8_t *p = NULL;
    size_t n = 0;
    gk_err e = gk_io_read_secret(file, 256, &p, &n, why, why_n);

    if (e != GK_OK)
        return gkm_of(e);
    if (n == 32)
        e = gk_key_new(&m->state_key, GK_PURPOSE_STATE, 0, (gk_bytes){p, n});
    else {
        (void)snprintf(why, why_n, "%s does not hold 32 bytes", file);
        e = GK_ERR_ARG;
    }
    gk_wipe(p, n);
    free(p);
    return gkm_of(e);
}

gkm_result gkm_new(gkm **out, const gkm_options *given, char *why, size_t why_n)
{
    gkm_options o = {0};
    gkm *m = NULL;
    pthread_condattr_t monotonic;
    gkm_result r = GKM_OK;

    *out = NULL;
    (void)snprintf(why, why_n, "the state file is needed");
    if (given->size < offsetof(gkm_options, name) || given->size > sizeof(o))
        return GKM_ARG;
    memcpy(&o, given, given->size);
    if (o.state == NULL)
        return GKM_ARG;
    m = calloc(1, sizeof(*m));
    if (m == NULL)
        return GKM_NOMEM;
    m->lock_fd = -1;
    m->ahead = 8;
    m->callback = o.callback;
    m->arg = o.arg;
    m->resync = m->fresh_dirty = m->reply_dirty = true;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    m->file = strdup(o.state);
    r = m->file == NULL ? GKM_NOMEM : GKM_OK;
    if (r == GKM_OK && o.state_key != NULL)
        r = read_state_key(m, o.state_key, why, why_n);
    if (r != GKM_OK) {
        gkm_free(m);
        return r;
    }
    *out = m;
    return GKM_OK;
}

void gkm_free(gkm *m)
{
    if (m == NULL)
        return;
    gk_zk_close(m->zk);
    gk_member_free(m->e);
    gk_key_free(m->state_key);
    for (size_t i = 0; i < GKM_OLD_KEYS; i++)
        gk_key_free(m->old[i].key);
    for (size_t i = 0; i < m->noted_n; i++)
        gk_key_free(m->noted[i].key);
    if (m->lock_fd >= 0)
        (void)close(m->lock_fd);
    for (size_t i = 0;; i++) {
        const char *name = NULL;
        char **f = field(&m->settings, i, &name);

        if (f == NULL)
            break;
        free(*f);
    }
    free(m->file);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* read_settings takes lines of NAME=VALUE; a name that isn't known is of a later version and of no use here. */
static bool read_settings(gkm *m, gk_bytes lines)
{
    char line[PATH_MAX + 32];
    size_t n = 0;

    for (size_t at = 0; at < lines.n; at += n + 1) {
        const uint8_t *end = memchr(lines.p + at, '\n', lines.n - at);
        char *value = NULL;

        n = end == NULL ? sizeof(line) : (size_t)(end - (lines.p + at));
        if (n >= sizeof(line))
            return false;
        memcpy(line, lines.p + at, n);
        line[n] = '\0';
        value = strchr(line, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (strcmp(line, "by_cert") == 0)
            m->by_cert = strcmp(value, "1") == 0;
        else if (strcmp(line, "zxid") == 0)
            m->zxid = strtoll(value, NULL, 10);
        for (size_t i = 0;; i++) {
            const char *name = NULL;
            char **f = field(&m->settings, i, &name);

            if (f == NULL)
                break;
            if (strcmp(name, line) == 0 && !set(f, value, false))
                return false;
        }
    }
    return true;
}

gkm_result gkm_load(gkm *m, const gkm_options *o, char *why, size_t why_n)
{
    uint8_t *file = NULL;
    size_t n = 0;
    gk_reader r = {0};
    gk_bytes settings = {0};
    gk_bytes state = {0};
    gk_err e = gk_io_read_secret(m->file, GKM_STATE_MAX, &file, &n, why, why_n);

    if (e != GK_OK)
        return gkm_of(e);
    r = gk_reader_of(file, n);
    if (gk_reader_magic(&r, "GKM1") != GK_OK || gk_reader_var16(&r, &settings, UINT16_MAX) != GK_OK ||
        gk_reader_take(&r, &state, r.n) != GK_OK || !read_settings(m, settings)) {
        (void)snprintf(why, why_n, "%s is no state file of a member", m->file);
        e = GK_ERR_MALFORMED;
    } else {
        e = gk_member_load(&m->e, state, m->state_key);
        if (e != GK_OK)
            (void)snprintf(why, why_n, "%s cannot be opened: is --state-key right?", m->file);
    }
    gk_wipe(file, n);
    free(file);
    if (e == GK_OK && o->group != NULL && strcmp(gk_member_group_name(m->e), o->group) != 0) {
        (void)snprintf(why, why_n, "%s belongs to the group %s", m->file, gk_member_group_name(m->e));
        e = GK_ERR_ARG;
    }
    if (e == GK_OK && !gkm_settle(m, o))
        e = GK_ERR_NOMEM;
    return gkm_of(e);
}

/* write_settings: GK_ERR_LIMIT sticks when a value is too long, or has a line end in it. */
static void write_settings(gk_writer *w, const void *arg)
{
    gkm *m = (gkm *)(uintptr_t)arg;
    char line[PATH_MAX + 32];
    int n = snprintf(line, sizeof(line), "by_cert=%d\nzxid=%lld\n", m->by_cert, (long long)m->zxid);

    gk_writer_put(w, line, (size_t)n);
    for (size_t i = 0;; i++) {
        const char *name = NULL;
        char **f = field(&m->settings, i, &name);

        if (f == NULL)
            break;
        if (*f == NULL)
            continue;
        n = snprintf(line, sizeof(line), "%s=%s\n", name, *f);
        if (n >= (int)sizeof(line) || strchr(*f, '\n') != NULL)
            w->err = GK_ERR_LIMIT;
        else
            gk_writer_put(w, line, (size_t)n);
    }
}

gkm_result gkm_save(gkm *m, char *why, size_t why_n)
{
    gk_mem settings = {0};
    gk_mem state = {0};
    gk_mem file = {0};
    gk_err e = gk_mem_write(&settings, write_settings, m);

    pthread_mutex_lock(&m->lock);
    if (e == GK_OK)
        e = gk_member_save(m->e, &state, m->state_key);
    pthread_mutex_unlock(&m->lock);
    if (e == GK_OK)
        e = gk_mem_new(&file, 4 + 2 + settings.n + state.n);
    if (e == GK_OK) {
        gk_writer w = gk_writer_of(file.p, file.n);

        gk_writer_put(&w, "GKM1", 4);
        gk_writer_var16(&w, gk_mem_view(&settings));
        gk_writer_put(&w, state.p, state.n);
        e = w.err;
    }
    if (e == GK_OK)
        e = gk_io_replace(m->file, file.p, file.n, 0600, why, why_n);
    if (e == GK_OK) {
        pthread_mutex_lock(&m->lock);
        gk_member_saved(m->e);
        pthread_mutex_unlock(&m->lock);
    }
    gk_mem_free(&settings);
    gk_mem_free(&state);
    gk_mem_free(&file);
    return gkm_of(e);
}

gkm_result gkm_lock(gkm *m, char *why, size_t why_n)
{
    char file[PATH_MAX];
    gk_err e = GK_OK;

    if (snprintf(file, sizeof(file), "%s.lock", m->file) >= (int)sizeof(file))
        return GKM_ARG;
    e = gk_io_lock(file, false, &m->lock_fd, why, why_n);
    if (e == GK_ERR_STATE)
        (void)snprintf(why, why_n, "another process runs the member of %s", m->file);
    return e == GK_ERR_STATE ? GKM_BUSY : gkm_of(e);
}

gkm_result gkm_identify(gkm *m, char *why, size_t why_n)
{
    uint8_t *pem = NULL;
    uint8_t *chain = NULL;
    size_t n = 0;
    size_t chain_n = 0;
    gk_signer *signer = NULL;
    gk_err e = GK_OK;

    if (!m->by_cert)
        return GKM_OK;
    e = gk_io_read_secret(m->settings.key, PEM_MAX, &pem, &n, why, why_n);
    if (e == GK_OK) {
        e = gk_signer_load(&signer, (gk_bytes){pem, n});
        gk_wipe(pem, n);
        free(pem);
        pem = NULL;
        if (e != GK_OK)
            (void)snprintf(why, why_n, "%s holds no private key of a kind that is known", m->settings.key);
    }
    if (e == GK_OK)
        e = gk_io_read(m->settings.cert, PEM_MAX, &pem, &n, why, why_n);
    if (e == GK_OK) {
        chain = malloc(n + 1);
        e = chain == NULL ? GK_ERR_NOMEM : gk_cert_from_pem(chain, n, &chain_n, (gk_bytes){pem, n});
        if (e == GK_OK)
            e = gk_member_certificate(m->e, signer, (gk_bytes){chain, chain_n});
        if (e == GK_OK)
            signer = NULL; /* the engine has it now */
        else
            (void)snprintf(why, why_n, "%s holds no certificate for %s", m->settings.cert, m->settings.key);
    }
    gk_signer_free(signer);
    free(pem);
    free(chain);
    return gkm_of(e);
}

gkm_result gkm_connect(gkm *m, char *why, size_t why_n)
{
    const gkm_settings *s = &m->settings;
    gk_zk_options o = {.connect = s->connect,
                       .ca = s->ca,
                       .cert = s->ca == NULL ? NULL : s->cert, /* an identity for the group doesn't ask for TLS */
                       .key = s->ca == NULL ? NULL : s->key,
                       .auth_file = s->auth_file,
                       .session_ms = GKM_SESSION_MS,
                       .on_event = gkm_on_event,
                       .arg = m};

    if (s->connect == NULL) {
        (void)snprintf(why, why_n, "no ensemble is named");
        return GKM_ARG;
    }
    return gk_zk_open(&m->zk, &o, why, why_n) ? GKM_OK : GKM_CONNECT;
}
