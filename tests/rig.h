/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The whole daemon but its main(), on a machine made of files, for tests that do bad things to it. What it says goes into a
 * file of memory. Waiting has no deadline that a slow machine could miss.
 *
 * Link with RIG_WRAP (Makefile.am): rescans do not wait here. */

#include <sys/types.h>

#include "daemon/manager.h"
#include "fakeroot.h"

struct rig {
        struct fakeroot *f;
        sd_event *event;
        sd_event_source *event_source;
        struct manager *m;
        int log_fd, stderr_fd;
        char config[512];
};

extern struct rig rig;

/* Called with true when the daemon is about to run in the test's thread, with false when it has. NULL: nobody listens. */
extern void (*rig_enter)(bool daemon);

void rig_setup(void);
void rig_teardown(void);

/* The daemon starts, by this policy; what the kernel had to say before, nobody heard. */
void rig_start(const char *policy);
/* As far as it is started without running; or the error, and then there is none. */
int rig_try_to_start(const char *policy);
void rig_stop(void);

int rig_reload(void);

/* A process of its own with the same machine: true in the child, which has to end by _exit(). */
bool rig_fork(pid_t *ret);

/* Time runs so many times as fast for the daemon, so that nobody waits for nothing. Set it before it starts. */
extern unsigned rig_speed;
/* By so many seconds the date is wrong, each time that somebody asks for it. NULL: it is right. */
extern int64_t (*rig_date)(void);

/* One turn of the loop. */
void rig_turn(void);
/* Nothing is under way, neither in the daemon nor in the kernel. */
bool rig_is_settled(void);
void rig_settle(void);
/* … and every hot-add has ended, with what follows from that. */
void rig_settle_adds(void);

uint64_t rig_now_usec(void);

/* What the daemon has said so far: good until the next call. */
const char *rig_log(void);
unsigned rig_log_count(const char *part);

/* All of these blocks are online in the zone; "" for offline. */
void rig_check_zone(uint32_t first, uint32_t n, const char *zone);

#define RIG_PATIENCE_USEC UINT64_C(120000000)
#define RIG_RUN_UNTIL(condition)                                                                     \
        do {                                                                                         \
                uint64_t end_ = rig_now_usec() + RIG_PATIENCE_USEC;                                  \
                while (!(condition)) {                                                               \
                        rig_turn();                                                                  \
                        if (rig_now_usec() >= end_)                                                  \
                                ck_abort_msg("never: %s; log:\n%s", #condition, rig_log());          \
                }                                                                                    \
        } while (0)
