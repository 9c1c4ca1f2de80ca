/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "core/parse.h"
#include "daemon/bus-internal.h"

/* Names of devices and rules come from the kernel and from files: bytes that are no text are not passed on. */
const char *bus_text(const char *s) {
        for (const unsigned char *p = (const unsigned char *) s; *p; p++)
                if (*p < ' ' || *p >= 0x7f)
                        return "";
        return s;
}

bool bus_path_number(const char *path, const char *kind, uint32_t *ret) {
        size_t n = strlen(kind);
        uint32_t number;
        const char *p;

        if (strncmp(path, BUS_PATH "/", strlen(BUS_PATH "/")) != 0)
                return false;
        p = path + strlen(BUS_PATH "/");
        if (strncmp(p, kind, n) != 0 || p[n] != '/' || (p[n + 1] == '0' && p[n + 2]) || parse_u32(p + n + 1, &number) < 0)
                return false;
        *ret = number;
        return true;
}

const char *bus_number_path(const char *kind, uint32_t number, char buf[static BUS_PATH_MAX]) {
        snprintf(buf, BUS_PATH_MAX, BUS_PATH "/%s/%u", kind, number);
        return buf;
}

int bus_read_selector(sd_bus_message *m, struct selector *ret, const char **ret_text, sd_bus_error *error) {
        char why[SELECTOR_ERROR_MAX];
        const char *text;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        if (strlen(text) >= JOB_SELECTOR_MAX)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "the selector is longer than %d characters",
                                         JOB_SELECTOR_MAX - 1);
        if (!*bus_text(text))
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "a selector is plain text, such as \"32-63\" or \"all\"");
        r = selector_parse(text, ret, why);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "%s: not a selector: %s", text, why);
        if (r >= 0)
                *ret_text = text;
        return r;
}

int bus_append_zones(sd_bus_message *m, const struct block *b) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "s");
        /* In the kernel's order: what a plain "online" picks comes first. */
        if (r >= 0 && b->zones && b->first_zone >= 0)
                r = sd_bus_message_append(m, "s", zone_to_string(b->first_zone));
        for (enum zone z = 0; r >= 0 && z < _ZONE_MAX; z++)
                if ((b->zones & ZONE_BIT(z)) && z != b->first_zone)
                        r = sd_bus_message_append(m, "s", zone_to_string(z));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_nodes(sd_bus_message *m, const struct node_set *nodes) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "u");
        for (int n = node_set_next(nodes, 0); r >= 0 && n >= 0; n = node_set_next(nodes, (unsigned) n + 1))
                r = sd_bus_message_append(m, "u", (uint32_t) n);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_put(sd_bus_message *m, const char *key, const char *type, ...) {
        va_list ap;
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0) {
                va_start(ap, type);
                r = sd_bus_message_appendv(m, type, ap);
                va_end(ap);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_put_rule(sd_bus_message *m, const char *name, const char *file, unsigned line) {
        return bus_put(m, "rule", "a{sv}", 3, "name", "s", bus_text(name), "file", "s", bus_text(file), "line", "u", line);
}

int bus_put_balance(sd_bus_message *m, const struct balance *b) {
        return bus_put(m, "balance", "a{sv}", 6, "movable", "t", b->movable, "kernel", "t", b->kernel, "added", "t", b->added,
                       "node", "i", (int32_t) b->node, "limit_percent", "u", b->ratio, "hot_counted", "b", (int) b->hot_counted);
}

int bus_append_report(sd_bus_message *m, const struct report *p) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_put(m, "id", "t", p->id);
        if (r >= 0)
                r = bus_put(m, "time_usec", "t", p->usec);
        if (r >= 0)
                r = bus_put(m, "event", "s", report_kind_to_string(p->kind));
        if (r >= 0)
                r = bus_put(m, "priority", "u", (uint32_t) p->priority);
        if (r >= 0)
                r = bus_put(m, "blocks", "s", p->blocks);
        if (r >= 0)
                r = bus_put(m, "n_blocks", "u", p->n_blocks);
        if (r >= 0)
                r = bus_put(m, "add", "u", p->add);
        if (r >= 0)
                r = bus_put(m, "source", "s", source_to_string(p->source));
        if (r >= 0)
                r = bus_put(m, "device", "s", bus_text(p->device));
        if (r >= 0)
                r = bus_put(m, "node", "i", (int32_t) p->node);
        if (r >= 0 && *p->rule)
                r = bus_put_rule(m, p->rule, p->file, p->line);
        if (r >= 0)
                r = bus_put(m, "action", "s", action_to_string(p->action));
        if (r >= 0)
                r = bus_put(m, "reason", "s", reason_to_string(p->reason));
        if (r >= 0)
                r = bus_put(m, "outcome", "s", outcome_to_string(p->outcome));
        if (r >= 0)
                r = bus_put(m, "zone", "s", zone_to_string(p->zone) ?: "");
        if (r >= 0)
                r = bus_put(m, "errno", "i", (int32_t) -p->error);
        if (r >= 0 && p->balance.judged)
                r = bus_put_balance(m, &p->balance);
        if (r >= 0)
                r = bus_put(m, "message", "s", bus_text(p->text));
        return r < 0 ? r : sd_bus_message_close_container(m);
}
