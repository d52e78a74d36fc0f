"""`caretrail consumers`: how far the services' readers are; pause, resume and reset them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption, moment

if TYPE_CHECKING:
    from cli.problem import Problem
    from cli.stack_file import Stack

app = typer.Typer(
    help="Readers of topics: list, pause, resume, reset. Their places stand in the services' databases: "
    "offsets of Kafka's consumer groups have no effect on them.",
    no_args_is_help=True,
)

ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="The service that reads.")]
TopicArgument = Annotated[
    str, typer.Argument(metavar="TOPIC", help="What it reads: a service, a topic, or store, its own.")
]
PartitionsOption = Annotated[
    list[int] | None,
    typer.Option("--partition", min=0, metavar="N", help="These alone, else all.", show_default=False),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept sealed.")]


@app.command("list")
def list_(
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="Of this service alone.")] = "",
    each: Annotated[bool, typer.Option("--partitions", help="A line for each partition.")] = False,
    opened: Annotated[bool, typer.Option("--open", help="Open why; who looks and why is recorded.")] = False,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """List readers: position, lag in records and seconds, owning process, paused by whom, since when, why."""
    from cli.looking import look
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    who = asking_as(CliSettings(), actor, purpose) if opened else None
    with told(as_json):
        stack = _stack()
        seen = look(stack, [service] if service else sorted(stack.services), "/internal/consumers")
        found = [reader for readers in seen.answers.values() for reader in readers]
        closed = asyncio.run(_open_reasons(stack, found, None if "audit" in seen.problems else who))
        if as_json:
            screen.print_json(found)
        else:
            _show(found, apart=each)
        if closed:
            seen.problems["audit"] = closed
        seen.end(as_json)


@app.command()
def pause(
    service: ServiceArgument,
    topic: TopicArgument,
    reason: ReasonOption,
    partition: PartitionsOption = None,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a service read no more of a topic until it is resumed: within a second, through restarts."""
    asked = _which(topic, partition) | {"reason": reason}
    found = _told("pause", service, asked, actor, purpose, as_json)
    if as_json:
        return
    if found["partitions"]:
        typer.echo(f"{service} reads no more of {_where(found)}.")
    else:
        typer.echo(f"What was named of {found['topic']} is paused in {service} already, as `list` shows.")


@app.command()
def resume(
    service: ServiceArgument,
    topic: TopicArgument,
    partition: PartitionsOption = None,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a service read on where it stood; of what was not paused nothing is recorded."""
    found = _told("resume", service, _which(topic, partition), actor, purpose, as_json)
    if as_json:
        return
    if found["partitions"]:
        typer.echo(f"{service} reads on in {_where(found)}.")
    else:
        typer.echo(f"Nothing of {found['topic']} was paused in {service}: it reads as before.")


@app.command()
def reset(
    service: ServiceArgument,
    topic: TopicArgument,
    partition: Annotated[
        list[int], typer.Option("--partition", min=0, metavar="N", help="Of it; several: all or none.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="beginning, an offset, or a time.")],
    reason: ReasonOption,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let paused partitions be read from elsewhere on; nothing is applied twice, nothing is skipped."""
    asked = {"topic": topic, "partitions": partition, "to": _place(to), "reason": reason}
    found = _told("reset", service, asked, actor, purpose, as_json)
    if not as_json:
        for number, offset in found["reads_from"].items():
            where = f"{found['topic']}[{number}]"
            typer.echo(f"{service} will read {where} from offset {offset} on, once it is resumed.")


def _which(topic: str, partitions: list[int] | None) -> dict[str, Any]:
    return {"topic": topic, **({"partitions": partitions} if partitions else {})}


def _where(found: Mapping[str, Any]) -> str:
    return f"{found['topic']}[{', '.join(map(str, found['partitions']))}]"


def _place(text: str) -> str | int:
    """The place as a service takes it; a time without an offset is this machine's. Raises BadParameter."""
    if text == "beginning":
        return text
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    expected = "expected beginning, an offset, or a time such as 2026-03-12T10:00"
    return moment(text, expected).isoformat()


def _told(
    action: str, service: str, asked: Mapping[str, Any], actor: str, purpose: str, as_json: bool
) -> dict[str, Any]:
    """Tell a service; with JSON, print what it answers."""
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    who = asking_as(CliSettings(), actor, purpose)
    with told(as_json):
        found = _answer(_stack(), service, f"/{action}", who, asked)
        if as_json:
            screen.print_json(found)
    return found


def _stack() -> Stack:
    from cli import stack_file
    from cli.settings import CliSettings

    return stack_file.of(CliSettings())


def _answer(stack: Stack, service: str, path: str, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
    """A service's answer to what its readers are to do. Raises Problem."""
    from cli.service import answer, client

    sent = {**headers, "Idempotency-Key": uuid4().hex}
    with client(stack, service, sent, "caretrail consumers list") as asked:
        found: dict[str, Any] = answer(asked.post(f"/internal/consumers{path}", json=body))
    return found


async def _open_reasons(
    stack: Stack, found: list[dict[str, Any]], who: Mapping[str, str] | None
) -> Problem | None:
    """Put a word in the places of sealed reasons, or with ``who`` what they say.

    Where audit is silent they stay sealed, and that is the problem given. Raises Problem where it refuses.
    """
    sealed = {id(each): each["paused"]["reason"] for each in found if each["paused"]}
    paused = [each for each in found if each["paused"]]
    for each in paused:
        each["paused"]["reason"] = screen.SEALED_TEXT
    if who is None or not paused:
        return None
    import httpx
    from caretrail_contracts.sealed import FreeText, Sealed

    from cli import service
    from cli.opening import open_sealed

    base = service.address(stack, "audit")
    try:
        async with httpx.AsyncClient(base_url=base, headers=who, timeout=service.TIMEOUT_S) as audit:
            for each in paused:
                reason = Sealed[FreeText](**sealed[id(each)])
                topic = f"{each['service']}.events"
                [each["paused"]["reason"]] = await open_sealed(audit, None, [reason], topic)
    except httpx.TransportError as error:
        return service.silent("audit", base, f"{type(error).__name__}.").of("audit")
    return None


def _together(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each service and topic: the farthest position, all that waits, the longest wait.

    A wait that is not known in one partition is not known in all.
    """
    lines = []
    for parts in _by_topic(found):
        waits, missing = [each["lag_s"] for each in parts], any(each["lag"] is None for each in parts)
        line = {
            "position": max(each["position"] for each in parts),
            "lag": None if missing else sum(each["lag"] for each in parts),
            "lag_s": None if None in waits else max(waits),
            "owner": ", ".join(sorted({each["owner"] for each in parts} - {None})),
        }
        lines.append({**parts[0], "partition": "", **line})
    return lines


def _by_topic(found: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The partitions of each service and topic."""
    topics: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in found:
        topics.setdefault((each["service"], each["topic"]), []).append(each)
    return list(topics.values())


def _show(found: list[dict[str, Any]], *, apart: bool) -> None:
    """A line for each topic, with ``apart`` for each partition; below, which of them who paused."""
    from rich.text import Text

    names = ("service", "reads", *(["partition"] if apart else []), "position", "lag", "seconds", "owner")
    table = screen.new_table(*names, numbers=names[2:-1])
    for each in found if apart else _together(found):
        partition = [str(each["partition"])] if apart else []
        lag = "?" if each["lag"] is None else f"{each['lag']:,}"
        seconds = "?" if each["lag_s"] is None else f"{each['lag_s']:,.1f}"
        numbers = (*partition, f"{each['position']:,}", lag, seconds)
        table.add_row(each["service"], _source(each["topic"]), *numbers, each["owner"] or "nobody")
    screen.out().print(table)
    for topic in sorted({each["topic"] for each in found if each["lag"] is None}):
        said = f"{topic} is missing: `caretrail topics restore {_source(topic)}` makes it."
        screen.out().print(said, style=screen.BAD, soft_wrap=True)
    for parts in _by_topic(found):
        for where, said in _pauses(parts):
            line = Text.assemble(f"{parts[0]['service']} {where}: ", (said, screen.QUIET))
            screen.out().print(line, soft_wrap=True)


def _pauses(parts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Which partitions of a topic are paused, in one line where one person did so together, and by whom."""
    pauses: dict[str, list[int]] = {}
    for each in parts:
        if each["paused"]:
            said = _paused(each["paused"])
            if effects := each.get("effects"):
                said += f"; effects are not paused: {', '.join(effects)}"
            pauses.setdefault(said, []).append(each["partition"])
    topic = _source(parts[0]["topic"])
    return [
        (topic if len(numbers) == len(parts) else f"{topic}[{', '.join(map(str, numbers))}]", said)
        for said, numbers in pauses.items()
    ]


def _source(topic: str) -> str:
    """What a reader reads, in the word that the other commands take: a service, or the store."""
    return topic.removesuffix(".events").rpartition(".")[2]


def _paused(paused: Mapping[str, Any]) -> str:
    since = paused["since"][:16].replace("T", " ")
    return f"paused by {paused['by']} ({paused['role']}) since {since}: {paused['reason']}"
