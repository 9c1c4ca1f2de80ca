/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/kernlog.h"

#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "core/parse.h"

/* The driver speaks right after the kernel refused it. */
#define SAME_ADD_USEC 1000000

#define TEXT_MAX 256

/* "N,": the number before a comma. */
static bool take_number(const char **p, const char *end, uint64_t *ret) {
        const char *comma = memchr(*p, ',', (size_t) (end - *p));

        if (!comma || parse_u64n(*p, (size_t) (comma - *p), ret) < 0)
                return false;
        *p = comma + 1;
        return true;
}

/* The hexadecimal number behind a word of the line. */
static bool find_hex(const char *text, const char *word, uint64_t *ret) {
        const char *p = strstr(text, word);
        size_t n;

        if (!p)
                return false;
        p += strlen(word);
        if (strncmp(p, "0x", 2) == 0)
                p += 2;
        n = strspn(p, "0123456789abcdefABCDEF");
        return parse_hexn(p, n, ret) >= 0;
}

/* mm/memory_hotplug.c: check_hotplug_memory_range() */
static bool parse_unaligned(const char *text, struct kernlog_line *l) {
        return strstr(text, "unaligned hotplug range") && find_hex(text, "Block size [", &l->block_size) &&
               find_hex(text, "start ", &l->start) && find_hex(text, "size 0x", &l->size) && l->size > 0;
}

/* "acpi PNP0C80:01: add_memory failed" · "kmem dax0.0: mapping0: 0x… memory add failed" · "virtio_mem virtio0: adding
 * memory failed: -12" · "hv_balloon: hot_add memory failed error is -17": SUBSYSTEM DEVICE: …, and an error at the end */
static bool parse_failed(const char *text, struct kernlog_line *l) {
        static const char *const phrases[] = {
                "add_memory failed", "memory add failed", "adding memory failed", "hot_add memory failed",
        };
        const char *phrase = NULL, *colon, *blank, *minus;
        uint64_t error;

        for (size_t i = 0; i < ARRAY_SIZE(phrases) && !phrase; i++)
                phrase = strstr(text, phrases[i]);
        if (!phrase)
                return false;
        blank = strchr(text, ' ');
        colon = strstr(text, ": ");
        if (blank && colon && blank < colon && memchr(blank + 1, ' ', (size_t) (colon - blank - 1)) == NULL)
                snprintf(l->device, sizeof(l->device), "%.*s", (int) MIN((size_t) (colon - blank - 1), sizeof(l->device) - 1),
                         blank + 1);
        minus = strstr(phrase, " -");
        if (minus && parse_u64n(minus + 2, strspn(minus + 2, "0123456789"), &error) >= 0 && error < 4096)
                l->error = -(int) error;
        return true;
}

/* ---- pages that stay ---------------------------------------------------------------------------------------------- */

/* The kernel escapes what cannot be printed; whoever gives us another file may not. */
static void set_text(struct kernlog_line *l, const char *text, size_t n) {
        n = MIN(n, sizeof(l->text) - 1);
        for (size_t i = 0; i < n; i++)
                l->text[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
        l->text[n] = '\0';
}

/* "migrating pfn 12f3a7 failed ret:-11" · "failed to isolate pfn 12f3a7" */
static bool parse_not_moved(const char *text, struct kernlog_line *l) {
        static const char migrating[] = "migrating pfn ", isolate[] = "failed to isolate pfn ";
        const char *pfn = text, *ret;
        uint64_t error;
        size_t n;

        if (strncmp(text, migrating, strlen(migrating)) == 0)
                pfn += strlen(migrating);
        else if (strncmp(text, isolate, strlen(isolate)) == 0)
                pfn += strlen(isolate);
        n = strcspn(pfn, " ");
        if (pfn == text || parse_hexn(pfn, n, &l->pfn) < 0)
                return false;
        ret = strstr(pfn, "failed ret:-");
        if (ret && parse_u64n(ret + 12, strspn(ret + 12, "0123456789"), &error) >= 0 && error < 4096)
                l->error = -(int) error;
        return true;
}

/* "page:00000000c6d8a2a4 refcount:2 mapcount:1 mapping:… index:0x7f6 pfn:0x12f3a7"; newer kernels: "page: refcount:2 …" */
static bool parse_page(const char *text, struct kernlog_line *l) {
        return strncmp(text, "page:", 5) == 0 && strstr(text, " refcount:") && find_hex(text, " pfn:", &l->pfn);
}

/* "flags: 0x200000000080024(referenced|lru|swapbacked|node=0|zone=2)", "anon flags: …": the names alone */
static bool parse_flags(const char *text, struct kernlog_line *l) {
        const char *p = strstr(text, "flags: 0x"), *open, *end;

        open = p ? strchr(p, '(') : NULL;
        if (!open || (p != text && strncmp(text, "anon ", 5) != 0 && strncmp(text, "ksm ", 4) != 0))
                return false;
        end = strstr(open, "node=") ?: strstr(open, "section=") ?: strstr(open, "zone=") ?: strchr(open, ')');
        if (!end)
                return false;
        while (end > open + 1 && end[-1] == '|')
                end--;
        set_text(l, open + 1, (size_t) (end - open - 1));
        return true;
}

/* "aops:shmem_aops ino:41d dentry name:"dev/zero"" */
static bool parse_file(const char *text, struct kernlog_line *l) {
        if (strncmp(text, "aops:", 5) != 0)
                return false;
        set_text(l, text, strlen(text));
        return true;
}

/* "page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 99, tgid 99 (dd), ts …" */
static bool parse_owner(const char *text, struct kernlog_line *l) {
        const char *pid, *name, *end;

        if (strncmp(text, "page last allocated via ", 24) != 0)
                return false;
        pid = strstr(text, ", pid ");
        if (!pid)
                return false;
        /* "pid 99, tgid 99 (dd)": until the parenthesis, if there is one. */
        pid += 2;
        name = strchr(pid, '(');
        end = name ? strchr(name, ')') : NULL;
        set_text(l, pid, end ? (size_t) (end + 1 - pid) : strcspn(pid, ","));
        return true;
}

static bool parse_why(const char *text, struct kernlog_line *l) {
        static const char because[] = "page dumped because: ";

        if (strncmp(text, because, strlen(because)) != 0)
                return false;
        set_text(l, text + strlen(because), strlen(text) - strlen(because));
        return true;
}

/* ---- zonelists ---------------------------------------------------------------------------------------------------- */

static bool find_number(const char *text, const char *word, uint64_t *ret) {
        const char *p = strstr(text, word);

        if (!p)
                return false;
        p += strlen(word);
        return parse_u64n(p, strspn(p, "0123456789"), ret) >= 0;
}

/* mm/page_alloc.c: build_all_zonelists(): "Built 2 zonelists, mobility grouping on.  Total pages: 513034" */
static bool parse_zonelists(const char *text, struct kernlog_line *l) {
        static const char begin[] = "Built ";
        uint64_t n;

        if (strncmp(text, begin, strlen(begin)) != 0 || !strstr(text, " zonelists, ") || !find_number(text, begin, &n) ||
            n > UINT32_MAX || !find_number(text, "Total pages: ", &l->total_pages))
                return false;
        l->zonelists = (uint32_t) n;
        return true;
}

static const struct {
        enum kernlog_type type;
        bool (*parse)(const char *text, struct kernlog_line *l);
} kinds[] = {
        { KERNLOG_UNALIGNED, parse_unaligned },
        { KERNLOG_FAILED, parse_failed },
        { KERNLOG_NOT_MOVED, parse_not_moved },
        { KERNLOG_PAGE, parse_page },
        { KERNLOG_FLAGS, parse_flags },
        { KERNLOG_FILE, parse_file },
        { KERNLOG_OWNER, parse_owner },
        { KERNLOG_WHY, parse_why },
        { KERNLOG_ZONELISTS, parse_zonelists },
};

void kernlog_parse(const char *record, size_t size, struct kernlog_line *ret) {
        const char *p = record, *end = memchr(record, '\n', size) ?: record + size, *semicolon;
        struct kernlog_line l = { .type = KERNLOG_OTHER };
        uint64_t priority, sequence;
        char text[TEXT_MAX];

        *ret = l;
        semicolon = memchr(record, ';', (size_t) (end - record));
        if (!semicolon || !take_number(&p, semicolon, &priority) || !take_number(&p, semicolon, &sequence) ||
            !take_number(&p, semicolon, &l.usec) || priority >> 3 != 0 /* LOG_KERN */)
                return;
        snprintf(text, sizeof(text), "%.*s", (int) (end - semicolon - 1), semicolon + 1);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                struct kernlog_line found = { .usec = l.usec };

                if (!kinds[i].parse(text, &found))
                        continue;
                found.type = kinds[i].type;
                *ret = found;
                return;
        }
}

struct refusal *refusals_get(struct refusals *r, size_t i) {
        return &r->ring[(r->total - r->n + i) % REFUSALS_MAX];
}

void refusals_add(struct refusals *r, const struct kernlog_line *line) {
        struct refusal *last = r->n ? refusals_get(r, r->n - 1) : NULL;

        if (line->type != KERNLOG_UNALIGNED && line->type != KERNLOG_FAILED)
                return;
        if (line->type == KERNLOG_FAILED && last && !last->device[0] && line->usec <= last->usec + SAME_ADD_USEC) {
                memcpy(last->device, line->device, sizeof(last->device));
                last->error = line->error;
                return;
        }
        /* A driver with several ranges complains once of each: the device alone says nothing new. */
        if (line->type == KERNLOG_FAILED && last && strcmp(last->device, line->device) == 0 &&
            line->usec <= last->usec + SAME_ADD_USEC)
                return;
        r->total++;
        r->n = MIN(r->n + 1, (size_t) REFUSALS_MAX);
        *refusals_get(r, r->n - 1) = (struct refusal) {
                .usec = line->usec,
                .block_size = line->block_size,
                .start = line->start,
                .size = line->size,
                .error = line->error,
        };
        memcpy(refusals_get(r, r->n - 1)->device, line->device, sizeof(line->device));
}

void refusal_describe(const struct refusal *r, char *buf, size_t size) {
        char bytes[FORMAT_SIZE_MAX], block[FORMAT_SIZE_MAX];
        const char *device = r->device[0] ? r->device : "an unknown device";

        if (r->size)
                snprintf(buf, size,
                         "%s at 0x%" PRIx64 " of %s was refused by the kernel: it does not begin and end at a multiple of "
                         "the block size (%s). Plug it at an aligned address, or in a size that leaves the next one "
                         "aligned; none of it can be used",
                         format_size(r->size, bytes), r->start, device, format_size(r->block_size, block));
        else if (r->error)
                snprintf(buf, size, "memory of %s was refused by the kernel (%s); see its log for the reason", device,
                         strerror(-r->error));
        else
                snprintf(buf, size, "memory of %s was refused by the kernel; see its log for the reason", device);
}
