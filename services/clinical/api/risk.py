"""Suicide risk over HTTP: screens, a clinician's word, the board."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from caretrail_contracts.codes import RiskLevel
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from chassis.refusal import NotFound
from services.clinical.api.patients import require_patient, seal_words, words
from services.clinical.commands.risk import ScreenRisk, StateRisk
from services.clinical.domain.instruments import ScreenAnswer, ScreenForm, suicide_risk
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.text import Lines

router = APIRouter()

_PATIENT = "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11"
_SCREEN: JsonDict = {
    "patient": _PATIENT,
    "form": "lifetime_recent",
    "answers": ["yes", "yes", "yes", "no", "no", "no"],
}
_WORD: JsonDict = {"level": "low", "rationale": "Denies intent; safety plan reviewed with the family."}
_OUT: JsonDict = {
    "patient": _PATIENT,
    "level": "moderate",
    "since": "2026-03-02T15:00:00Z",
    "rationale": None,
    "screen_asked_at": None,
    "screened_at": "2026-03-02T15:00:00Z",
    "screen_level": "moderate",
    "position": 14,
}


class ScreenIn(BaseModel):
    """Answers to questions 1 to 6 of the C-SSRS screener; null where one was skipped or left open.

    Question 6 is answered with no, lifetime (more than three months ago) or three_months; on the form
    since_last_contact with yes or no.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SCREEN]})

    patient: UUID
    form: ScreenForm
    answers: Annotated[tuple[ScreenAnswer | None, ...], Field(max_length=10)]

    @field_validator("answers")
    @classmethod
    def _fit(
        cls, value: tuple[ScreenAnswer | None, ...], info: ValidationInfo
    ) -> tuple[ScreenAnswer | None, ...]:
        """Answers that the form has."""
        if "form" in info.data:
            suicide_risk(value, info.data["form"])
        return value


class ScreenAccepted(Accepted):
    """The level of the screen by its triage; the patient's risk is never below it now."""

    level: RiskLevel


class RiskIn(BaseModel):
    """What a clinician says a patient's risk is, and why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_WORD]})

    level: RiskLevel
    rationale: Lines


class RiskOut(BaseModel):
    """A patient's risk; null before the first screen. ``screen_asked_at`` is set while a screen is due."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    patient: UUID
    level: RiskLevel | None
    since: datetime | None
    rationale: str | None = None
    screen_asked_at: datetime | None
    screened_at: datetime | None
    screen_level: RiskLevel | None
    position: int


BOARD = b"""
select patient, coalesce(level, screen_level) as level, since, rationale as sealed, screen_asked_at,
    screened_at, screen_level, position
from risk_board
where position > %s and (%s::text is null or coalesce(level, screen_level) = %s)
    and (%s::boolean is null or (screen_asked_at is not null) = %s)
order by position limit %s
"""
ONE = b"""
select patient, coalesce(level, screen_level) as level, since, rationale as sealed, screen_asked_at,
    screened_at, screen_level, position
from risk_board where patient = %s
"""
"""A screen that changed nothing found no risk: its level is the patient's."""


@router.post("/risk-screens", status_code=201)
async def screen(body: ScreenIn, caller: Calling) -> ScreenAccepted:
    """Keep a C-SSRS screener; it may raise the patient's risk and never lowers it."""
    await require_patient(caller, body.patient)
    accepted = await caller.execute(ScreenRisk(**body.model_dump()))
    return ScreenAccepted(**accepted.model_dump(), level=suicide_risk(body.answers, body.form))


@router.post("/patients/{patient}/risk")
async def state(patient: UUID, body: RiskIn, caller: Calling) -> Accepted:
    """A clinician (the role) raises or lowers the patient's risk."""
    rationale = await seal_words(caller, patient, body.rationale)
    return await caller.execute(StateRisk(patient=patient, level=body.level, rationale=rationale))


@router.get("/risk")
async def board(
    caller: Calling,
    level: RiskLevel | None = None,
    screen_due: bool | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[RiskOut]:
    """The risk board in the order of the last change; rationales are not shown."""
    rows = await caller.rows(BOARD, after, level, level, screen_due, screen_due, limit + 1)
    return page(RiskOut, rows, limit)


@router.get("/patients/{patient}/risk")
async def risk(patient: UUID, caller: Calling, open: bool = False) -> RiskOut:
    """One patient's risk; ``open=true`` shows the clinician's rationale and is recorded as an access."""
    row = await caller.row(ONE, patient)
    if row is None:
        raise NotFound(kind="risk of patient", id=patient)
    rationale = await words(caller, patient, row["sealed"], resource="risk", opened=open)
    return RiskOut.model_validate({**row, "rationale": rationale})
