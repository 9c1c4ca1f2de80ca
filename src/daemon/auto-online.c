/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/auto-online.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "host/rundir.h"

/* The file's one line: "BEFORE OURS". */
struct record {
        char before[AUTO_ONLINE_WORD_MAX], ours[AUTO_ONLINE_WORD_MAX];
};

static bool is_word(const char *s) {
        static const char *const words[] = { "offline", "online", "online_kernel", "online_movable" };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strcmp(words[i], s) == 0)
                        return true;
        return false;
}

static int read_record(int dir_fd, struct record *ret) {
        _cleanup_free_ char *text = NULL;
        struct record record;
        size_t size;
        char extra;
        int r;

        r = rundir_read(dir_fd, RUNDIR_AUTO_ONLINE, &text, &size);
        if (r < 0)
                return r;
        if (size != strlen(text) || sscanf(text, "%31s %31s %c", record.before, record.ours, &extra) != 2 ||
            !is_word(record.before) || !is_word(record.ours))
                return -EBADMSG;
        *ret = record;
        return 0;
}

static int write_record(int dir_fd, const struct record *record) {
        char text[2 * AUTO_ONLINE_WORD_MAX + 2];

        snprintf(text, sizeof(text), "%s %s\n", record->before, record->ours);
        return rundir_write(dir_fd, RUNDIR_AUTO_ONLINE, text, strlen(text));
}

int auto_online_restore(const struct sysfs *fs, int dir_fd) {
        char now[AUTO_ONLINE_WORD_MAX];
        struct record record;
        int r;

        if (dir_fd < 0)
                return 0;
        r = read_record(dir_fd, &record);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = sysfs_read_auto_online(fs, now);
        if (r >= 0 && strcmp(now, record.ours) == 0 && strcmp(now, record.before) != 0)
                r = sysfs_write_auto_online(fs, record.before);
        if (r < 0) {
                journal_print(LOG_ERR, MESSAGE_FAILED, "auto_online_blocks cannot be put back as it was: %s", strerror(-r));
                return r;
        }
        return rundir_remove(dir_fd, RUNDIR_AUTO_ONLINE);
}

/* What the kernel is to do, NULL: what it does already. */
static const char *wanted_word(const struct policy *p, bool *ret_delegated) {
        enum action action;

        *ret_delegated = p->auto_online == AUTO_ONLINE_DELEGATE && policy_is_uniform(p, &action);
        if (p->auto_online == AUTO_ONLINE_KEEP)
                return NULL;
        return *ret_delegated ? action_to_state(action) ?: "offline" : "offline";
}

bool auto_online_take(const struct sysfs *fs, int dir_fd, const struct policy *p) {
        struct record record = {};
        char now[AUTO_ONLINE_WORD_MAX];
        bool delegated, taken;
        const char *wanted = wanted_word(p, &delegated);
        int r;

        r = sysfs_read_auto_online(fs, now);
        if (r < 0)
                return false; /* a kernel without it does nothing by itself */
        /* A reload, or a daemon that was killed: what the record calls "before" is still the machine's own. It is not put
         * back in between, since memory may be added at any time. */
        taken = dir_fd >= 0 && read_record(dir_fd, &record) >= 0 && strcmp(record.ours, now) == 0;
        if (!wanted || !taken)
                (void) auto_online_restore(fs, dir_fd);
        if (!wanted && taken)
                (void) sysfs_read_auto_online(fs, now);
        if (!wanted) {
                if (strcmp(now, "offline") != 0)
                        journal_print(LOG_WARNING, MESSAGE_WARNING,
                                      "the kernel itself brings new blocks online (auto_online_blocks is \"%s\", "
                                      "and kernel_auto_online is \"keep\"): the policy comes too late for them", now);
                return false;
        }
        if (p->auto_online == AUTO_ONLINE_DELEGATE && !delegated)
                journal_print(LOG_NOTICE, MESSAGE_WARNING, "kernel_auto_online is \"delegate\", but the rules want "
                              "different things for different memory: memhpd brings it online itself");
        if (strcmp(now, wanted) == 0) {
                if (taken)
                        journal_print(LOG_INFO, MESSAGE_POLICY, "auto_online_blocks was \"%s\" and is \"%s\" while memhpd runs",
                                      record.before, now);
                return delegated;
        }
        if (!is_word(now)) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "auto_online_blocks is \"%.16s\", which memhpd does not know and "
                              "leaves alone: the policy may come too late", now);
                return false;
        }
        if (!taken)
                snprintf(record.before, sizeof(record.before), "%s", now);
        snprintf(record.ours, sizeof(record.ours), "%s", wanted);
        r = dir_fd < 0 ? dir_fd : write_record(dir_fd, &record);
        if (r < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "auto_online_blocks stays \"%s\", since what it was could not be "
                              "kept in /run/memhpd (%s): the policy may come too late", now, strerror(-r));
                return false;
        }
        r = sysfs_write_auto_online(fs, wanted);
        if (r < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "auto_online_blocks cannot be set to \"%s\": %s", wanted,
                              strerror(-r));
                snprintf(record.ours, sizeof(record.ours), "%s", now); /* as it was before, and still is */
                if (taken)
                        (void) write_record(dir_fd, &record);
                else
                        (void) rundir_remove(dir_fd, RUNDIR_AUTO_ONLINE);
                return false;
        }
        journal_print(LOG_INFO, MESSAGE_POLICY, "auto_online_blocks was \"%s\" and is \"%s\" while memhpd runs", record.before,
                      wanted);
        return delegated;
}
