/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "host/conf.h"

#define DROPIN_DIR "memhp/memhpd.conf.d"
#define FILE_SIZE_MAX (1024 * 1024)

/* NULL, or what makes the file unfit to be trusted with the machine's memory. */
static const char *unsafe_reason(const struct stat *st) {
        if (!S_ISREG(st->st_mode))
                return "is not a regular file";
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "is not owned by root; anybody else could change the policy";
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return "may be written by group or others (chmod go-w); anybody could change the policy";
        if (st->st_size > FILE_SIZE_MAX)
                return "is larger than 1 MiB";
        return NULL;
}

int conf_read_file(const char *path, bool may_be_absent, struct problems *problems, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        const char *reason;
        struct stat st;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        /* A link that leads nowhere was meant to be a policy. */
        if (fd < 0 && errno == ENOENT && may_be_absent && lstat(path, &st) < 0)
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0) {
                problems_add(problems, false, path, 0, "cannot be read: %s", strerror(errno));
                return -EBADMSG;
        }
        reason = unsafe_reason(&st);
        if (reason) {
                problems_add(problems, false, path, 0, "refused: the file %s", reason);
                return -EBADMSG;
        }
        text = malloc((size_t) st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (size < (size_t) st.st_size && (n = read(fd, text + size, (size_t) st.st_size - size)) != 0) {
                if (n < 0) {
                        problems_add(problems, false, path, 0, "cannot be read: %s", strerror(errno));
                        return -EBADMSG;
                }
                size += (size_t) n;
        }
        text[size] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 1;
}

/* Read one file into the policy; its rules are appended. 1: read · 0: absent · negative: no memory, or refused. */
static int load_file(struct policy *policy, struct problems *problems, const char *path, bool may_be_absent) {
        _cleanup_free_ char *text = NULL;
        size_t size, n_errors = problems->n_errors;
        int r;

        r = conf_read_file(path, may_be_absent, problems, &text, &size);
        if (r <= 0)
                return r;
        if (!GROW(policy->files, policy->n_files, policy->capacity_files) || !(policy->files[policy->n_files] = strdup(path)))
                return -ENOMEM;
        policy->n_files++;
        conf_check_text(text, size, path, problems);
        if (problems->n_errors == n_errors)
                conf_parse(text, path, policy, problems);
        return 1;
}

struct dropins {
        char **paths; /* in the order of their base names; of one name only the strongest */
        size_t n, capacity;
};

static void dropins_done(struct dropins *d) {
        for (size_t i = 0; i < d->n; i++)
                free(d->paths[i]);
        free(d->paths);
}

static const char *base_name(const char *path) {
        return strrchr(path, '/') + 1;
}

static int dropins_add(struct dropins *d, const char *dir, const char *name) {
        size_t i = 0;
        char *path;

        for (; i < d->n; i++) {
                int c = strcmp(base_name(d->paths[i]), name);

                if (c == 0)
                        return 0; /* a stronger directory came before */
                if (c > 0)
                        break;
        }
        if (!GROW(d->paths, d->n, d->capacity) || asprintf(&path, "%s/%s", dir, name) < 0)
                return -ENOMEM;
        memmove(d->paths + i + 1, d->paths + i, (d->n - i) * sizeof(*d->paths));
        d->paths[i] = path;
        d->n++;
        return 0;
}

static int find_dropins(const char *root, struct problems *problems, struct dropins *ret) {
        static const char *const dirs[] = { SYSCONFDIR "/" DROPIN_DIR, "/run/" DROPIN_DIR, VENDORCONFDIR "/" DROPIN_DIR };

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                _cleanup_free_ char *dir = NULL;
                struct dirent *e;
                int r = 0;
                DIR *d;

                if (asprintf(&dir, "%s%s", root, dirs[i]) < 0)
                        return -ENOMEM;
                d = opendir(dir);
                if (!d) {
                        if (errno != ENOENT)
                                problems_add(problems, false, dir, 0, "cannot be listed: %s", strerror(errno));
                        continue;
                }
                while (r >= 0 && (e = readdir(d))) {
                        const char *suffix = strrchr(e->d_name, '.');

                        if (e->d_name[0] != '.' && suffix && strcmp(suffix, ".conf") == 0)
                                r = dropins_add(ret, dir, e->d_name);
                }
                closedir(d);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void warn_unreachable(const struct policy *p, struct problems *problems) {
        for (size_t i = 0; i < p->n_rules; i++)
                for (size_t j = 0; j < i; j++) {
                        const struct rule *before = &p->rules[j], *r = &p->rules[i];

                        if (!match_covers(&before->match, &r->match))
                                continue;
                        problems_add(problems, true, r->file, r->line,
                                     "rule \"%s\" is never reached: \"%s\" (%s:%u) matches all that it matches",
                                     r->name, before->name, before->file, before->line);
                        break;
                }
}

/* The rules of [first, …) go to the front. */
static int rotate_rules(struct policy *p, size_t first) {
        _cleanup_free_ struct rule *rules = NULL;
        size_t n = p->n_rules - first;

        if (n == 0 || first == 0)
                return 0;
        rules = malloc(p->n_rules * sizeof(*rules));
        if (!rules)
                return -ENOMEM;
        memcpy(rules, p->rules + first, n * sizeof(*rules));
        memcpy(rules + n, p->rules, first * sizeof(*rules));
        memcpy(p->rules, rules, p->n_rules * sizeof(*rules));
        return 0;
}

/* The main file is read first, so that what drop-ins set holds; their rules then move before its own. */
static int load_all(struct policy *p, struct problems *problems, const char *root, const char *path) {
        static const char *const mains[] = { CONF_MAIN, CONF_VENDOR };
        _cleanup_(dropins_done) struct dropins dropins = {};
        size_t first;
        int r = 0;

        if (path) {
                r = load_file(p, problems, path, false);
                return MIN(r, 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(mains) && r == 0; i++) {
                _cleanup_free_ char *main_path = NULL;

                if (asprintf(&main_path, "%s%s", root, mains[i]) < 0)
                        return -ENOMEM;
                r = load_file(p, problems, main_path, true);
        }
        if (r == -ENOMEM)
                return r;
        if (r == 0)
                problems_add(problems, false, CONF_MAIN, 0, "no configuration: neither this file nor %s exists", CONF_VENDOR);
        first = p->n_rules;
        r = find_dropins(root, problems, &dropins);
        for (size_t i = 0; r >= 0 && i < dropins.n; i++) {
                r = load_file(p, problems, dropins.paths[i], false);
                if (r == -EBADMSG) /* go on: all errors in one pass */
                        r = 0;
        }
        return r < 0 ? r : rotate_rules(p, first);
}

int conf_load(const char *root, const char *path, struct policy **ret, struct problems *ret_problems) {
        _cleanup_(policy_freep) struct policy *p = policy_new();
        int r;

        if (!p)
                return -ENOMEM;
        r = load_all(p, ret_problems, strcmp(root, "/") == 0 ? "" : root, path);
        if (r == -ENOMEM)
                return r;
        if (ret_problems->n_errors > 0)
                return -EBADMSG;
        if (r < 0)
                return r;
        warn_unreachable(p, ret_problems);
        *ret = TAKE_PTR(p);
        return 0;
}
