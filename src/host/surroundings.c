/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/surroundings.h"

#include <string.h>

uint64_t surroundings_page_size(const struct sysfs *fs) {
        uint64_t size;

        if (strcmp(sysfs_root(fs), "/") == 0)
                return (uint64_t) sysconf(_SC_PAGESIZE);
        if (sysfs_read_capture_page_size(fs, &size) < 0 || size < 1024 || (size & (size - 1)))
                return 4096;
        return size;
}

int surroundings_read_totals(const struct sysfs *fs, uint64_t page_size, struct totals *ret, unsigned *ret_line) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        memset(ret, 0, sizeof(*ret));
        *ret_line = 0;
        r = sysfs_read_text(fs, SYSFS_ZONEINFO, &text, &size);
        if (r >= 0)
                r = zoneinfo_parse_take(&text, size, &info, ret_line);
        if (r < 0)
                return r;
        for (size_t i = 0; i < info.n_zones; i++) {
                const struct zone_info *z = &info.zones[i];

                totals_add_zone(ret, z->node, zone_from_string(z->name), z->present * page_size,
                                zone_counter(&info, z, "cma") * page_size);
        }
        ret->known = true;
        return 0;
}

void surroundings_read_memory(const struct sysfs *fs, uint64_t page_size, struct sim_memory *ret) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_free_ char *text = NULL;
        unsigned line;
        size_t size;

        *ret = (struct sim_memory) {};
        if (sysfs_read_text(fs, SYSFS_ZONEINFO, &text, &size) < 0 || zoneinfo_parse_take(&text, size, &info, &line) < 0)
                return;
        ret->known = true;
        for (size_t i = 0; i < info.n_zones; i++) {
                const struct zone_info *z = &info.zones[i];
                enum zone zone = zone_from_string(z->name);

                if (zone < 0 || !(ZONE_BIT(zone) & ZONES_KERNEL))
                        continue;
                ret->free += z->free * page_size;
                ret->reclaimable += (zone_counter(&info, z, "nr_zone_inactive_file") + zone_counter(&info, z, "nr_zone_active_file")) *
                                    page_size;
        }
}
