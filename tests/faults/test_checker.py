"""The checker is tested with bugs: evidence is altered in one place, and the rule concerned must say so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.checker import RULES, check
from tests.faults.evidence import SERVICES, Evidence, Row
from tests.faults.heard import LAST

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.xdist_group("faults")]

Bug = Callable[[Evidence], None]
BUGS: list[tuple[str, Bug]] = []
ELSEWHERE = "00000000-0000-4000-8000-000000000000"


def seeded(rule: str) -> Callable[[Bug], Bug]:
    """Name the rule that must catch a bug."""

    def note(bug: Bug) -> Bug:
        BUGS.append((rule, bug))
        return bug

    return note


def events(evidence: Evidence, service: str, kind: str) -> Iterator[Row]:
    """Events of a type."""
    return (one for one in evidence.stores[service]["events"] if one["type"].endswith(f".{kind}"))


def ok(evidence: Evidence) -> Row:
    """An acknowledged command that left events."""
    return next(one for one in evidence.history if one["outcome"] == "ok" and one["answer"]["streams"])


def again(evidence: Evidence, service: str, event: Row, **fields: Any) -> Row:
    """An event once more, at the end of its store, with other fields in its body."""
    store = evidence.stores[service]["events"]
    body = json.dumps({**json.loads(event["body"]), **fields})
    store.append({**event, "id": ELSEWHERE, "position": store[-1]["position"] + 1, "body": body})
    return dict(store[-1])


def busiest(evidence: Evidence, service: str = "intake") -> list[int]:
    """Places in a topic of the real messages of its fullest partition."""
    parts: dict[int, list[int]] = {}
    forged = {(one["partition"], one["offset"]) for one in evidence.injected if one["topic"] == service}
    seen = set()
    for place, message in enumerate(evidence.topics[service]):
        id = message["headers"].get("id")
        if (message["partition"], message["offset"]) not in forged and id not in seen:
            seen.add(id)
            parts.setdefault(message["partition"], []).append(place)
    return max(parts.values(), key=len)


def without(evidence: Evidence, service: str, event: Row) -> None:
    """Take an event out of store, topic and ledger, as if it had never been."""
    store = evidence.stores[service]["events"]
    store[:] = [one for one in store if one["id"] != event["id"]]
    topic = evidence.topics[service]
    topic[:] = [one for one in topic if one["headers"].get("id") != event["id"]]
    evidence.ledger[:] = [row for row in evidence.ledger if row["event_id"] != event["id"]]


@seeded("acknowledged commands are kept")
def an_acknowledged_commands_event_is_missing(evidence: Evidence) -> None:
    told = ok(evidence)
    stream = next(iter(told["answer"]["streams"]))
    store = evidence.stores[told["service"]]["events"]
    without(evidence, told["service"], next(one for one in store if one["stream"] == stream))


@seeded("acknowledged commands are kept")
def an_acknowledged_command_left_nothing_at_all(evidence: Evidence) -> None:
    told = ok(evidence)
    id = told["answer"]["command_id"]
    for one in [e for e in evidence.stores[told["service"]]["events"] if e["command_id"] == id]:
        without(evidence, told["service"], one)


@seeded("acknowledged commands are kept")
def an_acknowledged_command_is_not_remembered(evidence: Evidence) -> None:
    told = ok(evidence)
    memory = evidence.stores[told["service"]]["commands"]
    memory[:] = [one for one in memory if one["command_id"] != told["answer"]["command_id"]]


@seeded("refused commands left nothing")
def a_refused_commands_event_is_there(evidence: Evidence) -> None:
    ok(evidence)["outcome"] = "fail"


@seeded("refused commands left nothing")
def a_key_was_taken_with_another_body(evidence: Evidence) -> None:
    next(one for one in evidence.history if one["reuse"])["outcome"] = "ok"


@seeded("commands are carried out once")
def a_command_was_carried_out_twice(evidence: Evidence) -> None:
    again(evidence, "intake", next(events(evidence, "intake", "ReferralTriaged")))


@seeded("services never stumble")
def a_service_stumbled(evidence: Evidence) -> None:
    evidence.history[5]["statuses"].insert(0, 500)


@seeded("answers can be read")
def an_answer_was_no_json(evidence: Evidence) -> None:
    evidence.history[5]["unreadable"] = 1


@seeded("services take commands once nothing is hurt")
def there_is_no_history(evidence: Evidence) -> None:
    evidence.history.clear()


@seeded("services take commands once nothing is hurt")
def a_service_is_left_out(evidence: Evidence) -> None:
    evidence.stores.pop("clinical")
    evidence.topics.pop("clinical")


@seeded("services take commands once nothing is hurt")
def a_service_is_unavailable_for_ever(evidence: Evidence) -> None:
    told = next(one for one in evidence.history if one["client"] == LAST and one["service"] == "clinical")
    told |= {"outcome": "unknown", "statuses": [503]}


@seeded("events say what clients said")
def an_answer_to_a_measure_is_another(evidence: Evidence) -> None:
    event = next(events(evidence, "clinical", "MeasureAdministered"))
    fact = json.loads(event["body"])
    event["body"] = json.dumps({**fact, "answers": [3 - answer for answer in fact["answers"]]})


@seeded("every command was sent or has a cause")
def an_acknowledged_measure_was_taken_again_under_another_id(evidence: Evidence) -> None:
    measure = next(events(evidence, "clinical", "MeasureAdministered"))
    again(evidence, "clinical", {**measure, "command_id": ELSEWHERE}, measure=ELSEWHERE)


@seeded("every command was sent or has a cause")
def a_refused_command_left_an_event_under_another_id(evidence: Evidence) -> None:
    accepted = next(events(evidence, "intake", "ReferralAccepted"))
    again(evidence, "intake", {**accepted, "command_id": ELSEWHERE})


@seeded("every command was sent or has a cause")
def a_policy_acted_under_another_id(evidence: Evidence) -> None:
    next(events(evidence, "billing", "CoverageRegistered"))["command_id"] = ELSEWHERE


@seeded("what an event leads to is carried out")
def a_policy_did_not_react(evidence: Evidence) -> None:
    forget(evidence, "billing", next(events(evidence, "billing", "CoverageRegistered"))["command_id"])


@seeded("what an event leads to is carried out")
def an_answer_of_the_payer_was_not_taken_in(evidence: Evidence) -> None:
    evidence.answers[0]["digest"] = "0" * 64


@seeded("timers fire when they are due")
def a_timer_was_lost_when_it_was_due(evidence: Evidence) -> None:
    forget(evidence, "scheduling", next(events(evidence, "scheduling", "PlacementEnded"))["command_id"])


@seeded("timers fire when they are due")
def a_due_timer_stays_where_it_is(evidence: Evidence) -> None:
    evidence.stores["billing"]["timers"][0]["due_at"] = evidence.now


@seeded("timers fire when they are due")
def a_timer_vanished_before_it_was_due(evidence: Evidence) -> None:
    evidence.stores["billing"]["timers"].pop()


def forget(evidence: Evidence, service: str, command: str) -> None:
    """Take a command out of a service's memory."""
    memory = evidence.stores[service]["commands"]
    memory[:] = [one for one in memory if one["command_id"] != command]


@seeded("streams have no gap")
def a_stream_has_a_gap(evidence: Evidence) -> None:
    next(events(evidence, "intake", "ReferralAccepted"))["stream_version"] += 1


@seeded("streams have no gap")
def two_events_of_a_stream_are_swapped_in_the_store(evidence: Evidence) -> None:
    second = next(one for one in evidence.stores["intake"]["events"] if one["stream_version"] == 2)
    first = next(one for one in evidence.stores["intake"]["events"] if one["stream"] == second["stream"])
    first["stream_version"], second["stream_version"] = 2, 1


@seeded("streams have no gap")
def a_position_was_given_to_nobody(evidence: Evidence) -> None:
    evidence.stores["billing"]["events"].pop(3)


@seeded("topics hold what stores hold")
def an_event_is_lost_in_the_topic(evidence: Evidence) -> None:
    lost = evidence.topics["intake"][busiest(evidence)[2]]["headers"]["id"]
    topic = evidence.topics["intake"]
    topic[:] = [one for one in topic if one["headers"].get("id") != lost]


@seeded("topics hold what stores hold")
def an_event_is_altered_in_the_topic(evidence: Evidence) -> None:
    evidence.topics["intake"][busiest(evidence)[1]]["body"] += " "


@seeded("topics hold what stores hold")
def the_repeat_of_a_record_has_another_body(evidence: Evidence) -> None:
    message = copy.deepcopy(evidence.topics["intake"][busiest(evidence)[1]])
    evidence.topics["intake"].append({**message, "offset": message["offset"] + 1_000_000, "body": "{}"})


@seeded("topics hold what stores hold")
def an_event_went_to_another_partition(evidence: Evidence) -> None:
    message = evidence.topics["intake"][busiest(evidence)[-1]]
    message["partition"] = (message["partition"] + 1) % 12


@seeded("topics hold what stores hold")
def an_event_was_published_that_was_never_stored(evidence: Evidence) -> None:
    message = copy.deepcopy(evidence.topics["intake"][busiest(evidence)[-1]])
    message["headers"]["id"] = ELSEWHERE
    message["offset"] += 1_000_000
    evidence.topics["intake"].append(message)


@seeded("topics keep the order")
def two_events_are_swapped_in_the_topic(evidence: Evidence) -> None:
    topic, places = evidence.topics["intake"], busiest(evidence)
    one, two = places[2], places[3]
    topic[one], topic[two] = topic[two], topic[one]


@seeded("topics keep the order")
def a_record_names_another_one_before_it(evidence: Evidence) -> None:
    headers = evidence.topics["intake"][busiest(evidence)[3]]["headers"]
    headers["prev"] = str(int(headers["prev"]) - 1)


@seeded("the ledger is the union of the stores")
def an_event_is_twice_in_the_ledger(evidence: Evidence) -> None:
    evidence.ledger.append(dict(evidence.ledger[7]))


@seeded("the ledger is the union of the stores")
def a_row_of_the_ledger_is_lost(evidence: Evidence) -> None:
    evidence.ledger.pop(7)


@seeded("the ledger is the union of the stores")
def a_row_of_the_ledger_is_altered(evidence: Evidence) -> None:
    evidence.ledger[7]["body"] = "{}"


@seeded("the ledger is the union of the stores")
def a_row_of_the_ledger_is_made_up(evidence: Evidence) -> None:
    evidence.ledger.append({**evidence.ledger[7], "event_id": ELSEWHERE})


@seeded("relays stand at the head")
def a_mark_is_ahead_of_what_was_sent(evidence: Evidence) -> None:
    evidence.stores["intake"]["relayed"][0]["position"] += 1


@seeded("relays stand at the head")
def a_mark_is_stale(evidence: Evidence) -> None:
    evidence.stores["billing"]["relayed"][0]["position"] -= 1


@seeded("readers stand at the head")
def a_position_is_stale(evidence: Evidence) -> None:
    reading(evidence)["position"] -= 1


@seeded("readers stand at the head")
def a_position_is_ahead(evidence: Evidence) -> None:
    reading(evidence)["position"] += 1


@seeded("readers stand at the head")
def a_partition_was_never_read(evidence: Evidence) -> None:
    row = reading(evidence)
    evidence.stores["billing"]["positions"].remove(row)


@seeded("readers stand at the head")
def the_own_store_was_not_read_to_its_end(evidence: Evidence) -> None:
    rows = evidence.stores["intake"]["positions"]
    next(row for row in rows if row["topic"] == "store")["position"] -= 1


def reading(evidence: Evidence) -> Row:
    """A reader's position in another service's topic."""
    rows: list[Row] = evidence.stores["billing"]["positions"]
    return next(row for row in rows if row["source"] == "urn:caretrail:intake:main")


@seeded("nothing real is parked")
def a_real_event_is_parked(evidence: Evidence) -> None:
    event = next(events(evidence, "intake", "PatientAdmitted"))
    told = {"handler": "Evidence", "key": event["patient"], "source": "urn:caretrail:intake:main"}
    told |= {"position": event["position"], "event_id": event["id"], "error": "KeyError"}
    evidence.stores["billing"]["parked"].append(told)


@seeded("a day is charged once")
def a_day_has_two_charges(evidence: Evidence) -> None:
    again(evidence, "billing", next(events(evidence, "billing", "ChargeDayOpened")), charge=ELSEWHERE)


@seeded("a day is charged once")
def a_charge_is_captured_twice(evidence: Evidence) -> None:
    again(evidence, "billing", next(events(evidence, "billing", "ChargeCaptured")))


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
    without(evidence, "scheduling", next(events(evidence, "scheduling", "PlacementEnded")))


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


def test_there_are_bugs_enough_and_each_is_another() -> None:
    assert len({bug.__name__ for _, bug in BUGS}) == len(BUGS) >= 15


@pytest.mark.parametrize(("rule", "bug"), BUGS, ids=[bug.__name__ for _, bug in BUGS])
def test_the_checker_catches(rule: str, bug: Bug, fresh: Callable[[], Evidence]) -> None:
    evidence = fresh()
    bug(evidence)
    assert check(evidence, {rule: RULES[rule]})


def test_evidence_of_nothing_is_no_good_news() -> None:
    found = {finding.rule for finding in check(Evidence(now="2026-03-02T12:00:00+00:00", lag_s=0.0))}
    assert "services take commands once nothing is hurt" in found


HEADERS = ("actorid", "actorrole", "purpose", "time", "recordedat", "type", "patient", "sensitivity")


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_not_the_events_is_found(name: str, fresh: Callable[[], Evidence]) -> None:
    evidence = fresh()
    evidence.topics["intake"][busiest(evidence)[1]]["headers"][name] = "mallory"
    assert check(evidence, {TOPICS: RULES[TOPICS]})


COLUMNS = ("type", "patient", "stream", "stream_version", "service", "occurred_at", "headers")


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_the_ledger_that_is_not_the_events_is_found(
    name: str, fresh: Callable[[], Evidence]
) -> None:
    evidence, ours = fresh(), {f"urn:caretrail:{service}:main" for service in SERVICES}
    row = next(row for row in evidence.ledger if row["source"] in ours)
    row[name] = {} if name == "headers" else "gone"
    assert check(evidence, {LEDGER: RULES[LEDGER]})


TOPICS, LEDGER = "topics hold what stores hold", "the ledger is the union of the stores"
