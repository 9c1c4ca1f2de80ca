/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/obstacle.h"

/* A record a line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct obstacles obstacles;
        static struct refusals refusals;
        size_t n_pages;

        memset(&obstacles, 0, sizeof(obstacles));
        memset(&refusals, 0, sizeof(refusals));
        while (size) {
                const uint8_t *end = memchr(data, '\n', size);
                size_t n = end ? (size_t) (end - data) : size;
                struct kernlog_line line;

                kernlog_parse((const char *) data, n, &line);
                CLAIM(memchr(line.device, 0, sizeof(line.device)) && memchr(line.text, 0, sizeof(line.text)));
                refusals_add(&refusals, &line);
                obstacles_add(&obstacles, &line);
                n = end ? n + 1 : n;
                data += n;
                size -= n;
        }
        CLAIM(refusals.n <= REFUSALS_MAX && obstacles.n <= OBSTACLES_MAX);
        for (size_t i = 0; i < refusals.n; i++) {
                char text[512];

                refusal_describe(refusals_get(&refusals, i), text, sizeof(text));
                CLAIM(memchr(text, 0, sizeof(text)));
        }
        for (size_t i = 0; i < obstacles.n; i++) {
                char text[OBSTACLE_TEXT_MAX];

                obstacle_describe(&obstacles.ring[i], i, text);
                CLAIM(memchr(text, 0, sizeof(text)));
        }
        (void) obstacles_find(&obstacles, 0, UINT64_MAX, 0, &n_pages);
        return 0;
}
