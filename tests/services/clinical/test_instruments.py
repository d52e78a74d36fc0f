"""PHQ-9, GAD-7 and the C-SSRS screener against published vectors, and laws that hold for any answers."""

from __future__ import annotations

from itertools import product

import pytest
from caretrail_contracts.clinical import Instrument
from caretrail_contracts.codes import RiskLevel
from hypothesis import given
from hypothesis import strategies as st

from services.clinical.domain.instruments import (
    GAD7,
    PHQ9,
    AnswersRefused,
    ScreenAnswer,
    ScreenForm,
    SumScore,
    asks_for_suicide_screen,
    suicide_risk,
)

ANSWER = {
    "Y": ScreenAnswer.YES,
    "N": ScreenAnswer.NO,
    "-": None,
    "L": ScreenAnswer.LIFETIME,
    "3": ScreenAnswer.THREE_MONTHS,
}
LEVELS = [RiskLevel.NONE, RiskLevel.LOW, RiskLevel.MODERATE, RiskLevel.HIGH]


def screen(answers: str) -> list[ScreenAnswer | None]:
    return [ANSWER[letter] for letter in answers]


@pytest.mark.parametrize(
    ("answers", "score", "band"),
    [
        ([3, 3, 2, 2, 2, 2, 2, 1, 1], 18, "moderately_severe"),
        ([1, 1, 1, 1, 0, 1, 1, 0, 0], 6, "mild"),
        ([0] * 9, 0, "minimal"),
        ([3] * 9, 27, "severe"),
    ],
)
def test_the_phq9_is_the_sum_of_its_nine_items(answers: list[int], score: int, band: str) -> None:
    assert (PHQ9.score(answers), PHQ9.band(score)) == (score, band)


@pytest.mark.parametrize(
    ("instrument", "edges"),
    [
        (PHQ9, {0: "minimal", 4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 14: "moderate",
                15: "moderately_severe", 19: "moderately_severe", 20: "severe", 27: "severe"}),
        (GAD7, {0: "minimal", 4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 14: "moderate",
                15: "severe", 21: "severe"}),
    ],
)  # fmt: skip
def test_bands_begin_at_their_published_cut_points(instrument: SumScore, edges: dict[int, str]) -> None:
    assert {score: instrument.band(score) for score in edges} == edges


def test_codes_and_loinc_totals_are_those_of_the_contract_and_of_loinc() -> None:
    assert [PHQ9.code, GAD7.code] == [Instrument.PHQ9, Instrument.GAD7]
    assert [PHQ9.total_loinc, GAD7.total_loinc] == ["44261-6", "70274-6"]


def test_a_drop_of_twelve_from_eighteen_is_response_and_recovery_but_no_remission() -> None:
    change = PHQ9.change(18, 6)
    assert (change.drop, change.response, change.remission) == (12, True, False)
    assert (change.reliable_improvement, change.reliable_deterioration, change.recovery) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("instrument", "start", "end", "response", "remission", "reliable", "worse", "recovery"),
    [
        (PHQ9, 10, 5, True, False, False, False, True),
        (PHQ9, 10, 4, True, True, True, False, True),
        (PHQ9, 16, 10, False, False, True, False, False),
        (PHQ9, 9, 4, True, True, False, False, False),
        (PHQ9, 0, 0, False, True, False, False, False),
        (PHQ9, 4, 10, False, False, False, True, False),
        (GAD7, 8, 4, True, None, True, False, True),
        (GAD7, 11, 8, False, None, False, False, False),
        (GAD7, 7, 11, False, None, False, True, False),
    ],
)
def test_change_follows_the_cut_points(
    instrument: SumScore, start: int, end: int, response: bool, remission: bool | None, reliable: bool,
    worse: bool, recovery: bool,
) -> None:  # fmt: skip
    change = instrument.change(start, end)
    assert (change.response, change.remission, change.recovery) == (response, remission, recovery)
    assert (change.reliable_improvement, change.reliable_deterioration) == (reliable, worse)


def test_an_open_item_leaves_no_score_yet_item_nine_still_asks_for_a_screen() -> None:
    answers = [3, None, 2, 2, 2, 2, 2, 1, 1]
    assert PHQ9.score(answers) is None
    assert asks_for_suicide_screen(answers)


@pytest.mark.parametrize(("item_9", "due"), [(0, False), (1, True), (3, True), (None, True)])
def test_item_nine_above_zero_or_open_asks_for_a_screen(item_9: int | None, due: bool) -> None:
    assert asks_for_suicide_screen([0] * 8 + [item_9]) is due


@pytest.mark.parametrize("answers", [[], [0] * 8, [0] * 10, [0] * 8 + [4], [-1] + [0] * 8, [True] + [0] * 8])
def test_answers_that_do_not_fit_are_refused(answers: list[int]) -> None:
    with pytest.raises(AnswersRefused):
        PHQ9.score(answers)
    with pytest.raises(AnswersRefused):
        asks_for_suicide_screen(answers)


@pytest.mark.parametrize("score", [-1, 22])
def test_a_score_that_cannot_be_is_refused(score: int) -> None:
    for ask in (GAD7.band, GAD7.is_case, lambda impossible: GAD7.change(impossible, 0)):
        with pytest.raises(AnswersRefused):
            ask(score)


@given(st.sampled_from([PHQ9, GAD7]), st.data())
def test_a_score_is_whole_or_missing_and_always_has_a_band(instrument: SumScore, data: st.DataObject) -> None:
    item = st.none() | st.integers(0, instrument.item_max)
    answers = data.draw(st.lists(item, min_size=instrument.items, max_size=instrument.items))
    score = instrument.score(answers)
    assert (score is None) == (None in answers)
    if score is not None:
        assert instrument.band(score) in {band.name for band in instrument.bands}


@given(st.integers(0, 27), st.integers(0, 27))
def test_change_is_reliable_in_one_direction_at_most_and_mirrors(start: int, end: int) -> None:
    there, back = PHQ9.change(start, end), PHQ9.change(end, start)
    assert there.reliable_improvement is back.reliable_deterioration
    assert not (there.reliable_improvement and there.reliable_deterioration)
    assert not (there.recovery and back.recovery)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ("YN---N", RiskLevel.LOW),
        ("NYNNNN", RiskLevel.LOW),
        ("YYYNNN", RiskLevel.MODERATE),
        ("NN---L", RiskLevel.MODERATE),
        ("NN---3", RiskLevel.HIGH),
        ("YYNYNN", RiskLevel.HIGH),
        ("YYNNYN", RiskLevel.HIGH),
        ("NNNNNN", RiskLevel.NONE),
        ("NN---N", RiskLevel.NONE),
        ("YY----", RiskLevel.INCOMPLETE),
        ("YYYN-N", RiskLevel.INCOMPLETE),
        ("YYY-NL", RiskLevel.INCOMPLETE),
        ("YN----", RiskLevel.INCOMPLETE),
        ("-N---N", RiskLevel.INCOMPLETE),
        ("N----N", RiskLevel.INCOMPLETE),
        ("------", RiskLevel.INCOMPLETE),
        ("NN---Y", RiskLevel.INCOMPLETE),
        ("YY-Y--", RiskLevel.HIGH),
        ("-----3", RiskLevel.HIGH),
    ],
)
def test_the_screener_has_levels_by_its_triage_and_no_total(answers: str, level: RiskLevel) -> None:
    assert suicide_risk(screen(answers)) is level


def test_since_last_contact_counts_any_behavior_as_recent() -> None:
    assert suicide_risk(screen("NN---Y"), ScreenForm.SINCE_LAST_CONTACT) is RiskLevel.HIGH
    assert suicide_risk(screen("NN---N"), ScreenForm.SINCE_LAST_CONTACT) is RiskLevel.NONE


@pytest.mark.parametrize(
    ("answers", "form"),
    [
        ("YN---", ScreenForm.LIFETIME_RECENT),
        ("LN---N", ScreenForm.LIFETIME_RECENT),
        ("NN---L", ScreenForm.SINCE_LAST_CONTACT),
    ],
)
def test_a_screener_answered_in_another_way_is_refused(answers: str, form: ScreenForm) -> None:
    with pytest.raises(AnswersRefused):
        suicide_risk(screen(answers), form)


def test_an_open_answer_never_reads_as_low_or_none_where_an_answer_could_raise_it() -> None:
    """Every screen with open answers: filling one in never lifts a level that was said to be settled."""
    for first_five, behavior in product(product("YN-", repeat=5), "N-L3"):
        answers = "".join(first_five) + behavior
        level = suicide_risk(screen(answers))
        if level is RiskLevel.INCOMPLETE or answers[1] == "N":
            continue
        for place in (place for place, letter in enumerate(answers) if letter == "-"):
            for letter in "N3" if place == 5 else "YN":
                filled = suicide_risk(screen(answers[:place] + letter + answers[place + 1 :]))
                assert LEVELS.index(filled) <= LEVELS.index(level), answers
