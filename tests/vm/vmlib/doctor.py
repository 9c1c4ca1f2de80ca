# SPDX-License-Identifier: LGPL-2.1-or-later
"""memhpctl doctor in the guest: what it finds, and nothing but that."""

import json

from .guest import GuestError
from .report import Failed


def diagnose(guest, through=""):
    """(exit status, findings, checks that were left out), as root or through another program."""
    status, out = guest.run(f"{through} {guest.ctl_command('--json doctor')} 2>/tmp/doctor.err")
    try:
        answer = json.loads(out)
    except ValueError as error:
        raise GuestError(f"doctor ended with {status} and said {out[:300]!r} {guest.run('cat /tmp/doctor.err')[1]!r}") from error
    if (status == 1) != (answer["errors"] > 0) or status not in (0, 1):
        raise Failed(f"doctor ended with {status}, and found {answer['errors']} errors")
    return status, answer["findings"], [s["check"] for s in answer["skipped"]]


def places(finding):
    return [e["file"] + (f":{e['line']}" if e["line"] else "") for e in finding["evidence"]]


def expect(guest, report, when, *wanted, through=""):
    """Exactly these: (kind, severity), and maybe a place that is among the evidence. The findings, in that order."""
    _, findings, _ = diagnose(guest, through)
    seen = [(f["kind"], f["severity"]) for f in findings]
    report.expect_equal(f"doctor, {when}", sorted(seen), sorted(w[:2] for w in wanted))
    found = []
    for kind, severity, *place in wanted:
        finding = next(f for f in findings if (f["kind"], f["severity"]) == (kind, severity) and
                       (not place or place[0] in places(f)))
        found.append(finding)
        report.quote(f"{severity}: {finding['summary']} [{', '.join(places(finding))}]")
        if not finding["fix"] or not finding["consequence"]:
            raise Failed(f"no fix or no consequence: {finding}")
    return found
