"""Keys that are unique within a scope are held by whom the streams name; what is sent twice is there once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.evidence import Evidence, Row
from tests.faults.values import command_of, facts, fields_of, type_of

Held = tuple[str, str, str]
"""A scope, a key, and who holds it."""

SCOPES: dict[str, tuple[str, ...]] = {
    "intake": ("person", "referral", "referral/patient"),
    "billing": ("claim-number", "appeal", "remittance-trace"),
}
"""What services reserve. Of the key of a person, a number or a trace the evidence does not know the text."""


def held(evidence: Evidence) -> Iterator[str]:
    """A key that its stream should hold and does not, or that somebody holds whose stream does not say so."""
    for name, store in evidence.stores.items():
        for row in store["reservations"]:
            if row["scope"] not in SCOPES.get(name, ()):
                yield f"{name} holds {row['scope']} {row['key']}, which nobody knows"
    yield from _differences("intake", _owners(evidence, "person"), _persons(evidence))
    for scope, place in (("referral", 0), ("referral/patient", 1)):
        expected = Counter(pair[place] for pair in _numbered(evidence))
        yield from _differences(f"intake {scope}", _owners(evidence, scope), expected)
    yield from _pairs(evidence)
    yield from _named(evidence)
    yield from _traces(evidence)


def _rows(evidence: Evidence, service: str, scope: str) -> list[Row]:
    return [row for row in evidence.stores[service]["reservations"] if row["scope"] == scope]


def _owners(evidence: Evidence, scope: str) -> Counter[str]:
    return Counter(row["owner"] for row in _rows(evidence, "intake", scope))


def _differences(what: str, found: Counter[str], expected: Counter[str]) -> Iterator[str]:
    for owner in sorted(found.keys() | expected.keys()):
        if found[owner] != expected[owner]:
            yield f"{what} {owner} holds {found[owner]} keys, expected {expected[owner]}"


def _persons(evidence: Evidence) -> Counter[str]:
    """Who is registered with a birth date: others are matched by nobody."""
    registered = facts(evidence, "intake", "PersonRegistered")
    return Counter(fact["patient"] for _, _, fact in registered if fact["birth_date"])


def _numbered(evidence: Evidence) -> list[tuple[str, str]]:
    """Referrals that came with their sender's number, and whom they are of."""
    received = facts(evidence, "intake", "ReferralReceived")
    return [(fact["referral"], fact["patient"]) for _, _, fact in received if fact["external_id"]]


def _pairs(evidence: Evidence) -> Iterator[str]:
    """The key of a number holds a referral and the patient whom that is of."""
    patients = {row["key"]: row["owner"] for row in _rows(evidence, "intake", "referral/patient")}
    whose = dict(_numbered(evidence))
    for row in _rows(evidence, "intake", "referral"):
        if patients.get(row["key"]) != whose.get(row["owner"]):
            yield f"intake referral {row['owner']} and the patient of its number do not fit"


def _named(evidence: Evidence) -> Iterator[str]:
    """Numbers of claims, and appeals: the events say them."""
    expected: set[Held] = set()
    for _, _, fact in facts(evidence, "billing", "ClaimCreated"):
        expected.add(("claim-number", fact["number"], fact["claim"]))
    for _, _, fact in facts(evidence, "billing", "AppealFiled"):
        expected.add(("appeal", fact["appeal"], fact["denial"]))
    found = {
        (scope, row["key"], row["owner"])
        for scope in ("claim-number", "appeal")
        for row in _rows(evidence, "billing", scope)
    }
    for scope, key, owner in sorted(found ^ expected):
        told = "holds" if (scope, key, owner) in found else "does not hold"
        yield f"billing {owner} {told} {scope} {key}"


def _traces(evidence: Evidence) -> Iterator[str]:
    """A payer's trace number is posted once, and held."""
    received = facts(evidence, "billing", "RemittanceReceived")
    traces = Counter((fact["payer"], fact["trace"]) for _, _, fact in received)
    for (payer, trace), count in traces.items():
        if count > 1:
            yield f"trace {trace} of {payer} is posted {count} times"
    if (kept := len(_rows(evidence, "billing", "remittance-trace"))) != len(traces):
        yield f"billing holds {kept} traces of {len(traces)}"


Person = tuple[str, str, str]


def person_of(operation: Row) -> Person | None:
    """Whom a referral names; None where it is none, or names nobody."""
    if (operation["service"], operation["path"]) != ("intake", "/referrals") or operation["reuse"]:
        return None
    person: dict[str, Any] = operation["body"].get("person", {})
    found = tuple(person.get(part) for part in ("family", "given", "birth_date"))
    return found if all(found) else None  # type: ignore[return-value]


def registered(evidence: Evidence) -> Iterator[str]:
    """A person is one patient under however many keys they are sent, and one sender's number one referral."""
    received = {
        event["command_id"]: fields_of(event)
        for event in evidence.stores["intake"]["events"]
        if type_of(event) == "ReferralReceived"
    }
    patients, persons = defaultdict[Person, set[str]](set), defaultdict[str, set[Person]](set)
    referrals = defaultdict[tuple[Any, ...], set[str]](set)
    for operation in evidence.history:
        if (person := person_of(operation)) is None:
            continue
        found = [fact for fact in (received.get(command_of(operation)), operation["answer"]) if fact]
        for fact in found:
            patients[person].add(fact["patient"])
            persons[fact["patient"]].add(person)
            if number := operation["body"].get("external_id"):
                referrals[operation["body"]["source_type"], number, *person].add(fact["referral"])
    for (family, *_), several in patients.items():
        if len(several) > 1:
            yield f"{family} is {len(several)} patients"
    for patient, named in persons.items():
        if len(named) > 1:
            yield f"patient {patient} is {len(named)} persons"
    for (_, number, *_), each in referrals.items():
        if len(each) > 1:
            yield f"number {number} of one sender is {len(each)} referrals"


def came_before(evidence: Evidence, operation: Row) -> bool:
    """Whether the referral of an answer is there, and came with the same number of the same person."""
    answer, person = operation["answer"], person_of(operation)
    if not (person and answer.get("repeated") and operation["body"].get("external_id")):
        return False
    said = {
        command_of(each)
        for each in evidence.history
        if person_of(each) == person and each["body"].get("external_id") == operation["body"]["external_id"]
    }
    return any(
        fact["referral"] == answer["referral"] and event["command_id"] in said
        for event, _, fact in facts(evidence, "intake", "ReferralReceived")
    )
