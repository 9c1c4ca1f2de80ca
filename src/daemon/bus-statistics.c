/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/buddyinfo.h"
#include "core/zoneinfo.h"
#include "daemon/bus-internal.h"

static int refuse(sd_bus_error *error, enum sysfs_text which, int r, unsigned line) {
        switch (r) {
        case -ENOMEM:
                return r;
        case -EBADMSG:
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "%s: malformed, line %u", sysfs_text_path(which), line);
        default:
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "%s: cannot be read: %s", sysfs_text_path(which), strerror(-r));
        }
}

static void append_counters(struct writer *w, const struct counter *counters, size_t n) {
        writer_open(w, 'a', "{st}");
        for (size_t i = 0; i < n; i++)
                writer_append(w, "{st}", bus_text(counters[i].key), counters[i].value);
        writer_close(w);
}

static void append_zone(struct writer *w, const struct zoneinfo *info, const struct zone_info *z) {
        writer_open(w, 'r', "usttttttttata{st}");
        writer_append(w, "ustttttttt", z->node, bus_text(z->name), z->free, z->min, z->low, z->high, z->spanned, z->present,
                      z->managed, z->pcp_free);
        writer_append_array(w, 't', info->protections + z->protection, z->n_protection * sizeof(*info->protections));
        append_counters(w, info->counters + z->counters, z->n_counters);
        writer_close(w);
}

int bus_get_zones(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        struct writer w;
        size_t size;
        int r;

        if (only_check)
                return 0;
        r = sysfs_read_text(manager_sysfs(b->manager), SYSFS_ZONEINFO, &text, &size);
        if (r >= 0)
                r = zoneinfo_parse_take(&text, size, &info, &line);
        if (r < 0)
                return refuse(error, SYSFS_ZONEINFO, r, line);
        writer_init_reply(&w, m);
        writer_append(&w, "t", manager_page_size(b->manager));
        writer_open(&w, 'a', "(usttttttttata{st})");
        for (size_t i = 0; i < info.n_zones; i++)
                append_zone(&w, &info, &info.zones[i]);
        writer_close(&w);
        writer_open(&w, 'a', "(ua{st})");
        for (size_t i = 0; i < info.n_nodes; i++) {
                writer_open(&w, 'r', "ua{st}");
                writer_append(&w, "u", info.nodes[i].node);
                append_counters(&w, info.counters + info.nodes[i].counters, info.nodes[i].n_counters);
                writer_close(&w);
        }
        writer_close(&w);
        return writer_reply(&w);
}

int bus_get_buddy(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(buddyinfo_done) struct buddyinfo info = {};
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        struct writer w;
        size_t size;
        int r;

        if (only_check)
                return 0;
        r = sysfs_read_text(manager_sysfs(b->manager), SYSFS_BUDDYINFO, &text, &size);
        if (r >= 0)
                r = buddyinfo_parse(text, size, &info, &line);
        if (r < 0)
                return refuse(error, SYSFS_BUDDYINFO, r, line);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "(usat)");
        for (size_t i = 0; i < info.n_zones; i++) {
                writer_open(&w, 'r', "usat");
                writer_append(&w, "us", info.zones[i].node, bus_text(info.zones[i].name));
                writer_append_array(&w, 't', info.zones[i].free_blocks, info.orders * sizeof(*info.zones[i].free_blocks));
                writer_close(&w);
        }
        writer_close(&w);
        return writer_reply(&w);
}
