#include "gk_zk_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { HANDSHAKE_MS = 3000, MAX_HOSTS = 32, HOST_LEN = 256 };

struct gk_zk_tls {
    char name[32];  /* what the client's own messages call the CA */
    char certs[32]; /* "@address of this": all that zookeeper_init_ssl gets to see */
    char *ca, *cert, *key;
    char hosts[MAX_HOSTS][HOST_LEN];
    size_t n_hosts;
    pthread_mutex_t lock;
    char problem[200];
};

/* The I/O thread of one client owns one connection at a time. */
static _Thread_local SSL *unread; /* OpenSSL holds data of it that poll can't see */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int ctx_index = -1;

static void make_index(void)
{
    ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static void explain(gk_zk_tls *t, const char *what, const char *detail)
{
    pthread_mutex_lock(&t->lock);
    (void)snprintf(t->problem, sizeof(t->problem), "%s%s%s", what, detail[0] == '\0' ? "" : ": ", detail);
    pthread_mutex_unlock(&t->lock);
}

static void explain_openssl(gk_zk_tls *t, const char *what)
{
    unsigned long e = ERR_get_error();
    const char *reason = e == 0 ? NULL : ERR_reason_error_string(e);

    explain(t, what, reason == NULL ? "" : reason);
    ERR_clear_error();
}

/* configure: trust, identity, versions of one context. */
static int configure(SSL_CTX *ctx, gk_zk_tls *t)
{
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_load_verify_file(ctx, t->ca) != 1) {
        explain_openssl(t, "the CA file cannot be used");
        return 0;
    }
    if (t->cert != NULL && (SSL_CTX_use_certificate_chain_file(ctx, t->cert) != 1 ||
                            SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)) {
        explain_openssl(t, "the certificate and its key cannot be used");
        return 0;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return 1;
}

/* read_hosts takes the host names out of "a:1,[::1]:2,b:3/chroot". */
static int read_hosts(gk_zk_tls *t, const char *connect)
{
    const char *p = connect;

    while (*p != '\0' && *p != '/') {
        const char *end = p + strcspn(p, ",/");
        const char *from = p;
        const char *to = end;

        if (*from == '[') {
            from++;
            to = memchr(from, ']', (size_t)(end - from));
        } else {
            for (const char *q = from; q < end; q++)
                to = *q == ':' ? q : to;
        }
        if (to == NULL || to == from || (size_t)(to - from) >= HOST_LEN || t->n_hosts == MAX_HOSTS)
            return 0;
        memcpy(t->hosts[t->n_hosts], from, (size_t)(to - from));
        t->n_hosts++;
        p = *end == ',' ? end + 1 : end;
    }
    return t->n_hosts > 0;
}

gk_zk_tls *gk_zk_tls_new(const char *connect, const char *ca, const char *cert, const char *key, char *why, size_t why_n)
{
    gk_zk_tls *t = NULL;
    SSL_CTX *ctx = NULL;

    if (ca == NULL || (cert == NULL) != (key == NULL)) {
        (void)snprintf(why, why_n, "TLS needs --ca, and --cert and --key together");
        return NULL;
    }
    pthread_once(&once, make_index);
    t = calloc(1, sizeof(*t));
    ctx = SSL_CTX_new(TLS_client_method());
    if (t == NULL || ctx == NULL || ctx_index < 0)
        goto failed;
    pthread_mutex_init(&t->lock, NULL);
    (void)snprintf(t->name, sizeof(t->name), "the CA given");
    (void)snprintf(t->certs, sizeof(t->certs), "@%p", (void *)t);
    t->ca = strdup(ca);
    t->cert = cert == NULL ? NULL : strdup(cert);
    t->key = key == NULL ? NULL : strdup(key);
    if (t->ca == NULL || (cert != NULL && (t->cert == NULL || t->key == NULL)))
        goto failed;
    if (!read_hosts(t, connect))
        explain(t, "the connect string is not HOST:PORT,...", connect);
    else if (configure(ctx, t)) {
        SSL_CTX_free(ctx);
        return t;
    }
failed:
    (void)snprintf(why, why_n, "%s", t == NULL || t->problem[0] == '\0' ? "out of memory" : t->problem);
    SSL_CTX_free(ctx);
    gk_zk_tls_free(t);
    return NULL;
}

const char *gk_zk_tls_certs(const gk_zk_tls *t)
{
    return t->certs;
}

void gk_zk_tls_problem(gk_zk_tls *t, char *out, size_t n)
{
    pthread_mutex_lock(&t->lock);
    (void)snprintf(out, n, "%s", t->problem);
    pthread_mutex_unlock(&t->lock);
}

void gk_zk_tls_free(gk_zk_tls *t)
{
    if (t == NULL)
        return;
    free(t->ca);
    free(t->cert);
    free(t->key);
    free(t);
}

/* ---- What the client calls instead of OpenSSL, the C library's poll, and strtok ---- */

char *gk_zk_tls_strtok(char *s, const char *delimiters);
int gk_zk_tls_load(SSL_CTX *ctx, const char *ca, const char *dir);
int gk_zk_tls_no_default_paths(SSL_CTX *ctx);
int gk_zk_tls_chain(SSL_CTX *ctx, const char *file);
int gk_zk_tls_key(SSL_CTX *ctx, const char *file, int type);
int gk_zk_tls_set_fd(SSL *ssl, int fd);
int gk_zk_tls_connect(SSL *ssl);
int gk_zk_tls_read(SSL *ssl, void *p, int n);
void gk_zk_tls_free_ssl(SSL *ssl);
int gk_zk_tls_poll(struct pollfd *fds, nfds_t n, int timeout);

/* zookeeper_init_ssl takes its own copy of gk_zk_tls_certs apart and never frees it: the first part becomes the gk_zk_tls itself. */
char *gk_zk_tls_strtok(char *s, const char *delimiters)
{
    void *t = NULL;

    (void)delimiters;
    if (s == NULL || sscanf(s, "@%p", &t) != 1)
        return NULL;
    free(s);
    return t;
}

int gk_zk_tls_load(SSL_CTX *ctx, const char *ca, const char *dir)
{
    gk_zk_tls *t = (gk_zk_tls *)(void *)(uintptr_t)ca;

    (void)dir;
    return ca != NULL && SSL_CTX_set_ex_data(ctx, ctx_index, t) == 1 && configure(ctx, t);
}

int gk_zk_tls_no_default_paths(SSL_CTX *ctx)
{
    (void)ctx;
    return 1;
}

int gk_zk_tls_chain(SSL_CTX *ctx, const char *file)
{
    (void)ctx;
    (void)file;
    return 1;
}

int gk_zk_tls_key(SSL_CTX *ctx, const char *file, int type)
{
    (void)ctx;
    (void)file;
    (void)type;
    return 1;
}

/* peer_address: the numeric address at the other end. */
static int peer_address(int fd, char out[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof(a);

    if (getpeername(fd, (struct sockaddr *)&a, &n) != 0)
        return 0;
    if (a.ss_family == AF_INET)
        return inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&a)->sin_addr, out, INET6_ADDRSTRLEN) != NULL;
    return a.ss_family == AF_INET6 && inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&a)->sin6_addr, out, INET6_ADDRSTRLEN) != NULL;
}

/* expect_name: an address that stands in the connect string must be in the certificate; else one of the connect string's names. All servers
 * of an ensemble are one party, so it doesn't matter which of them answers under which name. */
static int expect_name(SSL *ssl, const gk_zk_tls *t, int fd)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    char address[INET6_ADDRSTRLEN] = {0};
    int names = 0;

    if (!peer_address(fd, address))
        return 0;
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 0; i < t->n_hosts; i++) {
        unsigned char scratch[16];
        const char *host = t->hosts[i];

        if (strcmp(host, address) == 0)
            return X509_VERIFY_PARAM_set1_ip_asc(p, address);
        if (inet_pton(AF_INET, host, scratch) != 1 && inet_pton(AF_INET6, host, scratch) != 1)
            names += X509_VERIFY_PARAM_add1_host(p, host, 0) == 1;
    }
    return names > 0;
}

int gk_zk_tls_set_fd(SSL *ssl, int fd)
{
    const gk_zk_tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);

    unread = NULL;
    /* the client doesn't look at the result: without a descriptor the handshake fails */
    return t != NULL && expect_name(ssl, t, fd) && SSL_set_fd(ssl, fd) == 1;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The whole handshake with a limit in time; the client itself would wait for ever for a server that hangs. */
int gk_zk_tls_connect(SSL *ssl)
{
    gk_zk_tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);
    int64_t deadline = now_ms() + HANDSHAKE_MS;
    long verified = 0;

    ERR_clear_error();
    for (;;) {
        int rc = SSL_connect(ssl);
        int e = SSL_get_error(ssl, rc);
        struct pollfd p = {.fd = SSL_get_fd(ssl), .events = e == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};

        if (rc == 1)
            return 1;
        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            break;
        if (now_ms() > deadline) {
            (void)shutdown(p.fd, SHUT_RDWR); /* so that the client sees an error, not a wish to wait */
            explain(t, "no TLS handshake in time", "");
            return SSL_connect(ssl);
        }
        (void)poll(&p, 1, 100);
    }
    verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK)
        explain(t, "the server's certificate is refused", X509_verify_cert_error_string(verified));
    else
        explain_openssl(t, "the TLS handshake failed");
    return -1;
}

int gk_zk_tls_read(SSL *ssl, void *p, int n)
{
    int rc = 0;

    ERR_clear_error();
    rc = SSL_read(ssl, p, n);
    unread = SSL_pending(ssl) > 0 ? ssl : NULL;
    if (rc > 0)
        return rc;
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; break;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: errno = ECONNRESET; break;
    }
    return -1;
}

void gk_zk_tls_free_ssl(SSL *ssl)
{
    unread = NULL;
    SSL_free(ssl);
}

/* The I/O thread polls its pipe and its socket: what OpenSSL has read already counts as readable. */
int gk_zk_tls_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    bool held = n == 2 && unread != NULL && SSL_get_fd(unread) == fds[1].fd && (fds[1].events & POLLIN) != 0;
    int rc = poll(fds, n, held ? 0 : timeout);

    if (held && rc >= 0 && (fds[1].revents & POLLIN) == 0) {
        rc += fds[1].revents == 0;
        fds[1].revents |= POLLIN;
    }
    return rc;
}
