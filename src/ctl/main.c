/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "memhp-build.h"
#endif

#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "core/block.h"
#include "core/words.h"
#include "ctl/verb.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(unknown version)"
#endif

static enum status verb_help(const struct options *o, char *const *args);

enum {
        VERB_SELECTOR = 1 << 0, /* its argument is a selector: help explains them */
        VERB_SPEC = 1 << 1,     /* its arguments are hypothetical hot-adds */
};

static const struct verb {
        const char *name;
        const char *arguments;
        const char *help;
        verb_function run;
        unsigned min_args, max_args;
        unsigned options; /* enum option_group */
        unsigned flags;
        const struct column_set *columns;
} verbs[] = {
        { "list", "[SEL]", "memory blocks as merged ranges", verb_list, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_SPLIT | OPTIONS_ALL, VERB_SELECTOR, &list_columns },
        { "show", "SEL", "all facts of each block, and a summary of a device or node", verb_show, 1, 1,
          0, VERB_SELECTOR, NULL },
        { "explain", "SEL", "what the policy wants for each block, by which rule, and why", verb_explain, 1, 1,
          OPTIONS_ALL, VERB_SELECTOR, NULL },
        { "simulate", "SPEC...", "what the policy would do with memory that is not plugged yet", verb_simulate, 1, UINT_MAX,
          OPTIONS_COLUMNS, VERB_SPEC, &simulate_columns },
        { "zones", "[NODE]", "the memory of each zone, and its watermarks", verb_zones, 0, 1,
          OPTIONS_COLUMNS | OPTIONS_ALL, 0, &zones_columns },
        { "buddy", "[NODE]", "free blocks of each order in each zone", verb_buddy, 0, 1,
          OPTIONS_COLUMNS, 0, &buddy_columns },
        { "check", "[FILE]", "check a configuration, the system's or this file", verb_check, 0, 1,
          0, 0, NULL },
        { "hold", "[SEL [REASON]]", "let new blocks wait; without a selector, list what waits", verb_hold, 0, 2,
          OPTIONS_COLUMNS | OPTIONS_FOR, VERB_SELECTOR, &hold_columns },
        { "release", "ID", "end a hold, or all of them", verb_release, 1, 1,
          0, 0, NULL },
        { "help", "[VERB]", "what memhpctl can do, or one of its verbs", verb_help, 0, 1,
          0, 0, NULL },
};

static const struct verb *verb_find(const char *name) {
        const char *names[ARRAY_SIZE(verbs)], *close;

        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
                names[i] = verbs[i].name;
        }
        close = closest_word(name, names, ARRAY_SIZE(names));
        if (close)
                complain("%s: no such verb; did you mean \"%s\"?", name, close);
        else
                complain("%s: no such verb; \"memhpctl help\" lists them", name);
        return NULL;
}

static void print_selectors(void) {
        puts("\nSelectors (SEL):\n"
             "  32-63,70        blocks by their numbers\n"
             "  addr:4G-8G      blocks that overlap a range of addresses, its end excluded\n"
             "  node:1          blocks of a NUMA node, or of several: node:0-3,8\n"
             "  device:dax0.0   what was plugged as one unit\n"
             "  source:pmem     where the memory came from; several: source:pmem,cxl\n"
             "  add:3           one hot-add, by its number since boot\n"
             "  all             every block");
}

static void print_specs(void) {
        puts("\nHot-adds (SPEC): SOURCE:SIZE[@nodeN][@ADDRESS], in the order in which they come\n"
             "  dimm:64G@node1                a DIMM of node 1, behind all memory there is\n"
             "  virtio-mem:8G@node0           memory that comes block by block\n"
             "  cxl:128G@node2@0x1000000000   at this address");
}

static void print_overview(void) {
        puts("Usage: memhpctl [OPTION ...] VERB [ARGUMENT]\n\n"
             "Shows the memory blocks of this system and what the hot-plug policy does with them.\n\n"
             "Verbs:");
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                printf("  %-9s%-8s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
        print_selectors();
        options_print_help(OPTIONS_COLUMNS | OPTIONS_SPLIT | OPTIONS_ALL | OPTIONS_FOR);
        puts("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 daemon not running, 64 partly done.\n"
             "\"memhpctl help VERB\" tells more; so does memhpctl(1).");
}

static void print_verb(const struct verb *v) {
        printf("Usage: memhpctl [OPTION ...] %s %s\n\n%c%s.\n", v->name, v->arguments, v->help[0] & ~0x20, v->help + 1);
        if (v->flags & VERB_SELECTOR)
                print_selectors();
        if (v->flags & VERB_SPEC)
                print_specs();
        options_print_help(v->options);
        if (!v->columns)
                return;
        puts("\nColumns:");
        for (size_t i = 0; i < v->columns->n; i++)
                printf("  %-10s %s\n", v->columns->items[i].name, v->columns->items[i].help);
}

static enum status verb_help(const struct options *o, char *const *args) {
        const struct verb *v;

        (void) o;
        if (!args[0]) {
                print_overview();
                return STATUS_DONE;
        }
        v = verb_find(args[0]);
        if (!v)
                return STATUS_USAGE;
        print_verb(v);
        return STATUS_DONE;
}

static enum status run(struct options *o, char *const *words, unsigned n) {
        const struct verb *v;

        if (o->version) {
                printf("memhpctl %s\n", PACKAGE_VERSION);
                return STATUS_DONE;
        }
        if (n == 0 && o->help) {
                print_overview();
                return STATUS_DONE;
        }
        if (n == 0) {
                complain("a verb is missing; \"memhpctl help\" lists them");
                return STATUS_USAGE;
        }
        v = verb_find(words[0]);
        if (!v)
                return STATUS_USAGE;
        if (o->help) {
                print_verb(v);
                return STATUS_DONE;
        }
        if (n - 1 < v->min_args || n - 1 > v->max_args) {
                complain("%s: %s; usage: memhpctl %s %s", v->name,
                         n - 1 < v->min_args ? "an argument is missing" : "too many arguments", v->name, v->arguments);
                return STATUS_USAGE;
        }
        if (options_check(o, v->name, v->options) < 0)
                return STATUS_USAGE;
        o->verb = v->name;
        return v->run(o, words + 1);
}

int main(int argc, char **argv) {
        struct options o;
        enum status status;
        int n;

        setlocale(LC_CTYPE, "");
        /* A reader that went away is a failed write like any other: reported, not fatal. */
        signal(SIGPIPE, SIG_IGN);

        if (options_parse(argc, argv, &o, &n) < 0)
                return STATUS_USAGE;
        status = run(&o, argv, (unsigned) n);
        if (output_finish() < 0 && status == STATUS_DONE)
                status = STATUS_FAILED;
        return status;
}
