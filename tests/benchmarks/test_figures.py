"""What a figure says of itself."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import chosen
from benchmarks.figures import Figure, Floor, spread, verdict


@pytest.mark.parametrize(
    ("floor", "ours", "reference", "found"),
    [
        (Floor(8), [80, 90, 70], [10, 10, 10], "met"),
        (Floor(8), [80, 70, 70], [10, 10, 10], "missed"),
        (Floor(2, less=True), [2.0, 1.0, 3.0], [1.0, 1.0, 1.0], "met"),
        (Floor(2, less=True), [2.5, 1.0, 3.0], [1.0, 1.0, 1.0], "missed"),
    ],
)
def test_a_floor_is_kept_by_the_middle_of_the_trials(
    floor: Floor, ours: list[float], reference: list[float], found: str
) -> None:
    assert verdict(Figure("key", ours, reference), floor) == found


def test_a_limit_counts_beside_the_ratio() -> None:
    figure = Figure("key", [9.0], [1.0], more={"p99_ms": [60.0, 40.0, 70.0]})
    assert verdict(figure, Floor(8)) == "met"
    assert verdict(figure, Floor(8, limits={"p99_ms": 50})) == "missed"


def test_what_does_not_exist_is_missing_whatever_its_floor() -> None:
    assert verdict(Figure("key", missing="there is none yet"), Floor(8)) == "missing"


def test_ratios_are_of_trials_side_by_side() -> None:
    assert Figure("key", [10.0, 40.0], [5.0, 10.0]).ratios == [2.0, 4.0]


def test_a_spread_tells_least_middle_and_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"min": 1.0, "median": 2.0, "max": 3.0, "trials": [3.0, 1.0, 2.0]}
    assert spread([]) is None


def test_a_name_stands_for_the_keys_that_begin_with_it() -> None:
    assert chosen("relay, growth") == ["relay", "growth_append", "growth_timeline"]
    assert chosen("rebuild") == ["rebuild", "rebuild_2"]
    with pytest.raises(SystemExit, match="unknown key grow:"):
        chosen("grow")
