/* ctl_keys: whose authority counts, this controller's keys, and what its own disk remembers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/gk_cli.h"
#include "../common/gk_io.h"
#include "../common/gk_log.h"
#include "ctl.h"

enum { FLOORS_MAX = 64 * 1024 * 1024, FLOORS_GROW = 4 * 1024 * 1024, FLOOR_LINE = 160 };

/* load_dh gives GK_ERR_NOTFOUND when there is no such file. */
static gk_err load_dh(const ctl *c, const char *name, gk_key **out, char *why, size_t why_n)
{
    char file[GK_TREE_PATH + 16];
    uint8_t *text = NULL;
    size_t n = 0;
    gk_err e = GK_OK;

    (void)snprintf(file, sizeof(file), "%s/%s", c->state_dir, name);
    e = gk_io_read_secret(file, 4096, &text, &n, why, why_n);
    if (e != GK_OK)
        return e;
    e = gk_key_from_pem(out, GK_PURPOSE_EXCHANGE, (gk_bytes){text, n});
    gk_wipe(text, n);
    free(text);
    return e;
}

bool ctl_keys_exchange(ctl *c, char *why, size_t why_n)
{
    char file[GK_TREE_PATH + 16];
    char pem[GK_PEM_MAX];
    size_t n = 0;
    gk_err e = load_dh(c, "exchange.key", &c->dh, why, why_n);

    if (e != GK_ERR_NOTFOUND)
        return e == GK_OK;
    (void)snprintf(file, sizeof(file), "%s/exchange.key", c->state_dir);
    e = gk_key_generate(&c->dh, GK_PURPOSE_EXCHANGE, 0);
    if (e == GK_OK)
        e = gk_key_to_pem(c->dh, pem, &n);
    if (e == GK_OK)
        e = gk_io_create(file, pem, n, 0600, why, why_n);
    gk_wipe(pem, sizeof(pem));
    if (e != GK_OK) {
        gk_key_free(c->dh);
        c->dh = NULL;
    }
    return e == GK_OK;
}

const ctl_floor *ctl_keys_floor(const ctl *c, const uint8_t id[GK_GROUP_ID])
{
    for (size_t i = 0; i < c->n_floors; i++) {
        if (memcmp(c->floors[i].id, id, GK_GROUP_ID) == 0) /* public */
            return &c->floors[i];
    }
    return NULL;
}

/* raise_floor gives false when there is no memory. */
static bool raise_floor(ctl *c, const ctl_floor *f)
{
    ctl_floor *old = (ctl_floor *)(uintptr_t)ctl_keys_floor(c, f->id);

    if (old != NULL) {
        *old = f->epoch >= old->epoch ? *f : *old;
        return true;
    }
    if (c->n_floors == c->cap_floors) {
        size_t cap = c->cap_floors * 2 + 64;
        void *p = realloc(c->floors, cap * sizeof(*c->floors));

        if (p == NULL)
            return false;
        c->floors = p;
        c->cap_floors = cap;
    }
    c->floors[c->n_floors++] = *f;
    return true;
}

/* A line: the group's id, its epoch, the hash of that epoch's message, and the state key of its snapshot (missing in older files). */
static int floor_line(char out[FLOOR_LINE], const ctl_floor *f)
{
    char id[2 * GK_GROUP_ID + 1];
    char hash[2 * GK_HASH + 1];

    cli_hex(id, f->id, GK_GROUP_ID);
    cli_hex(hash, f->hash, GK_HASH);
    return snprintf(out, FLOOR_LINE, "%s %llu %s %u\n", id, (unsigned long long)f->epoch, hash, f->key);
}

static bool parse_floors(ctl *c, const char *text)
{
    bool ok = true;

    for (const char *line = text; line != NULL && *line != '\0' && ok;) {
        const char *end = strchr(line, '\n');
        char id[2 * GK_GROUP_ID + 1] = {0};
        char hash[2 * GK_HASH + 1] = {0};
        unsigned long long epoch = 0;
        ctl_floor f = {0};

        /* the last line may be cut by a crash */
        if (end != NULL && sscanf(line, "%32[0-9a-f] %llu %64[0-9a-f] %u", id, &epoch, hash, &f.key) >= 3 && cli_unhex(f.id, GK_GROUP_ID, id) &&
            cli_unhex(f.hash, GK_HASH, hash)) {
            f.epoch = epoch;
            ok = raise_floor(c, &f);
        }
        line = end == NULL ? NULL : end + 1;
    }
    return ok;
}

/* write_floors makes the file anew, one line for each group, and opens it for more behind it. */
static gk_err write_floors(ctl *c, char *why, size_t why_n)
{
    char file[GK_TREE_PATH + 16];
    size_t n = 0;
    char *text = calloc(c->n_floors + 1, FLOOR_LINE);
    gk_err e = text == NULL ? GK_ERR_NOMEM : GK_OK;

    (void)snprintf(file, sizeof(file), "%s/floors", c->state_dir);
    for (size_t i = 0; i < c->n_floors && e == GK_OK; i++)
        n += (size_t)floor_line(text + n, &c->floors[i]);
    if (e == GK_OK)
        e = gk_io_replace(file, text, n, 0600, why, why_n);
    free(text);
    if (e != GK_OK)
        return e;
    if (c->floor_fd >= 0)
        (void)close(c->floor_fd);
    c->floor_bytes = 0;
    c->floor_fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (c->floor_fd >= 0)
        return GK_OK;
    (void)snprintf(why, why_n, "%s cannot be opened: %s", file, strerror(errno));
    return GK_ERR_IO;
}

static gk_err open_floors(ctl *c, char *why, size_t why_n)
{
    char file[GK_TREE_PATH + 16];
    char *text = NULL;
    size_t n = 0;
    gk_err e = GK_OK;

    (void)snprintf(file, sizeof(file), "%s/floors", c->state_dir);
    e = gk_io_read(file, FLOORS_MAX, (uint8_t **)&text, &n, why, why_n);
    if (e == GK_OK && !parse_floors(c, text))
        e = GK_ERR_NOMEM;
    free(text);
    return e == GK_OK || e == GK_ERR_NOTFOUND ? write_floors(c, why, why_n) : e;
}

bool ctl_keys_open(ctl *c, char *why, size_t why_n)
{
    gk_err e = GK_OK;

    c->floor_fd = -1;
    if (gk_tree_key(&c->sign, c->o->identity, why, why_n) != GK_OK)
        return false;
    if (c->o->state_dir != NULL)
        (void)snprintf(c->state_dir, sizeof(c->state_dir), "%s", c->o->state_dir);
    else
        (void)snprintf(c->state_dir, sizeof(c->state_dir), "%s.d", c->o->identity);
    (void)mkdir(c->state_dir, 0700); /* what fails shows below */
    e = load_dh(c, "exchange.old", &c->dh_old, why, why_n);
    if ((e != GK_OK && e != GK_ERR_NOTFOUND) || !ctl_keys_exchange(c, why, why_n) || open_floors(c, why, why_n) != GK_OK)
        return false;
    if (gk_state_keys_new(&c->state_keys) == GK_OK)
        return true;
    (void)snprintf(why, why_n, "out of memory");
    return false;
}

void ctl_keys_close(ctl *c)
{
    gk_key_free(c->sign);
    gk_key_free(c->dh);
    gk_key_free(c->dh_old);
    gk_state_keys_free(c->state_keys);
    gk_authority_free(c->authority);
    free(c->floors);
    if (c->floor_fd >= 0)
        (void)close(c->floor_fd);
}

bool ctl_keys_authority(ctl *c)
{
    char pin[GK_TREE_PATH + 8];
    char why[512] = {0};
    uint8_t pub[GK_SIGN_PUBLIC];
    gk_bytes all = {0};
    bool fresh = false;
    int rc = gk_tree_authority(c->zk, c->o->root, &c->authority, CTL_TIMEOUT_MS);

    c->control.authority = c->authority; /* also when only part of the chain could be read */
    if (rc != ZOK) {
        gk_log(GK_LOG_WARN, "authority-unreadable", "code=%d text=\"%s\"", rc, rc == ZNONODE ? "run gk-admin setup" : gk_zk_str(rc));
        return false;
    }
    if (c->judged == gk_authority_version(c->authority))
        return c->mine;
    c->mine = false;
    (void)snprintf(pin, sizeof(pin), "%s/root", c->state_dir);
    if (gk_tree_pin(pin, c->authority, &fresh, why, sizeof(why)) != GK_OK) {
        gk_log(GK_LOG_ERROR, "authority-replaced", "why=\"%s\"", why);
        return false;
    }
    all = gk_authority_controllers(c->authority);
    if (gk_sign_public(pub, c->sign) != GK_OK)
        return false;
    c->judged = gk_authority_version(c->authority);
    for (size_t i = 0; i + GK_SIGN_PUBLIC <= all.n; i += GK_SIGN_PUBLIC)
        c->mine = c->mine || memcmp(all.p + i, pub, GK_SIGN_PUBLIC) == 0; /* public */
    gk_link_trust(c->link, (const uint8_t(*)[GK_SIGN_PUBLIC])(const void *)all.p, all.n / GK_SIGN_PUBLIC);
    gk_log(c->mine ? GK_LOG_INFO : GK_LOG_WARN, "authority", "version=%llu controllers=%zu mine=%s",
           (unsigned long long)gk_authority_version(c->authority), all.n / GK_SIGN_PUBLIC, c->mine ? "yes" : "no");
    return c->mine;
}

bool ctl_keys_publish(ctl *c)
{
    char path[GK_TREE_PATH];
    char id[2 * GK_SIGNER + 1];
    uint8_t pub[GK_SIGN_PUBLIC];
    uint8_t mine[GK_X25519_PUBLIC];
    uint8_t signer[GK_SIGNER];
    gk_zk_data d = {0};
    gk_exchange x = {0};
    gk_mem record = {0};
    int rc = ZOK;

    if (gk_sign_public(pub, c->sign) != GK_OK || gk_signer_id(signer, pub) != GK_OK || gk_x25519_public(mine, c->dh) != GK_OK)
        return false;
    cli_hex(id, signer, GK_SIGNER);
    gk_tree_path(path, c->o->root, "controllers/keys/%s", id);
    rc = gk_zk_get(c->zk, path, false, &d, CTL_TIMEOUT_MS);
    if (rc == ZOK && gk_exchange_read(&x, (gk_bytes){d.data, d.n}, c->authority) == GK_OK &&
        gk_bytes_equal((gk_bytes){x.pub, GK_X25519_PUBLIC}, (gk_bytes){mine, GK_X25519_PUBLIC})) {
        gk_zk_data_free(&d);
        c->dh_since_ms = x.time_ms;
        return true;
    }
    gk_zk_data_free(&d);
    c->dh_since_ms = ctl_now();
    if ((rc != ZOK && rc != ZNONODE) || gk_exchange_make(&record, c->dh, c->dh_since_ms, c->sign) != GK_OK)
        return false;
    rc = rc == ZNONODE
             ? gk_zk_create(c->zk, path, record.p, record.n, gk_tree_acl(c->authenticated, false), ZOO_PERSISTENT, NULL, 0, CTL_TIMEOUT_MS)
             : gk_zk_set(c->zk, path, record.p, record.n, -1, NULL, CTL_TIMEOUT_MS);
    gk_mem_free(&record);
    return rc == ZOK || rc == ZNODEEXISTS;
}

void ctl_keys_remember(ctl *c, const gk_group *g)
{
    gk_group_info info = {0};
    ctl_floor f = {0};
    char line[FLOOR_LINE];
    char why[512] = {0};
    int n = 0;

    if (gk_group_look(g, &info) != GK_OK)
        return;
    memcpy(f.id, info.genesis.id, GK_GROUP_ID);
    memcpy(f.hash, info.hash, GK_HASH);
    f.epoch = info.epoch;
    f.key = gk_group_sealed_with(g);
    n = floor_line(line, &f);
    /* no fsync: what a crash of the whole machine loses is a check, not a key */
    if (!raise_floor(c, &f) || write(c->floor_fd, line, (size_t)n) != n)
        gk_log(GK_LOG_WARN, "floor-not-written", "why=\"%s\"", strerror(errno));
    c->floor_bytes += (size_t)n;
    if (c->floor_bytes > FLOORS_GROW && write_floors(c, why, sizeof(why)) != GK_OK)
        gk_log(GK_LOG_WARN, "floor-not-written", "why=\"%s\"", why);
}
