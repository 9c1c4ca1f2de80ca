/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "core/format.h"
#include "ctl/explanation.h"
#include "ctl/moment.h"

/* What the block has where a rule asks for something. */
static char *format_condition(const json_t *basis, const char *key) {
        const json_t *facts = json_object_get(basis, "facts"), *value = json_object_get(facts, key);
        char size[FORMAT_SIZE_MAX];

        if (strcmp(key, "platform") == 0 || strcmp(key, "architecture") == 0) {
                const bool architectures = strcmp(key, "architecture") == 0;
                _cleanup_free_ char *words = format_text("%s", "");
                json_t *word;
                size_t i;

                json_array_foreach(json_object_get(basis, "platforms"), i, word) {
                        const char *text = json_string_value(word) ?: "?";
                        char *longer;

                        if (platform_is_architecture(platform_from_string(text)) != architectures)
                                continue;
                        longer = format_text("%s%s%s", words, *words ? "," : "", text);
                        free(words);
                        words = longer;
                }
                return format_text("%s is %s", key, *words ? words : "unknown");
        }
        if (strcmp(key, "address") == 0 && json_is_integer(value))
                return format_text("address is 0x%" PRIx64, (uint64_t) json_integer_value(value));
        if (strcmp(key, "size") == 0)
                return format_text("the device's size is %s", json_is_integer(value) ? format_size((uint64_t) json_integer_value(value), size)
                                                                                     : "unknown");
        if (strcmp(key, "tier") == 0)
                key = "memory tier";
        if (json_is_integer(value))
                return format_text("%s is %lld", key, (long long) json_integer_value(value));
        return format_text("%s is %s", key, json_string_value(value) ?: "unknown");
}

static void print_conditions(const struct explanation *x) {
        _cleanup_free_ char *text = NULL;
        json_t *key;
        size_t i;

        json_array_foreach(json_object_get(x->basis, "conditions"), i, key) {
                _cleanup_free_ char *one = format_condition(x->basis, json_string_value(key) ?: "?");
                char *longer = format_text("%s%s%s", text ?: "", text ? ", " : "", one);

                free(text);
                text = longer;
        }
        if (text)
                print_field("conditions", "%s", text);
}

static void print_rules(const struct explanation *x) {
        json_t *rule;
        size_t i;

        json_array_foreach(x->rules, i, rule) {
                const char *name = json_get_text(rule, "name"), *file = json_get_text(rule, "file"), *result = json_get_text(rule, "result");
                long long line = (long long) json_integer_value(json_object_get(rule, "line"));

                if (strcmp(result, "not-reached") == 0)
                        print_field("not reached", "rule \"%s\" (%s:%lld)", name, file, line);
                else if (strcmp(result, "match") != 0) {
                        _cleanup_free_ char *condition = format_condition(x->basis, json_get_text(rule, "failed"));

                        print_field(strcmp(result, "hidden") == 0 ? "hidden" : "no match", "rule \"%s\" (%s:%lld): %s", name, file, line,
                                    condition);
                }
        }
}

void explanation_print(const struct explanation *x) {
        const char *zone = json_get_text(x->decision, "zone"), *why = json_get_text(x->decision, "why");
        const json_t *time = json_object_get(x->decision, "time_usec");
        _cleanup_free_ char *nodes = format_nodes(&x->block.nodes);
        const struct block *b = &x->block;
        char when[MOMENT_TEXT_MAX];

        print_field("action", "%s", json_get_text(x->decision, "action"));
        if (*zone)
                print_field("zone", "%s", zone);
        print_field("reason", "%s", json_get_text(x->decision, "reason"));
        print_conditions(x);
        if (json_is_integer(time))
                print_field("decided", "%s", moment_format((uint64_t) json_integer_value(time), when));
        print_field("now", "%s", json_get_text(x->decision, "now"));
        if (*why)
                print_field("the kernel", "%s", why);
        print_field("source", "%s%s%s", source_to_string(b->source), *b->device ? ", device " : "", b->device);
        if (*x->evidence)
                print_field("evidence", "%s", x->evidence);
        print_field("node", "%s", *nodes ? nodes : "unknown");
        if (x->add)
                print_field("hot-add", "%" PRIu32, x->add);
        if (x->caveat)
                print_field("caveat", "%s", x->caveat);
        print_rules(x);
}

json_t *explanation_to_json(const struct explanation *x) {
        _cleanup_free_ char *reason = format_text("%s; %s", json_get_text(x->decision, "reason"), json_get_text(x->decision, "now"));
        static const char *const keys[] = { "facts", "platforms", "conditions" };
        const struct block *b = &x->block;
        json_t *object = json_new_object();

        json_set(object, "block", json_unsigned(b->index));
        json_set(object, "state", json_text(block_state_to_string(b->state)));
        if (json_object_update(object, x->decision) < 0)
                out_of_memory();
        json_set(object, "reason", json_text(reason));
        json_set(object, "source", json_text(source_to_string(b->source)));
        json_set(object, "device", json_name(b->device));
        json_set(object, "add", x->add ? json_unsigned(x->add) : json_null());
        json_set(object, "evidence", json_incref(x->evidence_json));
        json_set(object, "evidence_text", json_name(x->evidence));
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                json_set(object, keys[i], x->basis ? json_incref(json_object_get(x->basis, keys[i])) : json_null());
        json_set(object, "caveat", x->caveat ? json_text(x->caveat) : json_null());
        if (x->rules)
                json_set(object, "rules", json_incref(x->rules));
        return object;
}

static bool equal_but(const json_t *a, const json_t *b, const char *key) {
        const char *k;
        json_t *value;

        if (json_object_size(a) != json_object_size(b))
                return false;
        json_object_foreach((json_t *) a, k, value)
                if (strcmp(k, key) != 0 && !json_equal(value, json_object_get(b, k)))
                        return false;
        return true;
}

/* That each has an address of its own, and was told in a moment of its own, is nothing to tell them apart by. */
static bool same_basis(const json_t *a, const json_t *b) {
        if (!a || !b)
                return a == b;
        return equal_but(json_object_get(a, "facts"), json_object_get(b, "facts"), "address") && equal_but(a, b, "facts");
}

bool explanation_equal(const struct explanation *a, const struct explanation *b) {
        return !block_compare(&a->block, &b->block) && a->add == b->add && strcmp(a->evidence, b->evidence) == 0 &&
               equal_but(a->decision, b->decision, "time_usec") && same_basis(a->basis, b->basis) && a->caveat == b->caveat &&
               (!a->rules || json_equal(a->rules, b->rules));
}
