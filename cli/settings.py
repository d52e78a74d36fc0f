"""Settings of the command line: the stack's home, and who asks and why."""

from __future__ import annotations

import re

import typer
from caretrail_contracts.envelope import Purpose
from pydantic import Field

from chassis.config import Settings

_ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*;[A-Za-z][A-Za-z0-9_-]*", re.ASCII)


class CliSettings(Settings):
    """What the command line needs beside a process's settings: actor and purpose to ask as, and whom.

    ``service_urls`` gives the base URL of each service, as JSON, where no local stack is asked.
    """

    actor: str = ""
    purpose: str = ""
    service_urls: dict[str, str] = Field(default_factory=dict)


def asking_as(settings: CliSettings, actor: str, purpose: str) -> dict[str, str]:
    """The headers that say who asks and why.

    Raises typer.BadParameter where one is missing: what is asked for is recorded with both.
    """
    actor, purpose = actor or settings.actor, purpose or settings.purpose
    missing = [name for name, value in (("--actor", actor), ("--purpose", purpose)) if not value]
    if missing:
        raise typer.BadParameter(
            "who asks for this and why is recorded. "
            f"Give {' and '.join(missing)}, or set CARETRAIL_ACTOR and CARETRAIL_PURPOSE "
            "(such as 'ana;coordinator' and TREAT)."
        )
    if not _ACTOR.fullmatch(actor):
        raise typer.BadParameter("expected ID;ROLE, such as 'ana;coordinator'", param_hint="--actor")
    return {"Caretrail-Actor": actor, "Caretrail-Purpose": _purpose(purpose), **credential(settings)}


def credential(settings: Settings) -> dict[str, str]:
    """The header with the credential in force, where there is one."""
    token = settings.api_token
    return {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}


def _purpose(text: str) -> str:
    known = {code.value: code.value for code in Purpose} | {code.name: code.value for code in Purpose}
    found = known.get(text.upper().replace("-", "_"))
    if found is None:
        names = ", ".join(f"{code.value} ({code.name.lower().replace('_', ' ')})" for code in Purpose)
        raise typer.BadParameter(f"expected one of {names}", param_hint="--purpose")
    return found
