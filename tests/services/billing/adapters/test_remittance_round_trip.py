"""Whatever balances when written balances when read, to the cent; one cent more never does."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.adapters.x12.errors import OutOfBalance, X12Error
from services.billing.adapters.x12.money import parse_amount, show_amount, x12_amount
from services.billing.adapters.x12.remittance_reader import read_remittances
from tests.services.billing.adapters.remittance_samples import an_835

cents = st.integers(-(10**9), 10**9).map(lambda value: Decimal(value) / 100)
line_values = st.tuples(cents, st.lists(cents, max_size=8))
claims = st.lists(st.lists(line_values, max_size=4), min_size=1, max_size=4)


def body_of(drawn: list[list[tuple[Decimal, list[Decimal]]]]) -> tuple[str, Decimal]:
    """Segments of the claims, and what they pay together."""
    segments, total = ["LX*1"], Decimal(0)
    for number, lines in enumerate(drawn):
        rows, charge, paid = [], Decimal(0), Decimal(0)
        for line_charge, taken in lines:
            line_paid = line_charge - sum(taken)
            rows.append(f"SVC*HC:H0015*{x12_amount(line_charge)}*{x12_amount(line_paid)}")
            rows += [f"CAS*CO*45*{x12_amount(amount)}" for amount in taken]
            charge, paid = charge + line_charge, paid + line_paid
        segments += [f"CLP*C{number}*1*{x12_amount(charge)}*{x12_amount(paid)}**12*P{number}", *rows]
        total += paid
    return "|".join(segments), total


@given(claims, cents)
def test_money_is_conserved(drawn: list[list[tuple[Decimal, list[Decimal]]]], withheld: Decimal) -> None:
    body, paid = body_of(drawn)
    body += f"|PLB*1*20261231*WO*{x12_amount(withheld)}"
    (advice,) = read_remittances(an_835(body, x12_amount(paid - withheld))).advices
    taken = sum(one.amount for claim in advice.claims for one in claim.every_adjustment)
    assert sum(claim.charge for claim in advice.claims) - taken - withheld == advice.total
    with pytest.raises(OutOfBalance):
        read_remittances(an_835(body, x12_amount(paid - withheld + Decimal("0.01"))))


@given(cents)
def test_amounts_round_trip(amount: Decimal) -> None:
    assert parse_amount(x12_amount(amount)) == parse_amount(show_amount(amount)) == amount


@given(st.binary(max_size=300), st.integers(0, 600))
def test_any_damage_is_refused_or_read_but_never_breaks_the_reader(noise: bytes, at: int) -> None:
    whole = an_835("LX*1|CLP*C1*1*100*80**12*P1|CAS*CO*45*20", "80")
    try:
        file = read_remittances(whole[:at] + noise + whole[at + len(noise) :])
    except X12Error:
        return
    assert file.advices
