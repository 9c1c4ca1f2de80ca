/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "memhp-build.h"
#endif

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "daemon/bus-internal.h"
#include "host/hold-file.h"
#include "host/surroundings.h"

#define LAST_ERRORS 5
#define SPECS_MAX 64
/* A hot-add that is only imagined, too, is decided block by block. */
#define SPEC_BLOCKS_MAX 524288

static int reply_with(sd_bus_message *reply, int r) {
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        return r < 0 ? r : 1;
}

/* ---- how it is ---------------------------------------------------------------------------------------------------- */

struct counts {
        uint64_t online, offline; /* bytes */
        uint32_t pending, retrying, failed, held, hands_off;
        uint64_t sources[_SOURCE_MAX][2]; /* bytes online and not */
};

static void count(const struct bus *b, struct counts *ret) {
        const struct registry *r = manager_registry(b->manager);
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));
        struct counts c = {};

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

static int put_sources(sd_bus_message *m, const struct counts *c) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "sources");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(stt)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(stt)");
        for (enum source s = 0; s < _SOURCE_MAX && r >= 0; s++)
                if (c->sources[s][0] || c->sources[s][1])
                        r = sd_bus_message_append(m, "(stt)", source_to_string(s), c->sources[s][0], c->sources[s][1]);
        for (int depth = 0; r >= 0 && depth < 3; depth++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int put_files(sd_bus_message *m, const struct policy *p) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "policy_files");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < p->n_files && r >= 0; i++)
                r = sd_bus_message_append(m, "s", bus_text(p->files[i]));
        for (int depth = 0; r >= 0 && depth < 3; depth++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* The newest first. */
static int put_errors(sd_bus_message *m, const struct history *h) {
        unsigned n = 0;
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "last_errors");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "aa{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "a{sv}");
        for (size_t i = h->n; i > 0 && n < LAST_ERRORS && r >= 0; i--) {
                const struct report *report = history_get(h, i - 1);

                if (report->priority > LOG_WARNING)
                        continue;
                r = bus_append_report(m, report);
                n++;
        }
        for (int depth = 0; r >= 0 && depth < 3; depth++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int put_counters(sd_bus_message *m, const struct manager_counters *c) {
        return bus_put(m, "counters", "a{st}", 7, "events", c->events, "overflows", c->overflows, "rescans", c->rescans, "writes",
                       c->writes, "onlined", c->onlined, "failed", c->failed, "lost_races", c->lost_races);
}

int bus_get_status(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const struct policy *p = manager_policy(b->manager);
        const struct sysfs *fs = manager_sysfs(b->manager);
        char word[AUTO_ONLINE_WORD_MAX] = "";
        struct counts c;
        int r;

        (void) error;
        if (only_check)
                return 0;
        count(b, &c);
        (void) sysfs_read_auto_online(fs, word);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = bus_put(reply, "version", "s", PACKAGE_VERSION);
        if (r >= 0)
                r = bus_put(reply, "ready", "b", (int) manager_is_started(b->manager));
        if (r >= 0)
                r = put_files(reply, p);
        if (r >= 0)
                r = bus_put(reply, "rules", "u", (uint32_t) p->n_rules);
        if (r >= 0)
                r = bus_put(reply, "block_size", "t", sysfs_block_size(fs));
        if (r >= 0)
                r = bus_put(reply, "blocks", "u", (uint32_t) manager_registry(b->manager)->n);
        if (r >= 0)
                r = bus_put(reply, "online", "t", c.online);
        if (r >= 0)
                r = bus_put(reply, "offline", "t", c.offline);
        if (r >= 0)
                r = put_sources(reply, &c);
        if (r >= 0)
                r = bus_put(reply, "pending", "u", c.pending);
        if (r >= 0)
                r = bus_put(reply, "retrying", "u", c.retrying);
        if (r >= 0)
                r = bus_put(reply, "failed", "u", c.failed);
        if (r >= 0)
                r = bus_put(reply, "held", "u", c.held);
        if (r >= 0)
                r = bus_put(reply, "hands_off", "u", c.hands_off);
        if (r >= 0)
                r = bus_put(reply, "holds", "u", (uint32_t) manager_holds(b->manager)->n);
        if (r >= 0)
                r = bus_put(reply, "jobs", "u", (uint32_t) jobs_count_running(manager_jobs(b->manager)));
        if (r >= 0)
                r = bus_put(reply, "adds", "u", manager_adds(b->manager)->last_number);
        if (r >= 0)
                r = bus_put(reply, "auto_online_blocks", "s", word);
        if (r >= 0)
                r = put_counters(reply, manager_counters(b->manager));
        if (r >= 0)
                r = put_errors(reply, manager_history(b->manager));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return reply_with(reply, r);
}

int bus_get_history(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(selector_done) struct selector selector = {};
        const struct history *h = manager_history(b->manager);
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));
        const char *text;
        uint64_t since;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "t", &since);
        if (r < 0 || only_check)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < h->n && r >= 0; i++) {
                const struct report *report = history_get(h, i);

                if (report->usec >= since && report_matches(report, &selector, size))
                        r = bus_append_report(reply, report);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return reply_with(reply, r);
}

/* ---- the policy --------------------------------------------------------------------------------------------------- */

static int append_problems(sd_bus_message *m, const struct problems *p) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(susb)");
        for (size_t i = 0; i < p->n && r >= 0; i++)
                r = sd_bus_message_append(m, "(susb)", bus_text(p->items[i].file), p->items[i].line, bus_text(p->items[i].text),
                                          (int) !p->items[i].warning);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_check_policy(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(problems_done) struct problems problems = {};
        int r;

        (void) error;
        if (only_check)
                return 0;
        r = manager_check_policy(b->manager, &problems);
        if (r == -ENOMEM)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "b", (int) (problems.n_errors == 0));
        if (r >= 0)
                r = append_problems(reply, &problems);
        return reply_with(reply, r);
}

/* The first error, and how many there are: all of them are in the journal, and in what CheckPolicy answers. */
static int refuse_policy(struct bus *b, sd_bus_error *error) {
        _cleanup_(problems_done) struct problems problems = {};

        (void) manager_check_policy(b->manager, &problems);
        for (size_t i = 0; i < problems.n; i++)
                if (!problems.items[i].warning)
                        return sd_bus_error_setf(error, BUS_ERROR_BAD_POLICY, "%s:%u: %s (%zu errors in all; the policy of before "
                                                 "stays)", bus_text(problems.items[i].file), problems.items[i].line,
                                                 bus_text(problems.items[i].text), problems.n_errors);
        return sd_bus_error_setf(error, BUS_ERROR_BAD_POLICY, "the new policy was refused; the one before stays");
}

int bus_reload(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        int r;

        if (only_check)
                return 0;
        r = manager_reload(b->manager);
        if (r == -EBADMSG)
                return refuse_policy(b, error);
        return r < 0 ? r : sd_bus_reply_method_return(m, "u", (uint32_t) manager_policy(b->manager)->n_rules);
}

/* ---- holds -------------------------------------------------------------------------------------------------------- */

int bus_hold(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        char why[SELECTOR_ERROR_MAX] = "";
        const char *text, *reason;
        uint64_t duration;
        uint32_t id;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "ts", &duration, &reason);
        if (r < 0)
                return r;
        if (*reason && !*bus_text(reason))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "the reason is plain text");
        if (strlen(reason) >= HOLD_REASON_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "the reason is longer than %d characters",
                                         HOLD_REASON_MAX - 1);
        if (only_check)
                return 0;
        r = manager_add_hold(b->manager, text, duration, reason, &id, why);
        switch (r) {
        case -EINVAL:
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "%s: not held: %s", text, why);
        case -ENOSPC:
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "there are %d holds already; release some", HOLDS_MAX);
        default:
                return r < 0 ? r : sd_bus_reply_method_return(m, "u", id);
        }
}

int bus_release(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "u", &id);
        if (r < 0 || only_check)
                return r;
        r = manager_remove_hold(b->manager, id);
        if (r == -ENOENT)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%u: there is no such hold", id);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

/* ---- what if ------------------------------------------------------------------------------------------------------ */

static int read_specs(struct bus *b, sd_bus_message *m, struct sim_spec specs[static SPECS_MAX], size_t *ret_n,
                      sd_bus_error *error) {
        const uint64_t block_size = sysfs_block_size(manager_sysfs(b->manager));
        char why[SIM_ERROR_MAX];
        const char *text;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                if (n == SPECS_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "more than %d hot-adds at a time", SPECS_MAX);
                if (!*bus_text(text) || sim_spec_parse(text, &specs[n], why) < 0)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s: not a hot-add: %s", bus_text(text),
                                                 *bus_text(text) ? why : "it is plain text such as dimm:64G@node1");
                if (specs[n].size / block_size > SPEC_BLOCKS_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s: more than %d blocks", text,
                                                 SPEC_BLOCKS_MAX);
                n++;
        }
        if (r < 0)
                return r;
        if (n == 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "what is to be added?");
        *ret_n = n;
        return sd_bus_message_exit_container(m);
}

static int put_percent(sd_bus_message *m, const char *key, const struct simulation *s, const struct sim_add *a,
                       const struct totals_side *side) {
        uint64_t percent = sim_percent(s, a, side);

        return s->around.totals.known && percent != UINT64_MAX ? bus_put(m, key, "t", percent) : 0;
}

static int append_simulated(sd_bus_message *m, const struct simulation *s, const struct sim_add *a) {
        bool decided = a->refused < a->size;
        const struct block offline = { .state = BLOCK_OFFLINE };
        char reason[1024] = "", warnings[1024] = "";
        int r;

        if (decided)
                decision_describe(s->policy, &offline, &a->decision, reason, sizeof(reason));
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_put(m, "add", "s", a->spec->text);
        if (r >= 0)
                r = bus_put(m, "start", "t", a->start);
        if (r >= 0)
                r = bus_put(m, "size", "t", a->size);
        if (r >= 0)
                r = bus_put(m, "refused", "s", sim_refusal_to_string(a->refusal) ?: "");
        if (r >= 0 && decided)
                r = bus_put(m, "action", "s", action_to_string(a->decision.action));
        if (r >= 0 && decided && a->decision.rule >= 0)
                r = bus_put_rule(m, s->policy->rules[a->decision.rule].name, s->policy->rules[a->decision.rule].file,
                                 s->policy->rules[a->decision.rule].line);
        if (r >= 0 && decided)
                r = bus_put(m, "reason", "s", bus_text(reason));
        if (r >= 0)
                r = bus_put(m, "zones", "a{st}", 4, "Movable", a->movable, "Normal", a->kernel, "offline", a->offline, "refused",
                            a->refused);
        if (r >= 0)
                r = put_percent(m, "percent_before", s, a, &a->before);
        if (r >= 0)
                r = put_percent(m, "percent_after", s, a, &a->after);
        if (r >= 0)
                r = bus_put(m, "memmap", "t", a->memmap);
        for (enum sim_warning w = 0; w < _SIM_WARNING_MAX && r >= 0; w++)
                if (a->warnings & (1u << w)) {
                        sim_warning_describe(s, a, w, warnings, sizeof(warnings));
                        r = bus_put(m, sim_warning_to_string(w), "s", bus_text(warnings));
                }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* What is there now, for the simulation to begin with. */
static int simulate_from(struct bus *b, struct simulation *s, uint32_t **ret_indices) {
        const struct registry *registry = manager_registry(b->manager);
        const struct sysfs *fs = manager_sysfs(b->manager);
        uint32_t *indices = calloc(MAX(registry->n, (size_t) 1), sizeof(*indices));

        if (!indices)
                return -ENOMEM;
        for (size_t i = 0; i < registry->n; i++)
                indices[i] = registry->entries[i].block;
        s->policy = manager_policy(b->manager);
        s->around = *manager_surroundings(b->manager);
        s->block_size = sysfs_block_size(fs);
        s->page_size = manager_page_size(b->manager);
        s->indices = indices;
        s->n_indices = registry->n;
        sysfs_read_tiers(fs, s->tiers);
        surroundings_read_memory(fs, s->page_size, &s->memory);
        *ret_indices = indices;
        return 0;
}

int bus_simulate(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ struct simulation *s = NULL;
        _cleanup_free_ struct sim_add *adds = NULL;
        _cleanup_free_ uint32_t *indices = NULL;
        struct sim_spec specs[SPECS_MAX];
        size_t n = 0;
        int r;

        r = read_specs(b, m, specs, &n, error);
        if (r < 0 || only_check)
                return r;
        s = calloc(1, sizeof(*s));
        adds = calloc(n, sizeof(*adds));
        if (!s || !adds)
                return -ENOMEM;
        r = simulate_from(b, s, &indices);
        if (r < 0)
                return r;
        simulation_run(s, specs, n, adds);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_simulated(reply, s, &adds[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return reply_with(reply, r);
}

/* ---- properties --------------------------------------------------------------------------------------------------- */

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                        void *userdata, sd_bus_error *error) {
        struct bus *b = userdata;
        struct counts c;

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "Version") == 0)
                return sd_bus_message_append(m, "s", PACKAGE_VERSION);
        if (strcmp(property, "Ready") == 0)
                return sd_bus_message_append(m, "b", (int) manager_is_started(b->manager));
        if (strcmp(property, "BlockSize") == 0)
                return sd_bus_message_append(m, "t", sysfs_block_size(manager_sysfs(b->manager)));
        if (strcmp(property, "PageSize") == 0)
                return sd_bus_message_append(m, "t", manager_page_size(b->manager));
        if (strcmp(property, "Blocks") == 0)
                return sd_bus_message_append(m, "u", (uint32_t) manager_registry(b->manager)->n);
        count(b, &c);
        if (strcmp(property, "Pending") == 0)
                return sd_bus_message_append(m, "u", c.pending);
        return sd_bus_message_append(m, "t", strcmp(property, "OnlineBytes") == 0 ? c.online : c.offline);
}

static int get_rules(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                     void *userdata, sd_bus_error *error) {
        const struct policy *p = manager_policy(((struct bus *) userdata)->manager);
        int r;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        r = sd_bus_message_open_container(m, 'a', "(ssus)");
        for (size_t i = 0; i < p->n_rules && r >= 0; i++)
                r = sd_bus_message_append(m, "(ssus)", bus_text(p->rules[i].name), bus_text(p->rules[i].file), p->rules[i].line,
                                          action_to_string(p->rules[i].action));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Time left, since what it is counted from (CLOCK_BOOTTIME) means nothing to others. */
static int get_holds(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m,
                     void *userdata, sd_bus_error *error) {
        const struct holds *h = manager_holds(((struct bus *) userdata)->manager);
        uint64_t now = hold_now_usec();
        int r;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        r = sd_bus_message_open_container(m, 'a', "(usts)");
        for (size_t i = 0; i < h->n && r >= 0; i++)
                if (!hold_is_over(&h->items[i], now))
                        r = sd_bus_message_append(m, "(usts)", h->items[i].id, bus_text(h->items[i].text),
                                                  h->items[i].expires_usec ? h->items[i].expires_usec - now : UINT64_MAX,
                                                  bus_text(h->items[i].reason));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

#define METHOD(name, in, in_names, out, out_names) \
        SD_BUS_METHOD_WITH_NAMES(name, in, in_names, out, out_names, bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED)
#define P(name) SD_BUS_PARAM(name)

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BlockSize", "t", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("PageSize", "t", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Ready", "b", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Blocks", "u", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OnlineBytes", "t", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OfflineBytes", "t", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Pending", "u", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Rules", "a(ssus)", get_rules, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Holds", "a(usts)", get_holds, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),

        METHOD("ListRanges", "s", P(selector), "a(uusbasaussu)", P(ranges)),
        METHOD("ListBlocks", "s", P(selector), "a(uoss)", P(blocks)),
        METHOD("ListDevices", "", , "a(sosuuutt)", P(devices)),
        METHOD("ListNodes", "", , "a(uouttt)", P(nodes)),
        METHOD("GetZones", "", , "ta(usttttttttata{st})a(ua{st})", P(page_size) P(zones) P(nodes)),
        METHOD("GetBuddy", "", , "a(usat)", P(zones)),
        METHOD("GetStatus", "", , "a{sv}", P(status)),
        METHOD("GetHistory", "st", P(selector) P(since_usec), "aa{sv}", P(reports)),
        METHOD("Explain", "sb", P(selector) P(all_rules), "aa{sv}", P(explanations)),
        METHOD("Simulate", "as", P(adds), "aa{sv}", P(results)),
        METHOD("CheckPolicy", "", , "ba(susb)", P(good) P(problems)),
        METHOD("Reload", "", , "u", P(rules)),
        METHOD("Online", "ssa{sv}", P(selector) P(zone) P(options), "uo", P(id) P(job)),
        METHOD("Offline", "sa{sv}", P(selector) P(options), "uo", P(id) P(job)),
        METHOD("Rezone", "ssa{sv}", P(selector) P(zone) P(options), "uo", P(id) P(job)),
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
