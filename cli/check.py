"""`caretrail check`: whether every store and the ledger hold the same events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    import httpx

    from cli.stack_file import Stack

ALIVE_S = 30.0
"""How long audit may take, in the midst of its work, to say that it is alive."""


def check(actor: ActorOption = "", purpose: PurposeOption = "", as_json: JsonOption = False) -> None:
    """Check that every store and the ledger hold the same events; exit 1 names those that differ.

    It reads every event, and takes as long as it takes. Who checks is on record: operator;compliance and
    HCOMPL, where nobody is named.
    """
    from cli import service, stack_file
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    who, why = actor or settings.actor or "operator;compliance", purpose or settings.purpose or "HCOMPL"
    asking = asking_as(settings, who, why)
    with told(as_json):
        stack = stack_file.read(settings.home)
        with screen.waiting("Stores and ledger are compared …", quiet=as_json):
            found = service.answer(asyncio.run(_checked(stack, asking)))
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


async def _checked(stack: Stack, headers: Mapping[str, str]) -> httpx.Response:
    """Audit's answer, however long it takes, while it is alive. Raises Problem."""
    import httpx

    from cli import service
    from cli.looking import Silent, while_alive

    base = service.address(stack, "audit")
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=None) as client:
        try:
            return await while_alive(
                lambda: client.post("/integrity-checks", headers={"Idempotency-Key": uuid4().hex}),
                client,
                base,
                ALIVE_S,
            )
        except Silent as why:
            raise service.silent("audit", base, str(why)) from None
        except httpx.TransportError as error:
            raise service.silent("audit", base, f"{type(error).__name__}.") from None


def _show(differences: list[dict[str, Any]]) -> None:
    names = ("service", "stream", "version", "id", "kind")
    table = screen.new_table(*names, title="differences", whole="id", numbers=("version",))
    for each in differences:
        table.add_row(*(str(each[name]) for name in names))
    screen.out().print(table)
