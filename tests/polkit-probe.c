/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who meets whom in the tests of src/daemon/polkit.c, each in a process of its own; see tests/bus/lib/cases_polkit.py.
 *
 *      polkit-probe serve                          a service whose one method asks polkit_check()
 *      polkit-probe stub [HOW]                     a polkit that answers so, or as the last word of the action's name says
 *      polkit-probe call [-i] UID N ACTION yes|no  N calls at once of one sender; yes: without_polkit; -i: interactive
 *
 * They say on stdout what happens to them, a line each; SIGUSR1 makes "stub" answer those whom it let wait.
 * PROBE_TIMEOUT_USEC is how long "serve" waits for answers in place of what it would. Link with -Wl,--wrap=sd_bus_call_async */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-event.h>

#include "core/macro.h"
#include "daemon/polkit.h"

#define NAME "org.memhp1"
#define PATH "/org/memhp1"
#define INTERFACE "org.memhp1.Probe"
#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define PATIENCE_USEC UINT64_C(600000000)

static sd_bus *bus;
static sd_event *event;

static void need(int r, const char *what) {
        if (r >= 0)
                return;
        fprintf(stderr, "polkit-probe: %s: %s\n", what, strerror(-r));
        exit(EXIT_FAILURE);
}

static void start(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGUSR1);
        need(sigprocmask(SIG_BLOCK, &set, NULL), "signals");
        setvbuf(stdout, NULL, _IOLBF, 0);
        need(sd_event_default(&event), "event loop");
        need(sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL), "SIGTERM");
        need(sd_bus_open_system(&bus), "bus");
        need(sd_bus_attach_event(bus, event, 0), "bus");
        need(sd_bus_set_close_on_exit(bus, false), "bus"); /* polkit_free() has something to say */
}

static int run(const char *name) {
        if (name)
                need(sd_bus_request_name(bus, name, 0), name);
        puts("ready");
        return sd_event_loop(event);
}

static void stop(void) {
        bus = sd_bus_flush_close_unref(bus);
        event = sd_event_unref(event);
}

/* ---- the service -------------------------------------------------------------------------------------------------- */

static struct polkit *polkit;
static unsigned n_calls, n_handled;

int __real_sd_bus_call_async(sd_bus *b, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t callback,
                             void *userdata, uint64_t usec);
int __wrap_sd_bus_call_async(sd_bus *b, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t callback,
                             void *userdata, uint64_t usec);

int __wrap_sd_bus_call_async(sd_bus *b, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t callback,
                             void *userdata, uint64_t usec) {
        const char *text = getenv("PROBE_TIMEOUT_USEC");

        return __real_sd_bus_call_async(b, slot, m, callback, userdata, text ? strtoull(text, NULL, 10) : usec);
}

static void reply_verdict(sd_bus_message *m, int verdict) {
        char name[64];

        snprintf(name, sizeof(name), INTERFACE ".Error.%s", verdict ? strerrorname_np(-verdict) : "None");
        if (verdict == 0)
                (void) sd_bus_reply_method_return(m, NULL);
        else
                (void) sd_bus_reply_method_errorf(m, name, "%s", strerror(-verdict));
}

static void on_verdict(sd_bus_message *m, int verdict, uint32_t uid, void *userdata) {
        /* Nobody is called from within polkit_check(), and everybody once. */
        if (userdata != &n_calls || verdict > 0 || n_handled >= n_calls)
                abort();
        /* Whoever is allowed to is known. */
        if (verdict == 0 && uid == UINT32_MAX)
                abort();
        n_handled++;
        printf("verdict %s\n", verdict ? strerrorname_np(-verdict) : "0");
        reply_verdict(m, verdict);
}

static int method_guarded(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        unsigned before = n_handled;
        int without_polkit, r;
        const char *action;

        (void) userdata, (void) error;
        r = sd_bus_message_read(m, "sb", &action, &without_polkit);
        if (r < 0)
                return r;
        r = polkit_check(polkit, m, action, without_polkit, on_verdict, &n_calls); /* the action lives with the message */
        if (r == 0) {
                n_calls++;
                puts("taken");
        } else
                reply_verdict(m, r);
        if (n_handled != before)
                abort();
        return 1;
}

/* Calls that were taken, and handlers that were called. */
static int method_counts(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) userdata, (void) error;
        return sd_bus_reply_method_return(m, "uu", n_calls, n_handled);
}

static int serve(void) {
        static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("Guarded", "sb", "", method_guarded, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD("Counts", "", "uu", method_counts, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };
        int r;

        start();
        need(polkit_new(bus, &polkit), "polkit");
        need(sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, vtable, NULL), INTERFACE);
        r = run(NAME);
        polkit_free(polkit);
        stop();
        return r;
}

/* ---- the stub ----------------------------------------------------------------------------------------------------- */

static const char *always; /* NULL: it depends */
static sd_bus_message *kept[1024];
static size_t n_kept;

static int answer(sd_bus_message *m, const char *how) {
        if (strcmp(how, "yes") == 0)
                return sd_bus_reply_method_return(m, "(bba{ss})", true, false, 1, "key", "value");
        if (strcmp(how, "no") == 0)
                return sd_bus_reply_method_return(m, "(bba{ss})", false, false, 0);
        if (strcmp(how, "challenge") == 0)
                return sd_bus_reply_method_return(m, "(bba{ss})", false, true, 0);
        if (strcmp(how, "short") == 0)
                return sd_bus_reply_method_return(m, "(bb)", true, false);
        if (strcmp(how, "long") == 0)
                return sd_bus_reply_method_return(m, "(bba{ss})s", true, false, 0, "more");
        if (strcmp(how, "flat") == 0)
                return sd_bus_reply_method_return(m, "bba{ss}", true, false, 0);
        if (strcmp(how, "text") == 0)
                return sd_bus_reply_method_return(m, "s", "yes");
        if (strcmp(how, "empty") == 0)
                return sd_bus_reply_method_return(m, NULL);
        if (strcmp(how, "failed") == 0)
                return sd_bus_reply_method_errorf(m, POLKIT_NAME ".Error.Failed", "no");
        if (strcmp(how, "forbidden") == 0)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "no");
        if (strcmp(how, "unknown") == 0)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_METHOD, "no");
        if (strcmp(how, "spawn") == 0)
                return sd_bus_reply_method_errorf(m, "org.freedesktop.DBus.Error.Spawn.ChildExited", "no");
        if (strcmp(how, "masked") == 0)
                return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.UnitMasked", "no");
        if (strcmp(how, "hang") == 0 && n_kept < ARRAY_SIZE(kept)) {
                kept[n_kept++] = sd_bus_message_ref(m);
                return 1;
        }
        return -EINVAL;
}

static int method_check(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *kind, *key, *sender, *action, *id;
        uint32_t flags;
        int r;

        (void) userdata, (void) error;
        r = sd_bus_message_read(m, "(sa{sv})", &kind, 1, &key, "s", &sender);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &action);
        if (r >= 0)
                r = sd_bus_message_skip(m, "a{ss}");
        if (r >= 0)
                r = sd_bus_message_read(m, "us", &flags, &id);
        if (r < 0)
                return r;
        printf("check %s %s %s %s flags=%" PRIu32 " id=%s\n", action, kind, key, sender, flags, id);
        return answer(m, always ?: strrchr(action, '.') + 1);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *id;
        int r;

        (void) userdata, (void) error;
        r = sd_bus_message_read(m, "s", &id);
        if (r < 0)
                return r;
        printf("cancel id=%s\n", id);
        return sd_bus_reply_method_return(m, NULL);
}

/* "answers late" */
static int on_release(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void) source, (void) si, (void) userdata;
        while (n_kept > 0) {
                need(answer(kept[--n_kept], "yes"), "late answer");
                sd_bus_message_unref(kept[n_kept]);
        }
        need(sd_bus_flush(bus), "flush");
        puts("released");
        return 0;
}

static int stub(void) {
        static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", method_check, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD("CancelCheckAuthorization", "s", "", method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };
        int r;

        start();
        need(sd_event_add_signal(event, NULL, SIGUSR1, on_release, NULL), "SIGUSR1");
        need(sd_bus_add_object_vtable(bus, NULL, POLKIT_PATH, POLKIT_INTERFACE, vtable, NULL), POLKIT_INTERFACE);
        r = run(POLKIT_NAME);
        while (n_kept > 0)
                sd_bus_message_unref(kept[--n_kept]);
        stop();
        return r;
}

/* ---- the caller --------------------------------------------------------------------------------------------------- */

static unsigned n_waiting;

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        (void) userdata, (void) error;
        puts(!e ? "ok" : strncmp(e->name, INTERFACE ".Error.", strlen(INTERFACE ".Error.")) == 0
                     ? e->name + strlen(INTERFACE ".Error.")
                     : e->name);
        return --n_waiting == 0 ? sd_event_exit(event, 0) : 0;
}

static int call(int argc, char **argv) {
        bool interactive = argc > 0 && strcmp(argv[0], "-i") == 0;
        uid_t uid;

        argc -= interactive;
        argv += interactive;
        if (argc != 4)
                return -EINVAL;
        uid = (uid_t) atoi(argv[0]);
        need(setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ? -errno : 0, "uid");
        start();
        n_waiting = (unsigned) atoi(argv[1]);
        for (unsigned i = n_waiting; i > 0; i--) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                need(sd_bus_message_new_method_call(bus, &m, NAME, PATH, INTERFACE, "Guarded"), "message");
                need(sd_bus_message_append(m, "sb", argv[2], strcmp(argv[3], "yes") == 0), "message");
                need(sd_bus_message_set_allow_interactive_authorization(m, interactive), "message");
                need(sd_bus_call_async(bus, NULL, m, on_reply, NULL, PATIENCE_USEC), "call");
        }
        /* "ready" means: the bus has passed them on. */
        need(sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", NULL,
                                NULL, NULL), "GetId");
        (void) run(NULL);
        stop();
        return 0;
}

int main(int argc, char **argv) {
        int r = -EINVAL;

        if (argc == 2 && strcmp(argv[1], "serve") == 0)
                r = serve();
        else if ((argc == 2 || argc == 3) && strcmp(argv[1], "stub") == 0) {
                always = argv[2];
                r = stub();
        } else if (argc > 2 && strcmp(argv[1], "call") == 0)
                r = call(argc - 2, argv + 2);
        if (r == -EINVAL)
                fprintf(stderr, "polkit-probe: see its source for the usage\n");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
