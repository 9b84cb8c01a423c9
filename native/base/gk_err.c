#include "gk_err.h"

const char *gk_err_str(gk_err e)
{
    switch (e) {
    case GK_OK: return "no error";
    case GK_ERR_NOMEM: return "out of memory";
    case GK_ERR_ARG: return "invalid argument";
    case GK_ERR_TRUNCATED: return "input ends too early";
    case GK_ERR_MALFORMED: return "malformed input";
    case GK_ERR_SPACE: return "output buffer too small";
    case GK_ERR_AUTH: return "authentication failed";
    case GK_ERR_CRYPTO: return "cryptographic library failed";
    case GK_ERR_IO: return "input or output failed";
    case GK_ERR_PERM: return "file owner or permissions too open";
    case GK_ERR_EXISTS: return "already exists";
    case GK_ERR_NOTFOUND: return "not found";
    case GK_ERR_VERSION: return "format of a later version";
    case GK_ERR_LIMIT: return "larger than the limit";
    case GK_ERR_STATE: return "not allowed in this state";
    }
    return "unknown error";
}
