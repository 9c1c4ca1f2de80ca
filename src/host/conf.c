/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/conf.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libconfig.h>
#include <string.h>

#define NAME_SIZE_MAX 64
#define RULES_MAX 4096 /* they are counted in 16 bits, and each costs every block a look */

/* One file on its way into the policy. */
struct loader {
        struct policy *policy;
        struct problems *problems;
        const char *file;
};

/* An error at a setting, which may stand in an included file. */
static void _printf_(3, 4) error_at(struct loader *l, const config_setting_t *s, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        problems_addv(l->problems, false, config_setting_source_file(s) ?: l->file, config_setting_source_line(s), format,
                     ap);
        va_end(ap);
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static const char *type_name(const config_setting_t *s) {
        switch (config_setting_type(s)) {
        case CONFIG_TYPE_INT:
        case CONFIG_TYPE_INT64:
                return "a number";
        case CONFIG_TYPE_FLOAT:
                return "a fraction";
        case CONFIG_TYPE_STRING:
                return "a string";
        case CONFIG_TYPE_BOOL:
                return "true or false";
        case CONFIG_TYPE_ARRAY:
                return "an array";
        case CONFIG_TYPE_LIST:
                return "a list";
        case CONFIG_TYPE_GROUP:
                return "a group";
        default:
                return "nothing";
        }
}

static bool expect(struct loader *l, const config_setting_t *s, const char *key, int type, const char *what) {
        if (config_setting_type(s) == type)
                return true;
        error_at(l, s, "%s: expected %s, found %s", key, what, type_name(s));
        return false;
}

static const char *get_string(struct loader *l, const config_setting_t *s, const char *key, const char *what) {
        return expect(l, s, key, CONFIG_TYPE_STRING, what) ? config_setting_get_string(s) : NULL;
}

static void load_time(struct loader *l, const config_setting_t *s, const char *key, uint64_t min, uint64_t max,
                      uint64_t *ret) {
        const char *text = get_string(l, s, key, "a time in quotes, such as \"200ms\" or \"10min\"");
        uint64_t value;

        if (!text)
                return;
        if (parse_time(text, &value) < 0)
                error_at(l, s, "%s: \"%s\" is not a time; write a number and us, ms, s, min or h", key, text);
        else if (value < min || value > max)
                error_at(l, s, "%s: \"%s\" is out of range (%" PRIu64 " ms to %" PRIu64 " s)", key, text, min / 1000,
                         max / 1000000);
        else
                *ret = value;
}

static void load_count(struct loader *l, const config_setting_t *s, const char *key, unsigned min, unsigned max,
                       unsigned *ret) {
        long long value;

        if (config_setting_type(s) != CONFIG_TYPE_INT && config_setting_type(s) != CONFIG_TYPE_INT64) {
                error_at(l, s, "%s: expected a number, found %s", key, type_name(s));
                return;
        }
        value = config_setting_get_int64(s);
        if (value < min || value > max)
                error_at(l, s, "%s: %lld is out of range (%u to %u)", key, value, min, max);
        else
                *ret = (unsigned) value;
}

/* One of two words. */
static void load_choice(struct loader *l, const config_setting_t *s, const char *key, const char *no, const char *yes,
                        bool *ret) {
        const char *text;

        if (config_setting_type(s) != CONFIG_TYPE_STRING) {
                error_at(l, s, "%s: expected \"%s\" or \"%s\", found %s", key, no, yes, type_name(s));
                return;
        }
        text = config_setting_get_string(s);
        if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
                error_at(l, s, "%s: expected \"%s\" or \"%s\", found \"%s\"", key, no, yes, text);
        else
                *ret = strcmp(text, yes) == 0;
}

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

/* ---- groups: a table of keys each, and strays are refused ---------------------------------------------------------- */

struct key {
        const char *name;
        void (*load)(struct loader *l, const config_setting_t *s, void *target);
};

static void load_group(struct loader *l, const config_setting_t *group, const char *what, const struct key *keys,
                       size_t n_keys, void *target) {
        for (int i = 0; i < config_setting_length(group); i++) {
                const config_setting_t *s = config_setting_get_elem(group, (unsigned) i);
                const char *name = config_setting_name(s);
                size_t k = 0;

                while (k < n_keys && strcmp(keys[k].name, name) != 0)
                        k++;
                if (k < n_keys) {
                        keys[k].load(l, s, target);
                        continue;
                }
                char known[256] = "";
                for (size_t n = 0, j = 0; j < n_keys && n < sizeof(known); j++)
                        n += (size_t) snprintf(known + n, sizeof(known) - n, "%s%s", j ? ", " : "", keys[j].name);
                error_at(l, s, "unknown key \"%s\" in %s; known are %s", name, what, known);
        }
}

static void load_match_source(struct loader *l, const config_setting_t *s, void *target) {
        struct match *m = target;
        int n = config_setting_is_aggregate(s) ? config_setting_length(s) : 1;

        if (config_setting_type(s) == CONFIG_TYPE_GROUP || n == 0) {
                error_at(l, s, "match.source: expected a source or a list of sources, found %s",
                         n == 0 ? "an empty list" : "a group");
                return;
        }
        for (int i = 0; i < n; i++) {
                const config_setting_t *e =
                        config_setting_is_aggregate(s) ? config_setting_get_elem(s, (unsigned) i) : s;
                const char *text = get_string(l, e, "match.source", "a source in quotes");
                enum source source = text ? source_from_string(text) : _SOURCE_INVALID;
                char known[256] = "";

                if (source >= 0)
                        m->sources |= SOURCE_BIT(source);
                if (!text || source >= 0)
                        continue;
                for (size_t size = 0, j = 0; j < _SOURCE_MAX; j++)
                        size += (size_t) snprintf(known + size, sizeof(known) - size, " %s",
                                                  source_to_string((enum source) j));
                error_at(l, e, "match.source: \"%s\" is not a source; known are%s", text, known);
        }
}

static void load_match_node(struct loader *l, const config_setting_t *s, void *target) {
        struct match *m = target;
        const char *text;
        char number[32];
        struct ranges nodes;

        if (config_setting_type(s) == CONFIG_TYPE_INT) {
                snprintf(number, sizeof(number), "%d", config_setting_get_int(s));
                text = number;
        } else
                text = get_string(l, s, "match.node", "node numbers in quotes, such as \"1-3,5\"");
        if (!text)
                return;
        if (parse_ranges(text, RANGES_NUMBERS, &nodes) < 0) {
                error_at(l, s, "match.node: \"%s\" is not a list of nodes, such as \"1-3,5\"", text);
                return;
        }
        for (size_t i = 0; i < nodes.n; i++)
                if (nodes.items[i].first >= NODES_MAX ||
                    (nodes.items[i].last >= NODES_MAX && nodes.items[i].last != UINT64_MAX)) {
                        error_at(l, s, "match.node: \"%s\" is out of range (0 to %d)", text, NODES_MAX - 1);
                        ranges_done(&nodes);
                        return;
                }
        ranges_done(&m->nodes);
        m->nodes = nodes;
}

static void load_action(struct loader *l, const config_setting_t *s, const char *key, enum action *ret) {
        const char *text = get_string(l, s, key, "an action in quotes");
        enum action action = text ? action_from_string(text) : _ACTION_INVALID;
        char known[256] = "";

        if (!text)
                return;
        if (action >= 0) {
                *ret = action;
                return;
        }
        for (size_t n = 0, i = 0; i < _ACTION_MAX; i++)
                n += (size_t) snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "",
                                       action_to_string((enum action) i));
        error_at(l, s, "%s: \"%s\" is not an action; known are %s", key, text, known);
}

static void load_rule_name(struct loader *l, const config_setting_t *s, void *target) {
        struct rule *r = target;
        const char *text = get_string(l, s, "name", "a name in quotes");

        if (!text)
                return;
        if (!name_is_clean(text)) {
                error_at(l, s, "name: at most %d printable ASCII characters without quotes and backslashes",
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
        };
        struct rule *r = target;

        if (expect(l, s, "match", CONFIG_TYPE_GROUP, "a group, such as { source = \"dimm\"; }"))
                load_group(l, s, "match", keys, ARRAY_SIZE(keys), &r->match);
}

static void load_rule_action(struct loader *l, const config_setting_t *s, void *target) {
        load_action(l, s, "action", &((struct rule *) target)->action);
}

static void load_rule_fallback(struct loader *l, const config_setting_t *s, void *target) {
        load_action(l, s, "fallback", &((struct rule *) target)->fallback);
}

static void load_rule_on_partial(struct loader *l, const config_setting_t *s, void *target) {
        load_choice(l, s, "on_partial", "keep", "rollback", &((struct rule *) target)->rollback);
}

static void load_rule(struct loader *l, const config_setting_t *s) {
        static const struct key keys[] = {
                { "name", load_rule_name },
                { "match", load_rule_match },
                { "action", load_rule_action },
                { "fallback", load_rule_fallback },
                { "on_partial", load_rule_on_partial },
        };
        struct rule *r;

        if (!expect(l, s, "rules", CONFIG_TYPE_GROUP, "a group { … } for each rule"))
                return;
        if (!GROW(l->policy->rules, l->policy->n_rules, l->policy->capacity_rules)) {
                problems_add(l->problems, false, l->file, 0, "out of memory");
                return;
        }
        r = &l->policy->rules[l->policy->n_rules++];
        *r = (struct rule) { .action = _ACTION_INVALID, .fallback = ACTION_LEAVE_OFFLINE };
        r->line = config_setting_source_line(s);
        r->file = strdup(config_setting_source_file(s) ?: l->file);
        load_group(l, s, "a rule", keys, ARRAY_SIZE(keys), r);
        if (!r->name && asprintf(&r->name, "rule-%zu", l->policy->n_rules) < 0)
                r->name = NULL;
        if (!r->name || !r->file)
                problems_add(l->problems, false, l->file, 0, "out of memory");
        else if (!config_setting_get_member(s, "action"))
                error_at(l, s, "rule \"%s\" has no action", r->name);
}

static void load_rules(struct loader *l, const config_setting_t *s, void *target) {
        (void) target;
        if (!expect(l, s, "rules", CONFIG_TYPE_LIST, "a list ( { … }, { … } )"))
                return;
        if (l->policy->n_rules + (size_t) config_setting_length(s) > RULES_MAX) {
                error_at(l, s, "rules: more than %d in all", RULES_MAX);
                return;
        }
        for (int i = 0; i < config_setting_length(s); i++)
                load_rule(l, config_setting_get_elem(s, (unsigned) i));
}

static void load_version(struct loader *l, const config_setting_t *s, void *target) {
        unsigned version;

        (void) target;
        load_count(l, s, "version", 1, 1, &version);
}

static void load_startup(struct loader *l, const config_setting_t *s, void *target) {
        load_choice(l, s, "startup", "ignore", "apply", &((struct policy *) target)->startup_apply);
}

static void load_auto_online(struct loader *l, const config_setting_t *s, void *target) {
        const char *text = get_string(l, s, "kernel_auto_online", "\"manage\", \"keep\" or \"delegate\"");
        enum auto_online a = text ? auto_online_from_string(text) : _AUTO_ONLINE_INVALID;

        if (a >= 0)
                ((struct policy *) target)->auto_online = a;
        else if (text)
                error_at(l, s, "kernel_auto_online: expected \"manage\", \"keep\" or \"delegate\", found \"%s\"", text);
}

static void load_offline_timeout(struct loader *l, const config_setting_t *s, void *target) {
        load_time(l, s, "offline_timeout", 1000000, 3600000000, &((struct policy *) target)->offline_timeout_usec);
}

static void load_reconcile(struct loader *l, const config_setting_t *s, void *target) {
        struct policy *p = target;

        if (config_setting_type(s) == CONFIG_TYPE_STRING && strcmp(config_setting_get_string(s), "off") == 0)
                p->reconcile_usec = 0;
        else
                load_time(l, s, "reconcile", 1000000, 86400000000, &p->reconcile_usec);
}

static void load_retry_first(struct loader *l, const config_setting_t *s, void *target) {
        load_time(l, s, "retry.first", 1000, 3600000000, &((struct retry *) target)->first_usec);
}

static void load_retry_max(struct loader *l, const config_setting_t *s, void *target) {
        load_time(l, s, "retry.max", 1000, 3600000000, &((struct retry *) target)->max_usec);
}

static void load_retry_attempts(struct loader *l, const config_setting_t *s, void *target) {
        load_count(l, s, "retry.attempts", 1, 100, &((struct retry *) target)->attempts);
}

static void load_retry(struct loader *l, const config_setting_t *s, void *target) {
        static const struct key keys[] = {
                { "first", load_retry_first },
                { "max", load_retry_max },
                { "attempts", load_retry_attempts },
        };
        struct policy *p = target;

        if (!expect(l, s, "retry", CONFIG_TYPE_GROUP, "a group"))
                return;
        load_group(l, s, "retry", keys, ARRAY_SIZE(keys), &p->retry);
        if (p->retry.max_usec < p->retry.first_usec)
                error_at(l, s, "retry: max is shorter than first");
}

void conf_parse(const char *text, const char *path, struct policy *policy, struct problems *problems) {
        static const struct key keys[] = {
                { "version", load_version },
                { "kernel_auto_online", load_auto_online },
                { "startup", load_startup },
                { "offline_timeout", load_offline_timeout },
                { "reconcile", load_reconcile },
                { "retry", load_retry },
                { "rules", load_rules },
        };
        struct loader l = { .policy = policy, .problems = problems, .file = path };
        config_t config;

        config_init(&config);
        if (config_read_string(&config, text) == CONFIG_TRUE)
                load_group(&l, config_root_setting(&config), "the file", keys, ARRAY_SIZE(keys), policy);
        else
                problems_add(problems, false, config_error_file(&config) ?: path, (unsigned) config_error_line(&config),
                             "%s", config_error_text(&config) ?: "cannot be parsed");
        config_destroy(&config);
}
