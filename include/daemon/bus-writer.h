/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writes a D-Bus message. Once something fails, all that follows does nothing, and the end tells: so that a message reads as
 * what is in it. */

#include <systemd/sd-bus.h>

#include "core/balance.h"
#include "core/history.h"

struct writer {
        sd_bus_message *m;
        int r; /* negative errno once something has failed */
};

/* The answer to a call; writer_reply() sends it. */
void writer_init_reply(struct writer *w, sd_bus_message *call);
/* 1: it is on its way · negative errno. The message is let go in either case. */
int writer_reply(struct writer *w);

/* As sd_bus_message_append(), sd_bus_message_append_array(), sd_bus_message_open_container() and its opposite. */
void writer_append(struct writer *w, const char *types, ...);
void writer_append_array(struct writer *w, char type, const void *items, size_t size);
void writer_open(struct writer *w, char type, const char *contents);
void writer_close(struct writer *w);

/* One more pair of a dictionary a{sv}; keys are those of memhpctl's JSON. */
void writer_put(struct writer *w, const char *key, const char *types, ...);
/* A pair whose value is an array of such items, to be appended until it is closed. */
void writer_open_array(struct writer *w, const char *key, const char *item);
void writer_close_array(struct writer *w);

void writer_put_rule(struct writer *w, const char *name, const char *file, unsigned line);
void writer_put_balance(struct writer *w, const struct balance *b);

/* Names of zones ("as") and numbers of nodes ("au"). */
void writer_append_zones(struct writer *w, const struct block *b);
void writer_append_nodes(struct writer *w, const struct node_set *nodes);
/* A report as a{sv}. */
void writer_append_report(struct writer *w, const struct report *r);
