/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "host/stats-read.h"

/* What an event has changed is looked at when the kernel's figures have settled. */
#define SOON_USEC 300000

/* Offline though it is meant to be used: not what a rule or somebody leaves offline. */
static bool waits(const struct entry *e) {
        if (!e->known || e->state != BLOCK_OFFLINE || e->hands_off || !entry_is_hot(e))
                return false;
        if (!e->decided || e->action != ACTION_LEAVE_OFFLINE)
                return true;
        return e->reason != REASON_RULE && e->reason != REASON_HANDS_OFF && e->reason != REASON_STARTUP &&
               e->reason != REASON_ASKED && e->reason != REASON_UNDONE;
}

/* For how long, as far as looks at it tell; 0: it does not. */
static uint64_t note_waiting(struct entry *e, uint64_t now) {
        uint32_t second = (uint32_t) (now / 1000000) + 1; /* 0 is "does not wait" */

        if (!waits(e)) {
                e->waits_since = 0;
                return 0;
        }
        if (e->waits_since == 0)
                e->waits_since = second;
        return (uint64_t) (second - e->waits_since) * 1000000 + 1;
}

static enum stats_origin entry_origin(const struct entry *e) {
        if (entry_is_hot(e))
                return STATS_HOT;
        return e->source == SOURCE_BOOT ? STATS_BOOT : STATS_UNKNOWN;
}

int manager_read_stats(struct manager *m, struct stats *ret, enum sysfs_text *ret_which, unsigned *ret_line) {
        uint64_t now = manager_now_usec(m);
        struct block b;
        int r;

        r = stats_read(m->fs, m->page_size, ret, ret_which, ret_line);
        for (size_t i = 0; i < m->registry.n && r >= 0; i++) {
                struct entry *e = &m->registry.entries[i];

                if (!e->known)
                        continue;
                manager_entry_block(m, e, &b);
                r = stats_add_block(ret, &b, entry_origin(e), note_waiting(e, now));
        }
        if (r < 0)
                return r;
        ret->largest_add = MAX(ret->largest_add, m->largest_add);
        stats_finish(ret, m->policy, m->around.platforms, memmap_setting_read(m->fs));
        return 0;
}

const struct alerts *manager_alerts(const struct manager *m) {
        return &m->alerts;
}

static void tell(struct manager *m, enum alert_kind k) {
        const struct alert *a = &m->alerts.items[k];
        const struct journal_field fields[] = { { FIELD_ALERT, alert_to_string(k) } };

        journal_send(a->raised ? LOG_WARNING : LOG_NOTICE, a->raised ? alert_message_id(k) : MESSAGE_ALERT_CLEARED, fields,
                     ARRAY_SIZE(fields), "%s", a->text);
        bus_tell_alert(m->bus, alert_to_string(k), a->text, a->raised);
}

static void look(struct manager *m) {
        _cleanup_(stats_done) struct stats s;
        enum sysfs_text which;
        unsigned line, changed;
        uint64_t now = 0;
        int r;

        r = manager_read_stats(m, &s, &which, &line);
        if (r < 0) {
                if (!m->alerts_blind)
                        journal_print(LOG_WARNING, MESSAGE_WARNING, "%s cannot be used (%s, line %u): no alerts until it can",
                                      sysfs_text_path(which), strerror(-r), line);
                m->alerts_blind = true;
                return;
        }
        m->alerts_blind = false;
        (void) sd_event_now(m->event, CLOCK_REALTIME, &now);
        changed = alerts_judge(&m->alerts, &s, m->policy, m->policy->alerts.waiting_usec, now);
        for (enum alert_kind k = 0; k < _ALERT_MAX; k++)
                if (changed & 1u << k)
                        tell(m, k);
}

static int on_alert_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct manager *m = userdata;
        uint64_t interval = m->policy->alerts.interval_usec;

        (void) usec;
        if (m->started)
                look(m);
        if (interval == 0)
                return 0;
        (void) sd_event_source_set_time_relative(source, interval);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

void manager_look_for_alerts(struct manager *m) {
        uint64_t when = manager_now_usec(m) + SOON_USEC, timer;
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(m->alert_timer, &enabled);
        if (enabled != SD_EVENT_OFF && sd_event_source_get_time(m->alert_timer, &timer) >= 0 && timer <= when)
                return;
        (void) sd_event_source_set_time(m->alert_timer, when);
        (void) sd_event_source_set_enabled(m->alert_timer, SD_EVENT_ONESHOT);
}

void manager_note_add_size(struct manager *m, const struct add *add) {
        uint64_t size = sysfs_block_size(m->fs);

        /* What comes in parts is an add each to the kernel. */
        m->largest_add = MAX(m->largest_add, source_is_dynamic(add->source) ? size : add->n_blocks * size);
}

int manager_add_alert_timer(struct manager *m) {
        int r;

        r = sd_event_add_time(m->event, &m->alert_timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_alert_timer, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->alert_timer, SD_EVENT_OFF);
        /* Whatever else there is to do comes first, but not for ever: as a call on the bus, it has its turn in a flood. */
        return r < 0 ? r : sd_event_source_set_priority(m->alert_timer, BUS_EVENT_PRIORITY);
}
