/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/kernel-config.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

static int read_release(const struct sysfs *fs, char *buf, size_t size) {
        struct utsname name;

        if (strcmp(sysfs_root(fs), "/") != 0)
                return sysfs_read_capture_word(fs, "kernel", buf, size);
        if (uname(&name) < 0)
                return -errno;
        snprintf(buf, size, "%.*s", (int) size - 1, name.release);
        return 0;
}

/* "CONFIG_X=y" or "# CONFIG_X is not set" */
static bool is_about(const char *line, const char *option) {
        size_t n = strlen(option);

        if (strncmp(line, "# ", 2) == 0)
                line += 2;
        return strncmp(line, option, n) == 0 && (line[n] == '=' || line[n] == ' ');
}

int kernel_config_find(const struct sysfs *fs, const char *option, struct kernel_config_line *ret) {
        struct kernel_config_line l = {};
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        char release[64], text[1024];
        int r;

        r = read_release(fs, release, sizeof(release));
        if (r < 0)
                return r;
        if (strchr(release, '/'))
                return -ENOENT;
        snprintf(l.file, sizeof(l.file), "/boot/config-%s", release);
        if (asprintf(&path, "%s%s", strcmp(sysfs_root(fs), "/") == 0 ? "" : sysfs_root(fs), l.file) < 0)
                return -ENOMEM;
        f = fopen(path, "re");
        if (!f)
                return -errno;
        while (fgets(text, sizeof(text), f)) {
                l.line++;
                text[strcspn(text, "\n")] = '\0';
                if (!is_about(text, option))
                        continue;
                snprintf(l.text, sizeof(l.text), "%.*s", (int) sizeof(l.text) - 1, text);
                *ret = l;
                return 0;
        }
        return -ENOENT;
}
