/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/zoneinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct zoneinfo z;
        unsigned line = 0;

        if (zoneinfo_parse((const char *) data, size, &z, &line) < 0) {
                CLAIM(line >= 1 && line <= MAX(fuzz_lines(data, size), (size_t) 1) + 1);
                return 0;
        }
        for (size_t i = 0; i < z.n_zones; i++) {
                const struct zone_info *zone = &z.zones[i];

                CLAIM(*zone->name && zone->counters + zone->n_counters <= z.n_counters);
                for (size_t k = 0; k < zone->n_counters; k++)
                        CLAIM(*z.counters[zone->counters + k].key);
                CLAIM(zoneinfo_find(&z, zone->node, zone->name));
        }
        for (size_t i = 0; i < z.n_nodes; i++)
                CLAIM(z.nodes[i].counters + z.nodes[i].n_counters <= z.n_counters);
        zoneinfo_done(&z);
        return 0;
}
