"""`caretrail topics`: list the services' topics beside their stores, publish one again from its store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    from cli.settings import CliSettings
    from cli.stack_file import Stack

POLL_S = 0.2

app = typer.Typer(help="Topics: list them beside their stores, publish one again.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Each topic and its service: what it holds beside the store; exit with 1 unless each is whole."""
    from cli import stack_file
    from cli.looking import look
    from cli.problem import told
    from cli.settings import CliSettings

    with told(as_json):
        stack = stack_file.of(CliSettings())
        seen = look(stack, list(stack.services), "/internal/topic")
        found = list(seen.answers.values())
        if as_json:
            screen.print_json(found)
        else:
            _show(found)
        seen.end(as_json)
    if any(each["state"] != "whole" for each in found):
        raise typer.Exit(1)


@app.command()
def restore(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="Such as caretrail.intake.events, or just intake.")
    ],
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a topic where it is missing, and publish again what it lacks of its store; wait until it is there.

    Readers drop what they had. Who has it done is on record: operator;administrator and HOPERAT, where
    nobody is named.
    """
    from cli import stack_file
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    who = actor or settings.actor or "operator;administrator"
    asking = asking_as(settings, who, purpose or settings.purpose or "HOPERAT")
    with told(as_json):
        stack = stack_file.of(settings)
        found = _restored(settings, stack, _service(stack, settings, topic), asking, as_json)
        if as_json:
            screen.print_json(found)
        elif found["after"] is None:
            typer.echo(f"{found['topic']} lacked nothing.")
        else:
            typer.echo(f"{found['topic']}: {found['events']:,} events published again, {found['state']}.")
    if found["state"] != "whole":
        raise typer.Exit(1)


def _service(stack: Stack, settings: CliSettings, topic: str) -> str:
    """The service of a topic, named in full or by the service. Raises Problem."""
    from caretrail_contracts.envelope import topic_of

    from cli.problem import Problem

    for service in stack.services:
        if topic in (service, topic_of(service, settings.topic_prefix)):
            return service
    known = ", ".join(topic_of(service, settings.topic_prefix) for service in stack.services)
    raise Problem(f"no service has a topic {topic}", f"There are: {known}.")


def _restored(
    settings: CliSettings, stack: Stack, service: str, asking: dict[str, str], quiet: bool
) -> dict[str, Any]:
    """Ask the service, make the topic, and follow the relay to where its store was."""
    from uuid import uuid4

    from cli.looking import lasting
    from cli.reaching import reached
    from cli.service import answer, client
    from cli.stack_file import kafka_of
    from deploy.topics import make_topics

    kafka = kafka_of(stack)
    with client(stack, service, asking) as asked:
        with _half_done(service, quiet):
            # Asked before the topic is there: the relay begins with what readers take first.
            sent = {**asking, "Idempotency-Key": uuid4().hex}
            path, again = "/internal/topic/republish", f"caretrail topics restore {service}"
            found = answer(lasting(stack, service, path, sent, again))
            if found["after"] is None and answer(asked.get("/internal/topic"))["state"] == "missing":
                found |= _left(answer(asked.get("/internal/progress")))
            with reached():
                make_topics(kafka, [service], settings.topic_prefix)
        head = answer(asked.get("/internal/progress"))["head"]
        with _going_on(found["topic"], quiet):
            _follow(asked, found["after"], head, quiet)
        after = answer(asked.get("/internal/topic"))
    return {**found, "records": after["records"], "state": after["state"]}


def _left(progress: dict[str, Any]) -> dict[str, Any]:
    """What the relay has still to send to a topic for which an interrupted restore moved its mark back."""
    return {"after": progress["relayed"], "events": progress["head"] - progress["relayed"]}


@contextmanager
def _half_done(service: str, as_json: bool) -> Iterator[None]:
    """Where who waits goes away before the topic is made, say that it may still be missing."""
    from cli.problem import Problem

    try:
        yield
    except KeyboardInterrupt:
        said = f"the topic of {service} may be missing, or lack something, still"
        Problem(said, advice=f"`caretrail topics restore {service}` goes on where this ended.").tell(as_json)
        raise


@contextmanager
def _going_on(topic: str, as_json: bool) -> Iterator[None]:
    """Where who waits goes away, say what becomes of the work."""
    from cli.problem import Problem

    try:
        yield
    except KeyboardInterrupt:
        said = f"{topic} is published on by its service"
        Problem(said, advice="`caretrail topics list` shows whether it is whole.").tell(as_json)
        raise


def _follow(asked: Any, after: int | None, head: int, quiet: bool) -> None:
    """Wait until the relay is where the store's head was."""
    from rich import progress

    from cli.service import answer

    console = screen.err()
    with progress.Progress(
        console=console, disable=quiet or not console.is_terminal, transient=True
    ) as shown:
        bar = shown.add_task("published", total=head - (after or 0) or None)
        while (relayed := answer(asked.get("/internal/progress"))["relayed"]) < head:
            shown.update(bar, completed=max(0, relayed - (after or 0)))
            time.sleep(POLL_S)


def _show(found: list[dict[str, Any]]) -> None:
    counted = ("partitions", "records", "events")
    table = screen.new_table("topic", *counted, "state", numbers=counted)
    table.columns[-1].no_wrap = True
    for each in found:
        style = screen.GOOD if each["state"] == "whole" else screen.BAD
        counts = [f"{each[name]:,}" for name in counted]
        table.add_row(each["topic"], *counts, f"[{style}]{each['state']}[/]")
    screen.out().print(table)
    for each in found:
        for part in each["by_partition"]:
            if part["state"] != "whole":
                said = f"ends at {part['last']} with {part['records']} records"
                stored = f"the store at {part['head']} with {part['events']} events"
                where = f"{each['topic']}[{part['partition']}]"
                screen.out().print(f"{where} {said}; {stored}.", markup=False, soft_wrap=True)
