/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/platform.h"

#include <string.h>

static const char *const names[_PLATFORM_MAX] = {
        [PLATFORM_BAREMETAL] = "baremetal",
        [PLATFORM_VM] = "vm",
        [PLATFORM_CONTAINER] = "container",
        [PLATFORM_KVM] = "kvm",
        [PLATFORM_QEMU] = "qemu",
        [PLATFORM_MICROSOFT] = "microsoft",
        [PLATFORM_XEN] = "xen",
        [PLATFORM_VMWARE] = "vmware",
        [PLATFORM_ORACLE] = "oracle",
        [PLATFORM_POWERVM] = "powervm",
        [PLATFORM_ZVM] = "zvm",
        [PLATFORM_AMAZON] = "amazon",
        [PLATFORM_OTHER] = "vm-other",
        [PLATFORM_X86] = "x86",
        [PLATFORM_X86_64] = "x86-64",
        [PLATFORM_ARM] = "arm",
        [PLATFORM_ARM64] = "arm64",
        [PLATFORM_PPC64] = "ppc64",
        [PLATFORM_PPC64_LE] = "ppc64-le",
        [PLATFORM_S390X] = "s390x",
        [PLATFORM_RISCV64] = "riscv64",
        [PLATFORM_LOONGARCH64] = "loongarch64",
};

const char *platform_to_string(enum platform p) {
        return p >= 0 && p < _PLATFORM_MAX ? names[p] : NULL;
}

enum platform platform_from_string(const char *s) {
        for (enum platform p = 0; p < _PLATFORM_MAX; p++)
                if (strcmp(names[p], s) == 0)
                        return p;
        return _PLATFORM_INVALID;
}

enum platform architecture_from_machine(const char *machine) {
        static const struct {
                const char *machine;
                enum platform architecture;
        } others[] = { /* that are not systemd's words */
                { "i386", PLATFORM_X86 },      { "i486", PLATFORM_X86 },        { "i586", PLATFORM_X86 },
                { "i686", PLATFORM_X86 },      { "x86_64", PLATFORM_X86_64 },   { "armv6l", PLATFORM_ARM },
                { "armv7l", PLATFORM_ARM },    { "armv8l", PLATFORM_ARM },      { "aarch64", PLATFORM_ARM64 },
                { "ppc64le", PLATFORM_PPC64_LE },
        };
        enum platform p = platform_from_string(machine);

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (strcmp(others[i].machine, machine) == 0)
                        return others[i].architecture;
        return platform_is_architecture(p) ? p : _PLATFORM_INVALID;
}

platform_mask platforms_from_id(const char *id) {
        static const char *const containers[] = {
                "openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch",
                "container-other",
        };
        enum platform p;

        if (!*id)
                return 0;
        if (strcmp(id, "none") == 0)
                return PLATFORM_BIT(PLATFORM_BAREMETAL);
        for (size_t i = 0; i < ARRAY_SIZE(containers); i++)
                if (strcmp(containers[i], id) == 0)
                        return PLATFORM_BIT(PLATFORM_CONTAINER);
        p = platform_from_string(id);
        return PLATFORM_BIT(PLATFORM_VM) |
               PLATFORM_BIT(p > PLATFORM_CONTAINER && !platform_is_architecture(p) ? p : PLATFORM_OTHER);
}
