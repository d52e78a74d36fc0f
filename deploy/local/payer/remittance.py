"""Writes the payer's 835 (005010X221A1): what it pays and why not, balanced by construction."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from deploy.local.payer.adjudication import ZERO, DecidedLine, Decision
from deploy.local.payer.claims import Claim
from deploy.local.payer.draw import number

PAYER_ID, PAYER_NAME, PAYER_TAX_ID = "LOCALPAYER", "LOCAL HEALTH PLAN", "1999999999"
_Row = tuple[str, ...]


def write_remittance(seed: str, cause: str, decisions: Sequence[Decision], at: datetime) -> bytes:
    """One interchange, one 835, one payee; control and trace numbers follow seed and cause."""
    control = number(seed, "control", cause)
    payee = decisions[0].claim
    body = [("ST", "835", "0001"), *_header(seed, cause, decisions, at), *_payee(payee), ("LX", "1")]
    for decision in decisions:
        body += _claim(seed, decision)
    body += _forwarded(payee, decisions, at)
    body.append(("SE", str(len(body) + 1), "0001"))
    day, minute = f"{at:%Y%m%d}", f"{at:%H%M}"
    ids = ("ZZ", PAYER_ID.ljust(15), "ZZ", payee.npi.ljust(15))
    isa = ("ISA", "00", " " * 10, "00", " " * 10, *ids, day[2:], minute, "^", "00501", control, "0", "P", ":")
    gs = ("GS", "HP", PAYER_ID, payee.npi, day, minute, control, "X", "005010X221A1")
    rows = [isa, gs, *body, ("GE", "1", control), ("IEA", "1", control)]
    return "".join("*".join(_trimmed(row)) + "~\n" for row in rows).encode("ascii")


def claim_number(seed: str, claim: Claim) -> str:
    """The payer's own number of a claim (CLP07): a reversal carries the number it takes back."""
    return "P" + number(seed, "claim number", *claim.content, digits=12)


def _header(seed: str, cause: str, decisions: Sequence[Decision], at: datetime) -> list[_Row]:
    total = sum((decision.paid for decision in decisions), ZERO)
    total = max(total, ZERO)  # what is taken back beyond the payments goes forward: see _forwarded
    method = "ACH" if total > 0 else "NON"
    handling, day = ("I" if total > 0 else "H"), f"{at:%Y%m%d}"
    bank = ("CCP", "01", "999999992", "DA", "123456", PAYER_TAX_ID, "", "01", "999988880", "DA", "98765")
    details = bank if total > 0 else ("",) * len(bank)
    return [
        ("BPR", handling, _amount(total), "C", method, *details, day),
        ("TRN", "1", "T" + number(seed, "trace", cause), PAYER_TAX_ID),
        ("DTM", "405", day),
        ("N1", "PR", PAYER_NAME),
        ("N3", "1 LEDGER SQUARE"),
        ("N4", "ALBANY", "NY", "122070001"),
        ("PER", "BL", "PROVIDER SERVICES", "TE", "5185550199"),
    ]


def _forwarded(payee: Claim, decisions: Sequence[Decision], at: datetime) -> list[_Row]:
    """BPR02 is never negative: a debt goes forward to the next payment (PLB FB)."""
    total = sum((decision.paid for decision in decisions), ZERO)
    return [("PLB", payee.npi, f"{at:%Y}1231", "FB", _amount(total))] if total < 0 else []


def _payee(claim: Claim) -> list[_Row]:
    return [("N1", "PE", claim.provider, "XX", claim.npi), ("REF", "TJ", claim.tax_id)]


def _claim(seed: str, decision: Decision) -> list[_Row]:
    claim = decision.claim
    share = _amount(decision.patient_share) if decision.patient_share else ""
    amounts = (_amount(decision.charge), _amount(decision.paid), share)
    filing = {"CI": "12", "BL": "12"}.get(claim.filing, claim.filing or "12")
    tail = (filing, claim_number(seed, claim), "", claim.frequency)
    rows: list[_Row] = [
        ("CLP", claim.claim_id, decision.status, *amounts, *tail),
        ("NM1", "QC", "1", claim.family, claim.given, "", "", "", "MI", claim.member_id),
    ]
    for line in decision.lines:
        rows += _line(line)
    return rows


def _line(decided: DecidedLine) -> list[_Row]:
    line = decided.line
    rows: list[_Row] = [
        ("SVC", line.procedure, _amount(decided.charge), _amount(decided.paid), "", line.units),
        ("DTM", "472", line.day),
        *(("CAS", *one.reason.split("-"), _amount(one.amount)) for one in decided.adjustments),
    ]
    if line.control:
        rows.append(("REF", "6R", line.control))
    return rows + [("LQ", "HE", remark) for remark in decided.remarks]


def _amount(amount: Decimal) -> str:
    text = f"{amount:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _trimmed(row: _Row) -> _Row:
    while row and not row[-1]:
        row = row[:-1]
    return row
