/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/udev_import.h"

#include <errno.h>
#include <string.h>

#include "core/rivals.h"

#define LINES_MAX 8
#define PIECE_MAX 256

/* What is asked about the machine: is there one of which it is true? */
struct question {
        struct udev_origin at;
        char *text;
        bool met;
};

struct importer {
        struct udev_import *u;
        struct udev_event event;
        unsigned file; /* at hand */
        struct udev_outcome outcome;
        struct udev_origin value;  /* where the property was set that is a state */
        struct udev_origin detect; /* where systemd-detect-virt failed; line 0: nowhere */
        unsigned asked[LINES_MAX]; /* lines of the file that asked about the machine: the last ones */
        size_t n_asked;
        struct question *questions;
        size_t n_questions, capacity_questions;
        unsigned *last_lines; /* of each file: the last one that is about bringing memory online; 0: none */
        bool quiet;           /* only the outcome is wanted */
        bool failed;          /* no memory */
};

/* ---- notes -------------------------------------------------------------------------------------------------------- */

static const struct {
        const char *reason, *consequence;
} notes[_UDEV_NOTE_MAX] = {
        [UDEV_NOTE_WRITE] = { "hangs on what a policy cannot ask for",
                              "the write is left out: such memory is for the rest of the policy" },
        [UDEV_NOTE_VALUE] = { "hangs on what a policy cannot ask for", "the assignment is left out" },
        [UDEV_NOTE_JUMP] = { "hangs on what a policy cannot ask for", "the jump is not taken: what it skips is imported" },
        [UDEV_NOTE_WORD] = { "is no state of memory that is known here", "the write is left out" },
        [UDEV_NOTE_NEVER] = { "names a machine that no platform or architecture of a policy stands for",
                              "taken as not true of any machine" },
        [UDEV_NOTE_NUMBER] = { "is not done for every memory block alike, but by its name", "left out" },
        [UDEV_NOTE_PROGRAM] = { "runs a program that looks as if it brought memory online",
                                "it goes on doing so beside memhpd, until the line is removed" },
        [UDEV_NOTE_AGAIN] = { "also brings online again what somebody sets offline",
                              "memhpd leaves alone what an administrator sets offline" },
        [UDEV_NOTE_EXIT] = { "fails on machines without virtualization, where the rule is never applied, whatever it says of \"none\"",
                             "imported as it works, not as it reads" },
};

const char *udev_note_reason(enum udev_note_kind k) {
        return k >= 0 && k < _UDEV_NOTE_MAX ? notes[k].reason : NULL;
}

const char *udev_note_consequence(enum udev_note_kind k) {
        return k >= 0 && k < _UDEV_NOTE_MAX ? notes[k].consequence : NULL;
}

/* KEY{attribute}=="value" */
static const char *piece_text(const char *key, const char *attribute, const char *operator, const char *value,
                              char buf[static PIECE_MAX]) {
        snprintf(buf, PIECE_MAX, "%s%s%s%s%s\"%s\"", key, *attribute ? "{" : "", attribute, *attribute ? "}" : "", operator, value);
        return buf;
}

/* The same is told once, however many machines it is seen on. */
static void add_note(struct importer *m, enum udev_note_kind kind, struct udev_origin at, const char *subject) {
        struct udev_import *u = m->u;
        char *copy;

        if (m->quiet)
                return;
        for (size_t i = 0; i < u->n_notes; i++)
                if (u->notes[i].kind == kind && u->notes[i].at.file == at.file && u->notes[i].at.line == at.line &&
                    strcmp(u->notes[i].subject, subject) == 0)
                        return;
        copy = strdup(subject);
        if (!copy || !GROW(u->notes, u->n_notes, u->capacity_notes)) {
                free(copy);
                m->failed = true;
                return;
        }
        u->notes[u->n_notes++] = (struct udev_note) { kind, at, copy };
}

static void add_note_here(struct importer *m, enum udev_note_kind kind, unsigned line, const char *subject) {
        add_note(m, kind, (struct udev_origin) { m->file, line }, subject);
}

static int compare_notes(const void *a, const void *b) {
        const struct udev_note *x = a, *y = b;

        if (x->at.file != y->at.file)
                return x->at.file < y->at.file ? -1 : 1;
        if (x->at.line != y->at.line)
                return x->at.line < y->at.line ? -1 : 1;
        return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->subject, y->subject);
}

/* ---- one machine -------------------------------------------------------------------------------------------------- */

static enum action action_of(const struct udev_effect *e) {
        const bool online = strcmp(e->attribute, "online") == 0;

        if (!e->expanded)
                return _ACTION_INVALID;
        if (strcmp(e->expanded, online ? "1" : "online") == 0)
                return ACTION_ONLINE;
        if (!online && strcmp(e->expanded, "online_kernel") == 0)
                return ACTION_ONLINE_KERNEL;
        if (!online && strcmp(e->expanded, "online_movable") == 0)
                return ACTION_ONLINE_MOVABLE;
        return strcmp(e->expanded, online ? "0" : "offline") == 0 ? ACTION_LEAVE_OFFLINE : _ACTION_INVALID;
}

static void add_origin(struct importer *m, unsigned file, unsigned line) {
        if (line)
                udev_origins_add(m->outcome.origins, &m->outcome.n_origins, (struct udev_origin) { file, line });
}

/* The first write that the kernel takes counts; what another rule would write after that failed is what to fall back to. */
static void on_write(struct importer *m, const struct udev_effect *e) {
        const enum action action = action_of(e);
        struct udev_outcome *o = &m->outcome;
        char piece[PIECE_MAX];

        if (action < 0) {
                add_note_here(m, UDEV_NOTE_WORD, e->line, piece_text(e->key, e->attribute, "=", e->value, piece));
                return;
        }
        if (action == ACTION_LEAVE_OFFLINE || action == o->action || o->fallback >= 0)
                return;
        if (o->action < 0)
                o->action = action;
        else
                o->fallback = action;
        add_origin(m, m->file, e->line);
        if (strchr(e->value, '{'))
                add_origin(m, m->value.file, m->value.line);
}

static bool is_state_word(const char *value) {
        return strcmp(value, "online") == 0 || strcmp(value, "online_kernel") == 0 || strcmp(value, "online_movable") == 0;
}

static bool is_state_property(const struct udev_effect *e) {
        return strcmp(e->key, "ENV") == 0 && is_state_word(e->value);
}

/* A rule that hangs on what nobody knows here. */
static void on_left_out(struct importer *m, const struct udev_effect *e) {
        enum udev_note_kind kind = udev_effect_is_state(e) ? UDEV_NOTE_WRITE
                                 : is_state_property(e) ? UDEV_NOTE_VALUE : UDEV_NOTE_JUMP;
        char piece[PIECE_MAX];

        if (kind != UDEV_NOTE_JUMP || strcmp(e->key, "GOTO") == 0)
                add_note_here(m, kind, e->line, piece_text(e->unknown_key, e->unknown_attribute, e->unknown_operator, e->unknown_value, piece));
}

static bool asked_machine(const struct importer *m, unsigned from, unsigned to) {
        for (size_t i = 0; i < MIN(m->n_asked, (size_t) LINES_MAX); i++)
                if (m->asked[i] >= from && m->asked[i] <= to)
                        return true;
        return false;
}

static void on_effect(const struct udev_effect *e, void *userdata) {
        struct importer *m = userdata;
        const bool program = udev_effect_is_onliner(e);
        char piece[PIECE_MAX];

        if (udev_effect_is_state(e) || is_state_property(e) || program)
                m->last_lines[m->file] = MAX(m->last_lines[m->file], e->line);
        if (program)
                add_note_here(m, UDEV_NOTE_PROGRAM, e->line,
                              piece_text(e->key, e->attribute, strcmp(e->key, "RUN") == 0 ? "+=" : "=", e->value, piece));
        else if (e->unknown_key)
                on_left_out(m, e);
        else if (udev_effect_is_state(e))
                on_write(m, e);
        else if (is_state_property(e))
                m->value = (struct udev_origin) { m->file, e->line };
        else if (strcmp(e->key, "GOTO") == 0 && m->outcome.action < 0 && asked_machine(m, e->first_line, e->line))
                add_origin(m, m->file, e->line);
}

static bool is_about_machine(const char *key, const char *attribute) {
        return strcmp(key, "CONST") == 0 || strcmp(key, "RESULT") == 0 ||
               (strcmp(key, "ATTR") == 0 && strncmp(attribute, "[dmi/id]", 8) == 0);
}

static void on_question(const char *key, const char *attribute, const char *value, unsigned line, bool met, void *userdata) {
        struct importer *m = userdata;
        char piece[PIECE_MAX], *copy;

        if (strcmp(key, "PROGRAM") == 0 && !met && strstr(value, "systemd-detect-virt"))
                m->detect = (struct udev_origin) { m->file, line };
        if (!is_about_machine(key, attribute))
                return;
        m->asked[m->n_asked++ % LINES_MAX] = line;
        piece_text(key, attribute, "==", value, piece);
        for (size_t i = 0; i < m->n_questions; i++) {
                struct question *q = &m->questions[i];

                if (q->at.file == m->file && q->at.line == line && strcmp(q->text, piece) == 0) {
                        q->met = q->met || met;
                        return;
                }
        }
        copy = strdup(piece);
        if (!copy || !GROW(m->questions, m->n_questions, m->capacity_questions)) {
                free(copy);
                m->failed = true;
                return;
        }
        m->questions[m->n_questions++] = (struct question) { { m->file, line }, copy, met };
}

/* ---- all machines ------------------------------------------------------------------------------------------------- */

/* As firmware has them where a policy's platform follows from it; others are called what no rule asks for. */
static const struct {
        const char *id, *vendor, *product;
} kinds[UDEV_KINDS] = {
        { "none", "\x01", "\x01" },
        { "kvm", "\x01", "\x01" },
        { "qemu", "\x01", "\x01" },
        { "microsoft", "Microsoft Corporation", "Virtual Machine" },
        { "xen", "Xen", "HVM domU" },
        { "vmware", "VMware, Inc.", "VMware Virtual Platform" },
        { "oracle", "innotek GmbH", "VirtualBox" },
        { "powervm", "\x01", "\x01" },
        { "zvm", "\x01", "\x01" },
        { "amazon", "Amazon EC2", "\x01" },
        { "vm-other", "\x01", "\x01" },
};

/* As uname -m prints them, from PLATFORM_X86 on. */
static const char *const machines[UDEV_ARCHITECTURES] = {
        [0] = "i686",                                 [PLATFORM_X86_64 - PLATFORM_X86] = "x86_64",
        [PLATFORM_ARM - PLATFORM_X86] = "armv7l",     [PLATFORM_ARM64 - PLATFORM_X86] = "aarch64",
        [PLATFORM_PPC64 - PLATFORM_X86] = "ppc64",    [PLATFORM_PPC64_LE - PLATFORM_X86] = "ppc64le",
        [PLATFORM_S390X - PLATFORM_X86] = "s390x",    [PLATFORM_RISCV64 - PLATFORM_X86] = "riscv64",
        [PLATFORM_LOONGARCH64 - PLATFORM_X86] = "loongarch64",
};

static int run_machine(struct importer *m, const struct udev_import_file *files, size_t n, size_t architecture, size_t kind) {
        int r = 0;

        m->outcome = (struct udev_outcome) { .action = _ACTION_INVALID, .fallback = _ACTION_INVALID };
        m->value = m->detect = (struct udev_origin) {};
        m->event.architecture = machines[architecture];
        m->event.virtualization = kinds[kind].id;
        m->event.sys_vendor = kinds[kind].vendor;
        m->event.product_name = kinds[kind].product;
        for (m->file = 0; m->file < n && r >= 0; m->file++) {
                m->n_asked = 0;
                r = udev_rules_run(files[m->file].text, files[m->file].size, &m->event, on_effect, m);
        }
        return r < 0 || m->failed ? -ENOMEM : 0;
}

/* The same again with one thing otherwise; what came of it is in m->outcome. */
static int run_otherwise(struct importer *m, const struct udev_import_file *files, size_t n, size_t architecture, size_t kind,
                         const struct udev_event *otherwise) {
        const struct udev_event usual = m->event;
        int r;

        m->event = *otherwise;
        m->quiet = true;
        r = run_machine(m, files, n, architecture, kind);
        m->quiet = false;
        m->event = usual;
        return r;
}

static bool is_same(const struct udev_outcome *a, const struct udev_outcome *b) {
        return a->action == b->action && a->fallback == b->fallback;
}

/* At the last of its origins, which is where it is written. */
static void note_outcome(struct importer *m, enum udev_note_kind kind, const struct udev_outcome *o) {
        if (o->n_origins > 0)
                add_note(m, kind, o->origins[o->n_origins - 1], "the write");
}

/* Is every block treated alike, also one that somebody sets offline, and what if systemd-detect-virt could not fail? */
static int probe_machine(struct importer *m, const struct udev_import_file *files, size_t n, size_t architecture, size_t kind,
                         struct udev_outcome *o) {
        static const char *const blocks[] = { "/devices/system/memory/memory7", "/devices/system/memory/memory1048575" };
        const struct udev_origin detect = m->detect;
        struct udev_event event;
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(blocks) && r >= 0; i++) {
                event = m->event;
                event.devpath = blocks[i];
                event.kernel = strrchr(blocks[i], '/') + 1;
                r = run_otherwise(m, files, n, architecture, kind, &event);
                if (r < 0 || is_same(&m->outcome, o))
                        continue;
                note_outcome(m, UDEV_NOTE_NUMBER, o->action < 0 ? &m->outcome : o);
                *o = (struct udev_outcome) { .action = _ACTION_INVALID, .fallback = _ACTION_INVALID };
        }
        event = m->event;
        event.action = "offline";
        if (r >= 0)
                r = run_otherwise(m, files, n, architecture, kind, &event);
        if (r >= 0 && m->outcome.action >= 0)
                note_outcome(m, UDEV_NOTE_AGAIN, &m->outcome);
        if (r < 0 || !detect.line)
                return r;
        event = m->event;
        event.ignore_exit = true;
        r = run_otherwise(m, files, n, architecture, kind, &event);
        if (r >= 0 && !is_same(&m->outcome, o))
                add_note(m, UDEV_NOTE_EXIT, detect, "systemd-detect-virt");
        return r < 0 || m->failed ? -ENOMEM : 0;
}

/* Of conditions and jumps those count that something about memory comes after. */
static void finish_notes(struct importer *m) {
        struct udev_import *u = m->u;
        size_t kept = 0;

        for (size_t i = 0; i < m->n_questions; i++)
                if (!m->questions[i].met)
                        add_note(m, UDEV_NOTE_NEVER, m->questions[i].at, m->questions[i].text);
        for (size_t i = 0; i < u->n_notes; i++)
                if (u->notes[i].at.line <= m->last_lines[u->notes[i].at.file])
                        u->notes[kept++] = u->notes[i];
                else
                        free(u->notes[i].subject);
        u->n_notes = kept;
        if (kept > 0)
                qsort(u->notes, kept, sizeof(*u->notes), compare_notes);
}

/* Of a file: the last line that writes the state of something. Rules that never apply are not told of otherwise. */
static unsigned find_last_write(const struct udev_import_file *f) {
        const char *end = f->text + f->size;
        unsigned number = 0, last = 0;

        for (const char *line = f->text, *newline; line < end; line = newline + 1) {
                newline = memchr(line, '\n', (size_t) (end - line)) ?: end;
                number++;
                if (memmem(line, (size_t) (newline - line), "ATTR{state}", 11) || memmem(line, (size_t) (newline - line), "ATTR{online}", 12))
                        last = number;
        }
        return last;
}

static int import_all(struct importer *m, const struct udev_import_file *files, size_t n) {
        struct udev_outcome outcomes[UDEV_ARCHITECTURES][UDEV_KINDS];
        int r = 0;

        for (size_t a = 0; a < UDEV_ARCHITECTURES && r >= 0; a++)
                for (size_t k = 0; k < UDEV_KINDS && r >= 0; k++) {
                        r = run_machine(m, files, n, a, k);
                        outcomes[a][k] = m->outcome;
                        if (r >= 0)
                                r = probe_machine(m, files, n, a, k, &outcomes[a][k]);
                        m->u->brings_online = m->u->brings_online || outcomes[a][k].action >= 0;
                }
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                m->last_lines[i] = MAX(m->last_lines[i], find_last_write(&files[i]));
        finish_notes(m);
        return m->failed ? -ENOMEM : udev_import_rules(outcomes, m->u);
}

int udev_import(const struct udev_import_file *files, size_t n, struct udev_import *ret) {
        struct udev_import u = {};
        struct importer m = { .u = &u, .last_lines = calloc(n + 1, sizeof(unsigned)) };
        int r;

        udev_event_init_memory(&m.event);
        m.event.strict = true;
        m.event.asked = on_question;
        r = m.last_lines ? import_all(&m, files, n) : -ENOMEM;
        for (size_t i = 0; i < m.n_questions; i++)
                free(m.questions[i].text);
        free(m.questions);
        free(m.last_lines);
        if (r < 0)
                udev_import_done(&u);
        else
                *ret = u;
        return r;
}

void udev_import_done(struct udev_import *u) {
        for (size_t i = 0; i < u->n_notes; i++)
                free(u->notes[i].subject);
        free(u->notes);
        free(u->rules);
        *u = (struct udev_import) {};
}
