/* gk_notify: systemd's readiness protocol (sd_notify(3)) without its library: a datagram to $NOTIFY_SOCKET. */
#ifndef GK_NOTIFY_H
#define GK_NOTIFY_H

/* gk_notify sends state ("READY=1", "STOPPING=1\nSTATUS=...") and does nothing where nobody asked for it. */
void gk_notify(const char *state);

#endif
