/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "core/trace.h"

/* Why there is none; always false. */
static bool _printf_(2, 3) nothing(char why[static TRACE_TEXT_MAX], const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(why, TRACE_TEXT_MAX, format, ap);
        va_end(ap);
        return false;
}

/* Differences since before the add tell of it only if it was not there already. */
static bool has_come(const struct trace *t, const struct add *a, char why[static TRACE_TEXT_MAX]) {
        if (t->n_came > 0)
                return true;
        return nothing(why, a->at_startup ? "it was there when memhpd started" : "it was there before: this add is another "
                                                                                 "decision about it");
}

static bool was_looked_at(const struct trace *t, char why[static TRACE_TEXT_MAX]) {
        if (t->before_usec == 0)
                return nothing(why, "nobody had looked at the machine before");
        if (!t->over)
                return nothing(why, "it is not over yet");
        if (t->busy)
                return nothing(why, "when it was over there was other memory to see to, and no time to look");
        return true;
}

static bool has_file(const struct trace *t, enum snapshot_file file, char why[static TRACE_TEXT_MAX]) {
        static const char *const names[_SNAPSHOT_FILE_MAX] = {
                [SNAPSHOT_ZONEINFO] = "zoneinfo",
                [SNAPSHOT_BUDDYINFO] = "buddyinfo",
                [SNAPSHOT_MEMINFO] = "meminfo",
                [SNAPSHOT_VMSTAT] = "vmstat",
        };

        if (!was_looked_at(t, why))
                return false;
        if (t->errors[file] == -EBADMSG)
                return nothing(why, "/proc/%s is malformed", names[file]);
        if (t->errors[file] < 0)
                return nothing(why, "/proc/%s cannot be read: %s", names[file], strerror(-t->errors[file]));
        return true;
}

static bool has_resource(const struct trace *t, char why[static TRACE_TEXT_MAX]) {
        switch (t->resource.state) {
        case TRACE_RESOURCE_FOUND:
                return true;
        case TRACE_RESOURCE_GONE:
                return nothing(why, "its blocks are gone");
        case TRACE_RESOURCE_HIDDEN:
                return nothing(why, "/proc/iomem shows no addresses (CAP_SYS_ADMIN)");
        case TRACE_RESOURCE_ABSENT:
                return nothing(why, "/proc/iomem has no System RAM at its address");
        case TRACE_RESOURCE_ERROR:
                return nothing(why, "/proc/iomem cannot be used: %s", strerror(-t->resource.error));
        case TRACE_RESOURCE_UNKNOWN:
        default:
                return nothing(why, "it is not over yet");
        }
}

static bool has_memmap(const struct trace *t, const struct add *a, char why[static TRACE_TEXT_MAX]) {
        char other[TRACE_TEXT_MAX];

        if (!has_come(t, a, why))
                return false;
        return t->has_memmap || t->lent_first.usec > 0 || has_file(t, SNAPSHOT_ZONEINFO, other) ||
               nothing(why, "%s", other);
}

static bool has_times(const struct trace *t, const struct add *a, char why[static TRACE_TEXT_MAX]) {
        if (t->written.n > 0)
                return true;
        if (!t->over)
                return nothing(why, "it is not over yet");
        if (a->n_blocks == a->n_offline)
                return nothing(why, "it was left offline");
        return nothing(why, "memhpd wrote to none of its blocks");
}

static bool has_zone(const struct trace *t, const struct add *a, char why[static TRACE_TEXT_MAX]) {
        for (enum zone z = 0; z < _ZONE_MAX; z++)
                if (t->zone_blocks[z] > 0)
                        return true;
        if (!t->over)
                return nothing(why, "it is not over yet");
        return nothing(why, a->n_blocks == a->n_offline ? "it was left offline" : "none of it is online in one zone");
}

static bool has_zonelists(const struct trace *t, char why[static TRACE_TEXT_MAX]) {
        if (!was_looked_at(t, why))
                return false;
        if (t->kernlog_error < 0)
                return nothing(why, "the kernel log is not read%s%s", t->kernlog_error == -ENODATA ? "" : ": ",
                               t->kernlog_error == -ENODATA ? "" : strerror(-t->kernlog_error));
        return t->rebuilds > 0 || nothing(why, "the kernel log does not say that they were built anew");
}

bool trace_has(const struct trace *t, const struct add *a, enum trace_part part, char why[static TRACE_TEXT_MAX]) {
        switch (part) {
        case TRACE_PART_RESOURCE:
                return has_resource(t, why);
        case TRACE_PART_DIRECT_MAP:
                return has_come(t, a, why) && has_file(t, SNAPSHOT_MEMINFO, why) &&
                       (t->n_maps > 0 || nothing(why, "/proc/meminfo of this kernel does not tell it"));
        case TRACE_PART_MEMMAP:
                return has_memmap(t, a, why);
        case TRACE_PART_EVENTS:
                return has_come(t, a, why) &&
                       (t->n_events > 0 || nothing(why, "its events were lost; a look at every block found it"));
        case TRACE_PART_QUEUED:
                return has_times(t, a, why);
        case TRACE_PART_ZONE:
                return has_zone(t, a, why);
        case TRACE_PART_GROWTH:
                return has_file(t, SNAPSHOT_ZONEINFO, why);
        case TRACE_PART_FREE_BLOCKS:
                return has_file(t, SNAPSHOT_ZONEINFO, why) && has_file(t, SNAPSHOT_BUDDYINFO, why);
        case TRACE_PART_ZONELISTS:
                return has_zonelists(t, why);
        case _TRACE_PART_MAX:
        default:
                return nothing(why, "there is no such part");
        }
}

/* ---- the struct pages ----------------------------------------------------------------------------------------------- */

/* What comes in parts was not all there at the first event; and an add that began meanwhile took its share. */
static bool first_tells(const struct trace *t, const struct add *a) {
        return t->lent_first.usec && (t->lent.usec == 0 || (!source_is_dynamic(a->source) && !t->overlaps));
}

int64_t trace_memmap_pages(const struct trace *t, const struct add *a, enum trace_memmap_by *ret_by) {
        *ret_by = t->has_memmap       ? TRACE_MEMMAP_COUNTED
                  : first_tells(t, a) ? TRACE_MEMMAP_FIRST
                                      : TRACE_MEMMAP_AFTER;
        return t->has_memmap ? t->memmap_pages : first_tells(t, a) ? t->lent_first.pages : t->lent.pages;
}

int64_t trace_own_pages(const struct trace *t) {
        int64_t pages = 0;

        for (size_t i = 0; i < t->n_zones; i++)
                pages += t->zones[i].present - t->zones[i].managed;
        return pages;
}

enum trace_memmap_home trace_memmap_home(const struct trace *t, const struct add *a, uint64_t computed) {
        int64_t lent = first_tells(t, a) ? t->lent_first.pages : t->lent.pages;
        int64_t half = (int64_t) MIN(computed / 2, (uint64_t) INT64_MAX);

        if (computed == 0)
                return TRACE_HOME_UNKNOWN;
        if (trace_own_pages(t) > half)
                return TRACE_HOME_ITSELF;
        return lent > half ? TRACE_HOME_KERNEL : TRACE_HOME_UNKNOWN;
}

int64_t trace_bytes(int64_t pages, uint64_t page_size) {
        int64_t bytes;

        if (page_size > INT64_MAX || __builtin_mul_overflow(pages, (int64_t) page_size, &bytes))
                return pages < 0 ? INT64_MIN : INT64_MAX;
        return bytes;
}
