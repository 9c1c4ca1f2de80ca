/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct iomem io;
        unsigned line = 0;

        if (iomem_parse((const char *) data, size, &io, &line) < 0) {
                CLAIM(line >= 1 && line <= MAX(fuzz_lines(data, size), (size_t) 1) + 1);
                return 0;
        }
        for (size_t i = 0; i < io.n; i++) {
                const struct iomem_entry *ram = iomem_find_ram(&io, io.entries[i].start, io.entries[i].end);
                struct evidence e = { .iomem = &io, .ram = ram, .machine = i % _MACHINE_MAX, .arrival = i % _ARRIVAL_MAX };
                char text[256];
                struct origin o;

                source_classify(&e, &o);
                CLAIM(o.source >= 0 && o.source < _SOURCE_MAX && memchr(o.device, 0, sizeof(o.device)));
                source_describe(&e, text, sizeof(text));
                CLAIM(memchr(text, 0, sizeof(text)));
        }
        iomem_done(&io);
        return 0;
}
