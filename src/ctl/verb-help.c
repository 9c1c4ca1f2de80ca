/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/verb.h"

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

void help_print_overview(void) {
        puts("Usage: memhpctl [OPTION ...] VERB [ARGUMENT]\n\n"
             "Memory blocks: what the hot-plug policy does with them, and to do it by hand.\n\n"
             "Verbs:");
        for (size_t i = 0; i < n_verbs; i++) {
                _cleanup_free_ char *usage = format_text("%s%s%s", verbs[i].name, *verbs[i].arguments ? " " : "", verbs[i].arguments);

                if (!(verbs[i].flags & VERB_HIDDEN))
                        print_item(usage, 17, verbs[i].help);
        }
        print_selectors();
        options_print_help(~0u);
        puts("\nExit status: 0 done, 1 failed, 2 usage, 3 daemon not running, 64 partly done.\n"
             "\"memhpctl help VERB\" tells more; so does memhpctl(1).");
}

void help_print_verb(const struct verb *v) {
        printf("Usage: memhpctl [OPTION ...] %s%s%s\n\n", v->name, *v->arguments ? " " : "", v->arguments);
        print_paragraph(0, "%c%s.", v->help[0] & ~0x20, v->help + 1);
        if (v->flags & VERB_SELECTOR)
                print_selectors();
        if (v->flags & VERB_SPEC)
                print_specs();
        options_print_help(v->options);
        if (!v->columns)
                return;
        puts("\nColumns:");
        for (size_t i = 0; i < v->columns->n; i++)
                print_item(v->columns->items[i].name, 10, v->columns->items[i].help);
}

enum status verb_help(const struct options *o, char *const *args) {
        const struct verb *v;

        (void) o;
        if (!args[0]) {
                help_print_overview();
                return STATUS_DONE;
        }
        v = verb_find(args[0]);
        if (!v)
                return STATUS_USAGE;
        help_print_verb(v);
        return STATUS_DONE;
}
