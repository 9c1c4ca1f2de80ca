/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/polkit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define DBUS_NAME "org.freedesktop.DBus"
#define DBUS_PATH "/org/freedesktop/DBus"

#define ALLOW_USER_INTERACTION 1u
#define TIMEOUT_USEC UINT64_C(10000000)
#define INTERACTIVE_TIMEOUT_USEC UINT64_C(300000000) /* somebody looks for a password */

struct check {
        struct polkit *p;
        sd_bus_message *m; /* NULL: free */
        sd_bus_slot *slot; /* the question under way */
        const char *action;
        polkit_handler handler;
        void *userdata;
        uint64_t cancel_id; /* what an interactive check is known by to polkit, else 0 */
        uint32_t uid;       /* of the sender; UINT32_MAX: not told yet */
        bool without_polkit, asked;
};

struct polkit {
        sd_bus *bus;
        sd_bus_slot *leaving; /* while anything waits */
        unsigned n, n_asked;
        uint64_t last_cancel_id;
        struct check checks[POLKIT_CHECKS_MAX];
};

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

static const char *sender_of(const struct check *c) {
        return sd_bus_message_get_sender(c->m);
}

/* ---- the end of a check ------------------------------------------------------------------------------------------- */

static void format_cancel_id(uint64_t id, char buf[static 32]) {
        snprintf(buf, 32, "memhp-%" PRIu64, id);
}

/* Nobody is there any more for whom the dialog would be. Whether polkit hears it makes no difference to us. */
static void cancel_dialog(struct polkit *p, uint64_t id) {
        _cleanup_message_ sd_bus_message *m = NULL;
        char text[32];

        format_cancel_id(id, text);
        if (sd_bus_message_new_method_call(p->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization") >= 0 &&
            sd_bus_message_append(m, "s", text) >= 0 && sd_bus_message_set_expect_reply(m, false) >= 0 &&
            sd_bus_message_set_auto_start(m, false) >= 0)
                (void) sd_bus_send(p->bus, m, NULL);
}

/* Give the place free, and the message to the caller. */
static sd_bus_message *release_check(struct check *c) {
        struct polkit *p = c->p;
        sd_bus_message *m = c->m;

        sd_bus_slot_unref(c->slot);
        p->n_asked -= c->asked;
        p->n--;
        *c = (struct check) {};
        if (p->n == 0)
                p->leaving = sd_bus_slot_unref(p->leaving);
        return m;
}

static void drop_check(struct check *c) {
        if (c->cancel_id)
                cancel_dialog(c->p, c->cancel_id);
        sd_bus_message_unref(release_check(c));
}

static void finish_check(struct check *c, int verdict) {
        polkit_handler handler = c->handler;
        void *userdata = c->userdata;
        uint32_t uid = c->uid;
        _cleanup_message_ sd_bus_message *m = NULL;

        if (verdict == -ETIMEDOUT && c->cancel_id)
                cancel_dialog(c->p, c->cancel_id);
        m = release_check(c);
        handler(m, verdict, uid, userdata);
}

static int on_name_lost(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        struct polkit *p = userdata;
        const char *name;

        (void) error;
        if (sd_bus_message_read(signal, "s", &name) < 0)
                return 0;
        for (size_t i = 0; i < POLKIT_CHECKS_MAX; i++)
                if (p->checks[i].m && strcmp(sender_of(&p->checks[i]), name) == 0)
                        drop_check(&p->checks[i]);
        return 0;
}

/* Without the match, checks of those who left end with polkit's answer or the timeout. */
static int on_match_installed(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        (void) reply, (void) userdata, (void) error;
        return 0;
}

/* ---- second question: polkit, about everybody else ---------------------------------------------------------------- */

static int verdict_of_error(const struct check *c, const sd_bus_error *e) {
        static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.", systemd[] = "org.freedesktop.systemd1.";

        if (sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT, "org.freedesktop.DBus.Error.TimedOut"))
                return -ETIMEDOUT;
        /* Not installed, masked, or it fails to start. */
        if (sd_bus_error_has_names(e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
            strncmp(e->name, spawn, strlen(spawn)) == 0 || strncmp(e->name, systemd, strlen(systemd)) == 0)
                return c->without_polkit ? 0 : -EACCES;
        return -EACCES;
}

static int verdict_of_reply(const struct check *c, sd_bus_message *reply) {
        int authorized, challenge;

        if (sd_bus_message_is_method_error(reply, NULL))
                return verdict_of_error(c, sd_bus_message_get_error(reply));
        if (sd_bus_message_has_signature(reply, "(bba{ss})") <= 0 ||
            sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
            sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0)
                return -EACCES;
        if (authorized)
                return 0;
        return challenge && !c->cancel_id ? -ENOKEY : -EACCES; /* although allowed to ask: nobody is there who would */
}

static int on_polkit_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct check *c = userdata;

        (void) error;
        finish_check(c, verdict_of_reply(c, reply));
        return 0;
}

static bool has_room(const struct polkit *p, uint32_t uid) {
        unsigned n = 0;

        for (size_t i = 0; i < POLKIT_CHECKS_MAX; i++)
                n += p->checks[i].asked && p->checks[i].uid == uid;
        return n < POLKIT_USER_MAX && p->n_asked < POLKIT_ASKED_MAX;
}

static int ask_polkit(struct check *c) {
        bool interactive = sd_bus_message_get_allow_interactive_authorization(c->m) > 0;
        _cleanup_message_ sd_bus_message *m = NULL;
        struct polkit *p = c->p;
        char cancel_id[32] = "";
        uint64_t id = 0;
        int r;

        if (!has_room(p, c->uid))
                return -EBUSY;
        if (interactive) {
                id = ++p->last_cancel_id;
                format_cancel_id(id, cancel_id);
        }
        r = sd_bus_message_new_method_call(p->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", sender_of(c), c->action, 0,
                                          interactive ? ALLOW_USER_INTERACTION : 0, cancel_id);
        if (r >= 0)
                r = sd_bus_call_async(p->bus, &c->slot, m, on_polkit_reply, c,
                                      interactive ? INTERACTIVE_TIMEOUT_USEC : TIMEOUT_USEC);
        if (r < 0)
                return -EACCES;
        c->cancel_id = id;
        c->asked = true;
        p->n_asked++;
        return 0;
}

/* ---- first question: the bus, who it is --------------------------------------------------------------------------- */

static int on_uid_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        struct check *c = userdata;
        int r;

        (void) error;
        c->slot = sd_bus_slot_unref(c->slot);
        if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                drop_check(c); /* left before anybody would have been told */
                return 0;
        }
        if (e)
                r = sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT) ? -ETIMEDOUT : -EACCES;
        else
                r = sd_bus_message_read(reply, "u", &c->uid) < 0 ? -EACCES : c->uid == 0 ? 1 : ask_polkit(c);
        if (r != 0)
                finish_check(c, MIN(r, 0));
        return 0;
}

/* Not sd_bus_query_sender_privilege(), which waits for the bus' answer. */
static int ask_bus(struct check *c) {
        _cleanup_message_ sd_bus_message *m = NULL;
        struct polkit *p = c->p;
        int r = 0;

        /* First, so that no sender can leave unseen: one who left before makes the question fail. */
        if (!p->leaving)
                r = sd_bus_add_match_async(p->bus, &p->leaving,
                                           "type='signal',sender='" DBUS_NAME "',path='" DBUS_PATH "',interface='" DBUS_NAME
                                           "',member='NameOwnerChanged',arg2=''", on_name_lost, on_match_installed, p);
        if (r >= 0)
                r = sd_bus_message_new_method_call(p->bus, &m, DBUS_NAME, DBUS_PATH, DBUS_NAME, "GetConnectionUnixUser");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", sender_of(c));
        if (r >= 0)
                r = sd_bus_call_async(p->bus, &c->slot, m, on_uid_reply, c, TIMEOUT_USEC);
        return r;
}

int polkit_check(struct polkit *p, sd_bus_message *m, const char *action, bool without_polkit, polkit_handler handler,
                 void *userdata) {
        const char *sender = sd_bus_message_get_sender(m);
        struct check *free_check = NULL;
        unsigned n = 0;
        int r;

        if (!sender)
                return -EACCES;
        for (size_t i = 0; i < POLKIT_CHECKS_MAX; i++)
                if (!p->checks[i].m)
                        free_check = &p->checks[i];
                else if (strcmp(sender_of(&p->checks[i]), sender) == 0)
                        n++;
        if (!free_check || n >= POLKIT_SENDER_MAX)
                return -EBUSY;
        *free_check = (struct check) {
                .p = p,
                .m = sd_bus_message_ref(m),
                .action = action,
                .handler = handler,
                .userdata = userdata,
                .uid = UINT32_MAX,
                .without_polkit = without_polkit,
        };
        p->n++;
        r = ask_bus(free_check);
        if (r < 0) {
                drop_check(free_check);
                return r == -ENOMEM ? -ENOMEM : -EACCES;
        }
        return 0;
}

int polkit_new(sd_bus *bus, struct polkit **ret) {
        struct polkit *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->bus = bus;
        *ret = p;
        return 0;
}

void polkit_free(struct polkit *p) {
        if (!p)
                return;
        for (size_t i = 0; i < POLKIT_CHECKS_MAX; i++)
                if (p->checks[i].m)
                        drop_check(&p->checks[i]);
        free(p);
}
