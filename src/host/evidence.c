/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/evidence.h"

#include <errno.h>
#include <string.h>

void evidence_init(struct evidence_cache *c, const struct sysfs *fs) {
        *c = (struct evidence_cache) { .fs = fs, .machine = sysfs_read_machine(fs) };
}

void evidence_expire(struct evidence_cache *c) {
        iomem_done(&c->iomem);
        c->iomem_valid = c->iomem_complete = false;
        c->iomem_error = 0;
}

void evidence_note_add(struct evidence_cache *c) {
        c->iomem_complete = false;
}

void evidence_done(struct evidence_cache *c) {
        evidence_expire(c);
}

/* A machine without a readable /proc/iomem is served all the same; its sources are less certain. */
static void read_iomem(struct evidence_cache *c) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = sysfs_read_text(c->fs, SYSFS_IOMEM, &text, &size);
        if (r >= 0)
                r = iomem_parse(text, size, &c->iomem, &c->iomem_line);
        c->iomem_error = r;
        c->iomem_valid = r >= 0;
        c->iomem_complete = true;
}

static const struct iomem_entry *find_ram(struct evidence_cache *c, uint64_t start, uint64_t end) {
        const struct iomem_entry *ram = NULL;

        if (c->iomem_valid)
                ram = iomem_find_ram(&c->iomem, start, end);
        if (ram || c->iomem_complete)
                return ram;
        evidence_expire(c);
        read_iomem(c);
        return c->iomem_valid ? iomem_find_ram(&c->iomem, start, end) : NULL;
}

void evidence_complete(struct evidence_cache *c, uint32_t index, enum arrival arrival, struct evidence *e) {
        uint64_t size = sysfs_block_size(c->fs), start = index * size;

        e->machine = c->machine;
        e->arrival = arrival;
        e->ram = find_ram(c, start, start + size - 1);
        e->iomem = c->iomem_valid ? &c->iomem : NULL;
}

int evidence_read(struct evidence_cache *c, uint32_t index, enum arrival arrival, struct evidence *ret) {
        struct evidence e = {};
        int r;

        r = sysfs_read_firmware_node(c->fs, index, e.firmware_node);
        if (r < 0)
                return r;
        evidence_complete(c, index, arrival, &e);
        *ret = e;
        return 0;
}

void evidence_find_origin(struct evidence_cache *c, enum arrival arrival, const char firmware_node[static DEVICE_NAME_MAX],
                          struct block *b) {
        struct evidence e;
        struct origin o;

        memcpy(e.firmware_node, firmware_node, DEVICE_NAME_MAX);
        evidence_complete(c, b->index, arrival, &e);
        source_classify(&e, &o);
        b->source = o.source;
        memcpy(b->device, o.device, sizeof(b->device));
        b->device_size = o.size;
        b->source_hidden = o.source == SOURCE_UNKNOWN && (!c->iomem_valid || c->iomem.hidden);
}

int evidence_read_origin(struct evidence_cache *c, enum arrival arrival, struct block *b) {
        char firmware_node[DEVICE_NAME_MAX];
        int r;

        r = sysfs_read_firmware_node(c->fs, b->index, firmware_node);
        if (r >= 0)
                evidence_find_origin(c, arrival, firmware_node, b);
        return r;
}
