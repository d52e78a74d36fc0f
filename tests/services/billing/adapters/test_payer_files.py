"""The payer as billing meets it: through folders, with our 837P in and its 835 out."""

import contextlib
import json
import struct
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from services.billing.adapters.folder import Folder
from services.billing.adapters.x12.claim_writer import write_claims
from services.billing.adapters.x12.remittance import RemittanceAdvice
from services.billing.adapters.x12.remittance_reader import read_remittances
from services.billing.domain.adjudication import ClaimVerdict, claim_verdict
from tests.services.billing.adapters.claim_samples import a_claim, a_file, a_line

REPOSITORY = Path(__file__).parents[4]
MARCH = datetime(2026, 3, 12, 8, tzinfo=UTC)


def run_payer(folder: Path, seed: str = "7", at: datetime = MARCH) -> None:
    clock = folder / "clock"
    clock.write_bytes(struct.pack("<q", int(at.timestamp() * 1_000_000)))
    command = [sys.executable, "-m", "deploy.local.payer", "--folder", str(folder), "--seed", seed]
    subprocess.run([*command, "--clock", str(clock), "--once"], cwd=REPOSITORY, check=True, timeout=60)


def send(folder: Path, name: str, data: bytes) -> None:
    (folder / "inbound").mkdir(parents=True, exist_ok=True)
    (folder / "inbound" / name).write_bytes(data)


def send_claims(folder: Path, count: int = 400) -> None:
    file = a_file(*(a_claim(claim_id=f"C{number}") for number in range(count)))
    send(folder, "batch.837", write_claims(file))


def advice(folder: Path, name: str) -> RemittanceAdvice:
    (one,) = read_remittances((folder / "outbound" / name).read_bytes()).advices
    return one


def test_its_remittance_balances_and_has_the_mix_of_a_payer(tmp_path: Path) -> None:
    send_claims(tmp_path)
    run_payer(tmp_path)
    remittance = advice(tmp_path, "batch.835")
    verdicts = [claim_verdict(claim) for claim in remittance.claims]
    share = {verdict: verdicts.count(verdict) / len(verdicts) for verdict in ClaimVerdict}
    assert remittance.payment_date == date(2026, 3, 12)
    assert 0.78 < share[ClaimVerdict.PAID] < 0.92
    assert 0.05 < share[ClaimVerdict.PARTLY_DENIED] < 0.15
    assert share[ClaimVerdict.DENIED] > 0
    assert share[ClaimVerdict.REVIEW] > 0
    assert not list((tmp_path / "inbound").iterdir())


def test_what_is_exchanged_is_for_no_other_users_eyes(tmp_path: Path) -> None:
    root = tmp_path / "exchange"
    Folder(root).write("batch.837", write_claims(a_file(a_claim())))
    run_payer(tmp_path / "exchange")
    Folder(root).take("batch.835")
    ours = [path for path in root.rglob("*") if path.name != "clock"]
    assert {path.name for path in ours} >= {"batch.837", "batch.835", "claims", "taken"}
    assert [path for path in ours if path.stat().st_mode & 0o077] == []


def test_a_file_done_again_at_another_time_gets_the_same_bytes(tmp_path: Path) -> None:
    send_claims(tmp_path, 20)
    run_payer(tmp_path)
    answer = tmp_path / "outbound" / "batch.835"
    first = answer.read_bytes()
    answer.unlink()
    send_claims(tmp_path, 20)  # as after a kill between answer and move
    run_payer(tmp_path, at=MARCH.replace(month=4))
    assert answer.read_bytes() == first


def test_an_overturned_appeal_pays_what_was_denied(tmp_path: Path) -> None:
    send_claims(tmp_path)
    run_payer(tmp_path)
    for claim in advice(tmp_path, "batch.835").claims:
        if claim_verdict(claim) in (ClaimVerdict.PARTLY_DENIED, ClaimVerdict.DENIED):
            appeal = {"appeal": f"P-{claim.claim}", "claim": claim.claim, "level": 1, "grounds": "records"}
            send(tmp_path, f"appeal-{claim.claim}.json", json.dumps(appeal).encode())
    run_payer(tmp_path)
    answers = [json.loads(one.read_text()) for one in (tmp_path / "outbound").glob("appeal-*.json")]
    outcomes = {answer["outcome"] for answer in answers}
    paid = [advice(tmp_path, one.name) for one in (tmp_path / "outbound").glob("appeal-*.835")]
    assert outcomes == {"overturned", "upheld"}
    assert len(paid) == sum(answer["outcome"] == "overturned" for answer in answers)
    for one in paid:
        reversal, correction = one.claims
        assert (claim_verdict(reversal), claim_verdict(correction)) == (
            ClaimVerdict.REVERSAL,
            ClaimVerdict.PAID,
        )
        assert reversal.payer_claim_number == correction.payer_claim_number


def test_a_void_takes_the_payment_back_and_forwards_the_debt(tmp_path: Path) -> None:
    send_claims(tmp_path)
    run_payer(tmp_path)
    paid = next(claim for claim in advice(tmp_path, "batch.835").claims if claim.paid > 0)
    void = a_claim(claim_id=paid.claim, frequency="8", original_reference=paid.payer_claim_number)
    send(tmp_path, "void.837", write_claims(a_file(void)))
    run_payer(tmp_path)
    answer = advice(tmp_path, "void.835")
    assert (answer.total, answer.claims[0].status, answer.claims[0].paid) == (Decimal(0), "22", -paid.paid)
    assert [one.reason for one in answer.provider_adjustments] == ["FB"]


def test_the_same_claim_in_another_file_is_a_duplicate(tmp_path: Path) -> None:
    send(tmp_path, "one.837", write_claims(a_file()))
    run_payer(tmp_path)
    send(tmp_path, "two.837", write_claims(a_file()))
    run_payer(tmp_path)
    (claim,) = advice(tmp_path, "two.835").claims
    assert (claim.status, claim.every_adjustment[0].reason) == ("4", "18")


def test_authorizations_are_mostly_certified_and_some_denied(tmp_path: Path) -> None:
    for number in range(300):
        asked = {"request": f"R{number}", "member_id": "M1", "service_code": "H0015", "units": 12}
        asked |= {"unit_type": "days", "from": "2026-03-02", "to": "2026-04-30", "review": "initial"}
        send(tmp_path, f"auth-{number}.json", json.dumps(asked).encode())
    run_payer(tmp_path)
    answers = [json.loads(one.read_text()) for one in (tmp_path / "outbound").glob("auth-*.json")]
    actions = [answer["action"] for answer in answers]
    assert len(answers) == 300
    assert 0.75 < actions.count("A1") / 300 < 0.92
    assert 0.02 < actions.count("A3") / 300 < 0.09
    assert {"A2", "A6"} < set(actions)
    assert all((one["units"] == 0) == (one["number"] is None) == (one["action"] == "A3") for one in answers)


def test_what_it_cannot_read_is_refused_aloud(tmp_path: Path) -> None:
    send(tmp_path, "auth-1.json", b'{"request": "R1", "review": "initial", "units": -3}')
    send(tmp_path, "cut.837", write_claims(a_file())[:-40])
    run_payer(tmp_path)
    told = {one.name: json.loads(one.read_text())["what"] for one in (tmp_path / "outbound").iterdir()}
    assert told["refused-auth-1.json.json"].startswith("/units")
    assert "refused-cut.837.json" in told
    assert not list((tmp_path / "inbound").iterdir())


def test_a_line_of_another_code_is_paid_by_its_charge(tmp_path: Path) -> None:
    line = a_line(code="90791", charge=Decimal("150.00"))
    send(
        tmp_path,
        "one.837",
        write_claims(a_file(*(a_claim(claim_id=f"D{n}", lines=(line,)) for n in range(20)))),
    )
    run_payer(tmp_path)
    allowed = {
        claim.paid + (claim.patient_responsibility or 0) for claim in advice(tmp_path, "one.835").claims
    }
    assert Decimal("120.00") in allowed


def test_killed_again_and_again_it_answers_as_if_never_killed(tmp_path: Path) -> None:
    folders = calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in folders:
        for number in range(60):
            file = a_file(*(a_claim(claim_id=f"C{number}-{one}") for one in range(10)))
            send(folder, f"batch-{number}.837", write_claims(file))
    run_payer(calm)
    clock = calm / "clock"
    command = [sys.executable, "-m", "deploy.local.payer", "--folder", str(killed), "--seed", "7"]
    for delay_ms in (150, 200, 250, 300):
        running = subprocess.Popen([*command, "--clock", str(clock)], cwd=REPOSITORY)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(delay_ms / 1000)
        running.kill()
        running.wait()
    run_payer(killed, at=MARCH)
    answers = [{one.name: one.read_bytes() for one in (one / "outbound").glob("[!.]*")} for one in folders]
    assert len(answers[0]) == 60
    assert answers[0] == answers[1]
