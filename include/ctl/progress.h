/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far a job is, for people: a line that is drawn over on a terminal, a line now and then elsewhere. */

#include "ctl/output.h"

struct progress {
        const char *what;   /* "offline" */
        uint64_t block_size;
        bool bytes;         /* sizes as plain numbers */
        uint64_t done, wanted; /* blocks */
        int64_t current;    /* the block that is worked on; -1: none */
        const char *state;  /* "" or what is going on instead */
        uint64_t start_usec, now_usec; /* any clock */
        /* ---- */
        uint64_t last_usec, last_done;
        int64_t last_current;
        bool drawn;
};

/* Draw it, or print a line if it is time for one. */
void progress_show(struct progress *p);
/* What was drawn gives way to the result. */
void progress_clear(struct progress *p);

/* The line itself, width characters at most (0: as long as it is). To be freed. */
char *progress_format(const struct progress *p, unsigned width, bool unicode);
