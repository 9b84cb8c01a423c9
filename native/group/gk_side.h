/* gk_side: what controllers remember of a group beside its keys: tokens, who is denied, what waits for approval, what was seen. It changes without
 * an epoch, as one sealed znode, and with one, by deltas. Not thread-safe. docs/FORMAT.md, "Controllers' state". */
#ifndef GK_SIDE_H
#define GK_SIDE_H

#include "gk_admission.h"
#include "gk_roster.h"

#define GK_SIDE_TOKENS 4096
#define GK_SIDE_DENIED 8192
#define GK_SIDE_WAITING 300000 /* bytes of requests that wait */
#define GK_SIDE_TOKEN (GK_TOKEN_ID + GK_SIGN_PUBLIC + 12)  /* bytes of a token */
#define GK_SIDE_ENTRY (GK_NAME_MAX + 2 + GK_HASH + 8)      /* bytes of a denial, at most */
#define GK_SIDE_WAITING_MS 86400000 /* a request waits a day for approval */

typedef struct gk_denied {
    char name[GK_NAME_MAX + 1];
    uint8_t identity[GK_HASH];
    uint64_t since;
} gk_denied;

typedef struct gk_waiting {
    char name[GK_NAME_MAX + 1];
    uint8_t identity[GK_HASH];
    uint8_t hash[GK_HASH];
    uint64_t until_ms;
    gk_mem request;
} gk_waiting;

typedef struct gk_side {
    uint64_t serial; /* of the znode side */
    uint8_t policy[GK_HASH]; /* SHA-256 of the policy record in force */
    gk_token *tokens;
    size_t tokens_n;
    gk_denied *denied;
    size_t denied_n;
    gk_waiting *waiting;
    size_t waiting_n;
    gk_seen seen;
} gk_side;

void gk_side_clear(gk_side *s);
gk_token *gk_side_token(const gk_side *s, const uint8_t id[GK_TOKEN_ID]);
gk_err gk_side_token_add(gk_side *s, const gk_token *t) GK_MUST_CHECK;
/* gk_side_token_left: with uses 0 the token is gone. */
void gk_side_token_left(gk_side *s, const uint8_t id[GK_TOKEN_ID], uint32_t uses);
bool gk_side_is_denied(const gk_side *s, const uint8_t identity[GK_HASH]);
gk_err gk_side_deny(gk_side *s, gk_bytes name, const uint8_t identity[GK_HASH], uint64_t since) GK_MUST_CHECK;
/* gk_side_allow takes off the list by identity, or by name when it isn't empty: false when there is none. */
bool gk_side_allow(gk_side *s, const uint8_t identity[GK_HASH], gk_bytes name);
gk_waiting *gk_side_waiting(const gk_side *s, const uint8_t hash[GK_HASH]);
gk_err gk_side_wait(gk_side *s, const gk_request *r, gk_bytes request, uint64_t until_ms) GK_MUST_CHECK;
void gk_side_waited(gk_side *s, const uint8_t hash[GK_HASH]);
/* gk_side_expire forgets what is over; true when something was. */
bool gk_side_expire(gk_side *s, uint64_t now_ms);
/* gk_side_room: whether there is room in the side znode, and in a multi that also has the deny list, for `entries` more (tokens, denials), or for `waiting`
 * bytes more of requests that wait. These have a part of their own, so that neither strangers nor administrators use up the others' room. */
bool gk_side_room(const gk_side *s, size_t entries, size_t waiting);
/* gk_side_bytes: of the side znode and the deny list together, at most. */
size_t gk_side_bytes(const gk_side *s);
/* gk_side_save leaves out what is over at now_ms, nonces of requests that wait, and for the side znode (not all) also those that deltas or snapshots have: with
 * many requests they wouldn't fit. gk_side_load is told which it is, and adds to the nonces that s knows. */
void gk_side_save(const gk_side *s, gk_writer *w, uint64_t now_ms, bool all);
gk_err gk_side_load(gk_side *s, gk_reader *r, bool all) GK_MUST_CHECK;
/* gk_side_merge: from has seen all that s has. */
gk_err gk_side_merge(gk_side *s, const gk_seen *from) GK_MUST_CHECK;
/* gk_side_list: the deny list as GKN1, signed, for people. */
gk_err gk_side_list(const gk_side *s, gk_mem *out, const uint8_t group_id[GK_GROUP_ID], const gk_key *controller) GK_MUST_CHECK;

#endif
