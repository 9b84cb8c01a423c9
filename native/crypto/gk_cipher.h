/* gk_cipher: one of OpenSSL's ciphers, called through its provider's own functions (provider-cipher(7), OSSL_PROVIDER_query_operation(3)).
 * EVP finds and owns the implementation; only its wrappers around each call are left out, because EVP_CipherInit asks the provider by
 * name for the lengths of key and IV every time, which costs more than keying AES-GCM (1,100 instructions against 800).
 * For native/crypto alone. A gk_cipher is a context for one thread. */
#ifndef GK_CIPHER_H
#define GK_CIPHER_H

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>

#include "gk_key.h"

typedef struct gk_cipher {
    EVP_CIPHER *evp; /* keeps the provider */
    void *ctx;
    OSSL_FUNC_cipher_encrypt_init_fn *encrypt_init;
    OSSL_FUNC_cipher_decrypt_init_fn *decrypt_init;
    OSSL_FUNC_cipher_update_fn *update;
    OSSL_FUNC_cipher_final_fn *final;
    OSSL_FUNC_cipher_cipher_fn *cipher; /* a whole message of a cipher without padding, or the next part of one */
    OSSL_FUNC_cipher_get_ctx_params_fn *get_ctx_params;
    OSSL_FUNC_cipher_freectx_fn *freectx;
} gk_cipher;

/* gk_cipher_init finds the cipher by its name in OpenSSL ("AES-256-GCM"). On failure c is as after gk_cipher_clear. */
gk_err gk_cipher_init(gk_cipher *c, const char *name) GK_MUST_CHECK;
/* gk_cipher_clear wipes and frees what c holds; c may be zeros. */
void gk_cipher_clear(gk_cipher *c);

/* gk_cipher_run gives n bytes to an initialised cipher in ECB or CTR mode; out may be in. */
static inline bool gk_cipher_run(gk_cipher *c, uint8_t *out, const uint8_t *in, size_t n)
{
    size_t len = 0;

    return c->cipher(c->ctx, out, &len, n, in, n) == 1 && len == n;
}

#endif
