/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/trace.h"
#include "core/zoneinfo.h"

/* The first byte names the file: z, b, m or v. */

static struct snapshot s;
static struct traces traces;

static int feed(enum snapshot_file file, const char *text, size_t size) {
        struct snapshot_cursor cursor = {};
        int r = 0;

        for (const char *p = text, *end = text + size; p < end && r >= 0;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p)) ?: end;

                r = snapshot_add_line(&s, file, &cursor, p, (size_t) (newline - p));
                p = newline + (newline < end);
        }
        return r < 0 ? r : snapshot_end_file(&s, file, &cursor);
}

/* zoneinfo.c looks at every byte: what it takes for whole is the same here; but for what CPUs have, where it minds blanks
 * less. */
static void compare_zones(const char *text, size_t size) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        unsigned line;

        if (zoneinfo_parse(text, size, &info, &line) < 0)
                return;
        for (size_t i = 0; i < s.n_zones; i++) {
                const struct snapshot_zone *z = &s.zones[i];
                const struct zone_info *first = NULL;

                /* The kernel has no zone twice. */
                for (size_t k = 0; k < info.n_zones && !first; k++)
                        if ((int) info.zones[k].node == z->node && zone_from_string(info.zones[k].name) == z->zone &&
                            (info.zones[k].present || info.zones[k].spanned))
                                first = &info.zones[k];
                CLAIM(first);
                if (snapshot_find(&s, z->node, (enum zone) z->zone) == z)
                        CLAIM(z->free == first->free && z->min == first->min && z->high == first->high &&
                              z->present == first->present && z->managed == first->managed && z->spanned == first->spanned);
        }
}

/* From itself it differs in nothing. */
static void compare_with_itself(void) {
        const struct add add = { .number = 1 };
        const struct registry registry = {};
        struct trace *t;

        memset(&traces, 0, sizeof(traces));
        s.usec = 1;
        for (enum snapshot_file f = 0; f < _SNAPSHOT_FILE_MAX; f++)
                s.errors[f] = 0;
        t = traces_open(&traces, &add, &s, 2, 3);
        traces_finish(&traces, t, &registry, &add, &s, &s);
        CLAIM(t->lent.pages == 0 && t->memmap_pages == 0 && traces.n_open == 0 && t->n_zones <= TRACE_ZONES_MAX);
        for (size_t i = 0; i < s.n_zones; i++)
                if (snapshot_find(&s, s.zones[i].node, (enum zone) s.zones[i].zone) != &s.zones[i])
                        return; /* of a zone that is there twice, the first is what the second is compared with */
        CLAIM(trace_own_pages(t) == 0);
        for (size_t i = 0; i < t->n_zones; i++)
                CLAIM(t->zones[i].present == 0 && t->zones[i].free == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char letters[_SNAPSHOT_FILE_MAX] = {
                [SNAPSHOT_ZONEINFO] = 'z', [SNAPSHOT_BUDDYINFO] = 'b', [SNAPSHOT_MEMINFO] = 'm', [SNAPSHOT_VMSTAT] = 'v',
        };
        const char *letter = size ? memchr(letters, data[0], sizeof(letters)) : NULL;
        enum snapshot_file file;
        int r;

        if (!letter)
                return 0;
        file = (enum snapshot_file) (letter - letters);
        snapshot_init(&s);
        if (file == SNAPSHOT_BUDDYINFO) /* of a zone that is known */
                s.zones[s.n_zones++] = (struct snapshot_zone) { .node = 0, .zone = ZONE_NORMAL, .present = 1 };
        r = feed(file, (const char *) data + 1, size - 1);
        CLAIM(s.n_zones <= SNAPSHOT_ZONES_MAX && s.n_maps <= SNAPSHOT_MAPS_MAX && s.orders <= SNAPSHOT_ORDERS_MAX);
        for (size_t i = 0; i < s.n_maps; i++)
                CLAIM(memchr(s.maps[i].name, '\0', sizeof(s.maps[i].name)));
        if (r >= 0 && file == SNAPSHOT_ZONEINFO)
                compare_zones((const char *) data + 1, size - 1);
        compare_with_itself();
        return 0;
}
