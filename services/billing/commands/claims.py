"""Claims: charges are cut off weekly, put on claims, sent in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from caretrail_contracts.billing import (
    ChargeCaptured,
    ClaimBatchCut,
    ClaimCreated,
    ClaimLine,
    ClaimsCutOff,
    ExchangeFailed,
)
from caretrail_contracts.codes import Code, Label

from chassis.command import Command, Work
from chassis.ids import derive
from chassis.refusal import Refusal
from services.billing.commands.answers import fail
from services.billing.commands.registry import handlers
from services.billing.domain.batching import (
    INTERCHANGES,
    Batch,
    Cutoff,
    Interchanges,
    cutoff_id,
)
from services.billing.domain.charge_day import ChargeDay, ChargeStatus
from services.billing.domain.claim import LINES_MAX, Claim, ClaimStatus, claim_id, claim_number
from services.billing.domain.instants import next_cutoff
from services.billing.domain.payer_contract import Contract, contract_id

CHARGES_MAX = 2_000
"""Charges of one cut-off at most: it is one transaction. What is left follows at once."""

CLAIM_NUMBERS = "claim-number"
"""Scope of reservations: a claim's number names one claim for ever."""


class AlreadySubmitted(Refusal):
    """The claim went to its payer already; it is {status} now."""


class CutClaims(Command):
    """Put a payer's charges on claims, and these in a batch."""

    payer: Code


class SubmitAgain(Command):
    """Send a claim whose file could not be written, in a batch of its own."""

    claim: UUID


class Unsent(Command):
    """A claim that could not be written: the rule, and the field that it is about."""

    claim: UUID
    rule: Code
    at: Label


class RecordSubmission(Command):
    """A batch's file was written, without the claims that could not be."""

    batch: UUID
    unsent: tuple[Unsent, ...] = ()


@handlers.handles(CutClaims)
async def cut_claims(command: CutClaims, work: Work) -> None:
    """Raises NotFound for a payer without contract."""
    await work.load(Contract, contract_id(command.payer))
    rows = await work.rows("charge_days", payer=command.payer, status=ChargeStatus.CAPTURED.value)
    days = [await work.load(ChargeDay, row["charge"]) for row in rows[:CHARGES_MAX]]
    found = await work.find(Cutoff, cutoff_id(command.payer))
    claims = [_create(charges, work) for charges in _grouped(days)]
    claims.sort(key=lambda claim: str(claim.id))
    for claim in claims:
        for line in claim.lines:
            (await work.load(ChargeDay, line.charge)).claimed(claim.id, claim.number, work.now)
    batch = derive("batch", command.payer, found.count if found else 0)
    if claims:
        await _cut_batch(batch, command.payer, [claim.id for claim in claims], work)
    cut = ClaimsCutOff(
        payer=command.payer,
        claims=len(claims),
        batch=batch if claims else None,
        next_at=work.now if len(rows) > CHARGES_MAX else next_cutoff(work.now),
    )
    cutoff = Cutoff.cut(found, cut, work.now)
    if found is None:
        work.add(cutoff)


@handlers.handles(SubmitAgain)
async def submit_again(command: SubmitAgain, work: Work) -> None:
    """Raises NotFound, AlreadySubmitted."""
    claim = await work.load(Claim, command.claim)
    if claim.status is not ClaimStatus.CREATED:
        raise AlreadySubmitted(status=claim.status)
    await _cut_batch(derive("batch", work.cause.command_id), claim.payer, [claim.id], work)


@handlers.handles(RecordSubmission)
async def record_submission(command: RecordSubmission, work: Work) -> None:
    """Each claim of the batch was sent or is left for staff."""
    batch = await work.load(Batch, command.batch)
    unsent = {one.claim: one for one in command.unsent}
    for id in batch.claims:
        claim = await work.load(Claim, id)
        if id in unsent:
            one = unsent[id]
            failed = ExchangeFailed(kind="claim", about=id, patient=claim.patient, rule=one.rule, at=one.at)
            await fail(failed, work)
        else:
            claim.submit(batch.id, batch.interchange, work.now)


def _grouped(days: Sequence[ChargeDay]) -> Iterator[list[ChargeCaptured]]:
    """Charges by what stands once on a claim: patient, episode, authorization, diagnoses; 50 at most."""
    ready = [day.captured for day in days if day.status is ChargeStatus.CAPTURED and day.captured]
    for _, charges in groupby(sorted(ready, key=lambda one: (_claim_key(one), one.service_date)), _claim_key):
        all = list(charges)
        yield from (all[start : start + LINES_MAX] for start in range(0, len(all), LINES_MAX))


def _claim_key(charge: ChargeCaptured) -> tuple[str, ...]:
    whose = (str(charge.patient), str(charge.episode))
    return (*whose, charge.authorization_number or "", *charge.diagnoses)


def _create(charges: Sequence[ChargeCaptured], work: Work) -> Claim:
    first = charges[0]
    id = claim_id([one.charge for one in charges])
    number = claim_number(id)
    created = ClaimCreated(
        claim=id,
        number=number,
        patient=first.patient,
        episode=first.episode,
        payer=first.payer,
        lines=tuple(_line(one) for one in charges),
        amount=sum((one.amount for one in charges), Decimal(0)),
        diagnoses=first.diagnoses[:12],
        rendering=first.rendering,
        authorization_number=first.authorization_number,
    )
    work.reserve(CLAIM_NUMBERS, number, id)
    return work.add(Claim.create(created, work.now))


def _line(charge: ChargeCaptured) -> ClaimLine:
    return ClaimLine(
        charge=charge.charge,
        service_date=charge.service_date,
        code=charge.code,
        units=charge.units,
        amount=charge.amount,
    )


async def _cut_batch(id: UUID, payer: str, claims: Sequence[UUID], work: Work) -> None:
    found = await work.find(Interchanges, INTERCHANGES)
    interchanges = Interchanges.draw(found, id, work.now)
    if found is None:
        work.add(interchanges)
    cut = ClaimBatchCut(batch=id, payer=payer, interchange=interchanges.last, claims=tuple(claims))
    work.add(Batch.cut(cut, work.now))
