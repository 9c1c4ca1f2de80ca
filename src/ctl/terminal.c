/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/terminal.h"

#include <langinfo.h>
#include <string.h>

#include "core/parse.h"
#include "ctl/output.h"

static unsigned number_from_environment(const char *name) {
        const char *s = getenv(name);
        uint32_t n;

        return s && parse_u32(s, &n) >= 0 ? n : 0;
}

static unsigned count_colours(const char *term) {
        const char *depth = getenv("COLORTERM") ?: "";

        if (!*colour_end())
                return 0;
        return strstr(term, "256color") || strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0 ? 256 : 8;
}

void terminal_look(struct terminal *ret) {
        const char *term = getenv("TERM") ?: "";

        *ret = (struct terminal) {
                .columns = number_from_environment("COLUMNS") ?: (unsigned) output_width() ?: 80,
                .lines = number_from_environment("LINES") ?: (unsigned) output_height() ?: 24,
                .colours = count_colours(term),
                .unicode = strcmp(term, "dumb") != 0 && strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        };
}
