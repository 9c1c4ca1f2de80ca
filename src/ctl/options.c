/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/words.h"
#include "ctl/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "ctl/output.h"

static void set_json(struct options *o, const char *argument) {
        (void) argument;
        o->json = true;
}

static void set_no_legend(struct options *o, const char *argument) {
        (void) argument;
        o->legend = false;
}

static void set_no_pager(struct options *o, const char *argument) {
        (void) argument;
        o->pager = false;
}

static void set_bytes(struct options *o, const char *argument) {
        (void) argument;
        o->bytes = true;
}

static void set_columns(struct options *o, const char *argument) {
        o->columns = argument;
}

static void set_split(struct options *o, const char *argument) {
        o->split = argument;
}

static void set_all(struct options *o, const char *argument) {
        (void) argument;
        o->all = true;
}

static void set_list(struct options *o, const char *argument) {
        (void) argument;
        o->list = true;
}

static void set_sysroot(struct options *o, const char *argument) {
        o->sysroot = argument;
}

static void set_config(struct options *o, const char *argument) {
        o->config = argument;
}

static void set_duration(struct options *o, const char *argument) {
        o->duration = argument;
}

static void set_since(struct options *o, const char *argument) {
        o->since = argument;
}

static void set_boot(struct options *o, const char *argument) {
        o->boot = argument;
}

static void set_to(struct options *o, const char *argument) {
        o->to = argument;
}

static void set_watch(struct options *o, const char *argument) {
        o->watch = argument ?: "";
}

static void set_by(struct options *o, const char *argument) {
        o->by = argument;
}

static void set_svg(struct options *o, const char *argument) {
        o->svg = argument;
}

static void set_no_wait(struct options *o, const char *argument) {
        (void) argument;
        o->no_wait = true;
}

static void set_all_or_nothing(struct options *o, const char *argument) {
        (void) argument;
        o->all_or_nothing = true;
}

static void set_partial(struct options *o, const char *argument) {
        (void) argument;
        o->partial = true;
}

static void set_force(struct options *o, const char *argument) {
        (void) argument;
        o->force = true;
}

static void set_dry_run(struct options *o, const char *argument) {
        (void) argument;
        o->dry_run = true;
}

static void set_eject(struct options *o, const char *argument) {
        (void) argument;
        o->eject = true;
}

static void set_timeout(struct options *o, const char *argument) {
        o->timeout = argument;
}

static void set_zone(struct options *o, const char *argument) {
        o->zone = argument;
}

static void set_size(struct options *o, const char *argument) {
        o->size = argument;
}

static void set_node(struct options *o, const char *argument) {
        o->node = argument;
}

static void set_source(struct options *o, const char *argument) {
        o->source = argument;
}

static void set_device(struct options *o, const char *argument) {
        o->device = argument;
}

static void set_memmap(struct options *o, const char *argument) {
        o->memmap = argument;
}

static void set_no_ask_password(struct options *o, const char *argument) {
        (void) argument;
        o->no_ask_password = true;
}

static void set_direct(struct options *o, const char *argument) {
        (void) argument;
        o->direct = true;
}

static void set_host(struct options *o, const char *argument) {
        o->host = argument;
}

static void set_help(struct options *o, const char *argument) {
        (void) argument;
        o->help = true;
}

static void set_version(struct options *o, const char *argument) {
        (void) argument;
        o->version = true;
}

/* Letters are lsmem's where it has the option. */
const struct option_spec option_specs[] = {
        { "json", NULL, "print JSON", set_json, 0, 'J' },
        { "no-legend", NULL, "neither headings nor a summary", set_no_legend, 0, 'n' },
        { "no-pager", NULL, "do not page what is long", set_no_pager, 0, 0 },
        { "bytes", NULL, "sizes in bytes, not 1.5G", set_bytes, 0, 'b' },
        { "output", "COLS", "the columns to show: RANGE,SIZE; +NAME adds one to the usual ones", set_columns,
          OPTIONS_COLUMNS, 'o' },
        { "split", "COLS", "begin a new range where one of these changes (default: any that is shown); none: nowhere",
          set_split, OPTIONS_SPLIT, 'S' },
        { "all", NULL, "list: a line for each block; explain: also the rules that do not match; zones: also the empty ones; jobs: what became "
          "of each block, also if all went well", set_all,
          OPTIONS_ALL, 'a' },
        { "for", "TIME", "hold: how long (30min, 2h); without it, until released", set_duration, OPTIONS_FOR, 0 },
        { "since", "TIME", "history: from then on, whatever the boot: \"2026-03-01 12:30\", 12:30, today, or how long ago: 2h", set_since,
          OPTIONS_TIME, 0 },
        { "boot", "BOOT", "history: of another boot: -1 is the one before, or its id; all: of any", set_boot, OPTIONS_TIME, 0 },
        { "watch", "SEC", "again every two seconds, or so often, with what changed; ^C ends it", set_watch, OPTIONS_WATCH, 0, true },
        { "to", "FILE", "metrics: write to this file, which is replaced at once", set_to, OPTIONS_TO, 0 },
        { "by", "WHAT", "map: what the colours tell: zone (the default), state or source", set_by, OPTIONS_MAP, 0 },
        { "svg", "FILE", "map: draw into this file; - is standard output", set_svg, OPTIONS_MAP, 0 },
        { "zone", "ZONE", "online, rezone: movable or kernel", set_zone, OPTIONS_ZONE, 0 },
        { "size", "SIZE", "offline: so much (4G), of the memory that is cheapest to free", set_size, OPTIONS_OFFLINE, 0 },
        { "node", "NODE", "offline: only memory of this NUMA node", set_node, OPTIONS_OFFLINE, 0 },
        { "source", "SOURCE", "offline: only memory that came this way (dimm, virtio-mem, pmem …)", set_source, OPTIONS_OFFLINE, 0 },
        { "device", "DEVICE", "offline: only memory of this device", set_device, OPTIONS_OFFLINE, 0 },
        { "dry-run", NULL, "offline: look at the blocks, say which would be tried and why, and change nothing", set_dry_run,
          OPTIONS_OFFLINE, 0 },
        { "eject", NULL, "offline: then have ACPI eject the device, which powers it off", set_eject, OPTIONS_OFFLINE, 0 },
        { "force", NULL, "offline, rezone: even if there is no room for what has to move", set_force, OPTIONS_FORCE, 0 },
        { "timeout", "TIME", "give up after so long (30s, 5min), with what was done until then", set_timeout, OPTIONS_JOB, 0 },
        { "all-or-nothing", NULL, "if one block cannot be had, bring the others back (offline device:… does so unasked)",
          set_all_or_nothing, OPTIONS_JOB, 0 },
        { "partial", NULL, "keep what can be had, also of a device", set_partial, OPTIONS_JOB, 0 },
        { "no-wait", NULL, "say the number of the job, and let it run", set_no_wait, OPTIONS_JOB, 0 },
        { "memmap-on-memory", "ANSWER", "configure: whether the memory's page descriptions lie in itself, yes or no", set_memmap,
          OPTIONS_MEMMAP, 0 },
        { "list", NULL, "trace: the hot-adds that there are traces of", set_list, OPTIONS_LIST, 0 },
        { "sysroot", "DIR", "look at the system captured in this folder", set_sysroot, 0, 's' },
        { "config", "FILE", "the policy to judge by, instead of the system's", set_config, 0, 0 },
        { "host", "HOST", "ask the daemon of this host, user@host or host, through ssh", set_host, OPTIONS_HOST, 'H' },
        { "no-ask-password", NULL, "refuse what takes a password, and do not ask for one", set_no_ask_password, OPTIONS_HOST, 0 },
        { "direct", NULL, "read the system, do not ask the daemon", set_direct, 0, 0 },
        { "help", NULL, "this help, or that of the verb", set_help, 0, 'h' },
        { "version", NULL, "the version of this program", set_version, 0, 'V' },
};

const size_t n_option_specs = ARRAY_SIZE(option_specs);

#define N_OPTIONS ARRAY_SIZE(option_specs)
#define ID_FIRST 256 /* what getopt_long() returns for option_specs[0]; letters are below */

static int find_id(int id) {
        for (size_t i = 0; i < N_OPTIONS; i++)
                if (id == ID_FIRST + (int) i || (option_specs[i].letter && id == option_specs[i].letter))
                        return (int) i;
        return -EINVAL;
}

static int complain_unknown(const char *word, int id) {
        const char *names[N_OPTIONS], *close;
        char letter[3] = { '-', (char) id };
        int i = find_id(id);

        if (i >= 0 && id >= ID_FIRST) {
                complain("--%s: takes no argument", option_specs[i].name);
                return -EINVAL;
        }
        if (id != 0 && id < ID_FIRST)
                word = letter;
        for (size_t k = 0; k < N_OPTIONS; k++)
                names[k] = option_specs[k].name;
        close = strncmp(word, "--", 2) == 0 ? closest_word(word + 2, names, N_OPTIONS) : NULL;
        if (close)
                complain("%s: no such option; did you mean --%s?", word, close);
        else
                complain("%s: no such option; \"memhpctl help\" lists them", word);
        return -EINVAL;
}

/* "host" or "user@host"; what begins with "-" is an option, to ssh. */
static bool is_host(const char *s) {
        const char *at = strrchr(s, '@');

        return *s != '-' && at != s && *(at ? at + 1 : s);
}

int options_parse(int argc, char **argv, struct options *ret, int *ret_n) {
        struct options o = { .legend = true, .pager = true, .sysroot = "/", .verb = "" };
        struct option options[N_OPTIONS + 1] = {};
        /* "-": words are reported in order instead of argv being permuted, which POSIXLY_CORRECT would turn off. */
        char letters[2 * N_OPTIONS + 3] = "-:", *p = letters + 2;
        int n = 0, id, i;

        for (size_t k = 0; k < N_OPTIONS; k++) {
                int argument = option_specs[k].optional ? optional_argument : option_specs[k].argument ? required_argument : no_argument;

                options[k] = (struct option) { option_specs[k].name, argument, NULL, ID_FIRST + (int) k };
                if (option_specs[k].letter)
                        *p++ = option_specs[k].letter;
                if (option_specs[k].letter && option_specs[k].argument)
                        *p++ = ':';
        }
        opterr = 0;
        while ((id = getopt_long(argc, argv, letters, options, NULL)) != -1) {
                if (id == 1) {
                        argv[n++] = optarg;
                        continue;
                }
                if (id == '?')
                        return complain_unknown(argv[optind - 1], optopt);
                i = find_id(id == ':' ? optopt : id);
                if (id == ':') {
                        complain("--%s: needs %s", option_specs[i].name, option_specs[i].argument);
                        return -EINVAL;
                }
                option_specs[i].set(&o, optarg);
                o.groups |= option_specs[i].group;
        }
        while (optind < argc) /* after "--" */
                argv[n++] = argv[optind++];
        argv[n] = NULL;
        if (o.host && !is_host(o.host)) {
                complain("--host: \"%s\" is no host; write host or user@host", o.host);
                return -EINVAL;
        }
        *ret = o;
        *ret_n = n;
        return 0;
}

int options_check(const struct options *o, const char *verb, unsigned groups) {
        for (size_t i = 0; i < N_OPTIONS; i++)
                if (option_specs[i].group & o->groups & ~groups) {
                        complain("--%s: \"%s\" does not take it; see \"memhpctl help %s\"", option_specs[i].name, verb, verb);
                        return -EINVAL;
                }
        return 0;
}

void options_print_help(unsigned groups) {
        puts("\nOptions:");
        for (size_t i = 0; i < N_OPTIONS; i++) {
                const char *argument = option_specs[i].argument;
                char name[64];

                if (option_specs[i].group & ~groups)
                        continue;
                snprintf(name, sizeof(name), option_specs[i].optional ? "%c%c%c --%s[=%s%s]" : "%c%c%c --%s%s%s", option_specs[i].letter ? '-' : ' ',
                         option_specs[i].letter ?: ' ', option_specs[i].letter ? ',' : ' ', option_specs[i].name,
                         argument && !option_specs[i].optional ? " " : "", argument ?: "");
                print_item(name, 17, option_specs[i].help);
        }
}
