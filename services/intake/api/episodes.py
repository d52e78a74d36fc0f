"""Episodes of care over HTTP."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.sealed import MemberId
from fastapi import APIRouter
from pydantic import BaseModel

from chassis.refusal import NotFound
from services.intake.api import registering
from services.intake.api.bodies import AdmissionBody, DischargeBody
from services.intake.api.sealing import sealed
from services.intake.commands import AdmitPatient, DischargePatient
from services.intake.domain.episode import episode_id
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.times import Day

router = APIRouter()


class Admitted(Accepted):
    """An episode that was opened."""

    episode: UUID
    patient: UUID


class Item(BaseModel):
    """An episode."""

    episode: UUID
    patient: UUID
    referral: UUID
    track: str
    site: str
    level_of_care: str
    payer: str
    admitted_on: date
    discharged_on: date | None
    discharge_type: str | None
    position: int


@router.post("/episodes", status_code=201)
async def admit(body: AdmissionBody, caller: Calling) -> Admitted:
    """Open an episode on an accepted referral; payer and member number default to the referral's."""
    patient = await registering.patient_of(caller, body.referral)
    if patient is None:
        raise NotFound(kind="referral", id=body.referral)
    fields = {name: value for name, value in body if name != "member_id"}
    member_id = await sealed(caller, patient, MemberId, body.member_id)
    accepted = await caller.execute(AdmitPatient(patient=patient, member_id=member_id, **fields))
    return Admitted(**dict(accepted), episode=episode_id(body.referral), patient=patient)


@router.post("/episodes/{episode}/discharge")
async def discharge(episode: UUID, body: DischargeBody, caller: Calling) -> Accepted:
    """Close an episode."""
    return await caller.execute(DischargePatient(episode=episode, **dict(body)))


@router.get("/census")
async def census(
    caller: Calling,
    on: Day | None = None,
    site: Code | None = None,
    track: Code | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[Item]:
    """Episodes that are open, or were on a day, in the order admitted."""
    found = await caller.rows(
        WAS_OPEN if on else OPEN, *((on, on) if on else ()), after, site, track, limit + 1
    )
    return page(Item, found, limit)


OPEN = b"""
select * from episodes
where discharged_on is null
    and position > %s and site = coalesce(%s, site) and track = coalesce(%s, track)
order by position limit %s
"""

WAS_OPEN = b"""
select * from episodes
where admitted_on <= %s and (discharged_on is null or discharged_on > %s)
    and position > %s and site = coalesce(%s, site) and track = coalesce(%s, track)
order by position limit %s
"""
