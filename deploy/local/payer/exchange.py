"""The folders through which billing and payer exchange files; harmless to kill at any point.

A file leaves `inbound` only when its answers lie in `outbound`: an empty `inbound` means no work in flight.
Names that begin with a dot or have another ending are somebody's unfinished work and stay untouched.
"""

import json
import logging
from pathlib import Path

from deploy.local.payer.answers import Incoming, Payer
from deploy.local.payer.claims import UnreadableClaimFile
from deploy.local.payer.clock import Clock
from deploy.local.payer.files import make_folder, move, write_whole
from deploy.local.payer.records import NameReused, Records
from deploy.local.payer.requests import UnreadableRequest

_PATTERNS = ("*.837", "auth-*.json", "appeal-*.json")
_log = logging.getLogger("payer")


class Exchange:
    """`inbound`, `outbound`, `processed`, `refused` and the payer's `records` under one folder."""

    def __init__(self, folder: Path, seed: str, clock: Clock) -> None:
        self._inbound, self._outbound = folder / "inbound", folder / "outbound"
        self._processed, self._refused = folder / "processed", folder / "refused"
        for one in (folder, self._inbound, self._outbound, self._processed, self._refused):
            make_folder(one)
        self._records = Records(folder / "records")
        self._payer = Payer(seed, self._records)
        self._clock = clock

    def answer_all(self) -> int:
        """Answers every file that lies there, by name; returns how many."""
        found = {file for pattern in _PATTERNS for file in self._inbound.glob(pattern)}
        waiting = sorted(file for file in found if not file.name.startswith("."))
        for file in waiting:
            self._answer(file)
        return len(waiting)

    def _answer(self, file: Path) -> None:
        data = file.read_bytes()
        try:
            at = self._records.received_at(file.name, data, self._clock())
            answers = self._records.answers(file.name)
            if answers is None:
                answers = self._payer.answer(Incoming(file.name, data, at))
                self._records.keep_answers(file.name, answers)
        except (UnreadableClaimFile, UnreadableRequest, NameReused) as error:
            self._refuse(file, str(error))
            return
        for name, content in answers.items():
            write_whole(self._outbound / name, content)
        move(file, self._processed)
        _log.info("answered %s with %s", file.name, ", ".join(answers))

    def _refuse(self, file: Path, what: str) -> None:
        answer = json.dumps({"file": file.name, "what": what}, separators=(",", ":"))
        write_whole(self._outbound / f"refused-{file.name}.json", answer.encode() + b"\n")
        move(file, self._refused)
        _log.warning("refused %s: %s", file.name, what)
