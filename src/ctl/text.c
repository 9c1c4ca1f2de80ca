/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* Nearly all of it is: tables of half a million lines are told by the byte. */
static size_t plain_length(const char *s) {
        size_t n = 0;

        while (s[n] >= ' ' && s[n] <= '~')
                n++;
        return n;
}

void print_safe(FILE *f, const char *s) {
        mbstate_t state = {};
        size_t plain = plain_length(s);
        wchar_t c;

        fwrite(s, 1, plain, f);
        s += plain;
        while (*s) {
                size_t n = mbrtowc(&c, s, MB_CUR_MAX, &state);

                if (n != 0 && n < (size_t) -2 && iswprint((wint_t) c)) {
                        fwrite(s, 1, n, f);
                        s += n;
                        continue;
                }
                fprintf(f, "\\x%02x", (unsigned char) *s++);
                state = (mbstate_t) {};
        }
}

size_t text_width(const char *s) {
        mbstate_t state = {};
        size_t width = plain_length(s);
        wchar_t c;

        s += width;
        while (*s) {
                size_t n = mbrtowc(&c, s, MB_CUR_MAX, &state);

                if (n != 0 && n < (size_t) -2 && iswprint((wint_t) c)) {
                        int columns = wcwidth(c);

                        width += columns > 0 ? (size_t) columns : 0;
                        s += n;
                        continue;
                }
                width += strlen("\\x00");
                s++;
                state = (mbstate_t) {};
        }
        return width;
}

void complain(const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                text = NULL; /* undefined, says the manual */
        fputs("memhpctl: ", stderr);
        print_safe(stderr, text ?: "out of memory");
        fputc('\n', stderr);
}

void out_of_memory(void) {
        fputs("memhpctl: out of memory\n", stderr);
        exit(EXIT_FAILURE);
}

char *format_text_va(const char *format, va_list ap) {
        char *text;

        if (vasprintf(&text, format, ap) < 0)
                out_of_memory();
        return text;
}

char *format_text(const char *format, ...) {
        va_list ap;
        char *text;

        va_start(ap, format);
        text = format_text_va(format, ap);
        va_end(ap);
        return text;
}

const char *format_bytes(uint64_t size, bool bytes, char buf[static SIZE_TEXT_MAX]) {
        static const char suffixes[] = "BKMGTPE";
        unsigned unit = 0;
        uint64_t tenths;

        if (bytes) {
                snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64, size);
                return buf;
        }
        while (unit < 6 && size >> (10 * unit) >= 1024)
                unit++;
        tenths = size >> (10 * unit);
        if (unit > 0) {
                uint64_t rest = size & ((UINT64_C(1) << (10 * unit)) - 1);

                /* Rounded half up; the division comes first, since rest × 10 may not fit. */
                tenths = tenths * 10 + ((rest >> (10 * (unit - 1))) * 10 + 512) / 1024;
                if (tenths >= 10240 && unit < 6) {
                        tenths = 10;
                        unit++;
                }
                if (tenths % 10) {
                        snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64 ".%u%c", tenths / 10, (unsigned) (tenths % 10),
                                 suffixes[unit]);
                        return buf;
                }
                tenths /= 10;
        }
        snprintf(buf, SIZE_TEXT_MAX, "%" PRIu64 "%c", tenths, suffixes[unit]);
        return buf;
}

char *format_nodes(const struct node_set *nodes) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        const char *comma = "";

        if (!f)
                out_of_memory();
        for (int first = node_set_next(nodes, 0), last; first >= 0; first = node_set_next(nodes, (unsigned) last + 1)) {
                for (last = first; node_set_has(nodes, (unsigned) last + 1);)
                        last++;
                fprintf(f, last > first ? "%s%d-%d" : "%s%d", comma, first, last);
                comma = ",";
        }
        if (fclose(f) != 0)
                out_of_memory();
        return text;
}

size_t block_list_zones(const struct block *b, enum zone ret[static _ZONE_MAX]) {
        size_t n = 0;

        if (b->first_zone >= 0 && (b->zones & ZONE_BIT(b->first_zone)))
                ret[n++] = b->first_zone;
        for (enum zone z = 0; z < _ZONE_MAX; z++)
                if (z != b->first_zone && (b->zones & ZONE_BIT(z)))
                        ret[n++] = z;
        return n;
}

char *format_zones(const struct block *b) {
        enum zone zones[_ZONE_MAX];
        size_t n = block_list_zones(b, zones), length = 0;
        char buf[64];

        if (n == 0)
                return format_text("%s", b->zones_known ? "none" : "unknown");
        for (size_t i = 0; i < n && length < sizeof(buf); i++)
                length += (size_t) snprintf(buf + length, sizeof(buf) - length, "%s%s", i ? "/" : "",
                                            zone_to_string(zones[i]));
        return format_text("%s", buf);
}
