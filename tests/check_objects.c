/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/bus-internal.h"

#include <malloc.h>
#include <sys/socket.h>

#include "check_util.h"
#include "manager_rig.h"

/* Half a million blocks as objects: nothing is behind a path but the registry. The manager has a few blocks of a machine made
 * of files, and its registry as many more as the largest machines have; a client on the other end of a socket looks at them. */

#define BLOCKS 524288u
#define LISTED_MAX 4096

static struct bus *b;
static sd_bus *client;

/* Without the bus that would ask who calls. */
static int list_ranges(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_list_ranges(userdata, call, false, error);
}

static int list_blocks(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_list_blocks(userdata, call, false, error);
}

static const sd_bus_vtable open_to_all[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("ListRanges", "s", "a(uusbasaussu)", list_ranges, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListBlocks", "s", "a(uoss)", list_blocks, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static sd_bus *open_end(int fd, bool server) {
        sd_id128_t id;
        sd_bus *bus;

        ck_assert_int_ge(sd_id128_randomize(&id), 0);
        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_fd(bus, fd, fd), 0);
        if (server)
                ck_assert_int_ge(sd_bus_set_server(bus, true, id), 0);
        return bus;
}

static void setup(void) {
        int fds[2];

        rig_setup();
        fakeroot_add_boot(f, 0, 4, 0);
        start(QUIET RULES(LAST("all", "", "online")));
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        b = calloc(1, sizeof(*b));
        ck_assert_ptr_nonnull(b);
        b->manager = m;
        b->bus = open_end(fds[0], true);
        client = open_end(fds[1], false);
        ck_assert_int_ge(bus_add_objects(b), 0);
        ck_assert_int_ge(sd_bus_add_object_vtable(b->bus, NULL, "/open", "org.memhp1.Open", open_to_all, b), 0);
        ck_assert_int_ge(sd_bus_start(b->bus), 0);
        ck_assert_int_ge(sd_bus_start(client), 0);
}

static void teardown(void) {
        sd_bus_close_unref(client);
        sd_bus_close_unref(b->bus);
        free(b);
        rig_teardown();
}

/* As a scan would have met them: of two nodes, all online. */
static void stuff_registry(void) {
        for (uint32_t i = 4; i < BLOCKS; i++) {
                struct entry *e = registry_insert(&m->registry, i);

                CHECK(e);
                e->known = true;
                e->state = BLOCK_ONLINE;
                e->zones = ZONE_BIT(ZONE_NORMAL);
                e->source = SOURCE_BOOT;
                e->node = (int16_t) (i / (BLOCKS / 2));
                e->removable = true;
        }
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        (void) error;
        *(sd_bus_message **) userdata = sd_bus_message_ref(reply);
        return 0;
}

static sd_bus_message *call(const char *path, const char *interface, const char *member, const char *types, ...) {
        sd_bus_message *message = NULL, *reply = NULL;
        sd_bus_slot *slot = NULL;
        va_list ap;

        ck_assert_int_ge(sd_bus_message_new_method_call(client, &message, NULL, path, interface, member), 0);
        va_start(ap, types);
        ck_assert_int_ge(sd_bus_message_appendv(message, types, ap), 0);
        va_end(ap);
        ck_assert_int_ge(sd_bus_call_async(client, &slot, message, on_reply, &reply, UINT64_MAX), 0);
        while (!reply) {
                ck_assert_int_ge(sd_bus_process(b->bus, NULL), 0);
                ck_assert_int_ge(sd_bus_process(client, NULL), 0);
        }
        sd_bus_slot_unref(slot);
        sd_bus_message_unref(message);
        return reply;
}

#define PROPERTIES "org.freedesktop.DBus.Properties"

static uint32_t read_index(uint32_t block) {
        char path[BUS_PATH_MAX];
        sd_bus_message *reply = call(bus_number_path("block", block, path), PROPERTIES, "Get", "ss", BUS_BLOCK, "Index");
        uint32_t index = UINT32_MAX;

        if (!sd_bus_message_is_method_error(reply, NULL))
                ck_assert_int_gt(sd_bus_message_read(reply, "v", "u", &index), 0);
        sd_bus_message_unref(reply);
        return index;
}

static unsigned count_children(const char *path) {
        sd_bus_message *reply = call(path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
        const char *text;
        unsigned n = 0;

        ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
        for (; (text = strstr(text, "<node name=")); text++)
                n++;
        sd_bus_message_unref(reply);
        return n;
}

static bool is_refused(const char *member) {
        sd_bus_message *reply = call("/open", "org.memhp1.Open", member, "s", "all");
        bool refused = sd_bus_message_is_method_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED);

        ck_assert(refused || !sd_bus_message_is_method_error(reply, NULL));
        sd_bus_message_unref(reply);
        return refused;
}

static void look_around(uint32_t step) {
        for (uint32_t i = step; i < BLOCKS; i += step)
                ck_assert_uint_eq(read_index(i), i);
        ck_assert_uint_eq(count_children(BUS_PATH "/block"), LISTED_MAX); /* each has its object all the same */
        ck_assert_uint_eq(count_children(BUS_PATH "/node"), 2);
        ck_assert_uint_eq(count_children(BUS_PATH), 4);
        ck_assert(is_refused("ListBlocks"));
        ck_assert(!is_refused("ListRanges"));
}

START_TEST(no_memory_per_object) {
        struct mallinfo2 before, after;

        stuff_registry();
        ck_assert_uint_le(sizeof(struct entry), 96);
        look_around(1021);
        before = mallinfo2();
        look_around(127); /* some 4000 others */
        after = mallinfo2();
        ck_assert_msg(after.uordblks + after.hblkhd <= before.uordblks + before.hblkhd + 32768, "%zu bytes in use, then %zu",
                      before.uordblks + before.hblkhd, after.uordblks + after.hblkhd);
        ck_assert_uint_eq(read_index(0), 0);
        ck_assert_uint_eq(read_index(BLOCKS - 1), BLOCKS - 1);
        ck_assert_uint_eq(read_index(BLOCKS), UINT32_MAX);
        ck_assert_uint_eq(read_index(UINT32_MAX), UINT32_MAX);
}
END_TEST

/* Every other block is offline: no bus would take so many ranges in one message. */
START_TEST(lists_end) {
        stuff_registry();
        for (uint32_t i = 4; i < BLOCKS; i += 2)
                registry_find(&m->registry, i)->state = BLOCK_OFFLINE;
        ck_assert(is_refused("ListRanges"));
}
END_TEST

int main(void) {
        Suite *s = suite_create("objects");
        TCase *c;
        int r;

        fakeroot_begin();
        c = check_case_in(s, "objects", setup, teardown);
        tcase_add_test(c, no_memory_per_object);
        tcase_add_test(c, lists_end);
        r = check_run(s);
        fakeroot_end();
        return r;
}
