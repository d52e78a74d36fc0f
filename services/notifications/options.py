"""What notifications can be told."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.notifications.adapters.smtp import server_of
from services.notifications.domain.posting import Caps
from services.notifications.domain.staffing import Person, Staffing

Mailbox = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)]

_ON_CALL = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}=[^@\s<>,]+@[^@\s<>,]+$")


class Options(BaseSettings):
    """Given by ``CARETRAIL_…`` or a ``.env`` file.

    ``on_call`` is a list ``code=address,code=address`` in the order of escalation. ``mail_sender`` must
    tell nothing of the program. Addresses that are not set are made up and reach nobody.
    """

    model_config = SettingsConfigDict(
        env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    smtp_url: SecretStr = SecretStr("smtp://127.0.0.1:2525")
    mail_sender: Mailbox = "office@mail.example.org"
    on_call: Annotated[tuple[str, ...], NoDecode] = (
        "on-call-1=on-call-1@example.org",
        "on-call-2=on-call-2@example.org",
    )
    billing_desk: Mailbox = "billing-desk@example.org"
    care_desk: Mailbox = "care-desk@example.org"
    clinical_desk: Mailbox = "clinical-desk@example.org"
    escalate_after_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    messages_a_day: Annotated[int, Field(ge=1, le=10)] = 1
    messages_a_week: Annotated[int, Field(ge=1, le=50)] = 3
    posting_every_s: Annotated[int, Field(ge=1, le=3600)] = 5

    @field_validator("on_call", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """The list as the environment gives it: divided by commas."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("on_call")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Somebody must be on call, each with a code and an address."""
        if not value:
            raise ValueError("expected at least one person on call, as code=address")
        for place, entry in enumerate(value, 1):
            if not _ON_CALL.match(entry):
                raise ValueError(f"entry {place}: expected code=address, such as nurse-1=nurse-1@example.org")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _reachable(cls, value: SecretStr) -> SecretStr:
        """A URL that names a server."""
        server_of(value.get_secret_value())
        return value

    @cached_property
    def staffing(self) -> Staffing:
        """Who takes which task."""
        people = (entry.split("=", 1) for entry in self.on_call)
        return Staffing(
            on_call=tuple(Person(code.strip(), email.strip()) for code, email in people),
            billing_desk=self.billing_desk,
            care_desk=self.care_desk,
            clinical_desk=self.clinical_desk,
            escalate_after=timedelta(minutes=self.escalate_after_minutes),
        )

    @property
    def caps(self) -> Caps:
        """How many messages a patient may get."""
        return Caps(self.messages_a_day, self.messages_a_week)

    @property
    def posting_every(self) -> timedelta:
        """How often messages are decided on."""
        return timedelta(seconds=self.posting_every_s)
