/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#define TEXT_MAX 2048
#define FIELDS_MAX 16

/* systemd.exec(5): $JOURNAL_STREAM names the device and inode of a stream that leads to the journal. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) >= 0 &&
               st.st_dev == device && st.st_ino == inode;
}

static bool send_structured(int priority, const char *message_id, const struct journal_field *fields, size_t n_fields,
                            const char *text) {
        char lines[FIELDS_MAX][320], message[TEXT_MAX + sizeof("MESSAGE=")], level[sizeof("PRIORITY=") + 4];
        struct iovec iov[FIELDS_MAX + 4];
        char id[64];
        int n = 0;

        snprintf(message, sizeof(message), "MESSAGE=%s", text);
        snprintf(level, sizeof(level), "PRIORITY=%d", priority);
        snprintf(id, sizeof(id), "MESSAGE_ID=%s", message_id);
        iov[n++] = (struct iovec) { message, strlen(message) };
        iov[n++] = (struct iovec) { level, strlen(level) };
        iov[n++] = (struct iovec) { id, strlen(id) };
        iov[n++] = (struct iovec) { (char *) "SYSLOG_IDENTIFIER=memhpd", strlen("SYSLOG_IDENTIFIER=memhpd") };
        for (size_t i = 0; i < n_fields && i < FIELDS_MAX; i++) {
                if (!fields[i].value)
                        continue;
                snprintf(lines[i], sizeof(lines[i]), "%s=%s", fields[i].name, fields[i].value);
                iov[n++] = (struct iovec) { lines[i], strlen(lines[i]) };
        }
        return sd_journal_sendv(iov, n) >= 0;
}

void journal_send(int priority, const char *message_id, const struct journal_field *fields, size_t n_fields,
                  const char *format, ...) {
        static int to_journal = -1;
        char text[TEXT_MAX];
        va_list ap;

        if (to_journal < 0)
                to_journal = stderr_is_journal();
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (!to_journal || !send_structured(priority, message_id, fields, n_fields, text))
                fprintf(stderr, "memhpd: %s\n", text);
}
