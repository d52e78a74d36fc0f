"""Messages: each asked for once, released and sent once, and mailed to whom it is for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.faults.evidence import SERVICES, Evidence, Row
from tests.faults.values import command_of, facts, subject_of

IN_HAND_MAX = 8
"""So many mails a process has under way at once: one that dies, or is cut off, may send each again."""

LATE_S = 2.0
"""In which what a fault did to a process that mails shows in the mailbox, behind the fault's own time."""


def messages(evidence: Evidence) -> Iterator[str]:
    """A message is asked for once by what it is about, released and sent once; each mail is of a message."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    for _, _, fact in facts(evidence, "notifications", "MessageRequested"):
        wanted[fact["patient"], fact["template"], fact["about"]] += 1
    for (patient, template, about), count in wanted.items():
        if count > 1:
            yield f"{count} messages {template} to {patient} about {about}"
    admitted = {(f["patient"], f["episode"]) for _, _, f in facts(evidence, "intake", "PatientAdmitted")}
    welcomed = {(patient, about) for patient, template, about in wanted if template == "welcome"}
    for patient, episode in admitted - welcomed:
        yield f"no welcome to {patient} about {episode}"
    yield from _mails(evidence)


def _mails(evidence: Evidence) -> Iterator[str]:
    released: dict[str, set[int]] = defaultdict(set)
    for _, kind, fact in facts(evidence, "notifications", "MessageReleased", "StaffNoticeReleased"):
        subject = fact["message" if kind == "MessageReleased" else "notice"]
        if fact["attempt"] in released[subject]:
            yield f"{kind} of {subject}, attempt {fact['attempt']}, is there twice"
        released[subject].add(fact["attempt"])
    sent = Counter(
        subject_of(event)
        for event, _, _ in facts(evidence, "notifications", "MessageSent", "StaffNoticeSent")
    )
    for _, stream in sorted(_in_hand(evidence)):
        yield f"{stream} is released, and nothing came of it"
    came: dict[str, list[Row]] = defaultdict(list)
    for mail in sorted(evidence.mails, key=lambda one: one["came"]):
        came[mail["id"].strip("<>").partition("@")[0]].append(mail)
    mailed = came.keys()
    yield from _again(evidence, came, released)
    yield from _recipients(evidence, came)
    for subject, count in sent.items():
        if count > 1:
            yield f"{subject} is sent {count} times"
        if subject not in mailed:
            yield f"{subject} is sent, but no mail came"
    for subject in mailed - released.keys():
        yield f"a mail {subject} came that nobody released"


def _again(evidence: Evidence, came: dict[str, list[Row]], released: dict[str, set[int]]) -> Iterator[str]:
    """A mail may come again, under the same id, only where a fault struck between it and the note of it."""
    blamed: Counter[int] = Counter()
    faults = [one for one in evidence.faults if may_repeat(one)]
    for subject, mails in came.items():
        for before, mail in list(pairwise(mails))[max(len(released.get(subject, ())), 1) - 1 :]:
            causes = (
                number
                for number, fault in enumerate(faults)
                if fault["began"] <= mail["came"]
                and before["came"] <= fault["ended"] + LATE_S
                and blamed[number] < IN_HAND_MAX
            )
            cause = next(causes, None)
            if cause is None:
                yield f"mail {subject} came {len(mails)} times, without a fault between"
                break
            blamed[cause] += 1


def may_repeat(fault: Row) -> bool:
    """Whether a fault concerns notifications, the mailbox, or what all stand on."""
    told, others = str(fault["told"]), (*(name for name in SERVICES if name != "notifications"), "payer")
    forged = any(f" in {name}" in told for name in SERVICES)  # a message on a topic
    return not told.startswith(others) and not forged


def _recipients(evidence: Evidence, came: dict[str, list[Row]]) -> Iterator[str]:
    """A patient's mail goes to the address that the history gave, staff's to one for each who has a task."""
    given, staff = _contacts(evidence), dict[str, set[str]]()
    patients = {fact["message"]: fact["patient"] for _, _, fact in facts(evidence, *REQUESTED)}
    assignees = {fact["notice"]: fact["assignee"] for _, _, fact in facts(evidence, *NOTICED)}
    known = {address for addresses in given.values() for address in addresses}
    for subject, mails in came.items():
        for mail in mails:
            if subject in patients and mail["to"] not in given.get(patients[subject], ()):
                yield f"mail {subject} went to another address than its patient's"
            elif subject in assignees:
                staff.setdefault(assignees[subject], set()).add(mail["to"])
    for assignee, addresses in staff.items():
        if len(addresses) > 1 or addresses & known:
            theirs = len(addresses & known)
            yield f"mails of {assignee} went to {len(addresses)} addresses, {theirs} of patients"


REQUESTED = ("notifications", "MessageRequested")
NOTICED = ("notifications", "StaffNoticeReleased")


def _contacts(evidence: Evidence) -> dict[str, set[str]]:
    """Addresses by patient: the history says an address, the referral that came of it says whose."""
    mails = {
        command_of(operation): (operation["body"] or {}).get("person", {}).get("contact", {}).get("email")
        for operation in evidence.history
        if operation["service"] == "intake" and not operation["reuse"]
    }
    found: dict[str, set[str]] = defaultdict(set)
    for event, _, fact in facts(evidence, "intake", "ReferralReceived"):
        if mails.get(event["command_id"]):
            found[fact["patient"]].add(mails[event["command_id"]])
    return found


def _in_hand(evidence: Evidence) -> set[tuple[int, str]]:
    """Streams whose last event is a release."""
    last = {event["stream"]: event for event in evidence.stores["notifications"]["events"]}
    released = (".MessageReleased", ".StaffNoticeReleased")
    return {(event["position"], stream) for stream, event in last.items() if event["type"].endswith(released)}
