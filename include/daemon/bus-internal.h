/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the bus share: bus.c has the connection and the signals, bus-dispatch.c decides who may call what,
 * the others translate: bus-manager.c has the manager's methods and properties. Nobody else looks here. */

#include <systemd/sd-bus.h>

#include "core/names.h"
#include "daemon/bus-writer.h"
#include "daemon/bus.h"
#include "daemon/polkit.h"

/* The manager's properties that are numbers. */
struct bus_figures {
        bool ready;
        uint32_t blocks, pending;
        uint64_t online, offline; /* bytes */
};

struct bus {
        sd_event *event;
        struct manager *manager;
        sd_bus *bus; /* NULL: waiting to try again */
        struct polkit *polkit;
        sd_event_source *retry_timer;
        bool complained; /* about what keeps it from the bus */
        struct bus_figures told; /* in the last signal about properties */
        struct node_set changed_nodes; /* since then … */
        uint64_t changed_devices[(UINT16_MAX + 1) / 64]; /* … by their numbers in the registry */
        uint32_t caller_uid; /* of the method that runs */
        unsigned n_late; /* replies that the bus did not take at once, since it last had taken all */
};

/* A bus that does not take what it is told, because others do not take it from there: what waits here is bounded. Beyond
 * these, calls are refused; beyond BUS_UNSENT_MAX no signal is sent, and no refusal either. */
#define BUS_UNSENT_MAX 2048
#define BUS_UNSENT_CALLS_MAX 256 /* messages of any kind; the longest that is no method's reply lists 4096 objects */
#define BUS_LATE_MAX 16          /* replies of methods, some megabytes each */

/* Too much waits: no more work for others now. */
bool bus_is_full(struct bus *b);
/* A method has replied. */
void bus_note_reply(struct bus *b);

/* Every call goes through here: the arguments are checked, the caller is authorised, the arguments are checked again, since
 * time has passed, and the method runs. */
int bus_dispatch(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Reads its arguments. only_check: and no more; else does what it is for, and replies. */
typedef int (*bus_handler)(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);

struct bus_method {
        const char *interface, *name;
        const char *action; /* of polkit */
        bool changes;       /* else everybody may where there is no polkit */
        bus_handler run;
};

/* The rows of bus-dispatch.c, for tests. NULL: that was all. */
const struct bus_method *bus_method_get(size_t i) _pure_;

/* To add a method: its row in bus-dispatch.c, in the vtable of its interface, in man/org.memhp1.5 and in
 * tests/check_dispatch.c. */
int bus_list_ranges(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_blocks(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_devices(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_nodes(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_get_status(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_get_history(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_explain(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_simulate(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_check_policy(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_reload(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_hold(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_release(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_get_zones(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_get_stats(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_get_buddy(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_get_trace(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_traces(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_online(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_offline(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_rezone(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_cancel(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_jobs(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_items(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);
int bus_list_candidates(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error);

extern const sd_bus_vtable bus_manager_vtable[], bus_block_vtable[], bus_device_vtable[], bus_node_vtable[], bus_job_vtable[];

/* All interfaces, on the connection. */
int bus_add_objects(struct bus *b);

/* Which objects there are. */
int bus_find_block(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);
int bus_find_device(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);
int bus_find_node(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);
int bus_find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error);
int bus_enumerate_blocks(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error);
int bus_enumerate_devices(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error);
int bus_enumerate_nodes(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error);
int bus_enumerate_jobs(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error);

/* "/org/memhp1/job/3" to 3. False: not of this kind. */
bool bus_path_number(const char *path, const char *kind, uint32_t *ret);
#define BUS_PATH_MAX 256
const char *bus_number_path(const char *kind, uint32_t number, char buf[static BUS_PATH_MAX]);

/* How many blocks are how. */
struct bus_counts {
        uint64_t online, offline; /* bytes */
        uint32_t pending, retrying, failed, held, hands_off;
        uint64_t sources[_SOURCE_MAX][2]; /* bytes online, and not */
};

void bus_count(const struct bus *b, struct bus_counts *ret);
void bus_read_figures(const struct bus *b, struct bus_figures *ret);

/* What many blocks are together. */
struct bus_sums {
        struct node_set nodes;
        enum source source;
        uint32_t blocks, first, last;
        uint64_t online, offline, movable; /* bytes */
};

/* Of a device (0: of any) and a node (-1: any). */
void bus_sum_up(struct bus *b, uint16_t device, int node, struct bus_sums *ret);

/* The selector among the arguments; to be freed with selector_done(). */
int bus_read_selector(sd_bus_message *m, struct selector *ret, const char **ret_text, sd_bus_error *error);
int bus_refuse_long_selector(sd_bus_error *error, unsigned max);

/* So many rows are some megabytes, and half of what a bus takes in one message: it would throw us out. */
#define BUS_ROWS_MAX 65536

/* Empty where it is not UTF-8 of one line: sd-bus refuses a message with such a text as a whole. */
const char *bus_text(const char *s) _pure_;
