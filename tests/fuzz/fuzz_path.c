/* Paths. The first byte chooses: bit 0 plaintext prefixes, bit 1 the way. Way 0: the rest is a client's path; it must come back as a server would
 * have sent it, show none of its longer components, and be the same with a cache as without. Way 1: the rest is a stored path; what
 * decrypts must encrypt to the same again. */
#include "../../native/codec/gk_name.h"
#include "../support/gk_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gk_rig rigs[4]; /* cached, not cached; the same with prefixes */

static void open_rigs(void)
{
    for (size_t i = 0; i < 4 && !rigs[3].codec; i++) {
        gk_options o = gk_rig_options();

        o.path_cache_bytes = i % 2 ? 0 : 16 << 20; /* room for the longest that are kept, in each part of the cache */
        o.plaintext_prefixes = i < 2 ? NULL : "/plain,/app/open/all,/zookeeperx/y";
        rigs[i] = gk_rig_open(&o);
    }
}

static gk_node encrypt(gk_rig *r, gk_buf *out, gk_bytes path)
{
    gk_node node, again;
    gk_writer none = gk_writer_of(NULL, 0);

    rig_must(gk_path_encrypt(r->worker, &none, &again, path) == GK_OK);
    gk_writer w = gk_writer_of(gk_buf_room(out, none.len), none.len);
    rig_must(gk_path_encrypt(r->worker, &w, &node, path) == GK_OK && w.err == GK_OK && w.len == none.len);
    rig_must(node.kind == again.kind && memcmp(node.tag, again.tag, sizeof(node.tag)) == 0);
    return node;
}

static gk_err decrypt(gk_rig *r, gk_buf *out, gk_node *node, gk_bytes stored)
{
    gk_writer w = gk_writer_of(gk_buf_room(out, stored.n), stored.n);
    gk_err e = gk_path_decrypt(r->worker, &w, node, stored);

    rig_must(e != GK_OK || w.err == GK_OK);
    out->n = e == GK_OK ? w.len : 0;
    return e;
}

static gk_bytes component(gk_bytes *rest)
{
    const uint8_t *slash = rest->n > 0 ? memchr(rest->p, '/', rest->n) : NULL;
    size_t n = slash ? (size_t)(slash - rest->p) : rest->n;
    gk_bytes c = {rest->p, n};

    *rest = (gk_bytes){rest->p + n + (slash != NULL), rest->n - n - (slash != NULL)};
    return c;
}

/* hides: no component of 8 bytes or more stands in its stored form, unless it is stored as it is. */
static void hides(gk_bytes path, gk_bytes stored)
{
    while (path.n > 0) {
        gk_bytes plain = component(&path), token = component(&stored);

        rig_must(plain.n < 8 || gk_bytes_equal(plain, token) || !gk_rig_contains(token, plain));
    }
}

/* kept: what was just encrypted comes from the cache now, where it has a place there, and is the same. */
static void kept(gk_rig *r, gk_bytes path, gk_bytes stored, gk_node node)
{
    bool cached = node.kind != GK_KIND_BAD && path.n > 1 && path.n <= 2048 && stored.n <= 8192;
    uint64_t hits = gk_codec_count(r->codec, GK_COUNT_CACHE_HITS);
    gk_buf again = {0};
    gk_node other = encrypt(r, &again, path);

    rig_must(gk_codec_count(r->codec, GK_COUNT_CACHE_HITS) == hits + (cached ? 2 : 0));
    rig_must(gk_bytes_equal(gk_buf_view(&again), stored) && memcmp(other.tag, node.tag, 16) == 0 && memcmp(other.child_tag, node.child_tag, 16) == 0 &&
             other.kind == node.kind && other.quota == node.quota && other.depth == node.depth && other.prefixes == node.prefixes);
    gk_buf_free(&again);
}

static void client_path(gk_rig *two, gk_bytes path)
{
    gk_buf a = {0}, b = {0}, plain = {0}, normal = {0};
    gk_node node, other, back;

    node = encrypt(&two[0], &a, path);
    other = encrypt(&two[1], &b, path);
    rig_must(gk_bytes_equal(gk_buf_view(&a), gk_buf_view(&b)) && node.kind == other.kind);
    hides(path, gk_buf_view(&a));
    kept(&two[0], path, gk_buf_view(&a), node);
    for (int i = 0; i < 2; i++) {
        gk_buf_clear(&plain);
        rig_must(decrypt(&two[i], &plain, &back, gk_buf_view(&a)) == GK_OK && back.kind == node.kind);
        rig_must(memcmp(back.tag, node.tag, 16) == 0 && memcmp(back.child_tag, node.child_tag, 16) == 0 && back.quota == node.quota &&
                 back.depth == node.depth && back.prefixes == node.prefixes);
        gk_buf_clear(&normal);
        gk_writer w = gk_writer_of(gk_buf_room(&normal, 3 * path.n), 3 * path.n);
        gk_name_normalize(&w, path);
        rig_must(w.err == GK_OK && gk_bytes_equal(gk_buf_view(&plain), (gk_bytes){normal.p, w.len}));
    }
    gk_buf *all[] = {&a, &b, &plain, &normal};
    for (size_t i = 0; i < 4; i++)
        gk_buf_free(all[i]);
}

static void stored_path(gk_rig *two, gk_bytes stored)
{
    gk_buf plain = {0}, cached = {0}, again = {0};
    gk_node node, other;
    gk_err e = decrypt(&two[0], &plain, &node, stored);

    rig_must(e == decrypt(&two[1], &cached, &other, stored) && (e == GK_OK || e == GK_ERR_AUTH));
    if (e == GK_OK) {
        rig_must(gk_bytes_equal(gk_buf_view(&plain), gk_buf_view(&cached)));
        (void)encrypt(&two[0], &again, gk_buf_view(&plain));
        /* below a plaintext prefix anything is passed on, also what no node can be called */
        rig_must(node.kind == GK_KIND_BAD || node.kind == GK_KIND_PLAIN || node.kind == GK_KIND_OWN || gk_bytes_equal(gk_buf_view(&again), stored));
    }
    gk_buf_free(&plain);
    gk_buf_free(&cached);
    gk_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_rigs();
    if (size == 0)
        return 0;
    gk_bytes rest = {data + 1, size - 1};
    if (data[0] & 2)
        stored_path(&rigs[data[0] & 1 ? 2 : 0], rest);
    else
        client_path(&rigs[data[0] & 1 ? 2 : 0], rest);
    return 0;
}
