/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/bus-internal.h"

/* Blocks, devices and nodes as objects. There is nothing behind a path but the registry: half a million of them cost no
 * memory. More than this many blocks are not listed in the introspection of their parent; each has its object all the same. */
#define LISTED_MAX 4096

static struct entry *find_entry(struct bus *b, const char *path) {
        struct entry *e;
        uint32_t block;

        if (!bus_path_number(path, "block", &block))
                return NULL;
        e = registry_find(manager_registry(b->manager), block);
        return e && e->known ? e : NULL;
}

int bus_find_block(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        (void) bus, (void) interface, (void) error;
        if (!find_entry(userdata, path))
                return 0;
        *ret = userdata;
        return 1;
}

/* The name in "/org/memhp1/device/dax0_2e0"; to be freed. NULL: none of ours. */
static char *device_name(const char *path) {
        char *name = NULL;

        return sd_bus_path_decode(path, BUS_PATH "/device", &name) > 0 ? name : NULL;
}

static bool is_in_use(struct bus *b, uint16_t device) {
        const struct registry *r = manager_registry(b->manager);

        for (size_t i = 0; i < r->n; i++)
                if (r->entries[i].device == device)
                        return true;
        return false;
}

/* Its number in the registry; 0: there is no such device. */
static uint16_t find_device(struct bus *b, const char *name) {
        const struct registry *r = manager_registry(b->manager);

        for (size_t i = 1; i < r->n_devices; i++)
                if (strcmp(r->devices[i], name) == 0)
                        return is_in_use(b, (uint16_t) i) ? (uint16_t) i : 0;
        return 0;
}

int bus_find_device(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        _cleanup_free_ char *name = device_name(path);

        (void) bus, (void) interface, (void) error;
        if (!name || !find_device(userdata, name))
                return 0;
        *ret = userdata;
        return 1;
}

static void collect_nodes(struct bus *b, struct node_set *ret) {
        const struct registry *r = manager_registry(b->manager);

        *ret = (struct node_set) {};
        for (size_t i = 0; i < r->n; i++)
                if (r->entries[i].node >= 0)
                        node_set_add(ret, (unsigned) r->entries[i].node);
}

int bus_find_node(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret, sd_bus_error *error) {
        struct node_set nodes;
        uint32_t node;

        (void) bus, (void) interface, (void) error;
        collect_nodes(userdata, &nodes);
        if (!bus_path_number(path, "node", &node) || !node_set_has(&nodes, node))
                return 0;
        *ret = userdata;
        return 1;
}

/* ---- which there are ---------------------------------------------------------------------------------------------- */

/* A NULL-terminated list that grows. */
struct paths {
        char **items;
        size_t n, capacity;
};

static void paths_free(struct paths *p) {
        for (size_t i = 0; i < p->n; i++)
                free(p->items[i]);
        free(p->items);
}

static int paths_add(struct paths *p, char *path) {
        if (!path)
                return -ENOMEM;
        /* Room for the end, too. */
        if (!GROW(p->items, p->n + 1, p->capacity)) {
                free(path);
                return -ENOMEM;
        }
        p->items[p->n++] = path;
        p->items[p->n] = NULL;
        return 0;
}

static int paths_add_number(struct paths *p, const char *kind, uint32_t number) {
        char path[BUS_PATH_MAX];

        return paths_add(p, strdup(bus_number_path(kind, number, path)));
}

static int paths_finish(struct paths *p, int r, char ***ret) {
        if (r < 0) {
                paths_free(p);
                return r;
        }
        *ret = p->items;
        return 0;
}

int bus_enumerate_blocks(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        const struct registry *registry = manager_registry(((struct bus *) userdata)->manager);
        struct paths paths = {};
        int r = 0;

        (void) bus, (void) prefix, (void) error;
        for (size_t i = 0; i < registry->n && paths.n < LISTED_MAX && r >= 0; i++)
                if (registry->entries[i].known)
                        r = paths_add_number(&paths, "block", registry->entries[i].block);
        return paths_finish(&paths, r, ret);
}

int bus_enumerate_devices(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        struct bus *b = userdata;
        const struct registry *registry = manager_registry(b->manager);
        struct paths paths = {};
        int r = 0;

        (void) bus, (void) prefix, (void) error;
        for (size_t i = 1; i < registry->n_devices && r >= 0; i++) {
                char *path = NULL;

                if (!is_in_use(b, (uint16_t) i))
                        continue;
                r = sd_bus_path_encode(BUS_PATH "/device", registry->devices[i], &path);
                if (r >= 0)
                        r = paths_add(&paths, path);
        }
        return paths_finish(&paths, r, ret);
}

int bus_enumerate_nodes(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        struct paths paths = {};
        struct node_set nodes;
        int r = 0;

        (void) bus, (void) prefix, (void) error;
        collect_nodes(userdata, &nodes);
        for (int n = node_set_next(&nodes, 0); n >= 0 && r >= 0; n = node_set_next(&nodes, (unsigned) n + 1))
                r = paths_add_number(&paths, "node", (uint32_t) n);
        return paths_finish(&paths, r, ret);
}

int bus_enumerate_jobs(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        const struct jobs *jobs = manager_jobs(((struct bus *) userdata)->manager);
        struct paths paths = {};
        int r = 0;

        (void) bus, (void) prefix, (void) error;
        for (size_t i = 0; i < JOBS_MAX && r >= 0; i++)
                if (jobs->slots[i].id)
                        r = paths_add_number(&paths, "job", jobs->slots[i].id);
        return paths_finish(&paths, r, ret);
}

/* ---- a block ------------------------------------------------------------------------------------------------------ */

#define GETTER(name)                                                                                                     \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *m, \
                        void *userdata, sd_bus_error *error)

/* Between the look-up and now nothing happened: the object is there. */
static const struct entry *entry_at(void *userdata, const char *path, sd_bus_error *error) {
        const struct entry *e = find_entry(userdata, path);

        if (!e)
                sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_BLOCK, "%s: there is no such block", path);
        return e;
}

GETTER(get_block_number) {
        const struct entry *e = entry_at(userdata, path, error);
        struct bus *b = userdata;
        struct block block;

        (void) bus, (void) interface;
        if (!e)
                return -ENOENT;
        manager_entry_block(b->manager, e, &block);
        if (strcmp(property, "Index") == 0)
                return sd_bus_message_append(m, "u", e->block);
        return sd_bus_message_append(m, "t", strcmp(property, "Start") == 0 ? block.start : block.size);
}

GETTER(get_block_text) {
        const struct entry *e = entry_at(userdata, path, error);
        const struct registry *registry = manager_registry(((struct bus *) userdata)->manager);
        const struct policy *p = manager_policy(((struct bus *) userdata)->manager);
        const char *text = "";

        (void) bus, (void) interface;
        if (!e)
                return -ENOENT;
        if (strcmp(property, "State") == 0)
                text = block_state_to_string((enum block_state) e->state);
        else if (strcmp(property, "Source") == 0)
                text = source_to_string((enum source) e->source);
        else if (strcmp(property, "Device") == 0)
                text = bus_text(registry_device_name(registry, e->device));
        else if (strcmp(property, "Action") == 0)
                text = e->decided ? action_to_string((enum action) e->action) : "";
        else if (strcmp(property, "Reason") == 0)
                text = e->decided ? reason_to_string((enum reason) e->reason) : "";
        else if (strcmp(property, "Outcome") == 0)
                text = e->decided ? outcome_to_string((enum outcome) e->outcome) : "";
        else if (e->decided && e->rule >= 0 && (size_t) e->rule < p->n_rules)
                text = bus_text(p->rules[e->rule].name);
        return sd_bus_message_append(m, "s", text);
}

/* Where it is online, or could go: of a block that is offline, only the kernel can tell. */
GETTER(get_block_lists) {
        const struct entry *e = entry_at(userdata, path, error);
        struct writer w = { .m = m };
        struct evidence evidence;
        struct block b;
        int r;

        (void) bus, (void) interface;
        if (!e)
                return -ENOENT;
        r = manager_read_block(((struct bus *) userdata)->manager, e, &b, &evidence);
        if (r < 0)
                return r;
        if (strcmp(property, "Zones") == 0)
                writer_append_zones(&w, &b);
        else
                writer_append_nodes(&w, &b.nodes);
        return w.r;
}

GETTER(get_block_rest) {
        const struct entry *e = entry_at(userdata, path, error);

        (void) bus, (void) interface;
        if (!e)
                return -ENOENT;
        if (strcmp(property, "Add") == 0)
                return sd_bus_message_append(m, "u", e->add);
        if (strcmp(property, "Errno") == 0)
                return sd_bus_message_append(m, "i", (int32_t) -e->error);
        if (strcmp(property, "HandsOff") == 0)
                return sd_bus_message_append(m, "b", (int) e->hands_off);
        return sd_bus_message_append(m, "b", (int) (e->stage != STAGE_IDLE));
}

const sd_bus_vtable bus_block_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Index", "u", get_block_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Start", "t", get_block_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Size", "t", get_block_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Zones", "as", get_block_lists, 0, 0),
        SD_BUS_PROPERTY("Nodes", "au", get_block_lists, 0, 0),
        SD_BUS_PROPERTY("Source", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Device", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Add", "u", get_block_rest, 0, 0),
        SD_BUS_PROPERTY("Action", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Rule", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Reason", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Outcome", "s", get_block_text, 0, 0),
        SD_BUS_PROPERTY("Errno", "i", get_block_rest, 0, 0),
        SD_BUS_PROPERTY("HandsOff", "b", get_block_rest, 0, 0),
        SD_BUS_PROPERTY("Pending", "b", get_block_rest, 0, 0),
        SD_BUS_VTABLE_END,
};

/* ---- what many blocks are together -------------------------------------------------------------------------------- */

static int append_sum(sd_bus_message *m, const char *property, const struct bus_sums *s) {
        if (strcmp(property, "Blocks") == 0)
                return sd_bus_message_append(m, "u", s->blocks);
        if (strcmp(property, "OnlineBytes") == 0)
                return sd_bus_message_append(m, "t", s->online);
        if (strcmp(property, "OfflineBytes") == 0)
                return sd_bus_message_append(m, "t", s->offline);
        return sd_bus_message_append(m, "t", s->movable);
}

GETTER(get_device) {
        _cleanup_free_ char *name = device_name(path);
        struct writer w = { .m = m };
        struct bus *b = userdata;
        struct bus_sums s;

        (void) bus, (void) interface, (void) error;
        if (!name)
                return -ENOENT;
        bus_sum_up(b, find_device(b, name), -1, &s);
        if (strcmp(property, "Name") == 0)
                return sd_bus_message_append(m, "s", bus_text(name));
        if (strcmp(property, "Source") == 0)
                return sd_bus_message_append(m, "s", source_to_string(s.source));
        if (strcmp(property, "Nodes") == 0) {
                writer_append_nodes(&w, &s.nodes);
                return w.r;
        }
        if (strcmp(property, "FirstBlock") == 0)
                return sd_bus_message_append(m, "u", s.first);
        if (strcmp(property, "LastBlock") == 0)
                return sd_bus_message_append(m, "u", s.last);
        return append_sum(m, property, &s);
}

const sd_bus_vtable bus_device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Source", "s", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Nodes", "au", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Blocks", "u", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("FirstBlock", "u", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("LastBlock", "u", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("OnlineBytes", "t", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("OfflineBytes", "t", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("MovableBytes", "t", get_device, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_VTABLE_END,
};

GETTER(get_node) {
        struct bus_sums s;
        uint32_t node;

        (void) bus, (void) interface, (void) error;
        if (!bus_path_number(path, "node", &node))
                return -ENOENT;
        if (strcmp(property, "Number") == 0)
                return sd_bus_message_append(m, "u", node);
        bus_sum_up(userdata, 0, (int) node, &s);
        return append_sum(m, property, &s);
}

const sd_bus_vtable bus_node_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Number", "u", get_node, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Blocks", "u", get_node, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("OnlineBytes", "t", get_node, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("OfflineBytes", "t", get_node, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("MovableBytes", "t", get_node, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_VTABLE_END,
};
