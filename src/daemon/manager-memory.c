/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager-internal.h"
#include "host/memory.h"
#include "host/surroundings.h"

/* A hot-add of so many blocks takes no memory from the kernel: 512 GiB in blocks of 128 MiB. What is larger brings, with its
 * first blocks, what the rest of it takes. */
#define SPARE_BLOCKS 4096
/* Texts of the kernel and of our own files, while they are read or written, and what libudev allocates for an event. What was
 * ever allocated for a larger machine's texts is there as well: the heap gives nothing back. */
#define SPARE_BYTES (2u * 1024 * 1024)

/* What is read for a balance, once for its memory, which is then there for the next time. */
static void rehearse(struct manager *m) {
        unsigned line;

        (void) surroundings_read_totals(m->fs, m->page_size, &m->around.totals, &line);
        m->around_stale = true;
}

/* Failing here is no error: whoever needs memory that is not there meets that at its own place. */
void manager_reserve(struct manager *m) {
        (void) registry_reserve(&m->registry, m->registry.n + SPARE_BLOCKS);
        (void) queue_reserve(&m->todo, SPARE_BLOCKS);
        (void) apply_reserve(m->apply, MANAGER_PENDING_MAX);
        if (!m->started)
                rehearse(m);
        memory_reserve(SPARE_BYTES);
}
