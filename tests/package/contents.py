# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is in the Debian package: files, modes, owners, scripts; what lintian says."""

import os
import re
import shutil
import subprocess
import tempfile

from vmlib import deb
from vmlib.report import Failed, Skipped

# A file of the package is one of these, or it does not belong there: where it may be, its mode.
PLACES = (
    (r"/usr/sbin/memhpd", 0o755),
    (r"/usr/bin/memhpctl", 0o755),
    (r"/usr/lib/memhp/memhpd\.conf", 0o644),
    (r"/usr/share/memhp/presets/[a-z-]+\.conf", 0o644),
    (r"/usr/share/memhp/monitoring/memhpd[a-z.-]*\.(yml|json)", 0o644),
    (r"/(usr/)?lib/systemd/system/memhp(d\.service|-metrics\.(service|timer))", 0o644),
    (r"/usr/lib/systemd/catalog/memhpd\.catalog", 0o644),
    (r"/usr/share/dbus-1/system\.d/org\.memhp1\.conf", 0o644),
    (r"/usr/share/dbus-1/system-services/org\.memhp1\.service", 0o644),
    (r"/usr/share/polkit-1/actions/org\.memhp1\.policy", 0o644),
    (r"/usr/share/bash-completion/completions/memhpctl", 0o644),
    (r"/usr/share/zsh/vendor-completions/_memhpctl", 0o644),
    (r"/usr/share/fish/vendor_completions\.d/memhpctl\.fish", 0o644),
    (r"/usr/share/man/man8/memhpd\.8\.gz", 0o644),
    (r"/usr/share/man/man1/memhpctl\.1\.gz", 0o644),
    (r"/usr/share/man/man5/(memhpd\.conf|org\.memhp1)\.5\.gz", 0o644),
    (r"/usr/share/doc/memhpd/(README\.md|SECURITY\.md|NEWS|changelog|copyright)(\.gz)?", 0o644),
    (r"/usr/share/doc/memhpd/docs/[a-z-]+\.(md|svg)(\.gz)?", 0o644),
)
# For each shell: a program that says where it looks.
SHELLS = {
    "zsh": ("_memhpctl", ["zsh", "-fc", "print -l $fpath"]),
    "fish": ("memhpctl.fish", ["fish", "-c", "string join \\n $fish_complete_path"]),
}
# bash-completion's own folder, which its documentation has; the package need not be here to be asked.
BASH = "/usr/share/bash-completion/completions/memhpctl"


def lint(report, packages, _options):
    """lintian has neither errors nor warnings about the source and the packages."""
    if not shutil.which("lintian"):
        raise Skipped("no lintian (Debian: lintian)")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", packages.changes],
                          capture_output=True, text=True, check=False, env=dict(os.environ, LC_ALL="C.UTF-8"))
    report.quote(done.stdout + done.stderr)
    report.expect(done.returncode == 0, "lintian is content")
    report.expect(not re.search(r"^[EW]:", done.stdout, re.MULTILINE), "and says nothing")


def files(report, packages, _options):
    """Every file is where it belongs, root's, with the right mode, and none is missing or somewhere else."""
    seen = {path: rest for path, *rest in _listed(packages.deb)}
    for pattern, mode in PLACES:
        found = [path for path in seen if re.fullmatch(pattern, path)]
        if not found:
            raise Failed(f"nothing in the package is {pattern}")
        for path in found:
            kind, got, owner = seen.pop(path)
            if (kind, got, owner) != ("-", mode, "root/root"):
                raise Failed(f"{path} is {kind} {got:o} of {owner}, and not a file {mode:o} of root/root")
    others = {path: v for path, v in seen.items() if v != ["d", 0o755, "root/root"]}
    report.expect_equal("what is anything else than one of these or a folder that everybody may read", others, {})
    report.expect("/etc/memhp/memhpd.conf.d" in seen, "administrators have a folder for theirs")
    report.saw(f"{packages.version}: {os.path.getsize(packages.deb) // 1024} KiB, installed {_field(packages.deb, 'Installed-Size')} KiB")
    report.expect_equal("configuration files that dpkg could ask about",
                        [path for path in seen if path.startswith("/etc/") and seen[path][0] != "d"], [])


def scripts(report, packages, _options):
    """The package starts, enables, restarts and forgets the service; and depends on what its programs are linked with."""
    with tempfile.TemporaryDirectory() as folder:
        deb.run(["dpkg-deb", "-e", packages.deb, folder])
        control = {name: _read(os.path.join(folder, name)) for name in os.listdir(folder)}
        for name in ("postinst", "prerm", "postrm"):
            deb.run(["sh", "-n", os.path.join(folder, name)])
    report.expect_equal("files of control", sorted(control), ["control", "md5sums", "postinst", "postrm", "prerm"])
    for name, wanted in (("postinst", r"deb-systemd-helper enable 'memhpd\.service'"),
                         ("postinst", r"deb-systemd-invoke \$_dh_action 'memhpd\.service'"),
                         ("prerm", r"deb-systemd-invoke stop 'memhpd\.service'"),
                         ("prerm", r"deb-systemd-invoke stop memhp-metrics\.timer"),
                         ("postrm", r"deb-systemd-helper purge .*memhpd\.service"),
                         ("postrm", r"deb-systemd-helper purge .*memhp-metrics\.timer")):
        report.expect(re.search(wanted, control[name]), f"{name}: {wanted}")
    depends = _field(packages.deb, "Depends")
    report.saw(f"Depends: {depends}")
    for library in ("libc6", "libcap-ng0", "libconfig9", "libjansson4", "libsmartcols1", "libsystemd0", "libudev1"):
        report.expect(re.search(rf"\b{library}\b", depends), f"it depends on {library}")


def completions(report, packages, _options):
    """bash, zsh and fish look where their completion is."""
    paths = [path for path, *_ in _listed(packages.deb)]
    report.expect(BASH in paths, f"bash: {BASH}")
    missing = []
    for shell, (name, command) in SHELLS.items():
        if not shutil.which(shell):
            missing.append(shell)
            continue
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
                                  env=dict(os.environ, HOME=home, XDG_CONFIG_HOME=home, XDG_DATA_HOME=home))
        wanted = [os.path.join(folder, name) for folder in done.stdout.split()]
        found = [path for path in paths if path in wanted]
        report.expect(found, f"{shell} looks at {(found or wanted)[0]}, one of {len(wanted)} places")
    if missing:
        raise Skipped(f"no {' and no '.join(missing)} here")


def _listed(package):
    """(path, kind, mode, owner) of everything in a package."""
    out = deb.run(["dpkg-deb", "-c", package])
    for line in out.splitlines():
        kind, owner, _, _, _, path = line.split(None, 5)
        path = path[1:].rstrip("/") or "/"
        yield path, kind[0], _mode(kind[1:]), owner


def _mode(letters):
    mode = 0
    for n, letter in enumerate(letters):
        if letter in "sS":
            mode |= (0o4000, 0o2000)[n // 3]
        if letter in "tT":
            mode |= 0o1000
        if letter not in "-ST":
            mode |= 0o400 >> n
    return mode


def _field(package, name):
    return deb.run(["dpkg-deb", "-f", package, name]).strip()


def _read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()
