/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verb doctor finds: why hot-added memory may not be handled as the policy says, with evidence, consequence and
 * fix. To add a check: a function in one of doctor-*.c, declared here, and its row in verb-doctor.c. */

#include "ctl/client.h"
#include "ctl/facts.h"
#include "core/policy.h"

enum severity {
        SEVERITY_NOTICE,  /* could be better */
        SEVERITY_WARNING, /* may go wrong */
        SEVERITY_ERROR,   /* goes wrong */
        _SEVERITY_MAX,
};

/* Where it is written. */
struct proof {
        char *file;    /* or what else has it: "kernel log" */
        unsigned line; /* 0: as a whole */
        char *text;    /* what stands there; "" */
};

struct finding {
        const char *kind; /* a word for programs */
        enum severity severity;
        char *summary, *consequence, *fix;
        struct proof *proofs;
        size_t n, capacity;
};

struct skipped {
        const char *check;
        char *why;
};

struct doctor {
        const struct options *options;
        bool live;             /* the running system, not a captured one */
        struct sysfs *fs;      /* NULL: no memory blocks */
        struct policy *policy; /* NULL: there is none, or it has errors */
        bool has_facts;
        struct facts facts;    /* after its last block */
        struct block *offline; /* the blocks that are offline */
        size_t n_offline, offline_capacity;
        char (*devices)[DEVICE_NAME_MAX]; /* that have blocks; one may be there more than once */
        size_t n_devices, devices_capacity;
        struct client *client; /* NULL: client_error says why */
        int client_error;      /* -ENXIO: the daemon does not run; others: whether it does is unknown */
        json_t *status;        /* what it says of itself; NULL: nothing */

        struct finding *findings;
        size_t n, capacity;
        struct skipped *skipped;
        size_t n_skipped, skipped_capacity;
};

/* A new finding, until the next one is made: fill in the rest at once. */
struct finding *doctor_find(struct doctor *d, const char *kind, enum severity severity, const char *summary, ...)
        _printf_(4, 5);
void finding_prove(struct finding *f, const char *file, unsigned line, const char *text, ...) _printf_(4, 5);
void finding_say(struct finding *f, const char *consequence, ...) _printf_(2, 3);
void finding_fix(struct finding *f, const char *fix, ...) _printf_(2, 3);
/* A check that could not be made. */
void doctor_skip(struct doctor *d, const char *check, const char *why, ...) _printf_(3, 4);

void doctor_print(const struct doctor *d);
void doctor_print_json(const struct doctor *d);
void doctor_done(struct doctor *d);

/* ---- checks, in the order in which they are made; each is called with what it needs, or not at all ----------------- */

void doctor_check_uevents(struct doctor *d);     /* live */
void doctor_check_writable(struct doctor *d);    /* live */
void doctor_check_iomem(struct doctor *d);
void doctor_check_kernel_log(struct doctor *d);
void doctor_check_nodes(struct doctor *d);
void doctor_check_kernel_online(struct doctor *d);
void doctor_check_rivals(struct doctor *d);
void doctor_check_delegate(struct doctor *d);    /* with a policy */
void doctor_check_waiting(struct doctor *d);     /* with a policy */
void doctor_check_daemon(struct doctor *d);      /* live */
