/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "memhp-build.h"
#endif

#include <string.h>

#include "daemon/bus-internal.h"
#include "host/hold-file.h"

/* org.memhp1.Manager: its properties, and what it can do. */

#define GETTER(name)                                                                                                     \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m, \
                        void *userdata, sd_bus_error *error)

GETTER(get_constant) {
        struct bus *b = userdata;

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "Version") == 0)
                return sd_bus_message_append(m, "s", PACKAGE_VERSION);
        return sd_bus_message_append(m, "t", strcmp(property, "BlockSize") == 0 ? sysfs_block_size(manager_sysfs(b->manager))
                                                                                : manager_page_size(b->manager));
}

GETTER(get_figure) {
        struct bus *b = userdata;
        struct bus_figures f;

        (void) bus, (void) path, (void) interface, (void) error;
        bus_read_figures(b, &f);
        if (strcmp(property, "Ready") == 0)
                return sd_bus_message_append(m, "b", (int) f.ready);
        if (strcmp(property, "Blocks") == 0)
                return sd_bus_message_append(m, "u", f.blocks);
        if (strcmp(property, "Pending") == 0)
                return sd_bus_message_append(m, "u", f.pending);
        return sd_bus_message_append(m, "t", strcmp(property, "OnlineBytes") == 0 ? f.online : f.offline);
}

GETTER(get_rules) {
        const struct policy *p = manager_policy(((struct bus *) userdata)->manager);
        struct writer w = { .m = m };

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        writer_open(&w, 'a', "(ssus)");
        for (size_t i = 0; i < p->n_rules; i++)
                writer_append(&w, "(ssus)", bus_text(p->rules[i].name), bus_text(p->rules[i].file), p->rules[i].line,
                              action_to_string(p->rules[i].action));
        writer_close(&w);
        return w.r;
}

/* Time left, since what it is counted from (CLOCK_BOOTTIME) means nothing to others. */
GETTER(get_holds) {
        const struct holds *h = manager_holds(((struct bus *) userdata)->manager);
        uint64_t now = hold_now_usec();
        struct writer w = { .m = m };

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        writer_open(&w, 'a', "(usts)");
        for (size_t i = 0; i < h->n; i++)
                if (!hold_is_over(&h->items[i], now))
                        writer_append(&w, "(usts)", h->items[i].id, bus_text(h->items[i].text),
                                      h->items[i].expires_usec ? h->items[i].expires_usec - now : UINT64_MAX,
                                      bus_text(h->items[i].reason));
        writer_close(&w);
        return w.r;
}

#define METHOD(name, in, in_names, out, out_names) \
        SD_BUS_METHOD_WITH_NAMES(name, in, in_names, out, out_names, bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED)
#define P(name) SD_BUS_PARAM(name)

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_constant, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BlockSize", "t", get_constant, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("PageSize", "t", get_constant, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Ready", "b", get_figure, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Blocks", "u", get_figure, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OnlineBytes", "t", get_figure, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OfflineBytes", "t", get_figure, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Pending", "u", get_figure, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Rules", "a(ssus)", get_rules, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Holds", "a(usts)", get_holds, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),

        METHOD("ListRanges", "s", P(selector), "a(uusbasaussu)", P(ranges)),
        METHOD("ListBlocks", "s", P(selector), "a(uoss)", P(blocks)),
        METHOD("ListDevices", "", , "a(sosuuutt)", P(devices)),
        METHOD("ListNodes", "", , "a(uouttt)", P(nodes)),
        METHOD("GetZones", "", , "ta(usttttttttata{st})a(ua{st})", P(page_size) P(zones) P(nodes)),
        METHOD("GetBuddy", "", , "a(usat)", P(zones)),
        METHOD("GetStats", "", , "a{sv}", P(stats)),
        METHOD("GetTrace", "u", P(add), "a{sv}", P(trace)),
        METHOD("ListTraces", "", , "aa{sv}", P(traces)),
        METHOD("GetStatus", "", , "a{sv}", P(status)),
        METHOD("GetHistory", "st", P(selector) P(since_usec), "aa{sv}", P(reports)),
        METHOD("Explain", "sb", P(selector) P(all_rules), "aa{sv}", P(explanations)),
        METHOD("Simulate", "as", P(adds), "aa{sv}", P(results)),
        METHOD("CheckPolicy", "", , "ba(susb)", P(good) P(problems)),
        METHOD("Reload", "", , "u", P(rules)),
        METHOD("Online", "ssa{sv}", P(selector) P(zone) P(options), "uo", P(id) P(job)),
        METHOD("Offline", "sa{sv}", P(selector) P(options), "uo", P(id) P(job)),
        METHOD("Rezone", "ssa{sv}", P(selector) P(zone) P(options), "uo", P(id) P(job)),
        METHOD("ListJobs", "", , "aa{sv}", P(jobs)),
        METHOD("Hold", "sts", P(selector) P(duration_usec) P(reason), "u", P(id)),
        METHOD("Release", "u", P(id), "", ),

        SD_BUS_SIGNAL_WITH_NAMES("BlockChanged", "uusas", P(first) P(last) P(state) P(zones), 0),
        SD_BUS_SIGNAL_WITH_NAMES("Decided", "a{sv}", P(report), 0),
        SD_BUS_SIGNAL_WITH_NAMES("AddCompleted", "ussiuuuuu", P(add) P(source) P(device) P(node) P(first) P(last) P(online)
                                 P(offline) P(failed), 0),
        SD_BUS_SIGNAL_WITH_NAMES("JobChanged", "uossuuu", P(id) P(job) P(kind) P(state) P(done) P(failed) P(blocks), 0),
        SD_BUS_SIGNAL_WITH_NAMES("PolicyReloaded", "bu", P(accepted) P(rules), 0),
        SD_BUS_SIGNAL_WITH_NAMES("Alert", "ssb", P(alert) P(message) P(raised), 0),
        SD_BUS_VTABLE_END,
};
