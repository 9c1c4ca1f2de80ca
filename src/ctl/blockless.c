/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/blockless.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctl/run.h"
#include "ctl/statistics.h"
#include "host/kmsg.h"

#define REASON_TEXT_MAX 512

enum { COL_RANGE, COL_SIZE, COL_NODE, COL_KIND, COL_HOLDER };

static const struct column columns[] = {
        [COL_RANGE] = { "RANGE", NULL, .right = false },
        [COL_SIZE] = { "SIZE", NULL, .right = true },
        [COL_NODE] = { "NODE", NULL, .right = true },
        [COL_KIND] = { "KIND", NULL, .right = false },
        [COL_HOLDER] = { "HOLDER", NULL, .right = false },
};

static const struct column_set device_columns = { columns, ARRAY_SIZE(columns) };

/* 0: cannot be read, or malformed, which is complained about. */
static int complain_malformed(int error, enum sysfs_text which, unsigned line) {
        if (error == -ENOMEM)
                out_of_memory();
        if (error != -EBADMSG)
                return 0;
        complain("%s:%u: malformed: device memory cannot be told from it", sysfs_text_path(which), line);
        return -EBADMSG;
}

/* 1: *ret is readable · 0: it cannot be told · -EBADMSG. */
static int read_iomem(struct blockless *b, const struct facts *f, const struct iomem **ret) {
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r;

        if (f->evidence.iomem_complete) {
                *ret = &f->evidence.iomem;
                return f->evidence.iomem_valid; /* what is malformed is facts_status()'s to complain about */
        }
        r = sysfs_read_text(f->fs, SYSFS_IOMEM, &text, &size);
        if (r >= 0)
                r = iomem_parse(text, size, &b->iomem, &line);
        if (r < 0)
                return complain_malformed(r, SYSFS_IOMEM, line);
        *ret = &b->iomem;
        return 1;
}

static int read_device_memory(struct blockless *b, const struct facts *f) {
        _cleanup_free_ char *text = NULL;
        const struct iomem *iomem;
        unsigned line = 0;
        size_t size;
        int r;

        r = read_iomem(b, f, &iomem);
        if (r <= 0)
                return r;
        r = sysfs_read_text(f->fs, SYSFS_ZONEINFO, &text, &size);
        if (r >= 0)
                r = zoneinfo_parse_take(&text, size, &b->zoneinfo, &line);
        if (r < 0)
                return complain_malformed(r, SYSFS_ZONEINFO, line);
        r = device_memory_find(iomem, &b->zoneinfo, system_page_size(sysfs_root(f->fs)), &b->device);
        if (r == -ENOMEM)
                out_of_memory();
        return r;
}

static void read_refusals(struct blockless *b, const struct facts *f) {
        _cleanup_close_ int fd = kmsg_open(sysfs_root(f->fs));
        struct kernlog_line line;
        int r = fd;

        if (fd >= 0)
                while ((r = kmsg_next(fd, &line)) > 0)
                        refusals_add(&b->refusals, &line);
        b->kmsg_error = MIN(r, 0);
}

enum status blockless_read(struct blockless *b, const struct facts *f) {
        *b = (struct blockless) {};
        read_refusals(b, f);
        return read_device_memory(b, f) < 0 ? STATUS_FAILED : STATUS_DONE;
}

enum status blockless_read_alone(struct blockless *b, const char *sysroot) {
        struct facts f = {};
        enum status s;

        *b = (struct blockless) {};
        if (sysfs_open_texts(sysroot, &f.fs) < 0)
                return STATUS_DONE;
        s = blockless_read(b, &f);
        sysfs_close(f.fs);
        return s;
}

void blockless_done(struct blockless *b) {
        device_memory_done(&b->device);
        zoneinfo_done(&b->zoneinfo);
        iomem_done(&b->iomem);
}

static void print_device_memory(const struct device_memory *m, const struct options *o) {
        _cleanup_(table_done) struct table t;
        char text[SIZE_TEXT_MAX];
        struct column_choice all;

        column_choice_parse(&device_columns, NULL, &all);
        putchar('\n');
        print_paragraph(0, "Device memory: hot-added only, no memory blocks; its struct pages take %s of RAM at most",
                        format_bytes(m->memmap_bytes, o->bytes, text));
        table_init(&t, &device_columns, &all, o->legend, NULL, 0);
        for (size_t i = 0; i < m->n; i++) {
                const struct device_range *d = &m->ranges[i];
                char range[RUN_TEXT_MAX], node[16] = "";

                snprintf(range, sizeof(range), "0x%016" PRIx64 "-0x%016" PRIx64, d->start, d->start + (d->size - 1));
                if (d->node >= 0)
                        snprintf(node, sizeof(node), "%d", d->node);
                table_add_row(&t);
                table_set(&t, COL_RANGE, range);
                table_set(&t, COL_SIZE, format_bytes(d->size, o->bytes, text));
                table_set(&t, COL_NODE, node);
                table_set(&t, COL_KIND, source_to_string(d->kind));
                table_set(&t, COL_HOLDER, d->holder);
        }
        table_print(&t);
}

static void print_refusals(struct refusals *refusals) {
        puts("\nHot-adds that the kernel refused; there are no memory blocks of them:");
        if (refusals->total > refusals->n)
                printf("(and %" PRIu64 " before these)\n", refusals->total - refusals->n);
        for (size_t i = 0; i < refusals->n; i++) {
                const struct refusal *r = refusals_get(refusals, i);
                char reason[REASON_TEXT_MAX];

                refusal_describe(r, reason, sizeof(reason));
                /* As dmesg has it. */
                print_paragraph(0, "[%5" PRIu64 ".%06" PRIu64 "] %s", r->usec / 1000000, r->usec % 1000000, reason);
        }
}

void blockless_print(struct blockless *b, const struct options *o) {
        if (b->device.n)
                print_device_memory(&b->device, o);
        if (b->refusals.n)
                print_refusals(&b->refusals);
}

void blockless_hint(const struct blockless *b, const struct options *o) {
        if (b->kmsg_error == -ENOENT && strcmp(o->sysroot, "/") != 0)
                return; /* that no log was captured tells nothing about this user */
        if (b->kmsg_error < 0)
                complain("the kernel log: cannot be read: %s: hot-adds that the kernel refused stay unknown%s",
                         strerror(-b->kmsg_error),
                         b->kmsg_error == -EPERM || b->kmsg_error == -EACCES ? "; try as root" : "");
}

static json_t *json_device_range(const struct device_range *d) {
        json_t *object = json_new_object();

        json_set(object, "start", json_unsigned(d->start));
        json_set(object, "size", json_unsigned(d->size));
        json_set(object, "holder", json_text(d->holder));
        json_set(object, "kind", json_text(source_to_string(d->kind)));
        json_set(object, "node", d->node >= 0 ? json_integer(d->node) : json_null());
        json_set(object, "memmap_inside", d->memmap_inside ? json_true() : json_null());
        return object;
}

static json_t *json_refusal(const struct refusal *r) {
        json_t *object = json_new_object();
        char reason[REASON_TEXT_MAX];

        refusal_describe(r, reason, sizeof(reason));
        json_set(object, "start", r->size ? json_unsigned(r->start) : json_null());
        json_set(object, "size", r->size ? json_unsigned(r->size) : json_null());
        json_set(object, "device", json_name(r->device));
        json_set(object, "error", r->error ? json_integer(-r->error) : json_null());
        json_set(object, "usec", json_unsigned(r->usec));
        json_set(object, "reason", json_text(reason));
        return object;
}

void blockless_set_json(struct blockless *b, json_t *object) {
        json_t *ranges = json_new_array(), *refused = json_new_array();

        for (size_t i = 0; i < b->device.n; i++)
                json_add(ranges, json_device_range(&b->device.ranges[i]));
        for (size_t i = 0; i < b->refusals.n; i++)
                json_add(refused, json_refusal(refusals_get(&b->refusals, i)));
        json_set(object, "device_memory", ranges);
        json_set(object, "device_memory_memmap_bytes", json_unsigned(b->device.memmap_bytes));
        json_set(object, "refused", refused);
}
