/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/udev_rules.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "core/platform.h"
#include "core/udev_tokens.h"

enum verdict { NO, MAYBE, YES };

/* Where jumps lead to that were seen on the way. */
struct jump {
        const char *label;
        double weight;
};

/* A property that a rule has set; NULL: to something that is not known. */
struct property {
        const char *name, *value;
};

/* A piece of a line that was put together from several. */
struct piece {
        size_t offset;
        unsigned line;
};

struct run {
        const struct udev_event *event;
        udev_effect_function effect;
        void *userdata;
        /* Which share of all that may be comes along here: 1 is certain. A condition that may be met divides it in two. */
        double weight;
        const char *result; /* of the last PROGRAM; NULL: unknown */
        struct jump *jumps;
        size_t n_jumps, jumps_capacity;
        struct property *properties;
        size_t n_properties, properties_capacity;
        struct piece *pieces; /* of the line at hand */
        size_t n_pieces, pieces_capacity;
        const char *line;
        const char *rest, *end; /* of the text, behind the line */
        unsigned n_lost;        /* jumps to nowhere */
};

/* ---- lines --------------------------------------------------------------------------------------------- */

static unsigned line_of(const struct run *r, const char *at) {
        unsigned line = 0;

        for (size_t i = 0; i < r->n_pieces && r->pieces[i].offset <= (size_t) (at - r->line); i++)
                line = r->pieces[i].line;
        return line;
}

/* ---- conditions --------------------------------------------------------------------------------------------------- */

static enum verdict verdict_not(enum verdict v) {
        return v == MAYBE ? MAYBE : v == YES ? NO : YES;
}

/* Beyond that it takes fnmatch() ages to find out, and no rule was ever meant so. */
#define STARS_MAX 4
#define PATTERN_MAX 256

/* "a|b*": copy the pattern that ends before p[n], "**" as "*". false: it is none to try. */
static bool copy_pattern(const char *p, size_t n, char buf[static PATTERN_MAX]) {
        unsigned stars = 0;
        size_t length = 0;

        for (size_t i = 0; i < n; i++) {
                if (p[i] == '*' && i > 0 && p[i - 1] == '*')
                        continue;
                stars += p[i] == '*';
                if (length == PATTERN_MAX - 1 || stars > STARS_MAX)
                        return false;
                buf[length++] = p[i];
        }
        buf[length] = '\0';
        return true;
}

/* One of "a|b*" */
static enum verdict match(const struct udev_token *t, const char *value) {
        char pattern[PATTERN_MAX];

        if (!value)
                return MAYBE;
        for (const char *p = t->value;; p++) {
                size_t n = strcspn(p, "|");

                if (!copy_pattern(p, n, pattern))
                        return MAYBE;
                if (fnmatch(pattern, value, t->ignore_case ? FNM_CASEFOLD : 0) == 0)
                        return YES;
                p += n;
                if (!*p)
                        return NO;
        }
}

static const struct udev_attribute *find_attribute(const struct udev_event *e, const char *name) {
        for (size_t i = 0; i < e->n_attributes; i++)
                if (strcmp(e->attributes[i].name, name) == 0)
                        return &e->attributes[i];
        return NULL;
}

static const char *attribute_value(const struct udev_event *e, const char *name) {
        const struct udev_attribute *a = find_attribute(e, name);

        if (a)
                return a->value;
        if (strcmp(name, "[dmi/id]sys_vendor") == 0)
                return e->sys_vendor;
        if (strcmp(name, "[dmi/id]product_name") == 0)
                return e->product_name;
        return NULL;
}

static const char *event_action(const struct udev_event *e) {
        return e->action ?: "add";
}

static struct property *find_property(const struct run *r, const char *name) {
        for (size_t i = 0; i < r->n_properties; i++)
                if (strcmp(r->properties[i].name, name) == 0)
                        return &r->properties[i];
        return NULL;
}

/* What a rule does that may not apply leaves a property that may be anything. */
static int set_property(struct run *r, const char *name, const char *value) {
        struct property *p = find_property(r, name);

        if (!p) {
                if (!GROW(r->properties, r->n_properties, r->properties_capacity))
                        return -ENOMEM;
                p = &r->properties[r->n_properties++];
        }
        *p = (struct property) { name, value };
        return 0;
}

static const char *property_value(const struct run *r, const char *name) {
        const struct udev_event *e = r->event;
        const struct property *p = find_property(r, name);

        if (p)
                return p->value;
        if (strcmp(name, "ACTION") == 0)
                return event_action(e);
        if (strcmp(name, "SUBSYSTEM") == 0)
                return e->subsystem;
        return strcmp(name, "DEVPATH") == 0 ? e->devpath : NULL;
}

/* systemd's names of architectures. */
static const char *architecture_value(const char *machine) {
        return machine ? platform_to_string(architecture_from_machine(machine)) ?: machine : NULL;
}

/* "$env{NAME}" alone, or a value without any such thing; NULL: unknown. */
static const char *expand(const struct run *r, const struct udev_token *t) {
        const char *value = t->value;
        size_t n = strlen(value);
        char name[64];

        if (t->op != UDEV_ASSIGN)
                return NULL;
        if (!strpbrk(value, "$%"))
                return value;
        if ((strncmp(value, "$env{", 5) != 0 && strncmp(value, "%E{", 3) != 0) || value[n - 1] != '}')
                return NULL;
        value += *value == '$' ? 5 : 3;
        n = strlen(value) - 1;
        if (n >= sizeof(name) || memchr(value, '}', n))
                return NULL;
        memcpy(name, value, n);
        name[n] = '\0';
        return property_value(r, name);
}

/* Programs that are known: uname tells the machine, systemd-detect-virt what it runs on, with success only if that is
 * something. */
static enum verdict run_program(struct run *r, const struct udev_token *t) {
        static const char *const uname_options[] = { "-m", "-p", "-i" }, *const virt_options[] = { "", "-v", "--vm" };
        const char *virtualization = r->event->virtualization;
        bool succeeds;

        r->result = NULL;
        if (udev_command_is(t->value, "uname", uname_options, ARRAY_SIZE(uname_options), &succeeds)) {
                r->result = r->event->architecture;
                return YES;
        }
        if (!virtualization || !udev_command_is(t->value, "systemd-detect-virt", virt_options, ARRAY_SIZE(virt_options), &succeeds))
                return MAYBE;
        r->result = virtualization;
        return succeeds || r->event->ignore_exit || strcmp(virtualization, "none") != 0 ? YES : NO;
}

static enum verdict ask_constant(const struct udev_event *e, const struct udev_token *t) {
        if (strcmp(t->attribute, "virt") == 0)
                return match(t, e->virtualization);
        return match(t, strcmp(t->attribute, "arch") == 0 ? architecture_value(e->architecture) : NULL);
}

static enum verdict ask(struct run *r, const struct udev_token *t) {
        const struct udev_event *e = r->event;
        const char *key = t->key;

        if (strcmp(key, "ACTION") == 0)
                return match(t, event_action(e));
        if (strcmp(key, "SUBSYSTEM") == 0)
                return match(t, e->subsystem);
        if (strcmp(key, "SUBSYSTEMS") == 0)
                return match(t, e->alone ? e->subsystem : NULL);
        if (strcmp(key, "KERNEL") == 0)
                return match(t, e->kernel);
        if (strcmp(key, "KERNELS") == 0)
                return match(t, e->alone ? e->kernel : NULL);
        if (strcmp(key, "DEVPATH") == 0)
                return match(t, e->devpath);
        if (strcmp(key, "DRIVER") == 0 || strcmp(key, "DRIVERS") == 0)
                return match(t, e->alone ? "" : NULL);
        if (strcmp(key, "ATTR") == 0 || (strcmp(key, "ATTRS") == 0 && e->alone))
                return match(t, attribute_value(e, t->attribute));
        if (strcmp(key, "ENV") == 0)
                return match(t, property_value(r, t->attribute));
        if (strcmp(key, "CONST") == 0)
                return ask_constant(e, t);
        if (strcmp(key, "TEST") == 0)
                return find_attribute(e, t->value) ? YES : MAYBE;
        if (strcmp(key, "PROGRAM") == 0)
                return run_program(r, t);
        if (strcmp(key, "RESULT") == 0)
                return match(t, r->result);
        return MAYBE;
}

static bool is_program(const struct udev_token *t) {
        return strcmp(t->key, "PROGRAM") == 0 || (strcmp(t->key, "IMPORT") == 0 && strcmp(t->attribute, "program") == 0);
}

/* ---- rules -------------------------------------------------------------------------------------------------------- */

static int add_jump(struct run *r, const char *label, double weight) {
        for (size_t i = 0; i < r->n_jumps; i++)
                if (strcmp(r->jumps[i].label, label) == 0) {
                        r->jumps[i].weight += weight;
                        return 0;
                }
        if (!GROW(r->jumps, r->n_jumps, r->jumps_capacity))
                return -ENOMEM;
        r->jumps[r->n_jumps++] = (struct jump) { label, weight };
        return 0;
}

/* So many jumps to nowhere are looked for in vain; a file with more of them is none that anybody wrote. */
#define LOST_MAX 64

/* Is there such a label further on? udev ignores a jump to one that is nowhere. */
static bool has_label(struct run *r, const char *label) {
        size_t n = strlen(label);

        for (const char *p = r->rest; n > 0 && r->n_lost < LOST_MAX && (p = memmem(p, (size_t) (r->end - p), label, n)); p++) {
                const char *key = p - 1;

                const char *line;

                if (p == r->rest || *key != '"' || p + n == r->end || p[n] != '"')
                        continue;
                while (key > r->rest && (isspace((unsigned char) key[-1]) || key[-1] == '='))
                        key--;
                for (line = key; line > r->rest && line[-1] != '\n';)
                        line--;
                if (key - line >= 5 && strncmp(key - 5, "LABEL", 5) == 0 && line[strspn(line, " \t")] != '#')
                        return true;
        }
        r->n_lost++;
        return false;
}

static void arrive(struct run *r, const char *label) {
        for (size_t i = 0; i < r->n_jumps; i++)
                if (strcmp(r->jumps[i].label, label) == 0) {
                        r->weight += r->jumps[i].weight;
                        r->jumps[i].weight = 0;
                }
}

static void tell(const struct run *r, const struct udev_token *t, bool certain, const struct udev_token *unknown) {
        const struct udev_effect e = {
                .key = t->key, .attribute = t->attribute, .value = t->value, .expanded = expand(r, t),
                .line = line_of(r, t->key), .first_line = line_of(r, r->line), .certain = certain,
                .unknown_key = unknown ? unknown->key : NULL, .unknown_attribute = unknown ? unknown->attribute : NULL,
                .unknown_operator = unknown ? udev_operator_to_string(unknown->op) : NULL,
                .unknown_value = unknown ? unknown->value : NULL,
        };

        r->effect(&e, r->userdata);
}

#define TOKENS_MAX 64

/* What the rule's conditions come to, and the first of which nobody knows. Programs run on the way. */
static enum verdict judge(struct run *r, const struct udev_token *tokens, size_t n, const struct udev_token **ret_unknown) {
        enum verdict all = YES;

        for (size_t i = 0; i < n && all != NO; i++) {
                const struct udev_token *t = &tokens[i];
                enum verdict v;

                if (!udev_token_is_question(t))
                        continue;
                if (is_program(t))
                        tell(r, t, r->weight == 1 && all == YES, NULL);
                v = ask(r, t);
                if (r->event->asked && v != MAYBE)
                        r->event->asked(t->key, t->attribute, t->value, line_of(r, t->key), v == YES, r->userdata);
                if (v == MAYBE && all == YES)
                        *ret_unknown = t;
                v = t->op == UDEV_NOMATCH ? verdict_not(v) : v;
                all = MIN(all, v);
        }
        return all;
}

/* What it sets, or (unknown) would set, if that were known to hold. *ret_label: where it jumps to, if it does. */
static int assign(struct run *r, const struct udev_token *tokens, size_t n, bool certain, const struct udev_token *unknown,
                  const char **ret_label) {
        int ret = 0;

        for (size_t i = 0; i < n && ret >= 0; i++) {
                const struct udev_token *t = &tokens[i];

                if (strcmp(t->key, "LABEL") == 0 || udev_token_is_question(t))
                        continue;
                if (strcmp(t->key, "GOTO") == 0) {
                        if (!has_label(r, t->value))
                                continue;
                        *ret_label = t->value;
                }
                tell(r, t, certain, unknown);
                if (strcmp(t->key, "ENV") == 0 && !unknown)
                        ret = set_property(r, t->attribute, certain ? expand(r, t) : NULL);
        }
        return ret;
}

static int apply_rule(struct run *r, const struct udev_token *tokens, size_t n) {
        const struct udev_token *unknown = NULL;
        const char *label = NULL;
        enum verdict v;
        double here;
        int ret;

        for (size_t i = 0; i < n; i++)
                if (strcmp(tokens[i].key, "LABEL") == 0)
                        arrive(r, tokens[i].value);
        if (r->weight == 0)
                return 0;
        v = judge(r, tokens, n, &unknown);
        if (v == NO)
                return 0;
        if (v == MAYBE && r->event->strict)
                return assign(r, tokens, n, false, unknown, &label);
        ret = assign(r, tokens, n, r->weight == 1 && v == YES, NULL, &label);
        if (!label || ret < 0)
                return ret;
        here = v == YES ? r->weight : r->weight / 2;
        ret = add_jump(r, label, here);
        r->weight -= here;
        return ret;
}

static int apply_line(struct run *r, char *line) {
        struct udev_token tokens[TOKENS_MAX];
        size_t n = 0;
        int ret = 1;

        r->line = line;
        while (n < TOKENS_MAX && (ret = udev_token_take(&line, &tokens[n])) > 0)
                if (udev_token_is_refused(&tokens[n++]))
                        return 0;
        return ret < 0 || n == TOKENS_MAX ? 0 : apply_rule(r, tokens, n);
}

/* The rules, one after the other. to: room for the whole text; labels stay there, hence nothing is written over. */
static int apply_text(struct run *r, const char *text, size_t size, char *to) {
        const char *end = text + size;
        char *line = to;
        unsigned number = 0;
        int ret = 0;

        while (text < end && ret >= 0) {
                const char *newline = memchr(text, '\n', (size_t) (end - text)) ?: end;
                bool goes_on;

                number++;
                while (text < newline && isspace((unsigned char) *text))
                        text++;
                /* Also between the lines of a rule. */
                if (text < newline && *text == '#') {
                        text = newline < end ? newline + 1 : end;
                        continue;
                }
                if (!GROW(r->pieces, r->n_pieces, r->pieces_capacity))
                        return -ENOMEM;
                r->pieces[r->n_pieces++] = (struct piece) { (size_t) (to - line), number };
                memcpy(to, text, (size_t) (newline - text));
                to += newline - text;
                text = newline < end ? newline + 1 : end;
                goes_on = to > line && to[-1] == '\\';
                if (goes_on) {
                        to--;
                        continue;
                }
                *to++ = '\0';
                r->rest = text;
                r->end = end;
                if (memchr(line, '\0', (size_t) (to - line)) == to - 1)
                        ret = apply_line(r, line);
                line = to;
                r->n_pieces = 0;
        }
        return ret; /* a rule that does not end is none */
}

int udev_rules_run(const char *text, size_t size, const struct udev_event *event, udev_effect_function effect, void *userdata) {
        struct run r = { .event = event, .effect = effect, .userdata = userdata, .weight = 1 };
        _cleanup_free_ char *copy = malloc(size + 2);
        int ret = copy ? apply_text(&r, text, size, copy) : -ENOMEM;

        free(r.jumps);
        free(r.properties);
        free(r.pieces);
        return ret;
}

void udev_event_init_memory(struct udev_event *ret) {
        static const struct udev_attribute attributes[] = {
                { "state", "offline" }, { "online", "0" }, { "removable", "1" }, { "phys_device", "0" }, { "phys_index", NULL },
                { "valid_zones", NULL }, { "uevent", NULL }, { "power/control", NULL }, { "subsystem", "memory" },
        };

        *ret = (struct udev_event) {
                .subsystem = "memory",
                .kernel = "memory32",
                .devpath = "/devices/system/memory/memory32",
                .attributes = attributes,
                .n_attributes = ARRAY_SIZE(attributes),
                .alone = true,
        };
}
