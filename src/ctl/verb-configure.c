/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* configure, deconfigure: standby memory of s390. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctl/facts.h"
#include "ctl/run.h"
#include "ctl/verb.h"

enum { COL_RANGE, COL_SIZE, COL_BLOCK, COL_CONFIGURED, COL_MEMMAP };

static const struct column columns[] = {
        [COL_RANGE] = { "RANGE", "first and last address", .right = false, .spare = 1 },
        [COL_SIZE] = { "SIZE", "how much it is", .right = true },
        [COL_BLOCK] = { "BLOCK", "the numbers of its blocks", .right = true },
        [COL_CONFIGURED] = { "CONFIGURED", "whether the kernel has it, and it can be online" },
        [COL_MEMMAP] = { "MEMMAP-ON-MEMORY", "whether its page descriptions lie, or would lie, in itself" },
};

const struct column_set configure_columns = { columns, ARRAY_SIZE(columns) };

/* What may be complained of one by one; of more, their number. */
#define COMPLAINTS_MAX 8

struct standby {
        struct sysfs *fs;
        uint32_t *indices;
        size_t n;
        uint64_t block_size;
};

static void standby_done(struct standby *s) {
        free(s->indices);
        sysfs_close(s->fs);
}

/* Blocks that are not configured have a number, and nothing else that could be selected by. */
static enum status read_selector(const char *text, struct selector *ret) {
        enum status status = selector_read(text, ret);

        if (status != STATUS_DONE || ret->kind == SELECTOR_ALL || ret->kind == SELECTOR_BLOCKS || ret->kind == SELECTOR_ADDRESS)
                return status;
        complain("%s: memory that is not configured has neither node nor source nor device; select by block numbers, addr: or all", text);
        selector_done(ret);
        return STATUS_USAGE;
}

static enum status complain_unread(const struct options *o, int error) {
        if (error == -ENOMEM)
                out_of_memory();
        if (error == -ENOENT)
                complain("%s: has no memory that could be configured: s390 has it, with Linux 6.19 or later", o->sysroot);
        else
                complain("%s: standby memory: cannot be listed: %s", o->sysroot, strerror(-error));
        return STATUS_FAILED;
}

static enum status standby_open(const struct options *o, const char *text, struct standby *ret) {
        _cleanup_(selector_done) struct selector selector = {};
        enum status status = read_selector(text, &selector);
        size_t n = 0;
        int r;

        if (status == STATUS_DONE)
                status = system_open(o->sysroot, &ret->fs);
        if (status != STATUS_DONE)
                return status;
        ret->block_size = sysfs_block_size(ret->fs);
        r = sysfs_read_standby_indices(ret->fs, &ret->indices, &ret->n);
        if (r < 0)
                return complain_unread(o, r);
        for (size_t i = 0; i < ret->n; i++)
                if (selector_may_match(&selector, ret->indices[i], ret->block_size))
                        ret->indices[n++] = ret->indices[i];
        ret->n = n;
        if (n > 0 || !text)
                return STATUS_DONE;
        complain("%s: no memory matches that could be configured", text);
        return STATUS_FAILED;
}

/* ---- which there is ------------------------------------------------------------------------------------------------ */

struct stretch {
        uint32_t first, last;
        struct standby_block facts; /* of each of them */
};

/* The blocks from number *i on that are alike. */
static int next_stretch(const struct standby *s, size_t *i, struct stretch *ret) {
        struct standby_block b;
        int r;

        r = sysfs_read_standby(s->fs, s->indices[*i], &ret->facts);
        if (r < 0)
                return r;
        ret->first = ret->last = s->indices[(*i)++];
        while (*i < s->n && s->indices[*i] == ret->last + 1 && sysfs_read_standby(s->fs, s->indices[*i], &b) >= 0 &&
               b.configured == ret->facts.configured && b.memmap_on_memory == ret->facts.memmap_on_memory)
                ret->last = s->indices[(*i)++];
        return 0;
}

static void add_stretch(struct table *t, json_t *ranges, const struct standby *s, const struct stretch *x, bool bytes) {
        const struct run run = { .block.index = x->first, .last = x->last };
        char address[RUN_TEXT_MAX], blocks[RUN_TEXT_MAX], size[SIZE_TEXT_MAX];
        json_t *object = json_new_object();

        json_set(object, "start", json_unsigned(x->first * s->block_size));
        json_set(object, "size", json_unsigned(run_size(&run, s->block_size)));
        json_set(object, "blocks", json_text(run_format_blocks(&run, blocks)));
        json_set(object, "configured", json_boolean(x->facts.configured));
        json_set(object, "memmap_on_memory", json_boolean(x->facts.memmap_on_memory));
        json_add(ranges, object);
        table_add_row(t);
        table_set(t, COL_RANGE, run_format_address(&run, s->block_size, address));
        table_set(t, COL_SIZE, format_bytes(run_size(&run, s->block_size), bytes, size));
        table_set(t, COL_BLOCK, blocks);
        table_set(t, COL_CONFIGURED, x->facts.configured ? "yes" : "no");
        table_set(t, COL_MEMMAP, x->facts.memmap_on_memory ? "yes" : "no");
}

static enum status list(const struct options *o) {
        _cleanup_(standby_done) struct standby s = {};
        _cleanup_(table_done) struct table t = {};
        json_auto_t *root = json_new_object();
        struct column_choice choice;
        json_t *ranges = json_new_array();
        struct stretch stretch;
        enum status status;

        json_set(root, "ranges", ranges);
        if (column_choice_parse(&configure_columns, o->columns, &choice) < 0)
                return STATUS_USAGE;
        status = standby_open(o, NULL, &s);
        if (status != STATUS_DONE)
                return status;
        json_set(root, "block_size", json_unsigned(s.block_size));
        table_init(&t, &configure_columns, &choice, o->legend, NULL, 0);
        for (size_t i = 0; i < s.n;) {
                int r = next_stretch(&s, &i, &stretch);

                if (r < 0) {
                        complain("block %" PRIu32 ": cannot be read: %s", s.indices[i++], strerror(-r));
                        status = STATUS_FAILED;
                } else
                        add_stretch(&t, ranges, &s, &stretch, o->bytes);
        }
        if (o->json)
                json_print(root);
        else
                table_print(&t);
        return status;
}

/* ---- one block after the other ------------------------------------------------------------------------------------- */

struct request {
        bool configure;
        int memmap; /* as asked for; negative: as it is */
        const char *done; /* what it is called */
};

/* NULL: as asked for. Else what is in the way, and what to do about it. */
static const char *change_block(const struct standby *s, const struct request *q, uint32_t index, bool *ret_changed) {
        struct standby_block b;
        int r;

        r = sysfs_read_standby(s->fs, index, &b);
        if (r < 0)
                return strerror(-r);
        *ret_changed = b.configured != q->configure;
        if (b.configured && q->configure && q->memmap >= 0 && b.memmap_on_memory != (bool) q->memmap)
                return "it is configured already, and in the other way; deconfigure it first";
        if (!*ret_changed)
                return NULL;
        if (q->memmap >= 0 && b.memmap_on_memory != (bool) q->memmap)
                r = sysfs_write_standby_memmap(s->fs, index, q->memmap);
        if (r >= 0)
                r = sysfs_write_standby_config(s->fs, index, q->configure);
        if (r == -EBUSY && !q->configure)
                return "it is online; memhpctl offline takes it offline";
        return r < 0 ? strerror(-r) : NULL;
}

static json_t *json_outcome(uint32_t index, const char *error, bool changed) {
        json_t *object = json_new_object();

        json_set(object, "block", json_unsigned(index));
        json_set(object, "outcome", json_text(error ? "failed" : changed ? "done" : "already"));
        json_set(object, "error", error ? json_text(error) : json_null());
        return object;
}

static enum status change_all(const struct options *o, const struct standby *s, const struct request *q) {
        json_auto_t *blocks = json_new_array();
        size_t n_failed = 0, n_changed = 0;
        char size[SIZE_TEXT_MAX];

        for (size_t i = 0; i < s->n; i++) {
                bool changed = false;
                const char *error = change_block(s, q, s->indices[i], &changed);

                json_add(blocks, json_outcome(s->indices[i], error, changed));
                n_failed += error != NULL;
                n_changed += !error && changed;
                if (error && n_failed <= COMPLAINTS_MAX)
                        complain("block %" PRIu32 ": not %s: %s", s->indices[i], q->done, error);
        }
        if (n_failed > COMPLAINTS_MAX)
                complain("%zu blocks in all were not %s", n_failed, q->done);
        if (o->json)
                json_print(blocks);
        else if (o->legend)
                printf("%zu block%s %s: %s\n", n_changed, n_changed == 1 ? "" : "s", q->done,
                       format_bytes(n_changed * s->block_size, o->bytes, size));
        return n_failed == 0 ? STATUS_DONE : n_failed < s->n ? STATUS_PARTIAL : STATUS_FAILED;
}

static enum status change(const struct options *o, const char *selector, const struct request *q) {
        _cleanup_(standby_done) struct standby s = {};
        enum status status = standby_open(o, selector, &s);

        return status == STATUS_DONE ? change_all(o, &s, q) : status;
}

enum status verb_configure(const struct options *o, char *const *args) {
        struct request q = { .configure = true, .memmap = -1, .done = "configured" };

        if (!args[0]) {
                if (!o->memmap)
                        return list(o);
                complain("--memmap-on-memory: of which memory? Name a selector");
                return STATUS_USAGE;
        }
        if (o->memmap && strcmp(o->memmap, "yes") != 0 && strcmp(o->memmap, "no") != 0) {
                complain("--memmap-on-memory %s: it is yes or no", o->memmap);
                return STATUS_USAGE;
        }
        if (o->memmap)
                q.memmap = *o->memmap == 'y';
        return change(o, args[0], &q);
}

enum status verb_deconfigure(const struct options *o, char *const *args) {
        const struct request q = { .memmap = -1, .done = "deconfigured" };

        return change(o, args[0], &q);
}
