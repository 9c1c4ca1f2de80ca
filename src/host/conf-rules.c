/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "host/conf-internal.h"

#define NAME_SIZE_MAX 64
#define RULES_MAX 4096
/* The kernel's auto_movable_ratio, and its default. */
#define RATIO_DEFAULT 301
#define RATIO_MAX 1000000
#define RATIO_UNSET UINT32_MAX

/* Names end up in logs and on terminals. */
static bool name_is_clean(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n > NAME_SIZE_MAX)
                return false;
        for (; *s; s++)
                if (!isprint((unsigned char) *s) || *s == '"' || *s == '\\')
                        return false;
        return true;
}

/* ---- match -------------------------------------------------------------------------------------------------------- */

/* One string, or a list of them. */
static void each_string(struct loader *l, const config_setting_t *s, const char *key, const char *what,
                        void (*take)(struct loader *l, const config_setting_t *s, const char *text, struct match *m),
                        struct match *m) {
        bool many = config_setting_type(s) == CONFIG_TYPE_ARRAY || config_setting_type(s) == CONFIG_TYPE_LIST;
        int n = many ? config_setting_length(s) : 1;

        if (n == 0)
                conf_error(l, s, "%s: expected %s or a list of them, found an empty list", key, what);
        for (int i = 0; i < n; i++) {
                const config_setting_t *e = many ? config_setting_get_elem(s, (unsigned) i) : s;
                const char *text = conf_string(l, e, key, what);

                if (text)
                        take(l, e, text, m);
        }
}

static void take_source(struct loader *l, const config_setting_t *s, const char *text, struct match *m) {
        enum source source = source_from_string(text);
        const char *known[_SOURCE_MAX];

        if (source >= 0) {
                m->sources |= SOURCE_BIT(source);
                return;
        }
        for (int i = 0; i < _SOURCE_MAX; i++)
                known[i] = source_to_string((enum source) i);
        conf_unknown_word(l, s, "match.source", text, "a source", known, _SOURCE_MAX);
}

static void load_match_source(struct loader *l, const config_setting_t *s, void *target) {
        each_string(l, s, "match.source", "a source in quotes", take_source, target);
}

static void unknown_platform(struct loader *l, const config_setting_t *s, const char *key, const char *text, const char *what,
                             bool architectures) {
        const char *known[_PLATFORM_MAX];
        size_t n = 0;

        for (enum platform p = 0; p < _PLATFORM_MAX; p++)
                if (platform_is_architecture(p) == architectures)
                        known[n++] = platform_to_string(p);
        conf_unknown_word(l, s, key, text, what, known, n);
}

static void take_platform(struct loader *l, const config_setting_t *s, const char *text, struct match *m) {
        enum platform platform = platform_from_string(text);

        if (platform >= 0 && !platform_is_architecture(platform))
                m->platforms |= PLATFORM_BIT(platform);
        else
                unknown_platform(l, s, "match.platform", text, "a platform", false);
}

static void take_architecture(struct loader *l, const config_setting_t *s, const char *text, struct match *m) {
        enum platform architecture = architecture_from_machine(text);

        if (architecture >= 0)
                m->architectures |= PLATFORM_BIT(architecture);
        else
                unknown_platform(l, s, "match.architecture", text, "an architecture", true);
}

static void load_match_architecture(struct loader *l, const config_setting_t *s, void *target) {
        each_string(l, s, "match.architecture", "an architecture in quotes", take_architecture, target);
}

static void load_match_platform(struct loader *l, const config_setting_t *s, void *target) {
        each_string(l, s, "match.platform", "a platform in quotes", take_platform, target);
}

static void take_device(struct loader *l, const config_setting_t *s, const char *text, struct match *m) {
        char **devices, *copy;

        if (!name_is_clean(text)) {
                conf_error(l, s, "match.device: at most %d printable ASCII characters without quotes and backslashes",
                           NAME_SIZE_MAX);
                return;
        }
        devices = reallocarray(m->devices, m->n_devices + 1, sizeof(*devices));
        if (devices)
                m->devices = devices;
        copy = devices ? strdup(text) : NULL;
        if (copy)
                m->devices[m->n_devices++] = copy;
        else
                problems_add(l->problems, false, l->file, 0, "out of memory");
}

static void load_match_device(struct loader *l, const config_setting_t *s, void *target) {
        each_string(l, s, "match.device", "a device or a pattern in quotes, such as \"PNP0C80:*\"", take_device, target);
}

/* Ranges, as a string; a single number may stand without quotes. max: of any bound but "no upper bound". */
static void load_ranges(struct loader *l, const config_setting_t *s, const char *key, const char *example,
                        enum ranges_form form, uint64_t max, struct ranges *ret) {
        struct ranges ranges;
        const char *text;
        char number[32];

        if (form == RANGES_NUMBERS && config_setting_type(s) == CONFIG_TYPE_INT) {
                snprintf(number, sizeof(number), "%d", config_setting_get_int(s));
                text = number;
        } else
                text = conf_string(l, s, key, "a range in quotes");
        if (!text)
                return;
        if (parse_ranges(text, form, &ranges) < 0) {
                conf_error(l, s, "%s: \"%s\" is not of the form \"%s\"", key, text, example);
                return;
        }
        for (size_t i = 0; i < ranges.n; i++)
                if (ranges.items[i].first > max || (ranges.items[i].last > max && ranges.items[i].last != UINT64_MAX)) {
                        conf_error(l, s, "%s: \"%s\" is out of range (0 to %ju)", key, text, (uintmax_t) max);
                        ranges_done(&ranges);
                        return;
                }
        ranges_done(ret);
        *ret = ranges;
}

static void load_match_node(struct loader *l, const config_setting_t *s, void *target) {
        load_ranges(l, s, "match.node", "1-3,5", RANGES_NUMBERS, NODES_MAX - 1, &((struct match *) target)->nodes);
}

static void load_match_address(struct loader *l, const config_setting_t *s, void *target) {
        load_ranges(l, s, "match.address", "4G-8G", RANGES_SIZES, UINT64_MAX, &((struct match *) target)->addresses);
}

static void load_match_size(struct loader *l, const config_setting_t *s, void *target) {
        load_ranges(l, s, "match.size", "16G-", RANGES_SIZES_INCLUSIVE, UINT64_MAX, &((struct match *) target)->sizes);
}

static void load_match_tier(struct loader *l, const config_setting_t *s, void *target) {
        load_ranges(l, s, "match.tier", "4-", RANGES_NUMBERS, INT16_MAX, &((struct match *) target)->tiers);
}

/* ---- rule --------------------------------------------------------------------------------------------------------- */

static void load_action(struct loader *l, const config_setting_t *s, const char *key, enum action *ret) {
        const char *text = conf_string(l, s, key, "an action in quotes");
        enum action action = text ? action_from_string(text) : _ACTION_INVALID;
        const char *known[_ACTION_MAX];

        if (!text)
                return;
        if (action >= 0) {
                *ret = action;
                return;
        }
        for (int i = 0; i < _ACTION_MAX; i++)
                known[i] = action_to_string((enum action) i);
        conf_unknown_word(l, s, key, text, "an action", known, _ACTION_MAX);
}

static void load_rule_name(struct loader *l, const config_setting_t *s, void *target) {
        struct rule *r = target;
        const char *text = conf_string(l, s, "name", "a name in quotes");

        if (!text)
                return;
        if (!name_is_clean(text)) {
                conf_error(l, s, "name: at most %d printable ASCII characters without quotes and backslashes",
                         NAME_SIZE_MAX);
                return;
        }
        free(r->name);
        r->name = strdup(text);
}

static void load_rule_match(struct loader *l, const config_setting_t *s, void *target) {
        static const struct key keys[] = {
                { "source", load_match_source },
                { "node", load_match_node },
                { "address", load_match_address },
                { "size", load_match_size },
                { "device", load_match_device },
                { "platform", load_match_platform },
                { "tier", load_match_tier },
                { "architecture", load_match_architecture },
        };
        struct rule *r = target;

        if (conf_expect(l, s, "match", CONFIG_TYPE_GROUP, "a group, such as { source = \"dimm\"; }"))
                conf_group(l, s, "match", keys, ARRAY_SIZE(keys), &r->match);
}

static void load_rule_action(struct loader *l, const config_setting_t *s, void *target) {
        load_action(l, s, "action", &((struct rule *) target)->action);
}

static void load_rule_fallback(struct loader *l, const config_setting_t *s, void *target) {
        load_action(l, s, "fallback", &((struct rule *) target)->fallback);
}

static void load_rule_movable_ratio(struct loader *l, const config_setting_t *s, void *target) {
        conf_count(l, s, "movable_ratio", 0, RATIO_MAX, &((struct rule *) target)->balance.ratio);
}

static void load_rule_max_movable_ratio(struct loader *l, const config_setting_t *s, void *target) {
        conf_count(l, s, "max_movable_ratio", 1, RATIO_MAX, &((struct rule *) target)->balance.ratio);
}

static void load_rule_numa_aware(struct loader *l, const config_setting_t *s, void *target) {
        conf_bool(l, s, "numa_aware", &((struct rule *) target)->balance.numa_aware);
}

static void load_rule_hot_kernel(struct loader *l, const config_setting_t *s, void *target) {
        conf_bool(l, s, "count_hot_kernel", &((struct rule *) target)->balance.hot_extends);
}

static void load_rule_on_partial(struct loader *l, const config_setting_t *s, void *target) {
        conf_choice(l, s, "on_partial", "keep", "rollback", &((struct rule *) target)->rollback);
}

/* Keys that mean nothing for the rule's action are mistakes, not decoration. */
static void check_rule_keys(struct loader *l, const config_setting_t *s, struct rule *r) {
        static const struct {
                const char *key;
                bool balance, movable; /* the actions it belongs to */
        } keys[] = {
                { "movable_ratio", true, false },
                { "max_movable_ratio", false, true },
                { "numa_aware", true, true },
                { "count_hot_kernel", true, true },
        };
        bool guarded = r->action == ACTION_ONLINE_MOVABLE && config_setting_get_member(s, "max_movable_ratio");

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const config_setting_t *k = config_setting_get_member(s, keys[i].key);

                if (!k || r->action < 0 || (keys[i].balance && r->action == ACTION_BALANCE) || (keys[i].movable && guarded))
                        continue;
                conf_error(l, k, "%s: belongs to action \"balance\"%s, not to \"%s\"", keys[i].key,
                           keys[i].movable ? " or to max_movable_ratio of \"online_movable\"" : "",
                           action_to_string(r->action));
        }
        if (r->fallback == ACTION_BALANCE)
                conf_error(l, config_setting_get_member(s, "fallback"),
                           "fallback: \"balance\" chooses a zone itself; name the zone");
        if (guarded && r->fallback != ACTION_LEAVE_OFFLINE && r->fallback != ACTION_ONLINE_KERNEL)
                conf_error(l, config_setting_get_member(s, "fallback"),
                           "fallback: expected \"online_kernel\" or \"leave_offline\" beside max_movable_ratio, found \"%s\": "
                           "beyond the ratio nothing may become movable", action_to_string(r->fallback));
        /* A guard is about the machine, unless it says otherwise: a node of movable memory alone is what CXL looks like. */
        if (r->action == ACTION_ONLINE_MOVABLE && !config_setting_get_member(s, "numa_aware"))
                r->balance.numa_aware = false;
        if (r->balance.ratio == RATIO_UNSET)
                r->balance.ratio = r->action == ACTION_BALANCE ? RATIO_DEFAULT : 0;
}

static void load_rule(struct loader *l, const config_setting_t *s) {
        static const struct key keys[] = {
                { "name", load_rule_name },
                { "match", load_rule_match },
                { "action", load_rule_action },
                { "fallback", load_rule_fallback },
                { "movable_ratio", load_rule_movable_ratio },
                { "max_movable_ratio", load_rule_max_movable_ratio },
                { "numa_aware", load_rule_numa_aware },
                { "count_hot_kernel", load_rule_hot_kernel },
                { "on_partial", load_rule_on_partial },
        };
        struct rule *r;

        if (!conf_expect(l, s, "rules", CONFIG_TYPE_GROUP, "a group { … } for each rule"))
                return;
        if (!GROW(l->policy->rules, l->policy->n_rules, l->policy->capacity_rules)) {
                problems_add(l->problems, false, l->file, 0, "out of memory");
                return;
        }
        r = &l->policy->rules[l->policy->n_rules++];
        *r = (struct rule) {
                .action = _ACTION_INVALID,
                .fallback = ACTION_LEAVE_OFFLINE,
                .balance = { .ratio = RATIO_UNSET, .numa_aware = true },
        };
        r->line = config_setting_source_line(s);
        r->file = strdup(config_setting_source_file(s) ?: l->file);
        conf_group(l, s, "a rule", keys, ARRAY_SIZE(keys), r);
        if (!r->name && asprintf(&r->name, "rule-%zu", l->policy->n_rules) < 0)
                r->name = NULL;
        if (!r->name || !r->file)
                problems_add(l->problems, false, l->file, 0, "out of memory");
        else if (!config_setting_get_member(s, "action"))
                conf_error(l, s, "rule \"%s\" has no action", r->name);
        check_rule_keys(l, s, r);
}

void conf_load_rules(struct loader *l, const config_setting_t *s, void *target) {
        (void) target;
        if (!conf_expect(l, s, "rules", CONFIG_TYPE_LIST, "a list ( { … }, { … } )"))
                return;
        if (l->policy->n_rules + (size_t) config_setting_length(s) > RULES_MAX) {
                conf_error(l, s, "rules: more than %d in all", RULES_MAX);
                return;
        }
        for (int i = 0; i < config_setting_length(s); i++)
                load_rule(l, config_setting_get_elem(s, (unsigned) i));
}

