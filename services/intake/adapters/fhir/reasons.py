"""Why the person is referred: the request's own codes, or those of the resources that it names as reasons."""

from __future__ import annotations

from collections.abc import Iterator

from .form import Reason
from .node import Node
from .reading import NOT_GIVEN, Reading, says
from .resources import Resource

# R4 ServiceRequest.reasonReference
_REASON_TYPES = frozenset({"Condition", "Observation", "DiagnosticReport", "DocumentReference"})
_CONCEPTS = {
    "Condition": ("code",),
    "Observation": ("code",),
    "DiagnosticReport": ("conclusionCode", "code"),
    "DocumentReference": ("type",),
}
_NOT_SO = frozenset({"refuted", "entered-in-error"})  # R4 condition-ver-status


def reasons(reading: Reading) -> tuple[Reason, ...]:
    """The reasons of the first speaker that gives any: the request, its Task, its preauthorization Claim."""
    for speaker in reading.speakers:
        found = tuple(_given_by(reading, speaker))
        if found:
            return found
    return ()


def _given_by(reading: Reading, speaker: Resource) -> Iterator[Reason]:
    if speaker.type == "Claim":
        yield from _diagnoses(reading, speaker)
        return
    for concept in _one_or_more(speaker.node, "reasonCode"):
        yield from _coded(concept)
    for reference in _one_or_more(speaker.node, "reasonReference"):
        yield from _referred(reading, speaker, reference)


def _diagnoses(reading: Reading, claim: Resource) -> Iterator[Reason]:
    for diagnosis in claim.node.children("diagnosis"):
        concept = diagnosis.child("diagnosisCodeableConcept")
        reference = diagnosis.child("diagnosisReference")
        if concept is not None:
            yield from _coded(concept)
        if reference is not None:
            yield from _referred(reading, claim, reference)


def _one_or_more(node: Node, name: str) -> list[Node]:
    """ServiceRequest and DiagnosticReport have arrays where Task, Condition and Observation have one."""
    if isinstance(node.content.get(name), list):
        return node.children(name)
    single = node.child(name)
    return [] if single is None else [single]


def _coded(concept: Node) -> Iterator[Reason]:
    text = concept.text("text")
    codings = concept.children("coding")
    coded = [(code, each.text("system")) for each in codings if (code := each.text("code"))]
    for code, system in coded:
        yield Reason(code, system, text)
    if not coded:
        words = text or next((shown for each in codings if (shown := each.text("display"))), None)
        if words is not None:
            yield Reason(None, None, words)


def _referred(reading: Reading, speaker: Resource, reference: Node) -> Iterator[Reason]:
    if not says(reference):
        return
    types = frozenset({"Condition"}) if speaker.type == "Claim" else _REASON_TYPES
    found = reading.library.find(speaker, reference, types)
    if found is None:
        reading.note(reference, NOT_GIVEN)
        if (words := reference.text("display")) is not None:
            yield Reason(None, None, words)
        return
    if _is_refuted(found.node):
        reading.note(reference, "the condition is refuted or entered in error, so it is no reason")
        return
    for name in _CONCEPTS[found.type]:
        concepts = _one_or_more(found.node, name)
        for concept in concepts:
            yield from _coded(concept)
        if concepts:
            return


def _is_refuted(node: Node) -> bool:
    status = node.child("verificationStatus")
    return status is not None and any(each.text("code") in _NOT_SO for each in status.children("coding"))
