/* link: emulated links, since the kernel at hand has no netem: a listener on loopback whose connections are relayed to a target; each piece of data is
 * handed on after a delay, uniform between two bounds, in order, in both directions. */
#ifndef GK_BENCH_LINK_H
#define GK_BENCH_LINK_H

#include <stdbool.h>

/* link_open relays to 127.0.0.1:target; gives the port to connect to, or -1. It lives as long as the process. */
int link_open(int target, int least_ms, int most_ms);

#endif
