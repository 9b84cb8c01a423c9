/* gk_path: paths to and from their stored form. Each component becomes base64url(AES-256-SIV(K_name, AD = parent's tag, component)), see
 * docs/FORMAT.md, "Names". A component that no node can have is sealed too, behind a \u0002 that stock ZooKeeper rejects wherever
 * it rejects such a component (a NUL at its end where it had one), so errors stay stock's and nothing is stored or logged in clear. An
 * empty component stays empty. */
#ifndef GK_PATH_H
#define GK_PATH_H

#include "gk_codec.h"

#define GK_MARK_PENDING 0x01 /* a sequential create on its way to the leader */
#define GK_MARK_BAD 0x02     /* a component that no node can have */

typedef enum gk_kind {
    GK_KIND_NORMAL = 0,
    GK_KIND_ROOT,       /* "/" */
    GK_KIND_SYSTEM,     /* /zookeeper */
    GK_KIND_QUOTA_ROOT, /* /zookeeper/quota */
    GK_KIND_CONFIG,     /* /zookeeper/config: plain data, written by the servers */
    GK_KIND_LIMITS,     /* a zookeeper_limits below /zookeeper/quota */
    GK_KIND_STATS,      /* a zookeeper_stats below /zookeeper/quota, written by the servers, too */
    GK_KIND_PLAIN,      /* at or under a plaintext prefix */
    GK_KIND_BAD,        /* no node can have this path */
    GK_KIND_OWN         /* the servers' own: /zookeeper/groupkeeper and below, as stored (gk_own.h); no client's path is stored so */
} gk_kind;

/* gk_node: what a path says about the node at its end. A value; compare nothing but what you need. */
typedef struct gk_node {
    uint8_t tag[GK_SIV_TAG];       /* the node's own name tag: binds its payload */
    uint8_t child_tag[GK_SIV_TAG]; /* the AD of its children's names: tag, but for /zookeeper/quota, whose children mirror the tree's */
    uint8_t kind;                  /* gk_kind */
    bool quota;                    /* below /zookeeper/quota: payloads are bound to that, too */
    uint16_t depth;                /* components, up to 65535 */
    uint64_t prefixes;             /* bit i: a proper ancestor of plaintext prefix i */
} gk_node;

/* gk_node_root: the node of "/". */
void gk_node_root(const gk_codec *c, gk_node *out);
/* gk_node_encrypted: the stored payload is sealed (or empty, where ZooKeeper makes the node itself). */
bool gk_node_encrypted(const gk_node *n);
/* gk_node_starts_empty: ZooKeeper creates this node itself, with an empty payload. */
bool gk_node_starts_empty(const gk_node *n);

/* gk_path_encrypt writes the stored form of a client's path. "" stays "" and means the root. Fails with GK_ERR_CRYPTO or GK_ERR_NOMEM
 * only; when out is too short its error sticks there (GK_ERR_SPACE), node is right all the same. */
gk_err gk_path_encrypt(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes path) GK_MUST_CHECK;
/* gk_path_parent splits path at its last '/': *parent is what comes before ("/" for a top level node), *last what follows.
 * False when there is no '/'. */
bool gk_path_parent(gk_bytes path, gk_bytes *parent, gk_bytes *last);
/* gk_path_decrypt writes the client's form of a stored path and gives its node. GK_ERR_AUTH: not made under this keyring. */
gk_err gk_path_decrypt(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes stored) GK_MUST_CHECK;

/* gk_child_encrypt writes the stored form of one valid component below *node and moves *node to it. */
gk_err gk_child_encrypt(gk_worker *w, gk_writer *out, gk_node *node, gk_bytes name) GK_MUST_CHECK;
/* gk_child_decrypt writes the client's form of one stored component below *node; *child (may be NULL) is its node. GK_ERR_AUTH for what no
 * child of that node can be called, so for bad components, too. */
gk_err gk_child_decrypt(gk_worker *w, gk_writer *out, gk_node *child, const gk_node *node, gk_bytes token) GK_MUST_CHECK;

#endif
