/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "memhp-build.h"
#endif

#include <syslog.h>

#include "daemon/bus-internal.h"

/* How it is, and how it went. */

#define LAST_ERRORS 5

void bus_count(const struct bus *b, struct bus_counts *ret) {
        const struct registry *r = manager_registry(b->manager);
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));
        struct bus_counts c = {};

        for (size_t i = 0; i < r->n; i++) {
                const struct entry *e = &r->entries[i];
                bool online = e->state == BLOCK_ONLINE;

                *(online ? &c.online : &c.offline) += size;
                c.sources[e->source < _SOURCE_MAX ? e->source : SOURCE_UNKNOWN][!online] += size;
                c.pending += e->stage != STAGE_IDLE;
                c.retrying += e->stage == STAGE_RETRY;
                c.failed += e->decided && e->outcome == OUTCOME_FAILED;
                c.held += e->decided && e->reason == REASON_HELD && !online;
                c.hands_off += e->hands_off;
        }
        *ret = c;
}

void bus_read_figures(const struct bus *b, struct bus_figures *ret) {
        struct bus_counts c;

        bus_count(b, &c);
        *ret = (struct bus_figures) {
                .ready = manager_is_started(b->manager), .blocks = (uint32_t) manager_registry(b->manager)->n,
                .pending = c.pending, .online = c.online, .offline = c.offline,
        };
}

static void put_sources(struct writer *w, const struct bus_counts *c) {
        writer_open_array(w, "sources", "(stt)");
        for (enum source s = 0; s < _SOURCE_MAX; s++)
                if (c->sources[s][0] || c->sources[s][1])
                        writer_append(w, "(stt)", source_to_string(s), c->sources[s][0], c->sources[s][1]);
        writer_close_array(w);
}

static void put_policy(struct writer *w, const struct policy *p) {
        writer_open_array(w, "policy_files", "s");
        for (size_t i = 0; i < p->n_files; i++)
                writer_append(w, "s", bus_text(p->files[i]));
        writer_close_array(w);
        writer_put(w, "rules", "u", (uint32_t) p->n_rules);
}

static void put_counts(struct writer *w, const struct bus_counts *c) {
        writer_put(w, "online", "t", c->online);
        writer_put(w, "offline", "t", c->offline);
        put_sources(w, c);
        writer_put(w, "pending", "u", c->pending);
        writer_put(w, "retrying", "u", c->retrying);
        writer_put(w, "failed", "u", c->failed);
        writer_put(w, "held", "u", c->held);
        writer_put(w, "hands_off", "u", c->hands_off);
}

/* The newest first. */
static void put_errors(struct writer *w, const struct history *h) {
        unsigned n = 0;

        writer_open_array(w, "last_errors", "a{sv}");
        for (size_t i = h->n; i > 0 && n < LAST_ERRORS; i--) {
                const struct report *report = history_get(h, i - 1);

                if (report->priority > LOG_WARNING)
                        continue;
                writer_append_report(w, report);
                n++;
        }
        writer_close_array(w);
}

static void put_counters(struct writer *w, const struct manager_counters *c) {
        writer_put(w, "counters", "a{st}", 7, "events", c->events, "overflows", c->overflows, "rescans", c->rescans, "writes",
                   c->writes, "onlined", c->onlined, "failed", c->failed, "lost_races", c->lost_races);
}

static void append_rule(struct writer *w, const char *rule, const uint64_t counts[static _ACTION_MAX]) {
        for (enum action a = 0; a < _ACTION_MAX; a++)
                if (counts[a])
                        writer_append(w, "(sst)", bus_text(rule), action_to_string(a), counts[a]);
}

static void put_decisions(struct writer *w, const struct decision_counts *c) {
        writer_open_array(w, "decisions", "(sst)");
        for (size_t i = 0; i < c->n; i++)
                append_rule(w, c->rules[i].rule, c->rules[i].actions);
        append_rule(w, "(others)", c->others.actions);
        writer_close_array(w);
}

static void put_outcomes(struct writer *w, const uint64_t counts[static _OUTCOME_MAX]) {
        writer_open_array(w, "outcomes", "{st}");
        for (enum outcome o = 0; o < _OUTCOME_MAX; o++)
                writer_append(w, "{st}", outcome_to_string(o), counts[o]);
        writer_close_array(w);
}

/* Bounds in microseconds, and how many took longer than the one before, but not than this; the last is above them all. */
static void put_histogram(struct writer *w, const char *key, const struct histogram *h) {
        writer_open_array(w, key, "{sv}");
        writer_put(w, "count", "t", h->n);
        writer_put(w, "sum_usec", "t", h->sum_usec);
        writer_open_array(w, "buckets", "(tt)");
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
                writer_append(w, "(tt)", histogram_bounds_usec[i], h->counts[i]);
        writer_close_array(w);
        writer_close_array(w);
}

static void put_alerts(struct writer *w, const struct alerts *a) {
        writer_open_array(w, "alerts", "s");
        for (enum alert_kind k = 0; k < _ALERT_MAX; k++)
                if (a->items[k].raised)
                        writer_append(w, "s", alert_to_string(k));
        writer_close_array(w);
}

int bus_get_status(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct sysfs *fs = manager_sysfs(b->manager);
        char word[AUTO_ONLINE_WORD_MAX] = "";
        struct bus_counts c;
        struct writer w;

        (void) error;
        if (only_check)
                return 0;
        bus_count(b, &c);
        (void) sysfs_read_auto_online(fs, word);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "{sv}");
        writer_put(&w, "version", "s", PACKAGE_VERSION);
        writer_put(&w, "ready", "b", (int) manager_is_started(b->manager));
        put_policy(&w, manager_policy(b->manager));
        writer_put(&w, "block_size", "t", sysfs_block_size(fs));
        writer_put(&w, "blocks", "u", (uint32_t) manager_registry(b->manager)->n);
        put_counts(&w, &c);
        writer_put(&w, "holds", "u", (uint32_t) manager_holds(b->manager)->n);
        writer_put(&w, "jobs", "u", (uint32_t) jobs_count_running(manager_jobs(b->manager)));
        writer_put(&w, "adds", "u", manager_adds(b->manager)->last_number);
        writer_put(&w, "auto_online_blocks", "s", bus_text(word));
        writer_put(&w, "delegated", "b", (int) manager_is_delegated(b->manager));
        put_counters(&w, manager_counters(b->manager));
        put_decisions(&w, &manager_counters(b->manager)->decisions);
        put_outcomes(&w, manager_counters(b->manager)->outcomes);
        put_histogram(&w, "online_time", &manager_counters(b->manager)->online_time);
        put_histogram(&w, "offline_time", &manager_counters(b->manager)->offline_time);
        put_alerts(&w, manager_alerts(b->manager));
        put_errors(&w, manager_history(b->manager));
        writer_close(&w);
        return writer_reply(&w);
}

int bus_get_history(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct history *h = manager_history(b->manager);
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));
        const char *text;
        uint64_t since;
        struct writer w;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "t", &since);
        if (r < 0 || only_check)
                return r;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        for (size_t i = 0; i < h->n; i++) {
                const struct report *report = history_get(h, i);

                if (report->usec >= since && report_matches(report, &selector, size))
                        writer_append_report(&w, report);
        }
        writer_close(&w);
        return writer_reply(&w);
}
