#include "gk_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/gk_zk.h"
#include "gk_link_internal.h"

/* on_time does what is due and gives the time until more is, in ms. */
static int on_time(gk_link *l)
{
    int64_t now = gk_zk_now_ms();

    for (size_t i = 0; i < l->n_out; i++) {
        gk_link_out *o = &l->out[i];

        if (o->fd >= 0 && o->got < NONCE && now >= o->retry)
            gk_link_out_close(o);
        else if (o->fd < 0 && now >= o->retry)
            gk_link_out_connect(o);
        else if (o->got == NONCE && now >= l->next_beat)
            gk_link_send_beat(l, o);
    }
    for (size_t i = 0; i < INCOMING; i++) {
        if (l->in[i].fd >= 0 && now - l->in[i].last > PATIENCE_MS && l->in[i].peer < 0)
            gk_link_in_close(l, &l->in[i]);
    }
    if (now >= l->next_beat)
        l->next_beat = now + GK_LINK_BEAT_MS;
    return (int)(l->next_beat - now);
}

static void *run(void *arg)
{
    gk_link *l = arg;
    struct pollfd fds[2 + GK_LINK_PEERS + INCOMING];
    bool stop = false;

    while (!stop) {
        int timeout = on_time(l);
        size_t n = 2;

        fds[0] = (struct pollfd){.fd = l->wake, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = l->listener, .events = POLLIN};
        for (size_t i = 0; i < l->n_out; i++)
            fds[n++] = (struct pollfd){.fd = l->out[i].fd, .events = l->out[i].up ? POLLIN : POLLOUT};
        for (size_t i = 0; i < INCOMING; i++)
            fds[n++] = (struct pollfd){.fd = l->in[i].fd, .events = POLLIN};
        if (poll(fds, n, timeout) > 0) {
            uint64_t count = 0;

            if (fds[0].revents != 0 && read(l->wake, &count, sizeof(count)) > 0)
                l->next_beat = 0;
            for (size_t i = 0; i < l->n_out; i++) {
                if (fds[2 + i].revents != 0)
                    gk_link_out_ready(l, &l->out[i], fds[2 + i].revents);
            }
            for (size_t i = 0; i < INCOMING; i++) {
                if (fds[2 + l->n_out + i].revents != 0)
                    gk_link_in_ready(l, &l->in[i]);
            }
            if (fds[1].revents != 0)
                gk_link_in_accept(l);
        }
        pthread_mutex_lock(&l->lock);
        stop = l->stop;
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static int listen_on(const char *address, char *why, size_t why_n)
{
    struct addrinfo *a = gk_link_resolve(address, true);
    int on = 1;
    int fd = a == NULL ? -1 : socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, 32) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    if (fd < 0)
        (void)snprintf(why, why_n, "cannot listen on %s: %s", address, a == NULL ? "it is not HOST:PORT" : strerror(errno));
    if (a != NULL)
        freeaddrinfo(a);
    return fd;
}

bool gk_link_start(gk_link **out, const char *id, const gk_key *identity, const char *listen, const char *const *peers, size_t n_peers,
                   char *why, size_t why_n)
{
    gk_link *l = calloc(1, sizeof(*l));

    (void)snprintf(why, why_n, "out of memory");
    if (l == NULL)
        return false;
    (void)snprintf(l->id, sizeof(l->id), "%s", id);
    l->identity = identity;
    pthread_mutex_init(&l->lock, NULL);
    for (size_t i = 0; i < INCOMING; i++)
        l->in[i].fd = -1;
    l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->listener = listen_on(listen, why, why_n);
    for (size_t i = 0; i < n_peers && i < GK_LINK_PEERS; i++) {
        l->out[i] = (gk_link_out){.peer = strdup(peers[i]), .fd = -1};
        l->n_out += l->out[i].peer != NULL;
    }
    if (l->wake >= 0 && l->listener >= 0 && l->n_out == n_peers && pthread_create(&l->thread, NULL, run, l) == 0) {
        *out = l;
        return true;
    }
    for (size_t i = 0; i < l->n_out; i++)
        free(l->out[i].peer);
    if (l->listener >= 0)
        (void)close(l->listener);
    if (l->wake >= 0)
        (void)close(l->wake);
    free(l);
    return false;
}

static void wake(gk_link *l)
{
    uint64_t one = 1;

    (void)!write(l->wake, &one, sizeof(one));
}

void gk_link_trust(gk_link *l, const uint8_t (*pubs)[GK_SIGN_PUBLIC], size_t n)
{
    pthread_mutex_lock(&l->lock);
    l->n_trusted = n < GK_LINK_PEERS ? n : GK_LINK_PEERS;
    memcpy(l->trusted, pubs, l->n_trusted * GK_SIGN_PUBLIC);
    pthread_mutex_unlock(&l->lock);
}

void gk_link_say(gk_link *l, bool leader, uint64_t epoch, bool quiet)
{
    bool changed = false;

    pthread_mutex_lock(&l->lock);
    changed = l->leader != leader || l->epoch != epoch || l->quiet != quiet;
    l->leader = leader;
    l->epoch = epoch;
    l->quiet = quiet;
    pthread_mutex_unlock(&l->lock);
    if (changed)
        wake(l);
}

size_t gk_link_peers(gk_link *l, gk_link_peer *out)
{
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    n = l->n_peers;
    memcpy(out, l->peers, n * sizeof(*out));
    pthread_mutex_unlock(&l->lock);
    return n;
}

void gk_link_stop(gk_link *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
    wake(l);
    pthread_join(l->thread, NULL);
    for (size_t i = 0; i < l->n_out; i++) {
        if (l->out[i].fd >= 0)
            (void)close(l->out[i].fd);
        free(l->out[i].peer);
    }
    for (size_t i = 0; i < INCOMING; i++) {
        if (l->in[i].fd >= 0)
            (void)close(l->in[i].fd);
    }
    (void)close(l->listener);
    (void)close(l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
