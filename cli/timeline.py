"""`caretrail timeline`: every event of one patient, across all services, as known at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

PAGE = 500
AT_ONCE = "at once"

NARROW = 64
"""Columns from which a table of two lines an event leaves the event room beside its times."""


def timeline(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="The patient's pseudonym, a UUID.")],
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="TIME",
            help="Only what was recorded by then (ISO 8601): a date is taken to its end, "
            "a time without an offset is this machine's.",
        ),
    ] = "",
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show every event of a patient: when it was true, when it was learned, by whom and why."""
    from cli import stack_file
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    headers = asking_as(settings, actor, purpose)
    id, until = _patient(patient), _time(as_of)
    with told(as_json):
        items = list(pages(stack_file.of(settings), id, until, headers))
    if as_json:
        screen.print_json(items)
    elif not items:
        known = f"was known of {id} by {_shown(until)}" if until else f"is known of {id}"
        screen.out().print(f"Nothing {known}.", soft_wrap=True)
    else:
        show(items, until)


def pages(
    stack: Any, patient: UUID, as_of: datetime | None, headers: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """A patient's events, as audit gives them page by page. Raises Problem."""
    from cli import service

    with service.client(stack, "audit", headers) as audit:
        after: Any = None
        while True:
            asked = {"as_of": as_of.isoformat() if as_of else None, "after": after, "limit": PAGE}
            given = {name: value for name, value in asked.items() if value is not None}
            page = service.answer(audit.get(f"/patients/{patient}/timeline", params=given))
            yield from page["items"]
            if page.get("next") is None or page["next"] == after:
                return
            after = page["next"]


def show(items: list[dict[str, Any]], until: datetime | None) -> None:
    """Print the events: one row each on a wide screen, two lines each on a narrow one."""
    causes = {item["id"]: str(number) for number, item in enumerate(items, start=1)}
    width = screen.out().width
    shown = _wide if width >= screen.WIDE else _narrow if width >= NARROW else _stacked
    screen.out().print(shown(items, causes))
    patients = items[0].get("patient")
    count = "1 event" if len(items) == 1 else f"{len(items)} events"
    by = f", recorded by {_shown(until)}" if until else ""
    screen.out().print(f"[{screen.QUIET}]{count} of {patients}{by}[/]", soft_wrap=True)


def _wide(items: list[dict[str, Any]], causes: Mapping[str, str]) -> Table:
    from rich.console import Group

    table = screen.new_table("#", "occurred", "recorded", "event", "by", "cause")
    for column in (*table.columns[:3], table.columns[5]):
        column.no_wrap = True
    table.columns[0].justify, table.columns[3].ratio = "right", 1
    for number, item in enumerate(items, start=1):
        learned = AT_ONCE if late(item) == AT_ONCE else _minute(item["recordedat"])
        facts = Group(*(part for part in (_head(item), fields_of(item)) if part))
        by = _by(item).replace(" (", "\n(", 1)
        table.add_row(str(number), _minute(item["occurredat"]), learned, facts, by, cause_of(item, causes))
    return table


def _narrow(items: list[dict[str, Any]], causes: Mapping[str, str]) -> Table:
    from rich.console import Group
    from rich.text import Text

    table = screen.new_table("#", "occurred", "recorded", "event")
    for column in table.columns[:3]:
        column.no_wrap = True
    table.columns[0].justify, table.columns[3].ratio = "right", 1
    for number, item in enumerate(items, start=1):
        who = Text.assemble("by ", _by(item), "  cause ", cause_of(item, causes), style=screen.QUIET)
        lines = Group(*(part for part in (_head(item), fields_of(item), who) if part))
        table.add_row(str(number), _minute(item["occurredat"]), late(item), lines)
    return table


def _stacked(items: list[dict[str, Any]], causes: Mapping[str, str]) -> Group:
    """One below the other, for a screen on which columns leave the event no room."""
    from rich.console import Group
    from rich.text import Text

    lines: list[Any] = []
    for number, item in enumerate(items, start=1):
        when = f"{number}  {_minute(item['occurredat'])}  {late(item)}".rstrip()
        who = Text.assemble("by ", _by(item), "  cause ", cause_of(item, causes), style=screen.QUIET)
        lines += [Text(when), *(part for part in (_head(item), fields_of(item), who) if part), Text()]
    return Group(*lines)


def service_of(item: Mapping[str, Any]) -> str:
    """The service that recorded an event."""
    return str(item.get("service", "?"))


def late(item: Mapping[str, Any]) -> str:
    """How long after it was true it was learned; within a minute that is at once."""
    gap = _instant(item["recordedat"]) - _instant(item["occurredat"])
    if abs(gap) < timedelta(minutes=1):
        return AT_ONCE
    return f"{'+' if gap > timedelta(0) else '-'}{_span(abs(gap))}"


def cause_of(item: Mapping[str, Any], causes: Mapping[str, str]) -> str:
    """The number of the event that caused this one, else its short id; a dash where a person did."""
    cause = item.get("causationid")
    if cause is None:
        return "—"
    return f"#{causes[cause]}" if cause in causes else str(cause)[:8]


def fields_of(item: Mapping[str, Any]) -> Text:
    """The event's fields in brief, ids whole: they are asked for next."""
    from cli.fields import in_brief

    return in_brief(item.get("event") or {}, shown=str)


def _span(gap: timedelta) -> str:
    minutes = int(gap.total_seconds()) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _head(item: Mapping[str, Any]) -> Text:
    """Service and event."""
    from rich.text import Text

    name = str(item["type"]).rpartition(".")[2]
    return Text.assemble((f"{service_of(item)} ", screen.QUIET), (name, screen.NAME))


def _by(item: Mapping[str, Any]) -> str:
    who, role = str(item.get("actorid", "?")), str(item.get("actorrole", "?"))
    why = str(item.get("purpose", ""))
    return f"{role} {why}".strip() if who == role else f"{who} ({role}) {why}".strip()


def _minute(text: str) -> str:
    return f"{_instant(text):%Y-%m-%d %H:%M}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shown(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _patient(text: str) -> UUID:
    """The id asked for. Raises typer.BadParameter, which does not repeat what may be a name."""
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(
            "expected a patient's id such as 5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11; "
            "`caretrail ingest referral` prints it, and lists of the services hold it",
            param_hint="PATIENT",
        ) from None


def _time(text: str) -> datetime | None:
    """The time asked for; a date means until its end, as in books that close. Raises typer.BadParameter.

    Without an offset it is this machine's time.
    """
    if not text:
        return None
    try:
        at = _end_of(text) or datetime.fromisoformat(text)
        return at if at.tzinfo else at.astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "expected a date or a time, such as 2026-03-12, 2026-03-12T10:00 or 2026-03-12T10:00:00Z",
            param_hint="--as-of",
        ) from None


def _end_of(text: str) -> datetime | None:
    """The last instant of a date; None where the text is no date."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(day, time.max).astimezone()
