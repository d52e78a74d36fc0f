"""`caretrail up | down | run | url | migrate`: the local stack and its processes."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Annotated, Any

import typer

from cli import screen
from cli.options import JsonOption

STOP_S = 40.0
"""How long a stack may take to stop."""

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
    """See that a service would find its databases, such as it needs, their keys and Kafka. Raises Problem."""
    from chassis.config import NotMigrated, database_url
    from cli.problem import Problem
    from cli.reaching import reached
    from deploy.master import see_master
    from deploy.migration import see_usable

    try:
        urls = [database_url(settings, name) for name in (service, "keystore")]
    except NotMigrated as error:
        raise Problem(str(error)) from None
    if not settings.kafka_bootstrap:
        raise Problem("set CARETRAIL_KAFKA_BOOTSTRAP to the address of Kafka")
    both = f"CARETRAIL_{service.upper()}_DATABASE_URL and CARETRAIL_KEYSTORE_DATABASE_URL"
    with reached(f"{both}, or what the migration wrote, are addresses"):
        for each in urls:
            see_usable(each)
        see_master(urls[1], settings.secrets)


def migrate(as_json: JsonOption = False) -> None:
    """Make databases, run-time roles, tables and topics.

    Needs an administrator's CARETRAIL_POSTGRES_URL, and CARETRAIL_KAFKA_BOOTSTRAP for the topics.
    """
    from chassis.config import NotMigrated, Settings
    from cli.problem import Problem, told
    from cli.reaching import reached
    from deploy.local.programs import SERVICES, migrations
    from deploy.migration import migrate as make
    from deploy.topics import make_topics, see

    settings = Settings()
    with told(as_json), reached():
        try:
            made = sorted(make(settings, migrations()))
        except NotMigrated as error:
            raise Problem(str(error)) from None
        where, prefix, topics = settings.kafka_bootstrap, settings.topic_prefix, list[str]()
        if where:
            see(where)  # which gives up sooner than who waits for leaders
            topics = make_topics(where, SERVICES, prefix)
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
    from cli import stack_file
    from cli.problem import told
    from cli.settings import CliSettings

    with told(as_json):
        stack = stack_file.of(CliSettings())
    kafka = {"kafka": stack.kafka_bootstrap} if stack.kafka_bootstrap else {}
    found = {**stack.services, **kafka}
    if name not in found:
        raise typer.BadParameter(f"expected one of {', '.join(found)}", param_hint="NAME")
    if as_json:
        screen.print_json({"name": name, "address": found[name]})
    else:
        typer.echo(found[name])


def down(as_json: JsonOption = False) -> None:
    """Stop the local stack of this home; exit with 1 where it runs still after 40 s."""
    from chassis.config import Settings
    from cli.problem import Problem, told
    from deploy.local import stack

    home = Settings().home
    was_up = stack.stop(home)
    deadline = time.monotonic() + STOP_S
    while held := stack.is_held(home):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    with told(as_json):
        if held:
            raise Problem(
                f"the stack of {home} was asked to stop, and runs still after {STOP_S:.0f} s",
                advice="Its process is named in run/lock of the home: see what keeps it, and ask again.",
            )
    if as_json:
        screen.print_json({"stopped": was_up})
    else:
        typer.echo("Stopped." if was_up else f"No stack is running under {home}.")
