/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "memhp-build.h"
#endif

#include <locale.h>
#include <signal.h>

#include "ctl/pager.h"
#include "ctl/verb.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(unknown version)"
#endif

static enum status run(struct options *o, char *const *words, unsigned n) {
        const struct verb *v;

        if (o->version) {
                printf("memhpctl %s\n", PACKAGE_VERSION);
                return STATUS_DONE;
        }
        if (n == 0 && o->help) {
                help_print_overview();
                return STATUS_DONE;
        }
        if (n == 0) {
                complain("a verb is missing; \"memhpctl help\" lists them");
                return STATUS_USAGE;
        }
        v = verb_find(words[0]);
        if (!v)
                return STATUS_USAGE;
        if (o->help) {
                help_print_verb(v);
                return STATUS_DONE;
        }
        if (n - 1 < v->min_args || n - 1 > v->max_args) {
                complain("%s: %s; usage: memhpctl %s %s", v->name,
                         n - 1 < v->min_args ? "an argument is missing" : "too many arguments", v->name, v->arguments);
                return STATUS_USAGE;
        }
        if (options_check(o, v->name, v->options) < 0)
                return STATUS_USAGE;
        o->verb = v->name;
        if ((v->flags & VERB_PAGER) && o->pager && !o->watch)
                pager_open();
        return v->run(o, words + 1);
}

int main(int argc, char **argv) {
        struct options o;
        enum status status;
        int n;

        setlocale(LC_CTYPE, "");
        /* A reader that went away is a failed write like any other: reported, not fatal. */
        signal(SIGPIPE, SIG_IGN);
        output_init();

        if (options_parse(argc, argv, &o, &n) < 0)
                return STATUS_USAGE;
        status = run(&o, argv, (unsigned) n);
        if (pager_close())
                return status; /* who has read enough ends it before the end */
        if (output_finish() < 0 && status == STATUS_DONE)
                status = STATUS_FAILED;
        return status;
}
