/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/format.h"

const char *format_size(uint64_t bytes, char buf[static FORMAT_SIZE_MAX]) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        unsigned unit = 0, tenths;

        while (unit + 1 < ARRAY_SIZE(units) && bytes >> (10 * (unit + 1)))
                unit++;
        /* The remainder's first ten bits are enough for a decimal, and cannot overflow. */
        tenths = unit ? (unsigned) ((bytes >> (10 * (unit - 1)) & 1023) * 10 / 1024) : 0;
        if (tenths)
                snprintf(buf, FORMAT_SIZE_MAX, "%u.%u %s", (unsigned) (bytes >> (10 * unit)), tenths, units[unit]);
        else
                snprintf(buf, FORMAT_SIZE_MAX, "%u %s", (unsigned) (bytes >> (10 * unit)), units[unit]);
        return buf;
}
