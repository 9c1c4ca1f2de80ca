/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "host/conf.h"

/* libconfig 1.5 forgets the buffers of strings in a text that it refuses. Nothing else of it is passed over: what we take from it
 * is ours to free, and has our own functions on its stack. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
        return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

/* A policy that is taken decides every block, and none into a zone that the kernel does not offer. One that is not taken says
 * why. Included files are whatever the text names: names that cannot be are all that a target may let through. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        struct problems problems = {};
        struct policy *p;

        if (strstr(text, "@include"))
                return 0;
        p = policy_new();
        if (!p)
                abort();
        conf_check_text(text, size, "input", &problems);
        if (problems.n_errors == 0)
                conf_parse(text, "input", p, &problems);
        for (size_t i = 0; i < problems.n; i++)
                CLAIM(problems.items[i].text && *problems.items[i].text);
        for (unsigned i = 0; i < 32 && problems.n_errors == 0; i++) {
                struct block b = { .index = i, .start = (uint64_t) i << 27, .size = 1 << 27, .state = BLOCK_OFFLINE, .zones_known = true,
                                   .zones = i & 1 ? ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE) : ZONE_BIT(ZONE_NORMAL),
                                   .first_zone = ZONE_NORMAL, .source = i % _SOURCE_MAX, .tier = -1, .device = "PNP0C80:01" };
                static const struct surroundings nothing;
                struct decision d;

                policy_decide(p, &b, &nothing, &d);
                CLAIM(d.action == ACTION_LEAVE_OFFLINE || d.action == ACTION_ONLINE || (b.zones & action_zones(d.action)));
                CLAIM(d.rule < (int) p->n_rules);
        }
        policy_free(p);
        problems_done(&problems);
        return 0;
}
