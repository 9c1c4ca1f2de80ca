/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "ctl/blockless.h"
#include "ctl/facts.h"
#include "ctl/run.h"
#include "ctl/verb.h"

struct fact_list {
        struct fact *items;
        size_t n, capacity;
};

static void fact_list_done(struct fact_list *l) {
        free(l->items);
}

static void print_block(const struct fact *fact, uint64_t block_size, const struct options *o) {
        const struct block *b = &fact->block;
        _cleanup_free_ char *nodes = format_nodes(&b->nodes), *zones = format_zones(b);
        char address[RUN_TEXT_MAX], size[SIZE_TEXT_MAX], evidence[EVIDENCE_TEXT_MAX];
        struct run run;

        run_init(&run, b);
        source_describe(&fact->evidence, evidence, sizeof(evidence));
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
        print_field("evidence", "%s", evidence);
        print_field("removable", "%s", b->removable ? "yes" : "no");
}

static json_t *json_fact(const struct fact *fact, uint64_t block_size) {
        const struct block *b = &fact->block;
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
        json_set(object, "evidence", json_evidence(&fact->evidence));
        return object;
}

static void print_json(const struct fact_list *l, uint64_t block_size) {
        json_auto_t *root = json_new_array();

        for (size_t i = 0; i < l->n; i++)
                json_add(root, json_fact(&l->items[i], block_size));
        json_print(root);
}

/* "32-39,64-71" */
static char *format_blocks(const struct fact_list *l) {
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
static char *format_online(const struct fact_list *l, uint64_t block_size, bool bytes) {
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
static void print_summary(const struct fact_list *l, const struct facts *f, const struct options *o) {
        _cleanup_free_ char *blocks = format_blocks(l), *online = format_online(l, f->block_size, o->bytes);
        char size[SIZE_TEXT_MAX];
        source_mask sources = 0;
        uint64_t offline = 0;

        for (size_t i = 0; i < l->n; i++) {
                sources |= SOURCE_BIT(l->items[i].block.source);
                if (l->items[i].block.state != BLOCK_ONLINE)
                        offline += f->block_size;
        }
        if (f->selector.kind == SELECTOR_DEVICE) {
                fputs("device ", stdout);
                print_safe(stdout, f->selector.device);
        } else
                print_safe(stdout, f->selector_text);
        putchar('\n');
        printf("%14s:", "source");
        for (enum source s = 0; s < _SOURCE_MAX; s++)
                if (sources & SOURCE_BIT(s))
                        printf(" %s", source_to_string(s));
        putchar('\n');
        print_field("blocks", "%s (%zu)", blocks, l->n);
        print_field("size", "%s", format_bytes(l->n * f->block_size, o->bytes, size));
        print_field("online", "%s", online);
        print_field("offline", "%s", offline ? format_bytes(offline, o->bytes, size) : "none");
        putchar('\n');
}

/* "show all" is about the system, not only about its blocks. */
static enum status show_besides(const struct facts *f, const struct options *o) {
        _cleanup_(blockless_done) struct blockless besides = {};
        enum status s;

        s = blockless_read(&besides, f);
        blockless_print(&besides, o);
        blockless_hint(&besides, o);
        return s;
}

enum status verb_show(const struct options *o, char *const *args) {
        _cleanup_(fact_list_done) struct fact_list list = {};
        _cleanup_(facts_done) struct facts facts = {};
        enum status s;

        s = facts_open(&facts, o->sysroot, args[0], FACTS_ORIGIN | FACTS_REMOVABLE);
        if (s != STATUS_DONE)
                return s;
        for (;;) {
                if (!GROW(list.items, list.n, list.capacity))
                        out_of_memory();
                if (!facts_next(&facts, &list.items[list.n]))
                        break;
                list.n++;
        }
        s = facts_status(&facts);
        if (list.n == 0)
                return s;
        if (o->json) {
                print_json(&list, facts.block_size);
                return s;
        }
        facts_hint(&facts);
        if (facts.selector.kind == SELECTOR_DEVICE || facts.selector.kind == SELECTOR_NODE)
                print_summary(&list, &facts, o);
        for (size_t i = 0; i < list.n; i++) {
                if (i)
                        putchar('\n');
                print_block(&list.items[i], facts.block_size, o);
        }
        if (facts.selector.kind == SELECTOR_ALL && show_besides(&facts, o) != STATUS_DONE)
                s = STATUS_FAILED;
        return s;
}
