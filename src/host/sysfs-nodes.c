/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sysfs-internal.h"

#include <errno.h>
#include <unistd.h>

#define NODE_DIR "sys/devices/system/node"

bool sysfs_has_nodes(int root_fd) {
        return faccessat(root_fd, NODE_DIR, F_OK, 0) == 0;
}

int sysfs_visit_node(const char *name, void *userdata) {
        struct node_set *nodes = userdata;
        uint32_t node;

        if (sysfs_parse_numbered(name, "node", &node) && node < NODES_MAX)
                node_set_add(nodes, node);
        return 0;
}

static int compare_link(const void *a, const void *b) {
        const struct node_link *x = a, *y = b;

        if (x->block != y->block)
                return x->block < y->block ? -1 : 1;
        return x->node < y->node ? -1 : x->node > y->node;
}

/* As it is where the nodes' memory lies in their order. */
static bool is_sorted(const struct node_map *map) {
        for (size_t i = 1; i < map->n; i++)
                if (compare_link(&map->links[i - 1], &map->links[i]) > 0)
                        return false;
        return true;
}

int sysfs_read_node_map(const struct sysfs *fs, struct node_map *ret) {
        _cleanup_(node_map_done) struct node_map map = {};
        struct node_set nodes = {};
        int r;

        if (!fs->has_nodes) {
                *ret = (struct node_map) {};
                return 0;
        }
        r = sysfs_each_entry(fs->root_fd, NODE_DIR, sysfs_visit_node, &nodes);
        if (r < 0)
                return r;
        for (int node = node_set_next(&nodes, 0); node >= 0; node = node_set_next(&nodes, (unsigned) node + 1)) {
                _cleanup_free_ uint32_t *blocks = NULL;
                struct node_link *links;
                char path[sizeof(NODE_DIR) + 16];
                size_t n;

                snprintf(path, sizeof(path), NODE_DIR "/node%d", node);
                r = sysfs_read_indices_of(fs->root_fd, path, &blocks, &n);
                if (r == -ENOENT || r == -ENOTDIR)
                        continue;
                if (r < 0)
                        return r;
                links = reallocarray(map.links, map.n + n + 1, sizeof(*links));
                if (!links)
                        return -ENOMEM;
                map.links = links;
                for (size_t i = 0; i < n; i++)
                        map.links[map.n++] =
                                (struct node_link) { .block = blocks[i], .node = (uint16_t) node };
        }
        if (!is_sorted(&map))
                qsort(map.links, map.n, sizeof(*map.links), compare_link);
        *ret = map;
        map = (struct node_map) {};
        return 0;
}

void node_map_done(struct node_map *m) {
        free(m->links);
        *m = (struct node_map) {};
}

void node_map_get(const struct node_map *m, uint32_t block, struct node_set *ret) {
        size_t low = 0, high = m->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (m->links[middle].block < block)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < m->n && m->links[low].block == block; low++)
                node_set_add(ret, m->links[low].node);
}
