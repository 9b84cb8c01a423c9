/* gk_codec: what all connections of a server share (keyring, options, path cache), and gk_worker: what one thread needs to use it
 * (keyed cipher contexts, random numbers, scratch memory, counters). */
#ifndef GK_CODEC_H
#define GK_CODEC_H

#include <pthread.h>
#include <stdatomic.h>

#include "../base/gk_random.h"
#include "../crypto/gk_siv.h"
#include "../crypto/gk_xaes.h"
#include "../keyring/gk_keyring.h"
#include "../group/gk_agreement.h"
#include "../wire/gk_opcode.h"
#include "gk_cache.h"
#include "gk_lists.h"
#include "gk_opened.h"

#define GK_MAX_PREFIXES 64

typedef struct gk_options {
    size_t path_cache_bytes;       /* groupkeeper.path-cache-bytes: of paths, names and lists of children together */
    size_t payload_cache_bytes;    /* of payloads, for each worker that opens any: a share of groupkeeper.payload-cache-bytes */
    size_t max_request;            /* the plaintext limit on a request's frame: jute.maxbuffer as the operator set it */
    size_t max_stored;             /* the server's own limit on the frame that it is given */
    bool undecryptable_fails;      /* groupkeeper.undecryptable-child=fail */
    const char *plaintext_prefixes; /* comma separated absolute paths, or NULL */
    const char *refuse_opcodes;    /* comma separated numbers, or NULL */
    bool agreement;                /* groupkeeper.agreement=on: key nodes can be read */
} gk_options;

typedef enum gk_counter {
    GK_COUNT_REQUESTS,
    GK_COUNT_REPLIES,
    GK_COUNT_REFUSED,          /* requests that were not forwarded as they came: unknown, malformed, too long, forbidden */
    GK_COUNT_DECRYPT_FAILURES,
    GK_COUNT_CACHE_HITS,
    GK_COUNT_CACHE_MISSES,
    GK_COUNT_PAYLOAD_HITS,     /* payloads that had been opened before */
    GK_COUNT_FOREIGN_WRITES,   /* the leader refused a write that wasn't made under this keyring */
    GK_COUNT_STOLEN_SESSIONS,  /* reconnects with a wrong password */
    GK_COUNT_DERIVATIONS,      /* view keys that were derived, each by one HMAC, and given to a member */
    GK_COUNT_KEYS_REFUSED,     /* reads of key nodes by others than members */
    GK_COUNT_KEYS_LATER,       /* reads of key nodes without the servers' secret at hand: answered with a retryable error */
    GK_COUNTERS
} gk_counter;

typedef struct gk_codec gk_codec;
typedef struct gk_worker gk_worker;

struct gk_codec {
    gk_keyring *keyring;
    gk_cache *paths; /* client's path -> gk_node | stored path */
    gk_cache *names; /* parent's tag | stored component -> tag | client's component */
    gk_lists *lists; /* what makes the children's names of a node readable -> the list of them that was read last */
    size_t max_request, max_stored, payload_cache_bytes;
    bool undecryptable_fails, agreement;
    _Atomic int64_t own_czxid;   /* of /zookeeper/groupkeeper; 0 while it isn't there */
    _Atomic int64_t own_before;  /* pzxid that /zookeeper had before it */
    _Atomic int32_t own_nodes;   /* how many own nodes there are */
    pthread_mutex_t servers_lock; /* of the next three (gk_servers.h) */
    gk_agreement *servers;        /* the servers' agreement; NULL before it started */
    uint64_t server_id;
    gk_secrets *secrets;          /* what key reads derive from; NULL while this server doesn't serve */
    gk_bytes prefixes[GK_MAX_PREFIXES];
    size_t n_prefixes;
    char *prefix_text; /* what prefixes points into */
    int32_t refused[64];
    size_t n_refused;
    pthread_mutex_t lock;       /* of the next two */
    gk_worker *workers;         /* those that live */
    uint64_t past[GK_COUNTERS]; /* what freed ones had counted */
};

struct gk_worker {
    gk_codec *codec;
    gk_random *random;
    gk_siv *name;
    gk_xaes *pending;
    uint32_t payload_id; /* the active payload key */
    gk_xaes *payload;
    struct {
        uint32_t id;
        gk_xaes *c;
    } old[8]; /* contexts of former payload keys, made when such a key is met */
    size_t next_old;
    gk_opened *opened;
    uint8_t *scratch;
    size_t scratch_n;
    _Atomic uint64_t counts[GK_COUNTERS]; /* written by its thread alone, read by any */
    gk_worker *prev, *next;               /* codec->workers */
};

/* gk_codec_new takes a reference to kr. GK_ERR_ARG: a plaintext prefix or an opcode can't be parsed. */
gk_err gk_codec_new(gk_codec **out, gk_keyring *kr, const gk_options *o) GK_MUST_CHECK;
/* gk_codec_free: after its workers. NULL is allowed. */
void gk_codec_free(gk_codec *c);
bool gk_codec_refuses(const gk_codec *c, int32_t opcode);

/* A worker belongs to one thread at a time and must not outlive its codec. */
gk_err gk_worker_new(gk_worker **out, gk_codec *c) GK_MUST_CHECK;
void gk_worker_free(gk_worker *w);
void gk_worker_count(gk_worker *w, gk_counter which);
/* gk_codec_count: what all workers, past and present, have counted. Any thread. */
uint64_t gk_codec_count(gk_codec *c, gk_counter which);
/* gk_worker_scratch: at least n bytes, valid until the next call; NULL when memory is short. */
uint8_t *gk_worker_scratch(gk_worker *w, size_t n);
/* gk_worker_payload: the context of a payload key, valid until the next call. GK_ERR_NOTFOUND: the keyring lacks the key. */
gk_err gk_worker_payload(gk_xaes **out, gk_worker *w, uint32_t id) GK_MUST_CHECK;

#endif
