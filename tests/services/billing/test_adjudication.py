"""What a payer's answer means: denied, partly denied, paid, a reversal, or for a person."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.adjudication import ClaimVerdict, claim_verdict, denied_lines, unknown_reasons
from services.billing.domain.adjustment_reasons import ADJUSTMENT_REASONS, DefaultAction, ReasonClass


@dataclass(frozen=True)
class Off:
    """An adjustment."""

    group: str
    reason: str
    amount: Decimal


@dataclass(frozen=True)
class Line:
    """A service line."""

    charge: Decimal
    paid: Decimal
    adjustments: tuple[Off, ...]


@dataclass(frozen=True)
class Claim:
    """A claim with the lines' sums."""

    status: str
    lines: tuple[Line, ...]
    adjustments: tuple[Off, ...] = ()
    alone: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))

    @property
    def charge(self) -> Decimal:
        return sum((line.charge for line in self.lines), self.alone[0])

    @property
    def paid(self) -> Decimal:
        return sum((line.paid for line in self.lines), self.alone[1])


def line(*reasons: str, paid: int = 0, charge: int = 400) -> Line:
    """A line; the first reason takes all that is not paid."""
    amounts = [Decimal(charge - paid)] + [Decimal(0)] * (len(reasons) - 1)
    offs = (Off(reason[:2], reason[3:], amount) for reason, amount in zip(reasons, amounts, strict=True))
    return Line(Decimal(charge), Decimal(paid), tuple(offs))


def claim(*lines: Line, status: str = "1") -> Claim:
    return Claim(status, lines)


PAID_LINE = line("CO-45", paid=320)


@pytest.mark.parametrize(
    ("answered", "verdict"),
    [
        (claim(line("CO-197")), ClaimVerdict.DENIED),
        (claim(line("PR-204")), ClaimVerdict.DENIED),
        (claim(line("OA-18")), ClaimVerdict.DENIED),
        (claim(line("PI-50", "CO-45")), ClaimVerdict.DENIED),
        (claim(line("PR-1")), ClaimVerdict.PAID),
        (claim(line("CO-45")), ClaimVerdict.PAID),
        (claim(line("CO-97")), ClaimVerdict.PAID),
        (claim(line("CO-24")), ClaimVerdict.PAID),
        (claim(line("OA-23")), ClaimVerdict.PAID),
        (claim(line("PR-2"), line("PR-3")), ClaimVerdict.PAID),
        (claim(line("CO-197"), PAID_LINE), ClaimVerdict.PARTLY_DENIED),
        (claim(line("CO-50", paid=100)), ClaimVerdict.PAID),
        (claim(line("CO-45"), status="4"), ClaimVerdict.DENIED),
        (claim(line("CO-197"), line("CO-29")), ClaimVerdict.DENIED),
        (claim(line("CO-197", charge=-400), status="22"), ClaimVerdict.REVERSAL),
        (claim(line("OA-133")), ClaimVerdict.REVIEW),
        (claim(line("CO-ZZ", paid=300)), ClaimVerdict.REVIEW),
        (claim(line("CO-197"), line("CO-ZZ")), ClaimVerdict.REVIEW),
        (claim(line("CO-197", "CO-ZZ")), ClaimVerdict.DENIED),
        (claim(PAID_LINE, status="99"), ClaimVerdict.REVIEW),
    ],
)
def test_a_claim_is_judged_by_its_lines(answered: Claim, verdict: ClaimVerdict) -> None:
    assert claim_verdict(answered) is verdict


@pytest.mark.parametrize(("paid", "verdict"), [(0, ClaimVerdict.DENIED), (10, ClaimVerdict.PAID)])
def test_a_claim_without_lines_is_judged_as_one_line(paid: int, verdict: ClaimVerdict) -> None:
    alone = Claim("1", (), (Off("CO", "29", Decimal(100 - paid)),), (Decimal(100), Decimal(paid)))
    assert claim_verdict(alone) is verdict
    assert denied_lines(alone) == ((alone,) if verdict is ClaimVerdict.DENIED else ())


def test_a_denial_above_lines_that_are_not_denied_goes_to_a_person() -> None:
    whole = Line(Decimal(400), Decimal(0), ())
    above = Claim("1", (whole,), (Off("CO", "197", Decimal(400)),))
    assert claim_verdict(above) is ClaimVerdict.REVIEW


def test_a_reversal_opens_no_denial_and_unknown_reasons_are_listed() -> None:
    assert denied_lines(claim(line("CO-197"), status="22")) == ()
    assert [one.reason for one in unknown_reasons(claim(line("CO-197", "CO-ZZ")))] == ["ZZ"]


def test_every_reason_has_a_label_of_ours_and_denials_an_action() -> None:
    for code, reason in ADJUSTMENT_REASONS.items():
        assert reason.code == code
        assert 3 < len(reason.label) < 55
        assert reason.reason_class.denies <= (reason.action is not DefaultAction.NONE)
    assert ADJUSTMENT_REASONS["198"].action is DefaultAction.EXTEND_AUTHORIZATION
    assert ADJUSTMENT_REASONS["29"].reason_class is ReasonClass.TIMELY_FILING


def test_the_reasons_of_an_iop_are_in_their_class() -> None:
    denying = [
        "197",
        "198",
        "15",
        "29",
        "18",
        "50",
        "16",
        "204",
        "96",
        "119",
        "151",
        "109",
        "22",
        "26",
        "27",
        "31",
        "11",
        "4",
        "8",
    ]
    others = ["1", "2", "3", "23", "24", "42", "45", "97", "253", "A2"]
    assert all(ADJUSTMENT_REASONS[code].reason_class.denies for code in denying)
    assert not any(ADJUSTMENT_REASONS[code].reason_class.denies for code in others)
    assert not {"133", "257"} & set(ADJUSTMENT_REASONS)


reasons = st.sampled_from(["CO-45", "CO-197", "PR-1", "OA-23", "PR-204"])
lines = st.builds(lambda reason, paid: line(reason, paid=paid), reasons, st.sampled_from([0, 320]))


@given(st.lists(lines, min_size=1, max_size=5))
def test_verdict_and_denied_lines_agree(answered: list[Line]) -> None:
    verdict, denied = claim_verdict(claim(*answered)), denied_lines(claim(*answered))
    expected = {0: ClaimVerdict.PAID, len(answered): ClaimVerdict.DENIED}
    assert verdict is expected.get(len(denied), ClaimVerdict.PARTLY_DENIED)
