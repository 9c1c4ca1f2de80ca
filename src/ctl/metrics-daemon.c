/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/metrics.h"

#include <string.h>

#include "core/names.h"
#include "ctl/openmetrics.h"
#include "ctl/stats-get.h"

static const struct {
        const char *name, *help;
        const char *part, *key; /* of the status, or of a part of it */
        bool counts;            /* up only, since the daemon's start */
} families[] = {
        { "memhp_ready", "1 once the daemon has looked at every block.", NULL, "ready", false },
        { "memhp_rules", "Rules of the policy that is loaded.", NULL, "rules", false },
        { "memhp_blocks", "Memory blocks that the daemon knows.", NULL, "blocks", false },
        { "memhp_pending_blocks", "Blocks that wait to be looked at, to be written or to be tried again.", NULL, "pending", false },
        { "memhp_retrying_blocks", "Blocks that wait to be tried again.", NULL, "retrying", false },
        { "memhp_failed_blocks", "Blocks that could not be brought online.", NULL, "failed", false },
        { "memhp_held_blocks", "Blocks that wait for a hold.", NULL, "held", false },
        { "memhp_hands_off_blocks", "Blocks that somebody set offline.", NULL, "hands_off", false },
        { "memhp_holds", "Holds that are in force.", NULL, "holds", false },
        { "memhp_running_jobs", "Jobs that somebody asked for and that run.", NULL, "jobs", false },
        { "memhp_adds", "Hot-adds since boot.", NULL, "adds", true },
        { "memhp_events", "Uevents of memory blocks.", "counters", "events", true },
        { "memhp_event_overflows", "Times that uevents were lost.", "counters", "overflows", true },
        { "memhp_rescans", "Looks at every block.", "counters", "rescans", true },
        { "memhp_writes", "Writes to the state of a block by the policy.", "counters", "writes", true },
        { "memhp_onlined_blocks", "Blocks that were brought online as wanted.", "counters", "onlined", true },
        { "memhp_failures", "Blocks that could not be brought online, after all attempts.", "counters", "failed", true },
        { "memhp_lost_races", "Blocks that another program brought online otherwise than wanted.", "counters", "lost_races", true },
};

static void put_figures(FILE *f, const json_t *status) {
        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                const json_t *object = families[i].part ? json_object_get(status, families[i].part) : status;
                const json_t *value = json_object_get(object, families[i].key);

                openmetrics_family(f, families[i].name, families[i].counts ? "counter" : "gauge", NULL, families[i].help);
                openmetrics_unsigned(f, families[i].name, families[i].counts ? "_total" : "", NULL, 0,
                                     json_is_boolean(value) ? json_is_true(value) : json_get_unsigned(object, families[i].key));
        }
}

/* [["dimm",online,offline],…] */
static void put_sources(FILE *f, const json_t *sources) {
        const json_t *row;
        size_t i;

        openmetrics_family(f, "memhp_source_bytes", "gauge", "bytes", "Memory blocks by where they came from and whether they are in use.");
        json_array_foreach(sources, i, row)
                for (size_t k = 1; k <= 2; k++) {
                        const struct label labels[] = {
                                { "source", json_string_value(json_array_get(row, 0)) ?: "" }, { "state", k == 1 ? "online" : "offline" },
                        };

                        openmetrics_unsigned(f, "memhp_source_bytes", "", labels, 2, (uint64_t) json_integer_value(json_array_get(row, k)));
                }
}

/* [["rule","action",count],…] */
static void put_decisions(FILE *f, const json_t *decisions) {
        const json_t *row;
        size_t i;

        openmetrics_family(f, "memhp_decisions", "counter", NULL,
                           "Decisions about blocks, by rule (empty: no rule, or none was needed) and action.");
        json_array_foreach(decisions, i, row) {
                const struct label labels[] = {
                        { "rule", json_string_value(json_array_get(row, 0)) ?: "" },
                        { "action", json_string_value(json_array_get(row, 1)) ?: "" },
                };

                openmetrics_unsigned(f, "memhp_decisions", "_total", labels, 2, (uint64_t) json_integer_value(json_array_get(row, 2)));
        }
}

static void put_outcomes(FILE *f, json_t *outcomes) {
        const char *outcome;
        json_t *value;

        openmetrics_family(f, "memhp_outcomes", "counter", NULL, "What became of blocks, as it was reported.");
        json_object_foreach(outcomes, outcome, value) {
                const struct label label = { "outcome", outcome };

                openmetrics_unsigned(f, "memhp_outcomes", "_total", &label, 1, (uint64_t) json_integer_value(value));
        }
}

/* Bounds are told in microseconds; the one above all of them is +Inf. le is a label like any other, its value a canonical
 * number: "1.0", not "1". */
static void put_histogram(FILE *f, const char *direction, const json_t *histogram) {
        const char *name = "memhp_write_duration_seconds";
        uint64_t sum = 0, count = json_get_unsigned(histogram, "count");
        const struct label whole = { "direction", direction };
        const json_t *bucket;
        size_t i;

        json_array_foreach(json_object_get(histogram, "buckets"), i, bucket) {
                const json_t *bound = json_array_get(bucket, 0);
                char le[32] = "+Inf";
                const struct label labels[] = { { "direction", direction }, { "le", le } };

                sum += (uint64_t) json_integer_value(json_array_get(bucket, 1));
                if (json_is_integer(bound)) {
                        snprintf(le, sizeof(le), "%.9g", (double) json_integer_value(bound) / 1e6);
                        if (!strpbrk(le, ".e"))
                                strcat(le, ".0");
                }
                openmetrics_unsigned(f, name, "_bucket", labels, 2, sum);
        }
        openmetrics_unsigned(f, name, "_count", &whole, 1, count);
        openmetrics_real(f, name, "_sum", &whole, 1, (double) json_get_unsigned(histogram, "sum_usec") / 1e6);
}

void metrics_put_daemon(FILE *f, const char *version, const json_t *status) {
        const struct label label = { "version", json_string_value(json_object_get(status, "version")) ?: version };

        openmetrics_family(f, "memhp_build_info", "gauge", NULL, "The version of memhpd, or of memhpctl where no daemon answers.");
        openmetrics_unsigned(f, "memhp_build_info", "", &label, 1, 1);
        openmetrics_family(f, "memhp_daemon_up", "gauge", NULL, "1 if the daemon answers.");
        openmetrics_unsigned(f, "memhp_daemon_up", "", NULL, 0, status != NULL);
        if (!status)
                return;
        put_figures(f, status);
        put_sources(f, json_object_get(status, "sources"));
        put_decisions(f, json_object_get(status, "decisions"));
        put_outcomes(f, json_object_get(status, "outcomes"));
        openmetrics_family(f, "memhp_write_duration_seconds", "histogram", "seconds",
                           "What the kernel took for each write to the state of a block, successful or not.");
        put_histogram(f, "online", json_object_get(status, "online_time"));
        put_histogram(f, "offline", json_object_get(status, "offline_time"));
}
