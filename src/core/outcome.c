/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/outcome.h"

#include <errno.h>
#include <string.h>

static const char *const names[_OUTCOME_MAX] = {
        [OUTCOME_NONE] = "none",
        [OUTCOME_DONE] = "done",
        [OUTCOME_ALREADY] = "already",
        [OUTCOME_DELEGATED] = "delegated",
        [OUTCOME_WRONG_ZONE] = "wrong-zone",
        [OUTCOME_BUSY] = "busy",
        [OUTCOME_GONE] = "gone",
        [OUTCOME_FAILED] = "failed",
};

const char *outcome_to_string(enum outcome o) {
        return o >= 0 && o < _OUTCOME_MAX ? names[o] : NULL;
}

enum outcome outcome_from_string(const char *s) {
        for (enum outcome o = 0; o < _OUTCOME_MAX; o++)
                if (strcmp(names[o], s) == 0)
                        return o;
        return _OUTCOME_INVALID;
}

/* drivers/base/memory.c and mm/memory_hotplug.c: these name a moment, not the block. */
static bool error_may_pass(int error) {
        switch (error) {
        case 0: /* the write went well, and yet the block is offline: somebody took it offline again */
        case -EBUSY:
        case -EAGAIN:
        case -EINTR:
        case -ENOMEM:
        case -EIO:
                return true;
        default:
                return false;
        }
}

enum outcome outcome_judge(enum action action, int error, const struct block *after) {
        if (!after)
                return OUTCOME_GONE;
        if (after->state != BLOCK_ONLINE)
                return error_may_pass(error) ? OUTCOME_BUSY : OUTCOME_FAILED;
        /* "none" (holes) and a kernel without valid_zones leave nothing to compare. */
        if (after->zones && !(after->zones & action_zones(action)))
                return OUTCOME_WRONG_ZONE;
        return error == 0 ? OUTCOME_DONE : OUTCOME_ALREADY;
}

enum outcome outcome_judge_offline(int error, const struct block *after) {
        if (!after)
                return OUTCOME_GONE;
        if (after->state == BLOCK_OFFLINE)
                return error == 0 ? OUTCOME_DONE : OUTCOME_ALREADY;
        return error_may_pass(error) ? OUTCOME_BUSY : OUTCOME_FAILED;
}

enum outcome outcome_judge_online(enum action wanted, const struct block *b) {
        if (wanted == ACTION_LEAVE_OFFLINE)
                return OUTCOME_WRONG_ZONE;
        return outcome_judge(wanted, -EINVAL, b);
}
