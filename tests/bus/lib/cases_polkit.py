# SPDX-License-Identifier: LGPL-2.1-or-later
"""src/daemon/polkit.c: who may call is asked, and nobody waits for the answer. The service is tests/polkit-probe.c."""

import signal

from .rig import Missing, OTHER, THIRD

ACTION = "org.memhp1.test."

RULES = """
polkit.addRule(function(action, subject) {
    if (action.id == "org.memhp1.set-state" && subject.user == "nobody")
        return polkit.Result.YES;
    if (action.id == "org.memhp1.inspect")
        return polkit.Result.NO;
});
"""


def _counts(rig):
    return tuple(rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Probe", "Counts").json["data"])


def case_real_polkit(checks, rig):
    rig.start_bus()
    rig.start_polkitd()
    rig.start_probe()
    checks.equal("nobody may look", rig.ask("org.memhp1.inspect"), "ok")
    for action in ("org.memhp1.set-state", "org.memhp1.manage-policy"):
        checks.equal(f"nobody needs an administrator for {action}", rig.ask(action), "ENOKEY")
        checks.equal(f"no agent, no {action}", rig.ask(action, interactive=True), "EACCES")
        checks.equal(f"root needs none for {action}", rig.ask(action, uid=0), "ok")
    checks.equal("an action that polkit does not know is denied", rig.ask("org.memhp1.nonsense"), "EACCES")
    checks.equal("… also for what only reads", rig.ask("org.memhp1.nonsense", without_polkit=True), "EACCES")


def case_real_polkit_with_rules(checks, rig):
    rig.start_bus()
    rig.start_polkitd(rules=RULES)
    rig.start_probe()
    checks.equal("a rule lets nobody set states", rig.ask("org.memhp1.set-state"), "ok")
    checks.equal("… but not another user", rig.ask("org.memhp1.set-state", uid=OTHER), "ENOKEY")
    checks.equal("… and not load a policy", rig.ask("org.memhp1.manage-policy"), "ENOKEY")
    checks.equal("a rule forbids nobody to look", rig.ask("org.memhp1.inspect", without_polkit=True), "EACCES")
    checks.equal("… also with a password", rig.ask("org.memhp1.inspect", interactive=True), "EACCES")
    checks.equal("… but not root", rig.ask("org.memhp1.inspect", uid=0), "ok")


def case_polkit_is_absent(checks, rig):
    rig.start_bus()
    rig.start_probe()
    for interactive in (False, True):
        checks.equal("denied", rig.ask(ACTION + "x", interactive=interactive), "EACCES")
        checks.equal("what only reads is allowed", rig.ask(ACTION + "x", without_polkit=True, interactive=interactive), "ok")
        checks.equal("root may", rig.ask(ACTION + "x", uid=0, interactive=interactive), "ok")


def case_polkit_cannot_be_started(checks, rig):
    """The bus knows how, but it fails."""
    rig.file("services/org.freedesktop.PolicyKit1.service",
             "[D-BUS Service]\nName=org.freedesktop.PolicyKit1\nExec=/bin/false\nUser=root\n")
    rig.start_bus()
    rig.start_probe()
    checks.equal("denied", rig.ask(ACTION + "x"), "EACCES")
    checks.equal("what only reads is allowed", rig.ask(ACTION + "x", without_polkit=True), "ok")


def case_answers(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    rig.start_probe()
    for answer, verdict in (("yes", "ok"), ("no", "EACCES"), ("challenge", "ENOKEY"), ("short", "EACCES"), ("long", "EACCES"),
                            ("flat", "EACCES"), ("text", "EACCES"), ("empty", "EACCES"), ("failed", "EACCES"),
                            ("forbidden", "EACCES"), ("unknown", "EACCES"), ("spawn", "EACCES"), ("masked", "EACCES")):
        checks.equal(f"{answer}: {verdict}", rig.ask(ACTION + answer), verdict)
        absent = answer in ("spawn", "masked")
        checks.equal(f"{answer}, for what only reads", rig.ask(ACTION + answer, without_polkit=True), "ok" if absent else verdict)
        checks.equal(f"{answer}, with interaction", rig.ask(ACTION + answer, interactive=True),
                     "EACCES" if answer == "challenge" else verdict)
        checks.equal(f"{answer}, to root", rig.ask(ACTION + answer, uid=0), "ok")
    stub.end()
    checks.expect(len([line for line in stub.said if line.startswith("check")]) == 39, "root is never asked about", stub.said)
    checks.equal("all calls were answered once", _counts(rig), (52, 52))


def case_question(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    rig.start_probe()
    caller = rig.callers(1, ACTION + "hang")
    checks.expect(stub.wait_for(rf"^check {ACTION}hang system-bus-name name (:\d+\.\d+) flags=0 id=$"),
                  "without interaction, and about the caller's name on the bus")
    caller.end(signal.SIGKILL)
    checks.equal("interaction only if the call allows it", rig.ask(ACTION + "yes", interactive=True), "ok")
    first = stub.wait_for(r"^check \S+ system-bus-name name :\S+ flags=1 id=(\S+)$").group(1)
    checks.equal("again", rig.ask(ACTION + "yes", interactive=True), "ok")
    second = stub.wait_for(r"^check \S+ system-bus-name name :\S+ flags=1 id=(\S+)$").group(1)
    checks.expect(first != second, "each dialog has an id of its own", f"{first} {second}")


def case_polkit_hangs(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    rig.start_probe(PROBE_TIMEOUT_USEC="300000")
    checks.equal("time is up", rig.ask(ACTION + "hang"), "ETIMEDOUT")
    checks.equal("… also for what only reads", rig.ask(ACTION + "hang", without_polkit=True), "ETIMEDOUT")
    checks.equal("root does not notice", rig.ask(ACTION + "hang", uid=0), "ok")
    checks.equal("time is up for a dialog, too", rig.ask(ACTION + "hang", interactive=True), "ETIMEDOUT")
    dialog = stub.wait_for(r"flags=1 id=(\S+)$").group(1)
    checks.equal("… which is taken back", stub.wait_for(r"^cancel id=(\S+)$").group(1), dialog)
    stub.kill(signal.SIGUSR1)
    stub.wait_for("^released$")
    checks.equal("late answers mean nothing", rig.ask(ACTION + "no"), "EACCES")
    checks.equal("every call was answered once", _counts(rig), (5, 5))


def case_polkit_is_killed(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    rig.start_probe()
    caller = rig.callers(3, ACTION + "hang", without_polkit=True)
    for _ in range(3):
        stub.wait_for("^check")
    stub.end(signal.SIGKILL)
    caller.wait_for("^ready$")
    checks.equal("who was waiting is told", caller.rest(), ["ETIMEDOUT"] * 3)
    checks.equal("now it is absent", rig.ask(ACTION + "hang", without_polkit=True), "ok")


def case_caller_leaves(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    rig.start_probe()
    for interactive in (False, True):
        caller = rig.callers(5, ACTION + "hang", interactive=interactive)
        dialogs = {stub.wait_for(r"^check \S+hang .*id=(\S*)$").group(1) for _ in range(5)}
        stays = rig.callers(1, ACTION + "hang", interactive=interactive)
        dialog = stub.wait_for(r"^check \S+hang .*id=(\S*)$").group(1)
        caller.end(signal.SIGKILL)
        if interactive:
            checks.equal("its dialogs are taken back", {stub.wait_for(r"^cancel id=(\S+)$").group(1) for _ in range(5)}, dialogs)
        before = _counts(rig)
        stub.kill(signal.SIGUSR1)
        stays.wait_for("^ok$")
        checks.equal("the one who stays is answered, those who left are not", _counts(rig), (before[0], before[1] + 1))
        if interactive:
            checks.expect(f"cancel id={dialog}" not in stub.said, "a dialog that was answered is not taken back", stub.said)


def case_caps(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    probe = rig.start_probe()
    one = rig.callers(20, ACTION + "hang")
    checks.equal("8 of one sender wait, the others are refused", [one.wait_for("^E.*$").group(0) for _ in range(12)],
                 ["EBUSY"] * 12)
    for _ in range(8):
        stub.wait_for("^check")
    more = [rig.callers(8, ACTION + "hang") for _ in range(3)]
    for _ in range(24):
        stub.wait_for("^check")
    checks.equal("32 of one user wait, by whichever sender", rig.ask(ACTION + "yes"), "EBUSY")
    checks.equal("another user is not kept out", rig.ask(ACTION + "yes", uid=OTHER), "ok")
    stub.wait_for("^check")
    more += [rig.callers(8, ACTION + "hang", uid=OTHER) for _ in range(4)]
    for _ in range(32):
        stub.wait_for("^check")
    checks.equal("64 wait in all", rig.ask(ACTION + "yes", uid=THIRD), "EBUSY")
    checks.equal("root does not wait", rig.ask(ACTION + "yes", uid=0), "ok")
    taken, handled = _counts(rig)
    checks.equal("64 are still to be answered", taken - handled, 64)
    more[0].end(signal.SIGKILL)
    probe_waits = [rig.callers(8, ACTION + "hang")]
    for _ in range(8):
        stub.wait_for("^check")
    checks.expect(True, "those who leave make room")
    checks.equal("… for as many as left", rig.ask(ACTION + "yes"), "EBUSY")
    stub.kill(signal.SIGUSR1)
    for caller in [one] + more[1:] + probe_waits:
        checks.equal("at last all are answered", [line for line in caller.rest() if line != "ready"], ["ok"] * 8)
    checks.equal("there is room again", rig.ask(ACTION + "yes"), "ok")
    checks.equal("the probe is there", probe.process.poll(), None)


def case_flood(checks, rig):
    rig.start_bus()
    rig.start_stub()
    rig.start_probe()
    callers = [rig.callers(100, ACTION + "yes", interactive=i % 2 == 1) for i in range(10)]
    for i in range(5):
        checks.equal(f"root is served ({i + 1})", rig.ask(ACTION + "no", uid=0), "ok")
    for caller in callers:
        caller.rest()
    said = [line for caller in callers for line in caller.said if line != "ready"]
    checks.equal("every call is answered, one way or the other", (len(said), set(said) - {"ok", "EBUSY"}), (1000, set()))
    checks.expect(said.count("ok") >= 32, "as many are served as one user may have at once", said.count("ok"))
    checks.equal("afterwards nobody is refused", rig.ask(ACTION + "yes"), "ok")
    taken, handled = _counts(rig)
    checks.equal("nothing is left over", taken, handled)


def case_bus_hangs(checks, rig):
    """Calls have arrived, and the bus does not answer who has sent them. Whoever waits for it would do so 8 times."""
    rig.start_bus()
    rig.start_stub()
    probe = rig.start_probe()
    probe.kill(signal.SIGSTOP)
    caller = rig.callers(8, ACTION + "yes")
    caller.wait_for("^ready$")
    rig.bus.kill(signal.SIGSTOP)
    probe.kill(signal.SIGCONT)
    checks.expect(all(probe.wait_for("^taken$") for _ in range(8)), "all are taken meanwhile")
    rig.bus.kill(signal.SIGCONT)
    checks.equal("all are answered afterwards", caller.rest(), ["ok"] * 8)


def case_bus_goes_away(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    probe = rig.start_probe()
    caller = rig.callers(8, ACTION + "hang", interactive=True)
    for _ in range(8):
        stub.wait_for("^check")
    rig.bus.end(signal.SIGKILL)
    caller.rest()
    for _ in range(8):
        probe.wait_for("^verdict ETIMEDOUT$")
    checks.equal("nobody is allowed anything", [line for line in probe.said if line.startswith("verdict")],
                 ["verdict ETIMEDOUT"] * 8)


def case_nothing_is_watched_in_vain(checks, rig):
    """Other people's comings and goings do not wake up a daemon of whom nobody wants anything."""
    rig.start_bus()
    rig.start_stub()
    probe = rig.start_probe()

    def matches():
        answer = rig.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Debug.Stats",
                          "GetAllMatchRules")
        if answer.status:
            raise Missing("this dbus-daemon does not tell who watches what")
        return sum(len(rules) for rules in answer.json["data"][0].values())

    checks.equal("nothing at the start", matches(), 0)
    caller = rig.callers(1, ACTION + "hang")
    caller.wait_for("^ready$")
    rig.ask(ACTION + "yes")
    checks.equal("one thing while somebody waits", matches(), 1)
    caller.end(signal.SIGKILL)
    rig.ask(ACTION + "yes")
    checks.equal("nothing afterwards", matches(), 0)
    checks.equal("the probe is there", probe.process.poll(), None)


def case_ends_while_somebody_waits(checks, rig):
    rig.start_bus()
    stub = rig.start_stub()
    probe = rig.start_probe()
    caller = rig.callers(8, ACTION + "hang", interactive=True)
    dialogs = {stub.wait_for(r"^check \S+hang .*id=(\S+)$").group(1) for _ in range(8)}
    status = probe.end()
    checks.expect(status == 0, "ends well (no leak, under the sanitizers)", "\n".join(probe.said))
    checks.equal("takes its dialogs back", {stub.wait_for(r"^cancel id=(\S+)$").group(1) for _ in range(8)}, dialogs)
    checks.expect(not [line for line in probe.said if line.startswith("verdict")], "and answers nobody", probe.said)
    checks.equal("the callers learn it from the bus", set(caller.rest()) - {"ready"}, {"org.freedesktop.DBus.Error.NoReply"})
