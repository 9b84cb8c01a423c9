/* The codec's cost for one operation, to be counted by callgrind: `core OP PAYLOAD COUNT` prepares everything, then calls measured_...() COUNT
 * times, the only function whose instructions are collected. The server's part, in between, is done outside of it. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_session_internal.h"

#define MAX (4u << 20)

static gk_worker *worker;
static gk_session *session;
static uint8_t request[MAX], stored[MAX], reply[MAX], plain[MAX];
static size_t request_n, stored_n, reply_n, plain_n;
static const char *op_name;

#define CHECK(e) check((e), __LINE__)

static void check(gk_err e, int line)
{
    if (e != GK_OK) {
        fprintf(stderr, "core: error: %s at line %d\n", gk_err_str(e), line);
        exit(1);
    }
}

static void pass_request(void)
{
    size_t consumed;
    gk_writer w = gk_writer_of(stored, MAX);
    CHECK(gk_session_requests(session, worker, &w, &consumed, (gk_bytes){request, request_n}));
    stored_n = w.len;
}

static void pass_reply(void)
{
    gk_writer w = gk_writer_of(plain, MAX);
    CHECK(gk_session_reply(session, worker, &w, (gk_bytes){reply, reply_n}));
    plain_n = w.len;
}

__attribute__((noipa)) void measured_request(void)
{
    pass_request();
}

__attribute__((noipa)) void measured_reply(void)
{
    pass_reply();
}

/* The floor: AES-256-GCM of the payload by EVP, under one key that stays, with 22 bytes of AAD. */
__attribute__((noipa)) void measured_bare(EVP_CIPHER_CTX *c, const uint8_t nonce[12], size_t n)
{
    int len;
    bool ok = EVP_EncryptInit_ex2(c, NULL, NULL, nonce, NULL) == 1 && EVP_EncryptUpdate(c, NULL, &len, plain, 22) == 1 &&
              EVP_EncryptUpdate(c, stored, &len, plain, (int)n) == 1 && EVP_EncryptFinal_ex(c, stored + n, &len) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, stored + n) == 1;
    CHECK(ok ? GK_OK : GK_ERR_CRYPTO);
}

static void run_bare(size_t n, int count)
{
    static const uint8_t key[32], nonce[12];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    CHECK(c && EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key, nonce, NULL) == 1 ? GK_OK : GK_ERR_CRYPTO);
    for (int i = 0; i < count; i++)
        measured_bare(c, nonce, n);
    EVP_CIPHER_CTX_free(c);
}

/* An uncached path component, and its floor: two CMACs (of the parent's tag and of the name) and one AES-256-CTR by EVP, whose keys stay. */
__attribute__((noipa)) void measured_component(gk_node *node, gk_bytes name)
{
    gk_writer w = gk_writer_of(stored, MAX);
    CHECK(gk_child_encrypt(worker, &w, node, name));
}

__attribute__((noipa)) void measured_primitives(EVP_MAC_CTX *mac, EVP_CIPHER_CTX *ctr, gk_bytes name)
{
    int len;
    size_t n;
    bool ok = EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, plain, 16) == 1 && EVP_MAC_final(mac, plain, &n, 16) == 1 &&
              EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, name.p, name.n) == 1 && EVP_MAC_final(mac, plain, &n, 16) == 1 &&
              EVP_EncryptInit_ex2(ctr, NULL, NULL, plain, NULL) == 1 && EVP_EncryptUpdate(ctr, stored, &len, name.p, (int)name.n) == 1;
    CHECK(ok ? GK_OK : GK_ERR_CRYPTO);
}

static void run_component(int count)
{
    static const uint8_t key[32];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("cipher", "AES-256-CBC", 0), OSSL_PARAM_END};
    EVP_MAC *cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(cmac);
    EVP_CIPHER_CTX *ctr = EVP_CIPHER_CTX_new();
    CHECK(mac && ctr && EVP_MAC_init(mac, key, sizeof key, params) == 1 && EVP_EncryptInit_ex2(ctr, EVP_aes_256_ctr(), key, NULL, NULL) == 1
              ? GK_OK : GK_ERR_CRYPTO);
    for (int i = 0; i < count; i++) {
        char text[32];
        gk_bytes name = {(const uint8_t *)text, (size_t)snprintf(text, sizeof text, "queue-item-%010d", i)};
        gk_node node;
        gk_node_root(session->codec, &node);
        measured_component(&node, name);
        measured_primitives(mac, ctr, name);
    }
    EVP_CIPHER_CTX_free(ctr);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(cmac);
}

static void put_string(gk_writer *w, const char *s)
{
    gk_jute_put_blob(w, (gk_blob){{(const uint8_t *)s, strlen(s)}, false});
}

static void put_stat(gk_writer *w, size_t data_length)
{
    static const uint8_t zero[GK_STAT_SIZE];
    gk_writer_put(w, zero, GK_STAT_DATA_LENGTH);
    gk_jute_put_i32(w, (int32_t)data_length);
    gk_writer_put(w, zero, GK_STAT_SIZE - GK_STAT_DATA_LENGTH - 4);
}

/* stored_path is the path field of the request that was just rewritten. */
static gk_bytes stored_path(void)
{
    gk_reader r = gk_reader_of(stored + 12, stored_n - 12);
    gk_blob b;
    CHECK(gk_jute_blob(&r, &b));
    return b.b;
}

static void make_request(int32_t xid, int32_t type, const char *path, size_t payload)
{
    gk_writer w = gk_writer_of(request, MAX);
    size_t at = gk_jute_open_string(&w);
    gk_jute_put_i32(&w, xid);
    gk_jute_put_i32(&w, type);
    put_string(&w, path);
    if (type == GK_OP_CREATE || type == GK_OP_SET_DATA) {
        gk_jute_put_i32(&w, (int32_t)payload);
        memset(gk_writer_reserve(&w, payload), 'x', payload);
    }
    if (type == GK_OP_CREATE)
        gk_jute_put_i32(&w, 0); /* ACL */
    if (type == GK_OP_GET_DATA || type == GK_OP_EXISTS || type == GK_OP_GET_CHILDREN)
        gk_writer_u8(&w, 0);
    else
        gk_jute_put_i32(&w, 0); /* flags or version */
    gk_jute_close_string(&w, at);
    request_n = w.len;
}

/* make_children: n of them, without number out. */
static void make_children(gk_writer *w, const char *path, size_t n, size_t out)
{
    gk_node node;
    uint8_t skip[4096];
    gk_writer s = gk_writer_of(skip, sizeof skip);
    CHECK(gk_path_encrypt(worker, &s, &node, (gk_bytes){(const uint8_t *)path, strlen(path)}));
    gk_jute_put_i32(w, (int32_t)(out < n ? n - 1 : n));
    for (size_t i = 0; i < n; i++) {
        if (i == out)
            continue;
        char name[32];
        gk_node child = node;
        int name_n = snprintf(name, sizeof name, "queue-item-%010zu", i);
        size_t at = gk_jute_open_string(w);
        CHECK(gk_child_encrypt(worker, w, &child, (gk_bytes){(const uint8_t *)name, (size_t)name_n}));
        gk_jute_close_string(w, at);
    }
}

static void make_reply(int32_t xid, int32_t type, const char *path, size_t payload, size_t out)
{
    gk_node node;
    uint8_t skip[4096];
    gk_writer s = gk_writer_of(skip, sizeof skip), w = gk_writer_of(reply, MAX);
    size_t at = gk_jute_open_string(&w);
    gk_jute_put_i32(&w, xid);
    gk_writer_u64(&w, 1);
    gk_jute_put_i32(&w, 0);
    if (type == GK_OP_CREATE)
        gk_jute_put_blob(&w, (gk_blob){stored_path(), false});
    if (type == GK_OP_GET_DATA) {
        CHECK(gk_path_encrypt(worker, &s, &node, (gk_bytes){(const uint8_t *)path, strlen(path)}));
        size_t p = gk_jute_open_string(&w);
        CHECK(gk_payload_seal(worker, &w, &node, (gk_blob){{plain, payload}, false}));
        gk_jute_close_string(&w, p);
    }
    if (type == GK_OP_GET_CHILDREN)
        make_children(&w, path, payload, out);
    if (type == GK_OP_GET_DATA || type == GK_OP_SET_DATA || type == GK_OP_EXISTS)
        put_stat(&w, payload + GK_PAYLOAD_OVERHEAD);
    gk_jute_close_string(&w, at);
    CHECK(w.err);
    reply_n = w.len;
}

static void handshake(void)
{
    gk_writer w = gk_writer_of(request, MAX);
    size_t at = gk_jute_open_string(&w), consumed;
    gk_jute_put_i32(&w, 0);
    gk_writer_u64(&w, 0);
    gk_jute_put_i32(&w, 10000);
    gk_writer_u64(&w, 0);
    gk_jute_put_blob(&w, (gk_blob){{plain, 16}, false});
    gk_jute_close_string(&w, at);
    gk_writer o = gk_writer_of(stored, MAX);
    CHECK(gk_session_requests(session, worker, &o, &consumed, (gk_bytes){request, w.len}));
    w = gk_writer_of(reply, MAX);
    at = gk_jute_open_string(&w);
    gk_jute_put_i32(&w, 0);
    gk_jute_put_i32(&w, 10000);
    gk_writer_u64(&w, 7);
    gk_jute_put_blob(&w, (gk_blob){{plain, 16}, false});
    gk_jute_close_string(&w, at);
    o = gk_writer_of(plain, MAX);
    CHECK(gk_session_reply(session, worker, &o, (gk_bytes){reply, w.len}));
}

static const struct op {
    const char *name;
    int32_t type;
    bool fresh;  /* another path each time: nothing in the caches but the parent */
    bool change; /* another child is missing each time */
    bool same;   /* the stored payload is the same each time; else sealed anew */
} OPS[] = {{"getData", GK_OP_GET_DATA, false, false, false}, {"getData-again", GK_OP_GET_DATA, false, false, true},
    {"setData", GK_OP_SET_DATA, false, false, false}, {"exists", GK_OP_EXISTS, false, false, false}, {"create", GK_OP_CREATE, true, false, false},
    {"delete", GK_OP_DELETE, false, false, false}, {"getChildren", GK_OP_GET_CHILDREN, false, false, false},
    {"getChildren+1-1", GK_OP_GET_CHILDREN, false, true, false}, {"getChildren-new", GK_OP_GET_CHILDREN, true, false, false}};

static void run(const struct op *op, size_t payload, int count)
{
    for (int i = -2; i < count; i++) { /* the first two fill the caches */
        char path[128];
        size_t out = op->change ? (size_t)(i + 3) * 7919 % payload : SIZE_MAX;
        snprintf(path, sizeof path, op->fresh ? "/service/registry/node-%08d" : "/service/registry/node", i + 2);
        make_request(i + 3, op->type, path, payload);
        (i < 0 ? pass_request : measured_request)();
        if (i == -2 || !op->same)
            make_reply(i + 3, op->type, path, payload, out);
        gk_writer xid = gk_writer_of(reply + 4, 4);
        gk_jute_put_i32(&xid, i + 3);
        (i < 0 ? pass_reply : measured_reply)();
    }
}

int main(int argc, char **argv)
{
    gk_options o = {.path_cache_bytes = 64u << 20, .payload_cache_bytes = 64u << 20, .max_request = MAX, .max_stored = MAX};
    gk_keyring *kr = NULL;
    gk_codec *codec = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: core OP PAYLOAD COUNT\n");
        return 2;
    }
    op_name = argv[1];
    size_t payload = (size_t)strtoull(argv[2], NULL, 10);
    int count = (int)strtol(argv[3], NULL, 10);
    CHECK(gk_keyring_generate(&kr));
    CHECK(gk_codec_new(&codec, kr, &o));
    CHECK(gk_worker_new(&worker, codec));
    CHECK(gk_session_new(&session, codec));
    handshake();
    if (strcmp(op_name, "bare") == 0)
        run_bare(payload, count);
    if (strcmp(op_name, "component") == 0)
        run_component(count);
    for (size_t i = 0; i < sizeof OPS / sizeof *OPS; i++)
        if (strcmp(OPS[i].name, op_name) == 0)
            run(&OPS[i], payload, count);
    gk_session_free(session);
    gk_worker_free(worker);
    gk_codec_free(codec);
    gk_keyring_free(kr);
    return 0;
}
