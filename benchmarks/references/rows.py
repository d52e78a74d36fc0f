"""Plain rows: psycopg alone, into a table of events with the indexes that one needs."""

from __future__ import annotations

from time import perf_counter
from uuid import uuid4

import psycopg

from benchmarks.patients import patient
from benchmarks.trials import percentile
from benchmarks.workload import note, sealed

TABLE = """
drop table if exists rows;
create table rows (
    position bigint generated always as identity primary key,
    id uuid not null unique,
    stream text not null,
    stream_version integer not null,
    type text not null,
    recorded_at timestamptz not null default now(),
    body bytea not null,
    unique (stream, stream_version)
)
"""
INSERT = "insert into rows (id, stream, stream_version, type, body) values (%s, %s, 1, 'NoteSigned', %s)"
COPY = "copy rows (id, stream, stream_version, type, body) from stdin (format binary)"


def body() -> bytes:
    """The bytes of an event."""
    someone = patient(1)
    return note(someone, someone, sealed(someone)).to_bytes()


def insert_p50_ms(url: str, count: int) -> float:
    """The median time of one insert that commits by itself."""
    times, found = [], body()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
        for _ in range(count):
            id = uuid4()
            began = perf_counter()
            connection.execute(INSERT, (id, f"chart-{id}", found), prepare=True)
            times.append((perf_counter() - began) * 1000)
    return percentile(times, 50)


def copy_rate(url: str, count: int) -> float:
    """Rows a second of one COPY in binary, committed at its end."""
    ids, found = [uuid4() for _ in range(count)], body()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
        began = perf_counter()
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(["uuid", "text", "int4", "text", "bytea"])
            for id in ids:
                copy.write_row((id, f"chart-{id}", 1, "NoteSigned", found))
        return count / (perf_counter() - began)
