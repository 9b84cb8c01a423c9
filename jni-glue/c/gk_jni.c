/* The C entry points of org.apache.zookeeper.server.GroupkeeperNative. Handles are pointers in a jlong; buffers are addresses and lengths.
 * Nothing here ends the process; no native error becomes an exception but a Java array that can't be made (OutOfMemoryError, by JNI itself). */
#include "gk_jni.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../native/codec/gk_limits.h"
#include "../../native/codec/gk_sequence.h"
#include "../../native/codec/gk_session.h"
#include "../../native/crypto/gk_arena.h"

#define GK_JNI_ABI 4
#define GK_JNI_FAILED INT64_MIN
#define UNREADABLE INT64_MIN
#define DECRYPT_FAILED (1LL << 32)
#define SAMPLE_EVERY 64 /* calls whose time is taken: one in so many */

static _Atomic uint64_t native_ns;
static _Thread_local unsigned sample;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* sample_start gives the time for one call in SAMPLE_EVERY, else 0; sample_end adds what such a call stands for. */
static uint64_t sample_start(void)
{
    return sample++ % SAMPLE_EVERY == 0 ? now_ns() : 0;
}

static void sample_end(uint64_t start)
{
    if (start != 0)
        atomic_fetch_add_explicit(&native_ns, (now_ns() - start) * SAMPLE_EVERY, memory_order_relaxed);
}

ENTRY(jint, abi)(JNIEnv *env, jclass cls)
{
    (void)env;
    (void)cls;
    return GK_JNI_ABI;
}

ENTRY(jboolean, arena)(JNIEnv *env, jclass cls, jboolean lock)
{
    (void)env;
    (void)cls;
    return gk_arena_install(lock) == GK_OK ? JNI_TRUE : JNI_FALSE;
}

ENTRY(void, arenaStats)(JNIEnv *env, jclass cls, jlongArray out)
{
    (void)cls;
    size_t taken, locked;
    gk_arena_stats(&taken, &locked);
    jlong v[2] = {(jlong)taken, (jlong)locked};
    (*env)->SetLongArrayRegion(env, out, 0, 2, v);
}

ENTRY(jlong, address)(JNIEnv *env, jclass cls, jobject buffer)
{
    (void)cls;
    return buffer ? (jlong)(uintptr_t)(*env)->GetDirectBufferAddress(env, buffer) : 0;
}

char *gk_jni_utf(JNIEnv *env, jstring s)
{
    if (!s)
        return NULL;
    const char *utf = (*env)->GetStringUTFChars(env, s, NULL);
    if (!utf)
        return NULL;
    char *copy = strdup(utf);
    (*env)->ReleaseStringUTFChars(env, s, utf);
    return copy;
}

ENTRY(jstring, codecNew)(JNIEnv *env, jclass cls, jstring keyring, jlong paths, jlong payloads, jlong max_request, jlong max_stored,
    jboolean fails, jstring prefixes, jstring refuse, jboolean agreement, jlongArray out)
{
    (void)cls;
    char why[512] = "", text[600];
    gk_keyring *kr = NULL;
    gk_codec *codec = NULL;
    char *path = gk_jni_utf(env, keyring), *prefix_text = gk_jni_utf(env, prefixes), *refuse_text = gk_jni_utf(env, refuse);
    gk_options o = {(size_t)paths, (size_t)payloads, (size_t)max_request, (size_t)max_stored, fails, prefix_text, refuse_text, agreement};
    gk_err e = path ? gk_keyring_load(&kr, path, why, sizeof why) : GK_ERR_NOMEM;
    bool may_come = e == GK_ERR_NOTFOUND || e == GK_ERR_IO;
    if (e == GK_OK && (e = gk_codec_new(&codec, kr, &o)) != GK_OK)
        snprintf(why, sizeof why, "%s", e == GK_ERR_ARG ? "groupkeeper.plaintext-prefixes or groupkeeper.refuse-opcodes can't be parsed (hint: "
            "absolute paths outside of /zookeeper, numbers; separated by commas)" : gk_err_str(e));
    if (e == GK_OK) {
        jlong handle = (jlong)(uintptr_t)codec;
        (*env)->SetLongArrayRegion(env, out, 0, 1, &handle);
    }
    gk_keyring_free(kr);
    free(path);
    free(prefix_text);
    free(refuse_text);
    if (e == GK_OK)
        return NULL;
    snprintf(text, sizeof text, "%s%s", may_come ? "wait: " : "", why[0] ? why : gk_err_str(e));
    return (*env)->NewStringUTF(env, text);
}

ENTRY(jstring, fingerprint)(JNIEnv *env, jclass cls, jlong codec)
{
    (void)cls;
    uint8_t f[8] = {0};
    char hex[17] = "?";
    if (gk_keyring_fingerprint(((gk_codec *)(uintptr_t)codec)->keyring, f) == GK_OK)
        for (size_t i = 0; i < sizeof f; i++)
            snprintf(hex + 2 * i, 3, "%02x", f[i]);
    return (*env)->NewStringUTF(env, hex);
}

ENTRY(void, counters)(JNIEnv *env, jclass cls, jlong codec, jlongArray out)
{
    (void)cls;
    gk_codec *c = (gk_codec *)(uintptr_t)codec;
    jlong v[GK_COUNTERS + 1];
    for (size_t i = 0; i < GK_COUNTERS; i++)
        v[i] = (jlong)gk_codec_count(c, (gk_counter)i);
    v[GK_COUNTERS] = (jlong)atomic_load_explicit(&native_ns, memory_order_relaxed);
    jsize n = (*env)->GetArrayLength(env, out);
    (*env)->SetLongArrayRegion(env, out, 0, n < GK_COUNTERS + 1 ? n : GK_COUNTERS + 1, v);
}

ENTRY(jlong, workerNew)(JNIEnv *env, jclass cls, jlong codec)
{
    (void)env;
    (void)cls;
    gk_worker *w = NULL;
    return codec != 0 && gk_worker_new(&w, (gk_codec *)(uintptr_t)codec) == GK_OK ? (jlong)(uintptr_t)w : 0;
}

ENTRY(void, workerFree)(JNIEnv *env, jclass cls, jlong worker)
{
    (void)env;
    (void)cls;
    gk_worker_free((gk_worker *)(uintptr_t)worker);
}

ENTRY(jlong, sessionNew)(JNIEnv *env, jclass cls, jlong codec)
{
    (void)env;
    (void)cls;
    gk_session *s = NULL;
    return codec != 0 && gk_session_new(&s, (gk_codec *)(uintptr_t)codec) == GK_OK ? (jlong)(uintptr_t)s : 0;
}

ENTRY(void, sessionFree)(JNIEnv *env, jclass cls, jlong session)
{
    (void)env;
    (void)cls;
    gk_session_free((gk_session *)(uintptr_t)session);
}

ENTRY(void, sessionTrust)(JNIEnv *env, jclass cls, jlong session)
{
    (void)env;
    (void)cls;
    if (session != 0)
        gk_session_trust((gk_session *)(uintptr_t)session);
}

ENTRY(jint, sessionPending)(JNIEnv *env, jclass cls, jlong session)
{
    (void)env;
    (void)cls;
    return session ? (jint)gk_session_pending((const gk_session *)(uintptr_t)session) : 0;
}

static bool bad_buffers(jlong a, jlong b, jlong in, jint in_n, jlong out, jint out_n)
{
    return a == 0 || b == 0 || in == 0 || out == 0 || in_n < 0 || out_n < 0;
}

ENTRY(jlong, requests)(JNIEnv *env, jclass cls, jlong session, jlong worker, jlong in, jint in_n, jlong out, jint out_n)
{
    (void)env;
    (void)cls;
    if (bad_buffers(session, worker, in, in_n, out, out_n))
        return GK_JNI_FAILED;
    uint64_t start = sample_start();
    size_t consumed = 0;
    gk_writer w = gk_writer_of((void *)(uintptr_t)out, (size_t)out_n);
    gk_bytes view = {(const uint8_t *)(uintptr_t)in, (size_t)in_n};
    gk_err e = gk_session_requests((gk_session *)(uintptr_t)session, (gk_worker *)(uintptr_t)worker, &w, &consumed, view);
    sample_end(start);
    if (e == GK_OK)
        return (jlong)((uint64_t)consumed << 32 | (uint64_t)w.len);
    return e == GK_ERR_SPACE && w.len <= INT32_MAX ? -(jlong)w.len : GK_JNI_FAILED;
}

/* reply: with record the frame comes in two parts, head and record. */
static jlong reply(jlong session, jlong worker, gk_bytes head, const gk_bytes *record, jlong out, jint out_n)
{
    uint64_t start = sample_start();
    gk_writer w = gk_writer_of((void *)(uintptr_t)out, (size_t)out_n);
    gk_session *s = (gk_session *)(uintptr_t)session;
    gk_worker *wk = (gk_worker *)(uintptr_t)worker;
    uint64_t failures = wk->counts[GK_COUNT_DECRYPT_FAILURES];
    gk_err e = record ? gk_session_reply_parts(s, wk, &w, head, *record) : gk_session_reply(s, wk, &w, head);
    sample_end(start);
    if (e == GK_OK)
        return (jlong)w.len | (wk->counts[GK_COUNT_DECRYPT_FAILURES] != failures ? DECRYPT_FAILED : 0);
    return e == GK_ERR_SPACE && w.len <= INT32_MAX ? -(jlong)w.len : GK_JNI_FAILED;
}

ENTRY(jlong, reply)(JNIEnv *env, jclass cls, jlong session, jlong worker, jlong in, jint in_n, jlong out, jint out_n)
{
    (void)env;
    (void)cls;
    if (bad_buffers(session, worker, in, in_n, out, out_n))
        return GK_JNI_FAILED;
    return reply(session, worker, (gk_bytes){(const uint8_t *)(uintptr_t)in, (size_t)in_n}, NULL, out, out_n);
}

/* replyParts: the record is read where it lies in the heap. What happens meanwhile takes no lock that a thread in Java could hold. */
ENTRY(jlong, replyParts)(JNIEnv *env, jclass cls, jlong session, jlong worker, jlong head, jint head_n, jbyteArray array, jint at, jint n, jlong out,
    jint out_n)
{
    (void)cls;
    if (bad_buffers(session, worker, head, head_n, out, out_n) || !array || at < 0 || n < 0)
        return GK_JNI_FAILED;
    jsize length = (*env)->GetArrayLength(env, array);
    if (at > length || n > length - at)
        return GK_JNI_FAILED;
    uint8_t *p = (*env)->GetPrimitiveArrayCritical(env, array, NULL);
    if (!p)
        return GK_JNI_FAILED;
    gk_bytes record = {p + at, (size_t)n};
    jlong result = reply(session, worker, (gk_bytes){(const uint8_t *)(uintptr_t)head, (size_t)head_n}, &record, out, out_n);
    (*env)->ReleasePrimitiveArrayCritical(env, array, p, JNI_ABORT);
    return result;
}

uint8_t *gk_jni_bytes(JNIEnv *env, jbyteArray a, size_t *n)
{
    *n = 0;
    if (!a)
        return NULL;
    jsize length = (*env)->GetArrayLength(env, a);
    uint8_t *p = malloc((size_t)length + 1);
    if (!p)
        return NULL;
    (*env)->GetByteArrayRegion(env, a, 0, length, (jbyte *)p);
    *n = (size_t)length;
    return p;
}

jbyteArray gk_jni_array(JNIEnv *env, const uint8_t *p, size_t n)
{
    jbyteArray a = (*env)->NewByteArray(env, (jsize)n);
    if (a)
        (*env)->SetByteArrayRegion(env, a, 0, (jsize)n, (const jbyte *)p);
    return a;
}

/* resolve_into makes u32 path length | path | payload in a malloced buffer. */
static gk_err resolve_into(gk_worker *w, uint8_t **out, size_t *out_n, gk_bytes path, int32_t number, gk_blob data)
{
    size_t path_cap = path.n * 2 + 64, data_cap = data.b.n + 64;
    uint8_t *buf = malloc(4 + path_cap + data_cap);
    if (!buf)
        return GK_ERR_NOMEM;
    gk_writer pw = gk_writer_of(buf + 4, path_cap), dw = gk_writer_of(buf + 4 + path_cap, data_cap);
    gk_err e = gk_sequence_resolve(w, &pw, &dw, path, number, data);
    if (e != GK_OK) {
        free(buf);
        return e;
    }
    gk_writer head = gk_writer_of(buf, 4);
    gk_writer_u32(&head, (uint32_t)pw.len);
    memmove(buf + 4 + pw.len, dw.p, dw.len);
    *out = buf;
    *out_n = 4 + pw.len + dw.len;
    return GK_OK;
}

ENTRY(jbyteArray, resolve)(JNIEnv *env, jclass cls, jlong worker, jbyteArray path, jint number, jbyteArray payload)
{
    (void)cls;
    size_t path_n, data_n, out_n = 0;
    uint8_t *p = gk_jni_bytes(env, path, &path_n), *d = gk_jni_bytes(env, payload, &data_n), *out = NULL;
    gk_worker *w = (gk_worker *)(uintptr_t)worker;
    gk_err e = GK_ERR_ARG;
    if (w && p && d)
        e = resolve_into(w, &out, &out_n, (gk_bytes){p, path_n}, number, (gk_blob){{d, data_n}, false});
    bool broken = !w || !p || !d || e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO; /* this says nothing about the request */
    if (!broken && e != GK_OK)
        gk_worker_count(w, GK_COUNT_FOREIGN_WRITES);
    free(p);
    free(d);
    jbyteArray result = e == GK_OK || broken ? gk_jni_array(env, out, out_n) : NULL;
    free(out);
    return result;
}

ENTRY(jint, verify)(JNIEnv *env, jclass cls, jlong worker, jbyteArray path, jbyteArray payload)
{
    (void)cls;
    size_t path_n, data_n;
    uint8_t *p = gk_jni_bytes(env, path, &path_n), *d = gk_jni_bytes(env, payload, &data_n);
    gk_worker *w = (gk_worker *)(uintptr_t)worker;
    gk_err e = GK_ERR_NOMEM;
    if (w && p && (d || !payload))
        e = gk_write_verify(w, (gk_bytes){p, path_n}, (gk_blob){{d, data_n}, d == NULL});
    bool broken = e == GK_ERR_NOMEM || e == GK_ERR_CRYPTO;
    if (!broken && e != GK_OK)
        gk_worker_count(w, GK_COUNT_FOREIGN_WRITES);
    free(p);
    free(d);
    return broken ? -1 : e == GK_OK;
}

static jlong byte_hard_limit(gk_worker *w, gk_bytes path, gk_bytes stored)
{
    gk_quota_limits q;
    gk_node node;
    bool null = false, known;
    jlong limit = UNREADABLE;
    uint8_t *buf = malloc(path.n + stored.n + 1);
    if (!buf)
        return limit;
    gk_writer plain = gk_writer_of(buf, path.n), text = gk_writer_of(buf + path.n, stored.n);
    if (gk_path_decrypt(w, &plain, &node, path) == GK_OK && node.kind == GK_KIND_LIMITS &&
        gk_limits_open(w, &text, &null, &node, stored) == GK_OK && !null && gk_quota_parse(&q, &known, (gk_bytes){text.p, text.len}) == GK_OK)
        limit = q.bytes_hard;
    free(buf);
    return limit;
}

ENTRY(jlong, byteHardLimit)(JNIEnv *env, jclass cls, jlong worker, jbyteArray path, jbyteArray stored)
{
    (void)cls;
    size_t path_n, stored_n;
    uint8_t *p = gk_jni_bytes(env, path, &path_n), *s = gk_jni_bytes(env, stored, &stored_n);
    jlong limit = UNREADABLE;
    if (worker != 0 && p && s)
        limit = byte_hard_limit((gk_worker *)(uintptr_t)worker, (gk_bytes){p, path_n}, (gk_bytes){s, stored_n});
    free(p);
    free(s);
    return limit;
}

/* judge: a name that is stored as it is reads the same under every keyring, so it proves nothing. */
static jint judge(gk_worker *w, gk_bytes name)
{
    gk_node root, child;
    uint8_t *buf = malloc(name.n + 1);
    if (!buf)
        return 0;
    gk_writer plain = gk_writer_of(buf, name.n + 1);
    gk_node_root(w->codec, &root);
    jint judgement = gk_child_decrypt(w, &plain, &child, &root, name) != GK_OK ? -1 : 1;
    if (judgement == 1 && plain.len == name.n && memcmp(plain.p, name.p, name.n) == 0)
        judgement = 0;
    free(buf);
    return judgement;
}

ENTRY(jint, judgeChild)(JNIEnv *env, jclass cls, jlong worker, jbyteArray name)
{
    (void)cls;
    size_t n;
    uint8_t *p = gk_jni_bytes(env, name, &n);
    jint judgement = worker != 0 && p ? judge((gk_worker *)(uintptr_t)worker, (gk_bytes){p, n}) : 0;
    free(p);
    return judgement;
}
