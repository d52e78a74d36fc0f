"""Effects by their business keys: one charge a day, one holder a seat, one place for whom a group is to take.

Each is there once: neither again, nor not at all once its time has come.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from tests.faults.evidence import Evidence
from tests.faults.timers import SETTLES, day_close
from tests.faults.values import derive, facts, instant, subject_of

INITIAL = "initial"


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


def decided(evidence: Evidence) -> Iterator[str]:
    """A day of service that is over is captured, held or voided."""
    decisions = ("ChargeHeld", "ChargeCaptured", "ChargeVoided")
    found = {event["stream"] for event, _, _ in facts(evidence, "billing", *decisions)}
    closes: dict[str, datetime] = {}
    for event, _, fact in facts(evidence, "billing", "AttendanceCounted"):
        close = day_close(instant(fact["ended_at"]))
        closes[event["stream"]] = max(close, closes.get(event["stream"], close))
    for charge, close in closes.items():
        if close <= instant(evidence.now) and charge not in found:
            yield f"{charge} closed at {close.isoformat()} and is neither captured nor held"


def attendance(evidence: Evidence) -> Iterator[str]:
    """Billing counts each attendance that scheduling recorded, once; of one that was corrected, either."""
    kinds, corrected = ("SessionAttended", "SessionPartiallyAttended"), set[tuple[str, str]]()
    for _, _, fact in facts(evidence, "scheduling", "AttendanceCorrected"):
        corrected.add((fact["session"], fact["patient"]))
    recorded = {
        event["id"]
        for event, _, fact in facts(evidence, "scheduling", *kinds)
        if (fact["session"], fact["patient"]) not in corrected
    }
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
            if held[group].pop(fact["enrollment"], None) != fact["seat"]:
                yield f"{group} seat {fact['seat']} is released by who does not hold it"
        else:
            if fact["enrollment"] in held[group] or fact["seat"] in held[group].values():
                yield f"{group} seat {fact['seat']} is taken twice"
            if fact["seat"] > capacity.get(group, 0):
                yield f"{group} has no seat {fact['seat']}"
            held[group][fact["enrollment"]] = fact["seat"]


def placements(evidence: Evidence) -> Iterator[str]:
    """Each admission leads to one placement, one coverage, and one request where the payer wants one.

    A track without groups places nobody, and says so; requests of reviews come besides the first one.
    """
    admitted, due = {}, instant(evidence.now) - SETTLES
    for event, _, fact in facts(evidence, "intake", "PatientAdmitted"):
        admitted[fact["episode"]] = instant(event["recorded_at"]), fact["payer"]
    terms = facts(evidence, "billing", "ContractAgreed")
    asked = {fact["payer"] for _, _, fact in terms if fact["requires_auth"]}
    wants = {episode for episode, (_, payer) in admitted.items() if payer in asked}
    placed = ("GroupEnrollmentRequested", "EnrollmentRejected")
    led = (
        ("scheduling", placed, {id for id, (at, _) in admitted.items() if at <= due}),
        ("billing", ("CoverageRegistered",), admitted.keys()),
        ("billing", ("AuthorizationRequested",), wants),
    )
    for service, (kind, *others), expected in led:
        found = Counter(
            fact["episode"]
            for _, _, fact in facts(evidence, service, kind, *others)
            if fact.get("review", INITIAL) == INITIAL
        )
        for episode in sorted(expected | found.keys()):
            if (found[episode] != 1 and episode in expected) or episode not in admitted:
                yield f"episode {episode} has {found[episode]} of {kind}"


def places(evidence: Evidence) -> Iterator[str]:
    """Who is placed has a seat or a place in line of each group, and nobody waits beside a free seat."""
    taken = facts(evidence, "scheduling", "PatientEnrolledInGroup", "WaitlistEntryAdded")
    found = Counter((kind, fact["enrollment"]) for _, kind, fact in taken)
    for (kind, enrollment), count in found.items():
        if count > 1:
            yield f"enrollment {enrollment} has {count} of {kind}"
    had = {enrollment for _, enrollment in found}
    for _, _, fact in facts(evidence, "scheduling", "GroupEnrollmentRequested"):
        for group in fact["groups"]:
            if derive("enrollment", fact["episode"], group) not in had:
                yield f"episode {fact['episode']} has neither a seat nor a place in line of group {group}"
    yield from _ended(evidence)
    yield from _lines(evidence)


def _ended(evidence: Evidence) -> Iterator[str]:
    """Who was placed and is discharged gives up the place, once."""
    due = instant(evidence.now) - SETTLES
    placed = {fact["episode"] for _, _, fact in facts(evidence, "scheduling", "GroupEnrollmentRequested")}
    ended = Counter(subject_of(event) for event, _, _ in facts(evidence, "scheduling", "PlacementEnded"))
    for event, _, _ in facts(evidence, "intake", "PatientDischarged"):
        episode = subject_of(event)
        if episode in placed and instant(event["recorded_at"]) <= due and ended[episode] != 1:
            yield f"episode {episode} is discharged, and its placement ended {ended[episode]} times"


def _lines(evidence: Evidence) -> Iterator[str]:
    capacity, held, waiting = (
        dict[str, int](),
        defaultdict[str, set[str]](set),
        defaultdict[str, set[str]](set),
    )
    kinds = ("GroupSeriesScheduled", "SeatTaken", "SeatReleased", "WaitlistJoined", "WaitlistLeft")
    for event, kind, fact in facts(evidence, "scheduling", *kinds):
        group = event["stream"]
        if kind == "GroupSeriesScheduled":
            capacity[group] = fact["capacity"]
            continue
        seats = held[group] if kind.startswith("Seat") else waiting[group]
        (seats.add if kind in ("SeatTaken", "WaitlistJoined") else seats.discard)(fact["enrollment"])
        if kind == "SeatTaken":
            waiting[group].discard(fact["enrollment"])
    for group, line in waiting.items():
        if line and len(held[group]) < capacity.get(group, 0):
            yield f"{group}: {len(line)} wait, and {len(held[group])} of {capacity[group]} seats are taken"


def outside(evidence: Evidence) -> Iterator[str]:
    """What the payer is to get lies in its folder: requests, claims, appeals; or it failed on record."""
    names, failed = set(evidence.exchanged), set()
    for _, _, fact in facts(evidence, "billing", "ExchangeFailed"):
        failed.add(fact["about"])
    for _, _, fact in facts(evidence, "billing", "AuthorizationRequested"):
        if f"auth-{fact['authorization']}.json" not in names and fact["authorization"] not in failed:
            yield f"authorization {fact['authorization']} was asked for, and nothing reached the payer"
    for _, _, fact in facts(evidence, "billing", "AppealFiled"):
        if f"appeal-{fact['appeal']}.json" not in names:
            yield f"appeal {fact['appeal']} did not reach the payer"
    submitted = Counter(
        (fact["batch"], fact["claim"]) for _, _, fact in facts(evidence, "billing", "ClaimSubmitted")
    )
    for _, _, fact in facts(evidence, "billing", "ClaimBatchCut"):
        sent = [claim for claim in fact["claims"] if claim not in failed]
        if sent and f"{fact['interchange']:09d}-{fact['batch']}.837" not in names:
            yield f"batch {fact['batch']} did not reach the payer"
        for claim in sent:
            if (times := submitted[fact["batch"], claim]) != 1:
                yield f"claim {claim} of batch {fact['batch']} is submitted {times} times"
