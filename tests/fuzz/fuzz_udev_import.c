/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/udev_import.h"

/* A file of udev rules that others write, twice: whatever it is, there is one rule for every machine, the last of them without
 * any condition, and what is told stands in the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct udev_import_file files[] = { { (const char *) data, size }, { (const char *) data, size } };
        const size_t n_lines = fuzz_lines(data, size);
        struct udev_import u;

        CLAIM(udev_import(files, 2, &u) == 0);
        CLAIM(u.n_rules > 0 && u.rules[u.n_rules - 1].platforms == 0 && u.rules[u.n_rules - 1].architectures == 0);
        for (size_t i = 0; i < u.n_rules; i++) {
                const struct udev_import_rule *r = &u.rules[i];

                CLAIM(action_to_string(r->action) && action_to_string(r->fallback));
                CLAIM(r->action != r->fallback || r->action == ACTION_LEAVE_OFFLINE);
                for (size_t k = 0; k < r->n_origins; k++)
                        CLAIM(r->origins[k].file < 2 && r->origins[k].line > 0 && r->origins[k].line <= n_lines);
        }
        for (size_t i = 0; i < u.n_notes; i++) {
                CLAIM(u.notes[i].at.file < 2 && u.notes[i].at.line > 0 && u.notes[i].at.line <= n_lines);
                CLAIM(udev_note_reason(u.notes[i].kind) && udev_note_consequence(u.notes[i].kind) && u.notes[i].subject);
        }
        udev_import_done(&u);
        return 0;
}
