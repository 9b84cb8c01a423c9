/* groupkeeper/member.h: be a member of a group whose keys Groupkeeper's controllers make: join, hold the current key, follow every rekey.
 *
 *   gkm_options o = {.size = sizeof o, .group = "payments", .state = "/var/lib/app/payments.state", .connect = "zk1:2182,zk2:2182",
 *                    .ca = "ca.pem"};
 *   gkm *m = NULL;
 *   if (gkm_open(&m, &o) != GKM_OK) ...
 *   gkm_wait(m, 0, 10000);                 // until there is a key
 *   gkm_seal(m, out, &out_n, in, in_n);    // under the newest key
 *   gkm_close(m);
 *
 * Link with -lgroupkeeper (pkg-config groupkeeper). All functions but gkm_open, gkm_join and gkm_close may be called by any number of threads
 * at the same time for one gkm; different gkm are independent; the library has no global state and writes nothing to stdout or stderr.
 * Strings are UTF-8 and copied. Names beginning with gkm_ and GKM_ belong to it. */
#ifndef GROUPKEEPER_MEMBER_H
#define GROUPKEEPER_MEMBER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define GKM_KEY 32        /* bytes of a group key */
#define GKM_FINGERPRINT 8 /* HMAC-SHA256(key, "groupkeeper fingerprint")[0..8): to compare keys without showing them */
#define GKM_OVERHEAD 68   /* how much longer gkm_seal's output is than its input */

typedef struct gkm gkm;

/* Results; values are pinned. */
typedef enum gkm_result {
    GKM_OK = 0,
    GKM_TIMEOUT = 1, /* not within the time given */
    GKM_NOMEM = 2,
    GKM_ARG = 3,     /* an option is missing or wrong, or a buffer too small */
    GKM_FILE = 4,    /* a file cannot be read or written, or is open to others */
    GKM_BUSY = 5,    /* another process runs this member */
    GKM_CONNECT = 6, /* no ZooKeeper server could be reached or believed */
    GKM_REFUSED = 7, /* the controller said no */
    GKM_PENDING = 8, /* an administrator has to approve; ask again later with the same state */
    GKM_NOKEY = 9,   /* no key yet, or none for that epoch any more */
    GKM_STALE = 10,  /* the controllers have been silent for too long: there may be a newer key that somebody withholds */
    GKM_OUT = 11,    /* evicted, or left */
    GKM_AUTH = 12,   /* what was to be opened is not authentic, or what lies in ZooKeeper isn't */
    GKM_STATE = 13   /* not allowed in this state: joined already, not joined */
} gkm_result;

const char *gkm_result_text(gkm_result r);

typedef enum gkm_via { GKM_VIA_NOTIFY = 1, GKM_VIA_RING = 2, GKM_VIA_REFRESH = 3 } gkm_via;

typedef enum gkm_event_kind {
    GKM_EVENT_KEY = 1,     /* a new key: epoch, fingerprint, via, generated_ms, received_ms */
    GKM_EVENT_STALE = 2,   /* nothing was heard of the controllers for the group's max age */
    GKM_EVENT_FRESH = 3,   /* they are heard again */
    GKM_EVENT_MISSED = 4,  /* keys of from..to were not received, and never will be: text says why */
    GKM_EVENT_EVICTED = 5, /* the member was taken out, or left; nothing more will come */
    GKM_EVENT_REFUSED = 6  /* something that wasn't authentic was refused: text says what */
} gkm_event_kind;

typedef struct gkm_event {
    gkm_event_kind kind;
    uint64_t epoch;
    uint8_t fingerprint[GKM_FINGERPRINT];
    gkm_via via;
    uint64_t generated_ms; /* Unix time, by the controller's clock */
    uint64_t received_ms;  /* Unix time, by ours */
    uint64_t from, to;
    const char *text; /* valid during the call */
} gkm_event;

/* Called by the member's own thread, one call at a time. It may call any function but gkm_close; what it does delays the next key. */
typedef void (*gkm_callback)(void *arg, const gkm_event *event);

typedef struct gkm_options {
    size_t size; /* sizeof(gkm_options): what is behind it in later versions counts as 0 */
    const char *group;
    const char *state;      /* the member's state file */
    const char *state_key;  /* a file with 32 bytes that the state is sealed under; NULL: the state is plain, mode 0600 */
    const char *connect;    /* HOST:PORT,...; NULL: as at gkm_join */
    const char *ca;         /* PEM files for TLS; NULL: as at gkm_join */
    const char *cert, *key; /* a certificate and its key: shown to ZooKeeper over TLS, and the member's identity (see identity) */
    const char *auth_file;  /* SCHEME:CREDENTIALS for ZooKeeper */
    const char *root;       /* NULL: /groupkeeper */
    gkm_callback callback;  /* NULL: none */
    void *arg;
    /* gkm_join alone */
    const char *name;  /* the member's name in the group */
    const char *token; /* a token's text, or NULL */
    const char *identity; /* "cert", "key" (one of its own), or NULL: the certificate where one is given and no token */
    const char *trust; /* the group's trust (64 hex digits of `gk-admin group trust`), or NULL: the token has it */
} gkm_options;

/* gkm_join asks for admission and waits up to timeout_ms for it; the state file is made, or goes on where a pending one stopped: with its request, or
 * with a new one of the same member when that never arrived or was removed. GKM_REFUSED and others leave a sentence in why (why_n bytes; NULL for none). */
gkm_result gkm_join(const gkm_options *o, int timeout_ms, char *why, size_t why_n);
/* gkm_open runs the member of a state file: a thread follows the group from now on, through lost sessions, until gkm_close. One gkm at a time may do so
 * for a state file (GKM_BUSY). It doesn't wait for the connection. */
gkm_result gkm_open(gkm **out, const gkm_options *o, char *why, size_t why_n);
/* gkm_peek reads the state file alone: no connection, no thread, no lock; the key it had when it was last written. */
gkm_result gkm_peek(gkm **out, const gkm_options *o, char *why, size_t why_n);
void gkm_close(gkm *m);

/* gkm_wait returns when there is a key of an epoch above `above`, or gives GKM_TIMEOUT, GKM_OUT. */
gkm_result gkm_wait(gkm *m, uint64_t above, int timeout_ms);
/* gkm_key gives the current key, which the caller wipes, and its epoch. GKM_STALE (with the key all the same) when the controllers are silent. */
gkm_result gkm_key(gkm *m, uint8_t key[GKM_KEY], uint64_t *epoch);
/* gkm_seal writes in_n + GKM_OVERHEAD bytes under the current key. *out_n is the room at out, then what was written. GKM_STALE: nothing was
 * sealed. It tells nobody among the members who sealed, and doesn't stop replays. */
gkm_result gkm_seal(gkm *m, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n);
/* gkm_seal_stale does so even with a stale key. */
gkm_result gkm_seal_stale(gkm *m, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n);
/* gkm_unseal opens what was sealed in this epoch or one whose key is still held. */
gkm_result gkm_unseal(gkm *m, uint8_t *out, size_t *out_n, const uint8_t *in, size_t in_n);
/* gkm_refresh asks for the current key anew; gkm_leave asks to be taken out. Both return when the answer was received, or GKM_TIMEOUT. */
gkm_result gkm_refresh(gkm *m, int timeout_ms);
gkm_result gkm_leave(gkm *m, int timeout_ms);

typedef struct gkm_status {
    char group[129], member[129];
    uint64_t epoch, highest_epoch; /* of the current key; that a signature vouched for */
    uint8_t fingerprint[GKM_FINGERPRINT];
    int connected, stale, out, pending;
    uint64_t refused; /* messages that weren't authentic */
} gkm_status;

gkm_result gkm_status_get(gkm *m, gkm_status *out);
/* gkm_missed gives the i-th gap; GKM_NOKEY when there is none. text is valid until gkm_close. */
gkm_result gkm_missed(gkm *m, size_t i, uint64_t *from, uint64_t *to, const char **text);
/* gkm_refused gives the i-th kind of refusal and how often it was; GKM_ARG when there is no such kind. */
gkm_result gkm_refused(gkm *m, size_t i, const char **text, uint64_t *count);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
