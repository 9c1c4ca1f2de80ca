/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What it costs to understand /proc/zoneinfo and /proc/buddyinfo of a machine with 64 nodes and 512 CPUs, beside getting
 * hold of such a text: from a file in memory (tmpfs, where a read is a copy), through a pipe, and, byte for byte, from the
 * running kernel; and beside what scripts do, which is sscanf() for each line. Not a test: it prints medians of rounds that
 * take turns. Usage: zoneinfo [NODES CPUS [DIR]]: DIR gets the two files instead. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/buddyinfo.h"
#include "core/zoneinfo.h"

#define ROUNDS 15
#define ORDERS 11

/* ---- the texts, as mm/vmstat.c of 6.18 prints them --------------------------------------------------------------- */

static uint64_t state = 88172645463325252u;

static unsigned number(unsigned below) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return (unsigned) ((state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

struct text {
        char *data;
        size_t size, capacity;
};

static void add(struct text *t, const char *format, ...) _printf_(2, 3);

static void add(struct text *t, const char *format, ...) {
        va_list ap;

        if (t->capacity - t->size < 512) {
                t->capacity = t->capacity ? t->capacity * 2 : 1 << 20;
                t->data = realloc(t->data, t->capacity);
                if (!t->data)
                        abort();
        }
        va_start(ap, format);
        t->size += (size_t) vsnprintf(t->data + t->size, t->capacity - t->size, format, ap);
        va_end(ap);
}

static void add_counters(struct text *t, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                add(t, "      nr_counter_%u %u\n", i, number(1u << number(28)));
}

static void add_zone(struct text *t, unsigned node, const char *name, unsigned cpus, bool first) {
        bool populated = cpus > 0;

        add(t, "Node %u, zone %8s\n", node, name);
        if (first) {
                add(t, "  per-node stats\n");
                add_counters(t, 53);
        }
        add(t, "  pages free     %u\n        boost    0\n        min      %u\n        low      %u\n        high     %u\n"
            "        promo    %u\n        spanned  %u\n        present  %u\n        managed  %u\n        cma      0\n"
            "        protection: (0, 0, 0, 0, 0)\n", number(1 << 20), 11, 22, 33, 44, populated ? 33554432 : 0,
            populated ? 33554432 : 0, populated ? 33000000 : 0);
        if (!populated)
                return;
        add_counters(t, 22);
        add(t, "  pagesets\n");
        for (unsigned cpu = 0; cpu < cpus; cpu++)
                add(t, "    cpu: %u\n              count:    %u\n              high:     %u\n              batch:    63\n"
                    "              high_min: 1280\n              high_max: %u\n  vm stats threshold: 125\n", cpu, number(4000),
                    number(14000), 20000 + number(4000));
        add(t, "  node_unreclaimable:  0\n  start_pfn:           %u\n  reserved_highatomic: 0\n  free_highatomic:     0\n",
            node << 20);
}

static void make_zoneinfo(struct text *t, unsigned nodes, unsigned cpus) {
        for (unsigned node = 0; node < nodes; node++) {
                add_zone(t, node, "DMA", node ? 0 : cpus, node == 0);
                add_zone(t, node, "DMA32", node ? 0 : cpus, false);
                add_zone(t, node, "Normal", cpus, node > 0);
                add_zone(t, node, "Movable", node % 2 ? cpus : 0, false);
                add_zone(t, node, "Device", 0, false);
        }
}

static void make_buddyinfo(struct text *t, unsigned nodes) {
        static const char *const names[] = { "DMA", "DMA32", "Normal", "Movable" };

        for (unsigned node = 0; node < nodes; node++)
                for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                        if (i < 2 ? node > 0 : i == 3 && node % 2 == 0)
                                continue;
                        add(t, "Node %u, zone %8s ", node, names[i]);
                        for (unsigned k = 0; k < ORDERS; k++)
                                add(t, "%6u ", number(100000));
                        add(t, "\n");
                }
}

/* ---- getting hold of them ----------------------------------------------------------------------------------------- */

static double now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/* To the end, into a buffer that grows: what sysfs_read_text() does. */
static char *read_whole(int fd, size_t *ret_size) {
        size_t size = 0, capacity = 65536;
        char *buf = malloc(capacity);
        ssize_t n;

        if (!buf)
                abort();
        while ((n = read(fd, buf + size, capacity - size)) > 0) {
                size += (size_t) n;
                if (size == capacity && !(buf = realloc(buf, capacity *= 2)))
                        abort();
        }
        if (n < 0)
                abort();
        *ret_size = size;
        return buf;
}

static int memory_file(const struct text *t) {
        int fd = memfd_create("zoneinfo", MFD_CLOEXEC);

        for (size_t done = 0; done < t->size;) {
                ssize_t n = write(fd, t->data + done, t->size - done);

                if (n < 0)
                        abort();
                done += (size_t) n;
        }
        return fd;
}

struct writer {
        const struct text *text;
        int fd;
};

static void *write_pipe(void *userdata) {
        struct writer *w = userdata;

        for (size_t done = 0; done < w->text->size;) {
                ssize_t n = write(w->fd, w->text->data + done, w->text->size - done);

                if (n < 0)
                        abort();
                done += (size_t) n;
        }
        close(w->fd);
        return NULL;
}

/* The writer is a thread, unless the pipe holds everything at once. */
static double time_pipe(const struct text *t) {
        struct writer w = { .text = t };
        bool large = t->size > 65536;
        pthread_t thread;
        double start;
        size_t size;
        int fds[2];

        if (pipe(fds) < 0)
                abort();
        w.fd = fds[1];
        start = now_usec();
        if (!large)
                write_pipe(&w);
        else if (pthread_create(&thread, NULL, write_pipe, &w) != 0)
                abort();
        free(read_whole(fds[0], &size));
        start = now_usec() - start;
        if (large)
                pthread_join(thread, NULL);
        close(fds[0]);
        return start;
}

static volatile unsigned long long sink;

/* Keys and numbers, and nothing is checked. */
static double time_sscanf(const struct text *t) {
        unsigned long long value;
        double start = now_usec();
        char line[512], key[64];

        for (const char *p = t->data, *end = p + t->size, *newline; p < end; p = newline + 1) {
                newline = memchr(p, '\n', (size_t) (end - p));
                snprintf(line, sizeof(line), "%.*s", (int) (newline - p), p);
                if (sscanf(line, " %63s %llu", key, &value) == 2 && strcmp(key, "count:") == 0)
                        sink += value;
        }
        return now_usec() - start;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

static double print_row(double usec[static ROUNDS], size_t size, const char *name) {
        qsort(usec, ROUNDS, sizeof(*usec), compare);
        printf("%10.1f us  (%.1f to %.1f)  %5.2f ns/byte  %s\n", usec[ROUNDS / 2], usec[0], usec[ROUNDS - 1],
               usec[ROUNDS / 2] * 1000 / (double) size, name);
        return usec[ROUNDS / 2];
}

struct sums {
        double file, pipe, parse;
};

static double time_parse(char **text, size_t size, bool zones) {
        struct zoneinfo z = {};
        struct buddyinfo b = {};
        unsigned line = 0;
        double start = now_usec();
        int r = zones ? zoneinfo_parse_take(text, size, &z, &line) : buddyinfo_parse(*text, size, &b, &line);

        start = now_usec() - start;
        if (r < 0) {
                fprintf(stderr, "line %u: %s\n", line, strerror(-r));
                exit(EXIT_FAILURE);
        }
        zoneinfo_done(&z);
        buddyinfo_done(&b);
        return start;
}

static void measure(const char *name, const struct text *t, bool zones, struct sums *sums) {
        double file[ROUNDS], pipe[ROUNDS], parse[ROUNDS], scan[ROUNDS];
        int fd = memory_file(t);

        printf("%s: %zu KiB\n", name, t->size >> 10);
        for (unsigned i = 0; i < ROUNDS; i++) {
                double start;
                size_t size;
                char *text;

                if (lseek(fd, 0, SEEK_SET) < 0)
                        abort();
                start = now_usec();
                text = read_whole(fd, &size);
                file[i] = now_usec() - start;
                parse[i] = time_parse(&text, size, zones);
                free(text);
                pipe[i] = time_pipe(t);
                scan[i] = zones ? time_sscanf(t) : 0;
        }
        close(fd);
        sums->file += print_row(file, t->size, "read from a file in memory");
        sums->pipe += print_row(pipe, t->size, "read through a pipe");
        sums->parse += print_row(parse, t->size, "parse");
        if (zones)
                print_row(scan, t->size, "peer: sscanf() each line");
}

static void measure_kernel(const char *path, bool zones) {
        double read[ROUNDS], parse[ROUNDS], kernel;
        size_t size = 0;

        for (unsigned i = 0; i < ROUNDS; i++) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                double start;
                char *text;

                if (fd < 0) {
                        printf("%s: %s\n", path, strerror(errno));
                        return;
                }
                start = now_usec();
                text = read_whole(fd, &size);
                read[i] = now_usec() - start;
                parse[i] = time_parse(&text, size, zones);
                free(text);
                close(fd);
        }
        printf("%s of this machine: %zu bytes\n", path, size);
        kernel = print_row(read, size, "read from the kernel");
        printf("  parse : read from the kernel %.2f\n", print_row(parse, size, "parse") / kernel);
}

static int write_text(const char *dir, const char *name, const struct text *t) {
        char path[4096];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "we");
        if (!f || fwrite(t->data, 1, t->size, f) != t->size || fclose(f) != 0) {
                perror(path);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        unsigned nodes = argc > 2 ? (unsigned) strtoul(argv[1], NULL, 10) : 64;
        unsigned cpus = argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : 512;
        struct text zoneinfo = {}, buddyinfo = {};
        struct sums sums = {};
        int r = EXIT_SUCCESS;

        make_zoneinfo(&zoneinfo, nodes, cpus);
        make_buddyinfo(&buddyinfo, nodes);
        if (argc > 3)
                r = write_text(argv[3], "zoneinfo", &zoneinfo) | write_text(argv[3], "buddyinfo", &buddyinfo);
        else {
                measure("zoneinfo", &zoneinfo, true, &sums);
                measure("buddyinfo", &buddyinfo, false, &sums);
                printf("both: parse : read from a file in memory %.2f, parse : read through a pipe %.2f\n", sums.parse / sums.file,
                       sums.parse / sums.pipe);
                measure_kernel("/proc/zoneinfo", true);
                measure_kernel("/proc/buddyinfo", false);
        }
        free(zoneinfo.data);
        free(buddyinfo.data);
        return r;
}
