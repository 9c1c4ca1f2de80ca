/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/bus-internal.h"

/* Who may call what. A method without a row here is refused, whatever its vtable says. */
static const struct bus_method methods[] = {
        { BUS_MANAGER, "ListRanges", POLKIT_INSPECT, false, bus_list_ranges },
        { BUS_MANAGER, "ListBlocks", POLKIT_INSPECT, false, bus_list_blocks },
        { BUS_MANAGER, "ListDevices", POLKIT_INSPECT, false, bus_list_devices },
        { BUS_MANAGER, "ListNodes", POLKIT_INSPECT, false, bus_list_nodes },
        { BUS_MANAGER, "GetZones", POLKIT_INSPECT, false, bus_get_zones },
        { BUS_MANAGER, "GetBuddy", POLKIT_INSPECT, false, bus_get_buddy },
        { BUS_MANAGER, "GetStats", POLKIT_INSPECT, false, bus_get_stats },
        { BUS_MANAGER, "GetTrace", POLKIT_INSPECT, false, bus_get_trace },
        { BUS_MANAGER, "ListTraces", POLKIT_INSPECT, false, bus_list_traces },
        { BUS_MANAGER, "GetStatus", POLKIT_INSPECT, false, bus_get_status },
        { BUS_MANAGER, "GetHistory", POLKIT_INSPECT, false, bus_get_history },
        { BUS_MANAGER, "Explain", POLKIT_INSPECT, false, bus_explain },
        { BUS_MANAGER, "Simulate", POLKIT_INSPECT, false, bus_simulate },
        { BUS_MANAGER, "CheckPolicy", POLKIT_INSPECT, false, bus_check_policy },
        { BUS_MANAGER, "Reload", POLKIT_MANAGE_POLICY, true, bus_reload },
        { BUS_MANAGER, "Hold", POLKIT_MANAGE_POLICY, true, bus_hold },
        { BUS_MANAGER, "Release", POLKIT_MANAGE_POLICY, true, bus_release },
        { BUS_MANAGER, "Online", POLKIT_SET_STATE, true, bus_online },
        { BUS_MANAGER, "Offline", POLKIT_SET_STATE, true, bus_offline },
        { BUS_MANAGER, "Rezone", POLKIT_SET_STATE, true, bus_rezone },
        { BUS_MANAGER, "ListJobs", POLKIT_INSPECT, false, bus_list_jobs },
        { BUS_JOB, "Cancel", POLKIT_SET_STATE, true, bus_cancel },
        { BUS_JOB, "ListItems", POLKIT_INSPECT, false, bus_list_items },
        { BUS_JOB, "ListCandidates", POLKIT_INSPECT, false, bus_list_candidates },
};

const struct bus_method *bus_method_get(size_t i) {
        return i < ARRAY_SIZE(methods) ? &methods[i] : NULL;
}

/* A call that does not say which interface it means could mean another than the one that is looked up. */
static const struct bus_method *find_method(sd_bus_message *m) {
        const char *interface = sd_bus_message_get_interface(m), *name = sd_bus_message_get_member(m);

        for (size_t i = 0; interface && name && i < ARRAY_SIZE(methods); i++)
                if (strcmp(methods[i].interface, interface) == 0 && strcmp(methods[i].name, name) == 0)
                        return &methods[i];
        return NULL;
}

static int refuse(sd_bus_error *error, int verdict, const char *action) {
        switch (verdict) {
        case -ENOKEY:
                return sd_bus_error_setf(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                         "%s: you must prove who you are, and the call does not allow to ask", action);
        case -EBUSY:
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many calls wait for their authorisation");
        case -ENOBUFS:
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many answers wait for somebody to take them");
        case -ETIMEDOUT:
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "%s: polkit does not answer", action);
        case -ENOMEM:
                return sd_bus_error_set_errno(error, verdict);
        default:
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "%s: not allowed", action);
        }
}

static void on_verdict(sd_bus_message *m, int verdict, uint32_t uid, void *userdata) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const struct bus_method *method = find_method(m);
        struct bus *b = userdata;
        int r;

        b->caller_uid = uid;
        r = verdict >= 0 && bus_is_full(b) ? -ENOBUFS : verdict; /* many may have been asked about at once */
        if (r < 0)
                r = refuse(&error, r, method->action);
        if (r >= 0)
                r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = method->run(b, m, false, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                (void) sd_bus_reply_method_errno(m, r, &error);
        bus_note_reply(b);
}

int bus_dispatch(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const struct bus_method *method = find_method(m);
        struct bus *b = userdata;
        int r;

        if (!method)
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "nobody may call this");
        r = method->run(b, m, true, error);
        if (r < 0)
                return r;
        r = polkit_check(b->polkit, m, method->action, !method->changes, on_verdict, b);
        return r < 0 ? refuse(error, r, method->action) : 1;
}
