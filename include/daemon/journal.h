/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the daemon speaks: structured lines to the journal if standard error leads there, else plain lines to it. */

#include "core/macro.h"

/* Lines that wait for a reader, once journal_start() was called; those beyond are counted and lost. */
#define JOURNAL_WAITING_MAX 64

struct journal_field {
        const char *name; /* FIELD_… of core/names.h */
        const char *value; /* NULL: the field is left out */
};

/* priority: as in <syslog.h>. text: one line, without the program's name. */
void journal_send(int priority, const char *message_id, const struct journal_field *fields, size_t n_fields,
                  const char *format, ...) _printf_(5, 6);

#define journal_print(priority, message_id, ...) journal_send(priority, message_id, NULL, 0, __VA_ARGS__)

/* From now on nobody who speaks waits for whoever listens, who may be stopped, or short of memory: a thread does. 0, or negative
 * errno: all is as before. */
int journal_start(void);
/* Until the lines that wait were taken, or a second has passed. Then the process had better end. */
void journal_stop(void);
