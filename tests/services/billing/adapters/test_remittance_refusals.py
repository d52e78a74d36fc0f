"""A refused 835: rule, place and expectation for sender and auditor, and the place is told once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from services.billing.adapters.remittances import RemittanceRefused, Sealer, read_remittance
from tests.services.billing.adapters.remittance_samples import THREE_DAYS, WITHHELD, an_835

WHOLE = an_835(f"{THREE_DAYS}|{WITHHELD}", "850")
NO_SEALER = cast("Sealer", None)  # what is refused is refused before anything is sealed
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "fragment": (WHOLE[107:], "RemittanceUnreadable", "segment 1"),
    "one cent": (WHOLE.replace(b"1200*900", b"1200*900.01"), "RemittanceOutOfBalance", "segment 9 CLP"),
    "control character": (WHOLE.replace(b"*T1*", b"*T\x001*"), "RemittanceUnreadable", "segment 5 TRN02"),
    "twice": (WHOLE + WHOLE, "RemittanceRepeated", "segment 28 ST"),
    "too large": (
        an_835("LX*1|CLP*C1*1*10000000000*10000000000", "10000000000"),
        "AmountTooLarge",
        "segment 3 ST",
    ),
    "too large withheld": (
        an_835("LX*1|CLP*C1*1*9*9|PLB*1*20261231*WO*99999999999*WO*-99999999999", "9"),
        "AmountTooLarge",
        "segment 10 PLB",
    ),
    "too large line": (
        an_835("LX*1|CLP*C1*1*9*9|SVC*HC:1*99999999999*99999999999|SVC*HC:1*-99999999990*-99999999990", "9"),
        "AmountTooLarge",
        "segment 10 SVC",
    ),
    "too large share": (
        an_835(
            "LX*1|CLP*C1*1*9*9|CAS*PR*1*9999999999*1*2*9999999999|CAS*CO*45*-9999999999*1*A2*-9999999999", "9"
        ),
        "AmountTooLarge",
        "segment 9 CLP",
    ),
    "NUL as a separator": (
        WHOLE.replace(b"*^*00501", b"*\0*00501").replace(b"CLP*C1", b"CLP*C\x001"),
        "RemittanceUnreadable",
        "segment 9 CLP01",
    ),
    "too many withheld": (
        an_835("LX*1|CLP*C1*1*9*9" + "|PLB*1*20261231*WO*1*WO*-1" * 2_501, "9"),
        "RemittanceTooLarge",
        "segment 3 ST",
    ),
    "too many payments": (WHOLE * 1_001, "RemittanceTooLarge", "segment 25003 ST"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_names_rule_and_place_and_its_words_do_not_repeat_them(case: str) -> None:
    data, rule, at = REFUSED[case]
    with pytest.raises(RemittanceRefused) as refusal:
        await read_remittance(data, NO_SEALER)
    found: Any = refusal.value
    assert (found.rule, found.place.at) == (rule, at)
    assert found.detail.startswith("Nothing of the file was posted: ")
    assert found.place.at not in found.detail
    assert found.place.expected not in found.detail
