"""How the payer decides a claim: a pure function of its seed and the claim's content."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType

from deploy.local.payer.claims import Claim, Line
from deploy.local.payer.draw import draw, pick

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
# Shares of claims, cumulative: paid in full by the schedule, a denied line, denied whole, then pended.
PAID_SHARE, LINE_DENIED_SHARE, WHOLLY_DENIED_SHARE = 0.85, 0.95, 0.98
FEE_SCHEDULE: Mapping[str, Decimal] = MappingProxyType(  # dollars a unit, made up for the local stack
    {"H0015": Decimal("320.00"), "S9480": Decimal("355.00"), "90853": Decimal("62.00")}
)
OTHER_ALLOWED = Decimal("0.80")  # of the charge, where the schedule is silent
COPAYMENT = Decimal("20.00")
COINSURANCE = Decimal("0.20")
DENIALS = ("CO-197", "CO-50", "CO-16", "CO-29", "PR-204", "OA-18", "CO-197", "CO-50")
REMARKS: Mapping[str, str] = MappingProxyType({"CO-16": "M76"})  # CARC 16 needs a remark code
PENDED = "OA-133"  # nobody has decided yet: a person at the provider's has to look
DUPLICATE = "OA-18"
NO_ORIGINAL = "CO-16"
PROCESSED, DENIED, REVERSED = "1", "4", "22"  # CLP02


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`reason` is group and number, such as CO-45."""

    reason: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DecidedLine:
    """A line with what was taken off; paid is charge less adjustments."""

    line: Line
    charge: Decimal
    adjustments: tuple[Adjustment, ...]

    @property
    def paid(self) -> Decimal:
        """What the line pays."""
        return self.charge - sum((one.amount for one in self.adjustments), ZERO)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remark codes that its reasons ask for."""
        return tuple(REMARKS[one.reason] for one in self.adjustments if one.reason in REMARKS)


@dataclass(frozen=True, slots=True)
class Decision:
    """A claim's answer: CLP02 and its lines."""

    claim: Claim
    status: str
    lines: tuple[DecidedLine, ...]

    @property
    def charge(self) -> Decimal:
        """Sum of the lines' charges."""
        return sum((line.charge for line in self.lines), ZERO)

    @property
    def paid(self) -> Decimal:
        """Sum of what the lines pay."""
        return sum((line.paid for line in self.lines), ZERO)

    @property
    def patient_share(self) -> Decimal:
        """Sum of the PR adjustments."""
        every = (one for line in self.lines for one in line.adjustments)
        return sum((one.amount for one in every if one.reason.startswith("PR-")), ZERO)


def decide(seed: str, claim: Claim) -> Decision:
    """The first answer to a claim."""
    chance = draw(seed, "claim", *claim.content)
    if chance < PAID_SHARE:
        return pay(seed, claim)
    reason = pick(seed, DENIALS, "denial", *claim.content)
    if chance < LINE_DENIED_SHARE:
        return _with_one_line(pay(seed, claim), seed, reason)
    if chance < WHOLLY_DENIED_SHARE:
        return deny(claim, reason)
    return _with_one_line(pay(seed, claim), seed, PENDED)


def pay(seed: str, claim: Claim) -> Decision:
    """Every line by the fee schedule, less the member's share."""
    share = draw(seed, "share", claim.member_id, claim.claim_id)
    return Decision(claim, PROCESSED, tuple(_paid_line(line, share) for line in claim.lines))


def deny(claim: Claim, reason: str) -> Decision:
    """Nothing paid, for one reason."""
    return Decision(claim, DENIED, tuple(_refused(line, reason) for line in claim.lines))


def reverse(decision: Decision) -> Decision:
    """The same amounts negated: takes back what was decided before."""
    return replace(decision, status=REVERSED, lines=tuple(map(_negated, decision.lines)))


def denied(decision: Decision) -> bool:
    """True when a line was refused for a reason that an appeal can overturn."""
    return any(one.reason in DENIALS for line in decision.lines for one in line.adjustments)


def _with_one_line(decision: Decision, seed: str, reason: str) -> Decision:
    index = int(draw(seed, "line", *decision.claim.content) * len(decision.lines))
    lines = list(decision.lines)
    lines[index] = _refused(lines[index].line, reason)
    return replace(decision, lines=tuple(lines))


def _refused(line: Line, reason: str) -> DecidedLine:
    adjustments = (Adjustment(reason, line.charge),) if line.charge else ()
    return DecidedLine(line, line.charge, adjustments)


def _paid_line(line: Line, share: float) -> DecidedLine:
    fee = FEE_SCHEDULE.get(line.code)
    allowed = fee * Decimal(line.units) if fee else line.charge * OTHER_ALLOWED
    allowed = min(allowed.quantize(CENT, ROUND_HALF_UP), line.charge)
    patient = _patient_share(allowed, share)
    adjustments = (Adjustment("CO-45", line.charge - allowed), *patient)
    return DecidedLine(line, line.charge, tuple(one for one in adjustments if one.amount))


def _patient_share(allowed: Decimal, share: float) -> tuple[Adjustment, ...]:
    """By the member's plan: seven in ten owe nothing, others a copayment, coinsurance or the deductible."""
    if share < 0.70:
        return ()
    if share < 0.85:
        return (Adjustment("PR-3", min(COPAYMENT, allowed)),)
    if share < 0.97:
        return (Adjustment("PR-2", (allowed * COINSURANCE).quantize(CENT, ROUND_HALF_UP)),)
    return (Adjustment("PR-1", allowed),)


def _negated(line: DecidedLine) -> DecidedLine:
    adjustments = tuple(Adjustment(one.reason, -one.amount) for one in line.adjustments)
    return replace(line, charge=-line.charge, adjustments=adjustments)
