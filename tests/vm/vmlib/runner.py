# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs scenarios, each in a guest of its own (a boot takes seconds), some side by side."""

import importlib
import os
import pkgutil
import queue
import threading
import traceback

from . import initramfs, kernel, qemu, system
from .guest import Guest, GuestError
from .report import Failed, Report, Skipped, Verdict

# One scenario's guest lives no longer than this. The slowest needs a third of it on a slow and busy machine.
SCENARIO_LIMIT = 180
SECOND_TRIES = 4


class Scenario:
    def __init__(self, number, module):
        self.number = number
        self.name = module.NAME
        self.title = " ".join(module.__doc__.strip().split("\n\n")[0].split())
        self.machine = getattr(module, "MACHINE", {})
        self.full_only = getattr(module, "FULL_ONLY", False)
        self.whole_system = getattr(module, "WHOLE_SYSTEM", False)      # Debian with systemd instead of busybox
        self.packaged = getattr(module, "PACKAGED", False)              # the same, with memhpd as dpkg installed it
        self.limit = getattr(module, "LIMIT", SCENARIO_LIMIT)
        self.play = module.play


def find_scenarios(folder, package="scenarios"):
    """Every sNN_name.py of the folder; NN is the scenario's number for good."""
    names = sorted(m.name for m in pkgutil.iter_modules([os.path.join(folder, package)]))
    return [Scenario(int(n[1:3]), importlib.import_module(f"{package}.{n}")) for n in names if n[:1] == "s"]


def prepare(options):
    """(kernel, initramfs), or Skipped with the reason why there can be no guest here."""
    if not qemu.is_available():
        raise Skipped(f"no {qemu.BINARY} (Debian: qemu-system-x86)")
    try:
        image = kernel.obtain(options.cache, options.kernel)
    except kernel.NoKernel as error:
        raise Skipped(f"no kernel to boot: {error}") from error
    return image, initramfs.build(image, options.builddir, options.cache)


def run_all(scenarios, options, tally, image, archive):
    waiting = queue.SimpleQueue()
    for scenario in scenarios:
        waiting.put(scenario)
    live = options.jobs == 1 or len(scenarios) == 1
    once_more = []

    def work():
        while True:
            try:
                scenario = waiting.get_nowait()
            except queue.Empty:
                return
            verdict = _run_one(scenario, options, image, archive, live)
            if options.second_try and verdict.is_failed():
                tally.tell(verdict)
                once_more.append((scenario, verdict))
            else:
                tally.add(verdict)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(options.jobs, len(scenarios)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        # With a timeout, so that the main thread notices signals meanwhile.
        while worker.is_alive():
            worker.join(0.5)
    # Alone, so that what failed for want of time does not again; what fails by the dozen did not for that.
    for scenario, first in once_more:
        again = _run_one(scenario, options, image, archive, live) if len(once_more) <= SECOND_TRIES else None
        tally.add(again or first, first if again else None)


def _run_one(scenario, options, image, archive, live):
    report = Report(live)
    guest = None
    more = []
    report.did(f"{scenario.number} {scenario.name}: {scenario.title}")
    try:
        if scenario.whole_system or scenario.packaged:
            whole = system.archive(image, options, scenario.packaged)
            guest = system.SystemGuest(image, whole, hard_limit=scenario.limit, **scenario.machine)
        else:
            guest = Guest(image, archive, hard_limit=scenario.limit, **scenario.machine)
        report.saw(f"Linux {image.version} is up after {guest.boot_seconds:.1f} s")
        scenario.play(guest, report)
        _expect_sane_kernel(guest)
        outcome, why = "passed", ""
    except Skipped as error:
        outcome, why = "skipped", str(error)
    except Exception as error:                  # pylint: disable=broad-except  # one broken scenario is one failure
        outcome, why = "failed", str(error) or type(error).__name__
        if not isinstance(error, (Failed, GuestError, qemu.QemuError)):
            more += traceback.format_exc().splitlines()
        more += _evidence(guest)
    finally:
        if guest:
            if options.keep_logs:
                _keep_console(options.keep_logs, scenario, guest)
            guest.stop()
    return Verdict(f"{scenario.number} - {scenario.name}", outcome, why, report.lines(), more)


def _expect_sane_kernel(guest):
    trouble = guest.trouble()
    if trouble:
        raise Failed(f"the kernel complained: {trouble[0]}")


def _evidence(guest):
    """What memhpd and the kernel said, for whoever has to find out why."""
    if not guest:
        return []
    lines = []
    if guest.qemu.is_running():
        for title, script in (("memhpd's log", guest.LOG_SCRIPT), ("kernel log", "dmesg | tail -n 25")):
            try:
                _, out = guest.run(script, 10)
            except (GuestError, qemu.QemuError):
                break
            lines += [f"-- {title}"] + out.splitlines()[-40:]
    return lines + ["-- console"] + guest.qemu.console().splitlines()[-25:]


def _keep_console(folder, scenario, guest):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{scenario.number:02}-{scenario.name}.console"), "w", encoding="utf-8") as f:
        f.write(guest.qemu.console())
