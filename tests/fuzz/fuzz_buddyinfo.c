/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/buddyinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct buddyinfo b;
        unsigned line = 0;

        if (buddyinfo_parse((const char *) data, size, &b, &line) < 0) {
                CLAIM(line >= 1 && line <= MAX(fuzz_lines(data, size), (size_t) 1) + 1);
                return 0;
        }
        for (size_t i = 0; i < b.n_zones; i++) {
                const struct buddy_zone *z = &b.zones[i];
                int largest = buddy_zone_largest_order(z, b.orders);

                CLAIM(largest < (int) b.orders);
                CLAIM((largest < 0) == (buddy_zone_free_pages(z, b.orders) == 0));
                for (unsigned order = 0; order < b.orders; order++) {
                        double unusable = buddy_zone_unusable(z, b.orders, order);

                        CLAIM(unusable >= 0 && unusable <= 1);
                }
        }
        buddyinfo_done(&b);
        return 0;
}
