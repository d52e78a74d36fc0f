"""Risk: a screen raises it, an incomplete one never reads as low, and a clinician alone lowers it."""

import pytest
from caretrail_contracts.clinical import RiskStatusChanged, SuicideRiskScreened
from caretrail_contracts.codes import RiskLevel
from hypothesis import given
from hypothesis import strategies as st

from services.clinical.commands.risk import StateRisk
from services.clinical.domain.instruments import ScreenForm
from services.clinical.domain.refusals import AnswersMisfit, ClinicianOnly, RiskNotStated, RiskUnchanged
from services.clinical.domain.risk import SEVERITY, Risk
from tests.memory import replayed
from tests.scenario import NOON, Scenario
from tests.services.clinical.builders import ANA, WORDS, clinical, screen

NONE, LOW, INCOMPLETE, MODERATE, HIGH = SEVERITY


def change(previous: RiskLevel, level: RiskLevel) -> RiskStatusChanged:
    return RiskStatusChanged(patient=ANA, previous=previous, level=level)


def taken(level: RiskLevel) -> SuicideRiskScreened:
    return SuicideRiskScreened(patient=ANA, level=level, form="lifetime_recent", answers=(None,) * 6)


async def at(level: RiskLevel) -> Scenario:
    return await clinical().given(Risk, ANA, taken(level), change(NONE, level))


async def test_a_high_screen_raises_the_risk_and_keeps_its_answers() -> None:
    outcome = await clinical().when(screen("YYNYNN"))
    answers = ("yes", "yes", "no", "yes", "no", "no")
    kept = SuicideRiskScreened(patient=ANA, level=HIGH, form="lifetime_recent", answers=answers)
    outcome.then(kept, change(NONE, HIGH))


async def test_a_screen_without_risk_changes_nothing() -> None:
    (await clinical().when(screen("NN---N"))).then_types(SuicideRiskScreened)


async def test_a_lower_screen_leaves_the_risk_where_it_is() -> None:
    (await (await at(HIGH)).when(screen("NN---N"))).then_types(SuicideRiskScreened)
    (await (await at(MODERATE)).when(screen("YN---N"))).then_types(SuicideRiskScreened)


@pytest.mark.parametrize("level", [NONE, LOW])
async def test_an_incomplete_screen_never_reads_as_low_or_none(level: RiskLevel) -> None:
    outcome = await (await at(level)).when(screen("YY----"))
    assert outcome.events[1:] == [change(level, INCOMPLETE)]


@pytest.mark.parametrize("level", [MODERATE, HIGH])
async def test_an_incomplete_screen_lowers_nothing(level: RiskLevel) -> None:
    (await (await at(level)).when(screen("YY----"))).then_types(SuicideRiskScreened)


async def test_behavior_since_the_last_contact_is_recent() -> None:
    outcome = await clinical().when(screen("NN---Y", ScreenForm.SINCE_LAST_CONTACT))
    assert outcome.events[1:] == [change(NONE, HIGH)]


@pytest.mark.parametrize("letters", ["NN--N", "NN---NN", "LN---N"])
async def test_answers_that_the_screener_does_not_have_are_refused(letters: str) -> None:
    (await clinical().when(screen(letters))).then_refused(AnswersMisfit)


async def test_only_a_clinician_states_a_risk() -> None:
    command = StateRisk(patient=ANA, level=LOW, rationale=WORDS)
    (await (await at(HIGH)).when(command)).then_refused(ClinicianOnly)


def test_a_clinician_lowers_with_a_rationale() -> None:
    risk = replayed(Risk, ANA, [(taken(HIGH), NOON), (change(NONE, HIGH), NOON)])
    risk.state(LOW, WORDS, NOON)
    stated = RiskStatusChanged(patient=ANA, previous=HIGH, level=LOW, rationale=WORDS)
    assert [event for event, _ in risk.decided()] == [stated]


def test_a_clinician_may_speak_before_any_screen() -> None:
    risk = Risk.first_word(ANA, MODERATE, WORDS, NOON)
    assert (risk.level, risk.patient) == (MODERATE, ANA)


def test_a_clinician_states_a_level_that_is_one_and_another_than_before() -> None:
    risk = replayed(Risk, ANA, [(taken(HIGH), NOON), (change(NONE, HIGH), NOON)])
    with pytest.raises(RiskNotStated):
        risk.state(INCOMPLETE, WORDS, NOON)
    with pytest.raises(RiskUnchanged, match="already"):
        risk.state(HIGH, WORDS, NOON)


@given(st.lists(st.sampled_from(SEVERITY), min_size=1, max_size=12))
def test_after_any_screens_the_risk_is_the_worst_of_them(levels: list[RiskLevel]) -> None:
    risk = Risk.first_screen(taken(levels[0]), NOON)
    for level in levels[1:]:
        risk.screen(taken(level), NOON)
    assert SEVERITY.index(risk.level) == max(SEVERITY.index(level) for level in levels)
