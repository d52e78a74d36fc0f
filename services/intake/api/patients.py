"""Persons over HTTP: found by name and birth date, shown sealed or, with a record of it, open."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from caretrail_contracts.intake import PersonRegistered
from caretrail_contracts.sealed import sealed_fields
from fastapi import APIRouter
from pydantic import BaseModel

from chassis.refusal import NotFound
from services.intake.api import registering
from services.intake.api.bodies import ContactBody
from services.intake.api.sealing import Kinds, closed, opened, sealed_contact
from services.intake.commands import ChangeContact
from web.http import Accepted, Calling
from web.text import Line
from web.times import Day

router = APIRouter(prefix="/patients")

SEALED: Kinds = sealed_fields(PersonRegistered)


class Person(BaseModel):
    """A person; sealed values read ``‹sealed›`` unless they were asked for open."""

    patient: UUID
    name: Any
    birth_date: Any
    gender: str
    address: Any
    email: Any
    phone: Any
    time_zone: str


@router.get("")
async def search(caller: Calling, family: Line, given: Line, birth_date: Day) -> dict[str, list[UUID]]:
    """The pseudonyms of persons of this name and birth date: one or none."""
    found = await registering.find(caller, family, given, birth_date)
    await caller.note_access(found, resource="patient search")
    return {"items": [found] if found else []}


@router.get("/{patient}")
async def one(patient: UUID, caller: Calling, open: bool = False) -> Person:
    """A person; ``open=true`` shows what is sealed, and the look is recorded first."""
    row = await caller.row("select * from persons where patient = %s", patient)
    if row is None:
        raise NotFound(kind="patient", id=patient)
    if open:
        return Person.model_validate(await opened(caller, row, SEALED, resource="patient"))
    return Person.model_validate(closed(row, SEALED))


@router.put("/{patient}/contact")
async def change_contact(patient: UUID, body: ContactBody, caller: Calling) -> Accepted:
    """Change where a person can be reached; what is left out is removed, but for the time zone."""
    contact = await sealed_contact(caller, patient, body)
    command = ChangeContact(
        patient=patient,
        address=contact.address,
        email=contact.email,
        phone=contact.phone,
        time_zone=body.time_zone if "time_zone" in body.model_fields_set else None,
    )
    return await caller.execute(command)
