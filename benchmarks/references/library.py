"""The event-sourcing library on PostgreSQL, as its own documentation sets it up.

Left out is its ``POSTGRES_ENABLE_DB_FUNCTIONS``: it inserts without the table's lock, so that a reader
may skip events that were committed late. Fields are plain strings and numbers: no transcoding is paid for.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from benchmarks.trials import threaded_rate
from benchmarks.workload import CIPHERTEXT, CLINICIAN, NONCE, NOTES_MAX

THREADS = (1, 4, 8, 16)


class Chart(Aggregate):
    """The notes of an episode."""

    class Opened(Aggregate.Created):
        """The first note."""

        note: str
        patient: str
        episode: str
        session: str
        clinician: str
        kid: str
        nonce: str
        ct: str

    @event(Opened)
    def __init__(
        self,
        note: str,
        patient: str,
        episode: str,
        session: str,
        clinician: str,
        kid: str,
        nonce: str,
        ct: str,
    ) -> None:
        self.patient, self.notes, self.last = patient, 1, note

    class Signed(Aggregate.Event):
        """One more note."""

        note: str
        patient: str
        episode: str
        session: str
        clinician: str
        kid: str
        nonce: str
        ct: str

    @event(Signed)
    def _sign(
        self,
        note: str,
        patient: str,
        episode: str,
        session: str,
        clinician: str,
        kid: str,
        nonce: str,
        ct: str,
    ) -> None:
        self.notes, self.last = self.notes + 1, note

    def sign(self, **fields: str) -> None:
        """Decide on one more note."""
        if self.notes >= NOTES_MAX:
            raise ValueError("the chart is full")
        self._sign(**fields)


class Charts(Application[UUID]):
    """The application."""


def fields(id: str) -> dict[str, str]:
    """What a note holds: 400 bytes with its names."""
    return {
        "note": id,
        "patient": id,
        "episode": id,
        "session": id,
        "clinician": CLINICIAN,
        "kid": f"{id}.1",
        "nonce": NONCE,
        "ct": CIPHERTEXT,
    }


class Notes(PostgresTrackingRecorder):
    """One row for each note, written with the position in one transaction."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sql_create_statements.append(
            SQL(
                "create table if not exists {}.signed_notes (note uuid primary key, patient uuid,"
                " session uuid, clinician text, signed_at timestamptz)"
            ).format(Identifier(self.datastore.schema))
        )

    def keep(self, row: tuple[Any, ...], tracking: Tracking) -> None:
        """Write a row and the position."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(UPSERT, row, prepare=True)
            self._insert_tracking(cursor, tracking)


UPSERT = SQL(
    "insert into signed_notes values (%s, %s, %s, %s, %s) on conflict (note) do update set"
    " patient = excluded.patient, session = excluded.session, clinician = excluded.clinician,"
    " signed_at = excluded.signed_at"
)


class SignedNotes(Projection[Notes]):
    """One row for each note."""

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Of other events, only the position counts."""
        self.view.insert_tracking(tracking)

    @process_event.register
    def opened(self, domain_event: Chart.Opened, tracking: Tracking) -> None:
        """Show the first note."""
        self._show(domain_event, tracking)

    @process_event.register
    def signed(self, domain_event: Chart.Signed, tracking: Tracking) -> None:
        """Show the note."""
        self._show(domain_event, tracking)

    def _show(self, found: Any, tracking: Tracking) -> None:
        row = (found.note, found.patient, found.session, found.clinician, found.timestamp)
        self.view.keep(row, tracking)


def environment(url: str) -> dict[str, str]:
    """The library's settings for a database."""
    parts = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts.get("host", "")),
        "POSTGRES_PORT": str(parts.get("port", "")),
        "POSTGRES_USER": str(parts.get("user", "")),
        "POSTGRES_PASSWORD": str(parts.get("password") or "none"),
        "POSTGRES_POOL_SIZE": "16",
        "POSTGRES_MAX_OVERFLOW": "16",
        "POSTGRES_CONN_MAX_AGE": "",
        "POSTGRES_PRE_PING": "n",
    }


@contextmanager
def charts(url: str, kept: int = 0) -> Iterator[Charts]:
    """The application on a database; it keeps so many charts in memory, as guesses and uncopied as we do."""
    cache = {
        "AGGREGATE_CACHE_MAXSIZE": str(kept),
        "AGGREGATE_CACHE_FASTFORWARD": "n",
        "DEEPCOPY_FROM_AGGREGATE_CACHE": "n",
    }
    app = Charts(env=environment(url) | (cache if kept else {}))
    try:
        yield app
    finally:
        app.close()


def save(app: Charts, _: int = 0) -> None:
    """One event to a new stream."""
    app.save(Chart(**fields(str(uuid4()))))


def sign(app: Charts, chart: UUID) -> None:
    """Load a stream, decide, save one more event."""
    found: Chart = app.repository.get(chart)
    found.sign(**fields(str(uuid4())))
    app.save(found)


@dataclass
class Signing:
    """Commands, so many in a trial, on streams of ten events: on each once, or twice while they are kept."""

    app: Charts
    streams: Sequence[UUID]
    count: int
    kept: bool = False
    threads: int = 1

    def choose(self, probe: int) -> None:
        """Choose the number of threads that signs fastest, on streams of no trial."""
        self.threads = max(THREADS, key=lambda threads: self._rate(threads, probe, self.streams[-probe:]))

    def trial(self, number: int) -> float:
        """Commands a second of a trial."""
        begin = number * self.count
        return self._rate(self.threads, self.count, self.streams[begin : begin + self.count])

    def _rate(self, threads: int, count: int, streams: Sequence[UUID]) -> float:
        if self.kept:
            streams = streams[len(streams) // 2 :]
            for chart in streams:
                self.app.repository.get(chart)
        return threaded_rate(threads, count, lambda number: sign(self.app, streams[number % len(streams)]))


def filled(app: Charts, count: int, events: int = 10) -> list[UUID]:
    """Streams of some events each."""
    found = []
    for begin in range(0, count, 50):
        group = [Chart(**fields(str(uuid4()))) for _ in range(min(50, count - begin))]
        for chart in group:
            for _ in range(events - 1):
                chart.sign(**fields(str(uuid4())))
        app.save(*group)
        found += [chart.id for chart in group]
    return found


def best_threads(app: Charts, probe: int) -> int:
    """With how many threads it saves fastest."""
    found = {threads: threaded_rate(threads, probe, lambda _: save(app)) for threads in THREADS}
    return max(found, key=lambda threads: found[threads])


def projected(url: str, events: int) -> float:
    """Events a second of a projection runner over what is stored, from its start to the last row."""
    gc.collect()
    began = perf_counter()
    with ProjectionRunner(
        application_class=Charts, projection_class=SignedNotes, view_class=Notes, env=environment(url)
    ) as runner:
        runner.wait(events, timeout=600)
        return events / (perf_counter() - began)
