"""837P files: a validator of X12 accepts them, and a value that cannot stand in one is named."""

import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyx12.params import params
from pyx12.x12n_document import x12n_document

from services.billing.adapters.x12.claim import ClaimValueError
from services.billing.adapters.x12.claim_writer import write_claims
from services.billing.adapters.x12.envelope import open_interchanges
from services.billing.adapters.x12.reader import read_interchanges
from services.billing.adapters.x12.writer import is_writable
from tests.services.billing.adapters.claim_samples import ANA, RENDERING, STREET, a_claim, a_file, a_line


def accepted(text: str) -> tuple[bool, str]:
    """What pyx12 says, and its 999."""
    acknowledgement = io.StringIO()
    return x12n_document(params(), io.StringIO(text), acknowledgement, None), acknowledgement.getvalue()


def test_a_validator_accepts_our_claims_and_refuses_them_without_a_service_date() -> None:
    minutes = a_line(modifiers=("HF", "HQ"), pointers=(1, 2), unit="MJ", units=180, control="")
    replaced = a_claim(claim_id="C2", frequency="7", original_reference="P99", lines=(minutes,))
    text = write_claims(a_file(a_claim(rendering=RENDERING), replaced)).decode()
    assert accepted(text)[0]
    count = int(text.split("SE*")[1].split("*")[0])
    short = text.replace("DTP*472*D8*20260304~\n", "", 1).replace(f"SE*{count}*", f"SE*{count - 1}*")
    valid, acknowledgement = accepted(short)
    assert not valid
    assert "IK3*DTP*" in acknowledgement
    assert "IK5*R*5" in acknowledgement


def test_our_reader_finds_right_counts_and_the_references() -> None:
    claim = a_claim(frequency="8", original_reference="P99")
    interchanges, warnings = read_interchanges(write_claims(a_file(claim)))
    (one,), more = open_interchanges(interchanges)
    references = {(s.get(1), s.get(2)) for s in one.segments if s.id == "REF"}
    assert (warnings, more) == ((), ())
    assert {("G1", "A123"), ("F8", "P99"), ("EI", "123456789")} <= references


WRONG: dict[str, dict[str, Any]] = {
    "claims/0/claim_id": {"claim_id": "C" * 21},
    "claims/0/amount": {"amount": Decimal("1.00")},
    "claims/0/frequency": {"frequency": "9"},
    "claims/0/original_reference": {"frequency": "7"},
    "claims/0/prior_authorization": {"prior_authorization": "A*1"},
    "claims/0/place_of_service": {"place_of_service": "5"},
    "claims/0/diagnoses/1": {"diagnoses": ("F10.20", "nope")},
    "claims/0/diagnoses": {"diagnoses": ()},
    "claims/0/subscriber/family": {"subscriber": replace(ANA, family="O~Neil")},
    "claims/0/subscriber/member_id": {"subscriber": replace(ANA, member_id="")},
    "claims/0/subscriber/gender": {"subscriber": replace(ANA, gender="x")},
    "claims/0/subscriber/address/state": {
        "subscriber": replace(ANA, address=replace(STREET, state="New York"))
    },
    "claims/0/rendering/npi": {"rendering": replace(RENDERING, npi="1558597790")},
    "claims/0/lines": {"lines": (a_line(),) * 51},
    "claims/0/lines/0/charge": {"lines": (a_line(charge=Decimal("0.001")),)},
    "claims/0/lines/0/pointers": {"lines": (a_line(pointers=(3,)),)},
    "claims/0/lines/0/code": {"lines": (a_line(code="H15"),)},
    "claims/0/lines/0/modifiers": {"lines": (a_line(modifiers=("HF",) * 5),)},
    "claims/0/lines/0/unit": {"lines": (a_line(unit="DA"),)},
    "claims/0/lines/0/units": {"lines": (a_line(units=0),)},
}


@pytest.mark.parametrize("field", WRONG)
def test_a_value_that_cannot_stand_in_a_claim_is_named_not_shown(field: str) -> None:
    with pytest.raises(ClaimValueError) as refusal:
        a_file(a_claim(**WRONG[field]))
    assert refusal.value.field == field
    assert "Neil" not in str(refusal.value)


@given(st.text(max_size=60))
def test_no_name_breaks_out_of_its_element(family: str) -> None:
    try:
        file = a_file(a_claim(subscriber=replace(ANA, family=family)))
    except ClaimValueError:
        assert not is_writable(family) or family != family.strip() or not family
        return
    rows = write_claims(file).decode().split("~\n")
    assert f"NM1*IL*1*{family}*Ana****MI*MBR0042" in rows
    assert len(rows) == len(write_claims(a_file()).decode().split("~\n"))
