"""`caretrail projections`: list read models, rebuild one with proof, verify them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    from cli.looking import Seen
    from cli.stack_file import Stack

POLL_S = 0.2
CONFLICT = 409
"""The status where another rebuild, or a version that waits for one, is in the way."""

NARROW = 80
"""Columns below which even a projection's name is folded, so that the figures stay whole."""

EXPLAINED_MAX = 5
"""Differences shown to a person; JSON holds all that were looked into."""

SERVED = "public"
"""What a rebuild is compared with where it is not with a second fold of its own."""

app = typer.Typer(help="Read models: list, rebuild with proof, verify.", no_args_is_help=True)

ServiceOption = Annotated[str, typer.Option("--service", metavar="NAME", help="Of this service alone.")]
ProcessesOption = Annotated[
    int, typer.Option("--processes", min=1, max=12, help="Processes that share the partitions.")
]
AcceptOption = Annotated[
    bool, typer.Option("--accept-difference", help="Swap in also what differs; it is on record.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why it may differ; kept sealed.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Order:
    """What services are told to do; with a reason, a difference is accepted by who tells them."""

    action: str
    processes: int
    reason: str = ""
    who: Mapping[str, str] = field(default_factory=dict)

    def sent(self, name: str) -> tuple[str, dict[str, Any]]:
        """The path about a projection, and the body to send there."""
        path = f"/internal/projections/{name}"
        if self.reason:
            return f"{path}/accept-difference", {"reason": self.reason, "processes": self.processes}
        return path, {"action": self.action, "processes": self.processes}


@app.command("list")
def list_(service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """List projections with their versions, sizes and last rebuild."""
    from cli.problem import told

    with told(as_json):
        seen, found = _all(_stack(), service)
        if as_json:
            screen.print_json(found)
        else:
            _show(found)
        seen.end(as_json)


@app.command()
def rebuild(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The projection.")],
    service: ServiceOption = "",
    processes: ProcessesOption = 1,
    accept: AcceptOption = False,
    reason: ReasonOption = "",
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Fold a projection anew beside the one that serves and swap it in once proved, else exit with 1."""
    reason, who = _accepting(accept, reason, actor, purpose)
    _carry_out(Order("rebuild", processes, reason, who), name, service, as_json)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The projection, else all.")] = "",
    service: ServiceOption = "",
    processes: ProcessesOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Fold projections anew and compare them with those that serve; exit with 1 where one differs."""
    _carry_out(Order("verify", processes), name, service, as_json)


def _accepting(accept: bool, reason: str, actor: str, purpose: str) -> tuple[str, Mapping[str, str]]:
    """Why a difference is accepted and the headers that say by whom. Raises BadParameter."""
    from cli.settings import CliSettings, asking_as

    if accept and not reason.strip():
        wanted = "a difference is accepted for a reason, which is kept: give --reason TEXT too"
        raise typer.BadParameter(wanted, param_hint="--accept-difference")
    if reason and not accept:
        wanted = "a reason is for a difference that is accepted: give --accept-difference too, or no reason"
        raise typer.BadParameter(wanted, param_hint="--reason")
    return reason.strip(), asking_as(CliSettings(), actor, purpose) if accept else {}


def _carry_out(order: Order, name: str, service: str, as_json: bool) -> None:
    from cli.problem import told

    with told(as_json):
        stack, ended = _stack(), list[dict[str, Any]]()
        seen, found = _all(stack, service)
        chosen = _named(found, name, service, seen, as_json)
        for each in chosen:
            with _kept(each, order.action, ended, alone=bool(name)):
                ended.append(_ended(stack, each, order, as_json))
            if not as_json:
                _tell(ended[-1], order)
        if as_json:
            screen.print_json(ended[0] if name else ended)
        if not name:  # else all that was asked for is done
            seen.end(as_json)
    if any(each["outcome"] not in ("equal", "swapped") for each in ended):
        raise typer.Exit(1)


@contextmanager
def _kept(projection: Mapping[str, Any], action: str, ended: list[Any], *, alone: bool) -> Iterator[None]:
    """Of many, one that cannot be done has that as its outcome, and the others go on. Raises Problem."""
    from cli.problem import Problem

    try:
        yield
    except Problem as problem:
        if alone:
            raise
        ended.append(
            {
                "projection": projection["name"],
                "service": projection["service"],
                "action": action,
                "outcome": "busy" if problem.status == CONFLICT else "failed",
                "why": problem.detail or problem.title,
            }
        )


def _stack() -> Stack:
    from cli import stack_file
    from cli.settings import CliSettings

    return stack_file.of(CliSettings())


def _all(stack: Stack, service: str) -> tuple[Seen, list[dict[str, Any]]]:
    """The projections of one service, or of all, with which of them answered. Raises Problem."""
    from cli.looking import look

    seen = look(stack, [service] if service else sorted(stack.services), "/internal/projections")
    return seen, [each for projections in seen.answers.values() for each in projections]


def _named(
    found: list[dict[str, Any]], name: str, service: str, seen: Seen, as_json: bool
) -> list[dict[str, Any]]:
    """Those of a name, else all. Raises Problem."""
    from cli.problem import Problem

    chosen = [each for each in found if each["name"] == name] if name else found
    if name and not chosen:
        seen.tell(as_json)
        whose = service or ("no service that answers" if seen.problems else "no service")
        has = f"{whose} has {'no' if service else 'a'} projection {name}"
        raise Problem(has, f"There are: {', '.join(each['name'] for each in found)}.")
    if name and len(chosen) > 1:
        raise Problem(f"{name} is in {' and '.join(each['service'] for each in chosen)}: name a --service")
    return chosen


def _ended(stack: Stack, projection: Mapping[str, Any], order: Order, as_json: bool) -> dict[str, Any]:
    """Start it and follow it to its end; its outcome with what it took."""
    from cli.service import answer, client

    path, asked_for = order.sent(projection["name"])
    looked = "caretrail projections list"
    with client(stack, projection["service"], order.who, looked) as asked, _Bar(quiet=as_json) as bar:
        state = answer(asked.post(path, json=asked_for))
        with _going_on(order.action, projection, as_json):
            while not state["ended_at"]:
                bar.show(state)
                time.sleep(POLL_S)
                state = answer(asked.get(f"/internal/projections/{projection['name']}"))
    took = {"seconds": round(state["seconds"], 2), "version": state["version"], "processes": order.processes}
    return {
        "projection": state["name"],
        "service": state["service"],
        "action": order.action,
        **took,
        **state["outcome"],
    }


@contextmanager
def _going_on(action: str, projection: Mapping[str, Any], as_json: bool) -> Iterator[None]:
    """Where a service, or who waits, goes away meanwhile, say what becomes of the work. Raises Problem."""
    import httpx

    from cli.problem import Problem

    try:
        yield
    except httpx.TransportError as error:
        raise Problem(
            "the service no longer answers",
            f"{type(error).__name__}. The {action} goes on by itself once the service is back.",
            advice="`caretrail status` shows whether it runs, `caretrail projections list` what came of it.",
        ) from None
    except KeyboardInterrupt:
        Problem(
            f"the {action} of {projection['name']} goes on in {projection['service']}",
            advice="`caretrail projections list` shows how far it is, and what came of it.",
        ).tell(as_json)
        raise


class _Bar:
    """A progress bar with rate and time left; nothing for programs and where stderr is no terminal."""

    def __init__(self, *, quiet: bool) -> None:
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[rate]:,.0f} events/s"),
            progress.TimeRemainingColumn(),
        )
        console = screen.err()
        self._progress = progress.Progress(
            *columns, console=console, disable=quiet or not console.is_terminal, transient=True
        )
        self._task = self._progress.add_task("", total=None, rate=0.0)
        self._quiet, self._phase = quiet, ""

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, state: Mapping[str, Any]) -> None:
        """Show how far it is; what was passed can outgrow the total while events arrive."""
        done, seconds = state["done"], state["seconds"] or 0.0
        if state["phase"] != self._phase and state["phase"].startswith("waiting") and not self._quiet:
            screen.err().print(f"{state['name']} is {state['phase']}: it goes on by itself.", markup=False)
        self._phase = state["phase"]
        self._progress.update(
            self._task,
            description=f"{state['name']} {state['phase']}",
            completed=done,
            total=max(state["total"], done) or None,
            rate=done / seconds if seconds else 0.0,
        )


def _show(found: list[dict[str, Any]]) -> None:
    names = ("projection", "service", "version", "rows about", "size", "last rebuild")
    whole = "projection" if screen.out().width >= NARROW else ""
    table = screen.new_table(*names, whole=whole, numbers=("version", "rows about", "size"))
    table.columns[1].no_wrap = True
    for each in found:
        size = sum(table_["bytes"] or 0 for table_ in each["tables"])
        table.add_row(
            each["name"], each["service"], _version(each), _rows(each), f"{size / 1e6:,.1f} MB", _last(each)
        )
    screen.out().print(table)


def _rows(each: Mapping[str, Any]) -> str:
    """About how many rows there are; `?` until PostgreSQL has counted each table once."""
    counts = [table["rows_about"] for table in each["tables"]]
    return "?" if None in counts else f"{sum(counts):,}"


def _version(each: Mapping[str, Any]) -> str:
    serves, version = each["serves"], each["version"]
    if serves != version:
        return f"{serves} (code: {version})"
    return f"{version} (mixed)" if each.get("mixed_at") else str(version)


def _last(each: Mapping[str, Any]) -> str:
    if not each["action"]:
        return ""
    if not each["ended_at"]:
        done = each["done"] or 0
        share = f" {done / total:.0%}" if (total := max(each["total"] or 0, done)) else ""
        return f"{each['action']}: {each['phase']}{share}"
    return f"{each['action']}: {each['outcome']['outcome']} {each['ended_at'][:16].replace('T', ' ')}"


def _tell(ended: Mapping[str, Any], order: Order) -> None:
    """One line, and what explains it where it is no good news."""
    from rich.text import Text

    console, good = screen.out(), ended["outcome"] in ("equal", "swapped")
    rows = sum(table["rows"] for table in ended.get("tables", {}).values())
    if ended["outcome"] in ("failed", "busy"):
        said = f"{ended['outcome']}: {ended['why']}"
    else:
        folded = f"{rows:,} rows of {ended.get('folded', 0):,} events"
        said = f"{ended['outcome']}, {folded} in {ended['seconds']:.1f} s"
    style = screen.GOOD if good else screen.BAD
    console.print(Text.assemble((ended["projection"], screen.NAME), "  ", (said, style)))
    for name, table in ended.get("tables", {}).items():
        console.print(Text(f"  {name}: {_sum(table)}", screen.QUIET))
        other = ended.get("others", {}).get(name, table)
        if other != table:
            console.print(Text(f"  {name}: {_sum(other)}, in {ended['against']}", screen.QUIET))
    for difference in ended.get("differences", ())[:EXPLAINED_MAX]:
        console.print(Text(f"  {_difference(difference)}"))
    if then := _then(ended, order):
        console.print(Text(f"  {then}", screen.QUIET), soft_wrap=True)


def _then(ended: Mapping[str, Any], order: Order) -> str:
    """What to do about a difference, or what became of its acceptance."""
    if accepted := ended.get("accepted"):
        who = f"{accepted['by']} ({accepted['role']})"
        return f"The difference is accepted by {who}; what it was and why is on record."
    if ended["outcome"] == "swapped" and order.reason:
        return "There was no difference to accept: the reason is not kept."
    if ended["outcome"] != "different":
        return ""
    if ended.get("against") != SERVED:
        return "Two folds of one history differ: the code is at fault, and there is nothing to accept."
    command = f"caretrail projections rebuild {ended['projection']} --service {ended['service']}"
    return f"Nothing is swapped. If what serves is wrong: {command} --accept-difference --reason TEXT"


def _sum(table: Mapping[str, Any]) -> str:
    return f"{table['rows']:,} rows, checksum {table['checksum']}"


def _difference(found: Mapping[str, Any]) -> str:
    what = f"a row is missing in {found['missing']}" if found["missing"] else ", ".join(found["columns"])
    if found.get("times", 1) > 1:
        what = ", ".join(filter(None, (f"a row stands {found['times']} times", what)))
    beyond, event = found.get("beyond"), found.get("beyond") or found["event"]
    if event is None:
        return f"{found['table']}: {what}; no event of the history touches this row"
    stands = f"{event['stream']} version {event['stream_version']}, position {event['position']}"
    if beyond:
        stands += ", beyond the position applied"
    return f"{found['table']}: {what}; since {event['type'].rpartition('.')[2]} {event['id']} ({stands})"
