"""The checker is tested with bugs in what led to what, when timers fire, and who holds which key."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.faults import causes
from tests.faults.altering import ELSEWHERE, Bug, events, forget, seeding
from tests.faults.checker import RULES, check
from tests.faults.evidence import SERVICES, Evidence, Row
from tests.faults.reserved import person_of
from tests.faults.timers import Set, timers

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.xdist_group("faults")]

BUGS: list[tuple[str, Bug]] = []
seeded = seeding(BUGS)

NAMED, ROOTED = "events name what led to them", "stories begin with what somebody sent"
FIRED, HELD = "timers fire when they are due", "keys are held by whom their streams name"
REGISTERED = "who is sent twice is registered once"


@seeded(NAMED)
def an_event_of_a_policy_names_no_cause(evidence: Evidence) -> None:
    next(events(evidence, "billing", "CoverageRegistered"))["causation_id"] = None


@seeded(NAMED)
def an_event_of_a_policy_names_another_cause(evidence: Evidence) -> None:
    first, second, *_ = events(evidence, "billing", "CoverageRegistered")
    first["causation_id"] = second["causation_id"]


@seeded(NAMED)
def an_event_of_a_timer_is_of_another_story(evidence: Evidence) -> None:
    event = next(events(evidence, "scheduling", "GroupEnrollmentRequested"))
    event["correlation_id"] = event["command_id"]


@seeded(NAMED)
def a_mail_that_was_sent_names_no_cause(evidence: Evidence) -> None:
    next(events(evidence, "notifications", "MessageSent"))["causation_id"] = None


@seeded(NAMED)
def a_look_at_an_address_names_no_cause(evidence: Evidence) -> None:
    next(events(evidence, "notifications", "AccessRecorded"))["causation_id"] = None


@seeded(NAMED)
def a_look_at_an_address_is_of_another_story(evidence: Evidence) -> None:
    next(events(evidence, "notifications", "AccessRecorded"))["correlation_id"] = ELSEWHERE


@seeded(NAMED)
def what_a_client_sent_names_a_cause(evidence: Evidence) -> None:
    event = next(events(evidence, "intake", "ReferralAccepted"))
    event["causation_id"] = next(events(evidence, "intake", "ReferralTriaged"))["id"]


@seeded(NAMED)
def what_a_client_sent_is_of_another_role(evidence: Evidence) -> None:
    next(events(evidence, "intake", "ReferralAccepted"))["actor_role"] = "policy:when_referred"


@seeded(NAMED)
def an_answer_of_the_payer_is_of_another_story(evidence: Evidence) -> None:
    next(events(evidence, "billing", "AuthorizationApproved"))["correlation_id"] = ELSEWHERE


@seeded(ROOTED)
def a_chain_breaks_off(evidence: Evidence) -> None:
    next(events(evidence, "billing", "CoverageRegistered"))["causation_id"] = None


@seeded(ROOTED)
def a_chain_begins_with_what_nobody_knows(evidence: Evidence) -> None:
    next(events(evidence, "billing", "CoverageRegistered"))["causation_id"] = ELSEWHERE


@seeded(ROOTED)
def a_chain_goes_in_a_circle(evidence: Evidence) -> None:
    event = next(events(evidence, "billing", "CoverageRegistered"))
    event["causation_id"] = event["id"]


@seeded(ROOTED)
def a_chain_changes_its_story(evidence: Evidence) -> None:
    next(events(evidence, "intake", "PatientAdmitted"))["correlation_id"] = ELSEWHERE


@seeded(FIRED)
def a_timer_fired_six_hours_early(evidence: Evidence) -> None:
    fired_early(evidence, timedelta(hours=6))


@seeded(FIRED)
def a_timer_to_come_has_fired_already(evidence: Evidence) -> None:
    timer = evidence.stores["billing"]["timers"].pop()
    id = next(id for _, _, event, id in set_by("billing", evidence) if event["id"] == timer["event_id"])
    evidence.stores["billing"]["commands"].append({"command_id": id, "position": 1})


@seeded("what an event leads to is carried out")
def a_second_reaction_is_lost(evidence: Evidence) -> None:
    owed = causes.reactions("notifications", causes.log_of(evidence))
    each, event = next((each, event) for each, event in owed if each.place)
    forget(evidence, "notifications", each.id("notifications", event))


@seeded("every command was sent or has a cause")
def a_policy_reacted_to_what_says_that_it_should_not(evidence: Evidence) -> None:
    corrected = next(events(evidence, "scheduling", "AttendanceCorrected"))
    event = next(events(evidence, "billing", "CoverageRegistered"))
    event["command_id"] = causes.Owes("when_attendance_corrected", "", "CountSession", 1).id(
        "billing", corrected
    )


@seeded("who does what is right is not refused")
def a_coordinator_is_refused(evidence: Evidence) -> None:
    told = next(one for one in evidence.history if one["path"].endswith("/triage") and one["outcome"] == "ok")
    told |= {"outcome": "fail", "rule": "Referral decided"}


def fired_early(evidence: Evidence, by: timedelta) -> Row:
    """An enrollment that a timer asked for, told as if it had fired so long before it was due."""
    due = {id: due for _, due, _, id in set_by("scheduling", evidence) if due}
    asked = events(evidence, "scheduling", "GroupEnrollmentRequested")
    event = next(one for one in asked if one["command_id"] in due)
    event["recorded_at"] = (due[event["command_id"]] - by).isoformat()
    return event


def set_by(service: str, evidence: Evidence) -> list[Set]:
    """The timers that events of a round set, in order."""
    return timers(service, causes.log_of(evidence))


def keys(evidence: Evidence, service: str, scope: str) -> list[Row]:
    """Reservations of a scope."""
    return [row for row in evidence.stores[service]["reservations"] if row["scope"] == scope]


SCOPES = (
    ("intake", "person"),
    ("intake", "referral"),
    ("intake", "referral/patient"),
    ("billing", "claim-number"),
    ("billing", "appeal"),
    ("billing", "remittance-trace"),
)


@pytest.mark.parametrize(("service", "scope"), SCOPES)
def test_a_key_that_nobody_holds_is_found(service: str, scope: str, stored: Callable[[], Evidence]) -> None:
    evidence = stored()
    evidence.stores[service]["reservations"].remove(keys(evidence, service, scope)[-1])
    assert check(evidence, {HELD: RULES[HELD]})


@pytest.mark.parametrize(("service", "scope"), SCOPES[:-1])
def test_a_key_that_another_holds_is_found(service: str, scope: str, stored: Callable[[], Evidence]) -> None:
    evidence = stored()
    keys(evidence, service, scope)[-1]["owner"] = ELSEWHERE
    assert check(evidence, {HELD: RULES[HELD]})


@seeded(HELD)
def two_numbers_of_referrals_are_swapped(evidence: Evidence) -> None:
    first, second, *_ = keys(evidence, "intake", "referral")
    first["owner"], second["owner"] = second["owner"], first["owner"]


@seeded(HELD)
def a_key_is_held_in_a_scope_that_nobody_knows(evidence: Evidence) -> None:
    row = {"scope": "seat", "key": "1", "owner": ELSEWHERE}
    evidence.stores["scheduling"]["reservations"].append(row)


@seeded(HELD)
def a_file_of_the_payer_is_posted_twice(evidence: Evidence) -> None:
    first, second, *_ = events(evidence, "billing", "RemittanceReceived")
    second["body"] = first["body"]


@seeded(REGISTERED)
def a_person_is_two_patients(evidence: Evidence) -> None:
    referred(evidence, number=False)["answer"]["patient"] = ELSEWHERE


@seeded(REGISTERED)
def two_persons_are_one_patient(evidence: Evidence) -> None:
    first, second, *_ = [one for one in evidence.history if person_of(one) and one["outcome"] == "ok"]
    second["body"] = {**second["body"], "person": {**first["body"]["person"], "given": "Another"}}
    second["answer"]["patient"] = first["answer"]["patient"]


@seeded(REGISTERED)
def a_number_of_one_sender_is_two_referrals(evidence: Evidence) -> None:
    referred(evidence, number=True)["answer"]["referral"] = ELSEWHERE


@seeded("acknowledged commands are kept")
def a_referral_that_is_said_to_have_come_before_is_not_there(evidence: Evidence) -> None:
    memory = {row["command_id"] for row in evidence.stores["intake"]["commands"]}
    told = next(
        one
        for one in evidence.history
        if person_of(one) and one["outcome"] == "ok" and one["answer"]["command_id"] not in memory
    )
    told["answer"]["referral"] = ELSEWHERE


def referred(evidence: Evidence, *, number: bool) -> Row:
    """A referral that was acknowledged, with or without its sender's number."""
    told = (one for one in evidence.history if person_of(one) and one["outcome"] == "ok")
    return next(one for one in told if bool(one["body"].get("external_id")) == number)


@pytest.mark.parametrize(("rule", "bug"), BUGS, ids=[bug.__name__ for _, bug in BUGS])
def test_the_checker_catches(rule: str, bug: Bug, stored: Callable[[], Evidence]) -> None:
    evidence = stored()
    bug(evidence)
    assert check(evidence, {rule: RULES[rule]})


@pytest.mark.parametrize("skewed", ["scheduling +1 h", "scheduling -1 h", "billing +1 h"])
def test_a_timer_may_fire_before_its_time_by_what_its_clock_was_set_off(
    skewed: str, stored: Callable[[], Evidence]
) -> None:
    evidence = stored()
    event = fired_early(evidence, timedelta(minutes=59))
    evidence.faults = [{"kind": "Skew", "told": skewed, "began": 0.0, "ended": 1.0}]
    found = [str(finding) for finding in check(evidence, {FIRED: RULES[FIRED]})]
    assert any(json.loads(event["body"])["episode"] in each for each in found) == skewed.startswith("billing")


def test_the_load_comes_to_everything_that_policies_owe(stored: Callable[[], Evidence]) -> None:
    """Else a reaction that is lost would not be missed."""
    owed = {each for service in SERVICES for each in causes.owes(service)}
    lacking = owed - causes.reached(stored())
    assert {(each.policy, each.kind, each.command) for each in lacking} == set()
