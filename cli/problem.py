"""What went wrong, told to a person (or, with ``--json``, to a program) before the command ends with 1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import typer

from cli import screen

WHOLE = "(whole input)"
"""What an empty JSON pointer points at."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is wrong, and what was expected there; never the value found."""

    at: str
    expected: str
    what: str = ""


class Problem(Exception):
    """A command cannot do what was asked: title, detail, the places it is about, what to do."""

    def __init__(
        self, title: str, detail: str = "", *, places: Sequence[Place] = (), advice: str = "", status: int = 0
    ) -> None:
        super().__init__(title)
        self.title, self.detail, self.advice, self.status = title, detail, advice, status
        self.places, self.file, self.service = tuple(places), "", ""

    @classmethod
    def of_document(cls, document: Mapping[str, Any], status: int) -> Problem:
        """The problem that a service answered with (RFC 9457)."""
        places = [
            Place(str(each.get("at", "")), str(each.get("expected", "")), str(each.get("what", "")))
            for each in document.get("places") or ()
            if isinstance(each, Mapping)
        ]
        title = str(document.get("title") or f"the service answered {status}")
        advice = f"Look for {document.get('instance')} in the service's log." if status == 500 else ""
        return cls(title, str(document.get("detail") or ""), places=places, advice=advice, status=status)

    def about(self, file: str) -> Problem:
        """This problem, as one of a file."""
        self.file = file
        return self

    def of(self, service: str) -> Problem:
        """This problem, as one that keeps a service among several from answering."""
        self.service = service
        self.title = self.title if self.title.startswith(service) else f"{service}: {self.title}"
        return self

    def at(self, names: Mapping[str, str]) -> Problem:
        """This problem with places named as the caller names them."""
        places = [Place(named(each.at, names), each.expected, each.what) for each in self.places]
        detail = self.detail
        for ours, theirs in names.items():
            detail = detail.replace(ours, theirs) if ours else detail
        return Problem(self.title, detail, places=places, advice=self.advice, status=self.status)

    def tell(self, as_json: bool) -> None:
        """Print it to stderr: for people, or as one line of JSON."""
        if as_json:
            typer.echo(json.dumps(self.as_json(), ensure_ascii=False), err=True)
        else:
            self.show()

    def as_json(self) -> dict[str, Any]:
        """The problem for programs, in the shape of RFC 9457."""
        places = [
            {name: value for name, value in asdict(place).items() if value or name != "what"}
            for place in self.places
        ]
        fields = {
            "file": self.file,
            "service": self.service,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "places": places,
        }
        return {name: value for name, value in fields.items() if value} | (
            {"advice": self.advice} if self.advice else {}
        )

    def show(self) -> None:
        """Print it to the error console; its lines are left whole, so that what they advise can be copied."""
        from rich.text import Text

        console = screen.err()
        title = f"{self.file}: {self.title}" if self.file else self.title
        console.print(Text.assemble((title, screen.BAD)), soft_wrap=True)
        if self.detail and self.detail != self.title:
            console.print(Text(self.detail), soft_wrap=True)
        if self.places and all(place.expected == self.detail for place in self.places):
            console.print(Text(f"at {', '.join(place.at or WHOLE for place in self.places)}"), soft_wrap=True)
        elif self.places:
            _show_places(self.places)
        if self.advice:
            console.print(Text(self.advice, style=screen.QUIET), soft_wrap=True)


def named(place: str, names: Mapping[str, str]) -> str:
    """A place as the caller names it: the beginning in `names` that it has, replaced."""
    for ours, theirs in names.items():
        if place.startswith(ours):
            rest = place[len(ours) :]
            return theirs + rest
    return place


def _show_places(places: Sequence[Place]) -> None:
    names = ("where", "what", "expected") if any(place.what for place in places) else ("where", "expected")
    table = screen.new_table(*names)
    for place in places:
        table.add_row(place.at or WHOLE, *([place.what] if len(names) == 3 else []), place.expected)
    screen.err().print(table)


@contextmanager
def told(as_json: bool = False) -> Iterator[None]:
    """Tell a problem and end with exit code 1 instead of a traceback."""
    try:
        yield
    except Problem as problem:
        problem.tell(as_json)
        raise typer.Exit(1) from None
