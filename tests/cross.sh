#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Other machines: tests/cross.sh [ARCHITECTURE...] (arm64 ppc64el s390x). With Debian's cross compilers, against a tree of that
# architecture's own packages, which are taken from the archive and unpacked below build-cross (this machine's packages
# stay as they are: no foreign architecture is added). The unit tests, and those with a fake root, then run under qemu-user.
# s390x is big endian: there memhpd and memhpctl are also put on a bus. What cannot be had is skipped, and said. Closes with
# "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD work=$PWD/build-cross

# libc-bin: C.UTF-8, which is of a machine's byte order
packages="libc6-dev libc-bin libudev-dev libsystemd-dev libconfig-dev libsmartcols-dev libjansson-dev libcap-ng-dev check"
passed=0 failed=0 skipped=0

skip() {
        printf 'skip   %s\n' "$1"
        skipped=$((skipped + 1))
}

# The machine's own sources, another architecture, and nothing installed.
private_apt() { # ROOT ARCHITECTURE COMMAND...
        local root=$1 architecture=$2
        shift 2
        apt-get -q -y -o "Dir::State=$root/state" -o "Dir::State::status=$root/status" -o "Dir::Cache=$root/cache" \
                -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture" -o APT::Install-Recommends=false \
                -o Debug::NoLocking=true -o APT::Sandbox::User=root "$@"
}

# make_sysroot ARCHITECTURE SYSROOT
make_sysroot() {
        local apt=$work/apt-$1 sysroot=$2 deb link target
        [ ! -e "$sysroot/.complete" ] || return 0
        rm -rf "$sysroot" "$apt"
        mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$sysroot/usr/lib" "$sysroot/usr/lib64" \
                "$sysroot/usr/bin" "$sysroot/usr/sbin" || return 1
        : >"$apt/status"
        for link in bin sbin lib lib64; do
                ln -s "usr/$link" "$sysroot/$link" || return 1
        done
        # One index that is missing (a mirror being renewed) need not matter: what is wanted is there or not.
        private_apt "$apt" "$1" update || echo "some lists of packages are missing"
        private_apt "$apt" "$1" --download-only install $packages || return 1
        for deb in "$apt"/cache/archives/*.deb; do
                dpkg-deb --fsys-tarfile "$deb" | tar -C "$sysroot" --keep-directory-symlink -xf - || return 1
        done
        # Links with a whole path mean the tree, not this machine.
        find "$sysroot" -type l -lname "/*" | while IFS= read -r link; do
                target=$(readlink "$link")
                ln -sfn "$sysroot$target" "$link"
        done
        # qemu looks for every whole path here first, also for "/": what is below it is the running system's.
        rm -rf "$sysroot/proc" "$sysroot/sys" "$apt"
        ln -s /proc "$sysroot/proc" && ln -s /sys "$sysroot/sys" && touch "$sysroot/.complete"
}

# build_and_test ARCHITECTURE TRIPLET QEMU
build_and_test() {
        local sysroot=$work/sysroot-$1 build=$work/$1
        make_sysroot "$1" "$sysroot" || return 1
        mkdir -p "$build" && cd "$build" || return 1
        export PKG_CONFIG_SYSROOT_DIR=$sysroot PKG_CONFIG_PATH=
        export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$2/pkgconfig:$sysroot/usr/share/pkgconfig
        [ -e config.status ] || "$top/configure" --host="$2" --prefix=/usr --sysconfdir=/etc --enable-werror \
                CC="$2-gcc --sysroot=$sysroot" CFLAGS="-O2 -g" LDFLAGS="-Wl,-rpath-link,$sysroot/usr/lib/$2" || return 1
        # Programs of another machine are slow here: Check waits longer.
        export CK_TIMEOUT_MULTIPLIER=20 MEMHP_EMULATED=$3
        make -j2 all && make -j2 unit-tests LOG_COMPILER="$3" AM_LOG_FLAGS="-L $sysroot"
}

# memhpd and memhpctl on a bus of this machine, which has the other byte order, as have those who call. The floods and the
# calls at random are left out: they measure what memhpd takes, and that would be what the emulator takes.
test_bus() { # ARCHITECTURE QEMU
        local emulated=$work/$1/emulated qemu program cases
        qemu=$(command -v "$2") # some tests leave no PATH
        mkdir -p "$emulated/tests" || return 1
        for program in memhpd memhpctl tests/memhpd-fake tests/polkit-probe tests/systemd-stub; do
                printf '#!/bin/sh\nexec %s -L "%s" "%s" "$@"\n' "$qemu" "$work/sysroot-$1" "$work/$1/$program" \
                        >"$emulated/$program" && chmod +x "$emulated/$program" || return 1
        done
        mapfile -t cases < <(sed -n 's/^def case_\([a-z0-9_]*\)(.*/\1/p' tests/bus/lib/cases_*.py | grep -v -e '^fuzz' -e '^flood_')
        python3 -B tests/bus/run "$emulated" "${cases[@]}"
}

bus() { # ARCHITECTURE QEMU
        local log=$work/$1-bus.log start=$SECONDS n
        if test_bus "$@" >"$log" 2>&1 </dev/null; then
                n=$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$log" | tail -n 1)
                printf 'ok     %s: on a bus, %s checks, %d s\n' "$1" "$n" $((SECONDS - start))
                passed=$((passed + 1))
                sed -n "s/^ok [0-9]* - \(.*\) # SKIP/skip   $1: \1:/p" "$log"
                skipped=$((skipped + $(grep -c '^ok .* # SKIP' "$log")))
        else
                printf 'FAILED %s: on a bus; see %s\n' "$1" "$log"
                grep -A 10 '^not ok' "$log" | head -n 60 | sed 's/^/       | /'
                failed=$((failed + 1))
        fi
}

one() { # ARCHITECTURE
        local triplet qemu log=$work/$1.log start=$SECONDS n
        case $1 in
        arm64) triplet=aarch64-linux-gnu qemu=qemu-aarch64 ;;
        ppc64el) triplet=powerpc64le-linux-gnu qemu=qemu-ppc64le ;;
        s390x) triplet=s390x-linux-gnu qemu=qemu-s390x ;;
        *) echo "$1: no such architecture; arm64, ppc64el or s390x" >&2; exit 2 ;;
        esac
        command -v "$triplet-gcc" >/dev/null || { skip "$1: there is no $triplet-gcc (gcc-$triplet)"; return; }
        command -v "$qemu" >/dev/null || { skip "$1: there is no $qemu (qemu-user)"; return; }
        command -v apt-get >/dev/null || { skip "$1: there is no apt-get to take its libraries with"; return; }
        if (build_and_test "$1" "$triplet" "$qemu") >"$log" 2>&1 </dev/null; then
                n=$(sed -n 's/^# PASS: *//p' "$log" | tail -n 1)
                printf 'ok     %s: %s test programs, %d s\n' "$1" "$n" $((SECONDS - start))
                passed=$((passed + ${n:-0}))
                grep '^SKIP:' "$log" | sed "s/^SKIP:/skip   $1:/"
                skipped=$((skipped + $(sed -n 's/^# SKIP: *//p' "$log" | tail -n 1)))
                [ "$1" != s390x ] || bus "$1" "$qemu"
        else
                printf 'FAILED %s: see %s\n' "$1" "$log"
                grep -E ' error: |^(FAIL|ERROR|E): |undefined reference' "$log" | head -n 30 | sed 's/^/       | /'
                n=$(sed -n 's/^# FAIL: *//p' "$log" | tail -n 1)
                passed=$((passed + $(sed -n 's/^# PASS: *//p' "$log" | tail -n 1) + 0))
                failed=$((failed + (${n:-0} > 0 ? ${n:-0} : 1)))
        fi
}

[ -e configure ] || autoreconf -fi || exit 1
mkdir -p "$work" || exit 1
[ $# -gt 0 ] || set -- arm64 ppc64el s390x
for architecture; do
        one "$architecture"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
