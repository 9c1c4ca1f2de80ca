/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <string.h>

#include "core/words.h"
#include "ctl/verb.h"

const struct verb verbs[] = {
        { "status", "", "the daemon at a glance: its policy, memory by source, what waits, failed or is held", verb_status, 0, 0,
          OPTIONS_HOST, VERB_PAGER, NULL },
        { "list", "[SEL]", "memory blocks as merged ranges", verb_list, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_SPLIT | OPTIONS_ALL | OPTIONS_HOST, VERB_SELECTOR | VERB_PAGER, &list_columns },
        { "show", "SEL", "all facts of each block, and a summary of a device or node", verb_show, 1, 1,
          OPTIONS_HOST, VERB_SELECTOR | VERB_PAGER, NULL },
        { "explain", "SEL", "what was decided about each block, present or past, by which rule, and why", verb_explain, 1, 1,
          OPTIONS_ALL | OPTIONS_HOST, VERB_SELECTOR | VERB_PAGER, NULL },
        { "simulate", "SPEC...", "what the policy would do with memory that is not plugged yet", verb_simulate, 1, UINT_MAX,
          OPTIONS_COLUMNS, VERB_SPEC | VERB_PAGER, &simulate_columns },
        { "zones", "[NODE]", "the memory of each zone, and its watermarks", verb_zones, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_ALL | OPTIONS_WATCH, VERB_NODE | VERB_PAGER, &zones_columns },
        { "buddy", "[NODE]", "free blocks of each order in each zone", verb_buddy, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_WATCH, VERB_NODE | VERB_PAGER, &buddy_columns },
        { "stats", "", "what hot-plug made of the memory of each node, and alerts", verb_stats, 0, 0,
          OPTIONS_COLUMNS | OPTIONS_WATCH | OPTIONS_HOST, VERB_PAGER, &stats_columns },
        { "metrics", "", "figures of the machine and of the daemon, as OpenMetrics text", verb_metrics, 0, 0,
          OPTIONS_TO, 0, NULL },
        { "map", "", "the physical address space as a picture", verb_map, 0, 0,
          OPTIONS_MAP | OPTIONS_HOST, VERB_PAGER, NULL },
        { "history", "[SEL]", "what was decided in the past, and what became of it", verb_history, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_HOST | OPTIONS_TIME, VERB_SELECTOR | VERB_PAGER, &history_columns },
        { "monitor", "", "follow what the daemon does, until ^C", verb_monitor, 0, 0,
          OPTIONS_HOST, 0, NULL },
        { "reload", "", "let the daemon load its policy anew", verb_reload, 0, 0,
          OPTIONS_HOST, 0, NULL },
        { "trace", "[ADD]", "what a hot-add cost and changed, step by step; without a number, the newest", verb_trace, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_HOST | OPTIONS_LIST, VERB_ADD | VERB_PAGER, &trace_columns },
        { "check", "[FILE]", "check a configuration, the system's or this file", verb_check, 0, 1,
          0, VERB_FILE, NULL },
        { "import-udev", "FILE...", "the policy that does what these udev rules do, and what no policy can say", verb_import_udev,
          1, UINT_MAX, 0, VERB_RULES | VERB_PAGER, NULL },
        { "online", "SEL", "bring memory online", verb_online, 1, 1,
          OPTIONS_HOST | OPTIONS_JOB | OPTIONS_ZONE | OPTIONS_ALL, VERB_SELECTOR, NULL },
        { "offline", "[SEL]", "take memory offline: what is selected, or an amount of it", verb_offline, 0, 1,
          OPTIONS_HOST | OPTIONS_JOB | OPTIONS_OFFLINE | OPTIONS_FORCE | OPTIONS_ALL | OPTIONS_COLUMNS, VERB_SELECTOR,
          &offline_columns },
        { "rezone", "SEL", "move memory to another zone: offline, and online again", verb_rezone, 1, 1,
          OPTIONS_HOST | OPTIONS_JOB | OPTIONS_ZONE | OPTIONS_FORCE | OPTIONS_ALL, VERB_SELECTOR, NULL },
        { "jobs", "[ID]", "what was asked for and what became of it; with a number, follow that job", verb_jobs, 0, 1,
          OPTIONS_HOST | OPTIONS_COLUMNS | OPTIONS_ALL, VERB_JOB, &jobs_columns },
        { "cancel", "ID", "stop a job: what was done stays, unless it is all or nothing", verb_cancel, 1, 1,
          OPTIONS_HOST, VERB_JOB, NULL },
        { "configure", "[SEL]", "s390: let the kernel have standby memory; without a selector, list it", verb_configure, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_MEMMAP, VERB_SELECTOR, &configure_columns },
        { "deconfigure", "SEL", "s390: give memory that is offline back to the machine", verb_deconfigure, 1, 1,
          0, VERB_SELECTOR, NULL },
        { "doctor", "", "what keeps hot-added memory from being handled as the policy says, and the fix", verb_doctor, 0, 0,
          0, VERB_PAGER, NULL },
        { "hold", "[SEL [REASON]]", "let new blocks wait; without a selector, list what waits", verb_hold, 0, 2,
          OPTIONS_COLUMNS | OPTIONS_FOR | OPTIONS_HOST, VERB_SELECTOR, &hold_columns },
        { "release", "ID|all", "end a hold, or all of them", verb_release, 1, 1,
          OPTIONS_HOST, VERB_HOLD, NULL },
        { "help", "[VERB]", "what memhpctl can do, or one of its verbs", verb_help, 0, 1,
          0, VERB_NAME, NULL },
        { "complete", "[WORD...]", "what the last word may become, for shells", verb_complete, 0, UINT_MAX,
          0, VERB_HIDDEN, NULL },
};

const size_t n_verbs = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name) {
        const char *names[ARRAY_SIZE(verbs)], *close;
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
                if (!(verbs[i].flags & VERB_HIDDEN))
                        names[n++] = verbs[i].name;
        }
        close = closest_word(name, names, n);
        if (close)
                complain("%s: no such verb; did you mean \"%s\"?", name, close);
        else
                complain("%s: no such verb; \"memhpctl help\" lists them", name);
        return NULL;
}
