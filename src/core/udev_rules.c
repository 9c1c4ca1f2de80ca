/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/udev_rules.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "core/platform.h"

enum verdict { NO, MAYBE, YES };

enum operator { OP_MATCH, OP_NOMATCH, OP_ASSIGN };

struct token {
        char *key, *attribute, *value;
        enum operator op;
        bool ignore_case;
};

/* Where jumps lead to that were seen on the way. */
struct jump {
        const char *label;
        double weight;
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
        struct piece *pieces; /* of the line at hand */
        size_t n_pieces, pieces_capacity;
        const char *line;
};

/* ---- lines and tokens --------------------------------------------------------------------------------------------- */

static unsigned line_of(const struct run *r, const char *at) {
        unsigned line = 0;

        for (size_t i = 0; i < r->n_pieces && r->pieces[i].offset <= (size_t) (at - r->line); i++)
                line = r->pieces[i].line;
        return line;
}

static char *skip_blanks(char *p, bool commas) {
        while (*p && (isspace((unsigned char) *p) || (commas && *p == ',')))
                p++;
        return p;
}

/* The operator at *p. += -= := add and take away, which is all the same here. */
static bool take_operator(char **p, enum operator *ret) {
        char *s = *p;

        if (strncmp(s, "==", 2) == 0)
                *ret = OP_MATCH;
        else if (strncmp(s, "!=", 2) == 0)
                *ret = OP_NOMATCH;
        else if (s[0] == '=' || (strchr("+-:", s[0]) && s[0] && s[1] == '='))
                *ret = OP_ASSIGN;
        else
                return false;
        *p = s + (s[0] == '=' && s[1] != '=' ? 1 : 2);
        return true;
}

/* "value", and e"value" and i"value" of newer ones: with C's escapes, and with small and large letters alike. */
static bool take_value(char **p, struct token *t) {
        bool escapes = false;
        char *from, *to;

        for (; **p && **p != '"'; (*p)++) {
                if (**p == 'e')
                        escapes = true;
                else if (**p == 'i')
                        t->ignore_case = true;
                else
                        return false;
        }
        if (**p != '"')
                return false;
        t->value = from = to = *p + 1;
        for (; *from != '"'; *to++ = *from++) {
                if (!*from)
                        return false;
                if (*from == '\\' && (from[1] == '"' || (escapes && from[1])))
                        from++;
        }
        *to = '\0';
        *p = from + 1;
        return true;
}

/* 1: *ret, in place · 0: the line ends · -EBADMSG: it is not understood. The operator is looked at before its first
 * character becomes the end of the key. */
static int take_token(char **line, struct token *ret) {
        struct token t = { .attribute = (char *) "" };
        char *p = skip_blanks(*line, true), *key_end, *attribute_end = NULL;

        if (!*p)
                return 0;
        t.key = p;
        while (isalpha((unsigned char) *p) || *p == '_')
                p++;
        key_end = p;
        if (p == t.key)
                return -EBADMSG;
        if (*p == '{') {
                t.attribute = p + 1;
                attribute_end = p = strchr(p, '}');
                if (!p)
                        return -EBADMSG;
                p++;
        }
        p = skip_blanks(p, false);
        if (!take_operator(&p, &t.op))
                return -EBADMSG;
        p = skip_blanks(p, false);
        if (!take_value(&p, &t))
                return -EBADMSG;
        *key_end = '\0';
        if (attribute_end)
                *attribute_end = '\0';
        *line = p;
        *ret = t;
        return 1;
}

/* These can only be asked for: a line that assigns to them is one that udev refuses. */
static bool is_refused(const struct token *t) {
        static const char *const keys[] = {
                "ACTION", "ATTRS", "CONST", "DEVPATH", "DRIVER", "DRIVERS", "KERNEL", "KERNELS", "RESULT", "SUBSYSTEM",
                "SUBSYSTEMS", "TAGS", "TEST",
        };

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (strcmp(keys[i], t->key) == 0)
                        return t->op == OP_ASSIGN;
        return false;
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
static enum verdict match(const struct token *t, const char *value) {
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

static const char *property_value(const struct udev_event *e, const char *name) {
        if (strcmp(name, "ACTION") == 0)
                return "add";
        if (strcmp(name, "SUBSYSTEM") == 0)
                return e->subsystem;
        return strcmp(name, "DEVPATH") == 0 ? e->devpath : NULL;
}

/* systemd's names of architectures. */
static const char *architecture_value(const char *machine) {
        return machine ? platform_to_string(architecture_from_machine(machine)) ?: machine : NULL;
}

/* Programs that are known: uname tells the machine. */
static enum verdict run_program(struct run *r, const struct token *t) {
        size_t n = strcspn(t->value, " ");
        const char *name = t->value, *option = t->value + n + strspn(t->value + n, " ");

        for (size_t i = 0; i < n; i++)
                if (t->value[i] == '/')
                        name = t->value + i + 1;
        r->result = NULL;
        if (strncmp(name, "uname ", 6) != 0 ||
            (strcmp(option, "-m") != 0 && strcmp(option, "-p") != 0 && strcmp(option, "-i") != 0))
                return MAYBE;
        r->result = r->event->architecture;
        return YES;
}

static enum verdict ask(struct run *r, const struct token *t) {
        const struct udev_event *e = r->event;
        const char *key = t->key;

        if (strcmp(key, "ACTION") == 0)
                return match(t, "add");
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
                return match(t, property_value(e, t->attribute));
        if (strcmp(key, "CONST") == 0)
                return match(t, strcmp(t->attribute, "arch") == 0 ? architecture_value(e->architecture) : NULL);
        if (strcmp(key, "TEST") == 0)
                return find_attribute(e, t->value) ? YES : MAYBE;
        if (strcmp(key, "PROGRAM") == 0)
                return run_program(r, t);
        if (strcmp(key, "RESULT") == 0)
                return match(t, r->result);
        return MAYBE;
}

/* PROGRAM and IMPORT ask, whatever their operator. */
static bool is_question(const struct token *t) {
        return t->op != OP_ASSIGN || strcmp(t->key, "PROGRAM") == 0 || strcmp(t->key, "IMPORT") == 0;
}

static bool is_program(const struct token *t) {
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

static void arrive(struct run *r, const char *label) {
        for (size_t i = 0; i < r->n_jumps; i++)
                if (strcmp(r->jumps[i].label, label) == 0) {
                        r->weight += r->jumps[i].weight;
                        r->jumps[i].weight = 0;
                }
}

static void tell(const struct run *r, const struct token *t, bool certain) {
        const struct udev_effect e = {
                .key = t->key, .attribute = t->attribute, .value = t->value, .line = line_of(r, t->key), .certain = certain,
        };

        r->effect(&e, r->userdata);
}

#define TOKENS_MAX 64

/* What the rule's conditions come to. Programs run on the way. */
static enum verdict judge(struct run *r, const struct token *tokens, size_t n) {
        enum verdict all = YES;

        for (size_t i = 0; i < n && all != NO; i++) {
                enum verdict v;

                if (!is_question(&tokens[i]))
                        continue;
                if (is_program(&tokens[i]))
                        tell(r, &tokens[i], r->weight == 1 && all == YES);
                v = ask(r, &tokens[i]);
                v = tokens[i].op == OP_NOMATCH ? verdict_not(v) : v;
                all = MIN(all, v);
        }
        return all;
}

static int apply_rule(struct run *r, const struct token *tokens, size_t n) {
        const char *label = NULL;
        enum verdict v;
        double here;
        int ret;

        for (size_t i = 0; i < n; i++)
                if (strcmp(tokens[i].key, "LABEL") == 0)
                        arrive(r, tokens[i].value);
        if (r->weight == 0)
                return 0;
        v = judge(r, tokens, n);
        if (v == NO)
                return 0;
        for (size_t i = 0; i < n; i++) {
                if (strcmp(tokens[i].key, "GOTO") == 0)
                        label = tokens[i].value;
                else if (strcmp(tokens[i].key, "LABEL") != 0 && !is_question(&tokens[i]))
                        tell(r, &tokens[i], r->weight == 1 && v == YES);
        }
        if (!label)
                return 0;
        here = v == YES ? r->weight : r->weight / 2;
        ret = add_jump(r, label, here);
        r->weight -= here;
        return ret;
}

static int apply_line(struct run *r, char *line) {
        struct token tokens[TOKENS_MAX];
        size_t n = 0;
        int ret = 1;

        r->line = line;
        while (n < TOKENS_MAX && (ret = take_token(&line, &tokens[n])) > 0)
                if (is_refused(&tokens[n++]))
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
        free(r.pieces);
        return ret;
}
