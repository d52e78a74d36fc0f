"""What a client asks of PostgreSQL, read from the bytes of one connection as they pass.

A transaction ends with COMMIT; a service's own commands are one statement each that commits by itself. It is
prepared once, and then told by the name that it was given on this connection.
"""

from __future__ import annotations

from struct import unpack_from

COMMIT, APPEND = "commit", "append"
"""A transaction's end, and the statement of commands outside of any."""

KINDS: tuple[tuple[bytes, str], ...] = (
    (b"begin", "begin"),
    (b"start transaction", "begin"),
    (b"commit", COMMIT),
    (b"rollback to", ""),
    (b"rollback", "rollback"),
)
NAME = b"append_commits"
ENCRYPT = (80_877_103, 80_877_104)
"""What a client asks for before it begins, with the length of a beginning."""


class Wire:
    """The client's side of a connection."""

    def __init__(self) -> None:
        self._left, self._begun = b"", False
        self._statements, self._portals = dict[bytes, str](), dict[bytes, str]()
        self._within, self._due = False, list[str]()

    def asked(self, data: bytes) -> list[str]:
        """What these bytes have carried out and made durable: ends of transactions, and appends."""
        self._left += data
        found = list[str]()
        while (frame := self._frame()) is not None:
            found += self._of(*frame)
        return found

    def _frame(self) -> tuple[bytes, bytes] | None:
        """The next whole message: its kind, none of a beginning, and its body."""
        head = 1 if self._begun else 0
        if len(self._left) < head + 4:
            return None
        [size] = unpack_from("!i", self._left, head)
        if len(self._left) < head + size:
            return None
        kind, body = self._left[:head], self._left[head + 4 : head + size]
        self._left = self._left[head + size :]
        self._begun = self._begun or unpack_from("!i", body)[0] not in ENCRYPT
        return kind, body

    def _of(self, kind: bytes, body: bytes) -> list[str]:
        if kind == b"Q":
            return self._done(_kind_of(body))
        if kind == b"P":
            name, text = body.split(b"\0", 2)[:2]
            self._statements[name] = _kind_of(text)
        elif kind == b"B":
            portal, name = body.split(b"\0", 2)[:2]
            self._portals[portal] = self._statements.get(name, "")
        elif kind == b"E":
            self._due += self._done(self._portals.get(body.split(b"\0", 1)[0], ""))
        elif kind == b"S":
            due, self._due = self._due, []
            return due
        return []

    def _done(self, kind: str) -> list[str]:
        """A statement is carried out; an append within a transaction is not durable with it."""
        within = self._within
        if kind in ("begin", COMMIT, "rollback"):
            self._within = kind == "begin"
        return [kind] if kind == COMMIT or (kind == APPEND and not within) else []


def _kind_of(text: bytes) -> str:
    small = text.strip(b"\0 \n").lower()
    for start, kind in KINDS:
        if small.startswith(start):
            return kind
    return APPEND if NAME in small else ""
