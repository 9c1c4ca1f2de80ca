/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/journal-read.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "core/names.h"
#include "core/parse.h"

#define VALUE_MAX 2048

/* ---- one entry ---------------------------------------------------------------------------------------------------- */

/* "" where the entry has no such field. */
static const char *read_field(sd_journal *j, const char *name, char *buf, size_t size) {
        const void *data;
        size_t n, skip = strlen(name) + 1;

        *buf = '\0';
        if (sd_journal_get_data(j, name, &data, &n) < 0 || n < skip)
                return buf;
        n = MIN(n - skip, size - 1);
        memcpy(buf, (const char *) data + skip, n);
        buf[n] = '\0';
        return buf;
}

static uint64_t read_number(sd_journal *j, const char *name, uint64_t max, uint64_t none) {
        char text[32];
        uint64_t value;

        return parse_u64(read_field(j, name, text, sizeof(text)), &value) >= 0 && value <= max ? value : none;
}

/* report_format_balance() of the daemon: "MOVABLE KERNEL ADDED NODE PERCENT HOT", in bytes; a node may be "-". */
static void read_balance(sd_journal *j, struct balance *ret) {
        char text[128], node[16];
        struct balance b = { .node = -1 };
        uint32_t value;
        int hot;

        read_field(j, FIELD_BALANCE, text, sizeof(text));
        if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %15s %u %d", &b.movable, &b.kernel, &b.added, node, &b.ratio, &hot) != 6)
                return;
        if (parse_u32(node, &value) >= 0 && value < NODES_MAX)
                b.node = (int16_t) value;
        b.hot_counted = hot;
        b.judged = true;
        *ret = b;
}

static uint32_t count_blocks(const char *p) {
        uint64_t n = 0;

        for (unsigned first, last; *p; p += strspn(p, ",")) {
                int used = 0;

                if (sscanf(p, "%u%n", &first, &used) != 1)
                        break;
                p += used;
                last = first;
                if (*p == '-' && sscanf(p, "-%u%n", &last, &used) == 1)
                        p += used;
                n += last >= first ? UINT64_C(1) + last - first : 0;
        }
        return (uint32_t) MIN(n, (uint64_t) UINT32_MAX);
}

/* False: not one of ours, or of a version that says it otherwise. */
static bool read_report(sd_journal *j, struct report *ret) {
        char text[VALUE_MAX];
        struct report r = { .node = -1 };

        r.kind = report_kind_from_message_id(read_field(j, "MESSAGE_ID", text, sizeof(text)));
        if (r.kind < 0 || sd_journal_get_realtime_usec(j, &r.usec) < 0)
                return false;
        r.source = source_from_string(read_field(j, FIELD_SOURCE, text, sizeof(text)));
        r.action = action_from_string(read_field(j, FIELD_ACTION, text, sizeof(text)));
        r.reason = reason_from_string(read_field(j, FIELD_REASON, text, sizeof(text)));
        r.outcome = outcome_from_string(read_field(j, FIELD_OUTCOME, text, sizeof(text)));
        r.zone = zone_from_string(read_field(j, FIELD_ZONE, text, sizeof(text)));
        if (r.action < 0 || r.reason < 0 || r.outcome < 0)
                return false;
        if (r.source < 0)
                r.source = SOURCE_UNKNOWN;
        r.priority = (int) read_number(j, "PRIORITY", 7, 6);
        r.add = (uint32_t) read_number(j, FIELD_ADD, UINT32_MAX, 0);
        r.node = (int16_t) (int64_t) read_number(j, FIELD_NODE, NODES_MAX - 1, (uint64_t) -1);
        r.line = (unsigned) read_number(j, FIELD_LINE, UINT32_MAX, 0);
        r.error = -(int) read_number(j, "ERRNO", 4095, 0);
        read_balance(j, &r.balance);
        read_field(j, FIELD_BLOCK, r.blocks, sizeof(r.blocks));
        r.n_blocks = count_blocks(r.blocks);
        read_field(j, FIELD_DEVICE, r.device, sizeof(r.device));
        read_field(j, FIELD_RULE, r.rule, sizeof(r.rule));
        read_field(j, FIELD_FILE, r.file, sizeof(r.file));
        read_field(j, FIELD_WHY, r.why, sizeof(r.why));
        read_field(j, "MESSAGE", r.text, sizeof(r.text));
        *ret = r;
        return true;
}

/* ---- which entries ------------------------------------------------------------------------------------------------ */

static int match(sd_journal *j, const char *field, const char *value) {
        char text[128];

        snprintf(text, sizeof(text), "%s=%s", field, value);
        return sd_journal_add_match(j, text, 0);
}

static int match_boot(sd_journal *j, sd_id128_t boot) {
        return match(j, "_BOOT_ID", SD_ID128_TO_STRING(boot));
}

/* The last boot there is, or so many before it. */
static int find_boot(sd_journal *j, uint64_t before, sd_id128_t *ret) {
        uint64_t usec;
        int r;

        r = sd_journal_seek_tail(j);
        if (r >= 0)
                r = sd_journal_previous(j);
        for (;;) {
                if (r > 0)
                        r = sd_journal_get_monotonic_usec(j, &usec, ret) < 0 ? -EIO : 1;
                if (r <= 0)
                        return r < 0 ? r : -ENODATA;
                if (before-- == 0)
                        return 0;
                /* To its first entry, and one back. */
                r = match_boot(j, *ret);
                if (r >= 0)
                        r = sd_journal_seek_head(j);
                if (r >= 0)
                        r = sd_journal_next(j);
                sd_journal_flush_matches(j);
                if (r > 0)
                        r = sd_journal_previous(j);
        }
}

/* 1: *ret is the boot; 0: any. */
static int choose_boot(sd_journal *j, const char *root, const char *text, sd_id128_t *ret) {
        uint64_t before;
        int r;

        if (text && strcmp(text, "all") == 0)
                return 0;
        if (text && sd_id128_from_string(text, ret) >= 0)
                return 1;
        if (text && parse_u64(text + (*text == '-'), &before) < 0)
                return -EINVAL;
        if (!text)
                before = 0;
        if (strcmp(root, "/") == 0 && before == 0)
                r = sd_id128_get_boot(ret);
        else
                r = find_boot(j, before, ret);
        return r < 0 ? r : 1;
}

static int choose_entries(sd_journal *j, const char *root, const struct journal_query *q) {
        sd_id128_t boot = {};
        int r, chosen;

        chosen = choose_boot(j, root, q->boot, &boot);
        if (chosen < 0)
                return chosen;
        /* The same field: any of them. Other fields: all of them. */
        r = match(j, "_UID", "0");
        for (enum report_kind k = 0; r >= 0 && k < _REPORT_KIND_MAX; k++)
                r = match(j, "MESSAGE_ID", report_kind_message_id(k));
        if (r >= 0 && chosen > 0)
                r = match_boot(j, boot);
        if (r < 0)
                return r;
        return q->since_usec ? sd_journal_seek_realtime_usec(j, q->since_usec) : sd_journal_seek_head(j);
}

int journal_read(const char *root, const struct journal_query *q, void (*take)(const struct report *r, void *userdata),
                 void *userdata) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        struct report report;
        size_t n = 0;
        int r;

        if (strcmp(root, "/") == 0)
                r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);
        else
                r = sd_journal_open_directory(&j, root, SD_JOURNAL_OS_ROOT);
        if (r == -EACCES || r == -EPERM || r == -ENOTDIR)
                return -ENOENT;
        if (r >= 0)
                r = choose_entries(j, root, q);
        if (r < 0)
                return r;
        while ((r = sd_journal_next(j)) > 0)
                if (read_report(j, &report) && report.usec >= q->since_usec) {
                        take(&report, userdata);
                        n++;
                }
        return r < 0 ? r : n > 0 ? 0 : -ENOENT;
}
