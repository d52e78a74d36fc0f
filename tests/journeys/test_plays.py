"""The whole journey on real servers: reproducible, unharmed by a kill, silent about persons, provable."""

import re
from collections import Counter

import pytest

from deploy.local.programs import ROLES
from tests.journeys.conftest import APART, PATIENTS, Plays
from tests.journeys.killing import final_events
from tests.journeys.outcome import is_valid_x12
from tests.journeys.records import Fact
from tests.journeys.search import Text, secrets_of, sightings

pytestmark = [pytest.mark.servers, pytest.mark.journey, pytest.mark.xdist_group("stacks")]

JOURNEY = {
    "intake": {"ReferralReceived", "ReferralAccepted", "PatientAdmitted", "PatientDischarged"},
    "clinical": {"DiagnosisRecorded", "MeasureAdministered", "NoteSigned", "SuicideRiskScreened"},
    "scheduling": {"SeatTaken", "SessionAttended", "SessionMissed", "SeatReleased"},
    "billing": {"AuthorizationApproved", "ChargeCaptured", "ClaimSubmitted", "ClaimPaid", "AccessRecorded"},
    "notifications": {"MessageSent", "MessageDeferred", "StaffTaskCreated", "StaffNoticeSent"},
    "audit": {"IntegrityVerified"},
}
"""Types of events, by service, without which a play was no journey."""


def apart(ours: list[Fact], theirs: list[Fact]) -> str:
    """The first events in which two plays differ, for a reader."""
    one, two = Counter(ours), Counter(theirs)
    lines = [f"- {fact}" for fact in sorted((one - two).elements())[:8]]
    lines += [f"+ {fact}" for fact in sorted((two - one).elements())[:8]]
    return "\n".join(lines)


def test_a_play_goes_through_every_service(plays: Plays) -> None:
    types: dict[str, set[str]] = {}
    for fact in plays.first.facts:
        types.setdefault(fact.service, set()).add(fact.type.rpartition(".")[2])
    assert {name: wanted - types[name] for name, wanted in JOURNEY.items() if wanted - types[name]} == {}
    assert plays.first.parked == []
    assert plays.first.figures["ledger"]["verified"]


def test_topics_hold_what_the_stores_hold(plays: Plays) -> None:
    assert sorted(plays.on_topics) == plays.first.facts, apart(plays.first.facts, sorted(plays.on_topics))


def test_a_seed_gives_the_same_events_in_another_home_though_a_service_was_killed(
    plays: Plays,
) -> None:
    assert plays.killed.facts == plays.first.facts, apart(plays.first.facts, plays.killed.facts)


def test_another_seed_gives_other_events(plays: Plays) -> None:
    ours, theirs = ({fact.id for fact in one.facts} for one in (plays.first, plays.other))
    assert theirs
    assert not ours & theirs


def test_a_process_for_each_role_in_another_zone_gives_what_one_process_gives(plays: Plays) -> None:
    assert {f"{name}-{role}" for name in APART for role in ROLES} <= plays.processes
    assert not set(APART) & plays.processes
    assert {"ClaimPaid", "MessageSent"} <= {fact.type.rpartition(".")[2] for fact in plays.other.facts}
    assert plays.apart.facts == plays.other.facts, apart(plays.other.facts, plays.apart.facts)
    assert plays.apart.projections == plays.other.projections
    assert plays.apart.claim_files == plays.other.claim_files


def test_mails_arrive_at_the_server_that_is_named(plays: Plays) -> None:
    assert plays.other.mails
    assert set(plays.delivered) == {mail.message_id for mail in plays.other.mails}
    assert plays.apart.mails == []


def test_a_kill_meets_a_service_with_work_in_hand_and_the_others_live_on(plays: Plays) -> None:
    killing = plays.killing
    final = final_events(killing.service, plays.first.facts)
    assert 0.3 * final <= killing.events <= 0.7 * final
    assert killing.relay_behind
    assert killing.looks > 0
    assert killing.not_live == []


def test_a_kill_changes_no_row_of_a_projection(plays: Plays) -> None:
    ours, theirs = plays.first.projections, plays.killed.projections
    assert any(ours.values())
    assert {name for name in ours | theirs if ours.get(name) != theirs.get(name)} == set()


def test_a_kill_changes_no_mail(plays: Plays) -> None:
    ours, theirs = ({mail.message_id for mail in one.mails} for one in (plays.first, plays.killed))
    assert ours
    assert theirs == ours


def test_nothing_of_a_person_is_found_outside_the_payers_folders(plays: Plays) -> None:
    assert plays.looked_through > len(plays.first.facts) * 2
    assert plays.seen == []


def test_the_search_would_find_a_person(plays: Plays) -> None:
    one = plays.first.cohort[0]
    assert len(plays.first.cohort) == PATIENTS
    claims = [Text(name, text.encode()) for name, text in plays.first.claim_files.items()]
    what = {sighting.rpartition(" ")[2] for sighting in sightings(claims, secrets_of(plays.first.cohort))}
    assert what == {"name", "date", "id", "street"}
    assert sightings([Text("log", f"x {one.given},".encode())], secrets_of([one]))


def test_a_check_names_the_deleted_and_the_altered_event(plays: Plays) -> None:
    tampered = plays.tampered
    assert not tampered.check["verified"]
    named = {(d["service"], d["stream"], d["version"], d["id"]) for d in tampered.check["differences"]}
    touched = (tampered.deleted, tampered.flipped)
    assert named == {(f.service, f.stream, f.stream_version, f.id) for f in touched}


def test_every_claim_file_is_valid(plays: Plays) -> None:
    files = plays.first.claim_files
    assert files
    assert [name for name, text in files.items() if not is_valid_x12(text)] == []
    assert plays.killed.claim_files == files


def test_a_claim_file_without_one_service_date_is_invalid(plays: Plays) -> None:
    text = next(iter(plays.first.claim_files.values()))
    count = int(text.split("SE*")[1].split("*")[0])
    short = re.sub(r"DTP\*472\*D8\*\d{8}~\n", "", text, count=1)
    assert short != text
    assert not is_valid_x12(short.replace(f"SE*{count}*", f"SE*{count - 1}*"))


def test_no_mail_shows_a_person(plays: Plays) -> None:
    texts = [
        Text(mail.message_id, f"{mail.subject}\n{mail.text}\n{mail.message_id}".encode())
        for mail in plays.first.mails
    ]
    assert sightings(texts, secrets_of(plays.first.cohort)) == []
