"""`caretrail mailbox`: what the local mail server took."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import screen
from cli.options import JsonOption

if TYPE_CHECKING:
    from deploy.local.mailbox import Mail


def mailbox(
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", min=1, help="Show the text of this mail.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="The mailbox.", show_default="mailbox/ under the home"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the mails that were sent, or show one."""
    from cli.settings import CliSettings
    from deploy.local.mailbox import read

    mails = read(folder or CliSettings().home / "mailbox")
    if number and number > len(mails):
        count = {0: "no mail", 1: "one mail"}.get(len(mails), f"{len(mails)} mails")
        raise typer.BadParameter(f"the mailbox holds {count}", param_hint="NUMBER")
    numbered = list(enumerate(mails, start=1))
    chosen = numbered[number - 1 : number] if number else numbered
    if as_json:
        screen.print_json([_as_json(index, mail) for index, mail in chosen])
    elif number:
        _show(mails[number - 1])
    else:
        _list(chosen)


def _as_json(number: int, mail: Mail) -> dict[str, Any]:
    return {
        "number": number,
        "message_id": mail.message_id,
        "sent": mail.sent.isoformat(),
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
    }


def _list(numbered: list[tuple[int, Mail]]) -> None:
    if not numbered:
        screen.out().print("No mail yet.")
        return
    table = screen.new_table("#", "sent", "to", "subject")
    table.columns[0].justify = "right"
    table.columns[1].no_wrap = True
    for number, mail in numbered:
        table.add_row(str(number), f"{mail.sent:%Y-%m-%d %H:%M}", mail.to, mail.subject)
    screen.out().print(table)


def _show(mail: Mail) -> None:
    from rich.text import Text

    lines = (
        ("to", mail.to),
        ("subject", mail.subject),
        ("sent", f"{mail.sent:%Y-%m-%d %H:%M %Z}"),
        ("id", mail.message_id),
    )
    for label, value in lines:
        screen.out().print(Text.assemble((f"{label:<8}", screen.QUIET), value), soft_wrap=True)
    screen.out().print()
    screen.out().print(Text(mail.text))
