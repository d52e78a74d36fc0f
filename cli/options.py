"""Options that several commands share; this module imports little, since every command imports it."""

from __future__ import annotations

from typing import Annotated

import typer

ActorOption = Annotated[
    str,
    typer.Option("--actor", metavar="ID;ROLE", help="Who asks, else CARETRAIL_ACTOR.", show_default=False),
]
PurposeOption = Annotated[
    str,
    typer.Option(
        "--purpose",
        metavar="CODE",
        help="Why: TREAT, HPAYMT, HOPERAT, HCOMPL, …, else CARETRAIL_PURPOSE.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
