/* gk_worlds: two simulated servers; one gets a client's requests as they are, the other through the codec. The client must not see a difference. */
#ifndef GK_WORLDS_H
#define GK_WORLDS_H

#include "gk_ops.h"
#include "gk_sim.h"

typedef struct gk_worlds {
    gk_rig rig;
    gk_sim *plain, *stored;
    gk_buf request;  /* one packet: frames */
    gk_buf on_wire;  /* what the codec made of them */
    gk_buf answers;  /* of the server behind it */
    gk_buf seen;     /* by the client */
    gk_buf want;     /* what the other server answers */
    size_t handled;
} gk_worlds;

gk_worlds gk_worlds_open(const gk_options *o);
void gk_worlds_close(gk_worlds *w);
/* gk_worlds_fill makes w->request: one to four requests. */
void gk_worlds_fill(gk_worlds *w, gk_source *s, bool broken);
/* gk_worlds_step passes w->request to both; false when the client sees a difference, which is printed. secrets: nothing secret may be on the
 * wire. When the servers close, both are opened again. */
bool gk_worlds_step(gk_worlds *w, bool secrets);

#endif
