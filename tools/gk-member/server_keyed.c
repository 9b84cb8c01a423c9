/* gk-member run --server-keyed: a member for as long as it runs. It has an ephemeral child of the members node, reads the group's key from the server,
 * and reads it again when the members or the servers' secret change. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/base/gk_bytes.h"
#include "../../native/group/gk_derive.h"
#include "../../native/group/gk_epoch.h"
#include "../../native/group/gk_served.h"
#include "../common/gk_tree.h"
#include "deliver.h"

enum {
    SESSION_MS = 10000,
    CALL_MS = 5000,
    LOOK_MS = 30000, /* an eviction that left our node alone fires no watch that we may see */
    STALE_MS = 1000, /* without an answer for so long the key may be an old one */
    PATIENCE = 7,    /* NOAUTH, NONODE so often: a change of the ACL takes its time */
    NAME = 200,
    PATH = 2 * GK_TREE_PATH
};
/* What is to be done before the next read. */
enum { MEMBERS = 1, CURRENT = 2, MINE = 4, JOIN = 8, ALL = MEMBERS | CURRENT | MINE };

typedef struct follower {
    deliver *d;
    gk_zk *zk;
    char name[NAME], members[GK_TREE_PATH], child[PATH], node[PATH + 32];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned news;    /* of events */
    bool stop, look;  /* look: something happened */
    uint64_t told_ms; /* when the first of these events came, or 0 */
    /* the follower's own */
    unsigned todo;
    bool joined_once, stale;
    bool told; /* an event told of the key that is read now */
    int refusals;
    uint64_t asked_ms; /* when the key that is read now was heard of, or 0 */
    uint8_t key_id[GK_KEY_ID];
    bool has_key;
    int code;
} follower;

static void on_event(void *arg, gk_zk_event event, const char *path)
{
    follower *f = arg;
    unsigned news = 0;

    if (event == GK_ZK_EXPIRED)
        news = JOIN | ALL;
    else if (event == GK_ZK_CHILDREN)
        news = MEMBERS;
    else if (event == GK_ZK_CHANGED)
        news = strcmp(path, GK_OWN_CURRENT) == 0 ? CURRENT : MINE | MEMBERS; /* the members node itself: deleted */
    pthread_mutex_lock(&f->lock);
    f->news |= news;
    f->look = true;
    f->told_ms = f->told_ms == 0 ? cli_now_ms() : f->told_ms;
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

/* rest waits for an event, at most ms; false: the end. */
static bool rest(follower *f, int64_t ms)
{
    int64_t until = gk_zk_now_ms() + ms;
    struct timespec t = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    bool on = false;

    pthread_mutex_lock(&f->lock);
    while (!f->stop && !f->look && pthread_cond_timedwait(&f->wake, &f->lock, &t) == 0)
        continue;
    f->todo |= f->news;
    f->news = 0;
    f->look = false;
    if (f->asked_ms == 0)
        f->asked_ms = f->told_ms == 0 ? cli_now_ms() : f->told_ms;
    f->told_ms = 0;
    on = !f->stop;
    pthread_mutex_unlock(&f->lock);
    return on;
}

/* join makes our node; a new name for each session, so that the one before is never mistaken for it. */
static int join(follower *f)
{
    uint8_t random[4] = {0};
    char suffix[2 * sizeof(random) + 1];
    int rc = ZOK;

    if (RAND_bytes(random, sizeof(random)) != 1)
        return ZSYSTEMERROR;
    cli_hex(suffix, random, sizeof(random));
    (void)snprintf(f->child, sizeof(f->child), "%s/%s.%s", f->members, f->name, suffix);
    (void)snprintf(f->node, sizeof(f->node), GK_OWN_KEYS "%s", f->child);
    rc = gk_zk_create(f->zk, f->child, NULL, 0, &ZOO_CREATOR_ALL_ACL, ZOO_EPHEMERAL, NULL, 0, CALL_MS);
    if (rc == ZNONODE)
        return ZNOTHING; /* not our node: the group's */
    if (rc != ZOK)
        return rc;
    if (f->has_key) {
        cJSON *doc = cJSON_CreateObject();

        cJSON_AddStringToObject(doc, "event", "rejoined");
        cJSON_AddStringToObject(doc, "member", strrchr(f->child, '/') + 1);
        deliver_line(f->d, doc);
    }
    f->joined_once = true;
    f->todo = (f->todo & ~(unsigned)JOIN) | ALL;
    return ZOK;
}

/* give hands out the key of a record, unless it is the one we have. */
static bool give(follower *f, gk_bytes record)
{
    gk_reader r = gk_reader_of(record.p, record.n);
    deliver_job j = {0};
    uint8_t magic[4];
    uint8_t id[GK_KEY_ID];
    uint8_t fingerprint[GKM_FINGERPRINT];
    char text[2 * GKM_FINGERPRINT + 1];
    gk_key *k = NULL;
    cJSON *doc = NULL;
    bool good = gk_reader_copy(&r, magic, sizeof(magic)) == GK_OK && memcmp(magic, GK_KEY_RECORD_MAGIC, sizeof(magic)) == 0 /* public */ &&
                gk_reader_u64(&r, &j.number) == GK_OK && gk_reader_copy(&r, id, sizeof(id)) == GK_OK &&
                gk_reader_copy(&r, j.key, sizeof(j.key)) == GK_OK && gk_reader_end(&r) == GK_OK &&
                gk_key_new(&k, GK_PURPOSE_GROUP, 0, (gk_bytes){j.key, sizeof(j.key)}) == GK_OK &&
                gk_key_fingerprint(fingerprint, k) == GK_OK;

    gk_key_free(k);
    if (good && (!f->has_key || memcmp(id, f->key_id, sizeof(id)) != 0)) { /* public */
        f->has_key = true;
        memcpy(f->key_id, id, sizeof(id));
        cli_hex(j.key_id, id, sizeof(id));
        cli_hex(text, fingerprint, sizeof(fingerprint));
        deliver_push(f->d, &j);
        doc = cJSON_CreateObject();
        cJSON_AddStringToObject(doc, "event", "key");
        cJSON_AddStringToObject(doc, "group", f->d->group);
        cJSON_AddNumberToObject(doc, "view", (double)j.number);
        cJSON_AddStringToObject(doc, "key_id", j.key_id);
        cJSON_AddStringToObject(doc, "fingerprint", text);
        cJSON_AddStringToObject(doc, "via", f->told ? "notify" : "refresh");
        cJSON_AddNumberToObject(doc, "generated_ms", (double)f->asked_ms);
        cJSON_AddNumberToObject(doc, "received_ms", (double)cli_now_ms());
        deliver_line(f->d, doc);
    }
    gk_wipe(&j, sizeof(j));
    return good;
}

/* look sets the watches that are missing and reads the key: in this order, so no change is missed. */
static int look(follower *f)
{
    char **names = NULL;
    size_t n = 0;
    gk_zk_data d = {0};
    int rc = ZOK;

    f->told = (f->todo & JOIN) == 0 && f->has_key && (f->told || (f->todo & (MEMBERS | CURRENT)) != 0);
    if ((f->todo & JOIN) != 0)
        rc = join(f);
    if (rc == ZOK && (f->todo & MINE) != 0 && (rc = gk_zk_exists(f->zk, f->child, true, NULL, CALL_MS)) == ZOK)
        f->todo &= ~(unsigned)MINE;
    if (rc == ZOK && (f->todo & MEMBERS) != 0 && (rc = gk_zk_children(f->zk, f->members, true, &names, &n, CALL_MS)) == ZOK)
        f->todo &= ~(unsigned)MEMBERS;
    gk_zk_names_free(names, n);
    if (rc == ZOK && (f->todo & CURRENT) != 0) {
        rc = gk_zk_exists(f->zk, GK_OWN_CURRENT, true, NULL, CALL_MS);
        rc = rc == ZNONODE ? ZOK : rc; /* they agree for the first time */
        f->todo &= rc == ZOK ? ~(unsigned)CURRENT : ~0U;
    }
    if (rc == ZOK)
        rc = gk_zk_get(f->zk, f->node, false, &d, CALL_MS);
    if (rc == ZOK && !give(f, (gk_bytes){d.data, d.n}))
        rc = ZMARSHALLINGERROR;
    gk_zk_data_free(&d);
    if (rc == ZNONODE)
        f->todo |= JOIN; /* somebody deleted our node */
    return rc;
}

static bool passes(int rc)
{
    return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZSESSIONEXPIRED || rc == ZSESSIONMOVED || rc == ZINVALIDSTATE ||
           rc == ZCLOSING;
}

static void tell(follower *f, const char *event)
{
    cJSON *doc = cJSON_CreateObject();

    cJSON_AddStringToObject(doc, "event", event);
    deliver_line(f->d, doc);
}

/* fail says why it is over. */
static int fail(follower *f, int rc)
{
    const char *group = f->d->group;

    if (f->has_key && (rc == ZNOAUTH || rc == ZNOTHING)) {
        tell(f, "evicted");
        return cli_fail("EVICTED", "gk-admin member allow", "not a member of %s any more%s", group,
                        rc == ZNOAUTH ? "" : ": the group is gone");
    }
    switch (rc) {
    case ZNOTHING:
        return cli_fail("NOTFOUND", "gk-admin group create --keyed-by servers", "there is no group \"%s\" at %s", group, f->members);
    case ZNOAUTH:
        return cli_fail("NOAUTH", "gk-admin member allow; and TLS 1.3, or TLS 1.2 with ECDHE", "the servers do not let %s %s of %s",
                        f->name, f->joined_once ? "read the key" : "be a member", group);
    case ZINVALIDACL: return cli_fail("NOAUTH", "is ssl.clientAuth off there?", "the servers do not see a certificate");
    case ZNONODE:
        return cli_fail("NOTKEYED", "groupkeeper.agreement=on on all servers, and gk-admin group create --keyed-by servers",
                        "the servers make no keys for %s", group);
    case ZDATAINCONSISTENCY: return cli_fail("DAMAGED", "make a new group", "%s is damaged, or its views are used up", group);
    default: return cli_fail("ZOOKEEPER", NULL, "the key of %s cannot be read: %s", group, gk_zk_str(rc));
    }
}

/* retry: after a failure: is it worth another try? */
static bool retry(follower *f, int rc, bool *noted)
{
    if (!passes(rc))
        return (rc == ZNOAUTH || rc == ZNONODE) && ++f->refusals < PATIENCE;
    if (cli_now_ms() < f->asked_ms + STALE_MS)
        return true;
    if (f->has_key && !f->stale)
        tell(f, "stale");
    f->stale = f->has_key;
    if (!*noted && !gk_zk_connected(f->zk)) {
        char problem[256] = {0};

        gk_zk_problem(f->zk, problem, sizeof(problem));
        fprintf(stderr, "gk-member: note: %s; trying on\n", problem);
        *noted = true;
    }
    return true;
}

static void *follow(void *arg)
{
    follower *f = arg;
    int64_t pause = 0;
    bool noted = false;

    while (rest(f, pause)) {
        int rc = look(f);

        if (rc == ZOK) {
            if (f->stale)
                tell(f, "fresh");
            f->stale = f->told = noted = false;
            f->refusals = 0;
            f->asked_ms = 0;
            pause = LOOK_MS;
        } else if (retry(f, rc, &noted)) {
            pause = pause == LOOK_MS || pause == 0 ? 20 : pause < 1000 ? 2 * pause : pause;
        } else {
            f->code = fail(f, rc);
            deliver_over(f->d);
            break;
        }
    }
    return NULL;
}

/* common_name: the name of our node, from the certificate. */
static bool common_name(char name[NAME], const char *file)
{
    BIO *bio = BIO_new_file(file, "r");
    X509 *c = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    int n = c == NULL ? -1 : X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, name, NAME);

    if (c != NULL && n < 1)
        (void)snprintf(name, NAME, "member");
    for (char *p = name; *p != '\0'; p++)
        *p = *p == '/' || (unsigned char)*p < ' ' ? '_' : *p;
    X509_free(c);
    BIO_free(bio);
    ERR_clear_error();
    return c != NULL;
}

int member_run_server_keyed(const member_options *o, deliver *d)
{
    follower f = {.d = d, .todo = JOIN | ALL, .code = CLI_OK};
    gk_zk_options zo = {.connect = o->m.connect,
                        .ca = o->m.ca,
                        .cert = o->m.cert,
                        .key = o->m.key,
                        .auth_file = o->m.auth_file,
                        .session_ms = SESSION_MS,
                        .on_event = on_event,
                        .arg = &f};
    char why[512] = {0};
    pthread_condattr_t monotonic;
    pthread_t thread = 0;
    int code = CLI_OK;

    zo.connect = zo.connect == NULL ? getenv("GK_CONNECT") : zo.connect;
    if (zo.connect == NULL)
        return cli_usage("gk-member run", "give --connect HOST:PORT,... or set GK_CONNECT");
    if (zo.ca == NULL || zo.cert == NULL)
        return cli_usage("gk-member run", "--server-keyed needs --ca, --cert and --key: keys are given over TLS, to certificates");
    if (o->m.name != NULL)
        (void)snprintf(f.name, sizeof(f.name), "%s", o->m.name);
    else if (!common_name(f.name, zo.cert))
        return cli_fail("FILE", "give a PEM file", "%s holds no certificate", zo.cert);
    if (f.name[0] == '\0' || strchr(f.name, '/') != NULL)
        return cli_usage("gk-member run", "--as is the name of a node");
    gk_tree_served(f.members, o->m.root == NULL ? "/groupkeeper" : o->m.root, d->group);
    pthread_mutex_init(&f.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!gk_zk_open(&f.zk, &zo, why, sizeof(why)))
        return cli_fail("CONNECT", "look at the files' names and permissions", "%s", why);
    if (pthread_create(&thread, NULL, follow, &f) != 0)
        return cli_out_of_memory();
    code = deliver_keys(d);
    pthread_mutex_lock(&f.lock);
    f.stop = true;
    pthread_cond_broadcast(&f.wake);
    pthread_mutex_unlock(&f.lock);
    (void)pthread_join(thread, NULL);
    gk_zk_close(f.zk); /* ends the session, and with it the membership */
    return f.code != CLI_OK ? f.code : code;
}
