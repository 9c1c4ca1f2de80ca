#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Does the source keep to its layers? Usage: layering.sh [SOURCE-FOLDER] (default: $srcdir, else the current folder).
#
#  1. libudev.h is included by src/host/uevent.c alone, cap-ng.h by src/host/privileged.c alone; libconfig.h by
#     include/host/conf-internal.h alone, and that by the two halves of the grammar, src/host/conf.c and
#     src/host/conf-rules.c.
#  2. core includes nothing of host, daemon or ctl; host nothing of daemon or ctl; ctl nothing of daemon. Headers count
#     with their layer (include/core with src/core …), since who includes one includes all that it includes.
#  3. Paths of the kernel's files stand in src/host/sysfs*.c alone. A path is a string literal that begins with "sys/",
#     "proc/", "/sys/" or "/proc/" and has no blank: such a text is for openat(). One with a blank is a sentence for
#     people ("/proc/iomem cannot be read"), and comments are no code: neither counts.
#
# Exit 0: all is well. 1: violations, each named. 2: there was nothing to check, which is a failure as well.
set -eu

root=${1:-${srcdir:-.}}
for layer in core host daemon ctl; do
        found=$(find "$root/src/$layer" "$root/include/$layer" -name '*.[ch]' 2>/dev/null | wc -l)
        if [ "$found" -eq 0 ]; then
                echo "layering: no source in $root/src/$layer: nothing to check" >&2
                exit 2
        fi
done

find "$root/src" "$root/include" -name '*.[ch]' | LC_ALL=C sort | LC_ALL=C awk -v root="$root" '
function violation(text) {
        printf "layering: %s:%d: %s\n", file, line, text
        violations++
}

# Of which layer is a file, or a header as it is named in an #include?
function layer_of(path) {
        while (sub(/^\.\.?\//, "", path))
                ;
        sub(/^(src|include)\//, "", path)
        return path ~ /^(core|host|daemon|ctl)\// ? substr(path, 1, index(path, "/") - 1) : ""
}

function check_include(header,    from, to) {
        includes++
        from = layer_of(file)
        to = layer_of(header)
        if ((from SUBSEP to) in forbidden)
                violation(from " includes " header)
        sub(/.*\//, "", header)
        if (header in owner) {
                if (index(" " owner[header] " ", " " file " "))
                        owned[header]++
                else
                        violation(header " is for " owner[header] " alone")
        }
}

function check_literal(text) {
        literals++
        if (text !~ /^\/?(sys|proc)\/[^ \t]*$/)
                return
        if (file ~ /^src\/host\/sysfs(-[a-z]+)?\.c$/)
                paths++
        else
                violation("the path \"" text "\" is for src/host/sysfs*.c alone")
}

# One line of code. Comments and literals may hold each other, hence byte by byte; state: within a block comment.
function check_line(text,    n, i, c, two, literal, rest) {
        if (!comment && match(text, /^[ \t]*#[ \t]*include[ \t]*["<]/)) {
                rest = substr(text, RLENGTH + 1)
                if (match(rest, /^[^">]+/))
                        check_include(substr(rest, 1, RLENGTH))
                return
        }
        n = length(text)
        for (i = 1; i <= n; i++) {
                c = substr(text, i, 1)
                two = substr(text, i, 2)
                if (comment) {
                        if (two == "*/") {
                                comment = 0
                                i++
                        }
                } else if (two == "/*") {
                        comment = 1
                        i++
                } else if (two == "//")
                        return
                else if (c == "\"" || c == "\047") {
                        literal = ""
                        for (i++; i <= n && substr(text, i, 1) != c; i++) {
                                if (substr(text, i, 1) == "\\")
                                        i++
                                literal = literal substr(text, i, 1)
                        }
                        if (c == "\"")
                                check_literal(literal)
                }
        }
}

BEGIN {
        owner["libudev.h"] = "src/host/uevent.c"
        owner["cap-ng.h"] = "src/host/privileged.c"
        owner["libconfig.h"] = "include/host/conf-internal.h"
        owner["conf-internal.h"] = "src/host/conf.c src/host/conf-rules.c"
        forbidden["core", "host"] = forbidden["core", "daemon"] = forbidden["core", "ctl"] = 1
        forbidden["host", "daemon"] = forbidden["host", "ctl"] = 1
        forbidden["ctl", "daemon"] = 1
}

{
        path = $0
        file = substr(path, length(root) + 2)
        files++
        line = comment = 0
        while ((getline text < path) > 0) {
                line++
                check_line(text)
        }
        close(path)
}

END {
        printf "layering: %d files, %d includes, %d string literals, %d of them paths in src/host/sysfs*.c\n",
               files, includes, literals, paths
        # A rule that no longer finds the thing it guards says nothing.
        for (header in owner)
                if (owned[header] < split(owner[header], files_of)) {
                        printf "layering: %s does not include %s: does the rule still mean something?\n", owner[header], header
                        stale = 1
                }
        if (paths == 0) {
                print "layering: no path in src/host/sysfs*.c: does the rule still mean something?"
                stale = 1
        }
        exit violations ? 1 : stale ? 2 : 0
}'
