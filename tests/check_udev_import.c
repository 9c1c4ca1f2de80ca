/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>

#include "core/udev_import.h"

#include "check_util.h"

/* "baremetal: online_movable @10,11" for each rule, "write 3 KEY" for each note. */
struct told {
        char rules[512], notes[512];
};

static void put(char *buf, size_t size, const char *format, ...) _printf_(3, 4);
static void put(char *buf, size_t size, const char *format, ...) {
        size_t n = strlen(buf);
        va_list ap;

        va_start(ap, format);
        vsnprintf(buf + n, size - n, format, ap);
        va_end(ap);
}

static void put_rule(const struct udev_import_rule *r, char *buf, size_t size) {
        const platform_mask words = r->platforms | r->architectures;
        const char *separator = "";

        put(buf, size, "%s", *buf ? "; " : "");
        for (enum platform p = 0; p < _PLATFORM_MAX; p++)
                if (words & PLATFORM_BIT(p)) {
                        put(buf, size, "%s%s", separator, platform_to_string(p));
                        separator = "+";
                }
        put(buf, size, "%s%s", words ? ": " : "", action_to_string(r->action));
        if (r->fallback != ACTION_LEAVE_OFFLINE)
                put(buf, size, "/%s", action_to_string(r->fallback));
        for (size_t i = 0; i < r->n_origins; i++)
                put(buf, size, "%s%u", i ? "," : " @", r->origins[i].line);
}

static void translate(const char *text, struct told *ret) {
        static const char *const kinds[_UDEV_NOTE_MAX] = {
                [UDEV_NOTE_WRITE] = "write", [UDEV_NOTE_VALUE] = "value",   [UDEV_NOTE_JUMP] = "jump",
                [UDEV_NOTE_WORD] = "word",   [UDEV_NOTE_NEVER] = "never",   [UDEV_NOTE_NUMBER] = "number",
                [UDEV_NOTE_AGAIN] = "again", [UDEV_NOTE_PROGRAM] = "program", [UDEV_NOTE_EXIT] = "exit",
        };
        size_t size = strlen(text);
        char *copy = check_copy(text, size);
        const struct udev_import_file file = { copy, size };
        struct udev_import u;

        memset(ret, 0, sizeof(*ret));
        ck_assert_int_eq(udev_import(&file, 1, &u), 0);
        for (size_t i = 0; i < u.n_rules; i++)
                put_rule(&u.rules[i], ret->rules, sizeof(ret->rules));
        for (size_t i = 0; i < u.n_notes; i++) {
                ck_assert_ptr_nonnull(udev_note_reason(u.notes[i].kind));
                ck_assert_ptr_nonnull(udev_note_consequence(u.notes[i].kind));
                put(ret->notes, sizeof(ret->notes), "%s%s %u %s", i ? "; " : "", kinds[u.notes[i].kind], u.notes[i].at.line,
                    u.notes[i].subject);
        }
        udev_import_done(&u);
        free(copy);
}

/* The forms of distributions, told again. */
#define REDHAT_7                                                                           \
        "SUBSYSTEM!=\"memory\", ACTION!=\"add\", GOTO=\"hotplug_end\"\n"                   \
        "PROGRAM=\"/bin/uname -p\", RESULT==\"s390*\", GOTO=\"hotplug_end\"\n"             \
        "ENV{.state}=\"online\"\n"                                                         \
        "PROGRAM=\"/bin/systemd-detect-virt\", RESULT==\"none\", ENV{.state}=\"online_movable\"\n" \
        "ATTR{state}==\"offline\", ATTR{state}=\"$env{.state}\"\n"                         \
        "LABEL=\"hotplug_end\"\n"

#define REDHAT_8                                            \
        "# memory that comes later\n"                       \
        "SUBSYSTEM!=\"memory\", GOTO=\"hotplug_end\"\n"     \
        "ACTION!=\"add\", GOTO=\"hotplug_end\"\n"           \
        "CONST{arch}==\"s390*\", GOTO=\"hotplug_end\"\n"    \
        "CONST{arch}==\"ppc64*\", GOTO=\"hotplug_end\"\n"   \
        "\n"                                                \
        "ENV{.state}=\"online\"\n"                          \
        "CONST{virt}==\"none\", ENV{.state}=\"online_movable\"\n" \
        "ATTR{state}==\"offline\", ATTR{state}=\"$env{.state}\"\n" \
        "\n"                                                \
        "LABEL=\"hotplug_end\"\n"

#define SUSE                                                                                       \
        "SUBSYSTEM==\"cpu\", ACTION==\"add\", TEST==\"online\", ATTR{online}==\"0\", ATTR{online}=\"1\"\n" \
        "SUBSYSTEM==\"memory\", ACTION==\"add\", PROGRAM==\"/bin/sh -c '/usr/bin/systemd-detect-virt || :'\", " \
        "RESULT!=\"zvm\", ATTR{state}==\"offline\", ATTR{state}=\"online\"\n"

#define UBUNTU                                                                                     \
        "ATTR{[dmi/id]sys_vendor}==\"Microsoft Corporation\", ATTR{[dmi/id]product_name}==\"Virtual Machine\", " \
        "GOTO=\"apply\"\n"                                                                         \
        "ATTR{[dmi/id]sys_vendor}==\"Xen\", GOTO=\"apply\"\n"                                      \
        "GOTO=\"end\"\n"                                                                           \
        "LABEL=\"apply\"\n"                                                                        \
        "SUBSYSTEM==\"memory\", ACTION==\"add\", DEVPATH==\"/devices/system/memory/memory[0-9]*\", " \
        "TEST==\"state\", ATTR{state}!=\"online\", ATTR{state}=\"online\"\n"                       \
        "LABEL=\"end\"\n"

#define MEMORY "SUBSYSTEM==\"memory\", ACTION==\"add\", ATTR{state}==\"offline\", "
#define ONLINE "ATTR{state}=\"online\"\n"
#define MOVABLE "ATTR{state}=\"online_movable\"\n"

static const struct {
        const char *text, *rules, *notes;
} rows[] = {
        { REDHAT_8, "ppc64+ppc64-le+s390x: leave_offline @4,5; baremetal: online_movable @8,9; online @7,9", "" },
        /* systemd-detect-virt exits with 1 where there is nothing: udev never gets to "none" */
        { REDHAT_7, "s390x: leave_offline @2; online @3,5", "exit 4 systemd-detect-virt; again 5 the write" },
        { SUSE, "zvm: leave_offline; online @2", "" },
        { UBUNTU, "microsoft+xen: online @1,2,5; leave_offline", "" },
        /* by state, movable or not */
        { MEMORY ONLINE, "online @1", "" },
        { MEMORY MOVABLE, "online_movable @1", "" },
        { MEMORY "ATTR{state}=\"online_kernel\"\n", "online_kernel @1", "" },
        { MEMORY "ATTR{online}=\"1\"\n", "online @1", "" },
        { MEMORY MOVABLE MEMORY ONLINE, "online_movable/online @1,2", "" },
        { MEMORY ONLINE MEMORY MOVABLE MEMORY "ATTR{state}=\"online_kernel\"\n", "online/online_movable @1,2", "" },
        { MEMORY ONLINE MEMORY ONLINE, "online @1", "" },
        { MEMORY "ATTR{state}=e\"\\x6fnline\\137movable\"\n", "online_movable @1", "" },
        { MEMORY "ATTR{state}=\"\\x6fnline\"\n", "leave_offline", "word 1 ATTR{state}=\"\\x6fnline\"" },
        { MEMORY "\\\n  # yes\n  ATTR{state}:=e\"online_\\movable\"\n", "online_movable @3", "" },
        { MEMORY "ATTR{state}=\"offline\"\n", "leave_offline", "" },
        { "SUBSYSTEM==\"cpu\", ATTR{online}=\"1\"\n", "leave_offline", "" },
        { "", "leave_offline", "" },
        /* by machine */
        { MEMORY "CONST{virt}==\"none\", " MOVABLE, "baremetal: online_movable @1; leave_offline", "" },
        { MEMORY "CONST{virt}!=\"none\", " MOVABLE, "baremetal: leave_offline; online_movable @1", "" },
        { MEMORY "CONST{virt}==\"kvm|qemu\", " ONLINE, "kvm+qemu: online @1; leave_offline", "" },
        { MEMORY "CONST{arch}==\"x86-64\", " ONLINE, "x86-64: online @1; leave_offline", "" },
        { MEMORY "CONST{arch}==\"arm64\", CONST{virt}==\"kvm\", " ONLINE, "kvm+arm64: online @1; arm64: leave_offline; leave_offline", "" },
        { "CONST{virt}==\"microsoft\", GOTO=\"end\"\n" MEMORY ONLINE "LABEL=\"end\"\n", "microsoft: leave_offline @1; online @2", "" },
        { "PROGRAM==\"/usr/bin/systemd-detect-virt --vm\", RESULT==\"kvm\", " MEMORY ONLINE, "kvm: online @1; leave_offline", "" },
        { "PROGRAM==\"/bin/sh -c 'uname -m'\", RESULT==\"aarch64\", " MEMORY ONLINE, "arm64: online @1; leave_offline", "" },
        { "CONST{virt}==\"kvm\", GOTO=\"nowhere\"\n" MEMORY ONLINE, "online @2", "" },
        /* what no policy can say */
        { MEMORY "ATTR{valid_zones}==\"*Movable*\", " MOVABLE, "leave_offline", "write 1 ATTR{valid_zones}==\"*Movable*\"" },
        { MEMORY "TEST==\"/etc/do-it\", " ONLINE, "leave_offline", "write 1 TEST==\"/etc/do-it\"" },
        { "PROGRAM==\"grep online /sys/x\", GOTO=\"end\"\n" MEMORY ONLINE "LABEL=\"end\"\n", "online @2",
          "jump 1 PROGRAM==\"grep online /sys/x\"; program 1 PROGRAM=\"grep online /sys/x\"" },
        { MEMORY ONLINE "ENV{A}==\"b\", GOTO=\"end\"\nLABEL=\"end\"\n", "online @1", "" }, /* nothing comes after it */
        { "ENV{.state}=\"online\"\nENV{MY}==\"1\", ENV{.state}=\"online_movable\"\n" MEMORY "ATTR{state}=\"$env{.state}\"\n",
          "online @1,3", "value 2 ENV{MY}==\"1\"" },
        { "ENV{.state}=\"online\"\nENV{.state}==\"online\", " MEMORY "ATTR{state}=\"%E{.state}\"\n", "online @1,2", "" },
        { MEMORY "ATTR{state}=\"$attr{wish}\"\n", "leave_offline", "word 1 ATTR{state}=\"$attr{wish}\"" },
        { MEMORY "ATTR{state}=\"on\"\n", "leave_offline", "word 1 ATTR{state}=\"on\"" },
        { MEMORY "CONST{virt}==\"parallels\", " ONLINE, "leave_offline", "never 1 CONST{virt}==\"parallels\"" },
        { MEMORY "CONST{virt}!=\"parallels\", " ONLINE, "online @1", "never 1 CONST{virt}==\"parallels\"" },
        { MEMORY "ATTR{[dmi/id]sys_vendor}==\"Dell Inc.\", " ONLINE, "leave_offline",
          "never 1 ATTR{[dmi/id]sys_vendor}==\"Dell Inc.\"" },
        { MEMORY "ATTR{[dmi/id]board_name}==\"x\", " ONLINE, "leave_offline", "write 1 ATTR{[dmi/id]board_name}==\"x\"" },
        { MEMORY "KERNEL==\"memory3[0-9]\", " ONLINE, "leave_offline", "number 1 the write" },
        { MEMORY "KERNEL==\"memory7\", " ONLINE, "leave_offline", "number 1 the write" },
        { MEMORY "KERNEL==\"memory[0-9]*\", " ONLINE, "online @1", "" },
        { "SUBSYSTEM==\"memory\", ATTR{state}==\"offline\", " ONLINE, "online @1", "again 1 the write" },
        { "SUBSYSTEM==\"memory\", ACTION==\"add|offline\", " ONLINE, "online @1", "again 1 the write" },
        { MEMORY "RUN+=\"/bin/sh -c 'echo online > /sys$devpath/state'\"\n", "leave_offline",
          "program 1 RUN+=\"/bin/sh -c 'echo online > /sys$devpath/state'\"" },
        { MEMORY "RUN+=\"/usr/lib/kdump-reload\"\n", "leave_offline", "" },
};

START_TEST(test_rows) {
        struct told told;

        translate(rows[_i].text, &told);
        ck_assert_msg(strcmp(told.rules, rows[_i].rules) == 0, "rules \"%s\", not \"%s\", of\n%s", told.rules, rows[_i].rules, rows[_i].text);
        ck_assert_msg(strcmp(told.notes, rows[_i].notes) == 0, "notes \"%s\", not \"%s\", of\n%s", told.notes, rows[_i].notes, rows[_i].text);
}
END_TEST

/* What the policy decides on a machine is what udev's rules wrote there: for every machine, and rules that look random. */
static enum action decide(const struct udev_import *u, platform_mask machine, enum action *ret_fallback) {
        for (size_t i = 0; i < u->n_rules; i++) {
                const struct udev_import_rule *r = &u->rules[i];

                if ((!r->platforms || (r->platforms & machine)) && (!r->architectures || (r->architectures & machine))) {
                        *ret_fallback = r->fallback;
                        return r->action;
                }
        }
        ck_abort_msg("no rule is about the machine");
}

START_TEST(test_fewest_rules) {
        static const enum action actions[] = { _ACTION_INVALID, ACTION_ONLINE, ACTION_ONLINE_MOVABLE };
        struct prng p = { 91 };

        for (unsigned round = 0; round < 3000; round++) {
                struct udev_outcome outcomes[UDEV_ARCHITECTURES][UDEV_KINDS];
                unsigned choices = 1 + prng_below(&p, 3);
                struct udev_import u = {};

                for (size_t a = 0; a < UDEV_ARCHITECTURES; a++)
                        for (size_t k = 0; k < UDEV_KINDS; k++)
                                outcomes[a][k] = (struct udev_outcome) {
                                        .action = prng_below(&p, 4) ? actions[0] : actions[prng_below(&p, choices)],
                                        .fallback = prng_below(&p, 40) ? _ACTION_INVALID : ACTION_ONLINE_KERNEL,
                                };
                CHECK(udev_import_rules(outcomes, &u) == 0);
                for (size_t a = 0; a < UDEV_ARCHITECTURES; a++)
                        for (size_t k = 0; k < UDEV_KINDS; k++) {
                                const struct udev_outcome *o = &outcomes[a][k];
                                enum platform kind = udev_kind_platform(k);
                                enum action fallback, wanted = o->action < 0 ? ACTION_LEAVE_OFFLINE : o->action;
                                platform_mask machine = PLATFORM_BIT(PLATFORM_X86 + (enum platform) a) | PLATFORM_BIT(kind) |
                                                        (kind == PLATFORM_BAREMETAL ? 0 : PLATFORM_BIT(PLATFORM_VM));

                                CHECK(decide(&u, machine, &fallback) == wanted);
                                CHECK(fallback == (o->fallback < 0 ? ACTION_LEAVE_OFFLINE : o->fallback));
                        }
                udev_import_done(&u);
        }
}
END_TEST

START_TEST(test_several_files) {
        static const char first[] = MEMORY "CONST{virt}==\"none\", " MOVABLE, second[] = "\n" MEMORY ONLINE;
        const struct udev_import_file files[] = { { first, strlen(first) }, { second, strlen(second) } };
        struct udev_import u;

        ck_assert_int_eq(udev_import(files, 2, &u), 0);
        ck_assert(u.brings_online);
        ck_assert_uint_eq(u.n_rules, 2);
        ck_assert_uint_eq(u.rules[0].platforms, PLATFORM_BIT(PLATFORM_BAREMETAL));
        ck_assert_int_eq(u.rules[0].action, ACTION_ONLINE_MOVABLE);
        ck_assert_int_eq(u.rules[0].fallback, ACTION_ONLINE); /* the second file's, if the first one's fails */
        ck_assert_uint_eq(u.rules[0].n_origins, 2);
        ck_assert_uint_eq(u.rules[0].origins[1].file, 1);
        ck_assert_uint_eq(u.rules[0].origins[1].line, 2);
        ck_assert_int_eq(u.rules[1].action, ACTION_ONLINE);
        udev_import_done(&u);
        ck_assert_int_eq(udev_import(files, 0, &u), 0);
        ck_assert(!u.brings_online);
        ck_assert_uint_eq(u.n_rules, 1);
        udev_import_done(&u);
}
END_TEST

START_TEST(test_origins) {
        struct udev_origin origins[UDEV_ORIGINS_MAX];
        size_t n = 0;

        for (unsigned i = 0; i < 100; i++)
                udev_origins_add(origins, &n, (struct udev_origin) { 0, 100 - i % 40 });
        ck_assert_uint_eq(n, UDEV_ORIGINS_MAX);
        for (size_t i = 1; i < n; i++)
                ck_assert_uint_lt(origins[i - 1].line, origins[i].line);
}
END_TEST

int main(void) {
        Suite *s = suite_create("udev-import");
        TCase *c = check_case(s, "import");

        tcase_add_loop_test(c, test_rows, 0, ARRAY_SIZE(rows));
        tcase_add_test(c, test_fewest_rules);
        tcase_add_test(c, test_several_files);
        tcase_add_test(c, test_origins);
        return check_run(s);
}
