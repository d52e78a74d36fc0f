"""Matching: how a name is written makes no difference, who it is does."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.identity import UNKNOWN, match_text, normalized

BORN = date(1990, 5, 17)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Álvarez", "ALVAREZ"),
        ("Alvarez", "Alvarez"),
        ("O'Brien-Smith", "obrien smith"),
        ("Strauß", "STRAUSS"),
        ("Nuñez", "Nun\u0303ez"),
        ("St. John", "St John"),
    ],
)
def test_writings_of_one_name_are_equal(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


def test_other_persons_differ() -> None:
    known = match_text("Alvarez", "Ana", BORN)
    assert known != match_text("Alvarez", "Eva", BORN)
    assert known != match_text("Ana", "Alvarez", BORN)
    assert known != match_text("Alvarez", "Ana", date(1990, 5, 18))


@pytest.mark.parametrize(
    ("family", "given_name", "born"),
    [("A", "B", None), ("-", "B", BORN), ("A", " ", BORN), ("A", UNKNOWN, BORN)],
)
def test_nobody_is_matched_by_a_part(family: str, given_name: str, born: date | None) -> None:
    assert match_text(family, given_name, born) is None


@given(st.text(max_size=40))
def test_normalizing_twice_changes_nothing(name: str) -> None:
    assert normalized(normalized(name)) == normalized(name)


@given(st.text(max_size=40))
def test_case_makes_no_difference(name: str) -> None:
    assert normalized(name.casefold()) == normalized(name)
