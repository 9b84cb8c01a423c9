/* What gk_link.c (the thread) and gk_link_wire.c (its connections) share. */
#ifndef GK_LINK_INTERNAL_H
#define GK_LINK_INTERNAL_H

#include <netdb.h>
#include <pthread.h>

#include "gk_link.h"

#define GK_LINK_LABEL "groupkeeper v1 heartbeat"

enum { NONCE = 32, FRAME_MAX = 512, INCOMING = 32, RETRY_MS = 200, PATIENCE_MS = 2000 };

/* A connection that we made: our beats go out on it. */
typedef struct gk_link_out {
    char *peer; /* HOST:PORT */
    int fd;     /* -1: try at retry */
    bool up;    /* connected, the nonce is being read */
    int64_t retry;
    uint8_t nonce[NONCE];
    size_t got;
    uint64_t seq;
} gk_link_out;

/* A connection that somebody made: its beats come in. */
typedef struct gk_link_in {
    int fd; /* -1: free */
    uint8_t nonce[NONCE];
    uint8_t frame[2 + FRAME_MAX];
    size_t got;
    uint64_t seq;
    int64_t last; /* when it last proved itself, or came */
    int peer;     /* index into peers, or -1 before the first beat */
} gk_link_in;

struct gk_link {
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows, up to the thread's own */
    char id[GK_NAME_MAX + 1];
    const gk_key *identity;
    uint8_t trusted[GK_LINK_PEERS][GK_SIGN_PUBLIC];
    size_t n_trusted;
    gk_link_peer peers[GK_LINK_PEERS];
    size_t n_peers;
    bool leader, quiet, stop;
    uint64_t epoch;
    int wake;
    /* the thread's own */
    int listener;
    int64_t next_beat;
    gk_link_out out[GK_LINK_PEERS];
    size_t n_out;
    gk_link_in in[INCOMING];
};

/* gk_link_resolve splits HOST:PORT and looks it up; NULL when that fails. */
struct addrinfo *gk_link_resolve(const char *address, bool passive);
void gk_link_out_connect(gk_link_out *o);
void gk_link_out_close(gk_link_out *o);
void gk_link_out_ready(gk_link *l, gk_link_out *o, short events);
void gk_link_send_beat(gk_link *l, gk_link_out *o);
void gk_link_in_accept(gk_link *l);
void gk_link_in_close(gk_link *l, gk_link_in *c);
void gk_link_in_ready(gk_link *l, gk_link_in *c);

#endif
