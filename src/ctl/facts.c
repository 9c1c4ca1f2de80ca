/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/facts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* From here on it is cheaper to list every node once than to look for the links of each block. */
#define NODE_MAP_WORTH 32

enum status system_open(const char *sysroot, struct sysfs **ret) {
        int r;

        r = sysfs_open(sysroot, ret);
        if (r >= 0)
                return STATUS_DONE;
        if (r == -ENOMEM)
                out_of_memory();
        if (r == -EOPNOTSUPP)
                complain("%s: no memory blocks: the kernel cannot hot-plug memory, or sysfs is not mounted", sysroot);
        else if (r == -EBADMSG)
                complain("%s: memory blocks: the kernel tells no sensible block size", sysroot);
        else
                complain("%s: cannot be opened: %s", sysroot, strerror(-r));
        return STATUS_FAILED;
}

enum status selector_read(const char *text, struct selector *ret) {
        char error[SELECTOR_ERROR_MAX];
        int r;

        if (!text) {
                *ret = (struct selector) { .kind = SELECTOR_ALL };
                return STATUS_DONE;
        }
        r = selector_parse(text, ret, error);
        if (r == -ENOMEM)
                out_of_memory();
        if (r >= 0)
                return STATUS_DONE;
        complain("%s: not a selector: %s", text, error);
        return STATUS_USAGE;
}

static enum status parse_selector(struct facts *f, const char *text) {
        enum status s;

        f->selector_text = text;
        s = selector_read(text, &f->selector);
        if (s != STATUS_DONE)
                return s;
        if (f->selector.kind == SELECTOR_ADD) {
                complain("%s: only the daemon numbers hot-adds, and this reads the system directly; "
                         "select by device:, node:, addr: or block numbers instead", text);
                return STATUS_FAILED;
        }
        if (f->selector.kind == SELECTOR_DEVICE || f->selector.kind == SELECTOR_SOURCE)
                f->needs |= FACTS_ORIGIN;
        return STATUS_DONE;
}

static enum status read_indices(struct facts *f) {
        size_t n = 0;
        uint64_t end;
        int r;

        /* A few of many blocks do not need all nodes' links: see below. */
        r = survey_list(f->fs, f->selector.kind == SELECTOR_ALL ? NODE_MAP_WORTH : SIZE_MAX, &f->indices, &f->n, &f->nodes);
        if (r < 0) {
                complain("%s: memory blocks: cannot be listed: %s", sysfs_root(f->fs), strerror(-r));
                return STATUS_FAILED;
        }
        if (f->n && __builtin_mul_overflow((uint64_t) f->indices[f->n - 1] + 1, f->block_size, &end)) {
                complain("%s: block %" PRIu32 ": its address does not fit into 64 bits", sysfs_root(f->fs),
                         f->indices[f->n - 1]);
                return STATUS_FAILED;
        }
        for (size_t i = 0; i < f->n; i++)
                if (selector_may_match(&f->selector, f->indices[i], f->block_size))
                        f->indices[n++] = f->indices[i];
        f->n = n;
        return STATUS_DONE;
}

enum status facts_open(struct facts *f, const char *sysroot, const char *selector, unsigned needs) {
        enum status s;
        int r;

        *f = (struct facts) { .needs = needs };
        s = parse_selector(f, selector);
        if (s == STATUS_DONE)
                s = system_open(sysroot, &f->fs);
        if (s != STATUS_DONE)
                return s;
        f->block_size = sysfs_block_size(f->fs);
        evidence_init(&f->evidence, f->fs);
        s = read_indices(f);
        f->has_firmware_nodes = (f->needs & FACTS_ORIGIN) && sysfs_may_have_firmware_nodes(f->fs);
        if (s != STATUS_DONE || f->n < NODE_MAP_WORTH)
                return s;
        r = f->nodes.n ? 0 : sysfs_read_node_map(f->fs, &f->nodes);
        if (r < 0) {
                complain("%s: nodes: cannot be listed: %s", sysroot, strerror(-r));
                return STATUS_FAILED;
        }
        f->has_map = f->nodes.n > 0;
        return STATUS_DONE;
}

void facts_done(struct facts *f) {
        survey_free(f->survey);
        evidence_done(&f->evidence);
        node_map_done(&f->nodes);
        free(f->indices);
        selector_done(&f->selector);
        sysfs_close(f->fs);
        *f = (struct facts) {};
}

static int16_t block_tier(struct facts *f, const struct block *b) {
        int node = node_set_next(&b->nodes, 0);

        if (!f->has_tiers) {
                sysfs_read_tiers(f->fs, f->tiers);
                f->has_tiers = true;
        }
        return node >= 0 ? f->tiers[node] : -1;
}

static void complete_fact(struct facts *f, const struct survey_item *item, struct fact *ret) {
        struct origin origin;

        ret->block = item->block;
        if (!(f->needs & FACTS_ORIGIN))
                return;
        memcpy(ret->evidence.firmware_node, item->firmware_node, sizeof(item->firmware_node));
        evidence_complete(&f->evidence, item->index, ARRIVAL_UNKNOWN, &ret->evidence);
        source_classify(&ret->evidence, &origin);
        ret->block.source = origin.source;
        memcpy(ret->block.device, origin.device, sizeof(ret->block.device));
        ret->block.device_size = origin.size;
        ret->block.tier = block_tier(f, &ret->block);
}

static const struct survey_item *next_item(struct facts *f) {
        unsigned flags = SURVEY_UNLINKED | (f->needs & FACTS_REMOVABLE ? SURVEY_REMOVABLE : 0) |
                         (f->has_firmware_nodes ? SURVEY_FIRMWARE_NODE : 0);

        if (!f->survey && survey_new(f->fs, f->has_map ? &f->nodes : NULL, flags, f->indices, f->n, &f->survey) < 0)
                out_of_memory();
        return survey_next(f->survey);
}

bool facts_next(struct facts *f, struct fact *ret) {
        const struct survey_item *item;

        while ((item = next_item(f))) {
                struct fact fact = {};

                if (item->error == -ENOENT)
                        continue;
                if (item->error < 0) {
                        if (f->n_failed++ == 0) /* the others fail alike; facts_status() counts them */
                                complain("block %" PRIu32 ": cannot be read: %s", item->index, strerror(-item->error));
                        continue;
                }
                complete_fact(f, item, &fact);
                if (!selector_match(&f->selector, &fact.block, f->block_size))
                        continue;
                f->n_found++;
                *ret = fact;
                return true;
        }
        return false;
}

enum status facts_status(const struct facts *f) {
        enum status s = STATUS_DONE;

        if (f->evidence.iomem_error == -EBADMSG) {
                complain("%s:%u: malformed: sources cannot be told from it", sysfs_text_path(SYSFS_IOMEM),
                         f->evidence.iomem_line);
                s = STATUS_FAILED;
        }
        if (f->n_failed > 1)
                complain("%zu blocks in all cannot be read", f->n_failed);
        if (f->n_failed)
                s = STATUS_FAILED;
        else if (f->n_found == 0 && f->selector_text) {
                complain("%s: no memory block matches", f->selector_text);
                s = STATUS_FAILED;
        }
        return s;
}

void facts_hint(const struct facts *f) {
        const struct evidence_cache *c = &f->evidence;

        if (c->iomem_error < 0 && c->iomem_error != -EBADMSG)
                complain("%s: cannot be read: %s: sources other than DIMMs stay unknown", sysfs_text_path(SYSFS_IOMEM),
                         strerror(-c->iomem_error));
        else if (c->iomem_valid && c->iomem.hidden)
                complain("%s: hides its addresses from this user: sources other than DIMMs stay unknown; try as root",
                         sysfs_text_path(SYSFS_IOMEM));
}

bool evidence_describe_iomem(const struct evidence *e, char buf[static EVIDENCE_TEXT_MAX]) {
        struct evidence place = *e;

        if (!e->ram)
                return false;
        place.firmware_node[0] = '\0';
        source_describe(&place, buf, EVIDENCE_TEXT_MAX);
        return true;
}

json_t *json_evidence(const struct evidence *e) {
        json_t *object = json_new_object();
        char text[EVIDENCE_TEXT_MAX];

        json_set(object, "firmware_node", json_name(e->firmware_node));
        json_set(object, "iomem", evidence_describe_iomem(e, text) ? json_text(text) : json_null());
        json_set(object, "machine", json_text(machine_to_string(e->machine)));
        return object;
}
