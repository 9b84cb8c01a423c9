#include "gk_handshake.h"

#include <string.h>

#include "../wire/gk_jute.h"

#define LABEL "groupkeeper v1 session"

/* stock_password is ZooKeeperServer.generatePasswd: java.util.Random(id ^ 0xB3415C00).nextBytes(16). */
static void stock_password(uint8_t out[GK_SESSION_PASSWORD], uint64_t session_id)
{
    const uint64_t multiplier = 0x5deece66dULL, mask = (1ULL << 48) - 1;
    uint64_t seed = ((session_id ^ 0xb3415c00ULL) ^ multiplier) & mask;
    for (size_t i = 0; i < GK_SESSION_PASSWORD; i += 4) {
        seed = (seed * multiplier + 0xb) & mask;
        uint32_t v = (uint32_t)(seed >> 16);
        for (size_t j = 0; j < 4; j++)
            out[i + j] = (uint8_t)(v >> (8 * j));
    }
}

static gk_err our_password(gk_worker *w, uint8_t out[GK_SESSION_PASSWORD], uint64_t session_id)
{
    uint8_t mac[32], text[2 + sizeof LABEL - 1 + 8];
    gk_key *k = gk_keyring_active(w->codec->keyring, GK_PURPOSE_SESSION);
    gk_writer t = gk_writer_of(text, sizeof text);
    gk_writer_u16(&t, sizeof LABEL - 1);
    gk_writer_put(&t, LABEL, sizeof LABEL - 1);
    gk_writer_u64(&t, session_id);
    gk_bytes part = {text, t.len};
    gk_err e = k ? gk_hmac_sha256(mac, k, &part, 1) : GK_ERR_NOTFOUND;
    if (e == GK_OK)
        memcpy(out, mac, GK_SESSION_PASSWORD);
    gk_wipe(mac, sizeof mac);
    return e;
}

gk_err gk_handshake_request(gk_worker *w, gk_writer *out, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    gk_bytes head;
    uint64_t session_id;
    gk_blob password;
    uint8_t right[GK_SESSION_PASSWORD], stock[GK_SESSION_PASSWORD] = {0};
    gk_err e;
    if ((e = gk_reader_take(&r, &head, 16)) != GK_OK || (e = gk_reader_u64(&r, &session_id)) != GK_OK || (e = gk_jute_blob(&r, &password)) != GK_OK)
        return e;
    if (session_id != 0) {
        if ((e = our_password(w, right, session_id)) != GK_OK)
            return e;
        if (gk_bytes_equal(password.b, (gk_bytes){right, sizeof right}))
            stock_password(stock, session_id);
        else
            gk_worker_count(w, GK_COUNT_STOLEN_SESSIONS);
        gk_wipe(right, sizeof right);
    }
    gk_writer_put(out, head.p, head.n);
    gk_writer_u64(out, session_id);
    gk_jute_put_blob(out, (gk_blob){{stock, sizeof stock}, false});
    gk_writer_put(out, r.p, r.n > 0 ? 1 : 0); /* readOnly, absent from clients before 3.4 */
    return GK_OK;
}

gk_err gk_handshake_reply(gk_worker *w, gk_writer *out, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    gk_bytes head;
    uint64_t session_id;
    gk_blob password;
    uint8_t ours[GK_SESSION_PASSWORD] = {0};
    gk_err e;
    if ((e = gk_reader_take(&r, &head, 8)) != GK_OK || (e = gk_reader_u64(&r, &session_id)) != GK_OK || (e = gk_jute_blob(&r, &password)) != GK_OK)
        return e;
    if (session_id != 0 && (e = our_password(w, ours, session_id)) != GK_OK)
        return e;
    gk_writer_put(out, head.p, head.n);
    gk_writer_u64(out, session_id);
    gk_jute_put_blob(out, (gk_blob){{ours, sizeof ours}, false});
    gk_writer_put(out, r.p, r.n);
    return GK_OK;
}

uint64_t gk_handshake_session(gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    gk_bytes head;
    uint64_t session_id;
    return gk_reader_take(&r, &head, 8) == GK_OK && gk_reader_u64(&r, &session_id) == GK_OK ? session_id : 0;
}
