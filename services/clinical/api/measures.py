"""Measures over HTTP: answers in, scores over time out."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from caretrail_contracts.clinical import Instrument
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from chassis.ids import derive
from services.clinical.api.patients import require_patient
from services.clinical.commands.measures import AdministerMeasure
from services.clinical.domain.instruments import asks_for_suicide_screen
from services.clinical.domain.measure import SCORED
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.times import Day

router = APIRouter()

Answer = Annotated[int, Field(strict=True, ge=0, le=3)]

_PATIENT = "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11"
_EPISODE = "9b1d7c52-4a2f-5d8e-b1c3-6e5f4d3c2b1a"
_MEASURE = "0f6e3c8e-9a5b-5c0e-8a57-2f0c5f1c1a11"
_IN: JsonDict = {
    "patient": _PATIENT,
    "episode": _EPISODE,
    "instrument": "phq-9",
    "answers": [3, 3, 2, 2, 2, 2, 2, 1, None],
    "administered_on": "2026-03-02",
}
_OUT: JsonDict = {
    "measure": _MEASURE,
    "patient": _PATIENT,
    "episode": _EPISODE,
    "instrument": "phq-9",
    "scoring": "phq-9/1",
    "score": 18,
    "band": "moderately_severe",
    "administered_on": "2026-03-02",
    "position": 12,
}


class MeasureIn(BaseModel):
    """The answers to a measure in the order of its items; null where one was left open."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_IN]})

    patient: UUID
    episode: UUID
    instrument: Literal[Instrument.PHQ9, Instrument.GAD7]
    answers: Annotated[tuple[Answer | None, ...], Field(max_length=20)]
    administered_on: Day

    @field_validator("answers")
    @classmethod
    def _fit(cls, value: tuple[int | None, ...], info: ValidationInfo) -> tuple[int | None, ...]:
        """As many as the instrument has items, each in its range."""
        rule = SCORED.get(info.data.get("instrument", ""))
        if rule:
            rule.score(value)
        return value


class MeasureAccepted(Accepted):
    """What came of it: no score while an item is open, and whether a C-SSRS screen is due now."""

    measure: UUID
    score: int | None
    band: str | None
    screen_due: bool


class MeasureOut(BaseModel):
    """A point of a trajectory; score and band are null where the measure was incomplete."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    measure: UUID
    patient: UUID
    episode: UUID
    instrument: Instrument
    scoring: str
    score: int | None
    band: str | None
    administered_on: date
    position: int


MEASURES = b"""
select * from measures
where position > %s and (%s::uuid is null or patient = %s) and (%s::text is null or instrument = %s)
order by position limit %s
"""


@router.post("/measures", status_code=201)
async def administer(body: MeasureIn, caller: Calling) -> MeasureAccepted:
    """Keep and score a measure; PHQ-9 item 9 above 0 or open asks for a C-SSRS screen at once."""
    await require_patient(caller, body.patient)
    measure = derive("measure", caller.command_id)
    accepted = await caller.execute(AdministerMeasure(measure=measure, **body.model_dump()))
    rule = SCORED[body.instrument]
    score = rule.score(body.answers)
    return MeasureAccepted(
        **accepted.model_dump(),
        measure=measure,
        score=score,
        band=None if score is None else rule.band(score),
        screen_due=body.instrument is Instrument.PHQ9 and asks_for_suicide_screen(body.answers),
    )


@router.get("/measures")
async def measures(
    caller: Calling,
    patient: UUID | None = None,
    instrument: Instrument | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[MeasureOut]:
    """Scores in the order in which they were recorded, all or a patient's or an instrument's."""
    rows = await caller.rows(MEASURES, after, patient, patient, instrument, instrument, limit + 1)
    return page(MeasureOut, rows, limit)
