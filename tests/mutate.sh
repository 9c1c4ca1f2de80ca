#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Do the tests notice when an important line is wrong? tests/mutate.sh [-l] [NAME...]: takes the mutants of tests/mutants (or those
# named) one by one, in a copy of the source: changes the line, builds, runs the tests that guard it, and changes it back.
# A test must fail ("killed"). One that passes lets the mutant survive, and one that does not build shows nothing: both fail.
# -l lists them. Closes with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD work=$PWD/build-mutants

# Each mutant of the table: file, old and new text, tests. Blanks around the text do not count.
names=()
declare -A file old new tests why took # seconds
failed_test=
read_mutants() {
        local line key value name=
        while IFS= read -r line || [ -n "$line" ]; do
                case $line in
                "" | "#"*) continue ;;
                esac
                key=${line%%:*} value=${line#*:}
                value=${value#"${value%%[![:blank:]]*}"}
                case $key in
                mutant) name=$value; names+=("$name") ;;
                file) file[$name]=$value ;;
                old) old[$name]=$value ;;
                new) new[$name]=$value ;;
                tests) tests[$name]=$value ;;
                why) why[$name]=$value ;;
                *) echo "tests/mutants: what is \"$key\"?" >&2; return 1 ;;
                esac
        done <"$top/tests/mutants"
}

# replace FILE OLD NEW: the text must be there once, and once only
replace() {
        local text rest
        text=$(cat "$1" && echo .) || return 1
        text=${text%.}
        rest=${text#*"$2"}
        if [ "$rest" = "$text" ]; then
                echo "not found: $2"
                return 1
        fi
        case $rest in
        *"$2"*) echo "found more than once: $2"; return 1 ;;
        esac
        printf '%s' "${text%%"$2"*}$3$rest" >"$1"
}

prepare() {
        local cc=gcc
        ! command -v ccache >/dev/null || cc="ccache gcc"
        mkdir -p "$work/tree" "$work/build" || return 1
        tar -C "$top" --exclude='./build*' --exclude=./.vm --exclude=./.git -cf - . | tar -C "$work/tree" -xf - || return 1
        cp -a "$top/build-aux" "$work/tree/" && cd "$work/build" || return 1
        [ -e config.status ] || ../tree/configure --prefix=/usr --sysconfdir=/etc CC="$cc" CFLAGS="-O1" || return 1
        make -j2 libmemhp.a
}

# programs TEST...: what has to be built for them
programs() {
        printf '%s\n' "$@" | sed 's/^ctl:.*/memhpctl/' | sort -u
}

# run LIMIT TEST...: a program of tests/, or ctl:CASE,CASE... of tests/ctl; names the first that fails, or does not end within
# so many times what it took without a mutant
run() {
        local limit=$1 test start
        shift
        for test; do
                start=$SECONDS
                case $test in
                ctl:*) set -- timeout $((limit * (${took[$test]-60} + 5))) python3 -B ../tree/tests/ctl/run ./memhpctl $(echo "${test#ctl:}" | tr , ' ') ;;
                *) set -- timeout $((limit * (${took[$test]-60} + 5))) "./$test" ;;
                esac
                srcdir=../tree builddir=. "$@" >>"$work/run.log" 2>&1 </dev/null || { failed_test=$test; return 1; }
                took[$test]=${took[$test]-$((SECONDS - start))}
        done
}

mutant() {
        local name=$1 source="$work/tree/${file[$1]}" log="$work/$1.log" status=1
        cp -p "$source" "$work/original" || return 1
        : >"$work/run.log"
        if ! replace "$source" "${old[$name]}" "${new[$name]}" >"$log" 2>&1; then
                echo "FAILED   $name: ${file[$name]}: $(cat "$log")"
        elif ! make -j2 $(programs ${tests[$name]}) >"$log" 2>&1; then
                echo "FAILED   $name: does not build, see $log"
        elif run 5 ${tests[$name]}; then
                echo "survived $name: ${tests[$name]} pass with ${file[$name]}: ${new[$name]}"
        else
                echo "killed   $name by $failed_test: ${why[$name]}"
                status=0
        fi
        mv "$work/run.log" "$work/$name.run.log"
        cp "$work/original" "$source" # with a time of now, so that make sees it
        return "$status"
}

read_mutants || exit 1
if [ "${1-}" = -l ]; then
        for name in "${names[@]}"; do
                printf '%s\n  %s\n  - %s\n  + %s\n  %s\n' "$name: ${why[$name]}" "${file[$name]}" "${old[$name]}" "${new[$name]}" "${tests[$name]}"
        done
        exit 0
fi
[ $# -eq 0 ] || names=("$@")
mkdir -p "$work" || exit 1
(prepare) >"$work/prepare.log" 2>&1 || { tail -n 30 "$work/prepare.log"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
cd "$work/build" || exit 1
# What is red without a mutant proves nothing.
all=$(for name in "${names[@]}"; do printf '%s\n' ${tests[$name]-}; done | sort -u)
: >"$work/run.log"
if ! make -j2 $(programs $all) >"$work/plain.log" 2>&1 || ! run 10 $all; then
        tail -n 30 "$work/plain.log" "$work/run.log"
        echo "the tests must pass as it is: ${failed_test:-they do not build}"
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
fi
passed=0 failed=0
for name in "${names[@]}"; do
        if [ -z "${file[$name]-}" ]; then
                echo "FAILED   $name: there is no such mutant"
                failed=$((failed + 1))
        elif mutant "$name"; then
                passed=$((passed + 1))
        else
                failed=$((failed + 1))
        fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
