/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/keep.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "daemon/journal.h"
#include "host/rundir.h"

static bool is_same_memory(const struct sysfs *fs, const struct saved_run *run) {
        uint64_t identity = STATE_IDENTITY_INIT, one;

        for (uint64_t block = run->first; block <= run->last; block++) {
                int r = sysfs_read_identity(fs, (uint32_t) block, &one);

                if (r < 0)
                        return r != -ENOENT; /* what cannot be seen now is not another for that */
                identity = state_identity(identity, (uint32_t) block, one);
        }
        return identity == run->identity;
}

static void drop_other_memory(struct saved_state *s, const struct sysfs *fs) {
        size_t kept = 0;

        for (size_t i = 0; i < s->n; i++)
                if (is_same_memory(fs, &s->runs[i]))
                        s->runs[kept++] = s->runs[i];
        s->n = kept;
}

static void load(struct keep *k) {
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r;

        r = rundir_read(k->dir_fd, RUNDIR_STATE, &text, &size);
        if (r == -ENOENT)
                return; /* the first start since boot */
        if (r >= 0)
                r = state_parse(text, size, &k->saved, &line);
        k->restarted = r >= 0;
        if (r == -EBADMSG)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_STATE ":%u: torn or not written by memhpd; "
                              "blocks that somebody set offline before are treated as new", line);
        else if (r < 0)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_STATE ": not used: %s; "
                              "blocks that somebody set offline before are treated as new", strerror(-r));
}

void keep_open(struct keep *k, const struct sysfs *fs) {
        *k = (struct keep) { .dir_fd = rundir_open(sysfs_root(fs)) };
        if (k->dir_fd < 0) {
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd: %s; blocks that somebody set offline before are "
                              "treated as new, now and after a restart", strerror(-k->dir_fd));
                return;
        }
        load(k);
        drop_other_memory(&k->saved, fs);
}

void keep_close(struct keep *k) {
        closep(&k->dir_fd);
        saved_state_done(&k->saved);
}

void keep_recall(const struct keep *k, struct entry *e) {
        const struct saved_run *run = saved_state_find(&k->saved, e->block);

        if (!k->restarted || (run && run->kind == SAVED_STARTUP)) {
                e->at_startup = true;
                return;
        }
        /* Online when the daemon was last there, or known to be somebody's: if it is offline now, it is not ours to undo. */
        e->at_startup = run != NULL;
        e->rolling_back = run && run->kind == SAVED_ROLLING_BACK;
        e->rolled_back = e->rolling_back || (run && run->kind == SAVED_ROLLED_BACK);
        e->hands_off = run && !e->rolled_back;
        e->arrival = run ? ARRIVAL_UNKNOWN : ARRIVAL_HOT; /* what is new came while nobody watched */
}

void keep_recall_history(const struct keep *k, struct history *ret) {
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r;

        if (k->dir_fd < 0)
                return;
        r = rundir_read(k->dir_fd, RUNDIR_HISTORY, &text, &size);
        if (r >= 0)
                r = history_parse(text, size, ret, &line);
        if (r < 0 && r != -ENOENT)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_HISTORY ":%u: not used: %s; what was decided "
                              "before is in the journal only", line, r == -EBADMSG ? "torn or not written by memhpd" : strerror(-r));
}

static int save_state(const struct keep *k, const struct registry *r, uint32_t last_add) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int error;

        error = state_format(r, last_add, &text, &size);
        return error < 0 ? error : rundir_write(k->dir_fd, RUNDIR_STATE, text, size);
}

static int save_history(struct keep *k, const struct history *h) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int error;

        if (h->last_id == k->saved_report)
                return 0;
        error = history_format(h, &text, &size);
        if (error >= 0)
                error = rundir_write(k->dir_fd, RUNDIR_HISTORY, text, size);
        if (error >= 0)
                k->saved_report = h->last_id;
        return error;
}

bool keep_save(struct keep *k, const struct registry *r, uint32_t last_add, const struct history *h) {
        int error, second;

        if (k->dir_fd < 0)
                return true;
        error = save_state(k, r, last_add);
        if (error < 0 && !k->failed)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_STATE ": cannot be written: %s; "
                              "a restart may bring blocks online that somebody set offline", strerror(-error));
        second = save_history(k, h);
        if (error >= 0 && second < 0 && !k->failed)
                journal_print(LOG_WARNING, MESSAGE_WARNING, "/run/memhpd/" RUNDIR_HISTORY ": cannot be written: %s; "
                              "after a restart, only the journal knows what was decided", strerror(-second));
        if (error >= 0 && second >= 0 && k->failed)
                journal_print(LOG_NOTICE, MESSAGE_WARNING, "/run/memhpd can be written again");
        k->failed = error < 0 || second < 0;
        return !k->failed;
}
