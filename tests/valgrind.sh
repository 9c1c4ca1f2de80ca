#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The unit tests under valgrind: tests/valgrind.sh BUILDDIR [TEST...]. memcheck for all, without Check's forks, so that what a test
# leaks is seen; helgrind for what has threads. Needs a build without sanitizers, and its tests.
set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
build=$(cd "${1:?BUILDDIR}" && pwd) || exit 1
shift
# Not here: check_faults ends processes in the midst of everything, and is a thousand daemons long; check_memory counts page faults,
# of which valgrind has its own.
[ $# -gt 0 ] || set -- $(cd "$here" && ls tests/check_*.c | sed 's|^tests/||; s|\.c$||' | grep -vE '^check_(faults|memory)$')
threads=" check_apply check_journal check_survey "
logs=$build/valgrind
rm -rf "$logs"
mkdir -p "$logs" || exit 1
export srcdir=$here builddir=. logs threads

# look TEST: in a process of its own
look() {
        local tool options status start=$SECONDS
        for tool in memcheck helgrind; do
                options="--leak-check=full --errors-for-leak-kinds=definite"
                [ "$tool" = memcheck ] || options=
                [ "$tool" = memcheck ] || [[ $threads = *" $1 "* ]] || continue
                CK_FORK=no valgrind -q --tool="$tool" --error-exitcode=9 $options "tests/$1" >"$logs/$1.$tool" 2>&1 </dev/null
                status=$?
                case $status in
                0) echo "ok $1 $tool - $((SECONDS - start)) s" ;;
                77) echo "skip $1 $tool - $(grep '^skip: ' "$logs/$1.$tool")" ;;
                *)
                        echo "not ok $1 $tool: exit $status"
                        tail -n 60 "$logs/$1.$tool" | sed 's/^/       | /'
                        ;;
                esac
        done
}
export -f look

command -v valgrind >/dev/null || { echo "skip all - valgrind is not there (package valgrind)"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
(cd "$build" && printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' bash -c 'look "$1"' look '{}') | tee "$logs/all"
passed=$(grep -c '^ok ' "$logs/all") failed=$(grep -c '^not ok ' "$logs/all") skipped=$(grep -c '^skip ' "$logs/all")
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
