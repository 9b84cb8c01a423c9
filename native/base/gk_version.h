/* gk_version: the release, for --version and for logs. File formats carry versions of their own (docs/FORMAT.md). */
#ifndef GK_VERSION_H
#define GK_VERSION_H

#define GK_VERSION "0.1.0"

#endif
