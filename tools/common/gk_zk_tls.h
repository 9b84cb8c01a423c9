/* gk_zk_tls: what ZooKeeper's C client lacks in TLS. Compiled as it comes, that client trusts the system's CAs besides the one it was given,
 * checks no server's name, waits for ever in a handshake, and polls its socket while OpenSSL still holds data. The build therefore links it
 * with the names of gk_zk_tls.syms in place of OpenSSL's (docs/DESIGN.md): each is defined in gk_zk_tls.c. */
#ifndef GK_ZK_TLS_H
#define GK_ZK_TLS_H

#include <stddef.h>

typedef struct gk_zk_tls gk_zk_tls;

/* gk_zk_tls_new reads the files once, so that a mistake is told at the start. ca is required: a server is believed when its chain ends there
 * and its certificate names a host (or the very address) of the connect string. cert and key are both given or both NULL. False with a
 * sentence in why when something is missing or unreadable. The result must outlive all connections made with it. */
gk_zk_tls *gk_zk_tls_new(const char *connect, const char *ca, const char *cert, const char *key, char *why, size_t why_n);
/* gk_zk_tls_certs is what zookeeper_init_ssl takes as its certificates. */
const char *gk_zk_tls_certs(const gk_zk_tls *t);
/* gk_zk_tls_problem: why the last handshake failed (a static or owned string, "" when none did); for messages alone. */
void gk_zk_tls_problem(gk_zk_tls *t, char *out, size_t n);
void gk_zk_tls_free(gk_zk_tls *t);

#endif
