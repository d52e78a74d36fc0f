"""The checker is tested with bugs: evidence is altered in one place, and the rule concerned must say so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest

from tests.faults.altering import ELSEWHERE, Bug, again, busiest, events, forget, ok, seeding, without
from tests.faults.checker import RULES, check
from tests.faults.evidence import SERVICES, Evidence, Row
from tests.faults.heard import LAST

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.xdist_group("faults")]

BUGS: list[tuple[str, Bug]] = []
seeded = seeding(BUGS)


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


@seeded("services log no error")
def a_part_of_a_service_died(evidence: Evidence) -> None:
    evidence.errors.append("billing: part_died ValueError")


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
