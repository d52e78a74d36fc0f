"""Options that several commands share; this module imports little, since every command imports it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

ActorOption = Annotated[
    str,
    typer.Option("--actor", metavar="ID;ROLE", help="Who asks, else CARETRAIL_ACTOR.", show_default=False),
]
PurposeOption = Annotated[
    str,
    typer.Option(
        "--purpose",
        metavar="CODE",
        help="Why: TREAT, HPAYMT, HOPERAT, HCOMPL, …, else CARETRAIL_PURPOSE.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
"""Kafka and PostgreSQL's tools count from here; nothing of ours is older."""


def moment(text: str, expected: str) -> datetime:
    """The time that ``--to`` names; without an offset it is this machine's. Raises BadParameter."""
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.astimezone()
        if at.astimezone(UTC) >= BEGIN:
            return at
    except (ValueError, OverflowError):  # the latter of the first and the last days of the calendar
        raise typer.BadParameter(expected, param_hint="--to") from None
    raise typer.BadParameter(f"{expected}, from {BEGIN.year} on", param_hint="--to")
