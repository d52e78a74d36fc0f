"""Who asks: the requester's name in print."""

from __future__ import annotations

from .names import printed_name
from .node import Node
from .reading import NOT_GIVEN, Reading, label, says
from .resources import Resource

# R4: ServiceRequest.requester; Task.requester; in Da Vinci PAS Claim.provider is the requestor
REQUESTER_OF = {"ServiceRequest": "requester", "Task": "requester", "Claim": "provider"}
NAMED_TYPES = frozenset(
    {
        "Device",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    }
)


def requester(reading: Reading) -> str | None:
    """The name of who asks for care."""
    for speaker, reference in reading.references(REQUESTER_OF):
        return named(reading, speaker, reference)
    return None


def requester_reference(reading: Reading) -> str | None:
    """The reference to who asks, as it stands, where nothing that was given is what it leads to."""
    for speaker, reference in reading.references(REQUESTER_OF):
        found = reading.library.find(speaker, reference, NAMED_TYPES)
        return reference.text("reference") if found is None else None
    return None


def named(reading: Reading, origin: Resource, reference: Node) -> str | None:
    """The name of whom a reference leads to, else the reference's own words."""
    found = reading.library.find(origin, reference, NAMED_TYPES)
    if found is None:
        if reference.text("reference"):
            reading.note(reference, NOT_GIVEN)
        return label(reference)
    if found.type == "PractitionerRole":
        return _role_name(reading, found) or label(reference)
    return printed_name(found.type, found.node) or label(reference)


def _role_name(reading: Reading, role: Resource) -> str | None:
    """A role is called by its practitioner, else by its organization."""
    for name in ("practitioner", "organization"):
        reference = role.node.child(name)
        if reference is not None and says(reference):
            return named(reading, role, reference)
    return None
