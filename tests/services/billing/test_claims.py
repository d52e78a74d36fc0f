"""Charges are cut off weekly, put on claims, sent in batches whose numbers follow each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from caretrail_contracts.billing import (
    ChargeClaimed,
    ChargeVoided,
    ClaimBatchCut,
    ClaimCorrectionDue,
    ClaimCreated,
    ClaimsCutOff,
    ClaimSubmitted,
    ExchangeFailed,
    InterchangeNumbered,
)
from caretrail_contracts.clinical import NoteWithdrawn

from chassis.refusal import NotFound
from services.billing.commands.claims import (
    AlreadySubmitted,
    CutClaims,
    RecordSubmission,
    SubmitAgain,
    Unsent,
)
from tests.memory import replayed
from tests.services.billing.builders import ANA, PAYER, Billing, only, session_of

WEEK = (date(2026, 3, 9), date(2026, 3, 11), date(2026, 3, 13))
SATURDAY = datetime(2026, 3, 14, 6, 30, tzinfo=UTC)


async def week() -> Billing:
    """A week of three charged days."""
    billing = await Billing().authorized()
    for day in WEEK:
        await billing.day(day)
    return billing


async def test_saturdays_cut_off_puts_the_weeks_charges_on_one_claim() -> None:
    billing = await week()
    outcome = await billing.until(SATURDAY)
    outcome.then_types(*[ChargeClaimed] * 3, ClaimsCutOff, ClaimCreated, InterchangeNumbered, ClaimBatchCut)
    claim = next(event for event in outcome.events if isinstance(event, ClaimCreated))
    assert [line.service_date for line in claim.lines] == list(WEEK)
    assert (str(claim.amount), claim.authorization_number) == ("1200.00", "A2026030517")
    assert len(claim.number) <= 20
    assert claim.number.isalnum()


async def test_a_week_without_charges_is_cut_off_too_and_the_next_is_set() -> None:
    billing = await Billing().contracted()
    outcome = await billing.until(datetime(2026, 3, 7, 6, 30, tzinfo=UTC))
    outcome.then(ClaimsCutOff(payer=PAYER, claims=0, batch=None, next_at=SATURDAY))
    assert billing.timers[f"cutoff-{PAYER}"].at == SATURDAY


async def test_a_charge_is_claimed_once() -> None:
    billing = await week()
    await billing.until(SATURDAY)
    (await billing.do(CutClaims(payer=PAYER))).then_types(ClaimsCutOff)


async def test_more_than_fifty_charges_take_several_claims() -> None:
    from services.billing.commands.claims import _grouped
    from services.billing.domain.charge_day import ChargeDay, ChargeStatus
    from tests.services.billing.builders import EPISODE

    billing = await week()
    row = billing.rows("charge_days")[0]
    facts = await billing.store.read_stream(f"charge-{row['charge']}")
    day = replayed(ChargeDay, row["charge"], facts)
    assert day.status is ChargeStatus.CAPTURED
    assert day.episode == EPISODE
    assert [len(group) for group in _grouped([day] * 51)] == [50, 1]


async def test_an_unknown_payer_has_nothing_to_cut_off() -> None:
    (await Billing().do(CutClaims(payer="nobody"))).then_refused(NotFound)


async def test_a_written_batch_submits_its_claims() -> None:
    billing = await week()
    await billing.until(SATURDAY)
    (await billing.do(RecordSubmission(batch=_batch(billing)))).then_types(ClaimSubmitted)
    assert [row["interchange"] for row in billing.rows("claims")] == [1]
    (await billing.do(RecordSubmission(batch=_batch(billing)))).then()


async def test_a_claim_that_cannot_be_written_goes_to_staff_and_can_be_sent_again() -> None:
    billing = await week()
    await billing.until(SATURDAY)
    claim = billing.rows("claims")[0]["claim"]
    unsent = Unsent(claim=claim, rule="BirthDateMissing", at="subscriber/birth_date")
    outcome = await billing.do(RecordSubmission(batch=_batch(billing), unsent=(unsent,)))
    outcome.then(
        ExchangeFailed(
            kind="claim", about=claim, patient=ANA, rule="BirthDateMissing", at="subscriber/birth_date"
        )
    )
    again = await billing.do(SubmitAgain(claim=claim))
    again.then_types(InterchangeNumbered, ClaimBatchCut)
    batch = only(ClaimBatchCut, again)
    assert batch.interchange == 2
    (await billing.do(RecordSubmission(batch=batch.batch))).then_types(ClaimSubmitted)
    (await billing.do(SubmitAgain(claim=claim))).then_refused(AlreadySubmitted)


async def test_evidence_that_changes_after_the_claim_asks_staff_to_correct_it() -> None:
    billing = await week()
    await billing.until(SATURDAY)
    withdrawn = NoteWithdrawn(session=session_of(WEEK[0]), reason="wrong-patient")
    outcome = await billing.learn(withdrawn, patient=ANA)
    kinds = set(map(type, outcome.events))
    assert {ChargeVoided, ClaimCorrectionDue} <= kinds
    assert [row["correction_due"] for row in billing.rows("claims")] == [True]


def _batch(billing: Billing) -> Any:
    return billing.rows("batches")[0]["batch"]
