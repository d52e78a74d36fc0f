"""Refusals: what the domain says no to, each a class whose docstring is its message."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar
from uuid import UUID


class Refusal(Exception):
    """A rule does not allow this."""

    at: ClassVar[str | None] = None
    """Where the input is that the rule is about, mostly a JSON pointer; the facts are filled in here too."""

    def __init__(self, **facts: Any) -> None:
        """The message is the docstring with the facts filled in: codes and ids, never personal data."""
        self.rule = type(self).__name__
        self.message = inspect.cleandoc(type(self).__doc__ or "").format_map(facts)
        self.place = self.at and self.at.format_map(facts)
        super().__init__(self.message)


class NotFound(Refusal):
    """There is no such {kind}: expected one that is known here."""

    at = "{kind}"
    """Not yet a place: where the id stands, or what it derives from, knows who read the input."""


class AlreadyExists(Refusal):
    """There is a {kind} {id} already."""


class Refused(Refusal):
    """A refusal that is on record for this command, given again."""

    def __init__(self, rule: str, message: str, at: str | None, command_id: UUID) -> None:
        super().__init__()
        self.rule, self.message, self.place, self.command_id = rule, message, at, command_id


class Conflict(Exception):
    """Somebody else changed a stream since it was read: decide again."""


class Unavailable(Exception):
    """The database is away: whether the command was carried out is unknown; send it again."""


class Reserved(Exception):
    """A unique key is held by another owner already."""


class KeyReused(Exception):
    """The same idempotency key came with another body."""
