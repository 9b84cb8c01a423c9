/* gk_servers: the servers' agreement (gk_agreement) as the plugin drives it: opens and seals the payloads of the servers' own nodes around each step,
 * gives its secrets to the readers of key nodes, and says how it stands. All functions are thread-safe, but steps follow one another. */
#ifndef GK_SERVERS_H
#define GK_SERVERS_H

#include "gk_codec.h"

#define GK_SERVERS_STATUS 6144 /* room for a status, terminator included */

/* gk_servers_start makes this process's gk_agreement; as gk_agreement_new. GK_ERR_STATE: it is there. */
gk_err gk_servers_start(gk_codec *c, const gk_agreement_config *config, char *why, size_t why_n) GK_MUST_CHECK;
/* gk_servers_step advances it. Both sides in the glue's own form, big-endian, payloads as stored:
 *   snapshot: count u16, then for each node: name (u16 length), version i32, mine u8, payload (u32 length)
 *   out:      wake in ms from now u32, events u32, count u8, then for each write: op u8, ephemeral u8, version i32, name (u16 length),
 *             payload (u32 length)
 * A payload that isn't authentic is left out of the snapshot. GK_ERR_STATE: not started. */
gk_err gk_servers_step(gk_worker *w, gk_writer *out, gk_bytes snapshot) GK_MUST_CHECK;
/* gk_servers_serve: whether key reads get keys. Off while the server isn't part of a serving ensemble; the secrets stay with the gk_agreement. */
void gk_servers_serve(gk_codec *c, bool on);
/* gk_servers_secrets: a reference for the caller to free, or NULL. */
gk_secrets *gk_servers_secrets(gk_codec *c);
/* gk_servers_status writes the status node's text (docs/FORMAT.md) and returns its length. */
size_t gk_servers_status(gk_codec *c, char out[GK_SERVERS_STATUS]);
/* gk_servers_runs: finished agreements of this process's life. */
uint64_t gk_servers_runs(gk_codec *c);

#endif
