/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.memhp1 on the system bus: what the manager knows, for others to read; what others ask for, for the manager to do; and
 * what happens, for those who follow. man 5 org.memhp1. The bus may be absent, come later, go and come back: bringing memory
 * online does not wait for it. Every function accepts NULL, which is no bus. */

#include "core/history.h"
#include "core/jobs.h"
#include "daemon/manager.h"

struct bus;

/* Memory goes before words about it. */
#define BUS_EVENT_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

/* The running system has a bus. A captured tree has none, but the one that $DBUS_SYSTEM_BUS_ADDRESS names. */
bool bus_is_wanted(const char *root);

/* Connects when the bus is there. Only failing memory is an error. m must outlive it. */
int bus_new(sd_event *event, struct manager *m, struct bus **ret);
void bus_free(struct bus *b);
DEFINE_CLEANUP(struct bus, bus_free)

/* Signals. */
void bus_tell_report(struct bus *b, const struct report *r);
/* state: _BLOCK_STATE_MAX is unplugged. */
void bus_tell_change(struct bus *b, uint32_t first, uint32_t last, enum block_state state, zone_mask zones);
void bus_tell_add(struct bus *b, const struct add *add);
void bus_tell_job(struct bus *b, const struct job *j);
void bus_tell_policy(struct bus *b, bool accepted);
/* raised: else it is over. */
void bus_tell_alert(struct bus *b, const char *alert, const char *text, bool raised);
/* A block came, went or changed: counts may be others, and will be told with the next status. */
void bus_note_change(struct bus *b, int node, uint16_t device);
/* The properties that have changed since they were last told. */
void bus_tell_status(struct bus *b);
void bus_tell_holds(struct bus *b);
/* Have systemd start the unit, without waiting for it; a failure is told in the journal. */
void bus_start_unit(struct bus *b, const char *unit, uint32_t add);
