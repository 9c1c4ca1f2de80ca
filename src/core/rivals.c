/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/rivals.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX 1024

const char *rival_kind_to_string(enum rival_kind k) {
        static const char *const names[_RIVAL_MAX] = {
                [RIVAL_RULE] = "udev-rule",
                [RIVAL_PROGRAM] = "udev-program",
                [RIVAL_DAXCTL] = "daxctl",
                [RIVAL_UNIT] = "unit",
        };

        return k >= 0 && k < _RIVAL_MAX ? names[k] : NULL;
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

/* Is it among the words, which end at anything but letters, digits and "-_."? */
static bool has_word(const char *command, const char *word) {
        size_t n = strlen(word);

        for (const char *p = command; (p = strstr(p, word)); p++) {
                bool begins = p == command || !(isalnum((unsigned char) p[-1]) || strchr("-_", p[-1]));

                if (begins && (p[n] == '\0' || !(isalnum((unsigned char) p[n]) || strchr("-_.", p[n]))))
                        return true;
        }
        return false;
}

/* "daxctl reconfigure-device --mode=system-ram" brings online unless told otherwise. */
static bool is_daxctl_online(const char *command) {
        if (!has_word(command, "daxctl"))
                return false;
        return has_word(command, "online-memory") ||
               (has_word(command, "reconfigure-device") && has_word(command, "system-ram") &&
                !has_word(command, "--no-online") && !has_word(command, "-N"));
}

/* Words that are written to a block's state. */
static bool has_online_word(const char *command) {
        return has_word(command, "online") || has_word(command, "online_movable") || has_word(command, "online_kernel");
}

static bool is_chmem_online(const char *command) {
        return has_word(command, "chmem") && (has_word(command, "-e") || has_word(command, "--enable"));
}

/* ---- udev rules --------------------------------------------------------------------------------------------------- */

struct rules {
        rival_function found;
        void *userdata;
        unsigned daxctl_line;
};

static bool is_command(const struct udev_effect *e) {
        return strcmp(e->key, "PROGRAM") == 0 || (strcmp(e->key, "IMPORT") == 0 && strcmp(e->attribute, "program") == 0) ||
               (strcmp(e->key, "RUN") == 0 && strcmp(e->attribute, "builtin") != 0);
}

static void find_rival(const struct rules *r, enum rival_kind kind, const struct udev_effect *e) {
        const char *braces = *e->attribute ? "{" : "";
        char text[TEXT_MAX];

        snprintf(text, sizeof(text), "%s%s%s%s%s\"%s\"", e->key, braces, e->attribute, *braces ? "}" : "",
                 strcmp(e->key, "RUN") == 0 ? "+=" : "=", e->value);
        r->found(kind, e->line, text, e->certain, r->userdata);
}

bool udev_effect_is_state(const struct udev_effect *e) {
        return strcmp(e->key, "ATTR") == 0 && (strcmp(e->attribute, "state") == 0 || strcmp(e->attribute, "online") == 0);
}

bool udev_effect_is_onliner(const struct udev_effect *e) {
        return is_command(e) && (has_online_word(e->value) || is_chmem_online(e->value));
}

static void on_memory_effect(const struct udev_effect *e, void *userdata) {
        if (udev_effect_is_state(e))
                find_rival(userdata, RIVAL_RULE, e);
        else if (udev_effect_is_onliner(e))
                find_rival(userdata, RIVAL_PROGRAM, e);
}

static void on_dax_effect(const struct udev_effect *e, void *userdata) {
        struct rules *r = userdata;
        bool wanted = strcmp(e->key, "ENV") == 0 && strcmp(e->attribute, "SYSTEMD_WANTS") == 0;

        if (!is_command(e) && !wanted)
                return;
        if (is_daxctl_online(e->value))
                find_rival(r, RIVAL_DAXCTL, e);
        else if (has_word(e->value, "daxctl") || strstr(e->value, "daxdev-reconfigure"))
                r->daxctl_line = e->line;
}

int rivals_in_rules(const char *text, size_t size, const struct rival_machine *m, rival_function found, void *userdata,
                    unsigned *ret_daxctl) {
        struct udev_event memory;
        const struct udev_event dax = {
                .subsystem = "dax",
                .kernel = "dax0.0",
                .architecture = m->architecture,
                .sys_vendor = m->sys_vendor,
                .product_name = m->product_name,
        };
        struct rules r = { .found = found, .userdata = userdata };
        int ret;

        udev_event_init_memory(&memory);
        memory.architecture = m->architecture;
        memory.sys_vendor = m->sys_vendor;
        memory.product_name = m->product_name;
        ret = udev_rules_run(text, size, &memory, on_memory_effect, &r);
        if (ret >= 0)
                ret = udev_rules_run(text, size, &dax, on_dax_effect, &r);
        if (ret >= 0 && r.daxctl_line)
                *ret_daxctl = r.daxctl_line;
        return ret;
}

/* ---- files of sections and keys ----------------------------------------------------------------------------------- */

/* The next line without what stands around it. false: there is none. */
static bool next_line(const char **text, const char *end, unsigned *line, char buf[static TEXT_MAX]) {
        const char *newline, *from = *text, *to;

        if (from >= end)
                return false;
        newline = memchr(from, '\n', (size_t) (end - from)) ?: end;
        for (to = newline; from < to && isspace((unsigned char) *from);)
                from++;
        while (to > from && isspace((unsigned char) to[-1]))
                to--;
        snprintf(buf, TEXT_MAX, "%.*s", (int) MIN(to - from, (ptrdiff_t) TEXT_MAX - 1), from);
        *text = newline < end ? newline + 1 : end;
        (*line)++;
        return true;
}

/* "key = value" → the value; NULL: another key. */
static const char *value_of(const char *line, const char *key) {
        size_t n = strlen(key);

        if (strncmp(line, key, n) != 0)
                return NULL;
        line += n + strspn(line + n, " \t");
        return *line == '=' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

struct section {
        char name[TEXT_MAX];
        unsigned line, mode_line;
        bool reconfigures, system_ram, stays_offline;
};

static void end_section(const struct section *s, rival_function found, void *userdata) {
        if (s->reconfigures && s->system_ram && !s->stays_offline)
                found(RIVAL_DAXCTL, s->mode_line, s->name, true, userdata);
}

int rivals_in_daxctl_conf(const char *text, size_t size, rival_function found, void *userdata) {
        const char *end = text + size, *value;
        struct section s = {};
        char line[TEXT_MAX];
        unsigned number = 0;

        while (next_line(&text, end, &number, line)) {
                if (*line == '[') {
                        end_section(&s, found, userdata);
                        s = (struct section) { .line = number, .reconfigures = strncmp(line, "[reconfigure-device", 19) == 0 };
                        memcpy(s.name, line, sizeof(line));
                } else if ((value = value_of(line, "mode"))) {
                        s.system_ram = strcmp(value, "system-ram") == 0;
                        s.mode_line = number;
                } else if ((value = value_of(line, "online")))
                        s.stays_offline = strcmp(value, "false") == 0 || strcmp(value, "no") == 0 || strcmp(value, "0") == 0;
        }
        end_section(&s, found, userdata);
        return 0;
}

static bool is_unit_rival(const char *command) {
        return is_daxctl_online(command) || is_chmem_online(command) ||
               (strstr(command, "system/memory/") && (has_online_word(command) || strstr(command, "auto_online_blocks")));
}

/* A command may go on over several lines: it is told by the first of them. */
int rivals_in_unit(const char *text, size_t size, rival_function found, void *userdata) {
        const char *end = text + size;
        _cleanup_free_ char *command = malloc(size + 1);
        size_t n = 0;
        unsigned number = 0, first = 0;
        char line[TEXT_MAX];

        if (!command)
                return -ENOMEM;
        while (next_line(&text, end, &number, line)) {
                size_t length = strlen(line);
                bool goes_on = length > 0 && line[length - 1] == '\\';

                if (*line == '#' || *line == ';')
                        continue;
                if (n == 0)
                        first = number;
                length -= goes_on;
                memcpy(command + n, line, length);
                n += length;
                if (goes_on) {
                        command[n++] = ' ';
                        continue;
                }
                command[n] = '\0';
                if (strncmp(command, "Exec", 4) == 0 && is_unit_rival(command))
                        found(RIVAL_UNIT, first, command, true, userdata);
                n = 0;
        }
        return 0;
}
