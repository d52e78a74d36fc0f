"""Refusals: what the domain says no to, each a class whose docstring is its message."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


class Refusal(Exception):
    """A rule does not allow this."""

    at: ClassVar[str | None] = None
    """JSON pointer of the input that the rule is about, where there is one."""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.message)

    @property
    def rule(self) -> str:
        """The rule's name: the class's."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """The docstring with the facts filled in; facts are codes and ids, never personal data."""
        return inspect.cleandoc(type(self).__doc__ or "").format_map(self.facts)


class NotFound(Refusal):
    """There is no {kind} {id}."""


class AlreadyExists(Refusal):
    """There is a {kind} {id} already."""


class Refused(Refusal):
    """A refusal that was recorded for this command, given again."""

    def __init__(self, rule: str, message: str, at: str | None) -> None:
        self._rule, self._message, self.place = rule, message, at
        super().__init__()

    @property
    def rule(self) -> str:
        """The rule's name, as recorded."""
        return self._rule

    @property
    def message(self) -> str:
        """The message, as recorded."""
        return self._message


class Conflict(Exception):
    """Somebody else changed a stream since it was read: decide again."""


class Reserved(Exception):
    """A unique key is held by another owner already."""


class KeyReused(Exception):
    """The same idempotency key came with another body."""
