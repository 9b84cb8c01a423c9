#ifndef GK_FAULT_INTERNAL_H
#define GK_FAULT_INTERNAL_H

/* gk_fault_install takes over OpenSSL's allocations; called first in main. 0 when it worked. */
int gk_fault_install(void);

#endif
