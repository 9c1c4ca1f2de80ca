/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/words.h"
#include "host/conf-internal.h"

/* An error at a setting, which may stand in an included file. */
void conf_error(struct loader *l, const config_setting_t *s, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        problems_addv(l->problems, false, config_setting_source_file(s) ?: l->file, config_setting_source_line(s), format,
                     ap);
        va_end(ap);
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

const char *conf_type_name(const config_setting_t *s) {
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

bool conf_expect(struct loader *l, const config_setting_t *s, const char *key, int type, const char *what) {
        if (config_setting_type(s) == type)
                return true;
        conf_error(l, s, "%s: expected %s, found %s", key, what, conf_type_name(s));
        return false;
}

const char *conf_string(struct loader *l, const config_setting_t *s, const char *key, const char *what) {
        return conf_expect(l, s, key, CONFIG_TYPE_STRING, what) ? config_setting_get_string(s) : NULL;
}

static void load_time(struct loader *l, const config_setting_t *s, const char *key, uint64_t min, uint64_t max,
                      uint64_t *ret) {
        const char *text = conf_string(l, s, key, "a time in quotes, such as \"200ms\" or \"10min\"");
        uint64_t value;

        if (!text)
                return;
        if (parse_time(text, &value) < 0)
                conf_error(l, s, "%s: \"%s\" is not a time; write a number and us, ms, s, min or h", key, text);
        else if (value < min || value > max)
                conf_error(l, s, "%s: \"%s\" is out of range (%" PRIu64 " ms to %" PRIu64 " s)", key, text, min / 1000,
                         max / 1000000);
        else
                *ret = value;
}

void conf_count(struct loader *l, const config_setting_t *s, const char *key, unsigned min, unsigned max,
                       unsigned *ret) {
        long long value;

        if (config_setting_type(s) != CONFIG_TYPE_INT && config_setting_type(s) != CONFIG_TYPE_INT64) {
                conf_error(l, s, "%s: expected a number, found %s", key, conf_type_name(s));
                return;
        }
        value = config_setting_get_int64(s);
        if (value < min || value > max)
                conf_error(l, s, "%s: %lld is out of range (%u to %u)", key, value, min, max);
        else
                *ret = (unsigned) value;
}

/* One of two words. */
void conf_choice(struct loader *l, const config_setting_t *s, const char *key, const char *no, const char *yes,
                        bool *ret) {
        const char *text;

        if (config_setting_type(s) != CONFIG_TYPE_STRING) {
                conf_error(l, s, "%s: expected \"%s\" or \"%s\", found %s", key, no, yes, conf_type_name(s));
                return;
        }
        text = config_setting_get_string(s);
        if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
                conf_error(l, s, "%s: expected \"%s\" or \"%s\", found \"%s\"", key, no, yes, text);
        else
                *ret = strcmp(text, yes) == 0;
}

void conf_bool(struct loader *l, const config_setting_t *s, const char *key, bool *ret) {
        if (conf_expect(l, s, key, CONFIG_TYPE_BOOL, "true or false"))
                *ret = config_setting_get_bool(s);
}

#define KNOWN_MAX 32

void conf_unknown_word(struct loader *l, const config_setting_t *s, const char *key, const char *word, const char *what,
                       const char *const *known, size_t n_known) {
        const char *close = closest_word(word, known, n_known);
        char list[512] = "";

        for (size_t n = 0, i = 0; i < n_known && n < sizeof(list); i++)
                n += (size_t) snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", known[i]);
        if (close)
                conf_error(l, s, "%s: \"%s\" is not %s; did you mean \"%s\"? Known are %s", key, word, what, close, list);
        else
                conf_error(l, s, "%s: \"%s\" is not %s; known are %s", key, word, what, list);
}

void conf_group(struct loader *l, const config_setting_t *group, const char *what, const struct key *keys, size_t n_keys,
                void *target) {
        const char *names[KNOWN_MAX];

        for (size_t i = 0; i < n_keys; i++)
                names[i] = keys[i].name;
        for (int i = 0; i < config_setting_length(group); i++) {
                const config_setting_t *s = config_setting_get_elem(group, (unsigned) i);
                const char *name = config_setting_name(s);
                size_t k = 0;

                while (k < n_keys && strcmp(keys[k].name, name) != 0)
                        k++;
                if (k < n_keys)
                        keys[k].load(l, s, target);
                else
                        conf_unknown_word(l, s, what, name, "a key", names, n_keys);
        }
}

static void load_version(struct loader *l, const config_setting_t *s, void *target) {
        unsigned version;

        (void) target;
        conf_count(l, s, "version", 1, 1, &version);
}

static void load_startup(struct loader *l, const config_setting_t *s, void *target) {
        conf_choice(l, s, "startup", "ignore", "apply", &((struct policy *) target)->startup_apply);
}

static void load_auto_online(struct loader *l, const config_setting_t *s, void *target) {
        const char *text = conf_string(l, s, "kernel_auto_online", "\"manage\", \"keep\" or \"delegate\"");
        enum auto_online a = text ? auto_online_from_string(text) : _AUTO_ONLINE_INVALID;

        if (a >= 0)
                ((struct policy *) target)->auto_online = a;
        else if (text)
                conf_error(l, s, "kernel_auto_online: expected \"manage\", \"keep\" or \"delegate\", found \"%s\"", text);
}

static void load_offline_timeout(struct loader *l, const config_setting_t *s, void *target) {
        load_time(l, s, "offline_timeout", 1000000, 3600000000, &((struct policy *) target)->offline_timeout_usec);
}

/* The same, or "off", which is 0. */
static void load_time_or_off(struct loader *l, const config_setting_t *s, const char *key, uint64_t min, uint64_t max,
                             uint64_t *ret) {
        if (config_setting_type(s) == CONFIG_TYPE_STRING && strcmp(config_setting_get_string(s), "off") == 0)
                *ret = 0;
        else
                load_time(l, s, key, min, max, ret);
}

static void load_reconcile(struct loader *l, const config_setting_t *s, void *target) {
        load_time_or_off(l, s, "reconcile", 1000000, 86400000000, &((struct policy *) target)->reconcile_usec);
}

static void load_alerts_interval(struct loader *l, const config_setting_t *s, void *target) {
        load_time_or_off(l, s, "alerts.interval", 1000000, 86400000000, &((struct alert_settings *) target)->interval_usec);
}

static void load_alerts_offline(struct loader *l, const config_setting_t *s, void *target) {
        load_time_or_off(l, s, "alerts.offline_after", 1000000, 31536000000000, &((struct alert_settings *) target)->waiting_usec);
}

static void load_alerts(struct loader *l, const config_setting_t *s, void *target) {
        static const struct key keys[] = {
                { "interval", load_alerts_interval },
                { "offline_after", load_alerts_offline },
        };

        if (conf_expect(l, s, "alerts", CONFIG_TYPE_GROUP, "a group"))
                conf_group(l, s, "alerts", keys, ARRAY_SIZE(keys), &((struct policy *) target)->alerts);
}

static void load_on_add_completed(struct loader *l, const config_setting_t *s, void *target) {
        const char *name = conf_string(l, s, "on_add_completed", "a unit's name in quotes, such as \"resize-tmpfs.service\"");
        struct policy *p = target;

        if (!name)
                return;
        if (*name && !unit_name_is_valid(name))
                conf_error(l, s, "on_add_completed: \"%s\" is not the full name of a .service or .target", name);
        else
                snprintf(p->on_add_completed, sizeof(p->on_add_completed), "%s", name);
}

static void load_retry_first(struct loader *l, const config_setting_t *s, void *target) {
        load_time(l, s, "retry.first", 1000, 3600000000, &((struct retry *) target)->first_usec);
}

static void load_retry_max(struct loader *l, const config_setting_t *s, void *target) {
        load_time(l, s, "retry.max", 1000, 3600000000, &((struct retry *) target)->max_usec);
}

static void load_retry_attempts(struct loader *l, const config_setting_t *s, void *target) {
        conf_count(l, s, "retry.attempts", 1, 100, &((struct retry *) target)->attempts);
}

static void load_retry(struct loader *l, const config_setting_t *s, void *target) {
        static const struct key keys[] = {
                { "first", load_retry_first },
                { "max", load_retry_max },
                { "attempts", load_retry_attempts },
        };
        struct policy *p = target;

        if (!conf_expect(l, s, "retry", CONFIG_TYPE_GROUP, "a group"))
                return;
        conf_group(l, s, "retry", keys, ARRAY_SIZE(keys), &p->retry);
        if (p->retry.max_usec < p->retry.first_usec)
                conf_error(l, s, "retry: max is shorter than first");
}

void conf_parse(const char *text, const char *path, struct policy *policy, struct problems *problems) {
        static const struct key keys[] = {
                { "version", load_version },
                { "kernel_auto_online", load_auto_online },
                { "startup", load_startup },
                { "offline_timeout", load_offline_timeout },
                { "reconcile", load_reconcile },
                { "retry", load_retry },
                { "on_add_completed", load_on_add_completed },
                { "alerts", load_alerts },
                { "rules", conf_load_rules },
        };
        struct loader l = { .policy = policy, .problems = problems, .file = path };
        config_t config;

        config_init(&config);
        if (config_read_string(&config, text) == CONFIG_TRUE)
                conf_group(&l, config_root_setting(&config), "the file", keys, ARRAY_SIZE(keys), policy);
        else
                problems_add(problems, false, config_error_file(&config) ?: path, (unsigned) config_error_line(&config),
                             "%s", config_error_text(&config) ?: "cannot be parsed");
        config_destroy(&config);
}
