/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "core/judgement.h"
#include "ctl/around.h"
#include "ctl/doctor.h"

/* The policy, and the daemon that carries it out. */

void doctor_check_delegate(struct doctor *d) {
        const struct policy *p = d->policy;
        enum action action;
        bool uniform = policy_is_uniform(p, &action);
        struct finding *f;

        if (p->auto_online == AUTO_ONLINE_DELEGATE && !uniform) {
                f = doctor_find(d, "cannot-delegate", SEVERITY_WARNING, "The kernel cannot do what the rules say");
                finding_prove(f, p->n_files ? p->files[p->n_files - 1] : "configuration", 0, "kernel_auto_online = "
                                                                                             "\"delegate\"");
                finding_say(f, "The rules want different things for different memory, which is all that the kernel could "
                               "do by itself: memhpd brings it online, as with \"manage\"");
                finding_fix(f, "Give all rules one action, or write \"manage\"");
                return;
        }
        if (p->auto_online != AUTO_ONLINE_MANAGE || !uniform || action == ACTION_LEAVE_OFFLINE)
                return;
        f = doctor_find(d, "could-delegate", SEVERITY_NOTICE, "All memory gets one action (%s): the kernel could do it by "
                                                              "itself",
                        action_to_string(action));
        if (p->n_rules)
                finding_prove(f, p->rules[0].file, p->rules[0].line, "rule \"%s\"", p->rules[0].name);
        finding_say(f, "Where memory is added back to back and there is little left, no program is quick enough to bring "
                       "one part online before the next needs room; the kernel is, as it does so within the add");
        finding_fix(f, "kernel_auto_online = \"delegate\"; then memhpd has the kernel do it, looks at the result and "
                       "reports");
}

/* ---- what waits ---------------------------------------------------------------------------------------------------- */

struct waiting {
        const struct rule *rule; /* NULL: of several */
        size_t n;
        uint64_t bytes;
        uint32_t first;
};

static void count_waiting(struct doctor *d, struct waiting *ret) {
        _cleanup_free_ struct surroundings *around = malloc(sizeof(*around));

        *ret = (struct waiting) {};
        if (!around)
                out_of_memory();
        if (around_read(d->options->sysroot, around) != STATUS_DONE)
                return;
        for (size_t i = 0; i < d->n_offline; i++) {
                const struct block *b = &d->offline[i];
                const struct rule *rule;
                struct judgement j;

                judge(d->policy, around, b, &j);
                if (j.decision.action == ACTION_LEAVE_OFFLINE)
                        continue;
                rule = j.decision.rule >= 0 ? &d->policy->rules[j.decision.rule] : NULL;
                if (ret->n++ == 0) {
                        ret->rule = rule;
                        ret->first = b->index;
                } else if (ret->rule != rule)
                        ret->rule = NULL;
                ret->bytes += d->facts.block_size;
        }
}

/* The daemon tells itself what it could not do. */
void doctor_check_waiting(struct doctor *d) {
        char size[FORMAT_SIZE_MAX];
        enum severity severity;
        struct waiting w;
        struct finding *f;

        if (d->client)
                return;
        count_waiting(d, &w);
        if (w.n == 0)
                return;
        /* Where nobody knows of the daemon, it may be about to. What is there at boot may be left as it is. */
        severity = d->client_error == -ENXIO && d->policy->startup_apply ? SEVERITY_ERROR : SEVERITY_WARNING;
        f = doctor_find(d, "waiting-offline", severity, "%s of memory is offline (%zu blocks) that the policy would bring "
                                                        "online",
                        format_size(w.bytes, size), w.n);
        if (w.rule)
                finding_prove(f, w.rule->file, w.rule->line, "rule \"%s\" says %s", w.rule->name, action_to_string(w.rule->action));
        else
                finding_prove(f, "policy", 0, "several rules; memhpctl explain %" PRIu32 " tells more", w.first);
        finding_say(f, "It is paid for, and was plugged, but nothing uses it%s",
                    d->client_error == -ENXIO ? ": memhpd does not run" : ", unless memhpd is about to bring it online");
        finding_fix(f, d->policy->startup_apply
                               ? "systemctl enable --now memhpd"
                               : "systemctl enable --now memhpd for what is yet to come; what is offline when it starts "
                                 "it leaves alone (startup = \"ignore\"): memhpctl online all");
}

/* ---- the daemon ----------------------------------------------------------------------------------------------------- */

static uint64_t number(const json_t *object, const char *key) {
        json_int_t n = json_integer_value(json_object_get(object, key));

        return n > 0 ? (uint64_t) n : 0;
}

static void prove_errors(struct finding *f, const json_t *status) {
        json_t *errors = json_object_get(status, "last_errors"), *error;
        size_t i;

        json_array_foreach(errors, i, error) {
                const char *text = json_string_value(json_object_get(error, "message"));

                if (text && i < 3)
                        finding_prove(f, "memhpd", 0, "%s", text);
        }
}

static void find_failures(struct doctor *d) {
        uint64_t failed = number(d->status, "failed"), retrying = number(d->status, "retrying");
        struct finding *f;

        if (failed + retrying == 0)
                return;
        f = doctor_find(d, "not-onlined", failed ? SEVERITY_ERROR : SEVERITY_WARNING,
                        "memhpd could not bring %" PRIu64 " block%s online%s", failed + retrying, failed + retrying == 1 ? "" : "s",
                        failed ? "" : " so far, and goes on trying");
        prove_errors(f, d->status);
        finding_say(f, "This memory is not in use, or not where the policy wants it");
        finding_fix(f, "memhpctl history tells of each what the kernel said; memhpctl online tries again");
}

static void find_losses(struct doctor *d) {
        const json_t *counters = json_object_get(d->status, "counters");
        uint64_t overflows = number(counters, "overflows"), races = number(counters, "lost_races");
        struct finding *f;

        if (overflows) {
                f = doctor_find(d, "overflows", SEVERITY_WARNING, "Uevents were lost since memhpd was started");
                finding_prove(f, "memhpd", 0, "overflows: %" PRIu64, overflows);
                finding_say(f, "No memory was: memhpd looked at every block again. But that takes longer");
                finding_fix(f, "Start memhpd by its service, which gives it a queue for 300 000 uevents; where there is "
                               "no systemd, raise net.core.rmem_max");
        }
        if (races) {
                f = doctor_find(d, "lost-races", SEVERITY_WARNING, "Somebody else brought memory online before memhpd could");
                finding_prove(f, "memhpd", 0, "lost_races: %" PRIu64, races);
                finding_say(f, "That memory is not where the policy wants it, and stays so until it is offline again");
                finding_fix(f, "Find out who, if nothing above tells it; then memhpctl rezone puts the blocks where they "
                               "belong");
        }
}

static void find_alerts(struct doctor *d) {
        json_auto_t *stats = NULL;
        json_t *alert;
        size_t i;

        if (client_ask(d->client, "GetStats", &stats, NULL) != STATUS_DONE)
                return;
        json_array_foreach(json_object_get(stats, "alerts"), i, alert) {
                const char *text = json_string_value(json_object_get(alert, "message"));
                struct finding *f;

                if (!text)
                        continue;
                f = doctor_find(d, "alert", SEVERITY_WARNING, "%s", text);
                finding_prove(f, "memhpd", 0, "alert \"%s\"", json_string_value(json_object_get(alert, "alert")) ?: "");
                finding_say(f, "What was foreseen comes to pass, unless something changes");
                finding_fix(f, "memhpctl stats shows the figures; the journal has what helps (journalctl -x -u memhpd)");
        }
}

void doctor_check_daemon(struct doctor *d) {
        struct finding *f;

        if (d->client_error == -EPERM || (!d->client && d->client_error != -ENXIO)) {
                doctor_skip(d, "the daemon", d->client_error == -EPERM ? "it was not to be asked%s" : "the system bus: %s",
                            d->client_error == -EPERM ? "" : strerror(-d->client_error));
                return;
        }
        if (!d->client) {
                for (size_t i = 0; i < d->n; i++)
                        if (strcmp(d->findings[i].kind, "waiting-offline") == 0)
                                return; /* says it already */
                f = doctor_find(d, "not-running", SEVERITY_WARNING, "memhpd does not run");
                finding_prove(f, "system bus", 0, "nobody has the name %s", BUS_NAME);
                finding_say(f, "Memory that is added stays offline, or goes where somebody else puts it");
                finding_fix(f, "systemctl enable --now memhpd");
                return;
        }
        if (client_ask(d->client, "GetStatus", &d->status, NULL) != STATUS_DONE) {
                doctor_skip(d, "the daemon", "it does not tell how it is");
                return;
        }
        find_failures(d);
        find_losses(d);
        find_alerts(d);
}
