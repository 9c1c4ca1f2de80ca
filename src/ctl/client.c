/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "ctl/agent.h"

/* The daemon itself waits 10 s for polkit, and 5 min for somebody to type a password. */
#define TIMEOUT_USEC UINT64_C(30000000)
#define INTERACTIVE_TIMEOUT_USEC UINT64_C(330000000)

/* A bus that works takes a millisecond. */
#define CONNECT_USEC UINT64_C(5000000)

struct client {
        const struct options *options;
        sd_bus *bus;
};

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* A bus that hangs must not keep those waiting who can do without. */
static int wait_ready(sd_bus *bus, uint64_t until) {
        int r;

        while ((r = sd_bus_is_ready(bus)) == 0) {
                uint64_t now = now_usec();

                if (now >= until)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, until - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return r;
}

/* 0, or a negative errno: -ENXIO if nobody has the name. */
static int find_daemon(sd_bus *bus) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetNameOwner");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", BUS_NAME);
        if (r >= 0)
                r = sd_bus_call(bus, call, CONNECT_USEC, &error, NULL);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return -ENXIO;
        return r < 0 ? r : 0;
}

static int connect_bus(const struct options *o, sd_bus **ret) {
        _cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = o->host ? sd_bus_open_system_remote(&bus, o->host) : sd_bus_open_system(&bus);
        if (r >= 0)
                r = wait_ready(bus, o->host ? UINT64_MAX : now_usec() + CONNECT_USEC); /* ssh may ask for a password */
        if (r >= 0)
                r = find_daemon(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

static int client_new(const struct options *o, struct client **ret) {
        _cleanup_(client_closep) struct client *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                out_of_memory();
        c->options = o;
        r = connect_bus(o, &c->bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static bool is_forbidden(const struct options *o) {
        return o->direct || strcmp(o->sysroot, "/") != 0;
}

enum status client_open(const struct options *o, struct client **ret) {
        int r;

        if (is_forbidden(o)) {
                complain("%s: this is for the daemon to answer, which \"memhpctl %s\" must ask", o->direct ? "--direct" : "--sysroot",
                         o->verb);
                return STATUS_USAGE;
        }
        r = client_new(o, ret);
        if (r >= 0)
                return STATUS_DONE;
        if (r == -ENOMEM)
                out_of_memory();
        if (r == -ENXIO && o->host)
                complain("%s: daemon not running: systemctl -H %s start memhpd", o->host, o->host);
        else if (r == -ENXIO)
                complain("daemon not running: systemctl start memhpd");
        else if (o->host)
                complain("%s: its system bus cannot be reached: %s; does \"ssh %s systemd-stdio-bridge\" work?", o->host,
                         strerror(-r), o->host);
        else
                complain("system bus: cannot be reached: %s: the daemon cannot be asked", strerror(-r));
        return STATUS_NOT_RUNNING;
}

int client_try(const struct options *o, struct client **ret) {
        return is_forbidden(o) ? -EPERM : client_new(o, ret);
}

bool client_try_open(const struct options *o, struct client **ret) {
        return client_try(o, ret) >= 0;
}

enum status client_find(const struct options *o, struct client **ret) {
        if (o->host)
                return client_open(o, ret);
        (void) client_try_open(o, ret);
        return STATUS_DONE;
}

void client_close(struct client *c) {
        if (!c)
                return;
        sd_bus_flush_close_unref(c->bus);
        agent_close();
        free(c);
}

sd_bus *client_bus(struct client *c) {
        return c->bus;
}

/* ---- calls -------------------------------------------------------------------------------------------------------- */

static bool is_gone(const sd_bus_error *e) {
        return sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                      SD_BUS_ERROR_DISCONNECTED, SD_BUS_ERROR_TIMEOUT);
}

/* The bus went away, or what was in between. */
static bool is_cut_off(const sd_bus_error *e) {
        return sd_bus_error_has_names(e, "System.Error.ENOTCONN", "System.Error.ECONNRESET", "System.Error.EPIPE");
}

static enum status complain_call(const struct client *c, const sd_bus_error *e) {
        const char *verb = c->options->verb, *text = e->message ?: e->name;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_MEMORY))
                complain("%s: not enough memory", verb);
        else if (sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT))
                complain("%s: the daemon does not answer; systemctl status memhpd tells more", verb);
        else if (is_cut_off(e))
                complain("%s: the connection to the bus is gone; what the daemon has begun goes on", verb);
        else if (is_gone(e))
                complain("%s: the daemon went away before it answered; systemctl status memhpd tells more", verb);
        else if (sd_bus_error_has_names(e, SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                complain("%s: %s; try as root", verb, text);
        else if (sd_bus_error_has_names(e, SD_BUS_ERROR_UNKNOWN_METHOD, SD_BUS_ERROR_UNKNOWN_INTERFACE))
                complain("%s: the daemon that runs is older than memhpctl: systemctl restart memhpd", verb);
        else
                complain("%s", text); /* it names its subject */
        return is_gone(e) || is_cut_off(e) ? STATUS_NOT_RUNNING : STATUS_FAILED;
}

static int call_new(struct client *c, const char *path, const char *interface, const char *method, bool interactive,
                    sd_bus_message **ret) {
        int r;

        r = sd_bus_message_new_method_call(c->bus, ret, BUS_NAME, path ?: BUS_PATH, interface ?: BUS_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(*ret, false);
        return r < 0 ? r : sd_bus_message_set_allow_interactive_authorization(*ret, interactive);
}

/* r: of making it. */
static int call_send(struct client *c, sd_bus_message *call, int r, bool interactive, sd_bus_error *error, sd_bus_message **ret) {
        if (r == -EINVAL) /* words of the command line that are no UTF-8 */
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s: an argument is no text", c->options->verb);
        if (r >= 0)
                r = sd_bus_call(c->bus, call, interactive ? INTERACTIVE_TIMEOUT_USEC : TIMEOUT_USEC, error, ret);
        if (r < 0 && !sd_bus_error_is_set(error))
                sd_bus_error_set_errno(error, r);
        return r;
}

static int call_once(struct client *c, const char *path, const char *interface, const char *method, bool interactive,
                     const char *types, va_list ap, sd_bus_error *error, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = call_new(c, path, interface, method, interactive, &call);
        if (r >= 0 && types && *types)
                r = sd_bus_message_appendv(call, types, ap);
        return call_send(c, call, r, interactive, error, ret);
}

/* Only after it was refused: most calls need no password, and whoever has none to give is not to be asked. */
static bool may_ask(const struct client *c, const sd_bus_error *e) {
        return sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) && !c->options->host &&
               !c->options->no_ask_password && isatty(STDIN_FILENO) && agent_open();
}

enum status client_call(struct client *c, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                        const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        va_list ap;
        int r;

        va_start(ap, types);
        r = call_once(c, path, interface, method, false, types, ap, &error, &reply);
        va_end(ap);
        if (r < 0 && may_ask(c, &error)) {
                sd_bus_error_free(&error);
                va_start(ap, types);
                r = call_once(c, path, interface, method, true, types, ap, &error, &reply);
                va_end(ap);
        }
        if (r < 0)
                return complain_call(c, &error);
        if (ret)
                *ret = TAKE_PTR(reply);
        return STATUS_DONE;
}

static int call_filled_once(struct client *c, const char *method, bool interactive, client_fill fill, void *userdata,
                            sd_bus_error *error, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = call_new(c, NULL, NULL, method, interactive, &call);
        if (r >= 0)
                r = fill(call, userdata);
        return call_send(c, call, r, interactive, error, ret);
}

enum status client_call_filled(struct client *c, const char *method, client_fill fill, void *userdata, sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = call_filled_once(c, method, false, fill, userdata, &error, ret);
        if (r < 0 && may_ask(c, &error)) {
                sd_bus_error_free(&error);
                r = call_filled_once(c, method, true, fill, userdata, &error, ret);
        }
        return r < 0 ? complain_call(c, &error) : STATUS_DONE;
}

static enum status client_take(struct client *c, sd_bus_message *reply, json_t **ret) {
        json_t *value = client_read_json(reply);

        if (!value) {
                complain("%s: the daemon's answer is none", c->options->verb);
                return STATUS_FAILED;
        }
        *ret = value;
        return STATUS_DONE;
}

enum status client_get(struct client *c, const char *path, const char *interface, const char *property, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        enum status s;

        s = client_call(c, path, "org.freedesktop.DBus.Properties", "Get", &reply, "ss", interface ?: BUS_MANAGER, property);
        return s == STATUS_DONE ? client_take(c, reply, ret) : s;
}

bool client_ask_quietly(struct client *c, const char *method, json_t **ret, const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        va_list ap;
        int r;

        va_start(ap, types);
        r = call_once(c, NULL, NULL, method, false, types, ap, &error, &reply);
        va_end(ap);
        if (r >= 0)
                *ret = client_read_json(reply);
        return r >= 0 && *ret;
}

static int call_plainly(struct client *c, const char *interface, const char *method, sd_bus_message **ret, const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;
        int r;

        va_start(ap, types);
        r = call_once(c, NULL, interface, method, false, types, ap, &error, ret);
        va_end(ap);
        return r;
}

bool client_get_quietly(struct client *c, const char *property, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        if (call_plainly(c, "org.freedesktop.DBus.Properties", "Get", &reply, "ss", BUS_MANAGER, property) < 0)
                return false;
        *ret = client_read_json(reply);
        return *ret != NULL;
}

enum status client_ask(struct client *c, const char *method, json_t **ret, const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        va_list ap;
        int r;

        va_start(ap, types);
        r = call_once(c, NULL, NULL, method, false, types, ap, &error, &reply);
        va_end(ap);
        return r < 0 ? complain_call(c, &error) : client_take(c, reply, ret);
}

/* ---- replies ------------------------------------------------------------------------------------------------------ */

static json_t *read_basic(sd_bus_message *m, char type) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                int b;
                double d;
                const char *s;
        } value;

        if (sd_bus_message_read_basic(m, type, &value) <= 0)
                return NULL;
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                return json_unsigned(value.y);
        case SD_BUS_TYPE_INT16:
                return json_integer(value.n);
        case SD_BUS_TYPE_UINT16:
                return json_unsigned(value.q);
        case SD_BUS_TYPE_INT32:
                return json_integer(value.i);
        case SD_BUS_TYPE_UINT32:
                return json_unsigned(value.u);
        case SD_BUS_TYPE_INT64:
                return json_integer(value.x);
        case SD_BUS_TYPE_UINT64:
                return json_unsigned(value.t);
        case SD_BUS_TYPE_BOOLEAN:
                return json_boolean(value.b);
        case SD_BUS_TYPE_DOUBLE:
                return json_real(value.d);
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                return json_text(value.s);
        default:
                return NULL; /* descriptors are no data */
        }
}

static json_t *read_pairs(sd_bus_message *m, const char *contents) {
        _cleanup_free_ char *inner = strndup(contents + 1, strlen(contents) - 2); /* without the braces */
        json_t *object = json_new_object();

        if (!inner)
                out_of_memory();
        while (sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, inner) > 0) {
                json_auto_t *key = client_read_json(m);
                json_t *value = client_read_json(m);
                _cleanup_free_ char *text = NULL;

                if (!key || !value) {
                        json_decref(value);
                        json_decref(object);
                        return NULL;
                }
                text = json_is_string(key) ? format_text("%s", json_string_value(key)) : json_dumps(key, JSON_ENCODE_ANY);
                if (!text)
                        out_of_memory();
                json_set(object, text, value);
                if (sd_bus_message_exit_container(m) < 0)
                        break;
        }
        return object;
}

static json_t *read_items(sd_bus_message *m) {
        json_t *array = json_new_array();

        while (sd_bus_message_at_end(m, false) == 0) {
                json_t *value = client_read_json(m);

                if (!value) {
                        json_decref(array);
                        return NULL;
                }
                json_add(array, value);
        }
        return array;
}

json_t *client_read_json(sd_bus_message *m) {
        const char *contents;
        json_t *value;
        char type;

        if (sd_bus_message_peek_type(m, &type, &contents) <= 0)
                return NULL;
        if (!contents)
                return read_basic(m, type);
        if (sd_bus_message_enter_container(m, type, contents) < 0)
                return NULL;
        if (type == SD_BUS_TYPE_VARIANT)
                value = client_read_json(m);
        else
                value = type == SD_BUS_TYPE_ARRAY && *contents == '{' ? read_pairs(m, contents) : read_items(m);
        if (value && sd_bus_message_exit_container(m) < 0) {
                json_decref(value);
                return NULL;
        }
        return value;
}
