"""The screen: two consoles, one meaning for each colour, and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console, JustifyMethod
    from rich.table import Table

QUIET = "dim"
NAME = "bold cyan"
PERSON = "green"
SEALED = "yellow"
GOOD = "green"
BAD = "bold red"

WIDE = 110
"""Columns from which a table shows all it has."""

PIPED = 240
"""Columns of what goes to a file or a program, which fold nothing themselves; ``COLUMNS`` says otherwise."""

SEALED_TEXT = "‹sealed›"
ERASED_TEXT = "‹erased›"
UNREADABLE_TEXT = "‹unreadable›"


@cache
def out() -> Console:
    """Where answers go."""
    from rich.console import Console

    return Console(highlight=False, width=_width(sys.stdout))


@cache
def err() -> Console:
    """Where problems go."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=_width(sys.stderr))


def _width(stream: TextIO) -> int | None:
    """None where the terminal is to be asked."""
    return None if stream.isatty() or "COLUMNS" in os.environ else PIPED


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[None]:
    """Say on a terminal what is waited for, until the block ends; nothing for programs."""
    if quiet or not err().is_terminal:
        yield
        return
    with err().status(what):
        yield


def print_json(document: Any, *, compact: bool = False) -> None:
    """Print a JSON document for programs, indented or on one line; never folded to the terminal's width."""
    text = json.dumps(document, ensure_ascii=False, indent=None if compact else 2, default=str)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def new_table(
    *columns: str, title: str | None = None, whole: str = "", numbers: Collection[str] = ()
) -> Table:
    """A table of the house: no boxes, quiet headings, columns to be styled by name afterwards.

    What is too wide is folded, never cut; not even that are the column ``whole``, since it is to be copied,
    and ``numbers``, which stand on the right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, header_style=QUIET, title_justify="left", pad_edge=False)
    for column in columns:
        number = column in numbers
        side: JustifyMethod = "right" if number else "left"
        table.add_column(column, justify=side, overflow="fold", no_wrap=number or column == whole)
    return table
