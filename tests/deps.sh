# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by ./demo and ./check: the Debian packages needed to build and to test, installed when missing.

MEMHP_BUILD_PACKAGES="
        autoconf automake make gcc libc6-dev pkg-config xz-utils
        libudev-dev libsystemd-dev libconfig-dev libsmartcols-dev libjansson-dev libcap-ng-dev check"
MEMHP_VM_PACKAGES="
        qemu-system-x86 busybox-static cpio zstd kmod ndctl daxctl dbus-daemon python3 debootstrap"
MEMHP_CHECK_PACKAGES="
        mandoc valgrind zsh fish dbus-daemon polkitd prometheus-node-exporter systemd clang libclang-rt-14-dev
        cppcheck
        build-essential debhelper lintian rpm"

# For ./check --full: coverage, other compilers, another C library, other machines.
MEMHP_FULL_PACKAGES="
        gcovr clang-tidy musl-tools lld llvm qemu-user
        gcc-aarch64-linux-gnu gcc-powerpc64le-linux-gnu gcc-s390x-linux-gnu"

# deps_missing PACKAGE...: print those that are not installed
deps_missing() {
        local package
        for package in "$@"; do
                [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
        done
}

# deps_install PACKAGE...: install those that are missing; says nothing when none is
deps_install() {
        local missing log
        if ! command -v dpkg-query >/dev/null; then
                echo "not a Debian machine: make sure that these are there, by whatever name:" $* >&2
                return 0
        fi
        missing=$(deps_missing "$@")
        [ -n "$missing" ] || return 0
        if [ "$(id -u)" -ne 0 ]; then
                echo "missing packages, and only root can install them: apt-get install" $missing >&2
                return 1
        fi
        echo "installing:" $missing
        log=$(mktemp) || return 1
        # Lists that are missing or older than the archive make the install fail, so they come first.
        if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive \
                        apt-get -q -y --no-install-recommends install $missing; } </dev/null >"$log" 2>&1; then
                tail -n 20 "$log" >&2
                rm -f "$log"
                echo "apt-get could not install them" >&2
                return 1
        fi
        rm -f "$log"
}
