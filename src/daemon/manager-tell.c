/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include "daemon/bus.h"
#include "daemon/manager-internal.h"
#include "daemon/report.h"

#define REPORT_DELAY_USEC 50000

static uint64_t realtime_usec(const struct manager *m) {
        uint64_t now = 0;

        (void) sd_event_now(m->event, CLOCK_REALTIME, &now);
        return now;
}

void manager_tell(struct manager *m, const struct report *r) {
        const struct report *kept = history_add(&m->history, r);

        report_to_journal(kept);
        bus_tell_report(m->bus, kept);
        manager_state_changed(m, false); /* it is kept, too */
}

void manager_tell_job(struct manager *m, struct job *j) {
        j->told_usec = manager_now_usec(m);
        j->untold = false;
        bus_tell_job(m->bus, j);
        if (job_is_over(j) && !j->dry_run)
                report_job(j);
}

static void flush_changes(struct manager *m) {
        for (size_t i = 0; i < m->changes.n; i++) {
                const struct change *c = &m->changes.runs[i];

                bus_tell_change(m->bus, c->first, c->last, (enum block_state) c->state, c->zones);
        }
        m->changes.n = 0;
}

/* Where rules decided, what they went by. */
static void attach_basis(struct manager *m, struct report *r, int rule) {
        const struct add *add = adds_find(&m->adds, r->add);

        if (add && add->basis.known && add->basis_rule == rule && report_is_decision(r) && reason_is_of_rules(r->reason))
                r->basis = add->basis;
}

void manager_flush_report(struct manager *m) {
        const struct report_context context = {
                .policy = m->policy, .registry = &m->registry, .block_size = sysfs_block_size(m->fs),
                .now_usec = realtime_usec(m),
        };
        struct report report;

        flush_changes(m);
        for (size_t i = 0; i < m->tally.n; i++) {
                report_compose(&context, &m->tally.groups[i], &report);
                attach_basis(m, &report, m->tally.groups[i].key.rule);
                manager_tell(m, &report);
        }
        tally_clear(&m->tally);
}

void manager_wake_report(struct manager *m) {
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(m->report_timer, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        (void) sd_event_source_set_time_relative(m->report_timer, REPORT_DELAY_USEC);
        (void) sd_event_source_set_enabled(m->report_timer, SD_EVENT_ONESHOT);
}

void manager_note_change(struct manager *m, const struct entry *e, bool gone) {
        struct change *last = m->changes.n ? &m->changes.runs[m->changes.n - 1] : NULL;
        const struct change change = {
                e->block, e->block, gone ? (uint8_t) _BLOCK_STATE_MAX : e->state, e->state == BLOCK_ONLINE ? e->zones : 0,
        };

        if (!m->started || !m->bus)
                return;
        bus_note_change(m->bus, e->node, e->device);
        if (last && last->state == change.state && last->zones == change.zones && last->last + UINT64_C(1) == e->block)
                last->last = e->block;
        else if (last && last->state == change.state && last->zones == change.zones && last->first == e->block + UINT64_C(1))
                last->first = e->block;
        else {
                if (m->changes.n == CHANGES_MAX)
                        flush_changes(m);
                m->changes.runs[m->changes.n++] = change;
        }
        manager_wake_report(m);
}
