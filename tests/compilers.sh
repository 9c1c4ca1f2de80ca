#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gcc and clang at every level, link-time optimisation, and musl: tests/compilers.sh [NAME...]. Builds everything with -Werror in
# build-compilers/NAME and runs the unit tests there. -l lists the names. Closes with "N passed, N failed, N skipped".
#
# musl is another C library, for which Debian has neither libsystemd nor the other libraries: all of the source is checked with its
# headers, and what decides (src/core) is linked with it and runs through the corpora of the fuzz targets.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD work=$PWD/build-compilers
passed=0 failed=0 skipped=0

# NAME|COMPILER|CFLAGS|LDFLAGS. With the whole program before it gcc sees ways through several functions that leave a ret_ parameter
# unset, but not that their callers return then: there it only warns.
table="
gcc-O0|gcc|-O0 -g|
gcc-O1|gcc|-O1|
gcc-O2|gcc|-O2|
gcc-O3|gcc|-O3|
gcc-O3-ndebug|gcc|-O3 -DNDEBUG|
gcc-lto|gcc|-O2 -flto=2 -Wno-error=maybe-uninitialized|-O2 -flto=2
clang-O0|clang|-O0 -g|
clang-O1|clang|-O1|
clang-O2|clang|-O2|
clang-O3|clang|-O3|
clang-lto|clang|-O2 -flto|-O2 -flto -fuse-ld=lld
"

count() { # passed|failed|skipped TEXT
        printf '%s\n' "$2"
        case $1 in
        passed) passed=$((passed + 1)) ;;
        failed) failed=$((failed + 1)) ;;
        skipped) skipped=$((skipped + 1)) ;;
        esac
}

build_and_test() { # NAME COMPILER CFLAGS LDFLAGS
        local build=$work/$1 ar=ar ranlib=ranlib
        rm -rf "$build" && mkdir -p "$build" && cd "$build" || return 1
        case $1 in
        gcc-lto) ar=gcc-ar ranlib=gcc-ranlib ;;
        clang-lto) ar=llvm-ar ranlib=llvm-ranlib ;;
        esac
        "$top/configure" --prefix=/usr --sysconfdir=/etc --enable-werror CC="$2" AR="$ar" RANLIB="$ranlib" CFLAGS="$3" LDFLAGS="$4" &&
                make -j2 all && { [[ $1 != *-lto ]] || is_whole; } && make -j2 unit-tests
}

# A program that was optimised at link time is of one piece: its symbols name no file of the source any more.
is_whole() {
        local program files
        for program in memhpd memhpctl; do
                files=$(readelf -sW "$program" | sed -n 's/.* FILE .* //p') && grep -qx 'crtstuff\.c' <<<"$files" &&
                        ! grep -vx 'crtstuff\.c' <<<"$files" | grep '\.c$' || { echo "error: $program is not optimised at link time"; return 1; }
        done
}

one() { # NAME COMPILER CFLAGS LDFLAGS
        local start=$SECONDS log=$work/$1.log n
        if ! command -v "$2" >/dev/null; then
                count skipped "skip   $1: there is no $2"
        elif (build_and_test "$@") >"$log" 2>&1 </dev/null; then
                n=$(sed -n 's/^# PASS: *//p' "$log" | tail -n 1)
                if [ "${n:-0}" -gt 0 ]; then
                        count passed "ok     $1: $n test programs, $((SECONDS - start)) s ($("$2" --version | head -n 1))"
                else
                        count failed "FAILED $1: no test ran"
                fi
        else
                count failed "FAILED $1: see $log"
                grep -E ' (error|warning): |^FAIL: |undefined reference' "$log" | head -n 20 | sed 's/^/       | /'
        fi
        rm -rf "${work:?}/$1"
}

# The fuzz targets need no library but libc, and go through their corpus: that is what can run here with another libc.
musl_programs="buddyinfo history holds iomem kernlog rivals selector snapshot state uevent zoneinfo"

# Headers of the other libraries and of the kernel say nothing of the C library: those of glibc stay out of sight.
other_headers() { # FOLDER
        local header
        mkdir -p "$1" || return 1
        for header in linux asm-generic libudev.h systemd libconfig.h jansson.h jansson_config.h cap-ng.h libsmartcols; do
                ln -sfn "/usr/include/$header" "$1/$header" || return 1
        done
        ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" "$1/asm"
        : >"$1/memhp-build.h"
}

musl() {
        local build=$work/musl name source
        local flags="-std=gnu11 -O2 -D_GNU_SOURCE -I$top/include -Wall -Wextra -Wshadow -Wundef -Wformat=2 -Werror -Wno-missing-field-initializers"
        rm -rf "$build" && mkdir -p "$build" && cd "$build" || return 1
        for source in "$top"/src/core/*.c; do
                musl-gcc $flags -c "$source" -o "core-$(basename "$source" .c).o" || return 1
        done
        ar rcs libcore.a core-*.o && other_headers include || return 1
        for source in "$top"/src/*/*.c; do
                [ "${source##*/}" != watch.c ] || continue # as musl_step says
                musl-gcc $flags -Iinclude -DPACKAGE_VERSION='"0"' -DPACKAGE_STRING='"memhpd"' -DSYSCONFDIR='"/etc"' -DVENDORCONFDIR='"/usr/lib"' -DPRESETSDIR='"/usr/share"' \
                        -fsyntax-only "$source" && echo "read $source" || return 1
        done
        for name in $musl_programs; do
                # Those that look at what host has are not for libc alone.
                ! grep -q '#include "host/' "$top/tests/fuzz/fuzz_$name.c" || continue
                musl-gcc $flags -I"$top/tests/fuzz" -static "$top/tests/fuzz/fuzz_$name.c" "$top/tests/fuzz/replay.c" libcore.a -o "fuzz_$name" &&
                        "./fuzz_$name" "$top/tests/fuzz/corpus/$name"/* && echo "ran fuzz_$name" || return 1
        done
        grep -q . <<<"$(ls fuzz_*)"
}

musl_step() {
        local log=$work/musl.log
        if ! command -v musl-gcc >/dev/null; then
                count skipped "skip   musl: there is no musl-gcc"
        elif (musl) >"$log" 2>&1 </dev/null && [ "$(grep -c '^ran ' "$log")" -gt 0 ]; then
                count passed "ok     musl: $(grep -c '^read ' "$log") files of the source compile, and $(grep -c '^ran ' "$log") programs run through their corpus"
        else
                count failed "FAILED musl: see $log"
                grep -E ' (error|warning): |undefined reference' "$log" | head -n 20 | sed 's/^/       | /'
        fi
        count skipped "skip   musl: src/ctl/watch.c: --watch has verbs print to memory by assigning stdout, which only glibc allows"
        rm -rf "$work/musl"
}

if [ "${1-}" = -l ]; then
        printf '%s' "$table" | cut -d'|' -f1 | grep .
        echo musl
        exit 0
fi
[ -e configure ] || autoreconf -fi || exit 1
mkdir -p "$work" || exit 1
wanted=" $* "
while IFS='|' read -r name compiler cflags ldflags; do
        [ -n "$name" ] || continue
        [ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || continue
        one "$name" "$compiler" "$cflags" "$ldflags"
done <<<"$table"
[ "$wanted" != "  " ] && [[ $wanted != *" musl "* ]] || musl_step
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
