/* gk_schedule: parties that join, leave, part, merge and refresh while their messages are lost, doubled, reordered, replayed, changed and made up;
 * all by a seed, so that a schedule can be run again. */
#ifndef GK_SCHEDULE_H
#define GK_SCHEDULE_H

#include "../../native/group/gk_run_internal.h"

#define SCHEDULE_PARTIES 64

typedef struct schedule_result {
    unsigned changes;  /* of membership */
    unsigned cascades; /* of these, while a run was going on */
    unsigned agreed;   /* runs that ended in a secret */
    unsigned messages; /* handed to a party */
    unsigned refused;  /* of these */
    unsigned hostile;  /* of these, changed or made up */
    unsigned largest;  /* parties in one run */
} schedule_result;

/* gk_schedule_run runs one schedule among up to max parties; NULL, or what was wrong. result is added to. */
const char *gk_schedule_run(uint64_t seed, gk_protocol protocol, size_t max, schedule_result *result);

#endif
