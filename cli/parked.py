"""`caretrail parked`: records that a handler could not apply: list, look, apply again, discard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    from cli.looking import Seen
    from cli.problem import Problem
    from cli.stack_file import Stack

UNAUTHORIZED, NOT_PARKED = 401, 404

AWAY = (0, 503)
"""Where a service gave no answer, or said that it can do nothing now: the same holds for its other keys."""

app = typer.Typer(help="Parked records: list, show, redrive, discard.", no_args_is_help=True)

RecordArgument = Annotated[
    str, typer.Argument(metavar="RECORD", help="SERVICE/NUMBER, such as billing/17, as `list` has it.")
]
ServiceOption = Annotated[str, typer.Option("--service", metavar="NAME", help="Of this service alone.")]
HandlerOption = Annotated[str, typer.Option("--handler", metavar="NAME", help="Of this handler alone.")]


@app.command("list")
def list_(service: ServiceOption = "", handler: HandlerOption = "", as_json: JsonOption = False) -> None:
    """List the first parked record of each handler and key, why, since when, and how many wait behind it."""
    from cli.problem import told

    with told(as_json):
        seen = _heads(_stack(), service, handler, as_json)
        found = [
            {"record": f"{name}/{head['id']}", **head}
            for name, answered in seen.answers.items()
            for head in answered["parked"]
        ]
        if as_json:
            screen.print_json(found)
        elif found:
            _show_list(found)
        else:
            typer.echo(f"Nothing is parked{seen.of_those()}.")
        for name, answered in seen.answers.items():
            if (more := answered["keys"] - len(answered["parked"])) > 0:
                screen.err().print(f"{name}: {more:,} more keys are parked; these are the oldest.")
        seen.end(as_json)


@app.command()
def show(
    record: RecordArgument, actor: ActorOption = "", purpose: PurposeOption = "", as_json: JsonOption = False
) -> None:
    """Show headers and body of a parked record; sealed values stay so, and who looks and why is recorded."""
    from cli.problem import told

    service, number = _reference(record)
    with told(as_json):
        found = _asked(_stack(), service, "GET", f"/{number}", _who(actor, purpose))
        found["record"] = record
        if as_json:
            screen.print_json(found)
        else:
            _show(found)


@app.command()
def redrive(
    record: Annotated[
        str, typer.Argument(metavar="[RECORD]", help="SERVICE/NUMBER, the first of its key.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Every key that is parked.")] = False,
    service: ServiceOption = "",
    handler: HandlerOption = "",
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Apply a parked record with today's code, then all that wait behind it; exit with 1 where one fails."""
    from cli.problem import told

    if bool(record) == every:
        raise typer.BadParameter("expected either a RECORD or --all", param_hint="RECORD")
    if record and (service or handler):
        raise typer.BadParameter("--service and --handler go with --all", param_hint="RECORD")
    who = _who(actor, purpose)
    if record:
        _reference(record)
    with told(as_json):
        stack = _stack()
        if every:
            _redrive_all(stack, service, handler, who, as_json)
            return
        found = _redriven(stack, *_reference(record), who, quiet=as_json)
        if as_json:
            screen.print_json(found)
        if found["error"]:
            raise typer.Exit(1)


@app.command()
def discard(
    record: RecordArgument,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it is never to be applied; kept sealed.")
    ],
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Decide that a parked record is never applied by its handler; what waits behind it needs a redrive."""
    from cli.problem import told

    service, number = _reference(record)
    with told(as_json):
        who = _who(actor, purpose)
        found = _asked(_stack(), service, "POST", f"/{number}/discard", who, {"reason": reason})
        found["next"] = found["next"] and f"{service}/{found['next']}"
        if as_json:
            screen.print_json(found | {"discarded": record})
            return
        typer.echo(f"{record} is discarded.")
        if found["next"]:
            typer.echo(f"{_counted(found['waiting'])} behind it: `caretrail parked redrive {found['next']}`.")


def _stack() -> Stack:
    from cli import stack_file
    from cli.settings import CliSettings

    return stack_file.of(CliSettings())


def _who(actor: str, purpose: str) -> dict[str, str]:
    from cli.settings import CliSettings, asking_as

    return asking_as(CliSettings(), actor, purpose)


def _reference(record: str) -> tuple[str, int]:
    """Service and number. Raises typer.BadParameter."""
    service, slash, number = record.partition("/")
    if not (slash and service and number.isascii() and number.isdigit() and len(number) < 19):
        raise typer.BadParameter("expected SERVICE/NUMBER, such as billing/17", param_hint="RECORD")
    return service, int(number)


def _asked(
    stack: Stack, service: str, method: str, path: str, headers: Mapping[str, str], body: Any = None
) -> dict[str, Any]:
    """A service's answer about its parked records. Raises Problem."""
    from cli.service import answer, client

    key = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
    with client(stack, service, {**headers, **key}, "caretrail parked list") as asked:
        found: dict[str, Any] = answer(asked.request(method, f"/internal/parked{path}", json=body))
        return found


def _heads(stack: Stack, service: str, handler: str, as_json: bool) -> Seen:
    """The oldest parked keys of one service, or of each, with which of them answered. Raises Problem."""
    from cli.looking import look
    from cli.problem import Problem

    services = [service] if service else sorted(stack.services)
    seen = look(stack, services, f"/internal/parked{_of(handler)}")
    known = set[str]()
    for found in seen.answers.values():
        known |= {*found["handlers"], *(head["handler"] for head in found["parked"])}  # also one that is gone
    if handler and handler not in known:
        seen.tell(as_json)
        whose = service or ("no service that answers" if seen.problems else "no service")
        raise Problem(
            f"{whose} has {'no' if service else 'a'} handler {handler}",
            f"There are: {', '.join(sorted(known))}.",
        )
    return seen


def _of(handler: str, after: int = 0) -> str:
    """What is asked for: keys of a handler, or of all; those after a number."""
    asked = {**({"handler": handler} if handler else {}), **({"after": after} if after else {})}
    return f"?{urlencode(asked)}" if asked else ""


def _redrive_all(stack: Stack, service: str, handler: str, who: Mapping[str, str], as_json: bool) -> None:
    """Redrive every key of the services that answer; one that cannot be redriven stops no other.

    A service that is away meanwhile is not asked for its other keys. Raises Problem, and typer.Exit where
    anything is left.
    """
    from cli.problem import Problem

    seen = _heads(stack, service, handler, as_json)
    done, away = list[dict[str, Any]](), dict[str, str]()

    def keep(problem: Problem, service: str) -> bool:
        if problem.status in AWAY:
            away[service] = problem.detail if problem.status and problem.detail else problem.title
        return problem.status not in (UNAUTHORIZED, NOT_PARKED)

    for name, number in _every(stack, seen, handler, who, away):
        if why := away.get(name):
            done.append(_outcome(name, number, 0, _stopped(number, f"not tried: {why}")))
            if not as_json:
                _tell(done[-1])
            continue
        try:
            done.append(_redriven(stack, name, number, who, quiet=as_json, keep=keep))
        except Problem as problem:
            if problem.status != NOT_PARKED:  # else somebody redrove or discarded it meanwhile
                raise
    if as_json:
        screen.print_json(done)
    elif not done:
        typer.echo(f"Nothing is parked{seen.of_those()}.")
    seen.end(as_json)
    if any(each["error"] for each in done):
        raise typer.Exit(1)


def _every(
    stack: Stack, seen: Seen, handler: str, who: Mapping[str, str], away: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """Each parked key of the services that answered, by service and number, page after page.

    A service that is away by then, or does not answer, is asked for no further page; the latter is told.
    """
    from cli.problem import Problem

    for name, page in list(seen.answers.items()):
        found = page
        while True:
            yield from ((name, head["id"]) for head in found["parked"])
            if found["keys"] <= len(found["parked"]) or name in away:
                break
            try:
                found = _asked(stack, name, "GET", _of(handler, found["parked"][-1]["id"]), who)
            except Problem as problem:
                seen.problems[name] = problem.of(name)
                break


def _stopped(next: int, why: str) -> dict[str, Any]:
    """What a service would have answered, where it is known only why it did nothing."""
    return {"applied": 0, "next": next, "waiting": 0, "error": why}


def _outcome(service: str, number: int, applied: int, found: Mapping[str, Any]) -> dict[str, Any]:
    """What became of a key, its records named as `list` has them."""
    left = f"{service}/{found['next']}" if found["next"] else None
    return {**found, "record": f"{service}/{number}", "applied": applied, "next": left}


def _redriven(
    stack: Stack,
    service: str,
    number: int,
    who: Mapping[str, str],
    *,
    quiet: bool,
    keep: Callable[[Problem, str], bool] | None = None,
) -> dict[str, Any]:
    """Redrive a key to its end, or to the record that fails; a service answers every few seconds.

    Where ``keep`` says so, what the service refuses is the key's outcome. Raises Problem else.
    """
    from cli.problem import Problem

    applied, next = 0, number
    while True:
        try:
            found = _asked(stack, service, "POST", f"/{next}/redrive", who)
        except Problem as problem:
            if keep is None or not keep(problem, service):
                raise
            found = _stopped(next, problem.detail or problem.title)
        applied += found["applied"]
        if found["error"] or not found["next"]:
            break
        next = found["next"]
        if not quiet:
            screen.err().print(f"{service}: {applied} applied, {_counted(found['waiting'] + 1)}")
    outcome = _outcome(service, number, applied, found)
    if not quiet:
        _tell(outcome)
    return outcome


def _tell(found: Mapping[str, Any]) -> None:
    from rich.text import Text

    said = f"{_records(found['applied'])} applied"
    if found["error"]:
        said += f"; {found['next']} fails: {found['error']}, {_counted(found['waiting'])} behind it"
    style = screen.BAD if found["error"] else screen.GOOD
    screen.out().print(Text.assemble((found["record"], screen.NAME), "  ", (said, style)))


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _counted(waiting: int) -> str:
    return f"{_records(waiting)} {'waits' if waiting == 1 else 'wait'}"


def _show_list(found: list[dict[str, Any]]) -> None:
    from rich.console import Group
    from rich.text import Text

    table = screen.new_table("record", "what", whole="record")
    for each in found:
        kind = (each["event"]["type"] or "?").rpartition(".")[2]
        since = each["since"][:16].replace("T", " ")
        counts = f"{_attempts(each['attempts'])} since {since}, {_counted(each['waiting'])} behind"
        table.add_row(
            Text(each["record"], screen.NAME),
            Group(
                Text.assemble((each["handler"], screen.NAME), f"  {kind}"),
                Text(each["error"], screen.BAD),
                Text(f"key {each['key']}"),
                Text(_place(each["event"]), screen.QUIET),
                Text(counts, screen.QUIET),
            ),
        )
    screen.out().print(table)


def _place(event: Mapping[str, Any]) -> str:
    """Where the record is on its topic: by its position there, since offsets change with the topic."""
    return f"{event['topic']}[{event['partition'] or '?'}], position {event['position']} of {event['source']}"


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _show(found: Mapping[str, Any]) -> None:
    import json

    from rich.text import Text

    console, event = screen.out(), found["event"]
    console.print(Text.assemble((found["record"], screen.NAME), f"  {found['handler']}  {event['type']}"))
    console.print(
        Text(f"{found['error']}; {_attempts(found['attempts'])}, {_counted(found['waiting'])} behind")
    )
    console.print(Text(_place(event)))
    if found["unreadable"]:
        console.print(Text(f"Today's contracts do not read it: {found['unreadable']}", screen.BAD))
    for name, value in found["headers"].items():
        console.print(Text(f"  {name}: {value}", screen.QUIET))
    body = json.dumps(found["body"], ensure_ascii=False, indent=2) if found["body"] is not None else None
    console.print(Text(body or f"{found['body_bytes']} bytes that are no JSON"))
