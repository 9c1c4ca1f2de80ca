/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What kind of machine this is, in the words of systemd-detect-virt(1), and what it is built of, in those of
 * ConditionArchitecture= in systemd.unit(5). Pure; host/platform.h finds out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

/* Names of one machine: "vm", "kvm" and "x86-64" hold at once, and in a container on it "container", too. */
enum platform {
        PLATFORM_BAREMETAL,
        PLATFORM_VM,
        PLATFORM_CONTAINER,
        PLATFORM_KVM,
        PLATFORM_QEMU, /* emulated, without KVM */
        PLATFORM_MICROSOFT,
        PLATFORM_XEN,
        PLATFORM_VMWARE,
        PLATFORM_ORACLE,
        PLATFORM_POWERVM,
        PLATFORM_ZVM,
        PLATFORM_AMAZON,
        PLATFORM_OTHER, /* a virtual machine of another kind */
        PLATFORM_X86, /* the first architecture; all from here on are such */
        PLATFORM_X86_64,
        PLATFORM_ARM,
        PLATFORM_ARM64,
        PLATFORM_PPC64,
        PLATFORM_PPC64_LE,
        PLATFORM_S390X,
        PLATFORM_RISCV64,
        PLATFORM_LOONGARCH64,
        _PLATFORM_MAX,
        _PLATFORM_INVALID = -22,
};

typedef uint32_t platform_mask;
#define PLATFORM_BIT(p) ((platform_mask) 1 << (p))

const char *platform_to_string(enum platform p) _const_;
enum platform platform_from_string(const char *s) _pure_;

static inline bool platform_is_architecture(enum platform p) {
        return p >= PLATFORM_X86;
}

/* What uname -m prints, "aarch64" for arm64, or systemd's word; _PLATFORM_INVALID: none that is known. */
enum platform architecture_from_machine(const char *machine) _pure_;

/* An id of systemd-detect-virt ("none", "kvm", "lxc", …) to all the names that hold; 0: unknown. */
platform_mask platforms_from_id(const char *id) _pure_;
