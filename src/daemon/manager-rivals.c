/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "daemon/manager-internal.h"
#include "host/rivals.h"

#define TOLD_MAX 8

static void tell(const struct rival *r) {
        static const char *const what[_RIVAL_MAX] = {
                [RIVAL_RULE] = "a udev rule sets the state of new memory",
                [RIVAL_PROGRAM] = "a udev rule runs a program that seems to bring new memory online",
                [RIVAL_DAXCTL] = "daxctl brings the memory of dax devices online",
                [RIVAL_UNIT] = "an enabled unit brings memory online",
        };
        char line[16];
        const struct journal_field fields[] = { { FIELD_FILE, r->file }, { FIELD_LINE, line } };

        snprintf(line, sizeof(line), "%u", r->line);
        /* What stands in others' files goes to people's terminals. */
        for (char *p = r->text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        journal_send(r->certain ? LOG_WARNING : LOG_NOTICE, MESSAGE_RIVAL, fields, ARRAY_SIZE(fields),
                     "%s:%u: %s%s (%.200s): whoever comes first decides; \"memhpctl doctor\" tells what helps", r->file, r->line,
                     what[r->kind], r->certain ? "" : ", if it applies", r->text);
}

void manager_tell_rivals(const struct manager *m) {
        struct rivals rivals;

        (void) rivals_find(m->fs, &rivals); /* without memory, as many as there was room for */
        for (size_t i = 0; i < rivals.n && i < TOLD_MAX; i++)
                tell(&rivals.items[i]);
        if (rivals.n > TOLD_MAX)
                journal_print(LOG_WARNING, MESSAGE_RIVAL, "%zu more bring memory online; \"memhpctl doctor\" names them all",
                              rivals.n - TOLD_MAX);
        rivals_done(&rivals);
}
