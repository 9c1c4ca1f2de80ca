/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "daemon/bus-internal.h"

/* The policy, and what keeps it waiting. */

static void append_problems(struct writer *w, const struct problems *p) {
        writer_open(w, 'a', "(susb)");
        for (size_t i = 0; i < p->n; i++)
                writer_append(w, "(susb)", bus_text(p->items[i].file), p->items[i].line, bus_text(p->items[i].text),
                              (int) !p->items[i].warning);
        writer_close(w);
}

int bus_check_policy(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(problems_done) struct problems problems = {};
        struct writer w;
        int r;

        (void) error;
        if (only_check)
                return 0;
        r = manager_check_policy(b->manager, &problems);
        if (r < 0 && problems.n_errors == 0) /* not the policy's fault */
                return r;
        writer_init_reply(&w, m);
        writer_append(&w, "b", (int) (problems.n_errors == 0));
        append_problems(&w, &problems);
        return writer_reply(&w);
}

/* The first error, and how many there are: all of them are in the journal, and in what CheckPolicy answers. */
static int refuse_policy(struct bus *b, sd_bus_error *error) {
        _cleanup_(problems_done) struct problems problems = {};

        (void) manager_check_policy(b->manager, &problems);
        for (size_t i = 0; i < problems.n; i++)
                if (!problems.items[i].warning)
                        return sd_bus_error_setf(error, BUS_ERROR_BAD_POLICY, "%s:%u: %s (%zu errors in all; the policy of before "
                                                 "stays)", bus_text(problems.items[i].file), problems.items[i].line,
                                                 bus_text(problems.items[i].text), problems.n_errors);
        return sd_bus_error_setf(error, BUS_ERROR_BAD_POLICY, "the new policy was refused; the one before stays");
}

int bus_reload(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        int r;

        if (only_check)
                return 0;
        r = manager_reload(b->manager);
        if (r == -EBADMSG)
                return refuse_policy(b, error);
        return r < 0 ? r : sd_bus_reply_method_return(m, "u", (uint32_t) manager_policy(b->manager)->n_rules);
}

/* What holds_add() would say of a hold of anybody's. */
static int check_hold(const char *selector, const char *reason, sd_bus_error *error) {
        _cleanup_(holds_done) struct holds none = {};
        char why[SELECTOR_ERROR_MAX] = "";
        int r;

        r = holds_add(&none, selector, 0, reason, why);
        if (r != -EINVAL)
                return r;
        return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "%s: not held: %s", selector, why);
}

static int refuse_busy(sd_bus_error *error) {
        return sd_bus_error_setf(error, BUS_ERROR_BUSY, "somebody else is changing the holds at this moment; try again");
}

int bus_hold(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        _cleanup_(selector_done) struct selector selector = {};
        char why[SELECTOR_ERROR_MAX] = "";
        const char *text, *reason;
        uint64_t duration;
        uint32_t id;
        int r;

        r = bus_read_selector(m, &selector, &text, error);
        if (r >= 0)
                r = sd_bus_message_read(m, "ts", &duration, &reason);
        if (r < 0)
                return r;
        if (*reason && !*bus_text(reason))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "the reason is plain text");
        if (strlen(reason) >= HOLD_REASON_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "the reason is longer than %d characters",
                                         HOLD_REASON_MAX - 1);
        r = check_hold(text, reason, error);
        if (r < 0 || only_check)
                return r;
        r = manager_add_hold(b->manager, text, duration, reason, &id, why);
        if (r == -EBUSY)
                return refuse_busy(error);
        if (r == -ENOSPC)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "there are %d holds already; release some", HOLDS_MAX);
        return r < 0 ? r : sd_bus_reply_method_return(m, "u", id);
}

int bus_release(struct bus *b, sd_bus_message *m, bool only_check, sd_bus_error *error) {
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "u", &id);
        if (r < 0 || only_check)
                return r;
        r = manager_remove_hold(b->manager, id);
        if (r == -EBUSY)
                return refuse_busy(error);
        if (r == -ENOENT)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%u: there is no such hold", id);
        return r < 0 ? r : sd_bus_reply_method_return(m, "");
}
