"""Referrals as FHIR R4 files over HTTP: read whole, or refused whole with the place."""

from __future__ import annotations

import asyncio
from typing import Any

from caretrail_contracts.intake import SourceType
from caretrail_contracts.system import Place
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.config import JsonDict

from services.intake.adapters.fhir.errors import FhirError
from services.intake.adapters.fhir.form import ReferralForm, as_answer
from services.intake.adapters.fhir.referrals import read_referrals, refuse_impossible_births, refuse_nobody
from services.intake.api.referral_files import body_of, number_of
from services.intake.api.registering import Received, receive
from web.http import JSON, Caller, Calling
from web.problems import Unreadable
from web.text import is_blank

router = APIRouter(prefix="/referrals/fhir")


class File(BaseModel):
    """A file by name; files that belong together come together."""

    model_config = ConfigDict(extra="forbid")

    name: str
    content: str


FILES = TypeAdapter(list[File])


EXAMPLE: JsonDict = {
    "resourceType": "ServiceRequest",
    "id": "riverside-2041",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "#patient"},
    "contained": [
        {
            "resourceType": "Patient",
            "id": "patient",
            "name": [{"family": "Marlowe", "given": ["Juniper"]}],
            "birthDate": "1991-04-23",
        }
    ],
}
BODY: JsonDict = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {}, "example": EXAMPLE} for kind in (JSON, "application/fhir+json")},
    }
}


@router.post("", status_code=201, openapi_extra=BODY)
async def take_in(
    request: Request, caller: Calling, source_type: SourceType = SourceType.HOSPITAL
) -> list[dict[str, Any]]:
    """Take in the referrals of one FHIR document, or of several as ``[{"name", "content"}]``.

    Answers what each file says with the ids given to it; the look is recorded. A referral that came
    before changes nothing (``repeated``).
    """
    files = _files(await request.body())
    try:
        forms = await asyncio.to_thread(read_referrals, files)
        bodies = [body_of(form, source_type) for form in forms]
        refuse_nobody(forms)
        refuse_impossible_births(forms, caller.now)
    except FhirError as error:
        place = Place(at=f"{error.file}{error.pointer}"[:120], expected=error.expected[:400])
        detail = f"Nothing was taken in: {error.what}."
        raise Unreadable(422, "ReferralUnreadable", detail, (place,)) from None
    answers = []
    for index, (form, body) in enumerate(zip(forms, bodies, strict=True)):
        received = await receive(caller, body, number_of(form), step=str(index))
        answers.append(await _answer(caller, form, received))
    return answers


async def _answer(caller: Caller, form: ReferralForm, received: Received) -> dict[str, Any]:
    await caller.note_access(received.patient, resource="referral as received")
    said = received.model_dump(include={"referral", "patient", "known", "duplicate", "repeated", "position"})
    findings = [f"{finding.file}{finding.pointer}: {finding.what}" for finding in form.findings]
    if all(is_blank(name or "") for name in (form.patient.family, form.patient.given)):
        findings.append(
            f"{form.file}{form.pointer}: the person has no name: ask for it, or give the Patient too"
        )
    return {**as_answer(form), "caretrail": {**said, "findings": findings}}


def _files(body: bytes) -> list[tuple[str, bytes]]:
    """The files of a request: a list of named ones, else the body itself.

    They are called by their place in the request: a file's own name may name a person.
    """
    try:
        files = FILES.validate_json(body)
    except ValidationError:
        return [("", body)]
    return [(f"/{index}/content#", file.content.encode()) for index, file in enumerate(files)]
