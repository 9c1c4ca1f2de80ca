#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Capture what memhpctl reads of a system, as a tree for its --sysroot. See --help. Needs a POSIX shell and the usual tools;
# those of busybox are enough.
set -u

usage() {
        cat <<'END'
Usage: capture.sh [--sysroot DIR] [OUTPUT.tar]      (default: memhp-capture.tar; "-" is standard output)

Captures the memory blocks of this system so that they can be looked at elsewhere:

        capture.sh machine.tar
        mkdir machine && tar -xf machine.tar -C machine
        memhpctl --sysroot machine list

It reads only, and should run as root: for others /proc/iomem hides its addresses, and the kernel log may be closed.
The archive has about 6 KiB a memory block; xz makes a hundredth of it. What is in it:

  sys/devices/system/memory   block_size_bytes, auto_online_blocks; of each block its state, zones, numbers, and links
                              to its nodes and its firmware node
  sys/devices/system/node     which nodes there are, have memory and CPUs, and their links to blocks
  sys/bus/dax/devices         what each dax device is and which driver has it
  sys/firmware/memmap         the firmware's memory map
  sys/firmware/memory         s390's standby memory, and what of it is configured
  sys/module/memory_hotplug   how the kernel's own hot-plug is set
  proc/iomem                  without the lines that tell where the kernel lies
  proc/cmdline                of it only what is about memory hot-plug
  proc/zoneinfo, buddyinfo    as they are
  dev/kmsg                    of the kernel log only the lines that say that a hot-add was refused
  etc, run, usr, lib: udev/rules.d
                              the rules of files that mention the state of memory or daxctl, and what replaces them
  etc/daxctl.conf.d           what is to become system memory, without the names of what it is
  sys/class/dmi/id            the make and the model of the machine
  sys/bus/vmbus, sys/bus/ccw, sys/hypervisor/type, proc/ppc64/lparcfg, proc/sysinfo,
  sys/devices/system/memory/probe
                              whether they exist: they tell the kind of machine (lparcfg and probe are left empty)
  MANIFEST                    version of the kernel, architecture, size of a page

There is no host name in it, no serial number, no address of the kernel, no user name. Names of devices are in it.

--sysroot DIR  capture DIR, an unpacked capture, instead of this system
END
}

complain() {
        echo "capture.sh: $*" >&2
}

die() {
        complain "$*"
        exit 1
}

root=
output=
while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
                usage
                exit 0
                ;;
        --sysroot)
                [ $# -ge 2 ] || die "--sysroot: needs DIR"
                root=$(cd "$2" && pwd) || exit 1
                [ "$root" != / ] || root=
                shift
                ;;
        -?*) die "$1: no such option; see --help" ;;
        *)
                [ -z "$output" ] || die "$1: one OUTPUT.tar is enough"
                output=$1
                ;;
        esac
        shift
done
output=${output:-memhp-capture.tar}

memory=sys/devices/system/memory
node=sys/devices/system/node
[ -r "$root/$memory/block_size_bytes" ] ||
        die "${root:-/}: no memory blocks: the kernel cannot hot-plug memory, or sysfs is not mounted"

work=$(mktemp -d "${TMPDIR:-/tmp}/memhp-capture.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
tree=$work/tree
mkdir "$tree"

# The one line of an attribute. No process is started: there may be a hundred thousand. Nothing where there is none.
copy_line() {
        [ -f "$root/$1" ] || return 0
        { IFS= read -r line <"$root/$1"; } 2>/dev/null || return 0
        printf '%s\n' "$line" >"$tree/$1"
}

copy_lines() {
        base=$1
        shift
        for name; do
                copy_line "$base/$name"
        done
}

# Does the pattern name anything?
exists() {
        [ -e "$1" ] || [ -L "$1" ]
}

# The names below a folder that begin so and go on with a number, a line each.
list_numbered() {
        for path in "$root/$1/$2"[0-9]*; do
                name=${path##*/}
                case ${name#"$2"} in
                *[!0-9]*) ;;
                *) ! exists "$path" || printf '%s\n' "$name" ;;
                esac
        done
}

make_folders() {
        mkdir -p "$tree/$1" || exit 1
        (cd "$tree/$1" && xargs mkdir -p) || exit 1
}

capture_blocks() {
        list_numbered $memory memory >"$work/blocks"
        make_folders $memory <"$work/blocks"
        copy_lines $memory block_size_bytes auto_online_blocks
        [ ! -e "$root/$memory/probe" ] || : >"$tree/$memory/probe"
        while read -r block; do
                folder=$memory/$block
                set -- "$root/$folder"/node[0-9]*
                exists "$1" || set --
                linked=$#
                ! exists "$root/$folder/firmware_node" || set -- "$@" "$root/$folder/firmware_node"
                [ $# -eq 0 ] || cp -P "$@" "$tree/$folder/" 2>/dev/null # what went meanwhile is left out
                copy_lines "$folder" state removable phys_index phys_device
                # Until the kernel has linked a block to its node, valid_zones makes it (6.1 at least) follow a null
                # pointer. Without NUMA there are no links, and no danger.
                if [ "$linked" -gt 0 ] || [ ! -d "$root/$node" ]; then
                        copy_line "$folder/valid_zones"
                fi
        done <"$work/blocks"
}

capture_nodes() {
        [ -d "$root/$node" ] || return 0
        list_numbered $node node >"$work/nodes"
        make_folders $node <"$work/nodes"
        copy_lines $node online possible has_cpu has_memory has_normal_memory has_generic_initiator
        while read -r name; do
                target=$tree/$node/$name
                # shellcheck disable=SC2016 # the inner shell expands it: $0 is the target
                list_numbered "$node/$name" memory |
                        (cd "$root/$node/$name" && xargs sh -c '[ $# -eq 0 ] || cp -P "$@" "$0" 2>/dev/null' "$target")
        done <"$work/nodes"
}

# /sys/bus/dax/devices has links; here they are the folders themselves.
capture_dax() {
        for path in "$root"/sys/bus/dax/devices/dax*; do
                [ -d "$path" ] || continue
                folder=${path#"$root/"}
                mkdir -p "$tree/$folder"
                copy_lines "$folder" resource size align target_node numa_node memmap_on_memory state
                for mapping in "$path"/mapping[0-9]*; do
                        [ -d "$mapping" ] || continue
                        mkdir -p "$tree/$folder/${mapping##*/}"
                        copy_lines "$folder/${mapping##*/}" start end page_offset
                done
                driver=$(readlink "$path/driver") || continue
                ln -s "../../drivers/${driver##*/}" "$tree/$folder/driver"
        done
}

capture_firmware_map() {
        for path in "$root"/sys/firmware/memmap/[0-9]*; do
                [ -d "$path" ] || continue
                mkdir -p "$tree/${path#"$root/"}"
                copy_lines "${path#"$root/"}" start end type
        done
}

capture_standby() {
        for path in "$root"/sys/firmware/memory/memory[0-9]*; do
                [ -d "$path" ] || continue
                mkdir -p "$tree/${path#"$root/"}"
                copy_lines "${path#"$root/"}" config memmap_on_memory
        done
}

capture_machine() {
        if [ -d "$root/sys/module/memory_hotplug/parameters" ]; then
                mkdir -p "$tree/sys/module/memory_hotplug/parameters"
                copy_lines sys/module/memory_hotplug/parameters memmap_on_memory online_policy auto_movable_ratio \
                        auto_movable_numa_aware
        fi
        for folder in sys/bus/vmbus sys/bus/ccw; do
                [ ! -d "$root/$folder" ] || mkdir -p "$tree/$folder"
        done
        for name in sys_vendor product_name; do
                [ -r "$root/sys/class/dmi/id/$name" ] || continue
                mkdir -p "$tree/sys/class/dmi/id"
                copy_line "sys/class/dmi/id/$name"
        done
        if [ -f "$root/sys/hypervisor/type" ]; then
                mkdir -p "$tree/sys/hypervisor"
                copy_line sys/hypervisor/type
        fi
        if [ -e "$root/proc/sysinfo" ]; then
                mkdir -p "$tree/proc"
                grep '^VM00 Control Program:' "$root/proc/sysinfo" >"$tree/proc/sysinfo" || : # no line: no hypervisor
        fi
        if [ -e "$root/proc/ppc64/lparcfg" ]; then
                mkdir -p "$tree/proc/ppc64"
                : >"$tree/proc/ppc64/lparcfg" # the real one has serial numbers
        fi
}

capture_proc() {
        mkdir -p "$tree/proc"
        if [ -r "$root/proc/cmdline" ]; then
                words=$(tr ' ' '\n' <"$root/proc/cmdline" | grep -e '^"\{0,1\}memhp_default_state=' -e '^"\{0,1\}memory_hotplug\.' | tr '\n' ' ')
                [ -z "$words" ] || printf '%s\n' "${words% }" >"$tree/proc/cmdline"
        fi
        for name in zoneinfo buddyinfo; do
                [ ! -r "$root/proc/$name" ] || cat "$root/proc/$name" >"$tree/proc/$name"
        done
        [ -r "$root/proc/iomem" ] || return 0
        # "Kernel code" and its like have no children: the tree stays one without them.
        grep -v ' : Kernel [a-z]*$' "$root/proc/iomem" >"$tree/proc/iomem"
        grep -q '^ *0*[1-9a-f][0-9a-f]*-\|-0*[1-9a-f][0-9a-f]* :' "$tree/proc/iomem" ||
                complain "/proc/iomem hides its addresses: run as root to capture where memory came from"
}

# Files of one name replace each other: all of them, or none.
capture_rules() {
        folders="etc/udev/rules.d run/udev/rules.d usr/local/lib/udev/rules.d usr/lib/udev/rules.d"
        [ -L "$root/lib" ] || folders="$folders lib/udev/rules.d"
        for folder in $folders; do
                for path in "$root/$folder"/*.rules; do
                        [ -f "$path" ] || continue
                        grep -q -e daxctl -e daxdev "$path" || { grep -q memory "$path" && grep -q -e state -e online "$path"; } ||
                                continue
                        printf '%s\n' "${path##*/}"
                done
        done | sort -u >"$work/rules"
        while read -r name; do
                for folder in $folders; do
                        path=$root/$folder/$name
                        exists "$path" || continue
                        mkdir -p "$tree/$folder"
                        # Of a link to /dev/null an empty file, which means the same: there are tars that refuse such links.
                        cat "$path" >"$tree/$folder/$name" 2>/dev/null
                done
        done <"$work/rules"
}

# Lines keep their numbers.
capture_daxctl() {
        for path in "$root"/etc/daxctl.conf.d/*.conf; do
                [ -r "$path" ] || continue
                mkdir -p "$tree/etc/daxctl.conf.d"
                sed -e 's/^\( *\[ *[a-z-]*\).*/\1 x]/; t' -e '/^ *\(mode\|online\|movable\) *=/!s/.*//' "$path" \
                        >"$tree/etc/daxctl.conf.d/${path##*/}"
        done
}

# Records are "PRIORITY,SEQUENCE,USEC,FLAGS;TEXT" and lines that begin with a blank; priorities below 8 are the kernel's
# own. The device has no end, it waits for more: whatever is there comes within a moment.
capture_log() {
        [ -e "$root/dev/kmsg" ] || return 0
        if ! (: <"$root/dev/kmsg") 2>/dev/null; then
                complain "/dev/kmsg cannot be read: hot-adds that were refused are not captured"
                return 0
        fi
        mkdir -p "$tree/dev"
        mkfifo "$work/log" || exit 1
        cat "$root/dev/kmsg" >"$work/log" 2>/dev/null &
        reader=$!
        sed -n \
                -e '/^[0-7],[0-9]*,[0-9]*,[^;]*;.*unaligned hotplug range/p' \
                -e '/^[0-7],[0-9]*,[0-9]*,[^;]*;.*\(add_memory\|memory add\|adding memory\|hot_add memory\) failed/p' \
                <"$work/log" >"$tree/dev/kmsg" &
        filter=$!
        if [ -c "$root/dev/kmsg" ]; then
                sleep 1
                kill "$reader" 2>/dev/null
        fi
        wait "$filter"
        wait "$reader" 2>/dev/null
        return 0
}

# The version's numbers only: what follows them can name who built the kernel, and on which machine. "6.1.0-42-amd64" says
# as "6.1.0-42" all that is needed.
capture_manifest() {
        if [ -n "$root" ]; then
                cat "$root/MANIFEST" >"$tree/MANIFEST" 2>/dev/null || rm -f "$tree/MANIFEST"
                return 0
        fi
        page_size=$(getconf PAGESIZE 2>/dev/null)
        [ -n "$page_size" ] ||
                page_size=$(sed -n 's/^KernelPageSize: *\([0-9]*\) kB$/\1/p' /proc/self/smaps 2>/dev/null | head -n 1 |
                        while read -r kib; do echo $((kib * 1024)); done)
        {
                echo "kernel $(uname -r | sed 's/^\([0-9.]*[0-9]\(-[0-9.]*[0-9]\)\{0,1\}\).*/\1/')"
                echo "architecture $(uname -m)"
                [ -z "$page_size" ] || echo "page_size $page_size"
        } >"$tree/MANIFEST"
}

capture_blocks
capture_nodes
capture_dax
capture_firmware_map
capture_standby
capture_machine
capture_proc
capture_rules
capture_daxctl
capture_log
capture_manifest

# GNU tar notes who ran it, and when, unless told not to; busybox's tar notes root's numbers if root runs it.
set --
if tar --version 2>/dev/null | grep -q GNU; then
        set -- --format=ustar --owner=0 --group=0 --numeric-owner --sort=name --mtime=@0
fi
# Not ".", lest the folder that it is unpacked into gets this one's permissions. No name begins with a dash.
# shellcheck disable=SC2035
(cd "$tree" && tar -cf - "$@" *) >"$work/tar" || die "the archive cannot be made"
if [ "$output" = - ]; then
        cat "$work/tar"
else
        cat "$work/tar" >"$output" || exit 1
fi
