"""A cohort from a seed: people who never lived, and what they will do. The same seed, the same cohort."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

# fmt: off
FAMILIES = (
    "Abernathy", "Bellweather", "Castellano", "Dragomir", "Eskandari", "Fairbrother", "Guerrero",
    "Hollingsworth", "Iwasaki", "Jankowski", "Kowalczyk", "Lindqvist", "Montgomery", "Nakashima",
    "Okonkwo", "Petrosyan", "Quintanilla", "Rosenbaum", "Silverstein", "Thorvaldsen", "Underhill",
    "Vandenberg", "Whitcombe", "Xiong", "Yarbrough", "Zimmerman",
)
# fmt: on
# fmt: off
GIVENS = (
    "Amara", "Bastian", "Celestine", "Dmitri", "Eleanora", "Fitzgerald", "Gwendolyn", "Hiroshi",
    "Ingeborg", "Joaquin", "Katarina", "Leopold", "Marisol", "Nathaniel", "Ottoline", "Prudence",
    "Quincy", "Rosalind", "Sebastian", "Theodora", "Ulysses", "Valentina", "Wilhelmina", "Xavier",
    "Yolanda", "Zachariah",
)
# fmt: on
SOURCES = ("hospital", "pcp", "school", "probation", "shelter", "eap", "self")
REASONS = ("F33.1", "F41.1", "F10.20", "F11.20", "F43.10")
PAYERS = ("acme-health", "unity-plan", "state-medicaid")
ZONE = "America/New_York"


@dataclass(frozen=True)
class Patient:
    """One made-up person and their course: ``attends`` is the chance to come, ``phq9`` the first answers."""

    number: int
    family: str
    given: str
    birth_date: date
    gender: str
    street: str
    member_id: str
    email: str | None
    zone: str
    source: str
    urgency: str
    reason: str
    payer: str
    track: str
    day: int
    attends: float
    severity: int
    at_risk: bool
    declines: bool


def cohort(seed: int, size: int) -> list[Patient]:
    """``size`` people; ``day`` is the day of the program on which they are referred."""
    draw = Random(f"cohort {seed}")
    return [_patient(draw, number) for number in range(1, size + 1)]


def _patient(draw: Random, number: int) -> Patient:
    family = f"{draw.choice(FAMILIES)}{draw.choice(('', 'son', 'ova', 'field'))}"
    return Patient(
        number=number,
        family=family,
        given=draw.choice(GIVENS),
        birth_date=date(1950, 1, 1) + timedelta(days=draw.randrange(20_000)),
        gender=draw.choice(("female", "male")),
        street=f"{draw.randrange(1, 999)} {draw.choice(('Oak', 'Elm', 'Cedar', 'Lake'))} Street",
        member_id=f"W{draw.randrange(10**8, 10**9)}",
        email=None if draw.random() < 0.08 else f"reader-{draw.randrange(16**8):08x}@mail.example.org",
        zone=ZONE,
        source=draw.choice(SOURCES),
        urgency=draw.choice(("routine", "urgent", "asap")),
        reason=draw.choice(REASONS),
        payer=draw.choice(PAYERS),
        track=draw.choice(("adult-day", "adult-evening")),
        day=draw.choice((0, 0, 1, 2, 3, 7, 8, 10)),
        attends=draw.choice((0.97, 0.95, 0.9, 0.8, 0.65)),
        severity=draw.choice((1, 2, 2, 3)),
        at_risk=draw.random() < 0.15,
        declines=draw.random() < 0.06,
    )


def answers(patient: Patient, instrument: str, week: int, seed: int) -> list[int | None]:
    """A patient's answers to an instrument in a week: they tend to get better."""
    draw = Random(f"answers {seed} {patient.number} {instrument} {week}")
    items = {"phq-9": 9, "gad-7": 7}[instrument]
    mean = max(0.0, patient.severity - week * 0.18)
    found: list[int | None] = [min(3, max(0, round(draw.gauss(mean, 0.7)))) for _ in range(items)]
    if instrument == "phq-9":
        found[8] = 1 if patient.at_risk and week in (0, 3) else 0
        if draw.random() < 0.01:
            found[draw.randrange(8)] = None
    return found
