"""The work that is measured: notes of 400 bytes on charts, told by one service and shown by another.

The services are small, and stand on the chassis as the real ones do; the event is clinical's own contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, ClassVar
from uuid import UUID, uuid4

from caretrail_contracts.clinical import NoteSigned
from caretrail_contracts.envelope import Actor, Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.sealed import FreeText, Sealed
from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from chassis.aggregate import Aggregate
from chassis.command import Cause, Command, Handlers, Work
from chassis.policy import Policies
from chassis.projection import Change, Projection, Table, on
from chassis.refusal import Refusal
from chassis.service import Service
from web.http import Accepted, Calling

BODY_BYTES = 400
"""Size of each event's body."""

CLINICIAN = "1234567893"
NONCE = "bm9uY2Vub25jZTEy"
CIPHERTEXT = "c2VhbGVk" * 11 + "c2"
NOTES_MAX = 1_000


class ChartFull(Refusal):
    """The chart has all the notes that it may have."""


class Chart(Aggregate):
    """The notes of an episode."""

    category: ClassVar[str] = "chart"
    notes: int = 0
    last: UUID | None = None

    def when(self, fact: Event) -> None:
        """Count the note."""
        if isinstance(fact, NoteSigned):
            self.patient, self.notes, self.last = fact.patient, self.notes + 1, fact.note

    def sign(self, fact: NoteSigned, work: Work) -> None:
        """Decide on one more note."""
        if self.notes >= NOTES_MAX:
            raise ChartFull()
        self.record(fact, work.now)


class OpenChart(Command):
    """Begin a chart with its first note."""

    chart: UUID
    patient: UUID
    text: Sealed[FreeText]


class SignNote(Command):
    """Add a note to a chart."""

    chart: UUID
    note: UUID
    patient: UUID


handlers = Handlers()


@handlers.handles(OpenChart)
async def open_chart(command: OpenChart, work: Work) -> None:
    """A new stream with one event."""
    fact = note(command.chart, command.patient, command.text)
    work.add(Chart.start(command.chart, fact, work.now))


@handlers.handles(SignNote)
async def sign_note(command: SignNote, work: Work) -> None:
    """Load a stream, decide, one more event."""
    chart = await work.load(Chart, command.chart)
    chart.sign(note(command.note, command.patient, sealed(command.patient)), work)


@lru_cache(maxsize=10_000)
def sealed(patient: UUID) -> Sealed[FreeText]:
    """A sealed text that makes its event as large as each other."""
    return Sealed[FreeText](kid=f"{patient}.1", nonce=NONCE, ct=CIPHERTEXT)


def note(id: UUID, patient: UUID, text: Sealed[FreeText]) -> NoteSigned:
    """The event."""
    return NoteSigned(note=id, patient=patient, episode=patient, session=id, clinician=CLINICIAN, text=text)


def cause(id: UUID | None = None) -> Cause:
    """Why a command is carried out."""
    id = id or uuid4()
    return Cause(command_id=id, actor=Actor("staff-7", "clinician"), purpose="TREAT", correlation_id=id)


SIGNED = Table(
    "signed_notes",
    key={"note": "uuid"},
    values={"patient": "uuid", "session": "uuid", "clinician": "text", "signed_at": "timestamptz"},
    indexes=("patient",),
)


class SignedNotes(Projection):
    """One row for each note."""

    tables: ClassVar[tuple[Table, ...]] = (SIGNED,)

    @on(NoteSigned)
    def signed(self, event: NoteSigned, about: Envelope) -> Iterator[Change]:
        """Show the note."""
        yield SIGNED.put(
            note=event.note,
            patient=event.patient,
            session=event.session,
            clinician=event.clinician,
            signed_at=about.occurred_at,
        )


class NoteBody(BaseModel):
    """A note as staff send it."""

    patient: UUID
    text: Annotated[str, StringConstraints(min_length=1, max_length=400)]


router = APIRouter()


@router.post("/notes", status_code=201)
async def post_note(body: NoteBody, caller: Calling) -> Accepted:
    """Seal the text, then begin a chart with it."""
    await caller.issue_key(body.patient)
    text = await caller.seal(body.patient, FreeText(body.text))
    return await caller.execute(OpenChart(chart=caller.command_id, patient=body.patient, text=text))


@router.post("/nothing", status_code=201)
async def post_nothing(body: NoteBody) -> Accepted:
    """The same request and the same form of answer, and nothing done."""
    return Accepted(command_id=body.patient, position=1, streams={f"chart-{body.patient}": 1})


TELLER = Service("clinical", handlers, Policies(), router=router)
SHOWER = Service("billing", Handlers(), Policies(), (SignedNotes(),))
KEEPER = Service("clinical", handlers, Policies(), (SignedNotes(),), router=router)
"""The teller that also shows its own notes: it is rebuilt."""

SERVICES = {"teller": TELLER, "shower": SHOWER, "keeper": KEEPER}
