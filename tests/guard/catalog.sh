#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Does the message catalog explain what the daemon says? Usage: catalog.sh [SOURCE-FOLDER] (default: $srcdir, else the
# current folder).
#
#  1. Every message id of include/core/names.h has exactly one entry in systemd/memhpd.catalog, and every entry an id there.
#  2. Ids are 32 lower-case hexadecimal digits, each given once, and each used by a source file.
#  3. An entry has a Subject, "Defined-By: memhpd", a Documentation, and text after an empty line; no line is wider than 80
#     columns.
#  4. Fields between @ signs are fields that the daemon has (the FIELD_… of names.h).
#
# Exit 0: all is well. 1: violations, each named. 2: there was nothing to check, which is a failure as well.
set -eu

root=${1:-${srcdir:-.}}
names=$root/include/core/names.h
catalog=$root/systemd/memhpd.catalog
for file in "$names" "$catalog"; do
        if [ ! -r "$file" ]; then
                echo "catalog: $file: cannot be read: nothing to check" >&2
                exit 2
        fi
done

# Which names stand in code other than their definition.
used=$(find "$root/src" -name '*.c' -exec cat {} + | grep -o 'MESSAGE_[A-Z_]*' | LC_ALL=C sort -u | tr '\n' ' ')

LC_ALL=C awk -v names="$names" -v catalog="$catalog" -v used=" $used" '
function violation(text) {
        print "catalog: " text
        violations++
}

# The entry is over: was it whole?
function end_entry() {
        if (id == "")
                return
        if (!subject)
                violation(id " has no Subject")
        if (!defined_by)
                violation(id " has no \"Defined-By: memhpd\"")
        if (!documentation)
                violation(id " has no Documentation")
        if (!lines_of_text)
                violation(id " has no text")
}

FILENAME == names && /^#define MESSAGE_/ {
        name = $2
        value = $3
        gsub(/"/, "", value)
        n_ids++
        if (value !~ /^[0-9a-f]*$/ || length(value) != 32)
                violation(name ": \"" value "\" is not an id")
        if (value in name_of)
                violation(name " has the id of " name_of[value])
        name_of[value] = name
        if (index(used, " " name " ") == 0)
                violation(name " is said by nobody")
}

FILENAME == names && /^#define FIELD_/ {
        value = $3
        gsub(/"/, "", value)
        is_field[value] = 1
}

FILENAME != catalog {
        next
}

length($0) > 80 {
        violation("line " FNR " is wider than 80 columns")
}

/^-- / {
        end_entry()
        id = $2
        n_entries++
        entries_of[id]++
        subject = defined_by = documentation = lines_of_text = body = 0
        if (!(id in name_of))
                violation("line " FNR ": " id " is not in names.h")
        next
}

id == "" {
        if ($0 != "" && $0 !~ /^#/)
                violation("line " FNR " belongs to no entry")
        next
}

/^$/ {
        body = 1
        next
}

!body {
        subject += /^Subject: ./
        defined_by += /^Defined-By: memhpd$/
        documentation += /^Documentation: man:/
        next
}

{
        lines_of_text++
        rest = $0
        while (match(rest, /@[^@ ]+@/)) {
                field = substr(rest, RSTART + 1, RLENGTH - 2)
                if (!(field in is_field))
                        violation("line " FNR ": @" field "@ is not a field")
                rest = substr(rest, RSTART + RLENGTH)
        }
}

END {
        end_entry()
        for (value in name_of)
                if (entries_of[value] != 1)
                        violation(name_of[value] " (" value ") has " entries_of[value] + 0 " entries instead of one")
        printf "catalog: %d ids, %d entries\n", n_ids, n_entries
        exit violations ? 1 : n_ids && n_entries ? 0 : 2
}' "$names" "$catalog"
