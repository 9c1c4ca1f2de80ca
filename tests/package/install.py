# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of the Debian package in a chroot: install, upgrade, remove, install again, purge."""

import re

from vmlib import debian
from vmlib.chroot import APT, Chroot

POLICY = "/etc/memhp/memhpd.conf"
DROP_IN = "/etc/memhp/memhpd.conf.d/10-mine.conf"
MINE = 'version = 1;\nrules = ( { name = "mine"; match = { }; action = "online_kernel"; } );\n'
ADDED = 'rules = ( { name = "more"; match = { source = [ "dimm" ]; }; action = "online_movable"; } );\n'
LINK = "/etc/systemd/system/sysinit.target.wants/memhpd.service"
TIMER_LINK = "/etc/systemd/system/timers.target.wants/memhp-metrics.timer"
LIST = (r"find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \) "
        r"-prune -o -printf '%p %y %m %U:%G %l\n'")
# dpkg's own notes of what it did last.
NOTES = re.compile(r"/var/lib/dpkg/([a-z]+-old|lock[a-z-]*|triggers/(Lock|Unincorp)) ")


def life(report, packages, options):
    """In a Debian of its own apt finds what it depends on; an upgrade asks nothing and keeps the policy; purged, it leaves nothing."""
    with debian.unpacked(options.cache) as tree:
        root = Chroot(tree)
        for file in (packages.deb, packages.later):
            root.copy_in(file, "/tmp")
        first, later = (f"/tmp/{file.rpartition('/')[2]}" for file in (packages.deb, packages.later))
        before = listed(root)
        report.saw(f"a tree with {len(before)} files and folders")
        installed(report, root, first, packages)
        upgraded(report, root, later, packages)
        removed(report, root, first)
        purged(report, root, before)


def listed(root):
    return sorted(line for line in root.check(LIST).splitlines() if not NOTES.match(line))


def apt(report, root, what):
    """What it said, which is nothing that anybody would have to look into."""
    report.did(f"apt-get {what}")
    verb, _, names = what.partition(" ")
    out = root.install(names) if verb == "install" else root.check(f"{APT} {what}")
    odd = [line for line in out.splitlines() if re.search(r"error|warning|fail|cannot|conffile|\?", line, re.IGNORECASE)]
    report.expect_equal("what one would have to look into", odd, [])
    return out


def installed(report, root, first, packages):
    apt(report, root, f"install {first}")
    report.expect_equal("memhpctl --version", root.check("memhpctl --version").split()[:2], ["memhpctl", packages.version])
    report.expect_equal("memhpd --version", root.check("memhpd --version").split()[:2], ["memhpd", packages.version])
    out = root.check("memhpctl check")
    report.quote(out)
    report.expect("/usr/lib/memhp/memhpd.conf: valid, 3 rules, 0 warnings" in out, "memhpctl check: the policy that came with it is valid")
    report.expect_equal("files that are not as packed", root.check("dpkg --verify memhpd"), "")
    report.expect_equal("memhpd.service is", state(root, "memhpd.service"), "enabled")
    report.expect_equal("memhp-metrics.timer is", state(root, "memhp-metrics.timer"), "disabled")
    report.expect_equal("started by", root.check(f"readlink -f {LINK}").strip(),
                        root.check("dpkg -L memhpd | grep memhpd.service").strip().replace("/lib/", "/usr/lib/", 1)
                        .replace("/usr/usr/", "/usr/"))


def state(root, unit):
    return root.run(f"systemctl is-enabled {unit}")[1].strip()


def upgraded(report, root, later, packages):
    report.did("somebody has a policy and a drop-in, enables the timer and disables the service")
    for path, text in ((POLICY, MINE), (DROP_IN, ADDED)):
        with open(root.path(path), "w", encoding="utf-8") as f:
            f.write(text)
    root.check("systemctl -q enable memhp-metrics.timer; systemctl -q disable memhpd.service")
    apt(report, root, f"install {later}")
    report.expect_equal("the version is", root.check("dpkg-query -W -f '${Version}' memhpd"), packages.later_version)
    report.expect(root.check(f"cat {POLICY} {DROP_IN}") == MINE + ADDED, "the policy and the drop-in are as they were")
    report.expect_equal("memhpctl check", root.check("memhpctl check | tail -n 1").strip(),
                        f"{POLICY}, {DROP_IN}: valid, 2 rules, 0 warnings")
    report.expect_equal("what is enabled", (state(root, "memhpd.service"), state(root, "memhp-metrics.timer")),
                        ("disabled", "enabled"))
    root.check("systemctl -q enable memhpd.service")


def removed(report, root, first):
    apt(report, root, "remove memhpd")
    left = root.check("dpkg-query -L memhpd | while read -r f; do [ -d $f ] || [ ! -e $f ] || echo $f; done; true")
    report.expect_equal("files of the package that are left", left, "")
    report.expect(root.check(f"cat {POLICY} {DROP_IN}") == MINE + ADDED, "the policy and the drop-in are as they were")
    report.expect(root.run("command -v memhpctl memhpd")[0] != 0, "the programs are gone")
    apt(report, root, f"install {first}")
    report.expect_equal("again, memhpd.service is", state(root, "memhpd.service"), "enabled")
    report.expect(root.check(f"cat {POLICY} {DROP_IN}") == MINE + ADDED, "the policy and the drop-in are as they were")


def purged(report, root, before):
    report.did("what a running memhpd leaves until the next boot")
    root.check("mkdir -p /run/memhpd && echo x >/run/memhpd/state")
    apt(report, root, "purge memhpd")
    out = root.check(f"{APT} autoremove --purge")
    report.quote(out)
    after = listed(root)
    report.expect_equal("what is more than before, or changed", sorted(set(after) - set(before)), [])
    report.expect_equal("what is missing", sorted(set(before) - set(after)), [])
    report.expect_equal("what dpkg remembers of it", root.run("dpkg-query -W memhpd 2>/dev/null")[1], "")
