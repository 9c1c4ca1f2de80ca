/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/client.h"
#include "ctl/verb.h"

/* Each as "check" prints it. Returns the number of errors. */
static size_t complain_all(const json_t *problems) {
        size_t i, n = 0;
        json_t *p;

        json_array_foreach(problems, i, p) {
                const char *file = json_string_value(json_array_get(p, 0)), *text = json_string_value(json_array_get(p, 2));
                json_int_t line = json_integer_value(json_array_get(p, 1));
                bool error = json_is_true(json_array_get(p, 3));
                _cleanup_free_ char *number = line ? format_text(":%lld", (long long) line) : NULL, *whole = NULL;

                n += error;
                whole = format_text("%s%s: %s%s", file ?: "?", number ?: "", error ? "" : "warning: ", text ?: "?");
                print_safe(stderr, whole);
                fputc('\n', stderr);
        }
        return n;
}

/* A policy that would be refused is not sent on its way: all of its errors can be told, not only the first. */
static enum status check(struct client *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        json_auto_t *good = NULL, *problems = NULL;
        enum status s;
        size_t n;

        s = client_call(c, NULL, NULL, "CheckPolicy", &reply, "");
        if (s != STATUS_DONE)
                return s;
        good = client_read_json(reply);
        problems = client_read_json(reply);
        n = complain_all(problems);
        if (json_is_true(good))
                return STATUS_DONE;
        complain("reload: %zu error%s: the policy of before stays", n, n == 1 ? "" : "s");
        return STATUS_FAILED;
}

enum status verb_reload(const struct options *o, char *const *args) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(client_closep) struct client *c = NULL;
        json_auto_t *rules = NULL;
        enum status s;

        (void) args;
        s = client_open(o, &c);
        if (s == STATUS_DONE)
                s = check(c);
        if (s == STATUS_DONE)
                s = client_call(c, NULL, NULL, "Reload", &reply, "");
        if (s != STATUS_DONE)
                return s;
        rules = client_read_json(reply);
        if (o->json) {
                json_auto_t *root = json_new_object();

                json_set(root, "rules", json_incref(rules));
                json_print(root);
        } else if (o->legend)
                printf("the policy was loaded: %lld rule%s\n", (long long) json_integer_value(rules),
                       json_integer_value(rules) == 1 ? "" : "s");
        return STATUS_DONE;
}
