"""Diagnoses and notes: what a claim needs both of."""

from caretrail_contracts.clinical import DiagnosisRecorded, NoteSigned, NoteWithdrawn

from chassis.refusal import NotFound
from services.clinical.commands.diagnoses import RecordDiagnosis
from services.clinical.commands.notes import WithdrawNote
from services.clinical.domain.note import note_id
from services.clinical.domain.refusals import (
    DiagnosisRanked,
    EpisodeOfAnother,
    NoteStands,
    NoteWasWithdrawn,
)
from tests.scenario import Scenario
from tests.services.clinical.builders import (
    ANA,
    BEN,
    CLINICIAN,
    EPISODE,
    OTHER_WORDS,
    SESSION,
    WORDS,
    clinical,
    note,
)

NOTE = note_id(SESSION, ANA)


def recorded(icd10: str, rank: int) -> DiagnosisRecorded:
    return DiagnosisRecorded(patient=ANA, episode=EPISODE, icd10=icd10, rank=rank)


def record(icd10: str, rank: int) -> RecordDiagnosis:
    return RecordDiagnosis(patient=ANA, episode=EPISODE, icd10=icd10, rank=rank)


async def diagnosed() -> Scenario:
    scenario = clinical()
    await scenario.when(record("F33.1", 1))
    await scenario.when(record("F41.1", 2))
    return scenario


async def test_a_diagnosis_replaces_what_had_its_rank() -> None:
    (await (await diagnosed()).when(record("F32.2", 1))).then(recorded("F32.2", 1))


async def test_the_same_diagnosis_at_its_rank_again_changes_nothing() -> None:
    (await (await diagnosed()).when(record("F33.1", 1))).then()


async def test_two_ranked_diagnoses_change_places() -> None:
    outcome = await (await diagnosed()).when(record("F41.1", 1))
    outcome.then(recorded("F41.1", 1), recorded("F33.1", 2))


async def test_no_code_has_two_ranks() -> None:
    (await (await diagnosed()).when(record("F33.1", 3))).then_refused(DiagnosisRanked)


async def test_an_episode_is_one_patients() -> None:
    command = record("F10.20", 3).model_copy(update={"patient": BEN})
    (await (await diagnosed()).when(command)).then_refused(EpisodeOfAnother)


async def test_a_note_is_signed_under_the_id_of_session_and_patient() -> None:
    signed = NoteSigned(
        note=NOTE, patient=ANA, episode=EPISODE, session=SESSION, clinician=CLINICIAN, text=WORDS
    )
    (await clinical().when(note())).then(signed)


async def test_a_signed_note_is_not_written_over() -> None:
    scenario = clinical()
    await scenario.when(note())
    (await scenario.when(note(OTHER_WORDS))).then_refused(NoteStands)


async def test_a_withdrawn_note_makes_room_for_another() -> None:
    scenario = clinical()
    await scenario.when(note())
    withdrawn = await scenario.when(WithdrawNote(note=NOTE, reason="wrong-session"))
    withdrawn.then(NoteWithdrawn(session=SESSION, reason="wrong-session"))
    (await scenario.when(note(OTHER_WORDS))).then_types(NoteSigned)


async def test_a_note_is_withdrawn_once() -> None:
    scenario = clinical()
    await scenario.when(note())
    await scenario.when(WithdrawNote(note=NOTE, reason="wrong-session"))
    (await scenario.when(WithdrawNote(note=NOTE, reason="wrong-session"))).then()
    other = await scenario.when(WithdrawNote(note=NOTE, reason="unsigned-cosign"))
    other.then_refused(NoteWasWithdrawn)


async def test_a_note_that_nobody_signed_cannot_be_withdrawn() -> None:
    (await clinical().when(WithdrawNote(note=NOTE, reason="wrong-session"))).then_refused(NotFound)


async def test_a_withdrawal_is_about_the_notes_patient() -> None:
    scenario = clinical()
    await scenario.when(note())
    await scenario.when(WithdrawNote(note=NOTE, reason="wrong-session"))
    records = await scenario.store.read(0, 10)
    assert [about.envelope.patient for about in records] == [ANA, ANA]
