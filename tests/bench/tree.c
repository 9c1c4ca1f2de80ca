/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A system made of files, with so many memory blocks: what a listing of a very large machine has to read. Usage: tree DIR
 * BLOCKS [OFFLINE]. Four nodes; a quarter of each node's memory is in Movable; the last OFFLINE blocks are offline and hot-added. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "core/macro.h"

#define NODES 4
#define BLOCK_SIZE (UINT64_C(128) << 20)

static void fail(const char *what) {
        fprintf(stderr, "tree: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static void put(int dir_fd, const char *path, const char *format, ...) _printf_(3, 4);

static void put(int dir_fd, const char *path, const char *format, ...) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        va_list ap;
        int n;

        if (fd < 0)
                fail(path);
        va_start(ap, format);
        n = vdprintf(fd, format, ap);
        va_end(ap);
        if (n < 0)
                fail(path);
}

static int folder(int dir_fd, const char *path) {
        int fd;

        if (mkdirat(dir_fd, path, 0755) < 0 && errno != EEXIST)
                fail(path);
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                fail(path);
        return fd;
}

static void make_block(int memory_fd, const int node_fds[static NODES], uint32_t block, uint32_t n, bool offline) {
        unsigned node = (unsigned) ((uint64_t) block * NODES / n);
        bool movable = (uint64_t) block * NODES * 4 / n % 4 == 3;
        char name[32], target[64], link[32];
        _cleanup_close_ int fd = -1;

        snprintf(name, sizeof(name), "memory%" PRIu32, block);
        fd = folder(memory_fd, name);
        put(fd, "state", "%s\n", offline ? "offline" : "online");
        put(fd, "valid_zones", "%s\n", offline ? "Normal Movable" : movable ? "Movable" : "Normal");
        put(fd, "removable", "1\n");
        put(fd, "phys_index", "%08" PRIx32 "\n", block);
        snprintf(link, sizeof(link), "node%u", node);
        snprintf(target, sizeof(target), "../../node/node%u", node);
        if (symlinkat(target, fd, link) < 0)
                fail(link);
        snprintf(target, sizeof(target), "../../memory/%s", name);
        if (symlinkat(target, node_fds[node], name) < 0)
                fail(name);
}

static void make_statistics(int root_fd, uint32_t n, uint32_t n_offline) {
        uint64_t pages = (uint64_t) (n - n_offline) * (BLOCK_SIZE / 4096);
        _cleanup_close_ int fd = openat(root_fd, "proc/zoneinfo", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        for (unsigned node = 0; fd >= 0 && node < NODES; node++)
                dprintf(fd, "Node %u, zone   Normal\n  pages free     %" PRIu64 "\n        min      1000\n        low      2000\n"
                        "        high     3000\n        spanned  %" PRIu64 "\n        present  %" PRIu64 "\n        managed  %" PRIu64
                        "\n        protection: (0, 0)\n      nr_free_pages %" PRIu64 "\n  pagesets\n    cpu: 0\n              count: 0\n"
                        "              high:  0\n              batch: 1\n  vm stats threshold: 1\n  node_unreclaimable:  0\n"
                        "  start_pfn:           0\n", node, pages / NODES / 2, pages / NODES, pages / NODES, pages / NODES, pages / NODES / 2);
}

int main(int argc, char **argv) {
        uint32_t n = argc > 2 ? (uint32_t) strtoul(argv[2], NULL, 10) : 0;
        uint32_t n_offline = argc > 3 ? (uint32_t) strtoul(argv[3], NULL, 10) : 0;
        int root_fd, memory_fd, node_fds[NODES];

        if (n == 0 || n_offline >= n) {
                fputs("Usage: tree DIR BLOCKS [OFFLINE]\n", stderr);
                return 2;
        }
        root_fd = folder(AT_FDCWD, argv[1]);
        for (const char *const *p = (const char *const[]) { "proc", "run", "sys", "sys/bus", "sys/bus/acpi",
                                                            "sys/bus/acpi/devices", "sys/bus/acpi/devices/LNXSYSTM:00",
                                                            "sys/devices", "sys/devices/system", "sys/devices/system/node",
                                                            NULL }; *p; p++)
                close(folder(root_fd, *p));
        memory_fd = folder(root_fd, "sys/devices/system/memory");
        put(memory_fd, "block_size_bytes", "%" PRIx64 "\n", BLOCK_SIZE);
        put(memory_fd, "auto_online_blocks", "offline\n");
        for (unsigned node = 0; node < NODES; node++) {
                char path[64];

                snprintf(path, sizeof(path), "sys/devices/system/node/node%u", node);
                node_fds[node] = folder(root_fd, path);
        }
        for (uint32_t block = 0; block < n; block++)
                make_block(memory_fd, node_fds, block, n, block >= n - n_offline);
        put(root_fd, "proc/iomem", "00000000-%08" PRIx64 " : System RAM\n", n * BLOCK_SIZE - 1);
        make_statistics(root_fd, n, n_offline);
        return EXIT_SUCCESS;
}
