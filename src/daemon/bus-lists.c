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

/* Of an offline block only the kernel knows where it could go: so many of them are looked at for one call. */
#define LOOKED_AT_MAX 1024

struct row {
        struct block block; /* the first; the others are alike */
        uint32_t last, add;
};

static void look(struct bus *b, const struct entry *e, unsigned *n_looked_at, struct row *ret) {
        struct block now;

        manager_entry_block(b->manager, e, &ret->block);
        ret->last = e->block;
        ret->add = e->add;
        if (e->state == BLOCK_ONLINE && !e->several_nodes)
                return;
        if (e->state != BLOCK_ONLINE && (*n_looked_at)++ >= LOOKED_AT_MAX)
                return;
        if (sysfs_read_block(manager_sysfs(b->manager), e->block, NULL, 0, &now) < 0)
                return;
        ret->block.nodes = now.nodes;
        if (now.state == ret->block.state) {
                ret->block.zones = now.zones;
                ret->block.first_zone = now.first_zone;
        }
}

/* Without a look at either: most blocks are like the one before. */
static bool is_alike(const struct entry *a, const struct entry *b) {
        return a->block + UINT64_C(1) == b->block && a->state == BLOCK_ONLINE && b->state == BLOCK_ONLINE && a->node == b->node &&
               a->source == b->source && a->device == b->device && a->removable == b->removable && a->add == b->add &&
               !a->several_nodes && !b->several_nodes && a->zones == b->zones;
}

static bool row_extend(struct row *r, const struct row *next) {
        const struct block *a = &r->block, *b = &next->block;

        if (r->last + UINT64_C(1) != b->index || r->add != next->add || a->state != b->state || a->removable != b->removable ||
            a->zones != b->zones || a->first_zone != b->first_zone || a->source != b->source ||
            !node_set_equal(&a->nodes, &b->nodes) || strcmp(a->device, b->device) != 0)
                return false;
        r->last = b->index;
        return true;
}

static void append_row(struct writer *w, const struct row *r) {
        writer_open(w, 'r', "uusbasaussu");
        writer_append(w, "uusb", r->block.index, r->last, block_state_to_string(r->block.state), (int) r->block.removable);
        writer_append_zones(w, &r->block);
        writer_append_nodes(w, &r->block.nodes);
        writer_append(w, "ssu", source_to_string(r->block.source), bus_text(r->block.device), r->add);
        writer_close(w);
}

int bus_list_ranges(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        unsigned rows = 0, looked_at = 0;
        const struct entry *last = NULL;
        struct row row = {}, next;
        const char *text;
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
                if (last && is_alike(last, e)) {
                        row.last = e->block;
                        last = e;
                        continue;
                }
                last = e;
                look(b, e, &looked_at, &next);
                if (rows > 0 && row_extend(&row, &next))
                        continue;
                if (rows++ > 0)
                        append_row(&w, &row);
                row = next;
        }
        if (rows > 0)
                append_row(&w, &row);
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
