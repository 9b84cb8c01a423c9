/* Requests of one connection. The first byte: bit 0 plaintext prefixes, bit 1 a small limit on what is stored, bit 2 the rest is a stream of
 * bytes as it came; else the rest are bodies, each behind one byte of length (255: up to the end), so that every mutation is a frame.
 * What goes on must be frames, and say what the client said. */
#include "../support/gk_back.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gk_rig rigs[4];

static gk_rig *rig_for(uint8_t options)
{
    gk_rig *r = &rigs[options & 3];
    gk_options o = gk_rig_options();

    o.plaintext_prefixes = options & 1 ? "/plain,/a/plain" : NULL;
    o.max_stored = options & 2 ? 300 : o.max_stored;
    if (!r->codec)
        *r = gk_rig_open(&o);
    gk_rig_reconnect(r);
    return r;
}

/* closes: what went on ends in the length on which stock closes. Sets *n to the bytes before it. */
static bool closes(const gk_buf *out, size_t *n)
{
    gk_reader r = gk_reader_of(out->p, out->n);
    gk_blob body;

    while (r.n > 0) {
        *n = out->n - r.n;
        rig_must(gk_jute_blob(&r, &body) == GK_OK);
        if (body.null) {
            rig_must(r.n == 0);
            return true;
        }
    }
    *n = out->n;
    return false;
}

/* compare: frame by frame, as far as it went on. */
static void compare(gk_rig *r, gk_bytes in, gk_bytes out)
{
    gk_reader a = gk_reader_of(in.p, in.n), b = gk_reader_of(out.p, out.n);
    gk_blob client, stored;

    while (b.n > 0) {
        rig_must(gk_jute_blob(&a, &client) == GK_OK && gk_jute_blob(&b, &stored) == GK_OK);
        rig_must(gk_back_same(r, client.b, stored.b));
    }
}

static void frames_of(gk_buf *in, gk_bytes rest)
{
    while (rest.n > 0) {
        size_t n = rest.p[0];

        rest = (gk_bytes){rest.p + 1, rest.n - 1};
        n = n == 255 || n > rest.n ? rest.n : n;
        gk_buf_bytes(in, (gk_bytes){rest.p, n});
        rest = (gk_bytes){rest.p + n, rest.n - n};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_buf in = {0}, out = {0};
    size_t n = 0;

    if (size == 0)
        return 0;
    gk_rig *r = rig_for(data[0]);
    if (data[0] & 4)
        gk_buf_put(&in, data + 1, size - 1);
    else
        frames_of(&in, (gk_bytes){data + 1, size - 1});
    size_t consumed = gk_rig_requests(r, &out, gk_buf_view(&in));
    bool closed = closes(&out, &n);
    rig_must(consumed <= in.n && (!closed || consumed == in.n));
    compare(r, gk_buf_view(&in), (gk_bytes){out.p, n});
    gk_buf_free(&in);
    gk_buf_free(&out);
    return 0;
}
