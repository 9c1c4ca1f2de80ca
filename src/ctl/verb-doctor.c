/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ctl/doctor.h"
#include "ctl/policy.h"
#include "host/kernel-config.h"

static void find_no_blocks(struct doctor *d, struct sysfs *fs) {
        struct kernel_config_line line;
        struct finding *f;

        f = doctor_find(d, "no-memory-hotplug", SEVERITY_ERROR, "There are no memory blocks");
        if (kernel_config_find(fs, "CONFIG_MEMORY_HOTPLUG", &line) >= 0)
                finding_prove(f, line.file, line.line, "%s", line.text);
        else
                finding_prove(f, "sysfs", 0, "%s", "has no block_size_bytes of memory");
        finding_say(f, "This kernel cannot add memory while it runs, and memhpd does not start");
        finding_fix(f, "Have a kernel with CONFIG_MEMORY_HOTPLUG, and sysfs mounted on /sys");
}

/* false: nothing else can be found out. */
static enum status open_system(struct doctor *d) {
        _cleanup_(sysfs_closep) struct sysfs *texts = NULL;
        int r;

        r = sysfs_open(d->options->sysroot, &d->fs);
        if (r >= 0)
                return STATUS_DONE;
        if (r == -EOPNOTSUPP && sysfs_open_texts(d->options->sysroot, &texts) >= 0) {
                find_no_blocks(d, texts);
                return STATUS_DONE;
        }
        return system_open(d->options->sysroot, &d->fs); /* complains */
}

static void note_device(struct doctor *d, const char *device) {
        if (!*device || (d->n_devices && strcmp(d->devices[d->n_devices - 1], device) == 0))
                return;
        if (!GROW(d->devices, d->n_devices, d->devices_capacity))
                out_of_memory();
        memcpy(d->devices[d->n_devices++], device, DEVICE_NAME_MAX);
}

static enum status read_facts(struct doctor *d) {
        enum status s;
        struct fact fact;

        s = facts_open(&d->facts, d->options->sysroot, NULL, FACTS_ORIGIN);
        d->has_facts = true;
        if (s != STATUS_DONE)
                return s;
        while (facts_next(&d->facts, &fact)) {
                note_device(d, fact.block.device);
                if (fact.block.state != BLOCK_OFFLINE)
                        continue;
                if (!GROW(d->offline, d->n_offline, d->offline_capacity))
                        out_of_memory();
                d->offline[d->n_offline++] = fact.block;
        }
        return facts_status(&d->facts);
}

static void find_problem(struct doctor *d, const struct problem *p) {
        struct finding *f;

        f = doctor_find(d, p->warning ? "policy-warning" : "policy-error", p->warning ? SEVERITY_WARNING : SEVERITY_ERROR, "%s",
                        p->warning ? "The configuration has a rule without effect" : "The configuration has an error");
        finding_prove(f, p->file, p->line, "%s", p->text);
        finding_say(f, "%s", p->warning ? "Memory that it was meant for is handled by another rule"
                                        : "memhpd does not start with it; one that runs keeps the policy of before");
        finding_fix(f, "Correct the line; memhpctl check tells whether all is well%s", d->live ? ", memhpctl reload loads "
                                                                                                 "it" : "");
}

static void find_no_policy(struct doctor *d, const struct problem *p) {
        struct finding *f;

        /* Captures have none. */
        if (!d->live) {
                doctor_skip(d, "what the policy wants", "there is none in this capture; --config names one");
                return;
        }
        f = doctor_find(d, "no-policy", SEVERITY_ERROR, "There is no configuration");
        finding_prove(f, p->file, 0, "%s", p->text);
        finding_say(f, "memhpd does not start");
        finding_fix(f, "Put back the one that comes with memhpd, or copy one of the presets in /usr/share/memhp/presets");
}

static void read_policy(struct doctor *d) {
        _cleanup_(problems_done) struct problems problems = {};
        int r;

        r = conf_load(d->options->sysroot, d->options->config, &d->policy, &problems);
        if (r == -ENOMEM)
                out_of_memory();
        for (size_t i = 0; i < problems.n; i++) {
                const struct problem *p = &problems.items[i];

                if (strncmp(p->text, "no configuration", strlen("no configuration")) == 0)
                        find_no_policy(d, p);
                else
                        find_problem(d, p);
        }
}

static enum status examine(struct doctor *d) {
        enum status s;

        if (d->live) {
                doctor_check_uevents(d);
                doctor_check_writable(d);
        }
        s = read_facts(d);
        read_policy(d);
        doctor_check_iomem(d);
        doctor_check_kernel_log(d);
        doctor_check_nodes(d);
        doctor_check_kernel_online(d);
        doctor_check_rivals(d);
        if (d->policy) {
                doctor_check_delegate(d);
                doctor_check_waiting(d);
        }
        if (d->live)
                doctor_check_daemon(d);
        return s;
}

enum status verb_doctor(const struct options *o, char *const *args) {
        _cleanup_(doctor_done) struct doctor d = { .options = o, .live = strcmp(o->sysroot, "/") == 0 };
        enum status s;

        (void) args;
        s = open_system(&d);
        if (s != STATUS_DONE)
                return s;
        d.client_error = d.live ? client_try(o, &d.client) : -EPERM;
        if (d.fs)
                s = examine(&d);
        if (o->json)
                doctor_print_json(&d);
        else
                doctor_print(&d);
        for (size_t i = 0; i < d.n; i++)
                if (d.findings[i].severity == SEVERITY_ERROR)
                        s = STATUS_FAILED;
        return s;
}
