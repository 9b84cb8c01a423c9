/* Sequential creates, as the leader sees them. The first byte chooses: 0, a client's path, from which the marker, the number (of bytes 1 to 4) and the
 * final name are made; 1, a marked path as it came, with a payload behind its first NUL: one made with the keys, as some in the corpus, no byte of
 * which can be changed; else the same for gk_write_verify. */
#include "../../native/codec/gk_name.h"
#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_sequence.h"
#include "../support/gk_rig.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gk_rig rig;

static gk_writer writer(gk_buf *b, size_t n)
{
    gk_buf_clear(b);
    return gk_writer_of(gk_buf_room(b, n), n);
}

/* final_is: the stored path is the client's with the number behind it. */
static void final_is(gk_bytes stored, gk_bytes path, int32_t number)
{
    gk_buf plain = {0}, want = {0};
    gk_node node;
    char digits[16];
    gk_writer p = writer(&plain, stored.n), w = writer(&want, 3 * path.n + 16);
    int n = snprintf(digits, sizeof(digits), "%010d", number);

    rig_must(gk_path_decrypt(rig.worker, &p, &node, stored) == GK_OK && p.err == GK_OK && node.kind != GK_KIND_BAD);
    gk_name_normalize(&w, path);
    gk_writer_put(&w, digits, (size_t)n);
    rig_must(gk_bytes_equal((gk_bytes){plain.p, p.len}, (gk_bytes){want.p, w.len}));
    gk_buf_free(&plain);
    gk_buf_free(&want);
}

static void resolve(gk_bytes marked, gk_bytes component, bool possible, gk_bytes path, int32_t number)
{
    gk_buf pending = {0}, final = {0}, data = {0}, text = {0};
    gk_blob payload = {{(const uint8_t *)"payload", 7}, false};
    gk_writer s = writer(&pending, 7 + GK_PAYLOAD_OVERHEAD), f = writer(&final, 2 * marked.n + 64), d = writer(&data, 100), t = writer(&text, 100);

    rig_must(gk_payload_seal_pending(rig.worker, &s, component, payload) == GK_OK && s.err == GK_OK);
    gk_err e = gk_sequence_resolve(rig.worker, &f, &d, marked, number, (gk_blob){gk_buf_view(&pending), false});
    rig_must(e == (possible ? GK_OK : GK_ERR_AUTH));
    if (e == GK_OK) {
        gk_node node;
        bool null = true;
        gk_bytes stored = {final.p, f.len};
        gk_writer none = gk_writer_of(NULL, 0);

        final_is(stored, path, number);
        rig_must(gk_write_verify(rig.worker, stored, (gk_blob){{data.p, d.len}, false}) == GK_OK);
        rig_must(gk_path_decrypt(rig.worker, &none, &node, stored) == GK_OK);
        rig_must(gk_payload_open(rig.worker, &t, &null, &node, (gk_bytes){data.p, d.len}) == GK_OK && !null && t.len == 7);
    }
    gk_buf *all[] = {&pending, &final, &data, &text};
    for (size_t i = 0; i < 4; i++)
        gk_buf_free(all[i]);
}

static void client_path(gk_bytes path, int32_t number)
{
    gk_buf marked = {0}, plain = {0};
    gk_node node, parent_node;
    gk_bytes component, parent, prefix;
    gk_writer none = gk_writer_of(NULL, 0);

    rig_must(gk_sequence_mark(rig.worker, &none, &node, &component, path) == GK_OK);
    gk_writer w = writer(&marked, none.len);
    rig_must(gk_sequence_mark(rig.worker, &w, &node, &component, path) == GK_OK && w.err == GK_OK && w.len == none.len);
    rig_must((component.n > 0) == gk_sequence_is_marked(gk_buf_view(&marked)));
    if (component.n > 0) {
        rig_must(gk_path_parent(path, &parent, &prefix) && (prefix.n < 8 || !gk_rig_contains(component, prefix)));
        none = gk_writer_of(NULL, 0);
        rig_must(gk_path_encrypt(rig.worker, &none, &parent_node, parent) == GK_OK);
        resolve(gk_buf_view(&marked), component, parent_node.kind != GK_KIND_BAD, path, number);
    } else { /* no node can be called so: stock must see that, too */
        gk_writer p = writer(&plain, marked.n);

        rig_must(gk_path_decrypt(rig.worker, &p, &node, gk_buf_view(&marked)) == GK_OK);
        rig_must(node.kind == GK_KIND_BAD || path.n == 0);
    }
    gk_buf_free(&marked);
    gk_buf_free(&plain);
}

static gk_err attempt(gk_bytes path, gk_blob data, bool verify)
{
    gk_buf final = {0}, sealed = {0};
    gk_writer f = writer(&final, 2 * path.n + 64), d = writer(&sealed, data.b.n + 64);
    gk_err e = verify ? gk_write_verify(rig.worker, path, data) : gk_sequence_resolve(rig.worker, &f, &d, path, 7, data);

    rig_must(e == GK_OK || e == GK_ERR_AUTH || e == GK_ERR_ARG);
    if (e == GK_OK && !verify)
        rig_must(gk_write_verify(rig.worker, (gk_bytes){final.p, f.len}, (gk_blob){{sealed.p, d.len}, false}) == GK_OK);
    gk_buf_free(&final);
    gk_buf_free(&sealed);
    return e;
}

/* each_byte_counts: nobody without the keys makes another one of one that was made with them. */
static void each_byte_counts(gk_bytes path, gk_blob data)
{
    gk_buf both = {0};

    gk_buf_put(&both, path.p, path.n);
    gk_buf_put(&both, data.b.p, data.b.n);
    gk_blob copy = {{both.p + path.n, data.b.n}, data.null};
    for (size_t i = 0; i < both.n; i++) {
        both.p[i] ^= 1;
        rig_must(attempt((gk_bytes){both.p, path.n}, copy, false) != GK_OK);
        both.p[i] ^= 1;
    }
    gk_buf_free(&both);
}

static void as_it_came(gk_bytes rest, bool verify)
{
    const uint8_t *nul = rest.n > 0 ? memchr(rest.p, 0, rest.n) : NULL;
    gk_bytes path = {rest.p, nul ? (size_t)(nul - rest.p) : rest.n};
    gk_blob data = {{NULL, 0}, nul == NULL};

    if (nul)
        data.b = (gk_bytes){nul + 1, rest.n - path.n - 1};
    if (attempt(path, data, verify) == GK_OK && !verify)
        each_byte_counts(path, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t number = 0;

    if (!rig.codec)
        rig = gk_rig_open(NULL);
    if (size < 5)
        return 0;
    if (data[0] != 0) {
        as_it_came((gk_bytes){data + 1, size - 1}, data[0] != 1);
        return 0;
    }
    gk_reader r = gk_reader_of(data + 1, 4);
    rig_must(gk_reader_u32(&r, &number) == GK_OK);
    client_path((gk_bytes){data + 5, size - 5}, (int32_t)number);
    return 0;
}
