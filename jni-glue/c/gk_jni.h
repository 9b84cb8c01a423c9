/* What the files of C entry points share. */
#ifndef GK_JNI_H
#define GK_JNI_H

#include <jni.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY(ret, name) JNIEXPORT ret JNICALL Java_org_apache_zookeeper_server_GroupkeeperNative_##name

/* gk_jni_utf gives a malloced copy of a Java string, NULL for null or without memory. */
char *gk_jni_utf(JNIEnv *env, jstring s);
/* gk_jni_bytes gives a malloced copy of a Java array (one byte at least); NULL for null or without memory. */
uint8_t *gk_jni_bytes(JNIEnv *env, jbyteArray a, size_t *n);
/* gk_jni_array makes a Java array; NULL without memory. */
jbyteArray gk_jni_array(JNIEnv *env, const uint8_t *p, size_t n);

#endif
