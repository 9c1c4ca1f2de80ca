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

static int reply_new(sd_bus_message *call, const char *type, sd_bus_message **ret) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', type);
        if (r < 0) {
                sd_bus_message_unref(reply);
                return r;
        }
        *ret = reply;
        return 0;
}

static int reply_send(sd_bus_message *reply, int r) {
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

int bus_list_devices(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        const struct registry *registry = manager_registry(b->manager);
        _cleanup_free_ struct bus_sums *sums = NULL;
        sd_bus_message *reply;
        int r;

        (void) error;
        if (only_check)
                return 0;
        sums = sum_up_all(b, false, registry->n_devices);
        if (!sums)
                return -ENOMEM;
        r = reply_new(m, "(sosuuutt)", &reply);
        if (r < 0)
                return r;
        for (size_t i = 1; i < registry->n_devices && r >= 0; i++) {
                _cleanup_free_ char *path = NULL;
                const struct bus_sums *s = &sums[i];

                if (s->blocks == 0)
                        continue;
                r = sd_bus_path_encode(BUS_PATH "/device", registry->devices[i], &path);
                if (r >= 0)
                        r = sd_bus_message_append(reply, "(sosuuutt)", bus_text(registry->devices[i]), path,
                                                  source_to_string(s->source), s->first, s->last, s->blocks, s->online,
                                                  s->offline);
        }
        return reply_send(reply, r);
}

int bus_list_nodes(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_free_ struct bus_sums *sums = NULL;
        char path[BUS_PATH_MAX];
        sd_bus_message *reply;
        int r;

        (void) error;
        if (only_check)
                return 0;
        sums = sum_up_all(b, true, NODES_MAX);
        if (!sums)
                return -ENOMEM;
        r = reply_new(m, "(uouttt)", &reply);
        if (r < 0)
                return r;
        for (uint32_t n = 0; n < NODES_MAX && r >= 0; n++)
                if (sums[n].blocks)
                        r = sd_bus_message_append(reply, "(uouttt)", n, bus_number_path("node", n, path), sums[n].blocks,
                                                  sums[n].online, sums[n].offline, sums[n].movable);
        return reply_send(reply, r);
}

/* The lowest node stands for all of a block that has several: there are few of them, and they are looked at. */
static void read_entry(struct bus *b, const struct entry *e, struct block *ret) {
        struct evidence evidence;

        if (!e->several_nodes || manager_read_block(b->manager, e, ret, &evidence) < 0)
                manager_entry_block(b->manager, e, ret);
}

static bool same_range(const struct entry *a, const struct entry *b) {
        return a->block + UINT64_C(1) == b->block && a->state == b->state && a->node == b->node && a->source == b->source &&
               a->device == b->device && a->removable == b->removable && !a->several_nodes && !b->several_nodes &&
               (a->state != BLOCK_ONLINE || a->zones == b->zones);
}

static int append_range(struct bus *b, sd_bus_message *reply, const struct entry *first, uint32_t last) {
        struct block block;
        int r;

        read_entry(b, first, &block);
        if (first->state != BLOCK_ONLINE)
                block.zones = 0;
        r = sd_bus_message_open_container(reply, 'r', "uusbasaussu");
        if (r >= 0)
                r = sd_bus_message_append(reply, "uusb", first->block, last, block_state_to_string(block.state),
                                          (int) block.removable);
        if (r >= 0)
                r = bus_append_zones(reply, &block);
        if (r >= 0)
                r = bus_append_nodes(reply, &block.nodes);
        if (r >= 0)
                r = sd_bus_message_append(reply, "ssu", source_to_string(block.source), bus_text(block.device), first->add);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int bus_list_ranges(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        sd_bus_message *reply;
        const char *text;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r < 0 || only_check)
                return r;
        r = reply_new(m, "(uusbasaussu)", &reply);
        if (r < 0)
                return r;
        for (size_t i = 0; i < registry->n && r >= 0;) {
                const struct entry *first = &registry->entries[i], *last = first;

                if (!manager_selects(b->manager, &selector, first)) {
                        i++;
                        continue;
                }
                for (i++; i < registry->n && same_range(last, &registry->entries[i]) &&
                          registry->entries[i].add == first->add && manager_selects(b->manager, &selector, &registry->entries[i]); i++)
                        last = &registry->entries[i];
                r = append_range(b, reply, first, last->block);
        }
        return reply_send(reply, r);
}

int bus_list_blocks(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        const struct registry *registry = manager_registry(b->manager);
        char path[BUS_PATH_MAX];
        sd_bus_message *reply;
        const char *text;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r < 0 || only_check)
                return r;
        r = reply_new(m, "(uoss)", &reply);
        if (r < 0)
                return r;
        for (size_t i = 0; i < registry->n && r >= 0; i++) {
                const struct entry *e = &registry->entries[i];
                struct block block;

                if (!manager_selects(b->manager, &selector, e))
                        continue;
                manager_entry_block(b->manager, e, &block);
                r = sd_bus_message_append(reply, "(uoss)", e->block, bus_number_path("block", e->block, path),
                                          block_state_to_string(block.state),
                                          block.zones ? zone_to_string(block.first_zone) : "");
        }
        return reply_send(reply, r);
}
