"""Episodes: opened on an accepted referral, one at a time, on possible dates."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from caretrail_contracts.intake import (
    DischargeType,
    EpisodeClosed,
    EpisodeOpened,
    PatientDischarged,
    ReferralAccepted,
    SourceType,
)
from caretrail_contracts.sealed import MemberId, Sealed
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import derive
from chassis.refusal import AlreadyExists, NotFound, Refusal
from services.intake.commands import AcceptReferral, DischargePatient
from services.intake.domain.referral import Referral
from services.intake.domain.refusals import (
    AdmittedBeforeReferral,
    AdmittedInFuture,
    DischargedBeforeAdmission,
    DischargedInFuture,
    EpisodeEnded,
    EpisodesOverlap,
    EpisodeStillOpen,
    PayerMissing,
    ReferralNotAccepted,
    ReferralOfAnother,
)
from tests.scenario import Scenario
from tests.services.intake.builders import (
    ANA,
    BEN,
    EPISODE,
    REFERRAL,
    TODAY,
    admit,
    admitted,
    receive,
    received,
    scenario,
    with_accepted,
    with_admitted,
)

AGAIN = derive("referral", "again")
DAY = timedelta(days=1)
MEMBER = Sealed[MemberId](kid=f"{ANA}.1", nonce="bm9uY2Vub25jZTEy", ct="bWVtYmVy")


def discharge(on: date = TODAY, how: DischargeType = DischargeType.COMPLETED) -> DischargePatient:
    return DischargePatient(episode=EPISODE, discharge_type=how, discharged_on=on)


async def test_an_accepted_referral_leads_to_an_episode() -> None:
    opened = EpisodeOpened(patient=ANA, episode=EPISODE, referral=REFERRAL, admitted_on=TODAY)
    (await (await with_accepted()).when(admit())).then(opened, admitted())


async def test_a_referral_that_is_not_accepted_leads_nowhere() -> None:
    play = await scenario().given(Referral, REFERRAL, received())
    (await play.when(admit())).then_refused(ReferralNotAccepted)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"admitted_on": TODAY + DAY}, AdmittedInFuture),
        ({"admitted_on": TODAY - DAY}, AdmittedBeforeReferral),
        ({"patient": BEN}, ReferralOfAnother),
        ({"referral": AGAIN}, NotFound),
    ],
)
async def test_what_cannot_be_is_refused(changes: dict[str, object], refusal: type[Refusal]) -> None:
    (await (await with_accepted()).when(admit(**changes))).then_refused(refusal)


async def test_an_admission_needs_a_payer() -> None:
    play = await scenario().given(Referral, REFERRAL, received(payer=None), ReferralAccepted())
    (await play.when(admit())).then_refused(PayerMissing)


async def test_the_referral_s_member_id_goes_with_its_payer_alone() -> None:
    for given_payer, kept in ((None, MEMBER), ("acme", MEMBER), ("other", None)):
        play = await with_accepted_member()
        outcome = await play.when(admit(payer=given_payer))
        assert outcome.events[-1] == admitted(payer=given_payer or "acme", member_id=kept)


async def with_accepted_member() -> Scenario:
    play = scenario()
    await play.when(receive(member_id=MEMBER))
    await play.when(AcceptReferral(referral=REFERRAL))
    return play


async def test_a_referral_leads_to_one_episode() -> None:
    (await (await with_admitted()).when(admit())).then_refused(AlreadyExists)


async def test_a_patient_has_one_open_episode() -> None:
    play = await with_admitted()
    await play.when(receive("again", source_type=SourceType.PCP))
    await play.when(AcceptReferral(referral=AGAIN))
    (await play.when(admit(referral=AGAIN))).then_refused(EpisodeStillOpen)


async def test_after_the_discharge_another_may_open_but_not_before_it() -> None:
    play = await with_admitted()
    play.after(5 * DAY)
    await play.when(discharge(TODAY + 4 * DAY))
    await play.given(Referral, AGAIN, received(AGAIN), ReferralAccepted())
    play.after(DAY)
    early = admit(referral=AGAIN, admitted_on=TODAY + 4 * DAY)
    (await play.when(early)).then_refused(AdmittedBeforeReferral)
    (await play.when(admit(referral=AGAIN, admitted_on=TODAY + 5 * DAY))).then_types(
        EpisodeOpened, type(admitted())
    )


async def test_episodes_do_not_overlap() -> None:
    play = await with_admitted()
    await play.given(Referral, AGAIN, received(AGAIN), ReferralAccepted())
    play.after(3 * DAY)
    await play.when(discharge(TODAY + 2 * DAY))
    (await play.when(admit(referral=AGAIN, admitted_on=TODAY + DAY))).then_refused(EpisodesOverlap)


async def test_a_discharge_closes_the_episode() -> None:
    play = await with_admitted()
    (await play.when(discharge())).then(
        PatientDischarged(episode=EPISODE, discharge_type=DischargeType.COMPLETED, discharged_on=TODAY),
        EpisodeClosed(patient=ANA, episode=EPISODE, discharged_on=TODAY),
    )
    (await play.when(discharge())).then_refused(EpisodeEnded)


@pytest.mark.parametrize(
    ("on", "refusal"), [(TODAY - DAY, DischargedBeforeAdmission), (TODAY + DAY, DischargedInFuture)]
)
async def test_a_discharge_has_a_possible_date(on: date, refusal: type[Refusal]) -> None:
    (await (await with_admitted()).when(discharge(on))).then_refused(refusal)


@given(st.lists(st.tuples(st.booleans(), st.integers(-2, 3)), max_size=12))
async def test_no_history_has_two_open_episodes(steps: list[tuple[bool, int]]) -> None:
    """Whatever admissions and discharges are tried, on whatever days, accepted ones alternate."""
    play, kinds = scenario(), []
    for count, (opening, shift) in enumerate(steps):
        referral = derive("referral", count)
        await play.given(Referral, referral, received(referral), ReferralAccepted())
        if count == 0:
            await play.when(receive("first"))
        on = play.now.date() + shift * DAY
        if opening:
            outcome = await play.when(admit(referral=referral, admitted_on=on))
        else:
            person = await open_episode(play)
            leave = DischargePatient(
                episode=person or EPISODE, discharge_type=DischargeType.AMA, discharged_on=on
            )
            outcome = await play.when(leave)
        kinds += [type(event) for event in outcome.events if isinstance(event, EpisodeOpened | EpisodeClosed)]
        play.after(DAY)
    assert kinds == [EpisodeOpened, EpisodeClosed] * (len(kinds) // 2) + [EpisodeOpened] * (len(kinds) % 2)


async def open_episode(play: Scenario) -> UUID | None:
    rows = await play.store.rows("episodes", {"discharged_on": None})
    return rows[0]["episode"] if rows else None
