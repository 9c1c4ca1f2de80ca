/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sysfs-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/parse.h"

#define MEMORY_DIR "sys/devices/system/memory"

int sysfs_attribute_read(int dir_fd, const char *path, char *buf, size_t size) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, buf, size - 1);
        if (n < 0)
                return -errno;
        buf[n] = '\0';
        buf[strcspn(buf, "\n")] = '\0';
        return 0;
}

int sysfs_each_entry(int dir_fd, const char *path, int (*visit)(const char *name, void *userdata), void *userdata) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _Alignas(struct dirent64) char buf[16384];
        ssize_t n;
        int r;

        if (fd < 0)
                return -errno;
        while ((n = getdents64(fd, (void *) buf, sizeof(buf))) > 0)
                for (ssize_t i = 0; i < n;) {
                        const struct dirent64 *d = (const struct dirent64 *) (buf + i);

                        r = visit(d->d_name, userdata);
                        if (r != 0)
                                return r;
                        i += d->d_reclen;
                }
        return n < 0 ? -errno : 0;
}

bool sysfs_parse_numbered(const char *name, const char *prefix, uint32_t *ret) {
        size_t n = strlen(prefix);

        return strncmp(name, prefix, n) == 0 && parse_u32(name + n, ret) >= 0;
}

int sysfs_open_texts(const char *root, struct sysfs **ret) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;

        fs = malloc(sizeof(*fs) + strlen(root) + 1);
        if (!fs)
                return -ENOMEM;
        *fs = (struct sysfs) { .root_fd = -1, .memory_fd = -1 };
        for (size_t i = 0; i < ARRAY_SIZE(fs->text_fds); i++)
                fs->text_fds[i] = -1;
        strcpy(fs->root, root);
        fs->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fs->root_fd < 0)
                return -errno;
        *ret = TAKE_PTR(fs);
        return 0;
}

int sysfs_open(const char *root, struct sysfs **ret) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        char text[64];
        int r;

        r = sysfs_open_texts(root, &fs);
        if (r < 0)
                return r;
        fs->memory_fd = openat(fs->root_fd, MEMORY_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fs->memory_fd < 0)
                return errno == ENOENT ? -EOPNOTSUPP : -errno;
        r = sysfs_attribute_read(fs->memory_fd, "block_size_bytes", text, sizeof(text));
        if (r < 0)
                return r == -ENOENT ? -EOPNOTSUPP : r;
        if (parse_hex(text, &fs->block_size) < 0 || fs->block_size == 0 || (fs->block_size & (fs->block_size - 1)))
                return -EBADMSG;
        fs->has_nodes = sysfs_has_nodes(fs->root_fd);
        *ret = TAKE_PTR(fs);
        return 0;
}

void sysfs_close(struct sysfs *fs) {
        if (!fs)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(fs->text_fds); i++)
                closep(&fs->text_fds[i]);
        closep(&fs->memory_fd);
        closep(&fs->root_fd);
        free(fs);
}

uint64_t sysfs_block_size(const struct sysfs *fs) {
        return fs->block_size;
}

const char *sysfs_root(const struct sysfs *fs) {
        return fs->root;
}

bool sysfs_may_have_blocks(const struct sysfs *fs, size_t n) {
        struct stat st;

        return fstat(fs->memory_fd, &st) >= 0 && st.st_nlink > n;
}

struct index_list {
        uint32_t *items;
        size_t n, capacity;
};

static int visit_block(const char *name, void *userdata) {
        struct index_list *list = userdata;
        uint32_t index;

        if (!sysfs_parse_numbered(name, "memory", &index))
                return 0;
        if (!GROW(list->items, list->n, list->capacity))
                return -ENOMEM;
        list->items[list->n++] = index;
        return 0;
}

static int compare_u32(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return x < y ? -1 : x > y;
}

int sysfs_read_indices_of(int dir_fd, const char *path, uint32_t **ret, size_t *ret_n) {
        struct index_list list = {};
        int r;

        r = sysfs_each_entry(dir_fd, path, visit_block, &list);
        if (r < 0) {
                free(list.items);
                return r;
        }
        if (list.n > 1)
                qsort(list.items, list.n, sizeof(*list.items), compare_u32);
        *ret = list.items;
        *ret_n = list.n;
        return 0;
}

int sysfs_read_indices(const struct sysfs *fs, uint32_t **ret, size_t *ret_n) {
        return sysfs_read_indices_of(fs->memory_fd, ".", ret, ret_n);
}

/* "memory32/state": numbers of 32 bits and the longest attribute name fit. */
#define ATTRIBUTE_PATH_MAX 64

/* By hand: snprintf() would take a tenth of the time that a block takes. */
static void attribute_path(char buf[static ATTRIBUTE_PATH_MAX], uint32_t index, const char *name) {
        char digits[10], *end = stpcpy(buf, "memory");
        size_t n = 0;

        do
                digits[n++] = (char) ('0' + index % 10);
        while ((index /= 10) > 0);
        while (n > 0)
                *end++ = digits[--n];
        *end++ = '/';
        strcpy(end, name);
}

/* sysfs answers ENODEV while a block goes away; -EAGAIN has a meaning of its own here (sysfs_read_block()). */
static int block_error(int r) {
        return r == -ENODEV ? -ENOENT : r == -EAGAIN ? -EIO : r;
}

static int read_block_attribute(const struct sysfs *fs, uint32_t index, const char *name, char *buf, size_t size) {
        char path[ATTRIBUTE_PATH_MAX];

        attribute_path(path, index, name);
        return block_error(sysfs_attribute_read(fs->memory_fd, path, buf, size));
}

int sysfs_read_block_state(const struct sysfs *fs, uint32_t index, struct block *ret) {
        struct block b = {
                .index = index,
                .start = index * fs->block_size,
                .size = fs->block_size,
                .first_zone = _ZONE_INVALID,
                .tier = -1,
        };
        char text[128];
        int r;

        r = read_block_attribute(fs, index, "state", text, sizeof(text));
        if (r < 0)
                return r;
        b.state = block_state_from_string(text);
        *ret = b;
        return 0;
}

static int read_zones(const struct sysfs *fs, struct block *b) {
        char text[128];
        int r;

        r = read_block_attribute(fs, b->index, "valid_zones", text, sizeof(text));
        if (r >= 0)
                block_parse_zones(b, text);
        /* The file is optional; a block that vanished is noticed by whoever acts on it. */
        return r == -ENOENT ? 0 : r;
}

int sysfs_read_block_zones(const struct sysfs *fs, uint32_t index, struct block *ret) {
        struct block b;
        int r;

        r = sysfs_read_block_state(fs, index, &b);
        if (r >= 0 && b.state == BLOCK_ONLINE)
                r = read_zones(fs, &b);
        if (r >= 0)
                *ret = b;
        return r;
}

static bool has_link_to_node(const struct sysfs *fs, uint32_t index, int node) {
        char path[ATTRIBUTE_PATH_MAX], name[16];
        struct stat st;

        if (node < 0)
                return false;
        snprintf(name, sizeof(name), "node%d", node);
        attribute_path(path, index, name);
        return fstatat(fs->memory_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int read_block(const struct sysfs *fs, uint32_t index, const struct node_map *nodes, int likely_node, unsigned flags,
                      struct block *ret) {
        uint64_t identity = 0;
        char text[128];
        struct block b;
        int r;

        /* First of all: should the block be replaced meanwhile, what is read is not taken for the new one's. */
        r = flags & SYSFS_IDENTITY ? sysfs_read_identity(fs, index, &identity) : 0;
        if (r >= 0)
                r = sysfs_read_block_state(fs, index, &b);
        if (r < 0)
                return r;
        b.identity = identity;
        if (nodes && b.state == BLOCK_ONLINE) /* an offline one may be newer than the map */
                node_map_get(nodes, index, &b.nodes);
        else if (has_link_to_node(fs, index, likely_node))
                node_set_add(&b.nodes, (unsigned) likely_node);
        else { /* also where there are no nodes: a captured tree may have the links without what they point to */
                char path[ATTRIBUTE_PATH_MAX];

                attribute_path(path, index, ".");
                r = block_error(sysfs_each_entry(fs->memory_fd, path, sysfs_visit_node, &b.nodes));
                if (r < 0)
                        return r;
        }
        if (fs->has_nodes && node_set_next(&b.nodes, 0) < 0)
                return -EAGAIN;

        r = read_zones(fs, &b);
        if (r < 0)
                return r;
        if (flags & SYSFS_REMOVABLE) {
                r = read_block_attribute(fs, index, "removable", text, sizeof(text));
                if (r < 0 && r != -ENOENT)
                        return r;
                b.removable = r >= 0 && strcmp(text, "1") == 0;
        }
        *ret = b;
        return 0;
}

int sysfs_read_block(const struct sysfs *fs, uint32_t index, const struct node_map *nodes, unsigned flags,
                     struct block *ret) {
        return read_block(fs, index, nodes, -1, flags, ret);
}

int sysfs_read_hot_block(const struct sysfs *fs, uint32_t index, int likely_node, unsigned flags, struct block *ret) {
        return read_block(fs, index, NULL, likely_node, flags, ret);
}

static int write_word(int fd, const char *word) {
        size_t size = strlen(word);
        ssize_t n = write(fd, word, size);

        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -EIO;
}

int sysfs_attribute_write(int dir_fd, const char *path, const char *word) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : write_word(fd, word);
}

int sysfs_open_state(const struct sysfs *fs, uint32_t index, uint64_t identity) {
        _cleanup_close_ int fd = -1;
        char path[ATTRIBUTE_PATH_MAX];
        uint64_t found = identity;
        int r;

        attribute_path(path, index, "state");
        fd = openat(fs->memory_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        /* In this order: whoever comes in between changes the identity, but not what was opened. */
        r = identity ? sysfs_read_identity(fs, index, &found) : 0;
        if (r < 0)
                return r;
        return found != identity ? -ESTALE : TAKE_FD(fd);
}

int sysfs_write_state(const struct sysfs *fs, uint32_t index, int fd, const char *word) {
        char path[ATTRIBUTE_PATH_MAX];

        if (fd >= 0) {
                /* In a captured tree the old word's tail would show. */
                if (fs->root[0] != '/' || fs->root[1])
                        (void) !ftruncate(fd, 0);
                return write_word(fd, word);
        }
        attribute_path(path, index, "state");
        return sysfs_attribute_write(fs->memory_fd, path, word);
}

int sysfs_read_identity(const struct sysfs *fs, uint32_t index, uint64_t *ret) {
        char path[ATTRIBUTE_PATH_MAX];
        struct stat st;

        attribute_path(path, index, ".");
        if (fstatat(fs->memory_fd, path, &st, 0) < 0)
                return block_error(-errno);
        *ret = st.st_ino;
        return 0;
}

int sysfs_write_dax_state(const struct sysfs *fs, const char *device, const char *word) {
        char path[DEVICE_NAME_MAX + 64];

        if (strncmp(device, "dax", 3) != 0 || strchr(device, '/'))
                return -ENOENT;
        snprintf(path, sizeof(path), "sys/bus/dax/devices/%s/state", device);
        return sysfs_attribute_write(fs->root_fd, path, word);
}

bool sysfs_has_dax_state(const struct sysfs *fs, const char *device) {
        char path[DEVICE_NAME_MAX + 64];

        snprintf(path, sizeof(path), "sys/bus/dax/devices/%s/state", device);
        return faccessat(fs->root_fd, path, F_OK, 0) == 0;
}

int sysfs_request_uevent(const struct sysfs *fs, uint32_t index) {
        char path[ATTRIBUTE_PATH_MAX];

        attribute_path(path, index, "uevent");
        return sysfs_attribute_write(fs->memory_fd, path, "change");
}

static int visit_check_writable(const char *name, void *userdata) {
        const struct sysfs *fs = userdata;
        char path[ATTRIBUTE_PATH_MAX];
        uint32_t index;

        if (!sysfs_parse_numbered(name, "memory", &index))
                return 0;
        attribute_path(path, index, "state");
        /* AT_EACCESS: as the process would be judged when it opens the file. */
        if (faccessat(fs->memory_fd, path, W_OK, AT_EACCESS) < 0)
                return errno == ENOENT ? 0 : -errno;
        return 1;
}

int sysfs_check_writable(const struct sysfs *fs) {
        int r = sysfs_each_entry(fs->memory_fd, ".", visit_check_writable, (void *) fs);

        return MIN(r, 0);
}

int sysfs_read_firmware_node(const struct sysfs *fs, uint32_t index, char ret[static DEVICE_NAME_MAX]) {
        char path[ATTRIBUTE_PATH_MAX], target[512];
        const char *name;
        ssize_t n;

        attribute_path(path, index, "firmware_node");
        n = readlinkat(fs->memory_fd, path, target, sizeof(target) - 1);
        if (n < 0) {
                if (errno != ENOENT && errno != EINVAL)
                        return block_error(-errno);
                n = 0;
        }
        target[n] = '\0';
        name = strrchr(target, '/');
        snprintf(ret, DEVICE_NAME_MAX, "%.*s", DEVICE_NAME_MAX - 1, name ? name + 1 : target);
        return 0;
}

static int visit_acpi_memory(const char *name, void *userdata) {
        (void) userdata;
        return strncmp(name, "PNP0C80:", strlen("PNP0C80:")) == 0;
}

bool sysfs_may_have_firmware_nodes(const struct sysfs *fs) {
        return sysfs_each_entry(fs->root_fd, "sys/bus/acpi/devices", visit_acpi_memory, NULL) != 0;
}

int sysfs_read_auto_online(const struct sysfs *fs, char ret[static AUTO_ONLINE_WORD_MAX]) {
        return sysfs_attribute_read(fs->memory_fd, "auto_online_blocks", ret, AUTO_ONLINE_WORD_MAX);
}

int sysfs_write_auto_online(const struct sysfs *fs, const char *word) {
        return sysfs_attribute_write(fs->memory_fd, "auto_online_blocks", word);
}
