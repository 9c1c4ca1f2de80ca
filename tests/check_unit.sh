#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The unit as it is installed: does systemd understand every line, and does the sandbox hold what it promises?
#
#  1. systemd-analyze verify has nothing to say about it.
#  2. systemd-analyze security scores it at most 0.8, where 0 is the safest and 10 no sandbox at all.
#  3. It may have no capability whatever, and only the opener of descriptors runs outside of the sandbox.
#  4. There is room for as many descriptors as have a name in include/host/privileged.h.
#  5. No unit listens to a special file: one that is always readable, as /proc/iomem and /dev/kmsg are, keeps systemd 252 from
#     anything else once the service that it is for has stopped.
#
# Exit 0: all is well. 1: violations, each named. 77: systemd-analyze cannot do this here.
set -u

srcdir=${srcdir:-.}
builddir=${builddir:-.}
limit=8 # tenths
service=$builddir/systemd/memhpd.service
status=0

complain() {
        echo "check_unit: $*"
        status=1
}

if ! command -v systemd-analyze >/dev/null || ! systemd-analyze security --help 2>/dev/null | grep -q -e --offline; then
        echo "check_unit: no systemd-analyze that judges files (systemd 250 or newer)"
        exit 77
fi
[ -r "$service" ] || { complain "$service: not there"; exit 1; }

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
# verify looks for the programs: here, one that is there stands for those that are not installed yet.
sed 's,^\(Exec[A-Za-z]*=[-+]*\)[^ ]*memhpd,\1/bin/true,' "$service" >"$work/memhpd.service"

said=$(SYSTEMD_UNIT_PATH=$work: systemd-analyze verify --man=no "$work/memhpd.service" 2>&1 |
        grep -e memhpd)
[ -z "$said" ] || complain "systemd-analyze verify says:
$said"

if ! systemd-analyze security --offline=yes --no-pager --threshold=$limit "$work/memhpd.service" >"$work/score" 2>&1; then
        grep -v '✓' "$work/score"
        complain "the service is more exposed than 0.$limit"
fi
tail -n 1 "$work/score"
grep -q '^→ Overall exposure level' "$work/score" || complain "systemd-analyze security gave no score"

[ "$(grep '^CapabilityBoundingSet=' "$service")" = CapabilityBoundingSet= ] || complain "the service may have capabilities"
grep -q '^AmbientCapabilities=.' "$service" && complain "the service is given capabilities"

outside=$(grep -c '^Exec.*=[-@:]*[+!]' "$service")
[ "$outside" -eq 1 ] && grep -q '^ExecStartPre=-+[^ ]*/memhpd --hand-over$' "$service" ||
        complain "not the opener alone runs outside of the sandbox"

names=$(grep -c '^#define PRIVILEGED_' "$srcdir/include/host/privileged.h")
grep -qx "FileDescriptorStoreMax=$names" "$service" || complain "the service is to keep $names descriptors"
grep -l '^ListenSpecial=' "$srcdir"/systemd/* && complain "a unit listens to a special file"
exit $status
