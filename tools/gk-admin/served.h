/* Groups keyed by the servers (docs/FORMAT.md): the members node's ACL says who may be a member, its children are the members. No controller, and no
 * administrator's key: ZooKeeper's ACLs decide, by certificates. */
#ifndef GK_ADMIN_SERVED_H
#define GK_ADMIN_SERVED_H

#include "session.h"

/* What is done with a group: its name, its members node, and whom it is about (or NULL). */
typedef int (*served_fn)(admin_session *s, const char *group, const char *path, const char *who);

/* served_did runs fn when the group is keyed by the servers, as keyed_by says, or, where that is NULL, what lies in ZooKeeper: a group of the
 * controllers' wins. True: the command is done, with its exit code in *code. False: it is for the controllers. */
bool served_did(const admin_options *o, const char *keyed_by, const char *group, served_fn fn, const char *who, int *code);
/* served_create makes a group that these identities may join. */
int served_create(const admin_options *o, const char *group, const cli_list *members);
/* served_add_all adds all groups to list, which have the fields of group list; *controllers: there may be groups of controllers, too. */
int served_add_all(const admin_options *o, cJSON *list, bool *controllers);

int served_show(admin_session *s, const char *group, const char *path, const char *who);
int served_rekey(admin_session *s, const char *group, const char *path, const char *who);
int served_delete(admin_session *s, const char *group, const char *path, const char *who);
int served_members(admin_session *s, const char *group, const char *path, const char *who);
int served_evict(admin_session *s, const char *group, const char *path, const char *who);
int served_allow(admin_session *s, const char *group, const char *path, const char *who);
/* served_fail tells about a code of ZooKeeper's that came from a members node. */
int served_fail(admin_session *s, int rc, const char *group, const char *what);

#endif
