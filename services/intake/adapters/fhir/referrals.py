"""Reads the referrals that files given together hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.intake.domain.dates import is_birth_date

from .document import pointer_to
from .errors import FhirError
from .form import ReferralForm
from .library import Library
from .node import Node
from .patients import SUBJECT_OF, business_identifiers, patient_form, subject
from .payers import payer
from .reading import Reading, speakers
from .reasons import reasons
from .requesters import requester, requester_reference
from .resources import Resource, resources

STATUSES = frozenset({"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"})
VOID_STATUSES = frozenset({"revoked", "entered-in-error"})
INTENTS = frozenset(
    {
        "proposal",
        "plan",
        "directive",
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
        "option",
    }
)
PART_INTENTS = frozenset({"reflex-order", "filler-order", "instance-order"})
ASKING_INTENTS = INTENTS - {"proposal", "plan", "option"}
PRIORITIES = frozenset({"routine", "urgent", "asap", "stat"})


def read_referrals(files: Sequence[tuple[str, bytes]]) -> list[ReferralForm]:
    """The referrals in files given together as (name, content), in the order of the files.

    Raises FhirError, and then nothing of the files counts: for a file that is no R4 resource, a reference
    that leads to two resources, a request that is void, and for files without any request.
    """
    library = Library(resources(files))
    beside = speakers(library)
    requests = _requests(library, beside)
    if not requests:
        raise FhirError(files[0][0] if files else "-", "", "no referral in the files", "a ServiceRequest")
    return [_form(Reading(library, [request, *beside.get(request, [])])) for request in requests]


def refuse_nobody(forms: Iterable[ReferralForm]) -> None:
    """Raise FhirError for a request without a subject: it can be read, but refers nobody."""
    for form in forms:
        if not form.names_subject:
            place = pointer_to(form.pointer, "subject")
            raise FhirError(form.file, place, "the request is about nobody", "a reference to a Patient")


def refuse_impossible_births(forms: Iterable[ReferralForm], at: datetime) -> None:
    """Raise FhirError for a birth date at which no living person can have been born."""
    for patient in (form.patient for form in forms):
        born = patient.born_from
        if born and not is_birth_date(born, at):
            place = pointer_to(patient.pointer or "", "birthDate")
            expected = "a day up to today, of a person of at most 130 years"
            file = "-" if patient.file is None else patient.file
            raise FhirError(file, place, "nobody can have been born then", expected)


def _requests(library: Library, beside: Iterable[Resource]) -> list[Resource]:
    """The requests that are referrals: neither replaced by nor a part of another one given."""
    found = list(dict.fromkeys([*library.of_type("ServiceRequest"), *beside]))
    for request in found:
        _refuse_if_void(request.node)
    replaced = [each for request in found for each in _among(library, request, "replaces", found)]
    return [each for each in found if each not in replaced and not _is_part(library, each, found)]


def _refuse_if_void(node: Node) -> None:
    if node.code("status", STATUSES) in VOID_STATUSES:
        raise node.refusal("status", "the request is revoked or entered in error", "a request that stands")
    if node.flag("doNotPerform"):
        raise node.refusal("doNotPerform", "the request forbids the service", "a request for a service")


def _is_part(library: Library, request: Resource, found: list[Resource]) -> bool:
    intent = request.node.code("intent", INTENTS)
    return intent in PART_INTENTS and bool(_among(library, request, "basedOn", found))


def _among(library: Library, request: Resource, element: str, found: list[Resource]) -> list[Resource]:
    named = [library.find(request, reference) for reference in request.node.children(element)]
    return [each for each in named if each is not None and each in found and each is not request]


def _form(reading: Reading) -> ReferralForm:
    request, node = reading.request, reading.request.node
    status, intent = node.code("status", STATUSES), node.code("intent", INTENTS)
    if status == "completed":
        reading.note(node, "the request is completed")
    if intent is not None and intent not in ASKING_INTENTS:
        reading.note(node, "the request is a proposal, plan or option, not an order")
    patient = subject(reading)
    payer_name, member_id = payer(reading, patient)
    identifiers = business_identifiers(node)
    return ReferralForm(
        file=node.file,
        pointer=node.pointer,
        referral=request.id or (identifiers[0].value if identifiers else None),
        identifiers=identifiers,
        status=status,
        intent=intent,
        authored_on=node.text("authoredOn"),
        names_subject=any(True for _ in reading.references(SUBJECT_OF)),
        patient=patient_form(reading, patient),
        reasons=reasons(reading),
        requester=requester(reading),
        requester_reference=requester_reference(reading),
        urgency=_urgency(reading),
        payer=payer_name,
        member_id=member_id,
        findings=tuple(reading.findings),
    )


def _urgency(reading: Reading) -> str | None:
    """The request's priority, else its Task's; a Claim's is about its own processing."""
    for speaker in reading.speakers:
        priority = speaker.node.code("priority", PRIORITIES) if speaker.type != "Claim" else None
        if priority is not None:
            return priority
    return None
