"""Reads 835 transaction sets (005010X221A1) segment by segment into values, balanced or refused."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from caretrail_contracts.codes import is_npi

from services.billing.adapters.x12.adjustments import adjustments_of, provider_adjustments_of
from services.billing.adapters.x12.balance import balanced_advice, balanced_claim, balanced_line
from services.billing.adapters.x12.elements import amount_at, date_at, optional_amount_at
from services.billing.adapters.x12.envelope import TransactionSet, open_interchanges
from services.billing.adapters.x12.errors import Repeated, Warning, X12Error
from services.billing.adapters.x12.limits import within_limits
from services.billing.adapters.x12.money import ZERO
from services.billing.adapters.x12.reader import Segment, read_interchanges
from services.billing.adapters.x12.remittance import (
    Party,
    ProviderAdjustment,
    RemittanceAdvice,
    RemittanceFile,
    RemittedAdjustment,
    RemittedClaim,
    RemittedLine,
)

IMPLEMENTATION = "005010X221"
CLAIM_STATUSES = frozenset({"1", "2", "3", "4", "19", "20", "21", "22", "23", "25"})  # CLP02 in 005010X221A1
_READ_OVER = frozenset({"ST", "SE", "NTE", "CUR", "N2", "N3", "N4", "PER", "RDM", "TS2", "TS3", "AMT", "QTY"})


def read_remittances(data: bytes) -> RemittanceFile:
    """Every 835 of a file; raises X12Error or a kind of it, then nothing of the file is usable."""
    interchanges, of_reader = read_interchanges(data)
    sets, of_envelopes = open_interchanges(interchanges)
    warnings = [*of_reader, *of_envelopes]
    advices = within_limits(_AdviceReader(one, warnings).read() for one in sets)
    if not advices:
        raise X12Error("no transaction set in the file", "at least one 835")
    _refuse_repeats(sets)
    return RemittanceFile(advices, tuple(sorted(warnings, key=lambda one: one.segment)))


def _refuse_repeats(sets: Iterable[TransactionSet]) -> None:
    """Raise Repeated for a set that says, trace number included, what one before it said."""
    seen: set[str] = set()
    for one in sets:
        if one.content in seen:
            expected = "each payment once in a file"
            what, segment = "a payment stands in it twice", one.segments[0].number
            raise Repeated(what, expected, segment=segment, segment_id="ST")
        seen.add(one.content)


@dataclass
class _Claim:
    """A claim while its segments come in."""

    clp: Segment
    charge: Decimal
    paid: Decimal
    adjustments: list[RemittedAdjustment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    dates: dict[str, date | None] = field(default_factory=dict)
    lines: list["_Line"] = field(default_factory=list)


@dataclass
class _Line:
    """A service line while its segments come in."""

    svc: Segment
    charge: Decimal
    paid: Decimal
    adjustments: list[RemittedAdjustment] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    dates: dict[str, date | None] = field(default_factory=dict)
    control: str = ""


class _AdviceReader:
    """Walks one ST … SE. `claim` and `line` are the open ones; PLB closes the detail."""

    def __init__(self, one: TransactionSet, warnings: list[Warning]) -> None:
        self.one = one
        self.warnings = warnings
        self.bpr: Segment | None = None
        self.trn: Segment | None = None
        self.parties: dict[str, Party] = {}
        self.claims: list[_Claim] = []
        self.claim: _Claim | None = None
        self.line: _Line | None = None
        self.provider_adjustments: list[ProviderAdjustment] = []
        self.detail_closed = False
        self.numbered = False

    def read(self) -> RemittanceAdvice:
        _check_kind(self.one)
        for segment in self.one.segments:
            if handler := _HANDLERS.get(segment.id):
                handler(self, segment)
            elif segment.id not in _READ_OVER:
                self.warnings.append(segment.warn("not a segment of the 835; read over"))
        return self._advice()

    # header

    def on_bpr(self, segment: Segment) -> None:
        if self.bpr:
            raise segment.refuse("a second BPR", "one BPR in a transaction set")
        self.bpr = segment

    def on_trn(self, segment: Segment) -> None:
        if self.trn:
            raise segment.refuse("a second TRN", "one TRN in a transaction set")
        self.trn = segment

    def on_n1(self, segment: Segment) -> None:
        role = segment.get(1).strip()
        self.parties.setdefault(role, Party(segment.get(2), segment.get(3).strip(), segment.get(4).strip()))
        self._check_npi(segment, 3, 4)

    # detail

    def on_lx(self, segment: Segment) -> None:
        self._refuse_after_plb(segment)
        self.numbered, self.claim, self.line = True, None, None

    def on_clp(self, segment: Segment) -> None:
        self._refuse_after_plb(segment)
        if not self.numbered:
            self.warnings.append(segment.warn("no LX before the claim"))
        if not segment.get(1).strip():
            self.warnings.append(segment.warn("no claim id", 1))
        if not segment.get(2).strip():
            raise segment.refuse("claim status missing", "a claim status code", 2)
        if segment.get(2).strip() not in CLAIM_STATUSES:
            self.warnings.append(segment.warn("unknown claim status", 2))
        self.claim = _Claim(segment, amount_at(segment, 3), amount_at(segment, 4))
        self.line = None
        self.claims.append(self.claim)

    def on_svc(self, segment: Segment) -> None:
        claim = self._open_claim(segment)
        paid = optional_amount_at(segment, 3)
        if paid is None:
            self.warnings.append(segment.warn("no paid amount; read as 0", 3))
        self.line = _Line(segment, amount_at(segment, 2), ZERO if paid is None else paid)
        claim.lines.append(self.line)

    def on_cas(self, segment: Segment) -> None:
        target = self.line or self._open_claim(segment)
        target.adjustments += adjustments_of(segment, self.warnings)

    def on_nm1(self, segment: Segment) -> None:
        self._open_claim(segment)
        self._check_npi(segment, 8, 9)

    def on_dtm(self, segment: Segment) -> None:
        target = self.line or self.claim
        if target and segment.get(1).strip() in ("472", "150", "151", "232", "233"):
            target.dates[segment.get(1).strip()] = date_at(segment, 2, self.warnings)

    def on_ref(self, segment: Segment) -> None:
        if self.line and segment.get(1).strip() == "6R":
            self.line.control = segment.get(2)

    def on_mia(self, segment: Segment) -> None:
        self._open_claim(segment).remarks += _present(segment, (5, 20, 21, 22, 23))

    def on_moa(self, segment: Segment) -> None:
        self._open_claim(segment).remarks += _present(segment, (3, 4, 5, 6, 7))

    def on_lq(self, segment: Segment) -> None:
        target = self.line or self._open_claim(segment)
        target.remarks += _present(segment, (2,))

    def on_plb(self, segment: Segment) -> None:
        self.detail_closed, self.claim, self.line = True, None, None
        self.provider_adjustments += provider_adjustments_of(segment, self.one.delimiters.component)

    # closing

    def _advice(self) -> RemittanceAdvice:
        opening, closing = self.one.segments[0], self.one.segments[-1]
        if not self.bpr or not self.trn:
            missing = "TRN" if self.bpr else "BPR"
            raise opening.refuse(f"no {missing} in it", "BPR and TRN in each transaction set")
        if not self.trn.get(2).strip():
            raise self.trn.refuse("no trace number", "the payment's trace number", 2)
        advice = RemittanceAdvice(
            trace=self.trn.get(2).strip(),
            trace_segment=self.trn.number,
            content=self.one.content,
            originator=self.trn.get(3).strip(),
            payer=self._party("PR", opening),
            payee=self._party("PE", opening),
            handling=self.bpr.get(1),
            method=self.bpr.get(4),
            total=self._total(self.bpr),
            payment_date=self._payment_date(self.bpr),
            control=opening.get(2),
            claims=tuple(self._closed_claim(claim) for claim in self.claims),
            provider_adjustments=tuple(self.provider_adjustments),
            first_segment=opening.number,
            last_segment=closing.number,
        )
        ids = [claim.claim for claim in advice.claims]
        if len(set(ids)) < len(ids):
            self.warnings.append(opening.warn("a claim id stands more than once"))
        return balanced_advice(advice, self.bpr.number)

    def _closed_claim(self, draft: _Claim) -> RemittedClaim:
        clp = draft.clp
        claim = RemittedClaim(
            claim=clp.get(1).strip(),
            status=clp.get(2).strip(),
            charge=draft.charge,
            paid=draft.paid,
            patient_responsibility=optional_amount_at(clp, 5),
            payer_claim_number=clp.get(7),
            filing_indicator=clp.get(6),
            frequency=clp.get(9),
            period_start=draft.dates.get("232"),
            period_end=draft.dates.get("233"),
            lines=tuple(balanced_line(self._closed_line(line)) for line in draft.lines),
            adjustments=tuple(draft.adjustments),
            repeated=(),
            remarks=tuple(draft.remarks),
            segment=clp.number,
        )
        return balanced_claim(claim, self.warnings)

    def _closed_line(self, draft: _Line) -> RemittedLine:
        svc, dates = draft.svc, draft.dates
        _, *codes = svc.get(1).split(self.one.delimiters.component)
        if not codes:
            self.warnings.append(svc.warn("no component separator of the ISA in it; kept as it is", 1))
        start = dates.get("472") or dates.get("150")
        return RemittedLine(
            code=svc.get(1),
            procedure=codes[0] if codes else None,
            modifiers=tuple(code for code in codes[1:5] if code),
            charge=draft.charge,
            paid=draft.paid,
            units=svc.get(5),
            submitted_code=svc.get(6),
            service_date=start,
            service_end=dates.get("151") or start,
            control=draft.control,
            adjustments=tuple(draft.adjustments),
            remarks=tuple(draft.remarks),
            segment=svc.number,
        )

    def _party(self, role: str, opening: Segment) -> Party | None:
        if role not in self.parties:
            self.warnings.append(opening.warn(f"no N1*{role} in the transaction set"))
        return self.parties.get(role)

    def _total(self, bpr: Segment) -> Decimal:
        """A payer that is owed money says so in PLB and pays 0 (TR3, BPR02); some let BPR02 sink below."""
        total = amount_at(bpr, 2)
        if total < ZERO:
            self.warnings.append(bpr.warn("a payment below 0", 2))
        return total

    def _payment_date(self, bpr: Segment) -> date | None:
        if not bpr.get(16).strip():
            self.warnings.append(bpr.warn("no payment date", 16))
        return date_at(bpr, 16, self.warnings)

    def _open_claim(self, segment: Segment) -> _Claim:
        if self.claim is None:
            raise segment.refuse("outside a claim", "a CLP before it")
        return self.claim

    def _refuse_after_plb(self, segment: Segment) -> None:
        if self.detail_closed:
            raise segment.refuse("a claim after PLB", "PLB or SE")

    def _check_npi(self, segment: Segment, qualifier: int, position: int) -> None:
        if segment.get(qualifier).strip() == "XX" and not is_npi(segment.get(position).strip()):
            self.warnings.append(segment.warn("an NPI that fails its check digit", position))


_HANDLERS: dict[str, Callable[[_AdviceReader, Segment], None]] = {
    "BPR": _AdviceReader.on_bpr,
    "TRN": _AdviceReader.on_trn,
    "N1": _AdviceReader.on_n1,
    "LX": _AdviceReader.on_lx,
    "CLP": _AdviceReader.on_clp,
    "SVC": _AdviceReader.on_svc,
    "CAS": _AdviceReader.on_cas,
    "NM1": _AdviceReader.on_nm1,
    "DTM": _AdviceReader.on_dtm,
    "REF": _AdviceReader.on_ref,
    "MIA": _AdviceReader.on_mia,
    "MOA": _AdviceReader.on_moa,
    "LQ": _AdviceReader.on_lq,
    "PLB": _AdviceReader.on_plb,
}


def _check_kind(one: TransactionSet) -> None:
    opening = one.segments[0]
    if one.kind != "835":
        raise opening.refuse("not a remittance advice", "835", 1)
    version = opening.get(3).strip() or one.version.strip()
    if not version.startswith("005010") or (len(version) > 6 and not version.startswith(IMPLEMENTATION)):
        raise opening.refuse("another version of the 835", "005010X221A1 in GS08")


def _present(segment: Segment, positions: tuple[int, ...]) -> list[str]:
    return [text for position in positions if (text := segment.get(position).strip())]
