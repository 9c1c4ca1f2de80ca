/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the daemon knows of every block: facts, the last decision, how far it has come. No I/O and no clock: now is a
 * parameter. Entries lie in one array, by block number; pointers hold until the next insert or remove. */

#include "core/outcome.h"
#include "core/source.h"

enum stage {
        STAGE_IDLE,     /* nothing to do */
        STAGE_QUEUED,   /* waits to be looked at */
        STAGE_APPLYING, /* at the writer */
        STAGE_PUT_OFF,  /* decided, and to be brought online after the others of its add */
        STAGE_RETRY,    /* waits until next_usec */
        _STAGE_MAX,
};

struct entry {
        uint64_t next_usec;  /* STAGE_RETRY: when · otherwise: since when it waits */
        uint64_t identity;   /* of the block device, 0: unknown */
        uint32_t add;        /* the number of the hot-add it came with, 0: none */
        uint32_t block;
        uint32_t queued_usec, write_usec; /* of the last write by the policy, if timed: before it, and in the kernel */
        uint32_t waits_since; /* monotonic second + 1 in which it was first seen to wait offline; 0: it does not */
        uint16_t device;     /* registry_device_name() */
        int16_t node;        /* the lowest; -1: unknown */
        int16_t rule;        /* of the last decision, -1: none */
        int16_t error;       /* of the last write: 0 or negative errno */
        uint8_t state;       /* enum block_state */
        uint8_t zones;       /* zone_mask: where it is online */
        uint8_t source;      /* enum source */
        uint8_t arrival;     /* enum arrival */
        uint8_t stage;       /* enum stage */
        uint8_t action;      /* enum action: decided */
        uint8_t reason;      /* enum reason */
        uint8_t outcome;     /* enum outcome */
        uint8_t attempts;    /* writes since the last success or new start */
        bool decided : 1;    /* action, reason and rule are valid */
        bool known : 1;      /* the facts were read at least once */
        bool at_startup : 1; /* was there when the daemon first looked */
        bool hands_off : 1;  /* somebody else set it offline: it stays so */
        bool rolled_back : 1;
        bool rolling_back : 1; /* online, and to be taken offline, as its device could not be had as a whole */
        bool settled : 1;    /* its add knows what became of it */
        bool seen : 1;       /* by the scan under way */
        bool removable : 1;  /* as memoryN/removable said when it was met, or that of the block before it */
        bool removable_known : 1;
        bool several_nodes : 1; /* it has more nodes than the one above */
        bool came : 1;       /* while the daemon watched, and no add has it yet */
        bool told : 1;       /* of that, by the kernel: next_usec is when */
        bool timed : 1;
};

struct registry {
        struct entry *entries;
        size_t n, capacity;
        char (*devices)[DEVICE_NAME_MAX]; /* [0] is "" */
        size_t n_devices, capacity_devices;
};

void registry_done(struct registry *r);

struct entry *registry_find(const struct registry *r, uint32_t block) _pure_;
/* The entries from first to last, as many as there are; NULL if there are none. */
struct entry *registry_range(const struct registry *r, uint32_t first, uint32_t last, size_t *ret_n);
/* The entry of the block, new (STAGE_IDLE, offline, of unknown source) where there was none. NULL: no memory. */
struct entry *registry_insert(struct registry *r, uint32_t block);
/* Room for n entries in all. 0 or -ENOMEM, the registry is then unchanged. */
int registry_reserve(struct registry *r, size_t n);
void registry_remove(struct registry *r, uint32_t block);
/* Drop every entry that was not seen and forget what was. Calls gone() for each before. */
void registry_sweep(struct registry *r, void (*gone)(struct entry *e, void *userdata), void *userdata);

/* The number of a device name; 0 for "" and where memory or numbers are out (a name is not worth failing for). */
uint16_t registry_device(struct registry *r, const char *name);
const char *registry_device_name(const struct registry *r, uint16_t device) _pure_;

/* Was it hot-added? By what is known of its source, or because it came while the daemon was there. */
static inline bool entry_is_hot(const struct entry *e) {
        return e->arrival == ARRIVAL_HOT || (e->source != SOURCE_BOOT && e->source != SOURCE_UNKNOWN);
}

/* When to try again after so many attempts: first, doubled each time, at most max. */
uint64_t retry_delay_usec(const struct retry *retry, unsigned attempts) _pure_;
