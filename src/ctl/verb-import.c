/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/udev_import.h"
#include "ctl/verb.h"
#include "host/overlay.h"

/* The files, in udev's order. */
struct input {
        const char **paths;
        struct udev_import_file *files;
        char **texts;
        size_t n;
};

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int compare_paths(const void *a, const void *b) {
        const char *x = *(const char *const *) a, *y = *(const char *const *) b;
        int r = strcmp(base_name(x), base_name(y));

        return r ? r : strcmp(x, y);
}

static void input_done(struct input *in) {
        for (size_t i = 0; i < in->n; i++)
                free(in->texts[i]);
        free(in->texts);
        free(in->files);
        free(in->paths);
}

static enum status input_read(char *const *args, struct input *ret) {
        struct input in = {};
        int failed = 0;

        while (args[in.n])
                in.n++;
        in.paths = calloc(in.n, sizeof(*in.paths));
        in.files = calloc(in.n, sizeof(*in.files));
        in.texts = calloc(in.n, sizeof(*in.texts));
        if (!in.paths || !in.files || !in.texts)
                out_of_memory();
        for (size_t i = 0; i < in.n; i++)
                in.paths[i] = args[i];
        qsort(in.paths, in.n, sizeof(*in.paths), compare_paths);
        for (size_t i = 1; i < in.n; i++)
                if (strcmp(base_name(in.paths[i - 1]), base_name(in.paths[i])) == 0) {
                        complain("%s and %s: of files with the same name udev reads one only, that of /etc first of all; give that one",
                                 in.paths[i - 1], in.paths[i]);
                        failed++;
                }
        for (size_t i = 0; i < in.n; i++) {
                int r = overlay_read_path(in.paths[i], &in.texts[i], &in.files[i].size);

                if (r < 0) {
                        complain("%s: cannot be read: %s", in.paths[i], strerror(-r));
                        failed++;
                }
                in.files[i].text = in.texts[i] ?: "";
        }
        *ret = in;
        return failed ? STATUS_FAILED : STATUS_DONE;
}

/* ---- presets ------------------------------------------------------------------------------------------------------ */

static const struct {
        const char *name, *why;
} presets[] = {
        { "all-kernel", "every block becomes kernel memory" },
        { "bare-metal-dimms", "DIMMs movable, so that they can be pulled, with a guard that keeps the kernel alive" },
        { "cloud-vm", "a virtual machine that is resized: movable while the kernel can bear it" },
};
enum { PRESET_ALL_KERNEL, PRESET_DIMMS, PRESET_CLOUD };

/* Which of them are about the same. */
static unsigned suggest_presets(const struct udev_import *u) {
        unsigned all_kernel = 1u << PRESET_ALL_KERNEL, others = 0;

        for (size_t i = 0; i < u->n_rules; i++) {
                const struct udev_import_rule *r = &u->rules[i];
                const bool metal = !r->platforms || (r->platforms & PLATFORM_BIT(PLATFORM_BAREMETAL)),
                           vm = !r->platforms || (r->platforms & ~PLATFORM_BIT(PLATFORM_BAREMETAL));

                if (r->action == ACTION_LEAVE_OFFLINE)
                        continue;
                if (r->action != ACTION_ONLINE_KERNEL)
                        all_kernel = 0;
                if (metal && r->action == ACTION_ONLINE_MOVABLE)
                        others |= 1u << PRESET_DIMMS;
                if (vm && r->action != ACTION_ONLINE_KERNEL)
                        others |= 1u << PRESET_CLOUD;
        }
        return all_kernel | others;
}

/* ---- words -------------------------------------------------------------------------------------------------------- */

#define NAME_LENGTH_MAX 60

/* "ppc64-s390x", "baremetal", "everything-else" */
static void rule_name(const struct udev_import_rule *r, char buf[static NAME_LENGTH_MAX + 1]) {
        size_t n = 0;

        snprintf(buf, NAME_LENGTH_MAX + 1, "everything-else");
        for (enum platform p = 0; p < _PLATFORM_MAX && n < NAME_LENGTH_MAX; p++)
                if ((r->platforms | r->architectures) & PLATFORM_BIT(p))
                        n += (size_t) snprintf(buf + n, NAME_LENGTH_MAX + 1 - n, "%s%s", n ? "-" : "", platform_to_string(p));
}

static void print_words(const char *key, platform_mask mask) {
        const char *separator = "";

        if (!mask)
                return;
        printf("%s = [ ", key);
        for (enum platform p = 0; p < _PLATFORM_MAX; p++)
                if (mask & PLATFORM_BIT(p)) {
                        printf("%s\"%s\"", separator, platform_to_string(p));
                        separator = ", ";
                }
        printf(" ]; ");
}

/* ---- the policy, as a file ---------------------------------------------------------------------------------------- */

/* A path may hold anything, but no line break may end the comment: print_safe() sees to that. */
static void print_place(FILE *f, const struct input *in, const struct udev_origin *at) {
        print_safe(f, in->paths[at->file]);
        fprintf(f, ":%u", at->line);
}

static void print_note(FILE *f, const struct input *in, const struct udev_note *note, const char *prefix) {
        print_place(f, in, &note->at);
        fprintf(f, ": %s", prefix);
        print_safe(f, note->subject);
        fprintf(f, " %s: %s\n", udev_note_reason(note->kind), udev_note_consequence(note->kind));
}

static void print_rule(const struct input *in, const struct udev_import_rule *r, bool last) {
        char name[NAME_LENGTH_MAX + 1];

        for (size_t i = 0; i < r->n_origins; i++) {
                fputs("  # ", stdout);
                print_place(stdout, in, &r->origins[i]);
                putchar('\n');
        }
        if (r->n_origins == 0)
                puts("  # no udev rule is about these");
        rule_name(r, name);
        printf("  { name = \"%s\";\n    match = { ", name);
        print_words("platform", r->platforms);
        print_words("architecture", r->architectures);
        printf("};\n    action = \"%s\";", action_to_string(r->action));
        if (r->fallback != ACTION_LEAVE_OFFLINE)
                printf("\n    fallback = \"%s\";", action_to_string(r->fallback));
        printf(" }%s\n", last ? "" : ",");
}

static void print_policy(const struct input *in, const struct udev_import *u) {
        const unsigned close = suggest_presets(u);

        puts("# What these udev rules do with new memory, as a policy of memhpd (memhpd.conf(5)), made by memhpctl import-udev of");
        for (size_t i = 0; i < in->n; i++) {
                fputs("#   ", stdout);
                print_safe(stdout, in->paths[i]);
                putchar('\n');
        }
        puts("# Above each rule stand the lines that it comes from. Remove them there (memhpctl doctor says how), or both act.\n"
             "#\n"
             "# udev cannot tell where memory comes from, hence device memory (pmem, cxl, hmem, dax) is treated like any other.");
        for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
                if (close & 1u << i)
                        printf("# Much the same, with sources told apart: %s/%s.conf (%s).\n", PRESETSDIR, presets[i].name, presets[i].why);
        if (u->n_notes > 0)
                puts("#\n# Not translated:");
        for (size_t i = 0; i < u->n_notes; i++) {
                fputs("#   ", stdout);
                print_note(stdout, in, &u->notes[i], "");
        }
        puts("\nversion = 1;\n\nrules = (");
        for (size_t i = 0; i < u->n_rules; i++)
                print_rule(in, &u->rules[i], i + 1 == u->n_rules);
        puts(");");
}

static void complain_notes(const struct input *in, const struct udev_import *u) {
        for (size_t i = 0; i < u->n_notes; i++)
                print_note(stderr, in, &u->notes[i], "not translated: ");
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *json_place(const struct input *in, const struct udev_origin *at) {
        json_t *object = json_new_object();

        json_set(object, "file", json_text(in->paths[at->file]));
        json_set(object, "line", json_unsigned(at->line));
        return object;
}

static json_t *json_import_rule(const struct input *in, const struct udev_import_rule *r) {
        json_t *object = json_new_object(), *origins = json_new_array();
        char name[NAME_LENGTH_MAX + 1];

        rule_name(r, name);
        for (size_t i = 0; i < r->n_origins; i++)
                json_add(origins, json_place(in, &r->origins[i]));
        json_set(object, "name", json_text(name));
        json_set(object, "platform", json_platforms(r->platforms));
        json_set(object, "architecture", json_platforms(r->architectures));
        json_set(object, "action", json_text(action_to_string(r->action)));
        json_set(object, "fallback", json_text(action_to_string(r->fallback)));
        json_set(object, "origins", origins);
        return object;
}

static void print_json(const struct input *in, const struct udev_import *u) {
        json_auto_t *root = json_new_object();
        json_t *rules = json_new_array(), *notes = json_new_array(), *close = json_new_array();

        for (size_t i = 0; i < u->n_rules; i++)
                json_add(rules, json_import_rule(in, &u->rules[i]));
        for (size_t i = 0; i < u->n_notes; i++) {
                json_t *note = json_place(in, &u->notes[i].at);

                json_set(note, "subject", json_text(u->notes[i].subject));
                json_set(note, "reason", json_text(udev_note_reason(u->notes[i].kind)));
                json_set(note, "consequence", json_text(udev_note_consequence(u->notes[i].kind)));
                json_add(notes, note);
        }
        for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
                if (suggest_presets(u) & 1u << i)
                        json_add(close, json_text(presets[i].name));
        json_set(root, "rules", rules);
        json_set(root, "not_translated", notes);
        json_set(root, "presets", close);
        json_print(root);
}

enum status verb_import_udev(const struct options *o, char *const *args) {
        struct udev_import u = {};
        struct input in = {};
        enum status status;

        status = input_read(args, &in);
        if (status == STATUS_DONE && udev_import(in.files, in.n, &u) < 0)
                out_of_memory();
        if (status == STATUS_DONE) {
                if (!u.brings_online && u.n_notes == 0) {
                        complain("%s%s: no rule brings memory online: there is nothing to import", in.paths[0],
                                 in.n > 1 ? " and the others" : "");
                        status = STATUS_FAILED;
                } else if (o->json)
                        print_json(&in, &u);
                else {
                        print_policy(&in, &u);
                        complain_notes(&in, &u);
                }
                if (status == STATUS_DONE && u.n_notes > 0)
                        status = STATUS_PARTIAL;
        }
        udev_import_done(&u);
        input_done(&in);
        return status;
}
