/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the two halves of the grammar share: conf.c has the values and the settings, conf-rules.c the rules. Nobody else
 * looks here, nor at libconfig. Errors are noted at the setting they are about, and the rest is read on. */

#include <libconfig.h>

#include "host/conf.h"

/* One file on its way into the policy. */
struct loader {
        struct policy *policy;
        struct problems *problems;
        const char *file;
};

void conf_error(struct loader *l, const config_setting_t *s, const char *format, ...) _printf_(3, 4);
const char *conf_type_name(const config_setting_t *s);
bool conf_expect(struct loader *l, const config_setting_t *s, const char *key, int type, const char *what);
/* NULL: it is no string, and that was said. */
const char *conf_string(struct loader *l, const config_setting_t *s, const char *key, const char *what);
void conf_count(struct loader *l, const config_setting_t *s, const char *key, unsigned min, unsigned max, unsigned *ret);
/* One of two words. */
void conf_choice(struct loader *l, const config_setting_t *s, const char *key, const char *no, const char *yes, bool *ret);
void conf_bool(struct loader *l, const config_setting_t *s, const char *key, bool *ret);

/* A group: a table of keys; strays are refused. */
struct key {
        const char *name;
        void (*load)(struct loader *l, const config_setting_t *s, void *target);
};

void conf_group(struct loader *l, const config_setting_t *group, const char *what, const struct key *keys, size_t n_keys,
                void *target);

/* A word that is none of the known ones: says so, with the closest or all of them. */
void conf_unknown_word(struct loader *l, const config_setting_t *s, const char *key, const char *word, const char *what,
                       const char *const *known, size_t n_known);

void conf_load_rules(struct loader *l, const config_setting_t *s, void *target);
