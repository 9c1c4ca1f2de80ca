/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/platform.h"

#include "check_util.h"

START_TEST(test_words) {
        static const char *const strays[] = { "", "VM", "none", "vm ", "k", "bare-metal", "\xff" };

        for (enum platform p = 0; p < _PLATFORM_MAX; p++) {
                ck_assert_ptr_nonnull(platform_to_string(p));
                ck_assert_int_eq(platform_from_string(platform_to_string(p)), p);
        }
        for (size_t i = 0; i < ARRAY_SIZE(strays); i++)
                ck_assert_int_eq(platform_from_string(strays[i]), _PLATFORM_INVALID);
        ck_assert_ptr_null(platform_to_string(_PLATFORM_MAX));
        ck_assert_ptr_null(platform_to_string(_PLATFORM_INVALID));
        ck_assert_int_eq(_PLATFORM_INVALID, -EINVAL);
        ck_assert_int_le(_PLATFORM_MAX, 32); /* bits of platform_mask */
}
END_TEST

#define BIT(p) PLATFORM_BIT(PLATFORM_##p)

/* Ids of systemd-detect-virt(1). */
static const struct {
        const char *id;
        platform_mask platforms;
} rows[] = {
        { "", 0 },
        { "none", BIT(BAREMETAL) },
        { "kvm", BIT(VM) | BIT(KVM) },
        { "qemu", BIT(VM) | BIT(QEMU) },
        { "microsoft", BIT(VM) | BIT(MICROSOFT) },
        { "xen", BIT(VM) | BIT(XEN) },
        { "vmware", BIT(VM) | BIT(VMWARE) },
        { "oracle", BIT(VM) | BIT(ORACLE) },
        { "powervm", BIT(VM) | BIT(POWERVM) },
        { "zvm", BIT(VM) | BIT(ZVM) },
        { "amazon", BIT(VM) | BIT(AMAZON) },
        { "vm-other", BIT(VM) | BIT(OTHER) },
        { "bhyve", BIT(VM) | BIT(OTHER) },
        { "something of next year", BIT(VM) | BIT(OTHER) },
        { "vm", BIT(VM) | BIT(OTHER) },        /* our words are not ids of kinds */
        { "baremetal", BIT(VM) | BIT(OTHER) },
        { "container", BIT(VM) | BIT(OTHER) },
        { "x86-64", BIT(VM) | BIT(OTHER) },
        { "lxc", BIT(CONTAINER) },
        { "docker", BIT(CONTAINER) },
        { "podman", BIT(CONTAINER) },
        { "systemd-nspawn", BIT(CONTAINER) },
        { "container-other", BIT(CONTAINER) },
};

START_TEST(test_ids) {
        ck_assert_uint_eq(platforms_from_id(rows[_i].id), rows[_i].platforms);
}
END_TEST

/* Of uname -m, and systemd's. */
START_TEST(test_architectures) {
        static const struct {
                const char *machine;
                enum platform architecture;
        } machines[] = {
                { "x86_64", PLATFORM_X86_64 },   { "x86-64", PLATFORM_X86_64 }, { "i686", PLATFORM_X86 },
                { "aarch64", PLATFORM_ARM64 },   { "armv7l", PLATFORM_ARM },    { "ppc64le", PLATFORM_PPC64_LE },
                { "ppc64", PLATFORM_PPC64 },     { "s390x", PLATFORM_S390X },   { "riscv64", PLATFORM_RISCV64 },
                { "loongarch64", PLATFORM_LOONGARCH64 }, { "", _PLATFORM_INVALID }, { "kvm", _PLATFORM_INVALID },
                { "vm", _PLATFORM_INVALID },     { "amd64", _PLATFORM_INVALID },
        };

        for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
                ck_assert_int_eq(architecture_from_machine(machines[i].machine), machines[i].architecture);
        ck_assert(!platform_is_architecture(PLATFORM_OTHER) && !platform_is_architecture(_PLATFORM_INVALID));
        ck_assert(platform_is_architecture(PLATFORM_X86) && platform_is_architecture(PLATFORM_LOONGARCH64));
}
END_TEST

int main(void) {
        Suite *s = suite_create("platform");
        TCase *c = check_case(s, "platform");

        tcase_add_test(c, test_words);
        tcase_add_loop_test(c, test_ids, 0, ARRAY_SIZE(rows));
        tcase_add_test(c, test_architectures);
        return check_run(s);
}
