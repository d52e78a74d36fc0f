"""Suicide risk: screens, and a clinician's word."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.sealed import FreeText, Sealed

from chassis.command import Command, Work
from services.clinical.commands.registry import handlers
from services.clinical.domain.instruments import ScreenAnswer, ScreenForm
from services.clinical.domain.refusals import ClinicianOnly
from services.clinical.domain.risk import Risk, screened

CLINICIAN = "clinician"
"""The role that states a patient's risk."""


class ScreenRisk(Command):
    """A C-SSRS screener was taken; None where a question was skipped or left open."""

    patient: UUID
    form: ScreenForm
    answers: tuple[ScreenAnswer | None, ...]


@handlers.handles(ScreenRisk)
async def screen_risk(command: ScreenRisk, work: Work) -> None:
    """Keep it; it may raise the risk. Refuses AnswersMisfit."""
    screen = screened(command.patient, command.form, command.answers)
    risk = await work.find(Risk, command.patient)
    if risk:
        risk.screen(screen, work.now)
    else:
        work.add(Risk.first_screen(screen, work.now))


class StateRisk(Command):
    """A clinician says what a patient's risk is, and why."""

    patient: UUID
    level: RiskLevel
    rationale: Sealed[FreeText]


@handlers.handles(StateRisk)
async def state_risk(command: StateRisk, work: Work) -> None:
    """Raise or lower the risk. Refuses ClinicianOnly, RiskNotStated, RiskUnchanged."""
    if work.cause.actor.role != CLINICIAN:
        raise ClinicianOnly(role=CLINICIAN)
    risk = await work.find(Risk, command.patient)
    if risk:
        risk.state(command.level, command.rationale, work.now)
    else:
        work.add(Risk.first_word(command.patient, command.level, command.rationale, work.now))
