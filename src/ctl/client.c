/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* The daemon itself waits 10 s for polkit, and 5 min for somebody to type a password. */
#define TIMEOUT_USEC UINT64_C(30000000)
#define INTERACTIVE_TIMEOUT_USEC UINT64_C(330000000)

struct client {
        const struct options *options;
        sd_bus *bus;
};

static int connect_bus(const struct options *o, sd_bus **ret) {
        return o->host ? sd_bus_open_system_remote(ret, o->host) : sd_bus_open_system(ret);
}

/* 0, or a negative errno: -ENXIO if nobody has the name. */
static int find_daemon(sd_bus *bus) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner",
                               &error, &reply, "s", BUS_NAME);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return -ENXIO;
        return r < 0 ? r : 0;
}

static int client_new(const struct options *o, struct client **ret) {
        _cleanup_(client_closep) struct client *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                out_of_memory();
        c->options = o;
        r = connect_bus(o, &c->bus);
        if (r >= 0)
                r = find_daemon(c->bus);
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

bool client_try_open(const struct options *o, struct client **ret) {
        return !is_forbidden(o) && client_new(o, ret) >= 0;
}

void client_close(struct client *c) {
        if (!c)
                return;
        sd_bus_flush_close_unref(c->bus);
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

static enum status complain_call(const struct client *c, const sd_bus_error *e) {
        const char *verb = c->options->verb, *text = e->message ?: e->name;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_MEMORY))
                complain("%s: not enough memory", verb);
        else if (sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT))
                complain("%s: the daemon does not answer; systemctl status memhpd tells more", verb);
        else if (is_gone(e))
                complain("%s: the daemon went away before it answered; systemctl status memhpd tells more", verb);
        else if (sd_bus_error_has_names(e, SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                complain("%s: not allowed: %s; try as root", verb, text);
        else if (sd_bus_error_has_names(e, SD_BUS_ERROR_UNKNOWN_METHOD, SD_BUS_ERROR_UNKNOWN_INTERFACE))
                complain("%s: the daemon that runs is older than memhpctl: systemctl restart memhpd", verb);
        else
                complain("%s", text); /* it names its subject */
        return is_gone(e) ? STATUS_NOT_RUNNING : STATUS_FAILED;
}

static int call_new(struct client *c, const char *path, const char *interface, const char *method, bool interactive,
                    sd_bus_message **ret) {
        int r;

        r = sd_bus_message_new_method_call(c->bus, ret, BUS_NAME, path ?: BUS_PATH, interface ?: BUS_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(*ret, false);
        return r < 0 ? r : sd_bus_message_set_allow_interactive_authorization(*ret, interactive);
}

enum status client_call(struct client *c, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                        const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        bool interactive = isatty(STDIN_FILENO);
        va_list ap;
        int r;

        r = call_new(c, path, interface, method, interactive, &call);
        if (r >= 0 && types && *types) {
                va_start(ap, types);
                r = sd_bus_message_appendv(call, types, ap);
                va_end(ap);
        }
        if (r == -EINVAL) {
                /* Words of the command line that are no UTF-8. */
                complain("%s: an argument is no text", c->options->verb);
                return STATUS_USAGE;
        }
        if (r >= 0)
                r = sd_bus_call(c->bus, call, interactive ? INTERACTIVE_TIMEOUT_USEC : TIMEOUT_USEC, &error, &reply);
        if (r < 0) {
                if (!sd_bus_error_is_set(&error))
                        sd_bus_error_set_errno(&error, r);
                return complain_call(c, &error);
        }
        if (ret)
                *ret = TAKE_PTR(reply);
        return STATUS_DONE;
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
