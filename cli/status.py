"""`caretrail status`: what runs, why it is not ready, how far each consumer is, what is parked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import screen
from cli.options import JsonOption

if TYPE_CHECKING:
    import httpx

    from cli.looking import Seen, Silent
    from cli.stack_file import Stack


Urls = dict[tuple[str, str], tuple[str, str]]

READY = "/health/ready"

NOTHING: dict[str, Any] = {
    "held_by": None,
    "faults": [],
    "paused": [],
    "older": [],
    "refusing": "",
    "minor": [],
}
"""What there is to say of a process that runs as it should."""

ANSWER_S = 10.0
"""How long a process may take to say how it is, as long as it is alive."""


def status(as_json: JsonOption = False) -> None:
    """Each process's state, why it is not ready, each consumer's position and lag.

    Exit with 1 without a stack, and where a service does not say how far it is.
    """
    from cli import stack_file
    from cli.problem import Problem, told
    from cli.settings import CliSettings
    from deploy.local.stack import is_held

    settings = CliSettings()
    home, local = settings.home, not settings.service_urls
    with told(as_json):
        if local:
            _see_started(home)
        state = "running" if not local or is_held(home) else "killed"
        stack = stack_file.of(settings)
        processes, seen = _looked(home if local else None, stack)
        found: dict[str, Any] = {
            "state": state,
            "processes": processes,
            "consumers": _consumers(stack, seen.answers),
            "parked": {name: own["parked"] for name, own in seen.answers.items() if own.get("parked")},
        }
        if as_json:
            screen.print_json(found)
        else:
            _show(found)
        if state == "killed":
            raise Problem("the stack was killed", advice=CLEAR)
        seen.end(as_json)


def _show(found: dict[str, Any]) -> None:
    _table("process", ("name", "pid", "state", "port", "restarts"), found["processes"])
    for process in found["processes"]:
        for said, style in _said(process):
            screen.out().print(f"{process['name']}: {said}", style=style, markup=False)
    _table("consumer", ("service", "source", "position", "head", "lag"), found["consumers"])
    for name, count in found["parked"].items():
        screen.out().print(f"{name}: parked, with what waits behind it: {count}", style=screen.BAD)
    if found["parked"]:
        screen.out().print("`caretrail parked list` says which and why.", style=screen.QUIET)


def _said(process: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What there is to say of a process beside its state, each with its style."""
    if process["held_by"]:
        yield f"stopped and held by {process['held_by']}", screen.QUIET
    for fault in process["faults"] + process["minor"]:
        yield fault, screen.BAD
    if process["refusing"]:
        yield f"commands are turned away: {process['refusing']}", screen.BAD
    if process["paused"]:
        yield f"a person paused {', '.join(process['paused'])}", screen.QUIET
    for older in process["older"]:
        yield older, screen.QUIET


UNKNOWN = dict.fromkeys(("source", "position", "head", "lag"), "?")
"""What stands for a figure that nobody told."""

CLEAR = "`caretrail down` clears what it left; `caretrail up` starts it again."


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


def _looked(home: Path | None, stack: Stack) -> tuple[list[dict[str, Any]], Seen]:
    """Each process with its state, and how far each service is. Raises Problem."""
    from cli.looking import fetched, see
    from cli.service import address

    processes, urls = _processes(home, stack) if home else _elsewhere(stack)
    urls |= {("service", name): (address(stack, name), "/internal/progress") for name in stack.services}
    found = fetched(urls, ANSWER_S)
    for each in processes:
        if ("process", each["name"]) in found:
            each |= _ready(found["process", each["name"]])
    return processes, see(stack, {name: found["service", name] for name in stack.services}, advice="")


def _elsewhere(stack: Stack) -> tuple[list[dict[str, Any]], Urls]:
    """Services that run without a stack: what answers at the address of each, as one process."""
    from cli.service import address

    unknown = dict.fromkeys(("pid", "port", "restarts"))
    processes = [{"name": name, **unknown, "state": "running", **NOTHING} for name in stack.services]
    return processes, {("process", name): (address(stack, name), READY) for name in stack.services}


def _processes(home: Path, stack: Stack) -> tuple[list[dict[str, Any]], Urls]:
    """The processes of a home's stack, and where each says whether it is ready."""
    from deploy.local.hold import holder
    from deploy.local.stack import is_alive

    processes, urls = list[dict[str, Any]](), Urls()
    for path in sorted((home / "run").glob("*.json")):
        entry = json.loads(path.read_text())
        if "restarts" not in entry:
            continue
        name, alive, held_by = entry["name"], is_alive(entry["pid"]), holder(home, entry["name"])
        state = "held" if held_by else "running" if alive else "dead"
        processes.append({**entry, "state": state, **NOTHING, "held_by": held_by})
        # A role that runs apart has a port of its own: billing-relay is of billing.
        if state == "running" and name.partition("-")[0] in stack.services:
            urls["process", name] = f"http://127.0.0.1:{entry['port']}", READY
    return processes, urls


def _ready(found: httpx.Response | Silent) -> dict[str, Any]:
    """What keeps a service from being ready, as it says itself; paused readers; read models that wait."""
    from cli.looking import Silent

    try:
        if isinstance(found, Silent):
            faults = [f"it does not answer: {str(found).removesuffix('.')}"]
            return {"state": "not ready", "faults": faults}
        told = found.json()
        lists = {name: list(told.get(name, ())) for name in ("faults", "paused", "older", "minor")}
        return {
            "state": "not ready" if told["faults"] else "running",
            **lists,
            "refusing": str(told.get("refusing", "")),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"state": "not ready", "faults": ["its answer about its readiness cannot be read"]}


def _consumers(stack: Stack, progress: dict[str, Any]) -> list[dict[str, Any]]:
    """Events not yet applied, by service and source; None where a silent service alone could tell."""
    from deploy.local.progress import own_lag

    rows, lags = [], _lags(stack, progress)
    for name in stack.services:
        own = progress.get(name)
        if own is None:
            rows.append(_row(name, None, None, None, None))
            continue
        store = own_lag(own)
        rows.append(_row(name, "own store", own["head"] - store, own["head"], store))
        for source in own["sources"]:
            other = progress.get(source)
            if other is None:
                rows.append(_row(name, source, None, None, None))
                continue
            place = max(own["consumed"].get(other["source"], {}).values(), default=0)
            rows.append(_row(name, source, place, other["head"], lags.get((name, source))))
    return rows


def _lags(stack: Stack, progress: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Events of a source that a service has not applied yet, as that counts them where it tells."""
    from cli.looking import Silent, fetched
    from cli.problem import Problem
    from cli.service import address, answer
    from deploy.local.progress import followed, is_behind, lag_path

    lags, urls = dict[tuple[str, str], int](), dict[tuple[str, str], tuple[str, str]]()
    for name, own in progress.items():
        for other in followed(own, progress):
            pair = name, other["service"]
            lags[pair] = 0
            if is_behind(own, other["source"], other["heads"]):
                urls[pair] = address(stack, other["service"]), lag_path(own, other)
    for pair, found in fetched(urls, ANSWER_S).items():
        del lags[pair]
        with suppress(Problem):
            if not isinstance(found, Silent):
                lags[pair] = int(answer(found)["events"])
    return lags


def _row(
    service: str, source: str | None, position: int | None, head: int | None, lag: int | None
) -> dict[str, Any]:
    return {"service": service, "source": source, "position": position, "head": head, "lag": lag}


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    for column in columns:
        numeric = column in ("pid", "port", "restarts", "position", "head", "lag")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *(UNKNOWN.get(column, "") if row[column] is None else str(row[column]) for column in columns)
        )
    screen.out().print(table)
