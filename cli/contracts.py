"""`caretrail contracts`: the event catalogue, its schemas, and the check that nothing published changed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli import screen
from cli.options import JsonOption

if TYPE_CHECKING:
    from caretrail_contracts.event import Event
    from rich.table import Table

ModeName = Literal["backward", "forward", "full", "transitive"]

app = typer.Typer(
    help="The event catalogue: what is published, and whether it still is.", no_args_is_help=True
)


@app.command("list")
def list_events(as_json: JsonOption = False) -> None:
    """List every event with its version and what it says."""
    from caretrail_contracts.catalogue import all_events

    if as_json:
        screen.print_json([_summary(event) for event in all_events()])
    else:
        screen.out().print(_catalogue_table())


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as PatientAdmitted or intake.PatientAdmitted.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Show one event: its fields, its schema's name, an example."""
    from caretrail_contracts.asyncapi import headers_of
    from caretrail_contracts.examples import example
    from caretrail_contracts.schemas import schema_of

    event = _named(name)
    body = json.loads(example(event).to_bytes())
    if as_json:
        more = {"schema": schema_of(event), "headers": headers_of(event), "example": body}
        screen.print_json(_summary(event) | more)
    else:
        _show(event, body)


@app.command()
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write; made where it is not there.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Write JSON Schemas, examples and the AsyncAPI 3 document."""
    from cli.export import export_to
    from cli.problem import Problem, told

    with told(as_json):
        try:
            written = export_to(folder)
        except OSError as error:
            raise Problem(f"{folder} cannot be written to: {error.strerror}") from None
    if as_json:
        screen.print_json({"folder": str(folder), "files": sorted(written)})
        return
    for part in ("schemas", "examples", "asyncapi.json"):
        count = sum(file.startswith(part) for file in written)
        screen.out().print(f"{count:>5}  {folder / part}", soft_wrap=True)


@app.command()
def check(
    frozen: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of schemas/ and golden/.",
            show_default="those of the contracts project",
        ),
    ] = None,
    old: Annotated[Path | None, typer.Option(help="A JSON Schema, to compare with --new.")] = None,
    new: Annotated[Path | None, typer.Option(help="The JSON Schema that would replace it.")] = None,
    mode: Annotated[
        ModeName | None,
        typer.Option(help="For two files: whose reading counts.", show_default="full"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check today's models against all that was published, or one JSON Schema against another.

    Ends with 1 where a published file differs or readers and writers of two versions part; with 2 where
    a file is no JSON Schema.
    """
    if old and new and not frozen:
        _check_files(old, new, mode or "full", as_json)
    elif old or new or mode:
        raise typer.BadParameter("--old and --new go together, --mode is of these two, and --frozen of none")
    else:
        _check_frozen(frozen, as_json)


def _check_files(old: Path, new: Path, mode: ModeName, as_json: bool) -> None:
    from cli.compatibility import compare_files
    from cli.problem import Problem

    try:
        compatible = compare_files(old, new, mode, as_json)
    except Problem as problem:
        problem.tell(as_json)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if compatible else 1)


def _check_frozen(frozen: Path | None, as_json: bool) -> None:
    from cli.frozen_check import report, verdict_on
    from cli.problem import told

    with told(as_json):
        verdict = verdict_on(frozen)
    report(verdict, as_json)
    raise typer.Exit(0 if verdict.stands else 1)


def _summary(event: type[Event]) -> dict[str, Any]:
    from caretrail_contracts.catalogue import name_of
    from caretrail_contracts.sealed import sealed_fields

    return {
        "name": name_of(event),
        "type": event.type(),
        "service": event.service,
        "version": event.version,
        "dataschema": event.schema_uri(),
        "description": _sentence(event),
        "sealed": {name: kind.__name__ for name, kind in sealed_fields(event).items()},
    }


def _sentence(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().split("\n")[0]


def _catalogue_table() -> Table:
    """Every event under its service's name."""
    from caretrail_contracts.catalogue import all_events
    from caretrail_contracts.sealed import sealed_fields

    table = screen.new_table("event", "v", "sealed", "what it says", whole="event")
    for column, style in zip(table.columns, (screen.NAME, screen.QUIET, screen.SEALED), strict=False):
        column.style, column.no_wrap = style, True
    table.columns[2].justify = "right"
    previous = ""
    for event in all_events():
        if event.service != previous:
            table.add_section()
            table.add_row(f"[not bold default]{event.service}[/]")
        count = len(sealed_fields(event)) or ""
        table.add_row(event.__name__, str(event.version), str(count), _sentence(event))
        previous = event.service
    return table


def _show(event: type[Event], body: dict[str, Any]) -> None:
    from caretrail_contracts.catalogue import SERVICES, name_of
    from caretrail_contracts.envelope import topic_of
    from rich.syntax import Syntax
    from rich.text import Text

    own = event.service in SERVICES
    topic = topic_of(event.service) if own else "the topic of the service that recorded it"
    out = screen.out()
    out.print(Text.assemble((name_of(event), screen.NAME), f"  version {event.version}"))
    out.print(_sentence(event))
    out.print()
    for label, text in (("type", event.type()), ("topic", topic), ("schema", event.schema_uri())):
        out.print(Text.assemble((f"{label:<8}", screen.QUIET), text), soft_wrap=True)
    if body:
        out.print(_fields_table(event))
    out.print(Text("example", style=screen.QUIET))
    text = json.dumps(body, indent=2, ensure_ascii=False)
    out.print(Syntax(text, "json", theme="ansi_dark", word_wrap=True, background_color="default"))


def _fields_table(event: type[Event]) -> Table:
    from caretrail_contracts.schemas import schema_of

    schema = schema_of(event)
    table = screen.new_table("field", "holds", "")
    table.columns[0].no_wrap = True
    for name, field in schema["properties"].items():
        kinds = list(_kinds(field, schema))
        text = " or ".join(kind for kind in kinds if kind != "null")
        style = screen.SEALED if text.startswith("sealed") else ""
        table.add_row(
            name, f"[{style}]{text}[/]" if style else text, "may be null" if "null" in kinds else ""
        )
    return table


def _kinds(field: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """What a field holds, in words."""
    if "$ref" in field:
        field = schema["$defs"][field["$ref"].rpartition("/")[2]]
    if "anyOf" in field:
        for part in field["anyOf"]:
            yield from _kinds(part, schema)
    elif "x-sealed" in field:
        yield f"sealed {field['x-sealed']['title']}"
    elif "enum" in field:
        yield " | ".join(str(value) for value in field["enum"])
    elif field.get("type") == "array":
        yield "list of " + " or ".join(_kinds(field["items"], schema))
    elif field.get("type") == "object":
        yield f"{field['title']}({', '.join(field['properties'])})"
    else:
        yield _scalar(field)


def _scalar(field: dict[str, Any]) -> str:
    kind = str(field.get("format") or field.get("type"))
    if "minimum" in field or "maximum" in field:
        return f"{kind} {field.get('minimum', '')}…{field.get('maximum', '')}"
    if "maxLength" in field:
        return f"{kind}, at most {field['maxLength']} characters"
    return "amount, two places" if field.get("pattern", "").endswith(r"\.[0-9]{2}$") else kind


def _named(name: str) -> type[Event]:
    from caretrail_contracts.catalogue import all_events, name_of

    wanted = name.removeprefix("caretrail.").lower()
    events = all_events()
    found = [each for each in events if wanted in (name_of(each).lower(), each.__name__.lower())]
    if len(found) == 1:
        return found[0]
    names = {each.__name__.lower(): name_of(each) for each in events}
    near = [name_of(each) for each in found] or [
        names[each] for each in difflib.get_close_matches(wanted.rpartition(".")[2], list(names), 3, 0.5)
    ]
    hint = f"did you mean {' or '.join(near)}?" if near else "`caretrail contracts list` shows all"
    raise typer.BadParameter(f"no event {name}; {hint}", param_hint="NAME")
