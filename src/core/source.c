/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/source.h"

#include <ctype.h>
#include <string.h>

const char *machine_to_string(enum machine m) {
        static const char *const names[_MACHINE_MAX] = {
                [MACHINE_PLAIN] = "plain",
                [MACHINE_HYPERV] = "hyperv",
                [MACHINE_XEN] = "xen",
                [MACHINE_DLPAR] = "dlpar",
                [MACHINE_S390] = "s390",
                [MACHINE_PROBE] = "probe",
        };

        return m >= 0 && m < _MACHINE_MAX ? names[m] : NULL;
}

static bool has_prefix(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void set_device(struct origin *o, const char *name, size_t size) {
        snprintf(o->device, sizeof(o->device), "%.*s", (int) MIN(size, sizeof(o->device) - 1), name);
}

/* "daxX.Y" */
static bool is_dax_device(const char *name) {
        const char *p = name + 3;

        if (!has_prefix(name, "dax") || !isdigit((unsigned char) *p))
                return false;
        p += strspn(p, "0123456789");
        return *p == '.' && p[1] && !p[1 + strspn(p + 1, "0123456789")];
}

/* System RAM (kmem): drivers/dax/kmem.c. What the dax device itself lies in tells the technology apart. */
static void classify_kmem(const struct evidence *e, struct origin *o) {
        static const struct {
                const char *prefix;
                enum source source;
        } parents[] = {
                { "Persistent Memory", SOURCE_PMEM },
                { "CXL Window", SOURCE_CXL },
                { "Soft Reserved", SOURCE_HMEM },
        };

        o->source = SOURCE_DAX;
        for (const struct iomem_entry *p = iomem_parent(e->iomem, e->ram); p; p = iomem_parent(e->iomem, p)) {
                if (!o->device[0] && is_dax_device(p->name))
                        set_device(o, p->name, strlen(p->name));
                /* The innermost parent names the technology. But firmware soft-reserves CXL windows, too, and kernels put
                 * that around the window or into it: look further. */
                for (size_t i = 0; i < ARRAY_SIZE(parents); i++)
                        if (has_prefix(p->name, parents[i].prefix)) {
                                o->source = parents[i].source;
                                if (o->source != SOURCE_HMEM)
                                        return;
                        }
        }
}

/* System RAM (virtio_mem) lies in a resource that bears the device's name: drivers/virtio/virtio_mem.c. */
static void classify_virtio_mem(const struct evidence *e, struct origin *o) {
        const struct iomem_entry *p = iomem_parent(e->iomem, e->ram);

        o->source = SOURCE_VIRTIO_MEM;
        if (p && has_prefix(p->name, "virtio")) {
                set_device(o, p->name, strlen(p->name));
                o->size = p->end - p->start + 1;
        }
}

/* System RAM without a name. Every path that adds it silently belongs to a kind of machine; where there is none, what
 * lies in plain system memory was there at boot. */
static void classify_plain(const struct evidence *e, struct origin *o) {
        static const enum source hot[_MACHINE_MAX] = {
                [MACHINE_HYPERV] = SOURCE_HYPERV,
                [MACHINE_XEN] = SOURCE_XEN,
                [MACHINE_DLPAR] = SOURCE_DLPAR,
                [MACHINE_S390] = SOURCE_STANDBY,
        };

        if (e->arrival == ARRIVAL_BEFORE || (e->arrival == ARRIVAL_UNKNOWN && e->machine == MACHINE_PLAIN))
                o->source = SOURCE_BOOT;
        else if (e->arrival == ARRIVAL_HOT)
                o->source = hot[e->machine];
}

void source_classify(const struct evidence *e, struct origin *ret) {
        struct origin o = { .source = SOURCE_UNKNOWN, .size = e->ram ? e->ram->end - e->ram->start + 1 : 0 };
        const char *name, *close;

        if (e->firmware_node[0]) {
                o.source = SOURCE_DIMM;
                set_device(&o, e->firmware_node, strlen(e->firmware_node));
        } else if (e->ram) {
                name = e->ram->name + strlen("System RAM");
                close = strrchr(name, ')');
                if (strcmp(name, "") == 0)
                        classify_plain(e, &o);
                else if (strcmp(name, " (kmem)") == 0)
                        classify_kmem(e, &o);
                else if (strcmp(name, " (virtio_mem)") == 0)
                        classify_virtio_mem(e, &o);
                else if (has_prefix(name, " (") && close) {
                        o.source = strcmp(name, " (NVIDIA)") == 0 ? SOURCE_NVIDIA : SOURCE_DRIVER;
                        set_device(&o, name + 2, (size_t) (close - name - 2));
                }
        } else if (e->arrival == ARRIVAL_BEFORE)
                o.source = SOURCE_BOOT;
        if (o.source == SOURCE_BOOT)
                o.size = 0; /* the resource is all of the machine's memory, not what was plugged */
        *ret = o;
}

void source_describe(const struct evidence *e, char *buf, size_t size) {
        size_t n = 0;

        if (e->firmware_node[0]) {
                snprintf(buf, size, "firmware node %s", e->firmware_node);
                return;
        }
        if (!e->ram) {
                snprintf(buf, size, "%s", !e->iomem ? "/proc/iomem cannot be read"
                                        : e->iomem->hidden ? "/proc/iomem hides its addresses from this process"
                                        : "no firmware node, not in /proc/iomem");
                return;
        }
        for (const struct iomem_entry *p = e->ram; p && n < size; p = iomem_parent(e->iomem, p))
                n += (size_t) snprintf(buf + n, size - n, "%s%s", n ? " in " : "", p->name);
}
