"""The register of notifications' command handlers, and the settings that they read."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from chassis.command import Handlers
from services.notifications.domain.posting import Caps
from services.notifications.domain.staffing import Staffing

handlers = Handlers()


class Options(Protocol):
    """The settings that decisions need."""

    @property
    def posting_every(self) -> timedelta:
        """How often messages are decided on."""
        ...

    @property
    def caps(self) -> Caps:
        """How many messages a patient may get."""
        ...

    @property
    def staffing(self) -> Staffing:
        """Who takes which task."""
        ...
