"""The checker is tested with bugs in what commands lead to: charges, seats, files, mails, read models."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.faults import lag, mails
from tests.faults.altering import ELSEWHERE, Bug, again, events, seeding, without
from tests.faults.checker import RULES, check
from tests.faults.evidence import Evidence
from tests.faults.timers import SETTLES
from tests.faults.values import facts, instant, subject_of

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.xdist_group("faults")]

BUGS: list[tuple[str, Bug]] = []
seeded = seeding(BUGS)


@seeded("a day is charged once")
def a_day_has_two_charges(evidence: Evidence) -> None:
    again(evidence, "billing", next(events(evidence, "billing", "ChargeDayOpened")), charge=ELSEWHERE)


@seeded("a day is charged once")
def a_charge_is_captured_twice(evidence: Evidence) -> None:
    voided = {event["stream"] for event in events(evidence, "billing", "ChargeVoided")}
    captured = (event for event in events(evidence, "billing", "ChargeCaptured"))
    again(evidence, "billing", next(event for event in captured if event["stream"] not in voided))


@seeded("a day that is over is decided")
def a_day_is_neither_captured_nor_held(evidence: Evidence) -> None:
    charge = next(events(evidence, "billing", "ChargeCaptured"))["stream"]
    for kind in ("ChargeCaptured", "ChargeHeld", "ChargeVoided"):
        for event in [one for one in events(evidence, "billing", kind) if one["stream"] == charge]:
            without(evidence, "billing", event)


@seeded("attendance is counted once")
def an_attendance_is_counted_twice(evidence: Evidence) -> None:
    again(evidence, "billing", next(events(evidence, "billing", "AttendanceCounted")))


@seeded("attendance is counted once")
def an_attendance_is_not_counted(evidence: Evidence) -> None:
    without(evidence, "billing", next(events(evidence, "billing", "AttendanceCounted")))


@seeded("attendance is counted once")
def an_attendance_is_recorded_twice(evidence: Evidence) -> None:
    again(evidence, "scheduling", next(events(evidence, "scheduling", "SessionAttended")))


@seeded("a seat has one holder")
def a_seat_is_taken_twice(evidence: Evidence) -> None:
    again(evidence, "scheduling", list(events(evidence, "scheduling", "SeatTaken"))[-1], enrollment=ELSEWHERE)


@seeded("a seat has one holder")
def a_patient_has_two_seats(evidence: Evidence) -> None:
    again(evidence, "scheduling", list(events(evidence, "scheduling", "SeatTaken"))[-1], seat=7)


@seeded("a seat has one holder")
def a_seat_is_beyond_the_capacity(evidence: Evidence) -> None:
    seat = next(events(evidence, "scheduling", "SeatTaken"))
    again(evidence, "scheduling", seat, enrollment=ELSEWHERE, seat=99)


@seeded("a seat has one holder")
def a_seat_is_released_twice(evidence: Evidence) -> None:
    again(evidence, "scheduling", next(events(evidence, "scheduling", "SeatReleased")))


@seeded("who is placed has a seat or waits")
def somebody_placed_got_neither_seat_nor_place_in_line(evidence: Evidence) -> None:
    enrolled = next(events(evidence, "scheduling", "PatientEnrolledInGroup"))
    enrollment = json.loads(enrolled["body"])["enrollment"]
    for kind in ("PatientEnrolledInGroup", "WaitlistEntryAdded"):
        for event in list(events(evidence, "scheduling", kind)):
            if json.loads(event["body"])["enrollment"] == enrollment:
                without(evidence, "scheduling", event)


@seeded("who is placed has a seat or waits")
def somebody_discharged_kept_their_place(evidence: Evidence) -> None:
    settled = instant(evidence.now) - SETTLES  # a clock that was set on may have recorded it an hour ahead
    judged = {
        subject_of(event)
        for event in events(evidence, "intake", "PatientDischarged")
        if instant(event["recorded_at"]) <= settled
    } & {fact["episode"] for _, _, fact in facts(evidence, "scheduling", "GroupEnrollmentRequested")}
    ended = events(evidence, "scheduling", "PlacementEnded")
    without(evidence, "scheduling", next(event for event in ended if subject_of(event) in judged))


@seeded("the payer gets what it is to get")
def a_request_for_authorization_was_never_written(evidence: Evidence) -> None:
    evidence.exchanged[:] = [name for name in evidence.exchanged if not name.startswith("auth-")]


@seeded("the payer gets what it is to get")
def a_file_of_claims_was_never_written(evidence: Evidence) -> None:
    event = next(events(evidence, "billing", "AuthorizationRequested"))
    cut = {**event, "type": "caretrail.billing.ClaimBatchCut"}
    again(evidence, "billing", cut, batch=ELSEWHERE, interchange=7, claims=[ELSEWHERE])


@seeded("an admission is placed once")
def an_admission_asked_for_no_authorization(evidence: Evidence) -> None:
    without(evidence, "billing", next(events(evidence, "billing", "AuthorizationRequested")))


@seeded("an admission is placed once")
def an_admission_is_placed_twice(evidence: Evidence) -> None:
    again(evidence, "scheduling", next(events(evidence, "scheduling", "GroupEnrollmentRequested")))


@seeded("an admission is placed once")
def an_admission_is_never_placed(evidence: Evidence) -> None:
    without(evidence, "scheduling", next(events(evidence, "scheduling", "GroupEnrollmentRequested")))


@seeded("a message goes out once")
def a_mail_is_asked_for_twice(evidence: Evidence) -> None:
    wanted = next(events(evidence, "notifications", "MessageRequested"))
    again(evidence, "notifications", wanted, message=ELSEWHERE)


@seeded("a message goes out once")
def a_mail_is_sent_twice(evidence: Evidence) -> None:
    again(evidence, "notifications", next(events(evidence, "notifications", "MessageSent")))


@seeded("a message goes out once")
def a_mail_is_released_twice(evidence: Evidence) -> None:
    again(evidence, "notifications", next(events(evidence, "notifications", "MessageReleased")))


@seeded("a message goes out once")
def a_mail_is_said_to_be_sent_and_was_not(evidence: Evidence) -> None:
    sent = json.loads(next(events(evidence, "notifications", "MessageSent"))["body"])["message_id"]
    evidence.mails[:] = [mail for mail in evidence.mails if mail["id"] != sent]


@seeded("a message goes out once")
def a_released_mail_is_never_sent(evidence: Evidence) -> None:
    without(evidence, "notifications", next(events(evidence, "notifications", "MessageSent")))


@seeded("a message goes out once")
def a_mail_came_that_nobody_released(evidence: Evidence) -> None:
    evidence.mails.append({**evidence.mails[0], "id": f"<{ELSEWHERE}@mail.example.org>"})


@seeded("a message goes out once")
def a_mail_came_twice_without_a_fault(evidence: Evidence) -> None:
    evidence.faults.clear()
    evidence.mails.append(dict(evidence.mails[0]))


@seeded("a message goes out once")
def every_mail_came_twice_however_many_faults_there_were(evidence: Evidence) -> None:
    evidence.faults[:] = evidence.faults[:3]
    evidence.mails += [dict(mail) for mail in evidence.mails]


@seeded("a message goes out once")
def a_mail_went_to_another_address(evidence: Evidence) -> None:
    message = json.loads(next(events(evidence, "notifications", "MessageSent"))["body"])["message_id"]
    next(mail for mail in evidence.mails if mail["id"] == message)["to"] = "stranger@mail.example.org"


@seeded("a message goes out once")
def somebody_admitted_is_not_welcomed(evidence: Evidence) -> None:
    wanted = events(evidence, "notifications", "MessageRequested")
    welcome = next(one for one in wanted if json.loads(one["body"])["template"] == "welcome")
    without(evidence, "notifications", welcome)


@seeded("read models equal the fold of the log")
def a_row_of_a_read_model_is_altered(evidence: Evidence) -> None:
    evidence.stores["scheduling"]["tables"]["roster"][0]["seat"] += 1


@seeded("read models equal the fold of the log")
def a_position_is_ahead_of_its_rows(evidence: Evidence) -> None:
    evidence.stores["billing"]["tables"]["attendances"].pop()


@seeded("read models equal the fold of the log")
def a_read_model_has_a_row_without_cause(evidence: Evidence) -> None:
    rows = evidence.stores["intake"]["tables"]["referrals"]
    rows.append({**rows[0], "referral": ELSEWHERE})


@seeded("read models equal the fold of the log")
def a_column_that_no_key_names_is_altered(evidence: Evidence) -> None:
    evidence.stores["clinical"]["tables"]["measures"][0]["band"] = "none"


@seeded("read models equal the fold of the log")
def a_new_table_is_folded_by_nobody(evidence: Evidence) -> None:
    evidence.stores["intake"]["tables"]["of_tomorrow"] = []


@seeded("lag returns to nothing")
def something_came_back_and_stays_behind(evidence: Evidence) -> None:
    evidence.behind = ["billing unread 3"]


@seeded("lag returns to nothing")
def something_stays_behind(evidence: Evidence) -> None:
    evidence.lag_s = None


@seeded("lag returns to nothing")
def lag_is_gone_too_late(evidence: Evidence) -> None:
    evidence.lag_s = 31.0


@pytest.mark.parametrize(("rule", "bug"), BUGS, ids=[bug.__name__ for _, bug in BUGS])
def test_the_checker_catches(rule: str, bug: Bug, fresh: Callable[[], Evidence]) -> None:
    evidence = fresh()
    bug(evidence)
    assert check(evidence, {rule: RULES[rule]})


def test_a_lag_that_is_gone_late_is_told_with_what_was_behind_last() -> None:
    evidence = Evidence(lag_s=31.04, last_behind=["audit of billing [3]"])
    assert list(lag.soon(evidence)) == ["after 31.0 s, expected 30 s; last behind: audit of billing [3]"]
    assert not list(lag.gone(evidence))


@pytest.mark.parametrize(
    ("told", "may"),
    [
        ("SIGKILL, back in 0.9 s", True),
        ("notifications, back in 2.1 s", True),
        ("billing, back in 2.1 s", False),
        ("payer, back in 1.0 s", False),
        ("poison in notifications [3]@17", False),
    ],
)
def test_what_strikes_the_mailer_or_the_servers_may_repeat_a_mail(told: str, may: bool) -> None:
    assert mails.may_repeat({"told": told}) is may
