"""Claims and remittances for tests, with sensible defaults; every person in them is made up."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.billing.adapters.x12.claim import (
    Address,
    BillingProvider,
    ClaimFile,
    Payer,
    ProfessionalClaim,
    Receiver,
    RenderingProvider,
    ServiceLine,
    Submitter,
    Subscriber,
)

STREET = Address("12 Elm Street", "Albany", "NY", "122070001")
ANA = Subscriber("Zephyrine", "Ana", "MBR0042", date(1990, 4, 5), "F", STREET)
HARBOR = Payer("Harbor Health Plan", "HHP01")


def a_line(**changes: Any) -> ServiceLine:
    """A day of H0015 at $400."""
    line = ServiceLine("H0015", Decimal("400.00"), 1, date(2026, 3, 2), control="L1")
    return replace(line, **changes)


def a_claim(**changes: Any) -> ProfessionalClaim:
    """Three days of H0015 with an authorization; the amount follows the lines unless given."""
    days = tuple(a_line(service_date=date(2026, 3, day), control=f"L{day}") for day in (2, 4, 6))
    lines = changes.pop("lines", days)
    amount = changes.pop("amount", sum((line.charge for line in lines), Decimal("0.00")))
    claim = ProfessionalClaim(
        "CLM0001", amount, "57", ANA, HARBOR, ("F10.20", "F33.1"), lines, prior_authorization="A123"
    )
    return replace(claim, **changes)


def a_file(*claims: ProfessionalClaim, **changes: Any) -> ClaimFile:
    """An interchange of these claims, one usual claim when none is given."""
    file = ClaimFile(
        interchange_control=17,
        group_control=17,
        transaction_control="0001",
        created_at=datetime(2026, 3, 9, 10, 30, tzinfo=UTC),
        submitter=Submitter("Caretrail Clinic", "CARETRAIL", "Billing Office", "5185550100"),
        receiver=Receiver("Harbor Health Plan", "HHP01"),
        billing=BillingProvider("Caretrail Clinic", "1234567893", "123456789", "261QR0405X", STREET),
        claims=claims or (a_claim(),),
    )
    return replace(file, **changes)


RENDERING = RenderingProvider("Moss", "Iris", "1558597799", "101YA0400X")
