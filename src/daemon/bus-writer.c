/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/bus-writer.h"

#include <stdarg.h>

#include "daemon/bus-internal.h"

void writer_init_reply(struct writer *w, sd_bus_message *call) {
        *w = (struct writer) {};
        w->r = sd_bus_message_new_method_return(call, &w->m);
}

int writer_reply(struct writer *w) {
        int r = w->r;

        if (r >= 0)
                r = sd_bus_send(NULL, w->m, NULL);
        w->m = sd_bus_message_unref(w->m);
        return r < 0 ? r : 1;
}

void writer_append(struct writer *w, const char *types, ...) {
        va_list ap;

        if (w->r < 0)
                return;
        va_start(ap, types);
        w->r = sd_bus_message_appendv(w->m, types, ap);
        va_end(ap);
}

void writer_append_array(struct writer *w, char type, const void *items, size_t size) {
        if (w->r >= 0)
                w->r = sd_bus_message_append_array(w->m, type, items, size);
}

void writer_open(struct writer *w, char type, const char *contents) {
        if (w->r >= 0)
                w->r = sd_bus_message_open_container(w->m, type, contents);
}

void writer_close(struct writer *w) {
        if (w->r >= 0)
                w->r = sd_bus_message_close_container(w->m);
}

void writer_put(struct writer *w, const char *key, const char *types, ...) {
        va_list ap;

        writer_open(w, SD_BUS_TYPE_DICT_ENTRY, "sv");
        writer_append(w, "s", key);
        writer_open(w, SD_BUS_TYPE_VARIANT, types);
        if (w->r >= 0) {
                va_start(ap, types);
                w->r = sd_bus_message_appendv(w->m, types, ap);
                va_end(ap);
        }
        writer_close(w);
        writer_close(w);
}

void writer_open_array(struct writer *w, const char *key, const char *item) {
        char type[32];

        snprintf(type, sizeof(type), "a%s", item);
        writer_open(w, SD_BUS_TYPE_DICT_ENTRY, "sv");
        writer_append(w, "s", key);
        writer_open(w, SD_BUS_TYPE_VARIANT, type);
        writer_open(w, SD_BUS_TYPE_ARRAY, item);
}

void writer_close_array(struct writer *w) {
        for (int depth = 0; depth < 3; depth++)
                writer_close(w);
}

void writer_put_rule(struct writer *w, const char *name, const char *file, unsigned line) {
        writer_put(w, "rule", "a{sv}", 3, "name", "s", bus_text(name), "file", "s", bus_text(file), "line", "u", line);
}

static void append_percent(struct writer *w, const char *key, uint64_t movable, uint64_t kernel) {
        uint64_t percent = balance_percent(movable, kernel);

        if (percent != UINT64_MAX)
                writer_put(w, key, "t", percent);
}

void writer_put_balance(struct writer *w, const struct balance *b) {
        writer_open(w, SD_BUS_TYPE_DICT_ENTRY, "sv");
        writer_append(w, "s", "balance");
        writer_open(w, SD_BUS_TYPE_VARIANT, "a{sv}");
        writer_open(w, SD_BUS_TYPE_ARRAY, "{sv}");
        writer_put(w, "movable", "t", b->movable);
        writer_put(w, "kernel", "t", b->kernel);
        writer_put(w, "added", "t", b->added);
        append_percent(w, "percent_before", b->movable - MIN(b->added, b->movable), b->kernel);
        append_percent(w, "percent_after", b->movable, b->kernel);
        writer_put(w, "limit_percent", "u", b->ratio);
        writer_put(w, "node", "i", (int32_t) b->node);
        writer_put(w, "hot_counted", "b", (int) b->hot_counted);
        writer_close_array(w);
}

void writer_append_zones(struct writer *w, const struct block *b) {
        writer_open(w, SD_BUS_TYPE_ARRAY, "s");
        /* In the kernel's order: what a plain "online" picks comes first. */
        if (b->zones && b->first_zone >= 0)
                writer_append(w, "s", zone_to_string(b->first_zone));
        for (enum zone z = 0; z < _ZONE_MAX; z++)
                if ((b->zones & ZONE_BIT(z)) && z != b->first_zone)
                        writer_append(w, "s", zone_to_string(z));
        writer_close(w);
}

void writer_append_nodes(struct writer *w, const struct node_set *nodes) {
        writer_open(w, SD_BUS_TYPE_ARRAY, "u");
        for (int n = node_set_next(nodes, 0); n >= 0; n = node_set_next(nodes, (unsigned) n + 1))
                writer_append(w, "u", (uint32_t) n);
        writer_close(w);
}

void writer_append_report(struct writer *w, const struct report *r) {
        writer_open(w, SD_BUS_TYPE_ARRAY, "{sv}");
        writer_put(w, "id", "t", r->id);
        writer_put(w, "time_usec", "t", r->usec);
        writer_put(w, "event", "s", report_kind_to_string(r->kind));
        writer_put(w, "priority", "u", (uint32_t) r->priority);
        writer_put(w, "blocks", "s", r->blocks);
        writer_put(w, "n_blocks", "u", r->n_blocks);
        writer_put(w, "add", "u", r->add);
        writer_put(w, "source", "s", source_to_string(r->source));
        writer_put(w, "device", "s", bus_text(r->device));
        writer_put(w, "node", "i", (int32_t) r->node);
        if (*r->rule)
                writer_put_rule(w, r->rule, r->file, r->line);
        writer_put(w, "action", "s", action_to_string(r->action));
        writer_put(w, "reason", "s", reason_to_string(r->reason));
        writer_put(w, "outcome", "s", outcome_to_string(r->outcome));
        writer_put(w, "zone", "s", zone_to_string(r->zone) ?: "");
        writer_put(w, "errno", "i", (int32_t) -r->error);
        if (*r->why)
                writer_put(w, "why", "s", bus_text(r->why));
        if (r->balance.judged)
                writer_put_balance(w, &r->balance);
        writer_put(w, "message", "s", bus_text(r->text));
        writer_close(w);
}
