# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls at random (fuzz.py), first of people without privileges, then of root, too. MEMHP_FUZZ_SEED repeats a run, MEMHP_FUZZ_SECONDS is
how long each of the two takes; MEMHP_FULL=1 makes it five minutes."""

import os
import random
import time

from .fuzz import CHANGES, Fuzzer, usage
from .rig import NOBODY, OTHER
from .wire import Client, Failure

SETUP = "boot 0-31 0; dimm PNP0C80:01 32-63 1; kmem dax0.0 64-71 2; virtio-mem virtio0 72-75 1"
POLICY = """version = 1; reconcile = "off";
rules = ( { name = "pmem"; match = { source = [ "pmem" ]; }; action = "leave_offline"; },
          { name = "all"; match = { }; action = "online_movable"; } );
"""
MIB = 1 << 20
WARM = 300              # steps, after which what is kept for later is there
GROWTH = 48 * MIB
PING = 30               # seconds; far more than the dearest call takes


def seconds():
    return float(os.environ.get("MEMHP_FUZZ_SECONDS") or (300 if os.environ.get("MEMHP_FULL") else 4))


def first_seed():
    return int(os.environ.get("MEMHP_FUZZ_SEED") or random.SystemRandom().getrandbits(32))


def tree(memhpd):
    """The machine: what each of its files holds, but what the daemon keeps for itself."""
    found = {}
    for folder, _, names in os.walk(memhpd.root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and not path.endswith(("/run/memhpd/state", "/run/memhpd/history")):
                with open(path, "rb") as f:
                    found[path] = f.read()
    return found


def what_is_set(root):
    """All that calls can change and that is not in files."""
    manager = root.properties("/org/memhp1", "Manager")
    return manager["Holds"], manager["Rules"], root.manager("ListJobs")[0]


def pound(checks, memhpd, fuzzer, root, uids):
    """For a while; the daemon has to live, and to have taken nothing for it."""
    end = time.monotonic() + seconds()
    steps, before = 0, None
    while time.monotonic() < end or steps <= WARM:
        fuzzer.step(uids)
        steps += 1
        if steps == WARM:
            before = usage(memhpd)
    fuzzer.close()
    begun = time.monotonic()
    root.call("org.memhp1", "/org/memhp1", "org.freedesktop.DBus.Peer", "Ping")
    checks.expect(time.monotonic() - begun < PING, "then it answers at once", time.monotonic() - begun)
    after = usage(memhpd)
    checks.expect(after.sanitized or after.resident < before.resident + GROWTH, "it has not grown", (before, after))
    checks.expect(after.descriptors <= before.descriptors, "it has no more descriptors", (before, after))
    checks.equal("it is alive", memhpd.process.process.poll(), None)


def case_fuzz(checks, rig):
    rig.start_bus()
    rig.start_polkitd()
    memhpd = rig.start_memhpd(policy=POLICY, setup=SETUP)
    rig.wait_for_name("org.memhp1")
    memhpd.until("zone 75", "Movable")
    memhpd.process.wait_for("4 blocks 72-75")
    root = Client(rig)
    job = root.manager("Online", "ssa{sv}", ["33", "", {}])[1]      # there is one to look at
    root.until(lambda: root.properties(job, "Job")["State"] == "done", "the end of the job")
    seed = first_seed()
    print(f"# MEMHP_FUZZ_SEED={seed}", flush=True)
    machine, before = tree(memhpd), (what_is_set(root), memhpd.do("writes"))
    fuzzer = Fuzzer(rig, seed)
    pound(checks, memhpd, fuzzer, root, [NOBODY, OTHER])
    now = tree(memhpd)
    checks.equal(f"seed {seed}: who has no privileges has changed no file", [path for path in {**machine, **now} if machine.get(path) != now.get(path)], [])
    checks.equal("… and nothing else, nor written any state", (what_is_set(root), memhpd.do("writes")), before)
    checks.equal("every method was called", sorted(set(fuzzer.target.methods) - fuzzer.seen), [])
    calls = fuzzer.calls

    fuzzer = Fuzzer(rig, seed + 1)
    pound(checks, memhpd, fuzzer, root, [0, 0, NOBODY, OTHER])
    checks.expect(fuzzer.seen >= {("org.memhp1.Manager", m) for m in CHANGES - {"Cancel"}}, "root has called what changes things", fuzzer.seen)
    checks.expect(calls > 300 and fuzzer.calls > 300, f"{calls} calls without privileges, {fuzzer.calls} with them")
    # What root has asked for is undone, and then the daemon does its work as ever.
    root.manager("Release", "u", [0])
    for job in root.manager("ListJobs")[0]:
        try:
            root.call("org.memhp1", f"/org/memhp1/job/{job['job']}", "org.memhp1.Job", "Cancel")
        except Failure:
            pass        # it was over
    memhpd.do("dimm PNP0C80:02 200-203 1")
    memhpd.until("zone 203", "Movable")
    checks.expect(True, "new memory is brought online as ever")
