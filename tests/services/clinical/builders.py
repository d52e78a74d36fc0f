"""Clinical's cast: a patient, an episode, answers, and a scenario with all of clinical's rules."""

from __future__ import annotations

from datetime import date

from caretrail_contracts.clinical import Instrument
from caretrail_contracts.sealed import FreeText, Sealed

from chassis.ids import derive
from services.clinical.app import service
from services.clinical.commands.measures import AdministerMeasure
from services.clinical.commands.notes import SignNote
from services.clinical.commands.risk import ScreenRisk
from services.clinical.domain.instruments import ScreenAnswer, ScreenForm
from tests.scenario import Scenario

ANA, BEN = derive("patient", "ana"), derive("patient", "ben")
EPISODE, SESSION = derive("episode", "ana"), derive("session", "monday")
TODAY = date(2026, 3, 2)
WORDS = Sealed[FreeText](kid=f"{ANA}.1", nonce="AAAAAAAAAAAAAAAA", ct="AAAA")
OTHER_WORDS = Sealed[FreeText](kid=f"{ANA}.1", nonce="BBBBBBBBBBBBBBBB", ct="BBBB")
CLINICIAN = "1234567893"
LETTERS = {
    "Y": ScreenAnswer.YES,
    "N": ScreenAnswer.NO,
    "-": None,
    "L": ScreenAnswer.LIFETIME,
    "3": ScreenAnswer.THREE_MONTHS,
}


def clinical() -> Scenario:
    """Clinical's rules at noon of a Monday."""
    return Scenario(service.handlers, service.policies, service.projections, service="clinical")


def measure(
    *answers: int | None, instrument: Instrument = Instrument.PHQ9, on: date = TODAY, key: str = "first"
) -> AdministerMeasure:
    """Ana answers a measure."""
    return AdministerMeasure(
        measure=derive("measure", key),
        patient=ANA,
        episode=EPISODE,
        instrument=instrument,
        answers=answers,
        administered_on=on,
    )


def screen(letters: str, form: ScreenForm = ScreenForm.LIFETIME_RECENT) -> ScreenRisk:
    """Ana answers a screener: Y, N, L (lifetime), 3 (three months) or - (open)."""
    return ScreenRisk(patient=ANA, form=form, answers=tuple(LETTERS[letter] for letter in letters))


def note(words: Sealed[FreeText] = WORDS) -> SignNote:
    """The note of Ana's session."""
    return SignNote(patient=ANA, episode=EPISODE, session=SESSION, clinician=CLINICIAN, text=words)
