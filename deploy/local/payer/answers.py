"""What the payer answers to each kind of file: claims, authorization requests, appeals."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.payer import adjudication
from deploy.local.payer.adjudication import Decision
from deploy.local.payer.authorizations import answer_authorization
from deploy.local.payer.claims import Claim, UnreadableClaimFile, read_claims
from deploy.local.payer.draw import draw
from deploy.local.payer.records import Records
from deploy.local.payer.remittance import claim_number, write_remittance
from deploy.local.payer.requests import Appeal, read_appeal, read_authorization_request

OVERTURNED_SHARE = 0.6  # of appeals against denials
REPLACEMENT, VOID = "7", "8"  # CLM05-3


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that came in: `at` is when it first did."""

    name: str
    data: bytes
    at: datetime

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.rpartition(".")[0]


Answers = dict[str, bytes]  # file name to content, in the order to deliver


class Payer:
    """Answers files by its seed and its records."""

    def __init__(self, seed: str, records: Records) -> None:
        self._seed = seed
        self._records = records

    def answer(self, incoming: Incoming) -> Answers:
        """The files to deliver; raises UnreadableClaimFile or UnreadableRequest."""
        return self._kind(incoming.name)(incoming)

    def _kind(self, name: str) -> Callable[[Incoming], Answers]:
        if name.endswith(".837"):
            return self._claims
        return self._authorization if name.startswith("auth-") else self._appeal

    def _authorization(self, incoming: Incoming) -> Answers:
        request = read_authorization_request(incoming.data)
        return {incoming.name: _json(answer_authorization(self._seed, request))}

    def _claims(self, incoming: Incoming) -> Answers:
        try:
            text = incoming.data.decode("ascii")
        except UnicodeDecodeError as error:
            raise UnreadableClaimFile("expected ASCII") from error
        decisions: list[Decision] = []
        seen: set[str] = set()
        for claim in read_claims(text, incoming.name):
            decisions += self._decide(claim, seen)
            seen.add(claim.claim_id)
        return {f"{incoming.stem}.835": self._remittance(incoming, decisions)}

    def _decide(self, claim: Claim, seen: set[str]) -> list[Decision]:
        if claim.frequency in (REPLACEMENT, VOID):
            return self._take_back(claim)
        if claim.claim_id in seen or self._came_before(claim):
            return [adjudication.deny(claim, adjudication.DUPLICATE)]
        self._keep(claim)
        return [adjudication.decide(self._seed, claim)]

    def _take_back(self, claim: Claim) -> list[Decision]:
        original = self._records.claim(claim.original)
        if original is None or self._records.owner("reversed", claim.original, claim.file) != claim.file:
            return [adjudication.deny(claim, adjudication.NO_ORIGINAL)]
        reversal = adjudication.reverse(self._current(original))
        if claim.frequency == VOID:
            return [reversal]
        self._keep(claim)
        return [reversal, adjudication.decide(self._seed, claim)]

    def _came_before(self, claim: Claim) -> bool:
        number = self._records.latest_number(claim.claim_id)
        known = self._records.claim(number) if number else None
        return known is not None and known.file != claim.file

    def _keep(self, claim: Claim) -> None:
        self._records.keep_claim(claim_number(self._seed, claim), claim)

    def _current(self, claim: Claim) -> Decision:
        """The answer in force: the first one, or that of an appeal."""
        if self._records.done("overturned", claim_number(self._seed, claim)):
            return adjudication.pay(self._seed, claim)
        return adjudication.decide(self._seed, claim)

    def _appeal(self, incoming: Incoming) -> Answers:
        appeal = read_appeal(incoming.data)
        number = self._records.latest_number(appeal.claim)
        claim = self._records.claim(number) if number else None
        outcome, reason = self._outcome(appeal, number, claim)
        answer = {"appeal": appeal.appeal, "outcome": outcome, "reason": reason}
        if outcome == "upheld" or claim is None:
            return {incoming.name: _json(answer)}
        decided = adjudication.decide(self._seed, claim)
        decisions = [adjudication.reverse(decided), adjudication.pay(self._seed, claim)]
        remittance = self._remittance(incoming, decisions)
        return {f"{incoming.stem}.835": remittance, incoming.name: _json(answer)}

    def _outcome(self, appeal: Appeal, number: str | None, claim: Claim | None) -> tuple[str, str]:
        if claim is None or number is None:
            return "upheld", "claim_unknown"
        if self._records.done("reversed", number):
            return "upheld", "claim_replaced"
        if not adjudication.denied(adjudication.decide(self._seed, claim)):
            return "upheld", "nothing_denied"
        heard = self._records.owner("appeals", f"{number} {appeal.level}", appeal.appeal)
        if heard != appeal.appeal:
            return "upheld", "level_decided_before"
        if draw(self._seed, "appeal", number, appeal.level) >= OVERTURNED_SHARE:
            return "upheld", "denial_stands"
        if self._records.owner("overturned", number, appeal.appeal) != appeal.appeal:
            return "upheld", "paid_before"
        return "overturned", "documentation_supports_services"

    def _remittance(self, incoming: Incoming, decisions: list[Decision]) -> bytes:
        return write_remittance(self._seed, incoming.name, decisions, incoming.at)


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"
