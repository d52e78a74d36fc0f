"""Referrals: persons are met again, duplicates found, decisions made once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from caretrail_contracts.codes import LevelOfCare, Urgency
from caretrail_contracts.intake import (
    ContactChanged,
    DeclineReason,
    DischargeType,
    PersonReferred,
    PersonRegistered,
    ReferralAccepted,
    ReferralDeclined,
    ReferralDuplicateDetected,
    ReferralReceived,
    ReferralTriaged,
    SourceType,
)

from chassis.ids import derive
from chassis.refusal import NotFound, Reserved
from services.intake.commands import (
    AcceptReferral,
    ChangeContact,
    DeclineReferral,
    DischargePatient,
    TriageReferral,
)
from services.intake.domain.person import Person
from services.intake.domain.referral import Referral
from services.intake.domain.refusals import ReferralDecided, ReferralIsDuplicate
from tests.services.intake.builders import (
    ANA,
    BEN,
    EPISODE,
    REFERRAL,
    TODAY,
    phone_of,
    receive,
    received,
    referred,
    registered,
    scenario,
    with_admitted,
)

AGAIN = derive("referral", "again")
DUPLICATE = (PersonReferred, ReferralReceived, ReferralDuplicateDetected)
FIRST = (PersonRegistered, PersonReferred, ReferralReceived)
KNOWN = (PersonReferred, ReferralReceived)


async def test_a_first_referral_registers_the_person() -> None:
    (await scenario().when(receive())).then(registered(), referred(), received())


async def test_the_same_person_and_source_within_30_days_is_a_duplicate() -> None:
    play = scenario()
    await play.when(receive())
    outcome = await play.after(timedelta(days=30)).when(receive("again"))
    outcome.then(
        referred(AGAIN, received_on=TODAY + timedelta(days=30), duplicate_of=REFERRAL),
        received(AGAIN),
        ReferralDuplicateDetected(of=REFERRAL, received_on=TODAY),
    )


@pytest.mark.parametrize(
    ("days", "changes"), [(31, {}), (0, {"source_type": SourceType.PCP}), (0, {"patient": BEN})]
)
async def test_later_from_elsewhere_or_for_another_it_is_none(days: int, changes: dict[str, object]) -> None:
    play = scenario()
    await play.when(receive())
    again = receive("again", **changes)  # type: ignore[arg-type]
    outcome = await play.after(timedelta(days=days)).when(again)
    outcome.then_types(*(FIRST if "patient" in changes else KNOWN))


async def test_a_duplicate_does_not_prolong_the_30_days() -> None:
    play = scenario()
    await play.when(receive())
    (await play.after(timedelta(days=25)).when(receive("again"))).then_types(*DUPLICATE)
    (await play.after(timedelta(days=25)).when(receive("third"))).then_types(*KNOWN)


async def test_who_was_discharged_and_is_sent_again_is_no_duplicate() -> None:
    play = await with_admitted()
    discharge = DischargePatient(
        episode=EPISODE, discharge_type=DischargeType.TRANSFERRED_HIGHER, discharged_on=TODAY
    )
    await play.when(discharge)
    (await play.after(timedelta(days=5)).when(receive("again"))).then_types(*KNOWN)


async def test_a_duplicate_is_neither_triaged_nor_accepted_but_can_be_declined() -> None:
    play = scenario()
    await play.when(receive())
    await play.when(receive("again"))
    triage = TriageReferral(referral=AGAIN, urgency=Urgency.URGENT, level_of_care=LevelOfCare.OUTPATIENT)
    (await play.when(triage)).then_refused(ReferralIsDuplicate)
    (await play.when(AcceptReferral(referral=AGAIN))).then_refused(ReferralIsDuplicate)
    decline = DeclineReferral(referral=AGAIN, reason=DeclineReason.NOT_ELIGIBLE)
    (await play.when(decline)).then(ReferralDeclined(reason=DeclineReason.NOT_ELIGIBLE))


async def test_a_referral_is_triaged_then_accepted() -> None:
    play = await scenario().given(Referral, REFERRAL, received())
    judged: dict[str, Any] = {"urgency": Urgency.URGENT, "level_of_care": LevelOfCare.INTENSIVE_OUTPATIENT}
    outcome = await play.when(TriageReferral(referral=REFERRAL, **judged))
    outcome.then(ReferralTriaged(**judged))
    (await play.when(AcceptReferral(referral=REFERRAL))).then(ReferralAccepted())


@pytest.mark.parametrize("decided", [ReferralAccepted(), ReferralDeclined(reason=DeclineReason.OUT_OF_AREA)])
async def test_what_is_decided_stays_so(decided: ReferralAccepted | ReferralDeclined) -> None:
    play = await scenario().given(Referral, REFERRAL, received(), decided)
    for command in (
        AcceptReferral(referral=REFERRAL),
        DeclineReferral(referral=REFERRAL, reason=DeclineReason.NO_CAPACITY),
        TriageReferral(referral=REFERRAL, urgency=Urgency.STAT, level_of_care=LevelOfCare.OUTPATIENT),
    ):
        (await play.when(command)).then_refused(ReferralDecided)


async def test_an_unknown_referral_cannot_be_decided() -> None:
    (await scenario().when(AcceptReferral(referral=REFERRAL))).then_refused(NotFound)


async def test_a_referral_fills_gaps_in_the_contact_and_replaces_nothing() -> None:
    play = await scenario().given(Person, ANA, registered())
    outcome = await play.when(receive(phone=phone_of()))
    outcome.then_types(ContactChanged, *KNOWN)
    assert outcome.events[0] == ContactChanged(phone=phone_of(), time_zone="America/New_York")
    other = receive("again", phone=phone_of(ct="b3RoZXI="), source_type=SourceType.PCP)
    (await play.when(other)).then_types(*KNOWN)


async def test_a_changed_contact_keeps_the_time_zone_unless_one_is_given() -> None:
    play = await scenario().given(Person, ANA, registered(time_zone="America/Denver"))
    moved = ContactChanged(phone=phone_of(), time_zone="America/Denver")
    (await play.when(ChangeContact(patient=ANA, phone=phone_of()))).then(moved)


async def test_two_pseudonyms_cannot_share_one_match_key() -> None:
    play = scenario()
    await play.when(receive(match_key="digest"))
    with pytest.raises(Reserved):
        await play.when(receive("again", BEN, match_key="digest"))
    assert await play.store.owner("person", "digest") == ANA


async def test_a_sender_s_identifier_belongs_to_one_referral() -> None:
    play = scenario()
    await play.when(receive(external_key="digest"))
    with pytest.raises(Reserved):
        await play.when(receive("again", external_key="digest"))
    assert await play.store.owner("referral", "digest") == REFERRAL
    assert await play.store.owner("referral/patient", "digest") == ANA
