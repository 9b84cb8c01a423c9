#include "gk_side.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN_ROW (GK_TOKEN_ID + GK_SIGN_PUBLIC + 4 + 8)

void gk_side_clear(gk_side *s)
{
    for (size_t i = 0; i < s->waiting_n; i++)
        gk_mem_free(&s->waiting[i].request);
    free(s->tokens);
    free(s->denied);
    free(s->waiting);
    gk_seen_clear(&s->seen);
    *s = (gk_side){0};
}

/* room makes place for one more; arrays are small and change seldom. */
static gk_err room(void **array, size_t n, size_t size, size_t most)
{
    void *more = n < most ? realloc(*array, (n + 1) * size) : NULL;

    if (n >= most)
        return GK_ERR_LIMIT;
    if (more == NULL)
        return GK_ERR_NOMEM;
    *array = more;
    return GK_OK;
}

/* --- tokens ---------------------------------------------------------------------------------------------------------------------- */

gk_token *gk_side_token(const gk_side *s, const uint8_t id[GK_TOKEN_ID])
{
    for (size_t i = 0; i < s->tokens_n; i++) {
        if (memcmp(s->tokens[i].id, id, GK_TOKEN_ID) == 0) /* public */
            return &s->tokens[i];
    }
    return NULL;
}

gk_err gk_side_token_add(gk_side *s, const gk_token *t)
{
    gk_err e = gk_side_token(s, t->id) != NULL ? GK_ERR_EXISTS : room((void **)&s->tokens, s->tokens_n, sizeof(*t), GK_SIDE_TOKENS);

    if (e == GK_OK)
        s->tokens[s->tokens_n++] = *t;
    return e;
}

void gk_side_token_left(gk_side *s, const uint8_t id[GK_TOKEN_ID], uint32_t uses)
{
    gk_token *t = gk_side_token(s, id);

    if (t == NULL)
        return;
    t->uses = uses;
    if (uses == 0)
        *t = s->tokens[--s->tokens_n];
}

/* --- the deny list ----------------------------------------------------------------------------------------------------------------- */

bool gk_side_is_denied(const gk_side *s, const uint8_t identity[GK_HASH])
{
    for (size_t i = 0; i < s->denied_n; i++) {
        if (memcmp(s->denied[i].identity, identity, GK_HASH) == 0)
            return true;
    }
    return false;
}

gk_err gk_side_deny(gk_side *s, gk_bytes name, const uint8_t identity[GK_HASH], uint64_t since)
{
    gk_denied d = {.since = since};
    gk_err e = GK_OK;

    if (gk_side_is_denied(s, identity))
        return GK_OK;
    e = name.n > GK_NAME_MAX ? GK_ERR_ARG : room((void **)&s->denied, s->denied_n, sizeof(d), GK_SIDE_DENIED);
    if (e != GK_OK)
        return e;
    memcpy(d.name, name.p, name.n);
    memcpy(d.identity, identity, GK_HASH);
    s->denied[s->denied_n++] = d;
    return GK_OK;
}

bool gk_side_allow(gk_side *s, const uint8_t identity[GK_HASH], gk_bytes name)
{
    bool found = false;

    for (size_t i = 0; i < s->denied_n;) {
        const gk_denied *d = &s->denied[i];
        bool this = name.n > 0 ? strlen(d->name) == name.n && memcmp(d->name, name.p, name.n) == 0 : memcmp(d->identity, identity, GK_HASH) == 0;

        found = found || this;
        if (this)
            s->denied[i] = s->denied[--s->denied_n];
        else
            i++;
    }
    return found;
}

/* --- requests that wait for approval ------------------------------------------------------------------------------------------------ */

gk_waiting *gk_side_waiting(const gk_side *s, const uint8_t hash[GK_HASH])
{
    for (size_t i = 0; i < s->waiting_n; i++) {
        if (memcmp(s->waiting[i].hash, hash, GK_HASH) == 0)
            return &s->waiting[i];
    }
    return NULL;
}

static gk_err wait_raw(gk_side *s, gk_bytes name, const uint8_t *identity, const uint8_t *hash, gk_bytes request, uint64_t until_ms)
{
    gk_waiting w = {.until_ms = until_ms};
    gk_err e = name.n > GK_NAME_MAX ? GK_ERR_MALFORMED : room((void **)&s->waiting, s->waiting_n, sizeof(w), 65536);

    if (e == GK_OK)
        e = gk_mem_copy(&w.request, request);
    if (e != GK_OK)
        return e;
    memcpy(w.name, name.p, name.n);
    memcpy(w.identity, identity, GK_HASH);
    memcpy(w.hash, hash, GK_HASH);
    s->waiting[s->waiting_n++] = w;
    return GK_OK;
}

gk_err gk_side_wait(gk_side *s, const gk_request *r, gk_bytes request, uint64_t until_ms)
{
    return wait_raw(s, r->name, r->identity, r->hash, request, until_ms);
}

static void drop_waiting(gk_side *s, size_t i)
{
    gk_mem_free(&s->waiting[i].request);
    s->waiting[i] = s->waiting[--s->waiting_n];
}

void gk_side_waited(gk_side *s, const uint8_t hash[GK_HASH])
{
    gk_waiting *w = gk_side_waiting(s, hash);

    if (w != NULL)
        drop_waiting(s, (size_t)(w - s->waiting));
}

bool gk_side_expire(gk_side *s, uint64_t now_ms)
{
    bool any = false;

    for (size_t i = 0; i < s->waiting_n;) {
        if (s->waiting[i].until_ms < now_ms) {
            drop_waiting(s, i);
            any = true;
        } else {
            i++;
        }
    }
    for (size_t i = 0; i < s->tokens_n;) {
        if (s->tokens[i].not_after_ms < now_ms) {
            s->tokens[i] = s->tokens[--s->tokens_n];
            any = true;
        } else {
            i++;
        }
    }
    return any;
}

/* --- as bytes ------------------------------------------------------------------------------------------------------------------------ */

static size_t waiting_bytes(const gk_side *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->waiting_n; i++)
        n += s->waiting[i].request.n + sizeof(gk_waiting);
    return n;
}

/* rest_bytes: all but what waits. A denial counts twice: the deny list for people goes in the same multi. */
static size_t rest_bytes(const gk_side *s)
{
    size_t n = 4096 + s->tokens_n * GK_SIDE_TOKEN + s->seen.side * (GK_ONCE + 8);

    for (size_t i = 0; i < s->denied_n; i++)
        n += 2 * (strlen(s->denied[i].name) + 2 + GK_HASH + 8);
    return n;
}

size_t gk_side_bytes(const gk_side *s)
{
    return waiting_bytes(s) + rest_bytes(s);
}

bool gk_side_room(const gk_side *s, size_t entries, size_t waiting)
{
    if (waiting > 0)
        return waiting_bytes(s) + waiting + sizeof(gk_waiting) <= GK_SIDE_WAITING;
    return rest_bytes(s) + 2 * entries * GK_SIDE_ENTRY + GK_SIDE_WAITING <= GK_NODE_MAX;
}

gk_err gk_side_merge(gk_side *s, const gk_seen *from)
{
    gk_err e = GK_OK;

    for (size_t i = 0; i < from->cap && e == GK_OK; i++) {
        if (from->slots[i].until_ms != 0)
            e = gk_seen_add(&s->seen, from->slots[i].id, from->slots[i].until_ms, 0, from->slots[i].by);
    }
    return e;
}

static gk_bytes text(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

static bool is_saved(const gk_once *o, uint64_t now_ms, bool all)
{
    return o->until_ms != 0 && o->until_ms >= now_ms && (o->by == GK_SEEN_SIDE || (all && o->by == GK_SEEN_LOGGED));
}

void gk_side_save(const gk_side *s, gk_writer *w, uint64_t now_ms, bool all)
{
    uint32_t live = 0;

    gk_writer_u64(w, s->serial);
    gk_writer_put(w, s->policy, sizeof(s->policy));
    gk_writer_u32(w, (uint32_t)s->tokens_n);
    for (size_t i = 0; i < s->tokens_n; i++) {
        gk_writer_put(w, s->tokens[i].id, GK_TOKEN_ID);
        gk_writer_put(w, s->tokens[i].public_key, GK_SIGN_PUBLIC);
        gk_writer_u32(w, s->tokens[i].uses);
        gk_writer_u64(w, s->tokens[i].not_after_ms);
    }
    gk_writer_u32(w, (uint32_t)s->denied_n);
    for (size_t i = 0; i < s->denied_n; i++) {
        gk_writer_var16(w, text(s->denied[i].name));
        gk_writer_put(w, s->denied[i].identity, GK_HASH);
        gk_writer_u64(w, s->denied[i].since);
    }
    gk_writer_u32(w, (uint32_t)s->waiting_n);
    for (size_t i = 0; i < s->waiting_n; i++) {
        gk_writer_var16(w, text(s->waiting[i].name));
        gk_writer_put(w, s->waiting[i].identity, GK_HASH);
        gk_writer_put(w, s->waiting[i].hash, GK_HASH);
        gk_writer_u64(w, s->waiting[i].until_ms);
        gk_writer_var32(w, gk_mem_view(&s->waiting[i].request));
    }
    for (size_t i = 0; i < s->seen.cap; i++)
        live += is_saved(&s->seen.slots[i], now_ms, all);
    gk_writer_u32(w, live);
    for (size_t i = 0; i < s->seen.cap; i++) {
        if (is_saved(&s->seen.slots[i], now_ms, all)) {
            gk_writer_put(w, s->seen.slots[i].id, GK_ONCE);
            gk_writer_u64(w, s->seen.slots[i].until_ms);
        }
    }
}

static gk_err load_token(gk_side *s, gk_reader *r, bool all)
{
    gk_token t = {0};
    gk_err e = gk_reader_copy(r, t.id, sizeof(t.id));

    if (e == GK_OK)
        e = gk_reader_copy(r, t.public_key, sizeof(t.public_key));
    if (e == GK_OK)
        e = gk_reader_u32(r, &t.uses);
    if (e == GK_OK)
        e = gk_reader_u64(r, &t.not_after_ms);
    (void)all;
    return e == GK_OK ? gk_side_token_add(s, &t) : e;
}

static gk_err load_denied(gk_side *s, gk_reader *r, bool all)
{
    uint8_t identity[GK_HASH];
    uint64_t since = 0;
    gk_bytes name = {0};
    gk_err e = gk_reader_var16(r, &name, GK_NAME_MAX);

    if (e == GK_OK)
        e = gk_reader_copy(r, identity, sizeof(identity));
    if (e == GK_OK)
        e = gk_reader_u64(r, &since);
    (void)all;
    return e == GK_OK ? gk_side_deny(s, name, identity, since) : e;
}

static gk_err load_waiting(gk_side *s, gk_reader *r, bool all)
{
    uint8_t identity[GK_HASH], hash[GK_HASH];
    uint64_t until = 0;
    gk_bytes name = {0}, request = {0};
    gk_err e = gk_reader_var16(r, &name, GK_NAME_MAX);

    if (e == GK_OK)
        e = gk_reader_copy(r, identity, sizeof(identity));
    if (e == GK_OK)
        e = gk_reader_copy(r, hash, sizeof(hash));
    if (e == GK_OK)
        e = gk_reader_u64(r, &until);
    if (e == GK_OK)
        e = gk_reader_var32(r, &request, GK_REQUEST_MAX);
    (void)all;
    return e == GK_OK ? wait_raw(s, name, identity, hash, request, until) : e;
}

static gk_err load_once(gk_side *s, gk_reader *r, bool all)
{
    uint8_t id[GK_ONCE];
    uint64_t until = 0;
    gk_err e = gk_reader_copy(r, id, sizeof(id));

    if (e == GK_OK)
        e = gk_reader_u64(r, &until);
    return e == GK_OK ? gk_seen_add(&s->seen, id, until, 0, all ? GK_SEEN_LOGGED : GK_SEEN_SIDE) : e;
}

gk_err gk_side_load(gk_side *s, gk_reader *r, bool all)
{
    gk_err (*const rows[])(gk_side *, gk_reader *, bool) = {load_token, load_denied, load_waiting, load_once};
    gk_err e = gk_reader_u64(r, &s->serial);

    if (e == GK_OK)
        e = gk_reader_copy(r, s->policy, sizeof(s->policy));
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]) && e == GK_OK; k++) {
        uint32_t n = 0;

        e = gk_reader_u32(r, &n);
        for (uint32_t i = 0; i < n && e == GK_OK; i++)
            e = rows[k](s, r, all);
    }
    return e;
}

typedef struct list_of {
    const gk_side *s;
    const uint8_t *group_id;
} list_of;

static void put_list(gk_writer *w, const void *arg)
{
    const list_of *l = arg;

    gk_writer_put(w, "GKN1", 4);
    gk_writer_put(w, l->group_id, GK_GROUP_ID);
    gk_writer_u32(w, (uint32_t)l->s->denied_n);
    for (size_t i = 0; i < l->s->denied_n; i++) {
        gk_writer_var16(w, text(l->s->denied[i].name));
        gk_writer_put(w, l->s->denied[i].identity, GK_HASH);
        gk_writer_u64(w, l->s->denied[i].since);
    }
}

gk_err gk_side_list(const gk_side *s, gk_mem *out, const uint8_t group_id[GK_GROUP_ID], const gk_key *controller)
{
    return gk_message_write(out, GK_LABEL "deny", put_list, &(list_of){s, group_id}, controller);
}
