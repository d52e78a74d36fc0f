"""What an event is about, where its stream alone says so."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.envelope import Envelope

UUID_LENGTH = 36


def subject_of(about: Envelope) -> UUID:
    """The id of the aggregate whose stream the event stands on, such as ``claim-<id>``."""
    return UUID(about.stream[-UUID_LENGTH:])
