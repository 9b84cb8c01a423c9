/* One connection: socket, TLS, frames, the session's handshake. */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define READ_STEP (256u << 10)
#define SESSION_MS 60000
#define CONNECT_RESPONSE 37 /* protocol 4, timeout 4, session 8, password 4 + 16, readOnly 1 */

SSL_CTX *tls_context(const char *ca, const char *cert, const char *key)
{
    SSL_CTX *t = SSL_CTX_new(TLS_client_method());
    if (!t || SSL_CTX_load_verify_locations(t, ca, NULL) != 1 || SSL_CTX_use_certificate_chain_file(t, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(t, key, SSL_FILETYPE_PEM) != 1)
        fail("TLS", "%s, %s or %s can't be used: %s", ca, cert, key, ERR_error_string(ERR_get_error(), NULL));
    SSL_CTX_set_verify(t, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(t, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(t, 1);
    return t;
}

void conn_open(conn *c, int number, const endpoint *to, SSL_CTX *tls)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    memset(c, 0, sizeof *c);
    c->number = number;
    c->random = (uint64_t)number + 1;
    int e = getaddrinfo(to->host, to->port, &hints, &found);
    if (e != 0)
        fail("ADDRESS", "%s:%s: %s", to->host, to->port, gai_strerror(e));
    c->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || (connect(c->fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS))
        fail("CONNECT", "%s:%s: %s", to->host, to->port, strerror(errno));
    freeaddrinfo(found);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->want_write = true;
    if (tls) {
        c->ssl = SSL_new(tls);
        if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
            fail("TLS", "no memory");
        SSL_set_connect_state(c->ssl);
    }
}

/* tls_stuck says whether the call has to be made again; anything but that is the end. */
static bool tls_stuck(conn *c, int result)
{
    int why = SSL_get_error(c->ssl, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        fail("CLOSED", "connection %d: TLS error %d, %s", c->number, why, ERR_error_string(ERR_get_error(), NULL));
    c->want_write = why == SSL_ERROR_WANT_WRITE;
    return true;
}

static void send_hello(conn *c)
{
    gk_writer w = conn_begin(c, 64);
    gk_writer_u32(&w, 0);
    gk_writer_u64(&w, 0);
    gk_writer_u32(&w, SESSION_MS);
    gk_writer_u64(&w, 0);
    gk_jute_put_blob(&w, (gk_blob){{(const uint8_t[16]){0}, 16}, false});
    gk_writer_u8(&w, 0);
    conn_end(c, &w);
    conn_flush(c);
}

static void read_hello(conn *c, gk_bytes body)
{
    gk_reader r = gk_reader_of(body.p, body.n);
    uint32_t protocol, timeout;
    uint64_t session;
    if (body.n != CONNECT_RESPONSE || gk_reader_u32(&r, &protocol) != GK_OK || gk_reader_u32(&r, &timeout) != GK_OK ||
        gk_reader_u64(&r, &session) != GK_OK || timeout == 0 || session == 0)
        fail("SESSION", "connection %d: the server gave no session", c->number);
    c->session = (int64_t)session;
    c->greeted = true;
}

bool conn_handshake(conn *c)
{
    if (!c->connected) {
        int e = 0;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){sizeof e});
        if (e != 0)
            fail("CONNECT", "connection %d: %s", c->number, strerror(e));
        if (c->ssl) {
            ERR_clear_error();
            int done = SSL_do_handshake(c->ssl);
            if (done != 1 && tls_stuck(c, done))
                return false;
        }
        c->connected = true;
        c->want_write = false;
        send_hello(c);
    }
    gk_bytes body;
    conn_read(c);
    if (!c->greeted && conn_frame(c, &body))
        read_hello(c, body);
    return c->greeted;
}

/* receive gives the bytes read, 0 when there are none as yet. */
static size_t receive(conn *c, uint8_t *to, size_t room)
{
    if (c->ssl) {
        size_t n = 0;
        ERR_clear_error();
        int done = SSL_read_ex(c->ssl, to, room, &n);
        return done == 1 ? n : (tls_stuck(c, done), 0);
    }
    ssize_t n = recv(c->fd, to, room, 0);
    if (n > 0)
        return (size_t)n;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        fail("CLOSED", "connection %d: %s", c->number, n == 0 ? "the server closed it" : strerror(errno));
    return 0;
}

void conn_read(conn *c)
{
    if (c->in_at == c->in_n)
        c->in_at = c->in_n = 0;
    else if (c->in_at > c->in_cap / 2) {
        memmove(c->in, c->in + c->in_at, c->in_n - c->in_at);
        c->in_n -= c->in_at;
        c->in_at = 0;
    }
    for (;;) {
        size_t step = c->greeted ? READ_STEP : 256;
        if (c->in_cap - c->in_n < step / 2)
            c->in = must_alloc(c->in, c->in_cap = c->in_cap * 2 > step ? c->in_cap * 2 : step);
        size_t room = c->in_cap - c->in_n, n = receive(c, c->in + c->in_n, room);
        c->in_n += n;
        if (n == 0 || (!c->ssl && n < room)) /* a record of TLS is less than what may be there */
            return;
    }
}

bool conn_frame(conn *c, gk_bytes *body)
{
    gk_reader r = gk_reader_of(c->in + c->in_at, c->in_n - c->in_at);
    uint32_t n;
    if (gk_reader_u32(&r, &n) != GK_OK)
        return false;
    if (n > 64u << 20)
        fail("WRONG", "connection %d: a frame of %u bytes", c->number, n);
    if (gk_reader_take(&r, body, n) != GK_OK)
        return false;
    c->in_at += 4 + n;
    return true;
}

gk_writer conn_begin(conn *c, size_t n)
{
    if (c->out_cap - c->out_n < n + 4)
        c->out = must_alloc(c->out, c->out_cap = (c->out_cap + n + 4) * 2);
    gk_writer w = gk_writer_of(c->out + c->out_n, n + 4);
    gk_writer_u32(&w, 0);
    return w;
}

void conn_end(conn *c, gk_writer *w)
{
    if (w->err != GK_OK)
        fail("INTERNAL", "a request of %zu bytes found no room", w->len);
    gk_writer_patch_u32(w, 0, (uint32_t)(w->len - 4));
    c->out_n += w->len;
}

void conn_flush(conn *c)
{
    while (c->out_at < c->out_n) {
        size_t n = 0;
        if (c->ssl) {
            ERR_clear_error();
            int done = SSL_write_ex(c->ssl, c->out + c->out_at, c->out_n - c->out_at, &n);
            if (done != 1 && tls_stuck(c, done))
                break;
        } else {
            ssize_t sent = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EINTR)
                fail("CLOSED", "connection %d: %s", c->number, strerror(errno));
            if (sent <= 0)
                break;
            n = (size_t)sent;
        }
        c->out_at += n;
    }
    c->want_write = c->out_at < c->out_n;
    if (!c->want_write)
        c->out_at = c->out_n = 0;
}
