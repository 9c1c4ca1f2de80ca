/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/stats-read.h"

#include <errno.h>
#include <string.h>

/* 1: it was read · 0: it is not there, or not for us */
static int read_optional(const struct sysfs *fs, enum sysfs_text which, char **ret, size_t *ret_size) {
        int r;

        r = sysfs_read_text(fs, which, ret, ret_size);
        if (r == -ENOENT || r == -EACCES || r == -EPERM)
                return 0;
        return r < 0 ? r : 1;
}

static int read_buddy(const struct sysfs *fs, struct stats *s, unsigned *ret_line) {
        _cleanup_(buddyinfo_done) struct buddyinfo info = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_optional(fs, SYSFS_BUDDYINFO, &text, &size);
        if (r <= 0)
                return r;
        r = buddyinfo_parse(text, size, &info, ret_line);
        return r < 0 ? r : stats_add_buddy(s, &info);
}

static int read_device(const struct sysfs *fs, const struct zoneinfo *z, struct stats *s, unsigned *ret_line) {
        _cleanup_(device_memory_done) struct device_memory m = {};
        _cleanup_(iomem_done) struct iomem io = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = read_optional(fs, SYSFS_IOMEM, &text, &size);
        if (r <= 0)
                return r;
        r = iomem_parse(text, size, &io, ret_line);
        if (r >= 0)
                r = device_memory_find(&io, z, s->page_size, &m);
        return r < 0 ? r : stats_add_device(s, &m);
}

int stats_read(const struct sysfs *fs, uint64_t page_size, struct stats *ret, enum sysfs_text *ret_which, unsigned *ret_line) {
        _cleanup_(zoneinfo_done) struct zoneinfo z = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        stats_init(ret, page_size);
        *ret_line = 0;
        *ret_which = SYSFS_ZONEINFO;
        r = sysfs_read_text(fs, SYSFS_ZONEINFO, &text, &size);
        if (r >= 0)
                r = zoneinfo_parse_take(&text, size, &z, ret_line);
        if (r >= 0)
                r = stats_add_zones(ret, &z);
        if (r < 0)
                return r;
        *ret_which = SYSFS_BUDDYINFO;
        r = read_buddy(fs, ret, ret_line);
        if (r < 0)
                return r;
        *ret_which = SYSFS_IOMEM;
        return read_device(fs, &z, ret, ret_line);
}

enum memmap_setting memmap_setting_read(const struct sysfs *fs) {
        char word[PARAMETER_WORD_MAX];
        int r;

        r = sysfs_read_memmap_on_memory(fs, word);
        if (r == -ENOENT && strcmp(sysfs_root(fs), "/") == 0)
                return MEMMAP_OUTSIDE; /* the kernel cannot do otherwise */
        if (r < 0)
                return MEMMAP_UNKNOWN;
        return *word == 'N' || *word == '0' ? MEMMAP_OUTSIDE : MEMMAP_INSIDE;
}
