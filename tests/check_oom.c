/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that cannot be had: the daemon runs where memory is short, which is why more is added. Every allocation of an
 * operation fails once, in turn: it must say so, leave what it was to fill as it was, and lose nothing. Link with --wrap for
 * each function below. */
#include <stdarg.h>

#include "check_util.h"
#include "core/buddyinfo.h"
#include "core/device_memory.h"
#include "core/history.h"
#include "core/holds.h"
#include "core/iomem.h"
#include "core/map.h"
#include "core/policy.h"
#include "core/problems.h"
#include "core/queue.h"
#include "core/rivals.h"
#include "core/room.h"
#include "core/state.h"
#include "core/stats.h"

#define GIB (UINT64_C(1) << 30)
#define BLOCK_SIZE (UINT64_C(128) << 20)

static bool armed;     /* allocations of the code under test, not of the test */
static int fail_at;    /* the allocation that fails; negative: none */
static int n_allocations, n_alive;

static bool fails(void) {
        return armed && n_allocations++ == fail_at;
}

static void *alive(void *p) {
        n_alive += armed && p;
        return p;
}

#define WRAP(type, name, parameters, arguments)          \
        type __real_##name parameters;                   \
        type __wrap_##name parameters;                   \
        type __wrap_##name parameters {                  \
                if (fails()) {                           \
                        errno = ENOMEM;                  \
                        return NULL;                     \
                }                                        \
                return alive(__real_##name arguments);   \
        }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(char *, strdup, (const char *s), (s))

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size) {
        void *grown = fails() ? NULL : __real_reallocarray(p, n, size);

        return p ? grown : alive(grown);
}

FILE *__real_open_memstream(char **text, size_t *size);
FILE *__wrap_open_memstream(char **text, size_t *size);
FILE *__wrap_open_memstream(char **text, size_t *size) {
        return fails() ? NULL : alive(__real_open_memstream(text, size)); /* the text, which is to be freed */
}

int __wrap_vasprintf(char **ret, const char *format, va_list ap) _printf_(2, 0);
int __wrap_vasprintf(char **ret, const char *format, va_list ap) {
        const size_t size = strlen(format) + 64; /* more than any text here needs */

        if (fails())
                return -1;
        *ret = alive(__real_malloc(size));
        return vsnprintf(*ret, size, format, ap);
}

/* With _FORTIFY_SOURCE it goes by this name. */
int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list ap) _printf_(3, 0);
int __wrap___vasprintf_chk(char **ret, int flag, const char *format, va_list ap) {
        (void) flag;
        return __wrap_vasprintf(ret, format, ap);
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p) {
        n_alive -= armed && p;
        __real_free(p);
}

/* ---- what is tried ------------------------------------------------------------------------------------------------- */

static char *zoneinfo, *buddyinfo, *iomem;
static size_t zoneinfo_size, buddyinfo_size, iomem_size;
static struct zoneinfo zones;
static struct buddyinfo buddies;
static struct iomem resources;
static struct registry blocks;
static struct holds holds;
static struct history *history;
static char *saved, *kept, *held;
static size_t saved_size, kept_size, held_size;

/* Whatever is in it: it must be there afterwards. */
#define OUTPUT(type, name) type name, name##_before; memset(&name, 0x5a, sizeof(name)); memset(&name##_before, 0x5a, sizeof(name))
#define UNTOUCHED(r, name) ((r) >= 0 || memcmp(&name, &name##_before, sizeof(name)) == 0 ? (r) : -EFAULT)

#define PARSES(name, parse, type, done, text)                                            \
        static int try_##name(void) {                                                    \
                unsigned line;                                                           \
                OUTPUT(type, x);                                                         \
                int r = parse(text, text##_size, &x, &line);                             \
                                                                                         \
                if (r >= 0)                                                              \
                        done(&x);                                                        \
                return UNTOUCHED(r, x);                                                  \
        }

PARSES(zoneinfo, zoneinfo_parse, struct zoneinfo, zoneinfo_done, zoneinfo)
PARSES(buddyinfo, buddyinfo_parse, struct buddyinfo, buddyinfo_done, buddyinfo)
PARSES(iomem, iomem_parse, struct iomem, iomem_done, iomem)
PARSES(holds, holds_parse, struct holds, holds_done, held)
PARSES(state, state_parse, struct saved_state, saved_state_done, saved)

static int try_history(void) {
        static struct history h;
        unsigned line;

        return history_parse(kept, kept_size, &h, &line);
}

#define FORMATS(name, call)                       \
        static int try_format_##name(void) {      \
                char *text = NULL;                \
                size_t size = 0;                  \
                int r = call;                     \
                                                  \
                if (r < 0 && (text || size))      \
                        r = -EFAULT;              \
                free(text);                       \
                return r;                         \
        }

FORMATS(holds, holds_format(&holds, 0, &text, &size))
FORMATS(state, state_format(&blocks, 7, &text, &size))
FORMATS(history, history_format(history, &text, &size))

static int try_hold(void) {
        char error[SELECTOR_ERROR_MAX];
        struct holds h = {};
        int r = 0;

        for (int i = 0; i < 20 && r >= 0; i++)
                r = holds_add(&h, "32-63,70", 0, "", error);
        holds_done(&h);
        return r;
}

static int try_selector(void) {
        char error[SELECTOR_ERROR_MAX];
        OUTPUT(struct selector, s);
        int r = selector_parse("1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35", &s, error);

        if (r >= 0)
                selector_done(&s);
        return UNTOUCHED(r, s);
}

static int try_device_memory(void) {
        static const char text[] = "00000000-3fffffff : System RAM\n"
                                   "100000000-13fffffff : Persistent Memory\n"
                                   "  100000000-13fffffff : namespace0.0\n";
        static struct iomem pmem;
        unsigned line;
        OUTPUT(struct device_memory, m);
        int r;

        armed = false;
        if (!pmem.n)
                ck_assert_int_eq(iomem_parse(text, sizeof(text) - 1, &pmem, &line), 0);
        armed = true;
        r = device_memory_find(&pmem, &zones, 4096, &m);
        if (r >= 0)
                device_memory_done(&m);
        return UNTOUCHED(r, m);
}

static int try_map(void) {
        static struct map_piece pieces[200];
        OUTPUT(struct map, m);
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                pieces[i] = (struct map_piece) { i * 64 * GIB, i * 64 * GIB + 8 * BLOCK_SIZE - 1, 1, 0 };
        r = map_layout(pieces, ARRAY_SIZE(pieces), BLOCK_SIZE, 40, 200, 0, &m);
        if (r >= 0)
                map_done(&m);
        return UNTOUCHED(r, m);
}

static void ignore(enum rival_kind kind, unsigned line, const char *text, bool certain, void *userdata) {
        (void) kind, (void) line, (void) text, (void) certain, (void) userdata;
}

static int try_rules(void) {
        static const char text[] = "SUBSYSTEM!=\"memory\", GOTO=\"end\"\nATTRS{unknown}==\"1\", GOTO=\"other\"\n"
                                   "ATTR{state}==\"offline\", \\\n ATTR{state}=\"online\"\nLABEL=\"other\"\nLABEL=\"end\"\n";
        const struct rival_machine machine = { .architecture = "s390x" };
        unsigned daxctl;

        return rivals_in_rules(text, sizeof(text) - 1, &machine, ignore, NULL, &daxctl);
}

static int try_unit(void) {
        static const char text[] = "[Service]\nExecStart=/bin/chmem -e \\\n 1g\n";

        return rivals_in_unit(text, sizeof(text) - 1, ignore, NULL);
}

static int try_stats(void) {
        struct stats s;
        struct block b = { .state = BLOCK_ONLINE, .source = SOURCE_DIMM };
        int r;

        stats_init(&s, 4096);
        r = stats_add_zones(&s, &zones);
        if (r >= 0)
                r = stats_add_buddy(&s, &buddies);
        for (unsigned node = 1; node < 40 && r >= 0; node++) {
                b.nodes = (struct node_set) {};
                node_set_add(&b.nodes, node);
                r = stats_add_block(&s, &b, STATS_HOT, 0);
        }
        stats_done(&s);
        return r;
}

static int try_room(void) {
        struct room *room = NULL;
        int r = room_new(&zones, &room);

        if (r < 0 && room)
                return -EFAULT;
        room_free(room);
        return r;
}

static int try_registry(void) {
        struct registry r = {};
        int result = 0;

        for (uint32_t i = 0; i < 40 && result == 0; i++)
                if (!registry_insert(&r, i))
                        result = -ENOMEM;
        for (uint32_t i = 0; i < r.n; i++)
                CHECK(registry_find(&r, i)); /* what is in it stays in it */
        registry_done(&r);
        return result;
}

static int try_policy(void) {
        struct policy *volatile p = policy_new(); /* or nobody needs it, and nothing is allocated */

        policy_free(p);
        return p ? 0 : -ENOMEM;
}

static int try_queue(void) {
        struct queue q = { .item_size = sizeof(int) };
        int r = 0, got, n = 0;

        for (int i = 0; i < 200 && r >= 0; i++) {
                r = queue_reserve(&q, q.n + 1);
                if (r >= 0)
                        queue_push(&q, &i);
        }
        for (; queue_pop(&q, &got); n++) /* what it had, it has */
                CHECK(got == n);
        CHECK(r < 0 || n == 200);
        queue_done(&q);
        return r;
}

/* Errors count, even where there is no room for what they say: a policy with one must not pass for good. */
static int try_problems(void) {
        struct problems p = {};
        size_t n;

        for (int i = 0; i < 20; i++)
                problems_add(&p, false, "file", 1, "wrong: %d", i);
        CHECK(p.n_errors == 20);
        n = p.n;
        problems_done(&p);
        return n == 20 ? 0 : -ENOMEM;
}

static const struct {
        const char *name;
        int (*run)(void);
        int at_least; /* so many allocations: else it tries something else than it says */
} operations[] = {
        { "zoneinfo", try_zoneinfo, 4 },
        { "buddyinfo", try_buddyinfo, 3 },
        { "iomem", try_iomem, 2 },
        { "holds", try_holds, 2 },
        { "state", try_state, 1 },
        { "history", try_history, 1 },
        { "text of holds", try_format_holds, 1 },
        { "text of state", try_format_state, 1 },
        { "text of history", try_format_history, 1 },
        { "hold", try_hold, 2 },
        { "selector", try_selector, 2 },
        { "device memory", try_device_memory, 1 },
        { "map", try_map, 2 },
        { "udev rules", try_rules, 3 },
        { "unit", try_unit, 1 },
        { "stats", try_stats, 4 },
        { "room", try_room, 1 },
        { "registry", try_registry, 2 },
        { "policy", try_policy, 1 },
        { "queue", try_queue, 2 },
        { "problems", try_problems, 3 },
};

/* ---- each fails in turn -------------------------------------------------------------------------------------------- */

static int run(int (*operation)(void), int fail) {
        int r;

        n_allocations = n_alive = 0;
        fail_at = fail;
        armed = true;
        r = operation();
        armed = false;
        return r;
}

START_TEST(every_allocation) {
        int n, r;

        r = run(operations[_i].run, -1);
        ck_assert_msg(r == 0, "%s: %s", operations[_i].name, strerror(-r));
        ck_assert_msg(n_alive == 0, "%s: %d are lost where nothing fails", operations[_i].name, n_alive);
        n = n_allocations;
        ck_assert_int_ge(n, operations[_i].at_least);
        for (int i = 0; i < n; i++) {
                r = run(operations[_i].run, i);
                ck_assert_msg(r == -ENOMEM, "%s: allocation %d of %d fails, and it says: %s", operations[_i].name, i, n, strerror(-r));
                ck_assert_msg(n_alive == 0, "%s: allocation %d of %d fails, and %d are lost", operations[_i].name, i, n, n_alive);
        }
}
END_TEST

static void read_all(void) {
        struct report report = { .kind = REPORT_ONLINED, .zone = ZONE_MOVABLE, .node = 0, .blocks = "32-39", .device = "PNP0C80:01" };
        char error[SELECTOR_ERROR_MAX];
        unsigned line;

        zoneinfo = check_read_data("zoneinfo-6.1", &zoneinfo_size);
        buddyinfo = check_read_data("buddyinfo-6.1", &buddyinfo_size);
        iomem = check_read_data("iomem-6.1", &iomem_size);
        ck_assert_int_eq(zoneinfo_parse(zoneinfo, zoneinfo_size, &zones, &line), 0);
        ck_assert_int_eq(buddyinfo_parse(buddyinfo, buddyinfo_size, &buddies, &line), 0);
        ck_assert_int_eq(iomem_parse(iomem, iomem_size, &resources, &line), 0);
        for (uint32_t i = 0; i < 30; i++) {
                struct entry *e = registry_insert(&blocks, 2 * i);

                e->known = true;
                e->state = BLOCK_ONLINE;
                e->identity = i + 1;
        }
        for (int i = 0; i < 20; i++)
                ck_assert_int_eq(holds_add(&holds, "32-63,70", 0, "until later", error), 0);
        history = calloc(1, sizeof(*history));
        (void) history_add(history, &report);
        ck_assert_int_eq(state_format(&blocks, 7, &saved, &saved_size), 0);
        ck_assert_int_eq(holds_format(&holds, 0, &held, &held_size), 0);
        ck_assert_int_eq(history_format(history, &kept, &kept_size), 0);
}

static void free_all(void) {
        zoneinfo_done(&zones);
        buddyinfo_done(&buddies);
        iomem_done(&resources);
        registry_done(&blocks);
        holds_done(&holds);
        free(history);
        free(zoneinfo);
        free(buddyinfo);
        free(iomem);
        free(saved);
        free(held);
        free(kept);
}

int main(void) {
        Suite *s = suite_create("oom");
        TCase *c = check_case_in(s, "every allocation fails once", read_all, free_all);

        tcase_add_loop_test(c, every_allocation, 0, ARRAY_SIZE(operations));
        return check_run(s);
}
