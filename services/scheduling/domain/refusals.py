"""What scheduling says no to."""

from __future__ import annotations

from chassis.refusal import Refusal


class TrackDiffers(Refusal):
    """This track is open already with other particulars: open another one under a new code."""

    at = "/track"


class SeriesEmpty(Refusal):
    """The weekly pattern gives no session from the first day to the last: expected at least one."""

    at = "/weekdays"


class SeriesTooLong(Refusal):
    """The series has more than {sessions_max} sessions: schedule a shorter one, then the next."""

    at = "/last_on"


class PlacementHasEnded(Refusal):
    """Episode {episode} was placed and its placement has ended: admit the patient again."""


class SessionIsCancelled(Refusal):
    """Session {session} was cancelled: nobody attends or misses it."""


class SessionIsClosed(Refusal):
    """Session {session} is closed: record or correct single attendances instead."""


class SessionWasHeld(Refusal):
    """Session {session} has attendance already: it cannot be called off."""


class SessionNotBegun(Refusal):
    """Session {session} begins at {starts_at}: what happens there cannot be recorded before."""


class NotEnrolled(Refusal):
    """Episode {episode} has no seat in group {group} on the day of the session."""

    at = "/episode"


class NoMinutes(Refusal):
    """The end is less than a minute after the start: expected at least one minute, or a miss."""

    at = "/ended_at"


class InTheFuture(Refusal):
    """What was attended is over: expected a time that has passed."""

    at = "/ended_at"


class OutsideSession(Refusal):
    """Expected a time that overlaps the session and lies between {earliest} and {latest}."""

    at = "/started_at"


class AttendanceStands(Refusal):
    """Attendance {attendance} is recorded with other facts: correct it instead."""


class NothingToCorrect(Refusal):
    """Attendance {attendance} says so already."""


class MemberTwice(Refusal):
    """Patient {patient} is listed twice: expected each member once."""

    at = "/patient"
