/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The daemon, asked over the system bus: man 5 org.memhp1. Nothing here starts it: memhpctl asks whoever is there. */

#include <systemd/sd-bus.h>

#include "core/names.h"
#include "ctl/verb.h"

struct client;

/* The system bus ($DBUS_SYSTEM_BUS_ADDRESS), or that of --host through ssh. Complains: STATUS_NOT_RUNNING if there is no
 * daemon on it, STATUS_USAGE if the options forbid to ask one. o must outlive the client. */
enum status client_open(const struct options *o, struct client **ret);
/* Silently; false with --direct, with a --sysroot other than /, and if there is no daemon. Not for --host, where there is
 * nothing else to look at. */
bool client_try_open(const struct options *o, struct client **ret);
/* The same, and why not: -EPERM: the options forbid it · -ENXIO: there is no daemon on the bus · others: there is no bus. */
int client_try(const struct options *o, struct client **ret);
/* For verbs that can do without: the one or the other. *ret stays as it is where the system is to be read. */
enum status client_find(const struct options *o, struct client **ret);
void client_close(struct client *c);
DEFINE_CLEANUP(struct client, client_close)

/* For signals; it is not attached to an event loop. */
sd_bus *client_bus(struct client *c);

/* Call and wait for the answer, also for as long as somebody types a password. path and interface: NULL are the manager's.
 * types and what follows are those of sd_bus_message_append(). The reply is to be unreferenced; ret may be NULL.
 * Complains: STATUS_NOT_RUNNING if the daemon is gone, else STATUS_FAILED. */
enum status client_call(struct client *c, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                        const char *types, ...);

/* What a method of the manager answers that only looks, and a property. The value is to be released with json_decref(). */
enum status client_ask(struct client *c, const char *method, json_t **ret, const char *types, ...);
/* The same without a complaint. */
bool client_ask_quietly(struct client *c, const char *method, json_t **ret, const char *types, ...);
bool client_get_quietly(struct client *c, const char *property, json_t **ret); /* of the manager */
enum status client_get(struct client *c, const char *path, const char *interface, const char *property, json_t **ret);
/* As client_call(), of a method of the manager, with arguments that a function appends: it may be called twice. */
typedef int (*client_fill)(sd_bus_message *m, void *userdata);
enum status client_call_filled(struct client *c, const char *method, client_fill fill, void *userdata, sd_bus_message **ret);

/* The next complete value of any type: structures are arrays, dictionaries objects, variants what they hold. NULL: there is
 * no further one. */
json_t *client_read_json(sd_bus_message *m);
