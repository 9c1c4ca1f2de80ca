/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Folders of which the earlier hide files of the same name in the later: /etc, /run, /usr/lib and their like, as udev and
 * systemd have them. Read-only. */

#include <stddef.h>

#include "core/macro.h"

struct overlay_file {
        char *name;      /* "80-memory.rules" */
        const char *dir; /* of those that were given: where it counts */
};

struct overlay {
        int root_fd;
        bool host; /* the root is the running system's */
        struct overlay_file *files; /* by name */
        size_t n, capacity;
};

/* dirs: without a leading slash, the strongest first; they stay the caller's. suffix: ".rules". Folders that are not there or
 * cannot be read are passed over. root: "/" or a tree, whose links lead nowhere out of it. */
int overlay_open(const char *root, const char *const *dirs, size_t n, const char *suffix, struct overlay *ret);
void overlay_close(struct overlay *o);

/* Free *ret. 1 · 0: it hides the others and is nothing itself (a link to /dev/null, or empty) · negative errno: -EFBIG beyond
 * a megabyte, -EINVAL: no plain file */
int overlay_read(const struct overlay *o, const struct overlay_file *f, char **ret, size_t *ret_size);
/* A file by its path, on the same terms. */
int overlay_read_path(const char *path, char **ret, size_t *ret_size);
/* Is there something of this name in one of the folders? */
bool overlay_exists(const struct overlay *o, const char *path);
