/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/cmdline.h"
#include "core/rivals.h"

static unsigned n_lines;

static void on_found(enum rival_kind kind, unsigned line, const char *text, bool certain, void *userdata) {
        (void) certain, (void) userdata;
        CLAIM(rival_kind_to_string(kind) && text && *text && line > 0 && line <= n_lines);
}

/* A file that others write, taken for each of those that are read; and a command line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct rival_machine machines[] = { { 0 }, { "x86_64", "QEMU", "Standard PC" } };
        const char *text = (const char *) data;
        char value[CMDLINE_VALUE_MAX], *copy = fuzz_string(data, size);

        n_lines = 1;
        for (size_t i = 0; i < size; i++)
                n_lines += text[i] == '\n';
        for (size_t i = 0; i < 2; i++) {
                unsigned line = 1;

                CLAIM(rivals_in_rules(text, size, &machines[i], on_found, NULL, &line) == 0);
                CLAIM(line > 0 && line <= n_lines);
        }
        CLAIM(rivals_in_daxctl_conf(text, size, on_found, NULL) == 0);
        CLAIM(rivals_in_unit(text, size, on_found, NULL) == 0);
        if (cmdline_find(copy, "memhp_default_state", value))
                CLAIM(memchr(value, 0, sizeof(value)));
        free(copy);
        return 0;
}
