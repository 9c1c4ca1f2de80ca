/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/bus-internal.h"

#include <sys/socket.h>

#include "check_util.h"

/* Who may call what. The tables of the program against each other, and against what is told to administrators: whoever adds
 * a method adds it here, too. */
static const struct {
        const char *interface, *name, *action;
} expected[] = {
        { BUS_MANAGER, "ListRanges", POLKIT_INSPECT },
        { BUS_MANAGER, "ListBlocks", POLKIT_INSPECT },
        { BUS_MANAGER, "ListDevices", POLKIT_INSPECT },
        { BUS_MANAGER, "ListNodes", POLKIT_INSPECT },
        { BUS_MANAGER, "GetZones", POLKIT_INSPECT },
        { BUS_MANAGER, "GetBuddy", POLKIT_INSPECT },
        { BUS_MANAGER, "GetStats", POLKIT_INSPECT },
        { BUS_MANAGER, "GetStatus", POLKIT_INSPECT },
        { BUS_MANAGER, "GetTrace", POLKIT_INSPECT },
        { BUS_MANAGER, "ListTraces", POLKIT_INSPECT },
        { BUS_MANAGER, "GetHistory", POLKIT_INSPECT },
        { BUS_MANAGER, "Explain", POLKIT_INSPECT },
        { BUS_MANAGER, "Simulate", POLKIT_INSPECT },
        { BUS_MANAGER, "CheckPolicy", POLKIT_INSPECT },
        { BUS_MANAGER, "Reload", POLKIT_MANAGE_POLICY },
        { BUS_MANAGER, "Hold", POLKIT_MANAGE_POLICY },
        { BUS_MANAGER, "Release", POLKIT_MANAGE_POLICY },
        { BUS_MANAGER, "Online", POLKIT_SET_STATE },
        { BUS_MANAGER, "Offline", POLKIT_SET_STATE },
        { BUS_MANAGER, "Rezone", POLKIT_SET_STATE },
        { BUS_MANAGER, "ListJobs", POLKIT_INSPECT },
        { BUS_JOB, "Cancel", POLKIT_SET_STATE },
        { BUS_JOB, "ListItems", POLKIT_INSPECT },
        { BUS_JOB, "ListCandidates", POLKIT_INSPECT },
};

static const struct {
        const char *interface;
        const sd_bus_vtable *vtable;
} vtables[] = {
        { BUS_MANAGER, bus_manager_vtable }, { BUS_BLOCK, bus_block_vtable }, { BUS_DEVICE, bus_device_vtable },
        { BUS_NODE, bus_node_vtable },       { BUS_JOB, bus_job_vtable },
};

#define FOREACH_MEMBER(v, table) for (const sd_bus_vtable *v = (table); v->type != _SD_BUS_VTABLE_END; v++)

static const struct bus_method *find_row(const char *interface, const char *name) {
        const struct bus_method *row, *found = NULL;

        for (size_t i = 0; (row = bus_method_get(i)); i++)
                if (strcmp(row->interface, interface) == 0 && strcmp(row->name, name) == 0) {
                        ck_assert_msg(!found, "%s.%s has two rows", interface, name);
                        found = row;
                }
        return found;
}

static const sd_bus_vtable *find_member(const char *interface, const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(vtables); i++)
                FOREACH_MEMBER(v, vtables[i].vtable)
                        if (strcmp(vtables[i].interface, interface) == 0 && v->type == _SD_BUS_VTABLE_METHOD &&
                            strcmp(v->x.method.member, name) == 0)
                                return v;
        return NULL;
}

START_TEST(every_method_has_a_row) {
        unsigned n = 0;

        FOREACH_MEMBER(v, vtables[_i].vtable) {
                if (v->type != _SD_BUS_VTABLE_METHOD)
                        continue;
                n++;
                ck_assert_msg(find_row(vtables[_i].interface, v->x.method.member), "%s.%s has no row", vtables[_i].interface,
                              v->x.method.member);
                ck_assert_msg(v->x.method.handler == bus_dispatch, "%s is not authorised", v->x.method.member);
                /* Else sd-bus itself would refuse everybody but root, and polkit would never be asked. */
                ck_assert_msg(v->flags & SD_BUS_VTABLE_UNPRIVILEGED, "%s does not reach polkit", v->x.method.member);
        }
        if (vtables[_i].vtable == bus_manager_vtable)
                ck_assert_uint_gt(n, 15);
}
END_TEST

START_TEST(every_row_has_a_method) {
        const struct bus_method *row;
        size_t n = 0;

        for (; (row = bus_method_get(n)); n++) {
                ck_assert_msg(find_member(row->interface, row->name), "there is no %s.%s", row->interface, row->name);
                ck_assert_ptr_nonnull(row->run);
                (void) find_row(row->interface, row->name); /* only once */
        }
        ck_assert_uint_eq(n, ARRAY_SIZE(expected));
}
END_TEST

START_TEST(actions_are_as_told) {
        const struct bus_method *row = find_row(expected[_i].interface, expected[_i].name);

        ck_assert_msg(row, "there is no %s", expected[_i].name);
        ck_assert_str_eq(row->action, expected[_i].action);
        /* Only what looks is open to everybody where there is no polkit. */
        ck_assert_int_eq(row->changes, strcmp(row->action, POLKIT_INSPECT) != 0);
}
END_TEST

/* The length of the complete type that the signature begins with. */
static size_t type_length(const char *s) {
        unsigned depth = 0;
        size_t n = 0;

        do {
                while (s[n] == 'a')
                        n++;
                depth += s[n] == '(' || s[n] == '{';
                depth -= s[n] == ')' || s[n] == '}';
                n++;
        } while (depth > 0);
        return n;
}

static unsigned count_types(const char *signature) {
        unsigned n = 0;

        for (; *signature; signature += type_length(signature))
                n++;
        return n;
}

/* All that is seen of an interface: what is not named there, people have to guess. */
START_TEST(arguments_have_names) {
        FOREACH_MEMBER(v, vtables[_i].vtable) {
                const char *member, *names;
                unsigned n;

                if (v->type == _SD_BUS_VTABLE_METHOD) {
                        member = v->x.method.member;
                        names = v->x.method.names;
                        n = count_types(v->x.method.signature) + count_types(v->x.method.result);
                } else if (v->type == _SD_BUS_VTABLE_SIGNAL) {
                        member = v->x.signal.member;
                        names = v->x.signal.names;
                        n = count_types(v->x.signal.signature);
                } else
                        continue;
                for (unsigned i = 0; i < n; i++) {
                        ck_assert_msg(names && *names, "%s: argument %u has no name", member, i + 1);
                        names += strlen(names) + 1;
                }
        }
}
END_TEST

START_TEST(properties_are_read_only) {
        FOREACH_MEMBER(v, vtables[_i].vtable)
                ck_assert_msg(v->type != _SD_BUS_VTABLE_WRITABLE_PROPERTY, "%s can be written", v->x.property.member);
}
END_TEST

/* ---- whoever forgets the row -------------------------------------------------------------------------------------- */

static const sd_bus_vtable forgotten[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Shred", "s", "", bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),
        /* Of another interface, where it has one. */
        SD_BUS_METHOD("Cancel", "", "", bus_dispatch, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) error;
        *(sd_bus_message **) userdata = sd_bus_message_ref(m);
        return 0;
}

static sd_bus *open_end(int fd, bool server) {
        sd_bus *bus;
        sd_id128_t id;

        ck_assert_int_ge(sd_id128_randomize(&id), 0);
        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_fd(bus, fd, fd), 0);
        if (server)
                ck_assert_int_ge(sd_bus_set_server(bus, true, id), 0);
        return bus;
}

static sd_bus_message *call(sd_bus *client, sd_bus *server, const char *interface, const char *name, const char *types) {
        sd_bus_message *m = NULL, *reply = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NULL, BUS_PATH, interface, name), 0);
        if (*types)
                ck_assert_int_ge(sd_bus_message_append(m, types, "all"), 0);
        ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, UINT64_MAX), 0);
        while (!reply) {
                ck_assert_int_ge(sd_bus_process(server, NULL), 0);
                ck_assert_int_ge(sd_bus_process(client, NULL), 0);
        }
        sd_bus_message_unref(m);
        return reply;
}

START_TEST(a_method_without_a_row_is_refused) {
        static const struct {
                const char *interface, *name, *types, *error;
        } calls[] = {
                { BUS_MANAGER, "Shred", "s", SD_BUS_ERROR_ACCESS_DENIED },
                { BUS_MANAGER, "Cancel", "", SD_BUS_ERROR_ACCESS_DENIED },
                { NULL, "Cancel", "", NULL }, /* which one? */
        };
        sd_bus *client, *server;
        struct bus b = {}; /* nothing that could do anything */
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        server = open_end(fds[0], true);
        client = open_end(fds[1], false);
        ck_assert_int_ge(sd_bus_add_object_vtable(server, NULL, BUS_PATH, BUS_MANAGER, forgotten, &b), 0);
        ck_assert_int_ge(sd_bus_start(server), 0);
        ck_assert_int_ge(sd_bus_start(client), 0);
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                sd_bus_message *reply = call(client, server, calls[i].interface, calls[i].name, calls[i].types);

                ck_assert_msg(sd_bus_message_is_method_error(reply, calls[i].error), "call %zu: not refused so", i);
                sd_bus_message_unref(reply);
        }
        sd_bus_close_unref(client);
        sd_bus_close_unref(server);
}
END_TEST

int main(void) {
        Suite *s = suite_create("dispatch");
        TCase *c = check_case(s, "tables");

        tcase_add_loop_test(c, every_method_has_a_row, 0, ARRAY_SIZE(vtables));
        tcase_add_test(c, every_row_has_a_method);
        tcase_add_loop_test(c, actions_are_as_told, 0, ARRAY_SIZE(expected));
        tcase_add_loop_test(c, arguments_have_names, 0, ARRAY_SIZE(vtables));
        tcase_add_loop_test(c, properties_are_read_only, 0, ARRAY_SIZE(vtables));
        tcase_add_test(c, a_method_without_a_row_is_refused);
        return check_run(s);
}
