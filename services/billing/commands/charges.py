"""Deciding a day of service: captured, held with its reason, or voided when its evidence changed."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from caretrail_contracts.billing import ChargeCaptured, ContractAgreed

from chassis.command import Command, Work
from services.billing.commands.notes import count_notes
from services.billing.commands.planned_days import planned_days
from services.billing.commands.registry import handlers
from services.billing.domain.authorization import Authorization, AuthorizationStatus
from services.billing.domain.charge_day import NOTHING_ATTENDED, ChargeDay, ChargeStatus
from services.billing.domain.charging import ChargeDecision, HoldRule, decide_day
from services.billing.domain.claim import Claim
from services.billing.domain.coverage import Coverage
from services.billing.domain.payer_contract import Contract, charging_rules, contract_id

EVIDENCE_CHANGED = "evidence-changed"


class DecideEpisode(Command):
    """Something came that held days of an episode may have waited for."""

    episode: UUID


class DecideCharge(Command):
    """Look at a held day once more: what it waited for may have come while it was decided."""

    charge: UUID


class DecideAfterAnswer(Command):
    """A payer answered a request for authorization."""

    authorization: UUID


@dataclass(frozen=True, slots=True)
class Ready:
    """All that a charge takes."""

    decision: ChargeDecision
    coverage: Coverage
    terms: ContractAgreed
    diagnoses: tuple[str, ...]
    authorization: Authorization | None


@dataclass(frozen=True, slots=True)
class Held:
    """Why a day cannot be charged, and its minutes so far."""

    rule: HoldRule
    minutes: int


@handlers.handles(DecideEpisode)
async def decide_episode(command: DecideEpisode, work: Work) -> None:
    """Held days only: what is captured stays."""
    await decide_held(command.episode, work)


@handlers.handles(DecideCharge)
async def decide_again(command: DecideCharge, work: Work) -> None:
    """Only while it is held."""
    await _if_held(command.charge, work)


@handlers.handles(DecideAfterAnswer)
async def decide_after_answer(command: DecideAfterAnswer, work: Work) -> None:
    """Held days of its episode."""
    authorization = await work.load(Authorization, command.authorization)
    if authorization.episode:
        await decide_held(authorization.episode, work)


async def decide_held(episode: UUID, work: Work) -> None:
    """Decide the held days of an episode again, the earliest first."""
    rows = await work.rows("charge_days", episode=episode, status=ChargeStatus.HELD.value)
    for row in sorted(rows, key=lambda row: (row["service_date"], row["charge"])):
        await _if_held(row["charge"], work)


async def _if_held(charge: UUID, work: Work) -> None:
    day = await work.load(ChargeDay, charge)
    if day.status is ChargeStatus.HELD:
        await count_notes(day, work)
        await decide_charge(day, work)


async def decide_charge(day: ChargeDay, work: Work) -> None:
    """Decide a day whose time has come, or again when something changed."""
    if day.status in (ChargeStatus.CAPTURED, ChargeStatus.CLAIMED):
        await _compare(day, work)
    elif day.claim is None:
        await _settle(day, work)


async def _settle(day: ChargeDay, work: Work) -> None:
    found = await _look(day, work)
    if found is None:
        day.void(NOTHING_ATTENDED, work.now)
    elif isinstance(found, Held):
        day.hold(found.rule, found.minutes, work.now)
    else:
        await _capture(day, found, work)


async def _compare(day: ChargeDay, work: Work) -> None:
    """A charge stands while its evidence gives the same; else it is voided, and decided anew if unclaimed."""
    terms = await _terms(day, work)
    if terms is None or day.captured is None:
        return
    decision = await _decide(day, terms, work)
    charged = day.captured
    if (decision.code, decision.units, decision.amount) == (charged.code, charged.units, charged.amount):
        return
    if charged.authorization:
        (await work.load(Authorization, charged.authorization)).release(day.id, work.now)
    day.void(EVIDENCE_CHANGED, work.now)
    if day.claim:
        claim = await work.load(Claim, day.claim[0])
        claim.correction_due(day.id, EVIDENCE_CHANGED, work.now)
    else:
        await _settle(day, work)


async def _look(day: ChargeDay, work: Work) -> Ready | Held | None:
    """What the rules say of a day; None where nothing was attended."""
    minutes = sum(one.minutes for one in day.attendances.values())
    if not minutes:
        return None
    coverage = await work.find(Coverage, day.episode) if day.episode else None
    if coverage is None:
        return Held(HoldRule.COVERAGE_MISSING, minutes)
    terms = await _terms(day, work)
    if terms is None:
        return Held(HoldRule.CONTRACT_MISSING, minutes)
    decision = await _decide(day, terms, work)
    if decision.hold:
        return Held(decision.hold, decision.minutes)
    if not decision.units:
        return Held(HoldRule.MINUTES_SHORT, decision.minutes)
    rows = await work.rows("diagnoses", episode=day.episode)
    diagnoses = tuple(row["icd10"] for row in sorted(rows, key=lambda row: row["rank"]))
    if not diagnoses:
        return Held(HoldRule.DIAGNOSIS_MISSING, decision.minutes)
    if not terms.requires_auth:
        return Ready(decision, coverage, terms, diagnoses, None)
    authorization = await _authorization(day, decision.units, work)
    if isinstance(authorization, HoldRule):
        return Held(authorization, decision.minutes)
    return Ready(decision, coverage, terms, diagnoses, authorization)


async def _terms(day: ChargeDay, work: Work) -> ContractAgreed | None:
    coverage = await work.find(Coverage, day.episode) if day.episode else None
    contract = await work.find(Contract, contract_id(coverage.payer)) if coverage else None
    return contract.on(day.service_date) if contract else None


async def _decide(day: ChargeDay, terms: ContractAgreed, work: Work) -> ChargeDecision:
    members: dict[UUID, int] = {}
    for session in day.sessions:
        size = await _size(session, work)
        if size:
            members[session] = size
    return decide_day(charging_rules(terms), day.intervals(terms.code, members))


async def _size(session: UUID, work: Work) -> int | None:
    """How many were there: as counted when the session closed, and as corrected since."""
    row = await work.row("sessions", session=session)
    if row is None or row["participants"] is None:
        return None
    corrections = await work.rows("presence_corrections", session=session)
    closed = row["position"]
    changes: list[int] = [one["change"] for one in corrections if one["position"] > closed]
    return int(row["participants"]) + sum(changes)


async def _authorization(day: ChargeDay, units: int, work: Work) -> Authorization | HoldRule:
    """The earliest authorization that covers the day, or the rule that holds it."""
    rows = await work.rows("authorizations", episode=day.episode)
    known = [await work.load(Authorization, row["authorization_id"]) for row in rows]
    known.sort(key=lambda one: (one.starts_on, str(one.id)))
    covering = [one for one in known if one.covers(day.service_date)]
    for one in covering:
        if one.remaining >= units:
            return one
    if covering:
        return HoldRule.AUTHORIZATION_EXHAUSTED
    for status, rule in _WAITING:
        if any(one.status is status for one in known):
            return rule
    return HoldRule.AUTHORIZATION_MISSING


_WAITING = (
    (AuthorizationStatus.REQUESTED, HoldRule.AUTHORIZATION_PENDING),
    (AuthorizationStatus.PENDED, HoldRule.AUTHORIZATION_PENDING),
    (AuthorizationStatus.APPROVED, HoldRule.AUTHORIZATION_ELAPSED),
    (AuthorizationStatus.DENIED, HoldRule.AUTHORIZATION_DENIED),
)


async def _capture(day: ChargeDay, ready: Ready, work: Work) -> None:
    decision, terms, authorization = ready.decision, ready.terms, ready.authorization
    clinician = day.clinician
    if clinician is None or day.patient is None or decision.code is None:
        day.hold(HoldRule.NOTE_UNSIGNED, decision.minutes, work.now)
        return
    captured = ChargeCaptured(
        charge=day.id,
        patient=day.patient,
        episode=ready.coverage.id,
        payer=ready.coverage.payer,
        service_date=day.service_date,
        code=decision.code,
        units=decision.units,
        minutes=decision.minutes,
        amount=decision.amount,
        diagnoses=ready.diagnoses,
        rendering=clinician,
        authorization=authorization.id if authorization else None,
        authorization_number=authorization.number if authorization else None,
        contract=terms.contract,
    )
    day.capture(captured, work.now)
    if authorization:
        planned = await planned_days(ready.coverage.id, day.service_date, authorization.ends_on, work)
        authorization.consume(day.id, decision.units, terms, planned, work.now)
