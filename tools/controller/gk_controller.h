/* gk_controller: a controller of groups as a process: one leads, the others stand by. docs/DESIGN.md, "Controllers". */
#ifndef GK_CONTROLLER_H
#define GK_CONTROLLER_H

#include <stdbool.h>

#include "../common/gk_zk.h"

typedef struct gk_controller_options {
    gk_zk_options zk; /* session_ms and on_event are set by gk_controller_run */
    const char *root, *id, *identity, *listen, *state_dir;
    const char *const *peers;
    size_t n_peers;
    int64_t rotate_ms; /* how long state and exchange keys are in use */
} gk_controller_options;

/* gk_controller_log sets the level of the log by its name; false when there is no such level. */
bool gk_controller_log(const char *level);
/* gk_controller_run is a controller until SIGTERM or SIGINT; gives an exit code. */
int gk_controller_run(const gk_controller_options *o);

#endif
