"""Measures as pure functions: PHQ-9 and GAD-7 scores, bands and change, C-SSRS screener levels.

No wording of an instrument stands here. A measure with an unanswered item has no score: nothing is prorated.
What safety asks for does not wait for a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from caretrail_contracts.codes import RiskLevel

Answers = Sequence[int | None]
"""The answers in the order of the items; None where one was left open."""


class AnswersRefused(ValueError):
    """The answers do not fit the instrument: their number, or one that is out of its range."""


@dataclass(frozen=True, slots=True)
class Band:
    """A band of severity, from its lowest score up to the next band's."""

    lowest: int
    name: str


@dataclass(frozen=True, slots=True)
class SumScore:
    """An instrument whose score is the sum of its items, each 0 to `item_max`."""

    code: str
    scoring: str
    items: int
    item_max: int
    total_loinc: str
    panel_loinc: str
    bands: tuple[Band, ...]
    case_from: int
    reliable_change: int
    remission_below: int | None

    @property
    def score_max(self) -> int:
        """The highest score."""
        return self.items * self.item_max

    def score(self, answers: Answers) -> int | None:
        """The sum; None where an item was left open. Raises AnswersRefused."""
        given = self._checked(answers)
        return None if len(given) < self.items else sum(given)

    def band(self, score: int) -> str:
        """The band of a score. Raises AnswersRefused for a score that the instrument cannot have."""
        self._check_score(score)
        return next(band.name for band in reversed(self.bands) if score >= band.lowest)

    def is_case(self, score: int) -> bool:
        """Whether a score is at or above the cut for a probable disorder."""
        self._check_score(score)
        return score >= self.case_from

    def change(self, start: int, end: int) -> Change:
        """What happened between two scores of one person."""
        self._check_score(start)
        self._check_score(end)
        drop = start - end
        return Change(
            drop=drop,
            response=drop > 0 and drop * RESPONSE_DIVISOR >= start,
            remission=None if self.remission_below is None else end < self.remission_below,
            reliable_improvement=drop >= self.reliable_change,
            reliable_deterioration=-drop >= self.reliable_change,
            recovery=self.is_case(start) and not self.is_case(end),
        )

    def _checked(self, answers: Answers) -> list[int]:
        if len(answers) != self.items:
            raise AnswersRefused(f"{self.code} has {self.items} items, not {len(answers)}")
        for item, answer in enumerate(answers, start=1):
            if answer is not None and (isinstance(answer, bool) or not 0 <= answer <= self.item_max):
                raise AnswersRefused(f"item {item} of {self.code} is answered with 0 to {self.item_max}")
        return [answer for answer in answers if answer is not None]

    def _check_score(self, score: int) -> None:
        if not 0 <= score <= self.score_max:
            raise AnswersRefused(f"a score of {self.code} is 0 to {self.score_max}")


@dataclass(frozen=True, slots=True)
class Change:
    """Change from a first to a later score; `drop` is positive when the person feels better.

    `remission` is None for an instrument that defines none. Recovery asks only for the caseness cut (IAPT);
    `reliable_improvement` beside it makes reliable recovery.
    """

    drop: int
    response: bool
    remission: bool | None
    reliable_improvement: bool
    reliable_deterioration: bool
    recovery: bool


RESPONSE_DIVISOR = 2  # at least half of the first score gone: Löwe et al. 2004, Med Care 42:1194

PHQ9 = SumScore(
    code="phq-9",
    scoring="phq-9/1",
    items=9,
    item_max=3,
    total_loinc="44261-6",  # hl7.org/fhir/us/pco ValueSet-prom-target-measures
    panel_loinc="44249-1",  # US Core example Observation-PHQ9-panel-example-44249-1
    # Kroenke, Spitzer and Williams 2001, J Gen Intern Med 16:606
    bands=(
        Band(0, "minimal"),
        Band(5, "mild"),
        Band(10, "moderate"),
        Band(15, "moderately_severe"),
        Band(20, "severe"),
    ),
    case_from=10,  # NHS Talking Therapies (IAPT) manual: caseness at 10, recovery below it
    reliable_change=6,  # the same manual: at least 6 points
    remission_below=5,  # Löwe et al. 2004
)

GAD7 = SumScore(
    code="gad-7",
    scoring="gad-7/1",
    items=7,
    item_max=3,
    total_loinc="70274-6",  # hl7.org/fhir/us/pco ValueSet-prom-target-measures
    panel_loinc="69737-5",  # LOINC panel of the seven items
    # Spitzer et al. 2006, Arch Intern Med 166:1092
    bands=(Band(0, "minimal"), Band(5, "mild"), Band(10, "moderate"), Band(15, "severe")),
    case_from=8,  # NHS Talking Therapies (IAPT) manual; United States practice often takes 10
    reliable_change=4,  # the same manual; Toussaint et al. 2020, J Affect Disord 265:395
    remission_below=None,
)

SELF_HARM_ITEM = 9
"""The item of the PHQ-9 that asks about death and self-harm."""


def asks_for_suicide_screen(phq9_answers: Answers) -> bool:
    """Whether a PHQ-9 makes a C-SSRS screen due now: item 9 above 0 or left open, whatever the total.

    Raises AnswersRefused.
    """
    PHQ9.score(phq9_answers)
    return phq9_answers[SELF_HARM_ITEM - 1] != 0


class ScreenAnswer(StrEnum):
    """An answer to a question of the C-SSRS screener; the last two only to question 6, on behavior."""

    YES = "yes"
    NO = "no"
    LIFETIME = "lifetime"  # more than three months ago
    THREE_MONTHS = "three_months"  # within the past three months


class ScreenForm(StrEnum):
    """Which C-SSRS screener was used: on Since-Last-Contact any behavior is recent."""

    LIFETIME_RECENT = "lifetime_recent"
    SINCE_LAST_CONTACT = "since_last_contact"


SCREEN_QUESTIONS = 6
_YES, _NO = ScreenAnswer.YES, ScreenAnswer.NO
_BEHAVIOR_ANSWERS = {
    ScreenForm.LIFETIME_RECENT: frozenset(ScreenAnswer),
    ScreenForm.SINCE_LAST_CONTACT: frozenset({_YES, _NO, ScreenAnswer.THREE_MONTHS}),
}

ScreenAnswers = Sequence[ScreenAnswer | None]
"""Questions 1 to 6 in order; None where one was skipped or left open."""


def suicide_risk(answers: ScreenAnswers, form: ScreenForm = ScreenForm.LIFETIME_RECENT) -> RiskLevel:
    """The level of a C-SSRS screener by its triage; there is no total score. Raises AnswersRefused.

    High: 4, 5 or recent behavior (6). Moderate: 3, or behavior longer ago. Low: 1 or 2 alone. A missing
    answer that could still raise the level makes it incomplete, unless it is high already: never low or none.
    Source: the Columbia Lighthouse Project's triage for the screener (https://cssrs.columbia.edu).
    """
    _check_screen(answers, form)
    wish, thoughts, method, intent, plan, behavior = answers
    if _YES in (intent, plan) or _is_recent(behavior, form):
        return RiskLevel.HIGH
    if _is_incomplete(answers):
        return RiskLevel.INCOMPLETE
    if method is _YES or behavior is ScreenAnswer.LIFETIME:
        return RiskLevel.MODERATE
    return RiskLevel.LOW if _YES in (wish, thoughts) else RiskLevel.NONE


def _is_recent(behavior: ScreenAnswer | None, form: ScreenForm) -> bool:
    since_last_contact = form is ScreenForm.SINCE_LAST_CONTACT and behavior is _YES
    return since_last_contact or behavior is ScreenAnswer.THREE_MONTHS


def _is_incomplete(answers: ScreenAnswers) -> bool:
    """1, 2 and 6 are always asked, 3 to 5 after a yes to 2; a bare yes to 6 does not say how long ago."""
    wish, thoughts, *details, behavior = answers
    asked = [wish, thoughts, behavior, *(details if thoughts is _YES else [])]
    return None in asked or behavior is _YES


def _check_screen(answers: ScreenAnswers, form: ScreenForm) -> None:
    if len(answers) != SCREEN_QUESTIONS:
        raise AnswersRefused(f"the C-SSRS screener has {SCREEN_QUESTIONS} questions, not {len(answers)}")
    for question, answer in enumerate(answers[:-1], start=1):
        if answer not in (None, _YES, _NO):
            raise AnswersRefused(f"question {question} of the C-SSRS screener is answered with yes or no")
    if answers[-1] is not None and answers[-1] not in _BEHAVIOR_ANSWERS[form]:
        allowed = ", ".join(sorted(_BEHAVIOR_ANSWERS[form]))
        raise AnswersRefused(f"question 6 of the C-SSRS screener ({form}) is answered with {allowed}")
