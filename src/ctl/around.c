/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/around.h"

#include <errno.h>
#include <string.h>

#include "ctl/facts.h"
#include "ctl/statistics.h"
#include "host/platform.h"
#include "host/surroundings.h"

/* Nobody watched these blocks come: what a device is named for was hot-added, the rest was there at boot. */
static bool is_hot_kernel(const struct block *b) {
        return b->state == BLOCK_ONLINE && b->source != SOURCE_BOOT && b->source != SOURCE_UNKNOWN &&
               (b->zones & ZONES_KERNEL);
}

enum status around_read(const char *sysroot, struct surroundings *ret) {
        _cleanup_(facts_done) struct facts facts = {};
        enum status status;
        struct fact fact;
        unsigned line;
        int r;

        memset(ret, 0, sizeof(*ret));
        status = facts_open(&facts, sysroot, NULL, FACTS_ORIGIN);
        if (status != STATUS_DONE)
                return status;
        ret->platforms = platform_read(facts.fs);
        r = surroundings_read_totals(facts.fs, surroundings_page_size(facts.fs), &ret->totals, &line);
        if (r == -EBADMSG)
                return statistics_malformed(r, SYSFS_ZONEINFO, line);
        if (r < 0) /* a capture without it: nothing can be balanced, and the reason says so */
                return STATUS_DONE;
        while (facts_next(&facts, &fact))
                if (is_hot_kernel(&fact.block))
                        totals_move_to_hot(&ret->totals, node_set_next(&fact.block.nodes, 0), fact.block.size);
        return STATUS_DONE;
}
