"""How referrals and remittances that were read look on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cli import screen

ROOMY = 80
"""Columns of a screen on which adjustments stand whole and ids fold."""


def show_referrals(found: Sequence[Mapping[str, Any]]) -> None:
    """Print referrals, one block each: what the files say, the ids given, what to look at."""
    from rich.text import Text

    for each in found:
        given = each.get("caretrail") or {}
        number = str(each.get("referral") or "—")
        again = "  duplicate" if given.get("duplicate") else ""
        again += "  came before: nothing changed" if given.get("repeated") else ""
        head = (("referral ", screen.QUIET), (number, screen.NAME), (again, screen.SEALED))
        screen.out().print(Text.assemble(*head))
        for label, value in _rows(each, given).items():
            screen.out().print(Text.assemble((f"  {label:<13}", screen.QUIET), str(value or "—")))
        _show_notes(given.get("findings") or ())
    _count(len(found), "referral")


def _rows(referral: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    person = referral.get("patient") or {}
    rows = {
        "patient": " ".join(str(part) for part in (person.get("given"), person.get("family")) if part),
        "born": person.get("birth_date"),
        "reason": ", ".join(referral.get("reason") or []),
        "requester": referral.get("requester"),
        "urgency": referral.get("urgency"),
        "payer": referral.get("payer"),
    }
    ids = {"referral id": given.get("referral"), "patient id": given.get("patient")}
    return rows | (ids if given.get("referral") else {})


def show_remittances(found: Sequence[Mapping[str, Any]], warnings: Sequence[str] = ()) -> None:
    """Print remittances: a heading and a table of claims each, then what was odd in the files."""
    roomy = screen.out().width >= ROOMY
    for each in found:
        _show_heading(each)
        table = screen.new_table("claim", "status", "charge", "paid", "patient", "adjustments")
        for column in table.columns[2:5]:
            column.justify, column.no_wrap = "right", True
        waiting = {one["index"] for one in _effect(each).get("parked") or ()}
        for index, claim in enumerate(each.get("claims") or []):
            table.add_row(*(row := _claim(claim, waits=index in waiting)))
            wide = max(map(len, row[-1].plain.splitlines()), default=0)
            # On a narrower screen they fold too: what does not fit a least width would be cut.
            table.columns[-1].min_width = max(table.columns[-1].min_width or 0, wide) if roomy else None
        screen.out().print(table)
    _show_notes(warnings)
    _count(len(found), "remittance")


def _show_heading(remittance: Mapping[str, Any]) -> None:
    from rich.text import Text

    trace, effect = str(remittance.get("trace") or "—"), _effect(remittance)
    total = (("   total ", screen.QUIET), f"${_amount(remittance.get('total'))}")
    again = "   came before: nothing changed" if effect.get("repeated") else ""
    head = (("trace ", screen.QUIET), (trace, screen.NAME), *total, (again, screen.SEALED))
    screen.out().print(Text.assemble(*head))
    if "posted" in effect:
        screen.out().print(Text.assemble((f"  {'claims':<8}", screen.QUIET), _posted(effect)))


def _posted(effect: Mapping[str, Any]) -> str:
    """Such as `1 posted, 2 wait for a person: claim unknown`."""
    parked = effect.get("parked") or ()
    if not parked:
        return f"{effect['posted']} posted"
    rules = ", ".join(dict.fromkeys(spaced(str(one["rule"])) for one in parked))
    verb = "waits" if len(parked) == 1 else "wait"
    return f"{effect['posted']} posted, {len(parked)} {verb} for a person: {rules}"


def _effect(remittance: Mapping[str, Any]) -> Mapping[str, Any]:
    return remittance.get("caretrail") or {}


def _claim(claim: Mapping[str, Any], *, waits: bool) -> list[Any]:
    from rich.text import Text

    status = Text(str(claim.get("status", "")))
    if claim.get("denied"):
        status.append(" denied", style=screen.BAD)
    if waits:
        status.append(" waits", style=screen.QUIET)
    amounts = [_amount(claim.get(name)) for name in ("charge", "paid", "patient_responsibility")]
    return [str(claim.get("claim") or "—"), status, *amounts, _adjustments(claim.get("adjustments") or ())]


def _adjustments(adjustments: Iterable[Mapping[str, Any]]) -> Any:
    """One below the other, amounts aligned."""
    from rich.text import Text

    rows = [(f"{one['group']}-{one['reason']}", _amount(one["amount"])) for one in adjustments]
    wide = max((len(reason) for reason, _ in rows), default=0)
    far = max((len(amount) for _, amount in rows), default=0)
    return Text("\n".join(f"{reason:<{wide}} {amount:>{far}}" for reason, amount in rows))


def _amount(text: str | None) -> str:
    return "—" if text is None else f"{Decimal(text):,.2f}"


def _show_notes(notes: Iterable[str]) -> None:
    """What a person should look at; long ones go on below themselves."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=True)
    grid.add_column()
    grid.add_column(overflow="fold")
    for note in notes:
        grid.add_row(Text(" !", style=screen.QUIET), Text(note, style=screen.QUIET))
    if grid.row_count:
        screen.out().print(grid)


def spaced(rule: str) -> str:
    """A rule's name in words, such as `claim unknown`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in rule).strip()


def _count(count: int, noun: str) -> None:
    screen.out().print(f"[{screen.QUIET}]{count} {noun}{'' if count == 1 else 's'}[/]")
