/* gk_link: heartbeats between controllers over TCP. Each one connects to each of its peers and sends a signed beat every 200 ms over the
 * connection it made; the accepting side sends 32 random bytes first, which every beat repeats, so beats can't be replayed (docs/FORMAT.md,
 * "Heartbeats"). They carry nothing secret and decide nothing alone: fencing makes a wrong suspicion harmless. One thread of its own;
 * all functions are thread-safe. */
#ifndef GK_LINK_H
#define GK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../native/group/gk_message.h"

enum { GK_LINK_BEAT_MS = 200, GK_LINK_SUSPECT_MS = 600, GK_LINK_PEERS = 16 };

typedef struct gk_link gk_link;

/* What is known of one controller. */
typedef struct gk_link_peer {
    uint8_t pub[GK_SIGN_PUBLIC];
    char id[GK_NAME_MAX + 1];
    bool leader;      /* in its last beat */
    uint64_t epoch;   /* controller epoch, in its last beat */
    int64_t heard_ms; /* monotonic time of its last beat; 0: never */
    unsigned open;    /* connections of it: 0 after its process died */
} gk_link_peer;

/* gk_link_start listens on HOST:PORT and begins to connect to the peers. The key stays the caller's and must outlive the link.
 * False with a sentence in why. */
bool gk_link_start(gk_link **out, const char *id, const gk_key *identity, const char *listen, const char *const *peers, size_t n_peers,
                   char *why, size_t why_n);
/* gk_link_trust: whose beats count from now on, n public keys. */
void gk_link_trust(gk_link *l, const uint8_t (*pubs)[GK_SIGN_PUBLIC], size_t n);
/* gk_link_say: what the next beats say; sent at once when it changed. quiet stops them: a controller that hangs inside must not seem alive. */
void gk_link_say(gk_link *l, bool leader, uint64_t epoch, bool quiet);
/* gk_link_peers gives at most GK_LINK_PEERS entries, those that were ever heard. */
size_t gk_link_peers(gk_link *l, gk_link_peer *out);
void gk_link_stop(gk_link *l);

#endif
