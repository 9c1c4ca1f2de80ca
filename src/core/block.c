/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/block.h"

#include <string.h>

#include "core/parse.h"

static const char *const state_names[_BLOCK_STATE_MAX] = {
        [BLOCK_OFFLINE] = "offline",
        [BLOCK_ONLINE] = "online",
        [BLOCK_GOING_OFFLINE] = "going-offline",
        [BLOCK_STATE_OTHER] = "other",
};

static const char *const zone_names[_ZONE_MAX] = {
        [ZONE_DMA] = "DMA",
        [ZONE_DMA32] = "DMA32",
        [ZONE_NORMAL] = "Normal",
        [ZONE_HIGHMEM] = "HighMem",
        [ZONE_MOVABLE] = "Movable",
        [ZONE_DEVICE] = "Device",
};

static const char *const source_names[_SOURCE_MAX] = {
        [SOURCE_UNKNOWN] = "unknown",
        [SOURCE_BOOT] = "boot",
        [SOURCE_DIMM] = "dimm",
        [SOURCE_VIRTIO_MEM] = "virtio-mem",
        [SOURCE_PMEM] = "pmem",
        [SOURCE_CXL] = "cxl",
        [SOURCE_HMEM] = "hmem",
        [SOURCE_DAX] = "dax",
        [SOURCE_NVIDIA] = "nvidia",
        [SOURCE_DRIVER] = "driver",
        [SOURCE_HYPERV] = "hyperv",
        [SOURCE_XEN] = "xen",
        [SOURCE_DLPAR] = "dlpar",
        [SOURCE_STANDBY] = "standby",
};

static int name_find(const char *const *names, int n, const char *s, size_t size) {
        for (int i = 0; i < n; i++)
                if (strlen(names[i]) == size && memcmp(names[i], s, size) == 0)
                        return i;
        return -22;
}

const char *block_state_to_string(enum block_state s) {
        return s >= 0 && s < _BLOCK_STATE_MAX ? state_names[s] : NULL;
}

enum block_state block_state_from_string(const char *s) {
        int i = name_find(state_names, _BLOCK_STATE_MAX, s, strlen(s));

        return i < 0 ? BLOCK_STATE_OTHER : (enum block_state) i;
}

const char *zone_to_string(enum zone z) {
        return z >= 0 && z < _ZONE_MAX ? zone_names[z] : NULL;
}

enum zone zone_from_stringn(const char *s, size_t n) {
        return (enum zone) name_find(zone_names, _ZONE_MAX, s, n);
}

enum zone zone_from_string(const char *s) {
        return zone_from_stringn(s, strlen(s));
}

const char *source_to_string(enum source s) {
        return s >= 0 && s < _SOURCE_MAX ? source_names[s] : NULL;
}

enum source source_from_string(const char *s) {
        return (enum source) name_find(source_names, _SOURCE_MAX, s, strlen(s));
}

int node_set_next(const struct node_set *s, unsigned from) {
        for (unsigned i = from / 64; i < ARRAY_SIZE(s->words); i++) {
                uint64_t word = s->words[i];

                if (i == from / 64)
                        word &= UINT64_MAX << (from % 64);
                if (word)
                        return (int) (i * 64) + __builtin_ctzll(word);
        }
        return -1;
}

bool node_set_equal(const struct node_set *a, const struct node_set *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

void block_parse_zones(struct block *b, const char *text) {
        const char *p = text, *end = text + strcspn(text, "\n"), *word;
        size_t size;

        b->zones_known = true;
        b->zones = 0;
        b->first_zone = _ZONE_INVALID;
        while (word_next(&p, end, &word, &size)) {
                enum zone z = zone_from_stringn(word, size);

                if (z < 0)
                        continue;
                if (b->first_zone < 0)
                        b->first_zone = z;
                b->zones |= ZONE_BIT(z);
        }
}
