"""The compatibility check: its verdict on pairs made by hand, for each mode, and its words."""

from __future__ import annotations

from typing import Any

import pytest
from caretrail_contracts.compatibility import Break, Mode, first_break

from tests.contracts.compatibility_pairs import FITS, PAIRS, TEXT, WHOLE, obj, shut


def verdict(found: Break | None) -> str:
    if found is None:
        return FITS
    return found.at if found.decided else f"? {found.at}"


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_breaks_where_it_should(name: str) -> None:
    old, new, backward, forward = PAIRS[name]
    assert verdict(first_break(old, new, Mode.BACKWARD)) == backward
    assert verdict(first_break(old, new, Mode.FORWARD)) == forward
    both = forward if backward == FITS else backward
    assert [verdict(first_break(old, new, mode)) for mode in (Mode.FULL, Mode.TRANSITIVE)] == [both, both]


@pytest.mark.parametrize("name", PAIRS)
def test_backward_of_a_change_is_forward_of_the_change_undone(name: str) -> None:
    old, new, _, _ = PAIRS[name]
    there, back = first_break(old, new, Mode.BACKWARD), first_break(new, old, Mode.FORWARD)
    assert (there is None) == (back is None)
    if there and back:
        assert (there.says, there.decided) == (back.says, back.decided)


def test_a_break_says_who_cannot_read_whom_and_where() -> None:
    old, new = shut("a", a=TEXT), shut("a b", a=TEXT, b=TEXT)
    assert str(first_break(old, new, Mode.BACKWARD)) == (
        "readers of the new schema cannot read what writers of the old one sent: "
        "at /required of the new schema, the reader requires b, the writer does not send it"
    )
    assert str(first_break(new, old, Mode.FORWARD)) == (
        "readers of the old schema cannot read what writers of the new one send: "
        "at /required of the new schema, the reader requires b, the writer does not send it"
    )


def test_a_place_that_the_new_schema_lost_is_shown_in_the_old_one() -> None:
    found = first_break(shut(a=TEXT | {"maxLength": 3}), shut(a=TEXT), Mode.FORWARD)
    assert found
    assert (found.at, found.side) == ("/properties/a/maxLength", "old")


def test_alternatives_that_multiply_end_undecided() -> None:
    def wide(last: Any) -> Any:
        found: Any = last
        for _ in range(18):
            found = {"anyOf": [obj("x", x=found), obj("x", x=found), {"type": "null"}]}
        return found

    found = first_break(wide(TEXT), wide(WHOLE), Mode.BACKWARD)
    assert found
    assert not found.decided


def test_what_is_nested_too_deep_is_undecided() -> None:
    deep: Any = TEXT
    for _ in range(400):
        deep = obj("x", x=deep)
    found = first_break(deep, deep, Mode.FULL)
    assert found
    assert (found.says, found.decided) == ("it is nested too deep to compare", False)
