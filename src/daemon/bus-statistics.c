/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/buddyinfo.h"
#include "core/zoneinfo.h"
#include "daemon/bus-internal.h"

static int malformed(sd_bus_error *error, enum sysfs_text which, int r, unsigned line) {
        if (r == -ENOMEM)
                return r;
        return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, r == -EBADMSG ? "%s: malformed, line %u" : "%s: cannot be read",
                                 sysfs_text_path(which), line);
}

static int append_counters(sd_bus_message *m, const struct counter *counters, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{st}");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(m, "{st}", bus_text(counters[i].key), counters[i].value);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_zone(sd_bus_message *m, const struct zoneinfo *info, const struct zone_info *z) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "usttttttttata{st}");
        if (r >= 0)
                r = sd_bus_message_append(m, "ustttttttt", z->node, bus_text(z->name), z->free, z->min, z->low, z->high,
                                          z->spanned, z->present, z->managed, z->pcp_free);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 't', info->protections + z->protection,
                                                z->n_protection * sizeof(*info->protections));
        if (r >= 0)
                r = append_counters(m, info->counters + z->counters, z->n_counters);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_get_zones(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r;

        if (only_check)
                return 0;
        r = sysfs_read_text(manager_sysfs(b->manager), SYSFS_ZONEINFO, &text, &size);
        if (r >= 0)
                r = zoneinfo_parse(text, size, &info, &line);
        if (r < 0)
                return malformed(error, SYSFS_ZONEINFO, r, line);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "t", manager_page_size(b->manager));
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(usttttttttata{st})");
        for (size_t i = 0; i < info.n_zones && r >= 0; i++)
                r = append_zone(reply, &info, &info.zones[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ua{st})");
        for (size_t i = 0; i < info.n_nodes && r >= 0; i++) {
                r = sd_bus_message_open_container(reply, 'r', "ua{st}");
                if (r >= 0)
                        r = sd_bus_message_append(reply, "u", info.nodes[i].node);
                if (r >= 0)
                        r = append_counters(reply, info.counters + info.nodes[i].counters, info.nodes[i].n_counters);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        return r < 0 ? r : 1;
}

int bus_get_buddy(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(buddyinfo_done) struct buddyinfo info = {};
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r;

        if (only_check)
                return 0;
        r = sysfs_read_text(manager_sysfs(b->manager), SYSFS_BUDDYINFO, &text, &size);
        if (r >= 0)
                r = buddyinfo_parse(text, size, &info, &line);
        if (r < 0)
                return malformed(error, SYSFS_BUDDYINFO, r, line);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(usat)");
        for (size_t i = 0; i < info.n_zones && r >= 0; i++) {
                r = sd_bus_message_open_container(reply, 'r', "usat");
                if (r >= 0)
                        r = sd_bus_message_append(reply, "us", info.zones[i].node, bus_text(info.zones[i].name));
                if (r >= 0)
                        r = sd_bus_message_append_array(reply, 't', info.zones[i].free_blocks,
                                                        info.orders * sizeof(*info.zones[i].free_blocks));
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        return r < 0 ? r : 1;
}
