/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sysfs-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/parse.h"

#define TIER_DIR "sys/devices/virtual/memory_tiering"

struct tier_visit {
        const struct sysfs *fs;
        int16_t *tiers;
};

static int visit_tier(const char *name, void *userdata) {
        struct tier_visit *v = userdata;
        struct ranges nodes;
        char path[128], text[512];
        uint32_t tier;

        if (!sysfs_parse_numbered(name, "memory_tier", &tier) || tier > INT16_MAX)
                return 0;
        snprintf(path, sizeof(path), TIER_DIR "/memory_tier%" PRIu32 "/nodelist", tier);
        if (sysfs_attribute_read(v->fs->root_fd, path, text, sizeof(text)) < 0 || !text[0] ||
            parse_ranges(text, RANGES_NUMBERS, &nodes) < 0)
                return 0;
        for (unsigned node = 0; node < NODES_MAX; node++)
                if (ranges_contain(&nodes, node))
                        v->tiers[node] = (int16_t) tier;
        ranges_done(&nodes);
        return 0;
}

void sysfs_read_tiers(const struct sysfs *fs, int16_t ret[static NODES_MAX]) {
        struct tier_visit v = { fs, ret };

        for (unsigned node = 0; node < NODES_MAX; node++)
                ret[node] = -1;
        (void) sysfs_each_entry(fs->root_fd, TIER_DIR, visit_tier, &v); /* older kernels have none */
}

int sysfs_read_memmap_on_memory(const struct sysfs *fs, char ret[static PARAMETER_WORD_MAX]) {
        char text[PARAMETER_WORD_MAX];
        int r;

        r = sysfs_attribute_read(fs->root_fd, "sys/module/memory_hotplug/parameters/memmap_on_memory", text, sizeof(text));
        if (r >= 0)
                memcpy(ret, text, sizeof(text));
        return r;
}

static void read_name(const struct sysfs *fs, const char *path, char ret[static FIRMWARE_NAME_MAX]) {
        if (sysfs_attribute_read(fs->root_fd, path, ret, FIRMWARE_NAME_MAX) < 0)
                ret[0] = '\0';
}

void sysfs_read_firmware_names(const struct sysfs *fs, char ret_vendor[static FIRMWARE_NAME_MAX],
                               char ret_product[static FIRMWARE_NAME_MAX]) {
        read_name(fs, "sys/class/dmi/id/sys_vendor", ret_vendor);
        read_name(fs, "sys/class/dmi/id/product_name", ret_product);
}

/* What is behind the beginning of a line. -ENOENT: there is no file, or no such line in its first 4 KiB. */
static int read_line(const struct sysfs *fs, const char *path, const char *begin, char *buf, size_t size) {
        char text[4096];
        _cleanup_close_ int fd = openat(fs->root_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        size_t length = strlen(begin);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                if (strncmp(line, begin, length) == 0) {
                        snprintf(buf, size, "%s", line + length);
                        return 0;
                }
        return -ENOENT;
}

void sysfs_read_hypervisor(const struct sysfs *fs, char ret[static FIRMWARE_NAME_MAX]) {
        char text[FIRMWARE_NAME_MAX];

        read_name(fs, "sys/hypervisor/type", ret);
        if (*ret || faccessat(fs->root_fd, "proc/sysinfo", F_OK, 0) < 0)
                return;
        if (read_line(fs, "proc/sysinfo", "VM00 Control Program:", text, sizeof(text)) < 0)
                snprintf(text, sizeof(text), "LPAR");
        memcpy(ret, text + strspn(text, " "), strlen(text + strspn(text, " ")) + 1);
}

enum machine sysfs_read_machine(const struct sysfs *fs) {
        char text[64];

        if (faccessat(fs->root_fd, "sys/bus/vmbus", F_OK, 0) == 0)
                return MACHINE_HYPERV;
        if (sysfs_attribute_read(fs->root_fd, "sys/hypervisor/type", text, sizeof(text)) >= 0 && strcmp(text, "xen") == 0)
                return MACHINE_XEN;
        if (faccessat(fs->root_fd, "proc/ppc64/lparcfg", F_OK, 0) == 0)
                return MACHINE_DLPAR;
        if (faccessat(fs->root_fd, "sys/bus/ccw", F_OK, 0) == 0)
                return MACHINE_S390;
        /* Last: kernels for ppc64 always have it. */
        if (faccessat(fs->memory_fd, "probe", F_OK, 0) == 0)
                return MACHINE_PROBE;
        return MACHINE_PLAIN;
}

int sysfs_read_acpi_status(const struct sysfs *fs, const char *device, uint64_t *ret) {
        char path[128], text[32];
        int r;

        if (strchr(device, '/') || snprintf(path, sizeof(path), "sys/bus/acpi/devices/%s/status", device) >= (int) sizeof(path))
                return -ENOENT;
        r = sysfs_attribute_read(fs->root_fd, path, text, sizeof(text));
        return r < 0 ? r : parse_u64(text, ret);
}

/* include/linux/proc_ns.h: the number of the initial user namespace, by which it can be known from within. */
#define USER_NAMESPACE_INITIAL 0xEFFFFFFDU

/* Events of devices without a network namespace of their own go to those namespaces only that belong to the initial user
 * namespace (lib/kobject_uevent.c). */
static int check_namespace(const struct sysfs *fs) {
        _cleanup_close_ int net = openat(fs->root_fd, "proc/self/ns/net", O_RDONLY | O_CLOEXEC), owner = -1;
        struct stat st;

        if (net < 0)
                return 0; /* a kernel without namespaces, or no /proc: it cannot be told */
        owner = ioctl(net, NS_GET_USERNS);
        if (owner < 0 || fstat(owner, &st) < 0)
                return 0; /* EPERM: it belongs to one around us */
        return st.st_ino == USER_NAMESPACE_INITIAL ? 0 : -ENETUNREACH;
}

int sysfs_check_uevents(const struct sysfs *fs) {
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        return fd < 0 ? -errno : check_namespace(fs);
}

const char *sysfs_auto_online_path(void) {
        return "/sys/devices/system/memory/auto_online_blocks";
}

int sysfs_read_capture_word(const struct sysfs *fs, const char *key, char *buf, size_t size) {
        char begin[32];

        snprintf(begin, sizeof(begin), "%s ", key);
        return read_line(fs, "MANIFEST", begin, buf, size);
}

int sysfs_read_capture_page_size(const struct sysfs *fs, uint64_t *ret) {
        char text[32];
        int r = sysfs_read_capture_word(fs, "page_size", text, sizeof(text));

        return r < 0 ? r : parse_u64(text, ret);
}

static const char *const text_paths[_SYSFS_TEXT_MAX] = {
        [SYSFS_IOMEM] = "/proc/iomem",
        [SYSFS_ZONEINFO] = "/proc/zoneinfo",
        [SYSFS_BUDDYINFO] = "/proc/buddyinfo",
        [SYSFS_CMDLINE] = "/proc/cmdline",
        [SYSFS_MEMINFO] = "/proc/meminfo",
        [SYSFS_VMSTAT] = "/proc/vmstat",
};

const char *sysfs_text_path(enum sysfs_text which) {
        return which < _SYSFS_TEXT_MAX ? text_paths[which] : NULL;
}

int sysfs_open_text(enum sysfs_text which) {
        int fd = open(text_paths[which], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        return fd < 0 ? -errno : fd;
}

int sysfs_open_text_of(const struct sysfs *fs, enum sysfs_text which) {
        int fd = openat(fs->root_fd, text_paths[which] + 1, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        return fd < 0 ? -errno : fd;
}

void sysfs_set_text(struct sysfs *fs, enum sysfs_text which, int fd) {
        closep(&fs->text_fds[which]);
        fs->text_fds[which] = fd;
}

int sysfs_read_text(const struct sysfs *fs, enum sysfs_text which, char **ret, size_t *ret_size) {
        _cleanup_close_ int opened = -1;
        _cleanup_free_ char *buf = NULL;
        size_t size = 0, capacity = 65536;
        int fd = fs->text_fds[which];
        ssize_t n;

        if (fd < 0)
                fd = opened = sysfs_open_text_of(fs, which);
        if (fd < 0)
                return fd;
        /* No stat(): files below /proc have no size. A 64-node zoneinfo is a few megabytes. */
        for (;;) {
                if (!buf || size == capacity) {
                        char *p = realloc(buf, buf ? (capacity *= 2) : capacity);

                        if (!p)
                                return -ENOMEM;
                        buf = p;
                }
                /* By its place: from the beginning, however often the descriptor was read, and whoever shares it. */
                n = pread(fd, buf + size, capacity - size, (off_t) size);
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        *ret = TAKE_PTR(buf);
        *ret_size = size;
        return 0;
}

int sysfs_open_page_flags(const struct sysfs *fs) {
        int fd = openat(fs->root_fd, "proc/kpageflags", O_RDONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : fd;
}

#define EJECT_PATH_MAX (DEVICE_NAME_MAX + 64)

static int eject_path(const char *device, char buf[static EJECT_PATH_MAX]) {
        if (!*device || device[0] == '.' || strchr(device, '/'))
                return -ENOENT;
        snprintf(buf, EJECT_PATH_MAX, "sys/bus/acpi/devices/%s/eject", device);
        return 0;
}

int sysfs_check_eject(const struct sysfs *fs, const char *device) {
        char path[EJECT_PATH_MAX];
        int r = eject_path(device, path);

        return r >= 0 && faccessat(fs->root_fd, path, W_OK, AT_EACCESS) < 0 ? -errno : r;
}

int sysfs_eject(const struct sysfs *fs, const char *device) {
        char path[EJECT_PATH_MAX];
        int r = eject_path(device, path);

        return r < 0 ? r : sysfs_attribute_write(fs->root_fd, path, "1");
}

/* drivers/s390/char/sclp_mem.c */
#define STANDBY_DIR "sys/firmware/memory"
#define STANDBY_PATH_MAX 64

int sysfs_read_standby_indices(const struct sysfs *fs, uint32_t **ret, size_t *ret_n) {
        return sysfs_read_indices_of(fs->root_fd, STANDBY_DIR, ret, ret_n);
}

static void standby_path(char buf[static STANDBY_PATH_MAX], uint32_t index, const char *name) {
        snprintf(buf, STANDBY_PATH_MAX, STANDBY_DIR "/memory%" PRIu32 "/%s", index, name);
}

static int read_standby_flag(const struct sysfs *fs, uint32_t index, const char *name, bool *ret) {
        char path[STANDBY_PATH_MAX], text[8];
        int r;

        standby_path(path, index, name);
        r = sysfs_attribute_read(fs->root_fd, path, text, sizeof(text));
        if (r < 0)
                return r;
        if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
                return -EBADMSG;
        *ret = text[0] == '1';
        return 0;
}

static int write_standby_flag(const struct sysfs *fs, uint32_t index, const char *name, bool value) {
        char path[STANDBY_PATH_MAX];

        standby_path(path, index, name);
        return sysfs_attribute_write(fs->root_fd, path, value ? "1" : "0");
}

int sysfs_read_standby(const struct sysfs *fs, uint32_t index, struct standby_block *ret) {
        struct standby_block b;
        int r;

        r = read_standby_flag(fs, index, "config", &b.configured);
        if (r >= 0)
                r = read_standby_flag(fs, index, "memmap_on_memory", &b.memmap_on_memory);
        if (r >= 0)
                *ret = b;
        return r;
}

int sysfs_write_standby_config(const struct sysfs *fs, uint32_t index, bool configured) {
        return write_standby_flag(fs, index, "config", configured);
}

int sysfs_write_standby_memmap(const struct sysfs *fs, uint32_t index, bool memmap_on_memory) {
        return write_standby_flag(fs, index, "memmap_on_memory", memmap_on_memory);
}

int sysfs_open_processes(const struct sysfs *fs) {
        int fd = openat(fs->root_fd, "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}
