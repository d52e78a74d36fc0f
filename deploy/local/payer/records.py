"""What the payer remembers: what came when, what it answered, which claims it knows and took back.

Every fact is written once under a name of its own: doing a file again after a crash finds the same facts.
"""

import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from deploy.local.payer.claims import Claim, claim_from_record
from deploy.local.payer.files import make_folder, write_once, write_whole


class NameReused(ValueError):
    """Another file came under the same name before."""


class Records:
    """The payer's records in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)
        for name in ("received", "answers", "claims", "latest", "reversed", "appeals", "overturned"):
            make_folder(folder / name)

    def received_at(self, name: str, data: bytes, now: datetime) -> datetime:
        """When a file first came: answers bear this time, however often they are written."""
        fact = {"at": now.isoformat(), "sha256": sha256(data).hexdigest()}
        known = json.loads(write_once(self._path("received", name), json.dumps(fact).encode()))
        if known["sha256"] != fact["sha256"]:
            raise NameReused("a file of this name with other content was answered before")
        return datetime.fromisoformat(known["at"])

    def answers(self, name: str) -> dict[str, bytes] | None:
        """The files that a file was answered with, None when it was not answered yet."""
        file = self._path("answers", name)
        if not file.exists():
            return None
        return {answer: text.encode() for answer, text in json.loads(file.read_bytes()).items()}

    def keep_answers(self, name: str, answers: dict[str, bytes]) -> None:
        """Before they are delivered, so that a second delivery has the same bytes."""
        texts = {answer: content.decode() for answer, content in answers.items()}
        write_once(self._path("answers", name), json.dumps(texts).encode())

    def keep_claim(self, number: str, claim: Claim) -> None:
        """Remembers a claim under the payer's number, as the latest of its claim id."""
        record = json.dumps(claim.as_record(), default=str).encode()
        write_once(self._path("claims", number), record)
        write_whole(self._path("latest", claim.claim_id), number.encode())

    def claim(self, number: str) -> Claim | None:
        """The claim with that number of the payer's."""
        file = self._path("claims", number)
        return claim_from_record(json.loads(file.read_bytes())) if file.exists() else None

    def latest_number(self, claim_id: str) -> str | None:
        """The payer's number of the latest claim with the provider's claim id."""
        file = self._path("latest", claim_id)
        return file.read_text() if file.exists() else None

    def owner(self, kind: str, key: str, owner: str) -> str:
        """Who did a thing that is done once (`reversed`, `appeals`, `overturned`): the first to ask."""
        return write_once(self._path(kind, key), owner.encode()).decode()

    def done(self, kind: str, key: str) -> bool:
        """True when somebody did it."""
        return self._path(kind, key).exists()

    def _path(self, kind: str, key: str) -> Path:
        return self._folder / kind / sha256(key.encode()).hexdigest()
