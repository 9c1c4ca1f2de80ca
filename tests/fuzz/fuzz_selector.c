/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "core/selector.h"
#include "core/simulation.h"

#define BLOCK_SIZE (UINT64_C(128) << 20)

/* What people write on the command line and programs on the bus: a selector, and a hot-add to simulate. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        char error[SIM_ERROR_MAX] = "";
        struct selector s;
        struct sim_spec spec;

        if (selector_parse(text, &s, error) >= 0) {
                for (uint32_t i = 0; i < 64; i++) {
                        struct block b = { .index = i, .start = i * BLOCK_SIZE, .size = BLOCK_SIZE, .source = i % _SOURCE_MAX,
                                           .device = "dax0.0" };

                        node_set_add(&b.nodes, i % 4);
                        CLAIM(!selector_match(&s, &b, BLOCK_SIZE) || selector_may_match(&s, i, BLOCK_SIZE));
                }
                selector_done(&s);
        } else
                CLAIM(*error);
        *error = '\0';
        if (sim_spec_parse(text, &spec, error) >= 0)
                CLAIM(spec.size > 0 && spec.source >= 0 && spec.source < _SOURCE_MAX && spec.node < NODES_MAX);
        else
                CLAIM(*error);
        return 0;
}
