/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "host/uevent.h"

/* What libudev hands over: an action, and the name of a device. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *action = fuzz_string(data, size), *name = NULL;
        struct uevent e = { _UEVENT_TYPE_INVALID, 0 };
        char text[32];

        name = strchr(action, '@');
        if (!name)
                return 0;
        *name = '\0';
        name = strdup(name + 1);
        if (!name)
                abort();
        if (!uevent_translate(action, name, &e))
                return 0;
        CLAIM(e.type == UEVENT_ADD || e.type == UEVENT_REMOVE || e.type == UEVENT_CHANGED);
        snprintf(text, sizeof(text), "memory%u", e.block);
        CLAIM(strcmp(text, name) == 0 || name[strlen("memory")] == '0');
        return 0;
}
