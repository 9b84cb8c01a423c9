#include "link.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 65536, STACK = 256 * 1024 };

typedef struct piece {
    struct piece *next;
    int64_t due_us;
    size_t n;
    uint8_t data[];
} piece;

/* One direction of a connection. */
typedef struct way {
    int from, to;
    piece *first, *last;
    int64_t last_us;
    bool ended;
} way;

typedef struct path_of {
    int listener, target, least_us, most_us;
} path_of;

typedef struct connection {
    const path_of *of;
    int fd;
} connection;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int to_loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* take reads what is there; false at the end. */
static bool take(const path_of *l, way *w, unsigned *seed)
{
    static _Thread_local uint8_t buffer[PIECE];
    ssize_t n = read(w->from, buffer, sizeof(buffer));
    piece *p = n <= 0 ? NULL : malloc(sizeof(*p) + (size_t)n);

    if (p == NULL)
        return false;
    p->next = NULL;
    p->n = (size_t)n;
    memcpy(p->data, buffer, (size_t)n);
    p->due_us = now_us() + l->least_us + (l->most_us > l->least_us ? rand_r(seed) % (l->most_us - l->least_us) : 0);
    p->due_us = p->due_us > w->last_us ? p->due_us : w->last_us;
    w->last_us = p->due_us;
    if (w->first == NULL)
        w->first = p;
    else
        w->last->next = p;
    w->last = p;
    return true;
}

/* hand_on writes what is due; false when the other side is gone. */
static bool hand_on(way *w)
{
    while (w->first != NULL && w->first->due_us <= now_us()) {
        piece *p = w->first;
        size_t done = 0;

        while (done < p->n) {
            ssize_t n = send(w->to, p->data + done, p->n - done, MSG_NOSIGNAL);

            if (n <= 0)
                return false;
            done += (size_t)n;
        }
        w->first = p->next;
        free(p);
    }
    return !(w->ended && w->first == NULL);
}

static void *carry(void *arg)
{
    connection c = *(connection *)arg;
    way ways[2] = {{.from = c.fd, .to = to_loopback(c.of->target)}};
    unsigned seed = (unsigned)now_us() ^ (unsigned)c.fd;
    const int one = 1;
    bool alive = ways[0].to >= 0;

    free(arg);
    ways[1] = (way){.from = ways[0].to, .to = c.fd};
    for (int i = 0; i < 2 && alive; i++)
        (void)setsockopt(ways[i].to, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    while (alive) {
        struct pollfd fds[2];
        int64_t wait_us = 1000000;

        for (int i = 0; i < 2; i++) {
            fds[i] = (struct pollfd){.fd = ways[i].ended ? -1 : ways[i].from, .events = POLLIN};
            if (ways[i].first != NULL && ways[i].first->due_us - now_us() < wait_us)
                wait_us = ways[i].first->due_us - now_us();
        }
        (void)poll(fds, 2, wait_us > 0 ? (int)((wait_us + 999) / 1000) : 0);
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents != 0)
                ways[i].ended = !take(c.of, &ways[i], &seed);
            alive = alive && hand_on(&ways[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        for (piece *p = ways[i].first, *next = NULL; p != NULL; p = next) {
            next = p->next;
            free(p);
        }
        if (ways[i].from >= 0)
            (void)close(ways[i].from);
    }
    return NULL;
}

static void *accept_all(void *arg)
{
    const path_of *l = arg;

    for (;;) {
        connection *c = malloc(sizeof(*c));
        pthread_attr_t small;
        pthread_t t;

        if (c == NULL)
            return NULL;
        *c = (connection){.of = l, .fd = accept(l->listener, NULL, NULL)};
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, STACK);
        pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
        if (c->fd < 0 || pthread_create(&t, &small, carry, c) != 0) {
            if (c->fd >= 0)
                (void)close(c->fd);
            free(c);
        }
        pthread_attr_destroy(&small);
    }
}

int link_open(int target, int least_ms, int most_ms)
{
    path_of *l = malloc(sizeof(*l));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    pthread_t t;

    if (l == NULL)
        return -1;
    *l = (path_of){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .target = target, .least_us = least_ms * 1000, .most_us = most_ms * 1000};
    if (l->listener < 0 || bind(l->listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l->listener, 512) != 0 ||
        getsockname(l->listener, (struct sockaddr *)&a, &n) != 0 || pthread_create(&t, NULL, accept_all, l) != 0) {
        free(l);
        return -1;
    }
    (void)pthread_detach(t);
    return ntohs(a.sin_port);
}
