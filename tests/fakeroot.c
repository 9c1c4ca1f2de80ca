/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fakeroot.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "core/macro.h"
#include "core/queue.h"
#include "fakestatistics.h"

#define MEMORY_DIR "sys/devices/system/memory"
#define NODE_DIR "sys/devices/system/node"
#define DAX_DIR "sys/bus/dax/devices"
#define PATH_SIZE 256
#define ZONES_SIZE 64

/* What was plugged at once: one resource in /proc/iomem. */
struct region {
        uint32_t first, n;
        char parents[2][64]; /* outermost first, "" for none */
        char ram[80];        /* "System RAM (kmem)" */
        char firmware_node[32];
        bool hot;
};

struct fake_block {
        uint32_t index;
        size_t region;
        int node;
        const char *zones; /* the candidates */
        const char *zone;  /* where it is online; NULL: offline */
        bool zones_hidden, wants_node, wants_firmware_node;
        int watch; /* on valid_zones, while it must not be read */
};

enum when {
        INSTEAD,
        BEFORE,
        AFTER,
        HOLD,
};

struct fault {
        enum when when;
        uint32_t block, times;
        int error;        /* INSTEAD */
        const char *word; /* BEFORE, AFTER: what another program writes; NULL: the block is unplugged */
};

/* Attributes with the same text are links to one file: a tree of 131 072 blocks is made in seconds. */
struct template {
        char *text;
        unsigned number;
};

struct dax_device {
        char name[32];
        char state[20]; /* the last word that did something */
        int error;
};

struct fakeroot {
        struct fakeroot *next;
        char path[PATH_SIZE];
        int fd;
        unsigned flags;
        struct node_set nodes; /* that have a folder */
        struct fakeroot_traits traits;
        enum fakeroot_iomem iomem;
        bool has_statistics;
        struct fakeroot_statistics statistics;
        struct region *regions;
        size_t n_regions, capacity_regions;
        struct fake_block *blocks; /* by index */
        size_t n_blocks, capacity_blocks;
        struct fault *faults;
        size_t n_faults, capacity_faults;
        struct fakeroot_write *writes;
        size_t n_writes, capacity_writes;
        struct dax_device *dax;
        size_t n_dax, capacity_dax;
        struct fakeroot_write *dax_writes;
        size_t n_dax_writes, capacity_dax_writes;
        struct template *templates;
        size_t n_templates, capacity_templates;
        unsigned n_files;
        struct queue events;
        int event_fd, inotify_fd, hold_fds[2];
        bool adopting;
        unsigned write_usec, oopses;
        bool held;
        pthread_cond_t holds;
        atomic_uint iomem_reads;
};

/* One lock for all trees: the writer thread and the test's thread meet here. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fakeroot *all;
struct fakeroot_hooks fakeroot_hooks;
static char base[PATH_SIZE];

/* Not ck_assert(), which tells the test's parent of every success. */
#define CHECK(expression)                                                                  \
        do {                                                                               \
                if (!(expression))                                                         \
                        ck_abort_msg("fakeroot: %s: %s", #expression, strerror(errno));    \
        } while (0)

static void _printf_(2, 3) format(char buf[static PATH_SIZE], const char *text, ...) {
        va_list ap;
        int n;

        va_start(ap, text);
        n = vsnprintf(buf, PATH_SIZE, text, ap);
        va_end(ap);
        CHECK(n > 0 && n < PATH_SIZE);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static bool has_room(const char *path) {
        struct statvfs st;

        return access(path, W_OK) == 0 && statvfs(path, &st) == 0 &&
               (uint64_t) st.f_bavail * st.f_frsize >= UINT64_C(32) << 20 &&
               (st.f_files == 0 || st.f_favail >= 1000000);
}

void fakeroot_begin(void) {
        const char *folder = has_room("/dev/shm") ? "/dev/shm" : getenv("TMPDIR");

        snprintf(base, sizeof(base), "%s/memhp-check.XXXXXX", folder ? folder : "/tmp"); /* no assertions outside of tests */
        if (!mkdtemp(base)) {
                perror(base);
                exit(EXIT_FAILURE);
        }
}

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st, (void) ftw;
        (void) (type == FTW_DP ? rmdir(path) : unlink(path));
        return 0;
}

static void delete_tree(const char *path) {
        (void) nftw(path, delete_one, 64, FTW_DEPTH | FTW_PHYS);
}

void fakeroot_end(void) {
        delete_tree(base);
}

static void make_folder(struct fakeroot *f, const char *path) {
        CHECK(mkdirat(f->fd, path, 0755) == 0 || errno == EEXIST);
}

/* The folders that the file is in. */
static void make_folders(struct fakeroot *f, const char *path) {
        char folder[PATH_SIZE];

        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                format(folder, "%.*s", (int) (slash - path), path);
                make_folder(f, folder);
        }
}

static void write_file(struct fakeroot *f, const char *path, const char *text) {
        size_t size = strlen(text);
        int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        CHECK(fd >= 0);
        CHECK(write(fd, text, size) == (ssize_t) size);
        close(fd);
}

/* A file of its own. Readers see the old or the new one. */
static void put_file(struct fakeroot *f, const char *path, const char *text) {
        (void) unlinkat(f->fd, ".new", 0);
        write_file(f, ".new", text);
        CHECK(renameat(f->fd, ".new", f->fd, path) == 0);
}

static struct template *get_template(struct fakeroot *f, const char *text) {
        struct template *t;
        char path[PATH_SIZE];

        for (size_t i = 0; i < f->n_templates; i++)
                if (strcmp(f->templates[i].text, text) == 0)
                        return &f->templates[i];
        CHECK(GROW(f->templates, f->n_templates, f->capacity_templates));
        t = &f->templates[f->n_templates++];
        *t = (struct template) { .text = strdup(text), .number = f->n_files++ };
        CHECK(t->text);
        format(path, ".templates/%u", t->number);
        write_file(f, path, text);
        return t;
}

static void link_template(struct fakeroot *f, const char *text, const char *path) {
        struct template *t = get_template(f, text);
        char file[PATH_SIZE];

        format(file, ".templates/%u", t->number);
        if (linkat(f->fd, file, f->fd, path, 0) == 0)
                return;
        CHECK(errno == EMLINK); /* 65 000 on ext4: go on with another file */
        t->number = f->n_files++;
        format(file, ".templates/%u", t->number);
        write_file(f, file, text);
        CHECK(linkat(f->fd, file, f->fd, path, 0) == 0);
}

/* An attribute's text, as sysfs prints it: with a newline. */
static void put_attribute(struct fakeroot *f, uint32_t block, const char *name, const char *text, bool is_new) {
        char path[PATH_SIZE], line[PATH_SIZE];

        format(path, MEMORY_DIR "/memory%" PRIu32 "/%s", block, name);
        format(line, "%s\n", text);
        if (is_new) {
                link_template(f, line, path);
                return;
        }
        (void) unlinkat(f->fd, ".new", 0);
        link_template(f, line, ".new");
        CHECK(renameat(f->fd, ".new", f->fd, path) == 0);
}

void fakeroot_write(struct fakeroot *f, const char *path, const char *text) {
        pthread_mutex_lock(&lock);
        make_folders(f, path);
        put_file(f, path, text);
        pthread_mutex_unlock(&lock);
}

void fakeroot_set_pages(struct fakeroot *f, uint32_t block, uint32_t anonymous, uint32_t cache, uint32_t unmovable) {
        const uint32_t n = FAKEROOT_BLOCK_SIZE / 4096;
        uint64_t *flags = calloc(n, sizeof(*flags));
        int fd;

        CHECK(flags && anonymous + cache + unmovable <= n);
        for (uint32_t i = 0; i < n; i++)
                flags[i] = i < anonymous                       ? 1 << 5 | 1 << 12 | 1 << 14 /* LRU, ANON, SWAPBACKED */
                           : i < anonymous + cache             ? 1 << 5                     /* LRU */
                           : i < anonymous + cache + unmovable ? 1 << 7                     /* SLAB */
                                                               : 1 << 10;                   /* BUDDY */
        make_folders(f, "proc/kpageflags");
        fd = openat(f->fd, "proc/kpageflags", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        CHECK(pwrite(fd, flags, n * sizeof(*flags), (off_t) (block * (uint64_t) n * sizeof(*flags))) ==
              (ssize_t) (n * sizeof(*flags)));
        close(fd);
        free(flags);
}

void fakeroot_write_block(struct fakeroot *f, uint32_t block, const char *attribute, const char *text) {
        fakeroot_write(f, fakeroot_block_path(block, attribute), text);
}

void fakeroot_symlink(struct fakeroot *f, const char *target, const char *path) {
        make_folders(f, path);
        CHECK(symlinkat(target, f->fd, path) == 0);
}

void fakeroot_unlink(struct fakeroot *f, const char *path) {
        CHECK(unlinkat(f->fd, path, 0) == 0 || (errno == EISDIR && unlinkat(f->fd, path, AT_REMOVEDIR) == 0));
}

const char *fakeroot_block_path(uint32_t block, const char *attribute) {
        static char path[PATH_SIZE];

        format(path, MEMORY_DIR "/memory%" PRIu32 "/%s", block, attribute);
        return path;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* What is there besides the tree. */
static struct fakeroot *new_root(const char *path, unsigned flags) {
        struct fakeroot *f = calloc(1, sizeof(*f));

        CHECK(f);
        f->flags = flags;
        f->events.item_size = sizeof(struct uevent);
        pthread_cond_init(&f->holds, NULL);
        format(f->path, "%s", path);
        f->fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        f->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        CHECK(f->fd >= 0 && f->event_fd >= 0 && f->inotify_fd >= 0 && pipe2(f->hold_fds, O_CLOEXEC) == 0);
        pthread_mutex_lock(&lock);
        f->next = all;
        all = f;
        pthread_mutex_unlock(&lock);
        return f;
}

struct fakeroot *fakeroot_new(unsigned flags) {
        char path[PATH_SIZE];
        struct fakeroot *f;

        format(path, "%s/root.XXXXXX", base);
        CHECK(mkdtemp(path));
        f = new_root(path, flags);
        make_folder(f, ".templates");
        make_folder(f, ".gone");
        make_folder(f, "run");
        fakeroot_write(f, MEMORY_DIR "/block_size_bytes", "8000000\n");
        fakeroot_write(f, MEMORY_DIR "/auto_online_blocks", "offline\n");
        if (!(flags & FAKEROOT_NO_NODES))
                fakeroot_write(f, NODE_DIR "/has_cpu", "0\n");
        fakeroot_set_iomem(f, FAKEROOT_IOMEM_SHOWN);
        return f;
}

static void free_root(struct fakeroot *f) {
        pthread_mutex_lock(&lock);
        for (struct fakeroot **p = &all; *p; p = &(*p)->next)
                if (*p == f) {
                        *p = f->next;
                        break;
                }
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; i < f->n_templates; i++)
                free(f->templates[i].text);
        free(f->templates);
        free(f->regions);
        free(f->blocks);
        free(f->faults);
        free(f->writes);
        free(f->dax);
        free(f->dax_writes);
        queue_done(&f->events);
        pthread_cond_destroy(&f->holds);
        close(f->fd);
        close(f->event_fd);
        close(f->inotify_fd);
        close(f->hold_fds[0]);
        close(f->hold_fds[1]);
        free(f);
}

struct fakeroot *fakeroot_free(struct fakeroot *f) {
        if (!f)
                return NULL;
        delete_tree(f->path);
        free_root(f);
        return NULL;
}

struct fakeroot *fakeroot_adopt(struct fakeroot *f) {
        struct fakeroot *heir = new_root(f->path, f->flags);

        heir->adopting = true;
        heir->n_files = f->n_files + 1000000; /* names that nobody has used */
        free_root(f);
        return heir;
}

const char *fakeroot_path(const struct fakeroot *f) {
        return f->path;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void push_event(struct fakeroot *f, enum uevent_type type, uint32_t block) {
        const struct uevent event = { .type = type, .block = block };

        CHECK(queue_reserve(&f->events, f->events.n + 1) == 0);
        queue_push(&f->events, &event);
        if (f->events.n == 1)
                (void) eventfd_write(f->event_fd, 1);
}

static bool pop_event(struct fakeroot *f, struct uevent *ret) {
        eventfd_t value;
        bool taken = queue_pop(&f->events, ret);

        if (f->events.n == 0)
                (void) eventfd_read(f->event_fd, &value);
        return taken;
}

int fakeroot_event_fd(const struct fakeroot *f) {
        return f->event_fd;
}

bool fakeroot_take_event(struct fakeroot *f, struct uevent *ret) {
        bool taken;

        pthread_mutex_lock(&lock);
        taken = pop_event(f, ret);
        pthread_mutex_unlock(&lock);
        return taken;
}

bool fakeroot_has_events(struct fakeroot *f) {
        bool has;

        pthread_mutex_lock(&lock);
        has = f->events.n > 0;
        pthread_mutex_unlock(&lock);
        return has;
}

void fakeroot_drop_events(struct fakeroot *f) {
        struct uevent event;

        while (fakeroot_take_event(f, &event))
                ;
}

void fakeroot_overflow(struct fakeroot *f) {
        fakeroot_drop_events(f);
        pthread_mutex_lock(&lock);
        push_event(f, UEVENT_OVERFLOW, 0);
        pthread_mutex_unlock(&lock);
}

/* ---- /proc/iomem ------------------------------------------------------------------------------------------------- */

static size_t lower_bound(const struct fakeroot *f, uint32_t block) {
        size_t low = 0, high = f->n_blocks;

        if (high && f->blocks[high - 1].index < block)
                return high;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (f->blocks[middle].index < block)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct fake_block *find_block(const struct fakeroot *f, uint32_t block) {
        size_t i = lower_bound(f, block);

        return i < f->n_blocks && f->blocks[i].index == block ? &f->blocks[i] : NULL;
}

static void print_resource(const struct fakeroot *f, FILE *file, int depth, uint32_t first, uint32_t n, const char *name) {
        uint64_t start = first * FAKEROOT_BLOCK_SIZE, end = start + n * FAKEROOT_BLOCK_SIZE - 1;

        if (f->iomem == FAKEROOT_IOMEM_HIDDEN)
                start = end = 0;
        fprintf(file, "%*s%08" PRIx64 "-%08" PRIx64 " : %s\n", depth * 2, "", start, end, name);
}

/* The blocks of a region that are still there, a resource for each run of them. */
static void print_region(const struct fakeroot *f, FILE *file, size_t number) {
        const struct region *r = &f->regions[number];
        int depth = 0;

        for (size_t i = 0; i < ARRAY_SIZE(r->parents); i++)
                if (r->parents[i][0])
                        print_resource(f, file, depth++, r->first, r->n, r->parents[i]);
        for (size_t i = lower_bound(f, r->first); i < f->n_blocks && f->blocks[i].index < r->first + r->n;) {
                size_t begin = i;

                if (f->blocks[i].region != number) {
                        i++;
                        continue;
                }
                while (++i < f->n_blocks && f->blocks[i].region == number &&
                       f->blocks[i].index == f->blocks[i - 1].index + 1)
                        ;
                print_resource(f, file, depth, f->blocks[begin].index, (uint32_t) (i - begin), r->ram);
        }
}

/* By address, as the kernel lists them. */
static size_t next_region(const struct fakeroot *f, uint32_t from) {
        size_t next = f->n_regions;

        for (size_t i = 0; i < f->n_regions; i++)
                if (f->regions[i].n && f->regions[i].first >= from &&
                    (next == f->n_regions || f->regions[i].first < f->regions[next].first))
                        next = i;
        return next;
}

static void put_iomem(struct fakeroot *f) {
        _cleanup_free_ char *text = NULL;
        uint32_t from = 0;
        size_t size;
        FILE *file;

        if (f->iomem == FAKEROOT_IOMEM_MISSING) {
                CHECK(unlinkat(f->fd, "proc/iomem", 0) == 0 || errno == ENOENT);
                return;
        }
        file = open_memstream(&text, &size);
        CHECK(file);
        if (f->iomem == FAKEROOT_IOMEM_MALFORMED)
                fputs("00000000-00000fff : Reserved\nnot a line of /proc/iomem\n", file);
        for (size_t i; (i = next_region(f, from)) < f->n_regions; from = f->regions[i].first + 1)
                print_region(f, file, i);
        fputs(f->iomem == FAKEROOT_IOMEM_HIDDEN ? "00000000-00000000 : PCI Bus 0000:00\n"
                                                : "fff000000000-ffffffffffff : PCI Bus 0000:00\n", file);
        fclose(file);
        make_folders(f, "proc/iomem");
        put_file(f, "proc/iomem", text);
}

/* ---- statistics ---------------------------------------------------------------------------------------------------- */

static void count_block(const struct fakeroot *f, const struct fake_block *b, struct fake_zone *zones, size_t *n) {
        size_t i = 0;

        while (i < *n && (zones[i].node != b->node || strcmp(zones[i].name, b->zone) != 0))
                i++;
        if (i == *n) {
                CHECK(*n < ZONES_SIZE);
                zones[(*n)++] = (struct fake_zone) { .node = b->node, .name = b->zone, .first = b->index };
        }
        zones[i].last = b->index;
        zones[i].n++;
        zones[i].n_hot += f->regions[b->region].hot;
}

static void put_text(struct fakeroot *f, const char *path, char *text) {
        make_folders(f, path);
        put_file(f, path, text);
        free(text);
}

static void put_thread(struct fakeroot *f, unsigned pid, const char *name) {
        char path[PATH_SIZE], line[PATH_SIZE];

        format(path, "proc/%u/comm", pid);
        if (faccessat(f->fd, path, F_OK, 0) == 0)
                return;
        format(line, "%s\n", name);
        put_text(f, path, strdup(line));
        format(path, "proc/%u/stat", pid);
        put_text(f, path, fake_thread_stat(pid, name));
}

static void put_threads(struct fakeroot *f, const struct fake_memory *m) {
        char name[PATH_SIZE];

        put_thread(f, 2, "kthreadd");
        for (size_t i = 0; i < m->n_zones; i++) {
                format(name, "kcompactd%d", m->zones[i].node);
                put_thread(f, 100 + 2 * (unsigned) m->zones[i].node, name);
                format(name, "kswapd%d", m->zones[i].node);
                put_thread(f, 101 + 2 * (unsigned) m->zones[i].node, name);
        }
}

/* After whatever changed the memory. */
static void put_statistics(struct fakeroot *f) {
        struct fake_zone zones[ZONES_SIZE];
        struct fake_memory m = {
                .zones = zones, .memmap_on_memory = f->statistics.memmap_on_memory, .memmap_counted = f->statistics.memmap_counted,
        };

        if (!f->has_statistics)
                return;
        for (size_t i = 0; i < f->n_blocks; i++) {
                const struct fake_block *b = &f->blocks[i];

                m.n_hot += f->regions[b->region].hot;
                m.n_boot += !f->regions[b->region].hot;
                if (b->zone)
                        count_block(f, b, zones, &m.n_zones);
        }
        put_text(f, "proc/zoneinfo", fake_zoneinfo(&m));
        put_text(f, "proc/buddyinfo", fake_buddyinfo(&m));
        put_text(f, "proc/meminfo", fake_meminfo(&m));
        put_text(f, "proc/vmstat", fake_vmstat(&m));
        put_threads(f, &m);
}

void fakeroot_keep_statistics(struct fakeroot *f, const struct fakeroot_statistics *statistics) {
        pthread_mutex_lock(&lock);
        f->has_statistics = true;
        f->statistics = *statistics;
        put_statistics(f);
        pthread_mutex_unlock(&lock);
}

void fakeroot_set_iomem(struct fakeroot *f, enum fakeroot_iomem mode) {
        pthread_mutex_lock(&lock);
        f->iomem = mode;
        put_iomem(f);
        pthread_mutex_unlock(&lock);
}

unsigned fakeroot_iomem_reads(const struct fakeroot *f) {
        return atomic_load(&f->iomem_reads);
}

/* ---- memory comes and goes --------------------------------------------------------------------------------------- */

void fakeroot_set_traits(struct fakeroot *f, const struct fakeroot_traits *traits) {
        f->traits = *traits;
}

/* What was to be made is there already, as the process before left it. */
static bool is_adopted(const struct fakeroot *f) {
        return f->adopting && errno == EEXIST;
}

static void make_node_links(struct fakeroot *f, uint32_t block, int node) {
        char path[PATH_SIZE], target[PATH_SIZE], model[PATH_SIZE];

        if (node < 0 || (f->flags & FAKEROOT_NO_NODES))
                return;
        format(path, NODE_DIR "/node%d", node);
        if (!node_set_has(&f->nodes, (unsigned) node))
                make_folder(f, path);
        node_set_add(&f->nodes, (unsigned) node);
        /* The links of a node's blocks to it are all alike. */
        format(model, ".templates/node%d", node);
        format(target, "../../node/node%d", node);
        format(path, MEMORY_DIR "/memory%" PRIu32 "/node%d", block, node);
        if (linkat(f->fd, model, f->fd, path, 0) < 0 && !is_adopted(f)) {
                CHECK(symlinkat(target, f->fd, path) == 0);
                CHECK(linkat(f->fd, path, f->fd, model, 0) == 0 || errno == EPERM || errno == EMLINK || is_adopted(f));
        }
        format(target, "../../memory/memory%" PRIu32, block);
        format(path, NODE_DIR "/node%d/memory%" PRIu32, node, block);
        CHECK(symlinkat(target, f->fd, path) == 0 || is_adopted(f));
}

static void make_firmware_link(struct fakeroot *f, const struct fake_block *b) {
        char target[PATH_SIZE], path[PATH_SIZE];

        if (!f->regions[b->region].firmware_node[0])
                return;
        format(target, "../../../LNXSYSTM:00/LNXSYBUS:00/%s", f->regions[b->region].firmware_node);
        format(path, MEMORY_DIR "/memory%" PRIu32 "/firmware_node", b->index);
        CHECK(symlinkat(target, f->fd, path) == 0 || is_adopted(f));
}

static void count_oopses(struct fakeroot *f) {
        _Alignas(struct inotify_event) char events[4096];
        ssize_t n;

        while ((n = read(f->inotify_fd, events, sizeof(events))) > 0)
                for (ssize_t i = 0; i < n;) {
                        const struct inotify_event *event = (const struct inotify_event *) (events + i);

                        f->oopses += (event->mask & IN_OPEN) != 0;
                        i += (ssize_t) sizeof(*event) + event->len;
                }
}

/* From now on nobody may open its valid_zones: an inode of its own, and a watch on it. */
static void guard_zones(struct fakeroot *f, struct fake_block *b) {
        char path[PATH_SIZE * 2];

        snprintf(path, sizeof(path), "%s/" MEMORY_DIR "/memory%" PRIu32 "/valid_zones", f->path, b->index);
        b->watch = inotify_add_watch(f->inotify_fd, path, IN_OPEN);
        CHECK(b->watch >= 0);
}

static void read_attribute(const struct fakeroot *f, uint32_t block, const char *name, char text[static PATH_SIZE]) {
        char path[PATH_SIZE];
        ssize_t n;
        int fd;

        format(path, MEMORY_DIR "/memory%" PRIu32 "/%s", block, name);
        fd = openat(f->fd, path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, text, PATH_SIZE - 1);
        CHECK(n >= 0 && (fd >= 0 || errno == ENOENT));
        if (fd >= 0)
                close(fd);
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
}

/* The state says whether it is online; whoever was killed before it wrote that may have left the zone behind. */
static void adopt_block(struct fakeroot *f, struct fake_block *b) {
        static const char *const zones[] = { "Movable", "Normal", "DMA32", "DMA" };
        char text[PATH_SIZE];

        read_attribute(f, b->index, "state", text);
        if (strcmp(text, "online") == 0) {
                read_attribute(f, b->index, "valid_zones", text);
                for (size_t i = 0; i < ARRAY_SIZE(zones); i++)
                        if (strcmp(text, zones[i]) == 0)
                                b->zone = zones[i];
                CHECK(b->zone || b->zones_hidden);
        } else
                b->zone = NULL;
        put_attribute(f, b->index, "state", b->zone ? "online" : "offline", false);
}

static void make_block(struct fakeroot *f, struct fake_block *b) {
        const struct region *r = &f->regions[b->region];
        char path[PATH_SIZE], line[PATH_SIZE];

        format(path, MEMORY_DIR "/memory%" PRIu32, b->index);
        if (mkdirat(f->fd, path, 0755) < 0) {
                CHECK(is_adopted(f));
                adopt_block(f, b);
        } else
                put_attribute(f, b->index, "state", b->zone ? "online" : "offline", true);
        if (!b->zones_hidden && f->traits.late_node) {
                format(path, MEMORY_DIR "/memory%" PRIu32 "/valid_zones", b->index);
                format(line, "%s\n", b->zone ? b->zone : b->zones);
                put_file(f, path, line);
                guard_zones(f, b);
        } else if (!b->zones_hidden)
                put_attribute(f, b->index, "valid_zones", b->zone ? b->zone : b->zones, !f->adopting);
        b->wants_node = f->traits.late_node;
        b->wants_firmware_node = f->traits.late_firmware_node && r->firmware_node[0];
        if (!b->wants_node)
                make_node_links(f, b->index, b->node);
        if (!b->wants_firmware_node)
                make_firmware_link(f, b);
}

static int store_state(struct fakeroot *f, uint32_t block, const char *word);

/* mm/memory_hotplug.c: add_memory_resource(), when all blocks are there. */
static void auto_online(struct fakeroot *f, uint32_t first, uint32_t n) {
        char word[20] = "";
        int fd = openat(f->fd, MEMORY_DIR "/auto_online_blocks", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return;
        CHECK(read(fd, word, sizeof(word) - 1) >= 0);
        close(fd);
        word[strcspn(word, "\n")] = '\0';
        if (strcmp(word, "offline") == 0)
                return;
        for (uint32_t i = 0; i < n; i++)
                (void) store_state(f, first + i, word);
}

static void add_region(struct fakeroot *f, const struct region *region, int node, bool boot) {
        const char *zones = f->traits.zones ? f->traits.zones : "Normal Movable";
        size_t number = f->n_regions, at;

        pthread_mutex_lock(&lock);
        CHECK(GROW(f->regions, f->n_regions, f->capacity_regions));
        f->regions[f->n_regions] = *region;
        f->regions[f->n_regions++].hot = !boot;
        at = lower_bound(f, region->first);
        CHECK(at == f->n_blocks || f->blocks[at].index >= region->first + region->n); /* memory does not overlap */
        while (f->n_blocks + region->n > f->capacity_blocks)
                CHECK(grow((void **) &f->blocks, &f->capacity_blocks, sizeof(*f->blocks)));
        memmove(f->blocks + at + region->n, f->blocks + at, (f->n_blocks - at) * sizeof(*f->blocks));
        f->n_blocks += region->n;
        for (uint32_t i = 0; i < region->n; i++)
                f->blocks[at + i] = (struct fake_block) {
                        .index = region->first + i,
                        .region = number,
                        .node = node,
                        .zones = zones,
                        .zone = boot ? "Normal" : NULL,
                        .zones_hidden = f->traits.zones_hidden,
                        .watch = -1,
                };
        put_iomem(f); /* the resource is there before the first event, and so are the struct pages */
        put_statistics(f);
        for (uint32_t i = 0; i < region->n; i++) {
                make_block(f, &f->blocks[at + i]);
                if (!boot)
                        push_event(f, UEVENT_ADD, region->first + i);
        }
        if (!boot)
                auto_online(f, region->first, region->n);
        pthread_mutex_unlock(&lock);
}

void fakeroot_add_boot(struct fakeroot *f, uint32_t first, uint32_t n, int node) {
        add_region(f, &(struct region) { .first = first, .n = n, .ram = "System RAM" }, node, true);
}

void fakeroot_add_dimm(struct fakeroot *f, const char *firmware_node, uint32_t first, uint32_t n, int node) {
        struct region r = { .first = first, .n = n, .ram = "System RAM" };

        snprintf(r.firmware_node, sizeof(r.firmware_node), "%s", firmware_node);
        add_region(f, &r, node, false);
}

void fakeroot_add_virtio_mem(struct fakeroot *f, const char *device, uint32_t first, uint32_t n, int node) {
        struct region r = { .first = first, .n = n, .ram = "System RAM (virtio_mem)" };

        snprintf(r.parents[0], sizeof(r.parents[0]), "%s", device);
        add_region(f, &r, node, false);
}

void fakeroot_add_kmem(struct fakeroot *f, const char *device, const char *parent, uint32_t first, uint32_t n, int node) {
        struct region r = { .first = first, .n = n, .ram = "System RAM (kmem)" };

        snprintf(r.parents[0], sizeof(r.parents[0]), "%s", parent);
        snprintf(r.parents[1], sizeof(r.parents[1]), "%s", device);
        add_region(f, &r, node, false);
}

void fakeroot_add_driver(struct fakeroot *f, const char *name, uint32_t first, uint32_t n, int node) {
        struct region r = { .first = first, .n = n, .ram = "System RAM" };

        if (name)
                snprintf(r.ram, sizeof(r.ram), "System RAM (%s)", name);
        add_region(f, &r, node, false);
}

void fakeroot_add_node(struct fakeroot *f, uint32_t block, int node) {
        make_node_links(f, block, node);
}

void fakeroot_link(struct fakeroot *f, uint32_t first, uint32_t n) {
        pthread_mutex_lock(&lock);
        count_oopses(f);
        for (uint32_t i = 0; i < n; i++) {
                struct fake_block *b = find_block(f, first + i);

                CHECK(b);
                if (b->watch >= 0)
                        (void) inotify_rm_watch(f->inotify_fd, b->watch);
                b->watch = -1;
                if (TAKE(b->wants_node, false))
                        make_node_links(f, b->index, b->node);
                if (TAKE(b->wants_firmware_node, false))
                        make_firmware_link(f, b);
        }
        pthread_mutex_unlock(&lock);
}

unsigned fakeroot_oopses(struct fakeroot *f) {
        unsigned oopses;

        pthread_mutex_lock(&lock);
        count_oopses(f);
        oopses = f->oopses;
        pthread_mutex_unlock(&lock);
        return oopses;
}

bool fakeroot_has_block(struct fakeroot *f, uint32_t block) {
        bool has;

        pthread_mutex_lock(&lock);
        has = find_block(f, block) != NULL;
        pthread_mutex_unlock(&lock);
        return has;
}

static void remove_node_links(struct fakeroot *f, uint32_t block) {
        char path[PATH_SIZE];

        for (int node = node_set_next(&f->nodes, 0); node >= 0; node = node_set_next(&f->nodes, (unsigned) node + 1)) {
                format(path, NODE_DIR "/node%d/memory%" PRIu32, node, block);
                (void) unlinkat(f->fd, path, 0);
        }
}

/* At once for whoever looks. What is gone is kept, so that its inode's number is not another's. */
static void remove_block(struct fakeroot *f, struct fake_block *b) {
        char path[PATH_SIZE], gone[PATH_SIZE];

        format(path, MEMORY_DIR "/memory%" PRIu32, b->index);
        format(gone, ".gone/%u", f->n_files++);
        CHECK(renameat(f->fd, path, f->fd, gone) == 0);
        remove_node_links(f, b->index);
        push_event(f, UEVENT_REMOVE, b->index);
        f->n_blocks--;
        memmove(b, b + 1, (size_t) (f->blocks + f->n_blocks - b) * sizeof(*b));
}

/* A resource without blocks is gone as well: its number stays. */
static void shrink_regions(struct fakeroot *f) {
        for (size_t r = 0; r < f->n_regions; r++) {
                bool used = false;

                for (size_t i = 0; i < f->n_blocks && !used; i++)
                        used = f->blocks[i].region == r;
                if (!used)
                        f->regions[r] = (struct region) {};
        }
}

static void remove_blocks(struct fakeroot *f, uint32_t first, uint32_t n) {
        for (uint32_t i = 0; i < n; i++) {
                struct fake_block *b = find_block(f, first + i);

                if (b)
                        remove_block(f, b);
        }
        shrink_regions(f);
        put_iomem(f);
        put_statistics(f);
}

void fakeroot_remove(struct fakeroot *f, uint32_t first, uint32_t n) {
        pthread_mutex_lock(&lock);
        remove_blocks(f, first, n);
        pthread_mutex_unlock(&lock);
}

/* ---- the kernel's side of a write (drivers/base/memory.c, mm/memory_hotplug.c) ----------------------------------- */

static bool has_word(const char *list, const char *word) {
        size_t n = strlen(word);

        for (const char *p = list; (p = strstr(p, word)); p += n)
                if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
                        return true;
        return false;
}

/* The zone that the word asks for, among the block's candidates; NULL: the kernel refuses. */
static const char *choose_zone(const struct fake_block *b, const char *word) {
        static const char *const kernel_zones[] = { "Normal", "DMA32", "DMA" };

        if (strcmp(word, "online_movable") == 0)
                return has_word(b->zones, "Movable") ? "Movable" : NULL;
        if (strcmp(word, "online") == 0 && strncmp(b->zones, "Movable", strlen("Movable")) == 0)
                return "Movable";
        if (strcmp(word, "online") == 0 || strcmp(word, "online_kernel") == 0)
                for (size_t i = 0; i < ARRAY_SIZE(kernel_zones); i++)
                        if (has_word(b->zones, kernel_zones[i]))
                                return kernel_zones[i];
        return NULL;
}

/* Someone who reads an online block's zones must find the one. */
static void put_state(struct fakeroot *f, struct fake_block *b) {
        if (!b->zone)
                put_attribute(f, b->index, "state", "offline", false);
        if (!b->zones_hidden)
                put_attribute(f, b->index, "valid_zones", b->zone ? b->zone : b->zones, false);
        if (b->zone)
                put_attribute(f, b->index, "state", "online", false);
        put_statistics(f);
        push_event(f, UEVENT_CHANGED, b->index);
}

static int store_state(struct fakeroot *f, uint32_t block, const char *word) {
        struct fake_block *b = find_block(f, block);
        const char *zone;

        if (!b)
                return -ENOENT;
        if (strcmp(word, "offline") == 0) {
                if (!b->zone)
                        return -EINVAL;
                b->zone = NULL;
                put_state(f, b);
                return 0;
        }
        zone = choose_zone(b, word);
        if (b->zone || !zone)
                return -EINVAL;
        b->zone = zone;
        put_state(f, b);
        return 0;
}

int fakeroot_set_state(struct fakeroot *f, uint32_t block, const char *word) {
        int r;

        pthread_mutex_lock(&lock);
        r = store_state(f, block, word);
        pthread_mutex_unlock(&lock);
        return r;
}

bool fakeroot_is_online(struct fakeroot *f, uint32_t block) {
        return fakeroot_zone(f, block)[0];
}

const char *fakeroot_zone(struct fakeroot *f, uint32_t block) {
        const struct fake_block *b;
        const char *zone;

        pthread_mutex_lock(&lock);
        b = find_block(f, block);
        zone = b && b->zone ? b->zone : "";
        pthread_mutex_unlock(&lock);
        return zone;
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static void add_fault(struct fakeroot *f, const struct fault *fault) {
        pthread_mutex_lock(&lock);
        CHECK(GROW(f->faults, f->n_faults, f->capacity_faults));
        f->faults[f->n_faults++] = *fault;
        pthread_mutex_unlock(&lock);
}

void fakeroot_fail_writes(struct fakeroot *f, uint32_t block, int error, uint32_t times) {
        add_fault(f, &(struct fault) { .when = INSTEAD, .block = block, .error = error, .times = times });
}

void fakeroot_compete(struct fakeroot *f, uint32_t block, const char *word) {
        add_fault(f, &(struct fault) { .when = BEFORE, .block = block, .word = word, .times = 1 });
}

void fakeroot_vanish_before_write(struct fakeroot *f, uint32_t block) {
        add_fault(f, &(struct fault) { .when = BEFORE, .block = block, .times = 1 });
}

void fakeroot_compete_after(struct fakeroot *f, uint32_t block, const char *word) {
        add_fault(f, &(struct fault) { .when = AFTER, .block = block, .word = word, .times = 1 });
}

void fakeroot_vanish_after_write(struct fakeroot *f, uint32_t block) {
        add_fault(f, &(struct fault) { .when = AFTER, .block = block, .times = 1 });
}

void fakeroot_hold_write(struct fakeroot *f, uint32_t block) {
        add_fault(f, &(struct fault) { .when = HOLD, .block = block, .times = 1 });
}

void fakeroot_clear_faults(struct fakeroot *f) {
        pthread_mutex_lock(&lock);
        f->n_faults = 0;
        pthread_mutex_unlock(&lock);
}

void fakeroot_wait_held(struct fakeroot *f) {
        pthread_mutex_lock(&lock);
        while (!f->held)
                pthread_cond_wait(&f->holds, &lock);
        pthread_mutex_unlock(&lock);
}

bool fakeroot_is_held(struct fakeroot *f) {
        bool held;

        pthread_mutex_lock(&lock);
        held = f->held;
        pthread_mutex_unlock(&lock);
        return held;
}

void fakeroot_release_write(struct fakeroot *f) {
        CHECK(write(f->hold_fds[1], "", 1) == 1);
}

void fakeroot_set_write_time(struct fakeroot *f, unsigned usec) {
        pthread_mutex_lock(&lock);
        f->write_usec = usec;
        pthread_mutex_unlock(&lock);
}

/* The fault that the write meets, which is used up by it. */
static bool take_fault(struct fakeroot *f, enum when when, uint32_t block, struct fault *ret) {
        for (size_t i = 0; i < f->n_faults; i++) {
                struct fault *fault = &f->faults[i];

                if (fault->when != when || fault->times == 0 ||
                    (fault->block != block && fault->block != FAKEROOT_ANY_BLOCK))
                        continue;
                if (fault->times != FAKEROOT_FOREVER)
                        fault->times--;
                *ret = *fault;
                return true;
        }
        return false;
}

static void others_act(struct fakeroot *f, enum when when, uint32_t block) {
        struct fault fault;

        while (take_fault(f, when, block, &fault))
                if (fault.word)
                        (void) store_state(f, block, fault.word);
                else
                        remove_blocks(f, block, 1);
}

/* In the kernel for as long as it likes. The lock is not held meanwhile. */
static int spend_time(struct fakeroot *f, uint32_t block) {
        const struct timespec delay = { .tv_sec = f->write_usec / 1000000, .tv_nsec = f->write_usec % 1000000 * 1000 };
        bool hold, interrupted = false;
        struct fault fault;
        char c;

        hold = take_fault(f, HOLD, block, &fault);
        f->held = hold;
        if (hold)
                pthread_cond_broadcast(&f->holds);
        pthread_mutex_unlock(&lock);
        if (hold) /* read() and not poll(): a handler with SA_RESTART would not end it */
                interrupted = read(f->hold_fds[0], &c, 1) < 0 && errno == EINTR;
        if (delay.tv_sec || delay.tv_nsec)
                (void) nanosleep(&delay, NULL);
        pthread_mutex_lock(&lock);
        f->held = false;
        return interrupted ? -EINTR : 0;
}

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static int do_write(struct fakeroot *f, uint32_t block, const char *word) {
        struct fault fault;
        int r;

        r = spend_time(f, block);
        others_act(f, BEFORE, block);
        if (r == 0 && take_fault(f, INSTEAD, block, &fault))
                r = find_block(f, block) ? -fault.error : -ENOENT;
        else if (r == 0)
                r = store_state(f, block, word);
        CHECK(GROW(f->writes, f->n_writes, f->capacity_writes));
        f->writes[f->n_writes] = (struct fakeroot_write) { .block = block, .result = r, .usec = now_usec() };
        snprintf(f->writes[f->n_writes++].word, sizeof(f->writes->word), "%s", word);
        others_act(f, AFTER, block);
        return r;
}

static struct fakeroot *find_root(const struct sysfs *fs) {
        struct fakeroot *f = all;

        while (f && strcmp(f->path, sysfs_root(fs)) != 0)
                f = f->next;
        return f;
}

/* Was it opened of a block that is gone since (remove_block())? To that, kernfs does not write any more. */
static bool is_of_gone_block(int fd) {
        char link[PATH_SIZE], path[PATH_SIZE];
        ssize_t n;

        format(link, "/proc/self/fd/%d", fd);
        n = fd < 0 ? -1 : readlink(link, path, sizeof(path) - 1);
        path[MAX(n, (ssize_t) 0)] = '\0';
        return strstr(path, "/.gone/");
}

int __real_sysfs_write_state(const struct sysfs *fs, uint32_t index, int fd, const char *word);
int __wrap_sysfs_write_state(const struct sysfs *fs, uint32_t index, int fd, const char *word);

int __wrap_sysfs_write_state(const struct sysfs *fs, uint32_t index, int fd, const char *word) {
        struct fakeroot *f;
        int r;

        r = fakeroot_hooks.before_write ? fakeroot_hooks.before_write() : 0;
        if (r < 0)
                return r;
        pthread_mutex_lock(&lock);
        f = find_root(fs);
        if (f)
                r = is_of_gone_block(fd) ? -ENODEV : do_write(f, index, word);
        pthread_mutex_unlock(&lock);
        if (fakeroot_hooks.after_write)
                fakeroot_hooks.after_write();
        return f ? r : __real_sysfs_write_state(fs, index, fd, word);
}

void fakeroot_add_dax_state(struct fakeroot *f, const char *device, int error) {
        char path[PATH_SIZE];

        format(path, DAX_DIR "/%s/state", device);
        fakeroot_write(f, path, "offline\n");
        pthread_mutex_lock(&lock);
        CHECK(GROW(f->dax, f->n_dax, f->capacity_dax));
        f->dax[f->n_dax] = (struct dax_device) { .state = "offline", .error = error };
        snprintf(f->dax[f->n_dax++].name, sizeof(f->dax->name), "%s", device);
        pthread_mutex_unlock(&lock);
}

size_t fakeroot_count_dax_writes(struct fakeroot *f, const char *word) {
        size_t n = 0;

        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < f->n_dax_writes; i++)
                n += strcmp(f->dax_writes[i].word, word) == 0;
        pthread_mutex_unlock(&lock);
        return n;
}

/* drivers/dax/kmem.c: state_store(). The same word again does nothing, whatever became of the blocks since. */
static int store_dax_state(struct fakeroot *f, struct dax_device *d, const char *word) {
        if (strcmp(d->state, word) == 0)
                return 0;
        if (d->error)
                return -d->error;
        for (size_t i = 0; i < f->n_blocks; i++)
                if (strcmp(f->regions[f->blocks[i].region].parents[1], d->name) == 0)
                        (void) store_state(f, f->blocks[i].index, word);
        snprintf(d->state, sizeof(d->state), "%s", word);
        return 0;
}

static int do_dax_write(struct fakeroot *f, const char *device, const char *word) {
        int r = -ENOENT;

        for (size_t i = 0; i < f->n_dax && r == -ENOENT; i++)
                if (strcmp(f->dax[i].name, device) == 0)
                        r = store_dax_state(f, &f->dax[i], word);
        if (r == -ENOENT)
                return r;
        CHECK(GROW(f->dax_writes, f->n_dax_writes, f->capacity_dax_writes));
        f->dax_writes[f->n_dax_writes] = (struct fakeroot_write) { .result = r, .usec = now_usec() };
        snprintf(f->dax_writes[f->n_dax_writes++].word, sizeof(f->dax_writes->word), "%s", word);
        return r;
}

/* Weak: programs that have nothing to do with dax devices need not wrap it. */
int __real_sysfs_write_dax_state(const struct sysfs *fs, const char *device, const char *word) __attribute__((weak));
int __wrap_sysfs_write_dax_state(const struct sysfs *fs, const char *device, const char *word);

int __wrap_sysfs_write_dax_state(const struct sysfs *fs, const char *device, const char *word) {
        struct fakeroot *f;
        int r;

        pthread_mutex_lock(&lock);
        f = find_root(fs);
        r = f ? do_dax_write(f, device, word) : 0;
        pthread_mutex_unlock(&lock);
        return f ? r : __real_sysfs_write_dax_state(fs, device, word);
}

int __real_sysfs_read_text(const struct sysfs *fs, enum sysfs_text which, char **ret, size_t *ret_size);
int __wrap_sysfs_read_text(const struct sysfs *fs, enum sysfs_text which, char **ret, size_t *ret_size);

int __wrap_sysfs_read_text(const struct sysfs *fs, enum sysfs_text which, char **ret, size_t *ret_size) {
        struct fakeroot *f;

        pthread_mutex_lock(&lock);
        f = find_root(fs);
        pthread_mutex_unlock(&lock);
        if (f && which == SYSFS_IOMEM)
                atomic_fetch_add(&f->iomem_reads, 1);
        return __real_sysfs_read_text(fs, which, ret, ret_size);
}

size_t fakeroot_n_writes(struct fakeroot *f) {
        size_t n;

        pthread_mutex_lock(&lock);
        n = f->n_writes;
        pthread_mutex_unlock(&lock);
        return n;
}

struct fakeroot_write fakeroot_get_write(struct fakeroot *f, size_t i) {
        struct fakeroot_write w;

        pthread_mutex_lock(&lock);
        CHECK(i < f->n_writes);
        w = f->writes[i];
        pthread_mutex_unlock(&lock);
        return w;
}

size_t fakeroot_count_writes(struct fakeroot *f, uint32_t block) {
        size_t n = 0;

        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < f->n_writes; i++)
                n += f->writes[i].block == block;
        pthread_mutex_unlock(&lock);
        return n;
}
