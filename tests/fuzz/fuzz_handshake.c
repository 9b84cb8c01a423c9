/* Handshakes. The first byte chooses: 0, the rest is the body of a ConnectRequest; else of a ConnectResponse, whose password must then be good
 * for the session in it, and for no other one. */
#include "../../native/codec/gk_handshake.h"
#include "../support/gk_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUEST 44 /* protocol, zxid, time-out, session, password; then perhaps readOnly */

static gk_rig rig;

typedef gk_err handshake(gk_worker *w, gk_writer *out, gk_bytes body);

static bool pass(gk_buf *out, handshake *f, gk_bytes body)
{
    gk_writer none = gk_writer_of(NULL, 0);
    gk_err e = f(rig.worker, &none, body);

    gk_buf_clear(out);
    rig_must(e == GK_OK || e == GK_ERR_TRUNCATED || e == GK_ERR_MALFORMED);
    if (e != GK_OK)
        return false;
    gk_writer w = gk_writer_of(gk_buf_room(out, none.len), none.len);
    rig_must(f(rig.worker, &w, body) == GK_OK && w.err == GK_OK && w.len == none.len);
    return true;
}

/* reconnect: what the server sees of a client that has this password. */
static gk_bytes reconnect(gk_buf *out, uint64_t session, gk_bytes password)
{
    gk_buf in = {0};

    gk_buf_put(&in, (uint8_t[16]){0}, 16);
    gk_buf_i64(&in, (int64_t)session);
    gk_buf_bytes(&in, password);
    rig_must(pass(out, gk_handshake_request, gk_buf_view(&in)) && out->n == REQUEST);
    gk_buf_free(&in);
    return (gk_bytes){out->p + 28, 16};
}

static void response(gk_bytes body)
{
    static const uint8_t zeros[16];
    gk_buf out = {0}, again = {0};
    gk_reader r = {0};
    gk_bytes head, password;
    uint64_t session;

    if (pass(&out, gk_handshake_reply, body)) {
        r = gk_reader_of(out.p, out.n);
        rig_must(gk_reader_take(&r, &head, 8) == GK_OK && gk_reader_u64(&r, &session) == GK_OK && gk_reader_take(&r, &head, 4) == GK_OK &&
                 gk_reader_take(&r, &password, 16) == GK_OK);
        rig_must(memcmp(out.p, body.p, 16) == 0);
        rig_must((memcmp(password.p, zeros, 16) == 0) == (session == 0));
        if (session != 0) {
            rig_must(memcmp(reconnect(&again, session, password).p, zeros, 16) != 0);
            rig_must(memcmp(reconnect(&again, session + 1, password).p, zeros, 16) == 0);
        }
    }
    gk_buf_free(&out);
    gk_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gk_buf out = {0};

    if (!rig.codec)
        rig = gk_rig_open(NULL);
    if (size == 0)
        return 0;
    gk_bytes rest = {data + 1, size - 1};
    if (data[0] != 0) {
        response(rest);
    } else if (pass(&out, gk_handshake_request, rest)) {
        rig_must((out.n == REQUEST || out.n == REQUEST + 1) && memcmp(out.p, rest.p, 24) == 0);
    }
    gk_buf_free(&out);
    return 0;
}
