#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Are the modules that decide pure? Usage: purity.sh [BUILD-FOLDER] (default: $builddir, else the current folder).
#
# Looks at what their objects leave undefined ("nm -u"), so that it sees macros, inline functions and the compiler's own
# calls as well. A module is pure when it needs nothing but what stands in its list below:
#
#   string and memory functions, snprintf   read and write what the caller gave them, nothing else
#   free                                    policy_free() and match_done(); deciding frees nothing
#   fnmatch                                 match.o only: a pattern and a name in, yes or no out
#   malloc                                  policy.o only: policy_new(), which makes the policy of a silent configuration.
#                                           Counted by "nm" it can't be told from a malloc() in policy_decide(): hence
#                                           the second look below, at the code of the functions that decide
#   functions of src/core                   by name, each pure itself; parse_ranges() is not among them, it allocates
#
# No I/O, no clock, no environment, no locale, no logging, no errno. What the sanitizers, the stack protector, coverage
# and position-independent code add is tolerated, and a function that _FORTIFY_SOURCE checks (__snprintf_chk) counts as
# the function itself.
#
# Exit 0: all is well. 1: violations, each named. 2: there was nothing to check, which is a failure as well.
set -eu

build=${1:-${builddir:-.}}
NM=${NM:-nm}
OBJDUMP=${OBJDUMP:-objdump}

strings="memcmp bcmp memcpy memmove memset memchr memmem strlen strnlen strcmp strncmp strchr strrchr strspn strcspn"
tolerated='^(__asan_.*|__ubsan_.*|__sanitizer_.*|__sancov_.*|__stack_chk_(fail|guard)(_local)?|__gcov_.*|__llvm_.*'
tolerated="$tolerated"'|_GLOBAL_OFFSET_TABLE_|_ITM_.*|__gmon_start__|__fentry__|mcount)$'

allowed_in() {
        case $1 in
        policy)
                echo "snprintf free malloc node_set_next block_state_to_string match_subject match_subject_init match_may_hide match_covers match_done" \
                        "balance_allows balance_describe"
                ;;
        match) echo "fnmatch free node_set_next ranges_done" ;;
        balance) echo "snprintf format_size" ;;
        words) ;;
        simulation)
                echo "snprintf closest_word source_from_string source_to_string parse_u64 parse_size format_size policy_decide" \
                        "policy_decide_alike policy_goes_by_parts source_is_dynamic balance_percent totals_expect"
                ;;
        alerts) echo "snprintf format_size stats_is_beyond stats_available" ;;
        block) echo "word_next" ;;
        source) echo "snprintf __ctype_b_loc iomem_parent" ;;
        esac
}

find_object() {
        for object in "$build/src/core/libmemhp_a-$1.o" "$build/src/core/$1.o"; do
                if [ -f "$object" ]; then
                        echo "$object"
                        return
                fi
        done
}

status=0
for module in policy match balance block source words simulation alerts; do
        object=$(find_object "$module")
        if [ -z "$object" ]; then
                echo "purity: no object of src/core/$module.c in $build: nothing to check" >&2
                exit 2
        fi
        # "nm -u" prints nothing, too, for a file without symbols (stripped, or link-time optimisation's)
        if ! "$NM" "$object" | grep -q ' T '; then
                echo "purity: $object defines no function: nothing to check" >&2
                exit 2
        fi
        # the last word: "U name", "w name"
        undefined=$("$NM" -u "$object" | awk 'NF { sub(/@.*/, "", $NF); print $NF }' | LC_ALL=C sort -u)
        checked=
        for symbol in $undefined; do
                if printf '%s\n' "$symbol" | grep -qE "$tolerated"; then
                        continue
                fi
                plain=$(printf '%s\n' "$symbol" | sed 's/^__\(.*\)_chk$/\1/')
                checked="$checked $symbol"
                case " $strings $(allowed_in "$module") " in
                *" $plain "*) ;;
                *)
                        echo "purity: $object needs $symbol, which is not allowed"
                        status=1
                        ;;
                esac
        done
        if [ -z "$checked" ] && [ "$module" != balance ]; then
                echo "purity: $object needs nothing at all: does the check still see it?" >&2
                exit 2
        fi
        echo "purity: $object needs${checked:- nothing}"
done

# Who allocates, who frees? The relocations tell, function by function.
for module in policy match; do
        object=$(find_object "$module")
        users=$("$OBJDUMP" -dr "$object" | awk '
                /^[0-9a-f]+ <.*>:$/ {
                        name = $2
                        gsub(/[<>:]/, "", name)
                        sub(/\.(part|cold|constprop|isra)\..*|\.cold$/, "", name)
                        functions++
                }
                / R_[A-Z0-9_]+/ {
                        symbol = $NF
                        sub(/[-+@].*/, "", symbol)
                        if (symbol == "malloc" || symbol == "free")
                                print name ":" symbol
                }
                END { if (!functions) print "none:none" }' | LC_ALL=C sort -u)
        for user in $users; do
                case $user in
                policy_new:malloc | policy_free:free | match_done:free) ;;
                none:none)
                        echo "purity: $OBJDUMP shows no code in $object: nothing to check" >&2
                        exit 2
                        ;;
                *)
                        echo "purity: $object: ${user%:*}() calls ${user#*:}()"
                        status=1
                        ;;
                esac
        done
        if [ -z "$users" ]; then
                echo "purity: $object: nobody calls free(): does the check still see it?" >&2
                exit 2
        fi
        echo "purity: $object: memory is touched by" $users
done

exit $status
