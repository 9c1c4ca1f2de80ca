/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/bus-internal.h"

static void count(const struct entry *e, uint64_t size, struct bus_sums *s) {
        if (e->node >= 0)
                node_set_add(&s->nodes, (unsigned) e->node);
        s->source = (enum source) e->source;
        s->first = s->blocks ? MIN(s->first, e->block) : e->block;
        s->last = MAX(s->last, e->block);
        s->blocks++;
        if (e->state == BLOCK_ONLINE)
                s->online += size;
        else
                s->offline += size;
        if (e->state == BLOCK_ONLINE && (e->zones & ZONE_BIT(ZONE_MOVABLE)))
                s->movable += size;
}

void bus_sum_up(struct bus *b, uint16_t device, int node, struct bus_sums *ret) {
        const struct registry *r = manager_registry(b->manager);
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));

        *ret = (struct bus_sums) {};
        for (size_t i = 0; i < r->n; i++)
                if ((!device || r->entries[i].device == device) && (node < 0 || r->entries[i].node == node))
                        count(&r->entries[i], size, ret);
}

/* One walk for all: by the number of the device, or of the node. To be freed. */
static struct bus_sums *sum_up_all(struct bus *b, bool by_node, size_t n) {
        const struct registry *r = manager_registry(b->manager);
        const uint64_t size = sysfs_block_size(manager_sysfs(b->manager));
        struct bus_sums *sums = calloc(MAX(n, (size_t) 1), sizeof(*sums));

        for (size_t i = 0; sums && i < r->n; i++) {
                const struct entry *e = &r->entries[i];
                size_t key = by_node ? (size_t) e->node : e->device;

                if (e->node >= 0 || !by_node)
                        count(e, size, &sums[key]);
        }
        return sums;
}

int bus_list_devices(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct registry *registry = manager_registry(b->manager);
        _cleanup_free_ struct bus_sums *sums = NULL;
        struct writer w;

        (void) error;
        if (only_check)
                return 0;
        sums = sum_up_all(b, false, registry->n_devices);
        if (!sums)
                return -ENOMEM;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "(sosuuutt)");
        for (size_t i = 1; i < registry->n_devices && w.r >= 0; i++) {
                _cleanup_free_ char *path = NULL;
                const struct bus_sums *s = &sums[i];

                if (s->blocks == 0)
                        continue;
                w.r = sd_bus_path_encode(BUS_PATH "/device", registry->devices[i], &path);
                writer_append(&w, "(sosuuutt)", bus_text(registry->devices[i]), path, source_to_string(s->source), s->first,
                              s->last, s->blocks, s->online, s->offline);
        }
        writer_close(&w);
        return writer_reply(&w);
}

int bus_list_nodes(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_free_ struct bus_sums *sums = NULL;
        char path[BUS_PATH_MAX];
        struct writer w;

        (void) error;
        if (only_check)
                return 0;
        sums = sum_up_all(b, true, NODES_MAX);
        if (!sums)
                return -ENOMEM;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "(uouttt)");
        for (uint32_t n = 0; n < NODES_MAX; n++)
                if (sums[n].blocks)
                        writer_append(&w, "(uouttt)", n, bus_number_path("node", n, path), sums[n].blocks, sums[n].online,
                                      sums[n].offline, sums[n].movable);
        writer_close(&w);
        return writer_reply(&w);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------- */

static int refuse_length(sd_bus_error *error, const char *what) {
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "more than %d rows: ask for %s at a time", BUS_ROWS_MAX, what);
}

/* The lowest node stands for all of a block that has several: there are few of them, and they are looked at. */
static void read_entry(struct bus *b, const struct entry *e, struct block *ret) {
        struct evidence evidence;

        if (!e->several_nodes || manager_read_block(b->manager, e, ret, &evidence) < 0)
                manager_entry_block(b->manager, e, ret);
}

static bool same_range(const struct entry *a, const struct entry *b) {
        return a->block + UINT64_C(1) == b->block && a->state == b->state && a->node == b->node && a->source == b->source &&
               a->device == b->device && a->removable == b->removable && a->add == b->add && !a->several_nodes &&
               !b->several_nodes && (a->state != BLOCK_ONLINE || a->zones == b->zones);
}

static void append_range(struct writer *w, struct bus *b, const struct entry *first, uint32_t last) {
        struct block block;

        read_entry(b, first, &block);
        if (first->state != BLOCK_ONLINE)
                block.zones = 0;
        writer_open(w, 'r', "uusbasaussu");
        writer_append(w, "uusb", first->block, last, block_state_to_string(block.state), (int) block.removable);
        writer_append_zones(w, &block);
        writer_append_nodes(w, &block.nodes);
        writer_append(w, "ssu", source_to_string(block.source), bus_text(block.device), first->add);
        writer_close(w);
}

int bus_list_ranges(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        const struct entry *first = NULL, *last = NULL;
        const char *text;
        unsigned rows = 0;
        struct writer w;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r < 0 || only_check)
                return r;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "(uusbasaussu)");
        for (size_t i = 0; i < registry->n && rows <= BUS_ROWS_MAX; i++) {
                const struct entry *e = &registry->entries[i];

                if (!manager_selects(b->manager, &selector, e))
                        continue;
                if (!last || !same_range(last, e)) {
                        if (last)
                                append_range(&w, b, first, last->block);
                        first = e;
                        rows++;
                }
                last = e;
        }
        if (last)
                append_range(&w, b, first, last->block);
        writer_close(&w);
        if (rows > BUS_ROWS_MAX)
                w.r = refuse_length(error, "a part of it");
        return writer_reply(&w);
}

int bus_list_blocks(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        char path[BUS_PATH_MAX];
        const char *text;
        unsigned rows = 0;
        struct writer w;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r < 0 || only_check)
                return r;
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "(uoss)");
        for (size_t i = 0; i < registry->n && rows <= BUS_ROWS_MAX; i++) {
                const struct entry *e = &registry->entries[i];
                struct block block;

                if (!manager_selects(b->manager, &selector, e) || ++rows > BUS_ROWS_MAX)
                        continue;
                manager_entry_block(b->manager, e, &block);
                writer_append(&w, "(uoss)", e->block, bus_number_path("block", e->block, path), block_state_to_string(block.state),
                              block.zones ? zone_to_string(block.first_zone) : "");
        }
        writer_close(&w);
        if (rows > BUS_ROWS_MAX)
                w.r = refuse_length(error, "ranges, or for a part of it");
        return writer_reply(&w);
}
