"""`caretrail ingest`: referrals and remittances from files, posted to their service or only read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from cli import ingested, screen
from cli.options import ActorOption, JsonOption, PurposeOption

if TYPE_CHECKING:
    from cli.problem import Problem
    from services.intake.adapters.fhir.form import ReferralForm

app = typer.Typer(help="Take in referrals (FHIR R4) and remittances (X12 835).", no_args_is_help=True)

READ_BYTES_MAX = 32 * 1024 * 1024
"""No more of a file is read: above every reader's limit, so that the reader says which one it is."""

POST_TIMEOUT_S = 300.0
"""A remittance of thousands of claims is posted in one transaction: 8,000 took 24 s on a busy machine."""

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
Files = Sequence[tuple[str, bytes]]
Found = list[dict[str, Any]]


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
    from cli.problem import Problem

    named, found, problems = _contents(files), [], []
    try:
        if dry_run:
            found = read_referrals(named)
        else:
            with _asking("intake", actor, purpose) as ask:
                found = post_referrals(named, source_type, ask)
    except Problem as problem:
        problems.append(problem)
    notes: list[str] = []
    if dry_run and as_json:  # stdout holds what the files say and nothing beside it
        notes = [note for each in found for note in each.pop("caretrail")["findings"]]
    _finish(found, notes, problems, as_json, ingested.show_referrals)


@app.command()
def remittance(
    files: FilesArgument,
    dry_run: DryRunOption = False,
    actor: ActorOption = "",
    purpose: PurposeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take in X12 5010 835 remittances; each file is posted whole or refused whole."""
    from cli.problem import Problem

    found: Found = []
    warnings: list[str] = []
    problems: list[Problem] = []

    def take(read: Callable[[str, bytes], tuple[Found, list[str]]]) -> None:
        for name, content in _contents(files):
            try:
                said, odd = read(name, content)
            except Problem as problem:
                problems.append(problem.about(name))
            else:
                found.extend(said)
                warnings.extend(f"{name} {each}" if len(files) > 1 else each for each in odd)

    try:
        if dry_run:
            take(read_remittances)
        else:
            with _asking("billing", actor, purpose) as ask:
                take(lambda name, content: post_remittances(content, ask))
    except Problem as problem:
        problems.append(problem)
    _finish(found, warnings, problems, as_json, lambda each: ingested.show_remittances(each, warnings))


def _finish(
    found: Found,
    notes: Sequence[str],
    problems: Sequence[Problem],
    as_json: bool,
    show: Callable[[Found], None],
) -> None:
    """Tell what was taken in, on stdout, then what was not, on stderr; the latter ends with 1.

    As JSON stdout holds an array whatever happened, and stderr an object a line: ``{"note": …}`` of what was
    read all the same, and problem documents.
    """
    if as_json:
        screen.print_json(found)
        for note in notes:
            typer.echo(json.dumps({"note": note}, ensure_ascii=False), err=True)
    elif found:
        show(found)
    for problem in problems:
        problem.tell(as_json)
    if problems:
        raise typer.Exit(1)


def read_referrals(files: Files) -> Found:
    """What FHIR files say, with the reader's findings. Raises Problem, naming file and JSON pointer.

    A request about nobody is shown, with a finding that intake would refuse it.
    """
    from cli.problem import Place, Problem
    from services.intake.adapters.fhir.errors import FhirError
    from services.intake.adapters.fhir.form import as_answer
    from services.intake.adapters.fhir.referrals import read_referrals as read
    from services.intake.adapters.fhir.referrals import refuse_impossible_births, refuse_nobody

    def findings_of(form: ReferralForm) -> Iterator[str]:
        yield from (f"{one.file}#{one.pointer}: {one.what}" for one in form.findings)
        try:
            refuse_nobody([form])
        except FhirError as error:
            yield f"{error.file}#{error.pointer}: {error.what}: intake would refuse it"

    try:
        forms = read(files)
        refuse_impossible_births(forms, datetime.now(UTC))
    except FhirError as error:
        place = Place(f"{error.file}#{error.pointer}", error.expected, error.what)
        raise Problem("Referral unreadable", places=[place]) from None
    return [as_answer(form) | {"caretrail": {"findings": list(findings_of(form))}} for form in forms]


def read_remittances(name: str, content: bytes) -> tuple[Found, list[str]]:
    """What an 835 file says, one object for each transaction set, and what is odd in it.

    Raises Problem, naming the segment.
    """
    from cli.problem import Place, Problem
    from services.billing.adapters.x12.answer import as_answer
    from services.billing.adapters.x12.errors import X12Error
    from services.billing.adapters.x12.remittance_reader import read_remittances as read

    try:
        file = read(content)
    except X12Error as error:
        place = Place(error.place, error.expected, error.what)
        raise Problem(ingested.spaced(error.rule).capitalize(), places=[place]) from None
    odd = [_warning(one.segment, one.segment_id, one.element, one.what) for one in file.warnings]
    return as_answer(file), odd


Ask = Callable[..., Any]
"""Posts a command to the service and gives its answer. Raises Problem."""


def post_referrals(files: Files, source_type: str, ask: Ask) -> Found:
    """Send files that belong together as one request. Raises Problem, naming file and JSON pointer.

    One that is no text is sent by itself: no request can hold it beside others, and it is refused there,
    where the refusal is recorded.
    """
    from cli.problem import Problem

    alone = [file for file in files if not _is_text(file[1])][:1] or list(files)
    names = {f"/{index}/content#": f"{name}#" for index, (name, _) in enumerate(alone)}
    body: dict[str, Any]
    if len(alone) == 1:
        ((name, content),) = alone
        names = {"": f"{name}#"}
        body = {"content": content, "headers": {"Content-Type": "application/fhir+json"}}
    else:
        body = {"json": [{"name": name, "content": content.decode("utf-8-sig")} for name, content in alone]}
    try:
        answer = ask("/referrals/fhir", params={"source_type": source_type}, **body)
    except Problem as problem:
        raise problem.at(names) from None
    return [_with_names(each, names) for each in _listed(answer, "referrals")]


def _with_names(referral: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A referral whose findings name the files as the caller does."""
    from cli.problem import named

    given = dict(referral.get("caretrail") or {})
    if not given:
        return dict(referral)
    findings = [named(each, names) for each in given.get("findings") or ()]
    return {**referral, "caretrail": {**given, "findings": findings}}


def post_remittances(content: bytes, ask: Ask) -> tuple[Found, list[str]]:
    """Send an 835; its remittances, and what is odd in them. Raises Problem, naming the segment."""
    answer = ask("/remittances", content=content, headers={"Content-Type": "application/edi-x12"})
    found = [dict(each) for each in _listed(answer, "remittances")]
    if not isinstance(answer, Mapping):
        return found, []
    return found, [_warning(**each) for each in answer.get("warnings") or ()]


def _warning(segment: int, segment_id: str, element: int, what: str) -> str:
    """Such as `segment 10 SVC01: no component separator`."""
    if not segment:
        return what
    place = f"segment {segment} {segment_id}{f'{element:02d}' if element and segment_id else ''}".rstrip()
    return f"{place}: {what}"


def _listed(answer: Any, name: str) -> list[Any]:
    """The list in a service's answer, bare or under its name."""
    if isinstance(answer, Mapping):
        answer = answer.get(name) or answer.get("items") or [answer]
    return list(answer)


def _contents(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """The files by name; by their whole path where two have one name."""
    names = [path.name for path in paths]
    found = []
    for path in paths:
        with path.open("rb") as file:
            name = path.name if names.count(path.name) == 1 else str(path)
            found.append((name, file.read(READ_BYTES_MAX)))
    return found


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def _asking(service_name: str, actor: str, purpose: str) -> Iterator[Ask]:
    """Commands to a service, each with a key of its own. Raises Problem where it does not answer."""
    from cli import service, stack_file
    from cli.settings import CliSettings, asking_as

    settings = CliSettings()
    headers = asking_as(settings, actor, purpose)

    with service.client(stack_file.of(settings), service_name, headers) as client:

        def ask(path: str, headers: Mapping[str, str] | None = None, **request: Any) -> Any:
            keyed = {"Idempotency-Key": str(uuid4()), **(headers or {})}
            return service.answer(client.post(path, headers=keyed, timeout=POST_TIMEOUT_S, **request))

        yield ask
