# SPDX-License-Identifier: LGPL-2.1-or-later
"""The spec: rpmbuild makes a package of it, with the same files as Debian's."""

import os
import re
import shutil
import tempfile

from vmlib import deb
from vmlib.report import Failed, Skipped

# What is elsewhere, or only in one of them.
ELSEWHERE = (
    (r"^(/usr)?/lib/systemd/", "/usr/lib/systemd/"),
    (r"^/usr/share/zsh/(vendor-completions|site-functions)/", "/zsh/"),
    (r"^/usr/share/(doc|licenses)/.*", ""),
    (r"\.gz$", ""),
)


def build(report, packages, options):
    """rpmbuild builds a package of the same tarball, by the spec in it, and that has the files that Debian's has."""
    if not shutil.which("rpmbuild"):
        raise Skipped("no rpmbuild (Debian: rpm)")
    with tempfile.TemporaryDirectory() as top:
        # What it requires to build has the names of Fedora's packages, which this machine's rpm does not know: --nodeps.
        command = ["rpmbuild", "-tb", "--nodeps", "--define", f"_topdir {top}", "--define", f"_smp_mflags -j{os.cpu_count()}",
                   "--define", "debug_package %{nil}", "--define", "_build_id_links none"]
        if not options.full:
            command += ["--nocheck", "--define", "optflags -O1"]
        deb.run(command + [packages.tarball])
        report.saw("rpmbuild accepts the spec (--nodeps" + (")" if options.full else ", without %check)"))
        found = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(top, "RPMS")) for name in names]
        if len(found) != 1:
            raise Failed(f"rpmbuild made {found}")
        query = ["rpm", "--dbpath", os.path.join(top, "db"), "-qp", found[0]]
        listing = deb.run(query + ["--qf", r"[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]"])
        scripts = deb.run(query + ["--scripts"])
        report.saw(f"{os.path.basename(found[0])}: {os.path.getsize(found[0]) // 1024} KiB")
    same_files(report, packages, [line.split(None, 2) for line in listing.splitlines()])
    # Debian's rpm has no macros of systemd: the spec's own stand in their place, so there is nothing more to see of them.
    report.quote(scripts)


def same_files(report, packages, lines):
    wrong = [line for line in lines if line[1] != "root:root" or not re.match(r"-rw-r--r--|-rwxr-xr-x|drwxr-xr-x", line[0])]
    report.expect_equal("with an odd owner or mode", wrong, [])
    out = deb.run(["dpkg-deb", "-c", packages.deb])
    debs = {line.split(None, 5)[5][1:] for line in out.splitlines() if line[0] != "d"}
    rpms = {path for perms, _, path in lines if perms[0] != "d"}
    report.expect_equal("files that only Debian's has", sorted(_plain(debs) - _plain(rpms)), [])
    report.expect_equal("files that only the RPM has", sorted(_plain(rpms) - _plain(debs)), [])
    report.expect("/etc/memhp/memhpd.conf.d" in {path for *_, path in lines}, "administrators have a folder for theirs")


def _plain(paths):
    for pattern, text in ELSEWHERE:
        paths = {re.sub(pattern, text, path) for path in paths}
    return paths - {""}
