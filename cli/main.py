"""The `caretrail` command: thin; asks the services over HTTP, reads topics, starts the local stack.

Modules of commands import little at their top, so that ``caretrail --help`` stays quick.
"""

from __future__ import annotations

import typer

from cli import (
    backup,
    check,
    consumers,
    contracts,
    demo,
    ingest,
    mailbox,
    parked,
    projections,
    stack,
    status,
    tail,
    timeline,
    topics,
)
from cli.surroundings import Commands

app = typer.Typer(
    cls=Commands,
    help="Caretrail: event-sourced care coordination, from referral to claim, with a provable audit trail.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="CARETRAIL_HOME names the folder of a stack, else .caretrail; it and all other settings "
    "(CARETRAIL_…) may stand in a file .env. Commands ask the stack of that folder, or the services that "
    'CARETRAIL_SERVICE_URLS names: {"intake": "http://10.0.0.5:8001", …}.',
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(status.status)
app.command("url")(stack.url)
app.command("demo")(demo.demo)
app.command("timeline")(timeline.timeline)
app.command("tail")(tail.tail)
app.add_typer(ingest.app, name="ingest")
app.add_typer(contracts.app, name="contracts")
app.add_typer(projections.app, name="projections")
app.add_typer(parked.app, name="parked")
app.add_typer(consumers.app, name="consumers")
app.add_typer(topics.app, name="topics")
app.command("mailbox")(mailbox.mailbox)
app.command("check")(check.check)
app.command("migrate")(stack.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("run")(stack.run)


if __name__ == "__main__":
    app()
