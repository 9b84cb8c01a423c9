/* gk_err: the one error type of the native library. Values are pinned: they cross the JNI boundary and stand in logs. */
#ifndef GK_ERR_H
#define GK_ERR_H

#define GK_MUST_CHECK __attribute__((warn_unused_result))

typedef enum gk_err {
    GK_OK = 0,
    GK_ERR_NOMEM = 1,     /* an allocation failed */
    GK_ERR_ARG = 2,       /* the caller broke the function's contract */
    GK_ERR_TRUNCATED = 3, /* the input ended inside a field */
    GK_ERR_MALFORMED = 4, /* a field has a value that its format forbids */
    GK_ERR_SPACE = 5,     /* the output doesn't fit the caller's buffer */
    GK_ERR_AUTH = 6,      /* authentication failed: any reason, one code */
    GK_ERR_CRYPTO = 7,    /* the crypto library failed (out of memory, no such algorithm) */
    GK_ERR_IO = 8,        /* open, read, write, fsync or rename failed; errno tells */
    GK_ERR_PERM = 9,      /* a file's owner or mode lets others read it */
    GK_ERR_EXISTS = 10,   /* the file is there already, and is left alone */
    GK_ERR_NOTFOUND = 11, /* no such file or key */
    GK_ERR_VERSION = 12,  /* a format from a later version */
    GK_ERR_LIMIT = 13,    /* larger than the configured limit */
    GK_ERR_STATE = 14     /* not allowed in this state */
} gk_err;

/* gk_err_str returns a static English phrase for e, never NULL. Thread-safe. */
const char *gk_err_str(gk_err e);

#endif
