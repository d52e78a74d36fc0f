"""`caretrail ingest`: referrals and remittances from files, posted to their service or only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from cli import screen
from cli.options import ActorOption, JsonOption, PurposeOption

app = typer.Typer(help="Take in referrals (FHIR R4) and remittances (X12 835).", no_args_is_help=True)

FilesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", exists=True, dir_okay=False, readable=True, help="Files to read."),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Only read the files and show what they say: needs no stack, records nothing."
    ),
]


@app.command()
def referral(
    files: FilesArgument,
    dry_run: DryRunOption = False,
    source_type: Annotated[str, typer.Option(help="Who refers: hospital, pcp, school, …")] = "hospital",
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take in FHIR R4 referrals; files that belong together are given together."""
    from cli.problem import told

    named = [(path.name, path.read_bytes()) for path in files]
    if dry_run:
        with told(as_json):
            found = read_referrals(named)
    else:
        body = [{"name": name, "content": _text(name, content)} for name, content in named]
        found = _post("intake", "/referrals/fhir", actor, purpose, as_json,
                      json=body, params={"source_type": source_type})  # fmt: skip
    if as_json:
        screen.print_json(found)
    else:
        show_referrals(_listed(found, "referrals"))


@app.command()
def remittance(
    files: FilesArgument,
    dry_run: DryRunOption = False,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take in X12 5010 835 remittances; each file is posted whole or refused whole."""
    from cli.problem import told

    found: list[Any] = []
    for path in files:
        content = path.read_bytes()
        if dry_run:
            with told(as_json):
                found += read_remittances(path.name, content)
        else:
            answer = _post("billing", "/remittances", actor, purpose, as_json,
                           content=content, media_type="application/edi-x12")  # fmt: skip
            found += _listed(answer, "remittances") if as_json else _with_effect(answer)
    if as_json:
        screen.print_json(found)
    else:
        show_remittances(found)


def _with_effect(answer: Any) -> list[Any]:
    """A file's remittances, each saying whether it came before."""
    listed = _listed(answer, "remittances")
    if not (isinstance(answer, Mapping) and answer.get("duplicate")):
        return listed
    return [{**each, "posted": "before: nothing changed"} for each in listed]


def read_referrals(files: Sequence[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """What FHIR files say. Raises Problem, naming file and JSON pointer."""
    from cli.problem import Place, Problem
    from services.intake.adapters.fhir.errors import FhirError
    from services.intake.adapters.fhir.form import as_answer
    from services.intake.adapters.fhir.referrals import read_referrals as read

    try:
        return [as_answer(form) for form in read(files)]
    except FhirError as error:
        place = Place(f"{error.file}#{error.pointer}", error.expected, error.what)
        raise Problem("these files are no referral that can be read", places=[place]) from None


def read_remittances(name: str, content: bytes) -> list[dict[str, Any]]:
    """What an 835 file says, one object for each transaction set. Raises Problem, naming the segment."""
    from cli.problem import Place, Problem
    from services.billing.adapters.x12.answer import as_answer
    from services.billing.adapters.x12.errors import X12Error
    from services.billing.adapters.x12.remittance_reader import read_remittances as read

    try:
        return as_answer(read(content))
    except X12Error as error:
        place = Place(error.place, error.expected, error.what)
        raise Problem(f"{name} is refused whole: nothing of it counts", places=[place]) from None


def show_referrals(found: Sequence[Mapping[str, Any]]) -> None:
    """Print referrals, one block each, with the ids they got and whether they came before."""
    from rich.text import Text

    for each in found:
        person, given = each.get("patient") or {}, each.get("caretrail") or {}
        name = " ".join(str(part) for part in (person.get("given"), person.get("family")) if part)
        rows = {
            "patient": name,
            "born": person.get("birth_date"),
            "reason": ", ".join(each.get("reason") or []),
            "requester": each.get("requester"),
            "urgency": each.get("urgency"),
            "payer": each.get("payer"),
        }
        if given:
            rows |= {"referral id": given.get("referral"), "patient id": given.get("patient")}
        number = str(each.get("referral") or "—")
        again = "  came before: nothing changed" if given.get("repeated") else ""
        head = (("referral ", screen.QUIET), (number, screen.NAME), (again, screen.SEALED))
        screen.out().print(Text.assemble(*head))
        for label, value in rows.items():
            screen.out().print(Text.assemble((f"  {label:<13}", screen.QUIET), str(value or "—")))
    _count(len(found), "referral")


def show_remittances(found: Sequence[Mapping[str, Any]]) -> None:
    """Print remittances: a heading and a table of claims each."""
    from rich.text import Text

    for each in found:
        head = (("trace ", screen.QUIET), (str(each.get("trace", "—")), screen.NAME))
        screen.out().print(Text.assemble(*head, ("   total ", screen.QUIET), f"${each.get('total', '—')}"))
        more = {name: value for name, value in each.items() if name not in ("trace", "total", "claims")}
        for name, value in more.items():
            screen.out().print(Text.assemble((f"  {name:<11}", screen.QUIET), str(value)))
        table = screen.new_table("claim", "status", "charge", "paid", "patient", "adjustments")
        for column in table.columns[2:5]:
            column.justify, column.no_wrap = "right", True
        for claim in each.get("claims") or []:
            table.add_row(*_claim(claim))
        screen.out().print(table)
    _count(len(found), "remittance")


def _claim(claim: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    status = Text(str(claim.get("status", "")))
    if claim.get("denied"):
        status.append(" denied", style=screen.BAD)
    adjustments = ", ".join(
        f"{a['group']}-{a['reason']} {a['amount']}" for a in claim.get("adjustments") or []
    )
    amounts = [str(claim.get(name) or "—") for name in ("charge", "paid", "patient_responsibility")]
    return [str(claim.get("claim", "")), status, *amounts, adjustments]


def _count(count: int, noun: str) -> None:
    screen.out().print(f"[{screen.QUIET}]{count} {noun}{'' if count == 1 else 's'}[/]")


def _listed(answer: Any, name: str) -> list[Any]:
    """The list in a service's answer, bare or under its name."""
    if isinstance(answer, Mapping):
        answer = answer.get(name) or answer.get("items") or [answer]
    return list(answer)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{name}: byte {error.start + 1} is not UTF-8", param_hint="FILE") from None


def _post(
    service_name: str,
    path: str,
    actor: str,
    purpose: str,
    as_json: bool,
    media_type: str = "",
    **request: Any,
) -> Any:
    """Send a command with a key of its own and give the answer; a refusal ends the command with 1."""
    from cli import service, stack_file
    from cli.problem import told
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    headers = asking_as(settings, actor, purpose) | {"Idempotency-Key": str(uuid4())}
    if media_type:
        headers["Content-Type"] = media_type
    with told(as_json), service.client(stack_file.read(settings.home), service_name, headers) as client:
        return service.answer(client.post(path, **request))
