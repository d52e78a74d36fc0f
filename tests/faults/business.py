"""Effects by their business keys: one charge a day, one holder a seat, one mail a message."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.evidence import Evidence, Row

UUID_CHARS = 36


def facts(evidence: Evidence, service: str, *kinds: str) -> list[tuple[Row, str, dict[str, Any]]]:
    """Events of these types, in order: the row, the type and the fields."""
    found = []
    for event in evidence.stores[service]["events"]:
        kind = event["type"].rpartition(".")[2]
        if kind in kinds:
            found.append((event, kind, dict(json.loads(event["body"]))))
    return found


def charges(evidence: Evidence) -> Iterator[str]:
    """One charge for an episode's day; it is captured again only after it was voided."""
    days: Counter[tuple[str, str]] = Counter()
    for _, _, fact in facts(evidence, "billing", "ChargeDayOpened"):
        days[fact["episode"], fact["service_date"]] += 1
    for (episode, day), count in days.items():
        if count > 1:
            yield f"episode {episode} has {count} charges for {day}"
    standing: set[str] = set()
    for event, kind, _ in facts(evidence, "billing", "ChargeCaptured", "ChargeVoided"):
        charge = event["stream"]
        if kind == "ChargeCaptured" and charge in standing:
            yield f"{charge} is captured twice"
        (standing.add if kind == "ChargeCaptured" else standing.discard)(charge)


def attendance(evidence: Evidence) -> Iterator[str]:
    """Billing counts each attendance that scheduling recorded, once."""
    kinds = ("SessionAttended", "SessionPartiallyAttended")
    recorded = {event["id"] for event, _, _ in facts(evidence, "scheduling", *kinds)}
    counted = Counter(fact["source_event"] for _, _, fact in facts(evidence, "billing", "AttendanceCounted"))
    for id, count in counted.items():
        if count > 1:
            yield f"attendance {id} is counted {count} times"
    for id in recorded - counted.keys():
        yield f"attendance {id} is not counted"
    sessions = Counter((f["session"], f["patient"]) for _, _, f in facts(evidence, "scheduling", *kinds))
    for (session, patient), count in sessions.items():
        if count > 1:
            yield f"session {session} has {count} attendances of {patient}"


def seats(evidence: Evidence) -> Iterator[str]:
    """A seat has one holder at a time, within the group's capacity, and a holder one seat."""
    held: dict[str, dict[str, int]] = defaultdict(dict)
    capacity: dict[str, int] = {}
    kinds = ("GroupSeriesScheduled", "SeatTaken", "SeatReleased")
    for event, kind, fact in facts(evidence, "scheduling", *kinds):
        group = event["stream"]
        if kind == "GroupSeriesScheduled":
            capacity[group] = fact["capacity"]
        elif kind == "SeatReleased":
            held[group].pop(fact["enrollment"], None)
        else:
            if fact["enrollment"] in held[group] or fact["seat"] in held[group].values():
                yield f"{group} seat {fact['seat']} is taken twice"
            if fact["seat"] > capacity.get(group, 0):
                yield f"{group} has no seat {fact['seat']}"
            held[group][fact["enrollment"]] = fact["seat"]


def placements(evidence: Evidence) -> Iterator[str]:
    """Each admission leads to one placement and one coverage."""
    admitted = {fact["episode"] for _, _, fact in facts(evidence, "intake", "PatientAdmitted")}
    led = (("scheduling", "GroupEnrollmentRequested"), ("billing", "CoverageRegistered"))
    for service, kind in led:
        found = Counter(fact["episode"] for _, _, fact in facts(evidence, service, kind))
        for episode in sorted(admitted | found.keys()):
            if found[episode] != 1 or episode not in admitted:
                yield f"episode {episode} has {found[episode]} of {kind}"


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
        event["stream"][-UUID_CHARS:]
        for event, _, _ in facts(evidence, "notifications", "MessageSent", "StaffNoticeSent")
    )
    for _, stream in sorted(_in_hand(evidence)):
        yield f"{stream} is released, and nothing came of it"
    mailed = {id.strip("<>").partition("@")[0] for id in evidence.mails}
    for subject, count in sent.items():
        if count > 1:
            yield f"{subject} is sent {count} times"
        if subject not in mailed:
            yield f"{subject} is sent, but no mail came"
    for subject in mailed - released.keys():
        yield f"a mail {subject} came that nobody released"


def _in_hand(evidence: Evidence) -> set[tuple[int, str]]:
    """Streams whose last event is a release."""
    last = {event["stream"]: event for event in evidence.stores["notifications"]["events"]}
    released = (".MessageReleased", ".StaffNoticeReleased")
    return {(event["position"], stream) for stream, event in last.items() if event["type"].endswith(released)}
