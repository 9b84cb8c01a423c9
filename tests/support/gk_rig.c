#include "gk_rig.h"

#include <malloc.h>
#include <stdio.h>

#include "../../native/keyring/gk_keyring_internal.h"

void gk_rig_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* --- keys ----------------------------------------------------------------------------------------------------------------- */

static void ascend(uint8_t *p, size_t n, uint8_t from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(from + i);
}

/* add_key adds the key whose bytes are from, from + 1, ... */
static gk_err add_key(gk_keyring *kr, gk_purpose purpose, uint32_t id, uint8_t from, gk_key_state state)
{
    uint8_t raw[GK_KEY_MAX];
    gk_key *k = NULL;

    ascend(raw, sizeof(raw), from);
    gk_err e = gk_key_new(&k, purpose, id, (gk_bytes){raw, gk_key_size(purpose)});
    if (e == GK_OK)
        e = gk_keyring_add(kr, k, state, 0, false);
    gk_key_free(k);
    return e;
}

gk_err gk_rig_keyring(gk_keyring **out, unsigned more)
{
    gk_keyring *kr = NULL;
    gk_err e = gk_keyring_alloc(&kr, 4 + more);

    if (e != GK_OK)
        return e;
    ascend(kr->ensemble, GK_ID, 0xc0);
    ascend(kr->zone, GK_ID, 0xa0);
    (void)snprintf(kr->zone_name, sizeof(kr->zone_name), "root");
    if ((e = add_key(kr, GK_PURPOSE_NAME, GK_RIG_NAME_ID, 0x00, GK_KEY_ACTIVE)) == GK_OK &&
        (e = add_key(kr, GK_PURPOSE_PAYLOAD, GK_RIG_OLD_PAYLOAD_ID, 0x60, GK_KEY_DECRYPT)) == GK_OK)
        e = add_key(kr, GK_PURPOSE_PAYLOAD, GK_RIG_PAYLOAD_ID, 0x40, GK_KEY_ACTIVE);
    for (unsigned i = 0; e == GK_OK && i < more; i++)
        e = add_key(kr, GK_PURPOSE_PAYLOAD, 100 + i, (uint8_t)(0x61 + i), GK_KEY_DECRYPT);
    if (e == GK_OK && (e = add_key(kr, GK_PURPOSE_SEED, GK_RIG_SEED_ID, 0x80, GK_KEY_ACTIVE)) == GK_OK)
        e = gk_keyring_derive(kr);
    if (e != GK_OK)
        gk_keyring_free(kr);
    else
        *out = kr;
    return e;
}

/* --- codec ---------------------------------------------------------------------------------------------------------------- */

gk_options gk_rig_options(void)
{
    return (gk_options){.path_cache_bytes = 512 << 10, .payload_cache_bytes = 64 << 10, .max_request = 0xfffff, .max_stored = 13 * (size_t)0xfffff};
}

gk_err gk_rig_try(gk_rig *out, const gk_options *o)
{
    gk_rig r = {0};
    gk_options usual = gk_rig_options();
    gk_err e = gk_rig_keyring(&r.keyring, 0);

    if (e == GK_OK && (e = gk_codec_new(&r.codec, r.keyring, o ? o : &usual)) == GK_OK &&
        (e = gk_worker_new(&r.worker, r.codec)) == GK_OK)
        e = gk_session_new(&r.session, r.codec);
    if (e != GK_OK)
        gk_rig_close(&r);
    else
        *out = r;
    return e;
}

gk_rig gk_rig_open(const gk_options *o)
{
    gk_rig r = {0};

    rig_must(gk_rig_try(&r, o) == GK_OK);
    return r;
}

void gk_rig_close(gk_rig *r)
{
    gk_session_free(r->session);
    gk_worker_free(r->worker);
    gk_codec_free(r->codec);
    gk_keyring_free(r->keyring);
    *r = (gk_rig){0};
}

void gk_rig_connect(gk_rig *r)
{
    static const uint8_t password[16];
    gk_buf in = {0}, out = {0};

    size_t at = gk_buf_open(&in);
    gk_buf_i32(&in, 0);     /* protocol */
    gk_buf_i64(&in, 0);     /* last zxid */
    gk_buf_i32(&in, 10000); /* time-out */
    gk_buf_i64(&in, 0);     /* session id: a new one */
    gk_buf_bytes(&in, (gk_bytes){password, 16});
    gk_buf_u8(&in, 0);
    gk_buf_close(&in, at);
    rig_must(gk_rig_requests(r, &out, gk_buf_view(&in)) == in.n);
    gk_buf_clear(&in);
    at = gk_buf_open(&in);
    gk_buf_i32(&in, 0);
    gk_buf_i32(&in, 10000);
    gk_buf_i64(&in, 0x1234);
    gk_buf_bytes(&in, (gk_bytes){password, 16});
    gk_buf_u8(&in, 0);
    gk_buf_close(&in, at);
    rig_must(gk_rig_reply(r, &out, gk_buf_view(&in)) == GK_OK);
    gk_buf_free(&in);
    gk_buf_free(&out);
}

void gk_rig_reconnect(gk_rig *r)
{
    gk_session_free(r->session);
    r->session = NULL;
    rig_must(gk_session_new(&r->session, r->codec) == GK_OK);
    gk_rig_connect(r);
}

/* --- buffers -------------------------------------------------------------------------------------------------------------- */

/* take gives memory of exactly n bytes, so that a sanitizer sees each byte beyond it. By memalign, which never fails in tests of failing
 * allocations. */
static uint8_t *take(size_t n)
{
    uint8_t *p = memalign(16, n > 0 ? n : 1);

    rig_must(p != NULL);
    return p;
}

uint8_t *gk_buf_room(gk_buf *b, size_t n)
{
    if (!b->p || b->cap - b->n < n) {
        size_t cap = (b->n + n) * 2 + 64;
        uint8_t *p = take(cap);

        if (b->n > 0)
            memcpy(p, b->p, b->n);
        free(b->p);
        b->p = p;
        b->cap = cap;
    }
    b->n += n;
    return b->p + b->n - n;
}

void gk_buf_put(gk_buf *b, const void *p, size_t n)
{
    if (n > 0)
        memcpy(gk_buf_room(b, n), p, n);
}

void gk_buf_u8(gk_buf *b, uint8_t v)
{
    gk_buf_put(b, &v, 1);
}

void gk_buf_i32(gk_buf *b, int32_t v)
{
    gk_writer w = gk_writer_of(gk_buf_room(b, 4), 4);

    gk_writer_u32(&w, (uint32_t)v);
}

void gk_buf_i64(gk_buf *b, int64_t v)
{
    gk_writer w = gk_writer_of(gk_buf_room(b, 8), 8);

    gk_writer_u64(&w, (uint64_t)v);
}

void gk_buf_blob(gk_buf *b, gk_blob v)
{
    gk_buf_i32(b, v.null ? -1 : (int32_t)v.b.n);
    if (!v.null)
        gk_buf_put(b, v.b.p, v.b.n);
}

void gk_buf_bytes(gk_buf *b, gk_bytes v)
{
    gk_buf_blob(b, (gk_blob){v, false});
}

void gk_buf_str(gk_buf *b, const char *s)
{
    gk_buf_bytes(b, (gk_bytes){(const uint8_t *)s, strlen(s)});
}

void gk_buf_acl(gk_buf *b)
{
    gk_buf_i32(b, 1);
    gk_buf_i32(b, 31);
    gk_buf_str(b, "world");
    gk_buf_str(b, "anyone");
}

size_t gk_buf_open(gk_buf *b)
{
    gk_buf_i32(b, 0);
    return b->n - 4;
}

void gk_buf_close(gk_buf *b, size_t at)
{
    gk_writer w = gk_writer_of(b->p + at, 4);

    gk_writer_u32(&w, (uint32_t)(b->n - at - 4));
}

gk_bytes gk_buf_view(const gk_buf *b)
{
    return (gk_bytes){b->p, b->n};
}

void gk_buf_clear(gk_buf *b)
{
    b->n = 0;
}

void gk_buf_free(gk_buf *b)
{
    free(b->p);
    *b = (gk_buf){0};
}

/* --- passing frames ------------------------------------------------------------------------------------------------------- */

size_t gk_rig_requests(gk_rig *r, gk_buf *out, gk_bytes in)
{
    size_t done = 0, n = 0;

    while (done < in.n) {
        gk_bytes rest = {in.p + done, in.n - done};
        gk_writer none = gk_writer_of(NULL, 0);
        gk_err e = gk_session_requests(r->session, r->worker, &none, &n, rest);

        if (e == GK_OK) { /* half a frame, or closed */
            rig_must(none.len == 0 && none.err == GK_OK && (n == 0 || n == rest.n));
            return done + n;
        }
        rig_must(e == GK_ERR_SPACE && n == 0 && none.len > 0);
        uint8_t *p = take(none.len);
        gk_writer w = gk_writer_of(p, none.len);
        rig_must(gk_session_requests(r->session, r->worker, &w, &n, rest) == GK_OK);
        rig_must(w.err == GK_OK && w.len <= w.cap && w.len > 0 && n > 0 && n <= rest.n);
        gk_buf_put(out, p, w.len);
        free(p);
        done += n;
    }
    return done;
}

/* reply passes a frame as a whole or in two parts, which lie apart. What can't come in parts comes as a whole. */
static gk_err reply(gk_rig *r, gk_writer *w, gk_bytes frame, bool parts)
{
    size_t n = frame.n < 4 + GK_REPLY_HEADER_SIZE ? frame.n : 4 + GK_REPLY_HEADER_SIZE;
    gk_err e = GK_ERR_STATE;
    gk_writer before = *w;

    if (parts) {
        uint8_t *head = take(n);
        if (n > 0)
            memcpy(head, frame.p, n);
        e = gk_session_reply_parts(r->session, r->worker, w, (gk_bytes){head, n}, (gk_bytes){frame.p + n, frame.n - n});
        free(head);
    }
    if (e == GK_ERR_STATE)
        *w = before;
    return e == GK_ERR_STATE ? gk_session_reply(r->session, r->worker, w, frame) : e;
}

gk_err gk_rig_reply(gk_rig *r, gk_buf *out, gk_bytes frame)
{
    static bool parts;
    gk_writer none = gk_writer_of(NULL, 0);
    gk_err e = reply(r, &none, frame, parts = !parts);

    if (e != GK_ERR_SPACE)
        return e;
    rig_must(none.len > 0);
    uint8_t *p = take(none.len);
    gk_writer w = gk_writer_of(p, none.len);
    e = reply(r, &w, frame, !parts);
    rig_must(e != GK_ERR_SPACE);
    if (e == GK_OK) {
        rig_must(w.err == GK_OK && w.len <= w.cap);
        gk_buf_put(out, p, w.len);
    }
    free(p);
    return e;
}

void gk_rig_stored(gk_rig *r, gk_buf *out, gk_bytes path)
{
    gk_node node;
    gk_writer none = gk_writer_of(NULL, 0);

    rig_must(gk_path_encrypt(r->worker, &none, &node, path) == GK_OK);
    gk_writer w = gk_writer_of(gk_buf_room(out, none.len), none.len);
    rig_must(gk_path_encrypt(r->worker, &w, &node, path) == GK_OK && w.err == GK_OK && w.len == none.len);
}

bool gk_rig_contains(gk_bytes hay, gk_bytes needle)
{
    return needle.n > 0 && memmem(hay.p, hay.n, needle.p, needle.n) != NULL;
}
