"""`caretrail check`: whether every store and the ledger hold the same events."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption


def check(actor: ActorOption = "", purpose: PurposeOption = "", as_json: JsonOption = False) -> None:
    """Check that every store and the ledger hold the same events; exit 1 names those that differ.

    It reads every event, and takes as long as it takes. Who checks is on record: operator;compliance and
    HCOMPL, where nobody is named.
    """
    from cli import stack_file
    from cli.looking import lasting
    from cli.problem import told
    from cli.service import answer
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    who, why = actor or settings.actor or "operator;compliance", purpose or settings.purpose or "HCOMPL"
    asking = {**asking_as(settings, who, why), "Idempotency-Key": uuid4().hex}
    with told(as_json):
        stack = stack_file.of(settings)
        with screen.waiting("Stores and ledger are compared …", quiet=as_json):
            found = answer(lasting(stack, "audit", "/integrity-checks", asking))
    if as_json:
        screen.print_json(found)
    elif found["verified"]:
        typer.echo(
            f"Verified: {found['events']:,} events of {found['streams']:,} streams, stores and ledger alike."
        )
    else:
        _show(found["differences"])
    if not found["verified"]:
        raise typer.Exit(1)


def _show(differences: list[dict[str, Any]]) -> None:
    """Two lines for each: streams and ids are too long for columns, and must stay whole to be copied."""
    for each in differences:
        where = f"{each['service']} {each['stream']}, version {each['version']}"
        screen.out().print(f"{where}: {each['kind']}", style=screen.BAD, soft_wrap=True, markup=False)
        screen.out().print(f"  event {each['id']}", style=screen.QUIET, soft_wrap=True, markup=False)
