"""835 files: what is read, what is warned about, and what is refused with which place."""

import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.billing.adapters.x12.answer import as_answer
from services.billing.adapters.x12.errors import OutOfBalance, Repeated, X12Error
from services.billing.adapters.x12.reader import FILE_BYTES_MAX
from services.billing.adapters.x12.remittance_reader import read_remittances
from tests.services.billing.adapters.remittance_samples import DAY, HEADER, THREE_DAYS, WITHHELD, an_835

REPOSITORY = Path(__file__).parents[4]
DATA = Path(os.environ.get("CARETRAIL_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "EXPECTED.json").exists(), reason="third-party files are not here"
)
PLAIN = an_835(f"{THREE_DAYS}|{WITHHELD}", "850")


def expected_835() -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((DATA / "EXPECTED.json").read_text())["x12_835"]
    return expected


@needs_data
def test_real_files_say_what_an_independent_reader_found() -> None:
    for name, expected in expected_835().items():
        if "malformed" in name:
            continue
        answer = as_answer(read_remittances((DATA / name).read_bytes()))
        assert answer == [_expected(transaction) for transaction in expected["transactions"]], name


@needs_data
def test_a_fragment_without_isa_is_refused() -> None:
    with pytest.raises(X12Error, match="no ISA"):
        read_remittances((DATA / "x12/malformed/keironstoddart_blue_cross_nc_sample.835").read_bytes())


@needs_data
def test_other_transaction_sets_are_no_remittance() -> None:
    for file in sorted((DATA / "x12/other").iterdir()) + sorted((DATA / "x12/837P").iterdir()):
        with pytest.raises(X12Error):
            read_remittances(file.read_bytes())


def _expected(transaction: dict[str, Any]) -> dict[str, Any]:
    keys = {"claim_id": "claim", "status": "status", "charge": "charge", "paid": "paid"}
    return {
        "trace": transaction["trace"],
        "total": transaction["bpr02"],
        "claims": [
            {new: claim[old] for old, new in keys.items()}
            | {
                "patient_responsibility": claim["patient_responsibility"],
                "denied": False,
                "adjustments": [
                    dict(zip(("group", "reason", "amount"), one, strict=True)) for one in claim["adjustments"]
                ],
            }
            for claim in transaction["claims"]
        ],
    }


def test_three_days_less_what_the_payer_takes_back() -> None:
    (advice,) = read_remittances(PLAIN).advices
    (claim,) = advice.claims
    assert (advice.trace, advice.total, advice.payment_date) == ("T1", Decimal("850.00"), date(2026, 3, 12))
    amounts = (claim.charge, claim.paid, claim.patient_responsibility)
    assert amounts == (Decimal(1200), Decimal(900), Decimal(60))
    assert [line.service_date for line in claim.lines] == [date(2026, 3, 2)] * 3
    assert [(one.reason, one.reference, one.amount) for one in advice.provider_adjustments] == [
        ("WO", "R9", Decimal(50))
    ]


@pytest.mark.parametrize("end", ["~", "~\n", "~\r\n", "\n", "\r\n", "\r", "\x1c"])
def test_segments_end_by_mark_by_line_or_both(end: str) -> None:
    marked = an_835(f"{THREE_DAYS}|{WITHHELD}", "850", end)
    assert as_answer(read_remittances(marked)) == as_answer(read_remittances(PLAIN))
    assert read_remittances(b"\xef\xbb\xbf" + marked + b"\n\x1a").warnings == ()


def test_a_file_wrapped_at_eighty_columns_reads_the_same() -> None:
    flat = an_835(f"{THREE_DAYS}|{WITHHELD}", "850", "~").decode()
    wrapped = "\n".join(flat[at : at + 80] for at in range(0, len(flat), 80)).encode()
    assert as_answer(read_remittances(wrapped)) == as_answer(read_remittances(PLAIN))


def test_several_interchanges_keep_their_own_delimiters() -> None:
    other = PLAIN.replace(b":", b">").replace(b"*T1*", b"*T2*").replace(b"*", b"|")
    first, second = as_answer(read_remittances(PLAIN + other))
    assert first == second | {"trace": "T1"}


READ = {
    "claim without lines": ("LX*1|CLP*C1*1*100*80**12*P1|CAS*CO*45*20", "80"),
    "no LX": ("CLP*C1*1*100*80**12*P1|CAS*CO*45*20", "80"),
    "empty quantity": ("LX*1|CLP*C1*1*100*80**12*P1|CAS*CO*45*15**42*5", "80"),
    "six triplets and another CAS": (
        "LX*1|CLP*C1*1*100*93**12*P1|CAS*CO*1*1**2*1**3*1**45*1**42*1**24*1|CAS*CO*253*1",
        "93",
    ),
    "the same CAS twice": ("LX*1|CLP*C1*1*100*80**12*P1|CAS*CO*45*10|CAS*CO*45*10", "80"),
    "line without CAS": ("LX*1|CLP*C1*1*100*100**12*P1|SVC*HC:H0015*100*100", "100"),
    "odd decimals": ("LX*1|CLP*C1*1*100.*+99.5**12*P1|CAS*CO*45*.5", "99.50"),
    "claim and line": ("LX*1|CLP*C1*1*100*70**12*P1|CAS*CO*A2*10|SVC*HC:1*100*80|CAS*CO*45*20", "70"),
    "claim repeats its lines": (
        "LX*1|CLP*C1*1*100*80**12*P1|CAS*CO*45*20|SVC*HC:1*60*50|CAS*CO*45*10|SVC*HC:2*40*30|CAS*CO*45*10",
        "80",
    ),
    "reversal": ("LX*1|CLP*C1*22*-100*-80**12*P1|CAS*CO*45*-20|PLB*1*20261231*FB*-80", "0"),
    "interest": ("LX*1|CLP*C1*1*100*100**12*P1|AMT*I*5|PLB*1*20261231*L6*-5", "105"),
    "nothing paid": ("LX*1|CLP*C1*4*100*0**12*P1|CAS*CO*29*100", "0"),
    "no claim": ("PLB*1*20261231*WO*-5", "5"),
    "payment after two pairs": ("LX*1|CLP*C1*1*9*9**12*P1|PLB*1*20261231*WO*4*72*-1", "6"),
    "segments read over": (
        "RDM*BM*SOMEONE|LX*1|TS3*1*11*20261231*1*9|TS2*1|CLP*C1*1*9*9**12*P1|NM1*QC*1*A*B|MIA*0****N1"
        "|MOA***MA02|REF*EA*1|DTM*232*20260301|DTM*233*20260302|PER*CX|AMT*AU*1|QTY*CA*1",
        "9",
    ),
}


@pytest.mark.parametrize("case", READ)
def test_oddities_are_read(case: str) -> None:
    body, total = READ[case]
    (answer,) = as_answer(read_remittances(an_835(body, total)))
    assert Decimal(answer["total"]) == Decimal(total)


def test_adjustments_repeated_at_claim_level_count_once_and_are_shown() -> None:
    file = read_remittances(an_835(*READ["claim repeats its lines"]))
    (claim,) = file.advices[0].claims
    assert not claim.adjustments
    assert [one.amount for one in claim.repeated] == [Decimal(20)]
    assert len(as_answer(file)[0]["claims"][0]["adjustments"]) == 3
    assert any("counted once" in warning.what for warning in file.warnings)


def test_remarks_and_period_stay_with_their_claim() -> None:
    (claim,) = read_remittances(an_835(*READ["segments read over"])).advices[0].claims
    assert claim.remarks == ("N1", "MA02")
    assert (claim.period_start, claim.period_end) == (date(2026, 3, 1), date(2026, 3, 2))


REFUSED = {
    "line": (PLAIN.replace(b"400*300", b"400*300.01", 1), "segment 10 SVC: service line .* -0.01"),
    "claim": (PLAIN.replace(b"1200*900", b"1200*900.01"), "segment 9 CLP: claim .* -0.01"),
    "transaction": (PLAIN.replace(b"I*850", b"I*850.01"), "segment 4 BPR: transaction .* 0.01"),
    "provider": (PLAIN.replace(b"R9*50", b"R9*50.01"), "segment 4 BPR: transaction .* 0.01"),
    "SE01": (PLAIN.replace(b"SE*21", b"SE*22"), "segment 23 SE01: wrong number of segments; expected 21"),
    "SE02": (PLAIN.replace(b"SE*21*0001", b"SE*21*0002"), "segment 23 SE02: control number"),
    "GE01": (PLAIN.replace(b"GE*1*", b"GE*2*"), "segment 24 GE01"),
    "GE02": (PLAIN.replace(b"GE*1*905", b"GE*1*906"), "segment 24 GE02"),
    "IEA01": (PLAIN.replace(b"IEA*1", b"IEA*2"), "segment 25 IEA01"),
    "IEA02": (PLAIN.replace(b"IEA*1*000000905", b"IEA*1*000000906"), "segment 25 IEA02"),
    "no ISA": (PLAIN[PLAIN.index(b"GS*") :], "no ISA"),
    "empty": (b"", "file: it is empty; expected an X12 835"),
    "over the limit": (b"ISA" + b" " * FILE_BYTES_MAX, "file: it is over the limit"),
    "ISA cut": (PLAIN[:60], "ISA is cut off"),
    "cut between segments": (PLAIN[: PLAIN.index(b"SE*21")], "segment 22 PLB: the file ends inside"),
    "cut inside a segment": (
        PLAIN[: PLAIN.index(b"PLB*") + 9],
        "segment 22 PLB: the last segment is not ended",
    ),
    "ISA before IEA": (
        PLAIN.replace(b"GE*1*905~\nIEA*1*000000905~\n", b"") + PLAIN,
        "segment 24 ISA: an ISA before",
    ),
    "separators": (PLAIN[:107] + PLAIN[107:].replace(b"*", b"|"), "segment 2 GS: an element separator"),
    "separator of the body": (PLAIN.replace(b"CLP*C1*1*1200", b"CLP|C1|1|1200"), "segment 9 CLP: an element"),
    "something after IEA": (PLAIN + b"ST*835*0002~", "after an IEA"),
    "exponent": (PLAIN.replace(b"1200*900", b"12E2*900"), "segment 9 CLP03: not a plain decimal"),
    "split cent": (PLAIN.replace(b"1200*900", b"1200.001*900"), "segment 9 CLP03: more than two"),
    "no charge": (PLAIN.replace(b"HC:H0015*400", b"HC:H0015*", 1), "segment 10 SVC02: amount missing"),
    "reason without amount": (PLAIN.replace(b"CO*45*80", b"CO*45*", 1), "segment 12 CAS03"),
    "amount without reason": (PLAIN.replace(b"CO*45*80", b"CO*45*80***9", 1), "segment 12 CAS05"),
    "CAS outside": (an_835(f"LX*1|CAS*CO*45*1|{DAY}", "0"), "segment 9 CAS: outside a claim"),
    "SVC outside": (an_835(f"LX*1|{DAY}", "0"), "segment 9 SVC: outside a claim"),
    "claim after PLB": (an_835(f"{WITHHELD}|CLP*C1*1*1*1", "0"), "segment 9 CLP: a claim after PLB"),
    "no trace": (an_835(THREE_DAYS, "900", header=HEADER.split("|")[0]), "segment 3 ST: no TRN in it"),
    "no payment": (an_835(THREE_DAYS, "900", header=HEADER.split("|")[1]), "segment 3 ST: no BPR in it"),
    "4010": (PLAIN.replace(b"005010X221A1", b"004010X091A1"), "another version"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(case: str) -> None:
    data, place = REFUSED[case]
    with pytest.raises(X12Error, match=place):
        read_remittances(data)


@pytest.mark.parametrize(
    "amount", [b"400*300", b"1200*900", b"I*850", b"CO*45*80", b"PR*3*20", b"R9*50", b"900*60"]
)
def test_one_cent_altered_refuses_the_file(amount: bytes) -> None:
    with pytest.raises(OutOfBalance) as refusal:
        read_remittances(PLAIN.replace(amount, amount + b".01", 1))
    assert abs(refusal.value.difference) == Decimal("0.01")


def test_what_is_odd_is_warned_about_without_values() -> None:
    odd = PLAIN.replace(b"1234567893~", b"1234567890~").replace(b"HC:H0015", b"HC>H0015", 1)
    odd = odd.replace(b"20260312~\nTRN", b"20261332~\nTRN").replace(b"900*60", b"900*0")
    file = read_remittances(odd)
    assert {(one.segment_id, one.element) for one in file.warnings} == {
        ("N1", 4),
        ("SVC", 1),
        ("BPR", 16),
        ("CLP", 5),
    }
    assert file.advices[0].payment_date is None
    assert file.advices[0].claims[0].lines[0].code == "HC>H0015"
    assert not any("1234567890" in one.what or "H0015" in one.what for one in file.warnings)


@pytest.mark.parametrize("shift", [b"DOE/JANE~\n", b"JANE DOE~\n", b"DOE JANE*X~\n"])
def test_a_name_where_a_segment_should_begin_is_not_repeated(shift: bytes) -> None:
    data = PLAIN.replace(b"DTM*472", shift + b"DTM*472", 1).replace(b"SE*21", b"SE*22")
    with pytest.raises(X12Error, match="segment 11: ") as refusal:
        read_remittances(data)
    assert "DOE" not in str(refusal.value)


def test_a_name_that_could_be_a_segment_id_is_read_over_and_not_repeated() -> None:
    data = PLAIN.replace(b"DTM*472", b"DOE*JANE~\nDTM*472", 1).replace(b"SE*21", b"SE*22")
    (warning,) = read_remittances(data).warnings
    assert (warning.segment, warning.segment_id) == (11, "")


def test_text_of_windows_is_read_as_such() -> None:
    file = read_remittances(PLAIN.replace(b"LOCAL HEALTH", b"O\x92BRIEN \xc9"))
    assert file.advices[0].payer is not None
    assert file.advices[0].payer.name == "O’BRIEN É PLAN"
    assert [one.what for one in file.warnings] == ["not UTF-8; read as Windows-1252"]


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e"])
def test_what_no_text_holds_is_refused_where_it_stands(character: str) -> None:
    with pytest.raises(X12Error, match="segment 9 CLP07: a control character"):
        read_remittances(PLAIN.replace(b"*P1~", f"*P{character}1~".encode()))


def test_unprintable_delimiters_are_no_fault() -> None:
    unusual = PLAIN.replace(b"*", b"\x1d").replace(b":", b"\x1f").replace(b"~\n", b"\x1c")
    assert as_answer(read_remittances(unusual)) == as_answer(read_remittances(PLAIN))


def test_an_envelope_that_names_no_repetition_separator_is_read_with_a_warning() -> None:
    file = read_remittances(PLAIN.replace(b"*^*00501", b"**00501"))
    assert [(one.segment_id, one.element) for one in file.warnings] == [("ISA", 11)]
    assert file.advices[0].content == read_remittances(PLAIN).advices[0].content


def test_blanks_around_claim_id_and_trace_are_padding() -> None:
    body = THREE_DAYS.replace("CLP*C1*", "CLP* C1  *")
    (answer,) = as_answer(read_remittances(an_835(body, "900").replace(b"*T1*", b"*T1 *")))
    assert (answer["trace"], answer["claims"][0]["claim"]) == ("T1", "C1")


def test_a_payment_below_zero_is_read_with_a_warning() -> None:
    file = read_remittances(an_835("LX*1|CLP*C1*22*-100*-80**12*P1|CAS*CO*45*-20", "-80"))
    assert [(one.segment_id, one.element) for one in file.warnings] == [("BPR", 2)]


def test_one_payment_twice_in_a_file_is_told_by_the_place_of_the_second() -> None:
    later = PLAIN.replace(b"*000000905", b"*000000906").replace(b"905", b"906").replace(b"*0001", b"*0002")
    with pytest.raises(Repeated, match="segment 28 ST"):
        read_remittances(PLAIN + later)
    assert len(read_remittances(PLAIN + later.replace(b"*T1*", b"*T2*")).advices) == 2


@pytest.mark.parametrize(("stated", "warned"), [(b"", []), (b"*60", []), (b"*0", [5])])
def test_a_patients_share_that_is_not_told_is_what_the_adjustments_say(
    stated: bytes, warned: list[int]
) -> None:
    data = PLAIN.replace(b"900*60", b"900" + (stated or b"*"))
    assert [one.element for one in read_remittances(data).warnings] == warned


def test_packing_is_no_content() -> None:
    """Blanks, line ends, delimiters, encoding, control numbers and neighbours are none."""
    before = PLAIN.replace(b"000000905", b"000000904").replace(b"T1*1", b"T0*1")
    packings = (
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b"\n", b""),
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b":", b">"),
        PLAIN.replace(b"*0001~", b"*0777~").replace(b"000000905", b"000000906"),
        PLAIN.replace(b"CLP*C1*1*1200*900*60*12*P1~", b"CLP*C1 *1*1200*900*60*12*P1**~"),
        PLAIN.decode().encode("utf-16"),
    )
    (plain,) = read_remittances(PLAIN).advices
    assert {read_remittances(one).advices[-1].content for one in packings} == {plain.content}
    beside = read_remittances(before + PLAIN).advices
    assert beside[1].content == plain.content != beside[0].content
    assert beside[1].trace_segment == beside[0].trace_segment + beside[0].last_segment + 2


def test_a_claim_id_that_stands_twice_keeps_both() -> None:
    body = "LX*1|CLP*C1*22*-9*-9**12*P1|CLP*C1*1*9*5**12*P1|CAS*CO*45*4|PLB*1*20261231*FB*-4"
    file = read_remittances(an_835(body, "0"))
    assert [claim.status for claim in file.advices[0].claims] == ["22", "1"]
    assert any("more than once" in one.what for one in file.warnings)
