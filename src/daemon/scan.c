/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/scan.h"

#include <errno.h>

static void drop_lists(struct scan *s) {
        survey_free(s->survey);
        s->survey = NULL;
        node_map_done(&s->nodes);
        free(s->indices);
        s->indices = NULL;
        s->n = s->next = 0;
}

void scan_done(struct scan *s) {
        drop_lists(s);
        *s = (struct scan) {};
}

void scan_request(struct scan *s) {
        s->requested = true;
}

bool scan_is_due(const struct scan *s, uint64_t now, uint64_t *ret_when) {
        uint64_t when = s->begun_usec ? s->begun_usec + SCAN_INTERVAL_USEC : 0;

        if (!s->requested || s->active)
                return false;
        if (now >= when)
                return true;
        *ret_when = when;
        return false;
}

int scan_begin(struct scan *s, const struct sysfs *fs, bool first, uint64_t now) {
        unsigned flags = SURVEY_IDENTITY | SURVEY_REMOVABLE | SURVEY_FIRMWARE_NODE;
        int r;

        s->begun_usec = now;
        /* One that comes in the middle of it may have a block number but no node; it is looked at by itself. */
        r = survey_list(fs, first ? 0 : SIZE_MAX, &s->indices, &s->n, &s->nodes);
        if (r >= 0 && first) {
                if (!sysfs_may_have_firmware_nodes(fs))
                        flags &= ~SURVEY_FIRMWARE_NODE;
                r = survey_new(fs, s->nodes.n ? &s->nodes : NULL, flags, s->indices, s->n, &s->survey);
        }
        if (r < 0) {
                drop_lists(s);
                return r;
        }
        s->requested = false;
        s->active = true;
        return 0;
}

static int compare_u32(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return x < y ? -1 : x > y;
}

bool scan_lists(const struct scan *s, uint32_t block) {
        return s->next < s->n && bsearch(&block, s->indices + s->next, s->n - s->next, sizeof(block), compare_u32);
}

bool scan_next(struct scan *s, uint32_t *ret, const struct survey_item **ret_item) {
        const struct survey_item *item = s->survey ? survey_next(s->survey) : NULL;

        if (s->next < s->n) {
                *ret = s->indices[s->next++];
                *ret_item = item && item->error != -ESTALE ? item : NULL;
                return true;
        }
        drop_lists(s);
        s->active = false;
        return false;
}

void scan_note_event(struct scan *s) {
        if (s->survey)
                survey_distrust(s->survey);
}
