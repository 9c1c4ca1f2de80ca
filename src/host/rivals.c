/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/rivals.h"

#include <errno.h>
#include <string.h>

#include "host/overlay.h"
#include "host/platform.h"

/* The last ones are links to their neighbours on most systems: a name that was seen is not seen again. */
static const char *const rules_dirs[] = {
        "etc/udev/rules.d", "run/udev/rules.d", "usr/local/lib/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d",
};
static const char *const daxctl_dirs[] = { "etc/daxctl.conf.d" };
static const char *const unit_dirs[] = {
        "etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system",
        "lib/systemd/system",
};

#define WANTS 2 /* folders X.wants and X.requires */

struct search {
        struct rivals *rivals;
        struct rival_machine machine;
        const struct overlay_file *file; /* at hand */
        struct overlay wants[WANTS];     /* the names of these folders */
        size_t n_wants;
        bool failed; /* no memory */
};

/* ---- what is found ------------------------------------------------------------------------------------------------ */

static char *path_of(const struct overlay_file *f) {
        char *path;

        return asprintf(&path, "/%s/%s", f->dir, f->name) < 0 ? NULL : path;
}

static void rival_done(struct rival *r) {
        free(r->file);
        free(r->text);
}

static void on_found(enum rival_kind kind, unsigned line, const char *text, bool certain, void *userdata) {
        struct search *s = userdata;
        struct rivals *r = s->rivals;
        struct rival rival = { .kind = kind, .line = line, .certain = certain };

        if (s->failed)
                return;
        rival.file = path_of(s->file);
        rival.text = strdup(text);
        if (!rival.file || !rival.text || !GROW(r->items, r->n, r->capacity)) {
                rival_done(&rival);
                s->failed = true;
                return;
        }
        r->items[r->n++] = rival;
}

static int note_unread(struct search *s, int error) {
        if (error == -ENOMEM)
                return error;
        if (s->rivals->unread || error == -ENOENT) /* a link that leads nowhere is nothing to udev as well */
                return 0;
        s->rivals->unread_error = error;
        s->rivals->unread = path_of(s->file);
        return s->rivals->unread ? 0 : -ENOMEM;
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static int read_rules(struct search *s, const char *text, size_t size) {
        unsigned line = 0;
        int r;

        r = rivals_in_rules(text, size, &s->machine, on_found, s, &line);
        if (r < 0 || line == 0)
                return r;
        free(s->rivals->daxctl_file);
        s->rivals->daxctl_line = line;
        s->rivals->daxctl_file = path_of(s->file);
        return s->rivals->daxctl_file ? 0 : -ENOMEM;
}

/* It counts only if somebody reads it. */
static int read_daxctl_conf(struct search *s, const char *text, size_t size) {
        return s->rivals->daxctl_file ? rivals_in_daxctl_conf(text, size, on_found, s) : 0;
}

/* Is there a link to it in multi-user.target.wants or the like? Others are started by hand. */
static bool is_enabled(const struct search *s) {
        for (size_t k = 0; k < s->n_wants; k++)
                for (size_t i = 0; i < s->wants[k].n; i++)
                        for (size_t d = 0; d < ARRAY_SIZE(unit_dirs); d++) {
                                _cleanup_free_ char *path = NULL;

                                if (asprintf(&path, "%s/%s/%s", unit_dirs[d], s->wants[k].files[i].name, s->file->name) < 0) {
                                        path = NULL;
                                        return false;
                                }
                                if (overlay_exists(&s->wants[k], path))
                                        return true;
                        }
        return false;
}

static int read_unit(struct search *s, const char *text, size_t size) {
        size_t before = s->rivals->n;
        int r;

        r = rivals_in_unit(text, size, on_found, s);
        if (s->rivals->n > before && !is_enabled(s))
                while (s->rivals->n > before)
                        rival_done(&s->rivals->items[--s->rivals->n]);
        return r;
}

static int read_all(struct search *s, const char *root, const char *const *dirs, size_t n, const char *suffix,
                    int (*read_one)(struct search *s, const char *text, size_t size)) {
        _cleanup_(overlay_close) struct overlay overlay = { .root_fd = -1 };
        int r;

        r = overlay_open(root, dirs, n, suffix, &overlay);
        for (size_t i = 0; r >= 0 && i < overlay.n; i++) {
                _cleanup_free_ char *text = NULL;
                size_t size = 0;

                s->file = &overlay.files[i]; /* cppcheck-suppress autoVariables; used by read_one() alone */
                r = overlay_read(&overlay, s->file, &text, &size);
                if (r < 0)
                        r = note_unread(s, r);
                else if (r > 0)
                        r = read_one(s, text, size);
        }
        return s->failed ? -ENOMEM : MIN(r, 0);
}

static int read_units(struct search *s, const char *root) {
        static const char *const suffixes[WANTS] = { ".wants", ".requires" };
        int r = 0;

        while (s->n_wants < WANTS) {
                r = overlay_open(root, unit_dirs, ARRAY_SIZE(unit_dirs), suffixes[s->n_wants], &s->wants[s->n_wants]);
                if (r < 0)
                        break;
                s->n_wants++;
        }
        if (r >= 0)
                r = read_all(s, root, unit_dirs, ARRAY_SIZE(unit_dirs), ".service", read_unit);
        while (s->n_wants > 0)
                overlay_close(&s->wants[--s->n_wants]);
        return r;
}

int rivals_find(const struct sysfs *fs, struct rivals *ret) {
        char vendor[FIRMWARE_NAME_MAX], product[FIRMWARE_NAME_MAX], architecture[MACHINE_NAME_MAX];
        const char *root = sysfs_root(fs);
        struct search s = { .rivals = ret };
        int r;

        *ret = (struct rivals) {};
        sysfs_read_firmware_names(fs, vendor, product);
        platform_read_machine(fs, architecture);
        s.machine = (struct rival_machine) {
                .architecture = *architecture ? architecture : NULL,
                .sys_vendor = *vendor ? vendor : NULL,
                .product_name = *product ? product : NULL,
        };
        r = read_all(&s, root, rules_dirs, ARRAY_SIZE(rules_dirs), ".rules", read_rules);
        if (r >= 0)
                r = read_all(&s, root, daxctl_dirs, ARRAY_SIZE(daxctl_dirs), ".conf", read_daxctl_conf);
        if (r >= 0)
                r = read_units(&s, root);
        return r == -ENOMEM ? r : 0;
}

void rivals_done(struct rivals *r) {
        for (size_t i = 0; i < r->n; i++)
                rival_done(&r->items[i]);
        free(r->items);
        free(r->daxctl_file);
        free(r->unread);
        *r = (struct rivals) {};
}
