/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pageflags.h"

#include <errno.h>

#define CHUNK 4096 /* pages read at a time */

int pageflags_open(const struct sysfs *fs) {
        return sysfs_open_page_flags(fs);
}

int pageflags_read(int fd, uint64_t start, uint64_t size, uint64_t page_size, struct page_counts *ret) {
        uint64_t first = start / page_size, n_pages = size / page_size, flags[CHUNK];
        struct page_counts c = {};

        for (uint64_t i = 0; i < n_pages;) {
                size_t wanted = (size_t) MIN(n_pages - i, (uint64_t) CHUNK);
                ssize_t n = pread(fd, flags, wanted * sizeof(flags[0]), (off_t) ((first + i) * sizeof(flags[0])));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                n /= (ssize_t) sizeof(flags[0]);
                if (n == 0)
                        return -ENODATA; /* beyond the last page there is */
                pages_count(&c, flags, (size_t) n);
                i += (uint64_t) n;
        }
        pages_finish(&c, n_pages, page_size);
        *ret = c;
        return 0;
}
