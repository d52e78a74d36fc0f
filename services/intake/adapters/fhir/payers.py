"""Who pays: the Coverage of a referral, its payer's name and the member's number there."""

from __future__ import annotations

from collections.abc import Iterator

from .library import same
from .node import Node
from .patients import SUBJECT_OF, business_identifiers
from .reading import NOT_GIVEN, Reading, says
from .requesters import named
from .resources import Resource

_INSURANCE_TYPES = frozenset({"Coverage", "ClaimResponse"})  # R4 ServiceRequest.insurance
_NOT_IN_FORCE = frozenset({"cancelled", "entered-in-error"})  # R4 fm-status
_ORDER_LAST = 2**31


def payer(reading: Reading, patient: Resource | None) -> tuple[str | None, str | None]:
    """The payer's name and the member id.

    From the insurance that the request names, else the patient's Coverage among the files; of several
    in force the first in the order of benefits (Coverage.order).
    """
    linked = [found for each in reading.speakers for found in _linked(reading, each)]
    usable = _in_force(reading, linked) or (
        [] if linked else _in_force(reading, _of_patient(reading, patient))
    )
    if not usable:
        return _words(reading), None
    best = min(usable, key=lambda found: found.node.number("order") or _ORDER_LAST)
    return _payer_name(reading, best), _member_id(best.node) if best.type == "Coverage" else None


def _insurances(speaker: Resource) -> list[Node]:
    """References to insurance: a list of them, or, in a Claim, inside the list."""
    if speaker.type == "Claim":
        held = [each.child("coverage") for each in speaker.node.children("insurance")]
        return [each for each in held if each is not None and says(each)]
    return [each for each in speaker.node.children("insurance") if says(each)]


def _linked(reading: Reading, speaker: Resource) -> Iterator[Resource]:
    for reference in _insurances(speaker):
        found = reading.library.find(speaker, reference, _INSURANCE_TYPES)
        if found is None:
            reading.note(reference, NOT_GIVEN)
        else:
            yield found


def _of_patient(reading: Reading, patient: Resource | None) -> list[Resource]:
    """Coverages given beside or contained, whose beneficiary is the patient."""
    contained = [part for part in reading.request.contained.values() if part.type == "Coverage"]
    return [
        each for each in (*contained, *reading.library.of_type("Coverage")) if _covers(reading, each, patient)
    ]


def _covers(reading: Reading, coverage: Resource, patient: Resource | None) -> bool:
    beneficiary = coverage.node.child("beneficiary")
    if beneficiary is None or not says(beneficiary):
        return False
    found = reading.library.find(coverage, beneficiary, frozenset({"Patient"}))
    if found is not None or patient is not None:
        return same(found, patient)
    text = beneficiary.text("reference")
    return text is not None and any(
        text == each.text("reference") for _, each in reading.references(SUBJECT_OF)
    )


def _in_force(reading: Reading, found: list[Resource]) -> list[Resource]:
    usable = []
    for each in found:
        if each.node.text("status") in _NOT_IN_FORCE:
            reading.note(each.node, "this insurance is cancelled or entered in error, so it is not used")
        else:
            usable.append(each)
    return usable


def _payer_name(reading: Reading, insurance: Resource) -> str | None:
    if insurance.type == "ClaimResponse":
        insurer = insurance.node.child("insurer")
        return named(reading, insurance, insurer) if insurer is not None and says(insurer) else None
    for payor in insurance.node.children("payor"):
        if says(payor):
            return named(reading, insurance, payor)
    return None


def _words(reading: Reading) -> str | None:
    """Without a Coverage in force: a Claim's insurer, else the display of the insurance not given."""
    for speaker, insurer in reading.references({"Claim": "insurer"}):
        return named(reading, speaker, insurer)
    for speaker in reading.speakers:
        for reference in _insurances(speaker):
            if reading.library.find(speaker, reference, _INSURANCE_TYPES) is None:
                return reference.text("display")
    return None


def _member_id(coverage: Node) -> str | None:
    """The member's own number (identifier type MB), else the subscriber's, else the only identifier."""
    held = business_identifiers(coverage)
    member = next((each.value for each in held if each.kind == "MB"), None)
    return member or coverage.text("subscriberId") or (held[0].value if len(held) == 1 else None)
