"""Denials: opened with their deadline, appealed, decided, closed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from caretrail_contracts.billing import AppealDecided, AppealFiled, ContractAgreed, DenialOpened
from caretrail_contracts.codes import Code, Money
from pydantic import Field

from chassis.command import Command, Work
from chassis.refusal import NotFound
from services.billing.commands.contracts import terms_of
from services.billing.commands.registry import handlers
from services.billing.domain.adjustment_reasons import ADJUSTMENT_REASONS
from services.billing.domain.appeals import AppealDeadline, AppealRegime, appeal_deadline
from services.billing.domain.business_days import federal_holidays
from services.billing.domain.claim import Claim, ClaimStatus
from services.billing.domain.denial import OVERTURNED, Denial, appeal_id

APPEALS = "appeal"
"""Scope of reservations: which denial an appeal is of."""


class OpenDenial(Command):
    """A claim was denied, wholly or in part."""

    denial: UUID
    claim: UUID
    patient: UUID
    carc: tuple[Code, ...]
    amount: Money
    paid: Money
    notice_on: date | None


class FileAppeal(Command):
    """Appeal a denial."""

    denial: UUID
    level: Annotated[int, Field(ge=1, le=5)]
    grounds: Code


class RecordAppealDecision(Command):
    """The payer decided an appeal."""

    appeal: UUID
    outcome: Literal["overturned", "upheld"]


class ExpireDenial(Command):
    """The deadline passed."""

    denial: UUID


class SettleDenials(Command):
    """A claim was paid after all."""

    claim: UUID


class CloseDenial(Command):
    """Staff do not go on with a denial."""

    denial: UUID
    outcome: Code


@handlers.handles(OpenDenial)
async def open_denial(command: OpenDenial, work: Work) -> None:
    """Closed at once where the claim is paid by now. Raises NotFound for an unknown claim."""
    if await work.find(Denial, command.denial) is not None:
        return
    claim = await work.load(Claim, command.claim)
    terms = await _terms(claim, work)
    deadline = deadline_of(terms, command.notice_on or work.now.date())
    opened = DenialOpened(
        denial=command.denial,
        claim=command.claim,
        patient=command.patient,
        denial_class=class_of(command.carc),
        carc=command.carc,
        amount=command.amount,
        paid=command.paid,
        regime=deadline.regime.value,
        appeal_deadline=deadline.legal,
        work_by=deadline.work_by,
    )
    denial = work.add(Denial.open(opened, work.now))
    if claim.status is ClaimStatus.PAID:  # and what settles its denials may have looked for them already
        denial.corrected(work.now)


@handlers.handles(FileAppeal)
async def file_appeal(command: FileAppeal, work: Work) -> None:
    """Raises NotFound and what Denial.appeal raises."""
    denial = await work.load(Denial, command.denial)
    claim = await _claim(denial, work)
    id = appeal_id(denial.id, command.level)
    filed = AppealFiled(
        appeal=id,
        denial=denial.id,
        claim=claim.id,
        number=claim.number,
        level=command.level,
        grounds=command.grounds,
        filed_on=work.now.date(),
    )
    denial.appeal(filed, (await _terms(claim, work)).appeal_levels, work.now)
    work.reserve(APPEALS, str(id), denial.id)


@handlers.handles(RecordAppealDecision)
async def record_appeal_decision(command: RecordAppealDecision, work: Work) -> None:
    """Raises NotFound for an appeal that is none of ours."""
    id = await work.owner(APPEALS, str(command.appeal))
    if id is None:
        raise NotFound(kind="appeal", id=command.appeal)
    denial = await work.load(Denial, id)
    claim = await _claim(denial, work)
    overturned = command.outcome == OVERTURNED
    decided = AppealDecided(
        appeal=command.appeal,
        level=denial.level or 1,
        outcome=command.outcome,
        recovered=claim.paid - denial.paid if overturned else Decimal(0),
        decided_on=work.now.date(),
    )
    if command.appeal == appeal_id(denial.id, denial.level):
        denial.decide(decided, (await _terms(claim, work)).appeal_levels, work.now)


@handlers.handles(ExpireDenial)
async def expire_denial(command: ExpireDenial, work: Work) -> None:
    """Closed where nobody appealed."""
    (await work.load(Denial, command.denial)).expire(work.now)


@handlers.handles(SettleDenials)
async def settle_denials(command: SettleDenials, work: Work) -> None:
    """Every open denial of the claim."""
    for row in await work.rows("denials", claim=command.claim):
        (await work.load(Denial, row["denial"])).corrected(work.now)


@handlers.handles(CloseDenial)
async def close_denial(command: CloseDenial, work: Work) -> None:
    """Raises NotFound."""
    (await work.load(Denial, command.denial)).close(command.outcome, work.now)


def class_of(carc: tuple[str, ...]) -> str:
    """The class of the first denying reason; `unknown` where none of the reasons denies."""
    known = (ADJUSTMENT_REASONS[reason] for reason in carc if reason in ADJUSTMENT_REASONS)
    return next((one.reason_class.value for one in known if one.reason_class.denies), "unknown")


def deadline_of(terms: ContractAgreed, notice: date) -> AppealDeadline:
    """The last day to appeal by the contract's regime, and the business day to be done by."""
    holidays = frozenset().union(*(federal_holidays(notice.year + ahead) for ahead in range(3)))
    regime = AppealRegime(terms.appeal_regime)
    return appeal_deadline(regime, notice=notice, contract_days=terms.dispute_days, holidays=holidays)


async def _claim(denial: Denial, work: Work) -> Claim:
    if denial.claim is None:
        raise NotFound(kind="claim of denial", id=denial.id)
    return await work.load(Claim, denial.claim)


async def _terms(claim: Claim, work: Work) -> ContractAgreed:
    """The terms that the claim was charged by."""
    terms = await terms_of(claim.payer, claim.lines[0].service_date, work)
    if terms is None:
        raise NotFound(kind="contract", id=claim.payer)
    return terms
