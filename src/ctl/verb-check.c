/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ctl/policy.h"
#include "ctl/verb.h"

void complain_problems(const struct problems *p, bool errors_only) {
        for (size_t i = 0; i < p->n; i++) {
                const struct problem *q = &p->items[i];
                _cleanup_free_ char *line = q->line ? format_text(":%u", q->line) : NULL, *text = NULL;

                if (errors_only && q->warning)
                        continue;
                /* As a compiler does it, without our name: editors jump to FILE:LINE. */
                text = format_text("%s%s: %s%s", q->file, line ?: "", q->warning ? "warning: " : "", q->text);
                print_safe(stderr, text);
                fputc('\n', stderr);
        }
}

json_t *json_rule(const struct rule *r) {
        json_t *object = json_new_object();

        json_set(object, "name", json_text(r->name));
        json_set(object, "file", json_text(r->file));
        json_set(object, "line", json_unsigned(r->line));
        return object;
}

enum status policy_open(const char *sysroot, const char *path, struct policy **ret) {
        _cleanup_(problems_done) struct problems problems = {};
        int r;

        r = conf_load(sysroot, path, ret, &problems);
        if (r == -ENOMEM)
                out_of_memory();
        if (r >= 0)
                return STATUS_DONE;
        complain_problems(&problems, true);
        if (problems.n_errors == 0)
                complain("%s: cannot be loaded: %s", path ?: "the policy", strerror(-r));
        else
                complain("%s: %zu error%s: there is no policy to judge by", path ?: "the policy", problems.n_errors,
                         problems.n_errors == 1 ? "" : "s");
        return STATUS_FAILED;
}

/* Which files are in force depends on which there are: that is told. */
static void print_files(const struct policy *policy) {
        for (size_t i = 0; i < policy->n_files; i++) {
                fputs(i ? ", " : "", stdout);
                print_safe(stdout, policy->files[i]);
        }
}

static void print_json(const struct policy *policy, const struct problems *p) {
        json_auto_t *root = json_new_object();
        json_t *array = json_new_array(), *files = json_new_array();

        for (size_t i = 0; policy && i < policy->n_files; i++)
                json_add(files, json_text(policy->files[i]));
        for (size_t i = 0; i < p->n; i++) {
                json_t *object = json_new_object();

                json_set(object, "file", json_text(p->items[i].file));
                json_set(object, "line", p->items[i].line ? json_unsigned(p->items[i].line) : json_null());
                json_set(object, "severity", json_text(p->items[i].warning ? "warning" : "error"));
                json_set(object, "message", json_text(p->items[i].text));
                json_add(array, object);
        }
        json_set(root, "valid", json_boolean(policy != NULL));
        json_set(root, "rules", policy ? json_unsigned(policy->n_rules) : json_null());
        json_set(root, "files", files);
        json_set(root, "problems", array);
        json_print(root);
}

enum status verb_check(const struct options *o, char *const *args) {
        _cleanup_(policy_freep) struct policy *policy = NULL;
        _cleanup_(problems_done) struct problems problems = {};
        const char *path = args[0] ?: o->config;
        int r;

        r = conf_load(o->sysroot, path, &policy, &problems);
        if (r == -ENOMEM)
                out_of_memory();
        if (o->json)
                print_json(policy, &problems);
        else
                complain_problems(&problems, false);
        if (r < 0) {
                if (!o->json && problems.n_errors == 0)
                        complain("%s: cannot be loaded: %s", path ?: "the policy", strerror(-r));
                return STATUS_FAILED;
        }
        if (!o->json) {
                print_files(policy);
                printf(": valid, %zu rule%s, %zu warning%s\n", policy->n_rules, policy->n_rules == 1 ? "" : "s",
                       problems.n, problems.n == 1 ? "" : "s");
        }
        return STATUS_DONE;
}
