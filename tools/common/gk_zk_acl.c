/* gk_zk_acl: who may do what with a node. */
#include <string.h>

#include "gk_zk_internal.h"

void gk_zk_acl_free(struct ACL_vector *acl)
{
    (void)deallocate_ACL_vector(acl);
    *acl = (struct ACL_vector){0};
}

/* copy: false when memory ran out; what is there is freed with the call. */
static bool copy(struct ACL_vector *to, const struct ACL_vector *from)
{
    if (from->count < 1)
        return true;
    (void)allocate_ACL_vector(to, from->count);
    to->count = to->data == NULL ? 0 : from->count;
    if (to->data == NULL)
        return false;
    for (int i = 0; i < from->count; i++) {
        to->data[i] = (struct ACL){from->data[i].perms, {strdup(from->data[i].id.scheme), strdup(from->data[i].id.id)}};
        if (to->data[i].id.scheme == NULL || to->data[i].id.id == NULL)
            return false;
    }
    return true;
}

static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *arg)
{
    gk_zk_call *c = (gk_zk_call *)(uintptr_t)arg;

    if (rc == ZOK && (acl == NULL || stat == NULL || !copy(&c->acl, acl)))
        rc = ZSYSTEMERROR;
    gk_zk_on_stat(rc, stat, arg);
}

int gk_zk_get_acl(gk_zk *z, const char *path, struct ACL_vector *acl, struct Stat *stat, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    *acl = (struct ACL_vector){0};
    if (rc != ZOK)
        return rc;
    rc = zoo_aget_acl(zh, path, on_acl, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline)) {
        *acl = c->acl;
        *stat = c->stat;
        c->acl = (struct ACL_vector){0};
        gk_zk_call_free(c);
    }
    return rc;
}

int gk_zk_set_acl(gk_zk *z, const char *path, const struct ACL_vector *acl, int version, int timeout_ms)
{
    int64_t deadline = gk_zk_now_ms() + timeout_ms;
    gk_zk_call *c = NULL;
    zhandle_t *zh = NULL;
    int rc = gk_zk_begin(z, &c, &zh, deadline);

    if (rc != ZOK)
        return rc;
    rc = zoo_aset_acl(zh, path, version, (struct ACL_vector *)(uintptr_t)acl, gk_zk_on_void, c);
    gk_zk_release(z);
    if (gk_zk_await(z, c, &rc, deadline))
        gk_zk_call_free(c);
    return rc;
}
