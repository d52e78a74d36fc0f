"""Posting remittances: money is conserved to the cent, what does not fit waits for a person."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from caretrail_contracts.adjustments import Adjustment, AdjustmentGroup
from caretrail_contracts.billing import (
    ClaimDenied,
    ClaimNeedsReview,
    ClaimPaid,
    ClaimReversed,
    ClaimSubmitted,
    DenialOpened,
    RemittanceClaimParked,
    RemittancePosted,
    RemittanceReceived,
    Remitted,
)
from caretrail_contracts.sealed import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from services.billing.commands.claims import RecordSubmission
from services.billing.commands.remittances import (
    DeniedLine,
    PostRemittances,
    RemittanceIn,
    RemittedClaimIn,
)
from services.billing.domain.adjudication import ClaimVerdict
from services.billing.domain.claim import Claim
from services.billing.domain.refusals import TraceReused
from tests.memory import replayed
from tests.services.billing.builders import Billing, only, sealed

MONDAY = date(2026, 3, 9)


async def created(**changes: Any) -> Billing:
    """One claim of one day, 400.00, in a batch that was cut; the contract's terms may differ."""
    billing = await Billing().authorized(**changes)
    await billing.day(MONDAY)
    await billing.until(datetime(2026, 3, 14, 7, tzinfo=UTC))
    return billing


async def submitted(**changes: Any) -> Billing:
    """Likewise, at the payer's."""
    billing = await created(**changes)
    await billing.do(RecordSubmission(batch=billing.rows("batches")[0]["batch"]))
    return billing


def taken(*triplets: str) -> tuple[Adjustment, ...]:
    """Adjustments such as ``CO-45 80``."""
    found = []
    for triplet in triplets:
        reason, amount = triplet.split()
        group, _, code = reason.partition("-")
        found.append(Adjustment(group=AdjustmentGroup(group), reason=code, amount=Decimal(amount)))
    return tuple(found)


def remitted(
    billing: Billing, verdict: ClaimVerdict, paid: str, *triplets: str, **facts: Any
) -> RemittedClaimIn:
    """What a payer says of the one claim."""
    charge = Decimal("-400") if verdict is ClaimVerdict.REVERSAL else Decimal("400")
    given: dict[str, Any] = {
        "number": billing.rows("claims")[0]["number"],
        "status": "1",
        "charge": charge,
        "paid": Decimal(paid),
        "patient_responsibility": Decimal(0),
        "verdict": verdict,
        "adjustments": taken(*triplets),
        "readable": True,
        "denied_lines": (),
        "group": None,
        "carc": (),
        "rarc": (),
        "unknown": (),
        "payer_claim_number": None,
        "document": sealed(Document, "service:billing"),
    }
    return RemittedClaimIn.model_validate(given | facts)


def file(*claims: RemittedClaimIn, trace: str = "T1", digest: str = "a", says: str = "a") -> PostRemittances:
    """A file with one transaction set, its TRN the fifth segment."""
    one = RemittanceIn(
        origin=f"origin of {trace}",
        content=says,
        segment=5,
        payer="1999999999",
        trace=trace,
        total=sum((claim.paid for claim in claims), Decimal(0)),
        paid_on=date(2026, 3, 20),
        provider_adjustments=(),
        claims=claims,
    )
    return PostRemittances(file_digest=digest * 64, remittances=(one,))


def balance(billing: Billing) -> tuple[str, ...]:
    """Paid, adjustments, the patient's share, and what is open, as the list shows them."""
    row = billing.rows("claims")[0]
    parts = (row["paid"], row["adjustments"], row["patient_responsibility"])
    return tuple(f"{Decimal(part):.2f}" for part in (*parts, row["charge"] - sum(parts)))


async def test_that_a_claim_was_submitted_may_be_learned_after_the_payer_decided() -> None:
    billing = await created()
    await billing.do(file(remitted(billing, ClaimVerdict.PAID, "400")))
    batch = billing.rows("batches")[0]["batch"]
    (await billing.do(RecordSubmission(batch=batch))).then_types(ClaimSubmitted)
    (await billing.do(RecordSubmission(batch=batch))).then()
    [claim] = billing.rows("claims")
    assert (claim["status"], claim["batch"]) == ("paid", batch)


async def test_a_payment_posts_to_the_cent() -> None:
    billing = await submitted()
    paid = remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 80", "PR-3 20")
    outcome = await billing.do(file(paid))
    outcome.then_types(RemittanceReceived, RemittancePosted, ClaimPaid)
    assert outcome.events[1] == RemittancePosted(posted=1, parked=0)
    assert balance(billing) == ("300.00", "80.00", "20.00", "0.00")


async def test_the_same_file_changes_nothing() -> None:
    billing = await submitted()
    paid = remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100")
    await billing.do(file(paid))
    (await billing.do(file(paid))).then()


async def test_the_same_file_posted_at_the_same_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is committed just as this one asks who holds its trace."""
    billing = await submitted()
    posted, owner = file(remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100")), billing.store.owner

    async def overtaken(scope: str, key: str) -> UUID | None:
        monkeypatch.undo()
        await billing.when(posted)
        return await owner(scope, key)

    monkeypatch.setattr(billing.store, "owner", overtaken)
    (await billing.when(posted)).then_types(RemittanceReceived, RemittancePosted, ClaimPaid)


async def test_the_same_payment_in_another_file_changes_nothing() -> None:
    billing = await submitted()
    paid = remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100")
    first, beside = file(paid), file(remitted(billing, ClaimVerdict.PAID, "0"), trace="T2")
    await billing.do(first)
    both = PostRemittances(file_digest="b" * 64, remittances=(*first.remittances, *beside.remittances))
    outcome = await billing.do(both)
    outcome.then_types(RemittanceReceived, RemittanceClaimParked, RemittancePosted)
    (await billing.do(beside.model_copy(update={"file_digest": "c" * 64}))).then()


async def test_the_same_trace_with_another_content_is_refused_whole() -> None:
    billing = await submitted()
    await billing.do(file(remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100")))
    other = file(remitted(billing, ClaimVerdict.PAID, "299.99", "CO-45 100.01"), digest="b", says="b")
    outcome = await billing.do(other)
    outcome.then_refused(TraceReused)
    assert outcome.refused is not None
    assert outcome.refused.place == "segment 5 TRN02"
    assert balance(billing) == ("300.00", "100.00", "0.00", "0.00")


async def test_one_trace_twice_in_a_file_is_two_payments() -> None:
    billing = await submitted()
    paid = remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100")
    one = file(paid).remittances[0]
    other = one.model_copy(update={"claims": (), "content": "b"})
    both = PostRemittances(file_digest="c" * 64, remittances=(one, other))
    outcome = await billing.do(both)
    assert [type(event) for event in outcome.events].count(RemittanceReceived) == 2


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"number": "NOTOURS"}, "ClaimUnknown"),
        ({"readable": False, "adjustments": ()}, "AdjustmentUnknown"),
        ({"status": "25"}, "NotAPayment"),
        ({"charge": Decimal("399.99")}, "ChargeDiffers"),
        ({"verdict": ClaimVerdict.REVERSAL, "charge": Decimal("-400")}, "NothingToReverse"),
    ],
)
async def test_what_does_not_fit_is_parked_and_never_posted(facts: dict[str, Any], rule: str) -> None:
    billing = await submitted()
    odd = remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100").model_copy(update=facts)
    outcome = await billing.do(file(odd))
    outcome.then_types(RemittanceReceived, RemittanceClaimParked, RemittancePosted)
    assert only(RemittanceClaimParked, outcome).rule == rule
    assert only(RemittancePosted, outcome).parked == 1
    assert balance(billing) == ("0.00", "0.00", "0.00", "400.00")
    assert [row["rule"] for row in billing.rows("parked_claims")] == [rule]


async def test_a_second_decision_without_a_reversal_is_parked() -> None:
    billing = await submitted()
    await billing.do(file(remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100")))
    again = file(remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 100"), trace="T2", digest="b")
    outcome = await billing.do(again)
    assert [event.rule for event in outcome.events if isinstance(event, RemittanceClaimParked)] == [
        "DecidedAlready"
    ]
    assert balance(billing) == ("300.00", "100.00", "0.00", "0.00")


async def test_a_denial_names_reason_lines_and_amount_and_opens_a_work_item() -> None:
    billing = await submitted()
    line = DeniedLine(control="L1", code="H0015", service_date=MONDAY, charge=Decimal("400"))
    denied = remitted(
        billing,
        ClaimVerdict.DENIED,
        "0",
        "CO-197 400",
        group=AdjustmentGroup.CONTRACTUAL,
        carc=("197",),
        denied_lines=(line,),
    )
    outcome = await billing.do(file(denied))
    outcome.then_types(RemittanceReceived, RemittancePosted, ClaimDenied, DenialOpened)
    claim, denial = only(ClaimDenied, outcome), only(DenialOpened, outcome)
    assert (claim.carc, claim.group, str(claim.denied_amount), claim.whole) == (
        ("197",),
        "CO",
        "400.00",
        True,
    )
    assert claim.denied_lines == (billing.rows("charge_days")[0]["charge"],)
    assert (denial.denial_class, denial.regime, str(denial.amount)) == (
        "utilization",
        "provider_dispute",
        "400.00",
    )
    assert (denial.appeal_deadline, denial.work_by) == (date(2026, 5, 19), date(2026, 5, 19))


async def test_a_reason_that_nobody_knows_is_posted_and_goes_to_a_person() -> None:
    billing = await submitted()
    odd = remitted(billing, ClaimVerdict.REVIEW, "0", "OA-133 400", unknown=("133",))
    outcome = await billing.do(file(odd))
    assert [event.carc for event in outcome.events if isinstance(event, ClaimNeedsReview)] == [("133",)]
    assert [row["status"] for row in billing.rows("claims")] == ["review"]


async def test_a_reversal_and_its_correction_compensate() -> None:
    billing = await submitted()
    await billing.do(file(remitted(billing, ClaimVerdict.PAID, "300.00", "CO-45 80", "PR-3 20")))
    reversal = remitted(billing, ClaimVerdict.REVERSAL, "-300.00", "CO-45 -80", "PR-3 -20")
    correction = remitted(billing, ClaimVerdict.PAID, "320.00", "CO-45 80")
    outcome = await billing.do(file(reversal, correction, trace="T2", digest="b"))
    outcome.then_types(RemittanceReceived, RemittancePosted, ClaimReversed, ClaimPaid)
    assert balance(billing) == ("320.00", "80.00", "0.00", "0.00")


amounts = st.integers(0, 40_000).map(lambda cents: Decimal(cents) / 100)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=6), st.data())
async def test_money_is_conserved_whatever_payers_say(
    shares: list[tuple[Decimal, Decimal]], data: st.DataObject
) -> None:
    """Charge - paid - adjustments = the patient's share + what is open, after each file, to the cent."""
    billing = await submitted()
    for number, (paid, share) in enumerate(shares):
        paid, share = min(paid, Decimal(400)), min(share, Decimal(400) - min(paid, Decimal(400)))
        off = Decimal(400) - paid - share
        decision = remitted(billing, ClaimVerdict.PAID, str(paid), f"CO-45 {off}", f"PR-2 {share}")
        claims = [decision]
        if data.draw(st.booleans()):
            back = (f"CO-45 {-off}", f"PR-2 {-share}")
            claims.append(remitted(billing, ClaimVerdict.REVERSAL, str(-paid), *back))
        await billing.do(file(*claims, trace=f"T{number}", digest=f"{number:x}"))
        claim = await _claim(billing)
        assert claim.amount - claim.paid - claim.adjusted == claim.patient_responsibility + claim.balance
        assert claim.balance == (Decimal(0) if claim.standing else Decimal(400))
        row = billing.rows("claims")[0]
        assert (row["paid"], row["adjustments"]) == (claim.paid, claim.adjusted)
        assert row["patient_responsibility"] == claim.patient_responsibility


async def _claim(billing: Billing) -> Claim:
    id = billing.rows("claims")[0]["claim"]
    facts = await billing.store.read_stream(f"claim-{id}")
    assert all(isinstance(fact, Remitted) for fact, _ in facts[2:])
    return replayed(Claim, id, facts)
