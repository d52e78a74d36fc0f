"""`caretrail tail`: the live stream of a topic, one line per event, decoded against the contracts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    import httpx
    from rich.text import Text

    from cli.decoded import Decoded
    from cli.settings import CliSettings

POLL_MS = 250
BATCH = 500


def tail(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="Such as caretrail.intake.events, or just intake.")
    ],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="From the first event on.")
    ] = False,
    opened: Annotated[
        bool, typer.Option("--open", help="Open sealed values; who looks and why is recorded.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="End after N events; 0 is no end.")] = 0,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="S", help="End when nothing came for S seconds; 0 is never.")
    ] = 0,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Follow a topic: time, event, stream, patient, fields. As JSON an object a line."""
    from cli.problem import told
    from cli.settings import CliSettings, asking_as
    from deploy.local.programs import SERVICES

    settings = CliSettings()
    if "." not in topic and topic not in SERVICES:
        raise typer.BadParameter(
            f"expected one of {', '.join(sorted(SERVICES))}, or a topic such as caretrail.intake.events",
            param_hint="TOPIC",
        )
    headers = asking_as(settings, actor, purpose) if opened else None
    name = topic if "." in topic else f"{settings.topic_prefix}.{topic}.events"
    with told(as_json), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_tail(settings, name, headers, from_beginning, limit, timeout, as_json))


async def _tail(
    settings: CliSettings,
    topic: str,
    headers: Mapping[str, str] | None,
    from_beginning: bool,
    limit: int,
    idle_s: float,
    as_json: bool,
) -> None:
    from cli import stack_file

    bootstrap = settings.kafka_bootstrap or stack_file.kafka_of(stack_file.of(settings))
    count = 0
    async with _audit(settings, headers) as audit, contextlib.aclosing(
        follow(bootstrap, topic, from_beginning, idle_s)
    ) as stream:  # fmt: skip
        async for found in stream:
            if audit and found.event:
                await unseal(found, audit)
            show(found, as_json)
            count += 1
            if count == limit:
                return


@contextlib.asynccontextmanager
async def _audit(
    settings: CliSettings, headers: Mapping[str, str] | None
) -> AsyncIterator[httpx.AsyncClient | None]:
    """A client of audit, where values are to be opened. Raises Problem."""
    if headers is None:
        yield None
        return
    import httpx

    from cli import service, stack_file

    base = service.address(stack_file.of(settings), "audit")
    try:
        async with httpx.AsyncClient(
            base_url=base, headers=dict(headers), timeout=service.TIMEOUT_S
        ) as audit:
            yield audit
    except httpx.TransportError as error:
        raise service.silent("audit", base, f"{type(error).__name__}.") from None


async def follow(
    bootstrap: str, topic: str, from_beginning: bool, idle_s: float
) -> AsyncGenerator[Decoded, None]:
    """The messages of a topic, decoded, until nothing came for ``idle_s`` seconds (0: for ever).

    No group, no commits: it leaves no trace in Kafka. Messages that arrive together come in order of
    time. Raises Problem.
    """
    from aiokafka.errors import KafkaError

    from chassis import kafka
    from cli.decoded import decode
    from cli.problem import Problem

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its troubles are told below, once
    try:
        consumer = await kafka.consumer(bootstrap)
    except KafkaError as error:
        raise Problem(f"Kafka does not answer at {bootstrap}", f"{type(error).__name__}.") from None
    try:
        await _assign(consumer, topic, from_beginning)
        last = time.monotonic()
        while not idle_s or time.monotonic() - last < idle_s:
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            found = [decode(message) for messages in batches.values() for message in messages]
            for each in sorted(found, key=_when):
                yield each
            last = time.monotonic() if found else last
    except KafkaError as error:
        raise Problem(f"Kafka at {bootstrap} went away", f"{type(error).__name__}.") from None
    finally:
        await kafka.stopped(consumer)


async def _assign(consumer: Any, topic: str, from_beginning: bool) -> None:
    from aiokafka import TopicPartition

    from cli.problem import Problem

    topics = await consumer.topics()
    if topic not in topics:
        known = ", ".join(sorted(name for name in topics if not name.startswith("_"))) or "none"
        raise Problem(f"there is no topic {topic}", f"There are: {known}.")
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_end()  # it learns of the topic's partitions by this
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    await (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
    if screen.err().is_terminal:
        screen.err().print(f"[{screen.QUIET}]{topic}, {len(partitions)} partitions; Ctrl-C ends[/]")


def _when(found: Decoded) -> tuple[float, int]:
    """Recorded time, then position; what cannot be read comes first."""
    envelope = found.envelope
    return (envelope.recorded_at.timestamp(), envelope.position) if envelope else (0.0, found.offset)


async def unseal(found: Decoded, audit: httpx.AsyncClient) -> None:
    """Put the opened values in the places of the sealed ones. Raises Problem."""
    from cli.opening import open_sealed

    sealed = found.sealed()
    if sealed and found.envelope:
        topic = ".".join(found.topic.split(".")[-2:])
        values = await open_sealed(audit, found.envelope.patient, list(sealed.values()), topic)
        for pointer, value in zip(sealed, values, strict=True):
            found.replace(pointer, value)


def show(found: Decoded, as_json: bool) -> None:
    """Print one message on one line: cut at the screen's edge, whole where it goes into a file."""
    if as_json:
        screen.print_json(found.as_json(), compact=True)
        return
    out = screen.out()
    whole = not out.is_terminal
    text = line(found, narrow=out.is_terminal and out.width < screen.WIDE)
    out.print(text, no_wrap=True, overflow="ignore" if whole else "ellipsis", soft_wrap=whole)


def line(found: Decoded, narrow: bool = False) -> Text:
    """A message on one line, with its time in UTC: an event, or the place where it cannot be read.

    A narrow one leaves out the date and the stream.
    """
    from rich.text import Text

    from cli.fields import in_brief, short

    envelope = found.envelope
    if envelope is None or found.trouble:
        place = f"partition {found.partition} offset {found.offset}  "
        return Text.assemble(("unreadable ", screen.BAD), (place, screen.QUIET), found.trouble)
    patient = str(envelope.patient)[:8] if envelope.patient else ""
    stream = "" if narrow else f"{short(envelope.stream):<24} "
    return Text.assemble(
        (f"{envelope.recorded_at:{'%H:%M:%S' if narrow else '%m-%d %H:%M:%S'}}  ", screen.QUIET),
        (f"{envelope.type.rpartition('.')[2]:<26} ", screen.NAME),
        (stream, screen.QUIET),
        (f"{patient:<8}  ", screen.PERSON),
        in_brief(found.fields or {}),
    )
