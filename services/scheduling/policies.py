"""Reactions: admission seats a patient, discharge frees the seats, misses are counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import PatientAdmitted, PatientDischarged
from caretrail_contracts.scheduling import AttendanceCorrected, SessionMissed

from chassis.policy import Policies, Reaction, Timer
from services.scheduling.commands.misses import DetectMisses
from services.scheduling.commands.seats import EndPlacement, SeatInTrack

policies = Policies()

SETTLES_IN = timedelta(seconds=1)
"""Patients come to us in any order within an instant. Seats are given out a moment later, when all are
here, in the order of episodes, and before seats of that instant are released: timers go by their keys."""

DISCHARGED = "discharged"


@policies.on(PatientAdmitted)
def when_patient_admitted(event: PatientAdmitted, about: Envelope) -> Iterator[Reaction]:
    """A seat in each group of the track."""
    seat = SeatInTrack(
        patient=event.patient, episode=event.episode, track=event.track, starts_on=event.admitted_on
    )
    yield Timer(f"place-{event.episode}", about.recorded_at + SETTLES_IN, seat)


@policies.on(PatientDischarged)
def when_patient_discharged(event: PatientDischarged, about: Envelope) -> Iterator[Reaction]:
    """Seats are free for others."""
    end = EndPlacement(episode=event.episode, reason=DISCHARGED, ends_on=event.discharged_on)
    yield Timer(f"release-{event.episode}", about.recorded_at + SETTLES_IN, end)


@policies.on(SessionMissed)
def when_session_missed(event: SessionMissed, about: Envelope) -> Iterator[Reaction]:
    """Is it the second in a row, or the third in 14 days?"""
    yield DetectMisses(patient=event.patient, episode=event.episode, position=about.position)


@policies.on(AttendanceCorrected)
def when_attendance_corrected(event: AttendanceCorrected, about: Envelope) -> Iterator[Reaction]:
    """A miss that was learned of later counts as well."""
    if event.minutes == 0:
        yield DetectMisses(patient=event.patient, episode=event.episode, position=about.position)
