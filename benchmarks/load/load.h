/* What the load generator's files share. One thread, one epoll; N connections, each with its own session, its own nodes, and therefore
 * an exact expectation of every reply: replies come in the order of requests, and nobody else writes its nodes. */
#ifndef LOAD_H
#define LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../native/wire/gk_jute.h"

#define PAYLOAD_MAX (1000u << 10)
#define PATH_ROOM 512
#define DIR_ROOM 280
#define DIRS 8 /* families of nodes (path depth, name length) that a connection may have */

/* fail ends the program: `load: error: CODE: text`. */
_Noreturn void fail(const char *code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* must_alloc is realloc that ends the program when there is no memory. */
void *must_alloc(void *old, size_t n);
uint64_t now_ns(void);

/* ---- hist.c: latencies; 64 steps for each doubling, so a value is known within 1.6 % ---- */
#define HIST_SIZE (64 * 60)
typedef struct hist {
    uint64_t count, max;
    uint64_t slot[HIST_SIZE];
} hist;
void hist_add(hist *h, uint64_t ns);
/* hist_at gives the upper end of the slot in which the share q of all values is reached; 0 without values. */
uint64_t hist_at(const hist *h, double q);

typedef enum op { OP_GET, OP_SET, OP_EXISTS, OP_CREATE, OP_SEQUENTIAL, OP_EPHEMERAL, OP_DELETE, OP_CHILDREN, OP_WATCH, OP_TOUCH,
                  OP_FOLDER, OP_STEADY, OP_CHILD, OP_PING } op;

typedef struct node {
    uint32_t version, payload; /* as the last request issued leaves it */
    int64_t mzxid;             /* as the last reply told */
} node;

/* What a connection has below one path. Steady nodes ("n...") are read and written; passing ones ("c...", "s...") created and deleted. */
typedef struct dir {
    unsigned depth, name_length, number;
    char path[DIR_ROOM];
    node *nodes;
    uint32_t count;       /* steady nodes */
    uint32_t creations;   /* creates in this folder so far: the number that the next sequential one gets */
    uint32_t next;        /* the next passing node's index */
    uint32_t *passing;    /* indices or numbers, the highest bit marks a sequential one; [first, last) exist */
    size_t first, last, cap;
    uint32_t pass_payload, pass_version;
} dir;

/* What was asked, and all that the reply must say. */
typedef struct pending {
    op op;
    uint32_t index;            /* of the node, its number if sequential; of OP_CHILDREN the count */
    uint32_t version, payload; /* of the node, once this request is done */
    bool counts;               /* a request of the phase, not of its preparation */
    uint64_t sent;
    dir *dir;
} pending;

typedef struct conn {
    int fd, number;
    SSL *ssl;
    bool connected, greeted, want_write, issuing;
    uint8_t *in, *out;
    size_t in_at, in_n, in_cap, out_at, out_n, out_cap;
    pending *ring; /* asked and not answered */
    uint32_t head, waiting, ring_size;
    int32_t xid_sent, xid_due;
    int64_t session, zxid;
    uint64_t last_sent, random, events, issued;
    dir dirs[DIRS];
    unsigned dir_count;
} conn;

/* ---- conn.c ---- */
typedef struct endpoint {
    char host[64], port[8];
} endpoint;
SSL_CTX *tls_context(const char *ca, const char *cert, const char *key);
/* conn_open begins to connect. */
void conn_open(conn *c, int number, const endpoint *to, SSL_CTX *tls);
/* conn_handshake moves TLS and the session on; true once the session is there. */
bool conn_handshake(conn *c);
/* conn_read takes in what there is, conn_flush sends what it can. Both end the program when the server closes. */
void conn_read(conn *c);
void conn_flush(conn *c);
/* conn_frame takes the next complete frame, which is valid until the next conn_read; false when there is none. */
bool conn_frame(conn *c, gk_bytes *body);
/* conn_begin gives room for a frame of at most n bytes; conn_end sets its length and queues it. */
gk_writer conn_begin(conn *c, size_t n);
void conn_end(conn *c, gk_writer *w);

/* ---- ops.c: each function issues one request ---- */
extern char run_tag[24]; /* the start of all paths */
void ops_init(void);
/* conn_dir gives the family, whose folders it asks for when it is new. */
dir *conn_dir(conn *c, unsigned depth, unsigned name_length);
void issue_folder(conn *c, const char *path);
void issue_steady(conn *c, dir *d, uint32_t payload);
void issue_child(conn *c, uint32_t of, uint32_t index);
void issue_children(conn *c, uint32_t of);
void issue_read(conn *c, dir *d, op what, uint32_t index);
void issue_set(conn *c, dir *d, uint32_t index, uint32_t payload);
/* issue_create: OP_CREATE, OP_SEQUENTIAL, OP_EPHEMERAL. */
void issue_create(conn *c, dir *d, op what, uint32_t payload);
/* issue_delete takes the oldest passing node; false when there is none. */
bool issue_delete(conn *c, dir *d);
/* issue_passing: OP_WATCH reads the passing node at this place and leaves a watch, OP_TOUCH writes it, which fires that. */
void issue_passing(conn *c, dir *d, size_t at, op what);
void issue_ping(conn *c);

/* ---- check.c ---- */
/* Contents are a function of who, where and which version. */
uint64_t content_id(const conn *c, const dir *d, uint32_t index, uint32_t version);
void content_put(gk_writer *w, uint64_t id, uint32_t n);
const char *node_path(char out[PATH_ROOM], const dir *d, char kind, uint32_t index);
#define SEQUENTIAL 0x80000000u
/* check_reply judges one frame; wrong ones end the program. Gives what was asked; false for events and pings. */
bool check_reply(conn *c, gk_bytes body, pending *asked);

#endif
