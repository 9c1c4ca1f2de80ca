/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/platform.h"

#include <string.h>
#include <sys/utsname.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* The hypervisor's signature in leaf 0x40000000; "" on bare metal. */
static const char *id_from_cpu(void) {
        static const struct {
                char signature[13];
                const char *id;
        } known[] = {
                { "KVMKVMKVM", "kvm" }, { "Linux KVM Hv", "kvm" }, { "TCGTCGTCGTCG", "qemu" },
                { "Microsoft Hv", "microsoft" }, { "VMwareVMware", "vmware" }, { "XenVMMXenVMM", "xen" },
        };
        unsigned a, b, c, d;
        char signature[13] = "";

        if (!__get_cpuid(1, &a, &b, &c, &d))
                return "";
        if (!(c & (1u << 31)))
                return "none";
        __cpuid(0x40000000, a, b, c, d);
        memcpy(signature, &b, 4);
        memcpy(signature + 4, &c, 4);
        memcpy(signature + 8, &d, 4);
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strcmp(known[i].signature, signature) == 0)
                        return known[i].id;
        return "vm-other";
}
#else
static const char *id_from_cpu(void) {
        return "";
}
#endif

static const char *id_from_firmware(const struct sysfs *fs) {
        static const struct {
                const char *prefix, *id;
        } known[] = {
                { "KVM", "kvm" }, { "Amazon EC2", "amazon" }, { "QEMU", "qemu" }, { "VMware", "vmware" },
                { "VMW", "vmware" }, { "innotek GmbH", "oracle" }, { "VirtualBox", "oracle" }, { "Xen", "xen" },
                { "Virtual Machine", "microsoft" }, { "Google Compute Engine", "kvm" }, { "OpenStack", "kvm" },
        };
        char vendor[FIRMWARE_NAME_MAX], product[FIRMWARE_NAME_MAX];

        sysfs_read_firmware_names(fs, vendor, product);
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strncmp(product, known[i].prefix, strlen(known[i].prefix)) == 0 ||
                    strncmp(vendor, known[i].prefix, strlen(known[i].prefix)) == 0)
                        return known[i].id;
        return vendor[0] ? "none" : "";
}

void platform_read_machine(const struct sysfs *fs, char ret[static MACHINE_NAME_MAX]) {
        struct utsname name;

        *ret = '\0';
        if (strcmp(sysfs_root(fs), "/") != 0)
                (void) sysfs_read_capture_word(fs, "architecture", ret, MACHINE_NAME_MAX);
        else if (uname(&name) == 0)
                snprintf(ret, MACHINE_NAME_MAX, "%s", name.machine);
}

static platform_mask read_architecture(const struct sysfs *fs) {
        char machine[MACHINE_NAME_MAX];
        enum platform p;

        platform_read_machine(fs, machine);
        p = architecture_from_machine(machine);
        return p < 0 ? 0 : PLATFORM_BIT(p);
}

platform_mask platform_read(const struct sysfs *fs) {
        char hypervisor[FIRMWARE_NAME_MAX];
        const char *id = "";

        if (strcmp(sysfs_root(fs), "/") == 0)
                id = id_from_cpu();
        if (!*id || strcmp(id, "vm-other") == 0) {
                const char *named = id_from_firmware(fs);

                if (!*id || strcmp(named, "none") != 0)
                        id = *named ? named : id;
        }
        sysfs_read_hypervisor(fs, hypervisor);
        if (strcmp(hypervisor, "xen") == 0)
                id = "xen";
        else if (strncmp(hypervisor, "z/VM", 4) == 0)
                id = "zvm";
        else if (strncmp(hypervisor, "KVM/", 4) == 0)
                id = "kvm";
        else if (strcmp(hypervisor, "LPAR") == 0)
                id = "none";
        if (!*id && sysfs_read_machine(fs) == MACHINE_DLPAR)
                id = "powervm";
        return platforms_from_id(id) | read_architecture(fs);
}
