#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Static analysis: tests/static.sh BUILDDIR [TOOL...]. Whatever is found is a failure; what a tool is told to leave out has its
# reason here, in .clang-tidy, or where it stands. TOOL: gcc, cppcheck, or clang-tidy, which takes
# minutes; without one, the first two.
set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
build=$(cd "${1:?BUILDDIR}" && pwd) || exit 1
shift
[ $# -gt 0 ] || set -- gcc cppcheck
work=$build/static
jobs=$(nproc)
passed=0 failed=0 skipped=0

# What the build gives its compiler, as make knows it.
given=$(make -s -C "$build" static-flags --eval='static-flags: ; @: $(info FLAGS $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS))' |
        sed -n 's/^FLAGS //p') || exit 1
eval "flags=($given)" || exit 1
[ "${#flags[@]}" -gt 9 ] || { echo "$build: its make does not tell what the compiler is given" >&2; exit 1; }
mapfile -t sources < <(cd "$here" && ls src/*/*.c)
rm -rf "$work"
mkdir -p "$work" || exit 1

# compile_commands.json
database() {
        local flag file list=
        for flag in "${flags[@]}"; do
                flag=${flag//\\/\\\\}
                list+=", \"${flag//\"/\\\"}\""
        done
        echo "["
        for file in "$@"; do
                printf '%s{ "directory": "%s", "file": "%s", "arguments": [ "cc"%s, "-c", "%s" ] }' "${comma-}" "$build" \
                        "$here/$file" "$list" "$here/$file"
                local comma=$',\n'
        done
        echo "]"
}
database "${sources[@]}" >"$work/compile_commands.json"

# each NAME COMMAND... -- FILE...: the command once for each file, as many at a time as there are processors; its output in a file
# of its own
each() {
        local name=$1
        local -a command=()
        shift
        while [ "$1" != -- ]; do
                command+=("$1")
                shift
        done
        shift
        mkdir -p "$work/$name"
        (cd "$build" && printf '%s\0' "$@" | xargs -0 -P "$jobs" -I '{}' bash -c '
                log=$1/$(echo "$2" | tr / -).log file=$3/$2
                shift 3
                "$@" "$file" >"$log" 2>&1 || echo "exit $?" >>"$log"' each "$work/$name" '{}' "$here" "${command[@]}")
}

# Failures are what was said; a clean run says nothing.
judge() { # NAME FILES START
        local said
        said=$(cat "$work/$1"/*.log | grep -vE "$quiet")
        if [ -z "$said" ]; then
                printf 'ok %s - %d files, %d s\n' "$1" "$2" $((SECONDS - $3))
                passed=$((passed + 1))
        else
                printf 'not ok %s\n' "$1"
                echo "$said" | head -n 200 | sed 's/^/       | /'
                failed=$((failed + 1))
        fi
}

missing() {
        command -v "$1" >/dev/null && return 1
        echo "skip $1 - $1 is not there (package ${2:-$1})"
        skipped=$((skipped + 1))
}

# gcc 12 loses track of variables with the attribute "cleanup": what they hold looks leaked, or never set; LeakSanitizer knows better.
# And it does not see that a pointer is set where the function that sets it was successful, nor that a method has a row in the table
# if it had one before, and each condition a word.
analyze_gcc() {
        local start=$SECONDS
        missing gcc && return
        quiet="^$|: In function |: At top level:|^In file included from |: note: |^cc1: |^exit |"
        quiet+="src/(host/sysfs|daemon/bus-(jobs|dispatch)).c:[0-9:]* error: dereference of NULL .(fs|j|method).|"
        quiet+="src/core/match.c:[0-9:]* error: use of NULL where"
        each gcc gcc "${flags[@]}" -O1 -fanalyzer -fanalyzer-verbosity=0 -fdiagnostics-plain-output -Wno-analyzer-malloc-leak \
                -Wno-analyzer-use-of-uninitialized-value -Werror -S -o /dev/null -- "${sources[@]}"
        judge gcc "${#sources[@]}" "$start"
}

analyze_clang_tidy() {
        local start=$SECONDS
        missing clang-tidy && return
        quiet='^[0-9]+ warnings? (generated|and)|^Suppressed |^Use -header-filter'
        each clang-tidy clang-tidy --quiet -p "$work" --config-file="$here/.clang-tidy" --extra-arg-before=-Wno-unknown-warning-option \
                -- "${sources[@]}"
        judge clang-tidy "${#sources[@]}" "$start"
}

# What it cannot know: macros of other people's headers, which would take minutes to read, and what follows from "cleanup": that
# what looks like a leak is none; nor _Noreturn: behind a check for NULL that ends in out_of_memory() it sees NULL. That readdir() is
# unsafe is no longer so, and its replacement is deprecated. Formats are gcc's, who knows that a small unsigned number becomes an
# int. It stumbles over an expression with MAX() in an initialiser (manager-look.c).
analyze_cppcheck() {
        local start=$SECONDS
        missing cppcheck && return
        quiet='^$'
        mkdir -p "$work/cppcheck"
        cat >"$work/cppcheck.h" <<'END'
#define json_array_foreach(a, i, v) for (i = 0; (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) for (k = json_next(o); (v = json_at(o, k)); k = json_next(o))
#define SD_BUS_METHOD_WITH_NAMES(...) {0}
#define SD_BUS_SIGNAL_WITH_NAMES(...) {0}
END
        (cd "$here" && cppcheck --quiet -j "$jobs" --std=c11 --enable=warning,portability,performance --inline-suppr --library=posix \
                --suppress={resourceLeak,memleak,readdirCalled,nullPointerRedundantCheck,invalidPrintfArgType_uint} \
                --suppress=internalAstError:src/daemon/manager-look.c \
                --template='{file}:{line}: {severity}: {message} [{id}]' \
                -D_GNU_SOURCE -DHAVE_CONFIG_H -DSYSCONFDIR='"/etc"' -DVENDORCONFDIR='"/usr/lib"' -DPRESETSDIR='"/usr/share"' \
                --include="$work/cppcheck.h" \
                -Iinclude -I"$build" "${sources[@]}") >"$work/cppcheck/all.log" 2>&1 || echo "exit $?" >>"$work/cppcheck/all.log"
        judge cppcheck "${#sources[@]}" "$start"
}

for tool in "$@"; do
        case $tool in
        gcc) analyze_gcc ;;
        clang-tidy) analyze_clang_tidy ;;
        cppcheck) analyze_cppcheck ;;
        *) echo "$tool: no such tool" >&2; exit 2 ;;
        esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
