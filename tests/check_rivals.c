/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/cmdline.h"
#include "core/rivals.h"

#include "check_util.h"

/* What was found, in words: "udev-rule 3 certain; udev-program 7 maybe" */
struct found {
        char text[512];
        char last[256];
};

static void on_found(enum rival_kind kind, unsigned line, const char *text, bool certain, void *userdata) {
        struct found *f = userdata;
        size_t n = strlen(f->text);

        snprintf(f->text + n, sizeof(f->text) - n, "%s%s %u %s", n ? "; " : "", rival_kind_to_string(kind), line,
                 certain ? "certain" : "maybe");
        snprintf(f->last, sizeof(f->last), "%s", text);
}

static const struct rival_machine pc = { "x86_64", "QEMU", "Standard PC" }, unknown = {},
                                  hyperv = { "x86_64", "Microsoft Corporation", "Virtual Machine" },
                                  mainframe = { "s390x", NULL, NULL };

static void check_rules(const char *text, const struct rival_machine *m, const char *expected) {
        char *copy = check_copy(text, strlen(text));
        struct found f = {};
        unsigned line = 0;

        ck_assert_int_eq(rivals_in_rules(copy, strlen(text), m, on_found, &f, &line), 0);
        ck_assert_msg(strcmp(f.text, expected) == 0, "found \"%s\", not \"%s\", in\n%s", f.text, expected, text);
        free(copy);
}

/* As distributions have them. */
#define JUMPS                                                                  \
        "# Memory hotadd request\n"                                            \
        "SUBSYSTEM!=\"memory\", GOTO=\"memory_hotplug_end\"\n"                 \
        "ACTION!=\"add\", GOTO=\"memory_hotplug_end\"\n"                       \
        "PROGRAM=\"/bin/uname -p\", RESULT==\"s390*\", GOTO=\"memory_hotplug_end\"\n" \
        "\n"                                                                   \
        "ENV{.state}=\"online\"\n"                                             \
        "PROGRAM=\"/bin/systemd-detect-virt\", RESULT==\"none\", ENV{.state}=\"online_movable\"\n" \
        "ATTR{state}==\"offline\", ATTR{state}=\"$env{.state}\"\n"             \
        "LABEL=\"memory_hotplug_end\"\n"

#define HYPERV                                                                 \
        "ATTR{[dmi/id]sys_vendor}==\"Microsoft Corporation\", ATTR{[dmi/id]product_name}==\"Virtual Machine\", " \
        "GOTO=\"apply\"\n" \
        "ATTR{[dmi/id]sys_vendor}==\"Xen\", GOTO=\"apply\"\n"                  \
        "GOTO=\"end\"\n"                                                       \
        "LABEL=\"apply\"\n"                                                    \
        "SUBSYSTEM==\"memory\", ACTION==\"add\", DEVPATH==\"/devices/system/memory/memory[0-9]*\", TEST==\"state\", " \
        "ATTR{state}!=\"online\", ATTR{state}=\"online\"\n"                    \
        "SUBSYSTEM==\"cpu\", ACTION==\"add\", TEST==\"online\", ATTR{online}!=\"1\", ATTR{online}=\"1\"\n" \
        "LABEL=\"end\"\n"

static const struct {
        const char *text;
        const struct rival_machine *machine;
        const char *expected;
} rows[] = {
        { "", &pc, "" },
        { "SUBSYSTEM==\"memory\", ACTION==\"add\", ATTR{state}==\"offline\", ATTR{state}=\"online_movable\"\n", &pc,
          "udev-rule 1 certain" },
        { "SUBSYSTEM==\"memory\", ATTR{online}=\"1\"", &pc, "udev-rule 1 certain" },
        { "KERNEL==\"memory[0-9]*\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        { "DEVPATH==\"/devices/system/memory/*\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        { "SUBSYSTEM==\"cpu|mem*\", ATTR{online}==\"0\", ATTR{online}=\"1\"", &pc, "udev-rule 1 certain" },
        { "SUBSYSTEMS==\"memory\", ATTR{state}:=\"online\"", &pc, "udev-rule 1 certain" },
        { "ACTION==\"add|change\", SUBSYSTEM!=\"cpu\", ATTR{online}==\"0\", ATTR{online}=\"1\"", &pc, "udev-rule 1 certain" },
        { "SUBSYSTEM==i\"MEMORY\", ATTR{state}=e\"on\\line\"", &pc, "udev-rule 1 certain" },
        { "  SUBSYSTEM == \"memory\" , ATTR{state} = \"online\"  \r\n", &pc, "udev-rule 1 certain" },
        /* not for memory, not when it is added, not this attribute, not understood by udev */
        { "SUBSYSTEM==\"cpu\", ACTION==\"add\", ATTR{online}==\"0\", ATTR{online}=\"1\"", &pc, "" },
        { "SUBSYSTEM!=\"memory\", ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ACTION==\"remove\", ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ATTR{state}==\"online\", ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ATTR{power/control}=\"on\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ATTR{state}==\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", DRIVER==\"?*\", ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM=\"memory\", ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ATTR{state}=online", &pc, "" },
        { "SUBSYSTEM==\"memory, ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\" ATTR{state=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ATTR{state}=\"online\\\"", &pc, "" },
        { "# SUBSYSTEM==\"memory\", ATTR{state}=\"online\"", &pc, "" },
        { "   #SUBSYSTEM==\"memory\", ATTR{state}=\"online\"", &pc, "" },
        /* lines that go on; comments between them; an end that never comes */
        { "SUBSYSTEM==\"memory\", \\\n  ACTION==\"add\", \\\n  ATTR{state}=\"online\"\n", &pc, "udev-rule 3 certain" },
        { "SUBSYSTEM==\"memory\", \\\n# no, \\\nATTR{state}=\"online\"\n", &pc, "udev-rule 3 certain" },
        { "# a comment \\\nSUBSYSTEM==\"memory\", ATTR{state}=\"online\"\n", &pc, "udev-rule 2 certain" },
        { "SUBSYSTEM==\"memory\", ATTR{state}=\"online\" \\\n", &pc, "" },
        { "SUBSYSTEM==\"cpu\", \\\nATTR{state}=\"online\"\nSUBSYSTEM==\"memory\", ATTR{state}=\"online\"", &pc,
          "udev-rule 3 certain" },
        { "KERNEL==\"m**e***m*[0-9]**\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        /* what cannot be known */
        { "KERNEL==\"*m*e*m*o*r*y*x*3*2*x*a*b*c*d*e*f*g*h*i*j*\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        { "SUBSYSTEM==\"memory\", ENV{MY_CHOICE}==\"yes\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        { "SUBSYSTEM==\"memory\", PROGRAM==\"/opt/ask\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        { "SUBSYSTEM==\"memory\", TEST==\"/etc/do-it\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        { "SUBSYSTEM==\"memory\", CONST{virt}==\"kvm\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        { "SUBSYSTEM==\"memory\", ATTR{valid_zones}==\"*Movable*\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        /* the machine */
        { "SUBSYSTEM==\"memory\", PROGRAM=\"/usr/bin/uname -m\", RESULT!=\"s390x\", ATTR{state}=\"online\"", &pc,
          "udev-rule 1 certain" },
        { "SUBSYSTEM==\"memory\", PROGRAM=\"/usr/bin/uname -m\", RESULT!=\"s390x\", ATTR{state}=\"online\"", &mainframe, "" },
        { "SUBSYSTEM==\"memory\", PROGRAM=\"/usr/bin/uname -m\", RESULT!=\"s390x\", ATTR{state}=\"online\"", &unknown,
          "udev-rule 1 maybe" },
        { "SUBSYSTEM==\"memory\", CONST{arch}==\"x86*\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        { "SUBSYSTEM==\"memory\", CONST{arch}==\"x86*\", ATTR{state}=\"online\"", &mainframe, "" },
        { "SUBSYSTEM==\"memory\", PROGRAM=\"uname -i\", RESULT==\"x86_64\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        { "SUBSYSTEM==\"memory\", PROGRAM=\"uname -r\", RESULT==\"6.*\", ATTR{state}=\"online\"", &pc, "udev-rule 1 maybe" },
        /* other names of the same */
        { "KERNELS==\"memory*\", SUBSYSTEMS==\"memory\", ATTRS{state}==\"offline\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        { "SUBSYSTEM==\"memory\", KERNELS==\"cpu*\", ATTR{state}=\"online\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", DRIVERS==\"?*\", ATTR{state}=\"online\"", &pc, "" },
        { "ENV{ACTION}==\"add\", ENV{SUBSYSTEM}==\"memory\", ENV{DEVPATH}==\"/devices/system/memory/*\", ATTR{state}=\"online\"", &pc,
          "udev-rule 1 certain" },
        { "ENV{SUBSYSTEM}==\"cpu\", ATTR{state}=\"online\"", &pc, "" },
        { "ENV{ACTION}==\"remove\", SUBSYSTEM==\"memory\", ATTR{state}=\"online\"", &pc, "" },
        /* jumps */
        { JUMPS, &pc, "udev-rule 8 certain" },
        { JUMPS, &mainframe, "" },
        { JUMPS, &unknown, "udev-rule 8 maybe" },
        { "SUBSYSTEM==\"*\", GOTO=\"memory_hotplug_end\"\n" JUMPS, &pc, "" },
        { HYPERV, &pc, "" },
        { HYPERV, &hyperv, "udev-rule 5 certain" },
        { HYPERV, &unknown, "udev-rule 5 maybe" },
        { "SUBSYSTEM!=\"block\", GOTO=\"end\"\nATTR{state}=\"online\"\nLABEL=\"end\"", &pc, "" },
        { "SUBSYSTEM!=\"block\", GOTO=\"nowhere\"\nATTR{state}=\"online\"", &pc, "udev-rule 2 certain" },
        { "SUBSYSTEM!=\"block\", GOTO=\"\"\nATTR{state}=\"online\"\nLABEL=\"\"", &pc, "udev-rule 2 certain" },
        { "SUBSYSTEM!=\"block\", GOTO=\"end\"\nATTR{state}=\"online\"\n# LABEL=\"end\"\n", &pc, "udev-rule 2 certain" },
        { "SUBSYSTEM!=\"block\", GOTO=\"end\"\nATTR{state}=\"online\"\nENV{A}=\"end\", LABEL = \"end\"\n", &pc, "" },
        /* it comes along here either way */
        { "ENV{A}==\"b\", GOTO=\"end\"\nENV{B}==\"c\", GOTO=\"end\"\nLABEL=\"end\"\nSUBSYSTEM==\"memory\", "
          "ATTR{state}=\"online\"",
          &pc, "udev-rule 4 certain" },
        { "ENV{A}==\"b\", GOTO=\"end\"\nSUBSYSTEM==\"memory\", ATTR{state}=\"online\"\nLABEL=\"end\"\n", &pc, "udev-rule 2 maybe" },
        { "LABEL=\"begin\", SUBSYSTEM==\"memory\", ATTR{state}=\"online\"", &pc, "udev-rule 1 certain" },
        /* programs */
        { "SUBSYSTEM==\"memory\", ACTION==\"add\", RUN+=\"/bin/sh -c 'echo online_movable > /sys$devpath/state'\"", &pc,
          "udev-program 1 certain" },
        { "SUBSYSTEM==\"memory\", PROGRAM=\"/bin/sh -c 'echo online > /sys$devpath/state'\"", &pc, "udev-program 1 certain" },
        { "SUBSYSTEM==\"memory\", RUN+=\"/usr/bin/chmem -e -b %n\"", &pc, "udev-program 1 certain" },
        { "SUBSYSTEM==\"memory\", RUN+=\"/usr/bin/logger not-online yet\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", RUN{builtin}+=\"kmod load online\"", &pc, "" },
        { "SUBSYSTEM==\"cpu\", RUN+=\"/bin/sh -c 'echo online > /sys$devpath/state'\"", &pc, "" },
        { "SUBSYSTEM==\"memory\", ACTION==\"online\", RUN+=\"/usr/lib/udev/kdump-throttle online\"", &pc, "" },
        /* dax devices */
        { "ACTION==\"add\", SUBSYSTEM==\"dax\", RUN+=\"/usr/bin/daxctl -C $env{DEVNAME}\"", &pc, "" },
        { "SUBSYSTEM==\"dax\", RUN+=\"/usr/bin/daxctl reconfigure-device -m system-ram %k\"", &pc, "daxctl 1 certain" },
        { "SUBSYSTEM==\"dax\", RUN+=\"/usr/bin/daxctl reconfigure-device -m system-ram --no-online %k\"", &pc, "" },
        { "SUBSYSTEM==\"dax\", RUN+=\"/usr/bin/daxctl reconfigure-device -N -m system-ram %k\"", &pc, "" },
        { "SUBSYSTEM==\"dax\", RUN+=\"/usr/bin/daxctl online-memory %k\"", &pc, "daxctl 1 certain" },
        { "SUBSYSTEM==\"block\", RUN+=\"/usr/bin/daxctl online-memory %k\"", &pc, "" },
};

START_TEST(test_rules) {
        check_rules(rows[_i].text, rows[_i].machine, rows[_i].expected);
}
END_TEST

START_TEST(test_text) {
        const char text[] = "SUBSYSTEM==\"memory\", ATTR{state}=\"online\"\nSUBSYSTEM==\"memory\", RUN+=\"x online\"\n";
        struct found f = {};
        unsigned line = 7;

        ck_assert_int_eq(rivals_in_rules(text, strcspn(text, "\n"), &pc, on_found, &f, &line), 0);
        ck_assert_str_eq(f.last, "ATTR{state}=\"online\"");
        ck_assert_int_eq(rivals_in_rules(text, strlen(text), &pc, on_found, &f, &line), 0);
        ck_assert_str_eq(f.last, "RUN+=\"x online\"");
        ck_assert_uint_eq(line, 7);
}
END_TEST

/* Devices are handed to daxctl, by itself or by a unit: its configuration decides. */
START_TEST(test_hand_over) {
        static const char *const texts[] = {
                "\nACTION==\"add\", SUBSYSTEM==\"dax\",\\\n  RUN+=\"/usr/bin/daxctl -C $env{DEVNAME}\"\n",
                "\nACTION==\"add\", SUBSYSTEM==\"dax\", TAG+=\"systemd\", \\\n"
                "  ENV{SYSTEMD_WANTS}=\"daxdev-reconfigure@$env{DEVNAME}.service\"\n",
        };
        struct found f = {};

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                unsigned line = 0;

                ck_assert_int_eq(rivals_in_rules(texts[i], strlen(texts[i]), &pc, on_found, &f, &line), 0);
                ck_assert_uint_eq(line, 3);
        }
        ck_assert_str_eq(f.text, "");
}
END_TEST

START_TEST(test_daxctl_conf) {
        static const struct {
                const char *text, *expected;
        } confs[] = {
                { "", "" },
                { "# [reconfigure-device a]\n# mode = system-ram\n", "" },
                { "[reconfigure-device a]\nnvdimm.uuid = 1\nmode = system-ram\nonline = true\n", "daxctl 3 certain" },
                { "[reconfigure-device a]\nmode=system-ram", "daxctl 2 certain" },
                { "[reconfigure-device a]\nmode = system-ram\nonline = false\n", "" },
                { "[reconfigure-device a]\nonline = false\nmode = system-ram\n[reconfigure-device b]\nmode = system-ram\n",
                  "daxctl 5 certain" },
                { "[reconfigure-device a]\nmode = devdax\n", "" },
                { "[something-else]\nmode = system-ram\n", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(confs); i++) {
                char *copy = check_copy(confs[i].text, strlen(confs[i].text));
                struct found f = {};

                ck_assert_int_eq(rivals_in_daxctl_conf(copy, strlen(confs[i].text), on_found, &f), 0);
                ck_assert_str_eq(f.text, confs[i].expected);
                free(copy);
        }
}
END_TEST

START_TEST(test_unit) {
        static const struct {
                const char *text, *expected;
        } units[] = {
                { "[Service]\nExecStart=/usr/bin/daxctl online-memory all\n", "unit 2 certain" },
                { "[Service]\nExecStart=/usr/bin/daxctl reconfigure-device \\\n  --mode=system-ram dax0.0\n", "unit 2 certain" },
                { "[Service]\nExecStart=/usr/bin/daxctl reconfigure-device \\\n; no\n  --no-online --mode=system-ram "
                  "dax0.0\n", "" },
                { "[Service]\nExecStartPost=/bin/sh -c 'for b in /sys/devices/system/memory/memory*; do echo online > "
                  "$b/state; done'\n",
                  "unit 2 certain" },
                { "[Service]\nExecStart=/bin/sh -c 'echo online > /sys/devices/system/memory/auto_online_blocks'", "unit 2 certain" },
                { "[Service]\nExecStart=/usr/bin/chmem --enable 4g\n", "unit 2 certain" },
                { "[Service]\nExecStart=/usr/bin/chmem -d 4g\n", "" },
                { "[Service]\nExecStart=/bin/sh -c 'cat /sys/devices/system/memory/memory1/valid_zones'\n", "" },
                { "[Service]\nExecStart=/bin/sh -c 'tee /sys/devices/system/memory/auto_online_blocks </etc/choice'\n", "unit 2 certain" },
                { "[Service]\nExecStart=/usr/bin/daxctl list\nReadWritePaths=/sys/devices/system/memory/online\n", "" },
                { "[Service]\n#ExecStart=/usr/bin/daxctl online-memory all\nDescription=daxctl online-memory\n", "" },
                { "[Unit]\nAfter=network-online.target\n[Service]\nExecStart=/usr/bin/memory-thing online\n", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                char *copy = check_copy(units[i].text, strlen(units[i].text));
                struct found f = {};

                ck_assert_int_eq(rivals_in_unit(copy, strlen(units[i].text), on_found, &f), 0);
                ck_assert_msg(strcmp(f.text, units[i].expected) == 0, "unit %zu: found \"%s\"", i, f.text);
                free(copy);
        }
}
END_TEST

START_TEST(test_cmdline) {
        static const struct {
                const char *text, *value; /* NULL: it is not there */
        } lines[] = {
                { "", NULL },
                { "\n", NULL },
                { "quiet ro", NULL },
                { "memhp_default_state=online", "online" },
                { "quiet memhp_default_state=online_movable ro\n", "online_movable" },
                { "memhp-default-state=online", "online" },
                { "\"memhp_default_state=online\"", "online" },
                { "memhp_default_state=\"two words\" x", "two words" },
                { "a\r\v\f\rmemhp_default_state=online\r", "online" },
                { "memhp_default_state", "" },
                { "memhp_default_state=", "" },
                { "memhp_default_state=online memhp_default_state=offline", "offline" },
                { "memhp_default_states=online xmemhp_default_state=online memhp_default=online", NULL },
                { "quiet -- memhp_default_state=online", NULL },
                { "a=\"memhp_default_state=online\"", NULL },
                { "a=\"x memhp_default_state=online", NULL },
        };
        char long_line[200] = "memhp_default_state=";

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                char value[CMDLINE_VALUE_MAX] = "untouched";
                bool found = cmdline_find(lines[i].text, "memhp_default_state", value);

                ck_assert_msg(found == (lines[i].value != NULL), "line %zu: %s", i, lines[i].text);
                ck_assert_str_eq(value, lines[i].value ? lines[i].value : "untouched");
        }
        memset(long_line + strlen(long_line), 'x', 150);
        {
                char value[CMDLINE_VALUE_MAX];

                ck_assert(cmdline_find(long_line, "memhp_default_state", value));
                ck_assert_uint_eq(strlen(value), CMDLINE_VALUE_MAX - 1);
        }
}
END_TEST

/* Whatever stands in the file: no byte beyond it is read. */
START_TEST(test_garbage) {
        static const char alphabet[] = "SUBSYTEM=\"\"memory,ATR{state}online\\\n# !+:|*[";
        struct prng r = { 17 };

        for (unsigned run = 0; run < 20000; run++) {
                size_t n = prng_below(&r, 200);
                char text[200], *copy;
                struct found f = {};
                unsigned line = 0;

                for (size_t i = 0; i < n; i++)
                        text[i] = prng_below(&r, 60) ? alphabet[prng_below(&r, sizeof(alphabet) - 1)] : (char) prng_next(&r);
                if (n > 60 && prng_below(&r, 2))
                        memcpy(text + prng_below(&r, 10), "SUBSYSTEM==\"memory\", ATTR{state}=\"online\"", 41);
                copy = check_copy(text, n);
                CHECK(rivals_in_rules(copy, n, &pc, on_found, &f, &line) == 0);
                CHECK(rivals_in_daxctl_conf(copy, n, on_found, &f) == 0);
                CHECK(rivals_in_unit(copy, n, on_found, &f) == 0);
                free(copy);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("rivals");
        TCase *rules = check_case(s, "rules"), *others = check_case(s, "others");

        tcase_add_loop_test(rules, test_rules, 0, ARRAY_SIZE(rows));
        tcase_add_test(rules, test_text);
        tcase_add_test(rules, test_hand_over);
        tcase_add_test(rules, test_garbage);
        tcase_add_test(others, test_daxctl_conf);
        tcase_add_test(others, test_unit);
        tcase_add_test(others, test_cmdline);
        return check_run(s);
}
