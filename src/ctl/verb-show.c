/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "ctl/blockless.h"
#include "ctl/explanation.h"
#include "ctl/moment.h"
#include "ctl/run.h"
#include "ctl/verb.h"

static void print_decision(const struct explanation *x) {
        const json_t *time = json_object_get(x->decision, "time_usec");
        char when[MOMENT_TEXT_MAX];

        if (x->add)
                print_field("hot-add", "%" PRIu32, x->add);
        if (!json_is_true(json_object_get(x->decision, "decided")))
                return;
        print_field("decision", "%s", json_get_text(x->decision, "action"));
        if (json_is_integer(time))
                print_field("decided", "%s", moment_format((uint64_t) json_integer_value(time), when));
        print_field("reason", "%s", json_get_text(x->decision, "reason"));
}

static void print_block(const struct explanation *x, uint64_t block_size, const struct options *o) {
        const struct block *b = &x->block;
        _cleanup_free_ char *nodes = format_nodes(&b->nodes), *zones = format_zones(b);
        char address[RUN_TEXT_MAX], size[SIZE_TEXT_MAX];
        struct run run;

        run_init(&run, b);
        printf("block %" PRIu32 "\n", b->index);
        print_field("address", "%s", run_format_address(&run, block_size, address));
        print_field("size", "%s", format_bytes(block_size, o->bytes, size));
        print_field("state", "%s", block_state_to_string(b->state));
        if (b->state == BLOCK_OFFLINE)
                print_field("zone", "none yet; candidates: %s", zones);
        else
                print_field("zone", "%s%s", zones,
                            b->zones_known && !b->zones ? " (several zones, or holes: it cannot go offline)" : "");
        print_field("node", "%s", *nodes ? nodes : "unknown");
        print_field("source", "%s", source_to_string(b->source));
        print_field("device", "%s", *b->device ? b->device : "-");
        print_field("evidence", "%s", x->evidence);
        print_field("removable", "%s", b->removable ? "yes" : "no");
        print_decision(x);
}

static json_t *json_block(const struct explanation *x, uint64_t block_size) {
        bool decided = json_is_true(json_object_get(x->decision, "decided"));
        const struct block *b = &x->block;
        json_t *object = json_new_object();

        json_set(object, "block", json_unsigned(b->index));
        json_set(object, "start", json_unsigned(b->index * block_size));
        json_set(object, "size", json_unsigned(block_size));
        json_set(object, "state", json_text(block_state_to_string(b->state)));
        json_set(object, "removable", json_boolean(b->removable));
        json_set(object, "nodes", json_nodes(&b->nodes));
        json_set(object, "zones", json_zones(b));
        json_set(object, "source", json_text(source_to_string(b->source)));
        json_set(object, "device", json_name(b->device));
        json_set(object, "evidence", json_incref(x->evidence_json));
        json_set(object, "add", x->add ? json_unsigned(x->add) : json_null());
        json_set(object, "decision", decided ? json_incref(x->decision) : json_null());
        return object;
}

static void print_json(const struct explanations *l, uint64_t block_size) {
        json_auto_t *root = json_new_array();

        for (size_t i = 0; i < l->n; i++)
                json_add(root, json_block(&l->items[i], block_size));
        json_print(root);
}

/* "32-39,64-71" */
static char *format_blocks(const struct explanations *l) {
        char *text = NULL, buf[RUN_TEXT_MAX];
        size_t size;
        FILE *f = open_memstream(&text, &size);
        struct run run = {};

        if (!f)
                out_of_memory();
        for (size_t i = 0; i < l->n; i++) {
                if (i == 0)
                        run_init(&run, &l->items[i].block);
                else if (!run_extend(&run, &l->items[i].block, 0)) {
                        fprintf(f, "%s,", run_format_blocks(&run, buf));
                        run_init(&run, &l->items[i].block);
                }
        }
        if (l->n)
                fputs(run_format_blocks(&run, buf), f);
        if (fclose(f) != 0)
                out_of_memory();
        return text;
}

/* "1G in Movable, 512M in Normal"; blocks whose zone is unknown or more than one come last. */
static char *format_online(const struct explanations *l, uint64_t block_size, bool bytes) {
        uint64_t in[_ZONE_MAX + 1] = {};
        char *text = NULL, size_text[SIZE_TEXT_MAX];
        const char *comma = "";
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                out_of_memory();
        for (size_t i = 0; i < l->n; i++) {
                const struct block *b = &l->items[i].block;

                if (b->state == BLOCK_ONLINE)
                        in[b->zones ? (unsigned) b->first_zone : _ZONE_MAX] += block_size;
        }
        for (enum zone z = 0; z <= _ZONE_MAX; z++) {
                if (!in[z])
                        continue;
                fprintf(f, "%s%s in %s", comma, format_bytes(in[z], bytes, size_text),
                        zone_to_string(z) ?: "no single zone");
                comma = ", ";
        }
        if (!*comma)
                fputs("none", f);
        if (fclose(f) != 0)
                out_of_memory();
        return text;
}

/* What the blocks of a device, or of a node, are together. */
static void print_summary(const struct explanations *l, const struct selector *selector, const char *selector_text,
                          uint64_t block_size, const struct options *o) {
        _cleanup_free_ char *blocks = format_blocks(l), *online = format_online(l, block_size, o->bytes);
        char size[SIZE_TEXT_MAX];
        source_mask sources = 0;
        uint64_t offline = 0;

        for (size_t i = 0; i < l->n; i++) {
                sources |= SOURCE_BIT(l->items[i].block.source);
                if (l->items[i].block.state != BLOCK_ONLINE)
                        offline += block_size;
        }
        if (selector->kind == SELECTOR_DEVICE) {
                fputs("device ", stdout);
                print_safe(stdout, selector->device);
        } else
                print_safe(stdout, selector_text);
        putchar('\n');
        printf("%14s:", "source");
        for (enum source s = 0; s < _SOURCE_MAX; s++)
                if (sources & SOURCE_BIT(s))
                        printf(" %s", source_to_string(s));
        putchar('\n');
        print_field("blocks", "%s (%zu)", blocks, l->n);
        print_field("size", "%s", format_bytes(l->n * block_size, o->bytes, size));
        print_field("online", "%s", online);
        print_field("offline", "%s", offline ? format_bytes(offline, o->bytes, size) : "none");
        putchar('\n');
}

/* "show all" is about the system, not only about its blocks. */
static enum status show_besides(const struct facts *f, const struct options *o) {
        _cleanup_(blockless_done) struct blockless besides = {};
        enum status s;

        s = f ? blockless_read(&besides, f) : blockless_read_alone(&besides, o->sysroot);
        blockless_print(&besides, o);
        blockless_hint(&besides, o);
        return s;
}

static enum status print(const struct explanations *l, const struct selector *selector, const char *selector_text, uint64_t block_size,
                         const struct facts *f, const struct options *o) {
        if (o->json) {
                print_json(l, block_size);
                return STATUS_DONE;
        }
        if (f)
                facts_hint(f);
        if (selector->kind == SELECTOR_DEVICE || selector->kind == SELECTOR_NODE)
                print_summary(l, selector, selector_text, block_size, o);
        for (size_t i = 0; i < l->n; i++) {
                if (i)
                        putchar('\n');
                print_block(&l->items[i], block_size, o);
        }
        return selector->kind == SELECTOR_ALL && !o->host ? show_besides(f, o) : STATUS_DONE;
}

static enum status show_answers(struct client *c, const struct options *o, const char *selector_text) {
        _cleanup_(explanations_done) struct explanations list = {};
        _cleanup_(selector_done) struct selector selector = {};
        _cleanup_(answers_done) struct answers answers = {};
        enum status s;

        s = answers_ask(&answers, c, selector_text);
        if (s == STATUS_DONE)
                s = selector_read(selector_text, &selector);
        if (s == STATUS_DONE)
                s = explanations_ask(&list, c, &answers);
        return s == STATUS_DONE ? print(&list, &selector, selector_text, answers.block_size, NULL, o) : s;
}

static enum status show_directly(const struct options *o, const char *selector_text) {
        _cleanup_(explanations_done) struct explanations list = {};
        _cleanup_(facts_done) struct facts facts = {};
        struct fact fact;
        enum status s;

        s = facts_open(&facts, o->sysroot, selector_text, FACTS_ORIGIN | FACTS_REMOVABLE);
        if (s != STATUS_DONE)
                return s;
        while (facts_next(&facts, &fact))
                explanation_set_fact(explanations_add(&list), &fact);
        s = facts_status(&facts);
        if (list.n > 0 && print(&list, &facts.selector, selector_text, facts.block_size, &facts, o) != STATUS_DONE)
                s = STATUS_FAILED;
        return s;
}

enum status verb_show(const struct options *o, char *const *args) {
        _cleanup_(client_closep) struct client *c = NULL;
        enum status s;

        s = client_find(o, &c);
        if (s != STATUS_DONE)
                return s;
        return c ? show_answers(c, o, args[0]) : show_directly(o, args[0]);
}
