# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files for the bus and for polkit, as those read them whom they are for."""

import re

from .rig import Missing, NOBODY, shipped

DEFAULTS = {"org.memhp1.inspect": "yes", "org.memhp1.set-state": "auth_admin", "org.memhp1.manage-policy": "auth_admin"}


def _actions(rig):
    """{action: {what pkaction says of it}}"""
    result = rig.run("pkaction", "--verbose")
    if result.status == 127:
        raise Missing("pkaction is not there (package polkitd)")
    actions = {}
    for part in re.split(r"^(?=\S)", result.out, flags=re.MULTILINE):
        lines = part.strip().splitlines()
        if lines:
            actions[lines[0].rstrip(":")] = dict(re.split(r":\s*", line.strip(), maxsplit=1) for line in lines[1:])
    return actions


def _judge(actions):
    """What is wrong with them; it is what the test of broken files relies on, too."""
    wrong = [f"{name} is not there" for name in DEFAULTS if name not in actions]
    wrong += [f"{name} is one too many" for name in actions if name not in DEFAULTS]
    for name, default in DEFAULTS.items():
        action = actions.get(name, {})
        wrong += [f"{name}: {key} is {action.get(key)}" for key in ("implicit any", "implicit inactive", "implicit active")
                  if action and action.get(key) != default]
        wrong += [f"{name}: no {key}" for key in ("description", "message") if action and len(action.get(key, "")) < 20]
    return wrong


def case_policy_by_polkitd(checks, rig):
    rig.start_bus()
    rig.start_polkitd()
    checks.equal("three actions with the right defaults, and texts for people", _judge(_actions(rig)), [])


def _broken(change):
    def case(checks, rig):
        text = shipped("org.memhp1.policy")
        assert change(text) != text
        rig.start_bus()
        rig.start_polkitd(actions={"org.memhp1.policy": change(text)})
        wrong = _judge(_actions(rig))
        checks.expect(wrong, "is noticed")
    return case


case_policy_cut_short = _broken(lambda text: text[:len(text) // 2])
case_policy_with_a_wrong_word = _broken(lambda text: text.replace("<allow_any>auth_admin<", "<allow_any>administrator<", 1))
case_policy_with_another_default = _broken(lambda text: text.replace("<allow_active>auth_admin<", "<allow_active>yes<", 1))
case_policy_with_one_less = _broken(lambda text: re.sub(r"<action id=.org.memhp1.set-state.>.*?</action>", "", text,
                                                        flags=re.DOTALL))


def _request_name(rig, uid):
    return rig.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName", "su", "org.memhp1", "0", uid=uid)


def case_bus_policy(checks, rig):
    rig.start_bus()
    refused = _request_name(rig, NOBODY)
    checks.expect(refused.status != 0, "nobody cannot own the name", refused)
    checks.has("… because of the policy", refused.err, "Access denied")
    checks.equal("root can", _request_name(rig, 0).status, 0)
    rig.start_probe()
    for uid in (0, NOBODY):
        tree = rig.busctl("introspect", "org.memhp1", "/org/memhp1", uid=uid)
        checks.expect(tree.status == 0 and "org.memhp1.Probe" in tree.out, f"uid {uid} may introspect", tree)
        for interface in ("Manager", "Block", "Device", "Node", "Job"):
            answer = rig.call("org.memhp1", "/org/memhp1", f"org.memhp1.{interface}", "Nonsense", uid=uid)
            checks.expect(answer.status != 0 and "Unknown" in answer.err, f"a call of uid {uid} of {interface} arrives", answer)
        answer = rig.call("org.memhp1", "/org/memhp1", "org.freedesktop.DBus.Peer", "Ping", uid=uid)
        checks.expect(answer.status == 0, f"uid {uid} may ping", answer)
        answer = rig.call("org.memhp1", "/org/memhp1", "org.freedesktop.DBus.Properties", "GetAll", "s", "org.memhp1.Probe",
                          uid=uid)
        checks.expect(answer.status == 0, f"uid {uid} may read properties", answer)
        answer = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Other", "Nonsense", uid=uid)
        checks.expect(answer.status != 0 and "Access" in answer.err, f"a call of uid {uid} of another interface does not",
                      answer)


def case_bus_policy_is_needed(checks, rig):
    """What the test above sees is the file's doing."""
    rig.file("system.d/org.memhp1.conf", "<busconfig/>")
    rig.start_bus()
    checks.expect(_request_name(rig, 0).status != 0, "without it not even root can own the name")


def case_activation(checks, rig):
    """No systemd is on this bus: the real one is met in the virtual machine."""
    rig.file("services/org.memhp1.service", shipped("org.memhp1.service"))
    rig.start_bus()
    names = rig.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ListActivatableNames").json["data"][0]
    checks.expect("org.memhp1" in names, "the bus knows whom to start for the name", names)
    answer = rig.call("org.memhp1", "/org/memhp1", "org.memhp1.Manager", "GetStatus", uid=NOBODY)
    checks.expect(answer.status != 0, "the program itself is never started by the bus", answer)
    checks.equal("the unit is ours", re.findall(r"^SystemdService=(.*)$", shipped("org.memhp1.service"), re.MULTILINE),
                 ["memhpd.service"])
