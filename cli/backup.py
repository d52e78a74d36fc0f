"""`caretrail backup | restore`: all databases backed up, one service's brought back to a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import screen
from cli.options import JsonOption, moment

if TYPE_CHECKING:
    from deploy.local.restoring import Restored

RUNBOOK = "docs/operations/backup.md says how, with the server's own tools."

START = (
    "Start the stack with `caretrail up`; where it runs, postgres/log under the home says why it does not."
)

KeepOption = Annotated[
    int | None, typer.Option("--keep", metavar="N", min=1, help="Keep the newest N alone, with their log.")
]
ServiceArgument = Annotated[
    str, typer.Argument(metavar="SERVICE", help="intake, clinical, scheduling, billing, …")
]
ToOption = Annotated[
    str, typer.Option("--to", metavar="TIME", help="Such as 2026-03-12T10:00, of this machine's time zone.")
]


def backup(keep: KeepOption = None, as_json: JsonOption = False) -> None:
    """Take a backup of all databases of the local stack, and archive PostgreSQL's log from then on.

    It lies in CARETRAIL_BACKUP_DIR, else in backup under the home, and the services run on.
    """
    from chassis.config import Settings
    from cli.problem import told
    from deploy.local import backup as backups

    with told(as_json), _failing("Earlier backups are as they were."):
        found = backups.backups(Settings())
        with found.alone(), _interrupted("the backup", "Earlier backups are as they were.", as_json):
            base = backups.take(found)
            gone = backups.forget(found, keep) if keep else []
    if as_json:
        screen.print_json(
            asdict(base) | {"folder": str(found.folder), "removed": [each.name for each in gone]}
        )
        return
    typer.echo(f"{base.name}: all databases, {base.bytes >> 20:,} MiB, under {found.folder}.")
    typer.echo(f"`caretrail restore SERVICE --to TIME` reaches each moment from {_local(base.at)} on.")
    for each in gone:
        typer.echo(f"Removed {each.name}.")


def restore(service: ServiceArgument, to: ToOption, as_json: JsonOption = False) -> None:
    """Bring one service's database back to a moment, while the others run on; its topic gives back the rest.

    The old database is kept under another name.
    """
    from chassis.config import Settings
    from cli import stack_file
    from cli.problem import Problem, told
    from deploy.local.backup import backups
    from deploy.local.programs import SERVICES
    from deploy.local.restoring import Restore
    from deploy.local.stack import is_held
    from deploy.logs import set_up_logs

    if service not in SERVICES:
        raise typer.BadParameter(_expected(service, SERVICES), param_hint="SERVICE")
    at, settings = moment(to, "expected a time such as 2026-03-12T10:00"), Settings()
    set_up_logs(service, "ERROR")
    with told(as_json), _failing("Nothing was changed."):
        found = backups(settings)
        if not is_held(settings.home.resolve()):  # what is written of its processes may name others by now
            raise Problem("the stack was killed", advice="Start it anew with `caretrail up`.")
        known = {
            "home": settings.home.resolve(),
            "kafka_bootstrap": stack_file.read(settings.home).kafka_bootstrap,
        }
        asked = Restore(settings.model_copy(update=known), found, service, at, say=_said(as_json))
        left = f"If it had come to wait until {service} is ready, it is done; else nothing was changed."
        see = f"`caretrail status` shows whether {service} runs."
        with _interrupted(f"the restore of {service}", left, as_json, see):
            done = asyncio.run(asked.carry_out())
    if as_json:
        screen.print_json(asdict(done) | {"to": done.to.isoformat()})
    else:
        _show(done)
    if not done.ready:
        raise typer.Exit(1)


def _said(quiet: bool) -> Any:
    return (lambda step: None) if quiet else typer.echo


@contextmanager
def _interrupted(what: str, left: str, as_json: bool, advice: str = "") -> Iterator[None]:
    """Where who waits goes away, say what that leaves."""
    from cli.problem import Problem

    try:
        yield
    except KeyboardInterrupt:
        Problem(f"{what} was interrupted", left, advice=advice).tell(as_json)
        raise


def _expected(service: str, services: tuple[str, ...]) -> str:
    if service == "keystore":
        return "the keystore is never brought back: keys issued since would be gone, destroyed ones back"
    return f"expected one of {', '.join(services)}"


def _show(done: Restored) -> None:
    typer.echo(f"{done.service} stands on its database of {_local(done.to)}, after {done.held_s:.1f} s away.")
    typer.echo(f"Its log ended at position {done.at_position:,} then.")
    typer.echo(f"{done.taken_in:,} events came back from its topic.")
    if done.lost is None:
        said = f"Whether events were lost cannot be told: epoch {done.epoch} begins."
        screen.out().print(said, style=screen.BAD)
    else:
        typer.echo("Nothing that was recorded is lost.")
    if done.kept:
        typer.echo(f"The old database is kept as {done.kept}.")
    if not done.ready:
        said = f"{done.service} is not ready yet: `caretrail status` says why."
        screen.out().print(said, style=screen.BAD)


def _local(at: datetime) -> str:
    return at.astimezone().isoformat(timespec="milliseconds")


@contextmanager
def _failing(advice: str) -> Iterator[None]:
    """Turn what keeps from a backup or a restore into a problem. Raises Problem."""
    from cli.problem import Problem
    from cli.reaching import reached
    from deploy.local.backup import CannotBackUp, NotOurs, NotRunning
    from deploy.local.hold import Held
    from deploy.local.postgres import ToolFailed
    from deploy.local.restoring import CannotRestore
    from deploy.local.scratch import NotReached

    try:
        with reached():
            yield
    except NotOurs as error:
        raise Problem(str(error), advice=RUNBOOK) from None
    except NotRunning as error:
        raise Problem(str(error), advice=START) from None
    except (CannotBackUp, CannotRestore, Held, NotReached, ToolFailed) as error:
        raise Problem(str(error), advice=advice) from None
