/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "core/parse.h"
#include "daemon/bus-internal.h"

/* What sd-bus takes for one; those that are none by definition are not among them. */
static bool is_character(uint32_t c, uint32_t least) {
        return c >= least && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && (c < 0xfdd0 || c > 0xfdef) && (c & 0xfffe) != 0xfffe;
}

/* How long the character is that the text begins with: RFC 3629, without control characters. 0: it is none. */
static size_t character_size(const unsigned char *p) {
        static const struct {
                unsigned char mask, lead;
                uint32_t least;
        } forms[] = { { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

        if (*p < 0x80)
                return *p >= ' ' && *p != 0x7f;
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                uint32_t c = *p & (unsigned char) ~forms[i].mask;

                if ((*p & forms[i].mask) != forms[i].lead)
                        continue;
                for (size_t k = 1; k <= i + 1; k++) {
                        if ((p[k] & 0xc0) != 0x80) /* the end of the text, too */
                                return 0;
                        c = c << 6 | (p[k] & 0x3f);
                }
                return is_character(c, forms[i].least) ? i + 2 : 0;
        }
        return 0;
}

/* Names of devices and files come from the kernel and from people: bytes that are no text are not passed on. */
const char *bus_text(const char *s) {
        size_t n;

        for (const unsigned char *p = (const unsigned char *) s; *p; p += n) {
                n = character_size(p);
                if (n == 0)
                        return "";
        }
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

/* Every block may be compared with every range in it. */
#define SELECTOR_TEXT_MAX 1023

int bus_refuse_long_selector(sd_bus_error *error, unsigned max) {
        return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "the selector is longer than %u characters", max);
}

int bus_read_selector(sd_bus_message *m, struct selector *ret, const char **ret_text, sd_bus_error *error) {
        char why[SELECTOR_ERROR_MAX];
        const char *text;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        if (strlen(text) > SELECTOR_TEXT_MAX)
                return bus_refuse_long_selector(error, SELECTOR_TEXT_MAX);
        if (!*bus_text(text))
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "a selector is plain text, such as \"32-63\" or \"all\"");
        r = selector_parse(text, ret, why);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_SELECTOR, "%s: not a selector: %s", text, why);
        if (r >= 0)
                *ret_text = text;
        return r;
}
