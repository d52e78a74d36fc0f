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
    "twice": (WHOLE + WHOLE, "RemittanceRepeated", "segment 28 ST"),
    "too large": (
        an_835("LX*1|CLP*C1*1*10000000000*10000000000", "10000000000"),
        "AmountTooLarge",
        "segment 3",
    ),
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
