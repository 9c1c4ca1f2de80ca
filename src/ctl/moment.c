/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/moment.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/parse.h"

uint64_t moment_now(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

const char *moment_format(uint64_t usec, char buf[static MOMENT_TEXT_MAX]) {
        time_t seconds = (time_t) (usec / 1000000);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(buf, MOMENT_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                snprintf(buf, MOMENT_TEXT_MAX, "@%llu", (unsigned long long) (usec / 1000000));
        return buf;
}

static int from_local(struct tm *tm, uint64_t *ret) {
        time_t t;

        tm->tm_isdst = -1;
        t = mktime(tm);
        if (t < 0)
                return -EINVAL;
        *ret = (uint64_t) t * 1000000;
        return 0;
}

int moment_parse(const char *text, uint64_t now, uint64_t *ret) {
        static const char *const dates[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d" },
                                 *const times[] = { "%H:%M:%S", "%H:%M" };
        time_t seconds = (time_t) (now / 1000000);
        struct tm today, tm;
        uint64_t value;

        if (*text == '@') {
                if (parse_u64(text + 1, &value) < 0 || value > UINT64_MAX / 1000000)
                        return -EINVAL;
                *ret = value * 1000000;
                return 0;
        }
        if (!localtime_r(&seconds, &today))
                return -EINVAL;
        today.tm_hour = today.tm_min = today.tm_sec = 0;
        if (strcmp(text, "today") == 0)
                return from_local(&today, ret);
        if (strcmp(text, "yesterday") == 0) {
                today.tm_mday--;
                return from_local(&today, ret);
        }
        for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
                const char *end = strptime(text, dates[i], (tm = (struct tm) {}, &tm));

                if (end && !*end)
                        return from_local(&tm, ret);
        }
        for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
                const char *end = strptime(text, times[i], (tm = today, &tm));

                if (end && !*end)
                        return from_local(&tm, ret);
        }
        if (parse_time(text, &value) < 0)
                return -EINVAL;
        *ret = now > value ? now - value : 0;
        return 0;
}
