/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "core/format.h"
#include "core/names.h"
#include "daemon/auto-online.h"
#include "daemon/bus.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "host/conf.h"
#include "host/pageflags.h"
#include "host/platform.h"
#include "host/surroundings.h"

static int load_policy(struct manager *m, struct policy **ret) {
        _cleanup_(problems_done) struct problems problems = {};
        int r;

        r = conf_load(sysfs_root(m->fs), m->config, ret, &problems);
        for (size_t i = 0; i < problems.n; i++) {
                const struct problem *p = &problems.items[i];
                char line[16] = "";

                if (p->line)
                        snprintf(line, sizeof(line), "%u:", p->line);
                journal_print(p->warning ? LOG_WARNING : LOG_ERR, p->warning ? MESSAGE_WARNING : MESSAGE_POLICY_REFUSED,
                              "%s:%s %s", p->file, line, p->text);
        }
        return r;
}

static int open_system(struct manager *m, const char *root) {
        int r;

        r = sysfs_open(root, &m->fs);
        if (r < 0) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "cannot use the memory blocks of %s: %s", root,
                              r == -EOPNOTSUPP ? "this kernel has none (CONFIG_MEMORY_HOTPLUG)"
                              : r == -EBADMSG  ? "block_size_bytes is not a block size"
                                               : strerror(-r));
                return r == -EBADMSG ? -EIO : r; /* that one is the policy's */
        }
        r = sysfs_check_writable(m->fs);
        if (r < 0)
                journal_print(LOG_ERR, MESSAGE_FAILED,
                              "the state of memory blocks cannot be written: %s; memhpd needs root and a writable /sys",
                              strerror(-r));
        return r;
}

static int take_privileged(struct manager *m, struct privileged *p) {
        const bool watches = strcmp(sysfs_root(m->fs), "/") == 0;

        if (watches && !p->monitor) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "cannot watch for uevents: %s", strerror(-p->monitor_error));
                return p->monitor_error;
        }
        if (p->iomem_fd >= 0)
                sysfs_set_text(m->fs, SYSFS_IOMEM, TAKE(p->iomem_fd, -ENOENT));
        m->refused.fd = TAKE(p->kmsg_fd, -ENOENT);
        m->monitor = TAKE_PTR(p->monitor);
        return 0;
}

int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret) {
        _cleanup_(manager_freep) struct manager *m = NULL;
        int r;

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->event = sd_event_ref(event);
        m->keep.dir_fd = m->refused.fd = m->page_flags_fd = -ENOENT;
        m->todo.item_size = sizeof(uint32_t);
        if (options->config && !(m->config = strdup(options->config)))
                return -ENOMEM;
        r = open_system(m, options->root);
        if (r < 0)
                return r;
        if (options->privileged)
                r = take_privileged(m, options->privileged);
        if (r < 0)
                return r;
        evidence_init(&m->evidence, m->fs);
        m->page_flags_fd = pageflags_open(m->fs);
        m->page_size = surroundings_page_size(m->fs);
        m->around.platforms = platform_read(m->fs);
        sysfs_read_tiers(m->fs, m->tiers);
        r = load_policy(m, &m->policy);
        if (r < 0)
                return r;
        r = apply_new(m->fs, &m->apply);
        if (r >= 0)
                r = manager_add_sources(m);
        if (r < 0)
                return r;
        tracer_init(&m->tracer, m->fs, &m->refused);
        keep_open(&m->keep, m->fs);
        keep_recall_history(&m->keep, &m->history);
        m->adds.last_number = m->keep.saved.last_add;
        *ret = TAKE_PTR(m);
        return 0;
}

int manager_start(struct manager *m) {
        int r;

        /* Watch before looking, so that nothing falls between the two. */
        if (m->monitor) {
                r = manager_watch(m);
                if (r < 0)
                        return r;
        }
        m->delegated = auto_online_take(m->fs, m->keep.dir_fd, m->policy);
        manager_tell_rivals(m);
        r = manager_start_holds(m);
        if (r < 0)
                return r;
        r = refused_start(&m->refused, m->event);
        if (r < 0)
                return r;
        if (strcmp(sysfs_root(m->fs), "/") != 0)
                m->refused.captured = sysfs_root(m->fs);
        if (bus_is_wanted(sysfs_root(m->fs))) {
                r = bus_new(m->event, m, &m->bus);
                if (r < 0)
                        journal_print(LOG_WARNING, MESSAGE_WARNING, "no D-Bus: %s; memhpctl reads the system by itself",
                                      strerror(-r));
        }
        manager_request_scan(m);
        manager_schedule_reconcile(m);
        return 0;
}

/* What was decided keeps its rule if the new policy still has it. */
static int find_rule(const struct policy *p, const struct rule *rule) {
        for (size_t i = 0; i < p->n_rules; i++)
                if (strcmp(p->rules[i].name, rule->name) == 0 && strcmp(p->rules[i].file, rule->file) == 0 &&
                    p->rules[i].action == rule->action && p->rules[i].fallback == rule->fallback &&
                    p->rules[i].rollback == rule->rollback && p->rules[i].balance.ratio == rule->balance.ratio &&
                    p->rules[i].balance.numa_aware == rule->balance.numa_aware &&
                    p->rules[i].balance.hot_extends == rule->balance.hot_extends)
                        return (int) i;
        return -1;
}

/* Under another rule, what is still to come of a device is decided anew, and what was rolled back gets another try. */
static void carry_add_over(struct manager *m, struct add *add, const struct policy *policy) {
        add->basis.known = false; /* the number of its rule means another one now */
        if (!add->decided)
                return;
        if (add->decision.rule >= 0)
                add->decision.rule = find_rule(policy, &m->policy->rules[add->decision.rule]);
        if (add->decision.rule >= 0)
                return;
        add->decided = false;
        add->overruled = add->rolling_back && !add->end_usec;
        if (!add->overruled)
                manager_leave_add(m, add);
}

int manager_reload(struct manager *m) {
        struct policy *policy;
        int r;

        r = load_policy(m, &policy);
        if (r < 0) {
                journal_print(LOG_ERR, MESSAGE_POLICY_REFUSED, "the new policy was refused; the one before stays");
                bus_tell_policy(m->bus, false);
                return r;
        }
        manager_flush_report(m);
        for (size_t i = 0; i < m->registry.n; i++) {
                struct entry *e = &m->registry.entries[i];

                if (e->rule >= 0)
                        e->rule = (int16_t) find_rule(policy, &m->policy->rules[e->rule]);
        }
        for (size_t i = 0; i < m->adds.n; i++)
                carry_add_over(m, &m->adds.ring[i], policy);
        policy_free(m->policy);
        m->policy = policy;
        m->delegated = auto_online_take(m->fs, m->keep.dir_fd, m->policy);
        manager_schedule_reconcile(m);
        journal_print(LOG_INFO, MESSAGE_POLICY, "policy loaded: %zu rules", policy->n_rules);
        bus_tell_policy(m->bus, true);
        manager_request_scan(m);
        return 0;
}

void manager_free(struct manager *m) {
        if (!m)
                return;
        if (m->policy && m->tally.n)
                manager_flush_report(m); /* as long as there are timers */
        sd_event_source_unref(m->uevent_source);
        sd_event_source_unref(m->apply_source);
        sd_event_source_unref(m->work_source);
        sd_event_source_unref(m->round_source);
        sd_event_source_unref(m->retry_timer);
        sd_event_source_unref(m->report_timer);
        sd_event_source_unref(m->reconcile_timer);
        sd_event_source_unref(m->state_timer);
        sd_event_source_unref(m->patience_timer);
        sd_event_source_unref(m->job_timer);
        sd_event_source_unref(m->alert_timer);
        sd_event_source_unref(m->hold_timer);
        sd_event_source_unref(m->hold_watch);
        tracer_done(&m->tracer);
        refused_stop(&m->refused);
        apply_free(m->apply);
        if (m->started)
                (void) keep_save(&m->keep, &m->registry, m->adds.last_number, &m->history);
        bus_free(m->bus);
        if (m->fs)
                (void) auto_online_restore(m->fs, m->keep.dir_fd);
        keep_close(&m->keep);
        uevent_monitor_free(m->monitor);
        scan_done(&m->scan);
        queue_done(&m->todo);
        registry_done(&m->registry);
        holds_done(&m->holds);
        jobs_done(&m->jobs);
        free(m->look.items);
        closep(&m->page_flags_fd);
        evidence_done(&m->evidence);
        policy_free(m->policy);
        sysfs_close(m->fs);
        free(m->config);
        sd_event_unref(m->event);
        free(m);
}

bool manager_is_delegated(const struct manager *m) {
        return m->delegated;
}

bool manager_is_started(const struct manager *m) {
        return m->started;
}

bool manager_is_idle(const struct manager *m) {
        return m->started && jobs_count_running(&m->jobs) == 0 && m->todo.n == 0 && !m->has_gaps && !m->scan.active &&
               !m->scan.requested && m->tally.n == 0 && apply_pending(m->apply) == 0;
}

const struct registry *manager_registry(const struct manager *m) {
        return &m->registry;
}

const struct manager_counters *manager_counters(const struct manager *m) {
        return &m->counters;
}

void manager_describe(const struct manager *m, char *buf, size_t size) {
        size_t online = 0, offline = 0;
        char bytes[FORMAT_SIZE_MAX];

        for (size_t i = 0; i < m->registry.n; i++) {
                online += m->registry.entries[i].state == BLOCK_ONLINE;
                offline += m->registry.entries[i].state == BLOCK_OFFLINE;
        }
        snprintf(buf, size, "%zu blocks of %s: %zu online, %zu offline; %zu rules", m->registry.n,
                 format_size(sysfs_block_size(m->fs), bytes), online, offline, m->policy->n_rules);
        if (m->holds.n > 0)
                snprintf(buf + strlen(buf), size - strlen(buf), "; %zu holds", m->holds.n);
        if (m->counters.overflows > 0)
                snprintf(buf + strlen(buf), size - strlen(buf), "; %" PRIu64 " times uevents were lost",
                         m->counters.overflows);
}

/* ---- what the bus shows ------------------------------------------------------------------------------------------- */

const struct policy *manager_policy(const struct manager *m) {
        return m->policy;
}

const struct history *manager_history(const struct manager *m) {
        return &m->history;
}

const struct holds *manager_holds(const struct manager *m) {
        return &m->holds;
}

const struct sysfs *manager_sysfs(const struct manager *m) {
        return m->fs;
}

struct adds *manager_adds(struct manager *m) {
        return &m->adds;
}

struct jobs *manager_jobs(struct manager *m) {
        return &m->jobs;
}

struct traces *manager_traces(struct manager *m) {
        return &m->tracer.traces;
}

struct refusals *manager_refusals(struct manager *m) {
        return &m->refused.refusals;
}

const struct surroundings *manager_surroundings(struct manager *m) {
        return manager_around(m, false);
}

uint64_t manager_page_size(const struct manager *m) {
        return m->page_size;
}

int manager_read_block(struct manager *m, const struct entry *e, struct block *ret, struct evidence *ret_evidence) {
        struct origin origin;
        struct block b;
        int r;

        r = sysfs_read_block(m->fs, e->block, NULL, 0, &b);
        if (r == -EAGAIN)
                r = sysfs_read_block_state(m->fs, e->block, &b);
        if (r >= 0)
                r = evidence_read(&m->evidence, e->block, (enum arrival) e->arrival, ret_evidence);
        if (r < 0)
                return r;
        source_classify(ret_evidence, &origin);
        b.source = origin.source;
        memcpy(b.device, origin.device, sizeof(b.device));
        b.device_size = origin.size;
        b.tier = e->node >= 0 ? m->tiers[e->node] : -1;
        b.at_startup = e->at_startup;
        b.hands_off = e->hands_off;
        b.rolled_back = e->rolled_back;
        b.removable = e->removable;
        b.held = b.state == BLOCK_OFFLINE && holds_find(&m->holds, &b, sysfs_block_size(m->fs), hold_now_usec());
        *ret = b;
        return 0;
}

int manager_check_policy(struct manager *m, struct problems *ret) {
        _cleanup_(policy_freep) struct policy *policy = NULL;

        return conf_load(sysfs_root(m->fs), m->config, &policy, ret);
}
