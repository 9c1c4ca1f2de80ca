#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Are the bounds in docs/bounds.md those of the code? Usage: bounds.sh [SOURCE-FOLDER] (default: $srcdir, else the current folder).
#
#  1. Every row with the name of a constant has its value, and the file that defines it so.
#  2. Every file, and every test that a row names as check_…, is there.
#
# Exit 0: all is well. 1: violations, each named. 2: there was nothing to check, which is a failure as well.
set -u

root=${1:-${srcdir:-.}}
table=$root/docs/bounds.md
if [ ! -r "$table" ]; then
        echo "bounds: $table: cannot be read: nothing to check" >&2
        exit 2
fi

# NAME|VALUE|FILE of each row that has a constant.
rows=$(sed -n 's/^|\(.*| *\)\{0,1\} *`\([A-Z][A-Z_]*\)` *| *\([^|]*[^| ]\) *| *`\([^`]*\)` *|.*$/\2|\3|\4/p' "$table")
n=0 violations=0
while IFS='|' read -r name value file; do
        [ -n "$name" ] || continue
        n=$((n + 1))
        found=$(sed -n "s/^#define $name  *\([^/]*[^/ ]\) *\(\/\*.*\)\{0,1\}\$/\1/p" "$root/$file" 2>/dev/null | sed 's/^(\(.*\))$/\1/')
        if [ "$found" != "$value" ]; then
                echo "bounds: $name is $value in the table, and ${found:-not defined} in $file"
                violations=$((violations + 1))
        fi
done <<EOF
$rows
EOF

for file in $(grep '^|' "$table" | grep -o '`\(src\|include\)/[^`]*`' | tr -d '\140' | sort -u) \
        $(grep '^|' "$table" | grep -o '`check_[a-z_]*`' | tr -d '\140' | sort -u | sed 's|.*|tests/&.c|'); do
        if [ ! -e "$root/$file" ]; then
                echo "bounds: $file is not there"
                violations=$((violations + 1))
        fi
done

echo "bounds: $n constants"
[ "$violations" -eq 0 ] || exit 1
[ "$n" -gt 0 ] || exit 2
