/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/conf.h"

#include <ftw.h>
#include <inttypes.h>
#include <libgen.h>

#include "check_util.h"

#define ETC SYSCONFDIR "/memhp/"
#define RUN "/run/memhp/"
#define LIB VENDORCONFDIR "/memhp/"
#define D "memhpd.conf.d/"

/* ---- trees to load from -------------------------------------------------------------------------------------------- */

/* One folder for the program, made and removed outside of the tests, since a test that fails cleans up nothing. */
static char base[] = "/tmp/check-conf.XXXXXX", root[sizeof(base) + 8];

static void make_base(void) {
        umask(022);
        strcpy(base + strlen(base) - 6, "XXXXXX");
        if (!mkdtemp(base))
                abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st, (void) type, (void) ftw;
        return remove(path);
}

static void remove_base(void) {
        (void) nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_root(void) {
        snprintf(root, sizeof(root), "%s/XXXXXX", base);
        ck_assert_ptr_nonnull(mkdtemp(root));
}

/* Where a file of the tree lies; its folders are there. The last sixteen results hold. */
static const char *at(const char *name) {
        static char paths[16][512];
        static unsigned turn;
        char *path = paths[turn++ % ARRAY_SIZE(paths)];

        snprintf(path, sizeof(paths[0]), "%s/%s", root, name + (*name == '/'));
        for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
                *p = '/';
        }
        return path;
}

static const char *write_bytes(const char *name, const char *text, size_t size) {
        const char *path = at(name);
        FILE *f = fopen(path, "we");

        ck_assert_msg(f, "%s: %s", path, strerror(errno));
        ck_assert_uint_eq(fwrite(text, 1, size, f), size);
        ck_assert_int_eq(fclose(f), 0);
        return path;
}

static const char *write_text(const char *name, const char *text) {
        return write_bytes(name, text, strlen(text));
}

/* ---- loading ------------------------------------------------------------------------------------------------------- */

struct loaded {
        int r;
        struct policy *policy;
        struct problems problems;
};

/* What is true of every load: a policy or errors, each with a file and a line of text that a terminal survives. */
static struct loaded load(const char *path) {
        struct loaded l = {};
        size_t errors = 0;

        l.r = conf_load(root, path, &l.policy, &l.problems);
        for (size_t i = 0; i < l.problems.n; i++) {
                const struct problem *p = &l.problems.items[i];

                errors += !p->warning;
                ck_assert_ptr_nonnull(p->file);
                ck_assert_uint_gt(strlen(p->file), 0);
                ck_assert_uint_gt(strlen(p->text), 0);
                for (const char *c = p->text; *c; c++)
                        ck_assert_msg((unsigned char) *c >= 0x20 && *c != 0x7f, "a control character (%#x) in \"%s\"",
                                      (unsigned char) *c, p->text);
        }
        ck_assert_uint_eq(l.problems.n_errors, errors);
        ck_assert_int_eq(l.r, errors ? -EBADMSG : 0);
        ck_assert_int_eq(l.policy != NULL, errors == 0);
        return l;
}

static void done(struct loaded *l) {
        policy_free(l->policy);
        problems_done(&l->problems);
        ck_assert_uint_eq(l->problems.n, 0);
        *l = (struct loaded) {};
}

static struct loaded load_text(const char *text) {
        return load(write_text("policy", text));
}

static void expect_problem(const struct loaded *l, size_t i, bool warning, const char *file, unsigned line, const char *part) {
        const struct problem *p;

        ck_assert_msg(i < l->problems.n, "nothing is said of %s:%u: %s", file, line, part);
        p = &l->problems.items[i];
        ck_assert_msg(p->warning == warning && strcmp(p->file, file) == 0 && p->line == line && strstr(p->text, part),
                      "wanted %s:%u: …%s…, got %s:%u: %s%s", file, line, part, p->file, p->line,
                      p->warning ? "warning: " : "", p->text);
}

/* Exactly this is wrong with it, and nothing else. */
static void expect_error(const char *path, const char *file, unsigned line, const char *part) {
        struct loaded l = load(path);

        expect_problem(&l, 0, false, file, line, part);
        ck_assert_msg(l.problems.n == 1, "and also: %s", l.problems.items[l.problems.n - 1].text);
        done(&l);
}

static void expect_text_error(const char *text, unsigned line, const char *part) {
        const char *path = write_text("policy", text);

        expect_error(path, path, line, part);
}

/* "a b c": the names of the rules, in order. */
static void expect_rules(const struct loaded *l, const char *names) {
        char got[512] = "";

        ck_assert_msg(l->r == 0, "refused: %s", l->problems.n ? l->problems.items[0].text : "?");
        for (size_t i = 0, n = 0; i < l->policy->n_rules; i++)
                n += (size_t) snprintf(got + n, sizeof(got) - n, "%s%s", i ? " " : "", l->policy->rules[i].name);
        ck_assert_str_eq(got, names);
}

/* ---- values that are right ----------------------------------------------------------------------------------------- */

#define MS UINT64_C(1000)
#define S (1000 * MS)
#define DEFAULTS true, 600 * S, 200 * MS, 30 * S, 10

static const struct {
        const char *text;
        bool startup_apply;
        uint64_t reconcile, first, max;
        unsigned attempts;
} setting_rows[] = {
        { "", DEFAULTS },
        { "\n# nothing\n// at\n/* all */\n", DEFAULTS },
        { "version = 1;", DEFAULTS },
        { "version = 1L", DEFAULTS },
        { "version : 0x1;", DEFAULTS },
        { "rules = ();", DEFAULTS },
        { "retry = { };", DEFAULTS },
        { "startup = \"apply\";", DEFAULTS },
        { "startup = \"ignore\";", false, 600 * S, 200 * MS, 30 * S, 10 },
        { "reconcile = \"off\";", true, 0, 200 * MS, 30 * S, 10 },
        { "reconcile = \"1s\";", true, S, 200 * MS, 30 * S, 10 },
        { "reconcile = \"1000ms\";", true, S, 200 * MS, 30 * S, 10 },
        { "reconcile = \"90\";", true, 90 * S, 200 * MS, 30 * S, 10 },
        { "reconcile = \"24h\";", true, 86400 * S, 200 * MS, 30 * S, 10 },
        { "retry = { first = \"1ms\"; };", true, 600 * S, 1 * MS, 30 * S, 10 },
        { "retry = { first = \"1000us\"; };", true, 600 * S, 1 * MS, 30 * S, 10 },
        { "retry = { first = \"30s\"; };", true, 600 * S, 30 * S, 30 * S, 10 },
        { "retry = { max = \"1h\"; };", true, 600 * S, 200 * MS, 3600 * S, 10 },
        { "retry = { first = \"1h\"; max = \"60min\"; };", true, 600 * S, 3600 * S, 3600 * S, 10 },
        { "retry = { max = \"1ms\"; first = \"1ms\"; };", true, 600 * S, 1 * MS, 1 * MS, 10 },
        { "retry = { attempts = 1; };", true, 600 * S, 200 * MS, 30 * S, 1 },
        { "retry = { attempts = 100L; };", true, 600 * S, 200 * MS, 30 * S, 100 },
        { "version = 1; startup = \"ignore\"; reconcile = \"5min\"; retry = { first = \"50ms\"; max = \"2s\"; attempts = 3; };",
          false, 300 * S, 50 * MS, 2 * S, 3 },
};

START_TEST(test_settings) {
        struct loaded l = load_text(setting_rows[_i].text);

        expect_rules(&l, "");
        ck_assert_uint_eq(l.problems.n, 0);
        ck_assert_int_eq(l.policy->startup_apply, setting_rows[_i].startup_apply);
        ck_assert_uint_eq(l.policy->reconcile_usec, setting_rows[_i].reconcile);
        ck_assert_uint_eq(l.policy->retry.first_usec, setting_rows[_i].first);
        ck_assert_uint_eq(l.policy->retry.max_usec, setting_rows[_i].max);
        ck_assert_uint_eq(l.policy->retry.attempts, setting_rows[_i].attempts);
        done(&l);
}
END_TEST

static const struct {
        const char *text;
        uint64_t interval, waiting;
} alert_rows[] = {
        { "", 60 * S, 3600 * S },
        { "alerts = { };", 60 * S, 3600 * S },
        { "alerts = { interval = \"1s\"; };", S, 3600 * S },
        { "alerts = { interval = \"24h\"; };", 86400 * S, 3600 * S },
        { "alerts = { interval = \"off\"; };", 0, 3600 * S },
        { "alerts = { offline_after = \"1s\"; };", 60 * S, S },
        { "alerts = { offline_after = \"8760h\"; };", 60 * S, 365 * 86400 * S },
        { "alerts = { offline_after = \"off\"; interval = \"30min\"; };", 1800 * S, 0 },
};

START_TEST(test_alerts) {
        struct loaded l = load_text(alert_rows[_i].text);

        expect_rules(&l, "");
        ck_assert_uint_eq(l.problems.n, 0);
        ck_assert_uint_eq(l.policy->alerts.interval_usec, alert_rows[_i].interval);
        ck_assert_uint_eq(l.policy->alerts.waiting_usec, alert_rows[_i].waiting);
        done(&l);
}
END_TEST

#define LONGEST_NAME "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
        const char *text; /* of the rule */
        const char *name;
        source_mask sources;
        const char *nodes; /* "FIRST-LAST FIRST-LAST" */
        enum action action, fallback;
} rule_rows[] = {
        { "action = \"online\";", "rule-1", 0, "", ACTION_ONLINE, ACTION_LEAVE_OFFLINE },
        { "action = \"online_kernel\";", "rule-1", 0, "", ACTION_ONLINE_KERNEL, ACTION_LEAVE_OFFLINE },
        { "action = \"online_movable\"; match = { };", "rule-1", 0, "", ACTION_ONLINE_MOVABLE, ACTION_LEAVE_OFFLINE },
        { "name = \"it's a [name]!\"; action = \"leave_offline\"", "it's a [name]!", 0, "", ACTION_LEAVE_OFFLINE, ACTION_LEAVE_OFFLINE },
        { "name = \"" LONGEST_NAME "\"; action = \"online\"", LONGEST_NAME, 0, "", ACTION_ONLINE, ACTION_LEAVE_OFFLINE },
        { "fallback = \"online_kernel\"; action = \"online_movable\"", "rule-1", 0, "", ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL },
        { "action = \"online_movable\"; fallback = \"online\"", "rule-1", 0, "", ACTION_ONLINE_MOVABLE, ACTION_ONLINE },
        { "action = \"online\"; match = { source = \"dimm\"; };", "rule-1", SOURCE_BIT(SOURCE_DIMM), "", ACTION_ONLINE, 0 },
        { "action = \"online\"; match : { source = [ \"pmem\" \"cxl\" ]; };", "rule-1", 0, NULL, 0, 0 }, /* see below */
        { "action = \"online\"; match = { source = [ \"pmem\", \"cxl\" ]; };", "rule-1",
          SOURCE_BIT(SOURCE_PMEM) | SOURCE_BIT(SOURCE_CXL), "", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { source = ( \"boot\", \"unknown\", \"boot\" ); };", "rule-1",
          SOURCE_BIT(SOURCE_BOOT) | SOURCE_BIT(SOURCE_UNKNOWN), "", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { node = 0; };", "rule-1", 0, "0-0", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { node = 1023; };", "rule-1", 0, "1023-1023", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { node = \"7\"; };", "rule-1", 0, "7-7", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { node = \"1-3,5\"; };", "rule-1", 0, "1-3 5-5", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { node = \"1-\"; };", "rule-1", 0, "1-18446744073709551615", ACTION_ONLINE, 0 },
        { "action = \"online\"; match = { node = \"0-1023\"; source = \"hmem\"; };", "rule-1", SOURCE_BIT(SOURCE_HMEM),
          "0-1023", ACTION_ONLINE, 0 },
};

START_TEST(test_rule) {
        char text[512], nodes[256] = "";
        const struct rule *r;
        struct loaded l;

        snprintf(text, sizeof(text), "\nrules = (\n  { %s }\n);", rule_rows[_i].text);
        if (!rule_rows[_i].nodes) { /* a forgotten comma: libconfig joins strings that follow each other */
                expect_text_error(text, 3, "\"pmemcxl\" is not a source");
                return;
        }
        l = load_text(text);
        expect_rules(&l, rule_rows[_i].name);
        ck_assert_uint_eq(l.problems.n, 0);
        r = &l.policy->rules[0];
        ck_assert_str_eq(r->file, at("policy"));
        ck_assert_uint_eq(r->line, 3);
        ck_assert_int_eq(r->action, rule_rows[_i].action);
        ck_assert_int_eq(r->fallback, rule_rows[_i].fallback);
        ck_assert_uint_eq(r->match.sources, rule_rows[_i].sources);
        for (size_t i = 0, n = 0; i < r->match.nodes.n; i++)
                n += (size_t) snprintf(nodes + n, sizeof(nodes) - n, "%s%" PRIu64 "-%" PRIu64, i ? " " : "",
                                       r->match.nodes.items[i].first, r->match.nodes.items[i].last);
        ck_assert_str_eq(nodes, rule_rows[_i].nodes);
        done(&l);
}
END_TEST

#define GIB (UINT64_C(1) << 30)

/* A rule with all its conditions, and one with the least. */
START_TEST(test_conditions) {
        struct loaded l = load_text("rules = (\n"
                                    "{ match = { source = \"dimm\"; node = \"1-3\"; address = \"4G-8G,16G-\"; size = \"16G-32G\";"
                                    " device = [ \"PNP0C80:*\", \"dax[0-3].0\" ]; platform = [ \"vm\", \"zvm\" ]; tier = \"4-\"; };"
                                    " action = \"online_movable\"; },\n"
                                    "{ match = { device = \"dax0.0\"; tier = 4; platform = \"baremetal\";"
                                    " architecture = [ \"arm64\", \"x86_64\" ]; }; action = \"online\"; } );");
        const struct match *m;

        ck_assert_uint_eq(l.problems.n, 0);
        expect_rules(&l, "rule-1 rule-2");
        m = &l.policy->rules[0].match;
        ck_assert_uint_eq(m->addresses.n, 2);
        ck_assert_uint_eq(m->addresses.items[0].first, 4 * GIB);
        ck_assert_uint_eq(m->addresses.items[0].last, 8 * GIB - 1); /* the end of a range of addresses is outside */
        ck_assert_uint_eq(m->addresses.items[1].first, 16 * GIB);
        ck_assert_uint_eq(m->addresses.items[1].last, UINT64_MAX);
        ck_assert_uint_eq(m->sizes.n, 1);
        ck_assert_uint_eq(m->sizes.items[0].first, 16 * GIB);
        ck_assert_uint_eq(m->sizes.items[0].last, 32 * GIB); /* a device of just that size is meant, too */
        ck_assert_uint_eq(m->n_devices, 2);
        ck_assert_str_eq(m->devices[0], "PNP0C80:*");
        ck_assert_str_eq(m->devices[1], "dax[0-3].0");
        ck_assert_uint_eq(m->platforms, PLATFORM_BIT(PLATFORM_VM) | PLATFORM_BIT(PLATFORM_ZVM));
        ck_assert_uint_eq(m->tiers.n, 1);
        ck_assert_uint_eq(m->tiers.items[0].first, 4);
        m = &l.policy->rules[1].match;
        ck_assert_str_eq(m->devices[0], "dax0.0");
        ck_assert_uint_eq(m->tiers.items[0].last, 4);
        ck_assert_uint_eq(m->platforms, PLATFORM_BIT(PLATFORM_BAREMETAL));
        ck_assert_uint_eq(m->architectures, PLATFORM_BIT(PLATFORM_ARM64) | PLATFORM_BIT(PLATFORM_X86_64));
        done(&l);
}
END_TEST

static const struct {
        const char *text; /* of the rule */
        enum action action, fallback;
        struct balance_rule balance;
        bool rollback;
} balance_rows[] = {
        { "action = \"balance\";", ACTION_BALANCE, 0, { 301, true, false }, false },
        { "action = \"balance\"; movable_ratio = 0;", ACTION_BALANCE, 0, { 0, true, false }, false },
        { "action = \"balance\"; movable_ratio = 1000000;", ACTION_BALANCE, 0, { 1000000, true, false }, false },
        { "numa_aware = false; movable_ratio = 400; action = \"balance\";", ACTION_BALANCE, 0, { 400, false, false }, false },
        { "action = \"balance\"; count_hot_kernel = true; on_partial = \"rollback\";", ACTION_BALANCE, 0,
          { 301, true, true }, true },
        { "action = \"balance\"; fallback = \"online_movable\";", ACTION_BALANCE, ACTION_ONLINE_MOVABLE, { 301, true, false },
          false },
        { "action = \"online_movable\";", ACTION_ONLINE_MOVABLE, 0, { 0, false, false }, false },
        { "action = \"online_movable\"; max_movable_ratio = 400; fallback = \"online_kernel\"; on_partial = \"keep\";",
          ACTION_ONLINE_MOVABLE, ACTION_ONLINE_KERNEL, { 400, false, false }, false },
        { "action = \"online_movable\"; max_movable_ratio = 1; numa_aware = true; count_hot_kernel = true;",
          ACTION_ONLINE_MOVABLE, 0, { 1, true, true }, false },
};

START_TEST(test_balance) {
        char text[512];
        const struct rule *r;
        struct loaded l;

        snprintf(text, sizeof(text), "rules = ( { %s } );", balance_rows[_i].text);
        l = load_text(text);
        expect_rules(&l, "rule-1");
        ck_assert_uint_eq(l.problems.n, 0);
        r = &l.policy->rules[0];
        ck_assert_int_eq(r->action, balance_rows[_i].action);
        ck_assert_int_eq(r->fallback, balance_rows[_i].fallback);
        ck_assert_uint_eq(r->balance.ratio, balance_rows[_i].balance.ratio);
        if (r->balance.ratio) {
                ck_assert_int_eq(r->balance.numa_aware, balance_rows[_i].balance.numa_aware);
                ck_assert_int_eq(r->balance.hot_extends, balance_rows[_i].balance.hot_extends);
        }
        ck_assert_int_eq(r->rollback, balance_rows[_i].rollback);
        done(&l);
}
END_TEST

/* Every word that the code knows is one that people can write. */
static const char *const unit_names[] = {
        "", "resize-tmpfs.service", "a.target", "kubelet@node-1.service", "dev-disk\\\\x2dby.service", "A:b_c.9.target",
};

START_TEST(test_unit) {
        char text[512], wanted[64];
        struct loaded l;

        snprintf(text, sizeof(text), "on_add_completed = \"%s\";", unit_names[_i]);
        l = load_text(text);
        ck_assert_int_eq(l.r, 0);
        /* libconfig's strings have escapes of their own. */
        snprintf(wanted, sizeof(wanted), "%s", strstr(unit_names[_i], "dev-disk") ? "dev-disk\\x2dby.service" : unit_names[_i]);
        ck_assert_str_eq(l.policy->on_add_completed, wanted);
        done(&l);
}
END_TEST

/* As long as systemd's names may be, and longer. */
START_TEST(test_long_unit) {
        char name[UNIT_NAME_MAX + 1], text[2 * UNIT_NAME_MAX];

        memset(name, 'x', sizeof(name));
        for (size_t n = UNIT_NAME_MAX - 2; n <= UNIT_NAME_MAX; n++) {
                struct loaded l;

                strcpy(name + n - strlen(".service"), ".service");
                snprintf(text, sizeof(text), "on_add_completed = \"%s\";", name);
                l = load_text(text);
                ck_assert_int_eq(l.r, n < UNIT_NAME_MAX ? 0 : -EBADMSG);
                if (l.r == 0)
                        ck_assert_str_eq(l.policy->on_add_completed, name);
                done(&l);
        }
}
END_TEST

START_TEST(test_words) {
        char text[256];
        struct loaded l;

        for (enum source s = 0; s < _SOURCE_MAX; s++)
                for (enum action a = 0; a < _ACTION_MAX; a++) {
                        enum action fallback = a == ACTION_BALANCE ? ACTION_ONLINE_KERNEL : a;

                        snprintf(text, sizeof(text), "rules = ( { match = { source = \"%s\"; }; action = \"%s\"; fallback = \"%s\"; } );",
                                 source_to_string(s), action_to_string(a), action_to_string(fallback));
                        l = load_text(text);
                        expect_rules(&l, "rule-1");
                        ck_assert_uint_eq(l.policy->rules[0].match.sources, SOURCE_BIT(s));
                        ck_assert_int_eq(l.policy->rules[0].action, a);
                        ck_assert_int_eq(l.policy->rules[0].fallback, fallback);
                        done(&l);
                }
}
END_TEST

/* ---- values that are wrong ----------------------------------------------------------------------------------------- */

enum { NUMBER = 1, NUMBER64 = 2, FRACTION = 4, STRING = 8, BOOL = 16, ARRAY = 32, LIST = 64, GROUP = 128 };

static const struct {
        int type;
        const char *text, *found;
} values[] = {
        { NUMBER, "3", "found a number" },       { NUMBER64, "3L", "found a number" },
        { FRACTION, "1.5", "found a fraction" }, { STRING, "\"x\"", "found a string" },
        { BOOL, "true", "found true or false" }, { ARRAY, "[ 1 ]", "found an array" },
        { LIST, "( 1 )", "found a list" },       { GROUP, "{ a = 1; }", "found a group" },
};

static const struct {
        const char *before, *after, *key;
        int taken;
} typed_rows[] = {
        { "version = ", ";", "version: ", NUMBER | NUMBER64 },
        { "startup = ", ";", "startup: ", STRING },
        { "reconcile = ", ";", "reconcile: ", STRING },
        { "retry = ", ";", "retry: ", GROUP },
        { "retry = { first = ", "; };", "retry.first: ", STRING },
        { "on_add_completed = ", ";", "on_add_completed: ", STRING },
        { "retry = { max = ", "; };", "retry.max: ", STRING },
        { "retry = { attempts = ", "; };", "retry.attempts: ", NUMBER | NUMBER64 },
        { "alerts = ", ";", "alerts: ", GROUP },
        { "alerts = { interval = ", "; };", "alerts.interval: ", STRING },
        { "alerts = { offline_after = ", "; };", "alerts.offline_after: ", STRING },
        { "rules = ", ";", "rules: ", LIST },
        { "rules = ( ", " );", "rules: ", GROUP },
        { "rules = ( { action = \"online\"; name = ", "; } );", "name: ", STRING },
        { "rules = ( { action = \"online\"; match = ", "; } );", "match: ", GROUP },
        { "rules = ( { action = ", "; } );", "action: ", STRING },
        { "rules = ( { action = \"online\"; fallback = ", "; } );", "fallback: ", STRING },
        { "rules = ( { action = \"online\"; match = { source = ", "; }; } );", "match.source: ", STRING | ARRAY | LIST },
        { "rules = ( { action = \"online\"; match = { source = ( \"dimm\", ", " ); }; } );", "match.source: ", STRING },
        { "rules = ( { action = \"online\"; match = { node = ", "; }; } );", "match.node: ", STRING | NUMBER },
};

START_TEST(test_types) {
        char text[256], part[64];

        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                struct loaded l;
                const char *path;

                if (typed_rows[_i].taken & values[i].type)
                        continue;
                snprintf(text, sizeof(text), "# a line\n\n%s%s%s", typed_rows[_i].before, values[i].text, typed_rows[_i].after);
                path = write_text("policy", text);
                l = load(path);
                ck_assert_msg(l.problems.n == 1, "%s: %zu errors", text, l.problems.n);
                expect_problem(&l, 0, false, path, 3, typed_rows[_i].key);
                snprintf(part, sizeof(part), ", %s", values[i].found);
                expect_problem(&l, 0, false, path, 3, part);
                done(&l);
        }
}
END_TEST

#define RULE(text) "\nrules = ( { action = \"online\"; " text " } );"
#define BALANCE(text) "rules = ( { action = \"balance\"; " text " } );"
#define MOVABLE(text) "rules = ( { action = \"online_movable\"; " text " } );"
#define MATCH(text) RULE("match = { " text " };")

static const struct {
        const char *text;
        unsigned line;
        const char *part;
} wrong_rows[] = {
        { "version = 0;", 1, "version: 0 is out of range (1 to 1)" },
        { "version = 2;", 1, "version: 2 is out of range" },
        { "version = -1;", 1, "version: -1 is out of range" },
        { "version = 4294967297L;", 1, "version: 4294967297 is out of range" },
        { "retry = { attempts = 0; };", 1, "retry.attempts: 0 is out of range (1 to 100)" },
        { "retry = { attempts = 101; };", 1, "retry.attempts: 101 is out of range" },
        { "retry = { attempts = -1; };", 1, "retry.attempts: -1 is out of range" },
        { "retry = { attempts = 2147483647; };", 1, "retry.attempts: 2147483647 is out of range" },
        { "retry = { attempts = 4294967306L; };", 1, "retry.attempts: 4294967306 is out of range" },
        { "retry = { attempts = 0x10000000AL; };", 1, "retry.attempts: 4294967306 is out of range" },
        { "retry = { attempts = 99999999999999999999L; };", 1, "is out of range" },
        { "\n\nretry = {\n  first = \"1s\";\n  max =\n    \"1ms\";\n};", 3, "retry: max is shorter than first" },
        { "retry = { first = \"31s\"; };", 1, "retry: max is shorter than first" },
        { "retry = { first = \"999us\"; };", 1, "retry.first: \"999us\" is out of range (1 ms to 3600 s)" },
        { "retry = { first = \"3600000001us\"; max = \"1h\"; };", 1, "retry.first: \"3600000001us\" is out of range" },
        { "retry = { max = \"3600000001us\"; };", 1, "retry.max: \"3600000001us\" is out of range" },
        { "reconcile = \"86400000001us\";", 1, "reconcile: \"86400000001us\" is out of range" },
        { "reconcile = \"999999us\";", 1, "reconcile: \"999999us\" is out of range" },
        { "retry = { first = \"0\"; };", 1, "retry.first: \"0\" is out of range" },
        { "retry = { max = \"61min\"; };", 1, "retry.max: \"61min\" is out of range" },
        { "retry = { max = \"\"; };", 1, "retry.max: \"\" is not a time" },
        { "retry = { max = \"8G\"; };", 1, "retry.max: \"8G\" is not a time" },
        { "retry = { max = \"off\"; };", 1, "retry.max: \"off\" is not a time" },
        { "reconcile = \"999ms\";", 1, "reconcile: \"999ms\" is out of range (1000 ms to 86400 s)" },
        { "reconcile = \"0\";", 1, "reconcile: \"0\" is out of range" },
        { "reconcile = \"25h\";", 1, "reconcile: \"25h\" is out of range" },
        { "reconcile = \"-1s\";", 1, "reconcile: \"-1s\" is not a time" },
        { "on_add_completed = \"resize-tmpfs\";", 1, "on_add_completed: \"resize-tmpfs\" is not the full name of a .service or .target" },
        { "on_add_completed = \".service\";", 1, "is not the full name" },
        { "on_add_completed = \"swap.mount\";", 1, "is not the full name" },
        { "on_add_completed = \"/etc/x.service\";", 1, "is not the full name" },
        { "on_add_completed = \"a b.service\";", 1, "is not the full name" },
        { "on_add_completed = \"a;b.service\";", 1, "is not the full name" },
        { "on_add_completed = \"a@.service\";", 1, "is not the full name" },
        { "on_add_completed = \"@a.service\";", 1, "is not the full name" },
        { "on_add_completed = \"x.service \";", 1, "is not the full name" },
        { "reconcile = \"1.5s\";", 1, "reconcile: \"1.5s\" is not a time" },
        { "reconcile = \"1 s\";", 1, "reconcile: \"1 s\" is not a time" },
        { "reconcile = \"1d\";", 1, "reconcile: \"1d\" is not a time" },
        { "alerts = { interval = \"999ms\"; };", 1, "alerts.interval: \"999ms\" is out of range (1000 ms to 86400 s)" },
        { "alerts = { interval = \"25h\"; };", 1, "alerts.interval: \"25h\" is out of range" },
        { "alerts = { interval = \"no\"; };", 1, "alerts.interval: \"no\" is not a time" },
        { "alerts = { offline_after = \"8761h\"; };", 1, "alerts.offline_after: \"8761h\" is out of range" },
        { "alerts = { offline_after = \"0\"; };", 1, "alerts.offline_after: \"0\" is out of range" },
        { "alerts = {\n  offline = \"1h\";\n};", 2, "alerts: \"offline\" is not a key" },
        { "reconcile = \"OFF\";", 1, "reconcile: \"OFF\" is not a time" },
        { "reconcile = \"18446744073709551615h\";", 1, "reconcile: \"18446744073709551615h\"" },
        { "reconcile = \"18446744073709551617s\";", 1, "reconcile: \"18446744073709551617s\"" },
        { "startup = \"\";", 1, "startup: expected \"ignore\" or \"apply\", found \"\"" },
        { "startup = \"Apply\";", 1, "found \"Apply\"" },
        { "\nrules = (\n  { },\n);", 4, "syntax error" },
        { "\nrules = (\n  { }\n);", 3, "rule \"rule-1\" has no action" },
        { "\nrules = (\n  { action = \"online\"; },\n\n  { name = \"x\"; }\n);", 5, "rule \"x\" has no action" },
        { "rules = (\n { action = \"movable\"; } );", 2,
          "action: \"movable\" is not an action; known are leave_offline, online, online_kernel, online_movable, balance" },
        { RULE("\nfallback = \"offline\";"), 3, "fallback: \"offline\" is not an action; did you mean \"online\"? Known are" },
        { RULE("name = \"\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"" LONGEST_NAME "x\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"a\\nb\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"a\tb\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"\\x1b[2J\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"\x1b[2J\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"\x7f\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"na\xc3\xafve\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"a\\\"b\";"), 2, "name: at most 64 printable" },
        { RULE("name = \"a\\\\b\";"), 2, "name: at most 64 printable" },
        { MATCH("source = \"nvdimm\";"), 2, "match.source: \"nvdimm\" is not a source; did you mean \"dimm\"? Known are unknown, boot, dimm, virtio-mem, pmem" },
        { MATCH("source = [ \"dimm\",\n\"DIMM\" ];"), 3, "match.source: \"DIMM\" is not a source" },
        { MATCH("source = \"\";"), 2, "match.source: \"\" is not a source" },
        { MATCH("source = \"dimm,pmem\";"), 2, "match.source: \"dimm,pmem\" is not a source" },
        { MATCH("source = [ ];"), 2, "match.source: expected a source in quotes or a list of them, found an empty list" },
        { MATCH("source = ( );"), 2, "found an empty list" },
        { MATCH("node = -1;"), 2, "match.node: \"-1\" is not of the form \"1-3,5\"" },
        { MATCH("node = 1024;"), 2, "match.node: \"1024\" is out of range (0 to 1023)" },
        { MATCH("node = \"1-1024\";"), 2, "match.node: \"1-1024\" is out of range" },
        { MATCH("node = \"1024-\";"), 2, "match.node: \"1024-\" is out of range" },
        { MATCH("node = \"4294967296\";"), 2, "match.node: \"4294967296\" is out of range" },
        { MATCH("node = \"18446744073709551616\";"), 2, "match.node: \"18446744073709551616\"" },
        { MATCH("node = \"3-1\";"), 2, "match.node: \"3-1\" is not of the form \"1-3,5\"" },
        { MATCH("node = \"\";"), 2, "match.node: \"\" is not of the form \"1-3,5\"" },
        { MATCH("node = \"1,\";"), 2, "match.node: \"1,\" is not of the form \"1-3,5\"" },
        { MATCH("node = \"1, 2\";"), 2, "match.node: \"1, 2\" is not of the form \"1-3,5\"" },
        { MATCH("node = \"all\";"), 2, "match.node: \"all\" is not of the form \"1-3,5\"" },
        { MATCH("address = 4096;"), 2, "match.address: expected a range in quotes, found a number" },
        { MATCH("address = \"8G-4G\";"), 2, "match.address: \"8G-4G\" is not of the form \"4G-8G\"" },
        { MATCH("address = \"\";"), 2, "match.address: \"\" is not of the form" },
        { MATCH("size = \"big\";"), 2, "match.size: \"big\" is not of the form \"16G-\"" },
        { MATCH("size = true;"), 2, "match.size: expected a range in quotes, found true or false" },
        { MATCH("device = \"\";"), 2, "match.device: at most 64 printable" },
        { MATCH("device = [ ];"), 2, "match.device: expected a device or a pattern" },
        { MATCH("device = [ \"dax*\",\n\"a\\\\b\" ];"), 3, "match.device: at most 64 printable" },
        { MATCH("device = 7;"), 2, "match.device: expected a device or a pattern in quotes" },
        { MATCH("platform = \"bare-metal\";"), 2, "match.platform: \"bare-metal\" is not a platform; did you mean \"baremetal\"?" },
        { MATCH("platform = [ \"vm\", \"KVM\" ];"), 2, "match.platform: \"KVM\" is not a platform" },
        { MATCH("platform = \"s390x\";"), 2, "match.platform: \"s390x\" is not a platform" },
        { MATCH("architecture = \"amd64\";"), 2, "match.architecture: \"amd64\" is not an architecture; did you mean \"arm64\"? Known are x86, x86-64," },
        { MATCH("architecture = [ \"kvm\" ];"), 2, "match.architecture: \"kvm\" is not an architecture" },
        { MATCH("architecture = 64;"), 2, "match.architecture: expected an architecture in quotes" },
        { MATCH("tier = \"fast\";"), 2, "match.tier: \"fast\" is not of the form \"4-\"" },
        { MATCH("tier = 40000;"), 2, "match.tier: \"40000\" is out of range (0 to 32767)" },
        /* figures, and where they belong */
        { RULE("movable_ratio = 301;"), 2, "movable_ratio: belongs to action \"balance\", not to \"online\"" },
        { RULE("\nmax_movable_ratio = 301;"), 3, "max_movable_ratio: belongs to" },
        { RULE("numa_aware = true;"), 2, "numa_aware: belongs to action \"balance\" or to max_movable_ratio of \"online_movable\"" },
        { RULE("count_hot_kernel = true;"), 2, "count_hot_kernel: belongs to" },
        { BALANCE("movable_ratio = -1;"), 1, "movable_ratio: -1 is out of range (0 to 1000000)" },
        { BALANCE("movable_ratio = 1000001;"), 1, "movable_ratio: 1000001 is out of range" },
        { BALANCE("movable_ratio = 4294967597L;"), 1, "movable_ratio: 4294967597 is out of range" },
        { BALANCE("movable_ratio = \"301\";"), 1, "movable_ratio: expected a number, found a string" },
        { BALANCE("movable_ratio = 3.01;"), 1, "movable_ratio: expected a number, found a fraction" },
        { BALANCE("max_movable_ratio = 301;"), 1, "max_movable_ratio: belongs to" },
        { BALANCE("numa_aware = 1;"), 1, "numa_aware: expected true or false, found a number" },
        { BALANCE("count_hot_kernel = \"yes\";"), 1, "count_hot_kernel: expected true or false, found a string" },
        { BALANCE("fallback = \"balance\";"), 1, "fallback: \"balance\" chooses a zone itself" },
        { MOVABLE("max_movable_ratio = 0;"), 1, "max_movable_ratio: 0 is out of range (1 to 1000000)" },
        { MOVABLE("movable_ratio = 301;"), 1, "movable_ratio: belongs to action \"balance\", not to \"online_movable\"" },
        { MOVABLE("numa_aware = true;"), 1, "numa_aware: belongs to" }, /* without the guard */
        { MOVABLE("max_movable_ratio = 301; fallback = \"online\";"), 1,
          "fallback: expected \"online_kernel\" or \"leave_offline\" beside max_movable_ratio, found \"online\"" },
        { MOVABLE("max_movable_ratio = 301; fallback = \"online_movable\";"), 1, "fallback: expected \"online_kernel\"" },
        /* keys that do not exist, at every level */
        { "version = 1;\nstart = \"apply\";", 2, "the file: \"start\" is not a key; did you mean \"startup\"? Known are version, kernel_auto_online, startup, offline_timeout, reconcile, retry, on_add_completed, alerts, rules" },
        { "Version = 1;", 1, "the file: \"Version\" is not a key; did you mean \"version\"?" },
        { "retry = {\n  first = \"1s\";\n  last = \"2s\";\n};", 3, "retry: \"last\" is not a key; known are first, max, attempts" },
        { RULE("\n\nactions = \"online\";"), 4, "a rule: \"actions\" is not a key; did you mean \"action\"? Known are name, match, action, fallback" },
        { MATCH("\nsource_ = \"16G-\";"), 3, "match: \"source_\" is not a key; did you mean \"source\"? Known are source, node, address, size" },
        { MATCH("\nsource = { name = \"dimm\"; };"), 3, "match.source: expected a source in quotes, found a group" },
        /* what libconfig itself finds */
        { "version 1;", 1, "syntax error" },
        { "version = ;", 1, "syntax error" },
        { "\n\nversion = 1;\n}\n", 4, "syntax error" },
        { "version = 1;\nversion = 1;", 2, "duplicate setting name" },
        { RULE("action = \"online\";"), 2, "duplicate setting name" },
        { MATCH("source = [ \"dimm\", 1 ];"), 2, "mismatched element type" },
        { "\nstartup = \"apply;\n\n", 2, "string that is never closed" },
        { "rules = (\n  { action = \"online\"; }\n", 3, "syntax error" },
        { "rules = [ { action = \"online\"; } ];", 1, "syntax error" },
        { "startup = 'apply';", 1, "syntax error" },
        { "\xef\xbb\xbfversion = 1;", 1, "syntax error" },
};

START_TEST(test_wrong) {
        expect_text_error(wrong_rows[_i].text, wrong_rows[_i].line, wrong_rows[_i].part);
}
END_TEST

/* libconfig keeps 32 bits of a number and says nothing: what was written must not become another number. */
static const char *const huge_numbers[] = {
        "retry = { attempts =\n4294967306; };", "retry = { attempts =\n0x10000000A; };", "retry = { attempts =\n18446744073709551626; };",
        "retry = { attempts =\n-4294967286; };", "version =\n4294967297;", "version =\n0x100000001;",
        "rules = ( { action = \"online\"; match = { node =\n4294967297; }; } );",
        "rules = ( { action = \"online\"; match = { node =\n0x100000001; }; } );",
};

START_TEST(test_huge_numbers) {
        const char *path = write_text("policy", huge_numbers[_i]);
        struct loaded l = load(path);

        ck_assert_msg(l.r == -EBADMSG, "accepted: %s", huge_numbers[_i]);
        ck_assert_str_eq(l.problems.items[0].file, path);
        ck_assert_uint_ge(l.problems.items[0].line, 1);
        ck_assert_uint_le(l.problems.items[0].line, 2);
        done(&l);
}
END_TEST

/* Whatever somebody writes into a value, one line of text comes out: load() looks at each. */
START_TEST(test_control_characters) {
        static const char *const keys[] = {
                "startup = \"%s\";", "reconcile = \"%s\";", "retry = { first = \"%s\"; };", "rules = ( { action = \"%s\"; } );",
                "rules = ( { action = \"online\"; match = { source = \"%s\"; }; } );",
                "rules = ( { action = \"online\"; match = { node = \"%s\"; }; } );",
        };
        static const char *const strings[] = { "1\\n/etc/passwd:1: gone", "\\x1b[2J", "\x1b[31m", "\r", "\x7f", "a\tb", "\x01" };
        char text[256];

        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
                for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
                        struct loaded l;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                        snprintf(text, sizeof(text), keys[k], strings[i]);
#pragma GCC diagnostic pop
                        l = load_text(text);
                        ck_assert_uint_eq(l.problems.n_errors, 1);
                        done(&l);
                }
}
END_TEST

/* ---- all errors in one pass ---------------------------------------------------------------------------------------- */

START_TEST(test_all_errors) {
        static const struct {
                unsigned line;
                const char *part;
        } wanted[] = {
                { 1, "version: 7" },         { 2, "\"colour\"" },       { 3, "startup: " },          { 4, "reconcile: " },
                { 6, "retry.first: " },      { 7, "retry.attempts: " }, { 8, "retry: \"min\" is not a key" },   { 12, "name: " },
                { 13, "match.size: \"big\"" }, { 14, "\"tape\"" },        { 14, "\"disk\"" },          { 15, "match.node: " },
                { 17, "\"offline\"" },       { 18, "fallback: " },      { 20, "rules: expected" },   { 21, "\"x\" has no action" },
                { 23, "a rule: \"when\" is not a key" },
        };
        const char *path = write_text("policy",
                "version = 7;\n"
                "colour = \"red\";\n"
                "startup = \"maybe\";\n"
                "reconcile = 10;\n"
                "retry = {\n"
                "  first = \"soon\";\n"
                "  attempts = 1000;\n"
                "  min = \"1s\";\n"
                "};\n"
                "rules = (\n"
                "  {\n"
                "    name = \"\\a\";\n"
                "    match = { size = \"big\";\n"
                "      source = [ \"dimm\", \"tape\", \"disk\" ];\n"
                "      node = \"one\";\n"
                "    };\n"
                "    action = \"offline\";\n"
                "    fallback = 3;\n"
                "  },\n"
                "  \"rule\",\n"
                "  { name = \"x\"; },\n"
                "  { action = \"online\";\n"
                "    when = \"never\"; }\n"
                ");\n");
        struct loaded l = load(path);

        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
                expect_problem(&l, i, false, path, wanted[i].line, wanted[i].part);
        ck_assert_uint_eq(l.problems.n, ARRAY_SIZE(wanted));
        done(&l);
}
END_TEST

/* A rule with another error must not hide that it says nothing to do. */
START_TEST(test_no_action_besides) {
        const char *path = write_text("policy", "rules = (\n  { name = \"\";\n    math = { }; }\n);");
        struct loaded l = load(path);

        expect_problem(&l, 0, false, path, 2, "name: ");
        expect_problem(&l, 1, false, path, 3, "a rule: \"math\" is not a key; did you mean \"match\"?");
        expect_problem(&l, 2, false, path, 2, "has no action");
        ck_assert_uint_eq(l.problems.n, 3);
        done(&l);
}
END_TEST

START_TEST(test_all_files) {
        const char *a = write_text(ETC D "a.conf", "startup = 1;"), *b = write_text(RUN D "b.conf", "oops"),
                   *c = write_text(LIB D "c.conf", "\nversion = 2;\nx = 1;"), *main_path = write_text(ETC "memhpd.conf", "\n\nretry = 3;");
        struct loaded l;

        ck_assert_int_eq(chmod(a, 0666), 0);
        l = load(NULL);
        expect_problem(&l, 0, false, main_path, 3, "retry: ");
        expect_problem(&l, 1, false, a, 0, "may be written by");
        expect_problem(&l, 2, false, b, 1, "syntax error");
        expect_problem(&l, 3, false, c, 2, "version: ");
        expect_problem(&l, 4, false, c, 3, "the file: \"x\" is not a key");
        ck_assert_uint_eq(l.problems.n, 5);
        done(&l);
}
END_TEST

START_TEST(test_print) {
        struct problems p = {};
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        ck_assert_ptr_nonnull(f);
        problems_add(&p, false, "/a/file", 12, "%s: no", "x");
        problems_add(&p, true, "/b", 3, "odd");
        problems_add(&p, false, "/c", 0, "cannot be read");
        ck_assert_uint_eq(p.n_errors, 2);
        problems_print(&p, f);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_str_eq(text, "/a/file:12: x: no\n/b:3: warning: odd\n/c: cannot be read\n");
        free(text);
        problems_done(&p);
}
END_TEST

/* ---- bytes that are no configuration -------------------------------------------------------------------------------- */

/* Cut anywhere: the whole, or what stands before "rules", or an error that names a line of the text. */
START_TEST(test_truncated) {
        static const char text[] =
                "version = 1;\nstartup = \"ignore\";\nretry = { first = \"2s\"; max = \"9s\"; attempts = 9; };\n"
                "rules = (\n  # \"one\"\n  { name = \"a\"; match = { source = [ \"pmem\", \"cxl\" ]; }; action = \"leave_offline\"; },\n"
                "  { name = \"b\"; action = \"online_movable\"; fallback = \"online\"; }\n);\n";

        for (size_t size = 0; size < sizeof(text); size++) {
                const char *path = write_bytes("policy", text, size);
                struct loaded l = load(path);

                if (l.r == 0) {
                        expect_rules(&l, size > (size_t) (strstr(text, "rules") - text) ? "a b" : "");
                        ck_assert(l.policy->retry.attempts == 10 || l.policy->retry.attempts == 9);
                        ck_assert_uint_eq(l.policy->retry.max_usec, l.policy->retry.attempts == 9 ? 9 * S : 30 * S);
                } else {
                        ck_assert_uint_eq(l.problems.n, 1);
                        ck_assert_str_eq(l.problems.items[0].file, path);
                        ck_assert_uint_ge(l.problems.items[0].line, 1);
                        ck_assert_uint_le(l.problems.items[0].line, check_line_at(text, size) + 1);
                }
                done(&l);
        }
}
END_TEST

START_TEST(test_garbage) {
        struct prng prng = { 42 };
        char bytes[4096];

        for (int round = 0; round < 200; round++) {
                size_t size = 1 + prng_below(&prng, sizeof(bytes));
                struct loaded l;

                for (size_t i = 0; i < size; i++)
                        bytes[i] = (char) prng_next(&prng);
                bytes[0] = '\x01'; /* else it might be one long comment */
                l = load(write_bytes("policy", bytes, size));
                ck_assert_int_eq(l.r, -EBADMSG);
                ck_assert_uint_ge(l.problems.items[0].line, 1);
                done(&l);
        }
}
END_TEST

#define BYTES(s) s, sizeof(s) - 1

static const struct {
        const char *text;
        size_t size;
        unsigned line;
} nul_rows[] = {
        { BYTES("\0"), 1 },
        { BYTES("\0version = 1;\n"), 1 },
        { BYTES("version = 1;\n\0"), 2 },
        { BYTES("version = \0 1;\n"), 1 },
        { BYTES("startup = \"ignore\0 nothing\";\n"), 1 },
        { BYTES("\n\nrules = (\n  { action = \"online\0_movable\"; }\n);\n"), 4 },
        { BYTES("\nrules = ( { action = \"online\";\n match = { source = \"dimm\0\"; }; }\n);\n"), 3 },
        { BYTES("version = 1; # a \0 remark\nrules = ( { action = \"online\"; } );\n"), 1 },
        { BYTES("version = 1; /*\n\0*/\nrules = ( { action = \"online\"; } );\n"), 2 },
};

START_TEST(test_nul) {
        const char *path = write_bytes("policy", nul_rows[_i].text, nul_rows[_i].size);
        struct loaded l = load(path);

        ck_assert_msg(l.r == -EBADMSG, "what stands behind a NUL was lost without a word");
        ck_assert_str_eq(l.problems.items[0].file, path);
        ck_assert_uint_eq(l.problems.items[0].line, nul_rows[_i].line);
        done(&l);
}
END_TEST

/* All that follows would be lost, the rules among it. */
static const char *const open_texts[] = {
        "version = 1;\n/* the rules\nrules = ( { action = \"online\"; } );\n",
        "version = 1;\n/*/ the rules\nrules = ( { action = \"online\"; } );\n",
        "version = 1;\nstartup = /* \"ignore\";\n",
        "# /*\n/* the rules\n# */rules = ( { action = \"online\"; } );\n/*",
        "# \"\nstartup = \"ignore\n;",
        "startup = \"ignore\"\n\"",
        "startup = \"ignore\";\nreconcile = \"off\\\";\n",
};

START_TEST(test_open) {
        const char *path = write_text("policy", open_texts[_i]);
        struct loaded l = load(path);

        ck_assert_msg(l.r == -EBADMSG, "accepted: %s", open_texts[_i]);
        expect_problem(&l, 0, false, path, _i == 3 ? 4 : 2, "that is never closed");
        done(&l);
}
END_TEST

START_TEST(test_size) {
        size_t size = 1024 * 1024;
        char *text = malloc(size + 1);
        const char *path;
        struct loaded l;

        ck_assert_ptr_nonnull(text);
        memset(text, '\n', size + 1);
        memcpy(text + size - 12, "version = 1;", 12);
        l = load(write_bytes("policy", text, size));
        expect_rules(&l, "");
        done(&l);
        path = write_bytes("policy", text, size + 1);
        expect_error(path, path, 0, "is larger than 1 MiB");
        free(text);
}
END_TEST

/* The registry and the tally count rules in 16 bits, and each costs every block a look. */
START_TEST(test_many_rules) {
        static const char rule[] = "{action=\"online\";},\n";
        size_t n = 40000, length = 0;
        char *text = malloc(n * sizeof(rule) + 32);
        struct loaded l;

        ck_assert_ptr_nonnull(text);
        length += (size_t) sprintf(text, "rules=(");
        for (size_t i = 0; i < n; i++)
                length += (size_t) sprintf(text + length, "%s", rule);
        strcpy(text + length - 2, ");");
        l = load_text(text);
        ck_assert_msg(l.r == -EBADMSG, "%zu rules were accepted; INT16_MAX is all that struct entry holds", n);
        ck_assert_uint_eq(l.problems.n, 1);
        expect_problem(&l, 0, false, at("policy"), 1, "rules");
        done(&l);
        free(text);
}
END_TEST

/* ---- files that are none, or not to be trusted ----------------------------------------------------------------------- */

/* The same as main file, as drop-in, as the file that is named, and as one that another includes. */
enum place { PLACE_NAMED, PLACE_MAIN, PLACE_VENDOR, PLACE_DROPIN, PLACE_INCLUDED, PLACE_CHAIN, _PLACE_MAX };
#define GOOD "rules = ( { name = \"good\"; action = \"online\"; } );"

static const char *place_prepare(enum place p) {
        static const char *const names[] = { "named", ETC "memhpd.conf", LIB "memhpd.conf", RUN D "x.conf", "included", "chain" };
        char text[600];

        make_root();
        if (p == PLACE_DROPIN)
                write_text(LIB "memhpd.conf", "version = 1;");
        if (p == PLACE_MAIN)
                write_text(LIB "memhpd.conf", "garbage"); /* not looked at, even if the other is refused */
        if (p == PLACE_INCLUDED || p == PLACE_CHAIN) {
                snprintf(text, sizeof(text), "version = 1;\n@include \"%s\"\n", at(names[p]));
                write_text("named", text);
        }
        return at(names[p]);
}

static struct loaded place_load(enum place p) {
        return load(p == PLACE_NAMED || p == PLACE_INCLUDED || p == PLACE_CHAIN ? at("named") : NULL);
}

/* What stands in the place. A file that is included may only include another in turn: then nothing of its own is left to
 * tell where it came from. */
static void place_write(enum place p, const char *path) {
        char text[600];

        snprintf(text, sizeof(text), "@include \"%s\"\n", at("innermost"));
        if (p == PLACE_CHAIN)
                write_text("innermost", GOOD);
        write_text(path + strlen(root), p == PLACE_CHAIN ? text : GOOD);
}

static void expect_unsafe(enum place p, const char *path, const char *part) {
        struct loaded l = place_load(p);
        char text[1024];

        ck_assert_msg(l.r == -EBADMSG, "%s was accepted, though it %s", path, part);
        snprintf(text, sizeof(text), "%s: %s", l.problems.items[0].file, l.problems.items[0].text);
        ck_assert_msg(strstr(text, path) && strstr(text, part), "%s: wanted …%s…, got %s", path, part, text);
        ck_assert_uint_eq(l.problems.n, 1);
        done(&l);
}

START_TEST(test_modes) {
        static const mode_t good[] = { 0644, 0600, 0444, 0755, 04644 }, bad[] = { 0664, 0646, 0666, 0620, 0602, 0777, 01622 };
        const char *path = place_prepare((enum place) _i);
        struct loaded l;

        place_write((enum place) _i, path);
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                ck_assert_int_eq(chmod(path, good[i]), 0);
                l = place_load((enum place) _i);
                expect_rules(&l, "good");
                ck_assert_uint_eq(l.problems.n, 0);
                done(&l);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                ck_assert_int_eq(chmod(path, bad[i]), 0);
                expect_unsafe((enum place) _i, path, "may be written by group or others");
        }
}
END_TEST

START_TEST(test_owner) {
        const char *path;

        if (geteuid() != 0)
                return; /* only root can give a file away */
        path = place_prepare((enum place) _i);
        place_write((enum place) _i, path);
        ck_assert_int_eq(chown(path, 65534, 0), 0);
        expect_unsafe((enum place) _i, path, "is not owned by root");
}
END_TEST

static void make_directory(const char *path) {
        ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_fifo(const char *path) {
        ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_device(const char *path) {
        ck_assert_int_eq(symlink("/dev/null", path), 0);
}

static void make_dangling(const char *path) {
        ck_assert_int_eq(symlink("nowhere", path), 0);
}

static void make_loop(const char *path) {
        ck_assert_int_eq(symlink(path, path), 0);
}

static const struct {
        void (*make)(const char *path);
        const char *part;
} odd_files[] = {
        { make_directory, "is not a regular file" }, { make_fifo, "is not a regular file" }, { make_device, "is not a regular file" },
        { make_dangling, "No such file" },           { make_loop, "Too many levels of symbolic links" },
};

/* None of them hangs, ends the process, or makes the vendor's policy hold instead. */
START_TEST(test_odd_files) {
        enum place place = (enum place) (_i % _PLACE_MAX);
        const char *path = place_prepare(place);

        if (place == PLACE_CHAIN)
                return; /* as PLACE_INCLUDED */
        odd_files[_i / _PLACE_MAX].make(path);
        alarm(20);
        expect_unsafe(place, path, odd_files[_i / _PLACE_MAX].part);
        alarm(0);
}
END_TEST

START_TEST(test_symlink) {
        const char *path = place_prepare((enum place) _i);
        struct loaded l;

        ck_assert_int_eq(symlink(write_text("target", GOOD), path), 0);
        l = place_load((enum place) _i);
        expect_rules(&l, "good");
        done(&l);
        ck_assert_int_eq(chmod(at("target"), 0666), 0); /* the file counts, not the link */
        expect_unsafe((enum place) _i, path, "may be written by group or others");
}
END_TEST

/* ---- included files -------------------------------------------------------------------------------------------------- */

static const char *write_including(const char *included) {
        char text[600];

        snprintf(text, sizeof(text), "version = 1;\n\n@include \"%s\"\nstartup = \"ignore\";\n", included);
        return write_text("policy", text);
}

START_TEST(test_include) {
        const char *included = write_text("part", "\n\n" GOOD "\nreconcile = \"off\";");
        struct loaded l = load(write_including(included));

        expect_rules(&l, "good");
        ck_assert_str_eq(l.policy->rules[0].file, included);
        ck_assert_uint_eq(l.policy->rules[0].line, 3);
        ck_assert_uint_eq(l.policy->reconcile_usec, 0);
        ck_assert(!l.policy->startup_apply);
        done(&l);

        write_text("part", "\nreconcile = \"never\";");
        expect_error(write_including(included), included, 2, "reconcile: ");
        write_text("part", "\n\n\ncolour = 1;");
        expect_error(write_including(included), included, 4, "the file: \"colour\" is not a key");
        write_text("part", "\n;;");
        expect_error(write_including(included), included, 2, "syntax error");
        write_text("part", "\nversion = 1;");
        expect_error(write_including(included), included, 2, "duplicate setting name");
}
END_TEST

/* However often: that is found once, not as often as there are ways to get there. */
START_TEST(test_include_itself) {
        char line[600], text[4 * sizeof(line)] = "version = 1;\n\n";
        struct loaded l = load(write_including(at("policy")));

        ck_assert_int_eq(l.r, -EBADMSG);
        ck_assert_str_eq(l.problems.items[0].file, at("policy"));
        ck_assert_uint_eq(l.problems.items[0].line, 3);
        done(&l);

        snprintf(line, sizeof(line), "@include \"%s\"\n", at("policy"));
        for (int i = 0; i < 3; i++)
                strcat(text, line);
        l = load_text(text);
        ck_assert_int_eq(l.r, -EBADMSG);
        ck_assert_uint_eq(l.problems.n, 1);
        ck_assert_uint_eq(l.problems.items[0].line, 3);
        done(&l);
}
END_TEST

/* What stands behind an include on its line is looked at like the rest. */
START_TEST(test_include_line) {
        char text[600];
        struct loaded l;

        write_text("part", "startup = \"ignore\";");
        snprintf(text, sizeof(text), "\n@include \"%s\" /* the rules\nrules = ( { action = \"online\"; } );\n", at("part"));
        l = load_text(text);
        ck_assert_int_eq(l.r, -EBADMSG);
        expect_problem(&l, 0, false, at("policy"), 2, "a comment that is never closed");
        done(&l);
        snprintf(text, sizeof(text), "  @include\t\"%s\" /* the\n \"rules\n */ reconcile = \"off\";\n", at("part"));
        l = load_text(text);
        expect_rules(&l, "");
        ck_assert_uint_eq(l.policy->reconcile_usec, 0);
        done(&l);
}
END_TEST

START_TEST(test_include_large) {
        size_t size = 1024 * 1024 + 1;
        char *text = malloc(size);
        struct loaded l;

        ck_assert_ptr_nonnull(text);
        memset(text, '\n', size);
        memcpy(text, GOOD, strlen(GOOD));
        l = load(write_including(write_bytes("part", text, size)));
        ck_assert_int_eq(l.r, -EBADMSG);
        ck_assert_ptr_nonnull(strstr(l.problems.items[0].text, "1 MiB"));
        done(&l);
        free(text);
}
END_TEST

/* Nobody reads so many, and an error is kept beside however many warnings. */
START_TEST(test_many_problems) {
        struct problems p = {};
        char *text = NULL;
        size_t size;
        FILE *f;

        for (int i = 0; i < 3 * PROBLEMS_MAX; i++)
                problems_add(&p, true, "file", 1, "warning %d", i);
        ck_assert_uint_eq(p.n, PROBLEMS_MAX);
        for (int i = 0; i < 3 * PROBLEMS_MAX; i++)
                problems_add(&p, false, "file", 2, "error %d", i);
        problems_add(&p, true, "file", 3, "one more");
        ck_assert_uint_eq(p.n, 2 * PROBLEMS_MAX);
        ck_assert_uint_eq(p.n_errors, 3 * PROBLEMS_MAX);
        ck_assert_str_eq(p.items[PROBLEMS_MAX].text, "error 0");
        f = open_memstream(&text, &size);
        ck_assert_ptr_nonnull(f);
        problems_print(&p, f);
        fclose(f);
        ck_assert_ptr_nonnull(strstr(text, "file:2: error 999\nand 2000 errors more\n"));
        free(text);
        problems_done(&p);
}
END_TEST

/* The daemon and memhpctl check read the same file, from wherever they are started. */
START_TEST(test_include_elsewhere) {
        char here[PATH_MAX], there[PATH_MAX];
        struct loaded l;

        snprintf(there, sizeof(there), "%s", dirname(strdupa(write_text("elsewhere/part", GOOD))));
        ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
        ck_assert_int_eq(chdir(there), 0);
        l = load(write_including("part"));
        ck_assert_int_eq(chdir(here), 0);
        ck_assert_msg(l.r == -EBADMSG, "a file of the working directory was included");
        done(&l);
}
END_TEST

/* The text is looked at, not only searched: neither strings nor comments include anything. */
START_TEST(test_include_not) {
        struct loaded l = load_text("# @include \"/nowhere\"\n// @include \"/nowhere\"\n/*\n@include \"/nowhere\"\n*/\n"
                                    "rules = ( { name = \"@include\"; action = \"online\"; } ); # 99999999999999999999\n");

        expect_rules(&l, "@include");
        done(&l);
}
END_TEST

/* ---- several files --------------------------------------------------------------------------------------------------- */

#define R(name) "rules = ( { name = \"" name "\"; match = { source = \"" "dimm" "\"; node = 1; }; action = \"online\"; } );"

struct file {
        const char *name, *text;
};

static const struct {
        struct file files[8];
        const char *rules;
} merge_rows[] = {
        { { { ETC "memhpd.conf", R("etc") } }, "etc" },
        { { { LIB "memhpd.conf", R("vendor") } }, "vendor" },
        { { { ETC "memhpd.conf", R("etc") }, { LIB "memhpd.conf", R("vendor") } }, "etc" },
        /* the vendor's file is not even read */
        { { { ETC "memhpd.conf", R("etc") }, { LIB "memhpd.conf", "garbage" } }, "etc" },
        { { { ETC "memhpd.conf", "" }, { LIB "memhpd.conf", R("vendor") } }, "" },
        /* the order is that of the names, whatever the folder; what drop-ins say comes first */
        { { { ETC "memhpd.conf", R("main") }, { ETC D "20-b.conf", R("b") }, { RUN D "30-c.conf", R("c") },
            { LIB D "10-a.conf", R("a") } }, "a b c main" },
        { { { LIB "memhpd.conf", R("main") }, { LIB D "9.conf", R("9") }, { LIB D "10.conf", R("10") }, { ETC D "B.conf", R("B") },
            { RUN D "a.conf", R("a") } }, "10 9 B a main" },
        /* of one name, /etc wins over /run and /run over the vendor */
        { { { ETC "memhpd.conf", R("main") }, { LIB D "x.conf", R("vendor") }, { RUN D "x.conf", R("run") }, { ETC D "x.conf", R("etc") } },
          "etc main" },
        { { { ETC "memhpd.conf", R("main") }, { LIB D "x.conf", "garbage" }, { RUN D "x.conf", R("run") } }, "run main" },
        { { { ETC "memhpd.conf", R("main") }, { LIB D "x.conf", R("vendor") }, { ETC D "x.conf", "" } }, "main" },
        /* what is not NAME.conf is not for us */
        { { { ETC "memhpd.conf", R("main") }, { ETC D ".hidden.conf", "garbage" }, { ETC D "x.conf~", "garbage" },
            { ETC D "x.conf.dpkg-old", "garbage" }, { ETC D "README", "garbage" }, { ETC D ".conf", "garbage" }, { ETC D "conf", "garbage" } },
          "main" },
        /* several rules of one file stay together */
        { { { ETC "memhpd.conf", "rules = ( { name = \"m1\"; action = \"online\"; match = { node = 1; }; },\n"
                                 "{ name = \"m2\"; action = \"online\"; match = { node = 2; }; } );" },
            { ETC D "b.conf", "rules = ( { name = \"b1\"; action = \"online\"; match = { node = 3; }; },\n"
                              "{ name = \"b2\"; action = \"online\"; match = { node = 4; }; } );" },
            { RUN D "a.conf", "rules = ( { name = \"a1\"; action = \"online\"; match = { node = 5; }; } );" } },
          "a1 b1 b2 m1 m2" },
};

START_TEST(test_merge) {
        struct loaded l;

        for (const struct file *f = merge_rows[_i].files; f->name; f++)
                write_text(f->name, f->text);
        l = load(NULL);
        expect_rules(&l, merge_rows[_i].rules);
        done(&l);
}
END_TEST

/* What a later file says of a setting holds, key by key; what it does not mention stays. */
START_TEST(test_override) {
        struct loaded l;

        write_text(LIB "memhpd.conf", "startup = \"ignore\"; reconcile = \"1min\"; retry = { first = \"1s\"; max = \"9s\"; attempts = 5; }; "
                                       "alerts = { interval = \"9s\"; offline_after = \"8s\"; };");
        write_text(ETC D "10.conf", "reconcile = \"2min\"; retry = { attempts = 6; };");
        write_text(LIB D "20.conf", "reconcile = \"3min\"; retry = { first = \"2s\"; }; alerts = { offline_after = \"off\"; };");
        l = load(NULL);
        expect_rules(&l, "");
        ck_assert(!l.policy->startup_apply);
        ck_assert_uint_eq(l.policy->reconcile_usec, 180 * S);
        ck_assert_uint_eq(l.policy->retry.first_usec, 2 * S);
        ck_assert_uint_eq(l.policy->retry.max_usec, 9 * S);
        ck_assert_uint_eq(l.policy->retry.attempts, 6);
        ck_assert_uint_eq(l.policy->alerts.interval_usec, 9 * S);
        ck_assert_uint_eq(l.policy->alerts.waiting_usec, 0);
        done(&l);

        write_text(RUN D "30.conf", "\nretry = { first = \"10s\"; };"); /* longer than max, which stands elsewhere */
        expect_error(NULL, at(RUN D "30.conf"), 2, "retry: max is shorter than first");
}
END_TEST

START_TEST(test_many_dropins) {
        char name[PATH_MAX], text[128], wanted[512] = "";
        struct loaded l;

        write_text(LIB "memhpd.conf", "");
        for (int i = 59; i >= 0; i--) {
                snprintf(name, sizeof(name), "%s%s%03d.conf", i % 3 == 0 ? ETC : i % 3 == 1 ? RUN : LIB, D, i * 7 % 60);
                snprintf(text, sizeof(text), "rules = ( { name = \"%03d\"; match = { node = %d; }; action = \"online\"; } );", i * 7 % 60, i);
                write_text(name, text);
        }
        for (int i = 0; i < 60; i++)
                sprintf(wanted + strlen(wanted), "%s%03d", i ? " " : "", i);
        l = load(NULL);
        expect_rules(&l, wanted);
        for (size_t i = 0; i < l.policy->n_rules; i++) { /* each with its own condition and its own file */
                snprintf(name, sizeof(name), "/%03zu.conf", i);
                ck_assert_ptr_nonnull(strstr(l.policy->rules[i].file, name));
                ck_assert_uint_eq(l.policy->rules[i].match.nodes.items[0].first * 7 % 60, i);
        }
        done(&l);
}
END_TEST

START_TEST(test_named_alone) {
        struct loaded l;

        write_text(ETC "memhpd.conf", "garbage");
        write_text(ETC D "x.conf", "garbage");
        l = load_text(R("named"));
        expect_rules(&l, "named");
        done(&l);
        expect_error(at("missing"), at("missing"), 0, "cannot be read: No such file");
}
END_TEST

START_TEST(test_no_file) {
        struct loaded l = load(NULL);

        expect_problem(&l, 0, false, CONF_MAIN, 0, "no configuration");
        expect_problem(&l, 0, false, CONF_MAIN, 0, CONF_VENDOR);
        ck_assert_uint_eq(l.problems.n, 1);
        done(&l);
        write_text(ETC D "x.conf", R("x")); /* drop-ins alone are no policy */
        expect_error(NULL, CONF_MAIN, 0, "no configuration");
}
END_TEST

/* Drop-ins that cannot be listed are not drop-ins that are absent: without their rules memory might come online. */
START_TEST(test_unreadable_dropins) {
        const char *dir;

        write_text(LIB "memhpd.conf", GOOD);
        dir = write_text(ETC "memhpd.conf.d", "");
        expect_error(NULL, dir, 0, "");
        ck_assert_int_eq(unlink(dir), 0);
        ck_assert_int_eq(symlink("memhpd.conf.d", dir), 0);
        expect_error(NULL, dir, 0, "");
}
END_TEST

/* ---- rules that are never reached ------------------------------------------------------------------------------------ */

#define TWO(a, b) "rules = (\n{ name = \"first\"; match = { " a " }; action = \"online\"; },\n" \
                  "{ name = \"second\"; match = { " b " }; action = \"leave_offline\"; } );"

static const struct {
        const char *text;
        bool reached;
} reach_rows[] = {
        { TWO("", ""), false },
        { TWO("", "source = \"dimm\";"), false },
        { TWO("", "node = 1;"), false },
        { TWO("source = \"dimm\";", ""), true },
        { TWO("node = 1;", ""), true },
        { TWO("source = \"dimm\";", "source = \"dimm\";"), false },
        { TWO("source = [ \"dimm\", \"pmem\" ];", "source = \"pmem\";"), false },
        { TWO("source = \"pmem\";", "source = [ \"dimm\", \"pmem\" ];"), true },
        { TWO("node = \"0-3\";", "node = \"1-2\";"), false },
        { TWO("node = \"0-3\";", "node = \"1-2,4\";"), true },
        { TWO("node = \"1-\";", "node = \"1023\";"), false },
        { TWO("node = \"0-1\";", "node = \"1-2\";"), true },
        { TWO("source = \"dimm\"; node = 1;", "source = \"dimm\";"), true },
        { TWO("source = \"dimm\";", "source = \"dimm\"; node = 1;"), false },
        { TWO("source = \"dimm\"; node = 1;", "source = \"pmem\"; node = 1;"), true },
        { TWO("", "address = \"4G-\"; size = \"1G\"; device = \"dax*\"; platform = \"vm\"; tier = 4;"), false },
        { TWO("address = \"4G-\";", "address = \"8G-16G\";"), false },
        { TWO("address = \"8G-16G\";", "address = \"4G-\";"), true },
        { TWO("size = \"1G-\";", "size = \"2G\";"), false },
        { TWO("device = \"*\";", "device = \"dax*\";"), false },
        { TWO("device = \"dax*\";", "device = \"*\";"), true },
        { TWO("platform = [ \"vm\", \"kvm\" ];", "platform = \"kvm\";"), false },
        { TWO("tier = \"2-4\";", "tier = 3;"), false },
        { TWO("tier = \"2-4\";", ""), true },
};

START_TEST(test_unreachable) {
        struct loaded l = load_text(reach_rows[_i].text);
        char part[600];

        expect_rules(&l, "first second"); /* a warning is none of an error */
        ck_assert_uint_eq(l.problems.n, reach_rows[_i].reached ? 0 : 1);
        if (!reach_rows[_i].reached) {
                snprintf(part, sizeof(part), "rule \"second\" is never reached: \"first\" (%s:2)", at("policy"));
                expect_problem(&l, 0, true, at("policy"), 3, part);
        }
        done(&l);
}
END_TEST

START_TEST(test_unreachable_across) {
        const char *main_path = write_text(ETC "memhpd.conf", "\n\n" R("main")), *dropin = write_text(RUN D "all.conf", "\nrules = (\n { name = \"all\"; action = \"online\"; } );");
        struct loaded l = load(NULL);
        char part[600];

        expect_rules(&l, "all main");
        snprintf(part, sizeof(part), "\"main\" is never reached: \"all\" (%s:3)", dropin);
        expect_problem(&l, 0, true, main_path, 3, part);
        ck_assert_uint_eq(l.problems.n, 1);
        done(&l);
}
END_TEST

/* ---- what we ship ---------------------------------------------------------------------------------------------------- */

START_TEST(test_shipped) {
        const char *srcdir = getenv("srcdir");
        char path[PATH_MAX], text[16384];
        struct loaded l;
        size_t size;
        FILE *f;

        snprintf(path, sizeof(path), "%s/conf/memhpd.conf", srcdir ? srcdir : ".");
        f = fopen(path, "re");
        ck_assert_msg(f, "%s: %s", path, strerror(errno));
        size = fread(text, 1, sizeof(text), f);
        ck_assert(size > 0 && size < sizeof(text) && feof(f));
        fclose(f);

        write_bytes(LIB "memhpd.conf", text, size); /* a checkout may belong to anybody */
        l = load(NULL);
        expect_rules(&l, "device-memory standby-memory everything-else");
        ck_assert_uint_eq(l.problems.n, 0);
        for (enum source s = 0; s < _SOURCE_MAX; s++) {
                struct block b = { .state = BLOCK_OFFLINE, .source = s, .at_startup = true, .zones_known = true, .first_zone = ZONE_NORMAL,
                                   .zones = ZONE_BIT(ZONE_NORMAL) | ZONE_BIT(ZONE_MOVABLE) };
                bool device_memory = s == SOURCE_PMEM || s == SOURCE_CXL || s == SOURCE_HMEM || s == SOURCE_DAX || s == SOURCE_STANDBY;
                enum action kernel = device_memory ? ACTION_LEAVE_OFFLINE : ACTION_ONLINE_KERNEL;
                static struct surroundings around;
                struct decision d;

                memset(&around, 0, sizeof(around));
                b.size = 128 << 20;
                for (int node = -1; node < 2; node++) {
                        if (node >= 0)
                                node_set_add(&b.nodes, (unsigned) node);
                        policy_decide(l.policy, &b, &around, &d); /* nothing is known */
                        ck_assert_msg(d.action == kernel, "%s: %s", source_to_string(s), action_to_string(d.action));
                }
                totals_add_zone(&around.totals, 0, ZONE_NORMAL, 1 << 30, 0);
                around.totals.known = true;
                for (unsigned i = 0; i < 25; i++) { /* 3 GiB, 301 %: 24 blocks of 128 MiB */
                        policy_decide(l.policy, &b, &around, &d);
                        ck_assert_msg(d.action == (device_memory ? ACTION_LEAVE_OFFLINE
                                                                 : i < 24 ? ACTION_ONLINE_MOVABLE : ACTION_ONLINE_KERNEL),
                                      "%s: block %u: %s", source_to_string(s), i, action_to_string(d.action));
                        totals_expect(&around.totals, 0, true, b.size);
                }
        }
        /* What it writes out are the defaults, as its comments and the manual say. */
        ck_assert(l.policy->startup_apply);
        ck_assert_uint_eq(l.policy->reconcile_usec, 600 * S);
        ck_assert_uint_eq(l.policy->retry.first_usec, 200 * MS);
        ck_assert_uint_eq(l.policy->retry.max_usec, 30 * S);
        ck_assert_uint_eq(l.policy->retry.attempts, 10);
        done(&l);
}
END_TEST

/* ---------------------------------------------------------------------------------------------------------------------- */

static TCase *make_case(Suite *s, const char *name) {
        TCase *c = check_case(s, name);

        tcase_add_unchecked_fixture(c, make_base, remove_base);
        tcase_add_checked_fixture(c, make_root, NULL);
        return c;
}

int main(void) {
        Suite *s = suite_create("conf");
        TCase *c;

        c = make_case(s, "right");
        tcase_add_loop_test(c, test_settings, 0, ARRAY_SIZE(setting_rows));
        tcase_add_loop_test(c, test_alerts, 0, ARRAY_SIZE(alert_rows));
        tcase_add_loop_test(c, test_rule, 0, ARRAY_SIZE(rule_rows));
        tcase_add_test(c, test_conditions);
        tcase_add_loop_test(c, test_balance, 0, ARRAY_SIZE(balance_rows));
        tcase_add_test(c, test_words);
        tcase_add_loop_test(c, test_unit, 0, ARRAY_SIZE(unit_names));
        tcase_add_test(c, test_long_unit);
        tcase_add_test(c, test_shipped);

        c = make_case(s, "wrong");
        tcase_add_loop_test(c, test_types, 0, ARRAY_SIZE(typed_rows));
        tcase_add_loop_test(c, test_wrong, 0, ARRAY_SIZE(wrong_rows));
        tcase_add_loop_test(c, test_huge_numbers, 0, ARRAY_SIZE(huge_numbers));
        tcase_add_test(c, test_control_characters);
        tcase_add_test(c, test_all_errors);
        tcase_add_test(c, test_no_action_besides);
        tcase_add_test(c, test_all_files);
        tcase_add_test(c, test_print);

        c = make_case(s, "bytes");
        tcase_add_test(c, test_truncated);
        tcase_add_test(c, test_garbage);
        tcase_add_loop_test(c, test_nul, 0, ARRAY_SIZE(nul_rows));
        tcase_add_loop_test(c, test_open, 0, ARRAY_SIZE(open_texts));
        tcase_add_test(c, test_size);
        tcase_add_test(c, test_many_rules);

        c = make_case(s, "files");
        tcase_add_loop_test(c, test_modes, 0, _PLACE_MAX);
        tcase_add_loop_test(c, test_owner, 0, _PLACE_MAX);
        tcase_add_loop_test(c, test_odd_files, 0, (int) ARRAY_SIZE(odd_files) * _PLACE_MAX);
        tcase_add_loop_test(c, test_symlink, 0, _PLACE_MAX);

        c = make_case(s, "includes");
        tcase_add_test(c, test_include);
        tcase_add_test(c, test_include_itself);
        tcase_add_test(c, test_include_line);
        tcase_add_test(c, test_include_large);
        tcase_add_test(c, test_many_problems);
        tcase_add_test(c, test_include_elsewhere);
        tcase_add_test(c, test_include_not);

        c = make_case(s, "merging");
        tcase_add_loop_test(c, test_merge, 0, ARRAY_SIZE(merge_rows));
        tcase_add_test(c, test_override);
        tcase_add_test(c, test_many_dropins);
        tcase_add_test(c, test_named_alone);
        tcase_add_test(c, test_no_file);
        tcase_add_test(c, test_unreadable_dropins);

        c = make_case(s, "reach");
        tcase_add_loop_test(c, test_unreachable, 0, ARRAY_SIZE(reach_rows));
        tcase_add_test(c, test_unreachable_across);
        return check_run(s);
}
