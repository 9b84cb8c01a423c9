/* deliver: new keys on their way to the application: lines on stdout at once, by the thread that learns of a key; the file, the signal and the program
 * for each key one after the other, by the main thread, so that a slow program delays no key. */
#ifndef GK_MEMBER_DELIVER_H
#define GK_MEMBER_DELIVER_H

#include <pthread.h>

#include "member.h"

enum { DELIVER_QUEUE = 256, DELIVER_ID = 33 };

typedef struct deliver_job {
    uint64_t number;         /* the epoch, or the view */
    char key_id[DELIVER_ID]; /* empty where keys are named by epochs */
    uint8_t key[GKM_KEY];
} deliver_job;

typedef struct deliver {
    const char *group, *out, *exec;
    int64_t pid;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    deliver_job queue[DELIVER_QUEUE];
    size_t first, n;
    bool over, stop, broken; /* nothing more will come; a signal came; stdout is gone */
} deliver;

/* deliver_init blocks SIGTERM, SIGINT and SIGPIPE for this thread and those that it starts. */
void deliver_init(deliver *d, const char *group);
/* deliver_line prints one line and frees doc. Any thread. */
void deliver_line(deliver *d, cJSON *doc);
/* deliver_push leaves a copy of j for the main thread; the oldest goes when the program can't follow. Any thread. */
void deliver_push(deliver *d, const deliver_job *j);
/* deliver_over: nothing more will come. Any thread. */
void deliver_over(deliver *d);
/* deliver_keys hands out keys until a signal (CLI_OK), deliver_over or the end of stdout (CLI_FAILED). Wipes what is left. */
int deliver_keys(deliver *d);

/* member_run_server_keyed is gk-member run --server-keyed; an exit code. */
int member_run_server_keyed(const member_options *o, deliver *d);

#endif
