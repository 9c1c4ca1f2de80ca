#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The unit files as they are installed: does systemd understand every line, does the sandbox hold what it promises, and do
# the sockets hand over what the daemon looks for?
#
#  1. systemd-analyze verify has nothing to say about service and sockets.
#  2. systemd-analyze security scores the service at most 0.8, where 0 is the safest and 10 no sandbox at all.
#  3. The service may have no capability whatever.
#  4. Each name of a descriptor in include/host/privileged.h belongs to a socket that the service asks for, and there are no
#     others.
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
sed 's,^\(ExecStart\|ExecStopPost\)=[^ ]*,\1=/bin/true,' "$service" >"$work/memhpd.service"
cp "$srcdir"/systemd/memhpd-*.socket "$work" || exit 1

said=$(SYSTEMD_UNIT_PATH=$work: systemd-analyze verify --man=no "$work/memhpd.service" "$work"/*.socket 2>&1 |
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

names=$(sed -n 's/^#define PRIVILEGED_[A-Z]* "\(.*\)".*/\1/p' "$srcdir/include/host/privileged.h" | sort | tr '\n' ' ')
[ -n "$names" ] || complain "no names in include/host/privileged.h"
given=
for socket in $(sed -n 's/^Sockets=//p' "$service"); do
        [ -r "$work/$socket" ] || { complain "$socket: not there"; continue; }
        given="$given$(sed -n 's/^FileDescriptorName=//p' "$work/$socket")
"
        grep -qx 'Service=memhpd.service' "$work/$socket" || complain "$socket is for another service"
        # What is always readable would start the service again when it was stopped, or has failed for good.
        grep -qx 'BindsTo=memhpd.service' "$work/$socket" || complain "$socket outlives the service"
done
given=$(printf %s "$given" | sort | tr '\n' ' ')
[ "$given" = "$names" ] || complain "the sockets give ($given), the daemon looks for ($names)"
[ "$(cd "$work" && echo *.socket)" = "$(sed -n 's/^Sockets=//p' "$service")" ] || complain "not all sockets are asked for"
exit $status
