/* gk_link_wire: the connections of heartbeats. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/gk_zk.h"
#include "gk_link_internal.h"

/* gk_link_resolve splits HOST:PORT and looks it up. */
struct addrinfo *gk_link_resolve(const char *address, bool passive)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};
    struct addrinfo *a = NULL;
    size_t n = colon == NULL ? 0 : (size_t)(colon - address);
    const char *from = address;

    if (n > 1 && address[0] == '[' && address[n - 1] == ']') {
        from++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof(host))
        return NULL;
    memcpy(host, from, n);
    host[n] = '\0';
    return getaddrinfo(host, colon + 1, &hints, &a) == 0 ? a : NULL;
}

void gk_link_out_close(gk_link_out *o)
{
    if (o->fd >= 0)
        (void)close(o->fd);
    o->fd = -1;
    o->up = false;
    o->got = 0;
    o->seq = 0;
    o->retry = gk_zk_now_ms() + RETRY_MS;
}

void gk_link_out_connect(gk_link_out *o)
{
    struct addrinfo *a = gk_link_resolve(o->peer, false);
    int on = 1;

    o->retry = gk_zk_now_ms() + PATIENCE_MS; /* for this attempt */
    if (a == NULL)
        return;
    o->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (o->fd >= 0) {
        (void)setsockopt(o->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(o->fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS)
            gk_link_out_close(o);
    }
    freeaddrinfo(a);
}

typedef struct beat {
    const uint8_t *nonce;
    uint64_t seq, epoch;
    bool leader;
    gk_bytes id;
} beat;

static void put_beat(gk_writer *w, const void *arg)
{
    const beat *b = arg;

    gk_writer_put(w, "GKB1", 4);
    gk_writer_put(w, b->nonce, NONCE);
    gk_writer_u64(w, b->seq);
    gk_writer_u64(w, b->epoch);
    gk_writer_u8(w, b->leader);
    gk_writer_var16(w, b->id);
}

/* send_beat: unless we are to be quiet. A beat that doesn't fit the socket's buffer means a peer that doesn't read; the connection is given up. */
void gk_link_send_beat(gk_link *l, gk_link_out *o)
{
    beat b = {.nonce = o->nonce, .seq = o->seq + 1, .id = {(const uint8_t *)l->id, strlen(l->id)}};
    gk_mem body = {0};
    gk_mem message = {0};
    uint8_t frame[2 + FRAME_MAX];
    gk_writer w = gk_writer_of(frame, sizeof(frame));
    bool quiet = false;

    pthread_mutex_lock(&l->lock);
    quiet = l->quiet;
    b.epoch = l->epoch;
    b.leader = l->leader;
    pthread_mutex_unlock(&l->lock);
    if (quiet)
        return;
    o->seq = b.seq;
    if (gk_mem_write(&body, put_beat, &b) == GK_OK && gk_message_sign(&message, GK_LINK_LABEL, gk_mem_view(&body), l->identity) == GK_OK) {
        gk_writer_var16(&w, gk_mem_view(&message));
        if (w.err != GK_OK || send(o->fd, frame, w.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)w.len)
            gk_link_out_close(o);
    }
    gk_mem_free(&body);
    gk_mem_free(&message);
}

/* out_ready: the connection is there, or its nonce, or its end. */
void gk_link_out_ready(gk_link *l, gk_link_out *o, short events)
{
    ssize_t got = 0;

    if (!o->up) {
        int error = 0;
        socklen_t n = sizeof(error);

        if (getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0)
            gk_link_out_close(o);
        else if ((events & POLLOUT) != 0)
            o->up = true;
        return;
    }
    if (o->got == NONCE) { /* nothing more is ever sent to us: it closed */
        gk_link_out_close(o);
        return;
    }
    got = recv(o->fd, o->nonce + o->got, NONCE - o->got, MSG_DONTWAIT);
    if (got <= 0 && !(got < 0 && (errno == EAGAIN || errno == EINTR)))
        gk_link_out_close(o);
    else if (got > 0) {
        o->got += (size_t)got;
        if (o->got == NONCE)
            gk_link_send_beat(l, o);
    }
}

void gk_link_in_close(gk_link *l, gk_link_in *c)
{
    if (c->fd < 0)
        return;
    (void)close(c->fd);
    c->fd = -1;
    pthread_mutex_lock(&l->lock);
    if (c->peer >= 0)
        l->peers[c->peer].open--;
    pthread_mutex_unlock(&l->lock);
}

void gk_link_in_accept(gk_link *l)
{
    int fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    gk_link_in *c = NULL;

    if (fd < 0)
        return;
    for (size_t i = 0; i < INCOMING && c == NULL; i++)
        c = l->in[i].fd < 0 ? &l->in[i] : NULL;
    if (c != NULL) {
        *c = (gk_link_in){.fd = fd, .last = gk_zk_now_ms(), .peer = -1};
        if (RAND_bytes(c->nonce, NONCE) == 1 && send(fd, c->nonce, NONCE, MSG_NOSIGNAL | MSG_DONTWAIT) == NONCE)
            return;
        c->fd = -1;
    }
    (void)close(fd);
}

/* find_peer: the entry of a trusted public key, made when it is new; the lock is held. -1: no room. */
static int find_peer(gk_link *l, const uint8_t *pub)
{
    for (size_t i = 0; i < l->n_peers; i++) {
        if (memcmp(l->peers[i].pub, pub, GK_SIGN_PUBLIC) == 0) /* public */
            return (int)i;
    }
    if (l->n_peers == GK_LINK_PEERS)
        return -1;
    l->peers[l->n_peers] = (gk_link_peer){0};
    memcpy(l->peers[l->n_peers].pub, pub, GK_SIGN_PUBLIC);
    return (int)l->n_peers++;
}

/* take_beat reads one message; false when it isn't a new beat of a trusted controller on this connection. The lock is held. */
static bool take_beat(gk_link *l, gk_link_in *c, gk_bytes message)
{
    gk_bytes body = {0};
    gk_bytes nonce = {0};
    gk_bytes id = {0};
    gk_reader r = {0};
    uint64_t seq = 0;
    uint64_t epoch = 0;
    uint8_t leader = 0;
    size_t who = 0;
    gk_link_peer *p = NULL;
    int at = -1;

    while (who < l->n_trusted && gk_message_check(message, &body, GK_LINK_LABEL, l->trusted[who]) != GK_OK)
        who++;
    if (who == l->n_trusted)
        return false;
    r = gk_reader_of(body.p, body.n);
    if (gk_reader_magic(&r, "GKB1") != GK_OK || gk_reader_take(&r, &nonce, NONCE) != GK_OK || gk_reader_u64(&r, &seq) != GK_OK ||
        gk_reader_u64(&r, &epoch) != GK_OK || gk_reader_u8(&r, &leader) != GK_OK || gk_reader_var16(&r, &id, GK_NAME_MAX) != GK_OK ||
        gk_reader_end(&r) != GK_OK || !gk_bytes_equal(nonce, (gk_bytes){c->nonce, NONCE}) || seq <= c->seq || leader > 1)
        return false;
    at = find_peer(l, l->trusted[who]);
    if (at < 0 || (c->peer >= 0 && c->peer != at))
        return false;
    p = &l->peers[at];
    p->open += c->peer < 0;
    c->peer = at;
    c->seq = seq;
    c->last = p->heard_ms = gk_zk_now_ms();
    p->leader = leader == 1;
    p->epoch = epoch;
    memcpy(p->id, id.p, id.n);
    p->id[id.n] = '\0';
    return true;
}

void gk_link_in_ready(gk_link *l, gk_link_in *c)
{
    ssize_t got = recv(c->fd, c->frame + c->got, sizeof(c->frame) - c->got, MSG_DONTWAIT);
    bool ok = true;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        gk_link_in_close(l, c);
        return;
    }
    c->got += (size_t)got;
    while (ok && c->got >= 2) {
        size_t n = (size_t)c->frame[0] << 8 | c->frame[1];

        if (n > FRAME_MAX) {
            ok = false;
        } else if (c->got < 2 + n) {
            break;
        } else {
            pthread_mutex_lock(&l->lock);
            ok = take_beat(l, c, (gk_bytes){c->frame + 2, n});
            pthread_mutex_unlock(&l->lock);
            c->got -= 2 + n;
            memmove(c->frame, c->frame + 2 + n, c->got);
        }
    }
    if (!ok)
        gk_link_in_close(l, c);
}
