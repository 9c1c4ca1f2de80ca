/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "core/platform.h"
#include "ctl/client.h"
#include "ctl/facts.h"
#include "ctl/verb.h"

/* What the word under the cursor may become, for completion/ of each shell: a line each, "CANDIDATE<tab>WHAT IT IS". A line
 * ":file" or ":folder" asks the shell for its own names of files or folders. Verbs, options, columns come from their tables;
 * devices, nodes, holds and the like from the daemon, else from the system. */

/* Without a daemon, devices are looked for among so many blocks: whoever types does not want to wait. */
#define BLOCKS_MAX 4096

struct completion {
        const struct options *options; /* with what the words say of it */
        const struct verb *verb;       /* NULL: not said yet */
        const char *before;            /* what stays of the word: "--zone=", "RANGE,", "device:" */
        const char *word;              /* and what is to be completed of it */
        struct client *client;         /* NULL: none, or not looked for yet */
};

static void offer(const struct completion *c, const char *candidate, const char *help) {
        if (strncmp(candidate, c->word, strlen(c->word)) != 0)
                return;
        print_safe(stdout, c->before);
        print_safe(stdout, candidate);
        if (help && *help) {
                putchar('\t');
                print_safe(stdout, help);
        }
        putchar('\n');
}

static void offer_number(const struct completion *c, uint64_t number, const char *help) {
        _cleanup_free_ char *text = format_text("%" PRIu64, number);

        offer(c, text, help);
}

/* The rest of the word begins behind this. */
static struct completion behind(const struct completion *c, const char *rest) {
        static char *kept[64]; /* for the rest of the program's life, which is short */
        static size_t n;
        struct completion x = *c;

        x.before = kept[n++ % ARRAY_SIZE(kept)] = format_text("%s%.*s", c->before, (int) (rest - c->word), c->word);
        x.word = rest;
        return x;
}

/* ---- what there is on this machine -------------------------------------------------------------------------------- */

/* Nobody complains to somebody who types. */
static bool ask(struct completion *c, const char *method, json_t **ret) {
        if (c->options->host || (!c->client && !client_try_open(c->options, &c->client)))
                return false;
        return client_ask_quietly(c->client, method, ret, "");
}

static void offer_nodes(struct completion *c) {
        _cleanup_(sysfs_closep) struct sysfs *fs = NULL;
        _cleanup_(node_map_done) struct node_map map = {};
        struct node_set nodes = {};
        json_auto_t *rows = NULL;
        json_t *row;
        size_t i;

        if (ask(c, "ListNodes", &rows)) {
                json_array_foreach(rows, i, row)
                        offer_number(c, (uint64_t) json_integer_value(json_array_get(row, 0)), "NUMA node");
                return;
        }
        if (c->options->host || sysfs_open(c->options->sysroot, &fs) < 0 || sysfs_read_node_map(fs, &map) < 0)
                return;
        for (i = 0; i < map.n; i++)
                node_set_add(&nodes, map.links[i].node);
        for (int n = node_set_next(&nodes, 0); n >= 0; n = node_set_next(&nodes, (unsigned) n + 1))
                offer_number(c, (uint64_t) n, "NUMA node");
}

static void offer_system_devices(const struct completion *c) {
        _cleanup_(facts_done) struct facts facts = {};
        char last[DEVICE_NAME_MAX] = "";
        struct fact fact;

        if (access(c->options->sysroot, F_OK) != 0 || facts_open(&facts, c->options->sysroot, NULL, FACTS_ORIGIN) != STATUS_DONE ||
            facts.n > BLOCKS_MAX)
                return;
        while (facts_next(&facts, &fact)) {
                if (*fact.block.device && strcmp(fact.block.device, last) != 0)
                        offer(c, fact.block.device, source_to_string(fact.block.source));
                memcpy(last, fact.block.device, sizeof(last));
        }
}

static void offer_devices(struct completion *c) {
        json_auto_t *rows = NULL;
        json_t *row;
        size_t i;

        if (ask(c, "ListDevices", &rows))
                json_array_foreach(rows, i, row)
                        offer(c, json_string_value(json_array_get(row, 0)) ?: "", json_string_value(json_array_get(row, 2)));
        else if (!c->options->host)
                offer_system_devices(c);
}

static void offer_holds(struct completion *c) {
        json_auto_t *rows = NULL;
        json_t *row;
        size_t i;

        offer(c, "all", "every hold");
        if (!c->options->host && (c->client || client_try_open(c->options, &c->client)) &&
            client_get_quietly(c->client, "Holds", &rows))
                json_array_foreach(rows, i, row)
                        offer_number(c, (uint64_t) json_integer_value(json_array_get(row, 0)), json_string_value(json_array_get(row, 1)));
}

/* Dictionaries, each with a number and what tells what it is. */
static void offer_dictionaries(struct completion *c, const char *method, const char *number, const char *help) {
        json_auto_t *rows = NULL;
        json_t *row;
        size_t i;

        if (ask(c, method, &rows))
                json_array_foreach(rows, i, row)
                        offer_number(c, json_get_unsigned(row, number), json_get_text(row, help));
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

/* Behind the last comma. */
static struct completion last_item(const struct completion *c) {
        const char *comma = strrchr(c->word, ',');

        return behind(c, comma ? comma + 1 : c->word + (*c->word == '+' && c->word[1] != '\0' ? 1 : 0));
}

static void offer_columns(struct completion *c) {
        struct completion item = last_item(c);

        for (size_t i = 0; c->verb && c->verb->columns && i < c->verb->columns->n; i++)
                offer(&item, c->verb->columns->items[i].name, c->verb->columns->items[i].help);
}

static void offer_sources(struct completion *c) {
        struct completion item = last_item(c);

        for (enum source s = 0; s < _SOURCE_MAX; s++)
                offer(&item, source_to_string(s), "where memory came from");
}

static void offer_presets(const struct completion *c) {
        DIR *folder = opendir(PRESETSDIR);

        for (struct dirent *e; folder && (e = readdir(folder));) {
                _cleanup_free_ char *path = format_text("%s/%s", PRESETSDIR, e->d_name);

                if (*e->d_name != '.')
                        offer(c, path, "preset");
        }
        if (folder)
                closedir(folder);
}

/* ---- words -------------------------------------------------------------------------------------------------------- */

static void offer_selectors(struct completion *c) {
        static const struct {
                const char *prefix, *help;
                void (*offer)(struct completion *c);
        } kinds[] = {
                { "device:", "what was plugged as one unit", offer_devices },
                { "node:", "blocks of a NUMA node", offer_nodes },
                { "source:", "where the memory came from", offer_sources },
                { "addr:", "addresses: addr:4G-8G", NULL },
                { "add:", "a hot-add, by its number since boot", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                size_t n = strlen(kinds[i].prefix);

                if (strncmp(c->word, kinds[i].prefix, n) != 0) {
                        offer(c, kinds[i].prefix, kinds[i].help);
                        continue;
                }
                struct completion rest = behind(c, c->word + n);

                if (kinds[i].offer)
                        kinds[i].offer(&rest);
                else if (strcmp(kinds[i].prefix, "add:") == 0)
                        offer_dictionaries(&rest, "ListTraces", "add", "device");
                c->client = rest.client;
        }
        offer(c, "all", "every block");
}

static void offer_specs(struct completion *c) {
        static const char *const sources[] = { "dimm:", "virtio-mem:", "pmem:", "cxl:", "hmem:", "dax:" };

        if (strchr(c->word, '@')) {
                struct completion rest = behind(c, strrchr(c->word, '@') + 1);

                if (strncmp(rest.word, "node", strlen("node")) == 0) {
                        struct completion node = behind(&rest, rest.word + strlen("node"));

                        offer_nodes(&node);
                        c->client = node.client;
                } else
                        offer(&rest, "node", "of this NUMA node");
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
                offer(c, sources[i], "such a hot-add, of a size: dimm:64G@node1");
}

static void offer_verbs(struct completion *c) {
        for (size_t i = 0; i < n_verbs; i++)
                if (!(verbs[i].flags & VERB_HIDDEN))
                        offer(c, verbs[i].name, verbs[i].help);
}

static void offer_files(struct completion *c) {
        offer_presets(c);
        puts(":file");
}

static void offer_rules(struct completion *c) {
        static const char *const likely[] = { "/usr/lib/udev/rules.d/40-redhat.rules", "/usr/lib/udev/rules.d/40-vm-hotadd.rules",
                                              "/usr/lib/udev/rules.d/80-hotplug-cpu-mem.rules" };

        for (size_t i = 0; i < ARRAY_SIZE(likely); i++)
                if (access(likely[i], R_OK) == 0)
                        offer(c, likely[i], "rules that distributions have");
        puts(":file");
}

static void offer_folders(struct completion *c) {
        (void) c;
        puts(":folder");
}

static void offer_words(struct completion *c, const char *const *words, size_t n) {
        for (size_t i = 0; i < n; i++)
                offer(c, words[i], NULL);
}

#define OFFER(name, ...)                                                      \
        static void offer_##name(struct completion *c) {                      \
                static const char *const words[] = { __VA_ARGS__ };           \
                offer_words(c, words, ARRAY_SIZE(words));                     \
        }
OFFER(zones, "movable", "kernel")
OFFER(answers, "yes", "no")
OFFER(pictures, "zone", "state", "source")
OFFER(boots, "0", "-1", "all")
OFFER(times, "today", "yesterday", "1h")

/* By what the argument is called in help. Of others nothing is known. */
static const struct {
        const char *argument;
        void (*offer)(struct completion *c);
} arguments[] = {
        { "COLS", offer_columns },  { "DIR", offer_folders }, { "FILE", offer_files },   { "ZONE", offer_zones },
        { "WHAT", offer_pictures }, { "BOOT", offer_boots },  { "NODE", offer_nodes },   { "SOURCE", offer_sources },
        { "DEVICE", offer_devices },  { "ANSWER", offer_answers },
};

static void offer_argument(struct completion *c, const struct option_spec *spec) {
        if (strcmp(spec->name, "since") == 0)
                offer_times(c);
        for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
                if (strcmp(arguments[i].argument, spec->argument) == 0)
                        arguments[i].offer(c);
}

static void offer_options(struct completion *c) {
        unsigned groups = c->verb ? c->verb->options : ~0u;

        for (size_t i = 0; i < n_option_specs; i++) {
                const struct option_spec *spec = &option_specs[i];
                _cleanup_free_ char *name = format_text("--%s", spec->name);

                if (!(spec->group & ~groups))
                        offer(c, name, spec->help);
        }
}

static void offer_verb_arguments(struct completion *c, unsigned nth) {
        static const struct {
                unsigned flag;
                void (*offer)(struct completion *c);
        } kinds[] = {
                { VERB_SELECTOR, offer_selectors }, { VERB_SPEC, offer_specs }, { VERB_NODE, offer_nodes },
                { VERB_FILE, offer_files },         { VERB_HOLD, offer_holds }, { VERB_NAME, offer_verbs },
                { VERB_RULES, offer_rules },
        };

        if (nth >= c->verb->max_args || ((c->verb->flags & VERB_SELECTOR) && nth > 0))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (c->verb->flags & kinds[i].flag)
                        kinds[i].offer(c);
        if (c->verb->flags & VERB_JOB)
                offer_dictionaries(c, "ListJobs", "id", "selector");
        if (c->verb->flags & VERB_ADD)
                offer_dictionaries(c, "ListTraces", "add", "device");
}

/* ---- the command line so far -------------------------------------------------------------------------------------- */

/* "--zone", "--zone=mov", "-o": NULL, or the option; *ret_value is what follows the "=". */
static const struct option_spec *find_option(const char *word, const char **ret_value) {
        size_t n = strcspn(word, "=");

        *ret_value = word[n] ? word + n + 1 : NULL;
        for (size_t i = 0; i < n_option_specs; i++) {
                const struct option_spec *spec = &option_specs[i];

                if (word[0] == '-' && word[1] && word[1] == spec->letter && !word[2])
                        return spec;
                if (strncmp(word, "--", 2) == 0 && strlen(spec->name) == n - 2 && strncmp(word + 2, spec->name, n - 2) == 0)
                        return spec;
        }
        return NULL;
}

static bool takes_next_word(const struct option_spec *spec, const char *value) {
        return spec && spec->argument && !spec->optional && !value;
}

static const struct verb *peek_verb(const char *name) {
        for (size_t i = 0; i < n_verbs; i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

static void complete(struct completion *c, char *const *words, size_t n, unsigned n_args) {
        const char *value, *last = words[n - 1];
        const struct option_spec *spec = n > 1 ? find_option(words[n - 2], &value) : NULL;

        if (spec && takes_next_word(spec, value)) {
                offer_argument(c, spec);
                return;
        }
        spec = find_option(last, &value);
        if (spec && spec->argument && value) {
                struct completion argument = behind(c, value);

                offer_argument(&argument, spec);
                c->client = argument.client;
        } else if (*last == '-')
                offer_options(c);
        else if (!c->verb)
                offer_verbs(c);
        else
                offer_verb_arguments(c, n_args);
}

enum status verb_complete(const struct options *o, char *const *args) {
        struct options said = *o;
        struct completion c = { .options = &said, .before = "" };
        unsigned n_args = 0;
        size_t n = 0;

        /* Whatever is wrong here is told when the command runs. */
        if (!freopen("/dev/null", "w", stderr))
                return STATUS_FAILED;
        while (args[n])
                n++;
        if (n == 0)
                return STATUS_DONE;
        c.word = args[n - 1];
        for (size_t i = 0; i + 1 < n; i++) {
                const char *value;
                const struct option_spec *spec = find_option(args[i], &value);

                if (takes_next_word(spec, value))
                        value = i + 2 < n ? args[++i] : NULL;
                if (spec && (value || !spec->argument))
                        spec->set(&said, value);
                if (spec || *args[i] == '-')
                        continue;
                if (!c.verb)
                        c.verb = peek_verb(args[i]);
                else
                        n_args++;
        }
        complete(&c, args, n, n_args);
        client_close(c.client);
        return STATUS_DONE;
}
