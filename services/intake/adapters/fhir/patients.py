"""The person referred, out of the Patient that the request is about."""

from __future__ import annotations

from . import names
from .form import Identifier, PatientForm
from .node import Node
from .reading import NOT_GIVEN, Reading
from .resources import Resource

SUBJECT_OF = {"ServiceRequest": "subject", "Task": "for", "Claim": "patient"}
_PATIENT = frozenset({"Patient"})
_GENDERS = frozenset({"male", "female", "other", "unknown"})  # R4 administrative-gender


def subject(reading: Reading) -> Resource | None:
    """The Patient, None where the files do not hold it."""
    for speaker, reference in reading.references(SUBJECT_OF):
        found = reading.library.find(speaker, reference, _PATIENT)
        if found is None:
            reading.note(reference, NOT_GIVEN)
        return found
    return None


def patient_form(reading: Reading, patient: Resource | None) -> PatientForm:
    """What the Patient says; all of it None without one."""
    if patient is None:
        return PatientForm()
    node = patient.node
    family, given, was_split = names.full_name(_name(reading, node))
    if was_split:
        reading.note(node, "family and given name were split from a text")
    deceased = bool(node.flag("deceasedBoolean") or node.text("deceasedDateTime"))
    if deceased:
        reading.note(node, "the patient is said to have died")
    if node.flag("active") is False:
        reading.note(node, "the patient's record is not active")
    telecom = node.children("telecom")
    return PatientForm(
        file=node.file,
        pointer=node.pointer,
        family=family,
        given=given,
        birth_date=node.text("birthDate"),
        gender=node.code("gender", _GENDERS),
        record_number=_record_number(node),
        phone=names.phone(telecom),
        email=names.email(telecom),
        address=names.postal_address(node.children("address")),
        deceased=deceased,
    )


def _name(reading: Reading, patient: Node) -> Node | None:
    """The name by which the request calls the person, if the record holds it, else the record's first."""
    called = next((said.text("display") for _, said in reading.references(SUBJECT_OF)), None)
    held = patient.children("name")
    first, best = names.best_name(held), names.best_name(held, called)
    if best is not None and best.content != (first or best).content:
        reading.note(best, "the request calls the person so; the record holds a name that goes before it")
    return best


def business_identifiers(node: Node) -> tuple[Identifier, ...]:
    """The identifiers of a resource that have a value."""
    found = []
    for each in node.children("identifier"):
        kind, value = each.child("type"), each.text("value")
        codes = [coding.text("code") for coding in kind.children("coding")] if kind is not None else []
        if value is not None and each.text("use") != "old":
            found.append(Identifier(each.text("system"), value, next(filter(None, codes), None)))
    return tuple(found)


def _record_number(node: Node) -> str | None:
    """The medical record number (type MR), else the first identifier."""
    held = business_identifiers(node)
    record = next((each for each in held if each.kind == "MR"), held[0] if held else None)
    return record.value if record else None
