"""Measures: kept with their raw answers, scored by a named rule, and what safety asks of them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from caretrail_contracts.clinical import (
    Instrument,
    MeasureAdministered,
    SuicideRiskScreenRequested,
)
from hypothesis import given
from hypothesis import strategies as st

from chassis.refusal import Refusal
from services.clinical.commands.diagnoses import RecordDiagnosis
from services.clinical.domain.measure import Measure, answered_at, scored
from services.clinical.domain.refusals import (
    AdministeredTooLongAgo,
    AnswersMisfit,
    EpisodeOfAnother,
    NotYetAdministered,
)
from tests.scenario import NOON
from tests.services.clinical.builders import ANA, BEN, EPISODE, TODAY, clinical, measure

ITEM = st.one_of(st.none(), st.integers(0, 3))


async def test_a_measure_keeps_its_answers_its_score_and_the_rule_that_scored_it() -> None:
    command = measure(3, 3, 2, 2, 2, 2, 2, 2, 0)
    outcome = await clinical().when(command)
    outcome.then(
        MeasureAdministered(
            measure=command.measure,
            patient=ANA,
            episode=EPISODE,
            instrument=Instrument.PHQ9,
            scoring="phq-9/1",
            answers=(3, 3, 2, 2, 2, 2, 2, 2, 0),
            score=18,
            band="moderately_severe",
            administered_on=TODAY,
        )
    )


async def test_item_9_above_0_asks_for_a_screen_in_the_same_breath_at_a_total_of_1() -> None:
    command = measure(0, 0, 0, 0, 0, 0, 0, 0, 1)
    outcome = await clinical().when(command)
    outcome.then_types(MeasureAdministered, SuicideRiskScreenRequested)
    due = SuicideRiskScreenRequested(patient=ANA, measure=command.measure, item_9=1)
    assert outcome.events[1] == due


async def test_item_9_left_open_asks_for_a_screen_though_there_is_no_score() -> None:
    outcome = await clinical().when(measure(3, 3, 3, 3, 3, 3, 3, 3, None))
    outcome.then_types(MeasureAdministered, SuicideRiskScreenRequested)
    administered = outcome.events[0]
    assert isinstance(administered, MeasureAdministered)
    assert (administered.score, administered.band) == (None, None)
    assert outcome.events[1].model_dump()["item_9"] is None


async def test_another_open_item_does_not_hide_item_9() -> None:
    outcome = await clinical().when(measure(None, 0, 0, 0, 0, 0, 0, 0, 1))
    outcome.then_types(MeasureAdministered, SuicideRiskScreenRequested)


async def test_a_gad7_asks_for_no_screen() -> None:
    outcome = await clinical().when(measure(3, 3, 3, 3, 3, 3, 3, instrument=Instrument.GAD7))
    outcome.then_types(MeasureAdministered)


async def test_the_same_measure_again_changes_nothing_and_another_of_the_day_stands_beside_it() -> None:
    scenario = clinical()
    await scenario.when(measure(*[1] * 9))
    (await scenario.when(measure(*[1] * 9))).then()
    again = await scenario.when(measure(*[1] * 9, key="evening"))
    again.then_types(MeasureAdministered, SuicideRiskScreenRequested)


@pytest.mark.parametrize("answers", [[0] * 8, [0] * 10, [], [4] + [0] * 8, [-1] + [0] * 8])
async def test_answers_that_the_instrument_does_not_have_are_refused(answers: list[int]) -> None:
    (await clinical().when(measure(*answers))).then_refused(AnswersMisfit)


async def test_the_screener_is_no_measure_with_a_score() -> None:
    (await clinical().when(measure(*[0] * 6, instrument=Instrument.CSSRS))).then_refused(AnswersMisfit)


async def test_tomorrow_is_refused() -> None:
    outcome = await clinical().when(measure(*[0] * 9, on=TODAY + timedelta(days=1)))
    outcome.then_refused(NotYetAdministered)
    assert outcome.refused is not None
    assert outcome.refused.place == "/administered_on"


@pytest.mark.parametrize(("days", "rule"), [(366, None), (367, AdministeredTooLongAgo)])
async def test_a_day_that_is_long_past_is_refused(days: int, rule: type[Refusal] | None) -> None:
    outcome = await clinical().when(measure(*[0] * 9, on=TODAY - timedelta(days=days)))
    if rule is None:
        outcome.then_types(MeasureAdministered)
    else:
        outcome.then_refused(rule)


async def test_an_episode_that_is_known_as_anothers_is_refused() -> None:
    scenario = clinical()
    await scenario.when(RecordDiagnosis(patient=BEN, episode=EPISODE, icd10="F33.1", rank=1))
    (await scenario.when(measure(*[0] * 9))).then_refused(EpisodeOfAnother)


def test_what_is_entered_later_was_true_on_its_day() -> None:
    assert answered_at(TODAY, NOON) == NOON
    assert answered_at(date(2026, 2, 27), NOON) == datetime(2026, 2, 27, 12, tzinfo=UTC)


@given(st.lists(ITEM, min_size=9, max_size=9))
def test_a_screen_is_due_exactly_when_item_9_is_not_0(answers: list[int | None]) -> None:
    command = measure(*answers)
    fact = scored(**command.model_dump())
    events = [event for event, _ in Measure.administer(fact, NOON).decided()]
    assert (len(events) == 2) == (answers[8] != 0)
    assert (fact.score is None) == (None in answers)
