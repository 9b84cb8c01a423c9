/* The C entry points for the servers' own nodes and their agreement. No secret passes through here: what Java gets is sealed or public. */
#include "gk_jni.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/codec/gk_keyread.h"
#include "../../native/codec/gk_own.h"
#include "../../native/codec/gk_payload.h"
#include "../../native/codec/gk_servers.h"

#define STEP_ROOM 32768 /* two writes of GK_AGREEMENT_NODE bytes, sealed, and the rest */

static gk_bytes view(const char *s)
{
    return (gk_bytes){(const uint8_t *)s, strlen(s)};
}

ENTRY(jint, isMembers)(JNIEnv *env, jclass cls, jlong worker, jbyteArray path, jbyteArray stored)
{
    (void)cls;
    size_t path_n, stored_n;
    uint8_t *p = gk_jni_bytes(env, path, &path_n), *s = gk_jni_bytes(env, stored, &stored_n);
    gk_worker *w = (gk_worker *)(uintptr_t)worker;
    bool is = false;
    gk_err e = w && p && s ? gk_members_is(w, &is, (gk_bytes){p, path_n}, (gk_bytes){s, stored_n}) : GK_ERR_NOMEM;
    free(p);
    free(s);
    return e != GK_OK ? -1 : is;
}

ENTRY(void, ownSeen)(JNIEnv *env, jclass cls, jlong codec, jlong czxid, jbyteArray root, jint nodes)
{
    (void)cls;
    size_t n;
    uint8_t *stored = gk_jni_bytes(env, root, &n), plain[64];
    gk_codec *c = (gk_codec *)(uintptr_t)codec;
    gk_worker *w = NULL;
    gk_writer out = gk_writer_of(plain, sizeof plain);
    if (stored && gk_worker_new(&w, c) == GK_OK && (gk_own_open(w, &out, view(GK_OWN_ROOT), (gk_bytes){stored, n}) != GK_OK || out.err != GK_OK))
        out.len = 0;
    gk_worker_free(w);
    free(stored);
    gk_own_seen(c, czxid, (gk_bytes){plain, out.len}, nodes);
}

ENTRY(jbyteArray, ownSeal)(JNIEnv *env, jclass cls, jlong worker, jstring path, jbyteArray data)
{
    (void)cls;
    size_t n;
    char *p = gk_jni_utf(env, path);
    uint8_t *d = gk_jni_bytes(env, data, &n), *stored = d ? malloc(n + GK_PAYLOAD_OVERHEAD) : NULL;
    gk_writer out = gk_writer_of(stored, n + GK_PAYLOAD_OVERHEAD);
    bool done = worker != 0 && p && stored && gk_own_seal((gk_worker *)(uintptr_t)worker, &out, view(p), (gk_bytes){d, n}) == GK_OK;
    jbyteArray result = done && out.err == GK_OK ? gk_jni_array(env, stored, out.len) : NULL;
    free(p);
    free(d);
    free(stored);
    return result;
}

ENTRY(jstring, serversStart)(JNIEnv *env, jclass cls, jlong codec, jlong server_id, jlong max_age, jlong max_derivations)
{
    (void)cls;
    char why[512] = "";
    gk_codec *c = (gk_codec *)(uintptr_t)codec;
    gk_agreement_config config = {(uint64_t)server_id, c->keyring, NULL, (uint64_t)max_age, (uint64_t)max_derivations};
    gk_err e = gk_servers_start(c, &config, why, sizeof why);
    if (e == GK_OK || e == GK_ERR_STATE)
        return NULL;
    return (*env)->NewStringUTF(env, why[0] ? why : gk_err_str(e));
}

ENTRY(jbyteArray, serversStep)(JNIEnv *env, jclass cls, jlong worker, jbyteArray snapshot)
{
    (void)cls;
    size_t n;
    uint8_t *in = gk_jni_bytes(env, snapshot, &n), *room = malloc(STEP_ROOM);
    gk_writer out = gk_writer_of(room, STEP_ROOM);
    bool done = worker != 0 && in && room && gk_servers_step((gk_worker *)(uintptr_t)worker, &out, (gk_bytes){in, n}) == GK_OK;
    jbyteArray result = done ? gk_jni_array(env, room, out.len) : NULL;
    free(in);
    free(room);
    return result;
}

ENTRY(void, serversServe)(JNIEnv *env, jclass cls, jlong codec, jboolean on)
{
    (void)env;
    (void)cls;
    gk_servers_serve((gk_codec *)(uintptr_t)codec, on);
}

ENTRY(jstring, serversStatus)(JNIEnv *env, jclass cls, jlong codec)
{
    (void)cls;
    char text[GK_SERVERS_STATUS];
    gk_servers_status((gk_codec *)(uintptr_t)codec, text);
    return (*env)->NewStringUTF(env, text);
}

ENTRY(jlong, serversRuns)(JNIEnv *env, jclass cls, jlong codec)
{
    (void)env;
    (void)cls;
    return (jlong)gk_servers_runs((gk_codec *)(uintptr_t)codec);
}
