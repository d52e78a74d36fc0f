"""`caretrail demo`: a cohort plays the whole journey on real servers, and the figures that came of it."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import screen

MARK = "demonstration"
"""A file in the home of a demonstration: what lies beside it, and at the places of named servers that it
lists, may be removed by the next one."""

MADE_BY = "`caretrail demo`, which removes this folder, and what is at these places, when it begins anew"

MIGRATED = {"secrets", "run"}
"""All that `caretrail migrate`, and a start that found no servers, leave in a home."""


def demo(
    patients: Annotated[int, typer.Option(min=1, max=1000, help="How many patients.")] = 25,
    weeks: Annotated[int, typer.Option(min=1, max=26, help="How many simulated weeks.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the stack running; stop it with Ctrl-C.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Play a cohort through referral, care, claims, denials and appeals; print what happened.

    Each run begins anew: what an earlier demonstration of the same home left is removed first.

    It plays on servers that CARETRAIL_POSTGRES_URL and CARETRAIL_KAFKA_BOOTSTRAP name, where they are set.

    What no demonstration of the home made is left alone, and the run refused.
    """
    import uvloop

    from chassis.config import Settings
    from cli.problem import told
    from cli.reaching import reached

    with told(False), reached(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_demo(Settings(), patients, weeks, seed, keep, json_file))
    if figures is None:
        raise typer.Exit(130)
    if not figures["ledger"]["verified"]:
        raise typer.Exit(1)


async def _demo(
    settings: Any, patients: int, weeks: int, seed: int, keep: bool, json_file: Path | None
) -> dict[str, Any] | None:
    """Play; the figures, or None where it was stopped before there were any."""
    from chassis.clock import SharedClock
    from cli import misspelt
    from cli.problem import Problem
    from cli.settings import credential
    from cli.stopping import stop_on_request
    from deploy.local import programs, stack
    from deploy.local.demo import play
    from deploy.local.demo.driver import NotQuiet
    from deploy.local.supervisor import NotReady
    from deploy.serving import TokenMissing, see_host

    try:
        see_host(settings)
        programs.see_options()
        misspelt.warn()
    except TokenMissing as error:
        raise Problem(str(error)) from None
    if json_file and not json_file.parent.is_dir():
        raise Problem(f"there is no folder {json_file.parent} to write {json_file.name} to")
    home, figures = settings.home.resolve(), None
    stop_on_request()
    _begin_anew(settings, home)
    clock = SharedClock(home / "clock", create=play.BEGINS)
    try:
        typer.echo("Starting PostgreSQL, Kafka and the services …")
        async with stack.up(settings, clock=clock, seed=seed) as found:
            figures = await play.play(found, clock, patients, weeks, seed, screen.out(), credential(settings))
            _print(figures)
            if json_file:
                json_file.write_text(json.dumps(figures, indent=1))
            if keep:
                found.peak.end()
                typer.echo("The stack runs on; Ctrl-C stops it.")
                await asyncio.Event().wait()
    except (stack.AlreadyUp, NotReady, NotQuiet) as error:
        raise Problem(str(error)) from None
    except asyncio.CancelledError:
        typer.echo("Stopped.")
    return figures


def _begin_anew(settings: Any, home: Path) -> None:
    """Make the home and the servers empty; only what an earlier demonstration left is removed.

    A home and databases that were migrated and no more are empty enough. Raises Problem.
    """
    from cli.problem import Problem
    from deploy.local.demo import named_servers
    from deploy.local.stack import is_held

    if is_held(home):
        raise Problem(
            f"a stack of {home} is running", advice="Stop it with `caretrail down`, or name another home."
        )
    mark, places = home / MARK, named_servers.places(settings)
    allowed = {"demo"} | (MIGRATED if "postgres" in places else set())
    if not mark.exists() and home.exists() and {path.name for path in home.iterdir()} - allowed:
        raise Problem(
            f"{home} holds a stack that is no demonstration's, and a demonstration begins with an empty home",
            advice="Name another home, such as CARETRAIL_HOME=.caretrail/demo.",
        )
    try:
        named_servers.make_empty(settings, _own(mark))
    except named_servers.InUse as error:
        raise Problem(
            f"{error}, and a demonstration begins with empty ones",
            advice="Nothing was removed. Name others: set CARETRAIL_DATABASE_PREFIX and "
            "CARETRAIL_TOPIC_PREFIX to a word of your own, or unset CARETRAIL_POSTGRES_URL and "
            "CARETRAIL_KAFKA_BOOTSTRAP.",
        ) from None
    if mark.exists():
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    content = {"made_by": MADE_BY, "places": {name: asdict(place) for name, place in places.items()}}
    mark.write_text(json.dumps(content, indent=1) + "\n")


def _own(mark: Path) -> dict[str, Any]:
    """The places on named servers of the demonstration that left this mark, if one did."""
    from deploy.local.demo.named_servers import Place

    try:
        places = json.loads(mark.read_text())["places"]
    except (FileNotFoundError, ValueError):  # none, or one of before places were written down
        return {}
    return {name: Place(**place) for name, place in places.items()}


def _print(figures: dict[str, Any]) -> None:
    events = screen.new_table("service", "event", "count", title="Events")
    events.columns[-1].justify = "right"
    for row in figures["events"]:
        events.add_row(row["service"], row["type"].rpartition(".")[2], f"{row['events']:,}")
    screen.out().print(events)
    facts = screen.new_table("what", "figure", title="Outcome")
    facts.columns[-1].justify = "right"
    for name, value in figures["outcome"].items():
        facts.add_row(name.removeprefix("billing: "), _figure(value))
    screen.out().print(facts)
    _print_checks(figures)


def _figure(value: Any) -> str:
    """Counts with separators; what is no count is money."""
    return f"{value:,}" if isinstance(value, int) else f"${Decimal(value):,.2f}"


def _print_checks(figures: dict[str, Any]) -> None:
    lags = screen.new_table("service", "lag", title="Consumers")
    lags.columns[-1].justify = "right"
    for name, lag in figures["lag"].items():
        lags.add_row(name, str(lag))
    screen.out().print(lags)
    ledger = figures["ledger"]
    if ledger["verified"]:
        events, streams = f"{ledger['events']:,}", f"{ledger['streams']:,}"
        typer.secho(f"Ledger verified: {events} events of {streams} streams.", fg="green")
    else:
        typer.secho(f"Ledger differs in {len(ledger['differences'])} events.", fg="red")
    took, memory = figures["seconds"], figures["memory_mib"]
    typer.echo(
        f"{figures['instants']} instants in {took:.1f} s; {memory:.0f} MiB at most (PSS of all processes)."
    )
