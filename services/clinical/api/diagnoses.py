"""Diagnoses over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from caretrail_contracts.codes import Icd10
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.clinical.api.patients import require_patient
from services.clinical.commands.diagnoses import RecordDiagnosis
from web.http import Accepted, Calling

router = APIRouter()

_IN: JsonDict = {"patient": "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11", "icd10": "F33.1", "rank": 1}
_OUT: JsonDict = {**_IN, "recorded_at": "2026-03-02T15:00:00Z", "position": 9}


class DiagnosisIn(BaseModel):
    """An ICD-10-CM code with its dot, and its rank, 1 being the principal diagnosis."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_IN]})

    patient: UUID
    icd10: Icd10
    rank: Annotated[int, Field(strict=True, ge=1, le=12)]


class DiagnosisOut(BaseModel):
    """A diagnosis as it is ranked now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    patient: UUID
    icd10: str
    rank: int
    recorded_at: datetime
    position: int


class DiagnosesOut(BaseModel):
    """The diagnoses of an episode, the principal one first; a claim takes at most twelve."""

    items: list[DiagnosisOut]


DIAGNOSES = b"select * from diagnoses where episode = %s order by rank"


@router.post("/episodes/{episode}/diagnoses", status_code=201)
async def record(episode: UUID, body: DiagnosisIn, caller: Calling) -> Accepted:
    """Give a diagnosis its rank: it replaces what stood there, or changes places with it."""
    await require_patient(caller, body.patient)
    return await caller.execute(RecordDiagnosis(episode=episode, **body.model_dump()))


@router.get("/episodes/{episode}/diagnoses")
async def diagnoses(episode: UUID, caller: Calling) -> DiagnosesOut:
    """The diagnoses of an episode; empty where none was recorded."""
    rows = await caller.rows(DIAGNOSES, episode)
    return DiagnosesOut(items=[DiagnosisOut.model_validate(row) for row in rows])
