"""`caretrail up | down | status | run | migrate | check`: the local stack and its processes."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    from cli.stack_file import Stack

ServiceArgument = Annotated[
    str, typer.Argument(metavar="SERVICE", help="intake, clinical, scheduling, billing, …")
]
RoleOption = Annotated[str, typer.Option(metavar="ROLE", help="all, api, relay, consumers or timers.")]


def run(service: ServiceArgument, role: RoleOption = "all", as_json: JsonOption = False) -> None:
    """Run one service's process, with all roles or one of them, until it is stopped.

    Its logs are JSON lines on stderr. With --json stdout gets one line once it answers requests, and nothing
    else: an object of service, roles, url and pid.
    """
    from importlib import import_module

    from chassis.config import Settings
    from chassis.runtime import Role
    from cli.problem import Problem, told
    from deploy.local.programs import SERVICES
    from deploy.serving import TokenMissing, see_host, serve

    if service not in SERVICES:
        raise typer.BadParameter(f"expected one of {', '.join(SERVICES)}", param_hint="SERVICE")
    if role not in set(Role):
        raise typer.BadParameter(f"expected one of {', '.join(Role)}", param_hint="--role")
    settings, own = Settings(), Role(role)
    roles = [each for each in Role if each is not Role.ALL and own.includes(each)]

    def tell(url: str) -> None:
        if as_json:
            about = {"service": service, "roles": roles, "url": url, "pid": os.getpid()}
            screen.print_json(about, compact=True)

    with told(as_json):
        app = import_module(f"services.{service}.app")  # settings first: they are quick to tell
        try:
            see_host(settings)
            _check_surroundings(settings, service)
            serve(app.service, settings, own, tell)
        except TokenMissing as error:
            raise Problem(str(error)) from None


def _check_surroundings(settings: Any, service: str) -> None:
    """See that a service would find its databases, their keys and Kafka. Raises Problem."""
    from chassis.config import NotMigrated, database_url
    from cli.problem import Problem
    from cli.reaching import reached
    from deploy.master import see_master

    try:
        for name in (service, "keystore"):
            database_url(settings, name)
    except NotMigrated as error:
        raise Problem(str(error)) from None
    if not settings.kafka_bootstrap:
        raise Problem("set CARETRAIL_KAFKA_BOOTSTRAP to the address of Kafka")
    with reached("CARETRAIL_KEYSTORE_DATABASE_URL, or what the migration wrote, is the address"):
        see_master(database_url(settings, "keystore"), settings.secrets)


def migrate(as_json: JsonOption = False) -> None:
    """Make databases, run-time roles, tables and topics.

    Needs an administrator's CARETRAIL_POSTGRES_URL, and CARETRAIL_KAFKA_BOOTSTRAP for the topics.
    """
    from chassis.config import NotMigrated, Settings
    from cli.problem import Problem, told
    from cli.reaching import reached
    from deploy.local.programs import SERVICES, migrations
    from deploy.migration import migrate as make
    from deploy.topics import make_topics

    settings = Settings()
    with told(as_json), reached():
        try:
            made = sorted(make(settings, migrations()))
        except NotMigrated as error:
            raise Problem(str(error)) from None
        where, prefix = settings.kafka_bootstrap, settings.topic_prefix
        topics = make_topics(where, SERVICES, prefix) if where else []
    if as_json:
        screen.print_json({"databases": made, "topics": topics})
        return
    typer.echo(f"Migrated: {', '.join(made)}.")
    typer.echo(f"Topics: {', '.join(topics) or 'none, since CARETRAIL_KAFKA_BOOTSTRAP is not set'}.")


def up(as_json: JsonOption = False) -> None:
    """Start the local stack, print its addresses, and stop it on Ctrl-C.

    With --json stdout gets one line once the stack is up, and nothing else: an object of home, pid, logs,
    mailbox, kafka_bootstrap, services and docs, the last two by the name of each service.
    """
    from chassis.config import Settings
    from cli.problem import told
    from cli.reaching import reached

    with told(as_json), reached():
        asyncio.run(_up(Settings(), as_json))


async def _up(settings: Any, as_json: bool) -> None:
    from cli import misspelt
    from cli.problem import Problem
    from cli.stopping import stop_on_request
    from deploy.local import programs, stack
    from deploy.local.supervisor import NotReady
    from deploy.serving import TokenMissing, see_host

    stop_on_request(err=as_json)
    try:
        see_host(settings)
        programs.see_options()
        misspelt.warn()
        typer.echo("Starting PostgreSQL, Kafka and the services …", err=as_json)
        async with stack.up(settings) as found:
            if as_json:
                screen.print_json(_addresses(found), compact=True)
            else:
                _show(found)
            await asyncio.Event().wait()
    except (stack.AlreadyUp, NotReady, TokenMissing) as error:
        raise Problem(str(error)) from None
    except asyncio.CancelledError:
        pass
    typer.echo("Stopped.", err=as_json)


def _addresses(found: Any) -> dict[str, Any]:
    """What a stack that is up has where."""
    return {
        "home": str(found.home),
        "pid": os.getpid(),
        "logs": str(found.home / "logs"),
        "mailbox": str(found.home / "mailbox"),
        "kafka_bootstrap": found.servers.kafka_bootstrap,
        "services": found.urls,
        "docs": {name: f"{url}/docs" for name, url in found.urls.items()},
    }


def _show(found: Any) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, docs in _addresses(found)["docs"].items():
        table.add_row(name, docs)
    table.add_row("kafka", found.servers.kafka_bootstrap)
    screen.out().print(table)
    typer.echo(f"\nState, logs and mail lie under {found.home}.")
    typer.echo("Ready. Ctrl-C stops everything.")


def url(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A service, or kafka.")],
    as_json: JsonOption = False,
) -> None:
    """Print where a service, or kafka, listens: for use with curl and with Kafka clients."""
    from chassis.config import Settings
    from cli import stack_file
    from cli.problem import told

    with told(as_json):
        stack = stack_file.read(Settings().home)
    found = {**stack.services, "kafka": stack.kafka_bootstrap}
    if name not in found:
        raise typer.BadParameter(f"expected one of {', '.join(found)}", param_hint="NAME")
    if as_json:
        screen.print_json({"name": name, "address": found[name]})
    else:
        typer.echo(found[name])


def down(as_json: JsonOption = False) -> None:
    """Stop the local stack of this home."""
    from chassis.config import Settings
    from deploy.local import stack

    home = Settings().home
    was_up = stack.stop(home)
    deadline = time.monotonic() + 40
    while stack.is_held(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    if as_json:
        screen.print_json({"stopped": was_up})
    else:
        typer.echo("Stopped." if was_up else f"No stack is running under {home}.")


def status(as_json: JsonOption = False) -> None:
    """Each process's state, why it is not ready, each consumer's position and lag; exit 1 without a stack."""
    from chassis.config import Settings
    from cli.problem import Problem, told
    from deploy.local.stack import is_held

    home = Settings().home
    with told(as_json):
        _see_started(home)
        state = "running" if is_held(home) else "killed"
        progress = _progress(home)
        found: dict[str, Any] = {
            "state": state,
            "processes": _processes(home),
            "consumers": _consumers(home, progress),
            "parked": {name: own["parked"] for name, own in progress.items() if own.get("parked")},
        }
        if as_json:
            screen.print_json(found)
        else:
            _table("process", ("name", "pid", "state", "port", "restarts"), found["processes"])
            for process in found["processes"]:
                if process["held_by"]:
                    said = f"{process['name']}: stopped and held by {process['held_by']}"
                    screen.out().print(said, style=screen.QUIET, markup=False)
                for fault in process["faults"]:
                    screen.out().print(f"{process['name']}: {fault}", style=screen.BAD, markup=False)
                if process["paused"]:
                    said = f"{process['name']}: a person paused {', '.join(process['paused'])}"
                    screen.out().print(said, style=screen.QUIET, markup=False)
                for older in process["older"]:
                    screen.out().print(f"{process['name']}: {older}", style=screen.QUIET, markup=False)
            _table("consumer", ("service", "source", "position", "head", "lag"), found["consumers"])
            for name, count in found["parked"].items():
                screen.out().print(f"{name}: {count} records are parked or wait behind one", style=screen.BAD)
            if found["parked"]:
                screen.out().print("`caretrail parked list` says which and why.", style=screen.QUIET)
        if state == "killed":
            raise Problem("the stack was killed", advice=CLEAR)


CLEAR = "`caretrail down` clears what it left; `caretrail up` starts it again."

UNAUTHORIZED = 401
"""The status of an answer that asks for a credential."""


def _see_started(home: Path) -> None:
    """See that the stack of a home was started. Raises Problem."""
    from cli import stack_file
    from cli.problem import Problem
    from deploy.local.stack import is_held, was_left

    if not stack_file.path_under(home).exists():
        if is_held(home):
            raise Problem(
                f"a stack of {home} is starting or stopping", advice="It is there once it says Ready."
            )
        if was_left(home):
            raise Problem(f"a stack of {home} was killed while it started", advice=CLEAR)
    stack_file.read(home)


def _processes(home: Path) -> list[dict[str, Any]]:
    from cli import stack_file
    from deploy.local.hold import holder
    from deploy.local.stack import is_alive

    found, services = [], stack_file.read(home).services
    for path in sorted((home / "run").glob("*.json")):
        entry = json.loads(path.read_text())
        if "restarts" in entry:
            alive, held_by = is_alive(entry["pid"]), holder(home, entry["name"])
            # A role that runs apart has a port of its own: billing-relay is of billing.
            ours = entry["name"].partition("-")[0] in services
            asked = alive and ours and not held_by
            faults, paused, older = _ready(f"http://127.0.0.1:{entry['port']}") if asked else ([], [], [])
            state = "held" if held_by else "dead" if not alive else "not ready" if faults else "running"
            said = {"held_by": held_by, "faults": faults, "paused": paused, "older": older}
            found.append({**entry, "state": state, **said})
    return found


def _ready(url: str) -> tuple[list[str], list[str], list[str]]:
    """What keeps a service from being ready, as it says itself; paused readers; read models that wait."""
    import httpx

    try:
        found = httpx.get(f"{url}/health/ready", timeout=5).json()
        return list(found["faults"]), list(found.get("paused", ())), list(found.get("older", ()))
    except httpx.HTTPError as error:
        return [f"it does not answer: {type(error).__name__}"], [], []
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["its answer about its readiness cannot be read"], [], []


def _progress(home: Path) -> dict[str, Any]:
    """How far each service is that answers. Raises Problem where they ask for a credential."""
    from cli import stack_file
    from cli.problem import Problem
    from cli.service import answer, client

    stack, progress = stack_file.read(home), dict[str, Any]()
    for name in stack.services:
        try:
            with client(stack, name, {}) as asked:
                progress[name] = answer(asked.get("/internal/progress"))
        except Problem as problem:
            if problem.status == UNAUTHORIZED:
                raise
    return progress


def _consumers(home: Path, progress: dict[str, Any]) -> list[dict[str, Any]]:
    """Events not yet applied, by service and source; a source whose service is silent is left out."""
    from cli import stack_file
    from deploy.local.progress import followed, own_lag

    stack, rows = stack_file.read(home), []
    for own in progress.values():
        store = own_lag(own)
        rows.append(_row(own["service"], "own store", own["head"] - store, own["head"], store))
        for other in followed(own, progress):
            place = max(own["consumed"].get(other["source"], {}).values(), default=0)
            lag = _lag(stack, own, other)
            rows.append(_row(own["service"], other["service"], place, other["head"], lag))
    return rows


def _lag(stack: Stack, own: dict[str, Any], other: dict[str, Any]) -> int | None:
    """Events of the other that a service has not applied yet, as that counts them; None if it is silent."""
    from cli.problem import Problem
    from cli.service import answer, client
    from deploy.local.progress import is_behind, lag_path

    if not is_behind(own, other["source"], other["heads"]):
        return 0
    try:
        with client(stack, other["service"], {}) as asked:
            return int(answer(asked.get(lag_path(own, other)))["events"])
    except Problem:
        return None


def _row(service: str, source: str, position: int, head: int, lag: int | None) -> dict[str, Any]:
    return {"service": service, "source": source, "position": position, "head": head, "lag": lag}


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    for column in columns:
        numeric = column in ("pid", "port", "restarts", "position", "head", "lag")
        whole = column == "id"  # it is to be copied
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        none = {"lag": "?"}
        table.add_row(
            *(none.get(column, "") if row[column] is None else str(row[column]) for column in columns)
        )
    screen.out().print(table)


def check(actor: ActorOption = "", purpose: PurposeOption = "", as_json: JsonOption = False) -> None:
    """Check that every store and the ledger hold the same events; exit 1 names those that differ.

    Who checks is on record: operator;compliance and HCOMPL, where nobody is named.
    """
    from uuid import uuid4

    from cli import service, stack_file
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    asking = asking_as(settings, actor or settings.actor or "operator;compliance", purpose or "HCOMPL")
    with told(as_json):
        stack = stack_file.read(settings.home)
        with service.client(stack, "audit", {**asking, "Idempotency-Key": uuid4().hex}) as client:
            found = service.answer(client.post("/integrity-checks", timeout=120))
    if as_json:
        screen.print_json(found)
    elif found["verified"]:
        typer.echo(
            f"Verified: {found['events']} events of {found['streams']} streams, stores and ledger alike."
        )
    else:
        _table("differences", ("service", "stream", "version", "id", "kind"), found["differences"])
    if not found["verified"]:
        raise typer.Exit(1)
