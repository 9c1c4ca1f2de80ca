/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/registry.h"

#include <errno.h>
#include <string.h>

void registry_done(struct registry *r) {
        free(r->entries);
        free(r->devices);
        *r = (struct registry) {};
}

/* The position of the first entry that is not below the block. */
static size_t lower_bound(const struct registry *r, uint32_t block) {
        size_t low = 0, high = r->n;

        if (r->n == 0 || r->entries[r->n - 1].block < block) /* blocks mostly come in order */
                return r->n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (r->entries[middle].block < block)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct entry *registry_find(const struct registry *r, uint32_t block) {
        size_t i = lower_bound(r, block);

        return i < r->n && r->entries[i].block == block ? &r->entries[i] : NULL;
}

struct entry *registry_range(const struct registry *r, uint32_t first, uint32_t last, size_t *ret_n) {
        size_t begin = lower_bound(r, first), end = last == UINT32_MAX ? r->n : lower_bound(r, last + 1);

        *ret_n = end > begin ? end - begin : 0;
        return *ret_n ? r->entries + begin : NULL;
}

struct entry *registry_insert(struct registry *r, uint32_t block) {
        size_t i = lower_bound(r, block);

        if (i < r->n && r->entries[i].block == block)
                return &r->entries[i];
        if (!GROW(r->entries, r->n, r->capacity))
                return NULL;
        memmove(r->entries + i + 1, r->entries + i, (r->n - i) * sizeof(*r->entries));
        r->n++;
        r->entries[i] = (struct entry) { .block = block, .node = -1, .rule = -1 };
        return &r->entries[i];
}

int registry_reserve(struct registry *r, size_t n) {
        while (r->capacity < n)
                if (!grow((void **) &r->entries, &r->capacity, sizeof(*r->entries)))
                        return -ENOMEM;
        return 0;
}

void registry_remove(struct registry *r, uint32_t block) {
        struct entry *e = registry_find(r, block);

        if (!e)
                return;
        r->n--;
        memmove(e, e + 1, (size_t) (r->entries + r->n - e) * sizeof(*e));
}

void registry_sweep(struct registry *r, void (*gone)(struct entry *e, void *userdata), void *userdata) {
        size_t kept = 0;

        for (size_t i = 0; i < r->n; i++) {
                if (!r->entries[i].seen) {
                        gone(&r->entries[i], userdata);
                        continue;
                }
                r->entries[i].seen = false;
                r->entries[kept++] = r->entries[i];
        }
        r->n = kept;
}

uint16_t registry_device(struct registry *r, const char *name) {
        if (!name[0])
                return 0;
        if (r->n_devices == 0) {
                if (!GROW(r->devices, r->n_devices, r->capacity_devices))
                        return 0;
                r->devices[r->n_devices++][0] = '\0';
        }
        /* The device that came last is the one most blocks belong to. */
        for (size_t i = r->n_devices; i > 0; i--)
                if (strncmp(r->devices[i - 1], name, DEVICE_NAME_MAX - 1) == 0)
                        return (uint16_t) (i - 1);
        if (r->n_devices > UINT16_MAX || !GROW(r->devices, r->n_devices, r->capacity_devices))
                return 0;
        snprintf(r->devices[r->n_devices], DEVICE_NAME_MAX, "%s", name);
        return (uint16_t) r->n_devices++;
}

const char *registry_device_name(const struct registry *r, uint16_t device) {
        return device < r->n_devices ? r->devices[device] : "";
}

uint64_t retry_delay_usec(const struct retry *retry, unsigned attempts) {
        uint64_t delay = retry->first_usec;

        while (attempts-- > 1 && delay < retry->max_usec)
                delay = delay > retry->max_usec / 2 ? retry->max_usec : delay * 2;
        return MIN(delay, retry->max_usec);
}
