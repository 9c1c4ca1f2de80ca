#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Does each preset load without a warning, and does it do what memhpd.conf(5) shows? Every "memhpctl simulate --config
# …/presets/NAME.conf SPEC..." of the manual is run on a captured machine with 24 GiB, and must print what stands there.
set -eu

src=${srcdir:-.}
ctl=${builddir:-.}/memhpctl
page=$src/man/memhpd.conf.5
work=$(mktemp -d "${TMPDIR:-/tmp}/check-presets.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
chmod 755 "$work"
xz -dc "$src/tests/data/host-6.18.tar.xz" | tar -x -C "$work" -f -

status=0
loaded=0
for preset in "$src"/conf/presets/*.conf; do
        name=$(basename "$preset" .conf)
        cp "$preset" "$work/$name.conf" # a checkout may belong to anybody
        chmod 644 "$work/$name.conf"
        answer=$("$ctl" check "$work/$name.conf" 2>&1) || status=1
        case $answer in
        *": valid, "*" rule"*", 0 warnings") loaded=$((loaded + 1)) ;;
        *)
                echo "$name: $answer"
                status=1
                ;;
        esac
        if ! grep -q "presets/$name.conf" "$page"; then
                echo "$name: no example in $page"
                status=1
        fi
done

# In the manual the command stands on two lines, and what it prints below, until the display ends.
awk -v work="$work" '
        /^\$ memhpctl simulate .*presets\/.*\\e$/ {
                name = $0
                sub(/.*presets\//, "", name)
                sub(/\.conf.*/, "", name)
                getline specs
                sub(/^ *-o /, "-o ", specs)
                print name, specs > (work "/examples")
                file = work "/" name ".wanted"
                next
        }
        /^\.Ed/ { file = "" }
        file { print > file }' "$page"

examples=0
while read -r name specs; do
        # shellcheck disable=SC2086
        "$ctl" simulate --sysroot "$work" --config "$work/$name.conf" $specs >"$work/$name.all" || status=1
        sed '/^$/,$d' "$work/$name.all" >"$work/$name.seen"
        if ! diff -u "$work/$name.wanted" "$work/$name.seen"; then
                echo "$name: the manual shows something else"
                status=1
        fi
        examples=$((examples + 1))
done <"$work/examples"

echo "presets: $loaded load, $examples examples"
[ "$examples" -eq "$loaded" ] && [ "$loaded" -ge 6 ] || status=1
exit $status
