/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/basis.h"

#include <string.h>

/* Names and files are of one line, whatever people call them. */
static void copy_clean(char *to, size_t size, const char *from) {
        size_t n = strnlen(from, size - 1);

        memcpy(to, from, n);
        to[n] = '\0';
        for (char *p = to; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
}

bool basis_add(struct basis *b, const struct basis_rule *rule) {
        size_t used = strlen(b->passed), left = sizeof(b->passed) - used;
        int n = snprintf(b->passed + used, left, "%s %u %s\t%s\n", match_key_to_string(rule->failed), rule->line, rule->name,
                         rule->file);

        if (n >= 0 && (size_t) n < left)
                return true;
        b->passed[used] = '\0';
        return false;
}

/* Up to the separator, which is passed over. */
static bool take(const char **p, char separator, char *ret, size_t size) {
        const char *end = strchr(*p, separator);

        if (!end || (size_t) (end - *p) >= size)
                return false;
        memcpy(ret, *p, (size_t) (end - *p));
        ret[end - *p] = '\0';
        *p = end + 1;
        return true;
}

bool basis_next(const char **p, struct basis_rule *ret) {
        struct basis_rule rule;
        char key[16], line[16];
        uint32_t number;
        const char *next = *p;

        if (!take(&next, ' ', key, sizeof(key)) || !take(&next, ' ', line, sizeof(line)) ||
            !take(&next, '\t', rule.name, sizeof(rule.name)) || !take(&next, '\n', rule.file, sizeof(rule.file)))
                return false;
        rule.failed = match_key_from_string(key);
        if (rule.failed < 0 || parse_u32(line, &number) < 0 || !rule.name[0] || !rule.file[0])
                return false;
        rule.line = number;
        *p = next;
        *ret = rule;
        return true;
}

static void pass_over(struct basis *b, const struct rule *r, enum match_key failed) {
        struct basis_rule rule = { .failed = failed, .line = r->line };

        copy_clean(rule.name, sizeof(rule.name), r->name);
        copy_clean(rule.file, sizeof(rule.file), r->file);
        b->n_passed++;
        (void) basis_add(b, &rule);
}

void basis_init(struct basis *ret, const struct policy *p, const struct block *b, platform_mask platforms,
                const struct decision *d, const char *evidence) {
        size_t n = d->rule >= 0 ? MIN((size_t) d->rule, p->n_rules) : p->n_rules;

        *ret = (struct basis) {
                .known = true, .start = b->start, .device_size = b->device_size, .tier = b->tier, .platforms = platforms,
        };
        copy_clean(ret->evidence, sizeof(ret->evidence), evidence);
        if (n < p->n_rules)
                ret->conditions = match_held(&p->rules[n].match, b, platforms);
        for (size_t i = 0; i < n; i++) {
                enum match_key failed;

                /* A further block of a device goes by the first one's rule, whether or not it would by itself. */
                if (!match_block(&p->rules[i].match, b, platforms, &failed))
                        pass_over(ret, &p->rules[i], failed);
        }
}
