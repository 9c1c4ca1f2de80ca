/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/cmdline.h"
#include "ctl/doctor.h"
#include "host/kernel-config.h"
#include "host/rivals.h"

/* Who else brings memory online. */

/* ---- the kernel --------------------------------------------------------------------------------------------------- */

static bool find_parameter(const struct doctor *d, const char *name, char ret[static CMDLINE_VALUE_MAX]) {
        _cleanup_free_ char *text = NULL, *copy = NULL;
        size_t size;

        if (sysfs_read_text(d->fs, SYSFS_CMDLINE, &text, &size) < 0)
                return false;
        copy = format_text("%.*s", (int) MIN(size, (size_t) 65536), text);
        return cmdline_find(copy, name, ret);
}

/* Where it comes from that the kernel does so: its command line, or how it was built. */
static void prove_default(struct finding *f, const struct doctor *d, const char *word) {
        static const char *const options[] = {
                "CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE", "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO",
                "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_KERNEL", "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_MOVABLE",
        };
        char value[CMDLINE_VALUE_MAX];
        struct kernel_config_line line;

        if (word)
                finding_prove(f, sysfs_auto_online_path(), 0, "%s", word);
        if (find_parameter(d, "memhp_default_state", value)) {
                finding_prove(f, sysfs_text_path(SYSFS_CMDLINE), 0, "memhp_default_state=%s", value);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (kernel_config_find(d->fs, options[i], &line) >= 0 && line.text[0] != '#')
                        finding_prove(f, line.file, line.line, "%s", line.text);
}

/* The kernel does what the policy would: by its wish. */
static bool is_delegated(const struct doctor *d, const char *word) {
        enum action action;

        return d->policy && d->policy->auto_online == AUTO_ONLINE_DELEGATE && policy_is_uniform(d->policy, &action) &&
               strcmp(action_to_state(action) ?: "offline", word) == 0;
}

static void find_kernel_online(struct doctor *d, const char *word) {
        const bool keep = d->policy && d->policy->auto_online == AUTO_ONLINE_KEEP;
        struct finding *f;

        f = doctor_find(d, "kernel-auto-online", keep || d->client ? SEVERITY_ERROR : SEVERITY_WARNING,
                        "The kernel itself brings all new memory online (%s)", word);
        prove_default(f, d, word);
        if (keep) {
                finding_say(f, "The policy has \"keep\" for it and comes too late: every block is in the zone that the "
                               "kernel chose before a rule is asked");
                finding_fix(f, "Write kernel_auto_online = \"manage\"; into /etc/memhp/memhpd.conf, then: memhpctl reload");
        } else if (d->client) {
                finding_say(f, "memhpd sets this to offline when it starts, so somebody changed it since: every block is "
                               "in the zone that the kernel chose before a rule is asked");
                finding_fix(f, "memhpctl reload sets it to offline again; find out who writes to it");
        } else {
                finding_say(f, "While memhpd does not run, all new memory goes to the zone that the kernel chooses, and "
                               "no policy is asked");
                finding_fix(f, "systemctl enable --now memhpd: it sets this to offline while it runs. For the time before "
                               "it starts, have memhp_default_state=offline on the kernel's command line");
        }
}

/* memhpd has taken care of it; but early in the boot it is not there yet. */
static void find_default_state(struct doctor *d) {
        char value[CMDLINE_VALUE_MAX];
        struct finding *f;

        if (!find_parameter(d, "memhp_default_state", value) || strcmp(value, "offline") == 0)
                return;
        f = doctor_find(d, "command-line", SEVERITY_NOTICE, "The kernel's command line has it bring new memory online "
                                                            "(%s)", value);
        prove_default(f, d, NULL);
        finding_say(f, "It is switched off now, but what is added before memhpd starts or after it ends goes to the zone "
                       "that the kernel chooses");
        finding_fix(f, "Remove memhp_default_state from the kernel's command line, or set it to offline");
}

/* What plain "online" comes to is then up to the kernel's own ratio. */
static void find_online_policy(struct doctor *d, bool kernel_onlines) {
        char value[CMDLINE_VALUE_MAX];
        struct finding *f;
        bool concerned = kernel_onlines;

        if (!find_parameter(d, "memory_hotplug.online_policy", value) || strcmp(value, "auto-movable") != 0)
                return;
        for (size_t i = 0; d->policy && i < d->policy->n_rules; i++)
                concerned = concerned || d->policy->rules[i].action == ACTION_ONLINE || d->policy->rules[i].fallback == ACTION_ONLINE;
        if (!concerned)
                return;
        f = doctor_find(d, "online-policy", SEVERITY_NOTICE, "The kernel has a ratio of its own for movable memory");
        finding_prove(f, sysfs_text_path(SYSFS_CMDLINE), 0, "memory_hotplug.online_policy=%s", value);
        finding_say(f, "Where the action is \"online\", and where the kernel brings memory online by itself, the zone is "
                       "chosen by memory_hotplug.auto_movable_ratio, not by the policy");
        finding_fix(f, "Use the action \"balance\", which counts alike and says why, or remove memory_hotplug.online_policy");
}

void doctor_check_kernel_online(struct doctor *d) {
        char word[AUTO_ONLINE_WORD_MAX];
        bool onlines;
        int r;

        r = sysfs_read_auto_online(d->fs, word);
        if (r < 0) {
                if (r != -ENOENT) /* old kernels have none, and do nothing */
                        doctor_skip(d, "what the kernel does with new memory", "%s: %s", sysfs_auto_online_path(), strerror(-r));
                return;
        }
        onlines = strcmp(word, "offline") != 0;
        if (!onlines)
                find_default_state(d);
        else if (d->client && !d->policy) /* it runs by one that nobody can read any more, and that may want so */
                doctor_skip(d, "whether the kernel is to bring new memory online", "the configuration has errors");
        else if (!is_delegated(d, word))
                find_kernel_online(d, word);
        find_online_policy(d, onlines);
}

/* ---- programs ----------------------------------------------------------------------------------------------------- */

/* A file below /etc replaces one of the same name elsewhere. */
static void fix_rule(struct finding *f, const struct rival *r) {
        static const char import[] = "memhpctl import-udev tells it as a policy";

        if (strncmp(r->file, "/etc/", 5) == 0)
                finding_fix(f, "Remove the rule in line %u of %s (%s), then: udevadm control --reload", r->line, r->file, import);
        else
                finding_fix(f, "cp %s /etc/udev/rules.d/ and remove the rule in line %u from the copy, which replaces the "
                               "original (%s); then: udevadm control --reload", r->file, r->line, import);
}

static void find_rule(struct doctor *d, const struct rival *r) {
        const bool takes_offline = strstr(r->text, "=\"offline\"") || strstr(r->text, "=\"0\"");
        const char *what = takes_offline ? "takes new memory offline" : "brings new memory online";
        struct finding *f;

        if (r->certain)
                f = doctor_find(d, "udev-rule", SEVERITY_ERROR, "A udev rule %s", what);
        else
                f = doctor_find(d, "udev-rule", SEVERITY_WARNING, "A udev rule %s, if it applies, which cannot be known "
                                                                  "here", what);
        finding_prove(f, r->file, r->line, "%s", r->text);
        if (takes_offline)
                finding_say(f, "memhpd takes it for an administrator's wish and leaves that memory alone");
        else
                finding_say(f, "Whoever comes first decides: memory may be in another zone than the policy wants, or be "
                               "online though the policy leaves it offline. memhpd reports that as a lost race");
        fix_rule(f, r);
}

static void find_program(struct doctor *d, const struct rival *r) {
        struct finding *f;

        f = doctor_find(d, "udev-program", SEVERITY_WARNING, "A udev rule runs a program for new memory that looks as if "
                                                             "it brought it online");
        finding_prove(f, r->file, r->line, "%s", r->text);
        finding_say(f, "Whoever comes first decides the zone; memhpd reports what it loses as a lost race");
        fix_rule(f, r);
}

static void find_daxctl(struct doctor *d, const struct rivals *all, const struct rival *r) {
        bool rule = strncmp(r->text, "[", 1) != 0;
        struct finding *f;

        f = doctor_find(d, "daxctl", SEVERITY_ERROR, "daxctl brings the memory of dax devices online when they appear");
        finding_prove(f, r->file, r->line, "%s", r->text);
        if (!rule)
                finding_prove(f, all->daxctl_file, all->daxctl_line, "%s", "hands dax devices to daxctl");
        finding_say(f, "That memory goes to the zone that daxctl chooses, Movable unless told otherwise, whatever the "
                       "rules say about pmem, cxl, hmem and dax");
        if (rule)
                finding_fix(f, "Add --no-online to the command: daxctl then only makes it memory, and memhpd decides the "
                               "rest. Then: udevadm control --reload");
        else
                finding_fix(f, "Add online = false to the section %s of %s: daxctl then only makes it memory, and memhpd "
                               "decides the rest", r->text, r->file);
}

static void find_unit(struct doctor *d, const struct rival *r) {
        const char *name = strrchr(r->file, '/') + 1;
        struct finding *f;

        f = doctor_find(d, "unit", SEVERITY_WARNING, "The enabled unit %s brings memory online", name);
        finding_prove(f, r->file, r->line, "%s", r->text);
        finding_say(f, "When it is started, memory goes to the zone that its command chooses, and what the policy leaves "
                       "offline comes online");
        finding_fix(f, "systemctl disable --now %s, or systemctl edit it so that it leaves memory offline (daxctl: "
                       "--no-online)", name);
}

void doctor_check_rivals(struct doctor *d) {
        _cleanup_(rivals_done) struct rivals rivals = {};

        if (rivals_find(d->fs, &rivals) < 0)
                out_of_memory();
        for (size_t i = 0; i < rivals.n; i++) {
                const struct rival *r = &rivals.items[i];

                switch (r->kind) {
                case RIVAL_RULE:
                        find_rule(d, r);
                        break;
                case RIVAL_PROGRAM:
                        find_program(d, r);
                        break;
                case RIVAL_DAXCTL:
                        find_daxctl(d, &rivals, r);
                        break;
                default:
                        find_unit(d, r);
                }
        }
        if (rivals.unread)
                doctor_skip(d, "some udev rules and units", "%s: %s", rivals.unread, strerror(-rivals.unread_error));
}
