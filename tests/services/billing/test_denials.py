"""Denials: appealed level by level, decided, too late, corrected."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from caretrail_contracts.billing import AppealDecided, AppealFiled, DenialClosed, DenialOpened

from chassis.refusal import NotFound
from services.billing.commands.contracts import AgreeContract
from services.billing.commands.denials import (
    CloseDenial,
    FileAppeal,
    OpenDenial,
    RecordAppealDecision,
    class_of,
)
from services.billing.domain.adjudication import ClaimVerdict
from services.billing.domain.denial import appeal_id
from services.billing.domain.refusals import AppealPending, DenialDone, NoLevelLeft, TooLate, WrongLevel
from tests.services.billing.builders import Billing, only, terms
from tests.services.billing.test_remittances import file, remitted, submitted


async def denied(**changes: Any) -> tuple[Billing, UUID]:
    """A claim of 400.00 denied for its authorization; the last day to dispute is 2026-05-19."""
    billing = await submitted(**changes)
    await billing.do(file(remitted(billing, ClaimVerdict.DENIED, "0", "CO-197 400", carc=("197",))))
    return billing, billing.rows("denials")[0]["denial"]


def appeal(denial: UUID, level: int = 1) -> FileAppeal:
    return FileAppeal(denial=denial, level=level, grounds="authorization-on-file")


def decision(denial: UUID, outcome: str, level: int = 1) -> RecordAppealDecision:
    return RecordAppealDecision.model_validate({"appeal": appeal_id(denial, level), "outcome": outcome})


async def test_an_appeal_is_filed_once_and_names_the_claim_by_number() -> None:
    billing, denial = await denied()
    outcome = await billing.do(appeal(denial))
    outcome.then_types(AppealFiled)
    assert only(AppealFiled, outcome).number == billing.rows("claims")[0]["number"]
    (await billing.do(appeal(denial))).then_refused(AppealPending)


async def test_levels_follow_each_other() -> None:
    billing, denial = await denied()
    (await billing.do(appeal(denial, 2))).then_refused(WrongLevel)


async def test_an_overturned_appeal_recovers_what_the_new_remittance_paid() -> None:
    billing, denial = await denied()
    await billing.do(appeal(denial))
    reversal = remitted(billing, ClaimVerdict.REVERSAL, "0", "CO-197 -400")
    correction = remitted(billing, ClaimVerdict.PAID, "320", "CO-45 80")
    await billing.do(file(reversal, correction, trace="T2", digest="b"))
    outcome = await billing.do(decision(denial, "overturned"))
    outcome.then_types(AppealDecided, DenialClosed)
    assert only(AppealDecided, outcome).recovered == Decimal("320.00")
    assert [row["state"] for row in billing.rows("denials")] == ["closed"]
    (await billing.do(decision(denial, "overturned"))).then()


async def test_a_denial_that_is_opened_when_its_claim_is_paid_already_is_closed_at_once() -> None:
    """Whoever settles the claim's denials does not see it: it is not there yet."""
    billing = await submitted()
    await billing.do(file(remitted(billing, ClaimVerdict.PAID, "320", "CO-45 80")))
    [claim] = billing.rows("claims")
    about = {"denial": UUID(int=7), "claim": claim["claim"], "patient": claim["patient"]}
    opening = OpenDenial(**about, carc=("197",), amount=Decimal(400), paid=Decimal(0), notice_on=None)
    (await billing.do(opening)).then_types(DenialOpened, DenialClosed)


async def test_an_upheld_appeal_leaves_the_next_level_and_the_last_one_ends_it() -> None:
    billing, denial = await denied()
    await billing.do(appeal(denial))
    (await billing.do(decision(denial, "upheld"))).then_types(AppealDecided)
    await billing.do(appeal(denial, 2))
    (await billing.do(decision(denial, "upheld", 2))).then_types(AppealDecided, DenialClosed)
    (await billing.do(appeal(denial, 3))).then_refused(DenialDone)


async def test_every_level_of_the_contract_can_be_used_and_no_other() -> None:
    billing, denial = await denied(appeal_levels=1)
    await billing.do(appeal(denial))
    await billing.do(decision(denial, "upheld"))
    assert [row["outcome"] for row in billing.rows("denials")] == ["upheld"]


async def test_no_appeal_goes_beyond_the_contracts_levels() -> None:
    billing, denial = await denied(appeal_levels=2)
    await billing.do(appeal(denial))
    await billing.do(decision(denial, "upheld"))
    await billing.do(AgreeContract(terms=terms(appeal_levels=1, effective_on=date(2026, 3, 3))))
    (await billing.do(appeal(denial, 2))).then_refused(NoLevelLeft)


async def test_a_deadline_that_passes_without_an_appeal_closes_the_denial() -> None:
    billing, denial = await denied()
    outcome = await billing.until(datetime(2026, 5, 20, 12, tzinfo=UTC))
    assert DenialClosed(outcome="deadline-passed") in outcome.events
    (await billing.do(appeal(denial))).then_refused(DenialDone)


async def test_after_the_last_day_an_appeal_is_too_late() -> None:
    billing, denial = await denied()
    billing.clock.move(datetime(2026, 5, 20, 1, tzinfo=UTC))
    (await billing.do(appeal(denial))).then_refused(TooLate)


async def test_an_appeal_stops_the_deadline() -> None:
    billing, denial = await denied()
    await billing.do(appeal(denial))
    outcome = await billing.until(datetime(2026, 5, 21, tzinfo=UTC))
    assert not [event for event in outcome.events if isinstance(event, DenialClosed)]


async def test_a_payment_without_an_appeal_closes_the_denial_as_corrected() -> None:
    billing, _ = await denied()
    reversal = remitted(billing, ClaimVerdict.REVERSAL, "0", "CO-197 -400")
    correction = remitted(billing, ClaimVerdict.PAID, "320", "CO-45 80")
    outcome = await billing.do(file(reversal, correction, trace="T2", digest="b"))
    assert DenialClosed(outcome="corrected") in outcome.events


async def test_staff_may_write_a_denial_off() -> None:
    billing, denial = await denied()
    (await billing.do(CloseDenial(denial=denial, outcome="written-off"))).then_types(DenialClosed)
    (await billing.do(CloseDenial(denial=denial, outcome="written-off"))).then()


async def test_an_answer_to_an_appeal_that_nobody_filed_is_refused() -> None:
    billing, denial = await denied()
    (await billing.do(decision(denial, "upheld"))).then_refused(NotFound)


def test_the_class_is_that_of_the_first_denying_reason() -> None:
    assert class_of(("45", "50")) == "clinical"
    assert class_of(("B99",)) == "unknown"


async def test_a_regime_by_law_counts_from_the_notice() -> None:
    billing, _ = await denied(appeal_regime="erisa_internal", dispute_days=None)
    row = billing.rows("denials")[0]
    assert (row["appeal_deadline"], row["work_by"]) == (date(2026, 9, 16), date(2026, 9, 16))
