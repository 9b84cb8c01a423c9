#include "gk_cipher.h"

#include <openssl/provider.h>
#include <string.h>

#include "gk_key_internal.h"

/* table_of finds the functions of a fetched cipher among those of its provider, by the first of its names ("AES-256-GCM:id-aes256-GCM:..."). */
static const OSSL_DISPATCH *table_of(const OSSL_ALGORITHM *a, const EVP_CIPHER *evp)
{
    char name[64];

    for (; a != NULL && a->algorithm_names != NULL; a++) {
        size_t n = strcspn(a->algorithm_names, ":");
        if (n >= sizeof(name))
            continue;
        memcpy(name, a->algorithm_names, n);
        name[n] = 0;
        if (EVP_CIPHER_is_a(evp, name))
            return a->implementation;
    }
    return NULL;
}

static OSSL_FUNC_cipher_newctx_fn *read_table(gk_cipher *c, const OSSL_DISPATCH *f)
{
    OSSL_FUNC_cipher_newctx_fn *newctx = NULL;

    for (; f->function_id != 0; f++) {
        switch (f->function_id) {
        case OSSL_FUNC_CIPHER_NEWCTX: newctx = OSSL_FUNC_cipher_newctx(f); break;
        case OSSL_FUNC_CIPHER_ENCRYPT_INIT: c->encrypt_init = OSSL_FUNC_cipher_encrypt_init(f); break;
        case OSSL_FUNC_CIPHER_DECRYPT_INIT: c->decrypt_init = OSSL_FUNC_cipher_decrypt_init(f); break;
        case OSSL_FUNC_CIPHER_UPDATE: c->update = OSSL_FUNC_cipher_update(f); break;
        case OSSL_FUNC_CIPHER_FINAL: c->final = OSSL_FUNC_cipher_final(f); break;
        case OSSL_FUNC_CIPHER_CIPHER: c->cipher = OSSL_FUNC_cipher_cipher(f); break;
        case OSSL_FUNC_CIPHER_GET_CTX_PARAMS: c->get_ctx_params = OSSL_FUNC_cipher_get_ctx_params(f); break;
        case OSSL_FUNC_CIPHER_FREECTX: c->freectx = OSSL_FUNC_cipher_freectx(f); break;
        default: break;
        }
    }
    return newctx;
}

gk_err gk_cipher_init(gk_cipher *c, const char *name)
{
    const OSSL_PROVIDER *provider = NULL;
    const OSSL_ALGORITHM *all = NULL;
    const OSSL_DISPATCH *table = NULL;
    OSSL_FUNC_cipher_newctx_fn *newctx = NULL;
    int no_cache = 0;

    memset(c, 0, sizeof(*c));
    c->evp = EVP_CIPHER_fetch(NULL, name, NULL);
    provider = c->evp != NULL ? EVP_CIPHER_get0_provider(c->evp) : NULL;
    if (provider == NULL)
        goto fail;
    all = OSSL_PROVIDER_query_operation(provider, OSSL_OP_CIPHER, &no_cache);
    table = table_of(all, c->evp);
    if (table != NULL)
        newctx = read_table(c, table);
    OSSL_PROVIDER_unquery_operation(provider, OSSL_OP_CIPHER, all);
    if (newctx == NULL || c->encrypt_init == NULL || c->decrypt_init == NULL || c->update == NULL || c->final == NULL || c->cipher == NULL ||
        c->get_ctx_params == NULL || c->freectx == NULL)
        goto fail;
    c->ctx = newctx(OSSL_PROVIDER_get0_provider_ctx(provider));
    if (c->ctx == NULL)
        goto fail;
    return GK_OK;
fail:
    gk_cipher_clear(c);
    return gk_crypto_failed(GK_ERR_CRYPTO);
}

void gk_cipher_clear(gk_cipher *c)
{
    if (c->ctx != NULL)
        c->freectx(c->ctx);
    EVP_CIPHER_free(c->evp);
    memset(c, 0, sizeof(*c));
}
