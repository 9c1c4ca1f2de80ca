/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/doctor.h"

#include <stdarg.h>

static const char *const severity_names[_SEVERITY_MAX] = { "notice", "warning", "error" };
static const enum colour severity_colours[_SEVERITY_MAX] = { COLOUR_STRONG, COLOUR_NOTICE, COLOUR_BAD };

struct finding *doctor_find(struct doctor *d, const char *kind, enum severity severity, const char *summary, ...) {
        struct finding *f;
        va_list ap;

        if (!GROW(d->findings, d->n, d->capacity))
                out_of_memory();
        f = &d->findings[d->n++];
        va_start(ap, summary);
        *f = (struct finding) { .kind = kind, .severity = severity, .summary = format_text_va(summary, ap) };
        va_end(ap);
        return f;
}

void finding_prove(struct finding *f, const char *file, unsigned line, const char *text, ...) {
        va_list ap;

        if (!GROW(f->proofs, f->n, f->capacity))
                out_of_memory();
        va_start(ap, text);
        f->proofs[f->n++] = (struct proof) { format_text("%s", file), line, format_text_va(text, ap) };
        va_end(ap);
}

void finding_say(struct finding *f, const char *consequence, ...) {
        va_list ap;

        va_start(ap, consequence);
        f->consequence = format_text_va(consequence, ap);
        va_end(ap);
}

void finding_fix(struct finding *f, const char *fix, ...) {
        va_list ap;

        va_start(ap, fix);
        f->fix = format_text_va(fix, ap);
        va_end(ap);
}

void doctor_skip(struct doctor *d, const char *check, const char *why, ...) {
        va_list ap;

        if (!GROW(d->skipped, d->n_skipped, d->skipped_capacity))
                out_of_memory();
        va_start(ap, why);
        d->skipped[d->n_skipped++] = (struct skipped) { check, format_text_va(why, ap) };
        va_end(ap);
}

void doctor_done(struct doctor *d) {
        for (size_t i = 0; i < d->n; i++) {
                struct finding *f = &d->findings[i];

                for (size_t k = 0; k < f->n; k++) {
                        free(f->proofs[k].file);
                        free(f->proofs[k].text);
                }
                free(f->proofs);
                free(f->summary);
                free(f->consequence);
                free(f->fix);
        }
        for (size_t i = 0; i < d->n_skipped; i++)
                free(d->skipped[i].why);
        free(d->findings);
        free(d->skipped);
        free(d->offline);
        free(d->devices);
        json_decref(d->status);
        client_close(d->client);
        policy_free(d->policy);
        if (d->has_facts)
                facts_done(&d->facts);
        sysfs_close(d->fs);
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

static void print_proof(const struct proof *p) {
        _cleanup_free_ char *line = p->line ? format_text(":%u", p->line) : format_text("%s", "");

        print_field("evidence", "%s%s%s%s", p->file, line, *p->text ? ": " : "", p->text);
}

static void print_finding(const struct finding *f) {
        print_field_in(severity_colours[f->severity], severity_names[f->severity], "%s", f->summary);
        for (size_t i = 0; i < f->n; i++)
                print_proof(&f->proofs[i]);
        print_field("consequence", "%s", f->consequence ?: "-");
        print_field_in(COLOUR_GOOD, "fix", "%s", f->fix ?: "-");
        putchar('\n');
}

static size_t count(const struct doctor *d, enum severity s) {
        size_t n = 0;

        for (size_t i = 0; i < d->n; i++)
                n += d->findings[i].severity == s;
        return n;
}

/* "2 errors, 1 warning" */
static void print_counts(const struct doctor *d) {
        const char *comma = "";

        for (enum severity s = _SEVERITY_MAX; s-- > 0;) {
                size_t n = count(d, s);

                if (n == 0)
                        continue;
                printf("%s%zu %s%s", comma, n, severity_names[s], n == 1 ? "" : "s");
                comma = ", ";
        }
        puts(*comma ? "." : "Nothing found.");
}

void doctor_print(const struct doctor *d) {
        for (enum severity s = _SEVERITY_MAX; s-- > 0;)
                for (size_t i = 0; i < d->n; i++)
                        if (d->findings[i].severity == s)
                                print_finding(&d->findings[i]);
        if (!d->options->legend)
                return;
        print_counts(d);
        for (size_t i = 0; i < d->n_skipped; i++)
                print_paragraph(0, "Not looked at: %s: %s", d->skipped[i].check, d->skipped[i].why);
}

/* ---- for programs ------------------------------------------------------------------------------------------------- */

static json_t *json_finding(const struct finding *f) {
        json_t *object = json_new_object(), *proofs = json_new_array();

        for (size_t i = 0; i < f->n; i++) {
                json_t *proof = json_new_object();

                json_set(proof, "file", json_text(f->proofs[i].file));
                json_set(proof, "line", f->proofs[i].line ? json_unsigned(f->proofs[i].line) : json_null());
                json_set(proof, "text", json_name(f->proofs[i].text));
                json_add(proofs, proof);
        }
        json_set(object, "kind", json_text(f->kind));
        json_set(object, "severity", json_text(severity_names[f->severity]));
        json_set(object, "summary", json_text(f->summary));
        json_set(object, "evidence", proofs);
        json_set(object, "consequence", f->consequence ? json_text(f->consequence) : json_null());
        json_set(object, "fix", f->fix ? json_text(f->fix) : json_null());
        return object;
}

void doctor_print_json(const struct doctor *d) {
        json_auto_t *root = json_new_object();
        json_t *findings = json_new_array(), *skipped = json_new_array();

        for (enum severity s = _SEVERITY_MAX; s-- > 0;)
                for (size_t i = 0; i < d->n; i++)
                        if (d->findings[i].severity == s)
                                json_add(findings, json_finding(&d->findings[i]));
        for (size_t i = 0; i < d->n_skipped; i++) {
                json_t *object = json_new_object();

                json_set(object, "check", json_text(d->skipped[i].check));
                json_set(object, "why", json_text(d->skipped[i].why));
                json_add(skipped, object);
        }
        json_set(root, "errors", json_unsigned(count(d, SEVERITY_ERROR)));
        json_set(root, "warnings", json_unsigned(count(d, SEVERITY_WARNING)));
        json_set(root, "notices", json_unsigned(count(d, SEVERITY_NOTICE)));
        json_set(root, "findings", findings);
        json_set(root, "skipped", skipped);
        json_print(root);
}
