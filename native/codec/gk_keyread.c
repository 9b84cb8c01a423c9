#include "gk_keyread.h"

#include <string.h>

#include "gk_own.h"
#include "gk_payload.h"
#include "gk_servers.h"

enum {
    OK = 0,
    DATAINCONSISTENCY = -3,
    CONNECTIONLOSS = -4, /* what stock clients try again */
    BADARGUMENTS = -8,
    NONODE = -101,
    NOAUTH = -102
};
#define PARTS 3
enum { CHILD, MEMBERS, CURRENT };
#define STAT_OWNER 44
#define ANSWER_MAX (GK_REPLY_HEADER_SIZE + 4 + GK_KEY_RECORD_SIZE + GK_STAT_SIZE)

/* One part of the multiRead's reply. */
typedef struct part {
    int32_t err;
    gk_blob data;
    gk_bytes stat;
} part;

static bool starts_with(gk_bytes b, const char *prefix)
{
    size_t n = strlen(prefix);
    return b.n >= n && memcmp(b.p, prefix, n) == 0;
}

static bool is_status(gk_bytes path)
{
    return path.n == strlen(GK_OWN_STATUS) && starts_with(path, GK_OWN_STATUS);
}

bool gk_keyread_concerns(const gk_codec *c, gk_bytes path)
{
    return c->agreement && (is_status(path) || starts_with(path, GK_OWN_KEYS "/"));
}

static void write_header(gk_writer *out, int32_t xid, int32_t type)
{
    gk_jute_put_i32(out, xid);
    gk_jute_put_i32(out, type);
}

/* ask_root: a read that does no harm takes the place of one that is refused or needs nothing, so that its answer comes in its turn. */
static void ask_root(gk_writer *out, int32_t xid)
{
    write_header(out, xid, GK_OP_EXISTS);
    gk_jute_put_blob(out, (gk_blob){{(const uint8_t *)"/", 1}, false});
    gk_writer_u8(out, 0);
}

static void part_header(gk_writer *out, int32_t type, bool end)
{
    gk_jute_put_i32(out, type);
    gk_writer_u8(out, end);
    gk_jute_put_i32(out, -1);
}

static gk_err ask_path(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes path)
{
    part_header(out, GK_OP_GET_DATA, false);
    size_t at = gk_jute_open_string(out);
    gk_err e = gk_path_encrypt(w, out, node, path);
    gk_jute_close_string(out, at);
    gk_writer_u8(out, 0);
    return e;
}

/* ask_key writes the multiRead: no commit runs between its parts, so membership and view can't be torn. */
static gk_err ask_key(gk_worker *w, gk_writer *out, gk_pending *p, gk_bytes child, gk_bytes members)
{
    gk_node ignored;
    write_header(out, p->server_xid, GK_OP_MULTI_READ);
    gk_err e = ask_path(w, out, &ignored, child);
    if (e == GK_OK)
        e = ask_path(w, out, &p->node, members);
    part_header(out, GK_OP_GET_DATA, false);
    gk_jute_put_blob(out, (gk_blob){{(const uint8_t *)GK_OWN_CURRENT, strlen(GK_OWN_CURRENT)}, false});
    gk_writer_u8(out, 0);
    part_header(out, -1, true);
    return e;
}

gk_err gk_keyread_request(gk_session *s, gk_worker *w, gk_writer *out, gk_pending *p, gk_bytes path, bool watch)
{
    gk_bytes members, child, both = {path.p, path.n};
    p->front = GK_FRONT_REFUSED;
    if (watch) {
        p->refusal = BADARGUMENTS; /* a multiRead sets no watch */
    } else if (is_status(path)) {
        p->front = GK_FRONT_STATUS;
    } else if (!s->may_read_keys) {
        p->refusal = NOAUTH;
        gk_worker_count(w, GK_COUNT_KEYS_REFUSED);
    } else {
        size_t n = strlen(GK_OWN_KEYS);
        both = (gk_bytes){path.p + n, path.n - n};
        p->refusal = NONODE;
        if (gk_path_parent(both, &members, &child) && members.n > 1) {
            p->front = GK_FRONT_KEY;
            return ask_key(w, out, p, both, members);
        }
    }
    ask_root(out, p->server_xid);
    return GK_OK;
}

static gk_err read_part(gk_reader *r, part *out)
{
    int32_t type, ignored;
    uint8_t done;
    gk_err e;
    *out = (part){0};
    if ((e = gk_jute_i32(r, &type)) != GK_OK || (e = gk_reader_u8(r, &done)) != GK_OK || (e = gk_jute_i32(r, &ignored)) != GK_OK)
        return e;
    if (type == GK_OP_ERROR && !done)
        return (e = gk_jute_i32(r, &out->err)) == GK_OK && out->err == OK ? GK_ERR_MALFORMED : e;
    if (type != GK_OP_GET_DATA || done)
        return GK_ERR_MALFORMED;
    if ((e = gk_jute_blob(r, &out->data)) == GK_OK)
        e = gk_reader_take(r, &out->stat, GK_STAT_SIZE);
    return e;
}

static bool is_members(gk_worker *w, gk_err *e, const gk_node *node, gk_blob stored)
{
    uint8_t record[GK_MEMBERS_RECORD_SIZE];
    bool null = false;
    gk_writer plain = gk_writer_of(record, sizeof record);
    *e = GK_OK;
    if (node->kind != GK_KIND_NORMAL || node->quota || stored.null || stored.b.n != sizeof record + GK_PAYLOAD_OVERHEAD)
        return false;
    *e = gk_payload_open(w, &plain, &null, node, stored.b);
    return *e == GK_OK && plain.len == sizeof record && !null && memcmp(record, GK_MEMBERS_RECORD, sizeof record) == 0;
}

gk_err gk_members_is(gk_worker *w, bool *is, gk_bytes path, gk_bytes stored)
{
    gk_writer nowhere = gk_writer_of(NULL, 0);
    gk_node node;
    gk_err e = gk_path_decrypt(w, &nowhere, &node, path);
    *is = e == GK_OK && is_members(w, &e, &node, (gk_blob){stored, false});
    return e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO ? e : GK_OK; /* what isn't authentic is none */
}

static gk_err read_view(gk_view *v, gk_bytes stat, const gk_node *node)
{
    gk_reader r = gk_reader_of(stat.p, stat.n);
    gk_bytes skipped;
    gk_err e;
    memcpy(v->tag, node->tag, sizeof v->tag);
    if ((e = gk_reader_u64(&r, &v->czxid)) != GK_OK || (e = gk_reader_take(&r, &skipped, 8 + 8 + 8 + 4)) != GK_OK ||
        (e = gk_jute_i32(&r, &v->cversion)) != GK_OK || (e = gk_reader_take(&r, &skipped, 4 + 8 + 4)) != GK_OK ||
        (e = gk_jute_i32(&r, &v->children)) != GK_OK)
        return e;
    return gk_reader_u64(&r, &v->pzxid);
}

/* derive writes the key record of this view. */
static gk_err derive(gk_worker *w, gk_writer *record, const gk_view *v, gk_blob current)
{
    uint8_t plain[GK_AGREEMENT_NODE], key[GK_VIEW_KEY], id[GK_KEY_ID];
    gk_writer c = gk_writer_of(plain, sizeof plain);
    gk_bytes path = {(const uint8_t *)GK_OWN_CURRENT, strlen(GK_OWN_CURRENT)};
    gk_err e = gk_own_open(w, &c, path, current.b);
    if (e == GK_OK)
        e = c.err;
    if (e != GK_OK)
        return e;
    gk_secrets *secrets = gk_servers_secrets(w->codec);
    e = secrets ? gk_derive_view(key, id, secrets, v, (gk_bytes){plain, c.len}) : GK_ERR_NOTFOUND;
    gk_secrets_free(secrets);
    if (e == GK_OK) {
        gk_worker_count(w, GK_COUNT_DERIVATIONS);
        gk_writer_put(record, GK_KEY_RECORD_MAGIC, strlen(GK_KEY_RECORD_MAGIC));
        gk_writer_u64(record, v->pzxid);
        gk_writer_put(record, id, sizeof id);
        gk_writer_put(record, key, sizeof key);
    }
    gk_wipe(key, sizeof key);
    return e;
}

/* refuse: a read by somebody who isn't a member. */
static int32_t refuse(gk_worker *w, int32_t err)
{
    gk_worker_count(w, GK_COUNT_KEYS_REFUSED);
    return err;
}

/* judge decides from the three parts, and writes the key record where the answer is OK. */
static gk_err judge(const gk_session *s, gk_worker *w, gk_writer *record, const gk_pending *p, const part parts[PARTS], int32_t *err)
{
    gk_view v;
    gk_err e = GK_OK;
    uint64_t owner;
    bool group = parts[MEMBERS].err == OK && is_members(w, &e, &p->node, parts[MEMBERS].data);
    if (e != GK_OK)
        return e;
    if (!group || parts[CHILD].err != OK) {
        *err = refuse(w, parts[MEMBERS].err != OK ? parts[MEMBERS].err : !group ? NONODE : parts[CHILD].err);
        return GK_OK;
    }
    gk_reader at = gk_reader_of(parts[CHILD].stat.p + STAT_OWNER, 8);
    if ((e = gk_reader_u64(&at, &owner)) != GK_OK || (e = read_view(&v, parts[MEMBERS].stat, &p->node)) != GK_OK)
        return e;
    if (owner == 0 || owner != s->id) { /* containers and TTL nodes have no owner */
        *err = refuse(w, NOAUTH);
        return GK_OK;
    }
    *err = CONNECTIONLOSS;
    if (parts[CURRENT].err == OK && !parts[CURRENT].data.null && (e = derive(w, record, &v, parts[CURRENT].data)) != GK_OK) {
        if (e != GK_ERR_NOTFOUND && e != GK_ERR_VERSION && e != GK_ERR_MALFORMED && e != GK_ERR_TRUNCATED)
            return e;
    }
    if (record->len > 0)
        *err = OK;
    else
        gk_worker_count(w, GK_COUNT_KEYS_LATER);
    return GK_OK;
}

/* write_answer: header, and for OK data and Stat, whose dataLength becomes the data's. */
static void write_answer(gk_writer *out, const gk_pending *p, uint64_t zxid, int32_t err, gk_bytes data, gk_bytes stat)
{
    gk_jute_put_i32(out, p->client_xid);
    gk_writer_u64(out, zxid);
    gk_jute_put_i32(out, err);
    if (err != OK)
        return;
    gk_jute_put_blob(out, (gk_blob){data, false});
    gk_writer_put(out, stat.p, GK_STAT_DATA_LENGTH);
    gk_jute_put_i32(out, (int32_t)data.n);
    gk_writer_put(out, stat.p + GK_STAT_DATA_LENGTH + 4, GK_STAT_SIZE - GK_STAT_DATA_LENGTH - 4);
}

static gk_err answer_key(const gk_session *s, gk_worker *w, gk_writer *out, const gk_pending *p, uint64_t zxid, int32_t err, gk_reader *r)
{
    uint8_t record[GK_KEY_RECORD_SIZE];
    gk_writer rec = gk_writer_of(record, sizeof record);
    part parts[PARTS] = {{0}};
    gk_err e = GK_OK;
    gk_writer room = *out;
    if (!gk_writer_reserve(&room, ANSWER_MAX)) { /* what doesn't fit comes again: one derivation a read */
        *out = room;
        return GK_OK;
    }
    if (err == OK)
        for (size_t i = 0; e == GK_OK && i < PARTS; i++)
            e = read_part(r, &parts[i]);
    if (e == GK_OK && err == OK)
        e = judge(s, w, &rec, p, parts, &err);
    if (e != GK_OK) {
        if (e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO)
            return e;
        gk_worker_count(w, GK_COUNT_DECRYPT_FAILURES);
        err = DATAINCONSISTENCY;
    }
    write_answer(out, p, zxid, err, (gk_bytes){record, rec.len}, parts[MEMBERS].stat);
    gk_wipe(record, sizeof record);
    return GK_OK;
}

static void answer_status(gk_worker *w, gk_writer *out, const gk_pending *p, uint64_t zxid, int32_t err, gk_reader *r)
{
    char text[GK_SERVERS_STATUS];
    gk_bytes stat = {NULL, 0};
    size_t n = gk_servers_status(w->codec, text);
    if (err == OK && gk_reader_take(r, &stat, GK_STAT_SIZE) != GK_OK)
        err = DATAINCONSISTENCY;
    write_answer(out, p, zxid, err, (gk_bytes){(const uint8_t *)text, n}, stat);
}

gk_err gk_keyread_reply(const gk_session *s, gk_worker *w, gk_writer *out, const gk_pending *p, uint64_t zxid, int32_t err, gk_reader *r)
{
    if (p->front == GK_FRONT_KEY)
        return answer_key(s, w, out, p, zxid, err, r);
    if (p->front == GK_FRONT_STATUS)
        answer_status(w, out, p, zxid, err, r);
    else
        write_answer(out, p, zxid, err != OK ? err : p->refusal, (gk_bytes){NULL, 0}, (gk_bytes){NULL, 0});
    return GK_OK;
}
