/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/parse.h"
#include "daemon/bus-internal.h"

/* Names of devices and rules come from the kernel and from files: bytes that are no text are not passed on. */
const char *bus_text(const char *s) {
        for (const unsigned char *p = (const unsigned char *) s; *p; p++)
                if (*p < ' ' || *p >= 0x7f)
                        return "";
        return s;
}

bool bus_path_number(const char *path, const char *kind, uint32_t *ret) {
        size_t n = strlen(kind);
        uint32_t number;
        const char *p;

        if (strncmp(path, BUS_PATH "/", strlen(BUS_PATH "/")) != 0)
                return false;
        p = path + strlen(BUS_PATH "/");
        if (strncmp(p, kind, n) != 0 || p[n] != '/' || (p[n + 1] == '0' && p[n + 2]) || parse_u32(p + n + 1, &number) < 0)
                return false;
        *ret = number;
        return true;
}

const char *bus_number_path(const char *kind, uint32_t number, char buf[static BUS_PATH_MAX]) {
        snprintf(buf, BUS_PATH_MAX, BUS_PATH "/%s/%u", kind, number);
        return buf;
}

int bus_read_selector(sd_bus_message *m, struct selector *ret, const char **ret_text, sd_bus_error *error) {
        char why[SELECTOR_ERROR_MAX];
        const char *text;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        if (strlen(text) >= JOB_SELECTOR_MAX)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "the selector is longer than %d characters",
                                         JOB_SELECTOR_MAX - 1);
        if (!*bus_text(text))
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "a selector is plain text, such as \"32-63\" or \"all\"");
        r = selector_parse(text, ret, why);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "%s: not a selector: %s", text, why);
        if (r >= 0)
                *ret_text = text;
        return r;
}
