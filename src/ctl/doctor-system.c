/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "core/stats.h"
#include "ctl/blockless.h"
#include "ctl/doctor.h"

/* The system: does it let memhpd do its work? */

void doctor_check_uevents(struct doctor *d) {
        struct finding *f;
        int r;

        r = sysfs_check_uevents(d->fs);
        if (r >= 0)
                return;
        if (r == -ENETUNREACH) {
                f = doctor_find(d, "no-uevents", SEVERITY_ERROR, "No uevents can arrive here: this is a container with a "
                                                                 "user namespace of its own");
                finding_prove(f, "network namespace", 0, "%s", "it does not belong to the initial user namespace");
                finding_fix(f, "Run memhpd on the host, which has the memory and the zones anyway");
        } else {
                f = doctor_find(d, "no-uevents", SEVERITY_ERROR, "No uevents can arrive here: there is no socket for them");
                finding_prove(f, "socket(AF_NETLINK, NETLINK_KOBJECT_UEVENT)", 0, "%s", strerror(-r));
                finding_fix(f, r == -EAFNOSUPPORT || r == -EPROTONOSUPPORT
                                       ? "Have a kernel with CONFIG_NET, or allow AF_NETLINK (RestrictAddressFamilies= of "
                                         "the unit)"
                                       : "See what forbids it: a seccomp filter, or a security module");
        }
        finding_say(f, "memhpd does not learn that memory was added, and does not start");
}

void doctor_check_writable(struct doctor *d) {
        struct finding *f;
        int r;

        if (geteuid() != 0) {
                doctor_skip(d, "whether states can be written", "only root can tell");
                return;
        }
        r = sysfs_check_writable(d->fs);
        if (r >= 0)
                return;
        f = doctor_find(d, "not-writable", SEVERITY_ERROR, "The states of memory blocks cannot be written");
        finding_prove(f, "memory blocks", 0, "state: %s", strerror(-r));
        finding_say(f, "memhpd does not start, and nobody else can bring memory online either");
        finding_fix(f, r == -EROFS ? "The file system of sysfs is read-only: in a container, run memhpd on the host; else "
                                     "remount it: mount -o remount,rw -t sysfs sysfs /sys"
                                   : "See what takes that right from root: a security module, or a container");
}

static bool asks_for_sources(const struct policy *p) {
        for (size_t i = 0; p && i < p->n_rules; i++)
                if (p->rules[i].match.sources || p->rules[i].match.n_devices)
                        return true;
        return false;
}

void doctor_check_iomem(struct doctor *d) {
        const struct evidence_cache *e = &d->facts.evidence;
        const bool hidden = e->iomem_valid && e->iomem.hidden;
        struct finding *f;

        if (!hidden && e->iomem_error >= 0)
                return;
        if (!d->live || geteuid() != 0) {
                doctor_skip(d, "where memory came from", hidden ? "%s hides its addresses%s" : "%s cannot be read%s",
                            sysfs_text_path(SYSFS_IOMEM), d->live ? "; try as root" : " in this capture");
                return;
        }
        f = doctor_find(d, "iomem-hidden", asks_for_sources(d->policy) ? SEVERITY_ERROR : SEVERITY_WARNING,
                        "Where memory came from cannot be told");
        if (hidden)
                finding_prove(f, sysfs_text_path(SYSFS_IOMEM), 0, "%s", "all addresses are zero");
        else
                finding_prove(f, sysfs_text_path(SYSFS_IOMEM), 0, "%s", strerror(-e->iomem_error));
        finding_say(f, "All sources but DIMMs are unknown, and rules that ask for a source leave memory offline");
        finding_fix(f, "It takes CAP_SYS_ADMIN of the initial user namespace to open it: run memhpd on the host, not in a "
                       "container, and by its service, for which it is opened");
}

/* ---- what the kernel refused ---------------------------------------------------------------------------------------- */

/* All of it came later, to the same place. */
static bool is_there_now(const struct doctor *d, const struct refusal *r) {
        const uint64_t first = r->start / d->facts.block_size, last = (r->start + r->size - 1) / d->facts.block_size;
        uint64_t n = 0;

        if (r->size == 0)
                return false;
        for (size_t i = 0; i < d->facts.n; i++)
                n += d->facts.indices[i] >= first && d->facts.indices[i] <= last;
        return n == last - first + 1;
}

/* What was refused was unplugged again, and maybe plugged elsewhere. */
static bool is_unplugged(const struct doctor *d, const struct refusal *r) {
        uint64_t status;

        return *r->device && sysfs_read_acpi_status(d->fs, r->device, &status) >= 0 && status == 0;
}

static bool has_blocks(const struct doctor *d, const char *device) {
        for (size_t i = 0; i < d->n_devices; i++)
                if (strcmp(d->devices[i], device) == 0)
                        return true;
        return false;
}

static void prove_log(struct finding *f, const struct refusal *r, const char *text) {
        finding_prove(f, "kernel log", 0, "[%5" PRIu64 ".%06" PRIu64 "] %s", r->usec / 1000000, r->usec % 1000000, text);
}

static void find_unaligned(struct doctor *d, const struct refusal *r) {
        char size[FORMAT_SIZE_MAX], block[FORMAT_SIZE_MAX];
        _cleanup_free_ char *text = format_text("unaligned hotplug range: start 0x%" PRIx64 ", size 0x%" PRIx64, r->start, r->size);
        struct finding *f;

        f = doctor_find(d, "unaligned-add", SEVERITY_ERROR, "The kernel refused %s of %s: it does not begin and end at a "
                                                            "multiple of %s", format_size(r->size, size), *r->device ? r->device : "an unknown device",
                        format_size(r->block_size, block));
        prove_log(f, r, text);
        finding_say(f, "None of this memory can be used, and there was no uevent: memhpd never sees it");
        finding_fix(f, "Plug it at an address that is a multiple of the block size, or change the size of what was "
                       "plugged before it so that it ends there: NVDIMMs of odd sizes are the usual cause");
}

static void find_refused(struct doctor *d, const struct refusal *r) {
        const char *device = *r->device ? r->device : "an unknown device";
        char word[PARAMETER_WORD_MAX] = "";
        _cleanup_free_ char *text = NULL;
        const bool outside = sysfs_read_memmap_on_memory(d->fs, word) < 0 || *word == 'N', partly = has_blocks(d, r->device);
        enum action action;
        struct finding *f;

        /* A virtio-mem device tries again by itself. */
        f = doctor_find(d, "refused-add", partly ? SEVERITY_WARNING : SEVERITY_ERROR, "The kernel refused %s of %s%s%s",
                        partly ? "a part" : "memory", device, r->error ? ": " : "", r->error ? strerror(-r->error) : "");
        text = format_text("%s: adding memory failed%s", device, r->error ? "" : ", without a reason");
        prove_log(f, r, text);
        if (r->error && r->error != -ENOMEM) {
                finding_say(f, "It cannot be used, and there was no uevent: memhpd never saw it");
                finding_fix(f, "The lines around it in the kernel log tell why; unplug it and plug it again");
                return;
        }
        finding_say(f, "It cannot be used. Most often there was no room for the descriptions of its pages, 16 MiB a GiB, "
                       "because memory that was added before was not online yet");
        finding_fix(f, "Unplug it and plug it again, with a moment between one add and the next%s%s",
                    d->policy && policy_is_uniform(d->policy, &action)
                            ? "; or set kernel_auto_online = \"delegate\": the kernel then brings each online before the "
                              "next is added"
                            : "; or give all rules one action and set kernel_auto_online = \"delegate\": the kernel then "
                              "brings each online before the next is added",
                    outside ? "; or have memory_hotplug.memmap_on_memory=1 on the kernel's command line, so that new "
                              "memory holds its own descriptions" : "");
}

void doctor_check_kernel_log(struct doctor *d) {
        _cleanup_(blockless_done) struct blockless besides = {};

        (void) blockless_read(&besides, &d->facts); /* it has complained */
        for (size_t i = 0; i < besides.refusals.n; i++) {
                const struct refusal *r = refusals_get(&besides.refusals, i);

                if (is_there_now(d, r) || is_unplugged(d, r) || (r->size && has_blocks(d, r->device)))
                        continue;
                if (r->size)
                        find_unaligned(d, r);
                else
                        find_refused(d, r);
        }
        if (besides.kmsg_error < 0 && (d->live || besides.kmsg_error != -ENOENT))
                doctor_skip(d, "hot-adds that the kernel refused", "/dev/kmsg: %s%s", strerror(-besides.kmsg_error),
                            geteuid() != 0 ? "; try as root" : "");
}

/* ---- nodes --------------------------------------------------------------------------------------------------------- */

void doctor_check_nodes(struct doctor *d) {
        _cleanup_(zoneinfo_done) struct zoneinfo info = {};
        _cleanup_(stats_done) struct stats stats = {};
        _cleanup_free_ char *text = NULL;
        unsigned line = 0;
        size_t size;
        int r;

        r = sysfs_read_text(d->fs, SYSFS_ZONEINFO, &text, &size);
        if (r >= 0)
                r = zoneinfo_parse_take(&text, size, &info, &line);
        if (r == -EBADMSG)
                doctor_skip(d, "nodes without kernel memory", "%s:%u: malformed", sysfs_text_path(SYSFS_ZONEINFO), line);
        if (r < 0)
                return;
        stats_init(&stats, 4096);
        if (stats_add_zones(&stats, &info) < 0)
                out_of_memory();
        stats_finish(&stats, NULL, 0, MEMMAP_UNKNOWN);
        for (size_t i = 0; i < stats.n; i++) {
                struct finding *f;

                if (!stats.nodes[i].movable_only)
                        continue;
                f = doctor_find(d, "movable-only-node", SEVERITY_WARNING, "Node %d has movable memory only", stats.nodes[i].node);
                finding_prove(f, sysfs_text_path(SYSFS_ZONEINFO), 0, "Node %d has pages in zone Movable, and none in a "
                                                                     "kernel zone",
                              stats.nodes[i].node);
                finding_say(f, "Page tables, slab and pinned pages of programs that are bound to this node come from "
                               "other nodes, or not at all: they are slower, or fail though gigabytes are free");
                finding_fix(f, "Let part of it be kernel memory: the action \"balance\" with numa_aware = true; for what "
                               "is online, memhpctl rezone. If all of it must stay removable, leave it so");
        }
}
