/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/udev_tokens.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static char *skip_blanks(char *p, bool commas) {
        while (*p && (isspace((unsigned char) *p) || (commas && *p == ',')))
                p++;
        return p;
}

static bool take_operator(char **p, enum udev_operator *ret) {
        char *s = *p;

        if (strncmp(s, "==", 2) == 0)
                *ret = UDEV_MATCH;
        else if (strncmp(s, "!=", 2) == 0)
                *ret = UDEV_NOMATCH;
        else if (s[0] == '=' || strncmp(s, ":=", 2) == 0)
                *ret = UDEV_ASSIGN;
        else if (strncmp(s, "+=", 2) == 0 || strncmp(s, "-=", 2) == 0)
                *ret = UDEV_CHANGE;
        else
                return false;
        *p = s + (s[0] == '=' && s[1] != '=' ? 1 : 2);
        return true;
}

/* "\x41", "\101", "\t", as in C; of others the backslash goes. A NUL would end the value, and stays as it is written. */
static char take_escape(char **from) {
        static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
        const char *p = *from + 1, *letter = strchr(letters, *p);
        const bool hex = *p == 'x';
        unsigned value = 0, n = 0;

        for (p += hex; n < (hex ? 2u : 3u) && isxdigit((unsigned char) p[n]) && (hex || (p[n] >= '0' && p[n] < '8')); n++)
                value = value * (hex ? 16 : 8) +
                        (unsigned) (isdigit((unsigned char) p[n]) ? p[n] - '0' : tolower((unsigned char) p[n]) - 'a' + 10);
        if (n == (hex ? 2 : 3) && value > 0 && value < 256) {
                *from += 1 + hex + n;
                return (char) value;
        }
        *from += 2;
        return letter ? meant[letter - letters] : (*from)[-1];
}

/* "value", and e"value" and i"value" of newer ones: with C's escapes, and with small and large letters alike. */
static bool take_value(char **p, struct udev_token *t) {
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
        while (*from != '"') {
                if (!*from)
                        return false;
                if (*from == '\\' && escapes && from[1])
                        *to++ = take_escape(&from);
                else {
                        from += *from == '\\' && from[1] == '"';
                        *to++ = *from++;
                }
        }
        *to = '\0';
        *p = from + 1;
        return true;
}

/* The operator is looked at before its first character becomes the end of the key. */
int udev_token_take(char **line, struct udev_token *ret) {
        struct udev_token t = { .attribute = (char *) "" };
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

bool udev_token_is_refused(const struct udev_token *t) {
        static const char *const keys[] = {
                "ACTION", "ATTRS", "CONST", "DEVPATH", "DRIVER", "DRIVERS", "KERNEL", "KERNELS", "RESULT", "SUBSYSTEM",
                "SUBSYSTEMS", "TAGS", "TEST",
        };

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (strcmp(keys[i], t->key) == 0)
                        return t->op >= UDEV_ASSIGN;
        return false;
}

const char *udev_operator_to_string(enum udev_operator op) {
        static const char *const words[] = { [UDEV_MATCH] = "==", [UDEV_NOMATCH] = "!=", [UDEV_ASSIGN] = "=", [UDEV_CHANGE] = "+=" };

        return words[op];
}

bool udev_token_is_question(const struct udev_token *t) {
        return t->op < UDEV_ASSIGN || strcmp(t->key, "PROGRAM") == 0 || strcmp(t->key, "IMPORT") == 0;
}

/* Is the command, of n characters, this program, wherever it is, with one of these options ("" is none)? */
static bool is_program_with(const char *command, size_t n, const char *program, const char *const *options, size_t n_options) {
        size_t length = strcspn(command, " "), rest;
        const char *name = command;

        length = MIN(length, n);
        for (size_t i = 0; i < length; i++)
                if (command[i] == '/')
                        name = command + i + 1;
        if (strlen(program) != (size_t) (command + length - name) || strncmp(name, program, strlen(program)) != 0)
                return false;
        while (length < n && command[length] == ' ')
                length++;
        for (rest = n - length; rest > 0 && command[length + rest - 1] == ' ';)
                rest--;
        for (size_t i = 0; i < n_options; i++)
                if (strlen(options[i]) == rest && strncmp(command + length, options[i], rest) == 0)
                        return true;
        return false;
}

/* "/bin/sh -c 'COMMAND || :'": COMMAND, which cannot fail then. */
static const char *take_shell(const char *command, size_t *ret_n, bool *ret_succeeds) {
        static const char *const shells[] = { "/bin/sh -c '", "/usr/bin/sh -c '", "sh -c '" };
        const char *bars;

        *ret_n = strlen(command);
        *ret_succeeds = false;
        for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
                size_t n = strlen(shells[i]);

                if (strncmp(command, shells[i], n) != 0 || command[*ret_n - 1] != '\'' || *ret_n == n)
                        continue;
                command += n;
                *ret_n -= n + 1;
                bars = memmem(command, *ret_n, "||", 2);
                if (bars) {
                        *ret_succeeds = true;
                        *ret_n = (size_t) (bars - command);
                }
                break;
        }
        return command;
}

bool udev_command_is(const char *value, const char *program, const char *const *options, size_t n_options, bool *ret_succeeds) {
        size_t n;
        const char *command = take_shell(value, &n, ret_succeeds);

        return is_program_with(command, n, program, options, n_options);
}
