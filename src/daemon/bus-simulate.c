/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "daemon/bus-internal.h"
#include "host/surroundings.h"

/* What if … */

#define SPECS_MAX 64
/* Of all hot-adds together: each block is decided, while everything else waits. A tenth of a second with 100 rules; memhpctl,
 * which nobody waits for, has no limit. */
#define BLOCKS_MAX 131072

static int read_specs(struct bus *b, sd_bus_message *m, struct sim_spec specs[static SPECS_MAX], size_t *ret_n,
                      sd_bus_error *error) {
        const uint64_t block_size = sysfs_block_size(manager_sysfs(b->manager));
        uint64_t blocks = 0;
        char why[SIM_ERROR_MAX];
        const char *text;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                if (n == SPECS_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "more than %d hot-adds at a time", SPECS_MAX);
                if (!*bus_text(text))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "a hot-add is plain text: " SIM_SPEC_FORM);
                if (sim_spec_parse(text, &specs[n], why) < 0)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s: not a hot-add: %s", text, why);
                blocks += specs[n].size / block_size;
                if (blocks > BLOCKS_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s: more than %d blocks in all", text,
                                                 BLOCKS_MAX);
                n++;
        }
        if (r < 0)
                return r;
        if (n == 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "what is to be added?");
        *ret_n = n;
        return sd_bus_message_exit_container(m);
}

static void put_percent(struct writer *w, const char *key, const struct simulation *s, const struct sim_add *a,
                        const struct totals_side *side) {
        uint64_t percent = sim_percent(s, a, side);

        if (s->around.totals.known && percent != UINT64_MAX)
                writer_put(w, key, "t", percent);
}

static void put_decision(struct writer *w, const struct simulation *s, const struct decision *d) {
        const struct block offline = { .state = BLOCK_OFFLINE };
        const struct rule *rule = d->rule >= 0 ? &s->policy->rules[d->rule] : NULL;
        char reason[1024];

        decision_describe(s->policy, &offline, d, reason, sizeof(reason));
        writer_put(w, "action", "s", action_to_string(d->action));
        if (rule)
                writer_put_rule(w, rule->name, rule->file, rule->line);
        writer_put(w, "reason", "s", bus_text(reason));
}

static void put_warnings(struct writer *w, const struct simulation *s, const struct sim_add *a) {
        char text[1024];

        writer_open_array(w, "warnings", "(ss)");
        for (enum sim_warning i = 0; i < _SIM_WARNING_MAX; i++)
                if (a->warnings & (1u << i)) {
                        sim_warning_describe(s, a, i, text, sizeof(text));
                        writer_append(w, "(ss)", sim_warning_to_string(i), bus_text(text));
                }
        writer_close_array(w);
}

static void append_simulated(struct writer *w, const struct simulation *s, const struct sim_add *a) {
        writer_open(w, 'a', "{sv}");
        writer_put(w, "add", "s", a->spec->text);
        writer_put(w, "start", "t", a->start);
        writer_put(w, "size", "t", a->size);
        writer_put(w, "refused", "s", sim_refusal_to_string(a->refusal) ?: "");
        if (a->refused < a->size)
                put_decision(w, s, &a->decision);
        writer_put(w, "zones", "a{st}", 4, "Movable", a->movable, "Normal", a->kernel, "offline", a->offline, "refused",
                   a->refused);
        put_percent(w, "percent_before", s, a, &a->before);
        put_percent(w, "percent_after", s, a, &a->after);
        writer_put(w, "memmap", "t", a->memmap);
        put_warnings(w, s, a);
        writer_close(w);
}

/* What is there now, for the simulation to begin with. */
static int simulate_from(struct bus *b, struct simulation *s, uint32_t **ret_indices) {
        const struct registry *registry = manager_registry(b->manager);
        const struct sysfs *fs = manager_sysfs(b->manager);
        uint32_t *indices = calloc(MAX(registry->n, (size_t) 1), sizeof(*indices));

        if (!indices)
                return -ENOMEM;
        for (size_t i = 0; i < registry->n; i++)
                indices[i] = registry->entries[i].block;
        s->policy = manager_policy(b->manager);
        s->around = *manager_surroundings(b->manager);
        s->block_size = sysfs_block_size(fs);
        s->page_size = manager_page_size(b->manager);
        s->indices = indices;
        s->n_indices = registry->n;
        sysfs_read_tiers(fs, s->tiers);
        surroundings_read_memory(fs, s->page_size, &s->memory);
        *ret_indices = indices;
        return 0;
}

int bus_simulate(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_free_ struct simulation *s = NULL;
        _cleanup_free_ struct sim_add *adds = NULL;
        _cleanup_free_ uint32_t *indices = NULL;
        struct sim_spec specs[SPECS_MAX];
        struct writer w;
        size_t n = 0;
        int r;

        r = read_specs(b, m, specs, &n, error);
        if (r < 0 || only_check)
                return r;
        s = calloc(1, sizeof(*s));
        adds = calloc(n, sizeof(*adds));
        if (!s || !adds)
                return -ENOMEM;
        r = simulate_from(b, s, &indices);
        if (r < 0)
                return r;
        simulation_run(s, specs, n, adds);
        writer_init_reply(&w, m);
        writer_open(&w, 'a', "a{sv}");
        for (size_t i = 0; i < n; i++)
                append_simulated(&w, s, &adds[i]);
        writer_close(&w);
        return writer_reply(&w);
}
